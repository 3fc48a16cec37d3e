//! The rows under construction, and what is remembered of each session beside its row.
//!
//! Connections, uploads and downloads all write here; each in a file of its own.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::bits::Packet;
use crate::bits::session::State;
use crate::event::{ConnId, Leg};

use super::findings::Findings;
use super::intern::Texts;
use super::margin::Annotation;
use super::offsets::Offsets;
use super::row::{
    Change, Connection, Exchange, Faults, Firing, Remark, Session, SessionKind, Text,
};
use super::runs::Runs;
use super::story::Tale;
use super::twin::Upstream;

/// All rows, and the indexes to find them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) sessions: Vec<Session>,
    pub(super) connections: Vec<Connection>,
    pub(super) remarks: Vec<Remark>,
    pub(super) firings: Vec<Firing>,
    /// One copy of each list of rules that rows show.
    pub(super) faults: HashSet<Faults>,
    /// What is remembered of session `n` is at index `n - 1`.
    pub(super) books: Vec<Book>,
    pub(super) index: Index,
    pub(super) texts: Texts,
    pub(super) findings: Findings,
    /// What people wrote, by the number of the exchange.
    pub(super) annotations: BTreeMap<u32, Annotation>,
    /// How often people wrote.
    pub(super) annotated: u64,
    /// Exchanges of which the legs differ, by number.
    pub(super) upstreams: BTreeMap<u32, Upstream>,
    /// The capture has upstream legs.
    pub(super) two_legs: bool,
    changes: Vec<Packed>,
    /// Pings that are over and have no session yet: their end is told once it is known.
    held: Vec<u32>,
}

/// Where sessions are found. Lists hold session numbers, the newest last, and are bounded.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Uploads by lower-cased session id.
    pub(super) ids: HashMap<Text, Vec<u32>>,
    /// Uploads by host and path.
    pub(super) uploads: HashMap<(Text, Text), Vec<u32>>,
    /// The newest download by client, host and path.
    pub(super) downloads: HashMap<(Option<IpAddr>, Text, Text), u32>,
    /// Uploads by the folded path of their reply.
    pub(super) replies: HashMap<Text, u32>,
}

/// How many sessions one key of the index remembers.
const KEPT_PER_KEY: usize = 16;

/// Adds `session` as the newest of a key's list.
pub(super) fn remember(list: &mut Vec<u32>, session: u32) {
    list.retain(|&known| known != session);
    if list.len() >= KEPT_PER_KEY {
        list.remove(0);
    }
    list.push(session);
}

/// What is remembered of a session beside its row.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Numbers of its exchanges, in order.
    pub(super) exchanges: Vec<u32>,
    /// Connections that it used last; a connection is counted again when it is not among them.
    pub(super) connections: VecDeque<ConnId>,
    /// Lower-cased host and the path that its requests name.
    pub(super) host: Option<Text>,
    pub(super) path: Option<Text>,
    /// Lower-cased BITS-Host-Id.
    pub(super) host_id: Option<Text>,
    /// Create-Session that has no answer yet.
    pub(super) creating: Option<u32>,
    /// What the server told last since the last restart.
    pub(super) offsets: Offsets,
    /// Bytes of the file that passed.
    pub(super) passed: Runs,
    /// Download: content that passed and is missing from the capture.
    pub(super) unseen: u64,
    /// Bytes of the reply that passed.
    pub(super) reply: Runs,
    /// Upload: a Close-Session got no answer, and may have closed it.
    pub(super) closing: bool,
    /// Download: bytes asked for.
    pub(super) wanted: Runs,
    /// Download: several ranges were asked for in one request.
    pub(super) several: bool,
    /// Download: connections of it that are open.
    pub(super) open: u32,
    /// Download: Last-Modified of the file.
    pub(super) modified: Option<Text>,
    /// Host of its last request, lower case.
    pub(super) talks_to: Option<Text>,
    /// Its last exchange failed.
    pub(super) trouble: bool,
    /// The connection of its last exchange is over: who ended it.
    pub(super) parted: Option<&'static str>,
    pub(super) tale: Tale,
    /// Rules that slowed it, each told of once.
    pub(super) told_rules: Vec<Text>,
}

/// A [`Change`] in eight bytes.
#[derive(Clone, Copy, Debug)]
enum Packed {
    Exchange(u32),
    Session(u32),
    Remark(u32),
}

/// How many Pings are held back until their session is known.
const HELD: usize = 256;

/// How many connections of a session are told apart.
const KEPT_CONNECTIONS: usize = 16;

/// Where something happens: the connection and its client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locus {
    pub(super) conn: ConnId,
    pub(super) client: Option<SocketAddr>,
}

impl Locus {
    /// Returns the client's address without the port.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.client.map(|client| client.ip())
    }
}

impl Ledger {
    /// Returns exchange number `no`.
    pub(super) fn exchange(&mut self, no: u32) -> Option<&mut Exchange> {
        self.exchanges.get_mut(slot(no)?)
    }

    /// Returns session number `no` with what is remembered of it.
    pub(super) fn session(&mut self, no: u32) -> Option<(&mut Session, &mut Book)> {
        let slot = slot(no)?;
        Some((self.sessions.get_mut(slot)?, self.books.get_mut(slot)?))
    }

    /// Returns session number `no`.
    pub(super) fn session_row(&self, no: u32) -> Option<&Session> {
        self.sessions.get(slot(no)?)
    }

    /// Returns what is remembered of session number `no`.
    pub(super) fn book(&self, no: u32) -> Option<&Book> {
        self.books.get(slot(no)?)
    }

    /// Opens a session and returns its number.
    pub(super) fn open(&mut self, kind: SessionKind, first: &First<'_>) -> u32 {
        let no = number(self.sessions.len());
        let url = self.texts.share(first.target);
        let name = first
            .name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| super::place::last_segment(first.target));
        let name = self.texts.share(name);
        let user_agent = first.user_agent.map(|agent| self.texts.share(agent));
        self.sessions.push(Session {
            no,
            kind,
            state: State::Open,
            session_id: None,
            url,
            name,
            client: first.locus.client,
            user_agent,
            total: None,
            acknowledged: 0,
            sent: 0,
            resent: 0,
            exchanges: 0,
            connections: 0,
            restarts: 0,
            rewinds: 0,
            reply_url: None,
            reply_bytes: 0,
            first: first.at,
            last: first.at,
            problems: 0,
            story: Vec::new(),
        });
        self.books.push(Book {
            host: Some(Text::clone(first.host)),
            path: Some(Text::clone(first.path)),
            ..Book::default()
        });
        no
    }

    /// Makes exchange `exchange` one of session `session`, unless it is one of a session already.
    pub(super) fn join(&mut self, exchange: u32, session: u32) {
        let Some(row) = self.exchange(exchange) else {
            return;
        };
        if row.session.is_some() {
            return;
        }
        row.session = Some(session);
        let (conn, begun, problem) = (row.conn, row.times.get().begun, is_settled_problem(row));
        let Some((row, book)) = self.session(session) else {
            return;
        };
        row.exchanges = row.exchanges.saturating_add(1);
        row.problems = row.problems.saturating_add(u32::from(problem));
        row.first = row.first.min(begun);
        row.last = row.last.max(begun);
        // Retroactive joins are rare and recent: the place is near the end.
        book.parted = None;
        let at = book.exchanges.partition_point(|&known| known < exchange);
        book.exchanges.insert(at, exchange);
        if !book.connections.contains(&conn) {
            if book.connections.len() >= KEPT_CONNECTIONS {
                book.connections.pop_front();
            }
            book.connections.push_back(conn);
            row.connections = row.connections.saturating_add(1);
        }
    }

    /// Moves session `no` to `state`; a final state is a change to be told.
    pub(super) fn move_to(&mut self, no: u32, state: State) {
        let Some((row, _)) = self.session(no) else {
            return;
        };
        let news = row.state != state && state.is_final();
        row.state = state;
        if news {
            self.changes.push(Packed::Session(no));
        }
    }

    /// Takes note that exchange `no` came to its end.
    pub(super) fn settle(&mut self, no: u32) {
        let Some(row) = self.exchange(no) else {
            return;
        };
        let problem = is_settled_problem(row);
        let (session, ended) = (row.session, row.times.get().ended);
        let homeless_ping = session.is_none() && row.packet == Some(Packet::Ping);
        if let Some((row, _)) = session.and_then(|session| self.session(session)) {
            row.problems = row.problems.saturating_add(u32::from(problem));
            row.last = row.last.max(ended.unwrap_or_default());
        }
        if homeless_ping && self.held.len() < HELD {
            self.held.push(no);
        } else {
            self.changes.push(Packed::Exchange(no));
        }
    }

    /// Tells the end of Ping `no` if it was held back: its session is known, or will never be.
    pub(super) fn release(&mut self, no: u32) {
        if let Some(at) = self.held.iter().position(|&held| held == no) {
            self.held.remove(at);
            self.changes.push(Packed::Exchange(no));
        }
    }

    /// Tells whether the end of exchange `no` is held back: it is a Ping whose session is not known yet.
    pub(super) fn holds(&self, no: u32) -> bool {
        self.held.contains(&no)
    }

    /// Tells the end of every Ping that was held back.
    pub(super) fn release_all(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.changes.extend(held.into_iter().map(Packed::Exchange));
    }

    /// Adds a remark.
    pub(super) fn remark(&mut self, remark: Remark) {
        self.changes
            .push(Packed::Remark(number(self.remarks.len()).saturating_sub(1)));
        self.remarks.push(remark);
    }

    /// Adds a remark about something on the client leg.
    pub(super) fn observe(
        &mut self,
        at: Duration,
        conn: ConnId,
        exchange: Option<u32>,
        text: String,
    ) {
        self.remark(Remark {
            at,
            conn: Some(conn),
            leg: Some(Leg::Client),
            exchange,
            text,
            ruling: None,
        });
    }

    /// Takes the changes since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
            .into_iter()
            .map(|change| match change {
                Packed::Exchange(no) => Change::Exchange(no),
                Packed::Session(no) => Change::Session(no),
                Packed::Remark(index) => {
                    Change::Remark(usize::try_from(index).unwrap_or(usize::MAX))
                }
            })
            .collect()
    }
}

/// What the first packet of a session says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct First<'f> {
    pub(super) locus: Locus,
    pub(super) at: Duration,
    pub(super) target: &'f str,
    pub(super) name: Option<&'f str>,
    pub(super) user_agent: Option<&'f str>,
    pub(super) host: &'f Text,
    pub(super) path: &'f Text,
}

/// Tells whether an exchange that is over is a problem.
fn is_settled_problem(row: &Exchange) -> bool {
    row.outcome != super::Outcome::InFlight && row.is_problem()
}

/// Returns the number of the row that is pushed next onto `len` rows.
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX).saturating_add(1)
}

/// Returns the index of row number `no`.
pub(super) fn slot(no: u32) -> Option<usize> {
    usize::try_from(no).ok()?.checked_sub(1)
}
