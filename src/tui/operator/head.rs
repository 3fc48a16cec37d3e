//! Changing a held head: head bytes in, head bytes out; what nobody touched stays byte for byte.
//!
//! Two ways: fields by name with typed values ([`entries`], [`check`], [`amended`]), and the lines of the
//! whole head ([`lines`], [`rebuilt`]). Pure; knows no screen and nobody who holds anything.

use bytes::Bytes;

use crate::bits::header::{self, Name, SPELLINGS};
use crate::bits::hresult;
use crate::bits::packet::read_request;
use crate::fault::amend;
use crate::fault::rule::Edit;
use crate::wire::{Decoder, Framing, Head, Item, Malformed, Stream};

/// What is wrong with a head, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// From 1.
    pub line: usize,
    pub text: String,
}

/// What of a head can be changed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Status,
    Field(Name),
}

/// One value of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub part: Part,
    /// The field's name as it is spelled in this head, else as usual.
    pub name: String,
    /// Empty where the head does not have it.
    pub value: String,
    /// What it says: one clause.
    pub meaning: &'static str,
}

/// Fields that are offered for a request of an upload, present or not.
const UPLOAD: [Name; 5] = [
    Name::PacketType,
    Name::SessionId,
    Name::ContentRange,
    Name::ContentName,
    Name::ContentLength,
];

/// Fields that are offered for any other request.
const DOWNLOAD: [Name; 2] = [Name::Range, Name::IfUnmodifiedSince];

/// Fields that are offered for an answer to an upload.
const ACK: [Name; 7] = [
    Name::PacketType,
    Name::SessionId,
    Name::ReceivedContentRange,
    Name::Error,
    Name::ErrorContext,
    Name::ReplyUrl,
    Name::HostId,
];

/// Reads a whole head, its empty line included.
pub fn read(stream: Stream, bytes: &[u8]) -> Result<(Head, Framing), Wrong> {
    let mut items = Vec::new();
    let mut decoder = Decoder::new(stream);
    decoder.feed(bytes, &mut items);
    let line = |at: u64| {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        let before = bytes.get(..at).unwrap_or_default();
        memchr::memchr_iter(b'\n', before).count().saturating_add(1)
    };
    for item in items {
        let (offset, text) = match item {
            Item::Head { head, framing } if head.raw.len() == bytes.len() => {
                return Ok((head, framing));
            }
            Item::Head { head, .. } => (
                head.raw.len() as u64,
                "the head ends here, but something follows",
            ),
            Item::Malformed { offset, what } => (
                offset,
                match what {
                    Malformed::FieldLine => "not a field: a name, a colon, a value",
                    Malformed::HeadTooLong => "the head is too long",
                    Malformed::Ambiguous => "the length of the content can be read in two ways",
                    _ => start_line(stream),
                },
            ),
            Item::Opaque { offset, .. } | Item::Stray { offset, .. } => {
                (offset, start_line(stream))
            }
            _ => continue,
        };
        return Err(Wrong {
            line: line(offset),
            text: text.to_owned(),
        });
    }
    let text = if bytes.trim_ascii().is_empty() {
        start_line(stream)
    } else {
        "the head has no end: an empty line"
    };
    Err(Wrong {
        line: line(u64::MAX),
        text: text.to_owned(),
    })
}

const fn start_line(stream: Stream) -> &'static str {
    match stream {
        Stream::Requests => "not a request line: a method, a target, HTTP/1.1",
        Stream::Responses => "not a status line: HTTP/1.1, a status, a reason",
    }
}

/// Lists what of a head can be changed by name: what it has, then what it could have.
pub fn entries(head: &Head) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    if let Some(status) = head.status() {
        out.push(Entry {
            part: Part::Status,
            name: "Status".to_owned(),
            value: format!("{status:03}"),
            meaning: "how the request came out",
        });
    }
    for (name, value) in head.pairs() {
        let name = header::text(name);
        if let Some(spelling) = header::identify(name.as_bytes())
            && !out
                .iter()
                .any(|known| known.name.eq_ignore_ascii_case(&name))
        {
            out.push(Entry {
                part: Part::Field(spelling.name),
                name,
                value: header::text(value),
                meaning: usual(spelling.name).1,
            });
        }
    }
    let offered: &[Name] = if head.status().is_some() {
        &ACK
    } else if read_request(head).upload {
        &UPLOAD
    } else {
        &DOWNLOAD
    };
    for name in offered {
        if !out.iter().any(|known| known.part == Part::Field(*name)) {
            let (wire, meaning) = usual(*name);
            out.push(Entry {
                part: Part::Field(*name),
                name: wire.to_owned(),
                value: String::new(),
                meaning,
            });
        }
    }
    out
}

fn usual(name: Name) -> (&'static str, &'static str) {
    SPELLINGS
        .iter()
        .find(|spelling| spelling.name == name)
        .map_or(("", ""), |spelling| (spelling.wire, spelling.meaning))
}

/// Judges what a person wants a part to say; returns how it is written on the wire. Empty: the field is
/// left out.
pub fn check(part: Part, text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err("a value is one line without control characters".to_owned());
    }
    let name = match part {
        Part::Status => return status(text),
        Part::Field(_) if text.is_empty() => return Ok(String::new()),
        Part::Field(name) => name,
    };
    match name {
        Name::ReceivedContentRange | Name::ContentLength | Name::HostIdFallbackTimeout => {
            number(text)
        }
        Name::ContentRange => content_range(text),
        Name::Range => range(text),
        Name::Error => error(text),
        Name::ErrorContext => header::context(text.as_bytes())
            .map(|context| format!("0x{context:X}"))
            .ok_or_else(|| "not a context: 0x5 (the server) or 0x7 (the application)".to_owned()),
        Name::SessionId if text.contains(char::is_whitespace) => {
            Err("an id has no blanks inside: {7df0354d-249b-430f-820d-3d2a9bef4931}".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

fn status(text: &str) -> Result<String, String> {
    let status = text.parse::<u16>().ok().filter(|_| text.len() == 3);
    match status {
        Some(status @ 100..=999) => Ok(status.to_string()),
        _ => Err("not a status: three digits, 100 to 999".to_owned()),
    }
}

fn number(text: &str) -> Result<String, String> {
    let exact = header::offset(text.as_bytes());
    let number = exact.or_else(|| Some(text.parse::<bytesize::ByteSize>().ok()?.as_u64()));
    number
        .map(|number| number.to_string())
        .ok_or_else(|| "not a number of bytes: 4096 or 4MiB".to_owned())
}

fn content_range(text: &str) -> Result<String, String> {
    let whole = if text.starts_with(|c: char| c.is_ascii_digit() || c == '*') {
        format!("bytes {text}")
    } else {
        text.to_owned()
    };
    if header::unsatisfied(whole.as_bytes()).is_some() {
        return Ok(whole);
    }
    let Some(range) = header::content_range(whole.as_bytes()) else {
        return Err("not a range: bytes 0-1023/4096, both ends inclusive".to_owned());
    };
    if range.first > range.last {
        return Err(format!(
            "the range ends at {} before it begins at {}",
            range.last, range.first
        ));
    }
    match range.total {
        Some(total) if range.last >= total => Err(format!(
            "the last byte of {total} is {}, not {} (both ends are inclusive)",
            total.saturating_sub(1),
            range.last
        )),
        _ => Ok(whole),
    }
}

fn range(text: &str) -> Result<String, String> {
    let whole = if text.starts_with(|c: char| c.is_ascii_digit()) {
        format!("bytes={text}")
    } else {
        text.to_owned()
    };
    let ranges = header::ranges(whole.as_bytes());
    let backwards = |(first, last): &(u64, Option<u64>)| last.is_some_and(|last| last < *first);
    if ranges.is_empty() || ranges.iter().any(backwards) {
        return Err("not a range: bytes=0-1023 or bytes=1024-, both ends inclusive".to_owned());
    }
    Ok(whole)
}

/// Reads an error by name or code; a number is written as hexadecimal.
fn error(text: &str) -> Result<String, String> {
    let by_name = hresult::lookup_name(text).map(|known| known.code);
    let code = by_name.or_else(|| header::hresult(text.as_bytes()));
    code.map(|code| format!("0x{code:08X}"))
        .ok_or_else(|| "neither a name nor a code: BG_E_SESSION_NOT_FOUND or 0x8020001F".to_owned())
}

/// Returns the head with these parts changed: each with what [`check`] returned for it.
pub fn amended(head: &Head, changes: &[(&Entry, String)]) -> Bytes {
    let mut edit = Edit::default();
    let mut without = Vec::new();
    for (entry, value) in changes {
        match entry.part {
            Part::Status => edit.status = value.parse().ok(),
            Part::Field(_) if value.is_empty() => without.push(entry.name.clone()),
            Part::Field(_) => edit.headers.push((entry.name.clone(), value.clone())),
        }
    }
    amend(head, &edit, &without)
}

/// Returns the lines of a head without their ends and without the empty line.
pub fn lines(head: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').map(bare).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Makes a head of lines, which may have ends of any kind. A line that `original` has ends as it does
/// there, any other one with CRLF, or with LF where the first line of `original` does.
pub fn rebuilt<L: AsRef<[u8]>>(original: &[u8], new: &[L]) -> Result<Bytes, Wrong> {
    let mut new: Vec<&[u8]> = new.iter().map(|line| bare(line.as_ref())).collect();
    while new.last().is_some_and(|line| line.is_empty()) {
        new.pop();
    }
    if new == lines(original) {
        return Ok(Bytes::copy_from_slice(original));
    }
    if let Some(at) = new.iter().position(|line| line.is_empty()) {
        return Err(Wrong {
            line: at.saturating_add(1),
            text: "an empty line ends the head, but more follows".to_owned(),
        });
    }
    let known: Vec<&[u8]> = original.split_inclusive(|byte| *byte == b'\n').collect();
    let end = |line: &[u8]| match line {
        [.., b'\r', b'\n'] => Some(&b"\r\n"[..]),
        [.., b'\n'] => Some(&b"\n"[..]),
        _ => None,
    };
    let usual = known.first().and_then(|line| end(line)).unwrap_or(b"\r\n");
    let mut out = Vec::with_capacity(original.len());
    for line in new {
        let same = known
            .iter()
            .find(|known| bare(known.strip_suffix(b"\n").unwrap_or(known)) == line);
        out.extend_from_slice(line);
        out.extend_from_slice(same.and_then(|known| end(known)).unwrap_or(usual));
    }
    let last = known
        .last()
        .filter(|line| bare(line) == b"\n" || **line == b"\n");
    out.extend_from_slice(last.and_then(|line| end(line)).unwrap_or(usual));
    Ok(Bytes::from(out))
}

/// Returns a line as text; a byte that is no text as `\xNN`.
pub fn shown(line: &[u8]) -> String {
    let mut out = String::new();
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && c != '\t' {
                for byte in c.to_string().bytes() {
                    out.push_str(&format!("\\x{byte:02X}"));
                }
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02X}"));
        }
    }
    out
}

/// Returns the bytes of the text lines; a line that `original` shows the same way is taken from there,
/// and in those of a head that has bytes that are no text, `\xNN` stands for such a byte.
pub fn meant(original: &[u8], text: &[String]) -> Vec<Vec<u8>> {
    let known: Vec<(String, &[u8])> = lines(original)
        .into_iter()
        .map(|line| (shown(line), line))
        .collect();
    let escaped = known.iter().any(|(shown, line)| shown.as_bytes() != *line);
    let one = |text: &String| match known.iter().find(|(shown, _)| shown == text) {
        Some((_, line)) => line.to_vec(),
        None if escaped => unescaped(text),
        None => text.clone().into_bytes(),
    };
    text.iter().map(one).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let byte = escape
            .get(2..4)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        // Only what is shown so: a path like C:\x41 is meant as it stands.
        let byte =
            byte.filter(|byte| !(0x20..0x7F).contains(byte) && !matches!(byte, b'\r' | b'\n'));
        let taken = if let Some(byte) = byte {
            out.push(byte);
            4
        } else {
            out.extend_from_slice(b"\\x");
            2
        };
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
    out
}
