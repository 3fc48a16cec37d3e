//! What a client did in one experiment, packet by packet, and the questions that a judge asks about it.

use crate::bits::{ContentRange, Packet};
use crate::peer::score::{Judged, fails, unknown};

use super::plan::Deed;

/// So many packets of one experiment are kept.
const MOST: usize = 5_000;

/// One packet and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) conn: u64,
    pub(super) packet: Packet,
    pub(super) range: Option<ContentRange>,
    /// The Host field.
    pub(super) host: String,
    pub(super) deed: Deed,
    /// All of its content came.
    pub(super) whole: bool,
    /// Bytes that had come before came otherwise.
    pub(super) differs: bool,
    /// `None`: not answered.
    pub(super) status: Option<u16>,
    /// The offset that the answer told.
    pub(super) next: Option<u64>,
}

impl Entry {
    pub(super) fn text(&self) -> String {
        let mut text = self.packet.name().to_owned();
        if let Some(range) = self.range {
            let total = range
                .total
                .map_or_else(|| "*".to_owned(), |total| total.to_string());
            text = format!("{text} {}-{}/{total}", range.first, range.last);
        }
        let answer = match (self.status, self.next) {
            (Some(status), Some(next)) => format!("{status}, next {next}"),
            (Some(status), None) => status.to_string(),
            (None, _) if self.whole => "we end the connection".to_owned(),
            (None, _) => "the connection ended in it".to_owned(),
        };
        format!("connection {}, {text}: {answer}", self.conn)
    }
}

/// The packets of one experiment.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    /// The server told an offset beyond what it has, so that the file has a hole.
    pub(super) hole: bool,
    /// A session was closed before its last byte.
    pub(super) short: bool,
}

impl Log {
    /// Adds a packet and returns its place, if there is room.
    pub(super) fn push(&mut self, entry: Entry) -> Option<usize> {
        (self.entries.len() < MOST).then(|| {
            self.entries.push(entry);
            self.entries.len().saturating_sub(1)
        })
    }

    /// Counts packets of a kind.
    pub(super) fn count(&self, packet: Packet) -> usize {
        let same = |entry: &&Entry| entry.packet == packet;
        self.entries.iter().filter(same).count()
    }

    /// Tells whether a session was closed and the client heard so.
    pub(super) fn is_closed(&self) -> bool {
        self.entries.iter().any(|entry| {
            entry.packet == Packet::CloseSession && entry.status.is_some_and(|status| status < 300)
        })
    }

    /// Returns the packets behind the first deed that is not the usual, and that packet.
    pub(super) fn trick(&self) -> Result<(&Entry, &[Entry]), Judged> {
        let at = self
            .entries
            .iter()
            .position(|entry| entry.deed != Deed::Usual);
        let after = at.and_then(|at| self.entries.get(at..)?.split_first());
        after.ok_or_else(|| {
            unknown("there was no occasion: it needs a file that goes in several Fragments")
        })
    }

    /// Judges what holds for every upload: it came to its end, and bytes sent again were the same.
    pub(super) fn ended(&self) -> Result<(), Judged> {
        self.sound()?;
        if self.short {
            return Err(fails("the session was closed before all bytes were there"));
        }
        if self.is_closed() {
            return Ok(());
        }
        let last = self.entries.last().map(Entry::text).unwrap_or_default();
        Err(fails(format!(
            "the upload did not end; the last packet was {last}"
        )))
    }

    /// The same for an upload that need not end.
    pub(super) fn sound(&self) -> Result<(), Judged> {
        if self.entries.is_empty() {
            return Err(unknown("no client came"));
        }
        let wrong = self.entries.iter().find(|entry| entry.differs);
        wrong.map_or(Ok(()), |entry| {
            Err(fails(format!(
                "bytes that were sent before came otherwise in {}",
                entry.text()
            )))
        })
    }
}

/// Returns the first Fragment of `entries`.
pub(super) fn fragment(entries: &[Entry]) -> Option<&Entry> {
    entries
        .iter()
        .find(|entry| entry.packet == Packet::Fragment)
}

/// Returns the offset at which a Fragment begins.
pub(super) fn first(entry: &Entry) -> Option<u64> {
    entry.range.map(|range| range.first)
}
