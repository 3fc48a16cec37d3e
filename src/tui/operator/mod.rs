//! The operator's hand: rules on and off, messages held, let go, edited, answered, connections cut.
//!
//! The screen keeps a copy of where things stand ([`Stand`]) and asks for acts ([`Act`]); [`look`] and
//! [`perform`] are the only places that speak to [`Control`]. Knows no relay.

pub mod form;
pub mod head;
pub mod raw;
pub mod respond;

use std::time::Duration;

use crate::event::ConnId;
use crate::fault::{Control, Held, Release, RuleState, Stage};
use crate::timeline::filter;
use crate::wire::Stream;

use super::filter::session_of;
use super::menu::{Choice, Menu, Purpose};
use super::model::{Ask, Model, View};
use super::prompt;
use super::rows::{Rows, is_in_flight};
use super::update::Effect;
use form::Form;
use respond::Answer;

/// Why nothing happens where there is nobody to ask.
const NOBODY: &str = "only a running proxy has rules and holds messages (bitstap proxy)";

/// Time before a held message goes on at which its clock becomes a warning.
pub(super) const NEAR: Duration = Duration::from_secs(20);

/// Where rules and held messages stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    pub on: bool,
    pub rules: Vec<RuleState>,
    /// The oldest first.
    pub held: Vec<Held>,
    /// Since the start of the run, as the relay counts it.
    pub now: Duration,
    /// Why rules fired on the exchange that was asked about, or not: name and sentence.
    pub why: Vec<(String, String)>,
}

/// What the operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Turns one rule, by its number from 0, on or off.
    Turn {
        rule: usize,
        on: bool,
    },
    /// Turns all rules off, or back on.
    TurnAll(bool),
    Reload,
    /// Holds what a filter takes from now on; `None`: nothing.
    Break(Option<String>),
    Release {
        no: u64,
        how: Release,
    },
    /// Lets all go as they are.
    ReleaseAll(Vec<u64>),
    Kill(ConnId),
}

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

/// Asks where things stand; `about` an exchange by its connection and its number there, from 0.
pub fn look(control: &dyn Control, about: Option<(ConnId, u64)>) -> Stand {
    Stand {
        on: control.is_on(),
        rules: control.rules(),
        held: control.held(),
        now: control.now(),
        why: about.map_or_else(Vec::new, |(conn, no)| control.why(conn, no)),
    }
}

/// Does what the operator wants; answers with a sentence either way.
pub fn perform(control: Option<&dyn Control>, act: Act) -> Result<String, String> {
    let control = control.ok_or_else(|| NOBODY.to_owned())?;
    match act {
        Act::Turn { rule, on } => {
            let name = control.rules().get(rule).map(|rule| rule.name.clone());
            let name = name.ok_or_else(|| "there is no such rule any more".to_owned())?;
            control.turn(rule, on);
            let state = if on { "on" } else { "off" };
            Ok(format!("rule {name} is {state}"))
        }
        Act::TurnAll(on) => {
            control.turn_all(on);
            let held = control.held().len();
            Ok(match (on, held) {
                (true, _) => "the rules are back on, each as it was".to_owned(),
                (false, 0) => "all faults are OFF (:faults on turns them back on)".to_owned(),
                (false, held) => {
                    format!("all faults are OFF; {held} still held (A lets all go)")
                }
            })
        }
        Act::Reload => control.reload(),
        Act::Break(text) => {
            let filter = text.as_deref().map(filter::Filter::parse).transpose();
            let filter = filter.map_err(|wrong| wrong.to_string())?;
            control.set_breakpoint(filter);
            Ok(match text.as_deref() {
                None => "nothing more is held; what waits stays (A lets all go)".to_owned(),
                Some("") => "every message is held from now on".to_owned(),
                Some(text) => format!("held from now on: {text}"),
            })
        }
        Act::Release { no, how } => {
            let done = match &how {
                Release::Pass => "goes on as it was",
                Release::Replace(_) => "goes on with its new head",
                Release::Respond(_) => "is answered by you; it goes nowhere",
                Release::Kill => "is cut off, with its connection",
            };
            if control.release(no, how) {
                Ok(format!("held {no} {done}"))
            } else {
                Err(format!(
                    "held {no} waits no more: it went on by itself, or its client left"
                ))
            }
        }
        Act::ReleaseAll(all) => {
            let gone = all
                .into_iter()
                .filter(|no| control.release(*no, Release::Pass));
            Ok(match gone.count() {
                1 => "1 message goes on".to_owned(),
                count => format!("{count} messages go on"),
            })
        }
        Act::Kill(conn) => {
            if control.kill(conn) {
                Ok(format!("connection {} is reset at both ends", conn.0))
            } else {
                Err(format!("connection {} is over", conn.0))
            }
        }
    }
}

/// Returns the direction in which a held message goes.
pub fn stream(stage: Stage) -> Stream {
    match stage {
        Stage::ResponseHead | Stage::ResponseBody => Stream::Responses,
        _ => Stream::Requests,
    }
}

impl Operator {
    /// Takes in where things stand; tells whether anything on screen changes.
    pub(super) fn take(&mut self, stand: Stand) -> bool {
        let moved = self.now != stand.now && !stand.held.is_empty();
        let changed = !self.plugged
            || self.on != stand.on
            || self.rules != stand.rules
            || self.held != stand.held
            || self.why != stand.why;
        let Stand {
            on,
            rules,
            held,
            now,
            why,
        } = stand;
        self.plugged = true;
        self.on = on;
        self.rules = rules;
        self.held = held;
        self.now = now;
        self.why = why;
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
