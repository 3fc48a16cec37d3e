//! A BITS client as Windows behaves: [`send`] uploads a file, [`fetch`] downloads one.
//!
//! ```text
//! Create-Session -> [Host-Id: Ping] -> Fragment ... -> [Reply-URL: GET] -> Close-Session
//! trouble: wait, connect again, Ping, go on in the same session at the offset that was told last
//! ```
//!
//! One request at a time on one connection that is kept. The server's number rules, also backwards. Knows no
//! files of a server and no proxy; the host that it dials is that of the URL.
//!
//! MC-BUP §3.1, §3.6

mod fetch;
mod link;
mod pace;
mod send;
pub(super) mod source;
pub(super) mod url;

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use fetch::fetch;
pub use link::{Common, Timers};
pub use pace::{LARGEST, PieceSize, SMALLEST};
pub use send::send;

/// What to upload, where to, and with how much patience.
#[derive(Clone, Debug)]
pub struct SendConfig {
    pub file: PathBuf,
    pub url: String,
    pub common: Common,
    pub fragment_size: PieceSize,
    /// A Ping goes first, so that a handshake of authentication costs no content. MC-BUP §2.2.4
    pub ping: bool,
    /// Between an error that may pass and the next attempt. Windows: 600 s.
    pub retry_delay: Duration,
    /// Without a new byte acknowledged for this long the upload fails; 0: no retries. Windows: 14 days.
    pub no_progress_timeout: Duration,
    /// Where an upload-reply goes; `None`: beside the file, with `.reply` added.
    pub reply_to: Option<PathBuf>,
    /// The job is an upload-reply: an upload without a reply has failed. MC-BUP §3.1.5.2.4
    pub expect_reply: bool,
    /// Waits this long before each Fragment, so that a person can watch.
    pub pause: Duration,
    /// Ends the upload with Cancel-Session.
    pub cancel: CancellationToken,
}

impl SendConfig {
    /// An upload with the usual settings.
    pub fn new(file: impl Into<PathBuf>, url: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            url: url.into(),
            common: Common::default(),
            fragment_size: PieceSize::Adaptive,
            ping: true,
            retry_delay: Duration::from_secs(5),
            no_progress_timeout: Duration::from_hours(14 * 24),
            reply_to: None,
            expect_reply: false,
            pause: Duration::ZERO,
            cancel: CancellationToken::new(),
        }
    }
}

/// What to download, where to, and with how much patience.
#[derive(Clone, Debug)]
pub struct FetchConfig {
    pub url: String,
    pub to: PathBuf,
    /// A file at `to` is replaced.
    pub overwrite: bool,
    pub common: Common,
    pub block_size: PieceSize,
    /// Goes on with what an earlier download of the same URL left behind.
    pub resume: bool,
    pub retry_delay: Duration,
    pub no_progress_timeout: Duration,
    /// Waits this long before each block, so that a person can watch.
    pub pause: Duration,
    pub cancel: CancellationToken,
}

impl FetchConfig {
    /// A download with the usual settings.
    pub fn new(url: impl Into<String>, to: impl Into<PathBuf>) -> Self {
        Self {
            url: url.into(),
            to: to.into(),
            overwrite: false,
            common: Common::default(),
            block_size: PieceSize::Adaptive,
            resume: true,
            retry_delay: Duration::from_secs(5),
            no_progress_timeout: Duration::from_hours(14 * 24),
            pause: Duration::ZERO,
            cancel: CancellationToken::new(),
        }
    }
}

/// Something that a person who waits for a transfer may want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// An upload session is open, or open again.
    Created { session: String },
    /// A piece goes out or is asked for; `last` is inclusive.
    Moving { first: u64, last: u64, total: u64 },
    /// So many bytes are safe.
    Done { bytes: u64, total: u64 },
    /// The server wants other bytes than those that come next.
    Rewound { from: u64, to: u64 },
    /// Pieces get smaller: 413.
    Smaller { refused: u64 },
    /// The session or the file on the server is another one: all again from the start.
    Restarted { why: String },
    /// Trouble that may pass.
    Waiting { delay: Duration, why: String },
    /// The reply is being downloaded.
    Reply { url: String },
    /// Cancel-Session was sent; `acknowledged` tells whether the server took it.
    Cancelled { acknowledged: bool },
}

/// Takes [`Progress`].
pub type OnProgress<'p> = &'p (dyn Fn(Progress) + Send + Sync);

/// How an upload went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub session: String,
    /// Size of the file.
    pub bytes: u64,
    /// Of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Fragments answered, whatever the answer.
    pub fragments: u32,
    /// Attempts after trouble.
    pub retries: u32,
    /// Sessions created after the first.
    pub restarts: u32,
    /// Times that the server told an offset below or beyond the expected one.
    pub rewinds: u32,
    /// Answers 413.
    pub shrinks: u32,
    pub connections: u32,
    /// The host that the server sent us to.
    pub host_id: Option<String>,
    pub reply: Option<Fetched>,
    /// What the server did against the text and we let pass, each once.
    pub warnings: Vec<String>,
}

/// How a download went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Where it came from in the end.
    pub url: String,
    pub path: PathBuf,
    pub bytes: u64,
    /// Bytes that were there from an earlier attempt.
    pub resumed: u64,
    /// Of the file, in lower-case hexadecimal.
    pub sha256: String,
    pub requests: u32,
    pub retries: u32,
    /// Times that the file on the server had changed.
    pub restarts: u32,
    pub last_modified: Option<String>,
}

fn bits_post() -> http::Method {
    http::Method::from_bytes(b"BITS_POST").unwrap_or(http::Method::POST)
}

/// Writes an error with its causes.
pub(super) fn chain(error: &super::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
