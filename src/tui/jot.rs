//! Marks and comments: what people write at a packet, and going from one to the next.
//!
//! Nothing is kept here: a note goes to the capture and comes back with the rows.

use crate::event::{Event, Fact, Leg, Note, What};
use crate::timeline::{Annotation, Exchange, margin};

use super::catalog::exchange_at;
use super::model::{Ask, Focus, Model, View};
use super::rows::Rows;
use super::update::{Effect, fresh, show};
use super::{prompt, sift};

/// Returns what people wrote at an exchange.
pub(super) fn of<'r>(rows: &'r dyn Rows, exchange: &Exchange) -> Option<&'r Annotation> {
    rows.margin()?.annotation(exchange.no)
}

/// Marks the selected packet, or takes its mark away.
pub(super) fn mark(model: &mut Model, rows: &dyn Rows, effects: &mut Vec<Effect>) {
    let Some(exchange) = model.exchange(rows) else {
        model.say("no packet is selected", true);
        return;
    };
    let on = !of(rows, exchange).is_some_and(|annotation| annotation.marked);
    let no = exchange.no;
    let text = if on {
        format!("Packet {no}{} is marked.", named(exchange))
    } else {
        format!("Packet {no}{} is no longer marked.", named(exchange))
    };
    let event = margin::anchor(exchange)
        .map(|place| event(model, exchange, text, Fact::Mark { place, on }));
    effects.extend(event.map(Effect::Annotate));
}

/// Begins to write about the selected packet, with what was written there before.
pub(super) fn comment(model: &mut Model, rows: &dyn Rows) {
    let Some(exchange) = model.exchange(rows) else {
        model.say("no packet is selected", true);
        return;
    };
    let before = of(rows, exchange).map(|annotation| annotation.comment.clone());
    let row = exchange.no.checked_sub(1);
    prompt::open(
        model,
        rows,
        Ask::Comment,
        Some(before.as_deref().unwrap_or_default()),
    );
    if let Some(prompt) = &mut model.prompt {
        prompt.row = row;
    }
}

/// Writes about the packet at `row`; nothing takes away what was written.
pub(super) fn write(
    model: &mut Model,
    rows: &dyn Rows,
    row: Option<u32>,
    comment: &str,
    effects: &mut Vec<Effect>,
) {
    let Some(exchange) = row.and_then(|row| exchange_at(rows, row)) else {
        return;
    };
    let before = of(rows, exchange).map_or("", |annotation| &*annotation.comment);
    if before == comment {
        return;
    }
    let no = exchange.no;
    let text = if comment.is_empty() {
        format!("The comment on packet {no} is taken away.")
    } else {
        format!("Packet {no}{}: {comment}", named(exchange))
    };
    let comment = comment.to_owned();
    let event = margin::anchor(exchange)
        .map(|place| event(model, exchange, text, Fact::Comment { place, comment }));
    effects.extend(event.map(Effect::Annotate));
}

/// Returns the packet's name in parentheses, for a sentence.
fn named(exchange: &Exchange) -> String {
    let name = exchange.packet.map(crate::bits::Packet::name);
    name.map_or_else(String::new, |name| format!(" ({name})"))
}

/// Makes the event that keeps a note: now, or in a capture that is over at the end of its packet.
fn event(model: &Model, exchange: &Exchange, text: String, fact: Fact) -> Event {
    let times = exchange.times.get();
    Event {
        at: if model.status.ended {
            times.ended.unwrap_or(times.begun)
        } else {
            model.now.max(times.begun)
        },
        conn: exchange.conn,
        leg: Leg::Client,
        what: What::Note(Note { text, fact }),
    }
}

/// Selects the next packet that is marked or commented, in the list, else in the list of all.
pub(super) fn next(model: &mut Model, rows: &dyn Rows) {
    let is_meant = |row: u32| {
        let margin = rows.margin();
        margin.is_some_and(|margin| margin.annotation(row.saturating_add(1)).is_some())
    };
    let first = rows.annotated().first().and_then(|no| no.checked_sub(1));
    let found = if matches!(model.view, View::Sessions | View::Packets) {
        model.packets.search(false, is_meant)
    } else {
        None
    };
    if let Some(index) = found {
        model.packets.follow = false;
        model.packets.select_at(index);
    } else if let Some(row) = first {
        show(model, rows, View::Packets);
        sift::select(model, row);
        if model.packets.selected() != Some(row) {
            model.say("the filter hides the marked packets", true);
            return;
        }
    } else {
        model.say("no packet is marked", true);
        return;
    }
    model.focus = Focus::Packets;
    fresh(model);
}
