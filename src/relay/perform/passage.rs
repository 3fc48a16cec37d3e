//! One message on its way: what is still to be done to it, and how far it has come.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Lost;
use super::spool::Spool;
use crate::fault::verdict::{Deed, Place, Step};

/// What becomes of the bytes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Forward,
    /// Nothing of the message goes on from here.
    Withhold,
}

/// The message under way in one direction.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts about a message that come in any combination"
)]
pub(super) struct Passage {
    /// The client's number of the exchange.
    pub(super) exchange: Option<u64>,
    /// What is still to be done, by place.
    pub(super) steps: VecDeque<Step>,
    /// How much of the content has passed.
    pub(super) offset: u64,
    pub(super) fate: Fate,
    /// Whether the proxy did something to it: then both legs are kept whole.
    pub(super) touched: bool,
    /// Goes on instead of the head.
    pub(super) replaced: Option<Bytes>,
    /// The head as it came; only where something waits to be done.
    pub(super) head: Bytes,
    /// The client waits for a `100 Continue` before it sends content.
    pub(super) expects: bool,
    /// A part of it went to the server, the rest will not.
    pub(super) severed: bool,
    /// What the client is answered when the request is over, and why.
    pub(super) answer: Option<(Bytes, String)>,
    /// The client does not get it.
    pub(super) lost: Option<Lost>,
    /// The status of a response.
    pub(super) status: u16,
    /// An interim response: not the end of an exchange.
    pub(super) interim: bool,
    /// Is sent so many times more.
    pub(super) again: Option<(Spool, u32)>,
    /// The server's number of the exchange, of a response.
    pub(super) number: Option<u64>,
    /// The connection ends with it.
    pub(super) closes: bool,
    /// Bytes to flip, by the place of the first.
    flips: Vec<(u64, Vec<u8>)>,
}

impl Passage {
    /// Makes a message that passes as it is.
    pub(super) fn of(exchange: Option<u64>) -> Self {
        Self {
            exchange,
            ..Self::default()
        }
    }

    /// Tells whether nothing is done to its bytes, so that they may go together with others.
    pub(super) fn is_plain(&self) -> bool {
        !self.touched && !self.closes && self.steps.is_empty() && self.fate == Fate::Forward
    }

    /// Takes the next step if its place is reached.
    pub(super) fn due(&mut self, at_head: bool) -> Option<Step> {
        let reached = match self.steps.front()?.place {
            Place::Head => true,
            Place::Body(at) => !at_head && at <= self.offset,
        };
        if reached {
            self.steps.pop_front()
        } else {
            None
        }
    }

    /// Takes the next deed if it belongs to the one just done: an ending after a lost answer.
    pub(super) fn ending(&mut self) -> Option<Deed> {
        let next = self.steps.front()?;
        if matches!(next.deed, Deed::Reset(_) | Deed::Close(_) | Deed::Hang(_)) {
            return self.steps.pop_front().map(|step| step.deed);
        }
        None
    }

    /// Flips what follows with `mask`.
    pub(super) fn flip(&mut self, mask: Vec<u8>) {
        self.flips.push((self.offset, mask));
    }

    /// Returns how many of the next `len` content bytes are alike: up to the next step, or to where
    /// flipping ends.
    pub(super) fn stretch(&self, len: u64) -> u64 {
        let step = self.steps.front().map(|step| match step.place {
            Place::Head => self.offset,
            Place::Body(at) => at,
        });
        let ends = (self.flips.iter())
            .map(|(start, mask)| start.saturating_add(mask.len() as u64))
            .chain(step)
            .filter(|end| *end > self.offset)
            .map(|end| end - self.offset);
        ends.fold(len, u64::min)
    }

    /// Returns `bytes`, the next ones of the content, flipped; `None` where they stay as they are.
    pub(super) fn flipped(&self, bytes: &Bytes) -> Option<Bytes> {
        let mut changed: Option<Vec<u8>> = None;
        for (start, mask) in &self.flips {
            let skip = self.offset.checked_sub(*start)?;
            let Some(mask) = usize::try_from(skip).ok().and_then(|skip| mask.get(skip..)) else {
                continue;
            };
            if mask.is_empty() {
                continue;
            }
            let changed = changed.get_or_insert_with(|| bytes.to_vec());
            for (byte, mask) in changed.iter_mut().zip(mask) {
                *byte ^= mask;
            }
        }
        changed.map(Bytes::from)
    }
}
