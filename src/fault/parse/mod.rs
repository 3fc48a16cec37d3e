//! A rules file to rules, with line and column in every error.
//!
//! Text to a tree with places (`toml`), the tree to forms as they stand in the file (`form`), forms to
//! rules (`rule`, `action`). Nothing stops at the first mistake. Knows no file and no relay.

mod action;
mod bits;
mod change;
mod check;
mod choice;
mod form;
mod pace;
mod place;
mod reader;
mod rule;
mod scalar;

use toml::de::DeTable;

use super::rule::RuleSet;

use form::{RuleForm, RulesForm};
use reader::Reader;

/// What is wrong with a file in TOML, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {text}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub length: usize,
    /// What is wrong, lower case, without a full stop.
    pub text: String,
    /// What is allowed, or the nearest name; may be empty.
    pub hint: String,
}

impl Error {
    /// Says what is wrong at a place of `text`, in bytes.
    pub fn at(
        text: &str,
        at: std::ops::Range<usize>,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (line, column) = place::line_column(text, at.start);
        Self {
            line,
            column,
            length: place::length(text, &at),
            text: what.into(),
            hint: hint.into(),
        }
    }
}

/// Longest rules file, in bytes: far more than anybody writes.
const LONGEST: usize = 4 * 1024 * 1024;

/// Reads a rules file; every mistake in it is reported, not only the first.
pub fn parse(text: &str) -> Result<RuleSet, Vec<Error>> {
    if text.len() > LONGEST {
        return Err(vec![Error {
            line: 1,
            column: 1,
            length: 1,
            text: format!(
                "the file has {} bytes; rules files end at 4 MiB",
                text.len()
            ),
            hint: String::new(),
        }]);
    }
    let mut reader = Reader::new(text);
    let (root, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        let at = error.span().unwrap_or_default();
        reader.error(at, error.message(), "");
    }
    // A tree that was mended in many places would be blamed for what the mending left out.
    let root = root.into_inner();
    let set = if broken.is_empty() {
        let form = RulesForm::read_table(&root, &mut reader);
        rule::set(form, &mut reader)
    } else {
        None
    };
    reader.finish(set)
}

/// Reads the form of a preset; every value of it stands where the file names the preset.
fn preset(text: &'static str, reader: &mut Reader<'_>) -> Option<RuleForm> {
    let root = DeTable::parse(text).ok()?.into_inner();
    Some(RuleForm::read_table(&root, reader))
}

/// Returns the JSON schema of rules files, for editors.
pub(super) fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<RulesForm>()
        .to_value()
}
