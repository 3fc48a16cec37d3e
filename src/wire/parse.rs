//! Reads a complete head into its parts and notes what was wrong with it.
//!
//! `httparse` reads what is right; a reader of our own takes over for what it refuses, so that one odd
//! line costs that line and not the head.

use std::ops::Range;

use super::Field;
use super::head::Start;
use super::item::Stream;
use super::start::{is_token, request_line, simple_request, status_line, strip_end};

/// The parts of a head, as ranges into its bytes.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) start: Start,
    pub(super) fields: Vec<Field>,
    /// Where lines begin that could not be read as they should be.
    pub(super) flaws: Vec<usize>,
    /// A flaw lets two readers disagree about the framing.
    pub(super) doubtful: bool,
}

/// Reads `raw`: a start line that was recognised, field lines and the empty line.
pub(super) fn parse(stream: Stream, raw: &[u8]) -> Parts {
    let first = raw
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(raw.len(), |end| end.saturating_add(1));
    let (line, rest) = raw.split_at_checked(first).unwrap_or((raw, &[]));
    let start = start(stream, strip_end(line));
    match strict(raw, rest) {
        Some(fields) if !has_bare_cr(line) => Parts {
            start,
            fields,
            flaws: Vec::new(),
            doubtful: false,
        },
        _ => lenient(raw, start, first),
    }
}

fn start(stream: Stream, line: &[u8]) -> Start {
    match stream {
        Stream::Requests => match request_line(line).or_else(|| simple_request(line)) {
            Some(line) => Start::Request {
                method: line.method,
                target: line.target,
                minor: line.minor,
            },
            None => Start::Request {
                method: 0..0,
                target: 0..line.len(),
                minor: 9,
            },
        },
        Stream::Responses => match status_line(line) {
            Some(line) => Start::Response {
                minor: line.minor,
                status: line.status,
                reason: line.reason,
            },
            None => Start::Response {
                minor: 0,
                status: 0,
                reason: 0..line.len(),
            },
        },
    }
}

/// Reads the field lines `rest` at the end of `raw` if nothing is odd about them.
fn strict(raw: &[u8], rest: &[u8]) -> Option<Vec<Field>> {
    let few = &mut [httparse::EMPTY_HEADER; 32];
    match httparse::parse_headers(rest, few) {
        Ok(httparse::Status::Complete((length, found))) if length == rest.len() => {
            ranges(raw, found)
        }
        Err(httparse::Error::TooManyHeaders) => {
            let lines = memchr::memchr_iter(b'\n', rest).count();
            let many = &mut vec![httparse::EMPTY_HEADER; lines];
            match httparse::parse_headers(rest, many) {
                Ok(httparse::Status::Complete((length, found))) if length == rest.len() => {
                    ranges(raw, found)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn ranges(raw: &[u8], found: &[httparse::Header<'_>]) -> Option<Vec<Field>> {
    let mut fields = Vec::with_capacity(found.len());
    for header in found {
        let name = range_in(raw, header.name.as_bytes())?;
        let value = header.value.trim_ascii_end();
        let value = if value.is_empty() {
            // An empty slice may point anywhere; the value begins behind the colon.
            let after = name.end.saturating_add(1);
            after..after
        } else {
            range_in(raw, value)?
        };
        fields.push(Field { name, value });
    }
    Some(fields)
}

fn range_in(raw: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(raw.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= raw.len()).then_some(start..end)
}

/// Reads any head line by line; the field lines begin at `first`.
fn lenient(raw: &[u8], start: Start, first: usize) -> Parts {
    let mut parts = Parts {
        start,
        fields: Vec::new(),
        flaws: Vec::new(),
        doubtful: has_bare_cr(raw),
    };
    if has_bare_cr(raw.get(..first).unwrap_or_default()) {
        parts.flaws.push(0);
    }
    let mut begin = first;
    let mut last_frames = false;
    for line in raw
        .get(first..)
        .unwrap_or_default()
        .split_inclusive(|byte| *byte == b'\n')
    {
        let content = strip_end(line);
        if !content.is_empty() {
            field_line(&mut parts, content, begin, &mut last_frames);
        }
        begin = begin.saturating_add(line.len());
    }
    parts
}

/// Reads one line; `last_frames` tells whether the last field is a framing field, or nearly.
fn field_line(parts: &mut Parts, line: &[u8], begin: usize, last_frames: &mut bool) {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        parts.flaws.push(begin);
        fold(parts, line, begin, *last_frames);
        return;
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        parts.flaws.push(begin);
        parts.doubtful |= names_framing(line);
        return;
    };
    let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
    let value = value.get(1..).unwrap_or_default();
    let frames = names_framing(name);
    let clean = !name.is_empty() && name.iter().all(|byte| is_token(*byte));
    if !clean
        || value
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        parts.flaws.push(begin);
        parts.doubtful |= frames;
    }
    let name = name.trim_ascii_end();
    if name.is_empty() {
        return;
    }
    *last_frames = frames;
    let value_begin = begin
        .saturating_add(colon)
        .saturating_add(1)
        .saturating_add(value.len().saturating_sub(value.trim_ascii_start().len()));
    parts.fields.push(Field {
        name: begin..begin.saturating_add(name.len()),
        value: value_begin..value_begin.saturating_add(value.trim_ascii().len()),
    });
}

/// Adds a continuation line to the value before it.
///
/// RFC 9112 §5.2
fn fold(parts: &mut Parts, line: &[u8], begin: usize, last_frames: bool) {
    let end = begin.saturating_add(line.trim_ascii_end().len());
    match parts.fields.last_mut() {
        Some(field) => {
            parts.doubtful |= last_frames;
            if !line.trim_ascii().is_empty() {
                field.value.end = end;
            }
        }
        // It continues the start line for some and is a field line for others.
        None => parts.doubtful |= names_framing(line),
    }
}

/// Tells whether a reader that is lenient in some way could take `name` for a framing field.
fn names_framing(name: &[u8]) -> bool {
    [&b"content-length"[..], b"transfer-encoding"]
        .iter()
        .any(|wanted| {
            name.windows(wanted.len())
                .any(|part| part.eq_ignore_ascii_case(wanted))
        })
}

/// Tells whether a CR stands alone; some readers end a line there.
///
/// RFC 9112 §2.2
fn has_bare_cr(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', bytes).any(|at| bytes.get(at.saturating_add(1)) != Some(&b'\n'))
}
