//! Raising findings: levels, repetition, and a bound on their number.

use std::collections::{HashMap, HashSet};

use super::rule::{Finding, Level, Profile, Rule, Who};

/// So many findings of one rule are told one by one; the rest is counted.
pub(super) const TOLD_MAX: u32 = 5000;

/// So many places are remembered where a rule was told that is told once.
const PLACES_MAX: usize = 65_536;

/// What has been raised so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Findings by position of the rule.
    counts: Vec<u32>,
    /// Findings that were only counted.
    untold: HashMap<Level, u64>,
    /// Where a rule was told that is told once.
    told: HashSet<(Place, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Session(u32),
    Connection(u32),
}

impl Tally {
    /// Returns how many findings of this rule there were, told or not.
    pub(super) fn count(&self, rule: &Rule) -> u32 {
        let position = super::rules().position(|known| known.id == rule.id);
        let count = position.and_then(|at| self.counts.get(at));
        count.copied().unwrap_or_default()
    }

    /// Returns how many findings of this level were only counted.
    pub(super) fn untold(&self, level: Level) -> u64 {
        self.untold.get(&level).copied().unwrap_or_default()
    }

    /// Returns one finding for each rule of which not all findings were told.
    pub(super) fn rest(&self, profile: Profile) -> Vec<Finding> {
        super::rules()
            .zip(&self.counts)
            .filter(|(_, count)| **count > TOLD_MAX)
            .map(|(rule, count)| Finding {
                id: rule.id,
                level: rule.level(profile),
                who: rule.who.first().copied().unwrap_or(Who::Session),
                exchange: None,
                session: None,
                text: format!(
                    "{} more findings of this rule are only counted; the first {TOLD_MAX} are listed.",
                    count.saturating_sub(TOLD_MAX)
                ),
                source: rule.source,
            })
            .collect()
    }
}

/// Where findings of one exchange go.
pub(super) struct Out<'o> {
    profile: Profile,
    exchange: Option<u32>,
    session: Option<u32>,
    conn: u32,
    tally: &'o mut Tally,
    findings: &'o mut Vec<Finding>,
}

impl<'o> Out<'o> {
    /// `place` is exchange, session and connection.
    pub(super) fn new(
        profile: Profile,
        place: (Option<u32>, Option<u32>, u32),
        tally: &'o mut Tally,
        findings: &'o mut Vec<Finding>,
    ) -> Self {
        Self {
            profile,
            exchange: place.0,
            session: place.1,
            conn: place.2,
            tally,
            findings,
        }
    }

    /// Raises the rule `id` against the one who can break it.
    pub(super) fn raise(&mut self, id: &'static str, text: impl FnOnce() -> String) {
        self.put(id, None, Level::Error, text);
    }

    /// Raises the rule `id` at `level` at most.
    pub(super) fn mild(&mut self, id: &'static str, level: Level, text: impl FnOnce() -> String) {
        self.put(id, None, level, text);
    }

    /// Raises the rule `id` against `who`.
    pub(super) fn blame(&mut self, id: &'static str, who: Who, text: impl FnOnce() -> String) {
        self.put(id, Some(who), Level::Error, text);
    }

    fn put(
        &mut self,
        id: &'static str,
        who: Option<Who>,
        most: Level,
        text: impl FnOnce() -> String,
    ) {
        let found = super::rules().enumerate().find(|(_, rule)| rule.id == id);
        debug_assert!(found.is_some(), "no rule {id}");
        let Some((position, rule)) = found else {
            return;
        };
        let level = rule.level(self.profile).min(most);
        if level == Level::Off || !self.is_news(position, rule, level) {
            return;
        }
        self.findings.push(Finding {
            id: rule.id,
            level,
            who: who
                .or_else(|| rule.who.first().copied())
                .unwrap_or(Who::Session),
            exchange: self.exchange,
            session: self.session,
            text: text(),
            source: rule.source,
        });
    }

    /// Counts a finding; tells whether it is to be told.
    fn is_news(&mut self, position: usize, rule: &Rule, level: Level) -> bool {
        if rule.once {
            let place = match self.session {
                Some(session) => Place::Session(session),
                None => Place::Connection(self.conn),
            };
            if self.tally.told.len() >= PLACES_MAX {
                self.tally.told.clear();
            }
            if !self.tally.told.insert((place, position)) {
                return false;
            }
        }
        if self.tally.counts.len() <= position {
            self.tally.counts.resize(position.saturating_add(1), 0);
        }
        let Some(count) = self.tally.counts.get_mut(position) else {
            return false;
        };
        *count = count.saturating_add(1);
        let told = *count <= TOLD_MAX;
        if !told {
            let untold = self.tally.untold.entry(level).or_default();
            *untold = untold.saturating_add(1);
        }
        told
    }
}
