//! The upstream leg of a connection beside the client's: what of an exchange is not the same there.
//!
//! Nothing is kept of an exchange that both legs carried alike, and whose content the upstream leg has
//! by its length only; so memory grows with what rules and rewrites touched. An upstream request is
//! paired with the first open exchange that has its start line, else with the first open one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bits::Packet;
use crate::event::{ConnId, Leg};
use crate::wire::{Conversation, Head, Item, Seen, Stream};

use super::Timeline;
use super::connection::Live;
use super::findings::Heads;
use super::lane::Lane;
use super::ledger::{Ledger, slot};
use super::open::Open;
use super::row::{Exchange, Message, Outcome};

/// What the upstream leg has of an exchange, where that is not just what the client's leg has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    pub request: Option<Message>,
    pub response: Option<Message>,
    /// Content of the request, of the response is in the capture.
    pub kept: [bool; 2],
    /// Something on the leg could not be read as HTTP: what is missing here may have passed.
    pub unread: bool,
}

/// How the two legs of an exchange compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legs<'t> {
    /// Recorded by somebody who saw one leg only.
    One,
    /// The proxy never had a connection upstream for it.
    Nowhere,
    /// It is not over.
    Pending,
    /// Heads are equal byte by byte, content is equally long and was not kept a second time.
    Same,
    /// The request was not passed on, though the connection had an upstream.
    Withheld,
    Other(&'t Upstream),
}

/// Upstream exchanges of one connection that may be open at a time.
const KEPT: usize = 4096;

/// The upstream leg of a connection that is not over.
#[derive(Debug)]
pub(super) struct Twin {
    talk: Conversation,
    requests: Lane,
    responses: Lane,
    pairs: VecDeque<Pair>,
    /// Number of the exchange that was paired last.
    latest: u32,
    unread: bool,
}

/// An exchange on both legs.
#[derive(Debug)]
struct Pair {
    no: u32,
    /// The upstream conversation's number of it.
    wire: Option<u64>,
    upstream: Upstream,
    heads: Heads,
    /// The client's heads, once the exchange is over there.
    client: Option<Heads>,
    over: bool,
}

impl Twin {
    pub(super) fn new(joined: bool) -> Box<Self> {
        Box::new(Self {
            talk: if joined {
                Conversation::joined()
            } else {
                Conversation::new()
            },
            requests: Lane::new(Stream::Requests),
            responses: Lane::new(Stream::Responses),
            pairs: VecDeque::new(),
            latest: 0,
            unread: false,
        })
    }

    fn lane(&mut self, stream: Stream) -> &mut Lane {
        match stream {
            Stream::Requests => &mut self.requests,
            Stream::Responses => &mut self.responses,
        }
    }

    fn pair(&mut self, wire: Option<u64>) -> Option<&mut Pair> {
        // They are numbered in the order in which they begin.
        let at = self.pairs.partition_point(|pair| pair.wire < wire);
        self.pairs.get_mut(at).filter(|pair| pair.wire == wire)
    }

    /// Takes bytes of one direction; `None` stands for bytes that are not in the capture.
    pub(super) fn take(
        &mut self,
        stream: Stream,
        bytes: Option<&[u8]>,
        len: u64,
        (conn, at, position): (ConnId, Duration, u64),
        open: &VecDeque<Open>,
    ) {
        let settled = self.talk.decoder(stream).settled();
        let lane = self.lane(stream);
        if lane.ended {
            return;
        }
        lane.hold(settled, position, at, len);
        let mut seen = Vec::new();
        match bytes {
            Some(bytes) => self.talk.feed(stream, bytes, &mut seen),
            None => self.talk.skip(stream, len, &mut seen),
        }
        self.read(conn, seen, open);
    }

    fn read(&mut self, conn: ConnId, seen: Vec<Seen>, open: &VecDeque<Open>) {
        for Seen {
            stream,
            exchange,
            item,
        } in seen
        {
            match item {
                Item::Begin { offset } => self.begin(conn, stream, exchange, offset),
                Item::Head { head, .. } => self.head(stream, exchange, head, open),
                Item::Data { len, .. } => self.content(stream, exchange, len, true),
                Item::Absent { len, .. } | Item::ChunkFraming { len, .. } => {
                    self.content(stream, exchange, len, false);
                }
                Item::End { .. } => {
                    if let Some(pair) = self.pair(exchange)
                        && stream == Stream::Responses
                    {
                        let interim = pair.heads.response.as_deref().and_then(Head::status);
                        if interim.is_some_and(|status| (100..200).contains(&status)) {
                            pair.heads.response = None;
                            pair.upstream.response = None;
                        } else {
                            pair.over = true;
                        }
                    }
                }
                Item::Malformed { .. } | Item::Opaque { .. } => self.unread = true,
                Item::Stray { .. } => {}
            }
        }
    }

    fn begin(&mut self, conn: ConnId, stream: Stream, wire: Option<u64>, offset: u64) {
        let mut span = self.lane(stream).span(conn, offset, 0);
        span.leg = Leg::Upstream;
        let message = Message::new(span);
        match stream {
            Stream::Requests if wire.is_none() => {}
            Stream::Requests => {
                if self.pairs.len() >= KEPT {
                    self.pairs.pop_front();
                }
                self.pairs.push_back(Pair {
                    // Not known before the head is.
                    no: 0,
                    wire,
                    upstream: Upstream {
                        request: Some(message),
                        ..Upstream::default()
                    },
                    heads: Heads::default(),
                    client: None,
                    over: false,
                });
            }
            Stream::Responses => {
                if let Some(pair) = self.pair(wire) {
                    pair.upstream.response = Some(message);
                }
            }
        }
    }

    fn head(&mut self, stream: Stream, wire: Option<u64>, head: Head, open: &VecDeque<Open>) {
        let no = match stream {
            Stream::Requests => self.partner(&head, open),
            Stream::Responses => 0,
        };
        self.latest = self.latest.max(no);
        let Some(pair) = self.pair(wire) else {
            return;
        };
        let len = u64::try_from(head.raw.len()).unwrap_or(u64::MAX);
        let (message, kept) = match stream {
            Stream::Requests => {
                pair.no = no;
                (&mut pair.upstream.request, &mut pair.heads.request)
            }
            Stream::Responses => (&mut pair.upstream.response, &mut pair.heads.response),
        };
        if let Some(message) = message {
            message.head.len = len;
        }
        *kept = Some(Box::new(head));
    }

    /// Returns the number of the open exchange that a request upstream belongs to, 0 for none.
    fn partner(&self, head: &Head, open: &VecDeque<Open>) -> u32 {
        // Requests are passed on in their order.
        let free = |open: &&Open| open.no > self.latest;
        let alike = |open: &&Open| {
            let other = open.heads.request.as_deref();
            other.is_some_and(|other| {
                other.method() == head.method() && other.target() == head.target()
            })
        };
        let found = open.iter().filter(free).find(alike);
        found
            .or_else(|| open.iter().find(free))
            .map_or(0, |open| open.no)
    }

    fn content(&mut self, stream: Stream, wire: Option<u64>, len: u64, kept: bool) {
        let Some(pair) = self.pair(wire) else {
            return;
        };
        let [request, response] = &mut pair.upstream.kept;
        let (message, whole) = match stream {
            Stream::Requests => (&mut pair.upstream.request, request),
            Stream::Responses => (&mut pair.upstream.response, response),
        };
        *whole |= kept;
        if let Some(message) = message {
            message.body_wire = message.body_wire.saturating_add(len);
            message.body = message.body.saturating_add(len);
        }
    }

    /// Ends one direction, or both.
    pub(super) fn end(&mut self, conn: ConnId, streams: &[Stream], open: &VecDeque<Open>) {
        for &stream in streams {
            if std::mem::replace(&mut self.lane(stream).ended, true) {
                continue;
            }
            let mut seen = Vec::new();
            self.talk.finish(stream, &mut seen);
            self.read(conn, seen, open);
        }
        if self.responses.ended {
            for pair in &mut self.pairs {
                pair.over = true;
            }
        }
    }

    /// Tells whether the server's answer in an exchange begins with another head than `client`.
    pub(super) fn answered_otherwise(&self, no: u32, client: &Head) -> bool {
        let pair = self.pairs.iter().find(|pair| pair.no == no);
        let server = pair.and_then(|pair| pair.heads.response.as_deref());
        server.is_some_and(|server| server.raw != client.raw)
    }

    fn is_paired(&self, no: u32) -> bool {
        self.pairs.iter().any(|pair| pair.no == no)
    }

    /// Judges the exchanges that are over on both legs; `all` tells that nothing more comes.
    fn settle(&mut self, all: bool, ledger: &mut Ledger) {
        let unread = self.unread;
        // They end in the order in which they begin, too.
        while let Some(pair) = self.pairs.front_mut() {
            let over = all || (pair.over && (pair.client.is_some() || pair.no == 0));
            if !over {
                return;
            }
            if let Some(client) = pair.client.take() {
                pair.upstream.unread = unread;
                pair.judge(&client, ledger);
            }
            self.pairs.pop_front();
        }
    }
}

impl Pair {
    /// Keeps what the upstream leg has where that is not what the client's leg has.
    fn judge(&self, client: &Heads, ledger: &mut Ledger) {
        let Some(row) = slot(self.no).and_then(|at| ledger.exchanges.get(at)) else {
            return;
        };
        let raw = |head: &Option<Box<Head>>| head.as_ref().map(|head| head.raw.clone());
        let wire = |message: &Option<Message>| message.as_ref().map(|message| message.body_wire);
        let upstream = &self.upstream;
        let same = raw(&client.request) == raw(&self.heads.request)
            && raw(&client.response) == raw(&self.heads.response)
            && wire(&row.request) == wire(&upstream.request)
            && wire(&row.response) == wire(&upstream.response);
        let asked_for = !row.faults.is_empty() || !row.rewrites.is_empty();
        let place = (self.no, row.session, row.conn.0);
        let packet = row
            .packet
            .filter(|packet| matches!(packet, Packet::Head | Packet::Get));
        let whole = row.outcome == Outcome::Complete && !upstream.unread;
        if !same || upstream.kept != [false; 2] {
            ledger.upstreams.insert(self.no, *upstream);
        }
        if let (Some(packet), Some(server), Some(client)) =
            (packet, &self.heads.response, &client.response)
            && whole
            && !asked_for
        {
            ledger.findings.relayed(place, packet, server, client);
        }
    }
}

impl Live {
    /// Hands an exchange that is over on the client's leg to its twin.
    pub(super) fn part_twins(&mut self, no: u32, heads: Heads, ledger: &mut Ledger) {
        let Some(twin) = &mut self.twin else {
            return;
        };
        if !twin.is_paired(no) {
            let unread = twin.unread;
            let nothing = Upstream {
                unread,
                ..Upstream::default()
            };
            ledger.upstreams.insert(no, nothing);
            return;
        }
        for pair in &mut twin.pairs {
            if pair.no == no {
                pair.client = Some(heads);
                break;
            }
        }
        twin.settle(false, ledger);
    }

    /// Judges what the twin still holds.
    pub(super) fn settle_twin(&mut self, all: bool, ledger: &mut Ledger) {
        if let Some(twin) = &mut self.twin {
            twin.settle(all, ledger);
        }
    }
}

impl Timeline {
    /// Tells how the two legs of an exchange compare.
    pub fn legs(&self, exchange: &Exchange) -> Legs<'_> {
        if let Some(upstream) = self.ledger.upstreams.get(&exchange.no) {
            return match upstream {
                Upstream {
                    request: None,
                    unread: false,
                    ..
                } => Legs::Withheld,
                upstream => Legs::Other(upstream),
            };
        }
        if !self.ledger.two_legs && exchange.outcome != Outcome::Injected {
            return Legs::One;
        }
        let connection = self.connection(exchange.conn);
        if connection.is_none_or(|connection| connection.upstream.is_none()) {
            return Legs::Nowhere;
        }
        let twin = self
            .live
            .get(&exchange.conn)
            .and_then(|it| it.twin.as_ref());
        let waits = twin.is_some_and(|twin| twin.is_paired(exchange.no));
        if waits || exchange.outcome == Outcome::InFlight {
            return Legs::Pending;
        }
        Legs::Same
    }
}
