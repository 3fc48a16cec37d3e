//! Answers that the operator gives in place of the server.
//!
//! Pure; what the client makes of them is the client's business.

use bytes::Bytes;

use super::head::{self, Wrong};
use crate::bits::header::{self, Name};
use crate::bits::packet::read_request;
use crate::fault::{Held, Stage};
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
    let own = id(held);
    let session = own.as_deref().or(session);
    let ack = format!(
        "BITS-Packet-Type: Ack\r\n{}",
        session.map_or_else(String::new, |id| format!("BITS-Session-Id: {id}\r\n"))
    );
    let text = match answer {
        Answer::SessionNotFound => format!(
            "HTTP/1.1 500 Internal Server Error\r\n{ack}BITS-Error-Code: 0x8020001F\r\n\
             BITS-Error-Context: 0x5\r\nContent-Length: 0\r\n\r\n"
        ),
        Answer::Rewind => format!(
            "HTTP/1.1 416 Requested Range Not Satisfiable\r\n{ack}BITS-Received-Content-Range: {next}\r\n\
             Content-Length: 0\r\n\r\n"
        ),
        Answer::Unavailable => {
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned()
        }
        Answer::Free => format!("HTTP/1.1 200 OK\r\n{ack}\r\n"),
    };
    Bytes::from(text)
}

/// Returns the session id that the held head says.
fn id(held: &Held) -> Option<String> {
    let stream = match held.stage {
        Stage::ResponseHead => Stream::Responses,
        _ => Stream::Requests,
    };
    let (head, _) = head::read(stream, &held.head).ok()?;
    head.pairs().find_map(|(name, value)| {
        let spelling = header::identify(name)?;
        (spelling.name == Name::SessionId).then(|| header::text(value))
    })
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
