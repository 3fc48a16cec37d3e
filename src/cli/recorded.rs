//! A capture made ready to be played: its rows, its bytes, and its files rebuilt in a temporary folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::extract::{Extraction, FileRow, Manifest};
use crate::peer::recording::{FileKind, RecordedFile, Recording};
use crate::timeline::filter::Filter;
use crate::timeline::{ReadBack, Timeline};

use super::failure::Failure;
use super::kept::{Kept, store};
use super::sieve::Sieve;
use super::source::{Source, Step};
use super::stage;

/// A recording and the folders that its files lie in.
pub(super) struct Recorded {
    pub(super) recording: Arc<Recording>,
    /// What was odd about the captures.
    pub(super) notes: Vec<String>,
    bytes: Arc<dyn ReadBack + Send + Sync>,
    /// They go away with it.
    _kept: Kept,
    _folder: tempfile::TempDir,
}

impl Recorded {
    /// Reads captures twice, for their rows, then for their files; an error once `stop` is set.
    ///
    /// A capture may grow meanwhile: what comes after the first reading is left alone.
    pub(super) fn read(paths: &[PathBuf], stop: &AtomicBool) -> Result<Self, Failure> {
        let mut source = Source::open(paths)?;
        let start_ns = source.start_ns();
        let mut kept = Kept::of(&source)?;
        let mut timeline = Timeline::new();
        let mut notes = Vec::new();
        let mut events = 0_u64;
        while let Some(step) = source.next() {
            check(stop)?;
            match step? {
                Step::Event { event, position } => {
                    events += 1;
                    let position = store(kept.copy.as_mut(), &event, position)?;
                    timeline.apply(&event, position);
                }
                Step::Note(text) => notes.push(text),
            }
            // Nobody asks for them; they would grow.
            timeline.take_changes();
        }
        timeline.finish();
        kept.flush()?;

        let folder = stage::temporary_folder()?;
        let files = folder.path().join("files");
        let mut extraction = Extraction::begin(&timeline, &files)?;
        let mut source = Source::open(paths)?;
        while events > 0
            && let Some(step) = source.next()
        {
            check(stop)?;
            if let Step::Event { event, .. } = step? {
                events -= 1;
                extraction.apply(&event)?;
            }
        }
        let manifest = extraction.finish(start_ns, Vec::new(), Vec::new())?;
        let bytes = kept.read_back()?;
        Ok(Self {
            recording: Arc::new(Recording {
                files: choose(&manifest, &files),
                timeline,
                bytes: bytes.clone(),
            }),
            notes,
            bytes,
            _kept: kept,
            _folder: folder,
        })
    }

    /// Returns the numbers of the sessions that a filter selects.
    pub(super) fn selected(&self, filter: Filter) -> Vec<u32> {
        let sieve = Sieve::new(filter, Some(self.bytes.clone()));
        let timeline = &self.recording.timeline;
        timeline
            .sessions()
            .iter()
            .filter(|session| sieve.takes_session(timeline, session))
            .map(|session| session.no)
            .collect()
    }
}

fn check(stop: &AtomicBool) -> Result<(), Failure> {
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::new("stopped"));
    }
    Ok(())
}

/// Returns one file for each session and kind: a whole one, else the one that holds most; of equals the latest.
fn choose(manifest: &Manifest, folder: &std::path::Path) -> Vec<RecordedFile> {
    let mut best: Vec<(&FileRow, RecordedFile)> = Vec::new();
    for row in &manifest.files {
        let kind = match (row.kind, row.copy) {
            ("upload", "sent") => FileKind::Upload,
            ("upload-reply", _) => FileKind::Reply,
            ("download", _) => FileKind::Download,
            _ => continue,
        };
        let file = RecordedFile {
            session: row.session,
            kind,
            path: folder.join(&row.file),
            size: row.size,
            gaps: row
                .gaps
                .iter()
                .map(|gap| (gap.start, gap.end.saturating_add(1)))
                .collect(),
            total: row.total,
            sha256: row.sha256.clone(),
        };
        let held = |row: &FileRow| {
            let missing = row.gaps.iter().map(|gap| {
                gap.end
                    .saturating_add(1)
                    .min(row.size)
                    .saturating_sub(gap.start)
            });
            row.size
                .saturating_sub(missing.fold(0, u64::saturating_add))
        };
        let rank = |row: &FileRow| (row.complete, held(row));
        match best
            .iter_mut()
            .find(|(_, known)| known.session == file.session && known.kind == kind)
        {
            Some(known) if rank(row) >= rank(known.0) => *known = (row, file),
            Some(_) => {}
            None => best.push((row, file)),
        }
    }
    best.into_iter().map(|(_, file)| file).collect()
}
