//! One connection: its conversation, and the exchanges that are not over.
//!
//! The client leg carries the exchanges; the upstream leg only says where we dialled, how long that
//! took and who ended it. Freed when both directions have closed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bits::Request;
use crate::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, Note, What};
use crate::wire::{Conversation, Seen, Stream};

use super::lane::{Lane, RunKind};
use super::ledger::{Ledger, Locus};
use super::login::Login;
use super::open::{Half, Open};
use super::place;
use super::row::{Remark, Text};
use super::twin::Twin;
use super::uploads::Here;
use super::wait;

/// Where a request goes, in comparable form, and its target as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Lower-cased host, else the address that was dialled.
    pub(super) host: Text,
    /// Path with query.
    pub(super) path: Text,
    pub(super) target: Text,
}

impl Place {
    /// Returns the host where the request names one.
    pub(super) fn named(&self, request: &Request) -> Option<&Text> {
        let named = request.host.is_some() || place::split(&self.target).0.is_some();
        named.then_some(&self.host)
    }
}

/// A connection that is not over.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a separate fact about the connection"
)]
pub(super) struct Live {
    pub(super) row: usize,
    pub(super) locus: Locus,
    pub(super) talk: Conversation,
    pub(super) requests: Lane,
    pub(super) responses: Lane,
    pub(super) open: VecDeque<Open>,
    /// Pings that are over and not judged yet, since their session is not known.
    pub(super) waiting: Vec<Open>,
    /// The exchanges that ended last: the conversation's number and ours.
    pub(super) recent: VecDeque<(u64, u32)>,
    /// An exchange may be over that is still among the open ones.
    pub(super) unsettled: bool,
    pub(super) here: Here,
    /// Downloads that this connection carried.
    pub(super) downloads: Vec<u32>,
    /// The place of the last request: the next one mostly goes there too.
    pub(super) last: Option<(Option<Text>, Place)>,
    pub(super) joined: bool,
    /// Bytes were missed since the exchanges before those in flight.
    pub(super) torn: bool,
    /// The client speaks TLS.
    pub(super) tls: bool,
    pub(super) login: Login,
    /// From this byte to the client on, the proxy answers itself.
    pub(super) injects: Option<u64>,
    pub(super) dialled: Option<Duration>,
    pub(super) has_upstream: bool,
    pub(super) upstream_ended: [bool; 2],
    /// The upstream leg.
    pub(super) twin: Option<Box<Twin>>,
    /// Who ended the connection first, for a sentence.
    pub(super) ended_by: Option<&'static str>,
}

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
            waiting: Vec::new(),
            recent: VecDeque::new(),
            unsettled: false,
            here: Here::default(),
            downloads: Vec::new(),
            last: None,
            joined,
            torn: false,
            tls: false,
            login: Login::default(),
            injects: None,
            dialled: None,
            has_upstream: false,
            upstream_ended: [false; 2],
            twin: None,
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
            Leg::Upstream => self.upstream(event, position, ledger),
            Leg::Client => self.client(event, position, seen, ledger),
        }
    }

    fn upstream(&mut self, event: &Event, position: u64, ledger: &mut Ledger) {
        let Some(row) = ledger.connections.get_mut(self.row) else {
            return;
        };
        match &event.what {
            What::Opening { server, .. } | What::Joined { server, .. } => {
                row.upstream = Some(*server);
                self.dialled = Some(event.at);
                self.has_upstream = true;
                self.upstream_ended = [false; 2];
                ledger.two_legs = true;
                self.settle_twin(true, ledger);
                let joined = matches!(event.what, What::Joined { .. });
                self.twin = Some(Twin::new(joined));
            }
            What::Opened => {
                let since = self.dialled.map(|dialled| event.at.saturating_sub(dialled));
                row.connect = row.connect.or(since);
            }
            What::Closed { direction, how } => {
                if self.ended_by.is_none() {
                    self.ended_by = Some(match (direction, how) {
                        (Direction::ToClient, Close::Fin) => "the server closed the connection",
                        (Direction::ToClient, Close::Reset) => "the server reset the connection",
                        // What the client had ended would have been told on its own leg before.
                        (Direction::ToServer, _) => "the proxy ended the connection",
                    });
                }
                let [to_server, to_client] = &mut self.upstream_ended;
                *to_server |= *direction == Direction::ToServer || *how == Close::Reset;
                *to_client |= *direction == Direction::ToClient || *how == Close::Reset;
                row.upstream_close = row.upstream_close.or(Some((*direction, *how)));
                let streams = ended(*direction, *how);
                if let Some(twin) = &mut self.twin {
                    twin.end(self.locus.conn, streams, &self.open);
                }
                self.settle_twin(false, ledger);
            }
            What::Data { direction, bytes } => {
                let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.pass_upstream(event.at, position, *direction, Some(bytes), len, ledger);
            }
            What::Missing { direction, len, .. } => {
                self.pass_upstream(event.at, position, *direction, None, *len, ledger);
            }
            What::Note(_) => {}
        }
    }

    fn pass_upstream(
        &mut self,
        at: Duration,
        position: u64,
        direction: Direction,
        bytes: Option<&[u8]>,
        len: u64,
        ledger: &mut Ledger,
    ) {
        let stream = stream_of(direction);
        let place = (self.locus.conn, at, position);
        if let Some(twin) = &mut self.twin {
            twin.take(stream, bytes, len, place, &self.open);
            if stream == Stream::Responses {
                self.settle_twin(false, ledger);
            }
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
                self.end_run(stream, |kind| kind != RunKind::Stray, ledger);
                seen.clear();
                self.talk.feed(stream, bytes, seen);
                self.read(at, bytes, seen, ledger);
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
                self.missing(stream, *len, *why, ledger);
                seen.clear();
                self.talk.skip(stream, *len, seen);
                if *why == Missing::NotSeen && stream == Stream::Responses {
                    self.unseen(seen, ledger);
                }
                self.read(at, &[], seen, ledger);
            }
            What::Closed { direction, how } => self.closed(at, *direction, *how, seen, ledger),
            What::Opened | What::Note(_) => {}
        }
    }

    pub(super) fn lane(&mut self, stream: Stream) -> &mut Lane {
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
        let stream = stream_of(direction);
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

    fn missing(&mut self, stream: Stream, len: u64, why: Missing, ledger: &mut Ledger) {
        self.torn |= why == Missing::NotSeen;
        let lane = self.lane(stream);
        lane.torn = true;
        let offset = lane.offset.saturating_sub(len);
        self.add_to_run(stream, RunKind::Missing(why), offset, len, ledger);
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
        for &stream in ended(direction, how) {
            self.end(stream, at, seen, ledger);
        }
        if self.requests.ended && self.responses.ended {
            if let Some(row) = ledger.connections.get_mut(self.row) {
                row.closed = row.closed.or(Some(at));
            }
            self.part(ledger);
            self.judge_waiting(ledger);
            let by_server = self.ended_by.is_some_and(|by| by.starts_with("the server"));
            ledger.findings.closed(self.locus.conn, by_server);
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
        self.read(at, &[], seen, ledger);
        self.end_run(stream, |_| true, ledger);
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
        self.unsettled = true;
        self.settle(at, ledger);
    }

    /// Ends the connection for its sessions.
    fn part(&mut self, ledger: &mut Ledger) {
        ledger.pings_over(&mut self.here, self.locus);
        let downloads = std::mem::take(&mut self.downloads);
        for session in self.here.sessions().chain(downloads.iter().copied()) {
            ledger.parted(session, self.locus.conn, self.ended_by);
        }
        for session in downloads {
            ledger.download_disconnected(session);
        }
    }

    /// Takes note that no event follows.
    pub(super) fn finish(&mut self, at: Duration, seen: &mut Vec<Seen>, ledger: &mut Ledger) {
        if self.requests.ended && self.responses.ended {
            self.settle_twin(true, ledger);
            return;
        }
        self.ended_by.get_or_insert(wait::CAPTURE_ENDS);
        self.end(Stream::Requests, at, seen, ledger);
        self.end(Stream::Responses, at, seen, ledger);
        self.settle_twin(true, ledger);
        self.part(ledger);
        self.judge_waiting(ledger);
    }

    fn note(&mut self, event: &Event, note: &Note, ledger: &mut Ledger) {
        let mut exchange = self.open.front().map(|open| open.no);
        let mut ruling = None;
        match &note.fact {
            Fact::Rule(fact) => {
                exchange = self.ruled(event.at, fact, ledger);
                ruling = Some(Box::new(ledger.ruling(fact)));
            }
            Fact::Rewrite(fact) => {
                exchange = self.numbered(fact.exchange);
                ledger.rewritten(exchange, fact);
                if fact.direction == Direction::ToServer {
                    // The same with each request: the rows and the heads show it.
                    return;
                }
            }
            Fact::Leak(fact) => {
                exchange = self.numbered(fact.exchange);
                ledger.leads_away(exchange, fact);
            }
            Fact::Answered { .. }
            | Fact::ConnectFailed {
                status: Some(_), ..
            } => {
                self.injects = Some(self.responses.offset);
            }
            Fact::Tls(_) => {
                self.login.sealed = true;
                if event.leg == Leg::Client {
                    self.tls = true;
                    if let Some(row) = ledger.connections.get_mut(self.row) {
                        row.tls = true;
                    }
                }
            }
            Fact::TimedOut { .. } | Fact::Closing { .. } if self.ended_by.is_none() => {
                self.ended_by = Some("the proxy ended the connection");
            }
            Fact::Opaque { direction, .. } if event.leg == Leg::Client => {
                let stream = stream_of(*direction);
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
            ruling,
        });
    }
}

const fn stream_of(direction: Direction) -> Stream {
    match direction {
        Direction::ToServer => Stream::Requests,
        Direction::ToClient => Stream::Responses,
    }
}

/// Returns what a close ends: a reset both directions.
const fn ended(direction: Direction, how: Close) -> &'static [Stream] {
    match (how, direction) {
        (Close::Reset, _) => &[Stream::Requests, Stream::Responses],
        (Close::Fin, Direction::ToServer) => &[Stream::Requests],
        (Close::Fin, Direction::ToClient) => &[Stream::Responses],
    }
}
