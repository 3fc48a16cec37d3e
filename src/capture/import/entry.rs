//! One exchange as a foreign file has it, before it is laid out as bytes of a connection.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

/// One exchange.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) ends: Ends,
    pub(super) request: Option<Part>,
    pub(super) response: Option<Part>,
    /// Whole sentences about this exchange.
    pub(super) notes: Vec<String>,
    /// Its connection ended with it.
    pub(super) ended: bool,
}

/// Who talked, as far as the file tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) client: Option<SocketAddr>,
    /// The address that the client dialled.
    pub(super) server: Option<SocketAddr>,
    /// The recording proxy's own connection: from where, and to whom.
    pub(super) upstream: Option<(SocketAddr, SocketAddr)>,
}

/// One message.
#[derive(Debug)]
pub(super) struct Part {
    /// First and last byte, nanoseconds since 1970-01-01 UTC.
    pub(super) begun: u64,
    pub(super) ended: u64,
    /// Start line and fields with their empty line; empty where `body` is the message as it was sent.
    pub(super) head: Vec<u8>,
    pub(super) body: Body,
    /// Trailer fields with a line end each.
    pub(super) trailers: Vec<u8>,
    /// It was sent as HTTP/1: its head says how its body ends.
    pub(super) plain: bool,
}

/// The content of a message, without chunk framing.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Bytes(Bytes),
    /// They lie in a file.
    Place {
        file: Arc<File>,
        at: u64,
        len: u64,
    },
    /// One after the other.
    Parts(Vec<Self>),
    /// They were not kept; how many there were, if anybody knows.
    Gone(Option<u64>),
}

impl Body {
    /// Returns the number of bytes, where it is known.
    pub(super) fn len(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Place { len, .. } => Some(*len),
            Self::Parts(parts) => parts
                .iter()
                .map(Self::len)
                .try_fold(0, |sum: u64, len| Some(sum.saturating_add(len?))),
            Self::Gone(len) => *len,
        }
    }
}

/// Builds a head from parts that a peer or a file chose: a line end inside a part would begin another
/// line, so it reads as a blank.
#[derive(Debug, Default)]
pub(super) struct HeadText {
    bytes: Vec<u8>,
}

impl HeadText {
    /// Begins a head with the words of its start line.
    pub(super) fn start(words: [&[u8]; 3]) -> Self {
        let mut head = Self::default();
        for (number, word) in words.into_iter().enumerate() {
            if number > 0 {
                head.bytes.push(b' ');
            }
            head.put(word);
        }
        head.bytes.extend_from_slice(b"\r\n");
        head
    }

    /// Adds a field.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        self.put(name);
        self.bytes.extend_from_slice(b": ");
        self.put(value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Ends the head.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes
    }

    /// Returns the fields alone, without an empty line.
    pub(super) fn fields(self) -> Vec<u8> {
        self.bytes
    }

    fn put(&mut self, word: &[u8]) {
        let plain = word.iter().map(|byte| match byte {
            b'\r' | b'\n' | 0 => b' ',
            byte => *byte,
        });
        self.bytes.extend(plain);
    }
}

/// Returns seconds since 1970 as nanoseconds, to the microsecond; nothing for what is no moment.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before"
)]
pub(super) fn nanos(seconds: f64) -> Option<u64> {
    // 2500-01-01: beyond it the nanoseconds would not fit for long.
    (0.0..16_725_225_600.0)
        .contains(&seconds)
        .then(|| (seconds * 1e6).round() as u64)
        .map(|micros| micros.saturating_mul(1000))
}

/// Reads an RFC 3339 moment.
pub(super) fn moment(text: &str) -> Option<u64> {
    let moment: jiff::Timestamp = text.trim().parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok()
}

/// Returns an end from a host, which must be an address, and a port.
pub(super) fn end(host: &str, port: u16) -> Option<SocketAddr> {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    // A link-local address may name its interface.
    let host = host.split('%').next().unwrap_or(host);
    let ip: std::net::IpAddr = host.parse().ok()?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}
