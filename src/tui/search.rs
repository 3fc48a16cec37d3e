//! Going to the next row that is wanted: one that contains a text, one that is a problem.

use crate::bits::{Packet, hresult};
use crate::timeline::{Exchange, Level, Session};

use super::catalog::exchange_at;
use super::filter::contains;
use super::found::finding_at;
use super::keys::{self, Command};
use super::model::{Focus, Model};
use super::rows::Rows;
use super::sync;
use super::update::fresh;

/// Selects the next row that contains what was searched.
pub(super) fn find(model: &mut Model, rows: &dyn Rows, back: bool) {
    let needle = model.find.clone();
    if needle.is_empty() {
        let key = keys::key_for(Command::Find).unwrap_or_default();
        model.say(format!("nothing to find yet: {key}"), true);
        return;
    }
    let found = if model.list() == Focus::Findings {
        let index = model.found.list.search(back, |row| {
            finding_at(rows, row).is_some_and(|finding| {
                [finding.id, &finding.text, finding.who.name()]
                    .into_iter()
                    .any(|text| contains(text, &needle))
            })
        });
        go(model, rows, index)
    } else if model.list() == Focus::Sessions {
        let index = model.sessions.search(back, |row| {
            usize::try_from(row)
                .ok()
                .and_then(|row| rows.session(row))
                .is_some_and(|session| session_says(session, &needle))
        });
        go(model, rows, index)
    } else {
        let index = model.packets.search(back, |row| {
            exchange_at(rows, row).is_some_and(|exchange| exchange_says(exchange, &needle))
        });
        go(model, rows, index)
    };
    if !found {
        model.say(format!("not found: {needle}"), true);
    }
}

fn session_says(session: &Session, needle: &str) -> bool {
    let texts = [
        Some(&session.name),
        Some(&session.url),
        session.session_id.as_ref(),
    ];
    texts
        .into_iter()
        .flatten()
        .any(|text| contains(text, needle))
        || contains(session.state.name(), needle)
}

fn exchange_says(exchange: &Exchange, needle: &str) -> bool {
    let packet = exchange.packet.map_or("", Packet::name);
    contains(&exchange.url, needle)
        || contains(packet, needle)
        || contains(exchange.outcome.name(), needle)
        || exchange
            .session_id
            .as_ref()
            .is_some_and(|id| contains(id, needle))
        || exchange
            .status
            .is_some_and(|status| contains(&status.to_string(), needle))
        || exchange
            .error
            .is_some_and(|error| contains(&hresult::name(error.code), needle))
}

/// Selects the next row that is a problem.
pub(super) fn problem(model: &mut Model, rows: &dyn Rows, back: bool) {
    let index = if model.list() == Focus::Findings {
        model.found.list.search(back, |row| {
            finding_at(rows, row).is_some_and(|finding| finding.level >= Level::Warning)
        })
    } else if model.list() == Focus::Sessions {
        model.sessions.search(back, |row| {
            usize::try_from(row)
                .ok()
                .and_then(|row| rows.session(row))
                .is_some_and(|session| session.problems > 0)
        })
    } else {
        model.packets.search(back, |row| {
            exchange_at(rows, row).is_some_and(Exchange::is_problem)
        })
    };
    if !go(model, rows, index) {
        model.say("no problem in these rows", false);
    }
}

/// Selects the row at `index` of the list in use; tells whether there was one.
fn go(model: &mut Model, rows: &dyn Rows, index: Option<usize>) -> bool {
    let Some(index) = index else {
        return false;
    };
    if model.list() == Focus::Sessions {
        model.sessions.follow = false;
        model.sessions.select_at(index);
        sync::follow_session(model, rows);
    } else if model.list() == Focus::Findings {
        model.found.list.follow = false;
        model.found.list.select_at(index);
    } else {
        model.packets.follow = false;
        model.packets.select_at(index);
    }
    fresh(model);
    true
}
