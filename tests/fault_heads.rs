//! What rules write: changed heads and answers of the proxy's own.

#[path = "support/moments.rs"]
mod moments;

use bitstap::bits::header::Name;
use bitstap::fault::rule::{Action, Answer, BitsValue, Edit, ErrorHeader, Stage};
use bitstap::fault::verdict::Verdict;
use bytes::Bytes;
use moments::*;
use proptest::prelude::*;

const UP: &str = "/up/a.bin";
const ID: &str = "{3F2B}";

/// What a changed response head looks like; the head as it came where nothing changed.
fn changed(head: &str, actions: Vec<Action>) -> String {
    let mut engine = engine(vec![rule("r", "", Stage::ResponseHead, actions)]);
    let mut line = Line::new(1, "10.0.0.5");
    line.fragment(&mut engine, UP, ID, "10-19/30");
    let verdict = line.answer(&mut engine, head);
    if verdict.steps.is_empty() {
        return raw(head);
    }
    written(&verdict)
}

fn set(headers: &[(&str, &str)]) -> Action {
    Action::Set(Edit {
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Edit::default()
    })
}

fn set_bits(bits: Vec<(Name, BitsValue)>, error_header: ErrorHeader) -> Action {
    Action::Set(Edit {
        bits,
        error_header,
        ..Edit::default()
    })
}

fn remove(headers: &[&str], bits: Vec<Name>) -> Action {
    let headers = headers.iter().map(|name| (*name).to_owned()).collect();
    Action::Remove { headers, bits }
}

#[test]
fn a_field_is_replaced_in_place_or_added_at_the_end() {
    let head = "HTTP/1.1 200 OK\nServer: a\nx-ODD:  b  \nContent-Length: 0";
    assert_eq!(
        changed(head, vec![set(&[("X-Odd", "new"), ("Fresh", "1")])]),
        "HTTP/1.1 200 OK\r\nServer: a\r\nx-ODD:  new  \r\nContent-Length: 0\r\nFresh: 1\r\n\r\n"
    );
}

#[test]
fn further_copies_of_a_field_that_is_set_go() {
    let head = "HTTP/1.1 200 OK\nA: 1\nB: 2\na: 3\nA: 4\nContent-Length: 0";
    assert_eq!(
        changed(head, vec![set(&[("A", "x"), ("a", "y")])]),
        "HTTP/1.1 200 OK\r\nA: x\r\nB: 2\r\na: y\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn several_rules_change_one_head() {
    let rules = vec![
        rule("one", "", Stage::ResponseHead, vec![set(&[("A", "1")])]),
        rule("two", "", Stage::ResponseHead, vec![remove(&["B"], vec![])]),
        rule("three", "", Stage::ResponseHead, vec![set(&[("A", "2")])]),
    ];
    let mut engine = engine(rules);
    let mut line = Line::new(1, "10.0.0.5");
    line.fragment(&mut engine, UP, ID, "10-19/30");
    let verdict = line.answer(&mut engine, "HTTP/1.1 200 OK\nB: b\nContent-Length: 0");
    assert_eq!(
        written(&verdict),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: 2\r\n\r\n"
    );
    assert_eq!(&*verdict.steps[0].rule, "one, two, three");
    assert_eq!(fired(&verdict), ["one", "two", "three"]);
}

#[test]
fn bits_fields_are_found_in_every_spelling() {
    let head = ack(200, "BITS-Recieved-Content-Range: 20\nBITS-Error: 0x1");
    let bits = vec![
        (Name::ReceivedContentRange, BitsValue::Relative(-5)),
        (Name::Error, BitsValue::Code(0x8020_001F)),
        (Name::ErrorContext, BitsValue::Code(7)),
    ];
    let got = changed(&head, vec![set_bits(bits, ErrorHeader::ErrorCode)]);
    assert!(got.contains("BITS-Recieved-Content-Range: 15\r\n"), "{got}");
    assert!(got.contains("BITS-Error-Code: 0x8020001F\r\n"), "{got}");
    assert!(!got.contains("BITS-Error:"), "{got}");
    assert!(got.contains("BITS-Error-Context: 0x7\r\n"), "{got}");
    let gone = changed(
        &head,
        vec![remove(&[], vec![Name::Error, Name::ReceivedContentRange])],
    );
    assert_eq!(gone, raw(&ack(200, "")));
}

#[test]
fn a_relative_offset_starts_after_the_fragment_where_no_offset_is_told() {
    let bits = vec![(Name::ReceivedContentRange, BitsValue::Relative(-8))];
    let got = changed(&ack(200, ""), vec![set_bits(bits, ErrorHeader::default())]);
    assert!(
        got.ends_with("BITS-Received-Content-Range: 12\r\n\r\n"),
        "{got}"
    );
}

#[test]
fn both_names_of_an_error_can_be_sent() {
    let bits = vec![(Name::Error, BitsValue::Code(0x8007_0005))];
    let got = changed(&ack(403, ""), vec![set_bits(bits, ErrorHeader::Both)]);
    assert!(
        got.contains("BITS-Error-Code: 0x80070005\r\nBITS-Error: 0x80070005\r\n"),
        "{got}"
    );
}

#[test]
fn a_status_brings_its_reason_unless_one_is_given() {
    let status = |status, reason: Option<&str>| {
        Action::Set(Edit {
            status: Some(status),
            reason: reason.map(str::to_owned),
            ..Edit::default()
        })
    };
    let head = "HTTP/1.0 200 Fine\nContent-Length: 0";
    let line = |actions| changed(head, actions).lines().next().unwrap().to_owned();
    assert_eq!(
        line(vec![status(503, None)]),
        "HTTP/1.0 503 Service Unavailable"
    );
    assert_eq!(line(vec![status(503, Some("No"))]), "HTTP/1.0 503 No");
    assert_eq!(line(vec![status(200, None)]), "HTTP/1.0 200 Fine");
    assert_eq!(
        line(vec![status(404, None), status(413, Some("Big"))]),
        "HTTP/1.0 413 Big"
    );
    let bare = changed("HTTP/1.1 200\nContent-Length: 0", vec![status(404, None)]);
    assert!(bare.starts_with("HTTP/1.1 404 Not Found\r\n"), "{bare}");
}

#[test]
fn a_value_cannot_begin_another_line() {
    let got = changed(&ack(200, ""), vec![set(&[("A", "1\r\nEvil: 2")])]);
    assert!(got.ends_with("A: 1  Evil: 2\r\n\r\n"), "{got}");
}

/// A head with whatever a peer may write into its fields.
fn heads() -> impl Strategy<Value = String> {
    let field = ("[A-Za-z-]{1,8}", "[ \t]{0,2}[ -~]{0,12}[ \t]{0,2}");
    proptest::collection::vec(field, 0..8).prop_map(|fields| {
        let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
        for (name, value) in fields {
            head.push_str(&format!("{name}:{value}\r\n"));
        }
        head
    })
}

proptest! {
    #[test]
    fn only_what_is_named_changes(before in heads(), after in heads(), value in "[!-~]{1,9}") {
        let after = after.split_once("\r\n").unwrap().1.to_owned();
        let clash = |head: &str| head.to_ascii_lowercase().contains("\r\nx-named:");
        prop_assume!(!clash(&before) && !clash(&format!("\r\n{after}")));
        let with = |line: &str| format!("{before}{line}{after}\r\n");
        let named = with("x-NAMED: old\r\n");
        prop_assert_eq!(
            edited(&named, set(&[("X-Named", &value)])),
            with(&format!("x-NAMED: {value}\r\n"))
        );
        prop_assert_eq!(edited(&named, remove(&["X-Named"], vec![])), with(""));
        prop_assert_eq!(edited(&named, set(&[("X-Named", "old")])), named.clone());
        prop_assert_eq!(edited(&named, remove(&["X-Other-Name"], vec![])), named.clone());
        prop_assert_eq!(edited(&named, Action::Set(Edit::default())), named);
    }
}

/// Applies an action to a head as it is, byte for byte.
fn edited(head: &str, action: Action) -> String {
    use bitstap::fault::engine::Moment;
    use bitstap::wire::{Decoder, Framing, Item, Stream};
    let mut items = Vec::new();
    Decoder::new(Stream::Responses).feed(&Bytes::copy_from_slice(head.as_bytes()), &mut items);
    let found = items.into_iter().find_map(|item| match item {
        Item::Head { head, .. } => Some(head),
        _ => None,
    });
    let found = found.expect("a head");
    assert_eq!(found.raw, head.as_bytes());
    let mut engine = engine(vec![rule("r", "", Stage::ResponseHead, vec![action])]);
    let verdict = engine.decide(&Moment {
        at: std::time::Duration::ZERO,
        conn: bitstap::event::ConnId(1),
        client: bitstap::fault::verdict::Client {
            address: "10.0.0.1:5".parse().unwrap(),
            tls: false,
        },
        stage: Stage::ResponseHead,
        exchange: Some(0),
        request: None,
        response: Some((&found, Framing::None)),
    });
    assert_eq!(fired(&verdict), ["r"]);
    if verdict.steps.is_empty() {
        return head.to_owned();
    }
    written(&verdict)
}

/// Lines as a hostile or broken peer may send them.
fn wild() -> impl Strategy<Value = Vec<u8>> {
    let line = proptest::collection::vec(
        prop_oneof![
            4 => proptest::sample::select(&b"aX: \t-\xFF\0\r"[..]),
            1 => any::<u8>(),
        ],
        0..16,
    );
    let known = proptest::sample::select(vec![
        &b"BITS-Session-Id:"[..],
        b"Content-Length: 5",
        b"BITS-Error-Code: 0x1",
        b" folded",
        b"BITS-Received-Content-Range: 99999999999999999999",
    ]);
    let line = prop_oneof![line, known.prop_map(<[u8]>::to_vec)];
    proptest::collection::vec((line, any::<bool>()), 0..8).prop_map(|lines| {
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        for (line, bare) in lines {
            head.extend(line);
            head.extend_from_slice(if bare { b"\n" } else { b"\r\n" });
        }
        head.extend_from_slice(b"\r\n");
        head
    })
}

proptest! {
    #[test]
    fn no_head_stops_the_engine_and_what_is_not_named_stays(bytes in wild()) {
        use bitstap::wire::{Decoder, Framing, Item, Stream};
        let mut items = Vec::new();
        Decoder::new(Stream::Responses).feed(&Bytes::from(bytes), &mut items);
        for item in items {
            let Item::Head { head, .. } = item else { continue };
            let same = vec![
                remove(&["No-Such-Field"], vec![Name::HostId]),
                Action::Set(Edit { status: head.status(), ..Edit::default() }),
            ];
            let bits = vec![
                (Name::ReceivedContentRange, BitsValue::Relative(i64::MIN)),
                (Name::Error, BitsValue::Number(u64::MAX)),
                (Name::SessionId, BitsValue::Text("x".to_owned())),
            ];
            let many = vec![
                set_bits(bits, ErrorHeader::Both),
                set(&[("X", "1"), ("a", "2"), ("Content-Length", "3")]),
                remove(&["aX", "X"], vec![Name::SessionId]),
                Action::Respond(Box::new(status(416))),
            ];
            let mut engine = engine(vec![
                rule("same", "", Stage::ResponseHead, same),
                rule("many", "", Stage::ResponseHead, many),
            ]);
            let mut moment = bitstap::fault::engine::Moment {
                at: std::time::Duration::ZERO,
                conn: bitstap::event::ConnId(1),
                client: bitstap::fault::verdict::Client {
                    address: "10.0.0.1:5".parse().unwrap(),
                    tls: false,
                },
                stage: Stage::ResponseHead,
                exchange: Some(0),
                request: None,
                response: Some((&head, Framing::Chunked)),
            };
            let verdict = engine.decide(&moment);
            prop_assert_eq!(verdict.receipts.len(), 2);
            engine.turn(1, false);
            moment.exchange = Some(1);
            let verdict = engine.decide(&moment);
            prop_assert_eq!(fired(&verdict), ["same"]);
            prop_assert!(verdict.is_pass(), "{:?} became {:?}", head.raw, verdict.steps);
        }
    }
}

/// What is answered to a request.
fn answered(request: &str, answer: Answer) -> String {
    let mut engine = engine(vec![respond(Stage::RequestHead, answer)]);
    let verdict = Line::new(1, "10.0.0.5").ask(&mut engine, request);
    written(&verdict)
}

fn respond(stage: Stage, answer: Answer) -> bitstap::fault::Rule {
    rule("r", "", stage, vec![Action::Respond(Box::new(answer))])
}

fn status(status: u16) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

#[test]
fn an_answer_to_a_packet_is_an_ack_as_a_server_writes_it() {
    let fragment = fragment(UP, ID, "10-19/30");
    assert_eq!(
        answered(&fragment, status(200)),
        "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {3F2B}\r\n\
         BITS-Received-Content-Range: 20\r\nContent-Length: 0\r\n\r\n"
    );
    let lost = Answer {
        bits: vec![(Name::Error, BitsValue::Code(0x8020_001F))],
        ..status(500)
    };
    assert_eq!(
        answered(&fragment, lost),
        "HTTP/1.1 500 Internal Server Error\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {3F2B}\r\n\
         BITS-Error-Code: 0x8020001F\r\nBITS-Error-Context: 0x5\r\nContent-Length: 0\r\n\r\n"
    );
    // Only the server knows which offset it wants.
    assert_eq!(
        answered(&fragment, status(416)),
        "HTTP/1.1 416 Requested Range Not Satisfiable\r\nBITS-Packet-Type: Ack\r\n\
         BITS-Session-Id: {3F2B}\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn what_the_rule_says_has_the_last_word() {
    let answer = Answer {
        reason: Some("Nope".to_owned()),
        headers: vec![
            ("Content-Length".to_owned(), "99".to_owned()),
            ("X-A".to_owned(), "b".to_owned()),
        ],
        bits: vec![
            (Name::SessionId, BitsValue::Text("other".to_owned())),
            (Name::ReceivedContentRange, BitsValue::Relative(-100)),
            (Name::Error, BitsValue::Code(1)),
            (Name::ErrorContext, BitsValue::Code(7)),
        ],
        error_header: ErrorHeader::Error,
        no_ack: true,
        ..status(500)
    };
    assert_eq!(
        answered(&fragment(UP, ID, "10-19/30"), answer),
        "HTTP/1.1 500 Nope\r\nBITS-Session-Id: other\r\nBITS-Received-Content-Range: 0\r\n\
         BITS-Error: 0x00000001\r\nBITS-Error-Context: 0x7\r\nContent-Length: 99\r\nX-A: b\r\n\r\n"
    );
}

#[test]
fn a_created_session_gets_an_id_that_is_the_same_every_run() {
    let create = post(UP, "Create-Session", "");
    let text = answered(&create, status(200));
    assert_eq!(text, answered(&create, status(200)));
    assert!(text.contains("BITS-Protocol: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n"));
    let id = text.split_once("BITS-Session-Id: ").unwrap().1;
    let id = id.split_once("\r\n").unwrap().0;
    assert_eq!((id.len(), &id[15..16]), (38, "4"), "{id}");
    let refused = answered(&create, status(503));
    assert!(
        !refused.contains("Session-Id") && !refused.contains("Protocol"),
        "{refused}"
    );
}

#[test]
fn a_download_gets_plain_http_and_a_head_request_no_body() {
    let body = |text: &str| Answer {
        body: text.as_bytes().to_vec(),
        ..status(404)
    };
    let get = "GET /d/x.cab HTTP/1.1\nUser-Agent: Microsoft BITS/7.8\nHost: a";
    let head = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n";
    assert_eq!(
        answered(get, body("<h1>no</h1>")),
        format!("{head}<h1>no</h1>")
    );
    assert_eq!(
        answered(&get.replace("GET", "HEAD"), body("<h1>no</h1>")),
        head
    );
    assert_eq!(
        answered(get, status(204)),
        "HTTP/1.1 204 No Content\r\n\r\n"
    );
}

#[test]
fn instead_of_the_servers_answer_offsets_start_from_what_it_said() {
    let verdict = |answer: Answer| -> Verdict {
        let mut engine = engine(vec![respond(Stage::ResponseHead, answer)]);
        let mut line = Line::new(1, "10.0.0.5");
        line.fragment(&mut engine, UP, ID, "10-19/30");
        line.answer(
            &mut engine,
            &ack(200, "BITS-Received-Content-Range: 18\nBITS-Session-Id: {S}"),
        )
    };
    let back = Answer {
        bits: vec![(Name::ReceivedContentRange, BitsValue::Relative(-10))],
        ..status(416)
    };
    let text = written(&verdict(back));
    assert!(
        text.contains("BITS-Received-Content-Range: 8\r\n"),
        "{text}"
    );
    assert!(text.contains("BITS-Session-Id: {S}\r\n"), "{text}");
    let text = written(&verdict(status(416)));
    assert!(
        text.contains("BITS-Received-Content-Range: 18\r\n"),
        "{text}"
    );
}
