//! What each packet does to an upload session: one table of transitions.
//!
//! Pure, and ignorant of live and replayed, of connections and of bytes. It follows the server's
//! words, so it holds for any client. `->` is the step, blank means "stays":
//!
//! ```text
//!             Create    Fragment  Fragment  any       any but   Cancel   Close     Cancel
//!             done      passes,   last      fatal     Cancel    lost     done      done
//!                       done,416  done      answer    lost
//! Open                  Uploading Uploaded  Failed    Lost      Cancelled Closed   Cancelled
//! Uploading   Open      Uploading Uploaded  Failed    Lost      Cancelled Closed   Cancelled
//! Uploaded    Open                Uploaded  Failed    Lost      Cancelled Closed   Cancelled
//! Lost        Open      Uploading*Uploaded  Failed    Lost      Cancelled Closed   Cancelled
//! Failed      Open      Uploading*Uploaded                                Closed   Cancelled
//! Closed, Cancelled, Complete: nothing moves them
//! ```
//!
//! `*` only by an answer: bytes that pass do not revive a session. Answers that leave the state alone:
//! transient ones, 401 and 407, 413, and no answer at all. A repeated Close or Cancel that is refused
//! therefore cannot spoil a session that is over.
//!
//! MC-BUP §3.1.5, §3.2.5

use super::hresult;
use super::packet::Packet;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Created, nothing sent.
    Open,
    /// In transfer; a download too.
    Uploading,
    /// The last fragment was acknowledged.
    Uploaded,
    /// Close-Session was acknowledged.
    Closed,
    Cancelled,
    /// The server no longer knows it.
    Lost,
    /// A fatal answer.
    Failed,
    /// Download: all bytes arrived.
    Complete,
}

impl State {
    /// Returns the name used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Uploading => "uploading",
            Self::Uploaded => "uploaded",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Complete => "complete",
        }
    }

    /// Tells whether nothing more is expected.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Closed | Self::Cancelled | Self::Failed | Self::Complete
        )
    }
}

/// What an answer means to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// 2xx.
    Done,
    /// 416: the client takes the offset that the answer tells. Not an error.
    OutOfStep,
    /// The server does not know the session (0x8020001F).
    SessionNotFound,
    /// The job goes to ERROR.
    Fatal,
    /// The job waits and tries again.
    Transient,
    /// 401 or 407: the packet comes again with credentials.
    Authenticate,
    /// 413: the bytes come again in smaller pieces.
    TooLarge,
}

/// What moves a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Content of the packet passes; no answer yet.
    Passing,
    /// The packet was answered.
    Answered {
        answer: Answer,
        /// The server now has all bytes of the file.
        last: bool,
    },
}

/// Returns what an answer with `status` and `error` means to the Windows client.
///
/// MC-BUP §2.2.1.2, §3.1.5.2.1; Win32 "Handling Server Application Errors"
pub const fn classify(status: u16, error: Option<u32>) -> Answer {
    match (status, error) {
        (200..=299, _) => Answer::Done,
        (_, Some(hresult::BG_E_SESSION_NOT_FOUND)) => Answer::SessionNotFound,
        (_, Some(hresult::BG_E_TOO_LARGE)) => Answer::Fatal,
        (416, _) => Answer::OutOfStep,
        (401 | 407, _) => Answer::Authenticate,
        (413, _) => Answer::TooLarge,
        (408 | 409, _) => Answer::Transient,
        (300..=305 | 307 | 400..=499 | 501 | 505, _) => Answer::Fatal,
        _ => Answer::Transient,
    }
}

/// Returns the state after `packet` came out as `outcome`.
pub const fn step(state: State, packet: Packet, outcome: Outcome) -> State {
    use Answer::{Done, Fatal, OutOfStep, SessionNotFound};
    use Packet::{CancelSession, CloseSession, CreateSession, Fragment};
    use State::{Cancelled, Closed, Complete, Failed, Lost, Open, Uploaded, Uploading};

    match (state, packet, outcome) {
        (Open, Fragment, Outcome::Passing) => Uploading,
        (Closed | Cancelled | Complete, _, _) | (_, _, Outcome::Passing) => state,
        (_, _, Outcome::Answered { answer, last }) => match (packet, answer) {
            (CreateSession, Done) => Open,
            (Fragment, Done | OutOfStep) if last => Uploaded,
            (Fragment, Done | OutOfStep) => match state {
                // Bytes of a repeated fragment do not undo a finished upload; a rewind does.
                Uploaded if matches!(answer, Done) => Uploaded,
                _ => Uploading,
            },
            (CloseSession, Done) => Closed,
            (CancelSession, Done | SessionNotFound) => match (state, answer) {
                (Failed, SessionNotFound) => Failed,
                _ => Cancelled,
            },
            (_, SessionNotFound) => match state {
                Failed => Failed,
                _ => Lost,
            },
            (_, Fatal) => Failed,
            _ => state,
        },
    }
}

/// The offset that a server told last.
///
/// The header is to name the next byte (MC-BUP §2.2.7.2). Some servers name the last byte of the fragment in its
/// place; an offset that can be read in both ways is doubtful until the client goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    offset: u64,
    doubtful: bool,
}

impl Told {
    /// Takes an offset at its word.
    pub const fn at(offset: u64) -> Self {
        Self {
            offset,
            doubtful: false,
        }
    }

    /// Takes the offset in the 200 to a fragment of `first` to `last`.
    pub const fn after(first: u64, last: u64, offset: u64) -> Self {
        Self {
            offset,
            doubtful: offset == last && first < last,
        }
    }

    /// Returns the offset as told.
    pub const fn offset(self) -> u64 {
        self.offset
    }

    pub const fn is_doubtful(self) -> bool {
        self.doubtful
    }

    /// Takes note that the client goes on at `first`, or closes a file of that size: returns what was
    /// meant, no longer doubtful.
    #[must_use]
    pub const fn settled(self, first: u64) -> Self {
        let next = self.offset.saturating_add(1);
        Self::at(if self.doubtful && first == next {
            next
        } else {
            self.offset
        })
    }
}
