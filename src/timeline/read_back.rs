//! Where bytes lie, and how a reader gets them back: the timeline keeps places, never bodies.

use std::io;

use crate::event::{ConnId, Direction, Leg};

/// A run of bytes in one direction of one leg, and where the capture begins to hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub conn: ConnId,
    pub leg: Leg,
    pub direction: Direction,
    /// Position that [`super::Timeline::apply`] was given for the event that holds the first byte.
    pub position: u64,
    /// Offset in the direction's stream of the first byte of that event.
    pub base: u64,
    /// Offset of the run's first byte in the direction's stream; never below `base`.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Bytes read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes from the asked place on; a hole is filled with zeros and listed.
    pub bytes: Vec<u8>,
    /// Ranges of `bytes` that the capture does not hold.
    pub holes: Vec<std::ops::Range<usize>>,
}

/// Gives back bytes that a capture holds.
pub trait ReadBack {
    /// Reads up to `len` bytes from `from` bytes after the span's start; shorter at the span's end.
    fn read(&self, span: Span, from: u64, len: usize) -> io::Result<Chunk>;
}

impl<R: ReadBack + ?Sized> ReadBack for std::sync::Arc<R> {
    fn read(&self, span: Span, from: u64, len: usize) -> io::Result<Chunk> {
        (**self).read(span, from, len)
    }
}
