//! Hex: a bounded window on a body, read back from the capture.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::keys::{Command, key_for};
use super::super::model::{Model, Side};
use super::super::rows::Rows;
use super::super::text::long;
use super::super::theme::Role;
use super::super::want::{body, hex_line, hex_message};
use super::paint::{Align, Pen};
use crate::timeline::{Chunk, Exchange};

/// Draws the tab.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let mut pen = Pen::new(buf, area, 0, model.look);
    pen.skip(1);
    let Some(exchange) = model.exchange(rows) else {
        pen.text("No packet is selected.", Role::Dim);
        return;
    };
    let want = body(model, exchange);
    let read = want.and_then(|want| model.read(&want));
    pen.text(&title(model, exchange), Role::Dim);
    match (want, read) {
        (Some(_), Some(Ok(chunk))) => {
            let missing: usize = chunk.holes.iter().map(ExactSizeIterator::len).sum();
            if missing > 0 {
                pen.text(
                    &format!("; .. is not in the capture ({missing} bytes here)"),
                    Role::Warning,
                );
            }
            let short = want
                .map_or(0, |want| want.len)
                .saturating_sub(chunk.bytes.len());
            if short > 0 {
                pen.text(
                    &format!("; {short} bytes are not written yet"),
                    Role::Warning,
                );
            }
            dump(buf, area, model, chunk);
        }
        (Some(_), Some(Err(why))) => {
            let mut pen = Pen::new(buf, area, 1, model.look);
            pen.skip(1);
            pen.text(&format!("! not readable: {why}"), Role::Error);
        }
        (Some(_), None) | (None, _) => {}
    }
}

fn title(model: &Model, exchange: &Exchange) -> String {
    let side = model.side(exchange);
    let (name, other) = match side {
        Side::Request => ("Request", "response"),
        Side::Response => ("Response", "request"),
    };
    let key = key_for(Command::OtherBody).unwrap_or_default();
    let Some(message) = hex_message(model, exchange) else {
        return format!("{name}: none ({key}: {other})");
    };
    if message.body_wire == 0 {
        return format!("{name} has no body ({key}: {other})");
    }
    let framed = if message.body_wire == message.body {
        ""
    } else {
        " with chunk framing"
    };
    format!(
        "{name} body, {} at {}{framed} ({key}: {other})",
        long(message.body_wire),
        model.detail.offset
    )
}

fn dump(buf: &mut Buffer, area: Rect, model: &Model, chunk: &Chunk) {
    let per_line = hex_line(model);
    for (number, bytes) in chunk.bytes.chunks(per_line).enumerate() {
        let Ok(line) = u16::try_from(number + 1) else {
            return;
        };
        let start = number * per_line;
        let offset = model.detail.offset + u64::try_from(start).unwrap_or(0);
        let mut hex = String::new();
        let mut ascii = String::new();
        for (at, byte) in bytes.iter().enumerate() {
            if at == 8 {
                hex.push(' ');
            }
            if chunk.holes.iter().any(|hole| hole.contains(&(start + at))) {
                hex.push_str(".. ");
                ascii.push(' ');
            } else {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x} ");
                ascii.push(if matches!(byte, 0x20..=0x7E) {
                    char::from(*byte)
                } else {
                    '.'
                });
            }
        }
        let mut pen = Pen::new(buf, area, line, model.look);
        let end = offset.saturating_add(u64::try_from(per_line).unwrap_or(0));
        if model
            .detail
            .hit
            .is_some_and(|hit| (offset..end).contains(&hit))
        {
            pen = pen.base(Role::Selected);
        }
        pen.skip(1);
        let digits = format!("{offset:08x}");
        pen.text(&digits, Role::Dim);
        pen.skip(2);
        let width = u16::try_from(per_line * 3 + usize::from(per_line > 8)).unwrap_or(0);
        pen.cell(width, &hex, Role::Text, Align::Left);
        pen.text("|", Role::Border);
        pen.text(&ascii, Role::Text);
        pen.text("|", Role::Border);
    }
}
