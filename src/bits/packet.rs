//! The five request packets, the Ack, and what a download's request says, read from a head.

use crate::wire::Head;

use super::header::ContentRange;

/// What an exchange is, in the words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Packet {
    Ping,
    CreateSession,
    Fragment,
    CloseSession,
    CancelSession,
    /// Server to its application. MC-BUP §2.2.12
    Notification,
    /// HEAD of a download. MC-BUP §2.3
    Head,
    /// GET of a download. MC-BUP §2.3
    Get,
}

impl Packet {
    /// Returns the normalised name, as on the wire of Windows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ping => "Ping",
            Self::CreateSession => "Create-Session",
            Self::Fragment => "Fragment",
            Self::CloseSession => "Close-Session",
            Self::CancelSession => "Cancel-Session",
            Self::Notification => "Notification",
            Self::Head => "HEAD",
            Self::Get => "GET",
        }
    }
}

/// A request in the protocol's terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `None`: BITS_POST with an unknown or missing packet type, or HTTP that is none of BITS.
    pub packet: Option<Packet>,
    /// The request is a BITS_POST (also by method override) or carries a packet type.
    pub upload: bool,
    /// As sent; an opaque string.
    pub session_id: Option<String>,
    /// Fragment: Content-Range, where it can be read.
    pub range: Option<ContentRange>,
    /// Content-Name as sent.
    pub name: Option<String>,
    /// Download: the `Range` field's ranges; the end is inclusive, `None` = to the end of the file.
    pub wanted: Vec<(u64, Option<u64>)>,
    pub user_agent: Option<String>,
    pub host: Option<String>,
    /// Notification: BITS-Original-Request-URL.
    pub original_url: Option<String>,
}

/// A response in the protocol's terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Says `BITS-Packet-Type: Ack` (any spelling).
    pub is_ack: bool,
    pub session_id: Option<String>,
    /// BITS-Received-Content-Range (any spelling): offset of the next byte wanted.
    pub received: Option<u64>,
    pub reply_url: Option<String>,
    pub protocol: Option<String>,
    pub host_id: Option<String>,
    /// BITS-Error or BITS-Error-Code.
    pub error: Option<u32>,
    /// BITS-Error-Context.
    pub context: Option<u32>,
    /// Download: Content-Range of a 206.
    pub range: Option<ContentRange>,
    /// 200 to HEAD or GET: Content-Length, where there is one.
    pub length: Option<u64>,
    pub last_modified: Option<String>,
    pub etag: Option<String>,
}

/// Reads a request head.
pub fn read_request(head: &Head) -> Request {
    let _ = head;
    Request::default()
}

/// Reads a response head.
pub fn read_ack(head: &Head) -> Ack {
    let _ = head;
    Ack::default()
}
