//! Finding bytes in a body: as text in any case, or as hexadecimal digits behind `0x`.
//!
//! Reads through [`ReadBack`], bounded: a search that came to its bound is gone on with by the next one.

use memchr::memmem::Finder;

use crate::timeline::{ReadBack, Span};

/// Bytes that one search looks at.
const LIMIT: u64 = 64 << 20;

/// Bytes that are read at once.
const STEP: u64 = 1 << 20;

/// What is sought, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seek {
    pub span: Span,
    /// Where to begin: forwards at this offset of the span, backwards before it.
    pub from: u64,
    /// In lower case where `exact` is false.
    pub needle: Vec<u8>,
    pub exact: bool,
    pub back: bool,
}

/// How far a search came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The needle begins here.
    At(u64),
    /// Not up to here; there is more.
    UpTo(u64),
    Nowhere,
}

/// Reads what was typed.
pub(super) fn needle(typed: &str) -> (Vec<u8>, bool) {
    let digits: Option<Vec<u8>> = typed.strip_prefix("0x").and_then(|digits| {
        let pairs = digits.as_bytes().chunks(2);
        pairs
            .map(|pair| {
                let pair = str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
                u8::from_str_radix(pair, 16).ok()
            })
            .collect()
    });
    match digits.filter(|digits| !digits.is_empty()) {
        Some(digits) => (digits, true),
        None => (typed.to_ascii_lowercase().into_bytes(), false),
    }
}

/// Looks for the needle.
pub(super) fn seek(bytes: &dyn ReadBack, seek: &Seek) -> Result<Sought, String> {
    let finder = Finder::new(&seek.needle);
    let overlap = u64::try_from(seek.needle.len())
        .unwrap_or(0)
        .saturating_sub(1);
    let mut at = seek.from.min(seek.span.len);
    let mut looked = 0;
    loop {
        let (start, end) = if seek.back {
            (at.saturating_sub(STEP), at)
        } else {
            (at, at.saturating_add(STEP).min(seek.span.len))
        };
        if start >= end {
            return Ok(Sought::Nowhere);
        }
        if looked >= LIMIT {
            return Ok(Sought::UpTo(at));
        }
        // A needle may lie across two steps; it begins in one of them.
        let len = usize::try_from(end - start + overlap).unwrap_or(0);
        let chunk = bytes
            .read(seek.span, start, len)
            .map_err(|error| error.to_string())?;
        let mut text = chunk.bytes;
        if !seek.exact {
            text.make_ascii_lowercase();
        }
        let begins = |place: &usize| {
            let until = place + seek.needle.len();
            u64::try_from(*place).is_ok_and(|place| place < end - start)
                && !chunk
                    .holes
                    .iter()
                    .any(|hole| hole.start < until && *place < hole.end)
        };
        let mut places = finder.find_iter(&text).filter(begins);
        let found = if seek.back {
            places.last()
        } else {
            places.next()
        };
        if let Some(place) = found {
            return Ok(Sought::At(start + u64::try_from(place).unwrap_or(0)));
        }
        looked += end - start;
        at = if seek.back { start } else { end };
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::event::{ConnId, Direction, Leg};
    use crate::timeline::Chunk;

    struct Bytes(Vec<u8>);

    impl ReadBack for Bytes {
        #[expect(clippy::single_range_in_vec_init, reason = "one hole")]
        fn read(&self, _: Span, from: u64, len: usize) -> io::Result<Chunk> {
            let from = usize::try_from(from).unwrap();
            let end = (from + len).min(self.0.len());
            let hole = 10usize.clamp(from, end)..20usize.clamp(from, end);
            Ok(Chunk {
                bytes: self.0[from..end].to_vec(),
                holes: if hole.is_empty() {
                    Vec::new()
                } else {
                    vec![hole.start - from..hole.end - from]
                },
            })
        }
    }

    fn look(bytes: &Bytes, typed: &str, from: u64, back: bool) -> Sought {
        let (needle, exact) = needle(typed);
        let span = Span {
            conn: ConnId(1),
            leg: Leg::Client,
            direction: Direction::ToServer,
            position: 0,
            base: 0,
            offset: 0,
            len: u64::try_from(bytes.0.len()).unwrap(),
        };
        seek(
            bytes,
            &Seek {
                span,
                from,
                needle,
                exact,
                back,
            },
        )
        .unwrap()
    }

    #[test]
    fn a_needle_is_found_across_the_edge_of_a_step_in_any_case() {
        let mut bytes = vec![0; 3 << 20];
        bytes[(1 << 20) - 2..][..6].copy_from_slice(b"NeEdLe");
        let bytes = Bytes(bytes);
        let place = (1 << 20) - 2;
        assert_eq!(look(&bytes, "needle", 0, false), Sought::At(place));
        assert_eq!(look(&bytes, "needle", place + 1, false), Sought::Nowhere);
        assert_eq!(look(&bytes, "needle", 3 << 20, true), Sought::At(place));
        assert_eq!(look(&bytes, "needle", place, true), Sought::Nowhere);
        assert_eq!(look(&bytes, "0x4e65", 0, false), Sought::At(place));
        assert_eq!(look(&bytes, "0x6e65", 0, false), Sought::Nowhere);
    }

    #[test]
    fn what_is_not_in_the_capture_is_not_found() {
        let mut bytes = vec![1; 40];
        bytes[10..20].fill(0);
        bytes[30] = 0;
        assert_eq!(look(&Bytes(bytes), "0x00", 0, false), Sought::At(30));
    }

    #[test]
    fn a_search_stops_at_its_bound_and_goes_on_from_there() {
        let mut bytes = vec![0; 66 << 20];
        bytes[65 << 20] = b'x';
        let bytes = Bytes(bytes);
        assert_eq!(look(&bytes, "x", 0, false), Sought::UpTo(LIMIT));
        assert_eq!(look(&bytes, "x", LIMIT, false), Sought::At(65 << 20));
    }

    #[test]
    fn half_a_byte_is_text() {
        assert_eq!(needle("0x4"), (b"0x4".to_vec(), false));
        assert_eq!(needle("0x"), (b"0x".to_vec(), false));
        assert_eq!(needle("0x0A"), (vec![10], true));
    }
}
