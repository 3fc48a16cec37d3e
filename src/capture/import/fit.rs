//! A message whose body was kept apart, as bytes of a connection again.
//!
//! The formats keep content, not framing: chunk sizes are gone, and some keep the decoded content
//! beside the length of the encoded one. What the head says decides; where head and content cannot both
//! be right, the content is kept and the head is set right, and that is told.

use crate::wire::{Conversation, Framing, Item, Stream};

use super::entry::{Body, Part};

/// A message as it is put on a connection.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) head: Vec<u8>,
    pub(super) before: Vec<u8>,
    pub(super) body: Option<Body>,
    /// So many bytes more passed, and nobody kept them.
    pub(super) missing: u64,
    pub(super) after: Vec<u8>,
    /// Nothing can follow on this connection.
    pub(super) last: bool,
    pub(super) remarks: Vec<&'static str>,
}

const CHUNKS: &str = "The file does not keep chunk sizes: each chunked body is shown as one chunk.";
const DECODED: &str = "Some bodies are in the file decoded, not as sent: their length and coding fields were set right.";
const ADDED: &str =
    "Some messages say no length (HTTP/2 needs none): a Content-Length was put into their heads.";
const DROPPED: &str =
    "Some answers have content in the file where none can be on the wire: it was left out.";

/// Lays out a request.
pub(super) fn request(part: &Part) -> Laid {
    let framing = framing_of(&[(Stream::Requests, &part.head)]);
    lay(part, framing)
}

/// Lays out the response to the request with the head `asked`.
pub(super) fn response(asked: &[u8], part: &Part) -> Laid {
    let framing = framing_of(&[(Stream::Requests, asked), (Stream::Responses, &part.head)]);
    lay(part, framing)
}

/// Returns how the body of the last head ends.
fn framing_of(heads: &[(Stream, &[u8])]) -> Option<Framing> {
    let mut talk = Conversation::new();
    let mut seen = Vec::new();
    for (stream, head) in heads {
        seen.clear();
        talk.feed(*stream, head, &mut seen);
    }
    seen.iter().rev().find_map(|seen| match seen.item {
        Item::Head { framing, .. } => Some(framing),
        _ => None,
    })
}

fn lay(part: &Part, framing: Option<Framing>) -> Laid {
    let mut laid = Laid {
        head: part.head.clone(),
        before: Vec::new(),
        body: None,
        missing: 0,
        after: Vec::new(),
        last: false,
        remarks: Vec::new(),
    };
    let len = part.body.len();
    if part.head.is_empty() {
        // The body is the message as it was sent.
        laid.body = Some(part.body.clone());
        return laid;
    }
    let body = (len != Some(0)).then(|| part.body.clone());
    match framing {
        Some(Framing::Length(told)) => match (len, &part.body) {
            (None, _) => laid.missing = told,
            (Some(len), _) if len > told => {
                laid.head = with_length(&part.head, len);
                laid.remarks.push(DECODED);
                laid.body = body;
            }
            (Some(len), _) => {
                laid.missing = told.saturating_sub(len);
                laid.body = body;
            }
        },
        Some(Framing::Chunked) => {
            laid.remarks.push(CHUNKS);
            if let Some(len) = len.filter(|len| *len > 0) {
                laid.before = format!("{len:x}\r\n").into_bytes();
                laid.body = body;
                laid.after.extend_from_slice(b"\r\n");
            }
            laid.after.extend_from_slice(b"0\r\n");
            laid.after.extend_from_slice(&part.trailers);
            laid.after.extend_from_slice(b"\r\n");
        }
        Some(Framing::None) if can_have_length(&part.head) => {
            if let Some(len) = len.filter(|len| *len > 0) {
                laid.head = with_length(&part.head, len);
                laid.remarks.push(ADDED);
                laid.body = body;
            }
        }
        Some(Framing::None) => {
            if body.is_some() && len.is_some() {
                laid.remarks.push(DROPPED);
            }
        }
        Some(Framing::UntilClose) if !part.plain => {
            laid.head = with_length(&part.head, len.unwrap_or_default());
            laid.remarks.push(ADDED);
            laid.body = body;
        }
        Some(Framing::UntilClose | Framing::Tunnel) | None => {
            laid.last = true;
            laid.body = body;
        }
    }
    // Of a body of unknown size nothing can be said but that.
    if matches!(laid.body, Some(Body::Gone(None))) {
        laid.body = None;
    }
    laid
}

/// Tells whether the head is a request's: that may have content without saying so.
fn can_have_length(head: &[u8]) -> bool {
    !head.starts_with(b"HTTP/")
}

/// Writes a head anew with this Content-Length, at its old place if it has one, and without what says
/// that the content is coded.
fn with_length(head: &[u8], len: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len().saturating_add(32));
    let mut put = false;
    let length = format!("Content-Length: {len}\r\n").into_bytes();
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = name.trim_ascii();
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        if is(b"content-length") || name.is_empty() {
            if !std::mem::replace(&mut put, true) {
                out.extend_from_slice(&length);
            }
            if name.is_empty() {
                out.extend_from_slice(line);
            }
        } else if !is(b"content-encoding") && !is(b"transfer-encoding") {
            out.extend_from_slice(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(head: &str, body: &'static [u8]) -> Part {
        Part {
            begun: 0,
            ended: 0,
            head: head.as_bytes().to_vec(),
            body: Body::Bytes(body.into()),
            trailers: Vec::new(),
            plain: true,
        }
    }

    #[test]
    fn decoded_content_gets_its_own_length() {
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\ncontent-length: 3\r\nA: b\r\n\r\n";
        let laid = response(b"GET / HTTP/1.1\r\n\r\n", &part(head, b"hello"));
        assert_eq!(
            String::from_utf8(laid.head).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\n"
        );
        assert_eq!(laid.remarks, [DECODED]);
    }

    #[test]
    fn chunked_content_becomes_one_chunk() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let laid = response(b"GET / HTTP/1.1\r\n\r\n", &part(head, b"hello world"));
        assert_eq!(laid.before, b"b\r\n");
        assert_eq!(laid.after, b"\r\n0\r\n\r\n");
    }

    #[test]
    fn what_is_short_of_its_length_is_missing() {
        let head = "BITS_POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n";
        assert_eq!(request(&part(head, b"abc")).missing, 7);
    }

    #[test]
    fn an_answer_to_head_has_no_content() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
        let laid = response(b"HEAD / HTTP/1.1\r\n\r\n", &part(head, b""));
        assert!(laid.body.is_none() && laid.missing == 0 && !laid.last);
    }
}
