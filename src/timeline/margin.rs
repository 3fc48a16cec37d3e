//! What stands beside a row: findings, and what people wrote.
//!
//! A note of a person names a byte of its connection; the exchange that begins there is found again
//! whatever numbers the rows have. Knows no screen and no file.

use crate::event::{Anchor, Direction, Event, Fact, Note};

use super::Timeline;
use super::ledger::{Ledger, slot};
use super::row::{Exchange, Remark};
use crate::bits::check::Finding;

/// What people wrote at one exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotation {
    pub marked: bool,
    /// Empty where there is none.
    pub comment: String,
}

/// Gives what stands beside the exchanges.
pub trait Margin {
    /// Returns the findings of exchange number `no`.
    fn findings(&self, no: u32) -> Vec<&Finding>;
    /// Returns what people wrote at exchange number `no`, if they did.
    fn annotation(&self, no: u32) -> Option<&Annotation>;
}

impl Margin for Timeline {
    fn findings(&self, no: u32) -> Vec<&Finding> {
        self.findings_of(no).collect()
    }

    fn annotation(&self, no: u32) -> Option<&Annotation> {
        self.ledger.annotations.get(&no)
    }
}

impl Timeline {
    /// Yields the numbers of the exchanges at which people wrote, rising, with what they wrote.
    pub fn annotations(&self) -> impl Iterator<Item = (u32, &Annotation)> {
        let all = self.ledger.annotations.iter();
        all.map(|(no, annotation)| (*no, annotation))
    }

    /// Returns how often people wrote.
    pub fn annotation_version(&self) -> u64 {
        self.ledger.annotated
    }
}

/// Returns the place by which a note finds `exchange` again.
pub fn anchor(exchange: &Exchange) -> Option<Anchor> {
    let (direction, message) = match (&exchange.request, &exchange.response) {
        (Some(request), _) => (Direction::ToServer, request),
        (None, Some(response)) => (Direction::ToClient, response),
        (None, None) => return None,
    };
    Some(Anchor {
        direction,
        offset: message.head.offset,
        exchange: exchange.no,
    })
}

impl Ledger {
    /// Takes what a person wrote; tells whether the note is of that kind.
    pub(super) fn annotate(&mut self, event: &Event, note: &Note) -> bool {
        let (Fact::Mark { place, .. } | Fact::Comment { place, .. }) = &note.fact else {
            return false;
        };
        let is_meant = |row: &Exchange| {
            let at = anchor(row).map(|at| (at.direction, at.offset));
            row.conn == event.conn && at == Some((place.direction, place.offset))
        };
        let hinted = slot(place.exchange).and_then(|at| self.exchanges.get(at));
        let exchange = hinted
            .filter(|row| is_meant(row))
            .or_else(|| self.exchanges.iter().find(|row| is_meant(row)))
            .map(|row| row.no);
        self.annotated = self.annotated.wrapping_add(1);
        if let Some(no) = exchange {
            let annotation = self.annotations.entry(no).or_default();
            match &note.fact {
                Fact::Mark { on, .. } => annotation.marked = *on,
                Fact::Comment { comment, .. } => annotation.comment.clone_from(comment),
                _ => {}
            }
            if *annotation == Annotation::default() {
                self.annotations.remove(&no);
            }
        }
        self.remark(Remark {
            at: event.at,
            conn: Some(event.conn),
            leg: Some(event.leg),
            exchange,
            text: note.text.clone(),
            ruling: None,
        });
        true
    }
}
