//! Rules and what they decide: a moment in, a verdict out.
//!
//! [`rule`] is a rule as data, [`known`] what a rule can see and do when, [`mod@parse`] reads a rules file,
//! [`preset`] has ready-made rules, [`rehearse`] tries rules on a recording, [`engine`] decides, [`verdict`] is what the
//! relay carries out, [`receipt`] what it keeps of it. Pure: nothing here waits, draws from a clock or knows
//! a socket; chance comes from (seed, rule, key, ordinal). Knows neither relay nor screen.

#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::panic
    )
)]

mod answer;
pub mod control;
mod describe;
mod draw;
mod edit;
pub mod engine;
pub mod expect;
mod key;
pub mod known;
pub mod parse;
pub mod preset;
pub mod receipt;
mod recent;
pub mod record;
pub mod rehearse;
pub mod rule;
pub mod schema;
mod value;
pub mod verdict;

pub use control::{Control, Held, Release, RuleState};
pub use edit::amend;
pub use engine::{Engine, Moment};
pub use expect::{Judgement, judge};
pub use parse::{Error, parse};
pub use receipt::Receipt;
pub use record::{Recorded, in_force, recorded};
pub use rule::{Action, Rule, RuleSet, Stage};
pub use verdict::{Place, Step, Verdict};
