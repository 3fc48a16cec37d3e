//! The part of the decoder that looks for heads: between messages and inside of them.
//!
//! Only here bytes are kept from one call to the next. Knows nothing of content.

use bytes::Bytes;

use super::body::{Answering, framing};
use super::chunk::Chunks;
use super::decoder::{Decoder, State};
use super::item::{Ending, Item, Malformed};
use super::parse::parse;
use super::scan::{HeadScan, Place, Step};
use super::stray::{Found, StraySearch};
use super::{Framing, Head};

/// Bytes of an incomplete head are taken into memory in pieces of at most this size.
const PIECE: usize = 16 << 10;

impl Decoder {
    /// Looks for heads in the pending bytes and `bytes`; returns how many of `bytes` it took.
    pub(super) fn seek_in_pieces(&mut self, bytes: &[u8], items: &mut Vec<Item>) -> usize {
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
                        return (done.saturating_add(length), false);
                    }
                    Step::NoStart if scan.place == Place::Tunnel => {
                        let len = rest.len() as u64;
                        items.push(Item::Opaque { offset, len });
                        self.state = State::Opaque;
                        return (buffer.len(), false);
                    }
                    Step::NoStart if scan.place == Place::First => {
                        self.blind(offset, Malformed::NotHttp, rest.len(), items);
                        return (buffer.len(), false);
                    }
                    Step::NoStart => {
                        let begun = scan.begun;
                        self.state = self.between(State::Stray(StraySearch::default()));
                        if begun {
                            let what = Malformed::HeadCut;
                            items.push(Item::Malformed { offset, what });
                            if !self.is_opaque() {
                                return (done, false);
                            }
                        }
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
                        self.state = self.between(State::Head(HeadScan::due(Place::Next)));
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
                        self.state = State::Head(HeadScan::due(Place::Next));
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
            Framing::Length(length) => {
                self.uncertain = (self.answering == Answering::Unknown).then_some(end);
                self.state = State::Length(length);
            }
            Framing::Chunked => self.state = State::Chunked(Chunks::new()),
            Framing::UntilClose => self.state = State::UntilClose,
            Framing::Tunnel if self.answering == Answering::Connect => {
                self.end(end, Ending::Complete, items);
                self.tunnel(items);
            }
            Framing::Tunnel => {
                self.retired = true;
                self.end(end, Ending::Complete, items);
            }
        }
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
}
