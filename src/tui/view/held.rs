//! The messages that wait for the operator: what they are, why they wait, how long they still can.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::catalog::exchange_at;
use super::super::keys::{Command, key_for};
use super::super::model::Model;
use super::super::operator::{self, NEAR};
use super::super::rows::Rows;
use super::super::theme::{Role, signs, style};
use super::paint::{Align, Pen, pane};
use crate::fault::{Held, Stage};

/// Keys that say in the title what can be done.
const KEYS: [(Command, &str); 5] = [
    (Command::Release, "let go"),
    (Command::ReleaseAll, "all"),
    (Command::Edit, "edit"),
    (Command::Answer, "answer"),
    (Command::Kill, "reset"),
];

/// Draws the strip: with a border, or where there is only one line, the message that keys are about.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let target = operator::target(model, rows).map(|held| held.no);
    let held = &model.operator.held;
    let at = held.iter().position(|held| Some(held.no) == target);
    let at = at.unwrap_or(0);
    let inner = if area.height < 3 {
        area
    } else {
        pane(buf, area, model.look, true, title(model))
    };
    let height = usize::from(inner.height);
    let top = (at + 1).saturating_sub(height);
    for (line, (index, held)) in (0..inner.height).zip(held.iter().enumerate().skip(top)) {
        let mut pen = Pen::new(buf, inner, line, model.look);
        if index == at {
            pen = pen.base(Role::Selected);
            pen.cell(1, signs(model.look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        held_row(pen, model, rows, held);
    }
}

fn title(model: &Model) -> Line<'static> {
    let look = model.look;
    let count = model.operator.held.len();
    let mut spans = vec![Span::styled(
        format!(" Held: {count} "),
        style(look, Role::Strong),
    )];
    for (command, says) in KEYS {
        let key = key_for(command).unwrap_or_default();
        spans.push(Span::styled(format!(" {key}"), style(look, Role::Key)));
        spans.push(Span::styled(format!(" {says} "), style(look, Role::Dim)));
    }
    Line::from(spans)
}

fn held_row(mut pen: Pen<'_>, model: &Model, rows: &dyn Rows, held: &Held) {
    let row = operator::row_of(model, held);
    let exchange = row.and_then(|row| exchange_at(rows, row));
    pen.cell(3, &held.no.to_string(), Role::Strong, Align::Right);
    pen.skip(1);
    let packet = exchange.map_or_else(
        || format!("connection {}", held.conn.0),
        |exchange| {
            let name = exchange.packet.map(crate::bits::Packet::name);
            format!("#{} {}", exchange.no, name.unwrap_or(&exchange.method))
        },
    );
    pen.cell(19, &packet, Role::Text, Align::Left);
    pen.skip(1);
    let stage = match held.stage {
        Stage::ResponseHead => "response",
        _ => "request",
    };
    pen.cell(8, stage, Role::Text, Align::Left);
    pen.skip(1);
    time(&mut pen, model, held);
    pen.skip(1);
    let who = held.rule.as_ref();
    let who = who.map_or_else(|| "breakpoint".to_owned(), |rule| format!("rule {rule}"));
    pen.cell(16, &who, Role::Dim, Align::Left);
    pen.skip(1);
    let url = exchange.map_or("", |exchange| &exchange.url);
    pen.cell(pen.left(), url, Role::Dim, Align::Left);
}

/// Draws the clock that runs down; near its end it is a warning, with a sign.
fn time(pen: &mut Pen<'_>, model: &Model, held: &Held) {
    let (Some(left), Some(until)) = (left(model, held), held.until) else {
        pen.cell(26, "waits for ever", Role::Live, Align::Left);
        return;
    };
    let near = left <= NEAR;
    let role = if near { Role::Error } else { Role::Live };
    let whole = until.saturating_sub(held.since).as_millis().max(1);
    let percent = u8::try_from(left.as_millis().min(whole) * 100 / whole).unwrap_or(100);
    pen.cell(2, if near { "!" } else { "" }, role, Align::Left);
    pen.text("goes in ", Role::Dim);
    pen.cell(6, &clock(left), role, Align::Right);
    pen.skip(1);
    pen.bar(9, percent, role);
}

/// Returns how long a message still waits; `None`: for ever.
pub(super) fn left(model: &Model, held: &Held) -> Option<Duration> {
    Some(held.until?.saturating_sub(model.operator.now))
}

/// Writes a time as `01:47`; a started second counts, so that 00:00 is the end.
pub(super) fn clock(left: Duration) -> String {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}
