//! What an operator sees of the rules of a running proxy, and can do to them.
//!
//! The relay implements [`Control`], the screen uses it; neither knows the other.

use std::time::Duration;

use bytes::Bytes;

use crate::event::ConnId;
use crate::timeline::filter::Filter;

use super::rule::Stage;

/// Where one rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleState {
    pub name: String,
    pub preset: Option<String>,
    pub on: bool,
    pub stage: Stage,
    /// The condition, as it reads back.
    pub when: String,
    /// What it does, in one line.
    pub what: String,
    pub matched: u64,
    pub fired: u64,
    pub skipped: u64,
}

/// A message that waits for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Names it for [`Control::release`].
    pub no: u64,
    pub conn: ConnId,
    /// Which exchange of its connection, from 0.
    pub exchange: u64,
    /// [`Stage::RequestHead`] or [`Stage::ResponseHead`].
    pub stage: Stage,
    /// The rule that holds it; `None`: the operator's breakpoint.
    pub rule: Option<String>,
    /// The head as it would go on.
    pub head: Bytes,
    /// When it was held, since the start of the run.
    pub since: Duration,
    /// When it goes on by itself, since the start of the run.
    pub until: Option<Duration>,
}

/// What is to happen to a held message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// It goes on as it is.
    Pass,
    /// It goes on with this head.
    Replace(Bytes),
    /// The client gets this answer; the message goes nowhere.
    Respond(Bytes),
    /// Both ends of its connection are reset.
    Kill,
}

/// The rules of a running proxy, as the operator handles them.
pub trait Control: Send + Sync {
    /// Returns where each rule stands, in file order.
    fn rules(&self) -> Vec<RuleState>;

    /// Turns one rule, by its number from 0, on or off.
    fn turn(&self, rule: usize, on: bool);

    /// Turns all rules off at once, or back on.
    fn turn_all(&self, on: bool);

    /// Tells whether the rules are on as a whole.
    fn is_on(&self) -> bool;

    /// Reads the rules file again. `Ok` says in a sentence what changed; with `Err` the old rules stay.
    fn reload(&self) -> Result<String, String>;

    /// Says why the rules file did not come into force when it was read last; `None`: it did.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Holds every message that matches from now on; `None`: none.
    fn set_breakpoint(&self, filter: Option<Filter>);

    /// Returns what waits, the oldest first.
    fn held(&self) -> Vec<Held>;

    /// Lets one go; `false` if it does not wait any more.
    fn release(&self, no: u64, how: Release) -> bool;

    /// Resets both ends of a connection; `false` if it is over.
    fn kill(&self, conn: ConnId) -> bool;

    /// Says for each rule why it did not fire on an exchange, or that it did: name and sentence.
    fn why(&self, conn: ConnId, exchange: u64) -> Vec<(String, String)>;

    /// Returns the time since the start of the run, as the relay counts it.
    fn now(&self) -> Duration;
}
