//! Captures as one run of events: several files are merged by time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture::{self, Appender, Reader, Record};
use crate::event::{ConnId, Event};

use super::failure::{Failure, WithHint};

/// One step of a [`Source`].
#[derive(Debug)]
pub(super) enum Step {
    /// An event and its position in its file.
    Event { event: Event, position: u64 },
    /// Something about a file itself.
    Note(String),
}

/// Opened captures.
#[derive(Debug)]
pub(super) struct Source {
    lanes: Vec<Lane>,
    start_ns: u64,
    next_conn: u32,
    /// The end of the file may not be the end.
    followed: bool,
}

#[derive(Debug)]
struct Lane {
    path: PathBuf,
    reader: Reader,
    /// The next event, if it has been read already.
    ahead: Option<(Event, u64)>,
    over: bool,
    /// Files count their connections on their own.
    conns: HashMap<ConnId, ConnId>,
}

impl Source {
    /// Opens all of `paths`.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, Failure> {
        let readers = paths.iter().map(|path| {
            let reader = capture::open(path).hint(|| {
                "bitstap reads pcapng and pcap files, also gzipped, HAR, SAZ and mitmproxy's flow files; its own captures are pcapng"
                    .to_owned()
            });
            reader.map(|reader| (path.clone(), reader))
        });
        Ok(Self::new(readers.collect::<Result<_, _>>()?))
    }

    /// Opens one capture that may still grow.
    pub(super) fn follow(path: &Path) -> Result<Self, Failure> {
        let reader = capture::open(path)?.follow();
        let mut source = Self::new(vec![(path.to_owned(), reader)]);
        source.followed = true;
        Ok(source)
    }

    /// Takes readers that are open.
    fn new(readers: Vec<(PathBuf, Reader)>) -> Self {
        let start_ns = readers
            .iter()
            .map(|(_, reader)| reader.start_ns())
            .min()
            .unwrap_or_default();
        Self {
            lanes: readers
                .into_iter()
                .map(|(path, reader)| Lane {
                    path,
                    reader,
                    ahead: None,
                    over: false,
                    conns: HashMap::new(),
                })
                .collect(),
            start_ns,
            next_conn: 1,
            followed: false,
        }
    }

    /// Wall clock of the earliest start, nanoseconds since 1970-01-01 UTC.
    pub(super) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Tells whether more may come after `None`.
    pub(super) fn is_followed(&self) -> bool {
        self.followed
    }

    /// The one file that positions read back from as it is; `None`: a copy in our own form is needed.
    pub(super) fn direct(&self) -> Option<&Path> {
        match self.lanes.as_slice() {
            [lane] if lane.reader.is_ours() => Some(&lane.path),
            _ => None,
        }
    }

    /// Returns what adds notes to the one file that was read, or why nothing can be added.
    pub(super) fn appender(&self) -> Result<Appender, String> {
        let [lane] = self.lanes.as_slice() else {
            return Err("several files are open: open the one to write into alone".to_owned());
        };
        Appender::after(&lane.reader, &lane.path).map_err(refusal)
    }

    /// Returns the next step in order of time; `None` at the end of all files.
    pub(super) fn next(&mut self) -> Option<Result<Step, Failure>> {
        let alone = self.lanes.len() == 1;
        for lane in &mut self.lanes {
            while lane.ahead.is_none() && !lane.over {
                match lane.reader.next() {
                    None if self.followed => break,
                    None => lane.over = true,
                    Some(Err(error)) => {
                        lane.over = true;
                        return Some(Err(error.into()));
                    }
                    Some(Ok(Record::Note(text))) => {
                        let text = if alone {
                            text
                        } else {
                            format!("{}: {text}", lane.path.display())
                        };
                        return Some(Ok(Step::Note(text)));
                    }
                    Some(Ok(Record::Event { event, position })) => {
                        lane.ahead = Some((event, position));
                    }
                }
            }
        }

        let start_ns = self.start_ns;
        let lane = self
            .lanes
            .iter_mut()
            .filter(|lane| lane.ahead.is_some())
            .min_by_key(|lane| lane.ahead.as_ref().map(|(event, _)| lane.moment(event)))?;
        let (mut event, position) = lane.ahead.take()?;
        event.at = lane
            .moment(&event)
            .saturating_sub(Duration::from_nanos(start_ns));
        // What belongs to no connection has no number of its own.
        if !alone && event.conn != ConnId(0) {
            let next = &mut self.next_conn;
            event.conn = *lane.conns.entry(event.conn).or_insert_with(|| {
                let conn = ConnId(*next);
                *next = next.saturating_add(1);
                conn
            });
        }
        Some(Ok(Step::Event { event, position }))
    }
}

/// Refuses to write over one of the captures that are read.
pub(super) fn not_read(read: &[PathBuf], out: &Path) -> Result<(), Failure> {
    let same = |path: &PathBuf| {
        let (a, b) = (path.canonicalize(), out.canonicalize());
        a.is_ok_and(|a| b.is_ok_and(|b| a == b))
    };
    if !read.iter().any(same) {
        return Ok(());
    }
    let out = out.display();
    let text = format!("cannot write {out}: it is one of the captures to read");
    Err(Failure::new(text).hint("give the new file another name"))
}

/// Says why nothing was added to a file, the reason first: there is one line for it.
pub(super) fn refusal(error: capture::Error) -> String {
    match error {
        capture::Error::Append { reason, .. } => format!("not kept: {reason}"),
        error => format!("not kept: {:#}", anyhow::Error::from(error)),
    }
}

impl Lane {
    /// Time since 1970-01-01 UTC.
    fn moment(&self, event: &Event) -> Duration {
        Duration::from_nanos(self.reader.start_ns()).saturating_add(event.at)
    }
}
