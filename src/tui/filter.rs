//! Which rows to show: the filter language of the timeline, asked about the rows of the screen.
//!
//! Knows no screen and no order of rows.

use crate::timeline::filter::{self, FilterError, Row};
use crate::timeline::{Exchange, Finding, Session};

use super::catalog::exchange_at;
use super::rows::Rows;

/// What the user typed after `/`, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    text: String,
    asks: filter::Filter,
}

impl Filter {
    /// Reads a filter; an empty one takes every row.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let asks = filter::Filter::parse(text)?;
        Ok(Self {
            text: text.trim().to_owned(),
            asks,
        })
    }

    /// Returns the filter as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.asks.is_empty()
    }

    /// Tells whether heads have to be read back to answer.
    pub fn needs_heads(&self) -> bool {
        self.asks.needs_heads()
    }

    /// Tells whether what becomes of a session changes what is taken of its packets.
    pub fn needs_sessions(&self) -> bool {
        self.asks.needs_sessions()
    }

    /// Tells whether the filter takes an exchange.
    pub fn takes_exchange(&self, exchange: &Exchange, rows: &dyn Rows) -> bool {
        self.is_empty()
            || self.asks.matches(&Row {
                exchange,
                session: exchange.session.and_then(|no| session_of(rows, no)),
                connection: rows.connection(exchange.conn),
                heads: rows.heads(),
                margin: rows.margin(),
            })
    }

    /// Tells whether the filter takes a finding: for itself, its exchange and its session.
    pub fn takes_finding(&self, finding: &Finding, rows: &dyn Rows) -> bool {
        if self.is_empty() {
            return true;
        }
        let exchange = finding
            .exchange
            .and_then(|no| exchange_at(rows, no.checked_sub(1)?));
        let session = finding.session.and_then(|no| session_of(rows, no));
        let row = exchange.map(|exchange| Row {
            exchange,
            session,
            connection: rows.connection(exchange.conn),
            heads: rows.heads(),
            margin: rows.margin(),
        });
        self.asks.matches_finding(finding, row.as_ref(), session)
    }

    /// Tells whether a session is taken for what it says itself.
    pub fn takes_session(&self, session: &Session) -> bool {
        self.asks.selects_session(session, std::iter::empty())
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
