//! What matches are counted by: names for sessions, connections, clients that are the same in every run.
//!
//! Nothing here depends on what is minted at random or by chance of timing: not on a session id, a port,
//! or the order in which connections are accepted. An upload session is (client address, path, its n-th
//! Create-Session); the id that the server tells only leads later packets to it, on other connections
//! too. As on the timeline, a Create-Session that begins a session anew, because the server forgot it or the
//! one before came to nothing, is no other session. Memory is bounded; see [`ROOM`].

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use crate::bits::session::Answer;
use crate::bits::{Ack, Packet, Request};
use crate::event::ConnId;

use super::draw::digest;
use super::recent::Recent;
use super::rule::Per;

/// So many sessions, paths and clients are remembered at least; those not used for longest go first.
pub(super) const ROOM: usize = 32 * 1024;

/// Longest path or id that is remembered as it is, in bytes.
const LONGEST: usize = 256;

/// So many Create-Sessions of one connection may be on their way at a time.
const CREATING: usize = 64;

/// So many sessions of one client and path may be about to begin anew.
const WAITING: usize = 64;

/// Client and path.
type Place = (IpAddr, Box<str>);
/// Session id and path.
type Told = (Box<str>, Box<str>);

/// What is remembered to name things.
#[derive(Debug)]
pub(super) struct Keys {
    /// Create-Sessions so far, by client and path.
    creates: Recent<Place, u64>,
    /// Sessions that a Create-Session would begin anew, the newest last.
    waiting: Recent<Place, VecDeque<Arc<str>>>,
    /// Upload sessions by lower-cased id and path.
    ids: Recent<Told, Option<Arc<str>>>,
    /// Connections so far, by client and the path of their first request.
    firsts: Recent<Place, u64>,
    /// Connections so far, by client.
    opened: Recent<IpAddr, u64>,
    conns: HashMap<ConnId, Conn>,
}

/// What is remembered of an open connection.
#[derive(Debug, Default)]
struct Conn {
    /// As it is known before its first request.
    accepted: Option<Arc<str>>,
    key: Option<Arc<str>>,
    /// Its latest Create-Sessions.
    creating: VecDeque<Creation>,
}

/// A Create-Session.
#[derive(Debug)]
struct Creation {
    exchange: u64,
    place: Place,
    /// The session that it began.
    key: Arc<str>,
    /// Its client has not heard yet what came of it.
    open: bool,
}

/// What the client of an upload packet hears of it in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The connection ends or stands still instead of an answer.
    Nothing,
    Answer {
        answer: Answer,
        /// It names a session.
        named: bool,
    },
}

/// What a key is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'s> {
    pub(super) conn: ConnId,
    pub(super) client: IpAddr,
    pub(super) exchange: Option<u64>,
    pub(super) request: Option<&'s Request>,
    /// Path and query of the request's target, [`short`]; empty where there is none.
    pub(super) path: &'s str,
}

impl Subject<'_> {
    fn place(&self) -> Place {
        (self.client, self.path.into())
    }
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            creates: Recent::new(ROOM),
            waiting: Recent::new(ROOM),
            ids: Recent::new(ROOM),
            firsts: Recent::new(ROOM),
            opened: Recent::new(ROOM),
            conns: HashMap::new(),
        }
    }

    /// Takes note that a connection was accepted.
    pub(super) fn connected(&mut self, subject: Subject<'_>) {
        let n = self.opened.entry(subject.client);
        *n = n.saturating_add(1);
        let key = format!("connection {} #{n}", subject.client);
        let conn = self.conns.entry(subject.conn).or_default();
        conn.accepted = Some(key.into());
    }

    /// Takes note of a request whose head is complete; once for each.
    pub(super) fn requested(&mut self, subject: Subject<'_>) {
        let conn = self.conns.entry(subject.conn).or_default();
        if conn.key.is_none() {
            let n = self.firsts.entry(subject.place());
            *n = n.saturating_add(1);
            let key = format!("connection {} {} #{n}", subject.client, subject.path);
            conn.key = Some(key.into());
        }
        let creates = subject
            .request
            .is_some_and(|request| request.packet == Some(Packet::CreateSession));
        if let (true, Some(exchange)) = (creates, subject.exchange) {
            let place = subject.place();
            let again = self
                .waiting
                .peek(&place)
                .is_some_and(|keys| !keys.is_empty());
            let again = again.then(|| self.waiting.entry(place.clone()).pop_back());
            let key = again.flatten().unwrap_or_else(|| {
                let n = self.creates.entry(place.clone());
                *n = n.saturating_add(1);
                session(subject.client, subject.path, *n)
            });
            if conn.creating.len() >= CREATING {
                conn.creating.pop_front();
            }
            conn.creating.push_back(Creation {
                exchange,
                place,
                key,
                open: true,
            });
        }
    }

    /// Takes note of what the client hears of an upload packet: it may begin its session anew.
    pub(super) fn heard(&mut self, subject: Subject<'_>, heard: Heard) {
        let Some(packet) = subject.request.and_then(|request| request.packet) else {
            return;
        };
        let again = match (packet, heard) {
            (Packet::CreateSession, Heard::Nothing) => true,
            (Packet::CreateSession, Heard::Answer { answer, named }) => match answer {
                Answer::Done => !named,
                answer => answer != Answer::Fatal,
            },
            (Packet::Fragment | Packet::CloseSession, Heard::Answer { answer, .. }) => {
                answer == Answer::SessionNotFound
            }
            _ => false,
        };
        let conn = self.conns.get_mut(&subject.conn);
        let creation = conn.and_then(|conn| {
            let mut known = conn.creating.iter_mut();
            known.find(|creation| Some(creation.exchange) == subject.exchange)
        });
        if let Some(creation) = creation {
            creation.open = false;
        }
        if again {
            let key = self.session(subject);
            self.wait(subject.place(), key);
        }
    }

    /// Has the next Create-Session of a client and path begin this session anew.
    fn wait(&mut self, place: Place, key: Arc<str>) {
        let waiting = self.waiting.entry(place);
        if waiting.contains(&key) {
            return;
        }
        if waiting.len() >= WAITING {
            waiting.pop_front();
        }
        waiting.push_back(key);
    }

    /// Takes note of the server's answer: the Ack of a Create-Session names the session.
    pub(super) fn answered(&mut self, subject: Subject<'_>, ack: &Ack) {
        let Some(id) = ack.session_id.as_deref() else {
            return;
        };
        if let Some(key) = self.created(subject) {
            *self.ids.entry(told(id, subject.path)) = Some(key);
        }
    }

    /// Returns the session that the subject, a Create-Session, began.
    fn created(&self, subject: Subject<'_>) -> Option<Arc<str>> {
        let conn = self.conns.get(&subject.conn)?;
        conn.creating
            .iter()
            .find(|creation| Some(creation.exchange) == subject.exchange)
            .map(|creation| Arc::clone(&creation.key))
    }

    /// Forgets a connection; what it was to create may be created over another one.
    pub(super) fn gone(&mut self, conn: ConnId) {
        let creating = self.conns.remove(&conn).map(|conn| conn.creating);
        for creation in creating.into_iter().flatten() {
            if creation.open {
                self.wait(creation.place, creation.key);
            }
        }
    }

    /// Names what the subject is counted by.
    pub(super) fn of(&mut self, per: Per, subject: Subject<'_>) -> Arc<str> {
        match per {
            Per::Session => self.session(subject),
            Per::Connection => self.connection(subject),
            Per::Client => format!("client {}", subject.client).into(),
            Per::Url if subject.path.is_empty() => format!("client {}", subject.client).into(),
            Per::Url => format!("url {}", subject.path).into(),
            Per::Run => "run".into(),
        }
    }

    fn connection(&self, subject: Subject<'_>) -> Arc<str> {
        let conn = self.conns.get(&subject.conn);
        conn.and_then(|conn| conn.key.clone().or_else(|| conn.accepted.clone()))
            .unwrap_or_else(|| format!("connection {}", subject.client).into())
    }

    /// Names the session: of an upload by its Create-Session; of a packet whose id nobody told, the
    /// newest one of that client and path; of anything else client and path.
    fn session(&mut self, subject: Subject<'_>) -> Arc<str> {
        if let Some(key) = self.created(subject) {
            return key;
        }
        let id = subject
            .request
            .filter(|request| request.upload)
            .and_then(|request| request.session_id.as_deref());
        let Some(id) = id else {
            return session(subject.client, subject.path, 0);
        };
        let name = told(id, subject.path);
        if self.ids.peek(&name).is_some() {
            // Looked up again as a use, so that a long session is not forgotten.
            if let Some(key) = self.ids.entry(name) {
                return Arc::clone(key);
            }
        }
        let newest = self.creates.peek(&subject.place()).copied();
        session(subject.client, subject.path, newest.unwrap_or(0))
    }

    /// Tells whether anything was forgotten since the last call.
    pub(super) fn take_forgot(&mut self) -> bool {
        [
            self.creates.take_forgot(),
            self.waiting.take_forgot(),
            self.ids.take_forgot(),
            self.firsts.take_forgot(),
            self.opened.take_forgot(),
        ]
        .contains(&true)
    }
}

fn told(id: &str, path: &str) -> Told {
    (short(id).to_ascii_lowercase().into(), path.into())
}

/// Shortens what a peer made so long that remembering it would cost memory; different texts stay
/// different.
pub(super) fn short(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let kept = text
        .get(..text.floor_char_boundary(LONGEST))
        .unwrap_or_default();
    format!("{kept}~{:016x}", digest(text))
}

fn session(client: IpAddr, path: &str, n: u64) -> Arc<str> {
    let mut key = format!("session {client}");
    if !path.is_empty() {
        key.push(' ');
        key.push_str(path);
    }
    if n > 0 {
        let _ = write!(key, " #{n}");
    }
    key.into()
}
