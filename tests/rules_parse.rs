//! Rules files: what they mean, and what is said about each mistake.

use std::time::Duration;

use bitstap::bits::header::Name;
use bitstap::fault::rule::{
    At, BitsValue, Count, During, Ends, ErrorHeader, Per, Scope, TlsFault, Way,
};
use bitstap::fault::{Action, Rule, Stage, parse};

const MANUAL: &str = r#"
version = 1
seed = 20261122

[[rule]]                      # the server gets fragment 3, the client never hears of it
name   = "lost-ack-3"
when   = "bits.type == fragment"
count  = { per = "session", skip = 2, times = 1 }       # per session | connection | client | url | run; skip, times, every
stage  = "response.head"                                # connect | request.head | request.body | response.head | response.body | close
do     = [ { drop_response = {} }, { reset = { side = "client" } } ]
expect = { fired = 1, then = "bits.type == fragment and http.status in {200, 416}", within = "15m" }

[[rule]]                      # cut the upload at byte 5 MiB of the FILE, wherever that falls
name  = "cut-at-5MiB"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.body"
at    = { file = "5MiB" }                               # { file = N } | { body = N } | { percent = N }
do    = [ { reset = { side = "both" } } ]

[[rule]]                      # the server forgot the session
name  = "session-lost"
when  = "bits.type == fragment"
count = { per = "session", skip = 4, times = 1 }
stage = "request.head"
do    = [ { respond = { status = 500, bits = { error = "0x8020001F", context = "0x5" } } } ]

[[rule]]                      # a bad WAN, shared by all clients
name   = "wan"
when   = "bits or http.method in {GET, HEAD}"
chance = 1.0
do     = [ { delay = { ms = 300, jitter = 100 } }, { limit = { rate = "2Mbit/s", scope = "run" } } ]
"#;

#[test]
fn the_examples_of_the_manual_mean_what_they_say() {
    let set = parse(MANUAL).unwrap();
    assert_eq!(set.seed, Some(20_261_122));
    assert_eq!(set.source, MANUAL);
    let [lost, cut, forgot, wan] = &set.rules[..] else {
        panic!("{:?}", set.rules);
    };
    assert_eq!(lost.name, "lost-ack-3");
    assert_eq!(lost.when.to_string(), "bits.type == Fragment");
    assert_eq!(
        lost.count,
        Count {
            per: Per::Session,
            skip: 2,
            times: Some(1),
            every: 1
        }
    );
    assert_eq!(lost.stage, Stage::ResponseHead);
    assert_eq!(
        lost.actions,
        [Action::DropResponse, Action::Reset { side: Ends::Client }]
    );
    let expect = lost.expect.as_ref().unwrap();
    assert_eq!(expect.fired, Some(1));
    assert_eq!(expect.within, Some(Duration::from_mins(15)));
    assert!(expect.then.is_some());

    assert_eq!(cut.at, Some(At::File(5 << 20)));
    assert_eq!(cut.actions, [Action::Reset { side: Ends::Both }]);

    let [Action::Respond(answer)] = &forgot.actions[..] else {
        panic!("{:?}", forgot.actions);
    };
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.bits,
        [
            (Name::Error, BitsValue::Code(0x8020_001F)),
            (Name::ErrorContext, BitsValue::Code(5))
        ]
    );
    assert_eq!(answer.error_header, ErrorHeader::ErrorCode);

    assert_eq!(wan.count.per, Per::Run);
    assert_eq!(wan.count.times, None);
    assert_eq!(wan.stage, Stage::RequestHead);
    assert_eq!(
        wan.actions,
        [
            Action::Delay {
                time: Duration::from_millis(300),
                jitter: Duration::from_millis(100)
            },
            Action::Limit {
                rate: 250_000,
                scope: Scope::Run,
                way: Way::Both
            }
        ]
    );
}

/// The one rule of `keys`, which has a name already.
fn rule(keys: &str) -> Rule {
    let text = format!("[[rule]]\nname = \"r\"\n{keys}\n");
    let set = parse(&text).unwrap_or_else(|errors| panic!("{keys}: {errors:?}"));
    set.rules.into_iter().next().unwrap()
}

/// The one action of `entry` at `stage`.
fn action(stage: &str, entry: &str) -> Action {
    let rule = rule(&format!("stage = \"{stage}\"\ndo = [ {entry} ]"));
    rule.actions.into_iter().next().unwrap()
}

#[test]
fn times_are_written_in_three_ways() {
    for (entry, millis, jitter) in [
        ("{ delay = { time = \"300ms\" } }", 300, 0),
        ("{ delay = { ms = 300 } }", 300, 0),
        ("{ delay = { s = 2, jitter = 1 } }", 2000, 1000),
        ("{ delay = { time = 2, jitter = \"10ms\" } }", 2000, 10),
    ] {
        assert_eq!(
            action("request.head", entry),
            Action::Delay {
                time: Duration::from_millis(millis),
                jitter: Duration::from_millis(jitter)
            },
            "{entry}"
        );
    }
    assert_eq!(
        action("request.head", "{ hang = {} }"),
        Action::Hang { time: None }
    );
    assert_eq!(
        action("connect", "{ refuse = { s = 30 } }"),
        Action::Refuse {
            time: Duration::from_secs(30)
        }
    );
}

#[test]
fn a_pace_has_the_direction_of_its_stage() {
    for (stage, way) in [
        ("request.head", Way::Both),
        ("request.body", Way::ToServer),
        ("response.head", Way::ToClient),
        ("response.body", Way::ToClient),
    ] {
        let Action::Limit { way: found, .. } = action(stage, "{ limit = { rate = 1000 } }") else {
            panic!("{stage}");
        };
        assert_eq!(found, way, "{stage}");
    }
    assert_eq!(
        action(
            "request.head",
            "{ dribble = { bytes = \"1KiB\", every = \"100ms\", direction = \"to-client\" } }"
        ),
        Action::Dribble {
            bytes: 1024,
            every: Duration::from_millis(100),
            way: Way::ToClient
        }
    );
}

#[test]
fn heads_are_set_and_cut() {
    let Action::Set(edit) = action(
        "response.head",
        "{ set = { status = 416, reason = \"No\", version = \"1.0\", headers = { X = [\"a\", \"b\"] }, bits = { received = \"-1MiB\", error = \"BG_E_SESSION_NOT_FOUND\", host_id_timeout = \"110s\" }, error_header = \"both\" } }",
    ) else {
        panic!();
    };
    assert_eq!((edit.status, edit.version), (Some(416), Some(0)));
    assert_eq!(edit.reason.as_deref(), Some("No"));
    let headers = [
        ("X".to_owned(), "a".to_owned()),
        ("X".to_owned(), "b".to_owned()),
    ];
    assert_eq!(edit.headers, headers);
    assert_eq!(
        edit.bits,
        [
            (Name::ReceivedContentRange, BitsValue::Relative(-(1 << 20))),
            (Name::Error, BitsValue::Code(0x8020_001F)),
            (Name::HostIdFallbackTimeout, BitsValue::Number(110)),
        ]
    );
    assert_eq!(edit.error_header, ErrorHeader::Both);
    assert_eq!(
        action(
            "request.head",
            "{ remove = { headers = [\"ETag\"], bits = [\"session_id\"] } }"
        ),
        Action::Remove {
            headers: vec!["ETag".to_owned()],
            bits: vec![Name::SessionId]
        }
    );
    let Action::Respond(answer) = action(
        "request.head",
        "{ respond = { status = 200, body_base64 = \"AAH/\", no_ack = true } }",
    ) else {
        panic!();
    };
    assert_eq!(
        (answer.body.as_slice(), answer.no_ack),
        (&[0, 1, 255][..], true)
    );
}

#[test]
fn the_rest_of_the_actions_and_keys() {
    assert_eq!(
        action("request.body", "{ flip = { bytes = 3, bits = 2 } }"),
        Action::Flip { bytes: 3, bits: 2 }
    );
    assert_eq!(
        action("response.body", "{ truncate = {} }"),
        Action::Truncate
    );
    assert_eq!(
        action("response.head", "{ duplicate = {} }"),
        Action::Duplicate { times: 1 }
    );
    assert_eq!(
        action("request.head", "{ hold = { s = 90 } }"),
        Action::Hold {
            time: Some(Duration::from_secs(90))
        }
    );
    assert_eq!(
        action("connect", "{ tls = { fault = \"wrong-name\" } }"),
        Action::Tls(TlsFault::WrongName)
    );
    assert_eq!(
        action("close", "{ note = { text = \"over\" } }"),
        Action::Note {
            text: "over".to_owned()
        }
    );
    let rule = rule(
        "during = { from = \"30s\", to = \"2m\" }\noff = true\nchance = 0.25\nstage = \"request.body\"\nat = { percent = 12.5 }\ndo = [ { close = {} } ]",
    );
    let during = During {
        from: Duration::from_secs(30),
        to: Some(Duration::from_mins(2)),
    };
    assert_eq!((rule.during, rule.off), (during, true));
    assert_eq!((rule.chance, rule.at), (0.25, Some(At::Percent(12.5))));
}

#[test]
fn keys_next_to_a_preset_replace_its_own() {
    let set = parse(
        "[[rule]]\npreset = \"f-14\"\nname = \"lost\"\ncount = { per = \"url\", times = 3 }\noff = true\n[[rule]]\npreset = \"F-14\"\n",
    )
    .unwrap();
    let [own, plain] = &set.rules[..] else {
        panic!()
    };
    assert_eq!((own.name.as_str(), plain.name.as_str()), ("lost", "F-14"));
    assert_eq!(own.preset.as_deref(), Some("F-14"));
    assert_eq!((own.count.per, own.count.times), (Per::Url, Some(3)));
    assert_eq!((plain.count.per, plain.count.skip), (Per::Session, 1));
    assert_eq!((&own.actions, &own.when), (&plain.actions, &plain.when));
    assert!(own.off && !plain.off);
}
