//! Buffers for large reads, used again when the last reader of their bytes is done.
//!
//! A recorder keeps bytes while the relay reads on, so each read needs a buffer of its own. Fresh memory
//! from the system costs as much as reading into it: the pages of the last buffers are kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Length of every buffer: the largest read of a body, and room for the next head.
pub(super) const LEN: usize = (256 + 8) << 10;
/// Buffers kept for the next read: 8 MiB.
const KEPT: usize = 31;

/// Buffers that nobody uses; one stock for the process, as memory is.
static STOCK: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn stock() -> MutexGuard<'static, Vec<Vec<u8>>> {
    STOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An empty buffer of [`LEN`] bytes; goes back when dropped, or with the last of its bytes.
#[derive(Debug)]
pub(super) struct Buffer(pub(super) Vec<u8>);

impl Buffer {
    pub(super) fn take() -> Self {
        let kept = stock().pop();
        Self(kept.unwrap_or_else(|| Vec::with_capacity(LEN)))
    }

    /// Makes what was read shareable without copying it.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        let mut stock = stock();
        if stock.len() < KEPT {
            stock.push(buffer);
        }
    }
}
