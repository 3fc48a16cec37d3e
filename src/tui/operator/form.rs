//! The form in which a held head is edited, or an answer written: fields by name, or raw text.
//!
//! What a change makes of the bytes is `head`'s business. Knows no view.

use bytes::Bytes;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::Input as Typed;
use tui_input::InputRequest;
use tui_input::backend::crossterm::EventHandler as _;

use super::super::keys::Command;
use super::super::model::Model;
use super::super::update::Effect;
use super::head::{self, Entry, Wrong};
use super::raw::Raw;
use super::{Act, respond, stream};
use crate::fault::{Held, Release, Stage};

/// Longest value that can be typed, in characters.
const LONGEST: usize = 4096;

/// Which face of the form is on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Fields,
    Raw,
}

/// What becomes of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The message goes on with this head.
    Replace,
    /// The client gets this answer: a head, an empty line, content.
    Respond,
}

/// A field as it is being typed.
#[derive(Clone, Debug)]
pub struct Line {
    pub entry: Entry,
    pub typed: Typed,
    pub wrong: Option<String>,
}

/// An open form.
#[derive(Clone, Debug)]
pub struct Form {
    pub no: u64,
    pub aim: Aim,
    pub stage: Stage,
    pub face: Face,
    pub lines: Vec<Line>,
    /// The line that takes the keys.
    pub at: usize,
    pub raw: Raw,
    /// What is wrong with the whole; in Raw at its line.
    pub wrong: Option<Wrong>,
    /// What the fields are changes of.
    base: Bytes,
    /// Bytes that were warned about: asked for again, they are taken.
    warned: Option<Bytes>,
}

impl Form {
    /// Opens the head of a held message.
    pub(super) fn edit(held: &Held) -> Self {
        let mut form = Self {
            no: held.no,
            aim: Aim::Replace,
            stage: held.stage,
            face: Face::Raw,
            lines: Vec::new(),
            at: 0,
            raw: raw_of(&held.head),
            wrong: None,
            base: held.head.clone(),
            warned: None,
        };
        form.turn();
        form
    }

    /// Opens an answer to be written.
    pub(super) fn answer(no: u64, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
        // The empty line ends the head; the next one is content.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Self {
            no,
            aim: Aim::Respond,
            stage: Stage::ResponseHead,
            face: Face::Raw,
            lines: Vec::new(),
            at: 0,
            raw: Raw::new(text.split('\n').map(str::to_owned).collect()),
            wrong: None,
            base: Bytes::new(),
            warned: None,
        }
    }

    /// Changes to the other face, where the text allows it.
    fn turn(&mut self) {
        self.wrong = None;
        if self.aim == Aim::Respond {
            return;
        }
        match self.face {
            Face::Fields => {
                if let Some(bytes) = self.of_fields() {
                    self.raw = raw_of(&bytes);
                    self.base = bytes;
                    self.face = Face::Raw;
                }
            }
            Face::Raw => match self.of_raw() {
                Ok(bytes) => self.take(bytes),
                Err(wrong) => self.point(wrong),
            },
        }
    }

    /// Shows the fields of a head that can be read.
    fn take(&mut self, bytes: Bytes) {
        match head::read(stream(self.stage), &bytes) {
            Ok((head, _)) => {
                let line = |entry: Entry| Line {
                    typed: Typed::new(entry.value.clone()),
                    entry,
                    wrong: None,
                };
                self.lines = head::entries(&head).into_iter().map(line).collect();
                self.at = self.at.min(self.lines.len().saturating_sub(1));
                self.base = bytes;
                self.face = Face::Fields;
            }
            Err(wrong) => self.point(wrong),
        }
    }

    /// Puts the cursor where something is wrong.
    fn point(&mut self, wrong: Wrong) {
        let line = wrong.line.saturating_sub(1);
        self.raw.row = line.min(self.raw.lines.len().saturating_sub(1));
        self.raw.step(0);
        self.wrong = Some(wrong);
    }

    /// Returns the head with the fields as typed; `None`: one says what is wrong with it.
    fn of_fields(&mut self) -> Option<Bytes> {
        let mut values = Vec::new();
        for line in &mut self.lines {
            line.wrong = None;
            let typed = line.typed.value();
            // What came from a peer is not judged.
            if typed == line.entry.value {
                continue;
            }
            match head::check(line.entry.part, typed) {
                Ok(value) => values.push((line.entry.clone(), value)),
                Err(wrong) => line.wrong = Some(wrong),
            }
        }
        if let Some(at) = self.lines.iter().position(|line| line.wrong.is_some()) {
            self.at = at;
            return None;
        }
        if values.is_empty() {
            return Some(self.base.clone());
        }
        let (head, _) = head::read(stream(self.stage), &self.base).ok()?;
        let changes: Vec<(&Entry, String)> = values
            .iter()
            .map(|(entry, value)| (entry, value.clone()))
            .collect();
        Some(head::amended(&head, &changes))
    }

    fn of_raw(&self) -> Result<Bytes, Wrong> {
        let lines = head::meant(&self.base, &self.raw.lines);
        head::rebuilt(&self.base, &lines)
    }

    /// Returns what was made of the text; `None`: the form says what is wrong with it.
    fn bytes(&mut self) -> Option<Bytes> {
        let bytes = match (self.aim, self.face) {
            (Aim::Respond, _) => respond::assembled(&self.raw.lines),
            (Aim::Replace, Face::Fields) => return self.of_fields(),
            (Aim::Replace, Face::Raw) => self.of_raw().and_then(|bytes| {
                head::read(stream(self.stage), &bytes)?;
                Ok(bytes)
            }),
        };
        bytes.map_err(|wrong| self.point(wrong)).ok()
    }

    /// Returns why the bytes may not be what is wanted: content goes on as it was framed.
    fn doubt(&self, bytes: &Bytes, held: Option<&Held>) -> Option<String> {
        if self.aim == Aim::Respond {
            return respond::doubt(bytes);
        }
        let stream = stream(self.stage);
        let (_, before) = head::read(stream, &held?.head).ok()?;
        let (_, after) = head::read(stream, bytes).ok()?;
        (before != after).then(|| {
            "the content that follows keeps its length, this head says another one; \
             Enter sends it all the same"
                .to_owned()
        })
    }
}

fn raw_of(head: &[u8]) -> Raw {
    Raw::new(head::lines(head).into_iter().map(head::shown).collect())
}

/// Does what a key means while the form is open.
pub(in super::super) fn press(
    model: &mut Model,
    key: &KeyEvent,
    command: Option<Command>,
    effects: &mut Vec<Effect>,
) {
    let Some(form) = &mut model.operator.form else {
        return;
    };
    match command {
        Some(Command::Apply) => apply(model, effects),
        Some(Command::Cancel) => {
            model.operator.form = None;
            model.say("the message stays held as it is", false);
        }
        Some(Command::OtherFace) => form.turn(),
        Some(Command::Up) => form.step(-1),
        Some(Command::Down) => form.step(1),
        Some(Command::NewLine) if form.face == Face::Raw => form.raw.break_line(),
        Some(Command::Editor) => {
            if form.face == Face::Fields {
                form.turn();
            }
            if form.face == Face::Raw {
                effects.push(Effect::Editor(form.text()));
            }
        }
        _ => {
            form.wrong = None;
            form.warned = None;
            if form.face == Face::Raw {
                form.raw.press(key);
            } else if let Some(line) = form.lines.get_mut(form.at) {
                line.wrong = None;
                if line.typed.value().chars().count() < LONGEST || !is_text(key) {
                    line.typed.handle_event(&Event::Key(*key));
                }
            }
        }
    }
}

fn is_text(key: &KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char(_))
}

impl Form {
    fn step(&mut self, by: isize) {
        if self.face == Face::Raw {
            self.raw.step(by);
        } else {
            let last = self.lines.len().saturating_sub(1);
            self.at = self.at.saturating_add_signed(by).min(last);
        }
    }

    /// Returns the text for an editor: lines that end with LF.
    fn text(&self) -> Vec<u8> {
        let lines = if self.aim == Aim::Respond {
            self.raw
                .lines
                .iter()
                .map(|line| line.clone().into_bytes())
                .collect()
        } else {
            head::meant(&self.base, &self.raw.lines)
        };
        let mut text = lines.join(&b'\n');
        text.push(b'\n');
        text
    }
}

/// Takes pasted text: into a field without its control characters, into raw text line by line.
pub(in super::super) fn paste(form: &mut Form, text: &str) {
    form.wrong = None;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if form.face == Face::Raw {
        text.chars().for_each(|c| form.raw.insert(c));
    } else if let Some(line) = form.lines.get_mut(form.at) {
        line.wrong = None;
        let room = LONGEST.saturating_sub(line.typed.value().chars().count());
        for c in text.chars().filter(|c| !c.is_control()).take(room) {
            line.typed.handle(InputRequest::InsertChar(c));
        }
    }
}

/// Takes what an editor left, or why there is nothing; the message stays held either way.
pub(in super::super) fn edited(model: &mut Model, text: Result<Vec<u8>, String>) {
    let Some(form) = &mut model.operator.form else {
        return;
    };
    let text = match text {
        Ok(text) => text,
        Err(why) => return model.say(why, true),
    };
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    form.wrong = None;
    form.warned = None;
    let shown = |line: &&[u8]| head::shown(line.strip_suffix(b"\r").unwrap_or(line));
    form.raw = Raw::new(lines.iter().map(shown).collect());
    form.face = Face::Raw;
    if form.aim == Aim::Respond {
        return;
    }
    // Bytes that are no text come from the file, not from what is shown of it.
    let read = head::rebuilt(&form.base, &lines).and_then(|bytes| {
        head::read(stream(form.stage), &bytes)?;
        Ok(bytes)
    });
    match read {
        Ok(bytes) => {
            form.base = bytes;
            model.say("taken from the editor: Enter sends it", false);
        }
        Err(wrong) => form.point(wrong),
    }
}

/// Lets the message go with what was made of it.
fn apply(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(mut form) = model.operator.form.take() else {
        return;
    };
    let held = model.operator.held.iter().find(|held| held.no == form.no);
    if let Some(bytes) = form.bytes() {
        let doubt = form.doubt(&bytes, held);
        let Some(doubt) = doubt.filter(|_| form.warned.as_ref() != Some(&bytes)) else {
            let how = match form.aim {
                Aim::Respond => Release::Respond(bytes),
                Aim::Replace if held.is_some_and(|held| held.head == bytes) => Release::Pass,
                Aim::Replace => Release::Replace(bytes),
            };
            effects.push(Effect::Act(Act::Release { no: form.no, how }));
            return;
        };
        form.warned = Some(bytes);
        model.say(doubt, true);
    }
    model.operator.form = Some(form);
}
