//! The rows that a timeline is made of: one per connection, exchange, session, remark.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::bits::{Auth, ContentRange, Packet};
use crate::event::{Close, ConnId, Direction, Leg};

use super::read_back::Span;
pub use super::text::Text;

pub use crate::bits::session::State as SessionState;

/// How an exchange came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not over yet.
    InFlight,
    Complete,
    /// The connection ended before a byte of the final response.
    NoResponse,
    /// The request ended before its framing said so.
    CutRequest,
    /// The response ended before its framing said so.
    CutResponse,
    /// The proxy answered itself.
    Injected,
    /// Request or response could not be read as HTTP.
    Malformed,
}

impl Outcome {
    /// Returns the name used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InFlight => "in-flight",
            Self::Complete => "complete",
            Self::NoResponse => "no-response",
            Self::CutRequest => "cut-request",
            Self::CutResponse => "cut-response",
            Self::Injected => "injected",
            Self::Malformed => "malformed",
        }
    }
}

/// The error that an Ack carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// BITS-Error or BITS-Error-Code.
    pub code: u32,
    /// BITS-Error-Context.
    pub context: Option<u32>,
}

/// Moments of an exchange, as time since the capture's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// First byte of the request.
    pub begun: Duration,
    /// Last byte of the request.
    pub request_end: Option<Duration>,
    /// First byte of the final response.
    pub response_begun: Option<Duration>,
    /// Last byte of the final response, or the end of the connection.
    pub ended: Option<Duration>,
}

/// The same in half the room: a million rows have one. A time is a number of nanoseconds; what is later than 584
/// years counts as that.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Moments {
    begun: u64,
    /// One more than the time; 0 where there is none.
    request_end: u64,
    response_begun: u64,
    ended: u64,
}

impl Moments {
    /// Returns the times.
    pub fn get(self) -> Times {
        let maybe = |packed: u64| packed.checked_sub(1).map(Duration::from_nanos);
        Times {
            begun: Duration::from_nanos(self.begun),
            request_end: maybe(self.request_end),
            response_begun: maybe(self.response_begun),
            ended: maybe(self.ended),
        }
    }

    /// Changes some of them.
    pub fn change(&mut self, change: impl FnOnce(&mut Times)) {
        let mut times = self.get();
        change(&mut times);
        *self = times.into();
    }
}

impl From<Times> for Moments {
    fn from(times: Times) -> Self {
        let nanos = |time: Duration| {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            nanos.min(u64::MAX - 1)
        };
        let maybe = |time: Option<Duration>| time.map_or(0, |time| nanos(time).saturating_add(1));
        Self {
            begun: nanos(times.begun),
            request_end: maybe(times.request_end),
            response_begun: maybe(times.response_begun),
            ended: maybe(times.ended),
        }
    }
}

impl std::fmt::Debug for Moments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

/// Where one message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The head; while it is incomplete, what there is of it.
    pub head: Span,
    /// Bytes on the wire after the head, chunk framing included, so far.
    pub body_wire: u64,
    /// Content bytes so far.
    pub body: u64,
    /// Content-Length plus one; 0 where the head has none. With `HASHES` where the content is hashes: a
    /// field of its own would make a million rows larger.
    length: u64,
}

impl Message {
    /// Makes a message that begins with `head`.
    pub fn new(head: Span) -> Self {
        Self {
            head,
            body_wire: 0,
            body: 0,
            length: 0,
        }
    }

    /// Returns the offset in the stream of the first byte after the head.
    pub fn body_offset(&self) -> u64 {
        self.head.offset.saturating_add(self.head.len)
    }

    /// Returns the Content-Length, where the head has one.
    pub fn length(&self) -> Option<u64> {
        (self.length & !HASHES).checked_sub(1)
    }

    /// Tells whether the content is hashes of the file (PeerDist) and none of its bytes.
    pub fn is_hashes(&self) -> bool {
        self.length & HASHES != 0
    }

    /// Takes note that the content is hashes.
    pub(super) fn set_hashes(&mut self) {
        self.length |= HASHES;
    }

    /// Sets the Content-Length; one that no content can have is none.
    pub fn set_length(&mut self, length: Option<u64>) {
        let length = length.filter(|length| *length < HASHES.saturating_sub(1));
        self.length = length.and_then(|length| length.checked_add(1)).unwrap_or(0);
    }
}

/// No content is so long.
const HASHES: u64 = 1 << 63;

/// One request with its response.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// From 1, in order of the requests' first bytes.
    pub no: u32,
    pub conn: ConnId,
    pub session: Option<u32>,
    /// Empty until the head is complete.
    pub method: Text,
    /// The target as sent (lossy where it is not UTF-8); empty until the head is complete.
    pub url: Text,
    pub packet: Option<Packet>,
    /// Of the final response.
    pub status: Option<u16>,
    /// Fragment: its Content-Range; GET: the 206's, or the first range asked for.
    pub range: Option<ContentRange>,
    /// BITS-Received-Content-Range of the Ack.
    pub received: MaybeOffset,
    /// As in the request, else as in the response.
    pub session_id: Option<Text>,
    pub error: Option<WireError>,
    /// What its heads show of a login.
    pub auth: Option<Auth>,
    pub times: Moments,
    pub outcome: Outcome,
    /// GET: what an answer of several ranges brought, once it is over.
    pub parts: Pieces,
    /// `None` where only the response was captured.
    pub request: Option<Message>,
    pub response: Option<Message>,
    /// Names of the rules that fired on it.
    pub faults: Faults,
    /// Names of the fields that the proxy rewrote.
    pub rewrites: Faults,
}

/// Screens hold a million of them; a field more must find room in the padding, or be worth this change.
const _: () = assert!(size_of::<Exchange>() <= 288);

/// An offset in a file, or none, in one word: no file is as long as the largest number, which counts as none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MaybeOffset(u64);

impl MaybeOffset {
    /// Returns the offset, if there is one.
    pub fn get(self) -> Option<u64> {
        self.0.checked_sub(1)
    }
}

impl From<Option<u64>> for MaybeOffset {
    fn from(offset: Option<u64>) -> Self {
        Self(offset.and_then(|at| at.checked_add(1)).unwrap_or(0))
    }
}

impl std::fmt::Debug for MaybeOffset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

/// A list that nearly no row has: one word in a row, and rows with the same one can share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Few<T>(Option<Arc<Box<[T]>>>);

/// Names of rules, or of fields, each once, in the order in which they fired or were changed.
pub type Faults = Few<Text>;

/// Bytes of a file, first and end (exclusive), in the order in which they came.
pub type Pieces = Few<(u64, u64)>;

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(list: Vec<T>) -> Self {
        Self((!list.is_empty()).then(|| Arc::new(list.into())))
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], |list| list)
    }
}

impl Faults {
    /// Returns these names and `name`.
    #[must_use]
    pub fn with(&self, name: Text) -> Self {
        if self.contains(&name) {
            return self.clone();
        }
        let names: Vec<Text> = self.iter().cloned().chain([name]).collect();
        names.into()
    }
}

impl Exchange {
    /// Tells whether the user should look at it: a failure, an error code, or a broken outcome. A leg of a
    /// login that goes on is none.
    pub fn is_problem(&self) -> bool {
        let failure = |status: u16| match status {
            416 => false,
            401 | 407 => !self.auth.is_some_and(Auth::goes_on),
            status => status >= 400,
        };
        self.error.is_some_and(|error| error.code != 0)
            || self.status.is_some_and(failure)
            || !matches!(self.outcome, Outcome::InFlight | Outcome::Complete)
    }
}

/// What a session transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionKind {
    Upload,
    UploadReply,
    Download,
    Unknown,
}

impl SessionKind {
    /// Returns the name used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::UploadReply => "upload-reply",
            Self::Download => "download",
            Self::Unknown => "unknown",
        }
    }
}

/// One file's way, over all its connections and restarts.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// From 1, in order of appearance.
    pub no: u32,
    pub kind: SessionKind,
    pub state: SessionState,
    /// The latest id, as the server spelled it.
    pub session_id: Option<Text>,
    pub url: Text,
    /// Content-Name, else the last segment of the URL's path.
    pub name: Text,
    pub client: Option<SocketAddr>,
    pub user_agent: Option<Text>,
    pub total: Option<u64>,
    /// Upload: highest offset acknowledged since the last restart. Download: bytes that arrived, each
    /// counted once.
    pub acknowledged: u64,
    /// Content bytes that passed, repeats included.
    pub sent: u64,
    /// How many of `sent` were passed before.
    pub resent: u64,
    /// Numbers of its exchanges are found through [`super::Timeline::exchanges_of`].
    pub exchanges: u32,
    pub connections: u32,
    pub restarts: u32,
    /// How often the server sent the client back: told an offset below the one it told before, below the
    /// fragment's first byte, or with 200 below its end.
    pub rewinds: u32,
    pub reply_url: Option<Text>,
    /// Upload-reply: bytes of the reply that arrived.
    pub reply_bytes: u64,
    pub first: Duration,
    pub last: Duration,
    /// Exchanges that are problems.
    pub problems: u32,
    /// What happened, in sentences.
    pub story: Vec<String>,
}

/// One client connection with its upstream twin.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    pub id: ConnId,
    pub client: Option<SocketAddr>,
    /// Client leg: the address that the client dialled.
    pub server: Option<SocketAddr>,
    /// Upstream leg: the address that we dialled.
    pub upstream: Option<SocketAddr>,
    pub opened: Duration,
    /// Time from dialling the upstream until it accepted; live, name lookup and TLS included.
    pub connect: Option<Duration>,
    /// What ended first, on the client leg: who and how.
    pub first_close: Option<(Direction, Close)>,
    /// What ended first, on the upstream leg: who and how.
    pub upstream_close: Option<(Direction, Close)>,
    pub closed: Option<Duration>,
    pub exchanges: u32,
    /// Bytes on the client leg.
    pub to_server: u64,
    pub to_client: u64,
    /// The capture starts in the middle of it.
    pub joined: bool,
    /// The client speaks TLS on it.
    pub tls: bool,
}

impl Connection {
    /// Returns the scheme of URLs that are asked for on it.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

/// A note, or an oddity of the traffic, with its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remark {
    pub at: Duration,
    pub conn: Option<ConnId>,
    pub leg: Option<Leg>,
    pub exchange: Option<u32>,
    /// A whole sentence.
    pub text: String,
    /// The same as data, where it is about a rule that matched.
    pub ruling: Option<Box<Ruling>>,
}

/// What a rule decided about one match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub rule: Text,
    pub stage: Text,
    /// What the rule counts its matches by, and which one this was, from 1.
    pub key: Text,
    pub ordinal: u64,
    /// Names of what was done, with `, ` between them; empty: nothing.
    pub actions: Text,
    /// Why it did not fire; empty: it did.
    pub reason: Text,
}

/// One time that a rule fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    pub at: Duration,
    pub conn: ConnId,
    /// `None`: at connect, or it belongs to no exchange that is known.
    pub exchange: Option<u32>,
    pub rule: Text,
    /// What the rule counts its matches by.
    pub key: Text,
}

/// Something that reached an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Exchange number `.0`.
    Exchange(u32),
    /// Session number `.0`.
    Session(u32),
    /// Index into the remarks.
    Remark(usize),
}

/// Totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub exchanges: u64,
    pub sessions: u64,
    pub connections: u64,
    /// Bytes on the client legs.
    pub to_server: u64,
    pub to_client: u64,
    /// Findings by level.
    pub errors: u64,
    pub warnings: u64,
    pub notes: u64,
}

impl Summary {
    /// Adds the totals of another timeline.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.exchanges, other.exchanges),
            (&mut self.sessions, other.sessions),
            (&mut self.connections, other.connections),
            (&mut self.to_server, other.to_server),
            (&mut self.to_client, other.to_client),
            (&mut self.errors, other.errors),
            (&mut self.warnings, other.warnings),
            (&mut self.notes, other.notes),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}
