//! The last line: what is being typed, else a message, else the keys that apply.

use std::collections::HashSet;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Clear, Widget as _};

use super::super::keys::{Command, Context, TABLE};
use super::super::model::{Ask, Model, Prompt};
use super::super::text::harmless;
use super::super::theme::{Role, style};
use super::super::update::{contexts, is_busy};
use super::paint::{Align, Pen};

/// Draws the footer; returns where the cursor belongs while a line is being typed.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    if let Some(prompt) = &model.prompt {
        return typed(buf, area, model, prompt);
    }
    buf.set_style(area, style(model.look, Role::Bar));
    let mut pen = Pen::new(buf, area, 0, model.look).base(Role::Bar);
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
    if super::job::progress(&mut pen, model) {
        return None;
    }
    if !model.filter.is_empty() {
        pen.text("filter ", Role::Warning);
        let text = super::super::text::fit(model.filter.text(), 20, model.look.ascii);
        pen.text(&text, Role::Strong);
        if is_busy(model) {
            pen.text(" ...", Role::Live);
        }
        pen.skip(2);
    }
    keys(&mut pen, &contexts(model), model.operator.plugged);
    None
}

/// Writes the keys that have a hint and fit; help and quit are the last to go. `live` tells that a proxy
/// runs behind the screen.
fn keys(pen: &mut Pen<'_>, contexts: &[Context], live: bool) {
    let hinted = |context: &Context| {
        let context = *context;
        TABLE
            .iter()
            .filter(move |row| row.context == context && !row.hint.is_empty())
            .filter(move |row| live || row.command != Command::Break)
            .filter_map(|row| Some((row.chords.first()?.name(), row.hint, row.command)))
    };
    // A key has the meaning of the nearest context that knows it.
    let mut seen = HashSet::new();
    let (last, mut hints): (Vec<_>, Vec<_>) = contexts
        .iter()
        .flat_map(hinted)
        .filter(|(name, ..)| seen.insert(name.clone()))
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

/// Draws the line being typed; a filter also has what could follow above it and its verdict below.
fn typed(buf: &mut Buffer, area: Rect, model: &Model, prompt: &Prompt) -> Option<Position> {
    let mut line = area;
    let tall = matches!(prompt.ask, Ask::Filter | Ask::Break) && area.y >= 4;
    if tall {
        line.y -= 1;
    }
    let (label, note, role) = words(prompt);
    let bar = |buf: &mut Buffer, area: Rect| {
        Clear.render(area, buf);
        buf.set_style(area, style(model.look, Role::Bar));
    };
    bar(buf, line);
    let mut pen = Pen::new(buf, line, 0, model.look).base(Role::Bar);
    let start = pen.left();
    pen.skip(1);
    pen.text(label, Role::Key);
    let at = line.x + (start - pen.left());
    let note_width = u16::try_from(note.chars().count() + 2).unwrap_or(u16::MAX);
    let note_width = if pen.left() > note_width + 8 && !tall {
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
    let columns_before = |cursor: usize| {
        let before: String = prompt.typed.value().chars().take(cursor).collect();
        ratatui::text::Line::raw(harmless(&before, model.look.ascii)).width()
    };
    let column = columns_before(prompt.typed.cursor());
    let scroll = column.saturating_sub(room);
    let value = harmless(prompt.typed.value(), model.look.ascii);
    let shown: String = skip_columns(&value, scroll);
    let role_of_text = if prompt.wrong.is_some() {
        Role::Error
    } else {
        Role::Text
    };
    pen.cell(width, &shown, role_of_text, Align::Left);
    if tall {
        bar(buf, area);
        let mut pen = Pen::new(buf, area, 0, model.look).base(Role::Bar);
        verdict(&mut pen, prompt, &note, role, at, |place| {
            columns_before(place).saturating_sub(scroll)
        });
        let above = Rect {
            y: line.y - 1,
            ..line
        };
        let hint = prompt.wrong.as_ref().and_then(|wrong| wrong.hint.as_ref());
        if hint.is_some() || !prompt.offers.is_empty() {
            bar(buf, above);
            let mut pen = Pen::new(buf, above, 0, model.look).base(Role::Bar);
            match hint.filter(|_| prompt.cycle.is_none()) {
                Some(hint) => {
                    pen.skip(1);
                    pen.text(&format!("hint: {hint}"), Role::Warning);
                }
                None => offers(&mut pen, prompt),
            }
        }
    } else {
        pen.skip(1);
        pen.text(&note, role);
    }
    let x = at.saturating_add(u16::try_from(column.saturating_sub(scroll)).unwrap_or(0));
    Some(Position::new(x.min(line.right().saturating_sub(1)), line.y))
}

/// Writes what the filter takes, or carets under what is wrong with it and why.
fn verdict(
    pen: &mut Pen<'_>,
    prompt: &Prompt,
    note: &str,
    role: Role,
    at: u16,
    column: impl Fn(usize) -> usize,
) {
    let Some(wrong) = &prompt.wrong else {
        pen.skip(1);
        pen.text(note, role);
        return;
    };
    let from = column(wrong.column.saturating_sub(1));
    let to = column(wrong.column.saturating_sub(1) + wrong.length).max(from + 1);
    let said = note.chars().count() + 1;
    let width = usize::from(pen.left());
    let blanks = usize::from(at) + from;
    let carets = to - from;
    // Behind the carets, where there is room; else before them; else instead of them.
    if blanks + carets + said <= width {
        pen.skip(u16::try_from(blanks).unwrap_or(0));
        pen.text(&"^".repeat(carets), role);
        pen.skip(1);
        pen.text(note, role);
    } else if said < blanks && blanks + carets <= width {
        pen.skip(1);
        pen.cell(
            u16::try_from(blanks - 1).unwrap_or(0),
            note,
            role,
            Align::Left,
        );
        pen.text(&"^".repeat(carets), role);
    } else {
        pen.skip(1);
        pen.text(note, role);
    }
}

/// Writes what could stand at the cursor, and what the chosen or the first one is.
fn offers(pen: &mut Pen<'_>, prompt: &Prompt) {
    let chosen = prompt.cycle.as_ref().map(|cycle| cycle.0);
    let explained = prompt.offers.get(chosen.unwrap_or(0));
    pen.skip(1);
    pen.text("Tab", Role::Key);
    pen.skip(1);
    let help = explained.map_or("", |offer| offer.help.as_str());
    let help_width = u16::try_from(help.chars().count() + 3).unwrap_or(u16::MAX);
    let room = if help_width + 24 < pen.left() {
        pen.left() - help_width
    } else {
        pen.left()
    };
    let mut used = 0;
    let first = chosen
        .unwrap_or(0)
        .saturating_sub(1)
        .min(prompt.offers.len());
    for (number, offer) in prompt.offers.iter().enumerate().skip(first) {
        let width = u16::try_from(offer.text.chars().count() + 2).unwrap_or(u16::MAX);
        if used + width > room {
            break;
        }
        let role = if Some(number) == chosen {
            Role::Strong
        } else {
            Role::Text
        };
        pen.text(&offer.text, role);
        pen.skip(2);
        used += width;
    }
    if !help.is_empty() && pen.left() >= help_width.min(12) {
        pen.text("- ", Role::Dim);
        pen.text(help, Role::Dim);
    }
}

/// Returns label, remark and the remark's meaning.
fn words(prompt: &Prompt) -> (&'static str, String, Role) {
    let (label, note) = match prompt.ask {
        Ask::Filter | Ask::Break => {
            let (label, empty) = match prompt.ask {
                Ask::Break => ("hold: ", "empty holds every message"),
                _ => ("filter: ", "empty shows all"),
            };
            let (note, role) = match (&prompt.wrong, &prompt.count) {
                (Some(wrong), _) => (wrong.message.clone(), Role::Error),
                (None, None) => (empty.to_owned(), Role::Dim),
                (None, Some(count)) => match (count.found, count.over) {
                    (0, true) => ("ok, but no match".to_owned(), Role::Warning),
                    (1, true) => ("ok: 1 packet".to_owned(), Role::Good),
                    (some, true) => (format!("ok: {some} packets"), Role::Good),
                    (some, false) => (format!("ok: {some} packets so far"), Role::Good),
                },
            };
            return (label, note, role);
        }
        Ask::Find => (
            "find: ",
            "URL, packet, status, error; in the detail any text",
        ),
        Ask::Rewind => ("next byte: ", "where in the file the client is to go on"),
        Ask::Command => (":", "q, w FILE, goto N, offset N, reload, faults on, help"),
        Ask::Comment => ("comment: ", "empty: none  Esc: as it was"),
        Ask::Replay => ("replay session to: ", "a URL; Esc: do not"),
        Ask::Resend => ("send packet again to: ", "a URL; Esc: do not"),
        Ask::Export => ("export to: ", ".pcapng .har .jsonl .csv"),
        Ask::SaveAs => ("save capture as: ", "empty: do not keep  Esc: stay"),
    };
    (label, note.to_owned(), Role::Dim)
}

pub(super) fn skip_columns(text: &str, columns: usize) -> String {
    let mut gone = 0;
    text.chars()
        .skip_while(|c| {
            let skip = gone < columns;
            gone += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            skip
        })
        .collect()
}
