//! Content of messages while it passes: counted always, looked into where a rule asks what is in it.
//!
//! Nothing of it is kept but a sum and the layout of parts.

use std::time::Duration;

use crate::bits::Packet;
use crate::wire::{Item, Seen, Stream};

use super::connection::Live;
use super::ledger::Ledger;

impl Live {
    /// Counts content bytes of a message.
    pub(super) fn content(
        &mut self,
        stream: Stream,
        wire: Option<u64>,
        len: u64,
        at: Duration,
        ledger: &mut Ledger,
    ) {
        let Some(open) = self
            .find(stream, wire)
            .and_then(|slot| self.open.get_mut(slot))
        else {
            return;
        };
        let Some(row) = ledger.exchange(open.no) else {
            return;
        };
        let session = row.session;
        let message = match stream {
            Stream::Requests => row.request.as_mut(),
            Stream::Responses => row.response.as_mut(),
        };
        if let Some(message) = message {
            message.body = message.body.saturating_add(len);
            message.body_wire = message.body_wire.saturating_add(len);
        }
        let (before, packet) = match stream {
            Stream::Requests => (&mut open.sent, Packet::Fragment),
            Stream::Responses => (&mut open.came, Packet::Get),
        };
        let already = *before;
        *before = before.saturating_add(len);
        let Some(session) = session.filter(|_| open.request.packet == Some(packet)) else {
            return;
        };
        match stream {
            Stream::Requests => {
                let start = open.request.range.map(|range| range.first);
                ledger.upload_progress(session, start, already, len, at);
            }
            Stream::Responses => ledger.download_progress(session, open.lies, already, len, at),
        }
    }

    /// Takes note of content of answers that the capture missed.
    pub(super) fn unseen(&self, seen: &[Seen], ledger: &mut Ledger) {
        for found in seen {
            let Item::Absent { len, .. } = found.item else {
                continue;
            };
            let open = self.find(found.stream, found.exchange);
            let open = open.and_then(|slot| self.open.get(slot));
            if let Some(session) = open.and_then(|open| open.session)
                && open.is_some_and(|open| open.request.packet == Some(Packet::Get))
            {
                ledger.download_unseen(session, len);
            }
        }
    }

    /// Returns the bytes at `offset` of a stream of which `fresh` came last.
    pub(super) fn slice<'b>(
        &mut self,
        stream: Stream,
        fresh: &'b [u8],
        offset: u64,
        len: u64,
    ) -> Option<&'b [u8]> {
        let end = self.lane(stream).offset;
        let base = end.checked_sub(u64::try_from(fresh.len()).ok()?)?;
        let from = usize::try_from(offset.checked_sub(base)?).ok()?;
        fresh.get(from..from.checked_add(usize::try_from(len).ok()?)?)
    }

    /// Looks into content where somebody asks what is in it; `None`: it is missing.
    pub(super) fn look_into(
        &mut self,
        stream: Stream,
        wire: Option<u64>,
        len: u64,
        bytes: Option<&[u8]>,
    ) {
        let slot = self.find(stream, wire);
        let Some(open) = slot.and_then(|slot| self.open.get_mut(slot)) else {
            return;
        };
        match (stream, bytes, &mut open.parts) {
            (Stream::Requests, _, _) if open.request.packet != Some(Packet::Fragment) => {}
            (Stream::Requests, Some(bytes), _) => open.digest.take(bytes),
            (Stream::Requests, None, _) => open.digest.miss(),
            (Stream::Responses, Some(bytes), Some(parts)) => {
                parts.feed(bytes);
            }
            (Stream::Responses, None, Some(parts)) => {
                parts.skip(len);
            }
            (Stream::Responses, _, None) => {}
        }
    }
}
