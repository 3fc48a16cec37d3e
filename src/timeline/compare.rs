//! Two sessions side by side: which packets answer to each other, and what is not the same in them.
//!
//! Packets are aligned by what they are and where in the file they begin. Ids, URLs, addresses and dates
//! are what any two runs differ in, and are not looked at. Costs what the packets are, whatever they say.

use std::time::Duration;

use crate::bits::ContentRange;

use super::margin::Margin;
use super::row::{Exchange, Outcome, WireError};

/// How far ahead the packets are looked through for the next that both have.
const AHEAD: usize = 32;

/// Waits that differ by less are the same.
const WAIT: Duration = Duration::from_secs(1);

/// What can differ between two packets that answer to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// Only the left, only the right session has it.
    OnlyLeft,
    OnlyRight,
    Status(Option<u16>, Option<u16>),
    Outcome(Outcome, Outcome),
    Range(Option<ContentRange>, Option<ContentRange>),
    /// The next byte that the server wants.
    Received(Option<u64>, Option<u64>),
    Error(Option<WireError>, Option<WireError>),
    /// One answer took at least a second longer, and twice as long.
    Wait(Duration, Duration),
    /// Rules that only one of them broke.
    Findings(Vec<&'static str>, Vec<&'static str>),
}

/// Packets that answer to each other; at least one side is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Numbers of the exchanges.
    pub left: Option<u32>,
    pub right: Option<u32>,
    /// Empty where nothing differs.
    pub differs: Vec<Aspect>,
}

/// Compares the exchanges of two sessions, each in order.
pub fn compare(left: &[&Exchange], right: &[&Exchange], margin: Option<&dyn Margin>) -> Vec<Line> {
    let mut lines = Vec::with_capacity(left.len().max(right.len()));
    let (mut one, mut other) = (left, right);
    while !(one.is_empty() && other.is_empty()) {
        let common = next_common(one, other);
        // With nothing in reach one of each is passed over.
        let (passed, other_passed) = common.unwrap_or((1, 1));
        let (before, rest) = one.split_at(passed.min(one.len()));
        let (other_before, other_rest) = other.split_at(other_passed.min(other.len()));
        lines.extend(before.iter().map(|exchange| Line {
            left: Some(exchange.no),
            right: None,
            differs: vec![Aspect::OnlyLeft],
        }));
        lines.extend(other_before.iter().map(|exchange| Line {
            left: None,
            right: Some(exchange.no),
            differs: vec![Aspect::OnlyRight],
        }));
        (one, other) = (rest, other_rest);
        if common.is_some()
            && let (Some((first, rest)), Some((second, other_rest))) =
                (one.split_first(), other.split_first())
        {
            lines.push(Line {
                left: Some(first.no),
                right: Some(second.no),
                differs: aspects(first, second, margin),
            });
            (one, other) = (rest, other_rest);
        }
    }
    lines
}

/// Returns how many packets of each are passed over before the next that answer to each other: as few as
/// can be.
fn next_common(one: &[&Exchange], other: &[&Exchange]) -> Option<(usize, usize)> {
    (0..AHEAD.saturating_mul(2)).find_map(|distance| {
        let mut ways = 0..=distance.min(AHEAD);
        ways.find_map(|left| {
            let right = distance.saturating_sub(left);
            let both = (one.get(left)?, other.get(right)?);
            (key(both.0) == key(both.1)).then_some((left, right))
        })
    })
}

/// What a packet is, and where in the file it begins.
fn key(exchange: &Exchange) -> (Option<crate::bits::Packet>, &str, Option<u64>) {
    let method = match exchange.packet {
        Some(_) => "",
        None => &*exchange.method,
    };
    let first = exchange.range.map(|range| range.first);
    (exchange.packet, method, first)
}

fn aspects(one: &Exchange, other: &Exchange, margin: Option<&dyn Margin>) -> Vec<Aspect> {
    let mut out = Vec::new();
    if one.status != other.status {
        out.push(Aspect::Status(one.status, other.status));
    }
    if one.outcome != other.outcome {
        out.push(Aspect::Outcome(one.outcome, other.outcome));
    }
    if one.range != other.range {
        out.push(Aspect::Range(one.range, other.range));
    }
    if one.received != other.received {
        out.push(Aspect::Received(one.received.get(), other.received.get()));
    }
    if one.error != other.error {
        out.push(Aspect::Error(one.error, other.error));
    }
    if let (Some(first), Some(second)) = (wait(one), wait(other)) {
        let (less, more) = (first.min(second), first.max(second));
        if more.saturating_sub(less) >= WAIT && more >= less.saturating_mul(2) {
            out.push(Aspect::Wait(first, second));
        }
    }
    let ids = |exchange: &Exchange| -> Vec<&'static str> {
        let found = margin.map(|margin| margin.findings(exchange.no));
        let mut ids: Vec<_> = found.unwrap_or_default().iter().map(|it| it.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let (first, second) = (ids(one), ids(other));
    let only = |ids: &[&'static str], other: &[&'static str]| -> Vec<&'static str> {
        let ids = ids.iter().filter(|id| !other.contains(id));
        ids.copied().collect()
    };
    if first != second {
        let (left, right) = (only(&first, &second), only(&second, &first));
        out.push(Aspect::Findings(left, right));
    }
    out
}

/// From the last byte of the request to the first of the response.
fn wait(exchange: &Exchange) -> Option<Duration> {
    let times = exchange.times.get();
    Some(times.response_begun?.saturating_sub(times.request_end?))
}
