//! What goes out: a recorded answer with this session's values in it, or the reference server's.
//!
//! A recorded head keeps its fields, their case, order and oddities. Names of hosts become the mock's own, so that
//! no client is led away from it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;

use super::tales::{Answer, Row};
use crate::bits::header::{Name, identify};
use crate::peer::field;
use crate::peer::recording::Recording;
use crate::peer::recording::edit::{Change, rewrite};
use crate::peer::server::ErrorField;
use crate::peer::server::answer::{Ack, Content, plain};
use crate::peer::spelling::spelled;
use crate::timeline::row::Message;

/// One answer on its way.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) status: u16,
    /// Head and what there is of the content in memory.
    pub(super) bytes: Vec<u8>,
    pub(super) body: Body,
    /// Number of the recorded exchange that it was made from; `None`: the reference server's answer.
    pub(super) from: Option<u32>,
    pub(super) wait: Duration,
    /// The connection ends after it.
    pub(super) last: bool,
    /// The connection ends instead of it.
    pub(super) hang_up: bool,
    /// Why nothing recorded fits, where that is so.
    pub(super) unmatched: Option<String>,
}

/// Content that is read while it goes out.
#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    /// The wire bytes of a recorded message.
    Wire(Message),
    /// Bytes of a rebuilt file: first, and how many.
    File(PathBuf, u64, u64),
}

/// Values that replace recorded ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Values<'v> {
    pub(super) id: Option<&'v str>,
    pub(super) received: Option<u64>,
    /// The Host field of the request: what the client calls us.
    pub(super) host: &'v str,
    /// We are called by https.
    pub(super) tls: bool,
    /// Where the reply is, if not where the recorded answer says.
    pub(super) reply: Option<String>,
    pub(super) length: Option<u64>,
    pub(super) range: Option<String>,
    pub(super) status: Option<StatusCode>,
}

impl Out {
    /// Makes an answer of a recorded one, with its recorded content.
    pub(super) fn recorded(
        row: &Row,
        answer: &Answer,
        values: &Values<'_>,
        recording: &Recording,
    ) -> Self {
        let message = answer.message;
        let held = is_held(recording, &message);
        // Content that the capture does not hold cannot be announced.
        let lost = !held && answer.whole;
        let values = Values {
            length: if lost { Some(0) } else { values.length },
            ..values.clone()
        };
        Self {
            status: values.status.map_or(answer.said.status, |s| s.as_u16()),
            bytes: fill(answer, &values, lost),
            body: if lost || message.body_wire == 0 {
                Body::None
            } else {
                Body::Wire(message)
            },
            from: Some(row.no),
            wait: row.wait,
            last: !answer.whole || ends(answer),
            hang_up: false,
            unmatched: None,
        }
    }

    /// Makes an answer that begins like a recorded one and has other content.
    pub(super) fn sliced(row: &Row, answer: &Answer, values: &Values<'_>, body: Body) -> Self {
        Self {
            status: values.status.map_or(answer.said.status, |s| s.as_u16()),
            bytes: fill(answer, values, true),
            body,
            from: Some(row.no),
            wait: row.wait,
            last: ends(answer),
            hang_up: false,
            unmatched: None,
        }
    }

    /// Ends the connection as the recorded server did.
    pub(super) fn hang_up(row: &Row) -> Self {
        Self {
            hang_up: true,
            last: true,
            wait: row.wait,
            from: Some(row.no),
            ..Self::raw(0, Vec::new())
        }
    }

    /// Makes an answer as the reference server would.
    pub(super) async fn reference(ack: Ack) -> Self {
        Self::of(ack.into_response(ErrorField::Code)).await
    }

    /// Makes a plain HTTP answer.
    pub(super) async fn plain(status: StatusCode) -> Self {
        Self::of(plain(status)).await
    }

    /// Makes the answer to HEAD and GET of a file of no bytes.
    pub(super) fn empty() -> Self {
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: {}\r\n\r\n",
            now()
        );
        Self::raw(200, text.into_bytes())
    }

    async fn of(response: Response<Content>) -> Self {
        let (head, body) = response.into_parts();
        let reason = head.status.canonical_reason().unwrap_or_default();
        let mut text = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16());
        for (name, value) in &head.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let _ = write!(text, "{}: {value}\r\n", spelled(name.as_str()));
        }
        let _ = write!(text, "Date: {}\r\n\r\n", now());
        let mut bytes = text.into_bytes();
        if let Ok(content) = body.collect().await {
            bytes.extend_from_slice(&content.to_bytes());
        }
        let last = head.headers.contains_key(http::header::CONNECTION);
        Self {
            last,
            ..Self::raw(head.status.as_u16(), bytes)
        }
    }

    fn raw(status: u16, bytes: Vec<u8>) -> Self {
        Self {
            status,
            bytes,
            body: Body::None,
            from: None,
            wait: Duration::ZERO,
            last: false,
            hang_up: false,
            unmatched: None,
        }
    }
}

/// Tells whether the capture holds the content of a message.
pub(super) fn is_held(recording: &Recording, message: &Message) -> bool {
    let mut at = 0;
    while at < message.body_wire {
        match recording.wire(message, at) {
            Some(bytes) => at = at.saturating_add(Bytes::len(&bytes) as u64),
            None => return false,
        }
    }
    true
}

/// Tells whether a server that answers like this ends the connection. RFC 9112 §9.3
fn ends(answer: &Answer) -> bool {
    let says = |what: &str| {
        answer.head.values("connection").any(|value| {
            String::from_utf8_lossy(value)
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(what))
        })
    };
    let bare = answer.head.value("content-length").is_none()
        && answer.head.value("transfer-encoding").is_none()
        && !answer.said.ack.is_ack
        && answer.message.body_wire > 0;
    says("close") || (answer.head.minor() == 0 && !says("keep-alive")) || bare
}

/// Writes a recorded head with other values; `plainly` where the content has a length and no other framing.
fn fill(answer: &Answer, values: &Values<'_>, plainly: bool) -> Vec<u8> {
    let text = |text: &str| Change::Value(text.as_bytes().to_vec());
    let mut length = false;
    let mut range = false;
    let change = |name: &[u8], value: &[u8]| {
        if name.eq_ignore_ascii_case(b"transfer-encoding") && plainly {
            return Change::Drop;
        }
        if name.eq_ignore_ascii_case(b"date") {
            return text(&now());
        }
        if name.eq_ignore_ascii_case(b"location") {
            return text(&at_home(&String::from_utf8_lossy(value), values));
        }
        match identify(name).map(|spelling| spelling.name) {
            Some(Name::SessionId) => values.id.map_or(Change::Keep, text),
            Some(Name::ReceivedContentRange) => values
                .received
                .map_or(Change::Keep, |received| text(&received.to_string())),
            Some(Name::HostId) => text(bare_host(values.host)),
            Some(Name::ReplyUrl) => match &values.reply {
                Some(reply) => text(reply),
                None => text(&at_home(&String::from_utf8_lossy(value), values)),
            },
            Some(Name::ContentLength) => {
                length = true;
                values
                    .length
                    .map_or(Change::Keep, |length| text(&length.to_string()))
            }
            Some(Name::ContentRange) => {
                range = true;
                match &values.range {
                    Some(range) => text(range),
                    None if plainly => Change::Drop,
                    None => Change::Keep,
                }
            }
            _ => Change::Keep,
        }
    };
    let head = rewrite(&answer.head, None, change);
    let mut more: Vec<(&[u8], &[u8])> = Vec::new();
    let digits = values.length.unwrap_or_default().to_string();
    if plainly && !length {
        more.push((b"Content-Length", digits.as_bytes()));
    }
    let told = values.range.clone().unwrap_or_default();
    if values.range.is_some() && !range {
        more.push((b"Content-Range", told.as_bytes()));
    }
    let head = crate::peer::recording::edit::append(head, &more);
    match values.status {
        Some(status) if status.as_u16() != answer.said.status => with_status(&head, status),
        _ => head,
    }
}

/// Replaces the status line.
fn with_status(head: &[u8], status: StatusCode) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    let rest = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    out.extend_from_slice(head.get(rest..).unwrap_or_default());
    out
}

/// Returns an absolute URL with our own host in it; a relative one as it is.
fn at_home(url: &str, values: &Values<'_>) -> String {
    let own = if values.tls { "https" } else { "http" };
    let host = values.host;
    let slashes = url.replace('\\', "/");
    match slashes.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
            format!("{own}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

/// Returns the host without its port.
fn bare_host(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

fn now() -> String {
    field::http_date(jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away() {
        let mut values = Values {
            host: "127.0.0.1:8",
            ..Values::default()
        };
        let home = |url| at_home(url, &values);
        assert_eq!(home("http://srv:9/r/x?y"), "http://127.0.0.1:8/r/x?y");
        assert_eq!(home("https:\\\\srv\\r"), "http://127.0.0.1:8/r");
        assert_eq!(home("http://srv"), "http://127.0.0.1:8/");
        assert_eq!(home("Replies\\r.bin"), "Replies\\r.bin");
        assert_eq!(home("/r?u=http://x/"), "/r?u=http://x/");
        values.tls = true;
        assert_eq!(at_home("http://srv/r", &values), "https://127.0.0.1:8/r");
        assert_eq!(bare_host("srv:80"), "srv");
        assert_eq!(bare_host("[::1]:80"), "[::1]");
        assert_eq!(bare_host("[::1]"), "[::1]");
        assert_eq!(bare_host("srv"), "srv");
    }

    #[tokio::test]
    async fn a_reference_answer_is_spelled_as_on_the_wire() {
        let out = Out::reference(Ack::unknown_session()).await;
        let text = String::from_utf8(out.bytes).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 500 Internal Server Error\r\n"),
            "{text}"
        );
        assert!(
            text.contains("\r\nBITS-Error-Code: 0x8020001F\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nContent-Length: 0\r\n"), "{text}");
    }
}
