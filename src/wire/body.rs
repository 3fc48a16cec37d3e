//! Which framing a head implies for the content that follows it.
//!
//! Pure functions on heads; the decoder counts the bytes.

use super::head::{Head, Start};

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
    /// The connection is something else from here on (101), or the framing has two readings
    /// ([`super::Malformed::Ambiguous`] follows): nothing behind this head is read as HTTP. Or it is a tunnel
    /// (2xx to CONNECT): what comes then is read as HTTP where it begins like that.
    Tunnel,
}

/// What a response answers, as far as its framing depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Answering {
    #[default]
    Ordinary,
    /// The head of the request was not seen: it may have been HEAD.
    Unknown,
    Head,
    Connect,
}

impl Answering {
    /// Tells what the response to the request `head` answers.
    pub(super) fn to(head: &Head) -> Self {
        match head.method() {
            Some(b"HEAD") => Self::Head,
            Some(b"CONNECT") => Self::Connect,
            _ => Self::Ordinary,
        }
    }
}

/// The head says two things about the length of its content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// Returns the framing that `head` implies.
///
/// RFC 9112 §6.3
pub(super) fn framing(head: &Head, answering: Answering) -> Result<Framing, Ambiguous> {
    let request = match head.start {
        Start::Request { .. } => true,
        Start::Response { status, .. } => match (status, answering) {
            (101, _) | (200..=299, Answering::Connect) => return Ok(Framing::Tunnel),
            (100..=199 | 204 | 304, _) | (_, Answering::Head) => return Ok(Framing::None),
            _ => false,
        },
    };
    let mut length = None;
    let mut coding: Option<Coding> = None;
    for (name, value) in head.pairs() {
        if name.eq_ignore_ascii_case(b"content-length") {
            for part in value.split(|byte| *byte == b',') {
                let found = decimal(part.trim_ascii()).ok_or(Ambiguous)?;
                if length.is_some_and(|known| known != found) {
                    return Err(Ambiguous);
                }
                length = Some(found);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            coding = Some(
                value
                    .split(|byte| *byte == b',')
                    .fold(coding.unwrap_or_default(), |coding, part| {
                        coding.then(part.trim_ascii())
                    }),
            );
        }
    }
    let old = matches!(head.minor(), 0 | 9);
    match (coding, length) {
        (None, Some(length)) => Ok(Framing::Length(length)),
        (None, None) if request => Ok(Framing::None),
        (None, None) => Ok(Framing::UntilClose),
        // Recipients of HTTP/1.0 need not know codings (RFC 9112 §6.1).
        (Some(Coding::Chunked), None) if !old => Ok(Framing::Chunked),
        (Some(Coding::Other), None) if !old && !request => Ok(Framing::UntilClose),
        (Some(_), _) => Err(Ambiguous),
    }
}

/// What a list of transfer codings amounts to.
#[derive(Clone, Copy, Debug, Default)]
enum Coding {
    /// Nothing yet.
    #[default]
    Empty,
    /// The last one is not chunked.
    Other,
    /// The last one is chunked.
    Chunked,
    /// Something follows chunked, or a coding is nearly chunked but not quite.
    Doubtful,
}

impl Coding {
    /// Returns what the list amounts to with `name` behind it.
    fn then(self, name: &[u8]) -> Self {
        let chunked = name.eq_ignore_ascii_case(b"chunked");
        let nearly = name
            .windows(7)
            .any(|part| part.eq_ignore_ascii_case(b"chunked"));
        match self {
            _ if nearly && !chunked => Self::Doubtful,
            // An empty element of a list is ignored (RFC 9110 §5.6.1).
            known if name.is_empty() => known,
            Self::Chunked | Self::Doubtful => Self::Doubtful,
            Self::Empty | Self::Other if chunked => Self::Chunked,
            Self::Empty | Self::Other => Self::Other,
        }
    }
}

/// Reads digits and nothing else.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
