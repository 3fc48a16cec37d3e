//! Two sessions compared on the screen: choosing them, and the lines of the comparison.
//!
//! Compared when the view is opened and with the clock, never by drawing.

use crate::timeline::Exchange;
use crate::timeline::compare::{Line, compare};

use super::catalog::exchange_at;
use super::list::{Entry, List};
use super::model::{Focus, Model, View};
use super::rows::Rows;
use super::update::show;

/// What the comparison shows.
#[derive(Debug, Default)]
pub struct Versus {
    /// Session that was chosen to be compared with the next one.
    pub chosen: Option<u32>,
    /// The two sessions, once both were chosen.
    pub sessions: Option<(u32, u32)>,
    /// The rows are places in `lines`.
    pub list: List,
    pub lines: Vec<Line>,
    /// How many lines differ.
    pub differ: usize,
    /// Generation of the rows at the last look.
    looked: Option<u64>,
}

impl Versus {
    /// Returns the selected line.
    pub fn selected(&self) -> Option<&Line> {
        self.line(self.list.selected()?)
    }

    /// Returns the line at a row of the list.
    pub fn line(&self, row: u32) -> Option<&Line> {
        self.lines.get(usize::try_from(row).ok()?)
    }
}

/// Chooses the selected session, and compares it with the one that was chosen before.
pub(super) fn choose(model: &mut Model, rows: &dyn Rows) {
    let Some(session) = model.session(rows) else {
        model.say("no session is selected", true);
        return;
    };
    let no = session.no;
    match model.versus.chosen {
        Some(before) if before == no => {
            model.versus.chosen = None;
            model.say(format!("session {no} is no longer chosen"), false);
        }
        Some(before) => {
            model.versus = Versus {
                sessions: Some((before, no)),
                ..Versus::default()
            };
            show(model, rows, View::Versus);
            look(model, rows);
            let first = model
                .versus
                .lines
                .iter()
                .position(|line| !line.differs.is_empty());
            model.fit();
            model.versus.list.select_at(first.unwrap_or(0));
        }
        None => {
            model.versus.chosen = Some(no);
            let key = super::keys::key_for(super::keys::Command::Compare).unwrap_or_default();
            let text = format!("session {no} is chosen: {key} on another one compares the two");
            model.say(text, false);
        }
    }
}

/// Compares again where something may have changed.
pub(super) fn look(model: &mut Model, rows: &dyn Rows) {
    let Some((left, right)) = model.versus.sessions.filter(|_| model.view == View::Versus) else {
        return;
    };
    if model.versus.looked == Some(rows.generation()) {
        return;
    }
    let of = |no: u32| -> Vec<&Exchange> {
        let of_session = model.catalog.of_session(no).iter();
        of_session
            .filter_map(|row| exchange_at(rows, *row))
            .collect()
    };
    let lines = compare(&of(left), &of(right), rows.margin());
    let versus = &mut model.versus;
    versus.looked = Some(rows.generation());
    versus.differ = lines.iter().filter(|line| !line.differs.is_empty()).count();
    let entries = (0..).zip(&lines).map(|(row, _)| Entry {
        key: u64::from(row),
        row,
    });
    versus
        .list
        .replace(entries.collect(), std::collections::HashMap::new());
    versus.lines = lines;
}

/// Selects the packet of the selected line: the left session's, else the right one's.
pub(super) fn open(model: &mut Model, rows: &dyn Rows) {
    let Some(line) = model.versus.selected() else {
        return;
    };
    if let Some(row) = line.left.or(line.right).and_then(|no| no.checked_sub(1))
        && !super::navigate::go_to(model, rows, row)
    {
        model.say("the filter hides this packet", true);
    }
}

/// Selects the next line that differs.
pub(super) fn turn(model: &mut Model, back: bool) {
    let versus = &model.versus;
    let differs = |row| {
        versus
            .line(row)
            .is_some_and(|line| !line.differs.is_empty())
    };
    match versus.list.search(back, differs) {
        Some(index) => model.versus.list.select_at(index),
        None => model.say("nothing differs", false),
    }
}

/// Goes back to the sessions.
pub(super) fn leave(model: &mut Model, rows: &dyn Rows) {
    show(model, rows, View::Sessions);
    model.focus = Focus::Sessions;
}
