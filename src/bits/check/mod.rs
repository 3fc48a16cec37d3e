//! Conformance for a passive observer: what each end did against the documents.
//!
//! One file per family of rules: a table, and the functions that find breaches. A [`Checker`] is told
//! of connections and of exchanges in the order in which they end, remembers what the rules need
//! (bounded), and answers with [`Finding`]s. It does not know live from replayed, and it would rather
//! miss a breach than accuse somebody wrongly: what needs history is silent where the history was not
//! seen.

mod ack;
mod ack_create;
mod ack_fragment;
mod auth;
mod close;
mod create;
mod download;
mod error;
mod facts;
mod fragment;
mod general;
mod manual;
mod memory;
mod notification;
mod order;
mod relayed;
mod rule;
mod session;
mod tally;
mod view;

pub use facts::{Answered, Asked, Cut, Facts};
pub use manual::manual;
pub use rule::{Finding, Level, Profile, Rule, Who};

use crate::bits::Packet;
use crate::wire::Head;

use memory::Memory;
use tally::{Out, Tally};
use view::View;

/// All tables, in the order of the documents.
const TABLES: [&[Rule]; 12] = [
    general::RULES,
    create::RULES,
    fragment::RULES,
    close::RULES,
    ack::RULES,
    ack_create::RULES,
    ack_fragment::RULES,
    error::RULES,
    order::RULES,
    auth::RULES,
    notification::RULES,
    download::RULES,
];

/// Yields all rules.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    TABLES.into_iter().flatten()
}

/// Returns the rule with this id; its case does not matter.
pub fn find(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id.eq_ignore_ascii_case(id.trim()))
}

/// Finds breaches of the rules in what it is told, in order.
#[derive(Debug, Default)]
pub struct Checker {
    profile: Profile,
    memory: Memory,
    tally: Tally,
}

impl Checker {
    /// Makes a checker that has seen nothing yet.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            ..Self::default()
        }
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Takes note of a connection; `joined` tells that its start was not seen.
    pub fn connection_opened(&mut self, conn: u32, joined: bool) {
        self.memory.connect(conn, joined);
    }

    /// Takes note that a connection is over, and whether the server ended it first.
    pub fn connection_closed(&mut self, conn: u32, by_server: bool) {
        self.memory.disconnect(conn, by_server);
    }

    /// Takes note of an exchange that is over.
    pub fn exchange(&mut self, facts: &Facts<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let view = View::new(facts, self.profile);
        let past = self.memory.recall(&view);
        let place = (Some(facts.no), facts.session, facts.conn);
        let mut out = Out::new(self.profile, place, &mut self.tally, &mut findings);
        auth::check(&view, &past, &mut out);
        if view.upload() {
            general::check(&view, &mut out);
            create::check(&view, &past, &mut out);
            fragment::check(&view, &past, &mut out);
            close::check(&view, &past, &mut out);
            if view.is_ack() {
                ack::check(&view, &mut out);
                ack_create::check(&view, &past, &mut out);
                ack_fragment::check(&view, &past, &mut out);
                error::check(&view, &mut out);
            }
            order::check(&view, &past, &mut out);
        } else {
            notification::check(&view, &mut out);
            download::check(&view, &past, &mut out);
        }
        self.memory.learn(&view, past);
        findings
    }

    /// Takes note that the server sent something that nothing had asked for: a response, or `len` bytes
    /// that are not even one.
    pub fn unsolicited(&mut self, conn: u32, len: Option<u64>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.memory.starts(conn) {
            // It came behind the answer of the exchange that ended last.
            let (exchange, session) = self.memory.last(conn);
            let place = (exchange, session, conn);
            let mut out = Out::new(self.profile, place, &mut self.tally, &mut findings);
            ack::unsolicited(len, &mut out);
        }
        findings
    }

    /// Takes note of what the client got in place of the `server`'s answer to a download, without a rule that asked
    /// for it; `place` is exchange, session and connection.
    pub fn relayed(
        &mut self,
        place: (u32, Option<u32>, u32),
        packet: Packet,
        server: &Head,
        client: &Head,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let place = (Some(place.0), place.1, place.2);
        let mut out = Out::new(self.profile, place, &mut self.tally, &mut findings);
        relayed::check(packet.name(), server, client, &mut out);
        findings
    }

    /// Takes note that nothing follows, because nothing more happened; not to be called where a capture
    /// is cut off.
    pub fn finish(&mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for session in self.memory.left() {
            let place = (session.unread, Some(session.no), 0);
            let mut out = Out::new(self.profile, place, &mut self.tally, &mut findings);
            close::left(&session, &mut out);
        }
        findings
    }

    /// Returns one finding for each rule that was broken so often that not all findings were told.
    pub fn rest(&self) -> Vec<Finding> {
        self.tally.rest(self.profile)
    }

    /// Returns how many findings of a rule there were, told or only counted.
    pub fn count(&self, rule: &Rule) -> u32 {
        self.tally.count(rule)
    }

    /// Returns how many findings of a level were only counted.
    pub fn untold(&self, level: Level) -> u64 {
        self.tally.untold(level)
    }
}
