//! Heads for a filter, read back from a capture and kept in a small cache.
//!
//! Reads through [`ReadBack`]; knows no file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::timeline::read_back::{ReadBack, Span};
use crate::timeline::row::Exchange;
use crate::wire::{Decoder, Head, Item, Stream};

use super::Heads;

/// Longest head that is read; a longer one is absent.
const LONGEST: u64 = 64 * 1024;

/// Bytes of heads that are kept; then all are forgotten.
const KEPT: usize = 8 * 1024 * 1024;

/// Gives back heads that a capture holds whole.
pub struct HeadsOf<R> {
    bytes: R,
    cache: RefCell<Cache>,
}

impl<R> std::fmt::Debug for HeadsOf<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.cache.borrow().heads.len();
        f.debug_struct("HeadsOf")
            .field("kept", &kept)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Cache {
    heads: HashMap<(u32, Stream, u64), Arc<Head>>,
    size: usize,
}

impl<R: ReadBack> HeadsOf<R> {
    /// Makes an empty cache before `bytes`.
    pub fn new(bytes: R) -> Self {
        Self {
            bytes,
            cache: RefCell::default(),
        }
    }

    fn read(&self, span: Span, stream: Stream) -> Option<Head> {
        if span.len == 0 || span.len > LONGEST {
            return None;
        }
        let len = usize::try_from(span.len).ok()?;
        let chunk = self.bytes.read(span, 0, len).ok()?;
        if chunk.bytes.len() < len || !chunk.holes.is_empty() {
            return None;
        }
        let mut items = Vec::new();
        Decoder::new(stream).feed(&chunk.bytes, &mut items);
        items.into_iter().find_map(|item| match item {
            Item::Head { head, .. } => Some(head),
            _ => None,
        })
    }
}

impl<R: ReadBack> Heads for HeadsOf<R> {
    fn head(&self, exchange: &Exchange, stream: Stream) -> Option<Arc<Head>> {
        let message = match stream {
            Stream::Requests => exchange.request.as_ref(),
            Stream::Responses => exchange.response.as_ref(),
        }?;
        // The length is part of it: a head may not be complete yet.
        let key = (exchange.no, stream, message.head.len);
        if let Some(known) = self.cache.borrow().heads.get(&key) {
            return Some(Arc::clone(known));
        }
        // What cannot be read now may be readable soon, so only success is remembered.
        let head = Arc::new(self.read(message.head, stream)?);
        let mut cache = self.cache.borrow_mut();
        if cache.size >= KEPT {
            *cache = Cache::default();
        }
        cache.size = cache
            .size
            .saturating_add(head.raw.len())
            .saturating_add(head.fields.len().saturating_mul(32));
        cache.heads.insert(key, Arc::clone(&head));
        Some(head)
    }
}
