//! A connection with rules that let everything pass does what one without rules does: the same tests.

#[path = "relay.rs"]
mod relay;
