//! What rules leave behind: rows, stories, remarks, the capture, and the rules themselves in it.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/events.rs"]
#[expect(dead_code, unused_imports, reason = "each test file uses a part of it")]
mod events;
#[path = "support/moments.rs"]
mod moments;

use std::time::Duration;

use bitstap::event::{ConnId, Event, Fact, Leg, Note, RuleFact, What};
use bitstap::fault::receipt::Receipt;
use bitstap::fault::rule::Stage;
use bitstap::fault::{Recorded, in_force, recorded};
use bitstap::report::{json, text};
use bitstap::timeline::filter::{Filter, Row};
use bitstap::timeline::{Outcome, Timeline};
use conversation::Talk;

/// A receipt of a rule at exchange `exchange`; `reason` is empty where it fired.
fn receipt(rule: &str, stage: Stage, exchange: u64, actions: &[&str], reason: &str) -> Receipt {
    Receipt {
        rule: rule.to_owned(),
        stage,
        key: "session 10.0.0.5 /up/a.bin #1".to_owned(),
        ordinal: 3,
        actions: actions.iter().map(|name| (*name).to_owned()).collect(),
        reason: reason.to_owned(),
        exchange: Some(exchange),
    }
}

fn leave(talk: &mut Talk, receipt: &Receipt) {
    let Note { text, fact } = receipt.note();
    talk.note(&text, fact);
}

const CREATE: &str = "> BITS_POST /up/a.bin HTTP/1.1
    > BITS-Packet-Type: Create-Session
    > Host: h.test
    > Content-Length: 0
    >
    < HTTP/1.1 200 OK
    < BITS-Packet-Type: Ack
    < BITS-Session-Id: {3F2B}
    < Content-Length: 0
    <";

const FRAGMENT: &str = "> BITS_POST /up/a.bin HTTP/1.1
    > BITS-Packet-Type: Fragment
    > BITS-Session-Id: {3F2B}
    > Content-Range: bytes 0-9/30
    > Host: h.test
    > Content-Length: 10
    >
    > alpha,1234";

const ACK: &str = "< HTTP/1.1 200 OK
    < BITS-Packet-Type: Ack
    < BITS-Received-Content-Range: 10
    < Content-Length: 0
    <";

/// A session whose first Ack was lost, after a rule that slows everything and one that did not fire.
fn lost_ack() -> Talk {
    let mut talk = Talk::new();
    talk.say(CREATE).say(FRAGMENT);
    leave(
        &mut talk,
        &receipt("wan", Stage::RequestHead, 1, &["delay", "limit"], ""),
    );
    leave(
        &mut talk,
        &receipt("half", Stage::RequestHead, 1, &[], "drawn 0.71 of 0.5"),
    );
    let actions = ["drop_response", "reset"];
    leave(
        &mut talk,
        &receipt("lost-ack", Stage::ResponseHead, 1, &actions, ""),
    );
    talk.hang_up().connect("10.0.0.5").say(FRAGMENT);
    leave(
        &mut talk,
        &receipt("wan", Stage::RequestHead, 0, &["delay", "limit"], ""),
    );
    talk.say(ACK).hang_up();
    talk
}

fn faults(timeline: &Timeline) -> Vec<Vec<&str>> {
    let rows = timeline.exchanges().iter();
    rows.map(|row| row.faults.iter().map(AsRef::as_ref).collect())
        .collect()
}

#[test]
fn a_receipt_finds_its_exchange() {
    let timeline = lost_ack().timeline();
    let none: &[&str] = &[];
    assert_eq!(faults(&timeline), [none, &["wan", "lost-ack"], &["wan"]]);
    assert_eq!(timeline.exchanges()[1].outcome, Outcome::NoResponse);
    let fired: Vec<(&str, Option<u32>)> = timeline
        .firings()
        .iter()
        .map(|firing| (&*firing.rule, firing.exchange))
        .collect();
    assert_eq!(
        fired,
        [("wan", Some(2)), ("lost-ack", Some(2)), ("wan", Some(3))]
    );
    // Also what did not fire can be read, at its exchange.
    let said: Vec<(Option<u32>, &str)> = timeline
        .remarks()
        .iter()
        .map(|remark| (remark.exchange, remark.text.as_str()))
        .collect();
    let half = "Rule half matched at request.head and did not fire: drawn 0.71 of 0.5 \
                (match 3 of session 10.0.0.5 /up/a.bin #1).";
    assert!(said.contains(&(Some(2), half)), "{said:#?}");
    assert_eq!(said.len(), 4);
}

#[test]
fn a_receipt_that_comes_after_the_end_of_its_exchange_finds_it_too() {
    let mut talk = Talk::new();
    talk.say(CREATE).say(FRAGMENT).say(ACK);
    leave(
        &mut talk,
        &receipt("late", Stage::ResponseBody, 0, &["truncate"], ""),
    );
    leave(
        &mut talk,
        &receipt("never", Stage::ResponseBody, 99, &["truncate"], ""),
    );
    talk.hang_up();
    leave(&mut talk, &receipt("over", Stage::Close, 1, &["note"], ""));
    let timeline = talk.timeline();
    let none: &[&str] = &[];
    assert_eq!(faults(&timeline), [&["late"][..], none]);
    let fired = timeline.firings().iter();
    let fired: Vec<Option<u32>> = fired.map(|firing| firing.exchange).collect();
    assert_eq!(fired, [Some(1), None, None]);
    assert_eq!(timeline.connections().len(), 1);
}

#[test]
fn the_story_says_what_a_rule_did() {
    let timeline = lost_ack().timeline();
    let story = timeline.sessions()[0].story.join("\n");
    let dropped = "Rule lost-ack dropped the Ack of Fragment 0-9 and reset the connection.";
    assert!(story.contains(dropped), "{story}");
    let slowed = "Rule wan delayed Fragment 0-9 and slowed Fragment 0-9 down.";
    assert_eq!(story.matches(slowed).count(), 1, "{story}");
    assert!(!story.contains("half"), "{story}");
}

#[test]
fn an_answer_of_the_proxy_is_told_as_such() {
    let mut talk = Talk::new();
    talk.say(CREATE).say(FRAGMENT);
    leave(
        &mut talk,
        &receipt("lost", Stage::RequestHead, 1, &["respond"], ""),
    );
    let fact = Fact::Answered {
        status: 500,
        reason: "rule lost".to_owned(),
    };
    talk.note("The proxy answered 500: rule lost.", fact);
    talk.say(
        "< HTTP/1.1 500 Internal Server Error
        < BITS-Packet-Type: Ack
        < BITS-Error-Code: 0x8020001F
        < Content-Length: 0
        <",
    );
    let timeline = talk.timeline();
    let row = &timeline.exchanges()[1];
    assert_eq!((row.outcome, row.status), (Outcome::Injected, Some(500)));
    let story = timeline.sessions()[0].story.join("\n");
    let said = "Rule lost answered Fragment 0-9 in the server's place.";
    assert!(story.contains(said), "{story}");
}

#[test]
fn rows_with_rules_are_found_and_printed() {
    let timeline = lost_ack().timeline();
    let found = |filter: &str| -> Vec<u32> {
        let filter = Filter::parse(filter).unwrap();
        let rows = timeline.exchanges().iter();
        rows.filter(|row| filter.matches(&Row::of(&timeline, row)))
            .map(|row| row.no)
            .collect()
    };
    assert_eq!(found("fault.rule"), [2, 3]);
    assert_eq!(found("fault.rule == lost-ack"), [2]);
    assert_eq!(
        found("fault.rule contains a and not fault.rule == lost-ack"),
        [3]
    );
    let rows = timeline.exchanges();
    let line = json::exchange(&timeline, &rows[1], 0);
    assert!(line.contains(r#""faults":["wan","lost-ack"]"#), "{line}");
    let line = json::exchange(&timeline, &rows[0], 0);
    assert!(line.contains(r#""faults":[]"#), "{line}");
    assert!(text::exchange(&rows[1]).ends_with("[no-response] [rule wan] [rule lost-ack]"));
    let receipts: Vec<serde_json::Value> = (timeline.remarks().iter())
        .map(|remark| serde_json::from_str::<serde_json::Value>(&json::note(remark)).unwrap())
        .filter_map(|note| note.get("receipt").cloned())
        .collect();
    let fired = |receipt: &&serde_json::Value| receipt["fired"] == true;
    let lost = receipts
        .iter()
        .filter(fired)
        .find(|it| it["rule"] == "lost-ack");
    assert_eq!(lost.unwrap()["reason"], serde_json::Value::Null);
    let refused = receipts.iter().find(|it| it["fired"] == false).unwrap();
    assert!(
        refused["actions"].as_array().unwrap().is_empty(),
        "{refused}"
    );
    assert!(
        refused["reason"].is_string() && refused["ordinal"].is_number(),
        "{refused}"
    );
}

/// A source that is cut into several pieces, with everything that JSON escapes.
fn long_source() -> String {
    let line = "# \"quoted\" \\ back\tslash \u{1} \u{1F980} d\u{e9}j\u{e0}\n";
    format!("version = 1\n{}", line.repeat(900))
}

fn rules_with(source: String) -> bitstap::fault::RuleSet {
    let mut off = moments::mark("sleeps", "", Stage::Connect);
    off.off = true;
    let rules = vec![moments::mark("lost-ack", "bits", Stage::ResponseHead), off];
    bitstap::fault::RuleSet {
        source,
        ..moments::set(rules)
    }
}

/// The same timeline as far as anybody can see.
fn assert_same(one: &Timeline, other: &Timeline) {
    assert_eq!(one.sessions(), other.sessions());
    assert_eq!(one.connections(), other.connections());
    assert_eq!(one.remarks(), other.remarks());
    assert_eq!(one.firings(), other.firings());
    assert_eq!(faults(one), faults(other));
}

#[test]
fn a_capture_gives_back_the_rules_and_every_receipt() {
    let rules = rules_with(long_source());
    let mut written = in_force(&rules, u64::MAX, Duration::ZERO);
    assert!(written.len() > 3);
    let again = rules_with("version = 1\n".to_owned());
    written.extend(lost_ack().events);
    written.extend(in_force(&again, 8, Duration::from_mins(1)));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.pcapng");
    events::write(&path, &written);
    let (read, notes) = events::read(&path);
    assert_eq!(notes, [""; 0]);
    assert_eq!(read, written);
    assert_same(
        &conversation::timeline(&read),
        &conversation::timeline(&written),
    );
    assert_eq!(recorded(&read), Some((u64::MAX, rules.source)));
    let timeline = conversation::timeline(&read);
    assert_eq!(timeline.connections().len(), 2);
    let beside: Vec<&str> = timeline
        .remarks()
        .iter()
        .filter(|remark| remark.conn.is_none())
        .map(|remark| remark.text.as_str())
        .collect();
    assert_eq!(
        beside,
        [
            "1 rule is in force from here on, with seed 18446744073709551615: lost-ack.",
            "1 rule is in force from here on, with seed 8: lost-ack.",
        ]
    );
}

#[test]
fn rules_that_are_not_all_there_are_none() {
    let events = in_force(&rules_with(long_source()), 7, Duration::ZERO);
    assert_eq!(recorded(&events[1..]), None);
    assert_eq!(recorded(&events[..events.len() - 1]), None);
    assert_eq!(recorded(&lost_ack().events), None);
    let mut swapped = events.clone();
    swapped.swap(1, 2);
    assert_eq!(recorded(&swapped), None);
    // What follows a broken start still counts.
    let mut found = Recorded::default();
    let both = events[1..].iter().chain(&events);
    assert!(both.clone().any(|event| found.take(event).is_some()));
    let empty = in_force(&rules_with(String::new()), 7, Duration::ZERO);
    assert_eq!(recorded(&empty), Some((7, String::new())));
}

#[test]
fn receipts_survive_a_capture_whatever_names_say() {
    let fact = RuleFact {
        rule: "a\"b\\c\n\u{1F980}".to_owned(),
        stage: "request.head".to_owned(),
        key: "session ::1 /\u{7f}x?y=\"".to_owned(),
        ordinal: u64::MAX,
        actions: vec!["delay".to_owned()],
        reason: String::new(),
        exchange: None,
    };
    let note = Note {
        text: "Rule fired.".to_owned(),
        fact: Fact::Rule(Box::new(fact)),
    };
    let mut talk = Talk::new();
    talk.say(CREATE);
    talk.push(Leg::Client, What::Note(note.clone()));
    // A connection that somebody numbered 0 keeps its legs.
    for leg in [Leg::Client, Leg::Upstream] {
        talk.events.push(Event {
            at: Duration::from_secs(9),
            conn: ConnId(0),
            leg,
            what: What::Note(note.clone()),
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.pcapng");
    events::write(&path, &talk.events);
    assert_eq!(events::read(&path).0, talk.events);
}
