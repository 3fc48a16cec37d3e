//! The BITS-* fields and their typed values.
//!
//! Every spelling seen in the field stands once, in [`SPELLINGS`]. Values are read tolerantly: what
//! cannot be read is `None`, and the head keeps the bytes for whoever wants to judge them.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// An inclusive byte range of a file with its total size: `bytes first-last/total`.
///
/// MC-BUP §2.2.6.1, RFC 9110 §14.4
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ContentRange {
    #[serde(rename = "start")]
    pub first: u64,
    /// Inclusive.
    #[serde(rename = "end")]
    pub last: u64,
    /// `None` for `*`.
    pub total: Option<u64>,
}

/// The one protocol that exists: "BITS 1.5 Upload Protocol".
///
/// MC-BUP §1.7.1
pub const UPLOAD_PROTOCOL: &str = "{7df0354d-249b-430f-820d-3d2a9bef4931}";

/// A field that means something to BITS, whatever its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    PacketType,
    SupportedProtocols,
    Protocol,
    SessionId,
    ReceivedContentRange,
    ReplyUrl,
    Error,
    ErrorContext,
    HostId,
    HostIdFallbackTimeout,
    ContentName,
    ContentLength,
    ContentRange,
    ContentEncoding,
    AcceptEncoding,
    OriginalRequestUrl,
    RequestDataFile,
    ResponseDataFile,
    StaticResponseUrl,
    CopyFileToDestination,
    MethodOverride,
    ResourceId,
    Range,
    IfUnmodifiedSince,
    LastModified,
    ETag,
    Location,
    ContentType,
    UserAgent,
    Host,
}

/// One way to write a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelling {
    pub name: Name,
    pub wire: &'static str,
    /// What the field says: one clause, lower case.
    pub meaning: &'static str,
    /// Where this spelling comes from when it is not the usual one; empty when it is.
    pub oddity: &'static str,
}

const fn usual(name: Name, wire: &'static str, meaning: &'static str) -> Spelling {
    Spelling {
        name,
        wire,
        meaning,
        oddity: "",
    }
}

const fn odd(name: Name, wire: &'static str, oddity: &'static str) -> Spelling {
    Spelling {
        name,
        wire,
        meaning: "another spelling",
        oddity,
    }
}

/// All spellings; the usual one of a field comes first. Case does not matter in any.
pub const SPELLINGS: &[Spelling] = &[
    usual(Name::PacketType, "BITS-Packet-Type", "which packet this is"),
    odd(
        Name::PacketType,
        "BITS-Package-Type",
        "a slip in MC-BUP §2.2.1",
    ),
    usual(
        Name::SupportedProtocols,
        "BITS-Supported-Protocols",
        "protocols that the client offers, the best first",
    ),
    usual(
        Name::Protocol,
        "BITS-Protocol",
        "the protocol that the server chose",
    ),
    usual(
        Name::SessionId,
        "BITS-Session-Id",
        "the upload session, named by the server",
    ),
    usual(
        Name::ReceivedContentRange,
        "BITS-Received-Content-Range",
        "offset of the next byte that the server wants",
    ),
    odd(
        Name::ReceivedContentRange,
        "BITS-Recieved-Content-Range",
        "a misspelling of the Go server gobits",
    ),
    usual(
        Name::ReplyUrl,
        "BITS-Reply-URL",
        "where the reply of an upload-reply can be downloaded",
    ),
    usual(
        Name::Error,
        "BITS-Error-Code",
        "HRESULT of what the server met",
    ),
    odd(Name::Error, "BITS-Error", "the name in MC-BUP §2.2.1.2"),
    usual(
        Name::ErrorContext,
        "BITS-Error-Context",
        "where the error arose: 5 the server, 7 the application behind it",
    ),
    usual(
        Name::HostId,
        "BITS-Host-Id",
        "host that replaces the URL's host from now on",
    ),
    usual(
        Name::HostIdFallbackTimeout,
        "BITS-Host-Id-Fallback-Timeout",
        "seconds until the client may return to the original host",
    ),
    usual(Name::ContentName, "Content-Name", "name of the file"),
    usual(
        Name::ContentLength,
        "Content-Length",
        "bytes of content in this message",
    ),
    usual(
        Name::ContentRange,
        "Content-Range",
        "which bytes of the file these are; both ends inclusive",
    ),
    usual(
        Name::ContentEncoding,
        "Content-Encoding",
        "coding of the content",
    ),
    usual(
        Name::AcceptEncoding,
        "Accept-Encoding",
        "codings that the sender understands",
    ),
    usual(
        Name::OriginalRequestUrl,
        "BITS-Original-Request-URL",
        "destination URL of the upload that the application is told of",
    ),
    usual(
        Name::RequestDataFile,
        "BITS-Request-DataFile-Name",
        "path of the uploaded data on the server",
    ),
    odd(
        Name::RequestDataFile,
        "BITS-Request-DataEntity-Name",
        "the name in MC-BUP §2.2.12.2",
    ),
    usual(
        Name::ResponseDataFile,
        "BITS-Response-DataFile-Name",
        "path where the application writes its reply",
    ),
    odd(
        Name::ResponseDataFile,
        "BITS-Response-DataEntity-Name",
        "the name in MC-BUP §2.2.12.2",
    ),
    usual(
        Name::StaticResponseUrl,
        "BITS-Static-Response-URL",
        "URL that the client downloads as reply",
    ),
    usual(
        Name::CopyFileToDestination,
        "BITS-Copy-File-To-Destination",
        "the upload is also copied to its destination path",
    ),
    usual(
        Name::MethodOverride,
        "X-Http-Method-Override",
        "the method that is meant",
    ),
    usual(
        Name::ResourceId,
        "X-Resource-Id",
        "the stored item on OneDrive",
    ),
    usual(Name::Range, "Range", "which bytes of the file are wanted"),
    usual(
        Name::IfUnmodifiedSince,
        "If-Unmodified-Since",
        "send only if the file is still the one that the client knows",
    ),
    usual(
        Name::LastModified,
        "Last-Modified",
        "when the file's content changed last",
    ),
    usual(
        Name::ETag,
        "ETag",
        "version of the file; BITS does not look at it",
    ),
    usual(
        Name::Location,
        "Location",
        "where the file lies in place of the URL that was asked for",
    ),
    usual(
        Name::ContentType,
        "Content-Type",
        "media type of the content",
    ),
    usual(Name::UserAgent, "User-Agent", "the client's program"),
    usual(Name::Host, "Host", "the host that the client asks for"),
];

/// Returns which spelling a field's name is, if it means something to BITS.
pub fn identify(name: &[u8]) -> Option<&'static Spelling> {
    SPELLINGS
        .iter()
        .find(|spelling| spelling.wire.as_bytes().eq_ignore_ascii_case(name))
}

/// Reads `bytes first-last/total`; the unit's case does not matter, `=` may stand for the blank, and
/// blanks around the numbers are skipped.
pub fn content_range(value: &[u8]) -> Option<ContentRange> {
    let (span, total) = after_unit(value)?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let total = match total.trim() {
        "*" => None,
        digits => Some(decimal(digits)?),
    };
    Some(ContentRange {
        first: decimal(first)?,
        last: decimal(last)?,
        total,
    })
}

/// Reads the total of `bytes */total`, as a 416 tells it.
///
/// RFC 9110 §14.4
pub fn unsatisfied(value: &[u8]) -> Option<u64> {
    let (span, total) = after_unit(value)?.split_once('/')?;
    (span.trim() == "*").then(|| decimal(total)).flatten()
}

/// Reads the ranges of a `Range` field; an end is inclusive, `None` = to the end of the file. A suffix
/// (`-500`) and what cannot be read are left out.
///
/// RFC 9110 §14.2
pub fn ranges(value: &[u8]) -> Vec<(u64, Option<u64>)> {
    let Some(list) = after_unit(value) else {
        return Vec::new();
    };
    list.split(',')
        .filter_map(|range| {
            let (first, end) = range.split_once('-')?;
            let end = match end.trim() {
                "" => None,
                digits => Some(decimal(digits)?),
            };
            Some((decimal(first)?, end))
        })
        .collect()
}

/// Returns what follows the unit `bytes`.
fn after_unit(value: &[u8]) -> Option<&str> {
    let value = str::from_utf8(value).ok()?.trim_start();
    let unit = value.get(..5)?;
    let rest = value.get(5..)?;
    (unit.eq_ignore_ascii_case("bytes") && rest.starts_with([' ', '\t', '=']))
        .then(|| rest.trim_start_matches([' ', '\t', '=']))
}

/// Reads an offset or a length: one unsigned decimal with blanks around it.
pub fn offset(value: &[u8]) -> Option<u64> {
    decimal(str::from_utf8(value).ok()?)
}

fn decimal(digits: &str) -> Option<u64> {
    let digits = digits.trim();
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Reads an HRESULT: `0x8020001F`, `x80070057`, `8020001F`; also what cannot be meant as hexadecimal,
/// because it has a sign or too many digits, as a decimal (`-2145386465`, `2149580831`).
pub fn hresult(value: &[u8]) -> Option<u32> {
    let text = str::from_utf8(value).ok()?.trim();
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .or_else(|| text.strip_prefix(['x', 'X']));
    if let Some(digits) = digits {
        return hexadecimal(digits);
    }
    if let Some(code) = hexadecimal(text) {
        return Some(code);
    }
    let signed: i64 = text.parse().ok()?;
    u32::try_from(signed)
        .ok()
        .or_else(|| i32::try_from(signed).ok().map(i32::cast_unsigned))
}

/// Reads a BITS-Error-Context: `0x5`, `x5`, `5`.
pub fn context(value: &[u8]) -> Option<u32> {
    hresult(value)
}

fn hexadecimal(digits: &str) -> Option<u32> {
    let plain =
        (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

/// Returns what identifies a session in its id: case, quotes, braces and blanks around it do not, since
/// peers repeat an id without them, or with them.
///
/// observed: servers that quote ids; clients that add or drop the braces
pub fn session_key(id: &str) -> String {
    let dressing = |c: char| c == '"' || c.is_ascii_whitespace();
    let bare = id.trim_matches(dressing);
    let inner = bare.strip_prefix('{').and_then(|id| id.strip_suffix('}'));
    inner.unwrap_or(bare).to_ascii_lowercase()
}

/// Tells whether two ids name the same session.
pub fn same_session(one: &str, other: &str) -> bool {
    one == other || session_key(one) == session_key(other)
}

/// Returns a host as a URL writes it: an IPv6 address in brackets.
///
/// RFC 3986 §3.2.2
pub fn url_host(host: &str) -> Cow<'_, str> {
    if host.parse::<Ipv6Addr>().is_ok() {
        Cow::Owned(format!("[{host}]"))
    } else {
        Cow::Borrowed(host)
    }
}

/// Returns a field's value for people: blanks trimmed, bytes that are not UTF-8 replaced.
pub fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.trim_ascii()).into_owned()
}
