//! Bytes back from a capture of ours, also while it grows.
//!
//! Walks from the block where an event begins to the blocks of the same stream and direction, which
//! its addresses and ports tell apart from all others; of other blocks only the heads are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::event::{ConnId, Direction, Leg};
use crate::timeline::{Chunk, ReadBack, Span};

use super::Error;
use super::block::{COMMENT, ENHANCED, ENHANCED_HEAD, Options, SECTION, low, padding, read_u32};
use super::header::SYN;
use super::link::{self, Frame, Segment};
use super::mark::Marks;

/// Bytes of a block that are looked at: its head, the packet's headers and the comments of small packets.
const HEAD: usize = 160;
/// Bytes fetched at once, so that small blocks cost no read each.
const FETCH: usize = 4096;
/// Distance in a stream between two places that are remembered.
const STRIDE: u64 = 1 << 20;
/// Places remembered before all are forgotten.
const PLACES: usize = 1 << 14;

/// One direction of one stream.
type Line = (ConnId, Leg, Direction);

/// A capture file opened for reading back.
#[derive(Debug)]
pub struct CaptureFile {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    window: Window,
    /// For places in streams, the block that begins there or before.
    places: BTreeMap<(Line, u64), u64>,
}

impl CaptureFile {
    /// Opens a capture that this program wrote or writes.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            inner: Mutex::new(Inner {
                window: Window::new(file),
                places: BTreeMap::new(),
            }),
        })
    }

    /// Returns the path that it was opened with.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl ReadBack for CaptureFile {
    fn read(&self, span: Span, from: u64, len: usize) -> io::Result<Chunk> {
        let len = span.len.saturating_sub(from).min(len as u64);
        let begin = span.offset.saturating_add(from);
        let mut want = Want {
            begin,
            end: begin.saturating_add(len),
            reached: begin,
            chunk: Chunk::default(),
        };
        if len > 0 {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.window.refresh()?;
            inner.collect(span, &mut want)?;
        }
        Ok(want.chunk)
    }
}

impl Inner {
    fn collect(&mut self, span: Span, want: &mut Want) -> io::Result<()> {
        let line = (span.conn, span.leg, span.direction);
        let (mut place, mut at) = self
            .places
            .range((line, span.base)..=(line, want.begin))
            .next_back()
            .map_or((span.base, span.position), |((_, place), at)| (*place, *at));
        let mut last_kept = place;
        let mut stream: Option<Stream> = None;
        while place < want.end {
            let Some(block) = self.window.block(at)? else {
                break;
            };
            let next = at + u64::from(block.len);
            if let Some(segment) = block.segment() {
                let is_same = stream
                    .get_or_insert_with(|| Stream::of(&block, &segment))
                    .is(&block, &segment);
                if is_same && let Some(stream) = &mut stream {
                    if segment.flags & SYN != 0 && stream.moved {
                        // The ports were used again: this is another connection.
                        break;
                    }
                    place += stream.jump(&segment);
                    if place > last_kept + STRIDE {
                        self.remember((line, place), at);
                        last_kept = place;
                    }
                    let missing = self.window.not_seen(&block, at)?;
                    let body = at + (ENHANCED_HEAD + block.headers) as u64;
                    let kept = block.captured.saturating_sub(block.headers);
                    want.take(&mut self.window, place, kept as u64, body)?;
                    let len = u64::from(segment.len) + missing;
                    want.reach(place + len);
                    place += len;
                    stream.pass(len);
                }
            }
            at = next;
        }
        Ok(())
    }

    fn remember(&mut self, place: (Line, u64), at: u64) {
        if self.places.len() >= PLACES {
            self.places.clear();
        }
        self.places.insert(place, at);
    }
}

/// What tells packets of one sender apart, and how far it is.
struct Stream {
    interface: u32,
    from: std::net::SocketAddr,
    to: std::net::SocketAddr,
    /// The next sequence number.
    seq: u32,
    moved: bool,
}

impl Stream {
    fn of(block: &Block, segment: &Segment<'_>) -> Self {
        Self {
            interface: block.interface,
            from: segment.from,
            to: segment.to,
            seq: segment.seq,
            moved: false,
        }
    }

    fn is(&self, block: &Block, segment: &Segment<'_>) -> bool {
        (self.interface, self.from, self.to) == (block.interface, segment.from, segment.to)
    }

    /// Returns how many bytes lie between the last packet and this one.
    fn jump(&mut self, segment: &Segment<'_>) -> u64 {
        let ahead = segment.seq.wrapping_sub(self.seq).cast_signed();
        let ahead = u32::try_from(ahead).unwrap_or_default();
        self.pass(u64::from(ahead));
        self.moved = true;
        u64::from(ahead)
    }

    fn pass(&mut self, len: u64) {
        self.seq = self.seq.wrapping_add(low(len));
    }
}

/// The asked part of a stream and what is found of it.
struct Want {
    begin: u64,
    end: u64,
    /// The chunk is known up to here.
    reached: u64,
    chunk: Chunk,
}

impl Want {
    /// Takes `len` bytes of the stream from `place` on, which lie at `at` in the file.
    fn take(&mut self, window: &mut Window, place: u64, len: u64, at: u64) -> io::Result<()> {
        let from = place.max(self.reached);
        let to = (place + len).min(self.end);
        if from >= to {
            return Ok(());
        }
        self.reach(from);
        let len = usize::try_from(to - from).unwrap_or_default();
        let old = self.chunk.bytes.len();
        self.chunk.bytes.resize(old + len, 0);
        let Some(into) = self.chunk.bytes.get_mut(old..) else {
            return Ok(());
        };
        let done = window.read_at(at + (from - place), into)?;
        self.chunk.bytes.truncate(old + done);
        self.reached = from + done as u64;
        Ok(())
    }

    /// Fills with a hole up to `place`.
    fn reach(&mut self, place: u64) {
        let to = place.min(self.end);
        if to <= self.reached {
            return;
        }
        let begin = self.chunk.bytes.len();
        let len = usize::try_from(to - self.reached).unwrap_or_default();
        self.chunk.bytes.resize(begin + len, 0);
        match self.chunk.holes.last_mut() {
            Some(last) if last.end == begin => last.end = begin + len,
            _ => self.chunk.holes.push(begin..begin + len),
        }
        self.reached = to;
    }
}

/// The head of a block.
#[derive(Debug)]
struct Block {
    kind: u32,
    len: u32,
    interface: u32,
    captured: usize,
    original: u32,
    /// Length of the packet's IP and TCP headers.
    headers: usize,
    bytes: Vec<u8>,
}

impl Block {
    fn segment(&self) -> Option<Segment<'_>> {
        if self.kind != ENHANCED {
            return None;
        }
        let packet = self.bytes.get(ENHANCED_HEAD..)?;
        let packet = packet.get(..self.captured).unwrap_or(packet);
        match link::read(super::block::RAW, packet, self.original) {
            Frame::Tcp(segment) => Some(segment),
            _ => None,
        }
    }
}

/// A file and the part of it that was fetched last.
#[derive(Debug)]
struct Window {
    file: File,
    bytes: Vec<u8>,
    at: u64,
    /// Length of the file when the reading began.
    len: u64,
}

impl Window {
    fn new(file: File) -> Self {
        Self {
            file,
            bytes: Vec::new(),
            at: 0,
            len: 0,
        }
    }

    /// Forgets what was fetched: the file may have grown.
    fn refresh(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.len = self.file.metadata()?.len();
        Ok(())
    }

    /// Returns the head of the block at `at`; `None` where the file has no whole block there.
    fn block(&mut self, at: u64) -> io::Result<Option<Block>> {
        let bytes = self.peek(at, HEAD)?;
        let word = |place| read_u32(bytes, place, false);
        let (Some(kind), Some(len)) = (word(0), word(4)) else {
            return Ok(None);
        };
        if kind == SECTION || len < 12 || len % 4 != 0 {
            return Ok(None);
        }
        let is_packet = kind == ENHANCED;
        let captured = if is_packet { word(20) } else { None }.unwrap_or_default() as usize;
        let room = (len as usize).saturating_sub(ENHANCED_HEAD + 4);
        let version = bytes.get(ENHANCED_HEAD).map_or(0, |byte| byte >> 4);
        let ip = if version == 6 { 40 } else { 20 };
        let tcp = bytes
            .get(ENHANCED_HEAD + ip + 12)
            .map_or(0, |byte| usize::from(byte >> 4) * 4);
        let block = Block {
            kind,
            len,
            interface: word(8).unwrap_or_default(),
            captured: captured.min(room),
            original: word(24).unwrap_or_default(),
            headers: ip + tcp,
            bytes: bytes.to_vec(),
        };
        // A block that is not whole yet was not flushed yet.
        let is_whole = at + u64::from(len) <= self.len;
        Ok(is_whole.then_some(block))
    }

    /// Returns the length of the hole that a packet without payload may tell of.
    fn not_seen(&mut self, block: &Block, at: u64) -> io::Result<u64> {
        let before = ENHANCED_HEAD + block.captured + padding(block.captured);
        if block.captured > block.headers || block.len as usize <= before + 4 {
            return Ok(0);
        }
        let mut options = vec![0; block.len as usize - before - 4];
        let done = self.read_at(at + before as u64, &mut options)?;
        options.truncate(done);
        let options = Options {
            bytes: &options,
            big: false,
        };
        let comments = options.filter_map(|(code, value)| (code == COMMENT).then_some(value));
        Ok(Marks::read(comments).not_seen.unwrap_or_default())
    }

    /// Returns up to `len` bytes at `at`, from what was fetched where possible.
    fn peek(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let skip = at
            .checked_sub(self.at)
            .and_then(|skip| usize::try_from(skip).ok());
        let have = skip.is_some_and(|skip| skip + len <= self.bytes.len());
        if !have {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.resize(FETCH, 0);
            let done = self.read_at(at, &mut bytes)?;
            bytes.truncate(done);
            self.bytes = bytes;
            self.at = at;
        }
        let skip = usize::try_from(at - self.at).unwrap_or(usize::MAX);
        let rest = self.bytes.get(skip..).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }

    /// Reads up to the end of `into` or of the file.
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(len) => done += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}
