//! A dialogue between client and server that turns into events.
//!
//! A test reads as what was said, in order: lines with `> ` go to the server, lines with `< ` to the
//! client. Lines of a head get CRLF, an empty line ends the head, and a line that follows a head with
//! a Content-Length in the same direction is the body, without a line end. Each message takes a
//! millisecond.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use bitstap::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, Note, What};
use bitstap::timeline::{Exchange, Timeline};
use bytes::Bytes;

/// A dialogue under construction.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) events: Vec<Event>,
    now: Duration,
    conn: u32,
    last: u32,
}

impl Default for Talk {
    fn default() -> Self {
        Self::new()
    }
}

impl Talk {
    /// Starts a dialogue on connection 1.
    pub(crate) fn new() -> Self {
        let mut talk = Self::silent();
        talk.connect("10.0.0.5");
        talk
    }

    /// Starts a dialogue without any connection.
    pub(crate) fn silent() -> Self {
        Self {
            events: Vec::new(),
            now: Duration::ZERO,
            conn: 0,
            last: 0,
        }
    }

    /// Opens the next connection, from `client`, and goes on there.
    pub(crate) fn connect(&mut self, client: &str) -> &mut Self {
        let (client, server) = self.next_connection(client);
        self.push(Leg::Client, What::Opening { client, server });
        self.push(Leg::Client, What::Opened);
        self
    }

    /// Goes on with the next connection, whose start was not captured.
    pub(crate) fn join(&mut self, client: &str) -> &mut Self {
        let (client, server) = self.next_connection(client);
        self.push(Leg::Client, What::Joined { client, server });
        self
    }

    fn next_connection(&mut self, client: &str) -> (SocketAddr, SocketAddr) {
        self.last += 1;
        self.conn = self.last;
        let port = 50_000 + u16::try_from(self.conn).unwrap();
        let client = SocketAddr::new(client.parse().unwrap(), port);
        (client, "192.0.2.1:80".parse().unwrap())
    }

    /// Goes on with connection `conn`.
    pub(crate) fn on(&mut self, conn: u32) -> &mut Self {
        self.conn = conn;
        self
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// Adds something that happened on a leg of the current connection.
    pub(crate) fn push(&mut self, leg: Leg, what: What) -> &mut Self {
        self.events.push(Event {
            at: self.now,
            conn: ConnId(self.conn),
            leg,
            what,
        });
        self
    }

    /// Adds raw bytes in one direction of the client leg.
    pub(crate) fn bytes(&mut self, direction: Direction, bytes: &[u8]) -> &mut Self {
        self.now += Duration::from_millis(1);
        let bytes = Bytes::copy_from_slice(bytes);
        self.push(Leg::Client, What::Data { direction, bytes })
    }

    /// Adds what is said in `dialogue`.
    pub(crate) fn say(&mut self, dialogue: &str) -> &mut Self {
        let mut head = String::new();
        // Direction whose head has just ended and announced a body.
        let mut owes = None;
        for line in dialogue.lines().map(str::trim_start) {
            let (direction, text) = match line.split_at_checked(1) {
                Some((">", text)) => (Direction::ToServer, text),
                Some(("<", text)) => (Direction::ToClient, text),
                _ => continue,
            };
            let text = text.strip_prefix(' ').unwrap_or(text);
            if owes.take() == Some(direction) {
                self.bytes(direction, text.as_bytes());
                continue;
            }
            head.push_str(text);
            head.push_str("\r\n");
            if text.is_empty() {
                let announces = head.lines().any(|field| {
                    let (name, value) = field.split_once(':').unwrap_or_default();
                    name.eq_ignore_ascii_case("content-length") && value.trim() != "0"
                });
                owes = announces.then_some(direction);
                self.bytes(direction, head.as_bytes());
                head.clear();
            }
        }
        assert!(head.is_empty(), "a head without an empty line: {head}");
        self
    }

    /// Ends one direction of the client leg.
    pub(crate) fn close(&mut self, direction: Direction, how: Close) -> &mut Self {
        self.now += Duration::from_millis(1);
        self.push(Leg::Client, What::Closed { direction, how })
    }

    /// Ends both directions, the client first.
    pub(crate) fn hang_up(&mut self) -> &mut Self {
        self.close(Direction::ToServer, Close::Fin)
            .close(Direction::ToClient, Close::Fin)
    }

    /// Leaves out bytes of the client leg.
    pub(crate) fn missing(&mut self, direction: Direction, len: u64, why: Missing) -> &mut Self {
        self.push(
            Leg::Client,
            What::Missing {
                direction,
                len,
                why,
            },
        )
    }

    /// Adds a note on the client leg.
    pub(crate) fn note(&mut self, text: &str, fact: Fact) -> &mut Self {
        let text = text.to_owned();
        self.push(Leg::Client, What::Note(Note { text, fact }))
    }

    /// Returns the timeline of what was said so far, the end not told.
    pub(crate) fn so_far(&self) -> Timeline {
        timeline(&self.events)
    }

    /// Returns the timeline of all that was said.
    pub(crate) fn timeline(&self) -> Timeline {
        let mut timeline = self.so_far();
        timeline.finish();
        timeline
    }
}

/// Returns the timeline of `events`; an event's position is its index.
pub(crate) fn timeline(events: &[Event]) -> Timeline {
    let mut timeline = Timeline::new();
    for (position, event) in (0..).zip(events) {
        timeline.apply(event, position);
    }
    timeline
}

/// Returns the same events with every `Data` cut into pieces of the lengths that `lengths` tells.
pub(crate) fn cut(events: &[Event], mut lengths: impl FnMut() -> usize) -> Vec<Event> {
    let mut pieces = Vec::new();
    for event in events {
        let What::Data { direction, bytes } = &event.what else {
            pieces.push(event.clone());
            continue;
        };
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let len = lengths().clamp(1, rest.len());
            pieces.push(Event {
                what: What::Data {
                    direction: *direction,
                    bytes: rest.split_to(len),
                },
                ..event.clone()
            });
        }
    }
    pieces
}

/// Returns the rows of a timeline in one line each: number, connection, session, packet, status, range,
/// received, outcome.
pub(crate) fn rows(timeline: &Timeline) -> Vec<String> {
    timeline.exchanges().iter().map(row).collect()
}

fn row(exchange: &Exchange) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let range = exchange.range.map(|range| {
        let total = or_dash(range.total.map(|total| total.to_string()));
        format!("{}-{}/{total}", range.first, range.last)
    });
    format!(
        "{} c{} s{} {} {} {} {} {}",
        exchange.no,
        exchange.conn.0,
        or_dash(exchange.session.map(|session| session.to_string())),
        exchange
            .packet
            .map_or(&*exchange.method, |packet| packet.name()),
        or_dash(exchange.status.map(|status| status.to_string())),
        or_dash(range),
        or_dash(exchange.received.get().map(|received| received.to_string())),
        exchange.outcome.name(),
    )
}

/// Returns the sessions of a timeline in one line each: number, kind, state, acknowledged of total, sent,
/// resent, then exchanges, connections, restarts, rewinds, problems.
pub(crate) fn sessions(timeline: &Timeline) -> Vec<String> {
    let line = |session: &bitstap::timeline::Session| {
        let total = session
            .total
            .map_or_else(|| "?".to_owned(), |total| total.to_string());
        format!(
            "{} {} {} {}/{total} sent {} resent {} x{} c{} restarts {} rewinds {} problems {}",
            session.no,
            session.kind.name(),
            session.state.name(),
            session.acknowledged,
            session.sent,
            session.resent,
            session.exchanges,
            session.connections,
            session.restarts,
            session.rewinds,
            session.problems,
        )
    };
    timeline.sessions().iter().map(line).collect()
}
