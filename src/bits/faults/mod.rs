//! The catalogue of faults: what can go wrong between a client and a server, and what a Windows client then does.
//!
//! Data alone, one table per place where the fault is made; this file says what a row is and finds it. It injects
//! nothing and knows no rules.

mod application;
mod download;
mod network;
mod upload;

use std::sync::LazyLock;

/// How sure it is what the client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A document says it.
    Documented,
    /// A document says what the client does; the error code, or a part of it, is our inference.
    Partly,
    /// No document says it: it follows from what documents say of something near.
    Inferred,
    /// The documents call it a breach and are silent about what the client does.
    Unknown,
}

impl Basis {
    /// Returns the word used in JSON and for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Partly => "partly documented",
            Self::Inferred => "inferred",
            Self::Unknown => "unknown",
        }
    }
}

/// One fault of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable: `F-11`.
    pub id: &'static str,
    /// What is done to the conversation: one clause, an order.
    pub injection: &'static str,
    /// What goes behind `a Windows client`: what it does then.
    pub expected: &'static str,
    pub basis: Basis,
    /// Documents and sections; what `expected` rests on, where it is inferred.
    pub source: &'static str,
}

static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
    let tables = [
        upload::FAULTS,
        network::FAULTS,
        download::FAULTS,
        application::FAULTS,
    ];
    tables.concat()
});

/// Returns the whole catalogue in the order of its numbers.
pub fn faults() -> &'static [Fault] {
    &FAULTS
}

/// Returns the fault that `id` names as people write it: `F-11`, `f-11`, `F11`, `f-1` for `F-01`.
pub fn find(id: &str) -> Option<&'static Fault> {
    let number = number(id)?;
    faults()
        .iter()
        .find(|fault| self::number(fault.id) == Some(number))
}

/// Reads the number of an id; three digits are enough for every catalogue.
fn number(id: &str) -> Option<u16> {
    let digits = id.trim().strip_prefix(['F', 'f'])?;
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Makes a row.
const fn fault(
    id: &'static str,
    injection: &'static str,
    expected: &'static str,
    basis: Basis,
    source: &'static str,
) -> Fault {
    Fault {
        id,
        injection,
        expected,
        basis,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_numbered_without_gaps() {
        let ids: Vec<_> = faults().iter().map(|fault| fault.id.to_owned()).collect();
        let wanted: Vec<_> = (1..=57).map(|number| format!("F-{number:02}")).collect();
        assert_eq!(ids, wanted);
    }

    #[test]
    fn an_id_is_found_however_it_is_written() {
        for id in ["F-11", "f-11", "F11", "f11", " F-11 ", "F-011"] {
            assert_eq!(find(id).map(|fault| fault.id), Some("F-11"), "{id:?}");
        }
        assert_eq!(find("f1").map(|fault| fault.id), Some("F-01"));
        for id in [
            "", "F", "F-", "F-0", "F-58", "11", "F--1", "F-+1", "F-99999", "FR-11",
        ] {
            assert_eq!(find(id), None, "{id:?}");
        }
    }

    #[test]
    fn every_row_reads_as_a_sentence() {
        for fault in faults() {
            for clause in [fault.injection, fault.expected] {
                assert!(!clause.is_empty() && !clause.ends_with('.'), "{}", fault.id);
                assert!(!clause.contains("  "), "{}: {clause}", fault.id);
            }
            assert!(!fault.source.is_empty(), "{}", fault.id);
        }
    }
}
