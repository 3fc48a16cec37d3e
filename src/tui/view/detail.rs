//! The pane below the lists: the tabs, and the one that is open.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::model::{Focus, Model, Tab};
use super::super::rows::Rows;
use super::super::theme::{Role, style};
use super::paint::{Pen, pane};
use super::{breach, head, hex, story, timing, upstream};

/// Draws the pane; returns how many lines the open tab has.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) -> usize {
    let look = model.look;
    let inner = pane(
        buf,
        area,
        look,
        model.focus == Focus::Detail,
        tabs(model, rows),
    );
    let width = usize::from(inner.width);
    let lines = match model.detail.tab {
        Tab::Story => story::lines(model, rows, width),
        Tab::Head => head::lines(model, rows, width),
        Tab::Upstream => upstream::lines(model, rows, width),
        Tab::Findings => breach::lines(model, rows, width),
        Tab::Timing => timing::lines(model, rows, width),
        Tab::Hex => {
            hex::draw(buf, inner, model, rows);
            return 0;
        }
    };
    let last = lines.len().saturating_sub(usize::from(inner.height));
    let top = model.detail.scroll.min(last);
    for (line, content) in (0..inner.height).zip(lines.iter().skip(top)) {
        Pen::new(buf, inner, line, look).line(content);
    }
    lines.len()
}

/// Names the tabs, the open one in brackets, and the packet that they show.
fn tabs(model: &Model, rows: &dyn Rows) -> Line<'static> {
    let look = model.look;
    let mut spans = vec![Span::raw(" ")];
    for tab in Tab::ALL {
        let (text, role) = if tab == model.detail.tab {
            (format!("[{}]", tab.name()), Role::Strong)
        } else {
            (format!(" {} ", tab.name()), Role::Dim)
        };
        spans.push(Span::styled(text, style(look, role)));
    }
    if let Some(exchange) = model.exchange(rows) {
        let text = format!("  packet {} ", exchange.no);
        spans.push(Span::styled(text, style(look, Role::Dim)));
    }
    Line::from(spans)
}

/// Says that there is nothing to show.
pub(super) fn nothing(model: &Model) -> Vec<Line<'static>> {
    vec![Line::styled(
        " No packet is selected.",
        style(model.look, Role::Dim),
    )]
}

/// Breaks a sentence into lines, with `indent` before each.
pub(super) fn paragraph(
    out: &mut Vec<Line<'static>>,
    first: &str,
    indent: usize,
    text: &str,
    width: usize,
    look: super::super::Look,
    role: Role,
) {
    let text = super::super::text::harmless(text, look.ascii);
    let room = width.saturating_sub(indent + 1);
    for (number, line) in super::super::text::wrap(&text, room)
        .into_iter()
        .enumerate()
    {
        let lead = if number == 0 { first } else { "" };
        let blank = indent.saturating_sub(Line::raw(lead).width());
        out.push(Line::from(vec![
            Span::styled(lead.to_owned(), style(look, Role::Dim)),
            Span::raw(" ".repeat(blank)),
            Span::styled(line, style(look, role)),
        ]));
    }
}
