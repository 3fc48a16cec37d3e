//! What matches are counted by when a session begins anew: it is the same session, as on the timeline.

#[path = "support/moments.rs"]
mod moments;

use bitstap::bits::header::Name;
use bitstap::fault::engine::{Engine, Moment};
use bitstap::fault::rule::{Action, Answer, BitsValue, Edit, Ends, Rule, Stage};
use moments::*;

const UP: &str = "/up/a.bin";
const ID: &str = "{3F2B}";
const NOT_FOUND: (Name, BitsValue) = (Name::Error, BitsValue::Code(0x8020_001F));

fn respond(status: u16, bits: Vec<(Name, BitsValue)>) -> Action {
    Action::Respond(Box::new(Answer {
        status,
        bits,
        ..Answer::default()
    }))
}

/// What a Create-Session, asked after `before`, is counted as.
fn created_after(rules: Vec<Rule>, before: impl Fn(&mut Engine, &mut Line)) -> String {
    let mut rules = rules;
    rules.insert(
        0,
        mark("m", "bits.type == create-session", Stage::RequestHead),
    );
    let mut engine = engine(rules);
    let mut line = Line::new(1, "10.0.0.5");
    before(&mut engine, &mut line);
    let verdict = Line::new(2, "10.0.0.5").ask(&mut engine, &post(UP, "Create-Session", ""));
    let receipt = &verdict.receipts[0];
    format!("{} match {}", receipt.key, receipt.ordinal)
}

#[test]
fn a_session_that_begins_anew_is_the_same_session() {
    let same = "session 10.0.0.5 /up/a.bin #1 match 2";
    let create = post(UP, "Create-Session", "");
    let forgotten = "BITS-Error-Code: 0x8020001F\nBITS-Error-Context: 0x5";
    let by_server = created_after(vec![], |engine, line| {
        line.create(engine, UP, ID);
        line.fragment(engine, UP, ID, "0-9/30");
        line.answer(engine, &ack(500, forgotten));
    });
    assert_eq!(by_server, same);
    for answer in [
        respond(500, vec![NOT_FOUND]),
        Action::Set(Edit {
            status: Some(500),
            bits: vec![NOT_FOUND],
            ..Edit::default()
        }),
    ] {
        let lost = rule(
            "lost",
            "bits.type == fragment",
            Stage::ResponseHead,
            vec![answer],
        );
        let by_rule = created_after(vec![lost], |engine, line| {
            line.create(engine, UP, ID);
            line.fragment(engine, UP, ID, "0-9/30");
            line.answer(engine, &ack(200, "BITS-Received-Content-Range: 10"));
        });
        assert_eq!(by_rule, same);
    }
    // The client never heard of the session, or was told to come again.
    for (stage, action) in [
        (Stage::ResponseHead, Action::DropResponse),
        (Stage::RequestHead, Action::Reset { side: Ends::Both }),
        (Stage::RequestHead, respond(503, vec![])),
        (Stage::RequestHead, respond(401, vec![])),
    ] {
        let stillborn = rule("stillborn", "bits", stage, vec![action]);
        let again = created_after(vec![stillborn], |engine, line| {
            line.create(engine, UP, ID);
        });
        assert_eq!(again, same);
    }
    let broken = created_after(vec![], |engine, line| {
        line.ask(engine, &create);
        engine.gone(line.conn());
    });
    assert_eq!(broken, same);
}

#[test]
fn what_an_operator_has_the_client_told_counts() {
    let (asked, framing) = request(&fragment(UP, ID, "0-9/30"));
    let answer = raw("HTTP/1.1 500 Gone\nBITS-Packet-Type: Ack\nBITS-Error-Code: 0x8020001F");
    let told = created_after(vec![], |engine, line| {
        line.create(engine, UP, ID);
        line.fragment(engine, UP, ID, "0-9/30");
        let moment = Moment {
            request: Some((&asked, framing)),
            ..line.moment(Stage::RequestHead, Some(1))
        };
        engine.heard(&moment, answer.as_bytes());
    });
    assert_eq!(told, "session 10.0.0.5 /up/a.bin #1 match 2");
}

#[test]
fn a_session_after_one_that_lives_or_failed_is_another() {
    let other = "session 10.0.0.5 /up/a.bin #2 match 1";
    let create = post(UP, "Create-Session", "");
    let under_way = created_after(vec![], |engine, line| {
        line.ask(engine, &create);
    });
    assert_eq!(under_way, other);
    let refused = created_after(vec![], |engine, line| {
        line.ask(engine, &create);
        line.answer(engine, &ack(403, "BITS-Error-Code: 0x80070005"));
    });
    assert_eq!(refused, other);
    let whole = created_after(vec![], |engine, line| {
        line.create(engine, UP, ID);
        line.ask(
            engine,
            &post(UP, "Close-Session", &format!("BITS-Session-Id: {ID}")),
        );
        line.answer(engine, &ack(200, ""));
        engine.gone(line.conn());
    });
    assert_eq!(whole, other);
}
