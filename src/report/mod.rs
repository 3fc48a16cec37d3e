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
pub mod explain;
pub mod json;
pub mod junit;
pub mod sarif;
pub mod text;
pub mod unit;
