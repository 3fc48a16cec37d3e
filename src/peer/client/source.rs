//! The file that is sent: read piece by piece, hashed on the way, and watched for changes.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use ring::digest::{Context, SHA256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::mpsc;

use crate::peer::{Error, Result};

/// How much of a file is in memory at a time.
const CHUNK: usize = 64 * 1024;

/// SHA-256 of a file whose pieces may pass more than once.
pub(in crate::peer) struct Hasher {
    context: Context,
    /// Offset of the next byte to hash.
    next: u64,
}

impl Hasher {
    pub(in crate::peer) fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
            next: 0,
        }
    }

    /// Takes the bytes at `offset` as far as they are new and follow what it has.
    pub(in crate::peer) fn take(&mut self, offset: u64, bytes: &[u8]) {
        let Some(known) = self.next.checked_sub(offset) else {
            return;
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        if let Some(new) = bytes.get(known..) {
            self.context.update(new);
            self.next += new.len() as u64;
        }
    }

    /// Returns the hash in lower-case hexadecimal.
    pub(in crate::peer) fn finish(self) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.context.finish().as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// A file open for sending.
pub(super) struct Source {
    path: PathBuf,
    file: File,
    pub(super) size: u64,
    modified: Option<SystemTime>,
    hasher: Hasher,
}

impl Source {
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).await.map_err(Error::file("open", path))?;
        let metadata = file.metadata().await.map_err(Error::file("read", path))?;
        if !metadata.is_file() {
            return Err(Error::File {
                attempt: "send",
                path: path.to_path_buf(),
                source: std::io::ErrorKind::IsADirectory.into(),
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            size: metadata.len(),
            modified: metadata.modified().ok(),
            hasher: Hasher::new(),
        })
    }

    /// Sends `length` bytes from `first` on into `piece`; ends early without error when nobody takes them.
    pub(super) async fn feed(
        &mut self,
        first: u64,
        length: u64,
        piece: mpsc::Sender<Bytes>,
    ) -> Result<()> {
        self.check().await?;
        self.catch_up(first).await?;
        self.read(first, length, Some(piece)).await
    }

    /// Returns the hash of the whole file; what was never sent is read now.
    pub(super) async fn finish(mut self) -> Result<String> {
        self.check().await?;
        self.catch_up(self.size).await?;
        Ok(self.hasher.finish())
    }

    /// Hashes what lies before `offset` and did not pass: the server had it already.
    async fn catch_up(&mut self, offset: u64) -> Result<()> {
        let from = self.hasher.next;
        self.read(from, offset.saturating_sub(from), None).await
    }

    async fn read(
        &mut self,
        first: u64,
        length: u64,
        piece: Option<mpsc::Sender<Bytes>>,
    ) -> Result<()> {
        let failed = || Error::file("read", &self.path);
        let mut offset = first;
        let mut left = length;
        self.file
            .seek(SeekFrom::Start(first))
            .await
            .map_err(failed())?;
        while left > 0 {
            let mut chunk = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
            self.file.read_exact(&mut chunk).await.map_err(failed())?;
            self.hasher.take(offset, &chunk);
            offset += chunk.len() as u64;
            left -= chunk.len() as u64;
            if let Some(piece) = &piece
                && piece.send(Bytes::from(chunk)).await.is_err()
            {
                break;
            }
        }
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        let metadata = tokio::fs::metadata(&self.path)
            .await
            .map_err(Error::file("read", &self.path))?;
        if metadata.len() != self.size || metadata.modified().ok() != self.modified {
            return Err(Error::LocalFileChanged {
                path: self.path.clone(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_pass_twice_count_once() {
        let mut hasher = Hasher::new();
        for (offset, bytes) in [(0, "01234"), (2, "234"), (3, "3456"), (9, "x"), (7, "789")] {
            hasher.take(offset, bytes.as_bytes());
        }
        let mut whole = Hasher::new();
        whole.take(0, b"0123456789");
        assert_eq!(hasher.finish(), whole.finish());
    }
}
