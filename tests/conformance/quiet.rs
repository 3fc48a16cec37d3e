//! Where nothing may be said: worked examples, starts and gaps of a capture, answers of others.

use std::time::Duration;

use bitstap::bits::check::Who;
use bitstap::event::What;
use bitstap::timeline::{Level, Profile, Remark, Timeline};

use crate::conversation::Talk;
use crate::dialogue::*;
use crate::examples::{
    DOWNLOAD, NOTIFICATION, REPLY_DOWNLOAD, REPLY_UPLOAD, STRICT_RESUME, UPLOAD,
};
use crate::{broken, told};

#[test]
fn the_worked_examples_are_in_order() {
    let mut resumed = Talk::new();
    let second = UPLOAD.find("> BITS_POST /up/report.csv HTTP/1.1\n> BITS-Packet-Type: Fragment\n> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\n> Content-Range: bytes 10-19/30").unwrap();
    let lost = UPLOAD[second..].find("< HTTP").unwrap();
    resumed
        .say(&UPLOAD[..second + lost])
        .hang_up()
        .connect("10.0.0.5")
        .say(STRICT_RESUME);
    let mut reply = Talk::new();
    reply
        .say(REPLY_UPLOAD)
        .connect("192.0.2.1")
        .say(NOTIFICATION)
        .on(1)
        .say(REPLY_DOWNLOAD);
    let talks = [
        Talk::new().say(UPLOAD).hang_up().clone(),
        resumed,
        reply,
        Talk::new().say(DOWNLOAD).hang_up().clone(),
    ];
    for talk in talks {
        let timeline = talk.timeline();
        let loud = timeline
            .findings()
            .iter()
            .any(|finding| finding.level > Level::Note);
        assert!(!loud, "{}", told(&timeline));
    }
}

#[test]
fn an_upload_as_it_should_be_gives_no_finding_under_any_profile() {
    for profile in Profile::ALL {
        for talk in [
            upload(),
            download(),
            upload().hang_up(),
            begun().say(&cancel()).hang_up(),
        ] {
            let timeline = talk.timeline(profile);
            assert!(timeline.findings().is_empty(), "{}", told(&timeline));
        }
    }
}

#[test]
fn a_capture_that_begins_in_the_middle_accuses_nobody() {
    for talk in [
        Dialogue::joined().all(&[third(), close()]),
        Dialogue::joined().all(&[second().out_of_step(0), first(), second()]),
        Dialogue::joined()
            .say(&second().forgotten())
            .say(&create())
            .say(&first()),
        Dialogue::joined()
            .say(&first().back("BITS-Received-Content-Range: 10240"))
            .all(&[third(), close()]),
        // The connection is new, the session is not.
        Dialogue::new().all(&[ping(), third(), close()]),
        Dialogue::joined().blurts("rest of an answer").say(&ping()),
    ] {
        let timeline = talk.hang_up().timeline(Profile::Windows);
        let found = broken(&timeline);
        let noted: Vec<_> = found.iter().filter(|id| **id != "BUP-ER-10").collect();
        assert!(noted.is_empty(), "{}", told(&timeline));
    }
}

#[test]
fn a_lost_ack_explains_an_offset_beyond_the_fragment() {
    // The server took the second fragment; the client heard nothing and tries a smaller one.
    let half = || fragment(5120, 7679).back("BITS-Received-Content-Range: 10240");
    for again in [half(), half().out_of_step(10240)] {
        let talk = begun().say(&second().unanswered()).reconnect().all(&[
            ping(),
            again.clone(),
            third(),
            close(),
        ]);
        let timeline = talk.timeline(Profile::Windows);
        let loud = timeline
            .findings()
            .iter()
            .any(|finding| finding.level > Level::Note);
        assert!(!loud, "{}", told(&timeline));
    }
}

#[test]
fn an_ack_whose_end_nothing_tells_is_not_the_clients_haste() {
    let endless = || first().back_without("Content-Length");
    let talk = created().all(&[endless(), second(), third(), close()]);
    let found = talk.timeline(Profile::Windows);
    assert_eq!(broken(&found).len(), 1, "{}", told(&found));
    assert!(broken(&found).contains("BUP-AK-03"));
}

#[test]
fn a_client_that_gives_up_a_refused_fragment_is_right() {
    let refused = first().passes(4).status("HTTP/1.1 413 Too Large");
    let refused = refused.back_without("BITS-Received-Content-Range");
    let timeline = created().say(&refused).hang_up().timeline(Profile::Spec);
    assert!(timeline.findings().is_empty(), "{}", told(&timeline));
}

#[test]
fn an_empty_file_is_not_guessed_at() {
    let nothing = first()
        .with("Content-Range: bytes */0")
        .content("")
        .back("BITS-Received-Content-Range: 0");
    for talk in [created().all(&[nothing, close()]), created().say(&close())] {
        let timeline = talk.hang_up().timeline(Profile::Windows);
        assert!(timeline.findings().is_empty(), "{}", told(&timeline));
    }
}

#[test]
fn a_gap_makes_the_rules_of_order_silent() {
    // The second fragment and its Ack are in the gap.
    let talk = begun().gap(200).say(&third()).say(&close()).hang_up();
    let timeline = talk.timeline(Profile::Windows);
    assert!(timeline.findings().is_empty(), "{}", told(&timeline));
}

#[test]
fn heads_that_were_not_kept_are_not_held_against_anybody() {
    // The second fragment's Ack passed, but the capture holds only the beginnings of packets.
    let talk = begun()
        .say(&second().unanswered())
        .not_kept(150)
        .all(&[third(), close()])
        .hang_up();
    let timeline = talk.timeline(Profile::Windows);
    assert!(timeline.findings().is_empty(), "{}", told(&timeline));
}

#[test]
fn the_end_that_broke_a_rule_is_named() {
    let by = |step: Step| {
        let timeline = created().say(&step).timeline(Profile::Windows);
        let [finding] = timeline.findings() else {
            panic!("{}", told(&timeline));
        };
        (finding.id, finding.who)
    };
    let long = format!("X-Long: {}", "x".repeat(4097));
    assert_eq!(by(first().with(&long)), ("BUP-GN-10", Who::Client));
    assert_eq!(by(first().back(&long)), ("BUP-GN-10", Who::Server));
    assert_eq!(
        by(first().with("BITS-Colour: red")),
        ("BUP-GN-17", Who::Client)
    );
    assert_eq!(
        by(first().back("BITS-Colour: red")),
        ("BUP-GN-17", Who::Server)
    );
}

#[test]
fn a_capture_that_is_cut_off_leaves_no_upload_open() {
    let talk = complete().hang_up();
    let mut timeline = Timeline::new();
    for (position, event) in (0..).zip(talk.events()) {
        timeline.apply(event, position);
    }
    timeline.remark(Remark {
        at: Duration::ZERO,
        text: "The capture ends inside a block.".to_owned(),
        ..Remark::default()
    });
    timeline.finish();
    assert!(timeline.findings().is_empty(), "{}", told(&timeline));
}

#[test]
fn answers_of_the_proxy_are_not_held_against_the_server() {
    let own = first()
        .status("HTTP/1.1 502 Bad Gateway")
        .back_without("BITS-Packet-Type")
        .back_without("BITS-Session-Id")
        .back_without("BITS-Received-Content-Range");
    let timeline = created().ours().say(&own).timeline(Profile::Windows);
    assert!(timeline.findings().is_empty(), "{}", told(&timeline));
}

#[test]
fn a_gateway_is_told_of_once_and_not_measured_as_an_ack() {
    for status in [
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
    ] {
        let page = first()
            .status(&format!("HTTP/1.1 {status}"))
            .back_without("BITS-Packet-Type")
            .back_without("BITS-Session-Id")
            .back_without("BITS-Received-Content-Range")
            .reply("<html>");
        let timeline = created().say(&page).timeline(Profile::Spec);
        assert_eq!(told(&timeline).lines().count(), 1, "{}", told(&timeline));
        assert_eq!(timeline.findings()[0].id, "BUP-GN-11");
    }
}

#[test]
fn many_findings_of_one_rule_are_counted_not_listed() {
    let wrong = ping().with("X: y").content("x");
    let mut talk = Dialogue::new();
    for _ in 0..5003 {
        talk = talk.say(&wrong);
    }
    let timeline = talk.timeline(Profile::Windows);
    assert_eq!(timeline.findings().len(), 5001);
    let last = timeline.findings().last().unwrap();
    assert_eq!((last.id, last.exchange), ("BUP-GN-09", None));
    assert!(last.text.starts_with("3 more"), "{}", last.text);
    // The totals hold them all.
    assert_eq!(timeline.summary().errors, 5003);
    let rule = bitstap::bits::check::find("BUP-GN-09").unwrap();
    assert_eq!(timeline.findings_of_rule(rule), 5003);
}

#[test]
fn spoilt_bytes_stop_nobody() {
    // A small generator is enough: the same bytes are spoilt in every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for case in crate::cases() {
        let events = (case.breaks)().events().to_vec();
        for _ in 0..12 {
            let mut timeline = Timeline::with_profile(case.profile);
            for (position, event) in (0..).zip(&events) {
                let mut event = event.clone();
                if let What::Data { bytes, .. } = &mut event.what {
                    let mut spoilt = bytes.to_vec();
                    let head = spoilt.len().min(500);
                    for _ in 0..next(4) {
                        let with = b"09-:/ {x\r\n,\xff\0".as_slice();
                        spoilt[next(head)] = with[next(with.len())];
                    }
                    *bytes = spoilt.into();
                }
                timeline.apply(&event, position);
            }
            timeline.finish();
            let exchanges = u32::try_from(timeline.exchanges().len()).unwrap();
            let known = |no: u32| (1..=exchanges).contains(&no);
            for finding in timeline.findings() {
                assert!(finding.exchange.is_none_or(known));
                assert!(!finding.text.is_empty() && !finding.text.contains('\n'));
            }
        }
    }
}

#[test]
fn what_a_rule_made_of_an_answer_is_not_held_against_the_server() {
    let lie = |step: Step| step.back("BITS-Received-Content-Range: 99999");
    let begins = Dialogue::new().dialled().relayed(&create(), &create());
    let honest = begins.clone().relayed(&lie(first()), &lie(first()));
    let of = |talk: &Dialogue| broken(&talk.timeline(Profile::Windows));
    assert!(
        of(&honest).contains("BUP-AF-04"),
        "the server said so itself"
    );
    // The note of a rule comes when it fires, between the server's answer and the client's.
    let ruled = begins.relayed_when(&lie(first()), &first(), |talk| talk.rule_fires(1));
    assert!(
        of(&ruled).is_empty(),
        "{}",
        told(&ruled.timeline(Profile::Windows))
    );
}

#[test]
fn what_follows_from_an_answer_of_the_proxy_is_not_held_against_the_server() {
    let back = |step: Step, offset: u64| step.out_of_step(offset);
    for talk in [
        // The proxy sent the client on, and the server does not follow.
        created()
            .ours()
            .say(&first().back("BITS-Received-Content-Range: 10240"))
            .say(&back(third(), 0))
            .all(&[first(), second(), third(), close()]),
        // The proxy closed the session, the server knows nothing of it.
        complete().ours().say(&close()).reconnect().say(&close()),
        // The proxy made the session up.
        Dialogue::new()
            .ours()
            .say(&create())
            .say(&first().forgotten()),
    ] {
        let timeline = talk.timeline(Profile::Windows);
        let blamed = timeline
            .findings()
            .iter()
            .any(|finding| finding.who == Who::Server && finding.level > Level::Note);
        assert!(!blamed, "{}", told(&timeline));
    }
}
