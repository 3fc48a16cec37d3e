//! What is remembered of an exchange until it is over.

use crate::bits::multipart::Parts;
use crate::bits::{Ack, Request};
use crate::wire::Stream;

use super::digest::Digest;
use super::downloads::Lies;
use super::findings::Heads;
use super::ledger::Ledger;

/// How far one message of an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Waiting,
    Done,
    Cut,
    /// It never came.
    Absent,
    /// It cannot be read.
    Broken,
}

/// An exchange that is not over.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a separate fact about the messages"
)]
pub(super) struct Open {
    /// The conversation's number of the exchange; `None` for a response without its request.
    pub(super) wire: Option<u64>,
    pub(super) no: u32,
    pub(super) request: Box<Request>,
    pub(super) ack: Option<Box<Ack>>,
    pub(super) status: u16,
    /// The session, if the packet has one.
    pub(super) session: Option<u32>,
    pub(super) requested: Half,
    pub(super) answered: Half,
    /// The request's head is complete.
    pub(super) headed: bool,
    /// The response in progress is not the final one (1xx).
    pub(super) interim: bool,
    pub(super) injected: bool,
    /// A field line that cannot be read was remarked on.
    pub(super) field_told: bool,
    /// Content bytes of the request, of the response.
    pub(super) sent: u64,
    pub(super) came: u64,
    pub(super) lies: Lies,
    /// Of a fragment's content.
    pub(super) digest: Digest,
    /// The parts of an answer of several ranges.
    pub(super) parts: Option<Box<Parts>>,
    pub(super) heads: Heads,
}

impl Open {
    /// Takes note that the head of a message, unless it is complete, ends at `offset` of its stream.
    pub(super) fn cut_head(&self, stream: Stream, offset: u64, ledger: &mut Ledger) {
        let Some(row) = ledger.exchange(self.no) else {
            return;
        };
        let message = match stream {
            Stream::Requests => row.request.as_mut().filter(|_| !self.headed),
            Stream::Responses => row.response.as_mut().filter(|_| row.status.is_none()),
        };
        if let Some(message) = message {
            message.head.len = offset.saturating_sub(message.head.offset);
        }
    }
}
