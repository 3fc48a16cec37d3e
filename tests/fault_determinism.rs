//! The same traffic with the same seed fires the same, in whatever order its connections take turns.

#[path = "support/moments.rs"]
mod moments;

use std::time::Duration;

use bitstap::fault::Engine;
use bitstap::fault::rule::{Action, Answer, At, Count, Ends, Per, Rule, Stage};
use bitstap::fault::verdict::Verdict;
use moments::*;
use proptest::prelude::*;

const SESSIONS: usize = 200;

/// What one session does: Create, three fragments, a new connection, three fragments, Close.
const STEPS: usize = 16;

/// A client in the middle of its upload.
struct Upload {
    path: String,
    ip: String,
    line: Option<Line>,
    id: String,
    done: usize,
}

/// Numbers that whoever is served next gets: they differ from run to run.
struct Minted {
    conn: u32,
    id: u64,
}

impl Upload {
    fn new(number: usize) -> Self {
        Self {
            path: format!("/up/{number}.bin"),
            ip: format!("10.0.0.{}", number % 20),
            line: None,
            id: String::new(),
            done: 0,
        }
    }

    fn connect(&mut self, minted: &mut Minted) {
        minted.conn += 1;
        self.line = Some(Line::new(minted.conn, &self.ip));
    }

    fn step(&mut self, engine: &mut Engine, minted: &mut Minted) -> Verdict {
        if self.done == 0 || self.done == 8 {
            self.connect(minted);
        }
        let line = self.line.as_mut().unwrap();
        line.at += Duration::from_millis(u64::from(minted.conn));
        let step = self.done;
        self.done += 1;
        if step % 2 == 1 {
            if step == 1 {
                minted.id = minted.id.wrapping_mul(6_364_136_223_846_793_005) + 1;
                self.id = format!("{{{:016X}}}", minted.id);
            }
            return line.answer(engine, &ack(200, &format!("BITS-Session-Id: {}", self.id)));
        }
        let id = format!("BITS-Session-Id: {}", self.id);
        let request = match step {
            0 => post(&self.path, "Create-Session", ""),
            14 => post(&self.path, "Close-Session", &id),
            step => {
                let first = (step - 2) * 5;
                fragment(&self.path, &self.id, &format!("{first}-{}/60", first + 9))
            }
        };
        line.ask(engine, &request)
    }
}

fn rules() -> Vec<Rule> {
    let chance = |mut rule: Rule, chance: f64, per: Per| {
        rule.chance = chance;
        rule.count.per = per;
        rule
    };
    let delay = Action::Delay {
        time: Duration::from_millis(300),
        jitter: Duration::from_millis(200),
    };
    let respond = Action::Respond(Box::new(Answer {
        status: 503,
        ..Answer::default()
    }));
    let mut cut = rule(
        "cut",
        "bits.type == fragment",
        Stage::RequestBody,
        vec![Action::Reset { side: Ends::Both }],
    );
    cut.at = Some(At::File(25));
    let mut third = rule(
        "third",
        "bits",
        Stage::ResponseHead,
        vec![Action::Flip { bytes: 4, bits: 2 }, Action::DropResponse],
    );
    third.count = Count {
        per: Per::Session,
        skip: 1,
        times: Some(2),
        every: 3,
    };
    vec![
        chance(
            rule("wan", "bits", Stage::RequestHead, vec![delay]),
            0.4,
            Per::Session,
        ),
        chance(
            rule("busy", "bits", Stage::RequestHead, vec![respond]),
            0.2,
            Per::Connection,
        ),
        chance(cut, 0.5, Per::Url),
        third,
    ]
}

/// Everything that fired, in an order that does not depend on time.
fn run(order: &[usize], seed: u64, salt: u64) -> Vec<String> {
    let mut engine = seeded(rules(), seed);
    let mut uploads: Vec<Upload> = (0..SESSIONS).map(Upload::new).collect();
    let mut minted = Minted { conn: 0, id: salt };
    let mut fired = Vec::new();
    for &number in order {
        let verdict = uploads[number].step(&mut engine, &mut minted);
        let deeds = format!("{:?}", verdict.steps).replace(&uploads[number].id, "ID");
        for receipt in &verdict.receipts {
            fired.push(format!(
                "{} {} {} {:?} {} {deeds}",
                receipt.rule, receipt.key, receipt.ordinal, receipt.actions, receipt.reason
            ));
        }
    }
    fired.sort();
    fired
}

fn turns() -> Vec<usize> {
    (0..SESSIONS * STEPS).map(|turn| turn % SESSIONS).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_turns_changes_no_firing(
        order in Just(turns()).prop_shuffle(),
        salt in any::<u64>(),
    ) {
        let mut one_by_one = turns();
        one_by_one.sort_unstable();
        let expected = run(&one_by_one, 7, 1);
        prop_assert!(expected.len() > SESSIONS * 4);
        prop_assert_eq!(run(&order, 7, salt), expected);
    }
}

#[test]
fn another_seed_fires_otherwise() {
    assert_eq!(run(&turns(), 7, 1), run(&turns(), 7, 2));
    assert_ne!(run(&turns(), 7, 1), run(&turns(), 8, 1));
}
