//! The content of one message on both legs: where it first differs.
//!
//! Reads through [`ReadBack`], bounded; knows no view.

use crate::timeline::row::Message;
use crate::timeline::{ReadBack, Span};
use crate::wire::diff::first_difference;

/// Bytes that are compared at most.
const LIMIT: u64 = 64 << 20;

/// Bytes that are read at once.
const STEP: usize = 1 << 20;

/// Two bodies to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub client: Span,
    pub upstream: Span,
}

/// What came of comparing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Offset in the body of the first byte that differs.
    pub first: Option<u64>,
    /// Bytes from the start that were looked at.
    pub looked: u64,
    /// Bytes of these that one of the legs does not have.
    pub holes: u64,
}

/// Returns the bodies of a message's two legs, where both have one.
pub(super) fn wanted(client: &Message, upstream: &Message) -> Option<Pair> {
    let span = |message: &Message| Span {
        offset: message.body_offset(),
        len: message.body_wire,
        ..message.head
    };
    let pair = Pair {
        client: span(client),
        upstream: span(upstream),
    };
    (pair.client.len.min(pair.upstream.len) > 0).then_some(pair)
}

/// Compares two bodies up to the end of the shorter one, or as far as is reasonable.
pub(super) fn compare(bytes: &dyn ReadBack, pair: Pair) -> Result<Compared, String> {
    let len = pair.client.len.min(pair.upstream.len).min(LIMIT);
    let mut compared = Compared::default();
    while compared.looked < len {
        let from = compared.looked;
        let left = usize::try_from(len - from).unwrap_or(STEP).min(STEP);
        let read = |span| {
            bytes
                .read(span, from, left)
                .map_err(|error| error.to_string())
        };
        let (one, other) = (read(pair.client)?, read(pair.upstream)?);
        let got = one.bytes.len().min(other.bytes.len());
        if got == 0 {
            break;
        }
        let mut holes = one.holes;
        holes.extend(other.holes);
        if let Some(at) = first_difference(&one.bytes, &other.bytes, &holes) {
            compared.first = Some(from + u64::try_from(at).unwrap_or(0));
            return Ok(compared);
        }
        let missing = (0..got).filter(|at| holes.iter().any(|hole| hole.contains(at)));
        compared.holes += if holes.is_empty() {
            0
        } else {
            u64::try_from(missing.count()).unwrap_or(0)
        };
        compared.looked += u64::try_from(got).unwrap_or(0);
    }
    Ok(compared)
}
