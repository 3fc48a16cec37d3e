//! The only place that speaks to [`Control`]: what is asked of it, and what is done.
//!
//! Knows no screen.

use std::time::Duration;

use crate::event::ConnId;
use crate::fault::{Control, Held, Release, RuleState};
use crate::timeline::filter::Filter;

/// Why nothing happens where there is nobody to ask.
pub(super) const NOBODY: &str = "only a running proxy has rules and holds messages (bitstap proxy)";

/// Where rules and held messages stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    pub on: bool,
    pub rules: Vec<RuleState>,
    /// The oldest first.
    pub held: Vec<Held>,
    /// Since the start of the run, as the relay counts it.
    pub now: Duration,
    /// Why rules fired on the exchange that was asked about, or not: name and sentence.
    pub why: Vec<(String, String)>,
    /// Why the rules file is not in force as it stands.
    pub trouble: Option<String>,
}

/// What the operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Turns one rule, by its number from 0, on or off.
    Turn {
        rule: usize,
        on: bool,
    },
    /// Turns all rules off, or back on.
    TurnAll(bool),
    Reload,
    /// Holds what a filter takes from now on; `None`: nothing.
    Break(Option<String>),
    Release {
        no: u64,
        how: Release,
    },
    /// Lets all go as they are.
    ReleaseAll(Vec<u64>),
    Kill(ConnId),
}

/// Asks where things stand; `about` an exchange by its connection and its number there, from 0.
pub fn look(control: &dyn Control, about: Option<(ConnId, u64)>) -> Stand {
    Stand {
        on: control.is_on(),
        rules: control.rules(),
        held: control.held(),
        now: control.now(),
        why: about.map_or_else(Vec::new, |(conn, no)| control.why(conn, no)),
        trouble: control.trouble(),
    }
}

/// Does what the operator wants; answers with a sentence either way.
pub fn perform(control: Option<&dyn Control>, act: Act) -> Result<String, String> {
    let control = control.ok_or_else(|| NOBODY.to_owned())?;
    match act {
        Act::Turn { rule, on } => {
            let name = control.rules().get(rule).map(|rule| rule.name.clone());
            let name = name.ok_or_else(|| "there is no such rule any more".to_owned())?;
            control.turn(rule, on);
            let state = if on { "on" } else { "off" };
            Ok(format!("rule {name} is {state}"))
        }
        Act::TurnAll(on) => {
            control.turn_all(on);
            let held = control.held().len();
            Ok(match (on, held) {
                (true, _) => "the rules are back on, each as it was".to_owned(),
                (false, 0) => "all faults are OFF (:faults on turns them back on)".to_owned(),
                (false, held) => {
                    format!("all faults are OFF; {held} still held (A lets all go)")
                }
            })
        }
        Act::Reload => control.reload(),
        Act::Break(text) => {
            let filter = text.as_deref().map(Filter::parse).transpose();
            let filter = filter.map_err(|wrong| wrong.to_string())?;
            control.set_breakpoint(filter);
            Ok(match text.as_deref() {
                None => "nothing more is held; what waits stays (A lets all go)".to_owned(),
                Some("") => "every message is held from now on".to_owned(),
                Some(text) => format!("held from now on: {text}"),
            })
        }
        Act::Release { no, how } => {
            let done = match &how {
                Release::Pass => "goes on as it was",
                Release::Replace(_) => "goes on with its new head",
                Release::Respond(_) => "is answered by you; it goes nowhere",
                Release::Kill => "is cut off, with its connection",
            };
            if control.release(no, how) {
                Ok(format!("held {no} {done}"))
            } else {
                Err(format!(
                    "held {no} waits no more: it went on by itself, or its client left"
                ))
            }
        }
        Act::ReleaseAll(all) => {
            let gone = all
                .into_iter()
                .filter(|no| control.release(*no, Release::Pass));
            Ok(match gone.count() {
                1 => "1 message goes on".to_owned(),
                count => format!("{count} messages go on"),
            })
        }
        Act::Kill(conn) => {
            if control.kill(conn) {
                Ok(format!("connection {} is reset at both ends", conn.0))
            } else {
                Err(format!("connection {} is over", conn.0))
            }
        }
    }
}
