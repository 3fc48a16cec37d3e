//! One file on its way: from its beginning until it arrived, was given up or began anew.
//!
//! Knows where bytes lie and which are missing; the files themselves are the folder's.

use crate::bits::Ack;
use crate::event::Missing;
use crate::timeline::{Session, SessionState};

use super::extent::Extents;
use super::folder::{FileId, Folder};
use super::held::{Held, Word};
use super::{Content, Error, name};

/// What a run carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Upload,
    /// The reply of an upload-reply.
    Reply,
    Download,
}

impl Kind {
    /// Returns the name used in the manifest.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Reply => "upload-reply",
            Self::Download => "download",
        }
    }

    /// Returns what is put behind the session's name, one for each file.
    pub(super) const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Upload => &["", ".acknowledged"],
            Self::Reply => &[".reply"],
            Self::Download => &[""],
        }
    }
}

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) session: u32,
    pub(super) kind: Kind,
    /// From 1 within its session and kind.
    pub(super) number: u32,
    /// One for each of [`Kind::endings`]; empty until the first byte.
    pub(super) files: Vec<FileId>,
    /// Bytes that passed: the latest copy of each.
    pub(super) passed: Extents,
    /// Bytes that passed and were left out by whoever recorded.
    pub(super) left_out: Extents,
    pub(super) held: Held,
    pub(super) total: Option<u64>,
    /// Something lies too far behind the beginning for a file.
    pub(super) too_far: bool,
    /// Content bytes that say not where they belong.
    pub(super) homeless: u64,
    modified: Option<String>,
    etag: Option<String>,
}

impl Run {
    pub(super) fn new(session: u32, kind: Kind, number: u32) -> Self {
        Self {
            session,
            kind,
            number,
            files: Vec::new(),
            passed: Extents::default(),
            left_out: Extents::default(),
            held: Held::default(),
            total: None,
            too_far: false,
            homeless: 0,
            modified: None,
            etag: None,
        }
    }

    /// Tells whether an answer speaks of another version of the file than the one whose bytes are here.
    pub(super) fn is_other(&self, total: Option<u64>, ack: &Ack) -> bool {
        let changed = |old: &Option<String>, new: &Option<String>| {
            old.is_some() && new.is_some() && old != new
        };
        let size = total.is_some() && self.total.is_some() && total != self.total;
        !self.passed.is_empty()
            && (size
                || changed(&self.modified, &ack.last_modified)
                || changed(&self.etag, &ack.etag))
    }

    /// Takes what an answer says of the file.
    pub(super) fn learn(&mut self, total: Option<u64>, ack: &Ack) {
        self.total = total.or(self.total);
        if ack.last_modified.is_some() {
            self.modified.clone_from(&ack.last_modified);
        }
        if ack.etag.is_some() {
            self.etag.clone_from(&ack.etag);
        }
    }

    /// Places content at offset `at`.
    pub(super) fn place(
        &mut self,
        folder: &mut Folder,
        session: &Session,
        exchange: u32,
        at: u64,
        content: Content<'_>,
    ) -> Result<(), Error> {
        let bytes = match content {
            Content::Bytes(bytes) => bytes,
            Content::Gone(why, len) => {
                let end = at.saturating_add(len);
                if why == Missing::NotKept {
                    self.left_out.insert(at, end);
                }
                if self.kind == Kind::Upload {
                    self.held.pass_unseen(exchange, at, end);
                }
                return Ok(());
            }
        };
        let end = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.make(folder, session)?;
        if let Some(&file) = self.files.first() {
            if !folder.write(file, at, bytes)? {
                self.too_far = true;
                return Ok(());
            }
            self.passed.insert(at, end);
        }
        if let Some(&file) = self.files.get(1)
            && let Some((start, _)) = self.held.pass(exchange, at, end)
        {
            let skip = usize::try_from(start.saturating_sub(at)).unwrap_or(usize::MAX);
            folder.write(file, start, bytes.get(skip..).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Takes the answer to a fragment.
    pub(super) fn answered(&mut self, exchange: u32, word: Word) {
        self.held.answered(exchange, word);
    }

    fn make(&mut self, folder: &mut Folder, session: &Session) -> Result<(), Error> {
        if self.files.is_empty() {
            let name = name::safe(&session.name);
            self.files = folder.make(&name, self.kind.endings())?;
        }
        Ok(())
    }

    /// Takes note that nothing follows: the files get their length, and what is stale is blanked.
    pub(super) fn finish(&mut self, folder: &mut Folder, session: &Session) -> Result<(), Error> {
        self.make(folder, session)?;
        let of_session = session
            .total
            .filter(|_| self.number == 1 && self.kind != Kind::Reply);
        self.total = self.total.or(of_session);
        if let Some(&sent) = self.files.first() {
            folder.cut(sent, self.passed.end())?;
        }
        if let Some(&held) = self.files.get(1) {
            let closed = session.state == SessionState::Closed;
            for (start, end) in self.held.settle(self.total, closed) {
                folder.blank(held, start, end)?;
            }
            folder.cut(held, self.held.bytes.end())?;
        }
        Ok(())
    }
}
