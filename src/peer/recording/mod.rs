//! A recorded run as both of its ends can be played from: rows, heads, content.
//!
//! The rows are a timeline's, heads and small bodies are read back from the capture, and whole files lie in a
//! folder, rebuilt by whoever made this. Opens no sockets and decides nothing; `replay` and `mock` do.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::bits::header::{Spelling, identify};
use crate::bits::packet::{read_ack, read_request};
use crate::bits::session::{Answer, classify};
use crate::bits::{Ack, Request};
use crate::event::Direction;
use crate::timeline::row::Message;
use crate::timeline::{Chunk, Exchange, Outcome, ReadBack, Session, Span, Timeline};
use crate::wire::{Decoder, Head, Item, Stream};

pub(super) mod edit;

/// How many bytes are read back at a time.
const PIECE: usize = 64 * 1024;

/// What a rebuilt file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// What the client sent.
    Upload,
    /// The reply of an upload-reply.
    Reply,
    Download,
}

/// A file that was rebuilt from the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFile {
    /// Number of the session that it belongs to.
    pub session: u32,
    pub kind: FileKind,
    pub path: PathBuf,
    /// Bytes in it, gaps that lie before the last byte included.
    pub size: u64,
    /// First byte and the byte after the last of what the capture does not hold.
    pub gaps: Vec<(u64, u64)>,
    /// The size that the packets tell.
    pub total: Option<u64>,
    pub sha256: Option<String>,
}

impl RecordedFile {
    /// Returns the first run of bytes in `first..end` that the capture does not hold; `end` is exclusive.
    pub fn gap_in(&self, first: u64, end: u64) -> Option<(u64, u64)> {
        let listed = self
            .gaps
            .iter()
            .map(|&(from, to)| (from.max(first), to.min(end)))
            .find(|(from, to)| from < to);
        let behind = (end > self.size).then(|| (self.size.max(first), end));
        listed.or_else(|| behind.filter(|(from, to)| from < to))
    }
}

/// A recorded run.
pub struct Recording {
    /// Of all events, finished.
    pub timeline: Timeline,
    pub bytes: Arc<dyn ReadBack + Send + Sync>,
    pub files: Vec<RecordedFile>,
}

/// What is known of how a recorded request was answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Recorded {
    Answer(Box<Said>),
    /// The server ended the connection instead, or answered with half a response.
    Nothing,
    /// Nobody can know: the client left, the proxy answered, or the capture ends.
    Unknown,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) ack: Ack,
    /// How the names of the BITS fields are written, in their order; case does not matter.
    pub(super) spellings: Vec<&'static Spelling>,
}

impl Said {
    pub(super) fn of(head: &Head) -> Self {
        Self {
            status: head.status().unwrap_or_default(),
            ack: read_ack(head),
            spellings: head
                .pairs()
                .filter_map(|(name, _)| identify(name))
                .collect(),
        }
    }

    /// Returns what it means to the Windows client.
    pub(super) fn meaning(&self) -> Answer {
        classify(self.status, self.ack.error)
    }
}

impl Recording {
    /// Returns session number `no`.
    pub(super) fn session(&self, no: u32) -> Option<&Session> {
        let at = usize::try_from(no).ok()?.checked_sub(1)?;
        self.timeline.sessions().get(at)
    }

    /// Returns the rebuilt file of a session.
    pub(super) fn file(&self, session: u32, kind: FileKind) -> Option<&RecordedFile> {
        self.files
            .iter()
            .find(|file| file.session == session && file.kind == kind)
    }

    /// Reads a message's head back; `None` where the capture does not hold all of it.
    pub(super) fn head(&self, message: &Message) -> Option<Head> {
        let stream = match message.head.direction {
            Direction::ToServer => Stream::Requests,
            Direction::ToClient => Stream::Responses,
        };
        let len = usize::try_from(message.head.len).ok()?;
        let chunk = self.bytes.read(message.head, 0, len).ok()?;
        if !chunk.holes.is_empty() || chunk.bytes.len() != len {
            return None;
        }
        let mut items = Vec::new();
        Decoder::new(stream).feed(&chunk.bytes, &mut items);
        items.into_iter().find_map(|item| match item {
            Item::Head { head, .. } => Some(head),
            _ => None,
        })
    }

    /// Reads the head of an exchange's request back with what it says.
    pub(super) fn request(&self, row: &Exchange) -> Option<(Head, Request)> {
        let head = self.head(row.request.as_ref()?)?;
        let request = read_request(&head);
        Some((head, request))
    }

    /// Returns how an exchange was answered.
    pub(super) fn answer(&self, row: &Exchange) -> Recorded {
        match row.outcome {
            Outcome::Complete => row
                .response
                .as_ref()
                .and_then(|message| self.head(message))
                .map_or(Recorded::Unknown, |head| {
                    Recorded::Answer(Box::new(Said::of(&head)))
                }),
            Outcome::NoResponse | Outcome::CutResponse => self.unanswered(row),
            _ => Recorded::Unknown,
        }
    }

    /// Tells apart whether the server left a request without an answer, or the client did not wait for it.
    fn unanswered(&self, row: &Exchange) -> Recorded {
        let closed = self
            .timeline
            .connection(row.conn)
            .and_then(|connection| connection.first_close);
        match closed {
            Some((Direction::ToClient, _)) => Recorded::Nothing,
            _ => Recorded::Unknown,
        }
    }

    /// Reads the wire bytes after a message's head, from `from` on; `None` at their end, or where the capture
    /// does not hold them.
    pub(super) fn wire(&self, message: &Message, from: u64) -> Option<Bytes> {
        let span = Span {
            offset: message.body_offset(),
            len: message.body_wire,
            ..message.head
        };
        if from >= span.len {
            return None;
        }
        let Chunk { mut bytes, holes } = self.bytes.read(span, from, PIECE).ok()?;
        if let Some(hole) = holes.first() {
            bytes.truncate(hole.start);
        }
        (!bytes.is_empty()).then(|| Bytes::from(bytes))
    }

    /// Passes the content of a response, without chunk framing, to `take`; `false` where the capture does not
    /// hold all of it.
    pub(super) fn content(&self, message: &Message, mut take: impl FnMut(&[u8])) -> bool {
        let Some(head) = self.head(message) else {
            return false;
        };
        let mut decoder = Decoder::new(Stream::Responses);
        let mut items = Vec::new();
        decoder.feed(&head.raw, &mut items);
        items.clear();
        let mut at = 0;
        while let Some(bytes) = self.wire(message, at) {
            let base = (head.raw.len() as u64).saturating_add(at);
            decoder.feed(&bytes, &mut items);
            for item in items.drain(..) {
                if let Item::Data { offset, len } = item {
                    let from = usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
                    let len = usize::try_from(len).unwrap_or(usize::MAX);
                    let end = from.saturating_add(len).min(bytes.len());
                    take(bytes.get(from..end).unwrap_or_default());
                }
            }
            at = at.saturating_add(bytes.len() as u64);
        }
        at == message.body_wire
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found_where_they_lie_and_behind_the_end() {
        let file = RecordedFile {
            session: 1,
            kind: FileKind::Upload,
            path: PathBuf::new(),
            size: 100,
            gaps: vec![(10, 20), (50, 60)],
            total: Some(120),
            sha256: None,
        };
        assert_eq!(file.gap_in(0, 10), None);
        assert_eq!(file.gap_in(0, 11), Some((10, 11)));
        assert_eq!(file.gap_in(15, 55), Some((15, 20)));
        assert_eq!(file.gap_in(60, 100), None);
        assert_eq!(file.gap_in(60, 120), Some((100, 120)));
        assert_eq!(file.gap_in(110, 120), Some((110, 120)));
    }
}
