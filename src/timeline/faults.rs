//! What rules did: receipts find their exchanges, for the rows, the stories and whoever asks what fired.

use std::time::Duration;

use crate::bits::Packet;
use crate::event::{ConnId, RuleFact};

use super::connection::Live;
use super::ledger::Ledger;
use super::open::Open;
use super::row::{Exchange, Faults, Firing, Ruling, Text};

/// So many exchanges that are over still get receipts.
const RECENT: usize = 8;

/// So many rules of one session are known to have been told of.
const TOLD: usize = 16;

impl Live {
    /// Takes note that an exchange is over; a receipt may still come.
    pub(super) fn retire(&mut self, open: &Open) {
        let Some(wire) = open.wire else {
            return;
        };
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((wire, open.no));
    }

    /// Takes what a rule decided and returns the exchange that it decided about.
    pub(super) fn ruled(&self, at: Duration, fact: &RuleFact, ledger: &mut Ledger) -> Option<u32> {
        let no = self.numbered(fact.exchange);
        ledger.ruled(at, self.locus.conn, no, fact);
        no
    }

    /// Finds an exchange by its number on the connection, from 0.
    pub(super) fn numbered(&self, exchange: Option<u64>) -> Option<u32> {
        let wire = exchange?;
        let open = self.open.iter().find(|open| open.wire == Some(wire));
        let recent = || self.recent.iter().find(|(known, _)| *known == wire);
        open.map(|open| open.no)
            .or_else(|| recent().map(|(_, no)| *no))
    }
}

impl Ledger {
    /// Returns what a rule decided, as rows keep it.
    pub(super) fn ruling(&mut self, fact: &RuleFact) -> Ruling {
        Ruling {
            rule: self.texts.share(&fact.rule),
            stage: self.texts.share(&fact.stage),
            key: self.texts.share(&fact.key),
            ordinal: fact.ordinal,
            actions: self.texts.share(&fact.actions.join(", ")),
            reason: Text::from(fact.reason.as_str()),
        }
    }

    /// Takes what a rule decided about an exchange, or about a connection.
    pub(super) fn ruled(
        &mut self,
        at: Duration,
        conn: ConnId,
        exchange: Option<u32>,
        fact: &RuleFact,
    ) {
        if !fact.reason.is_empty() {
            return;
        }
        let rule = self.texts.share(&fact.rule);
        let key = self.texts.share(&fact.key);
        self.firings.push(Firing {
            at,
            conn,
            exchange,
            rule: Text::clone(&rule),
            key,
        });
        let Some(row) = exchange.and_then(|no| self.exchange(no)) else {
            return;
        };
        let faults = row.faults.with(Text::clone(&rule));
        let session = row.session;
        let sentence = session.and_then(|_| sentence(fact, row));
        let faults = self.one_copy(faults);
        if let Some(row) = exchange.and_then(|no| self.exchange(no)) {
            row.faults = faults;
        }
        let (Some(session), Some(sentence)) = (session, sentence) else {
            return;
        };
        let Some((row, book)) = self.session(session) else {
            return;
        };
        if is_quiet(fact) {
            if book.told_rules.contains(&rule) || book.told_rules.len() >= TOLD {
                return;
            }
            book.told_rules.push(rule);
        }
        book.tale.tell(row, sentence);
    }
}

impl Ledger {
    /// Returns the copy of a list of names that all rows share.
    pub(super) fn one_copy(&mut self, names: Faults) -> Faults {
        let shared = self.faults.get(&names).cloned();
        shared.unwrap_or_else(|| {
            self.faults.insert(names.clone());
            names
        })
    }
}

/// Tells whether a rule only slowed or noted something: of that one sentence is enough.
fn is_quiet(fact: &RuleFact) -> bool {
    fact.actions
        .iter()
        .all(|action| matches!(action.as_str(), "delay" | "limit" | "dribble" | "note"))
}

/// Says what a rule did to an exchange; `None` where it did nothing that shows.
fn sentence(fact: &RuleFact, row: &Exchange) -> Option<String> {
    let mut request = match row.packet {
        Some(packet) => packet.name().to_owned(),
        None => row.method.to_string(),
    };
    if let Some(range) = row.range {
        request.push_str(&format!(" {}-{}", range.first, range.last));
    }
    let is_download = matches!(row.packet, None | Some(Packet::Head | Packet::Get));
    let answer = if is_download {
        format!("the answer to {request}")
    } else {
        format!("the Ack of {request}")
    };
    let message = if fact.stage.starts_with("response") {
        &answer
    } else {
        &request
    };
    let mut deeds: Vec<String> = Vec::new();
    for action in &fact.actions {
        let deed = match action.as_str() {
            "delay" => format!("delayed {message}"),
            "limit" | "dribble" => format!("slowed {message} down"),
            "set" | "remove" => format!("changed the head of {message}"),
            "flip" => format!("flipped bits in the content of {message}"),
            "truncate" => format!("cut the content of {message} short"),
            "respond" if fact.stage.starts_with("response") => format!("replaced {answer}"),
            "respond" => format!("answered {request} in the server's place"),
            "reset" => "reset the connection".to_owned(),
            "close" => "closed the connection".to_owned(),
            "hang" => format!("let {message} hang"),
            "drop_response" => format!("dropped {answer}"),
            "duplicate" => format!("sent {message} again"),
            "hold" => format!("held {message}"),
            _ => continue,
        };
        if !deeds.contains(&deed) {
            deeds.push(deed);
        }
    }
    let last = deeds.pop()?;
    let all = if deeds.is_empty() {
        last
    } else {
        format!("{} and {last}", deeds.join(", "))
    };
    Some(format!("Rule {} {all}.", fact.rule))
}
