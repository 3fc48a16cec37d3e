//! What is to happen to one message, as data that the relay carries out.
//!
//! Everything is resolved: chance is drawn, relative values are absolute, heads and answers are bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::receipt::Receipt;
use super::rule::{Ends, TlsFault, Way};

/// What was decided about one moment. An empty one changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// In the order in which they are to be done: by place, then by rule, then by action. At most one step
    /// is final, and it is the last of its place or the last of all; an ending (reset, close, hang) may
    /// follow a drop of the response.
    pub steps: Vec<Step>,
    /// For the capture: every rule whose condition held, fired or not.
    pub receipts: Vec<Receipt>,
}

impl Verdict {
    /// Tells whether nothing is to be done.
    pub fn is_pass(&self) -> bool {
        self.steps.is_empty()
    }
}

/// One thing to do at one place of the message.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The name of the rule.
    pub rule: Arc<str>,
    pub place: Place,
    pub deed: Deed,
}

/// A place in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before the first byte of the head is forwarded.
    Head,
    /// Before this byte of the content is forwarded, from 0, framing not counted. A message that ends
    /// earlier never gets there.
    Body(u64),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Waits before anything more of this message is forwarded; other connections and the other direction
    /// go on.
    Delay(Duration),
    /// Takes the bytes of this exchange in `way` out of the bucket `bucket`, which fills with `rate` bytes a
    /// second and is shared by all who name it.
    Limit {
        bucket: Arc<str>,
        rate: u64,
        way: Way,
    },
    /// Lets `bytes` bytes of this exchange pass in `way` each `every`.
    Dribble {
        bytes: u64,
        every: Duration,
        way: Way,
    },
    /// Forwards these bytes instead of the head; at most one in a verdict.
    Replace(Bytes),
    /// XORs the content from the place on with these bytes.
    Flip(Vec<u8>),
    /// Forwards nothing of the content from the place on.
    Truncate,
    /// Writes a sentence into the capture.
    Note(String),

    /// Writes this answer to the client. The rest of the request is read, recorded and not forwarded; so is
    /// the server's answer, if one has begun. The connections stay open.
    Respond(Bytes),
    Reset(Ends),
    Close(Ends),
    /// Nothing of this exchange moves any more for this time; `None`: until a peer gives up.
    Hang(Option<Duration>),
    /// Forwards the request as it is; reads and records the whole answer and forwards nothing of it.
    DropResponse,
    /// Sends the whole message so many times more. Additional answers are read and recorded.
    Duplicate(u32),
    /// Waits for the operator at most so long.
    Hold(Option<Duration>),
    Refuse(Duration),
    Tls(TlsFault),
}

/// Who a connection is with, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: SocketAddr,
    /// Whether the listener speaks TLS with it.
    pub tls: bool,
}
