//! The answers that the relay writes itself, when it could not reach the server.
//!
//! They bear no BITS field, so that a BITS client takes them for what they are, a fault of a gateway,
//! and tries again later. Pure: text in, bytes out.

use bytes::Bytes;

/// Why the server could not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialError {
    /// One clause in lower case, such as `connection refused`.
    pub reason: String,
    /// Whether a timer ended the attempt.
    pub timed_out: bool,
}

impl DialError {
    /// Says that a whole attempt took longer than it may.
    pub(super) fn too_late(limit: std::time::Duration) -> Self {
        Self {
            reason: format!("no connection within {limit:?}"),
            timed_out: true,
        }
    }

    /// Returns the status for the client: 504 after a timeout, 502 otherwise.
    ///
    /// RFC 9110 §15.6.3, §15.6.5
    pub fn status(&self) -> u16 {
        if self.timed_out { 504 } else { 502 }
    }
}

/// Writes the whole response to a request that could not be forwarded to `upstream`; to a HEAD request only
/// its head.
pub(super) fn unreachable(upstream: &str, error: &DialError, head_only: bool) -> Bytes {
    let status = error.status();
    let phrase = if status == 504 {
        "Gateway Timeout"
    } else {
        "Bad Gateway"
    };
    // A reason may quote what a resolver or a certificate says: keep it to one line.
    let reason: String = (error.reason.chars())
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let text = format!(
        "The upstream {upstream} could not be reached: {reason}.\n\
         Hint: see whether the server runs, and whether its name and port are right."
    );
    page(status, phrase, "Connection: close\r\n", &text, head_only)
}

/// Writes the whole response to a request that the proxy does not take; its connection stays.
pub(super) fn refusal(status: u16, phrase: &str, text: &str, head_only: bool) -> Bytes {
    page(status, phrase, "", text, head_only)
}

/// Writes the same for a request after which the connection ends.
pub(super) fn closing(status: u16, phrase: &str, text: &str) -> Bytes {
    page(status, phrase, "Connection: close\r\n", text, false)
}

/// Writes the whole response to a request whose sender may not use the proxy.
///
/// RFC 9110 §11.7.1, §15.5.8
pub(super) fn unadmitted(head_only: bool) -> Bytes {
    let fields = "Proxy-Authenticate: Basic realm=\"bitstap\", charset=\"UTF-8\"\r\n";
    let text = "The proxy wants a user name and a password.";
    page(
        407,
        "Proxy Authentication Required",
        fields,
        text,
        head_only,
    )
}

fn page(status: u16, phrase: &str, fields: &str, text: &str, head_only: bool) -> Bytes {
    let text = format!("bitstap: this answer comes from the proxy, not from the server.\n{text}\n");
    Bytes::from(format!(
        "HTTP/1.1 {status} {phrase}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         {fields}\r\n{}",
        text.len(),
        if head_only { "" } else { &text }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_text_and_control_characters_are_gone() {
        let error = DialError {
            reason: "no\r\nsuch: host".to_owned(),
            timed_out: false,
        };
        let answer = unreachable("http://example.org:80", &error, false);
        let answer = std::str::from_utf8(&answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(body.contains("http://example.org:80 could not be reached: no  such: host."));
    }
}
