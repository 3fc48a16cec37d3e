//! The line that is being typed: filter, find, command, file name.

use std::path::PathBuf;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::Input as Typed;
use tui_input::InputRequest;
use tui_input::backend::crossterm::EventHandler as _;

use crate::timeline::filter::complete;

use super::catalog::exchange_at;
use super::filter::Filter;
use super::keys::Command;
use super::model::{Ask, Before, Focus, Model, Prompt, Tab, View};
use super::operator;
use super::rows::Rows;
use super::search::find;
use super::sift::{self, Count};
use super::update::{Effect, fresh, quit, refilter, show, show_offset, show_tab};
use super::{found, job, jot, sync};

/// Longest line that can be typed or pasted, in characters.
const LONGEST: usize = 4096;

/// Opens a line with what is there already.
pub(super) fn open(model: &mut Model, rows: &dyn Rows, ask: Ask, text: Option<&str>) {
    let text = match (text, ask) {
        (Some(text), _) => text,
        (None, Ask::Filter) => model.filter.text(),
        (None, _) => "",
    };
    model.help = None;
    model.prompt = Some(Prompt {
        ask,
        typed: Typed::new(text.to_owned()),
        wrong: None,
        count: None,
        before: (ask == Ask::Filter).then(|| before(model)),
        offers: Vec::new(),
        cycle: None,
        row: None,
    });
    judge(model, rows);
}

/// Returns what is to be restored when a filter is not applied.
fn before(model: &Model) -> Before {
    Before {
        filter: model.filter.clone(),
        selected: [
            model.sessions.selected(),
            model.packets.selected(),
            model.found.list.selected(),
        ],
    }
}

/// Lists what `filter` takes; what was selected when the line was opened stays so where it is listed.
fn list(model: &mut Model, rows: &dyn Rows, filter: Filter, before: &Before) {
    if filter == model.filter {
        return;
    }
    refilter(model, rows, filter);
    let [session, packet, finding] = before.selected;
    if let Some(row) = session.filter(|_| model.view == View::Sessions) {
        model.sessions.select(row);
        sync::follow_session(model, rows);
    }
    if let Some(row) = packet {
        sift::select(model, row);
    }
    if let Some(row) = finding {
        found::select(model, row);
    }
}

/// Takes a key into the line.
pub(super) fn press(
    model: &mut Model,
    rows: &dyn Rows,
    key: &KeyEvent,
    command: Option<Command>,
    effects: &mut Vec<Effect>,
) {
    match command {
        Some(Command::Apply) => apply(model, rows, effects),
        Some(Command::Cancel) => {
            let before = model.prompt.take().and_then(|prompt| prompt.before);
            if let Some(before) = before {
                list(model, rows, before.filter.clone(), &before);
            }
        }
        Some(Command::Complete) => offer(model, rows, false),
        Some(Command::CompleteBack) => offer(model, rows, true),
        _ => {
            if let Some(prompt) = &mut model.prompt {
                prompt.cycle = None;
                let before = prompt.typed.value().chars().count();
                if before < LONGEST || !matches!(key.code, KeyCode::Char(_)) {
                    prompt.typed.handle_event(&Event::Key(*key));
                }
            }
            judge(model, rows);
        }
    }
}

/// Takes pasted text into the line; its control characters are left out.
pub(super) fn paste(model: &mut Model, rows: &dyn Rows, text: &str) {
    let Some(prompt) = &mut model.prompt else {
        return;
    };
    prompt.cycle = None;
    let room = LONGEST.saturating_sub(prompt.typed.value().chars().count());
    for c in text.chars().filter(|c| !c.is_control()).take(room) {
        prompt.typed.handle(InputRequest::InsertChar(c));
    }
    judge(model, rows);
}

/// Says of a filter whether it is one, begins to count and to list what it takes, and finds out what could follow.
fn judge(model: &mut Model, rows: &dyn Rows) {
    let Some(prompt) = &mut model.prompt else {
        return;
    };
    if !matches!(prompt.ask, Ask::Filter | Ask::Break) {
        return;
    }
    let text = prompt.typed.value();
    let before = prompt.before.clone();
    let mut listed = before.as_ref().map(|before| before.filter.clone());
    match Filter::parse(text) {
        Ok(filter) => {
            listed = listed.map(|_| filter.clone());
            prompt.wrong = None;
            let same = |count: &Count| *count.filter() == filter;
            if filter.is_empty() {
                prompt.count = None;
            } else if !prompt.count.as_ref().is_some_and(same) {
                // The first step at once, so that something is said with the key.
                let mut count = Count::new(filter);
                count.advance(rows);
                prompt.count = Some(count);
            }
        }
        Err(wrong) => {
            prompt.wrong = Some(wrong);
            prompt.count = None;
        }
    }
    if prompt.cycle.is_none() {
        prompt.offers = complete(text, byte(text, prompt.typed.cursor()));
    }
    // What is wrong, or not yet right, takes nothing away.
    if let Some((filter, before)) = listed.zip(before) {
        list(model, rows, filter, &before);
    }
}

/// Returns the byte at which character number `cursor` begins.
fn byte(text: &str, cursor: usize) -> usize {
    text.char_indices()
        .nth(cursor)
        .map_or(text.len(), |(at, _)| at)
}

/// Puts the next offer into the line; after the last one comes what was typed.
fn offer(model: &mut Model, rows: &dyn Rows, back: bool) {
    let Some(prompt) = &mut model.prompt else {
        return;
    };
    let all = prompt.offers.len();
    if all == 0 {
        return;
    }
    let (at, typed, cursor) = if let Some((at, typed, cursor)) = prompt.cycle.take() {
        // One place more than there are offers: what was typed.
        ((at + if back { all } else { 1 }) % (all + 1), typed, cursor)
    } else {
        let text = prompt.typed.value().to_owned();
        (if back { all - 1 } else { 0 }, text, prompt.typed.cursor())
    };
    prompt.typed = match prompt.offers.get(at) {
        Some(offer) => {
            let before = typed.get(..offer.replace.start).unwrap_or_default();
            let after = typed.get(offer.replace.end..).unwrap_or_default();
            let end = before.chars().count() + offer.text.chars().count();
            Typed::new(format!("{before}{}{after}", offer.text)).with_cursor(end)
        }
        None => Typed::new(typed.clone()).with_cursor(cursor),
    };
    // Where there is no choice, the next Tab goes on behind the word.
    prompt.cycle = (all > 1).then_some((at, typed, cursor));
    judge(model, rows);
}

fn apply(model: &mut Model, rows: &dyn Rows, effects: &mut Vec<Effect>) {
    let Some(prompt) = model.prompt.take() else {
        return;
    };
    let text = prompt.typed.value().trim();
    match prompt.ask {
        Ask::Filter => match Filter::parse(text) {
            Ok(filter) if filter != model.filter => refilter(model, rows, filter),
            Ok(_) => {}
            // The line stays and says what is wrong.
            Err(_) => model.prompt = Some(prompt),
        },
        Ask::Break => match Filter::parse(text) {
            Ok(_) => operator::set_breakpoint(model, text, effects),
            Err(_) => model.prompt = Some(prompt),
        },
        Ask::Rewind => {
            if !operator::rewind(model, rows, text, effects) {
                model.prompt = Some(prompt);
            }
        }
        Ask::Find => {
            if !text.is_empty() {
                model.find = text.to_lowercase();
            }
            find(model, rows, false, effects);
        }
        Ask::Command => command(model, rows, text, effects),
        Ask::Comment => jot::write(model, rows, prompt.row, text, effects),
        Ask::Replay | Ask::Resend | Ask::Export => {
            job::typed(model, prompt.ask, prompt.row, text, effects);
        }
        Ask::SaveAs => effects.push(Effect::Quit {
            save_as: (!text.is_empty()).then(|| PathBuf::from(text)),
        }),
    }
}

/// Does what was typed after `:`.
fn command(model: &mut Model, rows: &dyn Rows, text: &str, effects: &mut Vec<Effect>) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    match word {
        "" => {}
        _ if operator::command(model, word, rest, effects) => {}
        "q" | "quit" => quit(model, rows, effects),
        "q!" => effects.push(Effect::Quit { save_as: None }),
        "w" | "write" if rest.is_empty() => model.say("where to? :w FILE", true),
        "w" | "write" => effects.push(Effect::Save(PathBuf::from(rest))),
        "help" => model.help = Some(0),
        "goto" => goto(model, rows, rest),
        "offset" => match offset(rest) {
            Some(offset) => {
                show_tab(model, Tab::Hex);
                model.fit();
                show_offset(model, rows, offset);
            }
            None => model.say(
                format!("not an offset: {rest} (try 4096, 0x1000 or 1MiB)"),
                true,
            ),
        },
        _ if word.parse::<u32>().is_ok() => goto(model, rows, word),
        _ => model.say(
            format!("unknown command: {word} (try :q :w FILE :goto N :offset N :reload :help)"),
            true,
        ),
    }
}

/// Selects packet number `text`: in the list on screen, else in the list of all.
fn goto(model: &mut Model, rows: &dyn Rows, text: &str) {
    let row = text.parse::<u32>().ok().and_then(|no| no.checked_sub(1));
    let Some(row) = row.filter(|row| exchange_at(rows, *row).is_some()) else {
        let all = rows.exchange_count();
        model.say(format!("no packet {text}: there are {all}"), true);
        return;
    };
    if model.view == View::Log || !model.packets.select(row) {
        show(model, rows, View::Packets);
        sift::select(model, row);
        if model.packets.selected() != Some(row) && !sift::is_busy(model) {
            model.say(format!("packet {text} is hidden by the filter"), true);
            return;
        }
    }
    model.packets.follow = false;
    model.focus = Focus::Packets;
    fresh(model);
}

/// Reads an offset: decimal, hexadecimal with `0x`, or with a unit.
pub(super) fn offset(text: &str) -> Option<u64> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).ok();
    }
    text.parse::<bytesize::ByteSize>()
        .ok()
        .map(|size| size.as_u64())
}
