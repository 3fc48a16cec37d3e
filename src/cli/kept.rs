//! Captures read to their end, and where heads are read back from: the file itself, or a copy of it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::capture::{self, CaptureFile, Writer};
use crate::event::Event;
use crate::timeline::filter::Filter;
use crate::timeline::{ReadBack, Timeline};

use super::failure::Failure;
use super::sieve::Sieve;
use super::source::{Source, Step};
use super::{stage, view};

/// A file that positions read back from.
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

    /// Keeps what `filter` asks for, if it asks for fields that only heads have.
    pub(super) fn for_filter(
        filter: Option<&Filter>,
        source: &Source,
    ) -> Result<Option<Self>, Failure> {
        let needed = filter.is_some_and(Filter::needs_heads);
        needed.then(|| Self::of(source)).transpose()
    }

    /// Returns a reader of what was stored.
    pub(super) fn read_back(&self) -> Result<Arc<dyn ReadBack + Send + Sync>, Failure> {
        Ok(Arc::new(CaptureFile::open(&self.file)?))
    }

    /// Stores an event; returns the position that reads back from here.
    pub(super) fn store(&mut self, event: &Event, position: u64) -> Result<u64, Failure> {
        store(self.copy.as_mut(), event, position)
    }

    /// Makes what was stored readable.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if let Some(copy) = &mut self.copy {
            copy.flush()?;
        }
        Ok(())
    }
}

/// Captures that were read to their end.
pub(super) struct Pass {
    /// The filter, which can look at heads.
    pub(super) sieve: Option<Sieve>,
    /// About the captures themselves.
    pub(super) notes: Vec<String>,
    /// Wall clock of the start, nanoseconds since 1970-01-01 UTC.
    pub(super) start_ns: u64,
    _kept: Option<Kept>,
}

/// Reads all of `paths` into `timeline`.
pub(super) fn read(
    paths: &[PathBuf],
    filter: Option<Filter>,
    timeline: &mut Timeline,
) -> Result<Pass, Failure> {
    let mut source = Source::open(paths)?;
    let mut kept = Kept::for_filter(filter.as_ref(), &source)?;
    let heads = kept.as_ref().map(Kept::read_back).transpose()?;
    let mut notes = Vec::new();
    while let Some(step) = source.next() {
        match step? {
            Step::Event { event, position } => {
                let position = match &mut kept {
                    Some(kept) => kept.store(&event, position)?,
                    None => position,
                };
                timeline.apply(&event, position);
            }
            Step::Note(text) => {
                timeline.remark(view::about_file(timeline, text.clone()));
                notes.push(text);
            }
        }
        // Nobody watches it grow.
        timeline.take_changes();
    }
    if let Some(kept) = &mut kept {
        kept.flush()?;
    }
    timeline.finish();
    Ok(Pass {
        sieve: filter.map(|filter| Sieve::new(filter, heads)),
        notes,
        start_ns: source.start_ns(),
        _kept: kept,
    })
}

/// Stores an event in `copy`, if there is one; returns the position that reads back.
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
