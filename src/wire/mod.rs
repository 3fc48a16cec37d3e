//! HTTP/1.x seen in bytes.
//!
//! In scope: where messages begin and end, heads exactly as sent (order, case, duplicates), which
//! framing a head implies, and which response answers which request. Out of scope: sockets, clocks,
//! files, BITS, and any opinion: this room never fails and never changes a byte. What it cannot read
//! becomes an item ([`Item::Stray`], [`Item::Malformed`], [`Item::Opaque`]) and reading goes on.
//!
//! Lowest floor, together with `event`.

#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod body;
mod chunk;
pub mod decoder;
pub mod diff;
pub mod exchange;
pub mod head;
pub mod item;
mod parse;
mod scan;
mod seek;
mod start;
mod stray;

pub use body::Framing;
pub use decoder::Decoder;
pub use exchange::{Conversation, Seen};
pub use head::{Field, Head, Start};
pub use item::{Ending, Item, Malformed, Stream};
