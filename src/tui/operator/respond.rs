//! Answers that the operator gives in place of the server.
//!
//! Pure; what the client makes of them is the client's business.

use bytes::Bytes;

use super::head::{self, Wrong};
use crate::bits::header::{self, Name};
use crate::bits::packet::read_request;
use crate::fault::Held;
use crate::wire::{Framing, Stream};

/// An answer of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    SessionNotFound,
    /// 416 with the offset of the next byte that is wanted.
    Rewind,
    Unavailable,
    /// Written by the operator.
    Free,
}

impl Answer {
    /// All answers in the order of the menu: name and what it says.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (
            Self::SessionNotFound,
            "500",
            "BG_E_SESSION_NOT_FOUND: the client begins anew",
        ),
        (
            Self::Rewind,
            "416",
            "the client goes on at an offset that you name",
        ),
        (
            Self::Unavailable,
            "503",
            "Service Unavailable: the client tries later",
        ),
        (Self::Free, "other", "write the answer yourself"),
    ];
}

/// Returns where in the file the held message's fragment begins.
pub(super) fn offset(held: &Held) -> Option<u64> {
    let (head, _) = head::read(Stream::Requests, &held.head).ok()?;
    Some(read_request(&head).range?.first)
}

/// Writes an answer; `next` is the offset of [`Answer::Rewind`], `session` the id of the message's session.
pub(super) fn write(answer: Answer, held: &Held, session: Option<&str>, next: u64) -> Bytes {
    let (upload, own) = told(held);
    let session = own.as_deref().or(session);
    let ack = match session {
        _ if !upload => String::new(),
        Some(id) => format!("BITS-Packet-Type: Ack\r\nBITS-Session-Id: {id}\r\n"),
        None => "BITS-Packet-Type: Ack\r\n".to_owned(),
    };
    let (line, more) = match answer {
        Answer::SessionNotFound if upload => (
            "500 Internal Server Error",
            "BITS-Error-Code: 0x8020001F\r\nBITS-Error-Context: 0x5\r\n".to_owned(),
        ),
        Answer::SessionNotFound => ("500 Internal Server Error", String::new()),
        Answer::Rewind if upload => (
            "416 Requested Range Not Satisfiable",
            format!("BITS-Received-Content-Range: {next}\r\n"),
        ),
        // Of a download it is the size of the file (RFC 9110 §14.4).
        Answer::Rewind => (
            "416 Requested Range Not Satisfiable",
            format!("Content-Range: bytes */{next}\r\n"),
        ),
        Answer::Unavailable => return Bytes::from_static(UNAVAILABLE),
        Answer::Free => return Bytes::from(format!("HTTP/1.1 200 OK\r\n{ack}\r\n")),
    };
    Bytes::from(format!(
        "HTTP/1.1 {line}\r\n{ack}{more}Content-Length: 0\r\n\r\n"
    ))
}

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// Tells whether the held head belongs to an upload, and its session id where it says one.
fn told(held: &Held) -> (bool, Option<String>) {
    let Ok((head, _)) = head::read(super::stream(held.stage), &held.head) else {
        return (true, None);
    };
    let value = |wanted: Name| {
        head.pairs().find_map(|(name, value)| {
            let spelling = header::identify(name)?;
            (spelling.name == wanted).then(|| header::text(value))
        })
    };
    let upload = read_request(&head).upload || value(Name::PacketType).is_some();
    (upload, value(Name::SessionId))
}

/// Makes an answer of typed lines: a head, an empty line, content. A head that says no length gets that of
/// the content.
pub(super) fn assembled(lines: &[String]) -> Result<Bytes, Wrong> {
    let end = lines.iter().position(String::is_empty);
    let (head, content) = lines.split_at(end.unwrap_or(lines.len()));
    let content = content.get(1..).unwrap_or_default().join("\n");
    let mut out = String::new();
    for line in head {
        out.push_str(line);
        out.push_str("\r\n");
    }
    let said = |name: &str| {
        head.iter().skip(1).any(|line| {
            let (found, _) = line.split_once(':').unwrap_or_default();
            found.trim().eq_ignore_ascii_case(name)
        })
    };
    if !said("content-length") && !said("transfer-encoding") {
        out.push_str(&format!("Content-Length: {}\r\n", content.len()));
    }
    out.push_str("\r\n");
    head::read(Stream::Responses, out.as_bytes())?;
    out.push_str(&content);
    Ok(Bytes::from(out))
}

/// Returns what a client will stumble over: a length that is not the content's.
pub(super) fn doubt(answer: &[u8]) -> Option<String> {
    let blank = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let (head, content) = answer.split_at_checked(blank.saturating_add(4))?;
    let (_, framing) = head::read(Stream::Responses, head).ok()?;
    match framing {
        Framing::Length(said) if said != content.len() as u64 => Some(format!(
            "the head says {said} bytes of content, there are {}; Enter sends it all the same",
            content.len()
        )),
        _ => None,
    }
}
