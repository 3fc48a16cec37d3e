//! The log: what the program says, then what the timeline remarked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::model::Model;
use super::super::rows::Rows;
use super::super::text::{fit, harmless, moment, wrap};
use super::super::theme::{Role, style};
use super::paint::{Align, Pen, pane};
use crate::timeline::Remark;

/// Columns before the text: time and place.
const BEFORE: u16 = 22;

/// Longest text that is shown, in characters.
const LONGEST: usize = 4096;

/// Draws the log; returns the first entry on screen and how many are.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) -> (usize, usize) {
    let look = model.look;
    let following = if model.log.follow { "following " } else { "" };
    let title = Line::styled(format!(" Log {following}"), style(look, Role::Strong));
    let inner = pane(buf, area, look, true, title);
    if model.log.len == 0 {
        let mut pen = Pen::new(buf, inner, 0, look);
        pen.skip(1);
        pen.text("Nothing odd so far.", Role::Dim);
        return (0, 0);
    }
    let width = usize::from(inner.width.saturating_sub(BEFORE + 1));
    let height = usize::from(inner.height);
    let top = if model.log.follow {
        last_page(model, rows, width, height)
    } else {
        model.log.top
    };
    let mut line = 0;
    let mut shown = 0;
    for index in top..model.log.len {
        let Some(entry) = entry(model, rows, index) else {
            break;
        };
        let text = broken(&entry, width, look.ascii);
        if line > 0 && line + text.len() > height {
            break;
        }
        for (number, text) in text.iter().enumerate() {
            let Ok(row) = u16::try_from(line + number) else {
                break;
            };
            let mut pen = Pen::new(buf, inner, row, look);
            if number == 0 {
                pen.skip(1);
                pen.cell(8, &entry.at, Role::Dim, Align::Right);
                pen.skip(1);
                pen.cell(11, &entry.place, Role::Dim, Align::Left);
                pen.skip(1);
            } else {
                pen.skip(BEFORE);
            }
            pen.text(text, Role::Text);
        }
        line += text.len();
        shown += 1;
    }
    (top, shown)
}

/// Returns the entry from which on all others fit on screen.
fn last_page(model: &Model, rows: &dyn Rows, width: usize, height: usize) -> usize {
    let mut lines = 0;
    let mut top = model.log.len;
    while let Some(index) = top.checked_sub(1) {
        let Some(entry) = entry(model, rows, index) else {
            break;
        };
        lines += broken(&entry, width, model.look.ascii).len();
        if lines > height && top < model.log.len {
            break;
        }
        top = index;
    }
    top
}

/// One entry, wherever it came from.
struct Entry<'r> {
    at: String,
    place: String,
    text: &'r str,
}

fn entry<'r>(model: &'r Model, rows: &'r dyn Rows, index: usize) -> Option<Entry<'r>> {
    let said = &model.status.log;
    if let Some(text) = said.get(index) {
        return Some(Entry {
            at: String::new(),
            place: "bitstap".to_owned(),
            text,
        });
    }
    let remark = rows.remarks().get(index.checked_sub(said.len())?)?;
    Some(Entry {
        at: moment(remark.at),
        place: place(remark, model.look.ascii),
        text: &remark.text,
    })
}

fn broken(entry: &Entry<'_>, width: usize, ascii: bool) -> Vec<String> {
    let text: String = entry.text.chars().take(LONGEST).collect();
    wrap(&harmless(&text, ascii), width)
}

fn place(remark: &Remark, ascii: bool) -> String {
    let text = match (remark.exchange, remark.conn) {
        (Some(no), _) => format!("packet {no}"),
        (None, Some(conn)) => format!("conn {}", conn.0),
        (None, None) => String::new(),
    };
    fit(&text, 11, ascii)
}
