//! A rule as data: when, how often, at which byte, and what is to happen.
//!
//! Values are as the file says them, relative ones included; `engine` resolves them for a moment.

use std::time::Duration;

use crate::timeline::filter::Filter;

/// All rules of a run, in file order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// `seed` of the file; the command line has the last word.
    pub seed: Option<u64>,
    pub rules: Vec<Rule>,
    /// The text that the rules were read from: it goes into the capture.
    pub source: String,
}

/// One rule: a condition, limits on how often it fires, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique in its set.
    pub name: String,
    /// `F-11`, where the rule was made from a preset.
    pub preset: Option<String>,
    pub when: Filter,
    pub count: Count,
    /// Probability of firing at each counted match, 0 to 1.
    pub chance: f64,
    pub during: During,
    pub stage: Stage,
    /// Where in the content; only with the two body stages.
    pub at: Option<At>,
    /// At least one; what is final comes last.
    pub actions: Vec<Action>,
    pub expect: Option<Expect>,
    /// Off until somebody turns it on.
    pub off: bool,
}

/// When in an exchange a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// A client connection was accepted; nothing was read from it.
    Connect,
    /// The request's head is complete; nothing of it was forwarded.
    RequestHead,
    /// While the request's content passes; decided when its head is complete.
    RequestBody,
    /// The final response's head is complete; nothing of it was forwarded.
    ResponseHead,
    /// While the final response's content passes; decided when its head is complete.
    ResponseBody,
    /// The server ended the connection (FIN or reset) or the client did.
    Close,
}

impl Stage {
    /// All stages in the order in which they come.
    pub const ALL: [Self; 6] = [
        Self::Connect,
        Self::RequestHead,
        Self::RequestBody,
        Self::ResponseHead,
        Self::ResponseBody,
        Self::Close,
    ];

    /// Returns the name used in rules files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::RequestHead => "request.head",
            Self::RequestBody => "request.body",
            Self::ResponseHead => "response.head",
            Self::ResponseBody => "response.body",
            Self::Close => "close",
        }
    }
}

/// What a rule counts its matches by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    Session,
    Connection,
    /// The client's address without its port.
    Client,
    Url,
    Run,
}

/// Which of the matches under one key may fire: after `skip` of them each `every`-th, at most `times`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub per: Per,
    pub skip: u64,
    /// `None`: without limit.
    pub times: Option<u64>,
    /// 1 or more.
    pub every: u64,
}

/// Bounds a rule in time since the start of the run; `to` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct During {
    pub from: Duration,
    pub to: Option<Duration>,
}

/// A place in the content.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// Before this byte of the file, by the message's Content-Range. Messages that do not carry it do not
    /// match.
    File(u64),
    /// Before this byte of the content, from 0.
    Body(u64),
    /// After this part of the content, 0 to 100, rounded down to a byte. Needs a known length.
    Percent(f64),
}

/// Which ends of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ends {
    Client,
    Server,
    Both,
}

/// Who shares a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Connection,
    Session,
    Client,
    Run,
}

/// Which messages of the exchange a pace applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    ToServer,
    ToClient,
    Both,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Waits `time`, give or take up to `jitter`.
    Delay { time: Duration, jitter: Duration },
    /// Lets so many bytes a second pass.
    Limit { rate: u64, scope: Scope, way: Way },
    /// Lets `bytes` pass every `every`.
    Dribble {
        bytes: u64,
        every: Duration,
        way: Way,
    },
    /// Changes the head: what is there is replaced in place, what is not is added at the end.
    Set(Edit),
    /// Takes fields out of the head.
    Remove {
        headers: Vec<String>,
        bits: Vec<BitsField>,
    },
    /// Flips `bits` bits in each of `bytes` bytes from the place on; which ones is drawn.
    Flip { bytes: u64, bits: u8 },
    /// Swallows the content from the place on; the head stays as it is.
    Truncate,
    /// Writes a sentence into the capture.
    Note { text: String },

    /// Final: the proxy answers itself. At a request stage the server hears nothing (of this head); at a
    /// response stage the server's answer is read to its end and recorded instead of forwarded.
    Respond(Box<Answer>),
    /// Final: RST.
    Reset { side: Ends },
    /// Final: FIN after what was written.
    Close { side: Ends },
    /// Final: nothing of this exchange moves any more, for `time` or until a peer gives up.
    Hang { time: Option<Duration> },
    /// Final: the server's answer is read to its end and recorded, the client gets nothing of it. One of
    /// reset, close and hang may follow: it happens when the answer has come whole; without one the
    /// connection stays open.
    DropResponse,
    /// Final: the message is sent `times` times more. The additional answers to a request are read,
    /// recorded and not forwarded.
    Duplicate { times: u32 },
    /// Final: waits for the operator, at most `time`; then the message goes on as it is.
    Hold { time: Option<Duration> },
    /// Final, at connect: this connection is reset, and for `time` the port refuses new ones.
    Refuse { time: Duration },
    /// Final, at connect, where the listener speaks TLS: the handshake goes wrong.
    Tls(TlsFault),
}

impl Action {
    /// Returns the name used in rules files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Limit { .. } => "limit",
            Self::Dribble { .. } => "dribble",
            Self::Set(_) => "set",
            Self::Remove { .. } => "remove",
            Self::Flip { .. } => "flip",
            Self::Truncate => "truncate",
            Self::Note { .. } => "note",
            Self::Respond(_) => "respond",
            Self::Reset { .. } => "reset",
            Self::Close { .. } => "close",
            Self::Hang { .. } => "hang",
            Self::DropResponse => "drop_response",
            Self::Duplicate { .. } => "duplicate",
            Self::Hold { .. } => "hold",
            Self::Refuse { .. } => "refuse",
            Self::Tls(_) => "tls",
        }
    }

    /// Tells whether nothing is decided after it.
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Respond(_)
                | Self::Reset { .. }
                | Self::Close { .. }
                | Self::Hang { .. }
                | Self::DropResponse
                | Self::Duplicate { .. }
                | Self::Hold { .. }
                | Self::Refuse { .. }
                | Self::Tls(_)
        )
    }
}

/// What can be wrong with our certificate or handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFault {
    Expired,
    WrongName,
    UnknownAuthority,
    /// The certificate is right; the client is asked for one of its own, and none will do.
    ClientCertificate,
    /// A fatal alert instead of a server hello.
    Abort,
}

/// A BITS field by name, whatever its spelling on the wire.
pub type BitsField = crate::bits::header::Name;

/// Changes to a head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// Minor version of HTTP/1 that the start line of the head says: 0 or 1.
    pub version: Option<u8>,
    pub status: Option<u16>,
    pub reason: Option<String>,
    /// Name and value as they are to be written.
    pub headers: Vec<(String, String)>,
    pub bits: Vec<(BitsField, BitsValue)>,
    /// Which spelling the error code is written with.
    pub error_header: ErrorHeader,
}

/// An answer that the proxy writes itself. What is not said gets what a real server would write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub reason: Option<String>,
    pub headers: Vec<(String, String)>,
    pub bits: Vec<(BitsField, BitsValue)>,
    pub error_header: ErrorHeader,
    pub body: Vec<u8>,
    /// Leaves out what makes an Ack and BITS requests else get: there are the fields in `bits` only.
    pub no_ack: bool,
}

/// The value of a BITS field, as the file says it.
#[derive(Clone, Debug, PartialEq)]
pub enum BitsValue {
    Text(String),
    Number(u64),
    /// Written as `0x...`.
    Code(u32),
    /// Relative to the value that the message would have: of `received`, to what the server answered, or
    /// at a request stage to the byte after the fragment.
    Relative(i64),
    /// Relative to the size of the whole file, as the Content-Range of the request (or else of the response)
    /// tells it.
    OfTotal(i64),
}

/// With which field name an error code is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ErrorHeader {
    /// BITS-Error-Code, as every server seen writes it.
    #[default]
    ErrorCode,
    /// BITS-Error, as MC-BUP §2.2.1.2 has it.
    Error,
    Both,
}

/// What must have happened by the end of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// How often the rule fired; `None`: at least once.
    pub fired: Option<u64>,
    /// After each firing an exchange of the same key matches this...
    pub then: Option<Filter>,
    /// ...within this time.
    pub within: Option<Duration>,
}
