//! One direction of a connection's client leg: where its events lie, and runs of oddities.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{ConnId, Direction, Leg, Missing};
use crate::wire::Stream;

use super::read_back::Span;

/// An event that holds bytes which may still be needed.
#[derive(Clone, Copy, Debug)]
struct Held {
    base: u64,
    position: u64,
    at: Duration,
}

/// One direction.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Lane {
    pub(super) stream: Stream,
    pub(super) ended: bool,
    /// Bytes of this direction are missing from the capture.
    pub(super) torn: bool,
    /// Somebody said that the direction is not read as HTTP any more.
    pub(super) opaque_told: bool,
    /// A head broke off: the bytes before that are what there is of it.
    pub(super) head_cut: bool,
    pub(super) run: Option<Run>,
    /// Offset of the next byte.
    pub(super) offset: u64,
    held: VecDeque<Held>,
}

/// Bytes of one oddity, not told of yet because more may follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) kind: RunKind,
    pub(super) exchange: Option<u32>,
    pub(super) at: Duration,
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// What is odd about a run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunKind {
    /// Between messages.
    Stray,
    /// Missing from the capture.
    Missing(Missing),
}

/// How many events are kept for a head that is not complete yet. A head in more pieces than that is
/// placed at an earlier event.
const KEPT_EVENTS: usize = 256;

impl Lane {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            ended: false,
            torn: false,
            opaque_told: false,
            head_cut: false,
            run: None,
            offset: 0,
            held: VecDeque::new(),
        }
    }

    pub(super) fn direction(&self) -> Direction {
        match self.stream {
            Stream::Requests => Direction::ToServer,
            Stream::Responses => Direction::ToClient,
        }
    }

    /// Takes note of an event with `len` bytes. `settled` is the first byte that may still be needed.
    pub(super) fn hold(&mut self, settled: u64, position: u64, at: Duration, len: u64) {
        while self.held.get(1).is_some_and(|next| next.base <= settled) {
            self.held.pop_front();
        }
        if self.held.len() >= KEPT_EVENTS {
            self.held.remove(1);
        }
        self.held.push_back(Held {
            base: self.offset,
            position,
            at,
        });
        self.offset = self.offset.saturating_add(len);
    }

    fn holding(&self, offset: u64) -> Option<&Held> {
        let mut newest = self.held.iter().rev();
        newest
            .find(|held| held.base <= offset)
            .or_else(|| self.held.front())
    }

    /// Returns when the byte at `offset` passed.
    pub(super) fn at(&self, offset: u64) -> Duration {
        self.holding(offset).map(|held| held.at).unwrap_or_default()
    }

    /// Returns the span of `len` bytes at `offset`.
    pub(super) fn span(&self, conn: ConnId, offset: u64, len: u64) -> Span {
        let (position, base) = self
            .holding(offset)
            .map_or((0, 0), |held| (held.position, held.base));
        Span {
            conn,
            leg: Leg::Client,
            direction: self.direction(),
            position,
            base: base.min(offset),
            offset,
            len,
        }
    }
}

/// Names the direction for a sentence.
pub(super) const fn towards(stream: Stream) -> &'static str {
    match stream {
        Stream::Requests => "towards the server",
        Stream::Responses => "towards the client",
    }
}
