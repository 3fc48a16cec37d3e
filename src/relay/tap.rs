//! Reports what passes on one connection as [`Event`]s, and reads the clock for that.
//!
//! The only file of the relay that reads a clock. Knows streams by their leg and direction only; bytes
//! that it is given have passed already.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::queue::Outlet;
use crate::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, Note, What};

/// Reads the clock.
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Where the events of one connection go.
#[derive(Debug)]
pub(super) struct Tap {
    conn: ConnId,
    start: Instant,
    events: Outlet,
    /// Whether content is reported on the upstream leg as well.
    both_legs: bool,
    /// The receiver is gone; the relay goes on without.
    deaf: AtomicBool,
}

impl Tap {
    pub(super) fn new(conn: ConnId, start: Instant, events: Outlet, both_legs: bool) -> Self {
        Self {
            conn,
            start,
            events,
            both_legs,
            deaf: AtomicBool::new(false),
        }
    }

    /// Tells whether anybody hears the events.
    pub(super) fn is_heard(&self) -> bool {
        !self.events.is_nobody() && !self.deaf.load(Ordering::Relaxed)
    }

    /// Reports one thing as of now; waits while the queue is full.
    pub(super) async fn tell(&self, leg: Leg, what: What) {
        if self.is_heard() {
            self.send(now().saturating_duration_since(self.start), leg, what)
                .await;
        }
    }

    /// Reports one thing as of an earlier moment.
    pub(super) async fn tell_of(&self, at: Instant, leg: Leg, what: What) {
        if self.is_heard() {
            let at = at.saturating_duration_since(self.start);
            self.send(at, leg, what).await;
        }
    }

    async fn send(&self, at: Duration, leg: Leg, what: What) {
        let event = Event {
            at,
            conn: self.conn,
            leg,
            what,
        };
        if !self.events.send(event).await {
            self.deaf.store(true, Ordering::Relaxed);
        }
    }

    pub(super) async fn note(&self, leg: Leg, text: String, fact: Fact) {
        self.tell(leg, What::Note(Note { text, fact })).await;
    }

    pub(super) async fn closed(&self, leg: Leg, direction: Direction, how: Close) {
        self.tell(leg, What::Closed { direction, how }).await;
    }

    /// Reports `bytes`, whose first one is number `start` of the direction. `content` are the ranges of the
    /// direction that hold content: on the upstream leg they are reported by their length only.
    pub(super) async fn data(
        &self,
        leg: Leg,
        direction: Direction,
        start: u64,
        bytes: &Bytes,
        content: &[Range<u64>],
    ) {
        if bytes.is_empty() || !self.is_heard() {
            return;
        }
        let at = now().saturating_duration_since(self.start);
        if leg == Leg::Client || self.both_legs {
            let bytes = bytes.clone();
            return self.send(at, leg, What::Data { direction, bytes }).await;
        }
        for part in parts(start, bytes, content) {
            let what = match part {
                Part::Kept(bytes) => What::Data { direction, bytes },
                Part::Left(len) => What::Missing {
                    direction,
                    len,
                    why: Missing::NotKept,
                },
            };
            self.send(at, leg, what).await;
        }
    }
}

/// A stretch of bytes as it is reported on the upstream leg.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Kept(Bytes),
    Left(u64),
}

/// Cuts `bytes` at the edges of `content`, which is in order.
fn parts(start: u64, bytes: &Bytes, content: &[Range<u64>]) -> Vec<Part> {
    let end = start.saturating_add(bytes.len() as u64);
    let index = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut at = start;
    for range in content.iter().chain([&(end..end)]) {
        let from = range.start.clamp(at, end);
        let to = range.end.clamp(from, end);
        if at < from && (from < to || from == end) {
            parts.push(Part::Kept(bytes.slice(index(at)..index(from))));
            at = from;
        }
        if from < to {
            parts.push(Part::Left(to - from));
            at = to;
        }
    }
    parts
}

#[cfg(test)]
#[expect(
    clippy::single_range_in_vec_init,
    reason = "the ranges are the argument, one or many"
)]
mod tests {
    use super::*;

    fn shown(start: u64, bytes: &'static [u8], content: &[Range<u64>]) -> Vec<Part> {
        parts(start, &Bytes::from_static(bytes), content)
    }

    fn kept(bytes: &'static [u8]) -> Part {
        Part::Kept(Bytes::from_static(bytes))
    }

    #[test]
    fn content_is_left_out_by_its_length() {
        assert_eq!(
            shown(10, b"headBODYhead", &[14..18]),
            [kept(b"head"), Part::Left(4), kept(b"head")]
        );
        assert_eq!(
            shown(10, b"aBBcDD", &[11..13, 14..16]),
            [kept(b"a"), Part::Left(2), kept(b"c"), Part::Left(2)]
        );
        assert_eq!(shown(0, b"BODY", &[0..4]), [Part::Left(4)]);
    }

    #[test]
    fn ranges_beyond_the_bytes_are_clipped() {
        assert_eq!(
            shown(10, b"BBkk", &[0..12, 20..30]),
            [Part::Left(2), kept(b"kk")]
        );
        assert_eq!(shown(10, b"kkBB", &[12..99]), [kept(b"kk"), Part::Left(2)]);
        assert_eq!(shown(10, b"kk", &[]), [kept(b"kk")]);
    }
}
