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

pub mod compare;
mod connection;
mod content;
pub mod coverage;
mod digest;
mod downloads;
mod ending;
mod exchange;
mod faults;
pub mod filter;
mod findings;
mod intern;
mod lane;
mod leaks;
mod ledger;
mod login;
pub mod margin;
mod oddity;
mod offsets;
mod open;
pub(crate) mod place;
pub mod read_back;
pub mod row;
mod runs;
mod story;
mod text;
mod twin;
mod upload_index;
mod uploads;
mod wait;

use std::collections::HashMap;
use std::time::Duration;

use crate::event::{ConnId, Event, Fact, Leg, Note, What};
use crate::wire::Seen;

use connection::Live;
use ledger::Ledger;

pub use crate::bits::check::{Finding, Level, Profile, Rule};

pub use coverage::Coverage;
pub use margin::{Annotation, Margin};
pub use read_back::{Chunk, ReadBack, Span};
pub use row::{
    Change, Connection, Exchange, Faults, Firing, MaybeOffset, Message, Moments, Outcome, Pieces,
    Remark, Session, SessionKind, SessionState, Summary, Text, Times, WireError,
};

pub use twin::{Legs, Upstream};

/// Everything derived from the events so far.
#[derive(Debug, Default)]
pub struct Timeline {
    ledger: Ledger,
    /// Index of each connection's row.
    rows: HashMap<ConnId, usize>,
    live: HashMap<ConnId, Box<Live>>,
    /// Latest moment seen.
    latest: Duration,
    generation: u64,
    /// Kept for its memory.
    seen: Vec<Seen>,
}

impl Timeline {
    /// Makes an empty timeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty timeline whose findings go by the documents of `profile`.
    pub fn with_profile(profile: Profile) -> Self {
        let mut timeline = Self::default();
        timeline.ledger.findings = findings::Findings::with_profile(profile);
        timeline
    }

    /// Takes one event; `position` is where the capture holds it (file offset of its first block).
    pub fn apply(&mut self, event: &Event, position: u64) {
        self.generation = self.generation.wrapping_add(1);
        self.latest = self.latest.max(event.at);
        // A capture of somebody else's may have a connection of that number.
        if event.conn == ConnId(0)
            && let What::Note(note) = &event.what
            && !self.rows.contains_key(&event.conn)
        {
            self.beside(event.at, note);
            return;
        }
        if let What::Note(note) = &event.what
            && self.ledger.annotate(event, note)
        {
            return;
        }
        let row = self.row_of(event);
        let begins = event.leg == Leg::Client
            && matches!(event.what, What::Opening { .. } | What::Joined { .. });
        let fresh = || {
            let joined = !matches!(event.what, What::Opening { .. });
            Box::new(Live::new(row, event.conn, joined))
        };
        let live = match self.live.entry(event.conn) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(slot) => {
                let closed = self
                    .ledger
                    .connections
                    .get(row)
                    .is_some_and(|row| row.closed.is_some());
                if closed && !begins {
                    self.late(event, row);
                    return;
                }
                let joined = !matches!(event.what, What::Opening { .. });
                self.ledger.findings.opened(event.conn, joined);
                slot.insert(fresh())
            }
        };
        live.apply(event, position, &mut self.seen, &mut self.ledger);
        if live.is_over() {
            live.settle_twin(true, &mut self.ledger);
            self.live.remove(&event.conn);
        }
    }

    /// Takes a note that belongs to no connection. Of rules that came into force only the first piece
    /// says anything to people.
    fn beside(&mut self, at: Duration, note: &Note) {
        if matches!(&note.fact, Fact::Rules(rules) if rules.part > 1) {
            return;
        }
        self.ledger.remark(Remark {
            at,
            text: note.text.clone(),
            ..Remark::default()
        });
    }

    /// Takes an event of a connection that is over: only what its row can still learn, and notes.
    fn late(&mut self, event: &Event, row: usize) {
        match &event.what {
            What::Note(note) => {
                let mut ruling = None;
                if let Fact::Rule(fact) = &note.fact {
                    self.ledger.ruled(event.at, event.conn, None, fact);
                    ruling = Some(Box::new(self.ledger.ruling(fact)));
                }
                self.ledger.remark(Remark {
                    at: event.at,
                    conn: Some(event.conn),
                    leg: Some(event.leg),
                    exchange: None,
                    text: note.text.clone(),
                    ruling,
                });
            }
            What::Opening { server, .. } if event.leg == Leg::Upstream => {
                if let Some(row) = self.ledger.connections.get_mut(row) {
                    row.upstream = Some(*server);
                }
            }
            _ => {}
        }
    }

    /// Returns the index of the row of the event's connection, which is made if it is the first event.
    fn row_of(&mut self, event: &Event) -> usize {
        let connections = &mut self.ledger.connections;
        *self.rows.entry(event.conn).or_insert_with(|| {
            connections.push(Connection {
                id: event.conn,
                client: None,
                server: None,
                upstream: None,
                opened: event.at,
                connect: None,
                first_close: None,
                upstream_close: None,
                closed: None,
                exchanges: 0,
                to_server: 0,
                to_client: 0,
                joined: !matches!(event.what, What::Opening { .. }),
                tls: false,
            });
            connections.len().saturating_sub(1)
        })
    }

    /// Takes note that no event follows: what is in flight gets its last outcome.
    pub fn finish(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        let mut left: Vec<_> = std::mem::take(&mut self.live).into_iter().collect();
        // In an order that does not depend on the map.
        left.sort_by_key(|(conn, _)| *conn);
        for (_, mut live) in left {
            live.finish(self.latest, &mut self.seen, &mut self.ledger);
        }
        self.ledger.release_all();
        self.ledger.doubts_over();
        self.ledger.left_alone(self.latest);
        self.ledger.findings.finish();
    }

    /// Returns the conformance findings in the order in which they were raised.
    pub fn findings(&self) -> &[Finding] {
        self.ledger.findings.list()
    }

    /// Returns how many findings of `rule` there are; of many the last ones are only counted.
    pub fn findings_of_rule(&self, rule: &Rule) -> u32 {
        self.ledger.findings.count_of(rule)
    }

    /// Yields the findings of exchange number `no`.
    pub fn findings_of(&self, no: u32) -> impl Iterator<Item = &Finding> {
        self.ledger.findings.of(no)
    }

    /// Returns whose documents the findings go by.
    pub fn profile(&self) -> Profile {
        self.ledger.findings.profile()
    }

    /// Returns all exchanges; number `n` is at index `n - 1`.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.ledger.exchanges
    }

    /// Returns all sessions; number `n` is at index `n - 1`.
    pub fn sessions(&self) -> &[Session] {
        &self.ledger.sessions
    }

    /// Tells whether nothing more is expected of a session: it reached its end, or the server does not know it
    /// after a Close-Session whose answer was lost. (MC-BUP would have its client begin anew; the Win32 pages
    /// have it stop.)
    pub fn is_over(&self, session: &Session) -> bool {
        let closed = || {
            self.ledger
                .book(session.no)
                .is_some_and(|book| book.closing)
        };
        session.state.is_final() || (session.state == SessionState::Lost && closed())
    }

    /// Returns all connections in order of appearance.
    pub fn connections(&self) -> &[Connection] {
        &self.ledger.connections
    }

    /// Returns the connection with this id.
    pub fn connection(&self, id: ConnId) -> Option<&Connection> {
        let rows = &self.ledger.connections;
        usize::try_from(id.0)
            .ok()
            .and_then(|number| rows.get(number.checked_sub(1)?))
            .filter(|row| row.id == id)
            // A capture may start with any number.
            .or_else(|| rows.iter().find(|row| row.id == id))
    }

    /// Returns all notes and oddities in order.
    pub fn remarks(&self) -> &[Remark] {
        &self.ledger.remarks
    }

    /// Returns each time that a rule fired, in order.
    pub fn firings(&self) -> &[Firing] {
        &self.ledger.firings
    }

    /// Adds a remark that belongs to no connection (a torn tail, a full disk).
    pub fn remark(&mut self, remark: Remark) {
        if remark.conn.is_none() {
            self.ledger.findings.cut_off();
        }
        self.ledger.remark(remark);
        self.generation = self.generation.wrapping_add(1);
    }

    /// Yields the exchanges of session `no` in order.
    pub fn exchanges_of(&self, no: u32) -> impl Iterator<Item = &Exchange> {
        let numbers = self.ledger.book(no).map(|book| book.exchanges.as_slice());
        numbers
            .unwrap_or_default()
            .iter()
            .filter_map(|&no| self.ledger.exchanges.get(ledger::slot(no)?))
    }

    /// Finds out which bytes of session `no` passed, from its exchanges: costs what they are.
    pub fn coverage(&self, no: u32) -> Coverage {
        let session = ledger::slot(no).and_then(|at| self.sessions().get(at));
        session.map_or_else(Coverage::default, |session| {
            Coverage::of(session, self.exchanges_of(no))
        })
    }

    /// Returns a number that grows with every change: a screen that has drawn it needs no redraw.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes what reached an end since the last call: each exchange once, a session each time its
    /// state becomes a final one.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.ledger.take_changes()
    }

    /// Counts it all up.
    pub fn summary(&self) -> Summary {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let connections = self.connections();
        let sum =
            |of: fn(&Connection) -> u64| connections.iter().map(of).fold(0, u64::saturating_add);
        Summary {
            exchanges: count(self.exchanges().len()),
            sessions: count(self.sessions().len()),
            connections: count(connections.len()),
            to_server: sum(|row| row.to_server),
            to_client: sum(|row| row.to_client),
            errors: self.ledger.findings.count(Level::Error),
            warnings: self.ledger.findings.count(Level::Warning),
            notes: self.ledger.findings.count(Level::Note),
        }
    }
}
