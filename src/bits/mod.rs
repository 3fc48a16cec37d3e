//! MC-BUP uploads and BITS downloads, pure: what a head says in the protocol's own terms.
//!
//! A broken field is a value that says so, never an `Err`. Imports `wire` only.

#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod auth;
pub mod check;
pub mod faults;
pub mod header;
pub mod hresult;
pub mod multipart;
pub mod packet;
pub mod session;

pub use auth::Auth;
pub use header::ContentRange;
pub use packet::{Ack, Packet, Request};
