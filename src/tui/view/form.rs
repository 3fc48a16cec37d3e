//! The form over the whole screen: a held head as fields or as text, the cursor in it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget as _};

use super::super::model::Model;
use super::super::operator::form::{Aim, Face, Form};
use super::super::operator::head::Part;
use super::super::text::harmless;
use super::super::theme::{Role, signs, style};
use super::head::{is_credential, written};
use super::held::{clock, left};
use super::paint::{Align, Pen, pane};
use crate::bits::header::{self, Name};
use crate::bits::hresult;
use crate::fault::Stage;

/// Columns of a field's name, or of a line's number.
const NAME: u16 = 30;
const NUMBER: u16 = 4;

/// Draws the form; returns where the cursor is.
pub(super) fn draw(buf: &mut Buffer, model: &Model, form: &Form) -> Option<Position> {
    let whole = buf.area;
    let area = Rect {
        y: whole.y + 1,
        height: whole.height.saturating_sub(2),
        ..whole
    };
    Clear.render(area, buf);
    let inner = pane(buf, area, model.look, true, title(model, form));
    if inner.is_empty() {
        return None;
    }
    let mut pen = Pen::new(buf, inner, 0, model.look);
    pen.skip(1);
    let faces: &[(Face, &str)] = match form.aim {
        Aim::Replace => &[(Face::Fields, "Fields"), (Face::Raw, "Raw")],
        Aim::Respond => &[(Face::Raw, "Head, an empty line, content")],
    };
    for (face, name) in faces {
        if *face == form.face {
            pen.text(&format!("[{name}]"), Role::Strong);
        } else {
            pen.text(&format!(" {name} "), Role::Dim);
        }
        pen.skip(1);
    }
    let below = Rect {
        y: inner.y + 1,
        height: inner.height - 1,
        ..inner
    };
    match form.face {
        Face::Fields => fields(buf, below, model, form),
        Face::Raw => raw(buf, below, model, form),
    }
}

fn title(model: &Model, form: &Form) -> Line<'static> {
    let look = model.look;
    let what = match (form.aim, form.stage) {
        (Aim::Respond, _) => "Answer",
        (_, Stage::ResponseHead) => "Edit response",
        _ => "Edit request",
    };
    let held = model.operator.held.iter().find(|held| held.no == form.no);
    let (state, role) = match held {
        None => ("waits no more ".to_owned(), Role::Error),
        Some(held) => match left(model, held) {
            None => ("waits for ever ".to_owned(), Role::Live),
            Some(left) if left <= super::super::operator::NEAR => {
                (format!("! goes as it is in {} ", clock(left)), Role::Error)
            }
            Some(left) => (format!("goes as it is in {} ", clock(left)), Role::Live),
        },
    };
    Line::from(vec![
        Span::styled(
            format!(" {what}, held {} ", form.no),
            style(look, Role::Strong),
        ),
        Span::styled(state, style(look, role)),
    ])
}

fn fields(buf: &mut Buffer, area: Rect, model: &Model, form: &Form) -> Option<Position> {
    let look = model.look;
    let mut cursor = None;
    let height = usize::from(area.height);
    // A wrong value takes a line more.
    let top = (form.at + 3).saturating_sub(height);
    let mut y = 0;
    for (index, line) in form.lines.iter().enumerate().skip(top) {
        if y >= area.height {
            break;
        }
        let mut pen = Pen::new(buf, area, y, look);
        if index == form.at {
            pen = pen.base(Role::Selected);
            pen.cell(1, signs(look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        let changed = line.typed.value() != line.entry.value;
        pen.cell(
            1,
            if changed { "*" } else { "" },
            Role::Warning,
            Align::Left,
        );
        pen.cell(NAME, &line.entry.name, Role::Key, Align::Left);
        pen.skip(1);
        let at = area.x + area.width - pen.left();
        let shown = harmless(line.typed.value(), look.ascii);
        let width = pen.left().saturating_sub(1);
        let role = if line.wrong.is_some() {
            Role::Error
        } else {
            Role::Text
        };
        if index == form.at {
            let before: String = line
                .typed
                .value()
                .chars()
                .take(line.typed.cursor())
                .collect();
            let (text, column) = window(&shown, &harmless(&before, look.ascii), width);
            pen.cell(width, &text, role, Align::Left);
            cursor = Some(Position::new(at + column, area.y + y));
        } else if shown.is_empty() {
            pen.cell(width, "-", Role::Dim, Align::Left);
        } else {
            pen.cell(width, &shown, role, Align::Left);
        }
        y += 1;
        let note = match &line.wrong {
            Some(wrong) => Some((format!("! {wrong}"), Role::Error)),
            None if index == form.at => Some((meaning(line), Role::Dim)),
            None => None,
        };
        if let Some((note, role)) = note {
            let mut pen = Pen::new(buf, area, y, look);
            pen.skip(NAME + 3);
            pen.text(&note, role);
            y += 1;
        }
    }
    if let Some(wrong) = &form.wrong {
        note(buf, area, model, &wrong.text);
    }
    cursor
}

/// Says what the value comes to, where a name says more than a number, else what the field is for.
fn meaning(line: &super::super::operator::form::Line) -> String {
    let value = line.typed.value().trim();
    if line.entry.part == Part::Field(Name::Error) && !value.is_empty() {
        let by_name = hresult::lookup_name(value).map(|known| known.code);
        let code = by_name.or_else(|| header::hresult(value.as_bytes()));
        if let Some(code) = code {
            return format!("0x{code:08X} {}", hresult::name(code));
        }
    }
    if value.is_empty() {
        return format!("{}; empty: not sent", line.entry.meaning);
    }
    line.entry.meaning.to_owned()
}

fn raw(buf: &mut Buffer, area: Rect, model: &Model, form: &Form) -> Option<Position> {
    let look = model.look;
    let raw = &form.raw;
    let wrong = form.wrong.as_ref();
    let height = usize::from(area.height);
    let top = (raw.row + 2).saturating_sub(height);
    let mut cursor = None;
    let shown = raw.lines.iter().enumerate().skip(top);
    for (y, (index, text)) in (0..area.height).zip(shown) {
        let bad = wrong.is_some_and(|wrong| wrong.line == index + 1);
        let mut pen = Pen::new(buf, area, y, look);
        pen.cell(NUMBER, &(index + 1).to_string(), Role::Dim, Align::Right);
        pen.cell(1, if bad { "!" } else { "" }, Role::Error, Align::Left);
        let at = area.x + area.width - pen.left();
        let width = pen.left().saturating_sub(1);
        // Who edits a line sees it; the others keep their secrets.
        let secret = index > 0 && index != raw.row && is_credential(text.as_bytes());
        let shown = if secret && !model.reveal {
            written(text.as_bytes(), true, false, look)
        } else {
            harmless(text, look.ascii)
        };
        let role = if bad { Role::Error } else { Role::Text };
        if index == raw.row {
            let before: String = text.chars().take(raw.column).collect();
            let (text, column) = window(&shown, &harmless(&before, look.ascii), width);
            pen.cell(width, &text, role, Align::Left);
            cursor = Some(Position::new(at + column, area.y + y));
        } else {
            pen.cell(width, &shown, role, Align::Left);
        }
    }
    if let Some(wrong) = wrong {
        note(
            buf,
            area,
            model,
            &format!("line {}: {}", wrong.line, wrong.text),
        );
    }
    cursor
}

/// Writes on the last line what is wrong with the whole.
fn note(buf: &mut Buffer, area: Rect, model: &Model, text: &str) {
    let line = area.height.saturating_sub(1);
    let last = Rect {
        y: area.y + line,
        height: area.height.min(1),
        ..area
    };
    Clear.render(last, buf);
    let mut pen = Pen::new(buf, area, line, model.look);
    pen.text(&format!("! {text}"), Role::Error);
}

/// Returns the part of a text that shows the cursor, and the cursor's column in it.
fn window(text: &str, before: &str, width: u16) -> (String, u16) {
    let column = Line::raw(before).width();
    let skip = column.saturating_sub(usize::from(width));
    let shown = super::footer::skip_columns(text, skip);
    (shown, u16::try_from(column - skip).unwrap_or(0))
}
