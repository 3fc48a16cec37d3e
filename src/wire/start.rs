//! What a start line looks like: strict enough to find one in garbage, lenient enough to keep odd ones.
//!
//! Pure functions on single lines, without their line ends. Knows nothing of fields or framing.

use std::ops::Range;

use super::item::Stream;

/// A method longer than this is no method.
pub(super) const METHOD_MAX: usize = 64;

/// A line longer than this, in bytes, is taken for a start line only where its first bytes leave no doubt.
pub(super) const LINE_MAX: usize = 8192;

/// The start of every status line that we read, but for the minor version's digit.
pub(super) const VERSION: &[u8] = b"HTTP/1.";

/// The parts of a request line.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    pub(super) minor: u8,
}

/// The parts of a status line.
#[derive(Debug)]
pub(super) struct StatusLine {
    pub(super) minor: u8,
    pub(super) status: u16,
    pub(super) reason: Range<usize>,
}

/// What the first bytes of a line, not yet complete, allow to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// This cannot become a start line.
    Never,
    /// This may become one.
    Maybe,
    /// This is one: nobody else's text begins like this.
    Surely,
}

/// Tells whether `byte` may stand in a token.
///
/// RFC 9110 §5.6.2
pub(super) const fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Returns `line` without its line end, which may be a bare LF.
pub(super) fn strip_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the length of the token that `bytes` begin with, counted up to one more than a method may have.
fn token_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(METHOD_MAX.saturating_add(1))
        .take_while(|byte| is_token(**byte))
        .count()
}

/// Reads a version at the end of a line; returns where it begins and the minor version.
fn version_at_end(line: &[u8]) -> Option<(usize, u8)> {
    let (digit, head) = line.split_last()?;
    let before = head.strip_suffix(VERSION)?;
    // 9 stands for "no version"; nobody has sent HTTP/1.9 yet.
    digit
        .is_ascii_digit()
        .then(|| (before.len(), digit.wrapping_sub(b'0').min(8)))
}

/// Reads a request line that has a version. Blanks inside the target and around the parts are borne.
///
/// RFC 9112 §3
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine> {
    let (version, minor) = version_at_end(line.trim_ascii_end())?;
    let method = token_length(line);
    if !(1..=METHOD_MAX).contains(&method) || line.iter().any(u8::is_ascii_control) {
        return None;
    }
    let middle = line.get(method..version)?;
    let target = middle.trim_ascii();
    if target.is_empty() || middle.first() != Some(&b' ') || middle.last() != Some(&b' ') {
        return None;
    }
    let blanks = middle.iter().take_while(|byte| **byte == b' ').count();
    let start = method.saturating_add(blanks);
    Some(RequestLine {
        method: 0..method,
        target: start..start.saturating_add(target.len()),
        minor,
    })
}

/// Reads a request line of HTTP/0.9, which has neither version nor fields.
///
/// RFC 1945 §4.1
pub(super) fn simple_request(line: &[u8]) -> Option<RequestLine> {
    let target = line.strip_prefix(b"GET ")?;
    let plain = target.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    (plain && !target.is_empty()).then_some(RequestLine {
        method: 0..3,
        target: 4..line.len(),
        minor: 9,
    })
}

/// Reads a status line; the reason may be missing or hold anything.
///
/// RFC 9112 §4
pub(super) fn status_line(line: &[u8]) -> Option<StatusLine> {
    let rest = line.strip_prefix(VERSION)?;
    let (digit, rest) = rest.split_first()?;
    let code = rest.trim_ascii_start();
    if !digit.is_ascii_digit() || rest.first() != Some(&b' ') {
        return None;
    }
    let (code, rest) = code.split_at_checked(3)?;
    if !code.iter().all(u8::is_ascii_digit) || rest.first().is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let status = code.iter().fold(0_u16, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u16::from(digit.wrapping_sub(b'0')))
    });
    let reason = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(StatusLine {
        minor: digit.wrapping_sub(b'0').min(8),
        status,
        reason: line.len().saturating_sub(reason.len())..line.len(),
    })
}

/// Tells whether a line in the middle of a head is the start line of another message.
pub(super) fn is_start(stream: Stream, line: &[u8]) -> bool {
    match stream {
        Stream::Requests => line
            .get(line.len().saturating_sub(8)..)
            .is_some_and(|end| end.starts_with(VERSION) && request_line(line).is_some()),
        Stream::Responses => line.starts_with(VERSION) && status_line(line).is_some(),
    }
}

/// Judges the first bytes of a line where a start line is due. `new` says from where on the bytes were not
/// judged before.
pub(super) fn prefix(stream: Stream, bytes: &[u8], new: usize) -> Prefix {
    match stream {
        Stream::Requests => request_prefix(bytes, new),
        Stream::Responses => status_prefix(bytes),
    }
}

fn status_prefix(bytes: &[u8]) -> Prefix {
    let known = bytes.len().min(VERSION.len());
    if bytes.get(..known) != VERSION.get(..known) {
        return Prefix::Never;
    }
    match bytes.get(VERSION.len()) {
        None => Prefix::Maybe,
        Some(digit) if digit.is_ascii_digit() => Prefix::Surely,
        Some(_) => Prefix::Never,
    }
}

fn request_prefix(bytes: &[u8], new: usize) -> Prefix {
    let length = token_length(bytes);
    let (method, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
    if length > METHOD_MAX || (length == 0 && !rest.is_empty()) {
        return Prefix::Never;
    }
    let shouted = method
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'));
    match rest {
        [] => Prefix::Maybe,
        [b' ', b'/', ..] if shouted => Prefix::Surely,
        [b' ', ..] => {
            // A CR may be half of the line end, if nothing follows it: the last one seen is looked at again.
            let fresh = bytes.get(new.saturating_sub(1)..).unwrap_or_default();
            let fresh = fresh.strip_suffix(b"\r").unwrap_or(fresh);
            if fresh.iter().any(u8::is_ascii_control) {
                Prefix::Never
            } else {
                Prefix::Maybe
            }
        }
        _ => Prefix::Never,
    }
}
