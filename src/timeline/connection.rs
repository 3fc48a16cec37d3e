//! One connection: its conversation, and the exchanges that are not over.
//!
//! The client leg carries the exchanges; the upstream leg only says where we dialled, how long that
//! took and who ended it. Freed when both directions have closed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bits::{self, Ack, Packet, Request};
use crate::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, Note, What};
use crate::wire::{Conversation, Ending, Framing, Head, Item, Malformed, Seen, Stream};

use super::downloads::{self, Lies};
use super::lane::{Lane, Run, RunKind, towards};
use super::ledger::{Ledger, Locus, number};
use super::row::{Exchange, Message, Outcome, Remark, Text, Times, WireError};
use super::uploads::Here;
use super::place;

/// Where a request goes, in comparable form, and its target as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Lower-cased host, else the address that was dialled.
    pub(super) host: Text,
    /// Path with query.
    pub(super) path: Text,
    pub(super) target: Text,
}

/// How far one message of an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Waiting,
    Done,
    Cut,
    /// It never came.
    Absent,
    /// It cannot be read.
    Broken,
}

/// An exchange that is not over.
#[derive(Debug)]
struct Open {
    /// The conversation's number of the exchange; `None` for a response without its request.
    wire: Option<u64>,
    no: u32,
    request: Box<Request>,
    ack: Option<Box<Ack>>,
    status: u16,
    /// The session, if the packet has one.
    session: Option<u32>,
    requested: Half,
    answered: Half,
    /// The request's head is complete.
    headed: bool,
    /// The response in progress is not the final one (1xx).
    interim: bool,
    injected: bool,
    /// Content bytes of the request, of the response.
    sent: u64,
    came: u64,
    lies: Lies,
}

/// A connection that is not over.
#[derive(Debug)]
pub(super) struct Live {
    row: usize,
    locus: Locus,
    talk: Conversation,
    requests: Lane,
    responses: Lane,
    open: VecDeque<Open>,
    here: Here,
    /// Downloads that this connection carried.
    downloads: Vec<u32>,
    /// The place of the last request: the next one mostly goes there too.
    last: Option<(Option<Text>, Place)>,
    joined: bool,
    /// From this byte to the client on, the proxy answers itself.
    injects: Option<u64>,
    dialled: Option<Duration>,
    has_upstream: bool,
    upstream_ended: [bool; 2],
    /// Who ended the connection first, for a sentence.
    ended_by: Option<&'static str>,
}

/// How many downloads one connection remembers.
const KEPT_DOWNLOADS: usize = 64;

impl Live {
    pub(super) fn new(row: usize, conn: ConnId, joined: bool) -> Self {
        Self {
            row,
            locus: Locus { conn, client: None },
            talk: if joined {
                Conversation::joined()
            } else {
                Conversation::new()
            },
            requests: Lane::new(Stream::Requests),
            responses: Lane::new(Stream::Responses),
            open: VecDeque::new(),
            here: Here::default(),
            downloads: Vec::new(),
            last: None,
            joined,
            injects: None,
            dialled: None,
            has_upstream: false,
            upstream_ended: [false; 2],
            ended_by: None,
        }
    }

    /// Tells whether nothing more can come.
    pub(super) fn is_over(&self) -> bool {
        let upstream = !self.has_upstream || self.upstream_ended == [true; 2];
        self.requests.ended && self.responses.ended && upstream
    }

    /// Takes one event of this connection.
    pub(super) fn apply(
        &mut self,
        event: &Event,
        position: u64,
        seen: &mut Vec<Seen>,
        ledger: &mut Ledger,
    ) {
        if let What::Note(note) = &event.what {
            self.note(event, note, ledger);
            return;
        }
        match event.leg {
            Leg::Upstream => self.upstream(event, ledger),
            Leg::Client => self.client(event, position, seen, ledger),
        }
    }

    fn upstream(&mut self, event: &Event, ledger: &mut Ledger) {
        let Some(row) = ledger.connections.get_mut(self.row) else {
            return;
        };
        match &event.what {
            What::Opening { server, .. } | What::Joined { server, .. } => {
                row.upstream = Some(*server);
                self.dialled = Some(event.at);
                self.has_upstream = true;
                self.upstream_ended = [false; 2];
            }
            What::Opened => {
                let since = self.dialled.map(|dialled| event.at.saturating_sub(dialled));
                row.connect = row.connect.or(since);
            }
            What::Closed { direction, how } => {
                if *direction == Direction::ToClient && self.ended_by.is_none() {
                    self.ended_by = Some(match how {
                        Close::Fin => "the server closed the connection",
                        Close::Reset => "the server reset the connection",
                    });
                }
                let [to_server, to_client] = &mut self.upstream_ended;
                *to_server |= *direction == Direction::ToServer || *how == Close::Reset;
                *to_client |= *direction == Direction::ToClient || *how == Close::Reset;
            }
            What::Data { .. } | What::Missing { .. } | What::Note(_) => {}
        }
    }

    fn client(&mut self, event: &Event, position: u64, seen: &mut Vec<Seen>, ledger: &mut Ledger) {
        let at = event.at;
        match &event.what {
            What::Opening { client, server } | What::Joined { client, server } => {
                self.locus.client = Some(*client);
                if let Some(row) = ledger.connections.get_mut(self.row) {
                    row.client = Some(*client);
                    row.server = Some(*server);
                }
            }
            What::Data { direction, bytes } => {
                let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let Some(stream) = self.count(*direction, position, at, len, ledger) else {
                    return;
                };
                seen.clear();
                self.talk.feed(stream, bytes, seen);
                self.read(at, seen, ledger);
                self.end_missing_run(stream, ledger);
                self.show_partial_head(stream, ledger);
            }
            What::Missing {
                direction,
                len,
                why,
            } => {
                let Some(stream) = self.count(*direction, position, at, *len, ledger) else {
                    return;
                };
                self.missing(stream, at, *len, *why, ledger);
                seen.clear();
                self.talk.skip(stream, *len, seen);
                self.read(at, seen, ledger);
            }
            What::Closed { direction, how } => self.closed(at, *direction, *how, seen, ledger),
            What::Opened | What::Note(_) => {}
        }
    }

    fn lane(&mut self, stream: Stream) -> &mut Lane {
        match stream {
            Stream::Requests => &mut self.requests,
            Stream::Responses => &mut self.responses,
        }
    }

    /// Counts bytes and keeps their place; `None` where their direction has ended.
    fn count(
        &mut self,
        direction: Direction,
        position: u64,
        at: Duration,
        len: u64,
        ledger: &mut Ledger,
    ) -> Option<Stream> {
        let stream = match direction {
            Direction::ToServer => Stream::Requests,
            Direction::ToClient => Stream::Responses,
        };
        if let Some(row) = ledger.connections.get_mut(self.row) {
            let sum = match direction {
                Direction::ToServer => &mut row.to_server,
                Direction::ToClient => &mut row.to_client,
            };
            *sum = sum.saturating_add(len);
        }
        let settled = self.talk.decoder(stream).settled();
        let lane = self.lane(stream);
        if lane.ended {
            return None;
        }
        lane.hold(settled, position, at, len);
        Some(stream)
    }

    fn missing(
        &mut self,
        stream: Stream,
        at: Duration,
        len: u64,
        why: Missing,
        ledger: &mut Ledger,
    ) {
        let lane = self.lane(stream);
        lane.torn = true;
        let offset = lane.offset.saturating_sub(len);
        self.add_to_run(stream, RunKind::Missing(why), at, offset, len, ledger);
    }

    /// Takes note that the sender of one direction ended it.
    fn closed(
        &mut self,
        at: Duration,
        direction: Direction,
        how: Close,
        seen: &mut Vec<Seen>,
        ledger: &mut Ledger,
    ) {
        if let Some(row) = ledger.connections.get_mut(self.row) {
            row.first_close = row.first_close.or(Some((direction, how)));
        }
        if self.ended_by.is_none() {
            self.ended_by = Some(match (direction, how, self.has_upstream) {
                (Direction::ToServer, Close::Fin, _) => "the client closed the connection",
                (Direction::ToServer, Close::Reset, _) => "the client reset the connection",
                (Direction::ToClient, Close::Fin, false) => "the server closed the connection",
                (Direction::ToClient, Close::Reset, false) => "the server reset the connection",
                (Direction::ToClient, _, true) => "the proxy ended the connection",
            });
        }
        let streams: &[Stream] = match (how, direction) {
            (Close::Reset, _) => &[Stream::Requests, Stream::Responses],
            (Close::Fin, Direction::ToServer) => &[Stream::Requests],
            (Close::Fin, Direction::ToClient) => &[Stream::Responses],
        };
        for &stream in streams {
            self.end(stream, at, seen, ledger);
        }
        if self.requests.ended && self.responses.ended {
            if let Some(row) = ledger.connections.get_mut(self.row) {
                row.closed = row.closed.or(Some(at));
            }
            self.part(ledger);
        }
    }

    /// Ends one direction: what is in flight there gets its outcome.
    fn end(&mut self, stream: Stream, at: Duration, seen: &mut Vec<Seen>, ledger: &mut Ledger) {
        if self.lane(stream).ended {
            return;
        }
        self.lane(stream).ended = true;
        seen.clear();
        self.talk.finish(stream, seen);
        self.read(at, seen, ledger);
        self.end_run(stream, ledger);
        for open in &mut self.open {
            match stream {
                Stream::Requests if open.requested == Half::Waiting => open.requested = Half::Cut,
                Stream::Responses if open.answered == Half::Waiting => {
                    let row = ledger.exchange(open.no);
                    let begun = row.is_some_and(|row| row.response.is_some());
                    open.answered = if begun && !open.interim {
                        Half::Cut
                    } else {
                        Half::Absent
                    };
                }
                _ => {}
            }
        }
        self.settle(at, ledger);
    }

    /// Ends the connection for its sessions.
    fn part(&mut self, ledger: &mut Ledger) {
        ledger.pings_over(&mut self.here, self.locus);
        for session in std::mem::take(&mut self.downloads) {
            ledger.download_disconnected(session);
        }
    }

    /// Takes note that no event follows.
    pub(super) fn finish(&mut self, at: Duration, seen: &mut Vec<Seen>, ledger: &mut Ledger) {
        if self.requests.ended && self.responses.ended {
            return;
        }
        self.end(Stream::Requests, at, seen, ledger);
        self.end(Stream::Responses, at, seen, ledger);
        self.part(ledger);
    }

    fn note(&mut self, event: &Event, note: &Note, ledger: &mut Ledger) {
        let exchange = self.open.front().map(|open| open.no);
        match &note.fact {
            Fact::Answered { .. } | Fact::ConnectFailed { status: Some(_), .. } => {
                self.injects = Some(self.responses.offset);
            }
            Fact::TimedOut { .. } | Fact::Closing { .. } if self.ended_by.is_none() => {
                self.ended_by = Some("the proxy ended the connection");
            }
            Fact::Opaque { direction, .. } if event.leg == Leg::Client => {
                let stream = match direction {
                    Direction::ToServer => Stream::Requests,
                    Direction::ToClient => Stream::Responses,
                };
                if std::mem::replace(&mut self.lane(stream).opaque_told, true) {
                    return;
                }
            }
            _ => {}
        }
        ledger.remark(Remark {
            at: event.at,
            conn: Some(event.conn),
            leg: Some(event.leg),
            exchange,
            text: note.text.clone(),
        });
    }

    // --- items ---

    fn read(&mut self, at: Duration, seen: &mut Vec<Seen>, ledger: &mut Ledger) {
        for found in seen.drain(..) {
            let stream = found.stream;
            if !matches!(found.item, Item::Stray { .. }) {
                self.end_stray_run(stream, ledger);
            }
            match found.item {
                Item::Begin { offset } => self.begin(stream, found.exchange, offset, ledger),
                Item::Head { head, framing } => {
                    let known = self.find(stream, found.exchange);
                    match (known, stream) {
                        (None, _) => {}
                        (Some(slot), Stream::Requests) => self.request_head(slot, &head, ledger),
                        (Some(slot), Stream::Responses) => {
                            self.response_head(slot, &head, framing, ledger);
                        }
                    }
                }
                Item::Data { len, .. } | Item::Absent { len, .. } => {
                    self.content(stream, found.exchange, len, at, ledger);
                }
                Item::ChunkFraming { len, .. } => {
                    if let Some(message) = self.message(stream, found.exchange, ledger) {
                        message.body_wire = message.body_wire.saturating_add(len);
                    }
                }
                Item::End { ending, .. } => self.ended(stream, found.exchange, ending, at),
                Item::Stray { offset, len } => {
                    self.add_to_run(stream, RunKind::Stray, at, offset, len, ledger);
                }
                Item::Malformed { offset, what } => {
                    self.malformed(stream, found.exchange, offset, what, at, ledger);
                }
                Item::Opaque { offset, .. } => self.opaque(stream, offset, at, ledger),
            }
        }
        self.give_up_opaque();
        self.settle(at, ledger);
    }

    /// Finds the open exchange that an item belongs to.
    fn find(&self, stream: Stream, wire: Option<u64>) -> Option<usize> {
        if wire.is_none() && stream == Stream::Requests {
            return None;
        }
        self.open.iter().position(|open| open.wire == wire)
    }

    fn message<'l>(
        &self,
        stream: Stream,
        wire: Option<u64>,
        ledger: &'l mut Ledger,
    ) -> Option<&'l mut Message> {
        let open = self.open.get(self.find(stream, wire)?)?;
        let row = ledger.exchange(open.no)?;
        match stream {
            Stream::Requests => row.request.as_mut(),
            Stream::Responses => row.response.as_mut(),
        }
    }

    fn begin(&mut self, stream: Stream, wire: Option<u64>, offset: u64, ledger: &mut Ledger) {
        let (conn, at) = (self.locus.conn, self.lane(stream).at(offset));
        let message = Message {
            head: self.lane(stream).span(conn, offset, 0),
            body_offset: offset,
            body_wire: 0,
            body: 0,
            length: None,
        };
        match stream {
            Stream::Requests => self.open_row(wire, at, Some(message), ledger),
            Stream::Responses => {
                if wire.is_none() {
                    if !(self.joined || self.requests.torn || self.responses.torn) {
                        let text = format!(
                            "A response came that no request had asked for, at byte {offset} towards the client."
                        );
                        ledger.observe(at, conn, None, text);
                        return;
                    }
                    self.open_row(None, at, None, ledger);
                }
                let injected = self.injects.is_some_and(|from| offset >= from);
                let Some(open) = self.find(stream, wire).and_then(|slot| self.open.get_mut(slot))
                else {
                    return;
                };
                open.injected = injected;
                if injected {
                    self.injects = None;
                }
                if let Some(row) = ledger.exchange(open.no) {
                    row.response = Some(message);
                    row.times.response_begun = Some(at);
                }
            }
        }
    }

    fn open_row(
        &mut self,
        wire: Option<u64>,
        at: Duration,
        request: Option<Message>,
        ledger: &mut Ledger,
    ) {
        if wire.is_none() && request.is_some() {
            return;
        }
        let no = number(ledger.exchanges.len());
        let empty = ledger.texts.share("");
        let seen = request.is_some();
        ledger.exchanges.push(Exchange {
            no,
            conn: self.locus.conn,
            session: None,
            method: Text::clone(&empty),
            url: empty,
            packet: None,
            status: None,
            range: None,
            received: None,
            session_id: None,
            error: None,
            times: Times {
                begun: at,
                ..Times::default()
            },
            outcome: Outcome::InFlight,
            request,
            response: None,
        });
        if let Some(row) = ledger.connections.get_mut(self.row) {
            row.exchanges = row.exchanges.saturating_add(1);
        }
        self.open.push_back(Open {
            wire,
            no,
            request: Box::default(),
            ack: None,
            status: 0,
            session: None,
            requested: if seen { Half::Waiting } else { Half::Done },
            answered: if self.responses.ended {
                Half::Absent
            } else {
                Half::Waiting
            },
            headed: !seen,
            interim: false,
            injected: false,
            sent: 0,
            came: 0,
            lies: Lies::Nowhere,
        });
    }

    fn request_head(&mut self, slot: usize, head: &Head, ledger: &mut Ledger) {
        let request = bits::packet::read_request(head);
        let target = String::from_utf8_lossy(head.target().unwrap_or_default());
        let method = String::from_utf8_lossy(head.method().unwrap_or_default());
        let place = self.place(&target, request.host.as_deref(), ledger);
        let method = ledger.texts.share(&method);
        let session_id = request.session_id.as_deref().map(|id| ledger.texts.share(id));
        let Some(open) = self.open.get_mut(slot) else {
            return;
        };
        open.headed = true;
        let no = open.no;
        let mut packet = request.packet;
        let reply = ledger
            .upload_replying_at(&place)
            .filter(|_| !request.upload)
            .filter(|_| bits::packet::download_packet(method.as_bytes()).is_some());
        if reply.is_some() {
            packet = bits::packet::download_packet(method.as_bytes());
        }
        if let Some(row) = ledger.exchange(no) {
            row.method = method;
            row.url = Text::clone(&place.target);
            row.packet = packet;
            row.session_id = session_id;
            let asked = request.wanted.first().and_then(|range| {
                range.1.map(|last| bits::ContentRange {
                    first: range.0,
                    last,
                    total: None,
                })
            });
            row.range = request.range.or(asked.filter(|_| packet == Some(Packet::Get)));
            if let Some(message) = &mut row.request {
                fill(message, head);
            }
        }
        match packet {
            Some(Packet::Head | Packet::Get) => {
                let session = match reply {
                    Some(session) => {
                        ledger.join(no, session);
                        session
                    }
                    None => {
                        let session = ledger.download_begun(self.locus, no, &request, &place);
                        if !self.downloads.contains(&session) && self.downloads.len() < KEPT_DOWNLOADS {
                            self.downloads.push(session);
                            ledger.download_connected(session);
                        }
                        session
                    }
                };
                open.session = Some(session);
            }
            Some(Packet::Notification) => {
                let url = request.original_url.as_deref().unwrap_or_default();
                if let Some(session) = ledger.upload_of_notification(url) {
                    ledger.join(no, session);
                }
            }
            _ if request.upload => {
                ledger.upload_begun(&mut self.here, self.locus, no, &request, &place);
            }
            _ => {}
        }
        open.request = Box::new(Request { packet, ..request });
    }

    /// Returns where a request goes.
    fn place(&mut self, target: &str, host: Option<&str>, ledger: &mut Ledger) -> Place {
        if let Some((known_host, known)) = &self.last
            && known_host.as_deref() == host
            && known.target.as_ref() == target
        {
            return known.clone();
        }
        let (authority, path) = place::split(target);
        let authority = authority.or(host).map(str::to_ascii_lowercase);
        let row = ledger.connections.get(self.row);
        let address = || {
            row.and_then(|row| row.server)
                .map_or_else(String::new, |server| server.to_string())
        };
        let named = authority.unwrap_or_else(address);
        let found = Place {
            host: ledger.texts.share(&named),
            path: ledger.texts.share(path),
            target: ledger.texts.share(target),
        };
        let host = host.map(|host| ledger.texts.share(host));
        self.last = Some((host, found.clone()));
        found
    }

    fn response_head(&mut self, slot: usize, head: &Head, framing: Framing, ledger: &mut Ledger) {
        let status = head.status().unwrap_or_default();
        let Some(open) = self.open.get_mut(slot) else {
            return;
        };
        open.interim = (100..200).contains(&status) && status != 101;
        let Some(row) = ledger.exchange(open.no) else {
            return;
        };
        if let Some(message) = &mut row.response {
            fill(message, head);
        }
        if open.interim {
            return;
        }
        let ack = bits::packet::read_ack(head);
        row.status = Some(status);
        row.received = ack.received;
        row.error = ack.error.map(|code| WireError {
            code,
            context: ack.context,
        });
        if row.packet == Some(Packet::Get) {
            row.range = ack.range.or(row.range);
        }
        if row.session_id.is_none()
            && let Some(id) = ack.session_id.as_deref()
        {
            let id = ledger.texts.share(id);
            if let Some(row) = ledger.exchange(open.no) {
                row.session_id = Some(id);
            }
        }
        open.status = status;
        open.session = ledger.exchange(open.no).and_then(|row| row.session);
        if let (Some(session), Some(packet @ (Packet::Head | Packet::Get))) =
            (open.session, open.request.packet)
        {
            ledger.download_answering(session, packet, status, &ack);
            if packet == Packet::Get {
                open.lies = downloads::lies(status, &ack);
            }
        }
        open.ack = Some(Box::new(ack));
        if framing == Framing::Tunnel {
            open.answered = Half::Done;
        }
    }

    fn content(
        &mut self,
        stream: Stream,
        wire: Option<u64>,
        len: u64,
        at: Duration,
        ledger: &mut Ledger,
    ) {
        let Some(open) = self.find(stream, wire).and_then(|slot| self.open.get_mut(slot)) else {
            return;
        };
        let Some(row) = ledger.exchange(open.no) else {
            return;
        };
        let session = row.session;
        let message = match stream {
            Stream::Requests => row.request.as_mut(),
            Stream::Responses => row.response.as_mut(),
        };
        if let Some(message) = message {
            message.body = message.body.saturating_add(len);
            message.body_wire = message.body_wire.saturating_add(len);
        }
        let (before, packet) = match stream {
            Stream::Requests => (&mut open.sent, Packet::Fragment),
            Stream::Responses => (&mut open.came, Packet::Get),
        };
        let already = *before;
        *before = before.saturating_add(len);
        let Some(session) = session.filter(|_| open.request.packet == Some(packet)) else {
            return;
        };
        match stream {
            Stream::Requests => {
                let start = open.request.range.map(|range| range.first);
                ledger.upload_progress(session, start, already, len, at);
            }
            Stream::Responses => ledger.download_progress(session, open.lies, already, len, at),
        }
    }

    fn ended(&mut self, stream: Stream, wire: Option<u64>, ending: Ending, _at: Duration) {
        let Some(open) = self.find(stream, wire).and_then(|slot| self.open.get_mut(slot)) else {
            return;
        };
        let half = match ending {
            Ending::Complete | Ending::Closed | Ending::NextMessage => Half::Done,
            Ending::Cut => Half::Cut,
        };
        match stream {
            Stream::Requests => open.requested = half,
            Stream::Responses => open.answered = half,
        }
    }
}
