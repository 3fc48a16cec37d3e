//! The last line: what is being typed, else a message, else the keys that apply.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::filter::Filter;
use super::super::keys::{Command, Context, TABLE};
use super::super::model::{Ask, Model, Prompt};
use super::super::text::harmless;
use super::super::theme::{Role, style};
use super::super::update::contexts;
use super::paint::{Align, Pen};

/// Draws the footer; returns where the cursor belongs while a line is being typed.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    buf.set_style(area, style(model.look, Role::Bar));
    let mut pen = Pen::new(buf, area, 0, model.look).base(Role::Bar);
    if let Some(prompt) = &model.prompt {
        return typed(pen, area, model, prompt);
    }
    pen.skip(1);
    if let Some(message) = &model.message {
        let role = if message.bad {
            Role::Error
        } else {
            Role::Strong
        };
        if message.bad {
            pen.text("! ", role);
        }
        pen.text(&message.text, role);
        return None;
    }
    if !model.filter.is_empty() {
        pen.text("filter ", Role::Warning);
        let text = super::super::text::fit(model.filter.text(), 20, model.look.ascii);
        pen.text(&text, Role::Strong);
        pen.skip(2);
    }
    keys(&mut pen, &contexts(model));
    None
}

/// Writes the keys that have a hint and fit; help and quit are the last to go.
fn keys(pen: &mut Pen<'_>, contexts: &[Context]) {
    let hinted = |context: &Context| {
        let context = *context;
        TABLE
            .iter()
            .filter(move |row| row.context == context && !row.hint.is_empty())
            .filter_map(|row| Some((row.chords.first()?.name(), row.hint, row.command)))
    };
    let (last, mut hints): (Vec<_>, Vec<_>) = contexts
        .iter()
        .flat_map(hinted)
        .partition(|(.., command)| matches!(command, Command::Help | Command::Quit));
    let width = |hints: &[(String, &str, Command)]| -> usize {
        hints
            .iter()
            .map(|(name, hint, _)| name.chars().count() + hint.chars().count() + 3)
            .sum()
    };
    // The blanks behind the last one may be cut.
    let room = usize::from(pen.left()) + 2;
    while !hints.is_empty() && width(&hints) + width(&last) > room {
        hints.pop();
    }
    for (name, hint, _) in hints.iter().chain(&last) {
        pen.text(name, Role::Key);
        pen.skip(1);
        pen.text(hint, Role::Dim);
        pen.skip(2);
    }
}

fn typed(mut pen: Pen<'_>, area: Rect, model: &Model, prompt: &Prompt) -> Option<Position> {
    let (label, note, role) = words(prompt);
    let start = pen.left();
    pen.skip(1);
    pen.text(label, Role::Key);
    let at = area.x + (start - pen.left());
    let note_width = u16::try_from(note.chars().count() + 2).unwrap_or(u16::MAX);
    let note_width = if pen.left() > note_width + 8 {
        note_width
    } else {
        0
    };
    let width = pen.left().saturating_sub(note_width);
    if width == 0 {
        return None;
    }
    // One column stays free for the cursor behind the last character.
    let room = usize::from(width.saturating_sub(1));
    let cursor = prompt.typed.cursor();
    let before: String = prompt.typed.value().chars().take(cursor).collect();
    let before = harmless(&before, model.look.ascii);
    let scroll = ratatui::text::Line::raw(before.as_str())
        .width()
        .saturating_sub(room);
    let value = harmless(prompt.typed.value(), model.look.ascii);
    let shown: String = skip_columns(&value, scroll);
    pen.cell(width, &shown, Role::Text, Align::Left);
    pen.skip(1);
    pen.text(&note, role);
    let column = ratatui::text::Line::raw(before)
        .width()
        .saturating_sub(scroll);
    let x = at.saturating_add(u16::try_from(column).unwrap_or(0));
    Some(Position::new(x.min(area.right().saturating_sub(1)), area.y))
}

/// Returns label, remark and the remark's meaning.
fn words(prompt: &Prompt) -> (&'static str, String, Role) {
    let (label, note) = match prompt.ask {
        Ask::Filter => {
            let empty = Filter::parse(prompt.typed.value()).is_ok_and(|filter| filter.is_empty());
            let (note, role) = match &prompt.verdict {
                _ if empty => ("empty shows all".to_owned(), Role::Dim),
                Ok(0) => ("no match".to_owned(), Role::Error),
                Ok(1) => ("ok: 1 packet".to_owned(), Role::Good),
                Ok(some) => (format!("ok: {some} packets"), Role::Good),
                Err(wrong) => (wrong.clone(), Role::Error),
            };
            return ("filter: ", note, role);
        }
        Ask::Find => ("find: ", "URL, packet, status, error"),
        Ask::Command => (":", "q, w FILE, goto N, offset N, help"),
        Ask::SaveAs => ("save capture as: ", "empty: do not keep  Esc: stay"),
    };
    (label, note.to_owned(), Role::Dim)
}

fn skip_columns(text: &str, columns: usize) -> String {
    let mut gone = 0;
    text.chars()
        .skip_while(|c| {
            let skip = gone < columns;
            gone += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            skip
        })
        .collect()
}
