//! Changes to a head, in place: whatever is not named stays byte for byte as it was sent.
//!
//! Order, case, blanks, duplicates, folded and broken lines of everything else are kept. Pure: a head
//! and an edit in, bytes out. Does not look after the framing: who sets a length means it.

use std::ops::Range;

use bytes::Bytes;

use crate::bits::header::{self, Name};
use crate::wire::{Head, Start};

use super::rule::{BitsField, BitsValue, Edit, ErrorHeader};
use super::value::{self, Base};

/// Returns a head with `edit` made to it and without the fields that are called `without`; all other
/// bytes stay.
pub fn amend(head: &Head, edit: &Edit, without: &[String]) -> Bytes {
    let mut draft = Draft::new(head);
    draft.take_out(without, &[]);
    draft.set(edit, Base::default());
    draft.bytes()
}

/// A head under change.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pieces: Vec<Piece>,
    /// What ends a line here.
    end: &'static [u8],
    /// Where status and reason lie in the first piece; `None` for a request.
    status: Option<(Range<usize>, Range<usize>)>,
}

#[derive(Clone, Debug)]
enum Piece {
    /// Nothing that can be named.
    Plain(Vec<u8>),
    /// A field with its whole line; the ranges are within it.
    Field {
        line: Vec<u8>,
        name: Range<usize>,
        value: Range<usize>,
    },
}

impl Draft {
    /// Takes a head apart.
    pub(super) fn new(head: &Head) -> Self {
        let raw = &head.raw;
        let mut pieces = Vec::with_capacity(head.fields.len().saturating_add(2));
        let slice = |range: Range<usize>| raw.get(range).unwrap_or_default().to_vec();
        let start = memchr::memchr(b'\n', raw).map_or(raw.len(), |at| at.saturating_add(1));
        pieces.push(Piece::Plain(slice(0..start)));
        let mut done = start;
        for field in &head.fields {
            let before = raw.get(..field.name.start).unwrap_or_default();
            let begin = memchr::memrchr(b'\n', before).map_or(0, |at| at.saturating_add(1));
            let last = field.value.end.max(field.name.end);
            let after = raw.get(last..).unwrap_or_default();
            let end = memchr::memchr(b'\n', after)
                .map_or(raw.len(), |at| last.saturating_add(at).saturating_add(1));
            if begin < done {
                continue;
            }
            if begin > done {
                pieces.push(Piece::Plain(slice(done..begin)));
            }
            let within = |range: &Range<usize>| {
                range.start.saturating_sub(begin)..range.end.saturating_sub(begin)
            };
            pieces.push(Piece::Field {
                line: slice(begin..end),
                name: within(&field.name),
                value: within(&field.value),
            });
            done = end;
        }
        pieces.push(Piece::Plain(slice(done..raw.len())));
        let crlf = raw.get(..start).is_some_and(|line| line.ends_with(b"\r\n"));
        Self {
            pieces,
            end: if crlf { b"\r\n" } else { b"\n" },
            status: status_place(head),
        }
    }

    /// Returns the bytes as they stand.
    pub(super) fn bytes(&self) -> Bytes {
        let bytes: Vec<u8> = self
            .pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Plain(bytes) | Piece::Field { line: bytes, .. } => bytes.as_slice(),
            })
            .copied()
            .collect();
        Bytes::from(bytes)
    }

    /// Applies an edit; `base` is what a relative value starts from where the head has none.
    pub(super) fn set(&mut self, edit: &Edit, base: Base) {
        self.set_status(edit);
        if let Some(minor) = edit.version {
            self.set_version(minor);
        }
        let mut named: Vec<&str> = Vec::new();
        for (name, _) in &edit.headers {
            if named.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                continue;
            }
            named.push(name);
            let values: Vec<Vec<u8>> = edit
                .headers
                .iter()
                .filter(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, value)| value::clean(value))
                .collect();
            self.put(
                |found| found.eq_ignore_ascii_case(name.as_bytes()),
                name,
                &values,
            );
        }
        for (field, value) in &edit.bits {
            self.set_bits(*field, value, edit.error_header, base);
        }
    }

    fn set_bits(&mut self, field: BitsField, value: &BitsValue, spelled: ErrorHeader, base: Base) {
        let known = self
            .values(|name| is(name, field))
            .next()
            .and_then(header::offset);
        let base = Base {
            usual: known.or(base.usual),
            ..base
        };
        let Some(text) = value::text(field, value, base) else {
            return;
        };
        let values = [text.into_bytes()];
        if field != Name::Error {
            let wire = value::usual(field);
            self.put(|name| is(name, field), wire, &values);
            return;
        }
        let wanted = value::error_names(spelled);
        self.remove(|name| {
            is(name, field)
                && !wanted
                    .iter()
                    .any(|wire| wire.as_bytes().eq_ignore_ascii_case(name))
        });
        for wire in wanted {
            self.put(
                |name| name.eq_ignore_ascii_case(wire.as_bytes()),
                wire,
                &values,
            );
        }
    }

    /// Takes fields out, by name and by what they mean.
    pub(super) fn take_out(&mut self, headers: &[String], bits: &[BitsField]) {
        self.remove(|name| {
            headers
                .iter()
                .any(|header| header.as_bytes().eq_ignore_ascii_case(name))
                || bits.iter().any(|field| is(name, *field))
        });
    }

    fn values(&self, meant: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().filter_map(move |piece| match piece {
            Piece::Field { line, name, value } => {
                meant(line.get(name.clone())?).then(|| line.get(value.clone()).unwrap_or_default())
            }
            Piece::Plain(_) => None,
        })
    }

    fn remove(&mut self, meant: impl Fn(&[u8]) -> bool) {
        self.pieces.retain(|piece| match piece {
            Piece::Field { line, name, .. } => !meant(line.get(name.clone()).unwrap_or_default()),
            Piece::Plain(_) => true,
        });
    }

    /// Gives the fields that are `meant` these values: the first ones in place, further fields go,
    /// further values are added at the end under `name`.
    fn put(&mut self, meant: impl Fn(&[u8]) -> bool, name: &str, values: &[Vec<u8>]) {
        let mut rest = values.iter();
        self.pieces.retain_mut(|piece| {
            let Piece::Field {
                line,
                name: own,
                value,
            } = piece
            else {
                return true;
            };
            if !meant(line.get(own.clone()).unwrap_or_default()) {
                return true;
            }
            let Some(new) = rest.next() else {
                return false;
            };
            replace(line, value, new);
            true
        });
        for value in rest {
            self.add(name, value);
        }
    }

    /// Adds a field before the empty line; a head that has none (HTTP/0.9) has no fields either.
    fn add(&mut self, name: &str, value: &[u8]) {
        let end = self.end;
        let Some(Piece::Plain(tail)) = self.pieces.last_mut() else {
            return;
        };
        let blank = [&b"\r\n"[..], b"\n"]
            .into_iter()
            .find(|blank| tail.ends_with(blank));
        let Some(blank) = blank else {
            return;
        };
        let mut line = value::clean(name);
        let own = 0..line.len();
        line.extend_from_slice(b": ");
        let begin = line.len();
        line.extend_from_slice(value);
        let value = begin..line.len();
        line.extend_from_slice(end);
        tail.truncate(tail.len().saturating_sub(blank.len()));
        self.pieces.push(Piece::Field {
            line,
            name: own,
            value,
        });
        self.pieces.push(Piece::Plain(blank.to_vec()));
    }

    /// Writes the minor version of HTTP/1 into the start line; one of another version stays.
    fn set_version(&mut self, minor: u8) {
        let is_response = self.status.is_some();
        let Some(Piece::Plain(line)) = self.pieces.first_mut() else {
            return;
        };
        let mark = b"HTTP/1.";
        let at = if is_response {
            line.starts_with(mark).then_some(0)
        } else {
            memchr::memmem::rfind(line, mark)
        };
        let digit = at.and_then(|at| line.get_mut(at.saturating_add(mark.len())));
        if let Some(digit) = digit.filter(|digit| digit.is_ascii_digit()) {
            *digit = b'0'.saturating_add(minor.min(9));
        }
    }

    /// Changes the status line; a new status brings its usual reason, unless one is given.
    fn set_status(&mut self, edit: &Edit) {
        let Some((status, reason)) = self.status.clone() else {
            return;
        };
        let Some(Piece::Plain(line)) = self.pieces.first_mut() else {
            return;
        };
        let now = line.get(status.clone()).unwrap_or_default();
        let new = edit
            .status
            .map(|status| format!("{status:03}").into_bytes());
        let changes = new.as_deref().is_some_and(|new| new != now);
        let phrase = match (&edit.reason, edit.status) {
            (Some(given), _) => Some(value::clean(given)),
            (None, Some(status)) if changes => Some(value::reason(status).as_bytes().to_vec()),
            _ => None,
        };
        let before = line.len();
        if let Some(phrase) = phrase
            && line.get(reason.clone()) != Some(phrase.as_slice())
        {
            let gap = line
                .get(..reason.start)
                .is_some_and(|start| start.ends_with(b" "));
            let phrase = if gap || phrase.is_empty() {
                phrase
            } else {
                [&b" "[..], &phrase].concat()
            };
            line.splice(reason.clone(), phrase);
        }
        let grown = line.len().saturating_add(reason.len());
        let reason = reason.start..grown.saturating_sub(before).saturating_add(reason.start);
        if let Some(new) = new.filter(|new| new.len() == status.len()) {
            line.splice(status.clone(), new);
        }
        self.status = Some((status, reason));
    }
}

/// Tells whether `name` is a spelling of `field`.
fn is(name: &[u8], field: BitsField) -> bool {
    header::identify(name).is_some_and(|spelling| spelling.name == field)
}

/// Puts `new` where `value` lies in `line`.
fn replace(line: &mut Vec<u8>, value: &mut Range<usize>, new: &[u8]) {
    if value.end > line.len() || line.get(value.clone()) == Some(new) {
        return;
    }
    let begin = value.start;
    if value.start >= value.end && line.get(..begin).is_some_and(|line| line.ends_with(b":")) {
        line.splice(begin..begin, [b' ']);
        *value = begin.saturating_add(1)..begin.saturating_add(1);
    }
    line.splice(value.clone(), new.iter().copied());
    value.end = value.start.saturating_add(new.len());
}

/// Finds the three digits and the reason in the status line of a response.
fn status_place(head: &Head) -> Option<(Range<usize>, Range<usize>)> {
    let Start::Response { reason, .. } = &head.start else {
        return None;
    };
    let before = head.raw.get(..reason.start)?.trim_ascii_end();
    let status = before.len().checked_sub(3)?..before.len();
    let digits = head.raw.get(status.clone())?;
    digits
        .iter()
        .all(u8::is_ascii_digit)
        .then(|| (status, reason.clone()))
}
