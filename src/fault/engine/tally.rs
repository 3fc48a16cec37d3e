//! Counting: which match of a rule this is under its key, and whether it is one that may fire.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::describe::span;
use crate::fault::draw::Draw;
use crate::fault::key::ROOM;
use crate::fault::recent::Recent;
use crate::fault::rule::{During, Rule};

/// What was counted of one rule under one key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    matched: u64,
    /// How often it fired: what chance or another rule kept from firing is not in it.
    fired: u64,
}

/// What was counted of all rules; of the keys used last.
#[derive(Debug)]
pub(super) struct Tallies {
    of: Recent<(u32, Arc<str>), Tally>,
}

impl Tallies {
    pub(super) fn new() -> Self {
        Self {
            of: Recent::new(ROOM),
        }
    }

    /// Counts a match and returns which one it is, from 1.
    pub(super) fn matched(&mut self, rule: u32, key: &Arc<str>) -> u64 {
        let tally = self.of.entry((rule, Arc::clone(key)));
        tally.matched = tally.matched.saturating_add(1);
        tally.matched
    }

    pub(super) fn fired(&mut self, rule: u32, key: &Arc<str>) {
        let tally = self.of.entry((rule, Arc::clone(key)));
        tally.fired = tally.fired.saturating_add(1);
    }

    /// Says why the match `draw` names does not fire; `None`: it does.
    pub(super) fn objection(
        &mut self,
        id: u32,
        rule: &Rule,
        key: &Arc<str>,
        draw: &Draw<'_>,
        at: Duration,
    ) -> Option<String> {
        let fired = self.of.entry((id, Arc::clone(key))).fired;
        outside(rule.during, at)
            .or_else(|| passed_over(rule, draw.ordinal))
            .or_else(|| {
                let times = rule.count.times?;
                (fired >= times).then(|| format!("fired {fired} of {times} times already"))
            })
            .or_else(|| {
                let drawn = draw.unit("chance", 0);
                (drawn >= rule.chance).then(|| format!("drawn {drawn:.6} of {}", rule.chance))
            })
    }

    /// Forgets what was counted of rules that are not `kept`.
    pub(super) fn keep(&mut self, kept: impl Fn(u32) -> bool) {
        self.of.retain(|(rule, _)| kept(*rule));
    }

    /// Tells whether anything was forgotten since the last call.
    pub(super) fn take_forgot(&mut self) -> bool {
        self.of.take_forgot()
    }
}

fn outside(during: During, at: Duration) -> Option<String> {
    if at < during.from {
        return Some(format!("not before {}", span(during.from)));
    }
    let to = during.to.filter(|to| at >= *to)?;
    Some(format!("over since {}", span(to)))
}

fn passed_over(rule: &Rule, ordinal: u64) -> Option<String> {
    let Some(place) = ordinal.checked_sub(rule.count.skip.saturating_add(1)) else {
        let more = rule.count.skip.saturating_sub(ordinal);
        return Some(match more {
            0 => "skipped, the next one counts".to_owned(),
            more => format!("{more} more to skip"),
        });
    };
    let every = rule.count.every.max(1);
    let past = place.checked_rem(every).unwrap_or(0);
    (past > 0).then(|| format!("only one match in {every} counts"))
}
