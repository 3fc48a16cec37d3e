//! The content of a recorded message, read back in pieces and without its framing.

use std::io;
use std::ops::Range;

use crate::timeline::row::Message;
use crate::timeline::{Exchange, ReadBack, Span};
use crate::wire::{Conversation, Head, Item, Seen, Stream};

/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// Longest head that is read.
const LONGEST_HEAD: u64 = 1 << 20;

/// A piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'b> {
    Bytes(&'b [u8]),
    /// So many bytes passed that the capture does not hold.
    Gone(u64),
}

/// Returns the message of one direction.
pub(super) fn message(exchange: &Exchange, stream: Stream) -> Option<&Message> {
    match stream {
        Stream::Requests => exchange.request.as_ref(),
        Stream::Responses => exchange.response.as_ref(),
    }
}

/// Reads the head of one direction; `None` where it is not there as a whole.
pub(super) fn head(
    from: &dyn ReadBack,
    exchange: &Exchange,
    stream: Stream,
) -> io::Result<Option<Head>> {
    let Some(message) = message(exchange, stream) else {
        return Ok(None);
    };
    let Some(raw) = raw_head(from, message)? else {
        return Ok(None);
    };
    let mut talk = Conversation::new();
    let mut seen = Vec::new();
    talk.feed(stream, &raw, &mut seen);
    Ok(seen.into_iter().find_map(|seen| match seen.item {
        Item::Head { head, .. } => Some(head),
        _ => None,
    }))
}

fn raw_head(from: &dyn ReadBack, message: &Message) -> io::Result<Option<Vec<u8>>> {
    let span = message.head;
    let Some(len) = usize::try_from(span.len)
        .ok()
        .filter(|_| span.len <= LONGEST_HEAD)
    else {
        return Ok(None);
    };
    let chunk = from.read(span, 0, len)?;
    Ok((chunk.bytes.len() == len && chunk.holes.is_empty()).then_some(chunk.bytes))
}

/// Reads the content of one direction and gives it to `take` in order.
pub(super) fn read(
    from: &dyn ReadBack,
    exchange: &Exchange,
    stream: Stream,
    take: &mut dyn FnMut(Piece<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let Some(message) = message(exchange, stream) else {
        return Ok(());
    };
    let mut talk = Conversation::new();
    let mut seen = Vec::new();
    // What a response carries depends on what it answers.
    if stream == Stream::Responses
        && let Some(request) = &exchange.request
        && let Some(raw) = raw_head(from, request)?
    {
        talk.feed(Stream::Requests, &raw, &mut seen);
        seen.clear();
    }
    let Some(raw) = raw_head(from, message)? else {
        return Ok(());
    };
    talk.feed(stream, &raw, &mut seen);
    seen.clear();
    let mut base = message.head.len;
    let body = Span {
        offset: message.body_offset(),
        len: message.body_wire,
        ..message.head
    };
    let mut done = 0;
    while done < body.len {
        let chunk = from.read(body, done, PIECE)?;
        let len = chunk.bytes.len();
        if len == 0 {
            break;
        }
        for (range, is_hole) in parts(len, &chunk.holes) {
            let bytes = chunk.bytes.get(range.clone()).unwrap_or_default();
            if is_hole {
                talk.skip(stream, bytes.len() as u64, &mut seen);
            } else {
                talk.feed(stream, bytes, &mut seen);
            }
            pass(stream, &mut seen, base, bytes, take)?;
            base = base.saturating_add(bytes.len() as u64);
        }
        done = done.saturating_add(len as u64);
    }
    Ok(())
}

/// Cuts `0..len` where holes begin and end.
fn parts(len: usize, holes: &[Range<usize>]) -> Vec<(Range<usize>, bool)> {
    let mut parts = Vec::new();
    let mut at = 0;
    for hole in holes {
        let (begin, end) = (hole.start.clamp(at, len), hole.end.clamp(at, len));
        parts.push((at..begin, false));
        parts.push((begin..end, true));
        at = end;
    }
    parts.push((at..len, false));
    parts.retain(|(range, _)| !range.is_empty());
    parts
}

/// Gives on what the items say is content; `bytes` lie at `base` of the stream.
fn pass(
    stream: Stream,
    seen: &mut Vec<Seen>,
    base: u64,
    bytes: &[u8],
    take: &mut dyn FnMut(Piece<'_>) -> io::Result<()>,
) -> io::Result<()> {
    for found in seen.drain(..) {
        if found.stream != stream {
            continue;
        }
        match found.item {
            Item::Data { offset, len } => {
                let from = usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
                let end = usize::try_from(len).map_or(usize::MAX, |len| from.saturating_add(len));
                let end = end.min(bytes.len());
                take(Piece::Bytes(bytes.get(from..end).unwrap_or_default()))?;
            }
            Item::Absent { len, .. } => take(Piece::Gone(len))?,
            _ => {}
        }
    }
    Ok(())
}
