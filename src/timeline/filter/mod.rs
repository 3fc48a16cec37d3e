//! Which rows to show: the one filter language of screen, command line and rules.
//!
//! Text to a typed tree once, the tree against a row as often as needed. It reads rows and, where a
//! condition asks for a field of a head, heads; it knows no screen, file or rule. The manual is
//! `docs/filters.md`.

mod complete;
mod error;
mod eval;
mod expr;
mod field;
mod fold;
mod heads;
mod lexer;
mod parser;
mod value;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::wire::Head;
use crate::wire::Stream;

use super::margin::{Annotation, Margin};
use super::row::{Connection, Exchange, Session};
use super::{Finding, Timeline};

use eval::View;
use expr::Expr;
use field::Field;

pub use complete::{Completion, complete};
pub use error::{FilterError, nearest};
pub use field::{FieldInfo, fields};
pub use heads::HeadsOf;

/// Values as the language writes them, for whoever reads the same from elsewhere.
pub mod unit {
    pub use super::value::{code, rate, size, time};
}

/// Gives back the heads of an exchange, for the few fields that rows do not have.
pub trait Heads {
    /// Returns the head of the request or of the final response, where the capture holds it whole.
    fn head(&self, exchange: &Exchange, stream: Stream) -> Option<Arc<Head>>;
}

/// What a filter looks at: an exchange with its session and connection, where they are known.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    pub exchange: &'r Exchange,
    pub session: Option<&'r Session>,
    pub connection: Option<&'r Connection>,
    /// Without it the fields of [`Filter::needs_heads`] are absent.
    pub heads: Option<&'r dyn Heads>,
    /// Without it findings and marks are absent.
    pub margin: Option<&'r dyn Margin>,
}

impl<'r> Row<'r> {
    /// Finds the session and the connection of `exchange` in its timeline.
    pub fn of(timeline: &'r Timeline, exchange: &'r Exchange) -> Self {
        let session = exchange.session.and_then(|no| {
            let index = usize::try_from(no.checked_sub(1)?).ok()?;
            timeline.sessions().get(index)
        });
        Self {
            exchange,
            session,
            connection: timeline.connection(exchange.conn),
            heads: None,
            margin: Some(timeline),
        }
    }

    /// Adds where heads are read back from.
    #[must_use]
    pub fn with_heads(self, heads: &'r dyn Heads) -> Self {
        Self {
            heads: Some(heads),
            ..self
        }
    }
}

/// The margin of an exchange as one of its findings sees it.
struct Alone<'r> {
    finding: &'r Finding,
    margin: Option<&'r dyn Margin>,
}

impl Margin for Alone<'_> {
    fn findings(&self, _: u32) -> Vec<&Finding> {
        vec![self.finding]
    }

    fn annotation(&self, no: u32) -> Option<&Annotation> {
        self.margin?.annotation(no)
    }
}

/// A condition on rows. Its text reads back as the same filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// `None` matches everything.
    root: Option<Expr>,
}

impl Filter {
    /// Reads an expression; an empty one matches everything.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parser::parse(text).map(|root| Self { root })
    }

    /// Tells whether `row` matches.
    pub fn matches(&self, row: &Row<'_>) -> bool {
        self.root.as_ref().is_none_or(|root| {
            let view = View {
                exchange: Some(row.exchange),
                session: row.session,
                connection: row.connection,
                heads: row.heads,
                margin: row.margin,
            };
            eval::matches(root, &view)
        })
    }

    /// Tells whether a finding is selected: `row` is its exchange, where it has one; of the exchange's
    /// findings it alone is looked at.
    pub fn matches_finding(
        &self,
        finding: &Finding,
        row: Option<&Row<'_>>,
        session: Option<&Session>,
    ) -> bool {
        let alone = Alone {
            finding,
            margin: row.and_then(|row| row.margin),
        };
        self.root.as_ref().is_none_or(|root| {
            let view = View {
                exchange: row.map(|row| row.exchange),
                session,
                connection: row.and_then(|row| row.connection),
                heads: row.and_then(|row| row.heads),
                margin: Some(&alone),
            };
            eval::matches(root, &view)
        })
    }

    /// Tells whether a session is selected: by what it says itself (name, URL, state, kind, client,
    /// counts), or by any of its exchanges in `rows`, which are looked at only if need be.
    pub fn selects_session<'r>(
        &self,
        session: &Session,
        rows: impl IntoIterator<Item = Row<'r>>,
    ) -> bool {
        let Some(root) = &self.root else {
            return true;
        };
        let view = View {
            exchange: None,
            session: Some(session),
            connection: None,
            heads: None,
            margin: None,
        };
        // What a session does not say, one of its exchanges may: it has problems, and packets without any.
        eval::decides(root, &view) == Some(true) || rows.into_iter().any(|row| self.matches(&row))
    }

    /// Tells whether any condition asks for a field that only a head has.
    pub fn needs_heads(&self) -> bool {
        let root = self.root.as_ref();
        root.is_some_and(|root| root.names(Field::needs_heads))
    }

    /// Tells whether any condition asks for what only a session says: its answer may change for packets
    /// that are long over.
    pub fn needs_sessions(&self) -> bool {
        let root = self.root.as_ref();
        root.is_some_and(|root| root.names(Field::is_of_session))
    }

    /// Returns the fields that are asked for, each once; a bare word asks for the URL.
    pub fn fields(&self) -> Vec<&'static FieldInfo> {
        let mut ids = Vec::new();
        if let Some(root) = &self.root {
            root.ids(&mut ids);
        }
        fields()
            .iter()
            .filter(|info| ids.contains(&info.id))
            .collect()
    }

    /// Tells whether everything matches because nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Some(root) => root.fmt(f),
            None => Ok(()),
        }
    }
}

/// Returns `expression` narrowed to rows whose `field` is `value`.
pub fn filter_by(expression: &str, field: &str, value: &str) -> Result<String, FilterError> {
    narrow(expression, &condition(field, value)?)
}

/// Returns `expression` narrowed to rows whose `field` is not `value`, or that have no such field.
pub fn exclude(expression: &str, field: &str, value: &str) -> Result<String, FilterError> {
    narrow(expression, &format!("not {}", condition(field, value)?))
}

/// Writes `field == value`; a field without a value is asked for as present.
fn condition(field: &str, value: &str) -> Result<String, FilterError> {
    let flag = Field::find(field).is_some_and(|found| found.kind == field::Kind::Flag);
    let text = if flag {
        field.to_owned()
    } else {
        format!("{field} == {}", lexer::quote(value))
    };
    Filter::parse(&text).map(|filter| filter.to_string())
}

/// Appends a condition and leaves what the user wrote as it is.
fn narrow(expression: &str, condition: &str) -> Result<String, FilterError> {
    let expression = expression.trim();
    Ok(match Filter::parse(expression)?.root {
        None => condition.to_owned(),
        Some(Expr::Any(_)) => format!("({expression}) and {condition}"),
        Some(_) => format!("{expression} and {condition}"),
    })
}
