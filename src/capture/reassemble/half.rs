//! One direction of a TCP stream: segments in any order in, bytes in order out.
//!
//! Knows neither ports nor the other direction, except for what it acknowledged.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::event::{Close, Direction, Missing, What};

use crate::capture::block::low;

/// Out-of-order bytes that one direction may keep; above every TCP window in use.
const HELD: usize = 16 << 20;
/// What a piece costs besides its bytes.
const PIECE: usize = 96;
/// A segment further ahead than the largest TCP window is of another connection (RFC 7323 §2.3).
const AHEAD: u64 = 1 << 30;

/// Where events of a direction go, each with its position in the file.
pub(super) type Emit<'a> = &'a mut dyn FnMut(What, u64);

/// The bytes of one sender.
#[derive(Debug)]
pub(super) struct Half {
    direction: Direction,
    /// Sequence number of the stream's first byte.
    origin: Option<u32>,
    /// How many bytes of the stream are behind us.
    next: u64,
    ahead: BTreeMap<u64, Piece>,
    held: usize,
    /// The receiver has everything before this place.
    acknowledged: u64,
    /// Where the stream ends, if a FIN was seen; and the FIN's position in the file.
    fin: Option<(u64, u64)>,
    closed: Option<Close>,
    /// Nothing is ever out of order: a jump is a hole at once.
    in_order: bool,
}

/// A segment, or what is new of it.
#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// Length on the wire; never below the bytes.
    len: u64,
    position: u64,
}

impl Half {
    pub(super) fn new(direction: Direction, in_order: bool) -> Self {
        Self {
            direction,
            origin: None,
            next: 0,
            ahead: BTreeMap::new(),
            held: 0,
            acknowledged: 0,
            fin: None,
            closed: None,
            in_order,
        }
    }

    /// Tells how it ended, if it did.
    pub(super) fn closed(&self) -> Option<Close> {
        self.closed
    }

    /// Returns the out-of-order bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Tells the first byte's sequence number, unless it is known.
    pub(super) fn begin(&mut self, seq: u32) {
        self.origin.get_or_insert(seq);
    }

    /// Tells whether the stream begins with `seq`.
    pub(super) fn begins_with(&self, seq: u32) -> bool {
        self.origin == Some(seq)
    }

    /// Tells whether nothing of this direction was seen.
    pub(super) fn is_silent(&self) -> bool {
        self.origin.is_none()
    }

    /// Takes a segment of which `payload` was captured and which had `len` bytes.
    pub(super) fn accept(
        &mut self,
        seq: u32,
        payload: &[u8],
        len: u32,
        position: u64,
        emit: Emit<'_>,
    ) {
        self.begin(seq);
        if self.closed.is_some() {
            return;
        }
        let Some((place, old)) = self.place(seq) else {
            return;
        };
        // What comes after the end was never part of the stream.
        let end = (place + u64::from(len).saturating_sub(old))
            .min(self.fin.map_or(u64::MAX, |fin| fin.0));
        if end <= place || (place - self.next > AHEAD && self.acknowledged < place) {
            return;
        }
        let old = usize::try_from(old).unwrap_or(usize::MAX);
        let payload = payload.get(old..).unwrap_or_default();
        if place == self.next && self.ahead.is_empty() {
            self.deliver(
                Bytes::copy_from_slice(clip(payload, end - place)),
                end - place,
                position,
                emit,
            );
        } else {
            self.keep(place, end, payload, position);
        }
        self.settle(emit);
    }

    /// Takes the end of the stream, which is where `seq` points.
    pub(super) fn finish(&mut self, seq: u32, position: u64, emit: Emit<'_>) {
        self.begin(seq);
        if self.fin.is_none()
            && let Some((place, 0)) = self.place(seq)
            && (place - self.next <= AHEAD || self.acknowledged >= place)
        {
            self.fin = Some((place, position));
        }
        self.settle(emit);
    }

    /// Takes what the receiver says it has.
    pub(super) fn acknowledge(&mut self, ack: u32, emit: Emit<'_>) {
        if self.origin.is_none() || self.in_order {
            return;
        }
        if let Some((place, 0)) = self.place(ack)
            && place > self.acknowledged
        {
            self.acknowledged = place;
            self.settle(emit);
        }
    }

    /// Passes over `len` bytes that the recorder knew to be missing.
    pub(super) fn skip(&mut self, len: u64, position: u64, emit: Emit<'_>) {
        self.hole(len, position, emit);
        self.settle(emit);
    }

    /// Takes a reset by this sender.
    pub(super) fn reset(&mut self, position: u64, emit: Emit<'_>) {
        self.end(position, emit);
        self.closed = Some(Close::Reset);
        emit(
            What::Closed {
                direction: self.direction,
                how: Close::Reset,
            },
            position,
        );
    }

    /// Gives out all that is kept: nothing more will come.
    pub(super) fn end(&mut self, position: u64, emit: Emit<'_>) {
        while self.pass_first_hole(emit) {}
        let end = match self.fin {
            Some((end, _)) => end,
            // One byte more may be an end of stream that was not captured.
            None if self.acknowledged > self.next + 1 => self.acknowledged,
            None => self.next,
        };
        if self.closed.is_none() && end > self.next {
            self.hole(end - self.next, position, emit);
        }
        self.settle(emit);
    }

    /// Makes room: gives out what lies behind holes until nothing is kept.
    pub(super) fn release(&mut self, emit: Emit<'_>) {
        while self.pass_first_hole(emit) {}
        self.settle(emit);
    }

    /// Returns the place in the stream that `seq` points to, or the next one with the number of bytes
    /// that `seq` is behind it.
    fn place(&self, seq: u32) -> Option<(u64, u64)> {
        let next = self.origin?.wrapping_add(low(self.next));
        let distance = seq.wrapping_sub(next).cast_signed();
        Some(if distance < 0 {
            (self.next, u64::from(distance.unsigned_abs()))
        } else {
            (self.next + u64::from(distance.unsigned_abs()), 0)
        })
    }

    /// Keeps what is new of a segment; of bytes that came twice the first copy counts.
    fn keep(&mut self, mut place: u64, end: u64, payload: &[u8], position: u64) {
        let begin = place;
        if let Some((before, piece)) = self.ahead.range(..=place).next_back() {
            place = place.max(before + piece.len);
        }
        while place < end {
            let limit = match self.ahead.range(place..).next() {
                Some((next, _)) => end.min(*next),
                None => end,
            };
            if limit > place {
                let from = usize::try_from(place - begin).unwrap_or(usize::MAX);
                let kept = clip(payload.get(from..).unwrap_or_default(), limit - place);
                let bytes = Bytes::copy_from_slice(kept);
                self.held += bytes.len() + PIECE;
                let len = limit - place;
                let piece = Piece {
                    bytes,
                    len,
                    position,
                };
                self.ahead.insert(place, piece);
            }
            place = self
                .ahead
                .get(&limit)
                .map_or(end, |piece| limit + piece.len);
        }
    }

    /// Gives out what follows without a hole, and holes that will not be filled.
    fn settle(&mut self, emit: Emit<'_>) {
        while let Some((&place, _)) = self.ahead.first_key_value() {
            if place <= self.next {
                if let Some((_, piece)) = self.ahead.pop_first() {
                    self.held -= (piece.bytes.len() + PIECE).min(self.held);
                    self.deliver(piece.bytes, piece.len, piece.position, emit);
                }
            } else if self.in_order || self.acknowledged >= place || self.held > HELD {
                self.pass_first_hole(emit);
            } else {
                break;
            }
        }
        if let Some((end, position)) = self.fin
            && self.next >= end
            && self.closed.is_none()
        {
            self.closed = Some(Close::Fin);
            self.ahead.clear();
            self.held = 0;
            emit(
                What::Closed {
                    direction: self.direction,
                    how: Close::Fin,
                },
                position,
            );
        }
        if self.closed.is_none()
            && self.in_order
            && let Some((end, position)) = self.fin
        {
            let len = end.saturating_sub(self.next);
            if len > 0 {
                self.hole(len, position, emit);
                self.settle(emit);
            }
        }
    }

    /// Declares the hole before the first piece and gives out that piece.
    fn pass_first_hole(&mut self, emit: Emit<'_>) -> bool {
        let Some((place, piece)) = self.ahead.pop_first() else {
            return false;
        };
        if place > self.next {
            self.hole(place - self.next, piece.position, emit);
        }
        self.held -= (piece.bytes.len() + PIECE).min(self.held);
        self.deliver(piece.bytes, piece.len, piece.position, emit);
        true
    }

    fn hole(&mut self, len: u64, position: u64, emit: Emit<'_>) {
        self.next += len;
        emit(self.missing(len, Missing::NotSeen), position);
    }

    fn deliver(&mut self, bytes: Bytes, len: u64, position: u64, emit: Emit<'_>) {
        self.next += len;
        let cut = len.saturating_sub(bytes.len() as u64);
        if !bytes.is_empty() {
            let direction = self.direction;
            emit(What::Data { direction, bytes }, position);
        }
        if cut > 0 {
            emit(self.missing(cut, Missing::NotKept), position);
        }
    }

    fn missing(&self, len: u64, why: Missing) -> What {
        What::Missing {
            direction: self.direction,
            len,
            why,
        }
    }
}

fn clip(bytes: &[u8], len: u64) -> &[u8] {
    let len = usize::try_from(len).map_or(bytes.len(), |len| len.min(bytes.len()));
    bytes.get(..len).unwrap_or_default()
}
