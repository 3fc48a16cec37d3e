//! A timeline as text, JSON Lines, CSV, JUnit and SARIF. Pure: values in, strings out; nothing here prints.

#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod csv;
pub mod expectation;
pub mod explain;
pub mod json;
pub mod junit;
pub mod login;
pub mod sarif;
pub mod text;
pub mod unit;

use crate::bits::check::Finding;
use crate::timeline::Session;

/// What is told of one capture that was checked.
#[derive(Clone, Debug)]
pub struct Checked<'c> {
    /// The capture as the user named it.
    pub file: &'c str,
    pub sessions: Vec<&'c Session>,
    pub findings: &'c [Finding],
}
