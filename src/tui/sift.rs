//! Going through many rows with a filter, a few at a time, so that no frame waits for it.
//!
//! [`Sift`] fills the list of packets and finds the sessions to list; a line that is being typed has
//! one [`Count`]. The loop gives work to do as long as [`is_busy`] and nothing else comes.

use std::collections::HashSet;

use crate::timeline::SessionState;

use super::catalog::exchange_at;
use super::filter::Filter;
use super::model::{Model, View};
use super::rows::Rows;
use super::{found, sync};

/// Rows that are asked at once; some milliseconds even of a slow filter.
const STEP: usize = 8192;

/// The same for a filter that has heads read back.
const STEP_WITH_HEADS: usize = 64;

/// How far the applied filter has come.
#[derive(Debug, Default)]
pub struct Sift {
    /// Rows before this one were asked for the sessions to list.
    seen: usize,
    /// Numbers of sessions of which an exchange was taken.
    pub(super) sessions: HashSet<u32>,
    /// Place in the scope of the next row to ask for the list of packets; `None` when all were.
    next: Option<usize>,
    then: Then,
    /// What each session said when its packets were asked last, where the filter goes by that.
    stood: Vec<Stand>,
}

/// What a session says that decides about its packets: state, restarts, rewinds, and whether the filter
/// takes the session itself.
type Stand = (SessionState, u32, u32, bool);

/// What becomes of the selection when the rows are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Then {
    #[default]
    Nothing,
    /// This row is selected as soon as it is listed, unless the user went elsewhere.
    Select(u32),
    Newest,
}

/// How many rows the filter that is being typed takes, of those asked so far.
#[derive(Clone, Debug)]
pub struct Count {
    filter: Filter,
    next: usize,
    pub found: usize,
    pub over: bool,
}

impl Count {
    /// Begins to count.
    pub(super) fn new(filter: Filter) -> Self {
        Self {
            filter,
            next: 0,
            found: 0,
            over: false,
        }
    }

    pub(super) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Asks some rows more.
    pub(super) fn advance(&mut self, rows: &dyn Rows) {
        let count = rows.exchange_count();
        let end = self.next.saturating_add(step(&self.filter)).min(count);
        self.found += (self.next..end)
            .filter_map(|row| rows.exchange(row))
            .filter(|exchange| self.filter.takes_exchange(exchange, rows))
            .count();
        self.next = end;
        self.over = end == count;
    }
}

fn step(filter: &Filter) -> usize {
    if filter.needs_heads() {
        STEP_WITH_HEADS
    } else {
        STEP
    }
}

/// Tells whether there are rows left to ask.
pub fn is_busy(model: &Model) -> bool {
    let typed = model
        .prompt
        .as_ref()
        .and_then(|prompt| prompt.count.as_ref());
    typed.is_some_and(|count| !count.over)
        || model.sift.next.is_some()
        || model.found.is_busy()
        || (!model.filter.is_empty() && model.sift.seen < model.catalog.seen())
}

/// Tells whether `row` will be asked later.
pub(super) fn is_ahead(model: &Model, row: u32) -> bool {
    match (model.sift.next, model.scope) {
        (None, _) => false,
        (Some(next), None) => usize::try_from(row).is_ok_and(|row| row >= next),
        (Some(next), Some(no)) => {
            let ahead = model.catalog.of_session(no).get(next..).unwrap_or_default();
            ahead.contains(&row)
        }
    }
}

/// Starts to ask for the list of packets from the first row on.
pub(super) fn packets(model: &mut Model, rows: &dyn Rows) {
    model.sift.then = match model.packets.selected() {
        Some(row) => Then::Select(row),
        None => model.sift.then,
    };
    model
        .packets
        .replace(Vec::new(), std::collections::HashMap::new());
    model.sift.next = Some(0);
    model.sift.stood = stand(model, rows);
    list_some(model, rows);
}

/// Returns where each session stands; nothing where the filter does not ask.
fn stand(model: &Model, rows: &dyn Rows) -> Vec<Stand> {
    if !model.filter.needs_sessions() {
        return Vec::new();
    }
    let sessions = (0..rows.session_count()).map_while(|row| rows.session(row));
    sessions
        .map(|session| {
            let taken = model.filter.takes_session(session);
            (session.state, session.restarts, session.rewinds, taken)
        })
        .collect()
}

/// Asks again for the packets of sessions that stand otherwise than when they were asked.
pub(super) fn after_sessions(model: &mut Model, rows: &dyn Rows) {
    let stood = stand(model, rows);
    let before = std::mem::replace(&mut model.sift.stood, stood);
    let (column, descending) = (model.packets.column, model.packets.descending);
    let pairs = before.iter().zip(&model.sift.stood);
    let moved = (1..).zip(pairs).filter(|(_, (was, is))| was != is);
    let moved = moved.map(|(no, _)| no);
    let shown = |no: &u32| match model.scope {
        Some(scope) => scope == *no,
        None => model.view == View::Packets,
    };
    let mut asked = Vec::new();
    for no in moved.filter(shown) {
        for &row in model.catalog.of_session(no) {
            if let Some(exchange) = exchange_at(rows, row)
                && !is_ahead(model, row)
            {
                let taken = model.filter.takes_exchange(exchange, rows);
                let key = || sync::packet_key(exchange, row, column, descending);
                asked.push((row, taken.then(key)));
            }
        }
    }
    if !asked.is_empty() {
        model.packets.ask_again(&asked);
    }
}

/// Forgets which sessions had a packet that was taken; begins anew with the first rows.
pub(super) fn sessions(model: &mut Model, rows: &dyn Rows) {
    model.sift.seen = 0;
    model.sift.sessions.clear();
    mark_some(model, rows);
}

/// Has nothing left to do.
pub(super) fn stop(model: &mut Model) {
    model.sift.next = None;
    model.sift.then = Then::Nothing;
}

/// Selects the newest packet, now or when all are listed.
pub(super) fn select_newest(model: &mut Model) {
    if model.sift.next.is_some() {
        model.sift.then = Then::Newest;
    }
    model.packets.select_newest();
}

/// Selects a packet, now or when it is listed.
pub(super) fn select(model: &mut Model, row: u32) {
    if !model.packets.select(row) && model.sift.next.is_some() {
        model.sift.then = Then::Select(row);
    }
}

/// Asks some rows more, wherever there are any left.
pub(super) fn advance(model: &mut Model, rows: &dyn Rows) {
    if let Some(count) = model
        .prompt
        .as_mut()
        .and_then(|prompt| prompt.count.as_mut())
        && !count.over
    {
        count.advance(rows);
    }
    list_some(model, rows);
    mark_some(model, rows);
    found::advance(model, rows);
}

/// Lists some packets more.
fn list_some(model: &mut Model, rows: &dyn Rows) {
    let Some(next) = model.sift.next else {
        return;
    };
    let (column, descending) = (model.packets.column, model.packets.descending);
    let all = match model.scope {
        Some(no) => model.catalog.of_session(no).len(),
        None if model.view == View::Packets => model.catalog.seen(),
        None => 0,
    };
    let end = next.saturating_add(step(&model.filter)).min(all);
    let in_flight: HashSet<u32> = model.catalog.in_flight().iter().copied().collect();
    let mut changes = Vec::new();
    for place in next..end {
        let row = match model.scope {
            Some(no) => model.catalog.of_session(no).get(place).copied(),
            None => u32::try_from(place).ok(),
        };
        let Some((row, exchange)) = row.and_then(|row| Some((row, exchange_at(rows, row)?))) else {
            continue;
        };
        if model.filter.takes_exchange(exchange, rows) {
            let key = sync::packet_key(exchange, row, column, descending);
            changes.push((row, Some(key), in_flight.contains(&row)));
        }
    }
    let wanted = match model.sift.then {
        Then::Select(row) => changes.iter().any(|change| change.0 == row).then_some(row),
        Then::Nothing | Then::Newest => None,
    };
    model.packets.merge(changes);
    if let Some(row) = wanted {
        model.packets.select(row);
        model.sift.then = Then::Nothing;
    }
    model.sift.next = (end < all).then_some(end);
    if model.sift.next.is_none() {
        if model.sift.then == Then::Newest {
            model.packets.select_newest();
        }
        model.sift.then = Then::Nothing;
    }
}

/// Looks at some rows more for sessions to list.
fn mark_some(model: &mut Model, rows: &dyn Rows) {
    if model.filter.is_empty() {
        return;
    }
    let all = model.catalog.seen();
    let end = model.sift.seen.saturating_add(step(&model.filter)).min(all);
    let known = model.sift.sessions.len();
    for row in model.sift.seen..end {
        let Some(exchange) = rows.exchange(row) else {
            continue;
        };
        if let Some(no) = exchange.session
            && !model.sift.sessions.contains(&no)
            && model.filter.takes_exchange(exchange, rows)
        {
            model.sift.sessions.insert(no);
        }
    }
    model.sift.seen = end;
    if model.sift.sessions.len() > known {
        sync::list_sessions(model, rows);
    }
}

/// Takes in what became of rows that were asked before they were over.
pub(super) fn again(model: &mut Model, rows: &dyn Rows, looked: &[u32]) {
    if model.filter.is_empty() {
        return;
    }
    for row in looked {
        if let Some(exchange) = exchange_at(rows, *row)
            && let Some(no) = exchange.session
            && !model.sift.sessions.contains(&no)
            && usize::try_from(*row).is_ok_and(|row| row < model.sift.seen)
            && model.filter.takes_exchange(exchange, rows)
        {
            model.sift.sessions.insert(no);
        }
    }
}
