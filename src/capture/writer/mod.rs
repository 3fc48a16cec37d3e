//! Events to pcapng, appended: never seeks, never rewrites.
//!
//! Decides which stream an event belongs to; `segment` makes the packets. The exact form is in
//! `docs/capture-format.md`. Knows no clock: every time comes with its event.

mod ends;
mod snap;

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::event::{Close, ConnId, Direction, Event, Leg, Missing, Note, What};

use super::Error;
use super::beside;
use super::block::{
    APPLICATION, COMMENT, IF_DESCRIPTION, IF_NAME, RESOLUTION, put_interface, put_section,
};
use super::header::SEGMENT;
use super::mark::Mark;
use super::segment::{Pen, Stream};
use super::sink::Sink;
use ends::Ends;
use snap::Snap;

/// So many finished streams are remembered for late notes.
const REMEMBERED: usize = 4096;

type Key = (ConnId, Leg);

/// What a capture keeps.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Keeps at most this many bytes of each piece of content; `None` keeps all. See [`Writer::write`].
    pub snaplen: Option<u64>,
    /// Wall clock of the capture's start, nanoseconds since 1970-01-01 UTC.
    pub start_ns: u64,
}

/// Appends events to a capture file.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    sink: Sink,
    options: Options,
    /// The start as text: the name of the capture in its marks.
    start: String,
    streams: HashMap<Key, Stream>,
    ends: Ends,
    finished: VecDeque<Key>,
    /// Cuts content short, where that is wanted.
    snap: Option<Snap>,
}

impl Writer {
    /// Creates `path` (mode 0600, an existing file is replaced) and writes the file's head.
    pub fn create(path: &Path, options: Options) -> Result<Self, Error> {
        let file = create(path).map_err(|source| Error::Create {
            path: path.to_owned(),
            source,
        })?;
        Self::on(file, path, options)
    }

    /// Writes the file's head into an empty `file`; `path` stands for it in errors.
    pub fn on(file: File, path: &Path, options: Options) -> Result<Self, Error> {
        let start = text_of(options.start_ns);
        let snap = options.snaplen.map(Snap::new);
        let mut writer = Self {
            path: path.to_owned(),
            sink: Sink::new(file),
            options,
            start,
            streams: HashMap::new(),
            ends: Ends::default(),
            finished: VecDeque::new(),
            snap,
        };
        writer.put_file_head();
        writer.flush()?;
        Ok(writer)
    }

    /// Goes on with a capture of ours that begins at `options.start_ns` and is `len` bytes long, nobody
    /// writing to it: appends to it, and never changes what is there.
    pub(super) fn resume(path: &Path, options: Options, len: u64) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Append {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let failed = |source| Error::Write {
            path: path.to_owned(),
            source,
        };
        let mut open = OpenOptions::new();
        open.append(true);
        let file = open.open(path).map_err(failed)?;
        if !is_free(&file) {
            return Err(refused("another program is recording into it"));
        }
        if file.metadata().map_err(failed)?.len() != len {
            return Err(refused("it has changed since it was read"));
        }
        Ok(Self {
            path: path.to_owned(),
            sink: Sink::resume(file, len),
            start: text_of(options.start_ns),
            snap: options.snaplen.map(Snap::new),
            options,
            streams: HashMap::new(),
            ends: Ends::later(len),
            finished: VecDeque::new(),
        })
    }

    /// Appends `event` and returns the file offset of its first block.
    ///
    /// Where a snap length is set, content in a `Data` keeps its first bytes; the rest is read back as
    /// [`Missing::NotKept`]. Heads are kept whole. After an error nothing more is written and every call fails.
    pub fn write(&mut self, event: &Event) -> Result<u64, Error> {
        self.try_write(event).map_err(|source| self.failure(source))
    }

    /// Hands everything written so far to the operating system.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.sink.flush().map_err(|source| self.failure(source))
    }

    /// Returns the size of the file so far, in bytes.
    pub fn size(&self) -> u64 {
        self.sink.len()
    }

    fn failure(&self, source: io::Error) -> Error {
        Error::Write {
            path: self.path.clone(),
            source,
        }
    }

    fn put_file_head(&mut self) {
        let mut mark = Mark::new();
        mark.start = Some(self.start.clone());
        let application = concat!("bitstap ", env!("CARGO_PKG_VERSION"));
        let out = &mut self.sink.gathered;
        let comment = mark.json();
        put_section(
            out,
            &[
                (COMMENT, comment.as_bytes()),
                (APPLICATION, application.as_bytes()),
            ],
        );
        for (name, description) in [
            ("client", "client<->proxy"),
            ("upstream", "proxy<->upstream"),
        ] {
            put_interface(
                out,
                &[
                    (IF_NAME, name.as_bytes()),
                    (IF_DESCRIPTION, description.as_bytes()),
                    (RESOLUTION, &[9]),
                ],
            );
        }
    }

    fn try_write(&mut self, event: &Event) -> io::Result<u64> {
        self.sink.check()?;
        let key = (event.conn, event.leg);
        let at_ns = self.at_ns(event);
        let begin = self.sink.len();
        match &event.what {
            What::Opening { client, server } => {
                if let Some(snap) = &mut self.snap {
                    snap.opened(key);
                }
                self.begin(key, at_ns, *client, *server, Beginning::Opening);
            }
            What::Joined { client, server } => {
                self.begin(key, at_ns, *client, *server, Beginning::Joined);
            }
            What::Opened => {
                self.with(key, at_ns, None, Stream::accept);
            }
            What::Data { direction, bytes } => {
                return self.put_snapped(key, at_ns, *direction, bytes);
            }
            What::Missing {
                direction,
                len,
                why: Missing::NotKept,
            } => {
                if let Some(snap) = &mut self.snap {
                    snap.skip(key, *direction, *len);
                }
                return self.put_data(key, at_ns, *direction, &[], *len);
            }
            What::Missing {
                direction,
                len,
                why: Missing::NotSeen,
            } => {
                if let Some(snap) = &mut self.snap {
                    snap.skip(key, *direction, *len);
                }
                return self.put_gap(key, at_ns, *direction, *len);
            }
            What::Closed { direction, how } => {
                if let Some(snap) = &mut self.snap {
                    snap.closed(key, *direction, *how);
                }
                let begin = self.put_close(key, at_ns, *direction, *how);
                self.sink.settle(&[])?;
                return Ok(begin);
            }
            What::Note(note) if key == beside::NOBODY && !self.streams.contains_key(&key) => {
                beside::put(&mut self.sink.gathered, at_ns, note);
            }
            What::Note(note) => self.put_note(key, at_ns, note),
        }
        self.sink.settle(&[])?;
        Ok(begin)
    }

    /// Makes sure that the stream can carry more in `direction` and lets `act` write to it. Returns
    /// the offset of what `act` wrote.
    fn with(
        &mut self,
        key: Key,
        at_ns: u64,
        direction: Option<Direction>,
        act: impl FnOnce(&mut Stream, &mut Pen<'_>),
    ) -> u64 {
        self.require(key, at_ns, |stream| {
            direction.is_none_or(|direction| stream.closed(direction).is_none())
        });
        let begin = self.sink.len();
        if let Some(stream) = self.streams.get_mut(&key) {
            let out = &mut self.sink.gathered;
            act(stream, &mut Pen { out, at_ns });
        }
        begin
    }

    /// Begins another stream for what comes too late for the last one, or without any.
    fn require(&mut self, key: Key, at_ns: u64, is_fit: impl FnOnce(&Stream) -> bool) {
        if self.streams.get(&key).is_some_and(is_fit) {
            return;
        }
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        self.begin(key, at_ns, nowhere, nowhere, Beginning::Continued);
    }

    fn begin(
        &mut self,
        key: Key,
        at_ns: u64,
        client: SocketAddr,
        server: SocketAddr,
        how: Beginning,
    ) {
        if let Some(old) = self.streams.remove(&key) {
            self.ends.release(old.ends(), key);
        }
        let ends = self.ends.claim(client, server, key);
        let mut mark = Mark::new();
        mark.start = Some(self.start.clone());
        mark.conn = Some(key.0);
        mark.leg = Some(key.1);
        mark.joined = how == Beginning::Joined;
        if ends != (client, server) && how != Beginning::Continued {
            mark.client = Some(client);
            mark.server = Some(server);
        }
        let sentence = sentence(key, how);
        let json = mark.json();
        let comments = [sentence.as_str(), json.as_str()];
        let mut stream = Stream::new(key.0, key.1, ends.0, ends.1);
        let out = &mut self.sink.gathered;
        let mut pen = Pen { out, at_ns };
        if how == Beginning::Opening {
            stream.open(&mut pen, &comments);
        } else {
            stream.join(&mut pen, &comments);
        }
        self.streams.insert(key, stream);
    }

    /// Writes the bytes of one event, as much of them as is to be kept. Returns the offset of the first.
    fn put_snapped(
        &mut self,
        key: Key,
        at_ns: u64,
        direction: Direction,
        bytes: &[u8],
    ) -> io::Result<u64> {
        let Some(snap) = &mut self.snap else {
            return self.put_data(key, at_ns, direction, bytes, bytes.len() as u64);
        };
        let mut begin = None;
        let mut rest = bytes;
        for piece in snap.cut(key, direction, bytes) {
            let kept = rest.get(..piece.kept).unwrap_or_default();
            let put = self.put_data(key, at_ns, direction, kept, piece.all as u64)?;
            begin.get_or_insert(put);
            rest = rest.get(piece.all..).unwrap_or_default();
        }
        Ok(begin.unwrap_or_else(|| self.sink.len()))
    }

    fn put_data(
        &mut self,
        key: Key,
        at_ns: u64,
        direction: Direction,
        kept: &[u8],
        len: u64,
    ) -> io::Result<u64> {
        if len == 0 {
            return Ok(self.sink.len());
        }
        let begin = self.with(key, at_ns, Some(direction), |_, _| ());
        let Some(stream) = self.streams.get_mut(&key) else {
            return Ok(begin);
        };
        let mut done = 0;
        let mut rest = len;
        while rest > 0 {
            let mut step = usize::try_from(rest).map_or(SEGMENT, |rest| rest.min(SEGMENT));
            if done < kept.len() {
                // What is kept and what is not never share a packet: each has a position of its own.
                step = step.min(kept.len() - done);
            }
            rest -= step as u64;
            let range = done.min(kept.len())..(done + step).min(kept.len());
            let part = kept.get(range.clone()).unwrap_or_default();
            let out = &mut self.sink.gathered;
            let mut pen = Pen { out, at_ns };
            let block = stream.begin_data(&mut pen, direction, part, step, rest == 0);
            self.sink.payload(kept, range.clone())?;
            block.put_tail(&mut self.sink.gathered);
            done = done.saturating_add(step);
            let out = &mut self.sink.gathered;
            stream.acknowledge(&mut Pen { out, at_ns }, direction);
            // Many packets of one event: the gathered bytes may not grow.
            if range.is_empty() {
                self.sink.settle(kept)?;
            }
        }
        self.sink.settle(kept)?;
        Ok(begin)
    }

    fn put_gap(&mut self, key: Key, at_ns: u64, direction: Direction, len: u64) -> io::Result<u64> {
        if len == 0 {
            return Ok(self.sink.len());
        }
        let mut mark = Mark::new();
        mark.not_seen = Some(len);
        let sentence = format!("{len} bytes from here on were never captured.");
        let json = mark.json();
        let begin = self.with(key, at_ns, Some(direction), |stream, pen| {
            stream.skip(pen, direction, len, &[&sentence, &json]);
        });
        self.sink.settle(&[])?;
        Ok(begin)
    }

    fn put_close(&mut self, key: Key, at_ns: u64, direction: Direction, how: Close) -> u64 {
        // A reset after an end of stream is an ordinary thing.
        self.require(key, at_ns, |stream| {
            let was = stream.closed(direction);
            was.is_none() || (was == Some(Close::Fin) && how == Close::Reset)
        });
        let begin = self.sink.len();
        if let Some(stream) = self.streams.get_mut(&key) {
            let was_finished = stream.finished;
            let out = &mut self.sink.gathered;
            stream.close(&mut Pen { out, at_ns }, direction, how);
            if stream.finished && !was_finished {
                self.ends.release(stream.ends(), key);
                self.remember(key);
            }
        }
        begin
    }

    /// Keeps a finished stream for a while and forgets the oldest.
    fn remember(&mut self, key: Key) {
        self.finished.push_back(key);
        if self.finished.len() > REMEMBERED
            && let Some(old) = self.finished.pop_front()
            && self.streams.get(&old).is_some_and(|old| old.finished)
        {
            self.streams.remove(&old);
        }
    }

    fn put_note(&mut self, key: Key, at_ns: u64, note: &Note) {
        let json = Mark::of_fact(&note.fact);
        self.with(key, at_ns, None, |stream, pen| {
            stream.note(pen, Direction::ToServer, &[&note.text, &json]);
        });
    }

    fn at_ns(&self, event: &Event) -> u64 {
        let at = u64::try_from(event.at.as_nanos()).unwrap_or(u64::MAX);
        self.options.start_ns.saturating_add(at)
    }
}

/// How a stream begins in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Opening,
    Joined,
    /// The event stream did not say how; or it went on after its end.
    Continued,
}

fn sentence((conn, leg): Key, how: Beginning) -> String {
    let leg = match leg {
        Leg::Client => "client",
        Leg::Upstream => "upstream",
    };
    let how = match how {
        Beginning::Opening => "begins",
        Beginning::Joined => "was joined in its middle",
        Beginning::Continued => "goes on",
    };
    format!("Connection {}, {leg} leg, {how}.", conn.0)
}

/// Returns a moment as RFC 3339 in UTC with nanoseconds.
pub(super) fn text_of(ns: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns))
        .map(|moment| format!("{moment:.9}"))
        .unwrap_or_default()
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Emptied only once it is known that nobody records into it.
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Others may read and delete it (FILE_SHARE_READ, FILE_SHARE_DELETE), not write.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 1 | 4);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(file);
    }
    if !is_free(&file) {
        let reason = "another program is recording into it";
        return Err(io::Error::new(io::ErrorKind::WouldBlock, reason));
    }
    file.set_len(0)?;
    #[cfg(unix)]
    {
        // The mode above is for a new file only; this one may have been there.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        file.set_permissions(mode)?;
    }
    Ok(file)
}

/// Takes the file for this writer, as long as it is open; tells whether nobody else has it. Where there
/// are no locks, everybody is believed. On Windows a lock would keep readers out; sharing does it there.
fn is_free(file: &File) -> bool {
    if cfg!(windows) {
        return true;
    }
    !matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
}
