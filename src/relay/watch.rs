//! What the decoder says about one connection, boiled down to what the relay needs: how far bytes may go,
//! which of them are content, whether an exchange is under way.
//!
//! No sockets, no clock, no events.

use std::ops::Range;

use crate::wire::{Conversation, Framing, Item, Malformed, Seen, Stream};

/// Reads both directions of one connection along with the relay.
#[derive(Debug, Default)]
pub(super) struct Watch {
    conversation: Conversation,
    /// Kept between calls for its memory only.
    seen: Vec<Seen>,
    /// Requests that have begun, that have been sent whole, and whose final response is over.
    begun: u64,
    sent: u64,
    answered: u64,
    /// The response under way is a 1xx one: the final one is still to come.
    interim: bool,
    /// The first request asks for a head only.
    asks_for_head: bool,
    requests: Sight,
    responses: Sight,
}

/// What is remembered of one direction.
#[derive(Debug, Default)]
struct Sight {
    heads: u64,
    malformed: Option<Malformed>,
    tunnel: bool,
    opaque: bool,
}

/// What [`Watch::feed`] found in one piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Ranges of the direction that hold content or that nobody can read.
    pub(super) content: Vec<Range<u64>>,
    /// From this offset on the direction is not read as HTTP, and why; said once.
    pub(super) opaque: Option<(u64, String)>,
    /// Every item, in order, where rules have to know them.
    pub(super) seen: Option<Vec<Seen>>,
}

impl Watch {
    /// Reads the next bytes of one direction.
    pub(super) fn feed(&mut self, stream: Stream, bytes: &[u8], found: &mut Found) {
        self.conversation.feed(stream, bytes, &mut self.seen);
        self.digest(found);
    }

    /// Takes note that the sender of a direction ended it.
    pub(super) fn finish(&mut self, stream: Stream, found: &mut Found) {
        self.conversation.finish(stream, &mut self.seen);
        self.digest(found);
    }

    fn digest(&mut self, found: &mut Found) {
        let mut seen = std::mem::take(&mut self.seen);
        for what in seen.drain(..) {
            let Seen { stream, item, .. } = &what;
            let stream = *stream;
            self.count(stream, what.exchange, item);
            let sight = match stream {
                Stream::Requests => &mut self.requests,
                Stream::Responses => &mut self.responses,
            };
            match item {
                Item::Head { head, framing } => {
                    if sight.heads == 0 {
                        self.asks_for_head = head.method() == Some(b"HEAD");
                    }
                    sight.heads = sight.heads.saturating_add(1);
                    sight.tunnel = *framing == Framing::Tunnel;
                    if sight.tunnel && stream == Stream::Responses {
                        // What is said in it is another conversation.
                        self.requests.tunnel = true;
                        self.requests.heads = 0;
                    }
                }
                Item::Malformed { what, .. } => sight.malformed = Some(*what),
                Item::Data { offset, len } => content(found, *offset, *len),
                Item::Opaque { offset, len } => {
                    content(found, *offset, *len);
                    if !std::mem::replace(&mut sight.opaque, true) {
                        found.opaque = Some((*offset, why(sight).to_owned()));
                    }
                }
                _ => {}
            }
            if let Some(kept) = &mut found.seen {
                kept.push(what);
            }
        }
        self.seen = seen;
    }

    fn count(&mut self, stream: Stream, exchange: Option<u64>, item: &Item) {
        let Some(number) = exchange.map(|number| number.saturating_add(1)) else {
            return;
        };
        match (stream, item) {
            (Stream::Requests, Item::Begin { .. }) => self.begun = self.begun.max(number),
            (Stream::Requests, Item::End { .. }) => self.sent = self.sent.max(number),
            (Stream::Responses, Item::Head { head, .. }) => {
                self.interim = head
                    .status()
                    .is_some_and(|status| (100..200).contains(&status) && status != 101);
            }
            (Stream::Responses, Item::End { .. }) if !self.interim => {
                self.answered = self.answered.max(number);
            }
            _ => {}
        }
    }

    /// Returns the offset up to which the bytes of a direction are understood and may be forwarded.
    pub(super) fn settled(&self, stream: Stream) -> u64 {
        self.conversation.decoder(stream).settled()
    }

    /// Returns how many content bytes are certain to come next.
    pub(super) fn wanted(&self, stream: Stream) -> u64 {
        self.conversation.decoder(stream).wanted()
    }

    /// Tells whether a direction is not read as HTTP any more, or has ended.
    pub(super) fn is_unread(&self, stream: Stream) -> bool {
        let decoder = self.conversation.decoder(stream);
        decoder.is_opaque() || decoder.is_finished()
    }

    /// Tells whether the client has sent at least one complete request head.
    pub(super) fn has_request(&self) -> bool {
        self.requests.heads > 0
    }

    /// Tells whether the first request asks for a head only.
    pub(super) fn asks_for_head(&self) -> bool {
        self.asks_for_head
    }

    /// Tells whether no exchange is under way; never true of a connection that is not HTTP.
    pub(super) fn is_quiet(&self) -> bool {
        let opaque = |stream| self.conversation.decoder(stream).is_opaque();
        let held = |stream| {
            let decoder = self.conversation.decoder(stream);
            decoder.settled() < decoder.offset()
        };
        let both = [Stream::Requests, Stream::Responses];
        self.begun == self.sent
            && self.begun == self.answered
            && !both
                .into_iter()
                .any(|stream| opaque(stream) || held(stream))
    }
}

/// Adds a range, joined to the last one where they touch.
fn content(found: &mut Found, offset: u64, len: u64) {
    let end = offset.saturating_add(len);
    match found.content.last_mut() {
        Some(last) if last.end == offset => last.end = end,
        _ => found.content.push(offset..end),
    }
}

/// Says in words why a direction is not read any more.
fn why(sight: &Sight) -> &'static str {
    match sight.malformed {
        Some(Malformed::NotHttp) => "no HTTP/1.x start line where one was due",
        Some(Malformed::HeadTooLong) => "a head is longer than is kept",
        Some(Malformed::Ambiguous) => "the length of a message has two readings",
        Some(Malformed::Chunk) => "a chunk cannot be read",
        _ if sight.tunnel => "the connection is a tunnel from here",
        _ => "the other direction is not read as HTTP any more",
    }
}
