//! One direction of one connection: bytes in, items out.
//!
//! Sans-IO: the caller feeds what it has, in any pieces, and gets the same items (adjacent
//! [`Item::Data`], [`Item::Absent`], [`Item::ChunkFraming`], [`Item::Stray`] and [`Item::Opaque`] merge).
//! Knows no sockets, clocks or BITS.

use bytes::Bytes;

use super::body::{Answering, framing};
use super::chunk::{Chunks, Part};
use super::item::{Ending, Item, Malformed, Stream};
use super::parse::parse;
use super::scan::{HeadScan, Step};
use super::stray::{Found, StraySearch};
use super::{Framing, Head};

/// Bytes of an incomplete head are taken into memory in pieces of at most this size.
const PIECE: usize = 16 << 10;

/// The decoder of one direction.
#[derive(Debug)]
pub struct Decoder {
    stream: Stream,
    state: State,
    /// Bytes fed so far.
    offset: u64,
    /// The last bytes fed, for which there is no item yet.
    pending: Vec<u8>,
    /// What the next response answers.
    pub(super) answering: Answering,
    /// Nothing is read as HTTP after the message in progress.
    retired: bool,
    /// Where the last gap between messages ends.
    gap: Option<u64>,
}

#[derive(Debug)]
enum State {
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
            state: State::Head(HeadScan::due(true)),
            offset: 0,
            pending: Vec::new(),
            answering: Answering::Ordinary,
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

    /// Looks for heads in the pending bytes and `bytes`; returns how many of `bytes` it took.
    fn seek_in_pieces(&mut self, bytes: &[u8], items: &mut Vec<Item>) -> usize {
        if self.pending.is_empty() {
            let (done, more) = self.seek(bytes, self.offset, items);
            let taken = if more {
                self.pending
                    .extend_from_slice(bytes.get(done..).unwrap_or_default());
                bytes.len()
            } else {
                done
            };
            self.offset = self.offset.saturating_add(taken as u64);
            return taken;
        }
        let before = self.pending.len();
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        let at = self.settled();
        let mut buffer = std::mem::take(&mut self.pending);
        buffer.extend_from_slice(piece);
        let (done, more) = self.seek(&buffer, at, items);
        let taken = if more {
            piece.len()
        } else {
            buffer.truncate(before.max(done));
            done.saturating_sub(before)
        };
        buffer.drain(..done);
        if !buffer.is_empty() {
            self.pending = buffer;
        }
        self.offset = self.offset.saturating_add(taken as u64);
        taken
    }

    /// Looks for a head in `buffer`, which begins at offset `at`. Returns how many bytes are done with,
    /// and whether more are needed to say anything about the others.
    fn seek(&mut self, buffer: &[u8], at: u64, items: &mut Vec<Item>) -> (usize, bool) {
        let mut done = 0_usize;
        loop {
            let rest = buffer.get(done..).unwrap_or_default();
            let offset = at.saturating_add(done as u64);
            match &mut self.state {
                State::Head(scan) => match scan.advance(self.stream, rest) {
                    Step::More => return (done, true),
                    Step::Begin => items.push(Item::Begin { offset }),
                    Step::Blank(length) => {
                        let len = length as u64;
                        items.push(Item::Stray { offset, len });
                        done = done.saturating_add(length);
                    }
                    Step::NoStart if scan.first => {
                        self.blind(offset, Malformed::NotHttp, rest.len(), items);
                        return (buffer.len(), false);
                    }
                    Step::NoStart => {
                        if scan.begun {
                            let what = Malformed::HeadCut;
                            items.push(Item::Malformed { offset, what });
                        }
                        self.state = self.between(State::Stray(StraySearch::default()));
                    }
                    Step::TooLong => {
                        self.blind(offset, Malformed::HeadTooLong, rest.len(), items);
                        return (buffer.len(), false);
                    }
                    Step::Cut(length) => {
                        let len = length as u64;
                        let what = Malformed::HeadCut;
                        let broken = offset.saturating_add(len);
                        items.push(Item::Malformed {
                            offset: broken,
                            what,
                        });
                        items.push(Item::Stray { offset, len });
                        self.state = self.between(State::Head(HeadScan::due(false)));
                        done = done.saturating_add(length);
                        if !self.is_opaque() {
                            return (done, false);
                        }
                    }
                    Step::Complete(length) => {
                        let raw = rest.get(..length).unwrap_or_default();
                        self.head(raw, offset, items);
                        return (done.saturating_add(length), false);
                    }
                },
                State::Stray(search) => {
                    let (length, more) = match search.advance(self.stream, rest) {
                        Found::Start(length) => (length, false),
                        Found::Not(length) => (length, true),
                    };
                    if length > 0 {
                        let len = length as u64;
                        items.push(Item::Stray { offset, len });
                    }
                    if !more {
                        self.state = State::Head(HeadScan::due(false));
                    }
                    return (done.saturating_add(length), more);
                }
                // Retired in a head that broke off.
                _ => {
                    let len = rest.len() as u64;
                    items.push(Item::Opaque { offset, len });
                    return (buffer.len(), false);
                }
            }
        }
    }

    /// Takes a complete head.
    fn head(&mut self, raw: &[u8], offset: u64, items: &mut Vec<Item>) {
        let parts = parse(self.stream, raw);
        for flaw in &parts.flaws {
            items.push(Item::Malformed {
                offset: offset.saturating_add(*flaw as u64),
                what: Malformed::FieldLine,
            });
        }
        let head = Head {
            offset,
            raw: Bytes::copy_from_slice(raw),
            start: parts.start,
            fields: parts.fields,
        };
        let end = offset.saturating_add(raw.len() as u64);
        let framing = match framing(&head, self.answering) {
            Ok(framing) if !parts.doubtful => framing,
            _ => {
                let framing = Framing::Tunnel;
                items.push(Item::Head { head, framing });
                self.blind(end, Malformed::Ambiguous, 0, items);
                return;
            }
        };
        items.push(Item::Head { head, framing });
        match framing {
            Framing::None | Framing::Length(0) => self.end(end, Ending::Complete, items),
            Framing::Length(length) => self.state = State::Length(length),
            Framing::Chunked => self.state = State::Chunked(Chunks::new()),
            Framing::UntilClose => self.state = State::UntilClose,
            Framing::Tunnel => {
                self.retired = true;
                self.end(end, Ending::Complete, items);
            }
        }
    }

    /// Ends the message in progress.
    fn end(&mut self, offset: u64, ending: Ending, items: &mut Vec<Item>) {
        items.push(Item::End { offset, ending });
        self.state = self.between(State::Head(HeadScan::due(false)));
    }

    /// Returns the state `next` between two messages, or that nothing is read any more.
    fn between(&self, next: State) -> State {
        if self.retired { State::Opaque } else { next }
    }

    /// Stops reading at `offset`, with `len` bytes at hand.
    fn blind(&mut self, offset: u64, what: Malformed, len: usize, items: &mut Vec<Item>) {
        items.push(Item::Malformed { offset, what });
        let len = len as u64;
        if len > 0 {
            items.push(Item::Opaque { offset, len });
        }
        self.state = State::Opaque;
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

    /// Ends a body that has no length, because the peer has begun the next message.
    pub(super) fn next_message(&mut self, items: &mut Vec<Item>) {
        if let State::UntilClose = self.state {
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
