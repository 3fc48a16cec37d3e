//! A rules file to rules, with line and column in every error.

use super::rule::RuleSet;

/// What is wrong with a rules file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {text}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, lower case, without a full stop.
    pub text: String,
    /// What is allowed, or the nearest name; may be empty.
    pub hint: String,
}

/// Reads a rules file; every mistake in it is reported, not only the first.
pub fn parse(_text: &str) -> Result<RuleSet, Vec<Error>> {
    Err(vec![Error {
        line: 1,
        column: 1,
        text: "rules files cannot be read yet".to_owned(),
        hint: String::new(),
    }])
}
