//! Where heads and bodies are read back from while captures are read: the file itself, or a copy of ours.

use std::path::PathBuf;
use std::sync::Arc;

use crate::capture::{self, CaptureFile, Writer};
use crate::event::Event;
use crate::timeline::ReadBack;

use super::failure::Failure;
use super::source::Source;
use super::stage;

/// Where heads and bodies are read back from while a source is read.
pub(super) struct Kept {
    /// Goes away with the copy in it.
    _folder: Option<tempfile::TempDir>,
    /// Writes what positions do not read back from into our own form.
    pub(super) copy: Option<Writer>,
    file: PathBuf,
}

impl Kept {
    /// Uses the file itself where that is one of ours, else begins a copy of it.
    pub(super) fn of(source: &Source) -> Result<Self, Failure> {
        if let Some(path) = source.direct() {
            return Ok(Self {
                _folder: None,
                copy: None,
                file: path.to_owned(),
            });
        }
        Self::copied(source)
    }

    /// Begins a copy, also of a file of ours: what goes into it is not what the file has.
    pub(super) fn copied(source: &Source) -> Result<Self, Failure> {
        let folder = stage::temporary_folder()?;
        let file = folder.path().join("copy.pcapng");
        let options = capture::Options {
            start_ns: source.start_ns(),
            ..capture::Options::default()
        };
        let copy = Writer::create(&file, options)?;
        Ok(Self {
            _folder: Some(folder),
            copy: Some(copy),
            file,
        })
    }

    pub(super) fn read_back(&self) -> Result<Arc<dyn ReadBack + Send + Sync>, Failure> {
        Ok(Arc::new(CaptureFile::open(&self.file)?))
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if let Some(copy) = &mut self.copy {
            copy.flush()?;
        }
        Ok(())
    }
}

/// Writes an event into the copy, if there is one, and returns its position.
pub(super) fn store(
    copy: Option<&mut Writer>,
    event: &Event,
    position: u64,
) -> Result<u64, Failure> {
    match copy {
        Some(writer) => Ok(writer.write(event)?),
        None => Ok(position),
    }
}
