//! What the screen asks of a timeline, so that it can be drawn from rows made by hand and from rows
//! that were put aside when the display was paused.
//!
//! A *row* is a place in the timeline, counted from 0; a number (`no`) is what people see, from 1.
//! Knows nothing of what is on screen.

use std::collections::HashMap;

use crate::event::ConnId;
use crate::timeline::filter::Heads;
use crate::timeline::{
    Connection, Exchange, Finding, Legs, Margin, Outcome, Remark, Session, Timeline,
};

/// Rows to show.
pub trait Rows {
    /// Returns how many exchanges there are.
    fn exchange_count(&self) -> usize;
    fn exchange(&self, row: usize) -> Option<&Exchange>;
    /// Returns how many sessions there are.
    fn session_count(&self) -> usize;
    fn session(&self, row: usize) -> Option<&Session>;
    fn connection(&self, id: ConnId) -> Option<&Connection>;
    fn remarks(&self) -> &[Remark];
    /// Returns a number that differs after every change.
    fn generation(&self) -> u64;
    /// Returns where heads are read back from, for filters that ask for them.
    fn heads(&self) -> Option<&dyn Heads> {
        None
    }
    /// Returns what stands beside the exchanges.
    fn margin(&self) -> Option<&dyn Margin> {
        None
    }
    /// Lists all findings in the order in which they were raised.
    fn findings(&self) -> &[Finding] {
        &[]
    }
    /// Tells how the legs of an exchange compare.
    fn legs(&self, _: &Exchange) -> Legs<'_> {
        Legs::One
    }
    /// Lists the numbers of the exchanges that are marked or commented, rising.
    fn annotated(&self) -> Vec<u32> {
        Vec::new()
    }
    /// Returns a number that differs after people wrote.
    fn annotation_version(&self) -> u64 {
        0
    }
}

/// A timeline whose heads can be read back.
pub struct WithHeads<'a> {
    pub rows: &'a Timeline,
    pub heads: &'a dyn Heads,
}

impl Rows for WithHeads<'_> {
    fn exchange_count(&self) -> usize {
        self.rows.exchange_count()
    }

    fn exchange(&self, row: usize) -> Option<&Exchange> {
        self.rows.exchange(row)
    }

    fn session_count(&self) -> usize {
        self.rows.session_count()
    }

    fn session(&self, row: usize) -> Option<&Session> {
        self.rows.session(row)
    }

    fn connection(&self, id: ConnId) -> Option<&Connection> {
        find_connection(self.rows.connections(), id)
    }

    fn remarks(&self) -> &[Remark] {
        self.rows.remarks()
    }

    fn generation(&self) -> u64 {
        self.rows.generation()
    }

    fn heads(&self) -> Option<&dyn Heads> {
        Some(self.heads)
    }

    fn margin(&self) -> Option<&dyn Margin> {
        Rows::margin(self.rows)
    }

    fn findings(&self) -> &[Finding] {
        self.rows.findings()
    }

    fn legs(&self, exchange: &Exchange) -> Legs<'_> {
        self.rows.legs(exchange)
    }

    fn annotated(&self) -> Vec<u32> {
        Rows::annotated(self.rows)
    }

    fn annotation_version(&self) -> u64 {
        self.rows.annotation_version()
    }
}

impl Rows for Timeline {
    fn exchange_count(&self) -> usize {
        self.exchanges().len()
    }

    fn exchange(&self, row: usize) -> Option<&Exchange> {
        self.exchanges().get(row)
    }

    fn session_count(&self) -> usize {
        self.sessions().len()
    }

    fn session(&self, row: usize) -> Option<&Session> {
        self.sessions().get(row)
    }

    fn connection(&self, id: ConnId) -> Option<&Connection> {
        find_connection(self.connections(), id)
    }

    fn remarks(&self) -> &[Remark] {
        self.remarks()
    }

    fn generation(&self) -> u64 {
        self.generation()
    }

    fn margin(&self) -> Option<&dyn Margin> {
        Some(self)
    }

    fn findings(&self) -> &[Finding] {
        self.findings()
    }

    fn legs(&self, exchange: &Exchange) -> Legs<'_> {
        self.legs(exchange)
    }

    fn annotated(&self) -> Vec<u32> {
        self.annotations().map(|(no, _)| no).collect()
    }

    fn annotation_version(&self) -> u64 {
        self.annotation_version()
    }
}

/// Finds a connection among those in order of appearance: nearly always at its own number.
pub fn find_connection(connections: &[Connection], id: ConnId) -> Option<&Connection> {
    let guess = usize::try_from(id.0).unwrap_or(0).saturating_sub(1);
    connections
        .get(guess)
        .filter(|connection| connection.id == id)
        .or_else(|| connections.iter().find(|connection| connection.id == id))
}

/// What may still change, put aside at the moment of a pause; what was over then cannot change.
#[derive(Debug)]
pub struct Pause {
    sessions: Vec<Session>,
    in_flight: HashMap<usize, Exchange>,
    pub exchanges: usize,
    remarks: usize,
    findings: usize,
    generation: u64,
}

impl Pause {
    /// Copies what may change; `in_flight` are the rows of the exchanges that were not over.
    pub fn take(rows: &dyn Rows, in_flight: &[u32]) -> Self {
        let copy = |row: &u32| {
            let row = usize::try_from(*row).ok()?;
            Some((row, rows.exchange(row)?.clone()))
        };
        Self {
            sessions: (0..rows.session_count())
                .filter_map(|row| rows.session(row).cloned())
                .collect(),
            in_flight: in_flight.iter().filter_map(copy).collect(),
            exchanges: rows.exchange_count(),
            remarks: rows.remarks().len(),
            findings: rows.findings().len(),
            generation: rows.generation(),
        }
    }
}

/// A timeline as it was when the display was paused.
pub struct Paused<'a> {
    pub now: &'a dyn Rows,
    pub then: &'a Pause,
}

impl Rows for Paused<'_> {
    fn exchange_count(&self) -> usize {
        self.then.exchanges
    }

    fn exchange(&self, row: usize) -> Option<&Exchange> {
        if row >= self.then.exchanges {
            return None;
        }
        self.then
            .in_flight
            .get(&row)
            .or_else(|| self.now.exchange(row))
    }

    fn session_count(&self) -> usize {
        self.then.sessions.len()
    }

    fn session(&self, row: usize) -> Option<&Session> {
        self.then.sessions.get(row)
    }

    fn connection(&self, id: ConnId) -> Option<&Connection> {
        self.now.connection(id)
    }

    fn remarks(&self) -> &[Remark] {
        let remarks = self.now.remarks();
        remarks.get(..self.then.remarks).unwrap_or(remarks)
    }

    fn generation(&self) -> u64 {
        self.then.generation
    }

    fn heads(&self) -> Option<&dyn Heads> {
        self.now.heads()
    }

    fn margin(&self) -> Option<&dyn Margin> {
        self.now.margin()
    }

    fn findings(&self) -> &[Finding] {
        let findings = self.now.findings();
        findings.get(..self.then.findings).unwrap_or(findings)
    }

    fn legs(&self, exchange: &Exchange) -> Legs<'_> {
        self.now.legs(exchange)
    }

    fn annotated(&self) -> Vec<u32> {
        self.now.annotated()
    }

    fn annotation_version(&self) -> u64 {
        self.now.annotation_version()
    }
}

/// Tells whether an exchange can still change.
pub fn is_in_flight(exchange: &Exchange) -> bool {
    exchange.outcome == Outcome::InFlight
}
