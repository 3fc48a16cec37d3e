//! Finds the next message in bytes that belong to none, in pieces and without looking back.
//!
//! A message may follow garbage without a line break. Bytes are given up as soon as no start line can
//! hold them. What counts as a start line here is stricter than where one is due: the first one taken
//! for real decides how everything behind it is read.

use memchr::memchr2;
use memchr::memmem;

use super::item::Stream;
use super::start::{LINE_MAX, METHOD_MAX, VERSION, is_token, request_line, status_line, strip_end};

/// Methods that are told apart from a token that precedes them without a break, longest first.
const METHODS: &[&[u8]] = &[
    b"BITS_POST",
    b"CCM_POST",
    b"PROPFIND",
    b"CONNECT",
    b"OPTIONS",
    b"DELETE",
    b"PATCH",
    b"HEAD",
    b"POST",
    b"GET",
    b"PUT",
];

/// What the search says about the bytes so far.
#[derive(Debug)]
pub(super) enum Found {
    /// A message begins after so many bytes.
    Start(usize),
    /// So many bytes belong to no message; the others may.
    Not(usize),
}

/// Where the search for the next message stands.
///
/// Positions count from the first byte searched: the caller drops bytes from the front of its buffer, and
/// what is found must not depend on when.
#[derive(Debug, Default)]
pub(super) struct StraySearch {
    /// Bytes dropped so far.
    gone: usize,
    /// Bytes looked at so far.
    scanned: usize,
    /// Responses: how far the line of the first candidate was looked at.
    checked: usize,
    /// Requests: where the last words of the line begin, the latest last.
    words: [Option<usize>; 3],
}

impl StraySearch {
    /// Looks at the bytes of `buffer` that it has not seen yet. The caller drops the bytes that are said
    /// to belong to no message.
    pub(super) fn advance(&mut self, stream: Stream, buffer: &[u8]) -> Found {
        let found = match stream {
            Stream::Requests => self.requests(buffer),
            Stream::Responses => self.responses(buffer),
        };
        if let Found::Not(gone) = found {
            self.gone = self.gone.saturating_add(gone);
        }
        found
    }

    /// Returns where `position` lies in a buffer from which the bytes given up were dropped.
    fn place(&self, position: usize) -> usize {
        position.saturating_sub(self.gone)
    }

    fn responses(&mut self, buffer: &[u8]) -> Found {
        let mut from = self.place(self.scanned);
        while let Some(at) = buffer
            .get(from..)
            .and_then(|fresh| memmem::find(fresh, VERSION))
        {
            let start = from.saturating_add(at);
            let line = buffer.get(start..).unwrap_or_default();
            match self.candidate(start, line) {
                Some(true) => return Found::Start(start),
                Some(false) => from = start.saturating_add(1),
                None => {
                    self.scanned = self.gone.saturating_add(start);
                    return Found::Not(start);
                }
            }
        }
        let fresh = buffer.get(from..).unwrap_or_default();
        let kept = (1..VERSION.len())
            .rev()
            .find(|length| {
                VERSION
                    .get(..*length)
                    .is_some_and(|part| fresh.ends_with(part))
            })
            .unwrap_or(0);
        let end = buffer.len().saturating_sub(kept);
        self.scanned = self.gone.saturating_add(end);
        Found::Not(end)
    }

    /// Tells whether a status line begins `line`, which begins at `start` of the buffer; `None` until
    /// that is certain.
    fn candidate(&mut self, start: usize, line: &[u8]) -> Option<bool> {
        if !could_be_status(line) {
            return Some(false);
        }
        let begin = self.gone.saturating_add(start);
        let known = self.checked.saturating_sub(begin);
        // Not beyond what a start line may have, and not again for the next candidate.
        let near = line.get(..=LINE_MAX).unwrap_or(line);
        let found = memchr2(b'\n', b'<', near.get(known..).unwrap_or_default());
        let end = found.map_or(near.len(), |at| known.saturating_add(at));
        self.checked = self.checked.max(begin.saturating_add(end));
        match found {
            // A line with `<` is a status quoted in a page, not one sent.
            Some(_) => {
                let line = line.get(..=end)?;
                Some(line.ends_with(b"\n") && status_line(strip_end(line)).is_some())
            }
            None if line.len() > LINE_MAX => Some(false),
            None => None,
        }
    }

    fn requests(&mut self, buffer: &[u8]) -> Found {
        for (index, byte) in buffer.iter().enumerate().skip(self.place(self.scanned)) {
            let at = self.gone.saturating_add(index);
            let next = at.saturating_add(1);
            match byte {
                b'\n' => {
                    let line = buffer.get(..=index).unwrap_or_default();
                    if let Some(start) = self.request_before(line) {
                        return Found::Start(start);
                    }
                    self.words = [None, None, Some(next)];
                }
                b' ' => {
                    let [_, second, third] = self.words;
                    self.words = [second, third, Some(next)];
                }
                b'\r' => {}
                _ if byte.is_ascii_control() => self.words = [None, None, Some(next)],
                _ => {
                    let [_, _, third] = self.words;
                    let begin = third.unwrap_or(at);
                    if third.is_none() || at.saturating_sub(begin) > LINE_MAX {
                        // Too long for a target; a method may still be at its end.
                        self.words = [None, None, Some(begin)];
                    }
                }
            }
        }
        self.scanned = self.gone.saturating_add(buffer.len());
        Found::Not(self.kept(buffer))
    }

    /// Returns where in `buffer` a request line begins whose LF is the last byte of it.
    fn request_before(&self, buffer: &[u8]) -> Option<usize> {
        let [Some(first), Some(second), Some(third)] = self.words else {
            return None;
        };
        let (first, second, third) = (self.place(first), self.place(second), self.place(third));
        let version = strip_end(buffer.get(third..)?);
        let target = buffer.get(second..third)?.trim_ascii_end();
        let start = method_start(buffer, first, second.saturating_sub(1));
        let method = buffer.get(start..second)?.strip_suffix(b" ")?;
        let plausible = target.starts_with(b"/")
            || target == b"*"
            || memmem::find(target, b"://").is_some()
            || method.ends_with(b"CONNECT");
        let whole = version.starts_with(VERSION)
            && plausible
            && request_line(strip_end(buffer.get(start..)?)).is_some();
        whole.then(|| start.saturating_add(glued(method)))
    }

    /// Returns the first byte of `buffer` that a request line still to come could hold.
    fn kept(&self, buffer: &[u8]) -> usize {
        let [first, second, third] = self.words.map(|word| word.map(|at| self.place(at)));
        let Some(third) = third else {
            return buffer.len();
        };
        let last = buffer.get(third..).unwrap_or_default();
        let last = last.strip_suffix(b"\r").unwrap_or(last);
        let version = last.len() <= 8 && last.iter().zip(VERSION).all(|(a, b)| a == b);
        let before = |word: usize, after: usize| {
            let end = after.saturating_sub(1);
            Some(method_start(buffer, word, end)).filter(|start| *start < end)
        };
        let three = first.zip(second).filter(|_| version);
        three
            .and_then(|(first, second)| before(first, second))
            .or_else(|| second.and_then(|second| before(second, third)))
            .unwrap_or_else(|| method_start(buffer, third, buffer.len()))
    }
}

/// Tells whether `line`, maybe cut short, agrees with the fixed part of a status line.
fn could_be_status(line: &[u8]) -> bool {
    line.iter()
        .skip(VERSION.len())
        .take(6)
        .enumerate()
        .all(|(at, byte)| match at {
            0 | 2..=4 => byte.is_ascii_digit(),
            1 => *byte == b' ',
            _ => matches!(byte, b' ' | b'\r' | b'\n'),
        })
}

/// Returns where the token begins that ends at `end`, not before `word`.
fn method_start(buffer: &[u8], word: usize, end: usize) -> usize {
    let bytes = buffer.get(word..end).unwrap_or_default();
    let length = bytes
        .iter()
        .rev()
        .take(METHOD_MAX)
        .take_while(|byte| is_token(**byte))
        .count();
    end.saturating_sub(length)
}

/// Returns how many bytes of a token stand before a known method that it ends with.
fn glued(method: &[u8]) -> usize {
    METHODS
        .iter()
        .find_map(|known| method.strip_suffix(*known))
        .map_or(0, <[u8]>::len)
}
