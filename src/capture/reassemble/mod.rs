//! Anybody's TCP segments to events: loss, reorder, resend, wrap, missing start, reused ports.
//!
//! Streams that this program wrote say so and are taken as they stand; all others are put together
//! again. Knows no files and no link layers.

mod half;
mod ids;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::event::{Close, ConnId, Direction, Event, Leg, What};

use super::beside;
use super::header::{ACK, FIN, RST, SYN};
use super::link::Segment;
use super::mark::{Mark, Marks};
use half::Half;
use ids::Ids;

/// Finished streams are remembered so long that late packets find them; more than a writer remembers.
const REMEMBERED: usize = 8192;
/// Streams that may be open at once, before the quiet half of them is given up.
const OPEN: usize = 1 << 18;
/// Out-of-order bytes of all streams together.
const HELD: usize = 64 << 20;

type Ends = (SocketAddr, SocketAddr);

/// An event and the file offset of the block that it came from.
pub(super) type Placed = (Event, u64);

/// All TCP streams of a capture.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    streams: HashMap<Ends, Stream>,
    finished: VecDeque<(Ends, ConnId)>,
    ids: Ids,
    held: usize,
    out: VecDeque<Placed>,
    last: (Duration, u64),
}

#[derive(Debug)]
struct Stream {
    conn: ConnId,
    leg: Leg,
    client: SocketAddr,
    to_server: Half,
    to_client: Half,
    opened: bool,
    finished: bool,
    last: Duration,
}

/// When and where a packet was captured.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) at: Duration,
    pub(super) position: u64,
}

impl Reassembly {
    /// Returns the next event that is ready.
    pub(super) fn pop(&mut self) -> Option<Placed> {
        self.out.pop_front()
    }

    /// Takes the next segment of the file and what its comments say.
    pub(super) fn take(&mut self, segment: &Segment<'_>, marks: Marks, place: Place) {
        self.last = (place.at, place.position);
        let ends = sorted(segment.from, segment.to);
        if let Some(mark) = &marks.begin {
            self.begin_ours(ends, segment, mark, place);
        } else if !self.find_or_begin(ends, segment, place) {
            return;
        }
        let Some(stream) = self.streams.get_mut(&ends) else {
            return;
        };
        let before = stream.held();
        stream.last = place.at;
        let out = &mut self.out;
        stream.take(segment, marks, place, out);
        if self.held + stream.held() > HELD + before {
            stream.release(place, out);
        }
        self.held = (self.held + stream.held()).saturating_sub(before);
        if !stream.finished && stream.is_over() {
            stream.finished = true;
            let conn = stream.conn;
            self.remember(ends, conn);
        }
    }

    /// Takes notes that belong to no connection.
    pub(super) fn pass_by(&mut self, marks: Marks, place: Place) {
        self.last = (place.at, place.position);
        let (conn, leg) = beside::NOBODY;
        for note in marks.notes {
            self.push(conn, leg, place, What::Note(note));
        }
    }

    /// Takes note that the file ends: gives out what is kept and the holes at the ends.
    pub(super) fn finish(&mut self) {
        let mut rest: Vec<_> = self.streams.drain().map(|(_, stream)| stream).collect();
        rest.sort_by_key(|stream| (stream.conn, stream.leg));
        let (at, position) = self.last;
        for mut stream in rest {
            stream.end(Place { at, position }, &mut self.out);
        }
        self.finished.clear();
        self.held = 0;
    }

    /// Begins a stream as a mark of ours says.
    fn begin_ours(&mut self, ends: Ends, segment: &Segment<'_>, mark: &Mark, place: Place) {
        let leg = mark.leg.unwrap_or(Leg::Client);
        let conn = self.ids.stored(mark.start.as_deref(), mark.conn);
        let (client, server) = (segment.from, segment.to);
        let said = (mark.client.unwrap_or(client), mark.server.unwrap_or(server));
        let stream = Stream::new(conn, leg, client, true);
        self.insert(ends, stream, place);
        let (client, server) = said;
        if segment.flags & SYN != 0 {
            self.push(conn, leg, place, What::Opening { client, server });
        } else if mark.joined {
            self.push(conn, leg, place, What::Joined { client, server });
        }
    }

    /// Makes sure that there is a stream for the segment; `false` where it is not worth one.
    fn find_or_begin(&mut self, ends: Ends, segment: &Segment<'_>, place: Place) -> bool {
        let (from, to) = (segment.from, segment.to);
        let known = self.streams.get(&ends);
        if segment.flags & (SYN | ACK | RST) == SYN {
            if known.is_some_and(|stream| !stream.is_new_connection(segment)) {
                return true;
            }
            self.begin(ends, from, place);
            let what = What::Opening {
                client: from,
                server: to,
            };
            self.push_for(ends, place, what);
            return true;
        }
        if known.is_some() {
            return true;
        }
        let client = if segment.flags & (SYN | RST) == SYN {
            to
        } else if is_worth_joining(segment) {
            guess_client(segment)
        } else {
            return false;
        };
        let server = if client == from { to } else { from };
        self.begin(ends, client, place);
        self.push_for(ends, place, What::Joined { client, server });
        true
    }

    fn begin(&mut self, ends: Ends, client: SocketAddr, place: Place) {
        let conn = self.ids.fresh();
        self.insert(ends, Stream::new(conn, Leg::Client, client, false), place);
    }

    fn insert(&mut self, ends: Ends, stream: Stream, place: Place) {
        if self.streams.len() >= OPEN + self.finished.len() {
            self.give_up_quiet_ones(place);
        }
        if let Some(mut old) = self.streams.insert(ends, stream) {
            self.held = self.held.saturating_sub(old.held());
            old.end(place, &mut self.out);
        }
    }

    /// Keeps a finished stream for a while and forgets the oldest.
    fn remember(&mut self, ends: Ends, conn: ConnId) {
        self.finished.push_back((ends, conn));
        if self.finished.len() > REMEMBERED
            && let Some((old, conn)) = self.finished.pop_front()
            && self
                .streams
                .get(&old)
                .is_some_and(|old| old.conn == conn && old.finished)
        {
            self.streams.remove(&old);
        }
    }

    fn give_up_quiet_ones(&mut self, place: Place) {
        // Those that are quiet for longest; of one moment all, or this would be done again at once.
        let mut times: Vec<Duration> = self.streams.values().map(|stream| stream.last).collect();
        let middle = times.len() / 2;
        let (_, &mut limit, _) = times.select_nth_unstable(middle);
        let mut quiet: Vec<Ends> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.last <= limit)
            .map(|(ends, _)| *ends)
            .collect();
        quiet.sort_unstable();
        for ends in quiet {
            if let Some(mut stream) = self.streams.remove(&ends) {
                self.held = self.held.saturating_sub(stream.held());
                stream.end(place, &mut self.out);
            }
        }
    }

    fn push_for(&mut self, ends: Ends, place: Place, what: What) {
        if let Some(stream) = self.streams.get(&ends) {
            let (conn, leg) = (stream.conn, stream.leg);
            self.push(conn, leg, place, what);
        }
    }

    fn push(&mut self, conn: ConnId, leg: Leg, place: Place, what: What) {
        let at = place.at;
        let event = Event {
            at,
            conn,
            leg,
            what,
        };
        self.out.push_back((event, place.position));
    }
}

impl Stream {
    fn new(conn: ConnId, leg: Leg, client: SocketAddr, is_ours: bool) -> Self {
        Self {
            conn,
            leg,
            client,
            to_server: Half::new(Direction::ToServer, is_ours),
            to_client: Half::new(Direction::ToClient, is_ours),
            opened: false,
            finished: false,
            last: Duration::ZERO,
        }
    }

    fn take(
        &mut self,
        segment: &Segment<'_>,
        marks: Marks,
        place: Place,
        out: &mut VecDeque<Placed>,
    ) {
        let mut emit = emitter(self.conn, self.leg, place.at, out);
        let is_client = segment.from == self.client;
        let (own, other) = if is_client {
            (&mut self.to_server, &mut self.to_client)
        } else {
            (&mut self.to_client, &mut self.to_server)
        };
        let has = |flag| segment.flags & flag != 0;
        if has(ACK) && !has(RST) {
            other.acknowledge(segment.ack, &mut emit);
        }
        let mut seq = segment.seq;
        if has(SYN) {
            seq = seq.wrapping_add(1);
            own.begin(seq);
            if has(ACK) {
                other.begin(segment.ack);
                if !std::mem::replace(&mut self.opened, true) {
                    emit(What::Opened, place.position);
                }
            }
        }
        // A reset may explain itself in its payload; that is not part of the stream (RFC 9293 §3.5.2).
        if segment.len > 0 && !has(RST) {
            own.accept(seq, segment.payload, segment.len, place.position, &mut emit);
        }
        if let Some(len) = marks.not_seen {
            own.begin(seq);
            own.skip(len, place.position, &mut emit);
        }
        for note in marks.notes {
            emit(What::Note(note), place.position);
        }
        if has(FIN) && !has(RST) {
            own.finish(seq.wrapping_add(segment.len), place.position, &mut emit);
        }
        let both_ended = own.closed().is_some() && other.closed().is_some();
        if has(RST) && !both_ended && own.closed() != Some(Close::Reset) {
            own.reset(place.position, &mut emit);
        }
    }

    /// Tells whether a SYN belongs to another connection than this one.
    fn is_new_connection(&self, segment: &Segment<'_>) -> bool {
        let half = if segment.from == self.client {
            &self.to_server
        } else {
            &self.to_client
        };
        // Simultaneous open: the other end's first word is a SYN, too.
        let is_first = segment.from != self.client && !self.opened && half.is_silent();
        !half.begins_with(segment.seq.wrapping_add(1)) && !is_first
    }

    fn is_over(&self) -> bool {
        let is_reset = |half: &Half| half.closed() == Some(Close::Reset);
        let both = self.to_server.closed().is_some() && self.to_client.closed().is_some();
        both || is_reset(&self.to_server) || is_reset(&self.to_client)
    }

    fn held(&self) -> usize {
        self.to_server.held() + self.to_client.held()
    }

    fn end(&mut self, place: Place, out: &mut VecDeque<Placed>) {
        self.each(place, out, |half, position, emit| half.end(position, emit));
    }

    fn release(&mut self, place: Place, out: &mut VecDeque<Placed>) {
        self.each(place, out, |half, _, emit| half.release(emit));
    }

    fn each(
        &mut self,
        place: Place,
        out: &mut VecDeque<Placed>,
        act: impl Fn(&mut Half, u64, half::Emit<'_>),
    ) {
        let mut emit = emitter(self.conn, self.leg, place.at, out);
        act(&mut self.to_server, place.position, &mut emit);
        act(&mut self.to_client, place.position, &mut emit);
    }
}

/// Makes what turns happenings of one moment on one leg into events, each with its position.
fn emitter(
    conn: ConnId,
    leg: Leg,
    at: Duration,
    out: &mut VecDeque<Placed>,
) -> impl FnMut(What, u64) {
    move |what, position| {
        let event = Event {
            at,
            conn,
            leg,
            what,
        };
        out.push_back((event, position));
    }
}

/// Tells whether a segment of an unknown stream begins one: it needs content, and more than the one
/// zero byte of a keep-alive probe.
fn is_worth_joining(segment: &Segment<'_>) -> bool {
    segment.flags & RST == 0 && segment.len > 0 && segment.payload != [0]
}

/// Guesses who dialled, from what is said, then from the ports.
fn guess_client(segment: &Segment<'_>) -> SocketAddr {
    let (from, to) = (segment.from, segment.to);
    let word = segment.payload.iter().position(|byte| *byte == b' ');
    let word = word.and_then(|end| segment.payload.get(..end));
    if segment.payload.starts_with(b"HTTP/") {
        return to;
    }
    let is_method = |word: &[u8]| {
        (3..=20).contains(&word.len())
            && word
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
    };
    if word.is_some_and(is_method) {
        return from;
    }
    match (is_well_known(from.port()), is_well_known(to.port())) {
        (true, false) => to,
        (false, true) => from,
        _ if from.port() < to.port() => to,
        _ => from,
    }
}

fn is_well_known(port: u16) -> bool {
    port < 1024 || matches!(port, 8000 | 8005 | 8080 | 8443 | 8530 | 8531)
}

fn sorted(one: SocketAddr, other: SocketAddr) -> Ends {
    if one <= other {
        (one, other)
    } else {
        (other, one)
    }
}
