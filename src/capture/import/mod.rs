//! Recordings that hold exchanges instead of packets: HAR, SAZ (Fiddler), mitmproxy flows.
//!
//! They enter at the same door as packets do: each exchange becomes events of a synthesised connection,
//! one per recorded connection where the format tells them apart. A first look at the file finds places
//! and moments only; then the exchanges are read one at a time, in order of time. One file per format
//! makes [`Entry`]s; what follows from them is the same for all. Knows no BITS.

mod entry;
mod extent;
mod fit;
mod flows;
mod har;
mod lines;
mod pieces;
mod saz;
mod tnet;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use super::Error;
use super::reader::Record;
use super::unknown;
use entry::Entry;
use lines::Lines;

/// Where one exchange lies in its file, and what decides about its order.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    /// First byte of the request, nanoseconds since 1970-01-01 UTC.
    begun: u64,
    /// When its connection was opened, where that is known.
    opened: Option<u64>,
    /// The recorded connection, as a number of the album's own.
    line: u32,
    /// Offset and length, or whatever finds it again.
    place: (u64, u64),
}

/// A foreign file whose exchanges can be read in any order.
trait Album: Send {
    /// Reads the exchange of one ticket. A failing disk is an error; anything else that is wrong with it
    /// is a reason to leave it out.
    fn load(&mut self, ticket: &Ticket) -> io::Result<Result<Entry, String>>;
}

/// An album with what the first look at it found.
struct Opened {
    album: Box<dyn Album>,
    tickets: Vec<Ticket>,
    /// What of the file could not be used.
    notes: Vec<String>,
    /// How it differs from what was on the wire, in whole sentences.
    remarks: Vec<String>,
}

/// What makes a file none of a format.
enum Refusal {
    Disk(io::Error),
    Not(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Reads a foreign file from its start to its end.
pub(super) struct Import {
    path: PathBuf,
    album: Box<dyn Album>,
    tickets: std::iter::Peekable<std::vec::IntoIter<Ticket>>,
    lines: Lines,
    start_ns: u64,
    /// Notes not given out yet, the latest first.
    notes: Vec<String>,
    left_out: u64,
    over: bool,
}

impl Import {
    /// Opens `file` if its first bytes are those of a format that is understood here.
    pub(super) fn open(mut file: File, path: &Path) -> Result<Option<Self>, Error> {
        let failed = |source| Error::Read {
            path: path.to_owned(),
            offset: 0,
            source,
        };
        let mut first = Vec::new();
        Read::by_ref(&mut file)
            .take(4096)
            .read_to_end(&mut first)
            .map_err(failed)?;
        let Some(open) = format_of(&first) else {
            return Ok(None);
        };
        file.rewind().map_err(failed)?;
        match open(file) {
            Ok(opened) => Ok(Some(Self::new(opened, path))),
            Err(Refusal::Disk(source)) => Err(failed(source)),
            Err(Refusal::Not(reason)) => Err(Error::NotACapture {
                path: path.to_owned(),
                reason: format!("{reason}; {}", unknown::UNDERSTOOD),
            }),
        }
    }

    fn new(opened: Opened, path: &Path) -> Self {
        let mut tickets = opened.tickets;
        let start_ns = tickets
            .iter()
            .map(|ticket| {
                ticket
                    .opened
                    .map_or(ticket.begun, |at| at.min(ticket.begun))
            })
            .min()
            .unwrap_or_default();
        tickets.sort_by_key(|ticket| ticket.begun);
        let lines = Lines::new(&mut tickets, opened.remarks);
        let mut notes = opened.notes;
        notes.reverse();
        Self {
            path: path.to_owned(),
            album: opened.album,
            tickets: tickets.into_iter().peekable(),
            lines,
            start_ns,
            notes,
            left_out: 0,
            over: false,
        }
    }

    /// Wall clock of the first thing recorded, nanoseconds since 1970-01-01 UTC.
    pub(super) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Reads the next exchange into the lines.
    fn take(&mut self, ticket: &Ticket) -> Result<(), Error> {
        let failed = |source| Error::Read {
            path: self.path.clone(),
            offset: ticket.place.0,
            source,
        };
        match self.album.load(ticket).map_err(failed)? {
            Ok(entry) => self.lines.take(ticket, entry),
            Err(reason) => {
                self.left_out += 1;
                // A file of nothing but rubbish would tell the same again and again.
                if self.left_out <= 20 {
                    self.notes
                        .push(format!("an exchange was left out: {reason}"));
                }
                self.lines.pass(ticket);
            }
        }
        Ok(())
    }

    /// Tells once, at the end, how many were left out without a word.
    fn finish(&mut self) -> Option<Record> {
        if std::mem::replace(&mut self.over, true) || self.left_out <= 20 {
            return None;
        }
        let more = self.left_out - 20;
        Some(Record::Note(format!("{more} more exchanges were left out")))
    }
}

impl Iterator for Import {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(text) = self.notes.pop() {
                return Some(Ok(Record::Note(text)));
            }
            let next = self.tickets.peek().map(Lines::order);
            match self.lines.pop(next, self.start_ns) {
                Ok(Some((event, position))) => {
                    return Some(Ok(Record::Event { event, position }));
                }
                Ok(None) => {}
                Err(source) => {
                    self.over = true;
                    self.tickets = Vec::new().into_iter().peekable();
                    self.lines.give_up();
                    return Some(Err(Error::Read {
                        path: self.path.clone(),
                        offset: 0,
                        source,
                    }));
                }
            }
            let Some(ticket) = self.tickets.next() else {
                return self.finish().map(Ok);
            };
            if let Err(error) = self.take(&ticket) {
                self.over = true;
                self.tickets = Vec::new().into_iter().peekable();
                self.lines.give_up();
                return Some(Err(error));
            }
        }
    }
}

/// Picks the format by the first bytes.
fn format_of(first: &[u8]) -> Option<fn(File) -> Result<Opened, Refusal>> {
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
    let text = text.trim_ascii_start();
    let digits = first
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
        Some(saz::open)
    } else if text.starts_with(b"{") {
        Some(har::open)
    } else if (1..=12).contains(&digits) && first.get(digits) == Some(&b':') {
        Some(flows::open)
    } else {
        None
    }
}
