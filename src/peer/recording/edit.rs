//! A recorded head with some of its parts changed; every other byte stays as it was sent.
//!
//! Pure. Knows which bytes are a target, a value or a field line, and no meaning of any.

use crate::wire::{Head, Start};

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) enum Change {
    Keep,
    /// The value; name and blanks stay.
    Value(Vec<u8>),
    /// The whole line goes.
    Drop,
}

/// Writes `head` with another target where one is given, and what `change` makes of each field (name, value).
pub(in crate::peer) fn rewrite(
    head: &Head,
    target: Option<&[u8]>,
    mut change: impl FnMut(&[u8], &[u8]) -> Change,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.raw.len() + 64);
    let mut at = 0;
    let copy = |out: &mut Vec<u8>, from: usize, to: usize| {
        out.extend_from_slice(head.raw.get(from..to).unwrap_or_default());
    };
    if let (Some(target), Start::Request { target: place, .. }) = (target, &head.start) {
        copy(&mut out, at, place.start);
        out.extend_from_slice(target);
        at = place.end;
    }
    for field in &head.fields {
        match change(head.slice(&field.name), head.slice(&field.value)) {
            Change::Keep => {}
            Change::Value(value) => {
                copy(&mut out, at, field.value.start);
                // `Name:` without a value leaves no room for the blank.
                if head.raw.get(field.value.start.wrapping_sub(1)) == Some(&b':') {
                    out.push(b' ');
                }
                out.extend(clean(&value));
                at = field.value.end;
            }
            Change::Drop => {
                copy(&mut out, at, field.name.start);
                at = line_end(&head.raw, field.value.end);
            }
        }
    }
    copy(&mut out, at, head.raw.len());
    out
}

/// Adds fields before the empty line at the end of a head.
pub(in crate::peer) fn append(mut head: Vec<u8>, more: &[(&[u8], &[u8])]) -> Vec<u8> {
    let end: &[u8] = if head.ends_with(b"\r\n") {
        b"\r\n"
    } else {
        b"\n"
    };
    head.truncate(head.len().saturating_sub(end.len()));
    for (name, value) in more {
        head.extend_from_slice(name);
        head.extend_from_slice(b": ");
        head.extend(clean(value));
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(end);
    head
}

/// Returns the first byte after the line that `from` lies in.
fn line_end(raw: &[u8], from: usize) -> usize {
    let rest = raw.get(from..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(raw.len(), |at| from.saturating_add(at).saturating_add(1))
}

/// A value of a live peer never makes a line of its own.
fn clean(value: &[u8]) -> impl Iterator<Item = u8> {
    value
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decoder, Item, Stream};

    fn head(text: &str) -> Head {
        let mut items = Vec::new();
        Decoder::new(Stream::Requests).feed(text.as_bytes(), &mut items);
        let head = items.into_iter().find_map(|item| match item {
            Item::Head { head, .. } => Some(head),
            _ => None,
        });
        head.unwrap()
    }

    const RAW: &str = "BITS_POST  /a HTTP/1.1\r\nhost:x\r\nBITS-Session-ID:  {1}  \r\nEmpty:\r\nX: 1\nhOst: y\r\n\r\n";

    #[test]
    fn what_is_not_changed_stays_to_the_byte() {
        let head = head(RAW);
        let same = rewrite(&head, None, |_, _| Change::Keep);
        assert_eq!(String::from_utf8(same).unwrap(), RAW);
    }

    #[test]
    fn target_values_lines_and_new_fields() {
        let head = head(RAW);
        let change = |name: &[u8], _: &[u8]| match name {
            b"BITS-Session-ID" => Change::Value(b"{2\r\n}".to_vec()),
            b"Empty" => Change::Value(b"no".to_vec()),
            b"host" => Change::Drop,
            _ => Change::Keep,
        };
        let more: &[(&[u8], &[u8])] = &[(b"New", b"1")];
        let text = append(rewrite(&head, Some(b"/b/c"), change), more);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "BITS_POST  /b/c HTTP/1.1\r\nBITS-Session-ID:  {2}  \r\nEmpty: no\r\nX: 1\nhOst: y\r\nNew: 1\r\n\r\n"
        );
    }
}
