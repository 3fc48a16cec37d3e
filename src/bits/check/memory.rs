//! What the rules remember of connections and sessions: bounded, and forgotten where bytes are missing.
//!
//! [`Memory::recall`] hands out what is known before an exchange, the rules look at it, and
//! [`Memory::learn`] is the only place where it changes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::bits::Packet;
use crate::bits::header::Name;
use crate::bits::hresult::BG_E_SESSION_NOT_FOUND;

use super::rule::Profile;
use super::view::{View, bare_host, is_absolute, shown, value};

/// So many sessions and connections are remembered; the ones not used longest go first.
const SESSIONS_MAX: usize = 8192;
const CONNECTIONS_MAX: usize = 16_384;
/// So many things of one connection or session are.
const FEW: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Memory {
    sessions: HashMap<u32, Session>,
    connections: HashMap<u32, Connection>,
    /// Sessions by lower-cased id and host, the newest owner.
    ids: HashMap<(String, String), u32>,
    /// Newest session by host and path.
    places: HashMap<(String, String), u32>,
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
    /// Hosts that were pinged on it.
    pub(super) pinged: Vec<String>,
    /// By path: the id that the last successful Create-Session brought, `None` after a failed one.
    pub(super) creations: Vec<(String, Option<String>)>,
    /// Answers in a row that asked for credentials, and the packet that they were for.
    pub(super) challenges: u32,
    challenged: Option<(Option<Packet>, String)>,
    sessions: Vec<u32>,
    touched: u64,
}

/// What is known of a session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) no: u32,
    pub(super) client: Option<IpAddr>,
    pub(super) host: String,
    pub(super) path: String,
    /// Its successful Create-Session was seen.
    pub(super) created: bool,
    /// The id as issued.
    pub(super) id: Option<String>,
    /// Accept-Encoding of the Ack of Create-Session.
    pub(super) encodings: Option<String>,
    pub(super) host_id: Option<String>,
    pub(super) fallback: Option<Duration>,
    /// No Fragment since Create-Session.
    pub(super) fresh: bool,
    /// The offset that the server told last, and on which connection.
    pub(super) told: Option<u64>,
    pub(super) told_on: u32,
    /// End of the furthest byte that was sent.
    pub(super) furthest: u64,
    pub(super) total: Option<u64>,
    /// The exchange in which the last fragment was acknowledged.
    pub(super) complete: Option<u32>,
    /// Close or Cancel was acknowledged: which, and on which connection.
    pub(super) over: Option<(Packet, u32)>,
    /// The packet that was answered 0x8020001F.
    pub(super) lost: Option<Packet>,
    /// Close or Cancel was refused with this status.
    pub(super) refused: Option<(Packet, u16)>,
    pub(super) name: Option<String>,
    /// Content-Encoding of its fragments.
    pub(super) encoding: Option<Option<String>>,
    /// Length of a fragment that was refused with 413.
    pub(super) too_large: Option<u64>,
    /// Offset that was requested again and again, and how often.
    pub(super) stuck: Option<(u64, u32)>,
    pub(super) reply: Option<String>,
    pub(super) fetched: bool,
    /// The exchange that closed it before its reply was fetched. The download may have a connection of
    /// its own, so only the end tells.
    pub(super) unread: Option<u32>,
    /// The last answer that moved it on.
    pub(super) moved: Duration,
    /// Its last packet that was answered.
    pub(super) previous: Option<Previous>,
    pub(super) conn: u32,
    /// What the application behind the server answered, if not 200.
    pub(super) refusal: Option<u16>,
    /// First byte, last byte and digest of fragments.
    pub(super) digests: VecDeque<(u64, u64, u64)>,
    pub(super) file: File,
    known: bool,
    touched: u64,
}

/// A packet that was answered in full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Previous {
    pub(super) no: u32,
    pub(super) conn: u32,
    pub(super) packet: Option<Packet>,
    pub(super) begun: Duration,
    pub(super) asked: Duration,
    pub(super) ended: Duration,
}

/// What is known of a file that is downloaded.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) total: Option<u64>,
    pub(super) modified: Option<String>,
    pub(super) etag: Option<String>,
    /// Content of it has arrived.
    pub(super) begun: bool,
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
}

impl Session {
    /// Tells whether packets of it are still expected.
    pub(super) fn alive(&self) -> bool {
        self.over.is_none() && self.lost.is_none()
    }

    /// Forgets what cannot be relied on where packets may have passed unseen.
    fn doubt(&mut self) {
        self.told = None;
        self.fresh = false;
        self.complete = None;
        self.lost = None;
        self.refused = None;
        self.encoding = None;
        self.too_large = None;
        self.stuck = None;
        self.reply = None;
        self.unread = None;
        self.previous = None;
        self.refusal = None;
        self.file = File::default();
    }
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

    pub(super) fn disconnect(&mut self, conn: u32) {
        self.connections.remove(&conn);
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
                .get(&(id.to_ascii_lowercase(), view.host.clone()))?;
            Some(if no == past.session.no {
                &past.session
            } else {
                self.sessions.get(&no)?
            })
        };
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
        let connection = &mut past.connection;
        connection.learn(view);
        connection.touched = self.clock;
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
        if !session.created || !(view.is(Packet::CreateSession) && view.succeeded()) {
            return;
        }
        if let Some(id) = &session.id {
            let id = id.to_ascii_lowercase();
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
                .is_some_and(|value| super::auth::ntlm_message(value) == Some(1));
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
        if view.is(Packet::Ping) && self.pinged.len() < FEW && !self.pinged.contains(&view.host) {
            self.pinged.push(view.host.clone());
        }
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

impl Session {
    fn upload(&mut self, view: &View<'_>) {
        let facts = view.facts;
        self.conn = facts.conn;
        let answered = facts.response.is_some_and(|r| r.cut == super::Cut::No);
        if let Some(response) = facts.response.filter(|_| answered) {
            self.previous = Some(Previous {
                no: facts.no,
                conn: facts.conn,
                packet: view.packet,
                begun: facts.request.begun,
                asked: facts.request.ended.unwrap_or(response.begun),
                ended: response.ended,
            });
        }
        if let Some(name) = facts.request.says.name.as_ref() {
            self.name = Some(name.clone());
        }
        if view.is(Packet::Fragment) {
            self.fragment(view);
        }
        let (Some(packet), Some(status)) = (view.packet, view.status().filter(|_| answered)) else {
            return;
        };
        if view.error() == Some(BG_E_SESSION_NOT_FOUND) {
            // The documents differ on Close: MC-BUP §3.1.5.2.1, Win32 "Ack for Close-Session".
            let restarts = match packet {
                Packet::CancelSession => false,
                Packet::CloseSession => view.profile == Profile::Spec,
                _ => true,
            };
            if restarts {
                self.lost = Some(packet);
            } else {
                self.over = self.over.or(Some((packet, facts.conn)));
            }
            return;
        }
        match packet {
            Packet::CreateSession if view.succeeded() => self.create(view),
            Packet::CloseSession | Packet::CancelSession => {
                self.refused = (100..500)
                    .contains(&status)
                    .then_some((packet, status))
                    .filter(|refused| !matches!(refused.1, 200..300 | 401 | 407));
                if view.succeeded() {
                    // A reply on another host may be fetched where nobody sees it.
                    let reply = self.reply.as_deref().filter(|url| !url.is_empty());
                    let near = reply.is_some_and(|url| !is_absolute(url)) && !self.fetched;
                    self.unread = (near && packet == Packet::CloseSession).then_some(facts.no);
                    self.over = self.over.or(Some((packet, facts.conn)));
                }
            }
            Packet::Fragment => self.acknowledged(view, status),
            _ => {}
        }
    }

    fn create(&mut self, view: &View<'_>) {
        let Some(response) = view.facts.response else {
            return;
        };
        let text = |name| value(response.head, name).map(shown);
        *self = Self {
            no: self.no,
            client: view.facts.client,
            host: view.host.clone(),
            path: view.path.clone(),
            created: true,
            id: response.says.session_id.clone(),
            encodings: text(Name::AcceptEncoding),
            host_id: response.says.host_id.as_deref().map(bare_host),
            fallback: text(Name::HostIdFallbackTimeout)
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            fresh: true,
            told: Some(0),
            told_on: view.facts.conn,
            moved: response.ended,
            conn: view.facts.conn,
            name: self.name.take(),
            previous: self.previous,
            known: true,
            touched: self.touched,
            ..Self::default()
        };
    }

    fn fragment(&mut self, view: &View<'_>) {
        self.fresh = false;
        let total = view.facts.request.says.range.and_then(|range| range.total);
        self.total = total.or(self.total);
        self.encoding = Some(value(view.asked(), Name::ContentEncoding).map(shown));
        self.path.clone_from(&view.path);
        if let Some(range) = view.range() {
            let end = range.first.saturating_add(view.facts.request.content);
            self.furthest = self.furthest.max(end);
        }
        if let (Some(range), Some(digest)) = (view.range(), view.facts.digest) {
            if self.digests.len() >= FEW {
                self.digests.pop_front();
            }
            self.digests.push_back((range.first, range.last, digest));
        }
    }

    fn acknowledged(&mut self, view: &View<'_>, status: u16) {
        let facts = view.facts;
        let length = facts.request.content;
        self.too_large = (status == 413).then_some(length);
        let Some(range) = view.range() else {
            return;
        };
        if let Some(told) = view.told() {
            let grew = self.told.is_none_or(|known| told > known);
            self.stuck = match self.stuck.filter(|stuck| stuck.0 == range.first && !grew) {
                Some((first, times)) => Some((first, times.saturating_add(1))),
                None => (!grew).then_some((range.first, 1)),
            };
            self.told = Some(told);
            self.told_on = facts.conn;
            if let Some(response) = facts.response {
                self.moved = response.ended;
            }
            self.complete = (range.total == Some(told)).then_some(facts.no);
        } else if !matches!(status, 401 | 407 | 413) {
            self.stuck = match self.stuck.filter(|stuck| stuck.0 == range.first) {
                Some((first, times)) => Some((first, times.saturating_add(1))),
                None => Some((range.first, 1)),
            };
        }
        if let Some(url) = facts.response.and_then(|r| r.says.reply_url.as_ref()) {
            self.reply = Some(url.clone());
            self.fetched = false;
        }
    }

    fn download(&mut self, view: &View<'_>) {
        let Some(response) = view.facts.response.filter(|_| !view.facts.ours) else {
            return;
        };
        let says = response.says;
        let status = view.status().unwrap_or_default();
        if !matches!(status, 200 | 206) {
            return;
        }
        if view.is(Packet::Get) {
            self.fetched = true;
            self.unread = None;
        }
        let file = &mut self.file;
        file.begun |= view.is(Packet::Get) && response.content > 0;
        let total = super::download::total(status, says);
        file.total = total.or(file.total);
        if says.last_modified.is_some() {
            file.modified.clone_from(&says.last_modified);
        }
        if says.etag.is_some() {
            file.etag.clone_from(&says.etag);
        }
    }
}
