//! The fields that a filter can ask about: one table with name, type, help and example.
//!
//! The manual and the completion are made from it. Where a field's value comes from stands in `eval`.

use super::error::nearest;

/// One field as the manual and the screen show it.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// As written; `http.header.NAME` stands for a family.
    pub name: &'static str,
    /// One clause.
    pub help: &'static str,
    /// A whole filter that uses it.
    pub example: &'static str,
    pub(super) id: Id,
    pub(super) kind: Kind,
}

impl FieldInfo {
    /// Returns what the field holds, in a word or two.
    pub fn type_name(&self) -> &'static str {
        self.kind.name()
    }
}

/// Returns all fields, those of one group together.
pub fn fields() -> &'static [FieldInfo] {
    &FIELDS
}

/// What a field holds, and so what it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Present or not; has no value.
    Flag,
    Text,
    Number,
    /// Bytes.
    Size,
    Time,
    /// Bytes a second.
    Rate,
    /// An HRESULT, by number or name.
    Code,
    Packet,
    /// A session id: text, with or without braces.
    SessionId,
    Address,
    /// One of some names.
    Choice(&'static [&'static str]),
    /// One of some names that are in order.
    Level(&'static [&'static str]),
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Text => "text",
            Self::Number => "number",
            Self::Size => "size",
            Self::Time => "duration",
            Self::Rate => "rate",
            Self::Code => "error code",
            Self::Packet => "packet type",
            Self::SessionId => "session id",
            Self::Address => "address",
            Self::Choice(_) => "choice",
            Self::Level(_) => "level",
        }
    }

    /// Tells whether values are in an order, so that `<` means something.
    pub(super) const fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::Number | Self::Size | Self::Time | Self::Rate | Self::Code | Self::Level(_)
        )
    }

    /// Tells whether `contains`, `like` and `matches` can look into it.
    pub(super) const fn is_textual(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Packet | Self::SessionId | Self::Choice(_) | Self::Level(_)
        )
    }
}

/// Names a field within the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Id {
    Bits,
    BitsType,
    BitsSession,
    BitsRangeStart,
    BitsRangeEnd,
    BitsTotal,
    BitsLast,
    BitsReceived,
    BitsError,
    BitsErrorName,
    BitsErrorContext,
    BitsHost,
    HttpMethod,
    HttpStatus,
    HttpHost,
    HttpUrl,
    HttpVersion,
    HttpHeader,
    Auth,
    AuthScheme,
    AuthStage,
    AuthProxy,
    Conn,
    ClientIp,
    ClientPort,
    Leg,
    No,
    Time,
    TimeWait,
    TimeTotal,
    Size,
    Rate,
    Outcome,
    Problem,
    Session,
    SessionState,
    SessionKind,
    SessionRestarts,
    SessionRewinds,
    SessionResent,
    Name,
    Finding,
    FindingLevel,
    FaultRule,
    Mark,
}

/// A field as an expression names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) id: Id,
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    /// The NAME of `http.header.NAME`, lower case; empty for every other field.
    pub(super) header: Box<str>,
}

/// What every name of the header family begins with.
pub(super) const HEADER: &str = "http.header.";

impl Field {
    /// Finds the field that `word` names, in any case.
    pub(super) fn find(word: &str) -> Option<Self> {
        let (name, header) = match word.get(..HEADER.len()) {
            Some(start) if start.eq_ignore_ascii_case(HEADER) => {
                let header = word.get(HEADER.len()..).filter(|name| !name.is_empty())?;
                ("http.header.NAME", header)
            }
            _ => (word, ""),
        };
        FIELDS
            .iter()
            .find(|info| info.name.eq_ignore_ascii_case(name))
            .map(|info| Self {
                id: info.id,
                kind: info.kind,
                name: info.name,
                header: header.to_ascii_lowercase().into(),
            })
            .filter(|field| (field.id == Id::HttpHeader) != field.header.is_empty())
    }

    /// Tells whether only a head, which has to be read back, can say what it holds.
    pub(super) const fn needs_heads(&self) -> bool {
        matches!(
            self.id,
            Id::HttpHeader | Id::HttpVersion | Id::HttpHost | Id::BitsHost
        )
    }

    /// Tells whether it is one that only a session has.
    pub(super) const fn is_of_session(&self) -> bool {
        matches!(
            self.id,
            Id::Name
                | Id::Session
                | Id::SessionState
                | Id::SessionKind
                | Id::SessionRestarts
                | Id::SessionRewinds
                | Id::SessionResent
        )
    }

    /// Returns it as written.
    pub(super) fn spelling(&self) -> String {
        if self.id == Id::HttpHeader {
            format!("{HEADER}{}", self.header)
        } else {
            self.name.to_owned()
        }
    }
}

/// Returns the name nearest to an unknown one, where one is near enough.
pub(super) fn nearest_field(word: &str) -> Option<&'static str> {
    nearest(word, FIELDS.iter().map(|info| info.name))
}

/// Tells whether `word` looks like a field's name: it begins with the name of a group and a dot.
pub(super) fn looks_like_field(word: &str) -> bool {
    let Some((group, rest)) = word.split_once('.') else {
        return false;
    };
    !rest.is_empty()
        && rest
            .chars()
            .all(|c| c.is_ascii_lowercase() || c == '.' || c == '_')
        && FIELDS.iter().any(|info| {
            info.name
                .split_once('.')
                .is_some_and(|(known, _)| known == group)
        })
}

/// Header fields worth offering while somebody types; any other name works as well.
pub(super) const HEADERS: [&str; 14] = [
    "authorization",
    "bits-error-code",
    "bits-host-id",
    "bits-packet-type",
    "bits-protocol",
    "bits-received-content-range",
    "bits-reply-url",
    "content-length",
    "content-name",
    "content-range",
    "range",
    "server",
    "user-agent",
    "www-authenticate",
];

/// Methods met with BITS, for the completion.
pub(super) const METHODS: [&str; 4] = ["BITS_POST", "GET", "HEAD", "POST"];

const LEGS: &[&str] = &["client", "upstream"];
pub(super) const LEVELS: &[&str] = &["note", "warning", "error"];
const KINDS: &[&str] = &["upload", "upload-reply", "download", "unknown"];
const STATES: &[&str] = &[
    "open",
    "uploading",
    "uploaded",
    "closed",
    "cancelled",
    "lost",
    "failed",
    "complete",
];
const OUTCOMES: &[&str] = &[
    "in-flight",
    "complete",
    "no-response",
    "cut-request",
    "cut-response",
    "injected",
    "malformed",
];

const fn row(
    id: Id,
    name: &'static str,
    kind: Kind,
    help: &'static str,
    example: &'static str,
) -> FieldInfo {
    FieldInfo {
        name,
        help,
        example,
        id,
        kind,
    }
}

#[rustfmt::skip]
static FIELDS: [FieldInfo; 45] = [
    row(Id::Bits, "bits", Kind::Flag, "any BITS packet, the HEAD and GET of a download included", "bits"),
    row(Id::BitsType, "bits.type", Kind::Packet, "which packet, in any spelling", "bits.type == create-session"),
    row(Id::BitsSession, "bits.session", Kind::SessionId, "the session id as sent", "bits.session contains 3F2B"),
    row(Id::BitsRangeStart, "bits.range.start", Kind::Size, "first byte of a fragment or range", "bits.range.start >= 5MiB"),
    row(Id::BitsRangeEnd, "bits.range.end", Kind::Size, "last byte of a fragment or range, inclusive", "bits.range.end < 1MiB"),
    row(Id::BitsTotal, "bits.total", Kind::Size, "size of the whole file, as the range says", "bits.total > 1GiB"),
    row(Id::BitsLast, "bits.last", Kind::Flag, "the fragment or range that ends the file", "bits.type == fragment and bits.last"),
    row(Id::BitsReceived, "bits.received", Kind::Size, "next byte that the server wants, from its Ack", "bits.received == 0"),
    row(Id::BitsError, "bits.error", Kind::Code, "HRESULT of the Ack, by number or name", "bits.error == 0x8020001F"),
    row(Id::BitsErrorName, "bits.error.name", Kind::Text, "name of that HRESULT", "bits.error.name contains SESSION"),
    row(Id::BitsErrorContext, "bits.error.context", Kind::Number, "where the error arose: 5 server, 7 its application", "bits.error.context == 7"),
    row(Id::BitsHost, "bits.host_id", Kind::Text, "BITS-Host-Id of the Ack, from its head", "bits.host_id"),
    row(Id::HttpMethod, "http.method", Kind::Text, "request method", "http.method in {GET, HEAD}"),
    row(Id::HttpStatus, "http.status", Kind::Number, "status of the final response", "http.status >= 400"),
    row(Id::HttpHost, "http.host", Kind::Text, "host asked for: of an absolute URL, else the Host field; without port", "http.host == updates.corp"),
    row(Id::HttpUrl, "http.url", Kind::Text, "request target as sent", "http.url -like *.cab"),
    row(Id::HttpVersion, "http.version", Kind::Text, "HTTP version of the request, from its head", "http.version == 1.0"),
    row(Id::HttpHeader, "http.header.NAME", Kind::Text, "any value of the field NAME in the request's or response's head", "http.header.user-agent contains BITS"),
    row(Id::Auth, "auth", Kind::Flag, "the exchange is part of a login: credentials, or a server that asks for them", "auth and http.status == 401"),
    row(Id::AuthScheme, "auth.scheme", Kind::Text, "scheme of the credentials, else those that the server offers: NTLM, Negotiate, Basic, Digest, Bearer, other", "auth.scheme == ntlm"),
    row(Id::AuthStage, "auth.stage", Kind::Text, "leg of the login, of request and answer: asked, credentials, type 1, type 2, type 3 (NTLM), Kerberos, SPNEGO, unreadable", "auth.stage == 'type 3' and http.status == 401"),
    row(Id::AuthProxy, "auth.proxy", Kind::Flag, "the login is one with a proxy (407, Proxy-Authorization)", "auth.proxy"),
    row(Id::Conn, "conn", Kind::Number, "number of the connection", "conn == 3"),
    row(Id::ClientIp, "client.ip", Kind::Address, "address of the client, compared with an address or a network", "client.ip == 10.0.0.0/8"),
    row(Id::ClientPort, "client.port", Kind::Number, "port of the client", "client.port == 50112"),
    row(Id::Leg, "leg", Kind::Choice(LEGS), "leg of the connection that the exchange was read from", "leg == upstream"),
    row(Id::No, "no", Kind::Number, "number of the exchange", "no in {100..200}"),
    row(Id::Time, "time", Kind::Time, "first byte of the request, since the start of the capture", "time > 15m"),
    row(Id::TimeWait, "time.wait", Kind::Time, "from the last byte of the request to the first of the response", "time.wait > 30s"),
    row(Id::TimeTotal, "time.total", Kind::Time, "from the first byte of the request to the end of the response", "time.total >= 250ms"),
    row(Id::Size, "size", Kind::Size, "content bytes of request and response together", "size > 1MiB"),
    row(Id::Rate, "rate", Kind::Rate, "size over time.total, once the exchange has ended", "rate < 64KiB/s"),
    row(Id::Outcome, "outcome", Kind::Choice(OUTCOMES), "how the exchange came out", "outcome in {no-response, cut-response}"),
    row(Id::Problem, "problem", Kind::Flag, "a failure status, an error code or a broken outcome; a leg of a login that goes on is none", "problem"),
    row(Id::Session, "session", Kind::Number, "number of the session", "session == 2"),
    row(Id::SessionState, "session.state", Kind::Choice(STATES), "where the session stands", "session.state == failed"),
    row(Id::SessionKind, "session.kind", Kind::Choice(KINDS), "what the session transfers", "session.kind == download"),
    row(Id::SessionRestarts, "session.restarts", Kind::Number, "how often the session began again", "session.restarts > 0"),
    row(Id::SessionRewinds, "session.rewinds", Kind::Number, "how often the server wanted bytes again", "session.rewinds > 0"),
    row(Id::SessionResent, "session.resent", Kind::Size, "content bytes that the session passed more than once", "session.resent > 10MiB"),
    row(Id::Name, "name", Kind::Text, "name of the file", "name -like *.csv"),
    row(Id::Finding, "finding", Kind::Text, "rule of a conformance finding", "finding == BUP-FR-12"),
    row(Id::FindingLevel, "finding.level", Kind::Level(LEVELS), "level of a conformance finding: note < warning < error", "finding.level >= warning"),
    row(Id::FaultRule, "fault.rule", Kind::Text, "name of a fault rule that fired", "fault.rule == lost-ack"),
    row(Id::Mark, "mark", Kind::Text, "marked or commented by the user; the text is the comment", "mark"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for info in fields() {
            let word = info.name.replace("NAME", "X-Y").to_ascii_uppercase();
            let field = Field::find(&word).unwrap();
            assert_eq!((field.id, field.kind), (info.id, info.kind), "{word}");
        }
        assert!(Field::find("http.header").is_none());
        assert!(Field::find("http.header.").is_none());
    }

    #[test]
    fn names_of_choices_are_those_of_the_rows() {
        use crate::timeline::row::{Outcome, SessionKind, SessionState};
        let outcomes = [
            Outcome::InFlight,
            Outcome::Complete,
            Outcome::NoResponse,
            Outcome::CutRequest,
            Outcome::CutResponse,
            Outcome::Injected,
            Outcome::Malformed,
        ];
        assert_eq!(outcomes.map(Outcome::name), OUTCOMES);
        let states = [
            SessionState::Open,
            SessionState::Uploading,
            SessionState::Uploaded,
            SessionState::Closed,
            SessionState::Cancelled,
            SessionState::Lost,
            SessionState::Failed,
            SessionState::Complete,
        ];
        assert_eq!(states.map(SessionState::name), STATES);
        let kinds = [
            SessionKind::Upload,
            SessionKind::UploadReply,
            SessionKind::Download,
            SessionKind::Unknown,
        ];
        assert_eq!(kinds.map(SessionKind::name), KINDS);
    }

    #[test]
    fn only_names_of_a_group_look_like_fields() {
        assert!(looks_like_field("http.statsu"));
        assert!(looks_like_field("bits.rang.end"));
        assert!(!looks_like_field("report.csv"));
        assert!(!looks_like_field("http://iis/x"));
    }
}
