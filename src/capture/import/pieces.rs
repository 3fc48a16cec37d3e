//! What is still to happen, in order of time; bytes that lie in a file are read when their time comes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;

use crate::event::{ConnId, Direction, Leg, Missing, What};

use super::entry::Body;

/// Bytes of one event, at most.
const PIECE: u64 = 256 << 10;

/// Something that happens at a moment.
#[derive(Debug)]
pub(super) struct Due {
    /// Nanoseconds since 1970-01-01 UTC.
    pub(super) at: u64,
    pub(super) conn: ConnId,
    pub(super) leg: Leg,
    pub(super) piece: Piece,
}

/// What happens.
#[derive(Debug)]
pub(super) enum Piece {
    What(What),
    Bytes(Direction, Body),
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    heap: BinaryHeap<Numbered>,
    /// The order of what happens at one moment.
    pushed: u64,
    given: u64,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    due: Due,
}

impl Pieces {
    pub(super) fn push(&mut self, due: Due) {
        self.pushed += 1;
        let number = self.pushed;
        self.heap.push(Numbered { number, due });
    }

    /// Returns how many were given out.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// Takes the first one that is not later than `until`; `None`: whichever is first.
    pub(super) fn pop(&mut self, until: Option<u64>) -> io::Result<Option<(Due, What)>> {
        loop {
            let is_due = |first: &Numbered| until.is_none_or(|until| first.due.at <= until);
            if !self.heap.peek().is_some_and(is_due) {
                return Ok(None);
            }
            let Some(Numbered { number, mut due }) = self.heap.pop() else {
                return Ok(None);
            };
            let what = match &mut due.piece {
                Piece::What(what) => Some(what.clone()),
                Piece::Bytes(direction, body) => next_bytes(*direction, body)?,
            };
            let Some(what) = what else { continue };
            self.given += 1;
            let rest = match &due.piece {
                Piece::Bytes(direction, body) if body.len().is_some_and(|len| len > 0) => {
                    Some(Piece::Bytes(*direction, body.clone()))
                }
                _ => None,
            };
            if let Some(piece) = rest {
                let due = Due { piece, ..due };
                self.heap.push(Numbered { number, due });
            }
            return Ok(Some((due, what)));
        }
    }
}

/// Takes the first bytes off `body`.
fn next_bytes(direction: Direction, body: &mut Body) -> io::Result<Option<What>> {
    let data = |bytes: Bytes| (!bytes.is_empty()).then_some(What::Data { direction, bytes });
    match body {
        Body::Bytes(bytes) => Ok(data(std::mem::take(bytes))),
        // They were taken apart before.
        Body::Parts(_) => Ok(None),
        Body::Gone(len) => {
            let len = len.take().unwrap_or_default();
            let why = Missing::NotKept;
            Ok((len > 0).then_some(What::Missing {
                direction,
                len,
                why,
            }))
        }
        Body::Place { file, at, len } => {
            let bytes = read_at(file, *at, (*len).min(PIECE))?;
            let taken = bytes.len() as u64;
            if taken == 0 && *len > 0 {
                // The file became shorter while it was read.
                let gone = std::mem::take(len);
                let why = Missing::NotKept;
                return Ok(Some(What::Missing {
                    direction,
                    len: gone,
                    why,
                }));
            }
            *at = at.saturating_add(taken);
            *len = len.saturating_sub(taken);
            Ok(data(bytes.into()))
        }
    }
}

/// Reads up to `len` bytes from offset `at` on; memory grows with what is there only.
pub(super) fn read_at(mut file: &File, at: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The earliest is the greatest: it comes first out of the heap.
impl Ord for Numbered {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due.at, other.number).cmp(&(self.due.at, self.number))
    }
}

impl PartialOrd for Numbered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numbered {}
