//! Brings the lists up to date with the rows: what is new and what is in flight, not what is old.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::timeline::{Exchange, Session};

use super::catalog::exchange_at;
use super::list::Entry;
use super::model::{Focus, Model, Speed, View};
use super::rows::{Rows, is_in_flight};
use super::sift;

/// Least time over which a speed is measured.
const SPEED_WINDOW: std::time::Duration = std::time::Duration::from_secs(1);

/// Takes in what changed since the last call.
pub(super) fn sync(model: &mut Model, rows: &dyn Rows) {
    let looked = model.catalog.update(rows);
    if model.annotated != rows.annotation_version() {
        model.annotated = rows.annotation_version();
        if model.filter.text().to_lowercase().contains("mark") {
            super::update::refilter(model, rows, model.filter.clone());
        }
    }
    sift::again(model, rows, &looked);
    sift::advance(model, rows);
    list_sessions(model, rows);
    let before = model.scope;
    if rescope(model, rows) {
        list_packets(model, rows);
        if model.scope != before {
            sift::select_newest(model);
        }
    } else {
        // Who looks through sessions sees the selected one's latest packet.
        let at_end = model.packets.cursor() + 1 >= model.packets.len();
        merge_packets(model, rows, &looked);
        sift::after_sessions(model, rows);
        if at_end && model.focus == Focus::Sessions && !model.packets.follow {
            model.packets.select_at(usize::MAX);
        }
    }
    log_length(model, rows);
}

/// Takes the length of the log.
pub(super) fn log_length(model: &mut Model, rows: &dyn Rows) {
    model.log.len = model.status.log.len() + rows.remarks().len();
}

/// Lists all packets anew: after a new scope, filter or order.
pub(super) fn list_packets(model: &mut Model, rows: &dyn Rows) {
    if let Some(no) = model.scope {
        model.taken = model.catalog.of_session(no).len();
    }
    if !model.filter.is_empty() {
        sift::packets(model, rows);
        return;
    }
    sift::stop(model);
    let (column, descending) = (model.packets.column, model.packets.descending);
    let mut entries = Vec::new();
    // Not the rows' own state: `looked` will name these again, whatever became of them meanwhile.
    let in_flight: HashSet<u32> = model.catalog.in_flight().iter().copied().collect();
    let mut live = HashMap::new();
    let mut take = |row: u32| {
        let Some(exchange) = exchange_at(rows, row) else {
            return;
        };
        let key = packet_key(exchange, row, column, descending);
        entries.push(Entry { key, row });
        if in_flight.contains(&row) {
            live.insert(row, key);
        }
    };
    match model.scope {
        Some(no) => model
            .catalog
            .of_session(no)
            .iter()
            .copied()
            .for_each(&mut take),
        None if model.view == View::Packets => {
            (0..model.catalog.seen())
                .filter_map(|row| u32::try_from(row).ok())
                .for_each(&mut take);
        }
        None => {}
    }
    model.packets.replace(entries, live);
}

/// Takes the rows that are new or were in flight into the list of packets.
fn merge_packets(model: &mut Model, rows: &dyn Rows, looked: &[u32]) {
    let (column, descending) = (model.packets.column, model.packets.descending);
    if model.scope.is_none() && model.view != View::Packets {
        return;
    }
    let changes = looked.iter().filter_map(|row| {
        let exchange = exchange_at(rows, *row)?;
        if sift::is_ahead(model, *row) || (model.scope.is_some() && exchange.session != model.scope)
        {
            return None;
        }
        let key = model
            .filter
            .takes_exchange(exchange, rows)
            .then(|| packet_key(exchange, *row, column, descending));
        Some((*row, key, is_in_flight(exchange)))
    });
    let changes: Vec<_> = changes.collect();
    model.packets.merge(changes);
}

/// Sets the scope to the selected session; tells whether the packets must be listed anew.
fn rescope(model: &mut Model, rows: &dyn Rows) -> bool {
    if model.view != View::Sessions {
        return false;
    }
    let session = model
        .session(rows)
        .map(|session| (session.no, session.exchanges));
    let scope = session.map(|(no, _)| no);
    let mut anew = scope != model.scope;
    model.scope = scope;
    if let Some((no, count)) = session {
        let known = model.catalog.of_session(no).len();
        if known != usize::try_from(count).unwrap_or(known) && model.recounted != session {
            model.recounted = session;
            model.catalog.recount(rows, no);
            anew = true;
        }
    }
    anew
}

/// Shows the packets of the selected session, its last one selected.
pub(super) fn follow_session(model: &mut Model, rows: &dyn Rows) {
    if rescope(model, rows) {
        list_packets(model, rows);
        sift::select_newest(model);
    }
}

/// Lists the sessions anew; there are thousands of them, not millions.
pub(super) fn list_sessions(model: &mut Model, rows: &dyn Rows) {
    let takes = |session: &Session| {
        model.filter.is_empty()
            || model.sift.sessions.contains(&session.no)
            || model.filter.takes_session(session)
    };
    let mut shown: Vec<(u32, &Session)> = (0..rows.session_count())
        .filter_map(|row| Some((u32::try_from(row).ok()?, rows.session(row)?)))
        .filter(|(_, session)| takes(session))
        .collect();
    let (column, descending) = (model.sessions.column, model.sessions.descending);
    if column != 0 || descending {
        shown.sort_by(|(_, one), (_, other)| {
            let order = session_order(one, other, column);
            if descending { order.reverse() } else { order }
        });
    }
    let entries = shown
        .iter()
        .zip(0..)
        .map(|((row, _), key)| Entry { key, row: *row })
        .collect();
    model.sessions.replace(entries, HashMap::new());
}

fn session_order(one: &Session, other: &Session, column: usize) -> Ordering {
    let done = |session: &Session| {
        session
            .total
            .map(|total| super::text::percent(session.acknowledged, total))
    };
    match column {
        1 => one.name.cmp(&other.name),
        2 => one.state.name().cmp(other.state.name()),
        3 => done(one).cmp(&done(other)),
        4 => one.problems.cmp(&other.problems),
        5 => one.last.cmp(&other.last),
        _ => one.no.cmp(&other.no),
    }
}

/// Returns a number by which the column sorts; rows that have nothing there come first.
pub(super) fn packet_key(exchange: &Exchange, row: u32, column: usize, descending: bool) -> u64 {
    let after = |value: Option<u64>| value.map_or(0, |value| value.saturating_add(1));
    let key = match column {
        1 => after(exchange.packet.map(|packet| packet as u64)),
        2 => after(exchange.range.map(|range| range.first)),
        3 => after(exchange.status.map(u64::from)),
        4 => after(exchange.received.get()),
        5 => after(waited(exchange).and_then(|wait| u64::try_from(wait.as_nanos()).ok())),
        _ => u64::from(row),
    };
    if descending { !key } else { key }
}

/// Returns how long the answer let itself be waited for.
pub(super) fn waited(exchange: &Exchange) -> Option<std::time::Duration> {
    let times = exchange.times.get();
    let from = times.request_end.unwrap_or(times.begun);
    Some(times.response_begun?.saturating_sub(from))
}

/// Measures how fast sessions move.
pub(super) fn measure(model: &mut Model, rows: &dyn Rows) {
    let now = model.now;
    for row in 0..rows.session_count() {
        let Some(session) = rows.session(row) else {
            continue;
        };
        if session.state.is_final() {
            model.speeds.remove(&session.no);
            continue;
        }
        let speed = model.speeds.entry(session.no).or_insert(Speed {
            at: now,
            sent: session.sent,
            rate: None,
        });
        let during = now.saturating_sub(speed.at);
        if during >= SPEED_WINDOW {
            let moved = session.sent.saturating_sub(speed.sent);
            let ms = u64::try_from(during.as_millis()).unwrap_or(u64::MAX).max(1);
            *speed = Speed {
                at: now,
                sent: session.sent,
                rate: Some(moved.saturating_mul(1000) / ms),
            };
        }
    }
}
