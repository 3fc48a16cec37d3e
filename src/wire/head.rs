//! The start line and the fields of one message, exactly as sent.
//!
//! A [`Head`] owns its bytes and remembers where each part lies, so order, case, blanks and duplicates
//! are all still there. It knows no BITS.

use std::ops::Range;

use bytes::Bytes;

/// One message head: raw bytes with the places of its parts.
///
/// RFC 9112 §2.1, §5
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Offset of the first byte in its direction's stream.
    pub offset: u64,
    /// All bytes of the head, the empty line included.
    pub raw: Bytes,
    pub start: Start,
    pub fields: Vec<Field>,
}

/// The start line, as byte ranges into [`Head::raw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// RFC 9112 §3
    Request {
        method: Range<usize>,
        target: Range<usize>,
        /// Minor version of HTTP/1: 0 or 1; 9 for a request line without a version.
        minor: u8,
    },
    /// RFC 9112 §4
    Response {
        minor: u8,
        status: u16,
        /// May be empty or hold any byte but CR and LF.
        reason: Range<usize>,
    },
}

/// One field line, as byte ranges into [`Head::raw`]; the value is without the blanks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: Range<usize>,
    pub value: Range<usize>,
}

impl Head {
    /// Returns the bytes in `range`, empty where it lies outside.
    pub fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.raw.get(range.clone()).unwrap_or_default()
    }

    /// Yields name and value of each field in the order sent.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|field| (self.slice(&field.name), self.slice(&field.value)))
    }

    /// Yields every value of the field `name`, in the order sent; the name's case does not matter.
    pub fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.pairs()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Returns the first value of the field `name`; the name's case does not matter.
    pub fn value<'h>(&'h self, name: &'h str) -> Option<&'h [u8]> {
        self.values(name).next()
    }

    /// Returns the method of a request as sent.
    pub fn method(&self) -> Option<&[u8]> {
        match &self.start {
            Start::Request { method, .. } => Some(self.slice(method)),
            Start::Response { .. } => None,
        }
    }

    /// Returns the target of a request as sent.
    pub fn target(&self) -> Option<&[u8]> {
        match &self.start {
            Start::Request { target, .. } => Some(self.slice(target)),
            Start::Response { .. } => None,
        }
    }

    /// Returns the status of a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Response { status, .. } => Some(status),
            Start::Request { .. } => None,
        }
    }

    /// Returns the minor version of HTTP/1.
    pub fn minor(&self) -> u8 {
        match self.start {
            Start::Request { minor, .. } | Start::Response { minor, .. } => minor,
        }
    }
}
