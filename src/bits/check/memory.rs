//! What the rules remember of connections and sessions: bounded, and forgotten where bytes are missing.
//!
//! [`Memory::recall`] hands out what is known before an exchange, the rules look at it, and
//! [`Memory::learn`] is the only place where it changes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::bits::auth::{Stage, credentials};
use crate::bits::{Packet, header};

use super::session::Session;
use super::view::View;

/// So many sessions and connections are remembered; the ones not used longest go first.
const SESSIONS_MAX: usize = 8192;
const CONNECTIONS_MAX: usize = 16_384;
/// So many things of one connection are.
const FEW: usize = 16;
/// So many hosts that were pinged are.
const PINGS_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Memory {
    sessions: HashMap<u32, Session>,
    connections: HashMap<u32, Connection>,
    /// Sessions by what identifies them and host, the newest owner.
    ids: HashMap<(String, String), u32>,
    /// Newest session by host and path.
    places: HashMap<(String, String), u32>,
    /// Who pinged which host last. A Ping may have a connection of its own, and names no session.
    pings: VecDeque<(Option<IpAddr>, String)>,
    clock: u64,
    /// Bytes are missing somewhere.
    gaps: bool,
}

/// What is known of a connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Its start was not seen.
    pub(super) joined: bool,
    /// Nothing is missing on it so far.
    pub(super) whole: bool,
    /// BITS packets so far.
    pub(super) packets: u32,
    /// An NTLM handshake was begun on it.
    pub(super) handshake: bool,
    /// By path: the id that the last successful Create-Session brought, `None` after a failed one.
    pub(super) creations: Vec<(String, Option<String>)>,
    /// Answers in a row that asked for credentials, and the packet that they were for.
    pub(super) challenges: u32,
    challenged: Option<(Option<Packet>, String)>,
    sessions: Vec<u32>,
    /// The exchange that ended last, with its session.
    last: (Option<u32>, Option<u32>),
    touched: u64,
}

/// What is known before an exchange.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) session: Session,
    pub(super) connection: Connection,
    /// Where the request's id was issued, if that was seen: path, and whether that session is over or
    /// lost.
    pub(super) issued: Option<(String, bool)>,
    /// Live session that has the id which the answer issues, for another file: its number and path.
    pub(super) namesake: Option<(u32, String)>,
    /// Live session for the same URL.
    pub(super) rival: Option<u32>,
    /// The client pinged the host that BITS-Host-Id named.
    pub(super) pinged: bool,
}

impl Memory {
    pub(super) fn connect(&mut self, conn: u32, joined: bool) {
        if self.connections.len() >= CONNECTIONS_MAX {
            let line = median(self.connections.values().map(|known| known.touched));
            self.connections.retain(|_, known| known.touched > line);
        }
        let known = Connection {
            joined,
            whole: !joined,
            touched: self.clock,
            ..Connection::default()
        };
        self.connections.insert(conn, known);
    }

    pub(super) fn disconnect(&mut self, conn: u32, by_server: bool) {
        let Some(connection) = self.connections.remove(&conn).filter(|_| by_server) else {
            return;
        };
        for no in connection.sessions {
            let session = self.sessions.get_mut(&no);
            if let Some(session) = session.filter(|session| session.conn == conn) {
                session.dropped = session.answered;
            }
        }
    }

    /// Returns the exchange that ended last on a connection, with its session.
    pub(super) fn last(&self, conn: u32) -> (Option<u32>, Option<u32>) {
        let known = self.connections.get(&conn);
        known.map(|known| known.last).unwrap_or_default()
    }

    /// Tells whether the connection was seen from its start, without gaps.
    pub(super) fn starts(&self, conn: u32) -> bool {
        self.connections.get(&conn).is_some_and(|conn| conn.whole)
    }

    /// Takes out what is known of the session and the connection of an exchange.
    pub(super) fn recall(&mut self, view: &View<'_>) -> Past {
        let facts = view.facts;
        let mut connection = self.connections.remove(&facts.conn).unwrap_or_default();
        if facts.torn {
            self.gaps = true;
            connection = Connection {
                joined: connection.joined,
                sessions: connection.sessions,
                ..Connection::default()
            };
            for no in &connection.sessions {
                if let Some(session) = self.sessions.get_mut(no) {
                    session.doubt();
                }
            }
        }
        let mut session = facts
            .session
            .and_then(|no| self.sessions.remove(&no))
            .unwrap_or_default();
        if facts.torn {
            session.doubt();
        }
        if !session.known {
            session.known = true;
            session.no = facts.session.unwrap_or_default();
            session.client = facts.client;
            session.host.clone_from(&view.host);
            session.path.clone_from(&view.path);
        }
        let mut past = Past {
            session,
            connection,
            ..Past::default()
        };
        self.look_around(view, &mut past);
        past
    }

    fn look_around(&self, view: &View<'_>, past: &mut Past) {
        let owner = |id: &str| {
            let no = *self
                .ids
                .get(&(header::session_key(id), view.host.clone()))?;
            Some(if no == past.session.no {
                &past.session
            } else {
                self.sessions.get(&no)?
            })
        };
        past.pinged = self.pings.iter().any(|(client, host)| {
            *client == view.facts.client && past.session.host_id.as_ref() == Some(host)
        });
        past.issued = view
            .id()
            .and_then(owner)
            .map(|owner| (owner.path.clone(), !owner.alive()));
        if !view.is(Packet::CreateSession) || !view.succeeded() {
            return;
        }
        let new = view
            .facts
            .response
            .and_then(|r| r.says.session_id.as_deref());
        past.namesake = new
            .and_then(owner)
            .filter(|known| known.no != past.session.no && known.alive() && known.path != view.path)
            .map(|known| (known.no, known.path.clone()));
        past.rival = self
            .places
            .get(&(view.host.clone(), view.path.clone()))
            .and_then(|no| self.sessions.get(no))
            .filter(|other| other.no != past.session.no && other.created && other.alive())
            .filter(|other| {
                other.client != view.facts.client || self.connections.contains_key(&other.conn)
            })
            .map(|other| other.no);
    }

    /// Takes note of an exchange and puts back what was taken out.
    pub(super) fn learn(&mut self, view: &View<'_>, mut past: Past) {
        self.clock = self.clock.saturating_add(1);
        let facts = view.facts;
        if view.is(Packet::Ping) {
            let ping = (facts.client, view.host.clone());
            self.pings.retain(|known| *known != ping);
            if self.pings.len() >= PINGS_MAX {
                self.pings.pop_front();
            }
            self.pings.push_back(ping);
        }
        let connection = &mut past.connection;
        connection.learn(view);
        connection.touched = self.clock;
        connection.last = (Some(facts.no), facts.session);
        if let Some(no) = facts.session {
            if !connection.sessions.contains(&no) {
                if connection.sessions.len() >= FEW {
                    connection.sessions.remove(0);
                }
                connection.sessions.push(no);
            }
            let session = &mut past.session;
            session.touched = self.clock;
            if view.upload() {
                session.upload(view);
            } else if view.is(Packet::Notification) {
                session.refusal = view.status().filter(|status| *status != 200);
            } else {
                session.download(view);
            }
            self.index(view, &past.session);
            self.sessions.insert(no, past.session);
        }
        self.connections.insert(facts.conn, past.connection);
        if self.sessions.len() > SESSIONS_MAX {
            self.shrink();
        }
    }

    fn index(&mut self, view: &View<'_>, session: &Session) {
        if !(session.created && view.is(Packet::CreateSession) && view.succeeded()) {
            return;
        }
        if let Some(id) = &session.id {
            let id = header::session_key(id);
            let hosts = [Some(&session.host), session.host_id.as_ref()];
            for host in hosts.into_iter().flatten() {
                self.ids.insert((id.clone(), host.clone()), session.no);
            }
        }
        let place = (session.host.clone(), session.path.clone());
        self.places.insert(place, session.no);
    }

    fn shrink(&mut self) {
        let line = median(self.sessions.values().map(|known| known.touched));
        self.sessions.retain(|_, known| known.touched > line);
        let sessions = &self.sessions;
        self.ids.retain(|_, no| sessions.contains_key(no));
        self.places.retain(|_, no| sessions.contains_key(no));
    }

    /// Takes out the uploads that were closed before their reply was fetched, and those that are complete
    /// and were never closed though their client has hung up.
    pub(super) fn left(&mut self) -> Vec<Session> {
        if self.gaps {
            return Vec::new();
        }
        let connections = &self.connections;
        let mut left: Vec<Session> = self
            .sessions
            .extract_if(|_, session| {
                session.unread.is_some()
                    || (session.complete.is_some()
                        && session.alive()
                        && !session.closing
                        && !connections.contains_key(&session.conn))
            })
            .map(|(_, session)| session)
            .collect();
        left.sort_by_key(|session| session.no);
        left
    }
}

fn median(touched: impl Iterator<Item = u64>) -> u64 {
    let mut all: Vec<u64> = touched.collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

impl Connection {
    fn learn(&mut self, view: &View<'_>) {
        let asked = view.asked();
        for field in ["authorization", "proxy-authorization"] {
            self.handshake |= asked
                .value(field)
                .is_some_and(|value| credentials(value).1 == Stage::Type1);
        }
        let again = Some((view.packet, view.path.clone()));
        match view.status() {
            Some(401 | 407) if self.challenged == again => {
                self.challenges = self.challenges.saturating_add(1);
            }
            Some(401 | 407) => {
                self.challenges = 1;
                self.challenged = again;
            }
            _ => {
                self.challenges = 0;
                self.challenged = None;
            }
        }
        if !view.upload() {
            return;
        }
        self.packets = self.packets.saturating_add(1);
        let authenticating = matches!(view.status(), None | Some(401 | 407));
        if view.is(Packet::CreateSession) && !authenticating {
            self.creations.retain(|known| known.0 != view.path);
            if self.creations.len() >= FEW {
                self.creations.remove(0);
            }
            let id = view
                .facts
                .response
                .filter(|_| view.succeeded())
                .and_then(|response| response.says.session_id.clone());
            self.creations.push((view.path.clone(), id));
        }
    }
}
