//! `--filter`: which rows a run without a screen takes, and what it counts then.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event::ConnId;
use crate::timeline::filter::{Filter, FilterError, HeadsOf, Row};
use crate::timeline::row::Message;
use crate::timeline::{Exchange, Finding, Level, ReadBack, Remark, Session, Summary, Timeline};

use super::failure::Failure;

/// Reads an expression; a wrong one is shown with carets under what is wrong.
pub(super) fn parse(text: &str) -> Result<Filter, Failure> {
    Filter::parse(text).map_err(|wrong| {
        let hint = wrong.hint.clone();
        let bare = FilterError {
            hint: None,
            ..wrong
        };
        let picture = bare.picture(text).replace('\n', "\n  ");
        let failure = Failure::new(format!(
            "cannot read the filter at column {}: {}\n  {picture}",
            bare.column, bare.message
        ));
        failure.hint(hint.unwrap_or_else(|| "docs/filters.md has the language".to_owned()))
    })
}

/// A filter or a choice, with what it let through.
#[derive(Debug)]
pub(super) struct Sieve {
    by: By,
    connections: HashSet<ConnId>,
    shown: Summary,
}

/// What decides.
#[derive(Debug)]
enum By {
    Filter(Filter, Option<HeadsOf<Arc<dyn ReadBack + Send + Sync>>>),
    Chosen(Chosen),
}

/// Exchanges and sessions by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    pub(super) exchanges: HashSet<u32>,
    pub(super) sessions: HashSet<u32>,
}

impl Sieve {
    /// Makes a sieve; without `heads` fields that only heads have are absent.
    pub(super) fn new(filter: Filter, heads: Option<Arc<dyn ReadBack + Send + Sync>>) -> Self {
        Self::by(By::Filter(filter, heads.map(HeadsOf::new)))
    }

    /// Makes a sieve of what was chosen before.
    pub(super) fn chosen(chosen: Chosen) -> Self {
        Self::by(By::Chosen(chosen))
    }

    fn by(by: By) -> Self {
        Self {
            by,
            connections: HashSet::new(),
            shown: Summary::default(),
        }
    }

    /// Tells whether an exchange is to be printed.
    pub(super) fn takes_exchange(&self, timeline: &Timeline, exchange: &Exchange) -> bool {
        match &self.by {
            By::Filter(filter, heads) => filter.matches(&row(timeline, exchange, heads.as_ref())),
            By::Chosen(chosen) => chosen.exchanges.contains(&exchange.no),
        }
    }

    /// Tells whether a session is to be printed.
    pub(super) fn takes_session(&self, timeline: &Timeline, session: &Session) -> bool {
        let (filter, heads) = match &self.by {
            By::Filter(filter, heads) => (filter, heads.as_ref()),
            By::Chosen(chosen) => return chosen.sessions.contains(&session.no),
        };
        let rows = timeline
            .exchanges_of(session.no)
            .map(|exchange| row(timeline, exchange, heads));
        filter.selects_session(session, rows)
    }

    /// Tells whether a finding is to be printed: its packet is, or, of a finding of no one packet, its
    /// session. `None`: it belongs to neither, and no filter can say.
    pub(super) fn takes_finding(&self, timeline: &Timeline, finding: &Finding) -> Option<bool> {
        if let Some(row) = nth(timeline.exchanges(), finding.exchange) {
            return Some(self.takes_exchange(timeline, row));
        }
        let session = nth(timeline.sessions(), finding.session)?;
        Some(self.takes_session(timeline, session))
    }

    /// Tells whether a note is to be printed: those about the capture itself and about exchanges that are.
    pub(super) fn takes_remark(&self, timeline: &Timeline, remark: &Remark) -> bool {
        match nth(timeline.exchanges(), remark.exchange) {
            Some(row) => self.takes_exchange(timeline, row),
            None => remark.exchange.is_some() || remark.conn.is_none(),
        }
    }

    /// Counts an exchange that is printed.
    pub(super) fn count_exchange(&mut self, exchange: &Exchange) {
        let bytes = |message: &Option<Message>| {
            message.as_ref().map_or(0, |message| {
                message.head.len.saturating_add(message.body_wire)
            })
        };
        let shown = &mut self.shown;
        shown.exchanges = shown.exchanges.saturating_add(1);
        shown.to_server = shown.to_server.saturating_add(bytes(&exchange.request));
        shown.to_client = shown.to_client.saturating_add(bytes(&exchange.response));
        if self.connections.insert(exchange.conn) {
            shown.connections = shown.connections.saturating_add(1);
        }
    }

    /// Counts a finding that is printed.
    pub(super) fn count_finding(&mut self, finding: &Finding) {
        let shown = &mut self.shown;
        let count = match finding.level {
            Level::Error => &mut shown.errors,
            Level::Warning => &mut shown.warnings,
            Level::Note => &mut shown.notes,
            Level::Off => return,
        };
        *count = count.saturating_add(1);
    }

    /// Returns the totals of what was printed, with this many sessions.
    pub(super) fn summary(&self, sessions: usize) -> Summary {
        Summary {
            sessions: u64::try_from(sessions).unwrap_or(u64::MAX),
            ..self.shown
        }
    }
}

/// Returns row number `no` of rows that count from 1.
fn nth<T>(rows: &[T], no: Option<u32>) -> Option<&T> {
    rows.get(usize::try_from(no?).ok()?.checked_sub(1)?)
}

fn row<'r>(
    timeline: &'r Timeline,
    exchange: &'r Exchange,
    heads: Option<&'r HeadsOf<Arc<dyn ReadBack + Send + Sync>>>,
) -> Row<'r> {
    let row = Row::of(timeline, exchange);
    match heads {
        Some(heads) => row.with_heads(heads),
        None => row,
    }
}
