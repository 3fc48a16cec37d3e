//! Which rows to show: for now a part of a URL, of a file name or of an error's name.
//!
//! The seam for the filter language: [`Filter::parse`] may then fail, the two `takes_` functions ask
//! an expression instead. Knows no screen.

use std::collections::HashMap;

use crate::bits::hresult;
use crate::timeline::{Exchange, Session};

use super::rows::Rows;

/// What the user typed after `/`, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    text: String,
    /// Lower case.
    needle: String,
}

impl Filter {
    /// Reads a filter; an empty one takes every row.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the seam: an expression can be wrong"
    )]
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        Ok(Self {
            text: text.to_owned(),
            needle: text.to_lowercase(),
        })
    }

    /// Returns the filter as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.needle.is_empty()
    }

    /// Tells whether a session's own words contain the text.
    pub fn takes_session(&self, session: &Session) -> bool {
        self.is_in(&session.name) || self.is_in(&session.url)
    }

    /// Tells whether the name of an error code contains the text.
    pub fn takes_error(&self, code: u32) -> bool {
        self.is_in(&hresult::name(code))
    }

    fn is_in(&self, text: &str) -> bool {
        contains(text, &self.needle)
    }
}

/// Asks a filter about many rows and remembers answers about texts that rows share.
///
/// Lives no longer than one look at the timeline, since it remembers texts by where they lie.
pub(super) struct Sieve<'f> {
    filter: &'f Filter,
    urls: HashMap<usize, bool>,
    sessions: HashMap<u32, bool>,
    errors: HashMap<u32, bool>,
}

impl<'f> Sieve<'f> {
    pub(super) fn new(filter: &'f Filter) -> Self {
        Self {
            filter,
            urls: HashMap::new(),
            sessions: HashMap::new(),
            errors: HashMap::new(),
        }
    }

    /// Tells whether the filter takes an exchange: by its URL, its error, or its session's words.
    pub(super) fn takes_exchange(&mut self, exchange: &Exchange, rows: &dyn Rows) -> bool {
        let filter = self.filter;
        if filter.is_empty() {
            return true;
        }
        let place = exchange.url.as_ptr() as usize;
        if *self
            .urls
            .entry(place)
            .or_insert_with(|| filter.is_in(&exchange.url))
        {
            return true;
        }
        let by_session = exchange.session.is_some_and(|no| {
            *self.sessions.entry(no).or_insert_with(|| {
                session_of(rows, no).is_some_and(|session| filter.takes_session(session))
            })
        });
        by_session
            || exchange.error.is_some_and(|error| {
                *self
                    .errors
                    .entry(error.code)
                    .or_insert_with(|| filter.takes_error(error.code))
            })
    }
}

/// Returns session number `no`.
pub(super) fn session_of(rows: &dyn Rows, no: u32) -> Option<&Session> {
    rows.session(usize::try_from(no).ok()?.checked_sub(1)?)
}

/// Tells whether `text` contains `needle`, which is in lower case; the case of `text` does not matter.
pub(super) fn contains(text: &str, needle: &str) -> bool {
    if text.is_ascii() {
        let (text, needle) = (text.as_bytes(), needle.as_bytes());
        return needle.is_empty()
            || text
                .windows(needle.len())
                .any(|window| window.eq_ignore_ascii_case(needle));
    }
    text.to_lowercase().contains(needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        assert!(contains("/Up/Report.CSV", "report.csv"));
        assert!(contains(
            "/GRÖSSE",
            "größe".to_uppercase().to_lowercase().as_str()
        ));
        assert!(contains("", ""));
        assert!(!contains("ab", "abc"));
    }
}
