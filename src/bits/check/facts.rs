//! What the checker is told of one exchange that is over: borrowed, nothing is kept.

use std::net::IpAddr;
use std::time::Duration;

use crate::bits::multipart::Layout;
use crate::bits::{Ack, Request};
use crate::wire::Head;

/// One exchange that is over.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'f> {
    /// Number of the exchange.
    pub no: u32,
    /// Number of the connection.
    pub conn: u32,
    /// Number of the session, where the exchange has one.
    pub session: Option<u32>,
    pub client: Option<IpAddr>,
    /// The client speaks TLS.
    pub tls: bool,
    /// The proxy wrote the answer, or a rule of it changed the head: it says nothing of the server.
    pub ours: bool,
    /// Bytes are missing from the capture in this exchange, or between it and the one before it on the
    /// connection: nothing that needs history can be said.
    pub torn: bool,
    pub request: Asked<'f>,
    /// The final response, if its head came.
    pub response: Option<Answered<'f>>,
    /// A digest of the request's content, any function, the same one for all exchanges; `None` =
    /// unknown. Two that differ must mean that the content differs.
    pub digest: Option<u64>,
    /// The parts of an answer that is multipart/byteranges, where its content was looked into.
    pub parts: Option<&'f Layout>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'f> {
    pub head: &'f Head,
    /// What the head says; its packet may be known from elsewhere (GET of a reply).
    pub says: &'f Request,
    /// Content bytes that passed.
    pub content: u64,
    pub cut: Cut,
    /// First byte.
    pub begun: Duration,
    /// Last byte; `None` where it did not come.
    pub ended: Option<Duration>,
}

/// A final response.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'f> {
    pub head: &'f Head,
    pub says: &'f Ack,
    /// Content bytes that passed.
    pub content: u64,
    pub cut: Cut,
    pub begun: Duration,
    /// Last byte, or the end of the connection.
    pub ended: Duration,
}

/// Tells whether a message ended before its framing said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// It is whole.
    #[default]
    No,
    /// Its sender ended the stream.
    BySender,
    /// Somebody else did, or nobody knows.
    ByOther,
}
