//! The items of a conversation become rows: one exchange at a time, from its first byte to its end.

use std::time::Duration;

use crate::bits::multipart::Parts;
use crate::bits::{self, Auth, Packet, Request};
use crate::wire::{Ending, Framing, Head, Item, Seen, Stream};

use super::connection::{Live, Place};
use super::digest::Digest;
use super::downloads::{self, Lies};
use super::findings::Heads;
use super::lane::RunKind;
use super::ledger::{Ledger, number};
use super::open::{Half, Open};
use super::place;
use super::row::{Exchange, Faults, MaybeOffset, Message, Outcome, Pieces, Text, Times, WireError};

/// How many downloads one connection remembers.
const KEPT_DOWNLOADS: usize = 64;

/// How many exchanges of one connection may be open at a time.
const KEPT_OPEN: usize = 4096;

impl Live {
    /// Takes items; those of content lie in `fresh`, the bytes that came just now.
    pub(super) fn read(
        &mut self,
        at: Duration,
        fresh: &[u8],
        seen: &mut Vec<Seen>,
        ledger: &mut Ledger,
    ) {
        for found in seen.drain(..) {
            let stream = found.stream;
            if !matches!(found.item, Item::Stray { .. }) {
                self.end_run(stream, |kind| kind == RunKind::Stray, ledger);
            }
            match found.item {
                Item::Begin { offset } => self.begin(stream, found.exchange, offset, ledger),
                Item::Head { head, framing } => {
                    let known = self.find(stream, found.exchange);
                    match (known, stream) {
                        (None, _) => {}
                        (Some(slot), Stream::Requests) => {
                            self.request_head(slot, &head, ledger);
                            self.keep_head(slot, stream, head);
                        }
                        (Some(slot), Stream::Responses) => {
                            self.response_head(slot, &head, framing, ledger);
                            self.keep_head(slot, stream, head);
                        }
                    }
                }
                Item::Data { offset, len } => {
                    let bytes = self.slice(stream, fresh, offset, len);
                    self.content(stream, found.exchange, len, at, ledger);
                    self.look_into(stream, found.exchange, len, bytes);
                }
                Item::Absent { len, .. } => {
                    self.content(stream, found.exchange, len, at, ledger);
                    self.look_into(stream, found.exchange, len, None);
                }
                Item::ChunkFraming { len, .. } => {
                    if let Some(message) = self.message(stream, found.exchange, ledger) {
                        message.body_wire = message.body_wire.saturating_add(len);
                    }
                }
                Item::End { ending, .. } => {
                    self.ended(stream, found.exchange, ending, at, ledger);
                }
                Item::Stray { offset, len } => {
                    self.add_to_run(stream, RunKind::Stray, offset, len, ledger);
                }
                Item::Malformed { offset, what } => {
                    self.malformed(stream, found.exchange, offset, what, ledger);
                }
                Item::Opaque { offset, .. } => self.opaque(stream, offset, ledger),
            }
            self.settle(at, ledger);
        }
        self.give_up_opaque();
        self.settle(at, ledger);
    }

    /// Finds the open exchange that an item belongs to.
    pub(super) fn find(&self, stream: Stream, wire: Option<u64>) -> Option<usize> {
        if wire.is_none() && stream == Stream::Requests {
            return None;
        }
        match stream {
            Stream::Requests => self.open.iter().rposition(|open| open.wire == wire),
            Stream::Responses => self.open.iter().position(|open| open.wire == wire),
        }
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
        let message = Message::new(self.lane(stream).span(conn, offset, 0));
        match stream {
            Stream::Requests => self.open_row(wire, at, Some(message), ledger),
            Stream::Responses => {
                if wire.is_none() {
                    if !(self.joined || self.requests.torn || self.responses.torn) {
                        let text = format!(
                            "A response came that no request had asked for, at byte {offset} towards the client."
                        );
                        ledger.observe(at, conn, None, text);
                        self.judge_waiting(ledger);
                        ledger.findings.unsolicited(conn, None);
                        return;
                    }
                    self.open_row(None, at, None, ledger);
                }
                self.pass_over(wire);
                let injected = self.injects.is_some_and(|from| offset >= from);
                let Some(open) = self
                    .find(stream, wire)
                    .and_then(|slot| self.open.get_mut(slot))
                else {
                    return;
                };
                open.injected = injected;
                if injected {
                    self.injects = None;
                }
                if let Some(row) = ledger.exchange(open.no) {
                    row.response = Some(message);
                    row.times.change(|times| times.response_begun = Some(at));
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
        if self.open.len() >= KEPT_OPEN
            && let Some(open) = self.open.pop_front()
        {
            // Nobody pairs answers with so many requests any more.
            self.close_row(open, at, ledger);
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
            received: MaybeOffset::default(),
            session_id: None,
            error: None,
            auth: None,
            times: Times {
                begun: at,
                ..Times::default()
            }
            .into(),
            outcome: Outcome::InFlight,
            parts: Pieces::default(),
            request,
            response: None,
            faults: Faults::default(),
            rewrites: Faults::default(),
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
            field_told: false,
            sent: 0,
            came: 0,
            lies: Lies::Nowhere,
            digest: Digest::default(),
            parts: None,
            heads: Heads::default(),
        });
    }

    fn request_head(&mut self, slot: usize, head: &Head, ledger: &mut Ledger) {
        let request = bits::packet::read_request(head);
        let target = String::from_utf8_lossy(head.target().unwrap_or_default());
        let method = String::from_utf8_lossy(head.method().unwrap_or_default());
        let place = self.place(&target, request.host.as_deref(), ledger);
        let method = ledger.texts.share(&method);
        let session_id = request
            .session_id
            .as_deref()
            .map(|id| ledger.texts.share(id));
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
            row.auth = Auth::read(Some(head), None);
            let asked = request.wanted.first().and_then(|range| {
                range.1.map(|last| bits::ContentRange {
                    first: range.0,
                    last,
                    total: None,
                })
            });
            row.range = request
                .range
                .or_else(|| asked.filter(|_| packet == Some(Packet::Get)));
            if let Some(message) = &mut row.request {
                fill(message, head);
            }
        }
        match packet {
            Some(Packet::Head | Packet::Get) => {
                let session = if let Some(session) = reply {
                    ledger.join(no, session);
                    session
                } else {
                    let session = ledger.download_begun(self.locus, no, &request, &place);
                    if !self.downloads.contains(&session) && self.downloads.len() < KEPT_DOWNLOADS {
                        self.downloads.push(session);
                        ledger.download_connected(session);
                    }
                    session
                };
                open.session = Some(session);
            }
            Some(Packet::Notification) => {
                if let Some(session) = ledger.upload_of_notification(&request) {
                    ledger.join(no, session);
                }
            }
            _ if request.upload => {
                ledger.upload_begun(&mut self.here, self.locus, no, &request, &place);
            }
            _ => {}
        }
        *open.request = Request { packet, ..request };
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
        if let Some(message) = row.response.as_mut().filter(|_| ack.peerdist) {
            message.set_hashes();
        }
        row.status = Some(status);
        row.auth = Auth::read(open.heads.request.as_deref(), Some(head));
        row.received = ack.received.into();
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
            if (300..400).contains(&status) {
                ledger.download_redirected(session, self.locus, &ack);
            }
            if packet == Packet::Get {
                open.lies = downloads::lies(status, &ack);
                open.parts = (open.lies == Lies::Parts).then(|| {
                    let kind = head.value("content-type").unwrap_or_default();
                    Box::new(Parts::new(kind))
                });
            }
        }
        open.ack = Some(Box::new(ack));
        if framing == Framing::Tunnel {
            open.answered = Half::Done;
            self.unsettled = true;
        }
    }

    fn ended(
        &mut self,
        stream: Stream,
        wire: Option<u64>,
        ending: Ending,
        at: Duration,
        ledger: &mut Ledger,
    ) {
        let Some(open) = self
            .find(stream, wire)
            .and_then(|slot| self.open.get_mut(slot))
        else {
            return;
        };
        if stream == Stream::Responses && open.interim {
            // 1xx: the answer is still to come. RFC 9110 §15.2
            open.interim = false;
            if let Some(row) = ledger.exchange(open.no) {
                row.response = None;
                row.times.change(|times| times.response_begun = None);
            }
            return;
        }
        let half = match ending {
            Ending::Complete | Ending::Closed | Ending::NextMessage => Half::Done,
            Ending::Cut => Half::Cut,
        };
        self.unsettled = true;
        match stream {
            Stream::Requests => {
                open.requested = half;
                if let Some(row) = ledger.exchange(open.no).filter(|_| half == Half::Done) {
                    row.times.change(|times| times.request_end = Some(at));
                }
            }
            Stream::Responses => open.answered = half,
        }
    }

    /// Takes note that the response to `wire` begins: what was asked before it is answered no more.
    fn pass_over(&mut self, wire: Option<u64>) {
        let Some(wire) = wire else {
            return;
        };
        for open in &mut self.open {
            if open.wire.is_some_and(|other| other >= wire) {
                break;
            }
            if open.wire.is_some() && open.answered == Half::Waiting {
                open.answered = Half::Absent;
                self.unsettled = true;
            }
        }
    }

    /// Shows of a head that is not complete what there is of it.
    pub(super) fn show_partial_head(&mut self, stream: Stream, ledger: &mut Ledger) {
        let offset = self.lane(stream).offset;
        let open = match stream {
            Stream::Requests => self.open.back(),
            Stream::Responses => self.open.iter().find(|open| open.answered == Half::Waiting),
        };
        let reading = |open: &&Open| match stream {
            Stream::Requests => open.requested == Half::Waiting,
            Stream::Responses => !open.interim,
        };
        if let Some(open) = open.filter(reading) {
            open.cut_head(stream, offset, ledger);
        }
    }
}

/// Fills in what a complete head says of its message.
fn fill(message: &mut Message, head: &Head) {
    let len = u64::try_from(head.raw.len()).unwrap_or(u64::MAX);
    message.head.len = len;
    message.set_length(head.value("content-length").and_then(bits::header::offset));
}
