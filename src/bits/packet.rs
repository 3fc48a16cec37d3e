//! The five request packets, the Ack, and what a download's request says, read from a head.

use crate::wire::Head;

use super::header::{self, ContentRange, Name};

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
    /// `None`: `BITS_POST` with an unknown or missing packet type, or HTTP that is none of BITS.
    pub packet: Option<Packet>,
    /// The request is a `BITS_POST` (also by method override) or carries a packet type.
    pub upload: bool,
    /// As sent; an opaque string.
    pub session_id: Option<String>,
    /// Fragment: Content-Range, where it can be read.
    pub range: Option<ContentRange>,
    /// Fragment: the total of a Content-Range that names no bytes (`bytes */0`).
    pub total: Option<u64>,
    /// Content-Name as sent.
    pub name: Option<String>,
    /// Download: the `Range` field's ranges; the end is inclusive, `None` = to the end of the file.
    pub wanted: Vec<(u64, Option<u64>)>,
    /// Download: there is a `Range` field, readable or not.
    pub ranged: bool,
    pub user_agent: Option<String>,
    pub host: Option<String>,
    /// Notification: BITS-Original-Request-URL.
    pub original_url: Option<String>,
    /// Notification by reference: path of the uploaded data on the server.
    pub data_file: Option<String>,
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
    /// Download: the total that a 416 tells (`bytes */25`).
    pub total: Option<u64>,
    /// Download: the content is multipart/byteranges.
    pub multipart: bool,
    /// 200 to HEAD or GET: Content-Length, where there is one.
    pub length: Option<u64>,
    pub last_modified: Option<String>,
    pub etag: Option<String>,
    /// Download: Location of a redirect.
    pub location: Option<String>,
    /// Download: the content is hashes of the file, which the client has from its neighbours.
    ///
    /// MS-PCCRTP §2.2
    pub peerdist: bool,
}

/// Reads a request head.
///
/// An upload is a `BITS_POST`, a request that says so by method override, or one with a packet type. A
/// download's HEAD or GET is one of a BITS user agent or of none at all, or one with `Range` or `If-Unmodified-Since`
/// (a GET of a known reply URL needs more than the head to be seen as one). A notification is a POST
/// with BITS-Original-Request-URL, or with the path of the uploaded data.
pub fn read_request(head: &Head) -> Request {
    let mut request = Request::default();
    let mut packet = None;
    let mut conditional = false;
    let method = head.method().unwrap_or_default();
    request.upload = method.eq_ignore_ascii_case(UPLOAD_METHOD);
    for (name, value) in head.pairs() {
        let Some(spelling) = header::identify(name) else {
            continue;
        };
        match spelling.name {
            Name::PacketType => {
                request.upload = true;
                packet = packet.or_else(|| packet_type(value));
            }
            Name::MethodOverride => {
                request.upload |= value.trim_ascii().eq_ignore_ascii_case(UPLOAD_METHOD);
            }
            Name::SessionId => keep(&mut request.session_id, value),
            Name::ContentRange => {
                request.range = request.range.or_else(|| header::content_range(value));
                request.total = request.total.or_else(|| header::unsatisfied(value));
            }
            Name::ContentName => keep(&mut request.name, value),
            Name::Range => {
                request.ranged = true;
                request.wanted.extend(header::ranges(value));
            }
            Name::IfUnmodifiedSince => conditional = true,
            Name::UserAgent => keep(&mut request.user_agent, value),
            Name::Host => keep(&mut request.host, value),
            Name::OriginalRequestUrl => keep(&mut request.original_url, value),
            Name::RequestDataFile => keep(&mut request.data_file, value),
            _ => {}
        }
    }
    request.packet = if request.upload {
        packet
    } else if method == b"POST" && (request.original_url.is_some() || request.data_file.is_some()) {
        Some(Packet::Notification)
    } else {
        let ours = request
            .user_agent
            .as_deref()
            // Wine's BITS service names no agent; observed: its downloads from nginx.
            .is_none_or(|agent| agent.contains("BITS/"));
        download_packet(method).filter(|_| ours || request.ranged || conditional)
    };
    request
}

/// Returns the packet that `method` is in a download, HEAD or GET.
pub fn download_packet(method: &[u8]) -> Option<Packet> {
    match method {
        b"HEAD" => Some(Packet::Head),
        b"GET" => Some(Packet::Get),
        _ => None,
    }
}

/// MC-BUP §2.2.1
const UPLOAD_METHOD: &[u8] = b"BITS_POST";

/// Reads a packet type; neither case nor the sign between the words matters.
fn packet_type(value: &[u8]) -> Option<Packet> {
    const TYPES: [Packet; 5] = [
        Packet::Ping,
        Packet::CreateSession,
        Packet::Fragment,
        Packet::CloseSession,
        Packet::CancelSession,
    ];
    let value = value.trim_ascii();
    TYPES.into_iter().find(|packet| {
        let letters = |bytes: &'_ [u8]| -> Vec<u8> {
            bytes
                .iter()
                .filter(|byte| !matches!(byte, b'-' | b'_' | b' '))
                .map(u8::to_ascii_lowercase)
                .collect()
        };
        let name = packet.name().as_bytes();
        name.eq_ignore_ascii_case(value)
            || (value.len() <= name.len() && letters(name) == letters(value))
    })
}

/// Keeps the first value of a field.
fn keep(slot: &mut Option<String>, value: &[u8]) {
    if slot.is_none() {
        *slot = Some(header::text(value));
    }
}

/// Reads a response head.
pub fn read_ack(head: &Head) -> Ack {
    let mut ack = Ack::default();
    for (name, value) in head.pairs() {
        let Some(spelling) = header::identify(name) else {
            continue;
        };
        match spelling.name {
            Name::PacketType => ack.is_ack |= value.trim_ascii().eq_ignore_ascii_case(b"Ack"),
            Name::SessionId => keep(&mut ack.session_id, value),
            Name::ReceivedContentRange => {
                ack.received = ack.received.or_else(|| header::offset(value));
            }
            Name::ReplyUrl => keep(&mut ack.reply_url, value),
            Name::Protocol => keep(&mut ack.protocol, value),
            Name::HostId => keep(&mut ack.host_id, value),
            Name::Error => ack.error = ack.error.or_else(|| header::hresult(value)),
            Name::ErrorContext => ack.context = ack.context.or_else(|| header::context(value)),
            Name::ContentRange => {
                ack.range = ack.range.or_else(|| header::content_range(value));
                ack.total = ack.total.or_else(|| header::unsatisfied(value));
            }
            Name::ContentLength => ack.length = ack.length.or_else(|| header::offset(value)),
            Name::LastModified => keep(&mut ack.last_modified, value),
            Name::ETag => keep(&mut ack.etag, value),
            Name::Location => keep(&mut ack.location, value),
            Name::ContentEncoding => {
                ack.peerdist |= value.trim_ascii().eq_ignore_ascii_case(b"peerdist");
            }
            Name::ContentType => {
                let kind = value.trim_ascii_start().get(..MULTIPART.len());
                ack.multipart |= kind.is_some_and(|kind| kind.eq_ignore_ascii_case(MULTIPART));
            }
            _ => {}
        }
    }
    ack
}

const MULTIPART: &[u8] = b"multipart/byteranges";
