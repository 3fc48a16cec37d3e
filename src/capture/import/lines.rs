//! Recorded connections, synthesised: which exchange goes on which, and what happens when.
//!
//! Exchanges come in order of their requests and overlap; events must come in order of time. So what is
//! still to happen waits, and is given out until the next exchange begins. Exchanges that overlap on one
//! recorded connection (HTTP/2) get connections of their own.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use crate::event::{Close, ConnId, Direction, Event, Fact, Leg, Note, What};

use super::Ticket;
use super::entry::{Body, Ends, Entry, Part};
use super::fit::{self, Laid};
use super::pieces::{Due, Piece, Pieces};

/// All connections of a file.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lanes: HashMap<u32, Vec<Lane>>,
    /// How many exchanges of a recorded connection are still to come.
    left: HashMap<u32, usize>,
    pieces: Pieces,
    conns: u32,
    /// What is to be said on the next connection: how the file differs from what was on the wire.
    remarks: Vec<String>,
    said: HashSet<&'static str>,
}

/// One synthesised connection.
#[derive(Clone, Copy, Debug)]
struct Lane {
    conn: ConnId,
    upstream: bool,
    busy_until: u64,
    over: bool,
}

const OVERLAP: &str = "Exchanges overlap on one connection (HTTP/2?): each is shown as HTTP/1.1, \
                       on a connection of its own where need be.";

/// Moments are rounded in most files: so much overlap is none, in nanoseconds.
const SLACK: u64 = 2_000_000;

impl Lines {
    /// Counts what is to come. The first exchange of a connection is to be read when that is opened.
    pub(super) fn new(tickets: &mut [Ticket], remarks: Vec<String>) -> Self {
        let mut lines = Self {
            remarks,
            ..Self::default()
        };
        for ticket in &mut *tickets {
            let left = lines.left.entry(ticket.line).or_insert(0);
            if *left > 0 {
                ticket.opened = None;
            }
            *left += 1;
        }
        tickets.sort_by_key(Self::order);
        lines
    }

    /// Returns when an exchange has to be read.
    pub(super) fn order(ticket: &Ticket) -> u64 {
        ticket
            .opened
            .map_or(ticket.begun, |at| at.min(ticket.begun))
    }

    fn say(&mut self, text: &'static str) {
        if self.said.insert(text) {
            self.remarks.push(text.to_owned());
        }
    }

    /// Forgets what waits.
    pub(super) fn give_up(&mut self) {
        self.pieces = Pieces::default();
    }

    /// Returns the next event that is due before `next`, and a number for it.
    pub(super) fn pop(
        &mut self,
        next: Option<u64>,
        start_ns: u64,
    ) -> io::Result<Option<(Event, u64)>> {
        let Some((due, what)) = self.pieces.pop(next)? else {
            return Ok(None);
        };
        let event = Event {
            at: Duration::from_nanos(due.at.saturating_sub(start_ns)),
            conn: due.conn,
            leg: due.leg,
            what,
        };
        Ok(Some((event, self.pieces.given())))
    }

    /// Takes note that an exchange was left out.
    pub(super) fn pass(&mut self, ticket: &Ticket) {
        self.count_down(ticket.line);
    }

    /// Takes one exchange.
    pub(super) fn take(&mut self, ticket: &Ticket, entry: Entry) {
        let begun = ticket.begun;
        let at = self.lane(ticket, entry.ends, begun);
        let Some(mut lane) = self
            .lanes
            .get(&ticket.line)
            .and_then(|all| all.get(at))
            .copied()
        else {
            return;
        };
        let mut now = begun.max(lane.busy_until);
        for text in entry.notes {
            self.note(lane.conn, now, text);
        }
        let asked = entry.request.as_ref().map(|part| part.head.clone());
        let mut last = entry.ended;
        if let Some(part) = entry.request {
            let laid = fit::request(&part);
            // Only a response says that nothing follows; an unreadable request is one more matter.
            self.message(lane.conn, Direction::ToServer, &part, laid, &mut now);
        }
        if let Some(part) = entry.response {
            let laid = fit::response(&asked.unwrap_or_default(), &part);
            last |= laid.last && !part.head.is_empty();
            self.message(lane.conn, Direction::ToClient, &part, laid, &mut now);
        } else {
            last = true;
        }
        for text in std::mem::take(&mut self.remarks) {
            self.note(lane.conn, now, text);
        }
        lane.busy_until = now;
        lane.over = last;
        if last {
            self.close(lane);
        }
        if let Some(place) = self
            .lanes
            .get_mut(&ticket.line)
            .and_then(|all| all.get_mut(at))
        {
            *place = lane;
        }
        self.count_down(ticket.line);
    }

    fn note(&mut self, conn: ConnId, at: u64, text: String) {
        let fact = Fact::Other;
        let note = What::Note(Note { text, fact });
        self.put(conn, Leg::Client, at, Piece::What(note));
    }

    /// Finds a connection that is free at `begun`, or opens one.
    fn lane(&mut self, ticket: &Ticket, ends: Ends, begun: u64) -> usize {
        let lanes = self.lanes.entry(ticket.line).or_default();
        let free = |lane: &Lane| !lane.over && lane.busy_until <= begun.saturating_add(SLACK);
        if let Some(at) = lanes.iter().position(free) {
            return at;
        }
        let overlaps = lanes.iter().any(|lane| !lane.over);
        self.conns = self.conns.saturating_add(1);
        let lane = Lane {
            conn: ConnId(self.conns),
            upstream: ends.upstream.is_some(),
            busy_until: 0,
            over: false,
        };
        lanes.push(lane);
        let at = lanes.len().saturating_sub(1);
        if overlaps {
            self.say(OVERLAP);
        }
        let opened = Self::order(ticket);
        let nobody = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
        let mut begin = |leg, client, server| {
            let opening = What::Opening { client, server };
            self.put(lane.conn, leg, opened, Piece::What(opening));
            self.put(lane.conn, leg, opened, Piece::What(What::Opened));
        };
        begin(
            Leg::Client,
            ends.client.unwrap_or(nobody),
            ends.server.unwrap_or(nobody),
        );
        if let Some((client, server)) = ends.upstream {
            begin(Leg::Upstream, client, server);
        }
        at
    }

    /// Puts one message on a connection; `now` is the moment before it and becomes the one of its end.
    fn message(
        &mut self,
        conn: ConnId,
        direction: Direction,
        part: &Part,
        laid: Laid,
        now: &mut u64,
    ) {
        for text in laid.remarks {
            self.say(text);
        }
        let begun = part.begun.max(*now);
        let ended = part.ended.max(begun);
        *now = ended;
        let bytes = |bytes: Vec<u8>| Body::Bytes(bytes.into());
        let mut bodies = vec![bytes(laid.head), bytes(laid.before)];
        match laid.body {
            Some(Body::Parts(parts)) => bodies.extend(parts),
            body => bodies.extend(body),
        }
        bodies.push(Body::Gone(Some(laid.missing)));
        bodies.push(bytes(laid.after));
        bodies.retain(|body| body.len().is_some_and(|len| len > 0));
        if let [only] = bodies.as_slice()
            && ended > begun
            && let Some((first, rest)) = split_last(only)
        {
            bodies = vec![first, rest];
        }
        for (number, body) in bodies.into_iter().enumerate() {
            let at = if number == 0 { begun } else { ended };
            self.put(conn, Leg::Client, at, Piece::Bytes(direction, body));
        }
    }

    fn close(&mut self, lane: Lane) {
        let legs: &[Leg] = if lane.upstream {
            &[Leg::Client, Leg::Upstream]
        } else {
            &[Leg::Client]
        };
        for &leg in legs {
            for direction in [Direction::ToClient, Direction::ToServer] {
                let how = Close::Fin;
                let closed = What::Closed { direction, how };
                self.put(lane.conn, leg, lane.busy_until, Piece::What(closed));
            }
        }
    }

    /// Takes note that one exchange less is to come; behind the last one its connections end.
    fn count_down(&mut self, line: u32) {
        let Some(left) = self.left.get_mut(&line) else {
            return;
        };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return;
        }
        self.left.remove(&line);
        for lane in self.lanes.remove(&line).unwrap_or_default() {
            if !lane.over {
                self.close(lane);
            }
        }
    }

    fn put(&mut self, conn: ConnId, leg: Leg, at: u64, piece: Piece) {
        self.pieces.push(Due {
            at,
            conn,
            leg,
            piece,
        });
    }
}

/// Splits the last byte off, so that a message has a first and a last moment.
fn split_last(body: &Body) -> Option<(Body, Body)> {
    match body {
        Body::Bytes(bytes) if bytes.len() > 1 => {
            let mut first = bytes.clone();
            let rest = first.split_off(bytes.len() - 1);
            Some((Body::Bytes(first), Body::Bytes(rest)))
        }
        Body::Place { file, at, len } if *len > 1 => {
            let cut = len - 1;
            let part = |at, len| Body::Place {
                file: file.clone(),
                at,
                len,
            };
            Some((part(*at, cut), part(at.saturating_add(cut), 1)))
        }
        _ => None,
    }
}
