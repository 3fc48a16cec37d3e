//! Which upload session a packet belongs to, and what it does to the session's row.
//!
//! Packets without an id belong where their connection and URL say. The transitions themselves are the
//! table in `bits/session.rs`, finding a session again is in `upload_index.rs`.

use std::time::Duration;

use super::connection::Place;
use super::ledger::{First, Ledger, Locus, remember};
use super::row::{SessionKind, Text, WireError};
use super::{place, story};
use crate::bits::session::{self, Answer, Outcome as Step, State, Told};
use crate::bits::{Ack, Packet, Request, header};

/// Uploads that one connection carries now, and its Pings that have no session yet.
#[derive(Debug, Default)]
pub(super) struct Here {
    /// Path and session, the newest last.
    uploads: Vec<(Text, u32)>,
    /// Place and exchange.
    pings: Vec<(Place, u32)>,
}

/// How many uploads and how many waiting Pings a connection remembers.
const KEPT: usize = 16;

impl Here {
    fn newest(&self, path: &Text) -> Option<u32> {
        let mut found = self.uploads.iter().rev();
        found.find(|known| known.0 == *path).map(|known| known.1)
    }

    /// Yields the sessions that the connection carried.
    pub(super) fn sessions(&self) -> impl Iterator<Item = u32> {
        self.uploads.iter().map(|known| known.1)
    }

    fn note(&mut self, path: &Text, session: u32) {
        if self
            .uploads
            .last()
            .is_some_and(|last| last.1 == session && last.0 == *path)
        {
            return;
        }
        self.uploads.retain(|known| known.0 != *path);
        if self.uploads.len() >= KEPT {
            self.uploads.remove(0);
        }
        self.uploads.push((Text::clone(path), session));
    }
}

impl Ledger {
    /// Finds or opens the session of an upload packet whose head is complete, and joins the exchange.
    pub(super) fn upload_begun(
        &mut self,
        here: &mut Here,
        locus: Locus,
        no: u32,
        request: &Request,
        place: &Place,
    ) {
        let Some(session) = self.upload_of(here, locus, no, request, place) else {
            if request.packet == Some(Packet::Ping) && here.pings.len() < KEPT {
                here.pings.push((place.clone(), no));
            }
            return;
        };
        let ping = here.pings.iter().find(|ping| ping.0.path == place.path);
        let ping = ping.map(|ping| ping.1);
        let is_ping = ping.is_some() || request.packet == Some(Packet::Ping);
        if let Some(begun) = self
            .exchange(ping.unwrap_or(no))
            .map(|row| row.times.get().begun)
        {
            self.resumed(session, begun, place.named(request), is_ping);
        }
        self.join(no, session);
        if request.packet != Some(Packet::Ping) {
            here.note(&place.path, session);
            let mut waiting = std::mem::take(&mut here.pings);
            waiting.retain(|ping| {
                let ours = ping.0.path == place.path;
                if ours {
                    self.join(ping.1, session);
                }
                !ours
            });
            here.pings = waiting;
        }
        if let Some((row, book)) = self.session(session) {
            match request.packet {
                Some(Packet::CreateSession) => book.creating = Some(no),
                Some(Packet::Fragment) => {
                    let total = request.range.and_then(|range| range.total);
                    row.total = total.or(request.total).or(row.total);
                    if row.kind == SessionKind::Unknown {
                        row.kind = SessionKind::Upload;
                    }
                }
                _ => {}
            }
        }
        self.name_session(session, request, place);
        match request.packet {
            Some(Packet::Fragment) => {
                self.went_on(session, request.range.map(|range| range.first));
                self.step(session, Packet::Fragment, Step::Passing);
            }
            Some(Packet::CloseSession) => {
                let total = self.session_row(session).and_then(|row| row.total);
                self.went_on(session, total);
            }
            _ => {}
        }
    }

    /// Keeps what a packet says of its session: names, hosts, the client's program.
    fn name_session(&mut self, session: u32, request: &Request, place: &Place) {
        let name = request
            .name
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(|name| self.texts.share(name));
        let agent = request
            .user_agent
            .as_deref()
            .map(|agent| self.texts.share(agent));
        if let Some((row, book)) = self.session(session) {
            row.name = name.unwrap_or_else(|| Text::clone(&row.name));
            row.user_agent = row.user_agent.take().or(agent);
            if book.host.as_ref() == Some(&place.host) && book.path.as_ref() == Some(&place.path) {
                return;
            }
        }
        let key = (Text::clone(&place.host), Text::clone(&place.path));
        remember(self.index.uploads.entry(key).or_default(), session);
    }

    fn upload_of(
        &mut self,
        here: &Here,
        locus: Locus,
        no: u32,
        request: &Request,
        place: &Place,
    ) -> Option<u32> {
        let by_id = request
            .session_id
            .as_deref()
            .filter(|_| request.packet != Some(Packet::CreateSession))
            .and_then(|id| self.upload_by_id(id, locus.conn, place));
        if by_id.is_some() {
            return by_id;
        }
        match request.packet {
            None => None,
            Some(Packet::CreateSession) => {
                let again = self.newest_at(locus, place, |ledger, session| {
                    ledger.awaits_creation(session)
                });
                Some(again.unwrap_or_else(|| {
                    self.open_upload(SessionKind::Upload, locus, no, request, place)
                }))
            }
            Some(Packet::Ping) => here
                .newest(&place.path)
                .filter(|&session| self.is_alive(session)),
            Some(packet) => {
                let known = if request.session_id.is_some() {
                    // The Ack of its Create-Session was not seen.
                    self.newest_at(locus, place, |ledger, session| {
                        let row = ledger.session_row(session);
                        row.is_some_and(|row| row.session_id.is_none() && !row.state.is_final())
                    })
                } else {
                    here.newest(&place.path)
                        .or_else(|| self.newest_at(locus, place, |_, _| true))
                };
                let session = known.unwrap_or_else(|| {
                    let kind = if packet == Packet::Fragment {
                        SessionKind::Upload
                    } else {
                        SessionKind::Unknown
                    };
                    self.open_upload(kind, locus, no, request, place)
                });
                if let Some(id) = request.session_id.as_deref() {
                    self.identify(session, id);
                }
                Some(session)
            }
        }
    }

    fn open_upload(
        &mut self,
        kind: SessionKind,
        locus: Locus,
        no: u32,
        request: &Request,
        place: &Place,
    ) -> u32 {
        let at = self.exchange(no).map(|row| row.times.get().begun);
        let session = self.open(
            kind,
            &First {
                locus,
                at: at.unwrap_or_default(),
                target: &place.target,
                name: request.name.as_deref(),
                user_agent: request.user_agent.as_deref(),
                host: &place.host,
                path: &place.path,
            },
        );
        let key = (Text::clone(&place.host), Text::clone(&place.path));
        remember(self.index.uploads.entry(key).or_default(), session);
        session
    }

    /// Counts content bytes of a fragment: those that came after `before` others.
    pub(super) fn upload_progress(
        &mut self,
        no: u32,
        start: Option<u64>,
        before: u64,
        len: u64,
        at: Duration,
    ) {
        let Some((row, book)) = self.session(no) else {
            return;
        };
        row.sent = row.sent.saturating_add(len);
        row.last = row.last.max(at);
        if let Some(start) = start {
            let from = start.saturating_add(before);
            let to = from.saturating_add(len);
            row.resent = row.resent.saturating_add(book.passed.overlap(from, to));
        }
    }

    /// Takes note that no more content of a fragment comes; `len` bytes did.
    pub(super) fn upload_passed(&mut self, no: u32, start: Option<u64>, len: u64) {
        if let (Some((_, book)), Some(start)) = (self.session(no), start) {
            book.passed.insert(start, start.saturating_add(len));
        }
    }

    fn step(&mut self, session: u32, packet: Packet, outcome: Step) {
        if let Some(row) = self.session_row(session) {
            let state = session::step(row.state, packet, outcome);
            self.move_to(session, state);
        }
    }

    /// Takes note that the Create-Session that `session` waited for is over, answered or not.
    pub(super) fn create_over(&mut self, session: u32, exchange: u32) {
        if let Some((_, book)) = self.session(session) {
            book.creating = book.creating.filter(|&creating| creating != exchange);
        }
    }

    /// Carries out what the answer to an upload packet does to its session.
    pub(super) fn upload_answered(
        &mut self,
        session: u32,
        request: &Request,
        status: u16,
        ack: &Ack,
    ) {
        let Some(packet) = request.packet else {
            return;
        };
        let error = ack.error.map(|code| WireError {
            code,
            context: ack.context,
        });
        let answer = session::classify(status, ack.error);
        let before = self.session_row(session).map(|row| row.state);
        let mut last = false;
        match (packet, answer) {
            (Packet::CreateSession, Answer::Done) => self.created(session, ack),
            (Packet::Fragment, Answer::Done | Answer::OutOfStep) => {
                last = self.acknowledged(session, request, answer, ack);
                if answer == Answer::Done {
                    self.take_reply_url(session, ack);
                }
            }
            _ => {}
        }
        self.step(session, packet, Step::Answered { answer, last });
        let Some((row, book)) = self.session(session) else {
            return;
        };
        let said = story::answer(packet, status, error);
        let name = packet.name();
        match (packet, answer) {
            (Packet::CloseSession, Answer::Done) => {
                book.tale.tell(
                    row,
                    "The client closed the session; the server confirmed.".to_owned(),
                );
            }
            (Packet::CancelSession, Answer::Done) => {
                book.tale.tell(
                    row,
                    "The client cancelled the session; the server confirmed.".to_owned(),
                );
            }
            (_, Answer::Done | Answer::OutOfStep | Answer::Authenticate) => {}
            (Packet::CloseSession, Answer::SessionNotFound) if book.closing => {
                book.tale.tell(
                    row,
                    format!("Close-Session was answered {said}: the one before it, whose answer was lost, probably closed the session. The documents differ on whether a Windows client stops there or sends the whole file again."),
                );
            }
            (Packet::CancelSession, Answer::SessionNotFound) => {
                book.tale.tell(
                    row,
                    format!("Cancel-Session was answered {said}: there is nothing left to cancel."),
                );
            }
            _ if before == Some(row.state) && row.state.is_final() => {
                book.tale.tell(
                    row,
                    format!("{name} came after the end and was answered {said}."),
                );
            }
            _ => {
                let next = story::next(status, error);
                book.tale
                    .tell(row, format!("{name} was answered {said}.{next}"));
            }
        }
        if row.state.is_final() && row.state != State::Failed {
            // Little is added from here on: give back what growing took.
            book.passed.clear();
            book.exchanges.shrink_to_fit();
            row.story.iter_mut().for_each(String::shrink_to_fit);
            row.story.shrink_to_fit();
        }
    }

    fn created(&mut self, session: u32, ack: &Ack) {
        if let Some((row, book)) = self.session(session) {
            let again = row.state == State::Lost;
            if again {
                row.restarts = row.restarts.saturating_add(1);
                row.acknowledged = 0;
                book.offsets.told = Told::default();
            }
            let verb = if again {
                "created the session anew"
            } else {
                "created the session"
            };
            let id = ack.session_id.as_deref().map_or_else(
                || "the server gave it no id".to_owned(),
                |id| format!("the server named it {id}"),
            );
            book.tale
                .tell(row, format!("The client {verb} for {}; {id}.", row.url));
        }
        if let Some(id) = ack.session_id.as_deref() {
            self.identify(session, id);
        }
        let Some(host) = ack.host_id.as_deref() else {
            return;
        };
        let lower = header::url_host(&host.to_ascii_lowercase()).into_owned();
        let lower = self.texts.share(&lower);
        let Some((row, book)) = self.session(session) else {
            return;
        };
        book.host_id = Some(Text::clone(&lower));
        book.tale.tell(
            row,
            format!("The server sends the client to host {host} from now on."),
        );
        if let Some(path) = book.path.clone() {
            remember(
                self.index.uploads.entry((lower, path)).or_default(),
                session,
            );
        }
    }

    fn take_reply_url(&mut self, session: u32, ack: &Ack) {
        let Some(url) = ack.reply_url.as_deref().filter(|url| !url.is_empty()) else {
            return;
        };
        let text = self.texts.share(url);
        let Some((row, book)) = self.session(session) else {
            return;
        };
        let key = place::reply_key(&row.url, url);
        row.kind = SessionKind::UploadReply;
        row.reply_url = Some(text);
        book.tale.tell(
            row,
            format!("The server has a reply for the client at {url}."),
        );
        let key = self.texts.share(&key);
        self.index.replies.insert(key, session);
    }

    /// Takes note that a packet got no answer, or not all of it.
    pub(super) fn unanswered(
        &mut self,
        session: u32,
        request: &Request,
        sent: u64,
        ended_by: Option<&'static str>,
        timer: Option<String>,
    ) {
        let (Some((row, book)), Some(packet)) = (self.session(session), request.packet) else {
            return;
        };
        let name = packet.name();
        let what = match (packet, request.range) {
            (Packet::Fragment, Some(range)) => {
                format!(
                    "{name} {}-{} ({sent} bytes passed)",
                    range.first, range.last
                )
            }
            _ => name.to_owned(),
        };
        book.closing |= packet == Packet::CloseSession;
        let why = ended_by.unwrap_or("the connection went on without it");
        let timer = timer.unwrap_or_default();
        book.tale
            .tell(row, format!("{what} got no full answer: {why}{timer}."));
    }

    /// Gives the Pings that never got a session to the live upload of the same client and URL.
    pub(super) fn pings_over(&mut self, here: &mut Here, locus: Locus) {
        for (place, ping) in std::mem::take(&mut here.pings) {
            if let Some(session) = self.newest_at(locus, &place, Self::is_alive) {
                self.join(ping, session);
            }
            self.release(ping);
        }
    }
}
