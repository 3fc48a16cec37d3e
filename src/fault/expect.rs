//! Expectations: did a rule fire as often as it should, and did what was to follow follow?
//!
//! Judges a timeline, live or recorded, at the end of a run. Pure; changes nothing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::timeline::filter::{Filter, Heads, Row};
use crate::timeline::{Exchange, Firing, Timeline, place};

use super::describe::span;
use super::rule::{Expect, RuleSet};

/// Whether what one rule expects came true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub rule: String,
    pub met: bool,
    /// What was expected and what was, in one sentence.
    pub text: String,
    /// How often the rule fired.
    pub fired: u64,
    /// How many firings were followed as expected; all of them where nothing is to follow.
    pub followed: u64,
    /// The exchanges of the firings that were not, as far as known.
    pub unfollowed: Vec<u32>,
}

/// Judges every rule that expects something, in file order.
///
/// What is to follow a firing is an exchange that begins after it, in the same session, or from the same
/// client to the same URL (where the firing has no exchange: from the same client). `within` reaches to
/// the answer, or where none came to the beginning, of that exchange; inclusive.
pub fn judge(rules: &RuleSet, timeline: &Timeline) -> Vec<Judgement> {
    judge_with(rules, timeline, None)
}

/// Judges like [`judge`], with heads for conditions that ask for fields of heads.
pub fn judge_with(
    rules: &RuleSet,
    timeline: &Timeline,
    heads: Option<&dyn Heads>,
) -> Vec<Judgement> {
    let expecting = rules.rules.iter().filter_map(|rule| {
        let expect = rule.expect.as_ref()?;
        Some((rule.name.as_str(), expect))
    });
    expecting
        .map(|(name, expect)| one(name, expect, timeline, heads))
        .collect()
}

fn one(name: &str, expect: &Expect, timeline: &Timeline, heads: Option<&dyn Heads>) -> Judgement {
    let firings = timeline.firings().iter();
    let firings: Vec<&Firing> = firings.filter(|firing| &*firing.rule == name).collect();
    let fired = number(firings.len());
    let mut unfollowed = Vec::new();
    let mut followed = fired;
    if let Some(then) = &expect.then {
        let followers = Followers::find(then, timeline, heads);
        for firing in &firings {
            if !followers.follow(firing, expect.within, timeline) {
                followed = followed.saturating_sub(1);
                unfollowed.extend(firing.exchange);
            }
        }
    }
    let count_met = expect.fired.map_or(fired > 0, |wanted| wanted == fired);
    Judgement {
        rule: name.to_owned(),
        met: count_met && followed == fired,
        text: sentence(name, expect, fired, followed, &unfollowed),
        fired,
        followed,
        unfollowed,
    }
}

/// The exchanges that a condition holds for, by what makes them follow something.
#[derive(Debug, Default)]
struct Followers {
    sessions: HashMap<u32, Vec<Follower>>,
    places: HashMap<(IpAddr, String), Vec<Follower>>,
    clients: HashMap<IpAddr, Vec<Follower>>,
}

#[derive(Clone, Copy, Debug)]
struct Follower {
    no: u32,
    begun: Duration,
    answered: Duration,
}

impl Followers {
    fn find(then: &Filter, timeline: &Timeline, heads: Option<&dyn Heads>) -> Self {
        let mut found = Self::default();
        for exchange in timeline.exchanges() {
            let row = Row::of(timeline, exchange);
            let row = heads.map_or(row, |heads| row.with_heads(heads));
            if !then.matches(&row) {
                continue;
            }
            let times = exchange.times.get();
            let follower = Follower {
                no: exchange.no,
                begun: times.begun,
                answered: times.response_begun.unwrap_or(times.begun),
            };
            if let Some(session) = exchange.session {
                found.sessions.entry(session).or_default().push(follower);
            }
            if let Some(client) = client(timeline, exchange) {
                let place = (client, path(exchange));
                found.places.entry(place).or_default().push(follower);
                found.clients.entry(client).or_default().push(follower);
            }
        }
        let places = found.places.values_mut();
        let lists = places.chain(found.sessions.values_mut());
        for list in lists.chain(found.clients.values_mut()) {
            list.sort_by_key(|follower| follower.begun);
        }
        found
    }

    fn follow(&self, firing: &Firing, within: Option<Duration>, timeline: &Timeline) -> bool {
        let at = firing.exchange.and_then(|no| {
            let index = usize::try_from(no.checked_sub(1)?).ok()?;
            timeline.exchanges().get(index)
        });
        let mut lists = Vec::new();
        if let Some(exchange) = at {
            let session = exchange.session;
            lists.extend(session.and_then(|session| self.sessions.get(&session)));
            let place = client(timeline, exchange).map(|client| (client, path(exchange)));
            lists.extend(place.and_then(|place| self.places.get(&place)));
        } else {
            let client = timeline.connection(firing.conn).and_then(|row| row.client);
            lists.extend(client.and_then(|client| self.clients.get(&client.ip())));
        }
        let until = within.map(|within| firing.at.saturating_add(within));
        lists.into_iter().any(|list| {
            let first = list.partition_point(|follower| follower.begun < firing.at);
            let later = list.get(first..).unwrap_or_default().iter();
            later
                .filter(|follower| firing.exchange.is_none_or(|no| follower.no > no))
                .take_while(|follower| until.is_none_or(|until| follower.begun <= until))
                .any(|follower| until.is_none_or(|until| follower.answered <= until))
        })
    }
}

fn client(timeline: &Timeline, exchange: &Exchange) -> Option<IpAddr> {
    let connection = timeline.connection(exchange.conn)?;
    connection.client.map(|client| client.ip())
}

fn path(exchange: &Exchange) -> String {
    place::split(&exchange.url).1.to_owned()
}

fn sentence(name: &str, expect: &Expect, fired: u64, followed: u64, unfollowed: &[u32]) -> String {
    let wanted = match expect.fired {
        Some(wanted) if wanted == fired => String::new(),
        Some(wanted) => format!(", expected {wanted}"),
        None if fired == 0 => ", expected at least 1".to_owned(),
        None => String::new(),
    };
    let times = if fired == 1 { "time" } else { "times" };
    let mut text = format!("Rule {name} fired {fired} {times}{wanted}");
    if let Some(then) = expect.then.as_ref().filter(|_| fired > 0) {
        let within = expect
            .within
            .map_or_else(String::new, |within| format!(" within {}", span(within)));
        if followed == fired {
            let _ = write!(text, "; each was followed by `{then}`{within}");
        } else {
            let missed = fired.saturating_sub(followed);
            let _ = write!(
                text,
                "; {missed} of {fired} not followed by `{then}`{within}"
            );
            if !unfollowed.is_empty() {
                let numbers: Vec<String> =
                    unfollowed.iter().take(NAMED).map(u32::to_string).collect();
                let more = if unfollowed.len() > NAMED {
                    ", ..."
                } else {
                    ""
                };
                let _ = write!(text, " (exchange {}{more})", numbers.join(", "));
            }
        }
    }
    text.push('.');
    text
}

/// So many exchanges are named in a sentence.
const NAMED: usize = 8;

fn number(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
