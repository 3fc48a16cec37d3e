//! What happened on a connection: the one vocabulary that every room shares.
//!
//! The relay makes events from live sockets, the capture reader makes them from a file, and whoever
//! receives them (capture writer, timeline) cannot tell which. An event knows nothing of HTTP or BITS.
//! Lowest floor, together with `wire`: imports nothing of ours.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Numbers a client connection from 1 in order of appearance; both of its legs share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u32);

/// Tells which of a connection's two TCP streams is meant.
///
/// A foreign capture has one stream per connection: that one is [`Leg::Client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// Between the client and us.
    Client,
    /// Between us and the server.
    Upstream,
}

/// Tells which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    /// Returns the other direction.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// Tells how the sender of a direction ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Close {
    /// End of stream; the other direction may go on.
    Fin,
    /// RST; both directions are over.
    Reset,
}

/// Tells why bytes that passed are not in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// They were seen and left out on purpose (snap length, the upstream leg's bodies).
    NotKept,
    /// The capture never had them (segments lost by whoever recorded).
    NotSeen,
}

/// One thing that happened at one moment on one leg of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Time since the start of the capture.
    pub at: Duration,
    pub conn: ConnId,
    pub leg: Leg,
    pub what: What,
}

/// What an [`Event`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A connection was begun (SYN): `client` dials `server`. On the client leg `server` is our own
    /// address, on the upstream leg `client` is.
    Opening {
        client: SocketAddr,
        server: SocketAddr,
    },
    /// It was accepted (SYN-ACK); on the client leg that is at once.
    Opened,
    /// The capture starts in the middle of this connection; who is the client may be a guess.
    Joined {
        client: SocketAddr,
        server: SocketAddr,
    },
    /// Bytes passed. Never empty. How a stream is cut into `Data` events carries no meaning.
    Data { direction: Direction, bytes: Bytes },
    /// `len` bytes passed at this place of the stream that nobody can show.
    Missing {
        direction: Direction,
        len: u64,
        why: Missing,
    },
    /// The sender in `direction` ended it. On [`Close::Reset`] it was the sender in `direction` that reset.
    Closed { direction: Direction, how: Close },
    /// Something that TCP has no field for.
    Note(Note),
}

/// One readable sentence and the same as data; kept in a capture as two packet comments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A whole sentence for people.
    pub text: String,
    /// The same for programs.
    pub fact: Fact,
}

/// What a [`Note`] is about. Readers take an unknown one as [`Fact::Other`] and lose nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// The server could not be reached. `status` is what the client was answered, if anything.
    ConnectFailed { reason: String, status: Option<u16> },
    /// The proxy wrote the answer to the client itself; it starts with the next byte to the client.
    Answered { status: u16, reason: String },
    /// A timer of the proxy ended the connection.
    TimedOut { timer: String },
    /// The proxy ended the connection for a reason of its own (shutdown, connection limit).
    Closing { reason: String },
    /// From `offset` (bytes since the start of the direction) on, one direction is not read as HTTP.
    Opaque {
        direction: Direction,
        offset: u64,
        reason: String,
    },
    /// TLS towards one side is up.
    Tls(Box<TlsFact>),
    /// The TLS handshake with the client failed.
    TlsFailed {
        /// Who broke it.
        by: TlsEnd,
        reason: String,
        /// What the client asked for, if it came that far.
        server_name: Option<String>,
    },
    /// The proxy opens a tunnel for the client, to `to` (host:port). `read`: what is said in it is read by the
    /// proxy, which ends TLS in it; else it passes unread.
    Tunnel { to: String, read: bool },
    /// The rules in force from here on. Belongs to no connection ([`ConnId`] 0).
    Rules(Box<RulesFact>),
    /// A rule's condition held.
    Rule(Box<RuleFact>),
    /// The proxy wrote another value into a head.
    Rewrite(Box<RewriteFact>),
    /// A server names a place to the client that the client reaches without the proxy.
    Leak(Box<LeakFact>),
    /// A person marked an exchange, or took the mark away.
    Mark {
        #[serde(flatten)]
        place: Anchor,
        on: bool,
    },
    /// A person wrote about an exchange. The latest comment counts; an empty one takes it away.
    Comment {
        #[serde(flatten)]
        place: Anchor,
        comment: String,
    },
    /// Said by a person or by something newer than this program.
    #[serde(other)]
    Other,
}

/// What a TLS handshake agreed on. Fields with a default are absent where they hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFact {
    pub version: String,
    pub cipher: String,
    /// The name that the connecting end asked for (SNI).
    pub server_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// The certificates that the accepting end showed, its own first, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// Why the server's certificate is not to be trusted, where it was accepted nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<String>,
    /// The server asked for a client certificate: the one that it got, or an empty text for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
}

/// One of the two ends of a TLS connection with the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsEnd {
    Client,
    Proxy,
}

/// Rules that came into force: one piece of their text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesFact {
    /// What chance is drawn from.
    pub seed: u64,
    /// Which piece this is, from 1.
    pub part: u32,
    pub parts: u32,
    pub source: String,
}

/// What one rule decided about one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFact {
    pub rule: String,
    pub stage: String,
    /// What its matches are counted by.
    pub key: String,
    /// Which match under that key this was, from 1.
    pub ordinal: u64,
    /// Names of what was done.
    pub actions: Vec<String>,
    /// Why it did not fire; empty if it did.
    pub reason: String,
    /// Counts the requests of the connection from 0.
    pub exchange: Option<u64>,
}

/// One value that the proxy changed so that the client stays with it, or the server is asked as wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteFact {
    pub direction: Direction,
    /// The field's name as sent; `request target` for that.
    pub field: String,
    pub before: String,
    pub after: String,
    /// Counts the requests of the connection from 0.
    pub exchange: Option<u64>,
}

/// One field of a response that leads the client away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakFact {
    /// The field's name as sent.
    pub field: String,
    pub value: String,
    /// The URL of the server that it leads to, without a path.
    pub to: String,
    /// Counts the requests of the connection from 0.
    pub exchange: Option<u64>,
}

/// Ties a note to an exchange of its connection: on the client leg, the first byte of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// [`Direction::ToClient`] where the request was not captured.
    pub direction: Direction,
    /// Bytes since the start of the direction.
    pub offset: u64,
    /// The number that the exchange had then: only a hint where to look.
    #[serde(default)]
    pub exchange: u32,
}
