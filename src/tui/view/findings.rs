//! The list of findings: one row each, and how often the selected one's rule was broken.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::Look;
use super::super::found::{finding_at, selected};
use super::super::model::{Focus, Model};
use super::super::rows::Rows;
use super::super::theme::{Role, signs, style};
use super::paint::{Align, Pen, pane, sorted};
use crate::bits::check;
use crate::timeline::{Finding, Level};

/// Draws the list.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let look = model.look;
    let focus = model.focus == Focus::Findings;
    let inner = pane(buf, area, look, focus, title(model));
    titles(Pen::new(buf, inner, 0, look), model);
    if model.found.list.is_empty() {
        let mut pen = Pen::new(buf, inner, 1, look);
        pen.skip(1);
        pen.text(empty(model, rows), Role::Dim);
        return;
    }
    for (line, (index, row)) in model.found.list.on_screen().enumerate() {
        let Ok(line) = u16::try_from(line + 1) else {
            break;
        };
        let Some(finding) = finding_at(rows, row) else {
            continue;
        };
        let mut pen = Pen::new(buf, inner, line, look);
        if index == model.found.list.cursor() {
            pen = pen.base(if focus { Role::Selected } else { Role::Marked });
            pen.cell(1, signs(look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        finding_row(pen, finding);
    }
    foot(buf, inner, model, rows);
}

/// Returns a level's sign and what it means.
pub(super) fn sign(level: Level) -> (&'static str, Role) {
    match level {
        Level::Error => ("E", Role::Error),
        Level::Warning => ("W", Role::Warning),
        Level::Note | Level::Off => ("N", Role::Dim),
    }
}

fn title(model: &Model) -> Line<'static> {
    let look = model.look;
    let mut title = vec![Span::styled(" Findings ", style(look, Role::Strong))];
    let words = [
        ("error", Role::Error),
        ("warning", Role::Warning),
        ("note", Role::Dim),
    ];
    for (count, (word, role)) in model.found.counts.iter().zip(words) {
        let s = if *count == 1 { "" } else { "s" };
        let role = if *count == 0 { Role::Dim } else { role };
        title.push(Span::styled(
            format!("{count} {word}{s} "),
            style(look, role),
        ));
    }
    if model.found.list.follow {
        title.push(Span::styled("following ", style(look, Role::Live)));
    }
    Line::from(title)
}

fn empty(model: &Model, rows: &dyn Rows) -> &'static str {
    if !rows.findings().is_empty() && !model.filter.is_empty() {
        "The filter takes no finding."
    } else if model.status.ended {
        "No rule was broken."
    } else {
        "No rule has been broken so far."
    }
}

fn titles(mut pen: Pen<'_>, model: &Model) {
    let list = &model.found.list;
    let look: Look = model.look;
    let title = |name: &str, at: usize| {
        let sign = sorted(look, list.column == at, list.descending);
        format!("{name}{sign}")
    };
    let first = sorted(look, list.column == 0 && list.descending, true);
    pen.cell(1, first, Role::Dim, Align::Left);
    pen.cell(2, &title("L", 1), Role::Dim, Align::Left);
    pen.cell(10, &title("rule", 2), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(7, &title("who", 3), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(7, &title("packet", 4), Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(7, "session", Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(pen.left(), "what", Role::Dim, Align::Left);
}

fn finding_row(mut pen: Pen<'_>, finding: &Finding) {
    let number = |no: Option<u32>| no.map_or_else(|| "-".to_owned(), |no| no.to_string());
    let (sign, role) = sign(finding.level);
    pen.cell(2, sign, role, Align::Left);
    pen.cell(10, finding.id, Role::Text, Align::Left);
    pen.skip(1);
    pen.cell(7, finding.who.name(), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(7, &number(finding.exchange), Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(7, &number(finding.session), Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(pen.left(), &finding.text, Role::Text, Align::Left);
}

/// Says on the last line what the findings of the selected one's rule come to.
fn foot(buf: &mut Buffer, inner: Rect, model: &Model, rows: &dyn Rows) {
    let Some(finding) = selected(model, rows) else {
        return;
    };
    let count = model.found.of_rule.get(finding.id).copied().unwrap_or(1);
    let Some(rule) = check::find(finding.id) else {
        return;
    };
    let mut pen = Pen::new(buf, inner, inner.height.saturating_sub(1), model.look);
    pen.skip(1);
    let text = match count {
        0 | 1 => format!("{}: {}", finding.id, rule.says),
        _ => format!("{}: {}", finding.id, rule.summary(count)),
    };
    pen.text(&text, Role::Strong);
}
