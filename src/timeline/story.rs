//! A session in sentences that an administrator of Windows understands.
//!
//! The last sentence about fragments is kept up to date while they pass; what is notable ends it and
//! gets a sentence of its own. Bounded: a long story is cut with a sentence that says so.

use std::fmt::Write as _;

use crate::bits::{Packet, hresult};

use super::row::{Session, WireError};

/// Longest story, in sentences.
const LIMIT: usize = 48;

/// What the sentence about fragments, still growing, says so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tale {
    /// The story's last sentence is the growing one.
    growing: bool,
    fragments: u64,
    first: u64,
    last: u64,
}

impl Tale {
    /// Tells of something notable.
    pub(super) fn tell(&mut self, session: &mut Session, sentence: String) {
        self.growing = false;
        self.fragments = 0;
        match session.story.len() {
            len if len < LIMIT => session.story.push(sentence),
            LIMIT => session
                .story
                .push("More happened than a story can hold; the packets tell it all.".to_owned()),
            _ => {}
        }
    }

    /// Tells of a fragment that was acknowledged; `last` is inclusive.
    pub(super) fn fragment(&mut self, session: &mut Session, first: u64, last: u64) {
        self.grow(
            session,
            first,
            last,
            "fragment",
            "the server acknowledged all of it",
        );
    }

    /// Tells of a range that was downloaded; `last` is inclusive.
    pub(super) fn block(&mut self, session: &mut Session, first: u64, last: u64) {
        self.grow(session, first, last, "range", "all of it arrived");
    }

    fn grow(&mut self, session: &mut Session, first: u64, last: u64, noun: &str, end: &str) {
        if session.story.len() > LIMIT {
            return;
        }
        if !self.growing {
            self.tell(session, String::new());
            self.growing = true;
            self.first = first;
            self.last = last;
        }
        self.fragments = self.fragments.saturating_add(1);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        let total = session.total;
        let Some(sentence) = session.story.last_mut() else {
            return;
        };
        sentence.clear();
        let plural = if self.fragments == 1 { "" } else { "s" };
        let _ = write!(
            sentence,
            "{} {noun}{plural} brought bytes {} to {}",
            self.fragments, self.first, self.last
        );
        if let Some(total) = total {
            let _ = write!(sentence, " of {total}");
        }
        let _ = write!(sentence, "; {end}.");
    }
}

/// Returns what an answer to `packet` says, for the middle of a sentence: `500 BG_E_SESSION_NOT_FOUND
/// (server does not know the session)`, `503 (the server is overloaded)`.
pub(super) fn answer(packet: Packet, status: u16, error: Option<WireError>) -> String {
    let mut text = status.to_string();
    let Some(error) = error.filter(|error| error.code != 0) else {
        if let Some(known) = hresult::lookup(0x8019_0000 | u32::from(status)) {
            // What comes behind a semicolon is about uploads.
            let download = matches!(packet, Packet::Head | Packet::Get);
            let short = known.meaning.split(';').next().filter(|_| download);
            let _ = write!(text, " ({})", short.unwrap_or(known.meaning));
        }
        return text;
    };
    let _ = write!(text, " {}", hresult::name(error.code));
    if let Some(known) = hresult::lookup(error.code) {
        let _ = write!(text, " ({})", known.meaning);
    }
    if let Some(place) = error.context.and_then(hresult::context_meaning) {
        let _ = write!(text, " from {place}");
    }
    text
}

/// Returns what is said of a notification: the server's application at `place` was told of the upload.
pub(super) fn notified(place: &str, carries: bool, status: Option<u16>) -> String {
    let how = if carries { ", with the file" } else { "" };
    let came = status.map_or_else(
        || "that got no answer".to_owned(),
        |status| {
            let said = answer(Packet::Notification, status, None);
            let said = if status < 300 {
                status.to_string()
            } else {
                said
            };
            format!("it answered {said}")
        },
    );
    format!("The server told its application at {place} of the upload{how}; {came}.")
}

/// Returns what the Windows client does next as a sentence with a leading blank, where a source says.
pub(super) fn next(status: u16, error: Option<WireError>) -> String {
    let said = error
        .filter(|error| error.code != 0)
        .and_then(|error| hresult::lookup(error.code))
        .filter(|known| !known.next.is_empty());
    let known = said.or_else(|| hresult::lookup(0x8019_0000 | u32::from(status)));
    match known {
        Some(known) if !known.next.is_empty() => format!(" A Windows client {}.", known.next),
        _ => String::new(),
    }
}
