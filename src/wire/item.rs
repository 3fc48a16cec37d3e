//! What a decoder says about a direction's bytes.
//!
//! Plain data; the rules that hold for a sequence of items stand here, the decoder keeps them.
//!
//! # What holds for the items of a direction
//!
//! - They tile it: the extents of heads, `Data`, `Absent`, `ChunkFraming`, `Stray` and `Opaque` cover
//!   every byte once and in order, none is lost once the stream is finished.
//! - A `Begin` is followed by the `Head`, or by a `Malformed` other than `FieldLine` that says why there
//!   is none. A `Head` is followed by an `End`, or by `Malformed` with `Ambiguous` or `Chunk`: of such a
//!   message nobody can say where it ends.
//! - `FieldLine` comes between `Begin` and `Head`, one for each line concerned.

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
    /// Bytes lie there too, but nobody can show them (`Decoder::skip`): content, opaque bytes,
    /// or after [`Malformed::HeadAbsent`] whatever there was.
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
    /// both directions are opaque from here. RFC 9112 §2.2, §6.1, §11.2
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
