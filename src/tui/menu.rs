//! A small menu over the rows: what to copy, by which value to filter.
//!
//! Opening one collects what it offers from the selected row; knows no view.

use crate::bits::{Packet, hresult};
use crate::timeline::filter::{exclude, filter_by};
use crate::timeline::{Connection, Exchange, Session};

use super::filter::Filter;
use super::keys::Command;
use super::model::{Focus, Model, View};
use super::rows::Rows;
use super::update::{Effect, refilter};
use super::{copy, found, job, operator};

/// What choosing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Narrows the filter to rows with the value.
    Only,
    /// Narrows the filter to rows without it.
    Without,
    Copy,
    /// Answers a held message.
    Respond,
    /// Resets a connection.
    Kill,
    /// Asks for the name of a file to write it to.
    Export,
}

/// One line of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// A filter's field, or what is copied.
    pub name: &'static str,
    /// The value to filter by; of what is copied a glimpse.
    pub value: String,
}

/// An open menu.
#[derive(Clone, Debug)]
pub struct Menu {
    pub purpose: Purpose,
    pub choices: Vec<Choice>,
    pub at: usize,
}

/// Opens a menu for the selected row, where it has anything to offer.
pub(super) fn open(model: &mut Model, rows: &dyn Rows, purpose: Purpose) {
    let choices = if purpose == Purpose::Copy {
        copy::choices(model, rows)
    } else {
        values(model, rows)
    };
    if choices.is_empty() {
        model.say("no row is selected", true);
        return;
    }
    model.menu = Some(Menu {
        purpose,
        choices,
        at: 0,
    });
}

/// Does what a key means while a menu is open.
pub(super) fn press(
    model: &mut Model,
    rows: &dyn Rows,
    command: Option<Command>,
    digit: Option<usize>,
    effects: &mut Vec<Effect>,
) {
    let Some(menu) = &mut model.menu else {
        return;
    };
    let last = menu.choices.len().saturating_sub(1);
    if let Some(digit) = digit {
        if digit >= 1 && digit - 1 <= last {
            menu.at = digit - 1;
            choose(model, rows, effects);
        }
        return;
    }
    match command {
        Some(Command::Up) => menu.at = menu.at.checked_sub(1).unwrap_or(last),
        Some(Command::Down) => menu.at = if menu.at == last { 0 } else { menu.at + 1 },
        Some(Command::Top | Command::PageUp) => menu.at = 0,
        Some(Command::Bottom | Command::PageDown) => menu.at = last,
        Some(
            Command::Open
            | Command::Carrier
            | Command::Breaker
            | Command::Compared
            | Command::ToggleRule,
        ) => {
            choose(model, rows, effects);
        }
        _ => model.menu = None,
    }
}

fn choose(model: &mut Model, rows: &dyn Rows, effects: &mut Vec<Effect>) {
    let Some(menu) = model.menu.take() else {
        return;
    };
    let Some(choice) = menu.choices.get(menu.at) else {
        return;
    };
    let before = model.filter.text().to_owned();
    let text = match menu.purpose {
        Purpose::Copy => {
            match copy::text(model, rows, choice.name) {
                Ok(text) => effects.push(Effect::Copy {
                    what: choice.name,
                    text,
                }),
                Err(why) => model.say(why, true),
            }
            return;
        }
        Purpose::Respond | Purpose::Kill => {
            return operator::chosen(model, rows, menu.purpose, menu.at, effects);
        }
        Purpose::Export => {
            let choice = choice.clone();
            return job::choose(model, rows, &choice);
        }
        Purpose::Only => filter_by(&before, choice.name, &choice.value),
        Purpose::Without => exclude(&before, choice.name, &choice.value),
    };
    match text.and_then(|text| Filter::parse(&text)) {
        Ok(filter) => refilter(model, rows, filter),
        Err(wrong) => model.say(wrong.to_string(), true),
    }
}

/// Lists the fields of the selected row that can be filtered by, the likeliest first.
fn values(model: &Model, rows: &dyn Rows) -> Vec<Choice> {
    let mut out = Values::default();
    if model.view == View::Findings
        && let Some(finding) = found::selected(model, rows)
    {
        out.add("finding", Some(finding.id));
        out.add("finding.level", Some(finding.level.name()));
        out.add("session", finding.session);
        out.add("no", finding.exchange);
        return out.0;
    }
    if model.view == View::Coverage || model.list() == Focus::Sessions {
        if let Some(session) = model.session(rows) {
            out.session(session);
        }
    } else if let Some(exchange) = model.exchange(rows) {
        out.exchange(exchange, rows.connection(exchange.conn));
        let findings = rows.margin().map(|margin| margin.findings(exchange.no));
        for finding in findings.unwrap_or_default() {
            let known = out.0.iter().any(|choice| choice.value == finding.id);
            out.add("finding", Some(finding.id).filter(|_| !known));
        }
        if let Some(session) = model.session(rows) {
            out.add("name", Some(&session.name));
            out.add("session.state", Some(session.state.name()));
        }
    }
    out.0
}

#[derive(Default)]
struct Values(Vec<Choice>);

impl Values {
    fn add(&mut self, name: &'static str, value: Option<impl ToString>) {
        let value = value.map(|value| value.to_string());
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.0.push(Choice { name, value });
        }
    }

    fn session(&mut self, session: &Session) {
        self.add("session", Some(session.no));
        self.add("session.state", Some(session.state.name()));
        self.add("name", Some(&session.name));
        self.add("http.url", Some(&session.url));
        self.add("session.kind", Some(session.kind.name()));
        self.add("client.ip", session.client.map(|client| client.ip()));
        self.add("bits.session", session.session_id.as_ref());
    }

    fn exchange(&mut self, exchange: &Exchange, connection: Option<&Connection>) {
        let code = exchange.error.map(|error| error.code);
        self.add(
            "bits.error",
            code.filter(|code| *code != 0).map(hresult::name),
        );
        self.add("bits.type", exchange.packet.map(Packet::name));
        self.add("http.status", exchange.status);
        self.add("outcome", Some(exchange.outcome.name()));
        self.add("session", exchange.session);
        self.add("http.url", Some(&exchange.url));
        self.add("http.method", Some(&exchange.method));
        self.add("conn", Some(exchange.conn.0));
        let client = connection.and_then(|connection| connection.client);
        self.add("client.ip", client.map(|client| client.ip()));
        self.add("bits.session", exchange.session_id.as_ref());
    }
}
