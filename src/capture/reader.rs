//! A capture file to events: a header and an iterator of results, whatever the file is.
//!
//! Looks at the first bytes: packets are read by `trace`, exchanges of other programs by `import`. What is
//! odd about a file becomes a [`Record::Note`]; only a disk that fails is an error.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use crate::event::Event;

use super::Error;
use super::import::Import;
use super::trace::Trace;
use super::unknown;

/// One thing read from a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An event and the position that reads it back (see [`super::CaptureFile`]).
    Event { event: Event, position: u64 },
    /// Something about the file itself: a torn tail, an unknown link type, packets that were skipped.
    Note(String),
}

/// Reads a capture from its start to its end, then stops.
pub struct Reader {
    from: From,
}

enum From {
    Packets(Box<Trace>),
    Exchanges(Box<Import>),
}

/// Opens `path`: pcapng or pcap, either byte order, gzip or not, ours or anybody's; HAR, SAZ, or a flow
/// file of mitmproxy. What is in it decides, not its name.
pub fn open(path: &Path) -> Result<Reader, Error> {
    let failed = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::NotACapture {
            path: path.to_owned(),
            reason: format!("it is a directory; {}", unknown::UNDERSTOOD),
        });
    }
    // A pipe cannot be looked at twice: packets can come through one, exchanges cannot.
    if metadata.is_file() {
        let again = file.try_clone().map_err(failed)?;
        if let Some(import) = Import::open(again, path)? {
            let from = From::Exchanges(Box::new(import));
            return Ok(Reader { from });
        }
        file.rewind().map_err(failed)?;
    }
    Reader::from_read(file, path)
}

impl Reader {
    /// Reads packets from anything; `name` stands for the path in errors.
    pub fn from_read(from: impl Read + Send + 'static, name: &Path) -> Result<Self, Error> {
        let trace = Trace::from_read(from, name)?;
        let from = From::Packets(Box::new(trace));
        Ok(Self { from })
    }

    /// Wall clock of the capture's start (ours: as stored; foreign: the first packet), nanoseconds since
    /// 1970-01-01 UTC. Event times count from here.
    pub fn start_ns(&self) -> u64 {
        match &self.from {
            From::Packets(trace) => trace.start_ns(),
            From::Exchanges(import) => import.start_ns(),
        }
    }

    /// Tells whether this program wrote the file: only then do positions read back from the file itself.
    pub fn is_ours(&self) -> bool {
        match &self.from {
            From::Packets(trace) => trace.is_ours(),
            From::Exchanges(_) => false,
        }
    }

    /// Returns the length of a file that was read to its end and could be appended to, or why not.
    pub(super) fn whole(&self) -> Result<u64, &'static str> {
        match &self.from {
            From::Packets(trace) => trace.whole(),
            From::Exchanges(_) => Err("it is not a capture of packets"),
        }
    }

    /// Makes the reader wait at the end of a file that still grows: `next` returns `None` there and
    /// goes on when it is called again after more was written. A file of exchanges is read as it is.
    #[must_use]
    pub fn follow(self) -> Self {
        let from = match self.from {
            From::Packets(trace) => From::Packets(Box::new(trace.follow())),
            from @ From::Exchanges(_) => from,
        };
        Self { from }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.from {
            From::Packets(trace) => trace.next(),
            From::Exchanges(import) => import.next(),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("start_ns", &self.start_ns())
            .field("is_ours", &self.is_ours())
            .finish_non_exhaustive()
    }
}
