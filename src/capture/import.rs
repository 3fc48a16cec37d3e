//! Any capture, rewritten as one of ours while it is read: so that its bytes can be read back.
//!
//! For captures of other tools and for compressed ones, whose positions point nowhere. Knows no
//! formats itself: reader in, writer out.

use std::path::Path;

use super::{Error, Options, Reader, Record, Writer};

/// Yields what a reader yields, with positions in the capture that it writes on the way.
#[derive(Debug)]
pub struct Import {
    reader: Reader,
    writer: Writer,
}

impl Import {
    /// Begins to rewrite `reader`'s capture to `path`.
    pub fn create(reader: Reader, path: &Path) -> Result<Self, Error> {
        let options = Options {
            start_ns: reader.start_ns(),
            ..Options::default()
        };
        let writer = Writer::create(path, options)?;
        Ok(Self { reader, writer })
    }

    /// Makes everything yielded so far readable in the new capture.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush()
    }

    /// Wall clock of the capture's start, nanoseconds since 1970-01-01 UTC.
    pub fn start_ns(&self) -> u64 {
        self.reader.start_ns()
    }
}

impl Iterator for Import {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(record) = self.reader.next() else {
            // The last one's bytes must be there for whoever stops here.
            return self.writer.flush().err().map(Err);
        };
        Some(match record {
            Ok(Record::Event { event, .. }) => self
                .writer
                .write(&event)
                .map(|position| Record::Event { event, position }),
            other => other,
        })
    }
}
