//! bitstap: an intercepting debugging proxy for Microsoft BITS with a terminal UI.
//!
//! # Floors
//!
//! A room imports only from the floors below it; neighbours do not know each other.
//! `tests/architecture.rs` holds the table.
//!
//! ```text
//! 7  main
//! 6  cli                                   the only room that knows everybody
//! 5  peer      -> capture report timeline bits wire event
//! 4  relay     -> fault bits wire event    tui -> report timeline fault bits wire event
//!    capture   -> timeline wire event      extract -> report timeline bits wire event
//!                                          export -> report timeline bits wire event
//! 3  report    -> timeline bits wire event timeline -> bits wire event     fault -> timeline bits wire event
//! 2  bits      -> wire
//! 1  wire, event -> nothing of ours
//! ```
//!
//! # How a byte travels
//!
//! socket -> `relay/tap` -> [`event::Event`] -> (a) `capture/writer` (b) `timeline` -> `tui`. From a file:
//! `capture/reader` -> [`event::Event`] -> the same `timeline`.
//!
//! # Invariants
//!
//! - The decoder never fails. Bytes that it cannot read become an item; the relay goes on.
//! - Watching changes nothing: bytes out equal bytes in until a rule says otherwise.
//! - A verdict is data: `fault` decides, `relay` carries out.
//! - A capture holds only events. No session, packet or finding is ever saved.
//! - Time is an argument in the pure rooms (`event`, `wire`, `bits`, `timeline`, `fault`,
//!   `report`).
//! - The screen may drop, the file may not. All channels are bounded.
//! - Memory never grows with a body.

#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::exit
    )
)]

pub mod event;
pub mod wire;

pub mod bits;

pub mod timeline;

pub mod fault;
pub mod report;

pub mod capture;
pub mod export;
pub mod extract;
pub mod relay;
pub mod tui;

pub mod peer;

pub mod cli;
