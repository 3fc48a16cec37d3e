//! The help over everything else, made from the table of keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget as _};

use super::super::keys::{Context, TABLE, names};
use super::super::model::Model;
use super::super::theme::{Role, style};
use super::paint::{Align, Pen, pane};

/// What the signs on the lists mean.
const SIGNS: &[(&str, &str)] = &[
    ("up ur dl", "upload, upload with a reply, download"),
    ("E", "the answer was an error, or carried an error code"),
    ("E W N", "of a finding: error, warning, note"),
    ("cut>  cut<", "the request, the response ended too early"),
    ("none", "the connection ended without an answer"),
    ("proxy", "the proxy answered, not the server"),
    ("bad", "not readable as HTTP"),
    (
        "held",
        "the packet waits for you (a e E X), with the time left",
    ),
    ("*  \"", "the packet is marked, commented"),
    ("next", "the next byte that the server asks for"),
    (
        "wait",
        "from the last byte of the request to the first of the response",
    ),
];

/// Draws the help where it is open; returns how many lines it has.
pub(super) fn draw(buf: &mut Buffer, model: &Model) -> usize {
    let Some(top) = model.help else {
        return 0;
    };
    let look = model.look;
    let whole = buf.area;
    let width = whole.width.min(78);
    let height = whole.height.saturating_sub(2).max(1).min(whole.height);
    let area = Rect::new(
        (whole.width - width) / 2,
        (whole.height - height) / 2,
        width,
        height,
    );
    Clear.render(area, buf);
    let title = Line::styled(
        " Help (Esc closes, arrows scroll) ",
        style(look, Role::Strong),
    );
    let inner = pane(buf, area, look, true, title);
    let lines = lines();
    for (line, (left, right, strong)) in lines.iter().skip(top).enumerate() {
        let Ok(line) = u16::try_from(line) else {
            break;
        };
        if line >= inner.height {
            break;
        }
        let mut pen = Pen::new(buf, inner, line, look);
        pen.skip(1);
        if *strong {
            pen.text(left, Role::Strong);
        } else {
            pen.cell(14, left, Role::Key, Align::Left);
            pen.skip(1);
            pen.text(right, Role::Text);
        }
    }
    lines.len()
}

fn lines() -> Vec<(String, String, bool)> {
    let mut lines = Vec::new();
    for (context, title) in [
        (Context::Anywhere, "Everywhere"),
        (Context::Panes, "With sessions and packets"),
        (Context::List, "In a list"),
        (Context::Hex, "In Hex"),
        (Context::Coverage, "In the coverage"),
        (Context::Findings, "In the findings"),
        (Context::Versus, "In a comparison"),
        (Context::Rules, "In the rules"),
        (Context::Prompt, "While typing"),
        (Context::Form, "While editing a held message"),
    ] {
        lines.push((title.to_owned(), String::new(), true));
        for row in TABLE.iter().filter(|row| row.context == context) {
            lines.push((names(row), row.help.to_owned(), false));
        }
        lines.push((String::new(), String::new(), true));
    }
    lines.push(("Signs".to_owned(), String::new(), true));
    for (sign, meaning) in SIGNS {
        lines.push(((*sign).to_owned(), (*meaning).to_owned(), false));
    }
    lines
}
