//! Events in; connections, exchanges, sessions and notes out.
//!
//! Derives everything, stores none of it: the same events give the same timeline, live or from a file,
//! however the streams were cut. Keeps one small row per exchange; heads and bodies are read back
//! through [`ReadBack`]. Knows no sockets, files or screens.

#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod filter;
pub mod read_back;
pub mod row;

use crate::event::{ConnId, Event};

pub use read_back::{Chunk, ReadBack, Span};
pub use row::{
    Change, Connection, Exchange, Outcome, Remark, Session, SessionKind, SessionState, Summary,
    Text, Times, WireError,
};

/// Everything derived from the events so far.
#[derive(Debug, Default)]
pub struct Timeline {
    exchanges: Vec<Exchange>,
    sessions: Vec<Session>,
    connections: Vec<Connection>,
    remarks: Vec<Remark>,
    generation: u64,
}

impl Timeline {
    /// Makes an empty timeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event; `position` is where the capture holds it (file offset of its first block).
    pub fn apply(&mut self, event: &Event, position: u64) {
        let _ = (event, position);
    }

    /// Takes note that no event follows: what is in flight gets its last outcome.
    pub fn finish(&mut self) {}

    /// Returns all exchanges; number `n` is at index `n - 1`.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Returns all sessions; number `n` is at index `n - 1`.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// Returns all connections in order of appearance.
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Returns the connection with this id.
    pub fn connection(&self, id: ConnId) -> Option<&Connection> {
        self.connections
            .binary_search_by_key(&id, |connection| connection.id)
            .ok()
            .and_then(|index| self.connections.get(index))
    }

    /// Returns all notes and oddities in order.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// Adds a remark that belongs to no connection (a torn tail, a full disk).
    pub fn remark(&mut self, remark: Remark) {
        self.remarks.push(remark);
        self.generation = self.generation.wrapping_add(1);
    }

    /// Yields the exchanges of session `no` in order.
    pub fn exchanges_of(&self, no: u32) -> impl Iterator<Item = &Exchange> {
        self.exchanges
            .iter()
            .filter(move |exchange| exchange.session == Some(no))
    }

    /// Returns a number that grows with every change: a screen that has drawn it needs no redraw.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes what reached an end since the last call: each exchange once, a session each time its
    /// state becomes a final one.
    pub fn take_changes(&mut self) -> Vec<Change> {
        Vec::new()
    }

    /// Counts it all up.
    pub fn summary(&self) -> Summary {
        Summary::default()
    }
}
