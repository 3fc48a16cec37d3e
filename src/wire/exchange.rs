//! Both directions of one connection: which response answers which request.

use super::decoder::{Decoder, Item, Stream};

/// An item with the exchange that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub stream: Stream,
    /// Counts the requests of the connection from 0; `None` where an item belongs to no exchange (stray
    /// bytes, opaque bytes) or to one whose request was not seen.
    pub exchange: Option<u64>,
    pub item: Item,
}

/// Both decoders of a connection and the requests that wait for an answer.
#[derive(Debug)]
pub struct Conversation {
    requests: Decoder,
    responses: Decoder,
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// Makes a conversation that starts with the connection.
    pub fn new() -> Self {
        Self {
            requests: Decoder::new(Stream::Requests),
            responses: Decoder::new(Stream::Responses),
        }
    }

    /// Makes a conversation whose start was not seen: both directions look for the first message, and
    /// a response may come without its request.
    pub fn joined() -> Self {
        Self::new()
    }

    /// Reads the next `bytes` of one direction.
    pub fn feed(&mut self, stream: Stream, bytes: &[u8], seen: &mut Vec<Seen>) {
        let _ = (stream, bytes, seen);
    }

    /// Takes note that the next `len` bytes of one direction passed but cannot be shown.
    pub fn skip(&mut self, stream: Stream, len: u64, seen: &mut Vec<Seen>) {
        let _ = (stream, len, seen);
    }

    /// Takes note that the sender of one direction ended it.
    pub fn finish(&mut self, stream: Stream, seen: &mut Vec<Seen>) {
        let _ = (stream, seen);
    }

    /// Returns the decoder of one direction, to ask it where it stands.
    pub fn decoder(&self, stream: Stream) -> &Decoder {
        match stream {
            Stream::Requests => &self.requests,
            Stream::Responses => &self.responses,
        }
    }
}
