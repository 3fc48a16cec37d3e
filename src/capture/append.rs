//! Notes added to a capture that is complete: appended, never rewritten.
//!
//! Knows no timeline. A file that is not whole, not ours, or in somebody's hands is refused: what is
//! added to it would not be found again, or would damage it.

use std::path::{Path, PathBuf};

use crate::event::Event;

use super::Error;
use super::reader::Reader;
use super::writer::{Options, Writer};

/// Adds notes to one file.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    start_ns: u64,
    /// How long the file is meant to be.
    len: u64,
}

impl Appender {
    /// Takes the file that `reader` has read to its end; `path` is where it lies.
    pub fn after(reader: &Reader, path: &Path) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Append {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        if !reader.is_ours() {
            return Err(refused(
                "it was not recorded by bitstap, or it is compressed",
            ));
        }
        let len = reader.whole().map_err(refused)?;
        Ok(Self {
            path: path.to_owned(),
            start_ns: reader.start_ns(),
            len,
        })
    }

    /// Appends `event`, a note, and returns its position.
    pub fn add(&mut self, event: &Event) -> Result<u64, Error> {
        let options = Options {
            start_ns: self.start_ns,
            ..Options::default()
        };
        let mut writer = Writer::resume(&self.path, options, self.len)?;
        let position = writer.write(event)?;
        writer.flush()?;
        self.len = writer.size();
        Ok(position)
    }
}
