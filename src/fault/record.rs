//! The rules of a run in its capture: their text and seed as notes that belong to no connection, and
//! back.

use std::borrow::Borrow;
use std::time::Duration;

use crate::event::{ConnId, Event, Fact, Leg, Note, RulesFact, What};

use super::rule::RuleSet;

/// Largest piece of the text, in bytes: as JSON, escaped, each piece fits into a packet comment.
const PIECE: usize = 8 * 1024;

/// No rules file is longer; what is, is no longer put together.
const LONGEST: usize = 64 << 20;

/// So many rules are named in the sentence.
const NAMED: usize = 12;

/// Returns the events that say which rules are in force from `at` on; to be recorded before anything
/// that they decide.
pub fn in_force(rules: &RuleSet, seed: u64, at: Duration) -> Vec<Event> {
    let pieces = pieces(&rules.source);
    let parts = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let notes = (1_u32..).zip(pieces).map(|(part, source)| {
        let text = if part == 1 {
            sentence(rules, seed)
        } else {
            format!("Rules, part {part} of {parts}.")
        };
        let fact = RulesFact {
            seed,
            part,
            parts,
            source: source.to_owned(),
        };
        Note {
            text,
            fact: Fact::Rules(Box::new(fact)),
        }
    });
    notes
        .map(|note| Event {
            at,
            conn: ConnId(0),
            leg: Leg::Client,
            what: What::Note(note),
        })
        .collect()
}

/// Finds the first rules that a recording tells of: seed and text, as they were when the run began.
pub fn recorded<E: Borrow<Event>>(events: impl IntoIterator<Item = E>) -> Option<(u64, String)> {
    let mut found = Recorded::default();
    events
        .into_iter()
        .find_map(|event| found.take(event.borrow()))
}

/// Puts the pieces of recorded rules together, event by event.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What the first piece said.
    seed: u64,
    parts: u32,
    /// Pieces so far; in order, or they are no use.
    taken: u32,
    text: String,
}

impl Recorded {
    /// Takes the next event; returns seed and text as soon as all pieces are there.
    pub fn take(&mut self, event: &Event) -> Option<(u64, String)> {
        let What::Note(note) = &event.what else {
            return None;
        };
        let Fact::Rules(fact) = &note.fact else {
            return None;
        };
        if fact.part == 1 {
            *self = Self {
                seed: fact.seed,
                parts: fact.parts,
                ..Self::default()
            };
        }
        let goes_on = self.taken.checked_add(1) == Some(fact.part)
            && (self.seed, self.parts) == (fact.seed, fact.parts)
            && self.text.len() <= LONGEST;
        if !goes_on {
            *self = Self::default();
            return None;
        }
        self.taken = fact.part;
        self.text.push_str(&fact.source);
        (self.taken == self.parts).then(|| (self.seed, std::mem::take(&mut self.text)))
    }
}

/// Cuts a text between characters; there is one piece at least.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > PIECE {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn sentence(rules: &RuleSet, seed: u64) -> String {
    let on = || rules.rules.iter().filter(|rule| !rule.off);
    let count = match on().count() {
        0 => return format!("No rule is in force from here on (seed {seed})."),
        1 => "1 rule is".to_owned(),
        count => format!("{count} rules are"),
    };
    let mut names: Vec<&str> = on().take(NAMED).map(|rule| rule.name.as_str()).collect();
    if on().count() > NAMED {
        names.push("...");
    }
    let names = names.join(", ");
    format!("{count} in force from here on, with seed {seed}: {names}.")
}
