//! One direction of one connection: bytes in, items out.
//!
//! Sans-IO: the caller feeds what it has, in any pieces, and gets the same items (adjacent
//! [`Item::Data`], [`Item::Absent`], [`Item::ChunkFraming`], [`Item::Stray`] and [`Item::Opaque`] merge).
//! Knows no sockets, clocks or BITS.

use super::body::Answering;
use super::chunk::{Chunks, Part};
use super::item::{Ending, Item, Malformed, Stream};
use super::scan::{HeadScan, Place};
use super::stray::StraySearch;

/// The decoder of one direction.
#[derive(Debug)]
pub struct Decoder {
    pub(super) stream: Stream,
    pub(super) state: State,
    /// Bytes fed so far.
    pub(super) offset: u64,
    /// The last bytes fed, for which there is no item yet.
    pub(super) pending: Vec<u8>,
    /// What the next response answers.
    pub(super) answering: Answering,
    /// Where content begins that there is only if the request was not HEAD, which nobody knows.
    pub(super) uncertain: Option<u64>,
    /// Nothing is read as HTTP after the message in progress.
    pub(super) retired: bool,
    /// Where the last gap between messages ends.
    gap: Option<u64>,
}

/// What the next byte of a direction is.
#[derive(Debug)]
pub(super) enum State {
    /// A message is due, or its head is in progress.
    Head(HeadScan),
    Length(u64),
    Chunked(Chunks),
    UntilClose,
    /// Between messages, after something that belongs to none.
    Stray(StraySearch),
    Opaque,
    Finished,
}

impl Decoder {
    /// Makes a decoder that has seen nothing.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            state: State::Head(HeadScan::due(Place::First)),
            offset: 0,
            pending: Vec::new(),
            answering: Answering::Ordinary,
            uncertain: None,
            retired: false,
            gap: None,
        }
    }

    /// Makes a decoder for a stream whose start was not seen: what comes before the first start line is
    /// stray.
    pub fn joined(stream: Stream) -> Self {
        Self {
            state: State::Stray(StraySearch::default()),
            ..Self::new(stream)
        }
    }

    /// Reads the next `bytes` of the direction and appends what it found to `items`.
    ///
    /// On its own it takes each response for the answer to an ordinary request; [`super::Conversation`]
    /// knows better.
    pub fn feed(&mut self, bytes: &[u8], items: &mut Vec<Item>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.advance(rest, items);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Reads `bytes` up to where a message begins or ends, or its head does; returns how many it took.
    /// To be called until all are taken.
    pub(super) fn advance(&mut self, bytes: &[u8], items: &mut Vec<Item>) -> usize {
        let offset = self.offset;
        let taken = match &mut self.state {
            State::Head(_) | State::Stray(_) => return self.seek_in_pieces(bytes, items),
            State::Length(left) => {
                let len = (*left).min(bytes.len() as u64);
                *left = left.saturating_sub(len);
                let over = *left == 0;
                items.push(Item::Data { offset, len });
                if over {
                    self.end(offset.saturating_add(len), Ending::Complete, items);
                }
                // Not more than the bytes there are.
                usize::try_from(len).unwrap_or(bytes.len())
            }
            State::Chunked(chunks) => {
                let part = chunks.advance(bytes);
                self.chunk_part(part, bytes.len(), items)
            }
            State::UntilClose => {
                let len = bytes.len() as u64;
                items.push(Item::Data { offset, len });
                bytes.len()
            }
            State::Opaque | State::Finished => {
                let len = bytes.len() as u64;
                items.push(Item::Opaque { offset, len });
                bytes.len()
            }
        };
        self.offset = offset.saturating_add(taken as u64);
        taken
    }

    fn chunk_part(&mut self, part: Part, given: usize, items: &mut Vec<Item>) -> usize {
        let offset = self.offset;
        let framing = |taken: usize, items: &mut Vec<Item>| {
            let len = taken as u64;
            if len > 0 {
                items.push(Item::ChunkFraming { offset, len });
            }
            offset.saturating_add(len)
        };
        match part {
            Part::Data(taken) => {
                let len = taken as u64;
                items.push(Item::Data { offset, len });
                taken
            }
            Part::Framing(taken) => {
                framing(taken, items);
                taken
            }
            Part::Last(taken) => {
                let offset = framing(taken, items);
                self.end(offset, Ending::Complete, items);
                taken
            }
            Part::Bad(taken) => {
                let offset = framing(taken, items);
                let what = Malformed::Chunk;
                items.push(Item::Malformed { offset, what });
                let len = given.saturating_sub(taken) as u64;
                items.push(Item::Opaque { offset, len });
                self.state = State::Opaque;
                given
            }
        }
    }

    /// Ends the message in progress.
    pub(super) fn end(&mut self, offset: u64, ending: Ending, items: &mut Vec<Item>) {
        items.push(Item::End { offset, ending });
        self.state = self.between(State::Head(HeadScan::due(Place::Next)));
    }

    /// Returns the state `next` between two messages, or that nothing is read any more.
    pub(super) fn between(&self, next: State) -> State {
        if self.retired { State::Opaque } else { next }
    }

    /// Takes note that the next `len` bytes passed but cannot be shown.
    ///
    /// Content that has no end of its own or ends later is `Absent`. A gap that takes more than that may
    /// hold messages: it is announced by [`Malformed::HeadAbsent`], is `Absent` too, and reading goes on
    /// at the next start line behind it.
    pub fn skip(&mut self, len: u64, items: &mut Vec<Item>) {
        let mut rest = len;
        while rest > 0 {
            let offset = self.offset;
            let content = match &mut self.state {
                State::Length(left) => *left,
                State::Chunked(chunks) => chunks.wanted(),
                State::UntilClose | State::Opaque | State::Finished => u64::MAX,
                State::Head(_) | State::Stray(_) => 0,
            };
            let len = if content == 0 {
                self.lose(items);
                rest
            } else {
                rest.min(content)
            };
            items.push(Item::Absent { offset, len });
            self.offset = offset.saturating_add(len);
            rest = rest.saturating_sub(len);
            match &mut self.state {
                State::Length(left) => {
                    *left = left.saturating_sub(len);
                    if *left == 0 {
                        self.end(self.offset, Ending::Complete, items);
                    }
                }
                State::Chunked(chunks) => chunks.pass(len),
                State::Stray(_) => self.gap = Some(self.offset),
                _ => {}
            }
        }
    }

    /// Gives up the place in the stream: a gap begins here that takes more than content.
    fn lose(&mut self, items: &mut Vec<Item>) {
        if let State::Chunked(_) = self.state {
            self.end(self.offset, Ending::Cut, items);
        }
        let adjacent = self.pending.is_empty() && self.gap == Some(self.offset);
        self.give_up_pending(items);
        if !matches!(self.state, State::Opaque) {
            if !adjacent {
                items.push(Item::Malformed {
                    offset: self.offset,
                    what: Malformed::HeadAbsent,
                });
            }
            self.state = self.between(State::Stray(StraySearch::default()));
        }
    }

    fn give_up_pending(&mut self, items: &mut Vec<Item>) {
        let (offset, len) = (self.settled(), self.pending.len() as u64);
        if len > 0 {
            items.push(Item::Stray { offset, len });
            self.pending = Vec::new();
        }
    }

    /// Takes note that the sender ended the stream.
    pub fn finish(&mut self, items: &mut Vec<Item>) {
        let offset = self.offset;
        match &self.state {
            State::Head(scan) if scan.begun => items.push(Item::Malformed {
                offset,
                what: Malformed::HeadCut,
            }),
            State::Length(_) | State::Chunked(_) => self.end(offset, Ending::Cut, items),
            State::UntilClose => self.end(offset, Ending::Closed, items),
            _ => {}
        }
        self.give_up_pending(items);
        self.state = State::Finished;
    }

    /// Reads nothing as HTTP after the message in progress.
    pub(super) fn retire(&mut self, items: &mut Vec<Item>) {
        self.retired = true;
        let begun = match &self.state {
            State::Head(scan) => scan.begun,
            State::Stray(_) => false,
            _ => true,
        };
        if !begun {
            let (offset, len) = (self.settled(), self.pending.len() as u64);
            if len > 0 {
                items.push(Item::Opaque { offset, len });
                self.pending = Vec::new();
            }
            self.state = State::Opaque;
        }
    }

    /// Takes note that a tunnel begins after what was read so far: HTTP may be spoken in it, too.
    ///
    /// RFC 9110 §9.3.6
    pub(super) fn tunnel(&mut self, items: &mut Vec<Item>) {
        match &mut self.state {
            State::Head(scan) if !scan.begun => *scan = HeadScan::due(Place::Tunnel),
            State::Stray(_) => self.retire(items),
            _ => {}
        }
    }

    /// Tells whether a tunnel has begun, and nothing that is certain to be HTTP in it.
    pub(super) fn is_tunnel(&self) -> bool {
        matches!(&self.state, State::Head(scan) if scan.place == Place::Tunnel && !scan.begun)
    }

    /// Ends a body that has no length, because the peer has begun the next message. The same for a
    /// body that has a length but has not begun, if there may be none.
    pub(super) fn next_message(&mut self, items: &mut Vec<Item>) {
        let over = match self.state {
            State::UntilClose => true,
            State::Length(_) => self.uncertain == Some(self.offset),
            _ => false,
        };
        if over {
            self.end(self.offset, Ending::NextMessage, items);
        }
    }

    /// Returns the offset of the next byte to be fed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the offset up to which every byte has been given out as an item. Bytes from here to
    /// [`Self::offset`] belong to a head that is not complete yet, or may yet begin one.
    pub fn settled(&self) -> u64 {
        self.offset.saturating_sub(self.pending.len() as u64)
    }

    /// Returns how many content bytes are certain to come next, 0 where that is unknown: a reader sizes
    /// its buffer by it.
    pub fn wanted(&self) -> u64 {
        match &self.state {
            State::Length(left) => *left,
            State::Chunked(chunks) => chunks.wanted(),
            _ => 0,
        }
    }

    /// Tells whether nothing is read as HTTP any more, though the stream goes on.
    pub fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Tells whether the sender ended the stream.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }
}
