//! Who decides what is to happen to a message: the engine of the rules, or a closure.
//!
//! Deciding is pure and knows no sockets; `perform` carries out what was decided.

use crate::event::ConnId;
use crate::fault::{Engine, Moment, RuleSet, RuleState, Verdict};
use crate::timeline::filter::Filter;

/// Decides about moments; [`Engine`] does, and so does any closure from a moment to a verdict.
pub trait Decide: Send {
    /// Decides about one moment, and counts it.
    fn decide(&mut self, moment: &Moment<'_>) -> Verdict;

    /// Takes note of what the client of a moment's request is told instead of what was decided.
    fn heard(&mut self, _moment: &Moment<'_>, _answer: &[u8]) {}

    /// Tells whether the verdict on everything is to let it pass.
    fn is_idle(&self) -> bool {
        false
    }

    /// Forgets what is only needed while a connection stands.
    fn gone(&mut self, _conn: ConnId) {}

    /// Tells whether `filter` selects the message of a moment.
    fn selects(&self, _filter: &Filter, _moment: &Moment<'_>) -> bool {
        false
    }

    /// Returns where each rule stands, in file order.
    fn states(&self) -> Vec<RuleState> {
        Vec::new()
    }

    /// Turns a rule on or off by its number, from 0.
    fn turn(&mut self, _rule: usize, _on: bool) {}

    /// Turns all rules off at once, or back to what each was.
    fn turn_all(&mut self, _on: bool) {}

    /// Tells whether the rules are on as a whole.
    fn is_on(&self) -> bool {
        true
    }

    /// Puts other rules in force, as a whole.
    fn replace(&mut self, _rules: RuleSet) {}

    /// Says for each rule why it did not fire on an exchange, or that it did.
    fn why(&self, _conn: ConnId, _exchange: u64) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Lets everything pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nobody;

impl Decide for Nobody {
    fn decide(&mut self, _moment: &Moment<'_>) -> Verdict {
        Verdict::default()
    }

    fn is_idle(&self) -> bool {
        true
    }
}

impl<F: FnMut(&Moment<'_>) -> Verdict + Send> Decide for F {
    fn decide(&mut self, moment: &Moment<'_>) -> Verdict {
        self(moment)
    }
}

impl Decide for Engine {
    fn decide(&mut self, moment: &Moment<'_>) -> Verdict {
        Self::decide(self, moment)
    }

    fn heard(&mut self, moment: &Moment<'_>, answer: &[u8]) {
        Self::heard(self, moment, answer);
    }

    fn is_idle(&self) -> bool {
        Self::is_idle(self)
    }

    fn gone(&mut self, conn: ConnId) {
        Self::gone(self, conn);
    }

    fn selects(&self, filter: &Filter, moment: &Moment<'_>) -> bool {
        Self::selects(filter, moment)
    }

    fn states(&self) -> Vec<RuleState> {
        Self::states(self)
    }

    fn turn(&mut self, rule: usize, on: bool) {
        Self::turn(self, rule, on);
    }

    fn turn_all(&mut self, on: bool) {
        Self::turn_all(self, on);
    }

    fn is_on(&self) -> bool {
        Self::is_on(self)
    }

    fn replace(&mut self, rules: RuleSet) {
        Self::replace(self, rules);
    }

    fn why(&self, conn: ConnId, exchange: u64) -> Vec<(String, String)> {
        Self::why(self, conn, exchange)
    }
}
