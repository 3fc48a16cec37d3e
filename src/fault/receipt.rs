//! What is kept of each decision: a sentence and the same as data, ready for the capture.

use crate::event::{Fact, Note, RuleFact};

use super::rule::Stage;

/// One rule whose condition held at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub rule: String,
    pub stage: Stage,
    /// What the matches were counted by (`session /up/a.bin #1`), and which match of it this was, from 1.
    pub key: String,
    pub ordinal: u64,
    /// Names of what was done; empty if the rule did not fire.
    pub actions: Vec<String>,
    /// Why it did not fire (`3 more to skip`, `drawn 0.71 of 0.50`); empty if it did.
    pub reason: String,
    /// The exchange on its connection, from 0; `None` at connect.
    pub exchange: Option<u64>,
}

impl Receipt {
    /// Tells whether the rule fired.
    pub fn fired(&self) -> bool {
        self.reason.is_empty()
    }

    /// Returns the note that goes into the capture.
    pub fn note(&self) -> Note {
        let stage = self.stage.name();
        let text = if self.fired() {
            format!(
                "Rule {} fired at {stage}: {} (match {} of {}).",
                self.rule,
                self.actions.join(", "),
                self.ordinal,
                self.key
            )
        } else {
            format!(
                "Rule {} matched at {stage} and did not fire: {} (match {} of {}).",
                self.rule, self.reason, self.ordinal, self.key
            )
        };
        Note {
            text,
            fact: Fact::Rule(Box::new(RuleFact {
                rule: self.rule.clone(),
                stage: stage.to_owned(),
                key: self.key.clone(),
                ordinal: self.ordinal,
                actions: self.actions.clone(),
                reason: self.reason.clone(),
                exchange: self.exchange,
            })),
        }
    }
}
