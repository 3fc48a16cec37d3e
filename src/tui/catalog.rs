//! What the screen remembers of a timeline so that no frame has to look at every row: which rows
//! belong to which session, which are not over, how many are problems.
//!
//! Each exchange is looked at when it appears and while it is in flight, never again.

use std::collections::{HashMap, HashSet};

use super::rows::{Rows, is_in_flight};
use crate::event::ConnId;

/// An index over the rows seen so far.
#[derive(Debug, Default)]
pub struct Catalog {
    seen: usize,
    in_flight: Vec<u32>,
    by_session: HashMap<u32, Vec<u32>>,
    by_connection: HashMap<ConnId, Vec<u32>>,
    problems: u64,
}

impl Catalog {
    /// Looks at what is new or was in flight; returns those rows.
    pub fn update(&mut self, rows: &dyn Rows) -> Vec<u32> {
        let count = rows.exchange_count();
        let mut looked = std::mem::take(&mut self.in_flight);
        let known = looked.len();
        looked.extend((self.seen..count).filter_map(|row| u32::try_from(row).ok()));
        for row in looked.get(known..).unwrap_or_default() {
            if let Some(exchange) = exchange_at(rows, *row) {
                self.by_connection
                    .entry(exchange.conn)
                    .or_default()
                    .push(*row);
            }
        }
        self.seen = count;
        let mut placed = HashSet::new();
        for row in &looked[..known] {
            placed.insert(*row);
        }
        for row in &looked {
            let Some(exchange) = exchange_at(rows, *row) else {
                continue;
            };
            let in_flight = is_in_flight(exchange);
            if let Some(no) = exchange.session {
                let of_session = self.by_session.entry(no).or_default();
                // One that was in flight may have been placed before; it is near the end then.
                if !placed.contains(row) || !of_session.iter().rev().any(|other| other == row) {
                    of_session.push(*row);
                }
            }
            if in_flight {
                self.in_flight.push(*row);
            } else if exchange.is_problem() {
                self.problems += 1;
            }
        }
        looked
    }

    /// Returns the rows of session `no`.
    pub fn of_session(&self, no: u32) -> &[u32] {
        self.by_session.get(&no).map_or(&[], Vec::as_slice)
    }

    /// Returns the rows of a connection, rising.
    pub fn of_connection(&self, conn: ConnId) -> &[u32] {
        self.by_connection.get(&conn).map_or(&[], Vec::as_slice)
    }

    /// Looks through everything for the rows of session `no`: for one whose count does not fit.
    pub fn recount(&mut self, rows: &dyn Rows, no: u32) {
        let of_session = (0..self.seen)
            .filter(|row| rows.exchange(*row).is_some_and(|e| e.session == Some(no)))
            .filter_map(|row| u32::try_from(row).ok())
            .collect();
        self.by_session.insert(no, of_session);
    }

    /// Returns the rows that were not over when they were last looked at.
    pub fn in_flight(&self) -> &[u32] {
        &self.in_flight
    }

    /// Returns how many exchanges were looked at.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Returns how many exchanges that are over are problems.
    pub fn problems(&self) -> u64 {
        self.problems
    }
}

/// Returns the exchange at a row.
pub(super) fn exchange_at(rows: &dyn Rows, row: u32) -> Option<&crate::timeline::Exchange> {
    rows.exchange(usize::try_from(row).ok()?)
}
