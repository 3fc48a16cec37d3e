//! The operator's hand: rules on and off, messages held, let go, edited, answered, connections cut.
//!
//! The screen keeps a copy of where things stand ([`Stand`]) and asks for acts ([`Act`]); [`look`] and
//! [`perform`] alone speak to the rules. Knows no relay.

mod act;
pub mod form;
pub mod head;
pub mod raw;
pub mod respond;

use std::time::Duration;

use crate::event::ConnId;
use crate::fault::{Held, Release, RuleState, Stage};
use crate::wire::Stream;

use super::filter::session_of;
use super::menu::{Choice, Menu, Purpose};
use super::model::{Ask, Model, View};
use super::prompt;
use super::rows::{Rows, is_in_flight};
use super::update::Effect;
use act::NOBODY;
pub use act::{Act, Stand, look, perform};
use form::Form;
use respond::Answer;

/// Time before a held message goes on at which its clock becomes a warning.
pub(super) const NEAR: Duration = Duration::from_secs(20);

/// What the screen knows of rules and held messages.
#[derive(Debug, Default)]
pub struct Operator {
    /// There is somebody to ask.
    pub plugged: bool,
    pub on: bool,
    pub rules: Vec<RuleState>,
    pub held: Vec<Held>,
    pub now: Duration,
    pub why: Vec<(String, String)>,
    /// Why the rules file is not in force as it stands.
    pub trouble: Option<String>,
    /// The filter of the breakpoint; an empty one holds everything.
    pub breakpoint: Option<String>,
    pub form: Option<Form>,
    /// The selected rule.
    pub at: usize,
    /// First rule on screen.
    pub top: usize,
    /// Rules that fit.
    pub height: usize,
    /// The held message that the open menu or line is about.
    target: Option<u64>,
    /// Connections of the open menu.
    connections: Vec<ConnId>,
}

/// Returns the direction in which a held message goes.
pub fn stream(stage: Stage) -> Stream {
    match stage {
        Stage::ResponseHead | Stage::ResponseBody => Stream::Responses,
        _ => Stream::Requests,
    }
}

impl Operator {
    fn take(&mut self, stand: Stand) -> bool {
        let moved = self.now != stand.now && !stand.held.is_empty();
        let changed = !self.plugged
            || self.on != stand.on
            || self.rules != stand.rules
            || self.held != stand.held
            || self.why != stand.why
            || self.trouble != stand.trouble;
        let Stand {
            on,
            rules,
            held,
            now,
            why,
            trouble,
        } = stand;
        self.plugged = true;
        self.on = on;
        self.rules = rules;
        self.held = held;
        self.now = now;
        self.why = why;
        self.trouble = trouble;
        self.step(0);
        moved || changed
    }

    /// Moves the selection among the rules.
    pub(super) fn step(&mut self, by: isize) {
        let last = self.rules.len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        self.top = self
            .top
            .min(self.at)
            .max((self.at + 1).saturating_sub(self.height.max(1)));
    }

    /// Returns how many rules are on.
    pub fn count_on(&self) -> usize {
        self.rules.iter().filter(|rule| rule.on).count()
    }

    /// Returns the held messages of an exchange.
    pub(super) fn held_at(&self, conn: ConnId, exchange: u64) -> impl Iterator<Item = &Held> {
        self.held
            .iter()
            .filter(move |held| held.conn == conn && held.exchange == exchange)
    }
}

/// Takes in where things stand; tells whether anything on screen changes. A rules file that was broken or
/// mended is told on the last line, wherever the user is.
pub(super) fn take(model: &mut Model, stand: Stand) -> bool {
    let before = model.operator.trouble.clone();
    let changed = model.operator.take(stand);
    match &model.operator.trouble {
        now if *now == before => {}
        Some(trouble) => model.say(format!("the rules stay as they were: {trouble}"), true),
        None => model.say("the rules file is in force again", false),
    }
    changed
}

/// Returns the row of a held message's exchange, where there is one already.
pub fn row_of(model: &Model, held: &Held) -> Option<u32> {
    let rows = model.catalog.of_connection(held.conn);
    rows.get(usize::try_from(held.exchange).ok()?).copied()
}

/// Returns the selected exchange by its connection and its number there, from 0.
pub fn about(model: &Model, rows: &dyn Rows) -> Option<(ConnId, u64)> {
    let exchange = model.exchange(rows)?;
    let row = exchange.no.checked_sub(1)?;
    let at = model
        .catalog
        .of_connection(exchange.conn)
        .binary_search(&row);
    Some((exchange.conn, u64::try_from(at.ok()?).ok()?))
}

/// Returns the held message that keys are about: the selected packet's, else the oldest.
pub fn target<'m>(model: &'m Model, rows: &dyn Rows) -> Option<&'m Held> {
    let selected =
        about(model, rows).and_then(|(conn, no)| model.operator.held_at(conn, no).next());
    selected.or_else(|| model.operator.held.first())
}

/// Says why a key does nothing, where there is nobody to ask.
fn plugged(model: &mut Model) -> bool {
    if !model.operator.plugged {
        model.say(NOBODY, true);
    }
    model.operator.plugged
}

fn target_or_say(model: &mut Model, rows: &dyn Rows) -> Option<Held> {
    if !plugged(model) {
        return None;
    }
    let target = target(model, rows).cloned();
    if target.is_none() {
        model.say("nothing is held (i sets a breakpoint)", true);
    }
    target
}

/// Turns all rules off; twice is no more than once.
pub(super) fn all_off(model: &mut Model, effects: &mut Vec<Effect>) {
    if plugged(model) {
        effects.push(Effect::Act(Act::TurnAll(false)));
    }
}

/// Turns the selected rule on or off.
pub(super) fn toggle(model: &mut Model, effects: &mut Vec<Effect>) {
    if !plugged(model) {
        return;
    }
    let at = model.operator.at;
    match model.operator.rules.get(at) {
        Some(rule) => effects.push(Effect::Act(Act::Turn {
            rule: at,
            on: !rule.on,
        })),
        None => model.say("there are no rules (bitstap proxy --rules FILE)", true),
    }
}

/// Asks what is to be held, or holds nothing more.
pub(super) fn breakpoint(model: &mut Model, rows: &dyn Rows, effects: &mut Vec<Effect>) {
    if !plugged(model) {
        return;
    }
    if model.operator.breakpoint.take().is_some() {
        effects.push(Effect::Act(Act::Break(None)));
    } else {
        prompt::open(model, rows, Ask::Break, Some(""));
    }
}

/// Holds what a filter takes from now on.
pub(super) fn set_breakpoint(model: &mut Model, text: &str, effects: &mut Vec<Effect>) {
    model.operator.breakpoint = Some(text.to_owned());
    effects.push(Effect::Act(Act::Break(Some(text.to_owned()))));
}

/// Lets the held message go that keys are about.
pub(super) fn release(model: &mut Model, rows: &dyn Rows, effects: &mut Vec<Effect>) {
    if let Some(held) = target_or_say(model, rows) {
        let how = Release::Pass;
        effects.push(Effect::Act(Act::Release { no: held.no, how }));
    }
}

/// Lets all held messages go.
pub(super) fn release_all(model: &mut Model, rows: &dyn Rows, effects: &mut Vec<Effect>) {
    if target_or_say(model, rows).is_some() {
        let all = model.operator.held.iter().map(|held| held.no).collect();
        effects.push(Effect::Act(Act::ReleaseAll(all)));
    }
}

/// Opens the form for the held message that keys are about.
pub(super) fn edit(model: &mut Model, rows: &dyn Rows) {
    if let Some(held) = target_or_say(model, rows) {
        model.help = None;
        model.operator.form = Some(Form::edit(&held));
    }
}

/// Offers answers to the held message that keys are about.
pub(super) fn answer(model: &mut Model, rows: &dyn Rows) {
    let Some(held) = target_or_say(model, rows) else {
        return;
    };
    model.operator.target = Some(held.no);
    let choice = |(_, name, value): &(Answer, &'static str, &'static str)| Choice {
        name,
        value: (*value).to_owned(),
    };
    model.menu = Some(Menu {
        purpose: Purpose::Respond,
        choices: Answer::ALL.iter().map(choice).collect(),
        at: 0,
    });
}

/// Asks which connection is to be reset: the selected packet's, or that of the held message.
pub(super) fn kill(model: &mut Model, rows: &dyn Rows) {
    if !plugged(model) {
        return;
    }
    let mut choices = Vec::new();
    let mut connections = Vec::new();
    let selected = model.exchange(rows).filter(|exchange| {
        is_in_flight(exchange)
            || rows
                .connection(exchange.conn)
                .is_none_or(|connection| connection.closed.is_none())
    });
    if let Some(exchange) = selected {
        connections.push(exchange.conn);
        choices.push(Choice {
            name: "reset",
            value: format!("connection {}, of packet {}", exchange.conn.0, exchange.no),
        });
    }
    let held = target(model, rows);
    if let Some(held) = held.filter(|held| !connections.contains(&held.conn)) {
        connections.push(held.conn);
        choices.push(Choice {
            name: "reset",
            value: format!("connection {}, of held {}", held.conn.0, held.no),
        });
    }
    if choices.is_empty() {
        model.say("no packet with an open connection is selected", true);
        return;
    }
    choices.push(Choice {
        name: "leave it",
        value: "(as Esc)".to_owned(),
    });
    model.operator.connections = connections;
    model.menu = Some(Menu {
        purpose: Purpose::Kill,
        choices,
        at: 0,
    });
}

/// Does what was chosen in a menu of ours.
pub(super) fn chosen(
    model: &mut Model,
    rows: &dyn Rows,
    purpose: Purpose,
    at: usize,
    effects: &mut Vec<Effect>,
) {
    if purpose == Purpose::Kill {
        let conn = model.operator.connections.get(at);
        effects.extend(conn.map(|conn| Effect::Act(Act::Kill(*conn))));
        return;
    }
    let Some((answer, ..)) = Answer::ALL.get(at) else {
        return;
    };
    let Some(held) = targeted(model) else {
        return;
    };
    match answer {
        Answer::Rewind => {
            let from = respond::offset(&held).map_or_else(String::new, |from| from.to_string());
            prompt::open(model, rows, Ask::Rewind, Some(&from));
        }
        Answer::Free => {
            let text = respond::write(*answer, &held, session(model, rows, &held).as_deref(), 0);
            model.operator.form = Some(Form::answer(held.no, &text));
        }
        _ => respond_with(model, rows, *answer, &held, 0, effects),
    }
}

/// Answers 416 with the offset that was typed; `false`: it is none.
pub(super) fn rewind(
    model: &mut Model,
    rows: &dyn Rows,
    text: &str,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some(next) = prompt::offset(text) else {
        model.say(
            format!("not an offset: {text} (try 4096, 0x1000 or 1MiB)"),
            true,
        );
        return false;
    };
    if let Some(held) = targeted(model) {
        respond_with(model, rows, Answer::Rewind, &held, next, effects);
    }
    true
}

fn respond_with(
    model: &Model,
    rows: &dyn Rows,
    answer: Answer,
    held: &Held,
    next: u64,
    effects: &mut Vec<Effect>,
) {
    let session = session(model, rows, held);
    let bytes = respond::write(answer, held, session.as_deref(), next);
    let how = Release::Respond(bytes);
    effects.push(Effect::Act(Act::Release { no: held.no, how }));
}

/// Returns the held message that the menu was opened for.
fn targeted(model: &mut Model) -> Option<Held> {
    let no = model.operator.target?;
    let held = model
        .operator
        .held
        .iter()
        .find(|held| held.no == no)
        .cloned();
    if held.is_none() {
        model.say(format!("held {no} waits no more"), true);
    }
    held
}

/// Returns the id of the session that a held message belongs to.
fn session(model: &Model, rows: &dyn Rows, held: &Held) -> Option<String> {
    let row = row_of(model, held)?;
    let exchange = rows.exchange(usize::try_from(row).ok()?)?;
    let own = exchange.session_id.as_ref().map(ToString::to_string);
    own.or_else(|| {
        let session = session_of(rows, exchange.session?)?;
        session.session_id.as_ref().map(ToString::to_string)
    })
}

/// Does what was typed after `:` about rules; `false`: it is none of ours.
pub(super) fn command(
    model: &mut Model,
    word: &str,
    rest: &str,
    effects: &mut Vec<Effect>,
) -> bool {
    let act = match (word, rest) {
        ("reload", "") => Act::Reload,
        ("faults", "on") => Act::TurnAll(true),
        ("faults", "off") => Act::TurnAll(false),
        _ => return false,
    };
    if plugged(model) {
        effects.push(Effect::Act(act));
    }
    true
}

/// Tells whether the screen shows why rules did not fire.
pub fn asks_why(model: &Model) -> bool {
    model.view == View::Rules && model.operator.plugged
}
