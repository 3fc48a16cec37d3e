//! The pane below the lists: the tabs, and the one that is open.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::filter::contains;
use super::super::model::{Focus, Model, Tab};
use super::super::rows::Rows;
use super::super::theme::{Role, style};
use super::paint::{Pen, pane};
use super::{breach, head, hex, story, timing, upstream};

/// Draws the pane; returns how many lines the open tab has, and which of them has what is sought.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    model: &Model,
    rows: &dyn Rows,
) -> (usize, Option<usize>) {
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
            return (0, None);
        }
    };
    let last = lines.len().saturating_sub(usize::from(inner.height));
    let top = model.detail.scroll.min(last);
    let hit = model.detail.hit.and_then(|hit| usize::try_from(hit).ok());
    for (line, (number, content)) in (0..inner.height).zip(lines.iter().enumerate().skip(top)) {
        let mut pen = Pen::new(buf, inner, line, look);
        if hit == Some(number) {
            pen = pen.base(Role::Selected);
        }
        pen.line(content);
    }
    let found = model
        .detail
        .seek
        .and_then(|back| sought(&lines, model, hit, back));
    (lines.len(), found)
}

/// Returns the next line that contains what was searched, going round.
fn sought(lines: &[Line<'_>], model: &Model, hit: Option<usize>, back: bool) -> Option<usize> {
    let all = lines.len();
    // Before the first search the line on top counts as the next one.
    let here =
        hit.unwrap_or_else(|| (model.detail.scroll + all).saturating_sub(usize::from(!back)));
    (1..=all)
        .map(|step| {
            let step = if back { all * 2 - step } else { step };
            (here + step) % all
        })
        .find(|line| {
            let text = lines.get(*line).map(ToString::to_string);
            text.is_some_and(|text| contains(&text, &model.find))
        })
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
