//! Which bytes a capture with a snap length keeps: heads whole, and the first bytes of each piece of content.
//!
//! Content is told from heads by the decoder that everybody uses. What cannot be read as HTTP counts as content.

use std::collections::HashMap;

use super::Key;
use crate::event::{Close, Direction};
use crate::wire::{Conversation, Item, Stream};

/// Cuts content short.
#[derive(Debug)]
pub(super) struct Snap {
    /// Bytes that are kept of a piece.
    most: u64,
    talks: HashMap<Key, Talk>,
}

/// One leg of a connection.
#[derive(Debug)]
struct Talk {
    conversation: Conversation,
    /// Directions that have ended.
    ended: u8,
}

/// So many bytes, of which the first are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kept: usize,
    pub(super) all: usize,
}

impl Snap {
    pub(super) fn new(most: u64) -> Self {
        Self {
            most,
            talks: HashMap::new(),
        }
    }

    /// Begins a leg of which nothing was missed.
    pub(super) fn opened(&mut self, key: Key) {
        self.talks.insert(key, Talk::of(Conversation::new()));
    }

    fn talk(&mut self, key: Key) -> &mut Conversation {
        let talk = self.talks.entry(key);
        &mut talk
            .or_insert_with(|| Talk::of(Conversation::joined()))
            .conversation
    }

    /// Takes note of bytes that nobody can show.
    pub(super) fn skip(&mut self, key: Key, direction: Direction, len: u64) {
        let stream = stream_of(direction);
        self.talk(key).skip(stream, len, &mut Vec::new());
    }

    /// Takes note that a direction, or by a reset both, has ended.
    pub(super) fn closed(&mut self, key: Key, direction: Direction, how: Close) {
        let Some(talk) = self.talks.get_mut(&key) else {
            return;
        };
        talk.ended |= match (how, direction) {
            (Close::Reset, _) => 3,
            (Close::Fin, Direction::ToServer) => 1,
            (Close::Fin, Direction::ToClient) => 2,
        };
        if talk.ended == 3 {
            self.talks.remove(&key);
        }
    }

    /// Cuts the next `bytes` of a direction into pieces, of which together none is left out.
    pub(super) fn cut(&mut self, key: Key, direction: Direction, bytes: &[u8]) -> Vec<Piece> {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let stream = stream_of(direction);
        let talk = self.talk(key);
        let base = talk.decoder(stream).offset();
        let mut seen = Vec::new();
        talk.feed(stream, bytes, &mut seen);
        let mut pieces = Vec::new();
        let mut at = 0;
        for found in seen {
            let (Item::Data { offset, len }
            | Item::Stray { offset, len }
            | Item::Opaque { offset, len }) = found.item
            else {
                continue;
            };
            let place = |offset: u64| {
                let within = usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
                within.clamp(at, bytes.len())
            };
            let (from, to) = (place(offset), place(offset.saturating_add(len)));
            if found.stream == stream && to - from > most {
                pieces.push(Piece {
                    kept: from - at + most,
                    all: to - at,
                });
                at = to;
            }
        }
        if at < bytes.len() {
            let rest = bytes.len() - at;
            pieces.push(Piece {
                kept: rest,
                all: rest,
            });
        }
        pieces
    }
}

impl Talk {
    fn of(conversation: Conversation) -> Self {
        Self {
            conversation,
            ended: 0,
        }
    }
}

fn stream_of(direction: Direction) -> Stream {
    match direction {
        Direction::ToServer => Stream::Requests,
        Direction::ToClient => Stream::Responses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ConnId, Leg};

    const KEY: Key = (ConnId(1), Leg::Client);

    fn cut(snap: &mut Snap, text: &str) -> Vec<(usize, usize)> {
        let pieces = snap.cut(KEY, Direction::ToServer, text.as_bytes());
        pieces.iter().map(|piece| (piece.kept, piece.all)).collect()
    }

    #[test]
    fn heads_are_whole_however_they_come() {
        let mut snap = Snap::new(2);
        snap.opened(KEY);
        let head = "PUT /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        let both = format!("{head}12345{head}");
        assert_eq!(
            cut(&mut snap, &both),
            [(head.len() + 2, head.len() + 5), (head.len(), head.len())]
        );
        assert_eq!(cut(&mut snap, "123"), [(2, 3)]);
        assert_eq!(cut(&mut snap, "45PUT"), [(5, 5)]);
        assert_eq!(cut(&mut snap, " /b HTTP/1.1\r\n\r\n"), [(16, 16)]);
    }

    #[test]
    fn what_is_no_http_is_content() {
        let mut snap = Snap::new(2);
        snap.opened(KEY);
        let line = "neither a request nor a response\n";
        assert_eq!(cut(&mut snap, line), [(2, line.len())]);
        snap.skip(KEY, Direction::ToServer, 7);
        assert_eq!(cut(&mut snap, "and more"), [(2, 8)]);
        snap.closed(KEY, Direction::ToServer, Close::Reset);
        assert!(snap.talks.is_empty());
    }
}
