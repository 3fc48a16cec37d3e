//! Which framing a head implies for the content that follows it.
//!
//! Pure functions on heads; the decoder counts the bytes.

/// How the content of a message is delimited.
///
/// RFC 9112 §6.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No content can follow (HEAD, 1xx, 204, 304, a request with neither length nor coding).
    None,
    /// Exactly this many bytes.
    Length(u64),
    Chunked,
    /// Everything until the sender ends the stream.
    UntilClose,
    /// The connection is something else from here on (CONNECT 2xx, 101).
    Tunnel,
}
