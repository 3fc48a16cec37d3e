//! What is wrong with an expression, where, and what was perhaps meant.
//!
//! Knows the text of an expression and nothing of its grammar.

use std::ops::Range;

/// Says why an expression is not a filter; its text is the message alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Where it begins, in characters from 1; one past the last where something is missing at the end.
    pub column: usize,
    /// How many characters it covers, at least 1.
    pub length: usize,
    /// One clause, lower case, without a full stop.
    pub message: String,
    /// What to try instead, one clause.
    pub hint: Option<String>,
}

impl FilterError {
    /// Makes an error about the bytes `at` of `text`.
    pub(super) fn new(text: &str, at: Range<usize>, message: impl Into<String>) -> Self {
        let count = |part: Option<&str>| part.map_or(0, |part| part.chars().count());
        Self {
            column: count(text.get(..at.start)).saturating_add(1),
            length: count(text.get(at)).max(1),
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to try instead.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Draws the expression with carets under the place, the message behind them, the hint below.
    ///
    /// ```text
    /// http.statsu == 500
    /// ^^^^^^^^^^^ there is no field `http.statsu`
    /// hint: did you mean `http.status`?
    /// ```
    pub fn picture(&self, expression: &str) -> String {
        let line: String = expression
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let blanks = " ".repeat(self.column.saturating_sub(1));
        let carets = "^".repeat(self.length.max(1));
        let mut picture = format!("{}\n{blanks}{carets} {}", line.trim_end(), self.message);
        if let Some(hint) = &self.hint {
            picture.push_str("\nhint: ");
            picture.push_str(hint);
        }
        picture
    }
}

/// Returns the name nearest to `word`, where one is near enough to be meant.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let allowed = word.chars().count().div_ceil(3).clamp(1, 4);
    names
        .into_iter()
        .map(|name| (strsim::levenshtein(&word, &name.to_ascii_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_name_is_not_offered() {
        assert_eq!(nearest("fragmnt", ["Ping", "Fragment"]), Some("Fragment"));
        assert_eq!(nearest("zebra", ["Ping", "Fragment"]), None);
    }

    #[test]
    fn columns_count_characters_and_the_end_has_a_caret() {
        let error = FilterError::new("é == ", 6..6, "expected a value");
        assert_eq!((error.column, error.length), (6, 1));
        assert_eq!(error.picture("é == "), "é ==\n     ^ expected a value");
    }
}
