//! A capture with rules in it, as the binary shows it.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/events.rs"]
#[expect(dead_code, unused_imports, reason = "each test file uses a part of it")]
mod events;
#[path = "support/moments.rs"]
mod moments;

use std::time::Duration;

use bitstap::capture::CaptureFile;
use bitstap::event::{Event, Leg, What};
use bitstap::fault::in_force;
use bitstap::fault::rule::{Action, Ends, Stage};
use bitstap::timeline::ReadBack;
use conversation::Talk;

const UP: &str = "/up/a.bin";

/// Says what an engine leaves behind about the exchange at hand.
fn leave(talk: &mut Talk, verdict: &bitstap::fault::Verdict) {
    for receipt in &verdict.receipts {
        let note = receipt.note();
        talk.note(&note.text, note.fact);
    }
}

/// Says a head, which the moments write without marks of direction.
fn say(talk: &mut Talk, mark: &str, lines: &str) {
    let said: Vec<String> = lines.lines().map(|line| format!("{mark} {line}")).collect();
    talk.say(&format!("{}\n{mark}", said.join("\n")));
}

/// A run whose rule dropped an Ack, as proxy and recorder would have it.
fn recorded_run() -> Vec<Event> {
    let when = "bits.type == fragment";
    let actions = vec![Action::DropResponse, Action::Reset { side: Ends::Client }];
    let mut lost = moments::rule("lost-ack", when, Stage::ResponseHead, actions);
    lost.count.times = Some(1);
    let mut engine = moments::engine(vec![lost]);
    let mut talk = Talk::silent();
    talk.events = in_force(engine.rules(), engine.seed(), Duration::ZERO);
    talk.connect("10.0.0.5");
    let mut line = moments::Line::new(1, "10.0.0.5");
    let create = moments::post(UP, "Create-Session", "");
    let created = moments::ack(200, "BITS-Session-Id: {3F2B}");
    line.create(&mut engine, UP, "{3F2B}");
    say(&mut talk, ">", &create);
    say(&mut talk, "<", &created);
    let ack = moments::ack(200, "BITS-Received-Content-Range: 10");
    for conn in 1..=2 {
        if conn == 2 {
            talk.hang_up().connect("10.0.0.5");
            line = moments::Line::new(2, "10.0.0.5");
        }
        line.fragment(&mut engine, UP, "{3F2B}", "0-9/30");
        say(&mut talk, ">", &moments::fragment(UP, "{3F2B}", "0-9/30"));
        // Other rules come into force while the content is on its way.
        talk.bytes(events::ToServer, b"alpha");
        talk.events
            .extend(in_force(engine.rules(), 8, Duration::from_millis(3)));
        talk.bytes(events::ToServer, b",1234");
        leave(&mut talk, &line.answer(&mut engine, &ack));
    }
    say(&mut talk, "<", &ack);
    talk.hang_up();
    talk.events
}

#[test]
fn view_shows_rules_receipts_and_what_fired() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults.pcapng");
    events::write(&path, &recorded_run());
    let path = path.to_str().unwrap();

    let lines = binary::json(&["view", path]);
    let exchanges = binary::of_type(&lines, "exchange");
    let faults: Vec<String> = exchanges
        .iter()
        .map(|line| format!("{} {}", line["no"], line["faults"]))
        .collect();
    assert_eq!(faults, ["1 []", r#"2 ["lost-ack"]"#, "3 []"]);
    let notes: Vec<&str> = binary::of_type(&lines, "note")
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect();
    assert_eq!(
        notes,
        [
            "1 rule is in force from here on, with seed 7: lost-ack.",
            "1 rule is in force from here on, with seed 8: lost-ack.",
            "Rule lost-ack fired at response.head: drop_response, reset (match 1 of session 10.0.0.5 /up/a.bin #1).",
            "1 rule is in force from here on, with seed 8: lost-ack.",
            "Rule lost-ack matched at response.head and did not fire: fired 1 of 1 times already (match 2 of session 10.0.0.5 /up/a.bin #1).",
        ]
    );
    let summary = &binary::of_type(&lines, "summary")[0];
    assert_eq!(
        (&summary["connections"], &summary["truncated"]),
        (&2.into(), &false.into())
    );

    let lines = binary::json(&["view", path, "--filter", "fault.rule == lost-ack"]);
    assert_eq!(binary::of_type(&lines, "exchange").len(), 1);

    let text = binary::output(&["view", path, "--headless"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("[no-response] [rule lost-ack]"), "{text}");
    assert!(
        text.contains("Rule lost-ack dropped the Ack of Fragment 0-9"),
        "{text}"
    );

    // Two captures together: rules belong to no connection, so they do not become one.
    let lines = binary::json(&["view", path, path]);
    let summary = &binary::of_type(&lines, "summary")[0];
    assert_eq!(summary["connections"], 4);
}

#[test]
fn bytes_are_read_back_across_notes_that_belong_to_no_connection() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults.pcapng");
    let run = recorded_run();
    let positions = events::write(&path, &run);
    let place = run
        .iter()
        .position(|event| matches!(&event.what, What::Data { bytes, .. } if bytes == "alpha"))
        .unwrap();
    let file = CaptureFile::open(&path).unwrap();
    let span = bitstap::timeline::Span {
        conn: run[place].conn,
        leg: Leg::Client,
        direction: events::ToServer,
        position: positions[place],
        base: 0,
        offset: 0,
        len: 10,
    };
    let chunk = file.read(span, 0, 10).unwrap();
    assert_eq!(
        (chunk.bytes.as_slice(), chunk.holes.len()),
        (&b"alpha,1234"[..], 0)
    );
}
