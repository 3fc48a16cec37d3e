//! Expectations: judged at the end of a run, told as text, JSON and JUnit.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/moments.rs"]
mod moments;

use std::time::Duration;

use bitstap::event::{Close, Direction};
use bitstap::fault::receipt::Receipt;
use bitstap::fault::rule::{Expect, Stage};
use bitstap::fault::{Judgement, judge};
use bitstap::report::expectation::{Expectation, json_line, junit, line};
use bitstap::timeline::filter::Filter;
use conversation::Talk;

fn fire(talk: &mut Talk, exchange: Option<u64>) {
    let receipt = Receipt {
        rule: "lost-ack".to_owned(),
        stage: Stage::ResponseHead,
        key: "session".to_owned(),
        ordinal: 1,
        actions: vec!["drop_response".to_owned()],
        reason: String::new(),
        exchange,
    };
    let note = receipt.note();
    talk.note(&note.text, note.fact);
}

fn fragment(talk: &mut Talk, path: &str) {
    talk.say(&format!(
        "> BITS_POST {path} HTTP/1.1
        > BITS-Packet-Type: Fragment
        > BITS-Session-Id: {{3F2B{path}}}
        > Content-Range: bytes 0-9/30
        > Host: h.test
        > Content-Length: 10
        >
        > alpha,1234"
    ));
}

fn ack(talk: &mut Talk, status: u16) {
    talk.say(&format!(
        "< HTTP/1.1 {status} X
        < BITS-Packet-Type: Ack
        < BITS-Received-Content-Range: 10
        < Content-Length: 0
        <"
    ));
}

/// A lost Ack, and after `wait` the same fragment from `client` to `path`, answered with `status`.
fn story(client: &str, path: &str, wait: Duration, status: u16) -> Talk {
    let mut talk = Talk::new();
    fragment(&mut talk, "/up/a.bin");
    fire(&mut talk, Some(0));
    talk.close(Direction::ToClient, Close::Reset).wait(wait);
    talk.connect(client);
    fragment(&mut talk, path);
    ack(&mut talk, status);
    talk.hang_up();
    talk
}

fn judged(talk: &Talk, expect: Expect) -> Judgement {
    let mut rule = moments::mark("lost-ack", "bits", Stage::ResponseHead);
    rule.expect = Some(expect);
    let other = moments::mark("expects-nothing", "", Stage::Connect);
    let mut all = judge(&moments::set(vec![other, rule]), &talk.timeline());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn then(filter: &str, within: Option<u64>) -> Expect {
    Expect {
        fired: None,
        then: Some(Filter::parse(filter).unwrap()),
        within: within.map(Duration::from_secs),
    }
}

const AGAIN: &str = "bits.type == fragment and http.status in {200, 416}";

#[test]
fn a_count_is_exact_and_without_one_it_is_at_least_once() {
    let talk = story("10.0.0.5", "/up/a.bin", Duration::ZERO, 200);
    let fired = |fired| Expect {
        fired,
        ..Expect::default()
    };
    let good = judged(&talk, fired(Some(1)));
    assert!(good.met);
    assert_eq!(good.text, "Rule lost-ack fired 1 time.");
    let bad = judged(&talk, fired(Some(2)));
    assert!(!bad.met);
    assert_eq!(bad.text, "Rule lost-ack fired 1 time, expected 2.");
    assert!(judged(&talk, fired(None)).met);
    let quiet = Talk::new();
    let none = judged(&quiet, fired(None));
    assert!(!none.met);
    assert_eq!(
        none.text,
        "Rule lost-ack fired 0 times, expected at least 1."
    );
    assert!(judged(&quiet, fired(Some(0))).met);
}

#[test]
fn what_is_to_follow_is_looked_for_after_the_firing_and_in_time() {
    let talk = story("10.0.0.5", "/up/a.bin", Duration::from_secs(20), 200);
    let good = judged(&talk, then(AGAIN, Some(30)));
    assert!(good.met, "{}", good.text);
    assert_eq!((good.fired, good.followed), (1, 1));
    let late = judged(&talk, then(AGAIN, Some(15)));
    assert!(!late.met);
    assert_eq!(
        late.text,
        "Rule lost-ack fired 1 time; 1 of 1 not followed by \
         `bits.type == Fragment and http.status in {200, 416}` within 15s (exchange 1)."
    );
    assert_eq!(late.unfollowed, [1]);
    assert!(!judged(&talk, then("http.status == 416", None)).met);
    // The exchange that it fired on does not follow itself.
    assert!(!judged(&talk, then("no == 1", None)).met);
}

#[test]
fn another_client_or_file_does_not_answer_for_this_one() {
    let elsewhere = story("10.0.0.6", "/up/b.bin", Duration::ZERO, 200);
    assert!(!judged(&elsewhere, then(AGAIN, None)).met);
}

#[test]
fn each_firing_is_followed_or_the_rule_is_not_met() {
    let mut talk = story("10.0.0.5", "/up/a.bin", Duration::ZERO, 200);
    talk.connect("10.0.0.5");
    fragment(&mut talk, "/up/a.bin");
    fire(&mut talk, Some(0));
    let judgement = judged(&talk, then(AGAIN, None));
    assert!(!judgement.met);
    assert_eq!((judgement.fired, judgement.followed), (2, 1));
    assert_eq!(judgement.unfollowed, [3]);
}

#[test]
fn a_firing_without_exchange_is_followed_by_its_client() {
    let mut talk = Talk::new();
    fire(&mut talk, None);
    talk.hang_up();
    let connected = |client: &str| {
        let mut talk = talk.clone();
        talk.wait(Duration::from_secs(1)).connect(client);
        fragment(&mut talk, "/up/a.bin");
        ack(&mut talk, 200);
        judged(&talk, then(AGAIN, None)).met
    };
    assert!(connected("10.0.0.5"));
    assert!(!connected("10.0.0.6"));
}

#[test]
fn the_verdict_reads_as_text_json_and_junit() {
    let talk = story("10.0.0.5", "/up/a.bin", Duration::ZERO, 500);
    let judgement = judged(&talk, then(AGAIN, None));
    let told = Expectation {
        rule: &judgement.rule,
        met: judgement.met,
        fired: judgement.fired,
        text: &judgement.text,
    };
    let good = Expectation {
        rule: "fine <&>",
        met: true,
        fired: 2,
        text: "Rule fine fired 2 times.",
    };
    assert!(line(&told).starts_with("expectation NOT MET: Rule lost-ack fired 1 time; 1 of 1 "));
    assert_eq!(line(&good), "expectation met: Rule fine fired 2 times.");
    assert_eq!(
        json_line(&good),
        r#"{"type":"expectation","rule":"fine <&>","met":true,"fired":2,"text":"Rule fine fired 2 times."}"#
    );
    let xml = junit(&[told, good]);
    assert!(
        xml.contains(r#"tests="2""#) && xml.contains(r#"failures="1""#),
        "{xml}"
    );
    assert!(xml.contains("fine &lt;&amp;&gt;"), "{xml}");
}
