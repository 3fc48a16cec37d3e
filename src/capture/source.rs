//! A window over any stream of bytes: what is in memory is what somebody asked for.
//!
//! Knows no file format. A gzip stream that breaks off counts as an end with a reason; a disk that
//! fails is an error.

use std::io::{self, Read};

/// The window's size where nobody needs more.
const WINDOW: usize = 1 << 20;

/// Bytes of a file from a moving place on.
pub(super) struct Source {
    inner: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the stream of the window's first byte.
    offset: u64,
    is_packed: bool,
    exhausted: bool,
    /// Why the stream ended early.
    pub(super) broken: Option<String>,
}

impl Source {
    /// Reads `inner`, which unpacks something where `is_packed` says so.
    pub(super) fn new(inner: Box<dyn Read + Send>, is_packed: bool) -> Self {
        Self {
            inner,
            buffer: vec![0; WINDOW],
            start: 0,
            end: 0,
            offset: 0,
            is_packed,
            exhausted: false,
            broken: None,
        }
    }

    /// Returns the offset of the window's first byte.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the window.
    pub(super) fn data(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Tries to have `need` bytes in the window and returns how many there are; fewer only at the end.
    /// Memory grows with what really comes, not with what was asked for.
    pub(super) fn fill(&mut self, need: usize) -> io::Result<usize> {
        while self.end - self.start < need && !self.exhausted {
            if self.buffer.len() - self.start < need || self.end == self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                if self.end == self.buffer.len() {
                    self.buffer.resize(self.buffer.len() * 2, 0);
                }
            }
            let Some(space) = self.buffer.get_mut(self.end..) else {
                break;
            };
            match self.inner.read(space) {
                Ok(0) => self.exhausted = true,
                Ok(len) => self.end += len.min(self.buffer.len() - self.end),
                Err(error) => self.fail(error)?,
            }
        }
        Ok(self.end - self.start)
    }

    /// Moves the window on by `len` bytes, at most to its end.
    pub(super) fn consume(&mut self, len: usize) {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.offset += len as u64;
    }

    /// Moves on by `len` bytes without keeping them; returns how many there were.
    pub(super) fn skip(&mut self, len: u64) -> io::Result<u64> {
        let mut done = 0;
        while done < len {
            let want = usize::try_from(len - done).map_or(WINDOW, |want| want.min(WINDOW));
            let have = self.fill(1)?.min(want);
            if have == 0 {
                break;
            }
            self.consume(have);
            done += have as u64;
        }
        Ok(done)
    }

    /// Forgets that the end was reached: the file may have grown.
    pub(super) fn retry(&mut self) {
        self.exhausted = false;
    }

    fn fail(&mut self, error: io::Error) -> io::Result<()> {
        use io::ErrorKind::{Interrupted, InvalidData, InvalidInput, UnexpectedEof};
        match error.kind() {
            Interrupted => Ok(()),
            InvalidData | InvalidInput | UnexpectedEof if self.is_packed => {
                self.exhausted = true;
                self.broken = Some(error.to_string());
                Ok(())
            }
            _ => Err(error),
        }
    }
}

/// Reads on from the window: what was looked at is read again.
impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let have = self.fill(1)?.min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..have), self.data().get(..have)) {
            into.copy_from_slice(from);
        }
        self.consume(have);
        Ok(have)
    }
}
