//! The offsets that a server tells of an upload: how far it is, and where the client was sent back.
//!
//! An offset that names the last byte of its fragment is told of when the client goes on: only that shows whether
//! the server wants this byte again, or means the next one.

use super::ledger::{Book, Ledger};
use super::row::Session;
use crate::bits::session::{Answer, Told};
use crate::bits::{Ack, ContentRange, Request};

/// What a server told of one upload.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// The offset that it told last.
    pub(super) told: Told,
    /// The fragment after which that can be read in two ways.
    doubted: Option<ContentRange>,
    /// It was told that the server names last bytes.
    names_last: bool,
}

impl Ledger {
    /// Takes the offset that an Ack tells; returns whether the server has all bytes.
    ///
    /// A server that says no offset with 200 has taken the whole fragment.
    pub(super) fn acknowledged(
        &mut self,
        session: u32,
        request: &Request,
        answer: Answer,
        ack: &Ack,
    ) -> bool {
        let Some((row, book)) = self.session(session) else {
            return false;
        };
        let end = request.range.map(|range| {
            let end = range.last.saturating_add(1);
            // An empty file has no last byte, and some clients name one.
            range.total.filter(|&total| total == 0).unwrap_or(end)
        });
        let end = end.or_else(|| request.total.filter(|&total| total == 0));
        let told = ack
            .received
            .or_else(|| end.filter(|_| answer == Answer::Done));
        let Some(told) = told else {
            let said =
                "The server refused a fragment with 416 and did not tell which offset it wants.";
            book.tale.tell(row, said.to_owned());
            return false;
        };
        let before = book.offsets.told.offset();
        let known = match answer {
            Answer::Done => before.max(end.unwrap_or(0)),
            _ => before.max(request.range.map_or(0, |range| range.first)),
        };
        book.offsets.told = match (request.range, answer) {
            (Some(range), Answer::Done) => Told::after(range.first, range.last, told),
            _ => Told::at(told),
        };
        book.offsets.doubted = request.range.filter(|_| book.offsets.told.is_doubtful());
        if book.offsets.doubted.is_some() {
            // Told of when the client goes on.
        } else if told < known {
            sent_back(row, book, known, told);
        } else if answer == Answer::OutOfStep {
            book.tale.tell(
                row,
                format!(
                    "The server was out of step (416) and asked the client to go on at byte {told}."
                ),
            );
        } else if let Some(range) = request.range.filter(|_| told > 0) {
            book.tale
                .fragment(row, range.first, range.last.min(told.saturating_sub(1)));
        }
        let told = row.total.map_or(told, |total| told.min(total));
        row.acknowledged = row.acknowledged.max(told);
        row.total.is_some_and(|total| told >= total)
    }

    /// Takes note that the client goes on at `first`, or closes a file of that size: what the server told last is
    /// not doubtful any more.
    pub(super) fn went_on(&mut self, session: u32, first: Option<u64>) {
        if let Some((row, book)) = self.session(session)
            && let Some(range) = book.offsets.doubted.take()
        {
            settle(row, book, range, first);
        }
    }

    /// Tells of the offsets of which it never showed what was meant.
    pub(super) fn doubts_over(&mut self) {
        for (row, book) in self.sessions.iter_mut().zip(&mut self.books) {
            if let Some(range) = book.offsets.doubted.take() {
                settle(row, book, range, None);
            }
        }
    }
}

fn settle(row: &mut Session, book: &mut Book, range: ContentRange, first: Option<u64>) {
    let told = book.offsets.told.offset();
    book.offsets.told = book.offsets.told.settled(first.unwrap_or(u64::MAX));
    let meant = book.offsets.told.offset();
    if meant == told {
        sent_back(row, book, told.saturating_add(1), told);
        return;
    }
    if !std::mem::replace(&mut book.offsets.names_last, true) {
        book.tale.tell(
            row,
            format!("The server names byte {told}, the last one that it has, where it should name the next one; the client goes on behind it."),
        );
    }
    row.acknowledged = row.acknowledged.max(meant);
    book.tale.fragment(row, range.first, told);
}

fn sent_back(row: &mut Session, book: &mut Book, from: u64, to: u64) {
    row.rewinds = row.rewinds.saturating_add(1);
    book.tale.tell(
        row,
        format!("The server asked the client to go back from byte {from} to byte {to}."),
    );
}
