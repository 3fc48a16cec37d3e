//! The end of the file that grows: small things are gathered, payloads go out uncopied.
//!
//! Knows nothing of what the bytes mean. After the first failure nothing more is written, so that
//! a torn block is always the last one.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::ops::Range;

/// Bytes gathered before they go to the operating system on their own.
const GATHER: usize = 256 << 10;
/// Payloads below this are copied into the gathered bytes.
const COPY_BELOW: usize = 8 << 10;
/// Pieces handed over in one call.
const SLICES: usize = 64;

/// An append-only file with a buffer.
#[derive(Debug)]
pub(super) struct Sink {
    file: File,
    /// Blocks and parts of blocks that the file does not have yet.
    pub(super) gathered: Vec<u8>,
    /// Places in `gathered` where a part of the current payload belongs.
    cuts: Vec<(usize, Range<usize>)>,
    /// Bytes that the file has.
    written: u64,
    failed: bool,
}

impl Sink {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            gathered: Vec::with_capacity(GATHER * 2),
            cuts: Vec::with_capacity(SLICES),
            written: 0,
            failed: false,
        }
    }

    /// Goes on with a file of `len` bytes that was opened for appending.
    pub(super) fn resume(file: File, len: u64) -> Self {
        let mut sink = Self::new(file);
        sink.written = len;
        sink
    }

    /// Returns how long the file is with what is gathered. Only between events.
    pub(super) fn len(&self) -> u64 {
        self.written + self.gathered.len() as u64
    }

    /// Appends `range` of `payload`. All calls until [`Self::settle`] are given the same payload.
    pub(super) fn payload(&mut self, payload: &[u8], range: Range<usize>) -> io::Result<()> {
        if range.len() < COPY_BELOW {
            let part = payload.get(range).unwrap_or_default();
            self.gathered.extend_from_slice(part);
            return Ok(());
        }
        self.cuts.push((self.gathered.len(), range));
        if self.cuts.len() * 2 + 3 > SLICES {
            return self.hand_over(payload);
        }
        Ok(())
    }

    /// Ends an event: what refers to `payload` goes out, the rest when there is enough of it.
    pub(super) fn settle(&mut self, payload: &[u8]) -> io::Result<()> {
        self.check()?;
        if self.cuts.is_empty() && self.gathered.len() < GATHER {
            return Ok(());
        }
        self.hand_over(payload)
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.hand_over(&[])
    }

    /// Refuses to go on after a failure.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        Ok(())
    }

    fn hand_over(&mut self, payload: &[u8]) -> io::Result<()> {
        self.check()?;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut places = slices.iter_mut();
        let mut add = |bytes| {
            if let Some(place) = places.next() {
                *place = IoSlice::new(bytes);
            }
        };
        let mut from = 0;
        let mut len = self.gathered.len();
        for (cut, range) in &self.cuts {
            add(self.gathered.get(from..*cut).unwrap_or_default());
            add(payload.get(range.clone()).unwrap_or_default());
            from = *cut;
            len += range.len();
        }
        add(self.gathered.get(from..).unwrap_or_default());
        if let Err(error) = write_all(&mut self.file, &mut slices) {
            self.failed = true;
            return Err(error);
        }
        self.written += len as u64;
        self.gathered.clear();
        self.cuts.clear();
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if !self.failed {
            // Nobody is left to hear of an error; who cares has called flush.
            let _ = self.flush();
        }
    }
}

fn write_all(file: &mut File, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    let mut rest = slices;
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(done) => IoSlice::advance_slices(&mut rest, done),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn pieces_arrive_in_order_and_once() {
        let mut file = tempfile::tempfile().unwrap();
        let payload: Vec<u8> = (0..=255).cycle().take(COPY_BELOW * 100).collect();
        let mut sink = Sink::new(file.try_clone().unwrap());
        let mut wanted = Vec::new();
        for begin in (0..payload.len()).step_by(COPY_BELOW) {
            let end = begin + COPY_BELOW;
            sink.gathered.extend_from_slice(b"head");
            sink.payload(&payload, begin..end).unwrap();
            sink.gathered.extend_from_slice(b"tail");
            wanted.extend_from_slice(b"head");
            wanted.extend_from_slice(&payload[begin..end]);
            wanted.extend_from_slice(b"tail");
        }
        sink.settle(&payload).unwrap();
        sink.gathered.extend_from_slice(b"end");
        wanted.extend_from_slice(b"end");
        assert_eq!(sink.len(), wanted.len() as u64);
        sink.flush().unwrap();
        let mut found = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut found).unwrap();
        assert!(found == wanted);
    }

    #[test]
    fn after_a_failure_everything_fails() {
        let path = tempfile::NamedTempFile::new().unwrap();
        // A file that was opened for reading refuses to be written.
        let mut sink = Sink::new(File::open(path.path()).unwrap());
        sink.gathered.extend_from_slice(b"lost");
        assert!(sink.settle(&[]).is_ok());
        assert!(sink.flush().is_err());
        assert!(sink.check().is_err() && sink.settle(&[]).is_err() && sink.flush().is_err());
    }
}
