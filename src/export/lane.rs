//! One direction's bytes that wait until it is known what they are.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::event::{ConnId, Direction, Event, Leg, Missing, What};
use crate::wire::Stream;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) waiting: VecDeque<(Duration, Content)>,
    pub(super) ended: bool,
}

/// Bytes, or why there are none.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Bytes(Bytes),
    Gone(u64, Missing),
}

/// What is to become of bytes.
pub(super) enum Verdict<'h> {
    Keep,
    /// They are written anew: as many as there were.
    Anew(&'h [u8]),
    Blank,
    Drop,
}

/// Where bytes go on to.
pub(super) struct Out<'o> {
    pub(super) key: (ConnId, Leg),
    pub(super) stream: Stream,
    pub(super) events: &'o mut Vec<Event>,
}

impl Lane {
    /// Returns the next `len` bytes, as far as they are there.
    pub(super) fn front(&self, len: u64) -> Vec<u8> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        for (_, content) in &self.waiting {
            match content {
                Content::Bytes(more) if bytes.len() < len => {
                    let want = (len - bytes.len()).min(more.len());
                    bytes.extend_from_slice(more.get(..want).unwrap_or_default());
                }
                _ => break,
            }
        }
        bytes
    }

    /// Lets the next `len` bytes go.
    pub(super) fn settle(&mut self, len: u64, verdict: &Verdict<'_>, to: &mut Out<'_>) {
        let mut left = len;
        let mut done = 0usize;
        while left > 0
            && let Some((at, content)) = self.waiting.pop_front()
        {
            let (first, rest) = content.split(left);
            left = left.saturating_sub(first.len());
            if let Some(rest) = rest {
                self.waiting.push_front((at, rest));
            }
            let size = usize::try_from(first.len()).unwrap_or(usize::MAX);
            let begin = done;
            done = done.saturating_add(size);
            let content = match (verdict, first) {
                (Verdict::Drop, _) => continue,
                (Verdict::Blank, first) => Content::Gone(first.len(), Missing::NotKept),
                (Verdict::Anew(bytes), Content::Bytes(old)) => match bytes.get(begin..done) {
                    Some(new) => Content::Bytes(Bytes::copy_from_slice(new)),
                    None => Content::Gone(old.len() as u64, Missing::NotKept),
                },
                (_, first) => first,
            };
            let direction = match to.stream {
                Stream::Requests => Direction::ToServer,
                Stream::Responses => Direction::ToClient,
            };
            to.events.push(Event {
                at,
                conn: to.key.0,
                leg: to.key.1,
                what: match content {
                    Content::Bytes(bytes) => What::Data { direction, bytes },
                    Content::Gone(len, why) => What::Missing {
                        direction,
                        len,
                        why,
                    },
                },
            });
        }
    }
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Gone(len, _) => *len,
        }
    }

    /// Cuts behind at most `len` bytes.
    fn split(self, len: u64) -> (Self, Option<Self>) {
        if self.len() <= len {
            return (self, None);
        }
        match self {
            Self::Bytes(mut bytes) => {
                let at = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.split_off(at);
                (Self::Bytes(bytes), Some(Self::Bytes(rest)))
            }
            Self::Gone(all, why) => (
                Self::Gone(len, why),
                Some(Self::Gone(all.saturating_sub(len), why)),
            ),
        }
    }
}
