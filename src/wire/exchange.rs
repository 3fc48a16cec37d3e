//! Both directions of one connection: which response answers which request.
//!
//! Responses answer requests in the order in which these began (RFC 9112 §9.3.2); an interim response
//! answers nothing yet. Where bytes are missing, or the start was not seen, only that is claimed which
//! holds for clients that wait for each answer before the next request, as BITS clients do:
//!
//! - A request that begins has seen the answers to all before it that may have passed unseen.
//! - After a gap towards the client with two or more requests waiting, those stay without an answer.
//! - If the start was not seen and the rest of an older response turns up after the first request, some
//!   client does not wait: the requests seen until then stay without an answer.
//! - A response to a request whose head was not seen has no content, whatever its length field says, if
//!   the next request begins before any came: it answered a HEAD.
//!
//! A response that nobody waits for belongs to no exchange.

use std::collections::VecDeque;

use super::body::{Answering, Framing};
use super::decoder::Decoder;
use super::item::{Item, Malformed, Stream};

/// So many requests may wait for an answer before pairing is given up on a connection.
const WAITING_MAX: usize = 4096;

/// An item with the exchange that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub stream: Stream,
    /// Counts the requests of the connection from 0; `None` where an item belongs to no exchange (stray
    /// bytes, opaque bytes) or to one whose request was not seen.
    pub exchange: Option<u64>,
    pub item: Item,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    exchange: u64,
    answering: Answering,
    /// Its answer may have passed in a gap.
    doubtful: bool,
}

/// The message in progress in one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Current {
    begun: bool,
    exchange: Option<u64>,
}

/// Both decoders of a connection and the requests that wait for an answer.
#[derive(Debug)]
pub struct Conversation {
    requests: Decoder,
    responses: Decoder,
    request: Current,
    response: Current,
    waiting: VecDeque<Waiting>,
    /// Requests begun so far.
    begun: u64,
    /// The start was not seen, nor has a response been paired since.
    joining: bool,
    /// No request waits any more from here on: too many did, or nobody will answer.
    unpaired: bool,
    /// Requests are not read any more: responses neither, once those that are owed have come.
    last: bool,
    items: Vec<Item>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// Makes a conversation that starts with the connection.
    pub fn new() -> Self {
        Self::over(
            Decoder::new(Stream::Requests),
            Decoder::new(Stream::Responses),
            false,
        )
    }

    /// Makes a conversation whose start was not seen: both directions look for the first message, and
    /// a response may come without its request.
    pub fn joined() -> Self {
        Self::over(
            Decoder::joined(Stream::Requests),
            Decoder::joined(Stream::Responses),
            true,
        )
    }

    fn over(requests: Decoder, responses: Decoder, joining: bool) -> Self {
        Self {
            requests,
            responses,
            request: Current::default(),
            response: Current::default(),
            waiting: VecDeque::new(),
            begun: 0,
            joining,
            unpaired: false,
            last: false,
            items: Vec::new(),
        }
    }

    /// Reads the next `bytes` of one direction.
    pub fn feed(&mut self, stream: Stream, bytes: &[u8], seen: &mut Vec<Seen>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut items = std::mem::take(&mut self.items);
            let taken = match stream {
                Stream::Requests => self.requests.advance(rest, &mut items),
                Stream::Responses => {
                    self.responses.answering = self.answering();
                    self.responses.advance(rest, &mut items)
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
            self.take(stream, items, seen);
        }
    }

    /// Takes note that the next `len` bytes of one direction passed but cannot be shown.
    pub fn skip(&mut self, stream: Stream, len: u64, seen: &mut Vec<Seen>) {
        let mut items = std::mem::take(&mut self.items);
        self.decoder_mut(stream).skip(len, &mut items);
        self.take(stream, items, seen);
    }

    /// Takes note that the sender of one direction ended it.
    pub fn finish(&mut self, stream: Stream, seen: &mut Vec<Seen>) {
        let mut items = std::mem::take(&mut self.items);
        self.decoder_mut(stream).finish(&mut items);
        self.take(stream, items, seen);
        if stream == Stream::Responses {
            self.unpaired = true;
            self.waiting = VecDeque::new();
        }
    }

    /// Returns the decoder of one direction, to ask it where it stands.
    pub fn decoder(&self, stream: Stream) -> &Decoder {
        match stream {
            Stream::Requests => &self.requests,
            Stream::Responses => &self.responses,
        }
    }

    fn decoder_mut(&mut self, stream: Stream) -> &mut Decoder {
        match stream {
            Stream::Requests => &mut self.requests,
            Stream::Responses => &mut self.responses,
        }
    }

    /// Returns what the response in progress answers, or the next one if there is none.
    fn answering(&self) -> Answering {
        self.waiting
            .front()
            .filter(|front| !self.response.begun || self.response.exchange == Some(front.exchange))
            .map_or(Answering::Unknown, |front| front.answering)
    }

    /// Draws the conclusions from new items and passes them on.
    fn take(&mut self, stream: Stream, mut items: Vec<Item>, seen: &mut Vec<Seen>) {
        // Only where a message ends: how stray bytes are cut must not decide.
        let mut settles = stream == Stream::Requests;
        for item in items.drain(..) {
            settles |= matches!(item, Item::End { .. } | Item::Malformed { .. });
            let exchange = match stream {
                Stream::Requests => self.request_item(&item, seen),
                Stream::Responses => self.response_item(&item, seen),
            };
            seen.push(Seen {
                stream,
                exchange,
                item,
            });
        }
        self.items = items;
        if settles && self.last && self.waiting.is_empty() && !self.response.begun {
            self.drive(Stream::Responses, Decoder::retire, seen);
        }
    }

    /// Has the decoder of `stream` do something that the other direction brought about.
    fn drive(
        &mut self,
        stream: Stream,
        act: impl FnOnce(&mut Decoder, &mut Vec<Item>),
        seen: &mut Vec<Seen>,
    ) {
        let mut items = Vec::new();
        act(self.decoder_mut(stream), &mut items);
        for item in items {
            let current = match stream {
                Stream::Requests => &mut self.request,
                Stream::Responses => &mut self.response,
            };
            let exchange = current.place(&item);
            seen.push(Seen {
                stream,
                exchange,
                item,
            });
        }
    }

    fn request_item(&mut self, item: &Item, seen: &mut Vec<Seen>) -> Option<u64> {
        if let Item::Begin { .. } = item {
            self.request_begins(seen);
        }
        let begun = self.request.begun;
        let exchange = self.request.place(item);
        match item {
            Item::Head { head, .. } => {
                let answering = Answering::to(head);
                if let Some(last) = self
                    .waiting
                    .back_mut()
                    .filter(|w| Some(w.exchange) == exchange)
                {
                    last.answering = answering;
                }
            }
            Item::Malformed { what, .. } => match what {
                Malformed::FieldLine | Malformed::HeadAbsent => {}
                // A server takes what follows for a part of the same request. If the stream is over, it
                // may still answer.
                Malformed::HeadCut => {
                    if begun && !self.requests.is_finished() {
                        self.withdraw(exchange);
                    }
                }
                Malformed::NotHttp | Malformed::Ambiguous => {
                    self.withdraw(exchange);
                    self.last = true;
                }
                // The first response that comes is still the answer to this one.
                Malformed::HeadTooLong | Malformed::Chunk => self.last = true,
            },
            Item::Opaque { .. } => self.last = true,
            _ => {}
        }
        exchange
    }

    fn request_begins(&mut self, seen: &mut Vec<Seen>) {
        self.drive(Stream::Responses, Decoder::next_message, seen);
        self.waiting.retain(|waiting| !waiting.doubtful);
        let exchange = self.begun;
        self.begun = exchange.saturating_add(1);
        self.request.exchange = Some(exchange);
        if self.waiting.len() >= WAITING_MAX {
            self.unpaired = true;
            self.waiting = VecDeque::new();
        }
        if !self.unpaired {
            self.waiting.push_back(Waiting {
                exchange,
                answering: Answering::Unknown,
                doubtful: false,
            });
        }
    }

    fn withdraw(&mut self, exchange: Option<u64>) {
        self.waiting
            .retain(|waiting| Some(waiting.exchange) != exchange);
    }

    fn response_item(&mut self, item: &Item, seen: &mut Vec<Seen>) -> Option<u64> {
        if let Item::Begin { .. } = item {
            self.response.exchange = self.waiting.front().map(|front| front.exchange);
            self.joining &= self.response.exchange.is_none();
        }
        let begun = self.response.begun;
        let exchange = self.response.place(item);
        match item {
            Item::Head { head, framing } => {
                let interim = head
                    .status()
                    .is_some_and(|s| (100..200).contains(&s) && s != 101);
                if !interim {
                    self.withdraw(exchange);
                }
                if *framing == Framing::Tunnel {
                    if self.responses.is_opaque() {
                        self.response_opaque(seen);
                    } else {
                        self.drive(Stream::Requests, Decoder::tunnel, seen);
                    }
                }
            }
            Item::Malformed { what, .. } => match what {
                // Another request that waits tells that this was an answer; else it may come again.
                Malformed::HeadCut if begun && self.waiting.len() > 1 => self.withdraw(exchange),
                Malformed::HeadAbsent => self.responses_missed(),
                Malformed::NotHttp | Malformed::HeadTooLong | Malformed::Chunk => {
                    self.unpaired = true;
                    self.waiting = VecDeque::new();
                }
                _ => {}
            },
            Item::Absent { .. } if !begun => self.responses_missed(),
            // In a tunnel the server may speak first.
            Item::Opaque { .. } if self.requests.is_tunnel() => self.response_opaque(seen),
            Item::Opaque { .. } => {
                self.unpaired = true;
                self.waiting = VecDeque::new();
            }
            Item::Stray { .. } if self.joining => self.waiting.clear(),
            _ => {}
        }
        exchange
    }

    /// Takes note that nothing follows that is read as HTTP, in either direction.
    fn response_opaque(&mut self, seen: &mut Vec<Seen>) {
        self.unpaired = true;
        self.waiting = VecDeque::new();
        self.drive(Stream::Requests, Decoder::retire, seen);
    }

    /// Takes note of a gap between responses.
    fn responses_missed(&mut self) {
        match self.waiting.make_contiguous() {
            [only] => only.doubtful = true,
            _ => self.waiting.clear(),
        }
    }
}

impl Current {
    /// Returns the exchange that `item` belongs to and notes whether its message goes on.
    fn place(&mut self, item: &Item) -> Option<u64> {
        match item {
            Item::Begin { .. } => self.begun = true,
            Item::Stray { .. } | Item::Opaque { .. } => return None,
            _ => {}
        }
        let exchange = self.exchange.filter(|_| self.begun);
        let over = match item {
            Item::End { .. } => true,
            Item::Malformed { what, .. } => *what != Malformed::FieldLine,
            _ => false,
        };
        if over {
            *self = Self::default();
        }
        exchange
    }
}
