//! What leaves a capture: a part of its events, events without what is private, and exchanges as HAR.
//!
//! Works on events and rows that it is given; who calls it has the files. Bodies pass in pieces: memory
//! never grows with one. Knows no captures, sockets or screens.

mod content;
pub mod har;
mod lane;
mod mask;
mod pass;
mod private;
mod pseudonym;
mod scrub;

pub use har::HarWriter;
pub use mask::{Mask, Redact};
pub use pass::{Pass, Pick};
