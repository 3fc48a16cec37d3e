//! One direction of one connection: bytes in, items out.
//!
//! Sans-IO: the caller feeds what it has, in any pieces, and gets the same items (adjacent
//! [`Item::Data`], [`Item::Stray`] and [`Item::Opaque`] merge). Knows no sockets, clocks or BITS.

use super::{Framing, Head};

/// One thing found in a direction's bytes. Offsets count from the first byte of the direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The first byte of a message has been seen; its head may not be complete yet.
    Begin { offset: u64 },
    /// A complete head.
    Head { head: Head, framing: Framing },
    /// Content bytes lie at `offset..offset + len`, without chunk framing.
    Data { offset: u64, len: u64 },
    /// Content bytes lie there too, but nobody can show them (`Decoder::skip`).
    Absent { offset: u64, len: u64 },
    /// Bytes of chunked framing: size lines with extensions, line ends, trailer section.
    ChunkFraming { offset: u64, len: u64 },
    /// A message is over; `offset` is the first byte after it.
    End { offset: u64, ending: Ending },
    /// Bytes between messages that belong to none.
    Stray { offset: u64, len: u64 },
    /// Something was not as HTTP/1.x has it, at `offset`.
    Malformed { offset: u64, what: Malformed },
    /// Bytes after which nothing is read as HTTP any more.
    Opaque { offset: u64, len: u64 },
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By its own framing.
    Complete,
    /// An [`Framing::UntilClose`] body ended with the stream, as it should.
    Closed,
    /// A body without any length was ended by the next message on a connection that stayed open.
    NextMessage,
    /// The stream ended (or the next message began) before the framing said so.
    Cut,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The head broke off: end of stream, or the next message begins inside it.
    HeadCut,
    /// No HTTP/1.x start line where one was due; the direction is opaque from here.
    NotHttp,
    /// The head is larger than the decoder keeps; the direction is opaque from here.
    HeadTooLong,
    /// A field line could not be read; it is kept raw, the head goes on.
    FieldLine,
    /// The framing has two readings (both lengths, unequal lengths, folded or unreadable length);
    /// both directions are opaque from here. RFC 9112 §6.1, §11.2
    Ambiguous,
    /// A chunk could not be read; the direction is opaque from here.
    Chunk,
    /// Bytes of a head are absent from the capture; reading goes on at the next message.
    HeadAbsent,
}

/// Tells what a direction carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Client to server.
    Requests,
    /// Server to client.
    Responses,
}

/// The decoder of one direction.
#[derive(Debug)]
pub struct Decoder {
    stream: Stream,
}

impl Decoder {
    /// Makes a decoder that has seen nothing.
    pub fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// Reads the next `bytes` of the direction and appends what it found to `items`.
    pub fn feed(&mut self, bytes: &[u8], items: &mut Vec<Item>) {
        let _ = (self.stream, bytes, items);
    }

    /// Takes note that the next `len` bytes passed but cannot be shown.
    pub fn skip(&mut self, len: u64, items: &mut Vec<Item>) {
        let _ = (self.stream, len, items);
    }

    /// Takes note that the sender ended the stream.
    pub fn finish(&mut self, items: &mut Vec<Item>) {
        let _ = (self.stream, items);
    }

    /// Returns the offset of the next byte to be fed.
    pub fn offset(&self) -> u64 {
        0
    }

    /// Returns the offset up to which every byte has been given out as an item. Bytes from here to
    /// [`Self::offset`] belong to a head that is not complete yet.
    pub fn settled(&self) -> u64 {
        0
    }

    /// Returns how many content bytes are certain to come next, 0 where that is unknown: a reader sizes
    /// its buffer by it.
    pub fn wanted(&self) -> u64 {
        0
    }

    /// Tells whether nothing is read as HTTP any more.
    pub fn is_opaque(&self) -> bool {
        false
    }
}
