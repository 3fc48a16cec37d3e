//! Typed netstrings (`LEN:PAYLOAD TYPE`) in a file: what is small is read, what is large stays there.
//!
//! A value says its type behind its payload, so each is looked at from both ends. Depth and number of
//! the values of one record are bounded; a length that leaves its surroundings is an error.

use std::fs::File;
use std::io;

use super::pieces::read_at;

/// Payloads above this stay in the file.
const SMALL: u64 = 64 << 10;
const DEPTH: usize = 24;
const VALUES: usize = 200_000;
const WINDOW: u64 = 128 << 10;
/// Digits of a length, and its colon.
const LENGTH: u64 = 13;

/// A value.
#[derive(Debug)]
pub(super) enum Value {
    Bytes(Vec<u8>),
    /// Offset and length of bytes that stayed in the file.
    Place(u64, u64),
    Number(f64),
    Bool,
    Null,
    List(Vec<Self>),
    Dict(Vec<(Self, Self)>),
}

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Broken {
    Disk(io::Error),
    /// What is wrong there.
    Not(&'static str),
    /// The file ends inside it.
    Short,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl Value {
    /// Returns the member `name` of a dictionary, null where there is none.
    pub(super) fn get(&self, name: &str) -> &Self {
        let Self::Dict(members) = self else {
            return &Self::Null;
        };
        let found = members
            .iter()
            .find(|(key, _)| key.bytes() == name.as_bytes());
        found.map_or(&Self::Null, |(_, value)| value)
    }

    /// Returns a member of a list, null where there is none.
    pub(super) fn at(&self, index: usize) -> &Self {
        self.list().get(index).unwrap_or(&Self::Null)
    }

    /// Returns the members of a list.
    pub(super) fn list(&self) -> &[Self] {
        match self {
            Self::List(members) => members,
            _ => &[],
        }
    }

    /// Returns small bytes or text; nothing for anything else.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// A file of typed netstrings.
#[derive(Debug)]
pub(super) struct Records {
    file: std::sync::Arc<File>,
    pub(super) len: u64,
    window: Vec<u8>,
    /// Offset of the window.
    base: u64,
    values: usize,
}

impl Records {
    pub(super) fn new(file: std::sync::Arc<File>) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self {
            file,
            len,
            window: Vec::new(),
            base: 0,
            values: 0,
        })
    }

    /// Returns up to `len` bytes at `at`.
    fn look(&mut self, at: u64, len: u64) -> io::Result<&[u8]> {
        let end = at.saturating_add(len).min(self.len);
        let have = self.base.saturating_add(self.window.len() as u64);
        if at < self.base || end > have {
            self.window = read_at(&self.file, at, len.max(WINDOW))?;
            self.base = at;
        }
        let from = usize::try_from(at.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let end = usize::try_from(end.saturating_sub(self.base)).unwrap_or_default();
        let end = end.min(self.window.len());
        Ok(self.window.get(from..end).unwrap_or_default())
    }

    /// Reads the length of the value at `at`; returns where its payload lies.
    fn extent(&mut self, at: u64, end: u64) -> Result<(u64, u64), Broken> {
        let head = self.look(at, LENGTH)?;
        let colon = head.iter().position(|byte| *byte == b':');
        let Some(colon) = colon else {
            let short = head.len() < usize::try_from(LENGTH).unwrap_or_default()
                && head.iter().all(u8::is_ascii_digit);
            return Err(if short {
                Broken::Short
            } else {
                Broken::Not("a length was expected")
            });
        };
        let digits = head.get(..colon).unwrap_or_default();
        let len: u64 = Some(digits)
            .filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok())
            .ok_or(Broken::Not("a length was expected"))?;
        let begin = at.saturating_add(colon as u64).saturating_add(1);
        // Behind the payload comes its type.
        if begin.saturating_add(len) >= end {
            return Err(if end == self.len {
                Broken::Short
            } else {
                Broken::Not("a length leads too far")
            });
        }
        Ok((begin, len))
    }

    /// Returns the offset behind the record at `at`.
    pub(super) fn end_of(&mut self, at: u64) -> Result<u64, Broken> {
        let (begin, len) = self.extent(at, self.len)?;
        Ok(begin.saturating_add(len).saturating_add(1))
    }

    /// Reads the record at `at`.
    pub(super) fn record(&mut self, at: u64) -> Result<Value, Broken> {
        self.values = 0;
        let end = self.end_of(at)?;
        Ok(self.value(at, end, 0)?.0)
    }

    /// Reads the value at `at` and returns it with the offset behind it.
    fn value(&mut self, at: u64, end: u64, depth: usize) -> Result<(Value, u64), Broken> {
        self.values += 1;
        if depth > DEPTH || self.values > VALUES {
            return Err(Broken::Not("it is nested too deep or has too many values"));
        }
        let (begin, len) = self.extent(at, end)?;
        let stop = begin.saturating_add(len);
        let kind = self.look(stop, 1)?.first().copied();
        let next = stop.saturating_add(1);
        let value = match kind {
            Some(b',' | b';') if len > SMALL => Value::Place(begin, len),
            Some(b',' | b';') => Value::Bytes(self.look(begin, len)?.to_vec()),
            Some(b'#' | b'^') => {
                let text = self.look(begin, len.min(64))?;
                let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                Value::Number(number.ok_or(Broken::Not("a number was expected"))?)
            }
            Some(b'!') => Value::Bool,
            Some(b'~') => Value::Null,
            Some(b']') => Value::List(self.members(begin, stop, depth)?),
            Some(b'}') => {
                let mut members = self.members(begin, stop, depth)?.into_iter();
                let mut pairs = Vec::new();
                while let (Some(key), Some(value)) = (members.next(), members.next()) {
                    pairs.push((key, value));
                }
                Value::Dict(pairs)
            }
            _ => return Err(Broken::Not("a value has an unknown type")),
        };
        Ok((value, next))
    }

    fn members(&mut self, mut at: u64, stop: u64, depth: usize) -> Result<Vec<Value>, Broken> {
        let mut members = Vec::new();
        while at < stop {
            // A member's type is its last byte: it may lie right before the stop, not on it.
            let (value, next) = self.value(at, stop, depth + 1)?;
            members.push(value);
            at = next;
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;

    fn records(text: &[u8]) -> Records {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        Records::new(Arc::new(file)).unwrap()
    }

    #[test]
    fn reads_every_type() {
        let text = b"59:1:a;1:b,1:c;3:1.5^1:d;2:-7#1:e;4:true!1:f;0:~1:g;7:0:]1:x,]}";
        let mut records = records(text);
        let value = records.record(0).unwrap();
        assert_eq!(value.get("a").bytes(), b"b");
        assert_eq!(value.get("c").number(), Some(1.5));
        assert_eq!(value.get("d").number(), Some(-7.0));
        assert!(matches!(value.get("e"), Value::Bool));
        assert!(value.get("f").is_null() && value.get("nothing").is_null());
        assert_eq!(value.get("g").at(1).bytes(), b"x");
        assert_eq!(records.end_of(0).unwrap(), text.len() as u64);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for text in ["9:1:a,}", "4:9:a,}", ":,", "1x:a,", "3:1:a?]"] {
            assert!(records(text.as_bytes()).record(0).is_err(), "{text}");
        }
        assert!(matches!(records(b"99").end_of(0), Err(Broken::Short)));
    }

    #[test]
    fn large_payloads_stay_where_they_are() {
        let mut text = format!("{}:", SMALL + 1).into_bytes();
        text.resize(text.len() + usize::try_from(SMALL).unwrap() + 1, b'x');
        text.push(b',');
        assert!(matches!(
            records(&text).record(0).unwrap(),
            Value::Place(6, len) if len == SMALL + 1
        ));
    }
}
