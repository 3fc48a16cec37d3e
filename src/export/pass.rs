//! Events in, fewer or other events out: only chosen exchanges, and nothing that is to be masked.
//!
//! Message by message: bytes wait until it is known what they are, then they go on with the moments that
//! they came with. What cannot be read as HTTP cannot be masked either: it passes as bytes that were not
//! kept. Lengths and places stay as they are, unless exchanges are left out.

use std::collections::{HashMap, HashSet};

use crate::event::{Close, ConnId, Direction, Event, Leg, What};
use crate::timeline::Timeline;
use crate::wire::{Conversation, Head, Item, Seen, Stream};

use super::lane::{Content, Lane, Out, Verdict};
use super::mask::Mask;

/// Which exchanges pass.
#[derive(Clone, Debug, Default)]
pub struct Pick {
    chosen: HashSet<u32>,
    /// Each connection's exchanges whose request was seen, in order.
    requests: HashMap<ConnId, Vec<u32>>,
    /// Connections of which nothing is left out.
    whole: HashSet<ConnId>,
}

impl Pick {
    /// Makes a choice among the exchanges of `timeline`.
    pub fn new(timeline: &Timeline, chosen: HashSet<u32>) -> Self {
        let mut pick = Self::default();
        let mut left_out = HashSet::new();
        for row in timeline.exchanges() {
            if row.request.is_some() {
                pick.requests.entry(row.conn).or_default().push(row.no);
            }
            if chosen.contains(&row.no) {
                pick.whole.insert(row.conn);
            } else {
                left_out.insert(row.conn);
            }
        }
        pick.whole.retain(|conn| !left_out.contains(conn));
        pick.chosen = chosen;
        pick
    }

    fn takes(&self, conn: ConnId, wire: Option<u64>) -> bool {
        let numbers = self.requests.get(&conn);
        let at = wire.and_then(|wire| usize::try_from(wire).ok());
        at.zip(numbers)
            .and_then(|(at, numbers)| numbers.get(at))
            .is_some_and(|no| self.chosen.contains(no))
    }

    /// Tells whether any exchange of the connection passes.
    fn touches(&self, conn: ConnId) -> bool {
        let numbers = self.requests.get(&conn);
        self.whole.contains(&conn)
            || numbers.is_some_and(|all| all.iter().any(|no| self.chosen.contains(no)))
    }
}

/// Lets events through.
#[derive(Debug, Default)]
pub struct Pass {
    pick: Option<Pick>,
    mask: Option<Mask>,
    live: HashMap<(ConnId, Leg), Live>,
    /// Legs that ended in both directions.
    over: HashSet<(ConnId, Leg)>,
    seen: Vec<Seen>,
}

/// One leg of a connection.
#[derive(Debug)]
struct Live {
    talk: Conversation,
    requests: Lane,
    responses: Lane,
}

impl Pass {
    /// Makes a pass; without `pick` every exchange passes, without `mask` as it was.
    pub fn new(pick: Option<Pick>, mask: Option<Mask>) -> Self {
        Self {
            pick,
            mask,
            ..Self::default()
        }
    }

    /// Tells whether events pass as they are.
    pub fn is_clear(&self) -> bool {
        self.pick.is_none() && self.mask.is_none()
    }

    /// Takes one event and adds what passes to `out`.
    pub fn apply(&mut self, event: &Event, out: &mut Vec<Event>) {
        if self.is_clear() {
            out.push(event.clone());
            return;
        }
        let conn = event.conn;
        let whole = self
            .pick
            .as_ref()
            .is_none_or(|pick| pick.whole.contains(&conn));
        if self.pick.as_ref().is_some_and(|pick| !pick.touches(conn)) {
            return;
        }
        if whole && self.mask.is_none() {
            out.push(event.clone());
            return;
        }
        match &event.what {
            What::Data { direction, bytes } => {
                self.content(event, *direction, &Content::Bytes(bytes.clone()), out);
            }
            What::Missing {
                direction,
                len,
                why,
            } => self.content(event, *direction, &Content::Gone(*len, *why), out),
            What::Closed { direction, how } => {
                let both = [Direction::ToServer, Direction::ToClient];
                let ended = match how {
                    Close::Reset => both.to_vec(),
                    Close::Fin => vec![*direction],
                };
                for direction in ended {
                    self.end((conn, event.leg), direction, out);
                }
                out.push(event.clone());
                self.forget((conn, event.leg));
            }
            What::Note(note) => {
                let note = match &self.mask {
                    Some(mask) => mask.note(note),
                    None => note.clone(),
                };
                out.push(with(event, What::Note(note)));
            }
            What::Opening { client, server } => {
                self.over.remove(&(conn, event.leg));
                self.live.remove(&(conn, event.leg));
                self.live(event, Conversation::new());
                let (client, server) = self.ends(*client, *server);
                out.push(with(event, What::Opening { client, server }));
            }
            What::Joined { client, server } => {
                self.over.remove(&(conn, event.leg));
                self.live.remove(&(conn, event.leg));
                let (client, server) = self.ends(*client, *server);
                out.push(with(event, What::Joined { client, server }));
            }
            What::Opened => out.push(event.clone()),
        }
    }

    /// Takes note that no event follows.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let mut left: Vec<(ConnId, Leg)> = self.live.keys().copied().collect();
        left.sort_by_key(|(conn, leg)| (*conn, *leg == Leg::Upstream));
        for key in left {
            for direction in [Direction::ToServer, Direction::ToClient] {
                self.end(key, direction, out);
            }
        }
    }

    fn ends(
        &self,
        client: std::net::SocketAddr,
        server: std::net::SocketAddr,
    ) -> (std::net::SocketAddr, std::net::SocketAddr) {
        match &self.mask {
            Some(mask) => (mask.address(client), mask.address(server)),
            None => (client, server),
        }
    }

    fn live(&mut self, event: &Event, talk: Conversation) -> &mut Live {
        self.live
            .entry((event.conn, event.leg))
            .or_insert_with(|| Live {
                talk,
                requests: Lane::default(),
                responses: Lane::default(),
            })
    }

    fn content(
        &mut self,
        event: &Event,
        direction: Direction,
        content: &Content,
        out: &mut Vec<Event>,
    ) {
        // Where exchanges are left out, what the upstream leg repeats of them cannot be told apart.
        let whole = |pick: &Pick| pick.whole.contains(&event.conn);
        if event.leg == Leg::Upstream && !self.pick.as_ref().is_none_or(whole) {
            return;
        }
        let mut seen = std::mem::take(&mut self.seen);
        // What comes after the end of a leg belongs to no message.
        let late = self.over.contains(&(event.conn, event.leg));
        let live = self.live(event, Conversation::joined());
        let stream = stream_of(direction);
        let lane = live.lane(stream);
        lane.waiting.push_back((event.at, content.clone()));
        if lane.ended || late {
            self.settle_rest((event.conn, event.leg), stream, out);
        } else {
            match content {
                Content::Bytes(bytes) => live.talk.feed(stream, bytes, &mut seen),
                Content::Gone(len, _) => live.talk.skip(stream, *len, &mut seen),
            }
            self.settle_all((event.conn, event.leg), &mut seen, out);
        }
        seen.clear();
        self.seen = seen;
    }

    fn end(&mut self, key: (ConnId, Leg), direction: Direction, out: &mut Vec<Event>) {
        let stream = stream_of(direction);
        let Some(live) = self.live.get_mut(&key) else {
            return;
        };
        if std::mem::replace(&mut live.lane(stream).ended, true) {
            return;
        }
        let mut seen = Vec::new();
        live.talk.finish(stream, &mut seen);
        self.settle_all(key, &mut seen, out);
        self.settle_rest(key, stream, out);
    }

    /// Forgets a leg that is over.
    fn forget(&mut self, key: (ConnId, Leg)) {
        let is_over = |live: &Live| live.requests.ended && live.responses.ended;
        if self.live.get(&key).is_some_and(is_over) {
            self.live.remove(&key);
            self.over.insert(key);
        }
    }

    fn settle_all(&mut self, key: (ConnId, Leg), seen: &mut Vec<Seen>, out: &mut Vec<Event>) {
        let Some(live) = self.live.get_mut(&key) else {
            return;
        };
        let whole = self
            .pick
            .as_ref()
            .is_none_or(|pick| pick.whole.contains(&key.0));
        for found in seen.drain(..) {
            let takes = whole
                || self
                    .pick
                    .as_ref()
                    .is_some_and(|pick| pick.takes(key.0, found.exchange));
            let lane = live.lane(found.stream);
            let mask = self.mask.as_ref();
            let (len, anew) = match &found.item {
                Item::Head { head, .. } => (head.raw.len() as u64, mask.map(|m| anew(m, head))),
                Item::ChunkFraming { len, .. } => {
                    let bytes = mask.map(|mask| mask.framing(&lane.front(*len)));
                    (*len, bytes)
                }
                Item::Data { len, .. }
                | Item::Absent { len, .. }
                | Item::Stray { len, .. }
                | Item::Opaque { len, .. } => (*len, None),
                Item::Begin { .. } | Item::End { .. } | Item::Malformed { .. } => continue,
            };
            let verdict = match (&found.item, &anew) {
                _ if !takes => Verdict::Drop,
                (_, Some(bytes)) => Verdict::Anew(bytes),
                (Item::Data { .. }, _) if mask.is_some_and(Mask::hides_bodies) => Verdict::Blank,
                (Item::Stray { .. } | Item::Opaque { .. }, _) if mask.is_some() => Verdict::Blank,
                _ => Verdict::Keep,
            };
            let mut to = Out {
                key,
                stream: found.stream,
                events: out,
            };
            lane.settle(len, &verdict, &mut to);
        }
    }

    /// Lets go of what became nothing that could be read.
    fn settle_rest(&mut self, key: (ConnId, Leg), stream: Stream, out: &mut Vec<Event>) {
        let whole = self
            .pick
            .as_ref()
            .is_none_or(|pick| pick.whole.contains(&key.0));
        let verdict = match (whole, &self.mask) {
            (false, _) => Verdict::Drop,
            (true, Some(_)) => Verdict::Blank,
            (true, None) => Verdict::Keep,
        };
        if let Some(live) = self.live.get_mut(&key) {
            live.lane(stream).settle(
                u64::MAX,
                &verdict,
                &mut Out {
                    key,
                    stream,
                    events: out,
                },
            );
        }
    }
}

/// Writes a head anew.
fn anew(mask: &Mask, head: &Head) -> Vec<u8> {
    mask.head(head)
}

impl Live {
    fn lane(&mut self, stream: Stream) -> &mut Lane {
        match stream {
            Stream::Requests => &mut self.requests,
            Stream::Responses => &mut self.responses,
        }
    }
}

fn stream_of(direction: Direction) -> Stream {
    match direction {
        Direction::ToServer => Stream::Requests,
        Direction::ToClient => Stream::Responses,
    }
}

fn with(event: &Event, what: What) -> Event {
    Event {
        what,
        ..event.clone()
    }
}
