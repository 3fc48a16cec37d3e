//! What an operator does to the rules: on and off, other rules, why not.

#[path = "support/moments.rs"]
mod moments;

use bitstap::event::ConnId;
use bitstap::fault::rule::{Action, At, Ends, Stage};
use moments::*;

const UP: &str = "/up/a.bin";
const ID: &str = "{3F2B}";

fn once(name: &str) -> bitstap::fault::Rule {
    let mut rule = mark(name, "bits", Stage::RequestHead);
    rule.count.times = Some(1);
    rule
}

#[test]
fn without_a_rule_that_is_on_nobody_needs_to_ask() {
    assert!(engine(vec![]).is_idle());
    let mut off = once("a");
    off.off = true;
    let mut engine = engine(vec![off, once("b")]);
    assert!(!engine.is_idle());
    engine.turn(1, false);
    assert!(engine.is_idle());
    engine.turn(0, true);
    engine.turn(7, true);
    assert!(!engine.is_idle());
}

#[test]
fn all_off_and_back_to_what_each_was() {
    let mut off = once("a");
    off.off = true;
    let mut engine = engine(vec![off, once("b")]);
    let mut line = Line::new(1, "10.0.0.5");
    engine.turn_all(false);
    assert!(engine.is_idle() && !engine.is_on());
    let verdict = line.fragment(&mut engine, UP, ID, "0-9/30");
    assert!(verdict.is_pass() && verdict.receipts.is_empty());
    engine.turn_all(true);
    let on: Vec<bool> = engine.states().iter().map(|state| state.on).collect();
    assert_eq!(on, [false, true]);
    let verdict = line.fragment(&mut engine, UP, ID, "0-9/30");
    assert_eq!(fired(&verdict), ["b"]);
    let why = engine.why(line.conn(), 0);
    assert_eq!(why[0].1, "all rules were off");
    let why = engine.why(line.conn(), 1);
    assert_eq!(why[0].1, "it was off");
}

#[test]
fn a_reload_keeps_the_counts_of_rules_that_stay() {
    let mut engine = engine(vec![once("stays"), once("changes"), once("goes")]);
    let mut line = Line::new(1, "10.0.0.5");
    line.fragment(&mut engine, UP, ID, "0-9/30");
    engine.turn(0, false);
    let mut changed = once("changes");
    changed.count.times = Some(2);
    engine.replace(set(vec![once("new"), changed, once("stays")]));
    let states = engine.states();
    let told: Vec<_> = states
        .iter()
        .map(|state| (state.name.as_str(), state.fired, state.on))
        .collect();
    assert_eq!(
        told,
        [("new", 0, true), ("changes", 0, true), ("stays", 1, false)]
    );
    engine.turn(2, true);
    let verdict = line.fragment(&mut engine, UP, ID, "10-19/30");
    assert_eq!(fired(&verdict), ["new", "changes"]);
    assert_eq!(refused(&verdict), ["fired 1 of 1 times already"]);
    let why = engine.why(line.conn(), 0);
    assert_eq!(why[0].1, "it came into force later");
    assert!(why[2].1.starts_with("it fired at request.head"), "{why:?}");
}

#[test]
fn states_say_what_each_rule_is() {
    let actions = vec![Action::DropResponse, Action::Reset { side: Ends::Client }];
    let when = "bits.type == fragment and size > 1MiB";
    let engine = engine(vec![rule("lost-ack", when, Stage::ResponseHead, actions)]);
    let state = &engine.states()[0];
    assert_eq!(state.what, "drop the response, reset client");
    assert_eq!(state.when, "bits.type == Fragment and size > 1MiB");
    assert_eq!(state.stage, Stage::ResponseHead);
}

#[test]
fn why_not_is_answered_for_every_rule() {
    let mut body = rule("body", "bits", Stage::RequestBody, vec![Action::Truncate]);
    body.at = Some(At::File(1000));
    let rules = vec![
        once("once"),
        mark("get", "http.method == GET", Stage::RequestHead),
        body,
        mark("after", "http.status == 416", Stage::ResponseHead),
        mark("hello", "", Stage::Connect),
    ];
    let mut engine = engine(rules);
    let mut line = Line::new(1, "10.0.0.5");
    line.connect(&mut engine);
    line.fragment(&mut engine, UP, ID, "0-9/30");
    line.fragment(&mut engine, UP, ID, "10-19/30");
    let why = |engine: &bitstap::fault::Engine, exchange| -> Vec<String> {
        let why = engine.why(ConnId(1), exchange);
        why.into_iter().map(|(_, text)| text).collect()
    };
    assert_eq!(
        why(&engine, 1),
        [
            "it matched at request.head, but: fired 1 of 1 times already",
            "its condition does not hold",
            "the message does not carry the byte that `at` names",
            "its stage, response.head, was never reached",
            "it fired at connect: note \"hello was here\"",
        ]
    );
    line.answer(&mut engine, &ack(200, ""));
    assert_eq!(why(&engine, 1)[3], "its condition does not hold");
    engine.gone(ConnId(1));
    assert_eq!(
        why(&engine, 0)[0],
        "it fired at request.head: note \"once was here\""
    );
    let unknown = engine.why(ConnId(2), 0);
    assert_eq!(unknown[0].1, "nothing is remembered of this exchange");
}

#[test]
fn more_keys_than_fit_are_forgotten_with_a_note() {
    let mut engine = engine(vec![once("once")]);
    let mut line = Line::new(1, "10.0.0.5");
    let mut notes = 0;
    let mut asked = 0_u32;
    for n in 0..70_000 {
        let verdict = line.ask(&mut engine, &post(&format!("/up/{n}"), "Ping", ""));
        assert_eq!(fired(&verdict), ["once"]);
        // Its own step, and once the note.
        notes += verdict.steps.len() - 1;
        asked += 1;
    }
    assert_eq!((notes, asked), (1, 70_000));
}
