//! What the server holds of an upload by its own word.
//!
//! Pure. The rules, for a server that keeps no ranges apart from the file's beginning:
//!
//! - A byte that the server holds stays: of a fragment that overlaps it only the new part counts.
//!   Win32 "Fragment"
//! - A fragment without an answer may have arrived: its bytes count until the server's next word.
//! - A refused fragment (416, 413, 500 ...) leaves nothing behind but what the server says with it that it has: it
//!   took that when nobody was looking.
//! - An offset that the server tells cuts off what lies behind it. MC-BUP §2.2.7.2
//! - One that names the last byte of its fragment means the next one where the client goes on behind it.

use std::collections::HashMap;

use super::extent::Extents;
use crate::bits::session::Told;

/// What an answer says of the fragment and of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The fragment was taken; the server wants this byte next.
    Kept(Told),
    /// The fragment was not taken; the server wants this byte next, if it says so.
    Refused(Option<u64>),
}

/// The server's copy of one upload.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Bytes that it holds, as far as is known, and that were seen.
    pub(super) bytes: Extents,
    /// The same with those that passed unseen.
    taken: Extents,
    /// All that was ever written into the rebuilt file: more than `bytes` after a refusal.
    pub(super) written: Extents,
    /// The offset that it told last: it says that it holds everything before.
    told: Told,
    /// The byte at that offset was there before the offset cut it off.
    has_last: bool,
    /// What each fragment without an answer brought.
    brought: HashMap<u32, Vec<(u64, u64)>>,
}

impl Held {
    /// Takes bytes `start..end` of the fragment in `exchange`; returns the part that the server takes.
    pub(super) fn pass(&mut self, exchange: u32, start: u64, end: u64) -> Option<(u64, u64)> {
        let (start, end) = self.take(exchange, start, end)?;
        self.bytes.insert(start, end);
        self.written.insert(start, end);
        Some((start, end))
    }

    /// Takes note that bytes `start..end` of the fragment in `exchange` passed and cannot be shown.
    pub(super) fn pass_unseen(&mut self, exchange: u32, start: u64, end: u64) {
        if let Some((start, end)) = self.take(exchange, start, end) {
            self.bytes.remove(start, end);
        }
    }

    /// Returns the offset that the server told last.
    pub(super) fn told(&self) -> u64 {
        self.told.offset()
    }

    /// Takes note that the client goes on at `first`, or closes a file of that size.
    fn goes_on(&mut self, first: u64) {
        let (told, meant) = (self.told.offset(), self.told.settled(first));
        if meant.offset() > told {
            self.taken.insert(told, meant.offset());
            if self.has_last {
                self.bytes.insert(told, meant.offset());
            }
        }
        self.told = meant;
    }

    fn take(&mut self, exchange: u32, start: u64, end: u64) -> Option<(u64, u64)> {
        self.goes_on(start);
        let frontier = self.taken.run_end(self.told.offset());
        let start = start.max(frontier);
        if start >= end {
            return None;
        }
        if start == frontier {
            // What came before and lies behind a hole was not kept by the server.
            self.taken.remove(end, u64::MAX);
            self.bytes.remove(end, u64::MAX);
        }
        self.taken.insert(start, end);
        let brought = self.brought.entry(exchange).or_default();
        match brought.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => brought.push((start, end)),
        }
        Some((start, end))
    }

    /// Takes the answer to the fragment in `exchange`.
    pub(super) fn answered(&mut self, exchange: u32, word: Word) {
        let brought = self.brought.remove(&exchange).unwrap_or_default();
        let told = match word {
            Word::Kept(told) => Some(told),
            Word::Refused(told) => {
                for (start, end) in brought {
                    let start = told.map_or(start, |told| start.max(told.min(end)));
                    self.bytes.remove(start, end);
                    self.taken.remove(start, end);
                }
                told.map(Told::at)
            }
        };
        if let Some(word) = told {
            let told = word.offset();
            self.has_last = self
                .bytes
                .within(told, told.saturating_add(1))
                .next()
                .is_some();
            self.bytes.remove(told, u64::MAX);
            self.taken.remove(told, u64::MAX);
            self.told = word;
            // Whatever is under way was judged with it.
            self.brought.clear();
        }
    }

    /// Takes note that no more is said, and whether the client closed the session; returns what is stale in the
    /// rebuilt file before its end.
    pub(super) fn settle(&mut self, total: Option<u64>, closed: bool) -> Vec<(u64, u64)> {
        if let Some(total) = total.filter(|_| closed) {
            self.goes_on(total);
        }
        let told = self.told.offset().min(total.unwrap_or(u64::MAX));
        self.told = Told::at(told);
        self.bytes.remove(told, u64::MAX);
        let end = self.bytes.end();
        let stale = self.bytes.missing(0, end);
        stale
            .iter()
            .flat_map(|&(start, end)| self.written.within(start, end))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(told: u64) -> Word {
        Word::Kept(Told::at(told))
    }

    #[test]
    fn the_first_copy_wins_and_a_rewind_cuts_back() {
        let mut held = Held::default();
        assert_eq!(held.pass(1, 0, 100), Some((0, 100)));
        held.answered(1, kept(100));
        // Win32 "Fragment": 0-100 is there, of 50-150 the server keeps 101-150.
        assert_eq!(held.pass(2, 50, 150), Some((100, 150)));
        held.answered(2, kept(150));
        held.answered(3, Word::Refused(Some(20)));
        assert_eq!(held.pass(4, 20, 30), Some((20, 30)));
        held.answered(4, kept(30));
        assert_eq!(held.settle(Some(200), false), []);
        assert_eq!((held.told(), held.bytes.end()), (30, 30));
    }

    #[test]
    fn a_lost_answer_is_made_good_by_the_next_word() {
        let mut held = Held::default();
        held.pass(1, 0, 10);
        assert_eq!(held.pass(2, 0, 10), None, "the first copy is there");
        held.answered(2, Word::Refused(Some(10)));
        assert_eq!(held.bytes.missing(0, 10), []);
    }

    #[test]
    fn a_refused_fragment_leaves_nothing() {
        let mut held = Held::default();
        held.pass(1, 0, 10);
        held.answered(1, kept(10));
        held.pass(2, 10, 20);
        held.answered(2, Word::Refused(None));
        assert_eq!(held.bytes.end(), 10);
        // One behind a hole, never answered, does not stand against the copy that is.
        held.pass(3, 15, 30);
        assert_eq!(held.pass(4, 10, 20), Some((10, 20)));
        held.answered(4, kept(20));
        assert_eq!(held.bytes.missing(0, 25), [(20, 25)]);
    }

    #[test]
    fn what_a_refusal_says_is_there_was_taken_unseen() {
        let mut held = Held::default();
        held.pass(1, 0, 20);
        held.answered(1, Word::Refused(Some(15)));
        assert_eq!(
            (held.told(), held.bytes.missing(0, 20)),
            (15, vec![(15, 20)])
        );
    }

    #[test]
    fn an_offset_that_names_the_last_byte_means_the_next_one_where_the_client_goes_on_there() {
        let last = |first, last| Word::Kept(Told::after(first, last, last));
        let mut held = Held::default();
        held.pass(1, 0, 10);
        held.answered(1, last(0, 9));
        assert_eq!(held.pass(2, 10, 20), Some((10, 20)));
        held.answered(2, last(10, 19));
        let mut open = held.clone();
        assert_eq!((held.settle(Some(20), true), held.told()), (vec![], 20));
        assert_eq!(held.bytes.missing(0, 20), []);
        // Nobody can tell where the client never went on.
        assert_eq!((open.settle(Some(20), false), open.told()), (vec![], 19));
        // A client that obeys sends the byte again.
        let mut obeyed = Held::default();
        obeyed.pass(1, 0, 10);
        obeyed.answered(1, last(0, 9));
        assert_eq!(obeyed.pass(2, 9, 20), Some((9, 20)));
    }
}
