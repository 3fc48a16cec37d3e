//! Going to the next row that is wanted: one that contains a text, one that is a problem; in the detail to
//! the next line or byte.

use crate::bits::{Packet, hresult};
use crate::timeline::{Exchange, Level, Session, Span};

use super::catalog::exchange_at;
use super::filter::contains;
use super::found::finding_at;
use super::keys::{self, Command};
use super::model::{Focus, Model, Tab};
use super::rows::Rows;
use super::seek::{self, Seek, Sought};
use super::sync;
use super::update::{Effect, fresh, show_offset};
use super::want::hex_message;

/// Selects the next row that contains what was searched.
pub(super) fn find(model: &mut Model, rows: &dyn Rows, back: bool, effects: &mut Vec<Effect>) {
    let needle = model.find.clone();
    if needle.is_empty() {
        let key = keys::key_for(Command::Find).unwrap_or_default();
        model.say(format!("nothing to find yet: {key}"), true);
        return;
    }
    if model.focus == Focus::Detail && model.detail.tab == Tab::Hex {
        effects.extend(in_body(model, rows, &needle, back).map(Effect::Seek));
        return;
    }
    if model.focus == Focus::Detail {
        model.detail.seek = Some(back);
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

/// Returns what to look for in the body that Hex shows: behind or before what was found last.
fn in_body(model: &Model, rows: &dyn Rows, typed: &str, back: bool) -> Option<Seek> {
    let message = hex_message(model, model.exchange(rows)?)?;
    let (needle, exact) = seek::needle(typed);
    let from = match model.detail.hit {
        Some(hit) if back => hit,
        Some(hit) => hit.saturating_add(1),
        None => model.detail.offset,
    };
    Some(Seek {
        span: Span {
            offset: message.body_offset(),
            len: message.body_wire,
            ..message.head
        },
        from,
        needle,
        exact,
        back,
    })
}

/// Shows where bytes were found.
pub(super) fn sought(model: &mut Model, rows: &dyn Rows, sought: Result<Sought, String>) {
    let key = keys::key_for(Command::FindNext).unwrap_or_default();
    match sought {
        Ok(Sought::At(at)) => {
            show_offset(model, rows, at);
            model.detail.hit = Some(at);
            model.say(format!("found at byte {at} (0x{at:x})"), false);
        }
        Ok(Sought::UpTo(at)) => {
            model.detail.hit = Some(at);
            let text = format!("not found up to byte {at}: {key} goes on from there");
            model.say(text, true);
        }
        Ok(Sought::Nowhere) => {
            let text = format!("not found from here on: {}", model.find);
            model.say(text, true);
        }
        Err(why) => model.say(format!("not readable: {why}"), true),
    }
}

/// Takes which line of the detail has what was searched, once that was drawn.
pub(super) fn drawn(model: &mut Model, found: Option<usize>) {
    if model.detail.seek.take().is_none() {
        return;
    }
    let Some(line) = found else {
        model.say(format!("not found: {}", model.find), true);
        return;
    };
    let detail = &mut model.detail;
    detail.hit = u64::try_from(line).ok();
    if !(detail.scroll..detail.scroll + detail.height).contains(&line) {
        detail.scroll = line.saturating_sub(detail.height / 3);
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
