//! A message that is sent again: kept in memory while it is small, in a file without a name beyond that.
//!
//! Knows nothing of what is in it.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// So many bytes stay in memory, and so many are read back at a time.
const SMALL: usize = 256 * 1024;

/// The bytes of one message, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Spool {
    memory: BytesMut,
    file: Option<File>,
}

impl Spool {
    /// Appends bytes.
    pub(super) async fn push(&mut self, bytes: &Bytes) -> io::Result<()> {
        if self.file.is_none() {
            if self.memory.len().saturating_add(bytes.len()) <= SMALL {
                self.memory.extend_from_slice(bytes);
                return Ok(());
            }
            let mut file = File::from_std(tempfile::tempfile()?);
            file.write_all(&std::mem::take(&mut self.memory)).await?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).await,
            None => Ok(()),
        }
    }

    /// Goes back to the first byte.
    pub(super) async fn rewind(&mut self) -> io::Result<Again<'_>> {
        if let Some(file) = &mut self.file {
            file.flush().await?;
            file.rewind().await?;
        }
        Ok(Again {
            memory: Some(self.memory.clone().freeze()).filter(|bytes| !bytes.is_empty()),
            file: self.file.as_mut(),
        })
    }
}

/// A spooled message as it is read back.
#[derive(Debug)]
pub(super) struct Again<'s> {
    memory: Option<Bytes>,
    file: Option<&'s mut File>,
}

impl Again<'_> {
    /// Returns the next bytes, `None` after the last.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(bytes) = self.memory.take() {
            return Ok(Some(bytes));
        }
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let mut bytes = BytesMut::with_capacity(SMALL);
        let read = file.read_buf(&mut bytes).await?;
        Ok((read > 0).then(|| bytes.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_and_large_messages_come_back_as_often_as_wanted() {
        for pieces in [0_u8, 1, 20] {
            let mut spool = Spool::default();
            let mut all = Vec::new();
            for piece in 0..pieces {
                let bytes = vec![piece; 40_000];
                all.extend_from_slice(&bytes);
                spool.push(&Bytes::from(bytes)).await.unwrap();
            }
            assert_eq!(spool.file.is_some(), pieces == 20);
            for _ in 0..2 {
                let mut again = spool.rewind().await.unwrap();
                let mut back = Vec::new();
                while let Some(bytes) = again.next().await.unwrap() {
                    back.extend_from_slice(&bytes);
                }
                assert!(back == all, "{pieces} pieces");
            }
        }
    }
}
