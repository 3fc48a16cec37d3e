//! What our server does in an experiment: deeds at certain packets, and manners in every answer. Data only.

use crate::bits::{ContentRange, Packet};

/// What the server does with one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// What the protocol says.
    Usual,
    /// The same, but the connection ends where the Ack should be.
    Lose,
    /// Keeps so many bytes of the Fragment and ends the connection there.
    Cut { keep: u64 },
    /// Answers so, with nothing done.
    Refuse(Refusal),
    /// Drops the session first, so that the packet meets an unknown one.
    Forget,
    /// Takes the Fragment, then answers with this status and wants `next`; what it holds beyond is lost.
    Claim { status: u16, next: u64 },
    /// Reads the Fragment slowly, then does what the protocol says.
    Slow,
}

/// A status with or without an error of BITS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: Option<u32>,
    /// BITS-Error-Context
    pub(super) context: u32,
}

impl Deed {
    /// Refuses without a word of BITS.
    pub(super) const fn bare(status: u16) -> Self {
        Self::Refuse(Refusal {
            status,
            code: None,
            context: 0,
        })
    }

    /// Refuses with an error of the server.
    pub(super) const fn error(status: u16, code: u32) -> Self {
        Self::Refuse(Refusal {
            status,
            code: Some(code),
            context: 0x5,
        })
    }
}

/// A packet at the moment when its head was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    pub(super) packet: Packet,
    pub(super) range: Option<ContentRange>,
    /// The offset that the session wants; 0 without a session.
    pub(super) received: u64,
    /// Deeds other than the usual so far.
    pub(super) tricks: u32,
    /// Length of the first Fragment of the experiment, this one included.
    pub(super) piece: u64,
}

impl Scene {
    /// Returns first, end (exclusive) and total of a Fragment.
    pub(super) fn span(&self) -> Option<(u64, u64, u64)> {
        let range = self.range.filter(|_| self.packet == Packet::Fragment)?;
        Some((range.first, range.last.checked_add(1)?, range.total?))
    }

    /// Tells whether this is a Fragment behind which another one follows.
    pub(super) fn is_middle(&self) -> bool {
        self.span().is_some_and(|(_, end, total)| end < total)
    }

    /// Tells whether this is the last Fragment.
    pub(super) fn is_last(&self) -> bool {
        self.span().is_some_and(|(_, end, total)| end == total)
    }

    /// Tells whether this is a Fragment of a session that already holds something.
    pub(super) fn is_later(&self) -> bool {
        self.packet == Packet::Fragment && self.received > 0
    }

    pub(super) fn is(&self, packet: Packet) -> bool {
        self.packet == packet
    }
}

/// How all answers of an experiment are written.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a manner of its own, and a row names the one that it has"
)]
pub(super) struct Manners {
    /// Name of the field that tells the next offset.
    pub(super) received: &'static str,
    /// Name of the field that tells an error.
    pub(super) error: &'static str,
    /// What the Acks say for a session id.
    pub(super) echo: Echo,
    /// Session ids are decimal numbers, not GUIDs.
    pub(super) decimal: bool,
    /// Names of fields are in lower case.
    pub(super) lower: bool,
    /// The connection ends after each answer.
    pub(super) close: bool,
    /// A Ping is answered without any field of BITS.
    pub(super) bare_ping: bool,
    /// Status of a Create-Session that is taken.
    pub(super) created: u16,
    /// Create-Session names a host to go on with.
    pub(super) host_id: bool,
}

/// What the Acks after Create-Session say for a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echo {
    Same,
    None,
    Other,
}

impl Manners {
    /// Writes as the documents have it.
    pub(super) const USUAL: Self = Self {
        received: "BITS-Received-Content-Range",
        error: "BITS-Error-Code",
        echo: Echo::Same,
        decimal: false,
        lower: false,
        close: false,
        bare_ping: false,
        created: 200,
        host_id: false,
    };
}
