//! Transferred files, rebuilt from events: uploads as sent and as acknowledged, replies, downloads.
//!
//! The events pass twice: a timeline of the first pass tells which exchange belongs to which session;
//! here, in the second, content is written to its place while it passes. Memory grows with exchanges and
//! with scattered ranges, never with content. Knows no captures: who calls it has the events.

mod conversation;
mod extent;
mod folder;
mod held;
mod manifest;
mod name;
mod run;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::bits::Ack;
use crate::event::{ConnId, Event, Missing};
use crate::timeline::{Session, SessionKind, Timeline};

use conversation::Live;
use folder::Folder;
use run::{Kind, Run};

pub use manifest::{FileRow, Gap, Manifest};

/// What stops an extraction.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use folder {path}")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("folder {path} already holds {name:?}")]
    Holds { path: PathBuf, name: String },
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// The second pass.
#[derive(Debug)]
pub struct Extraction<'t> {
    timeline: &'t Timeline,
    /// Each connection's exchanges whose request was seen, in order.
    requests: HashMap<ConnId, Vec<u32>>,
    /// `None`: it is over.
    live: HashMap<ConnId, Option<Box<Live>>>,
    files: Files,
}

/// What is rebuilt so far.
#[derive(Debug)]
struct Files {
    folder: Folder,
    runs: Vec<Run>,
    /// The run that a session's bytes go to now.
    current: HashMap<(u32, Kind), usize>,
    /// How many runs a session has had.
    counts: HashMap<(u32, Kind), u32>,
    /// Sessions whose files nobody wants.
    left_out: HashSet<u32>,
}

/// Content that passes: bytes, or why there are none.
#[derive(Clone, Copy, Debug)]
enum Content<'b> {
    Bytes(&'b [u8]),
    Gone(Missing, u64),
}

impl<'t> Extraction<'t> {
    /// Begins to rebuild the files of `timeline`'s sessions in the folder `out`, which is made if need
    /// be. Nothing that is there already is touched.
    pub fn begin(timeline: &'t Timeline, out: &Path) -> Result<Self, Error> {
        Self::begin_some(timeline, out, |_| true)
    }

    /// Begins as [`Extraction::begin`] does, for the files of sessions that `wants` wants only.
    pub fn begin_some(
        timeline: &'t Timeline,
        out: &Path,
        wants: impl Fn(&Session) -> bool,
    ) -> Result<Self, Error> {
        let (wanted, unwanted): (Vec<&Session>, Vec<&Session>) =
            timeline.sessions().iter().partition(|row| wants(row));
        let mut names: Vec<String> = manifest::NAMES.map(str::to_owned).to_vec();
        for session in wanted {
            let name = name::safe(&session.name);
            let kinds: &[Kind] = match session.kind {
                SessionKind::Download => &[Kind::Download],
                _ => &[Kind::Upload, Kind::Reply],
            };
            let endings = kinds.iter().flat_map(|kind| kind.endings());
            names.extend(endings.map(|ending| format!("{name}{ending}")));
        }
        let mut folder = Folder::create(out, &names)?;
        for name in manifest::NAMES {
            folder.reserve(name);
        }

        let mut requests = HashMap::<ConnId, Vec<u32>>::new();
        for row in timeline.exchanges() {
            if row.request.is_some() {
                requests.entry(row.conn).or_default().push(row.no);
            }
        }
        Ok(Self {
            timeline,
            requests,
            live: HashMap::new(),
            files: Files {
                folder,
                runs: Vec::new(),
                current: HashMap::new(),
                counts: HashMap::new(),
                left_out: unwanted.iter().map(|session| session.no).collect(),
            },
        })
    }

    /// Takes one event; the same ones in the same order as the timeline did.
    pub fn apply(&mut self, event: &Event) -> Result<(), Error> {
        let slot = self
            .live
            .entry(event.conn)
            .or_insert_with(|| Some(Box::new(Live::new(event))));
        let Some(live) = slot else {
            return Ok(());
        };
        let numbers = self.requests.get(&event.conn);
        let numbers = numbers.map(Vec::as_slice).unwrap_or_default();
        live.apply(event, numbers, self.timeline, &mut self.files)?;
        if live.is_over() {
            *slot = None;
        }
        Ok(())
    }

    /// Ends the files and writes the manifest. `start_ns` is the start of the events' clock in
    /// nanoseconds since 1970-01-01 UTC; `sources` and `notes` go into the manifest as they are.
    pub fn finish(
        mut self,
        start_ns: u64,
        sources: Vec<String>,
        notes: Vec<String>,
    ) -> Result<Manifest, Error> {
        let mut left: Vec<_> = std::mem::take(&mut self.live).into_iter().collect();
        left.sort_by_key(|(conn, _)| *conn);
        for (conn, live) in left {
            let numbers = self.requests.get(&conn);
            let numbers = numbers.map(Vec::as_slice).unwrap_or_default();
            if let Some(mut live) = live {
                live.finish(numbers, self.timeline, &mut self.files)?;
            }
        }
        for session in self.timeline.sessions() {
            self.files.note_empty(session);
        }
        let mut rows = Vec::new();
        self.files.runs.sort_by_key(|run| run.session);
        for mut run in std::mem::take(&mut self.files.runs) {
            let index = usize::try_from(run.session).unwrap_or(usize::MAX);
            let session = self.timeline.sessions().get(index.wrapping_sub(1));
            let Some(session) = session else {
                continue;
            };
            run.finish(&mut self.files.folder, session)?;
            rows.extend(manifest::rows(
                &mut self.files.folder,
                &run,
                session,
                self.timeline,
                start_ns,
            )?);
        }
        let manifest = Manifest {
            sources,
            notes,
            files: rows,
        };
        for (name, text) in manifest::NAMES
            .iter()
            .zip([manifest.json(), manifest.csv()])
        {
            self.files.folder.write_whole(name, text.as_bytes())?;
        }
        Ok(manifest)
    }
}

impl Files {
    /// Returns the run that takes the session's bytes of this kind; it is opened if need be.
    fn run(&mut self, session: u32, kind: Kind) -> usize {
        if let Some(&known) = self.current.get(&(session, kind)) {
            return known;
        }
        let count = self.counts.entry((session, kind)).or_default();
        *count = count.saturating_add(1);
        let number = *count;
        self.runs.push(Run::new(session, kind, number));
        let index = self.runs.len().saturating_sub(1);
        self.current.insert((session, kind), index);
        index
    }

    /// Takes note that the session's upload begins anew: what comes is another run.
    fn begin_anew(&mut self, session: u32) {
        self.current.remove(&(session, Kind::Upload));
    }

    /// Takes what the head of a download's answer says; returns the run that its content goes to.
    fn answering(&mut self, session: u32, kind: Kind, ack: &Ack) -> usize {
        let mut index = self.run(session, kind);
        let total = ack.range.map_or(ack.length, |range| range.total);
        let total = total.filter(|_| !ack.multipart);
        if self
            .runs
            .get(index)
            .is_some_and(|run| run.is_other(total, ack))
        {
            // The file changed on the server: what is here stays as it is.
            self.current.remove(&(session, kind));
            index = self.run(session, kind);
        }
        if let Some(run) = self.runs.get_mut(index) {
            run.learn(total, ack);
        }
        index
    }

    /// Places content at offset `at` of a run's file; `exchange` is the fragment's, of an upload.
    fn place(
        &mut self,
        session: &Session,
        index: usize,
        exchange: u32,
        at: u64,
        content: Content<'_>,
    ) -> Result<(), Error> {
        match self.runs.get_mut(index) {
            Some(run) => run.place(&mut self.folder, session, exchange, at, content),
            None => Ok(()),
        }
    }

    /// Opens a run for an upload of no bytes, which no content has opened.
    fn note_empty(&mut self, session: &Session) {
        let uploads = matches!(session.kind, SessionKind::Upload | SessionKind::UploadReply);
        let none = !self.counts.contains_key(&(session.no, Kind::Upload));
        let wanted = !self.left_out.contains(&session.no);
        if wanted && uploads && session.total == Some(0) && none {
            let index = self.run(session.no, Kind::Upload);
            if let Some(run) = self.runs.get_mut(index) {
                run.total = Some(0);
            }
        }
    }
}
