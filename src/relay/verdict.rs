//! What is to happen to a head before it is forwarded.
//!
//! Deciding is pure and knows no sockets; `connection.rs` carries out what was decided. Rules have one
//! place to enter: here.

use crate::wire::{Head, Stream};

/// What the relay does with a head that is complete and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Forward the bytes as they came.
    Pass,
}

/// Decides about one head. Nothing is changed unless somebody asks for it.
pub(super) fn decide(_stream: Stream, _head: &Head) -> Verdict {
    Verdict::Pass
}
