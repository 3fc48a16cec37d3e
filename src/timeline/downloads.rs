//! Which download a HEAD or GET belongs to, and what its answer does to the session's row.
//!
//! A download is one client, one host, one URL, over all connections, until it is over: the next
//! request for the beginning of a file that arrived begins another; one for its middle is the same
//! client asking for a part again (observed with BITS 6.6). It is complete when
//!
//! - every byte of the file arrived, or
//! - it is a job of ranges (several ranges in one request, or what arrived is not the file's
//!   beginning), every range that was asked for arrived in full, and its connections are closed. A job
//!   that fetches the file from the start, block by block, is not complete because a block is.
//!
//! Content of multipart/byteranges is counted when the answer is over, part by part. `Uploading` reads
//! "in transfer". The reply of an upload-reply is not a session of its own but part of the upload's.

use std::time::Duration;

use crate::bits::session::State;
use crate::bits::{Ack, ContentRange, Packet, Request};

use super::connection::Place;
use super::ledger::{Book, First, Ledger, Locus};
use super::open::Open;
use super::row::{Session, SessionKind, Text, WireError};
use super::runs::Runs;
use super::{place, story};

/// Content of a GET's answer, and where it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// From this offset on.
    At(u64),
    /// In parts.
    Parts,
    /// It is not content of the file (an error page, hashes of PeerDist).
    Nowhere,
}

/// Returns where the content of an answer lies.
pub(super) fn lies(status: u16, ack: &Ack) -> Lies {
    match (status, ack.range) {
        _ if ack.peerdist => Lies::Nowhere,
        (200, _) => Lies::At(0),
        (206, Some(range)) => Lies::At(range.first),
        (206, None) if ack.multipart => Lies::Parts,
        _ => Lies::Nowhere,
    }
}

/// Returns what is said of an answer in several parts.
fn several(row: &Session, parts: &[(u64, u64)]) -> String {
    let bytes = parts.iter().map(|part| part.1.saturating_sub(part.0));
    let bytes = bytes.fold(0, u64::saturating_add);
    let (first, last) = parts.iter().fold((u64::MAX, 0), |(first, last), part| {
        (first.min(part.0), last.max(part.1.saturating_sub(1)))
    });
    let of = row
        .total
        .map_or_else(String::new, |total| format!(" of {total}"));
    match parts.len() {
        0 => "The server sent several ranges, and none of them can be read.".to_owned(),
        count => format!(
            "{count} ranges in one answer brought {bytes} bytes, between {first} and {last}{of}."
        ),
    }
}

/// Tells of the range, or the ranges, that an answer brought.
fn tell_ranges(row: &mut Session, book: &mut Book, ack: &Ack, parts: &[(u64, u64)]) {
    if let Some(range) = ack.range {
        book.tale.block(row, range.first, range.last);
    } else {
        let sentence = several(row, parts);
        book.tale.tell(row, sentence);
    }
}

/// Returns the end of a sentence about what arrived: the peers have it, the capture may not.
fn but(unseen: u64) -> String {
    match unseen {
        0 => String::new(),
        1 => "; 1 byte of content is missing from this capture".to_owned(),
        _ => format!("; {unseen} bytes of content are missing from this capture"),
    }
}

impl Ledger {
    /// Takes note that content of a download passed which the capture missed.
    pub(super) fn download_unseen(&mut self, no: u32, len: u64) {
        if let Some((row, book)) = self.session(no)
            && row.kind == SessionKind::Download
        {
            book.unseen = book.unseen.saturating_add(len);
        }
    }

    /// Returns the upload whose reply lies at this place.
    pub(super) fn upload_replying_at(&self, place: &Place) -> Option<u32> {
        if self.index.replies.is_empty() {
            return None;
        }
        let key = place::fold(&place.path);
        self.index.replies.get(key.as_str()).copied()
    }

    /// Finds or opens the session of a HEAD or GET whose head is complete, and joins the exchange.
    pub(super) fn download_begun(
        &mut self,
        locus: Locus,
        no: u32,
        request: &Request,
        place: &Place,
    ) -> u32 {
        let key = (
            locus.ip(),
            Text::clone(&place.host),
            Text::clone(&place.path),
        );
        let known = self.index.downloads.get(&key).copied();
        let known = known.filter(|&session| self.goes_on(session, request));
        let session = known.unwrap_or_else(|| {
            let at = self.exchange(no).map(|row| row.times.get().begun);
            let session = self.open(
                SessionKind::Download,
                &First {
                    locus,
                    at: at.unwrap_or_default(),
                    target: &place.target,
                    name: None,
                    user_agent: request.user_agent.as_deref(),
                    host: &place.host,
                    path: &place.path,
                },
            );
            self.index.downloads.insert(key, session);
            session
        });
        if let Some(begun) = self.exchange(no).map(|row| row.times.get().begun) {
            self.resumed(session, begun, place.named(request), false);
        }
        self.join(no, session);
        if let Some((row, book)) = self.session(session) {
            book.several |= request.wanted.len() > 1;
            for range in &request.wanted {
                let end = range.1.map(|last| last.saturating_add(1)).or(row.total);
                book.wanted.insert(range.0, end.unwrap_or(u64::MAX));
            }
        }
        session
    }

    /// Tells whether a request belongs to the download `session`: it is not over, or the request asks
    /// for ranges that a new download of the file would not begin with.
    fn goes_on(&self, session: u32, request: &Request) -> bool {
        let (Some(row), Some(book)) = (self.session_row(session), self.book(session)) else {
            return false;
        };
        let whole = row.total == Some(row.acknowledged);
        match row.state {
            State::Complete if whole => request.wanted.first().is_some_and(|range| range.0 > 0),
            State::Complete => request.wanted.iter().any(|range| {
                let end = range.1.map_or(u64::MAX, |last| last.saturating_add(1));
                book.passed.overlap(range.0, end) == 0
            }),
            state => !state.is_final(),
        }
    }

    /// Takes what the head of an answer says of the file.
    pub(super) fn download_answering(
        &mut self,
        session: u32,
        packet: Packet,
        status: u16,
        ack: &Ack,
    ) {
        let modified = ack
            .last_modified
            .as_deref()
            .filter(|_| matches!(status, 200 | 206))
            .map(|date| self.texts.share(date));
        let Some((row, book)) = self.session(session) else {
            return;
        };
        if row.kind != SessionKind::Download {
            return;
        }
        let total = match status {
            200 if ack.peerdist => None,
            200 => ack.length,
            206 => ack.range.and_then(|range| range.total),
            416 => ack.total,
            _ => None,
        };
        let other_size = total.is_some() && row.total.is_some() && total != row.total;
        let other_date = modified.is_some() && book.modified.is_some() && modified != book.modified;
        if (other_size || other_date) && !book.passed.is_empty() {
            row.restarts = row.restarts.saturating_add(1);
            row.acknowledged = 0;
            book.passed.clear();
            book.tale.tell(
                row,
                "The file changed on the server during the transfer: a Windows client begins again at byte 0.".to_owned(),
            );
        }
        row.total = total.or(row.total);
        book.modified = modified.or_else(|| book.modified.take());
        let missing = row.total.is_none_or(|total| row.acknowledged < total);
        let begins = packet == Packet::Get && matches!(status, 200 | 206);
        if begins && (missing || row.state == State::Open) {
            self.move_to(session, State::Uploading);
        }
    }

    /// Takes note where a download was sent: what is asked for there belongs to it.
    pub(super) fn download_redirected(&mut self, session: u32, locus: Locus, ack: &Ack) {
        let Some(location) = ack.location.as_deref() else {
            return;
        };
        let (host, path) = place::split(location);
        if !path.starts_with('/') {
            return;
        }
        let host = match host {
            Some(host) => Some(self.texts.share(&host.to_ascii_lowercase())),
            None => self.book(session).and_then(|book| book.host.clone()),
        };
        let Some(host) = host else {
            return;
        };
        let key = (locus.ip(), host, self.texts.share(path));
        let known = self.index.downloads.get(&key).copied();
        let busy = known.is_some_and(|known| {
            let row = self.session_row(known);
            row.is_some_and(|row| !row.state.is_final())
        });
        if !busy {
            self.index.downloads.insert(key, session);
        }
    }

    /// Counts content bytes of an answer: those that came after `before` others.
    pub(super) fn download_progress(
        &mut self,
        no: u32,
        lies: Lies,
        before: u64,
        len: u64,
        at: Duration,
    ) {
        let Some((row, book)) = self.session(no) else {
            return;
        };
        row.last = row.last.max(at);
        let reply = row.kind != SessionKind::Download;
        let (passed, arrived) = if reply {
            (&book.reply, &mut row.reply_bytes)
        } else {
            (&book.passed, &mut row.acknowledged)
        };
        let mut again = 0;
        if let Lies::At(start) = lies {
            let from = start.saturating_add(before);
            again = passed.overlap(from, from.saturating_add(len));
            *arrived = arrived.saturating_add(len.saturating_sub(again));
        }
        if !reply && lies != Lies::Nowhere {
            row.sent = row.sent.saturating_add(len);
            row.resent = row.resent.saturating_add(again);
        }
    }

    /// Takes note that no more content of an answer comes; `len` bytes did.
    pub(super) fn download_passed(&mut self, no: u32, lies: Lies, len: u64) {
        let Some((row, book)) = self.session(no) else {
            return;
        };
        let reply = row.kind != SessionKind::Download;
        match lies {
            Lies::At(start) if reply => book.reply.insert(start, start.saturating_add(len)),
            Lies::At(start) => book.passed.insert(start, start.saturating_add(len)),
            Lies::Parts | Lies::Nowhere => {}
        }
    }

    /// Takes what an answer in several parts brought, once it is over.
    ///
    /// Where the capture missed bytes between parts, and the peers did not, what was asked for arrived.
    pub(super) fn download_parts(&mut self, no: u32, open: &Open, whole: bool) {
        let Some(parts) = &open.parts else {
            return;
        };
        let Some((row, book)) = self.session(no) else {
            return;
        };
        row.total = row.total.or(parts.total);
        let total = row.total.unwrap_or(u64::MAX);
        let mut arrived = parts.arrived();
        if whole && parts.layout().doubtful {
            let mut known = Runs::default();
            for part in &arrived {
                known.insert(part.0, part.1);
            }
            for &(first, last) in &open.request.wanted {
                let end = last.map_or(total, |last| last.saturating_add(1).min(total));
                if end < u64::MAX {
                    let lost = known.without(first, end).into_iter();
                    arrived.extend(lost.map(|part| (part.start, part.end)));
                }
            }
        }
        let reply = row.kind != SessionKind::Download;
        let (passed, counted) = if reply {
            (&mut book.reply, &mut row.reply_bytes)
        } else {
            (&mut book.passed, &mut row.acknowledged)
        };
        for &(first, end) in &arrived {
            let again = passed.overlap(first, end);
            let fresh = end.saturating_sub(first).saturating_sub(again);
            *counted = counted.saturating_add(fresh);
            if !reply {
                row.resent = row.resent.saturating_add(again);
            }
            passed.insert(first, end);
        }
        if let Some(row) = self.exchange(open.no) {
            row.range = row.range.map(|range| ContentRange {
                total: range.total.or(parts.total),
                ..range
            });
            row.parts = arrived.into();
        }
    }

    /// Carries out what the answer to a HEAD or GET does to its session once it is over.
    pub(super) fn download_answered(
        &mut self,
        session: u32,
        packet: Packet,
        open: &Open,
        ack: &Ack,
        whole: bool,
    ) {
        let (status, len) = (open.status, open.came);
        let parts = self.exchange(open.no).map(|row| row.parts.clone());
        let parts = parts.unwrap_or_default();
        let Some((row, book)) = self.session(session) else {
            return;
        };
        let name = packet.name();
        let error = ack.error.map(|code| WireError {
            code,
            context: ack.context,
        });
        if row.kind != SessionKind::Download {
            if status >= 400 {
                let said = story::answer(packet, status, error);
                book.tale
                    .tell(row, format!("{name} of the reply was answered {said}."));
            } else if packet == Packet::Get && matches!(status, 200 | 206) && whole {
                let bytes = row.reply_bytes;
                book.tale
                    .tell(row, format!("{bytes} bytes of the reply have arrived."));
            }
            return;
        }
        let failed = (400..500).contains(&status) && !matches!(status, 401 | 407 | 412 | 416);
        match status {
            200 | 206 if !whole => {
                book.tale.tell(
                    row,
                    format!("The answer to a GET broke off after {len} bytes."),
                );
            }
            200 | 206 if ack.peerdist => book.tale.tell(
                row,
                format!("The server sent hashes (PeerDist), {len} bytes: the content comes from other machines of the client's site, which no capture of this connection shows."),
            ),
            200 if packet == Packet::Get => {
                row.total = row.total.or(Some(len));
                book.tale
                    .tell(row, format!("The server sent the whole file, {len} bytes."));
            }
            200 => {
                let size = row.total.map_or_else(
                    || "does not tell its size".to_owned(),
                    |total| format!("says it has {total} bytes"),
                );
                book.tale
                    .tell(row, format!("The server has the file and {size}."));
            }
            206 => tell_ranges(row, book, ack, &parts),
            304 | 401 | 407 => {}
            // Where one request is sent elsewhere, all are.
            300..=303 | 305..=308
                if row
                    .story
                    .iter()
                    .any(|told| told.contains("was redirected")) => {}
            300..=303 | 305..=308 => {
                let to = ack.location.as_deref().map_or_else(
                    || " to nowhere".to_owned(),
                    |location| format!(" to {location}"),
                );
                book.tale.tell(
                    row,
                    format!("{name} was redirected{to} ({status}); a Windows client asks there, unless its job forbids it."),
                );
            }
            416 => {
                let size = row.total.map_or_else(String::new, |total| {
                    format!(", the file has {total} bytes")
                });
                book.tale.tell(
                    row,
                    format!("The server has no such range of the file (416){size}."),
                );
            }
            412 => book.tale.tell(
                row,
                "The server answered 412: the file is not the one that the client began with."
                    .to_owned(),
            ),
            _ => {
                let said = story::answer(packet, status, error);
                let next = story::next(status, error);
                book.tale
                    .tell(row, format!("{name} was answered {said}.{next}"));
            }
        }
        let whole_file = row.total == Some(row.acknowledged)
            && packet == Packet::Get
            && matches!(status, 200 | 206)
            && whole;
        if failed {
            self.move_to(session, State::Failed);
        } else if whole_file && row.state != State::Complete {
            let sentence = format!("All bytes of the file have arrived{}.", but(book.unseen));
            book.tale.tell(row, sentence);
            self.move_to(session, State::Complete);
        }
    }

    /// Takes note that a connection which carried the download `session` begins to.
    pub(super) fn download_connected(&mut self, session: u32) {
        if let Some((_, book)) = self.session(session) {
            book.open = book.open.saturating_add(1);
        }
    }

    /// Takes note that a connection of the download `session` is over: a job of ranges may be complete.
    pub(super) fn download_disconnected(&mut self, session: u32) {
        let Some((row, book)) = self.session(session) else {
            return;
        };
        book.open = book.open.saturating_sub(1);
        if let Some(total) = row.total {
            // A server cuts ranges to the file's end. RFC 9110 §14.1.2
            book.wanted.remove(total, u64::MAX);
        }
        let ranges = book.several || !book.passed.is_prefix();
        if book.open == 0
            && row.state == State::Uploading
            && ranges
            && !book.wanted.is_empty()
            && book.passed.contains(&book.wanted)
        {
            let sentence = format!(
                "All ranges that were asked for have arrived{}.",
                but(book.unseen)
            );
            book.tale.tell(row, sentence);
            self.move_to(session, State::Complete);
        }
    }
}
