//! Model and input in, effects out: all that keys, mouse and time do.
//!
//! Reads no terminal and no file; what has to be done outside is returned as an [`Effect`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, MouseEvent};
use ratatui::layout::Size;

use crate::event::Event;

use super::compare::{Compared, Pair};
use super::filter::Filter;
use super::job::{self, Order, Told};
use super::keys::{self, Command, Context};
use super::menu::{self, Purpose};
use super::model::{Ask, Focus, Model, PACKET_SORTS, Read, SESSION_SORTS, Tab, View, Want};
use super::navigate::{back, follow, next_tab, open, open_breaker, other_body, turn};
use super::operator::form;
use super::rows::{Pause, Paused, Rows};
use super::search::{self, find, problem};
use super::seek::{Seek, Sought};
use super::{Status, mouse, prompt, want};
use super::{cover, found, jot, operator, sift, sync, versus};

pub use super::navigate::{fresh, show, show_offset, show_tab, step};
pub use super::sift::is_busy;

/// Whatever reaches the screen.
#[derive(Clone, Debug)]
pub enum Input {
    Key(KeyEvent),
    /// Text pasted into the terminal.
    Paste(String),
    Mouse(MouseEvent),
    Resize(Size),
    /// Time since the capture's start.
    Tick(Duration),
    /// The rows changed.
    Rows,
    /// There is time to do some of what [`is_busy`] says is left to do.
    Work,
    /// What the timeline does not know changed.
    Status(Box<Status>),
    /// What came of [`Effect::Read`].
    Read(Want, Read),
    /// What came of [`Effect::Seek`].
    Sought(Result<Sought, String>),
    /// What came of [`Effect::Compare`].
    Compared(Pair, Result<Compared, String>),
    /// What came of [`Effect::Save`], [`Effect::Copy`], [`Effect::Act`] or [`Effect::Annotate`]: a sentence either way.
    Saved(Result<String, String>),
    /// Where rules and held messages stand.
    Stand(Box<operator::Stand>),
    /// What came of [`Effect::Editor`].
    Edited(Result<Vec<u8>, String>),
    /// How far a job is.
    Job(Told),
    /// What only drawing can tell.
    Drawn(Drawn),
}

/// Sizes that depend on how text was broken into lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    pub detail_lines: usize,
    /// Line of the detail that has what was searched.
    pub found: Option<usize>,
    pub help_lines: usize,
    /// First entry of the log on screen, and how many are.
    pub log: (usize, usize),
}

/// What the loop is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read bytes back and answer with [`Input::Read`].
    Read(Want),
    /// Look for bytes and answer with [`Input::Sought`].
    Seek(Seek),
    /// Compare two bodies and answer with [`Input::Compared`].
    Compare(Pair),
    /// Keep what a person wrote and answer with [`Input::Saved`].
    Annotate(Event),
    /// Save the temporary capture and answer with [`Input::Saved`].
    Save(PathBuf),
    /// Give a text to the terminal's clipboard and to a file, and answer with [`Input::Saved`].
    Copy { what: &'static str, text: String },
    /// Do something to rules or held messages, look again, and answer with [`Input::Saved`].
    Act(operator::Act),
    /// Open a text in the user's editor and answer with [`Input::Edited`].
    Editor(Vec<u8>),
    /// Begin what takes a while; [`Input::Job`] tells how far it is.
    Begin(Order),
    /// Stop it.
    StopJob,
    /// Switch the terminal's mouse reports.
    Mouse(bool),
    /// Stop the process until the shell continues it.
    Suspend,
    /// Forget what the terminal shows and draw everything.
    Redraw,
    /// Leave; the temporary capture is to be saved under this name.
    Quit { save_as: Option<PathBuf> },
}

/// Takes one input.
pub fn update(model: &mut Model, rows: &dyn Rows, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    if matches!(
        input,
        Input::Drawn(_) | Input::Read(..) | Input::Compared(..)
    ) {
        take(model, rows, input, &mut effects);
        return effects;
    }
    let by_rows = matches!(input, Input::Rows | Input::Work);
    if let Some(pause) = model.pause.clone() {
        model.behind = rows.exchange_count().saturating_sub(pause.exchanges);
        let paused = Paused {
            now: rows,
            then: &pause,
        };
        if !matches!(input, Input::Rows | Input::Tick(_)) {
            take(model, &paused, input, &mut effects);
        }
        if model.pause.is_none() {
            model.behind = 0;
            sync::sync(model, rows);
        }
    } else {
        take(model, rows, input, &mut effects);
    }
    model.fit();
    let pause = model.pause.clone();
    let wanted = match &pause {
        Some(then) => settled(model, &Paused { now: rows, then }, by_rows),
        None => settled(model, rows, by_rows),
    };
    model.detail.reads.retain(|(had, _)| wanted.contains(had));
    for want in wanted {
        if model.read(&want).is_none() {
            effects.push(Effect::Read(want));
        }
    }
    let pairs = match &pause {
        Some(then) => want::pairs(model, &Paused { now: rows, then }),
        None => want::pairs(model, rows),
    };
    model.detail.compared.retain(|(had, _)| pairs.contains(had));
    for pair in pairs {
        if model.compared(&pair).is_none() {
            effects.push(Effect::Compare(pair));
        }
    }
    effects
}

/// Brings up to date what depends on the selection; returns what has to be read for it.
fn settled(model: &mut Model, rows: &dyn Rows, by_rows: bool) -> Vec<Want> {
    // It costs what the session's packets are: while they come, the clock decides how often.
    if !by_rows {
        cover::look(model, rows);
        versus::look(model, rows);
    }
    want::wanted(model, rows)
}

fn take(model: &mut Model, rows: &dyn Rows, input: Input, effects: &mut Vec<Effect>) {
    match input {
        Input::Key(key) if key.kind == KeyEventKind::Release => {}
        Input::Key(key) => {
            for key in keys::split(&key, is_typing(model)) {
                press(model, rows, &key, effects);
            }
        }
        Input::Paste(text) => match &mut model.operator.form {
            Some(form) => form::paste(form, &text),
            None => prompt::paste(model, rows, &text),
        },
        Input::Mouse(event) => mouse::update(model, rows, event),
        Input::Resize(size) => model.size = size,
        Input::Tick(now) => {
            model.now = now;
            sync::measure(model, rows);
            // The capture may be written a little behind the timeline: what was short is read again.
            if !model.status.ended {
                model.detail.reads.retain(|(want, read)| {
                    read.as_ref()
                        .is_ok_and(|chunk| chunk.bytes.len() >= want.len)
                });
            }
        }
        Input::Rows => sync::sync(model, rows),
        Input::Work => sift::advance(model, rows),
        Input::Status(status) => {
            model.status = *status;
            sync::log_length(model, rows);
        }
        Input::Read(want, read) => {
            model.detail.reads.retain(|(had, _)| *had != want);
            model.detail.reads.push((want, read));
        }
        Input::Compared(pair, compared) => {
            model.detail.compared.retain(|(had, _)| *had != pair);
            model.detail.compared.push((pair, compared));
        }
        Input::Sought(sought) => search::sought(model, rows, sought),
        Input::Saved(Ok(text)) => model.say(text, false),
        Input::Saved(Err(text)) => model.say(text, true),
        Input::Stand(stand) => {
            operator::take(model, *stand);
        }
        Input::Edited(text) => form::edited(model, text),
        Input::Job(told) => job::told(model, told),
        Input::Drawn(drawn) => {
            search::drawn(model, drawn.found);
            model.detail.lines = drawn.detail_lines;
            model.help_lines = drawn.help_lines;
            (model.log.top, model.log.shown) = drawn.log;
        }
    }
}

/// Lists the contexts whose keys apply, the nearest first.
pub fn contexts(model: &Model) -> Vec<Context> {
    if model.operator.form.is_some() {
        return vec![Context::Form];
    }
    if model.prompt.is_some() {
        return vec![Context::Prompt];
    }
    if model.view == View::Rules {
        return vec![Context::Rules, Context::Anywhere];
    }
    let mut contexts = Vec::new();
    if model.view == View::Versus {
        return vec![Context::Versus, Context::Anywhere];
    }
    if model.view == View::Coverage {
        return vec![
            Context::Coverage,
            Context::Panes,
            Context::Anywhere,
            Context::List,
        ];
    }
    if model.view == View::Findings && model.focus == Focus::Findings {
        contexts.push(Context::Findings);
    }
    if model.detail.tab == Tab::Hex && model.view != View::Log {
        contexts.push(Context::Hex);
    }
    if model.view != View::Log {
        contexts.push(Context::Panes);
    }
    contexts.push(Context::Anywhere);
    if matches!(
        model.focus,
        Focus::Sessions | Focus::Packets | Focus::Findings
    ) {
        contexts.push(Context::List);
    }
    contexts
}

/// Tells whether keys go into a text.
fn is_typing(model: &Model) -> bool {
    model.prompt.is_some() || model.operator.form.is_some()
}

fn press(model: &mut Model, rows: &dyn Rows, key: &KeyEvent, effects: &mut Vec<Effect>) {
    let command = keys::command(key, &contexts(model));
    if command == Some(Command::AllOff) {
        return operator::all_off(model, effects);
    }
    if model.operator.form.is_some() {
        model.message = None;
        return form::press(model, key, command, effects);
    }
    if model.prompt.is_some() {
        prompt::press(model, rows, key, command, effects);
        return;
    }
    model.message = None;
    if job::press(model, key, command, effects) {
        return;
    }
    if model.menu.is_some() {
        let digit = match key.code {
            KeyCode::Char(c) => c.to_digit(10).and_then(|digit| usize::try_from(digit).ok()),
            _ => None,
        };
        menu::press(model, rows, command, digit, effects);
        return;
    }
    let Some(command) = command else {
        return;
    };
    if model.help.is_some() && !in_help(model, command) {
        return;
    }
    perform(model, rows, command, effects);
}

/// Does what a key means while the help is open; tells whether the key goes on to the screen.
fn in_help(model: &mut Model, command: Command) -> bool {
    let page = usize::from(model.size.height.saturating_sub(4)).max(1);
    let last = model.help_lines.saturating_sub(page);
    let top = model.help.unwrap_or(0);
    model.help = match command {
        Command::Up => Some(top.saturating_sub(1)),
        Command::Down => Some((top + 1).min(last)),
        Command::PageUp => Some(top.saturating_sub(page)),
        Command::PageDown => Some((top + page).min(last)),
        Command::Top => Some(0),
        Command::Bottom => Some(last),
        Command::Redraw | Command::Suspend => return true,
        _ => None,
    };
    false
}

/// Does what a command means.
fn perform(model: &mut Model, rows: &dyn Rows, command: Command, effects: &mut Vec<Effect>) {
    let page = isize::try_from(page(model)).unwrap_or(1).max(1);
    match command {
        Command::Up => step(model, rows, -1),
        Command::Down => step(model, rows, 1),
        Command::PageUp => step(model, rows, -page),
        Command::PageDown => step(model, rows, page),
        Command::Top => step(model, rows, isize::MIN),
        Command::Bottom => step(model, rows, isize::MAX),
        Command::Open => open(model),
        Command::Back => back(model, rows),
        Command::NextPane => turn(model, 1),
        Command::PreviousPane => turn(model, -1),
        Command::NextTab => next_tab(model, 1),
        Command::PreviousTab => next_tab(model, Tab::ALL.len() - 1),
        Command::Sessions => show(model, rows, View::Sessions),
        Command::Packets => show(model, rows, View::Packets),
        Command::Coverage => show(model, rows, View::Coverage),
        Command::CellLeft => cover::step(model, rows, -1),
        Command::CellRight => cover::step(model, rows, 1),
        Command::CellBack => cover::turn(model, rows, true),
        Command::CellOn => cover::turn(model, rows, false),
        Command::Carrier => cover::open(model, rows),
        Command::Findings => show(model, rows, View::Findings),
        Command::Breaker => open_breaker(model, rows),
        Command::Compare => versus::choose(model, rows),
        Command::Compared => versus::open(model, rows),
        Command::NextDifference => versus::turn(model, false),
        Command::PreviousDifference => versus::turn(model, true),
        Command::Log => show(model, rows, View::Log),
        Command::Rules => show(model, rows, View::Rules),
        Command::ToggleRule => operator::toggle(model, effects),
        Command::AllOff => operator::all_off(model, effects),
        Command::Break => operator::breakpoint(model, rows, effects),
        Command::Release => operator::release(model, rows, effects),
        Command::ReleaseAll => operator::release_all(model, rows, effects),
        Command::Kill => operator::kill(model, rows),
        Command::Edit => operator::edit(model, rows),
        Command::Answer => operator::answer(model, rows),
        Command::Filter => prompt::open(model, rows, Ask::Filter, None),
        Command::Find => prompt::open(model, rows, Ask::Find, None),
        Command::FindNext => find(model, rows, false, effects),
        Command::FindPrevious => find(model, rows, true, effects),
        Command::NextProblem => problem(model, rows, false),
        Command::PreviousProblem => problem(model, rows, true),
        Command::Only => menu::open(model, rows, Purpose::Only),
        Command::Without => menu::open(model, rows, Purpose::Without),
        Command::Copy => menu::open(model, rows, Purpose::Copy),
        Command::Replay => job::replay(model, rows),
        Command::Resend => job::resend(model, rows),
        Command::Export => job::export(model, rows),
        Command::Mark => jot::mark(model, rows, effects),
        Command::NextMark => jot::next(model, rows),
        Command::Comment => jot::comment(model, rows),
        Command::SortColumn => sort(model, rows, true),
        Command::SortDirection => sort(model, rows, false),
        Command::Follow => follow(model, rows),
        Command::Pause => pause(model, rows),
        Command::Privacy => {
            model.reveal = !model.reveal;
            let text = if model.reveal {
                "credentials are shown as they were sent"
            } else {
                "credentials are masked"
            };
            model.say(text, false);
        }
        Command::Mouse => {
            model.mouse = !model.mouse;
            let state = if model.mouse { "on" } else { "off" };
            model.say(format!("mouse {state}"), false);
            effects.push(Effect::Mouse(model.mouse));
        }
        Command::OtherBody => other_body(model, rows),
        Command::Offset => prompt::open(model, rows, Ask::Command, Some("offset ")),
        Command::CommandLine => prompt::open(model, rows, Ask::Command, None),
        Command::Help => model.help = Some(0),
        Command::Redraw => effects.push(Effect::Redraw),
        Command::Suspend => effects.push(Effect::Suspend),
        Command::Quit => quit(model, rows, effects),
        Command::Apply
        | Command::Cancel
        | Command::Complete
        | Command::CompleteBack
        | Command::OtherFace
        | Command::NewLine
        | Command::Editor => {}
    }
}

/// Leaves, or first asks where a temporary capture should go.
pub fn quit(model: &mut Model, rows: &dyn Rows, effects: &mut Vec<Effect>) {
    if model.status.temporary {
        prompt::open(model, rows, Ask::SaveAs, None);
    } else {
        effects.push(Effect::Quit { save_as: None });
    }
}

fn page(model: &Model) -> usize {
    match model.focus {
        Focus::Sessions => model.sessions.height,
        Focus::Packets => model.packets.height,
        Focus::Findings => model.found.list.height,
        Focus::Versus => model.versus.list.height,
        Focus::Rules => model.operator.height,
        Focus::Detail if model.detail.tab == Tab::Hex => model.detail.height.saturating_sub(1),
        Focus::Detail => model.detail.height,
        Focus::Log => model.log.shown,
    }
}

fn sort(model: &mut Model, rows: &dyn Rows, next: bool) {
    let (list, names): (_, &[&str]) = match model.focus {
        Focus::Sessions => (&mut model.sessions, &SESSION_SORTS),
        Focus::Findings => (&mut model.found.list, &found::SORTS),
        _ => (&mut model.packets, &PACKET_SORTS),
    };
    if next {
        list.column = (list.column + 1) % names.len();
    } else {
        list.descending = !list.descending;
    }
    let order = if list.descending { "falling" } else { "rising" };
    let name = names.get(list.column).copied().unwrap_or_default();
    model.say(format!("sorted by {name}, {order}"), false);
    if model.focus == Focus::Sessions {
        sync::list_sessions(model, rows);
        sync::follow_session(model, rows);
    } else if model.focus == Focus::Findings {
        found::anew(model, rows);
    } else {
        sync::list_packets(model, rows);
    }
}

fn pause(model: &mut Model, rows: &dyn Rows) {
    if model.pause.take().is_none() {
        // What was looked at last is what is put aside.
        sync::sync(model, rows);
        let in_flight = model.catalog.in_flight();
        model.pause = Some(Arc::new(Pause::take(rows, in_flight)));
    }
}

/// Shows only what a filter takes.
pub fn refilter(model: &mut Model, rows: &dyn Rows, filter: Filter) {
    model.filter = filter;
    sift::sessions(model, rows);
    sync::list_sessions(model, rows);
    if model.view == View::Sessions {
        sync::follow_session(model, rows);
    }
    sync::list_packets(model, rows);
    found::anew(model, rows);
}
