//! Fields that lead away from the proxy: what was rewritten, and where the client leaves, for rows and
//! stories.

use crate::event::{Direction, LeakFact, RewriteFact};

use super::ledger::Ledger;
use super::row::Text;

impl Ledger {
    /// Takes note that the proxy changed a field of an exchange.
    pub(super) fn rewritten(&mut self, exchange: Option<u32>, fact: &RewriteFact) {
        let field = self.texts.share(&fact.field);
        let Some(row) = exchange.and_then(|no| self.exchange(no)) else {
            return;
        };
        let rewrites = row.rewrites.with(Text::clone(&field));
        let rewrites = self.one_copy(rewrites);
        if let Some(row) = exchange.and_then(|no| self.exchange(no)) {
            row.rewrites = rewrites;
        }
        if fact.direction == Direction::ToClient && !fact.field.eq_ignore_ascii_case("connection") {
            let sentence = format!(
                "The proxy kept the client: {field} says {} instead of {}.",
                fact.after, fact.before
            );
            self.tell_of(exchange, sentence);
        }
    }

    /// Takes note that the client is told to go elsewhere.
    pub(super) fn leads_away(&mut self, exchange: Option<u32>, fact: &LeakFact) {
        let sentence = format!(
            "{} sends the client to {}: what it does there passes by the proxy.",
            fact.field, fact.to
        );
        self.tell_of(exchange, sentence);
    }

    fn tell_of(&mut self, exchange: Option<u32>, sentence: String) {
        let session = exchange
            .and_then(|no| self.exchange(no))
            .and_then(|row| row.session);
        if let Some((row, book)) = session.and_then(|session| self.session(session)) {
            book.tale.tell(row, sentence);
        }
    }
}
