//! What a server does instead of the usual: a hook that sees each packet first, and a scripted one.
//!
//! A responder decides and the server performs, so a misbehaviour is a value and never an `if` in the protocol.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::bits::{ContentRange, Packet};

/// One packet at the moment when its head was read and found well-formed.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'m> {
    /// Path of the request target, as sent.
    pub path: &'m str,
    pub packet: Packet,
    /// Counts the Fragments of this session from 1, this one included; 0 for the other packets.
    pub fragment: u32,
    pub range: Option<ContentRange>,
    /// Offset of the next byte that the session wants; 0 without a session.
    pub received: u64,
}

/// What the server does with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// What the protocol says.
    Usual,
    /// What the protocol says, but the connection ends where the Ack should be.
    LoseAck,
    /// Drops the session first, so that the packet meets an unknown one.
    Forget,
    /// Loses what it holds from `to` on, then says so with 416.
    Rewind { to: u64 },
    /// Answers with this status and nothing done.
    Refuse { status: u16, code: Option<u32> },
    /// Waits, then does what the protocol says.
    Delay(Duration),
}

/// Decides what happens to each packet; a closure is one too.
pub trait Responder: Send + Sync {
    fn respond(&self, moment: &Moment<'_>) -> Move;

    /// Returns the upload-reply for a complete upload, where this responder makes one.
    fn reply(&self, path: &str, file: &Path) -> Option<Bytes> {
        let _ = (path, file);
        None
    }
}

impl<F: Fn(&Moment<'_>) -> Move + Send + Sync> Responder for F {
    fn respond(&self, moment: &Moment<'_>) -> Move {
        self(moment)
    }
}

/// A misbehaviour of one URL. Those with a `fragment` happen once until [`Quirks::rearm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// Takes Fragment number `fragment` (from 1) and closes the connection without an answer.
    LoseAck { fragment: u32 },
    /// Forgets the session before Fragment number `fragment`.
    Forget { fragment: u32 },
    /// Answers Fragment number `fragment` with 416 and the lower offset `to`.
    Rewind { fragment: u32, to: u64 },
    /// Answers 413 to every Fragment of more than `limit` bytes.
    TooLarge { limit: u64 },
    /// Waits before each answer.
    Delay(Duration),
    /// Answers each upload with this reply.
    Reply(Bytes),
}

/// A script: which path has which quirks.
#[derive(Debug, Default)]
pub struct Quirks {
    rows: Vec<(String, Quirk)>,
    done: Mutex<HashSet<usize>>,
}

impl Quirks {
    /// Adds a quirk of the path `path`.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, quirk: Quirk) -> Self {
        self.rows.push((path.into(), quirk));
        self
    }

    /// Lets the quirks of `path` that happen once happen again.
    pub fn rearm(&self, path: &str) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.retain(|row| self.rows.get(*row).is_none_or(|(of, _)| of != path));
    }

    /// Notes that row `row` happens now; `false` where it happened before.
    fn once(&self, row: usize) -> bool {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(row)
    }

    fn of<'q>(&'q self, path: &'q str) -> impl Iterator<Item = (usize, &'q Quirk)> {
        self.rows
            .iter()
            .enumerate()
            .filter(move |(_, (of, _))| of == path)
            .map(|(row, (_, quirk))| (row, quirk))
    }
}

impl Responder for Quirks {
    fn respond(&self, moment: &Moment<'_>) -> Move {
        for (row, quirk) in self.of(moment.path) {
            let now = |fragment: u32| moment.fragment == fragment && self.once(row);
            let length = moment.range.map_or(0, |range| range.last - range.first + 1);
            match *quirk {
                Quirk::LoseAck { fragment } if now(fragment) => return Move::LoseAck,
                Quirk::Forget { fragment } if now(fragment) => return Move::Forget,
                Quirk::Rewind { fragment, to } if now(fragment) => return Move::Rewind { to },
                Quirk::TooLarge { limit } if length > limit => {
                    return Move::Refuse {
                        status: 413,
                        code: None,
                    };
                }
                Quirk::Delay(time) => return Move::Delay(time),
                _ => {}
            }
        }
        Move::Usual
    }

    fn reply(&self, path: &str, _file: &Path) -> Option<Bytes> {
        self.of(path).find_map(|(_, quirk)| match quirk {
            Quirk::Reply(bytes) => Some(bytes.clone()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quirk_with_a_fragment_happens_once_until_rearmed() {
        let quirks = Quirks::default().with("/a", Quirk::LoseAck { fragment: 2 });
        let at = |path, fragment| {
            quirks.respond(&Moment {
                path,
                packet: Packet::Fragment,
                fragment,
                range: None,
                received: 0,
            })
        };
        assert_eq!(at("/a", 1), Move::Usual);
        assert_eq!(at("/b", 2), Move::Usual);
        assert_eq!(at("/a", 2), Move::LoseAck);
        assert_eq!(at("/a", 2), Move::Usual);
        quirks.rearm("/b");
        assert_eq!(at("/a", 2), Move::Usual);
        quirks.rearm("/a");
        assert_eq!(at("/a", 2), Move::LoseAck);
    }
}
