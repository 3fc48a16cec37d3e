//! A dry run: rules on the exchanges of a recording, and what they would have done where.
//!
//! Rows and heads become the moments that a relay would have asked about, in the order of their times.
//! What a fired rule would have changed in later exchanges is not made up. Pure; knows no file.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::event::ConnId;
use crate::timeline::filter::Heads;
use crate::timeline::{Connection, Exchange, Timeline};
use crate::wire::{Conversation, Framing, Head, Item, Stream};

use super::control::RuleState;
use super::engine::{Engine, Moment};
use super::receipt::Receipt;
use super::rule::{RuleSet, Stage};
use super::verdict::Client;

/// So many receipts are kept of each rule, fired and not fired apart; all are counted.
pub const KEPT: usize = 1000;

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// The rule with its counts at the end.
    pub state: RuleState,
    pub fired: Vec<Told>,
    pub skipped: Vec<Told>,
    /// Why it did not match the other exchanges (of a rule at connect or close: connections), and how many.
    pub unmatched: BTreeMap<String, u64>,
}

/// A receipt with its place in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub at: Duration,
    pub conn: ConnId,
    /// Number of the exchange in the timeline; `None` at connect and close.
    pub exchange: Option<u32>,
    pub receipt: Receipt,
}

/// What became of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    pub seed: u64,
    /// In file order.
    pub rules: Vec<Rehearsed>,
    /// So many exchanges were looked at.
    pub exchanges: u64,
    /// So many were not, because the recording does not hold the head of their request.
    pub headless: u64,
}

/// One thing that a relay would have asked about.
struct Cue<'t> {
    at: Duration,
    conn: &'t Connection,
    what: What<'t>,
}

enum What<'t> {
    Connect,
    Request(&'t Exchange, u64),
    Response(&'t Exchange, u64),
    Close,
}

/// Runs `rules` on everything that `timeline` holds.
pub fn rehearse(rules: RuleSet, seed: u64, timeline: &Timeline, heads: &dyn Heads) -> Rehearsal {
    let mut engine = Engine::new(rules, seed);
    let states = engine.states();
    let mut run = Run {
        told: states.iter().map(|_| (Vec::new(), Vec::new())).collect(),
        unmatched: states.iter().map(|_| BTreeMap::new()).collect(),
        rules: states
            .into_iter()
            .map(|state| (state.name, state.stage))
            .collect(),
        rehearsal: Rehearsal {
            seed,
            ..Rehearsal::default()
        },
    };
    for cue in cues(timeline) {
        run.play(&cue, &mut engine, heads);
    }
    let Run {
        told,
        unmatched,
        mut rehearsal,
        ..
    } = run;
    rehearsal.rules = engine
        .states()
        .into_iter()
        .zip(told)
        .zip(unmatched)
        .map(|((state, (fired, skipped)), unmatched)| Rehearsed {
            state,
            fired,
            skipped,
            unmatched,
        })
        .collect();
    rehearsal
}

/// Everything in the order in which a relay would have met it.
fn cues(timeline: &Timeline) -> Vec<Cue<'_>> {
    let mut cues = Vec::new();
    for conn in timeline.connections() {
        // What began before the recording was not seen to begin.
        if !conn.joined {
            cues.push(Cue {
                at: conn.opened,
                conn,
                what: What::Connect,
            });
        }
    }
    let mut counted: BTreeMap<u32, u64> = BTreeMap::new();
    for exchange in timeline.exchanges() {
        let Some(conn) = timeline.connection(exchange.conn) else {
            continue;
        };
        let count = counted.entry(exchange.conn.0).or_default();
        let number = *count;
        *count = count.saturating_add(1);
        let at = exchange.times.get().begun;
        cues.push(Cue {
            at,
            conn,
            what: What::Request(exchange, number),
        });
        if exchange.response.is_some() {
            let at = exchange.times.get().response_begun.unwrap_or(at);
            cues.push(Cue {
                at,
                conn,
                what: What::Response(exchange, number),
            });
        }
    }
    for conn in timeline.connections() {
        if let Some(at) = conn.closed {
            cues.push(Cue {
                at,
                conn,
                what: What::Close,
            });
        }
    }
    // Stable: at one time things stay in the order above.
    cues.sort_by_key(|cue| cue.at);
    cues
}

/// The heads of one exchange with the framing that each implies.
struct Pair {
    request: Option<(Head, Framing)>,
    response: Option<(Head, Framing)>,
}

impl Pair {
    fn of(exchange: &Exchange, heads: &dyn Heads) -> Self {
        let mut pair = Self {
            request: None,
            response: None,
        };
        let mut conversation = Conversation::new();
        for stream in [Stream::Requests, Stream::Responses] {
            let Some(head) = heads.head(exchange, stream) else {
                continue;
            };
            let mut seen = Vec::new();
            conversation.feed(stream, &head.raw, &mut seen);
            let found = seen.into_iter().find_map(|seen| match seen.item {
                Item::Head { head, framing } => Some((head, framing)),
                _ => None,
            });
            match stream {
                Stream::Requests => pair.request = found,
                Stream::Responses => pair.response = found,
            }
        }
        pair
    }
}

struct Run {
    /// Fired and not, for each rule.
    told: Vec<(Vec<Told>, Vec<Told>)>,
    unmatched: Vec<BTreeMap<String, u64>>,
    /// Name and stage of each rule.
    rules: Vec<(String, Stage)>,
    rehearsal: Rehearsal,
}

impl Run {
    fn play(&mut self, cue: &Cue<'_>, engine: &mut Engine, heads: &dyn Heads) {
        let (stage, exchange, number) = match cue.what {
            What::Connect => (Stage::Connect, None, None),
            What::Request(exchange, number) => (Stage::RequestHead, Some(exchange), Some(number)),
            What::Response(exchange, number) => (Stage::ResponseHead, Some(exchange), Some(number)),
            What::Close => (Stage::Close, None, None),
        };
        let pair = exchange.map(|exchange| Pair::of(exchange, heads));
        let request = pair.as_ref().and_then(|pair| pair.request.as_ref());
        let response = pair.as_ref().and_then(|pair| pair.response.as_ref());
        if stage == Stage::RequestHead {
            self.rehearsal.exchanges = self.rehearsal.exchanges.saturating_add(1);
            if request.is_none() {
                self.rehearsal.headless = self.rehearsal.headless.saturating_add(1);
            }
        }
        let missing = match stage {
            Stage::RequestHead => request.is_none(),
            Stage::ResponseHead => response.is_none(),
            _ => false,
        };
        if missing {
            return;
        }
        let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let verdict = engine.decide(&Moment {
            at: cue.at,
            conn: cue.conn.id,
            client: Client {
                address: cue.conn.client.unwrap_or(unknown),
                tls: false,
            },
            stage,
            exchange: number,
            request: request.map(|(head, framing)| (head, *framing)),
            response: response
                .filter(|_| stage == Stage::ResponseHead)
                .map(|(head, framing)| (head, *framing)),
        });
        for receipt in verdict.receipts {
            self.keep(Told {
                at: cue.at,
                conn: cue.conn.id,
                exchange: exchange.map(|exchange| exchange.no),
                receipt,
            });
        }
        let conn = cue.conn.id;
        match cue.what {
            What::Connect => self.ask_why(engine, conn, 0, |stage| stage == Stage::Connect),
            What::Request(exchange, _) if exchange.response.is_some() => {}
            What::Request(_, number) | What::Response(_, number) => {
                self.ask_why(engine, conn, number, |stage| {
                    !matches!(stage, Stage::Connect | Stage::Close)
                });
            }
            What::Close => self.ask_why(engine, conn, 0, |stage| stage == Stage::Close),
        }
        if matches!(cue.what, What::Close) {
            engine.gone(cue.conn.id);
        }
    }

    fn keep(&mut self, told: Told) {
        let index = self
            .rules
            .iter()
            .position(|(name, _)| *name == told.receipt.rule);
        let Some((fired, skipped)) = index.and_then(|index| self.told.get_mut(index)) else {
            return;
        };
        let list = if told.receipt.fired() { fired } else { skipped };
        if list.len() < KEPT {
            list.push(told);
        }
    }

    /// Counts why rules of some stages did not match what is over.
    fn ask_why(&mut self, engine: &Engine, conn: ConnId, number: u64, of: impl Fn(Stage) -> bool) {
        let words = engine.why(conn, number).into_iter();
        let rules = self.rules.iter().zip(&mut self.unmatched);
        for ((_, reason), ((_, stage), counted)) in words.zip(rules) {
            // Those that matched have receipts.
            let matched = reason.starts_with("it fired") || reason.starts_with("it matched");
            if matched || !of(*stage) {
                continue;
            }
            let count = counted.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
    }
}
