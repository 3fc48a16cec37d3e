//! What stops a client or a server of ours: the attempt, its object, and the reason.
//!
//! A refusal carries status and code as numbers, so that a caller can explain them in its own words.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::bits::auth::Offers;

/// Tells what could not be done, with what, and why; the source says the rest.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot {attempt} {path}")]
    File {
        /// A verb: `open`, `write`, `rename`.
        attempt: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot use {path} for TLS: {reason}")]
    Certificate { path: PathBuf, reason: String },
    #[error("cannot use the URL {url}: {reason}")]
    Url { url: String, reason: &'static str },
    #[error("cannot send the field {name}: not a legal name or value")]
    Field { name: String },
    #[error("cannot connect to {authority}")]
    Connect {
        authority: String,
        source: io::Error,
    },
    /// The connection ended or the bytes on it were not HTTP.
    #[error("the connection to {authority} broke during {packet}")]
    Broken {
        packet: &'static str,
        authority: String,
        source: hyper::Error,
    },
    /// The answer's content ended early or stalled.
    #[error("the answer to {packet} from {authority} broke off")]
    Short {
        packet: &'static str,
        authority: String,
    },
    /// Windows: 2 minutes to send, 5 minutes to answer. MC-BUP §3.1.2
    #[error("{authority} took longer than {} to {what} {packet}", humantime::format_duration(*.limit))]
    Timeout {
        /// `take` or `answer`.
        what: &'static str,
        packet: &'static str,
        authority: String,
        limit: Duration,
    },
    #[error("{packet} to {url} was refused: {status}{}{}", describe(*.code, *.context), login(*.asks))]
    Refused {
        packet: &'static str,
        url: String,
        status: u16,
        /// BITS-Error-Code or BITS-Error.
        code: Option<u32>,
        /// BITS-Error-Context.
        context: Option<u32>,
        /// The ways to log in that the answer names.
        asks: Offers,
    },
    /// The answer breaks the protocol so that nobody can go on; Windows says `BG_E_INVALID_SERVER_RESPONSE`.
    #[error("the answer to {packet} from {url} is not valid: {reason}")]
    Invalid {
        packet: &'static str,
        url: String,
        reason: String,
    },
    /// `BG_E_LOCAL_FILE_CHANGED` (0x8020001D)
    #[error("{path} changed while it was sent (BG_E_LOCAL_FILE_CHANGED)")]
    LocalFileChanged { path: PathBuf },
    /// `BG_E_REMOTE_FILE_CHANGED` (0x80200073)
    #[error("{url} keeps changing while it is fetched (BG_E_REMOTE_FILE_CHANGED)")]
    RemoteFileChanged { url: String },
    /// `BG_E_MISSING_FILE_SIZE` (0x80200011)
    #[error("{url} has no Content-Length (BG_E_MISSING_FILE_SIZE)")]
    MissingFileSize { url: String },
    /// `BG_E_INSUFFICIENT_RANGE_SUPPORT` (0x80200013)
    #[error("{url} does not honour ranges (BG_E_INSUFFICIENT_RANGE_SUPPORT)")]
    InsufficientRangeSupport { url: String },
    #[error("{path} exists")]
    Exists { path: PathBuf },
    /// `BG_E_SESSION_NOT_FOUND` again and again.
    #[error("{url} forgot the session {times} times (BG_E_SESSION_NOT_FOUND)")]
    SessionLost { url: String, times: u32 },
    /// `BG_E_NO_PROGRESS` (0x80200024)
    #[error("no progress with {url} (BG_E_NO_PROGRESS)")]
    NoProgress {
        url: String,
        /// The last trouble, where there was one.
        source: Option<Box<Self>>,
    },
    #[error("cancelled")]
    Cancelled,
    #[error("the recording cannot be played: {reason}")]
    NothingToPlay { reason: String },
    #[error(
        "the recording does not hold bytes {first} to {last} of {name} (session {session}), which would have to be sent"
    )]
    ContentMissing {
        session: u32,
        name: String,
        first: u64,
        /// Inclusive.
        last: u64,
    },
    /// RFC 4559 §6: these schemes authenticate a connection, not a request.
    #[error(
        "{by} authenticates by {scheme}, which is bound to its connection and cannot be replayed"
    )]
    BoundAuthentication { scheme: &'static str, by: String },
    #[error("there is no experiment called {name}")]
    NoExperiment { name: String },
    #[error("no client came")]
    NoClient,
    #[error("scene {scene} did not go as it should: {reason}")]
    Scene { scene: &'static str, reason: String },
}

impl Error {
    /// Wraps an I/O error of a path.
    pub(super) fn file(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            attempt,
            path,
            source,
        }
    }

    /// Tells whether the Windows client waits and tries again.
    ///
    /// 4xx are fatal but 408 and 409, 5xx transient but 501 and 505, anything else transient but
    /// 300 to 305 and 307. A success that is none of ours (202, 204) will not become one by asking again, a
    /// certificate will not become trusted. `BG_E_TOO_LARGE` is fatal whatever its status; MC-BUP §3.1.5.2.1.
    ///
    /// Win32 "Handling Server Application Errors"
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. } => !is_distrust(source),
            // TLS 1.3 tells a client after its handshake that it lacks a certificate (RFC 8446 §4.4.2.4).
            Self::Broken { source, .. } => !is_distrust(source),
            Self::Short { .. } | Self::Timeout { .. } => true,
            Self::Refused { status, code, .. } => {
                *code != Some(super::field::TOO_LARGE)
                    && !matches!(status, 200..=305 | 307 | 400..=407 | 410..=499 | 501 | 505)
            }
            _ => false,
        }
    }
}

/// Tells whether TLS failed for what the server's certificate is, or because it wants one of the client: no
/// waiting mends that, and the Windows client fails the job.
///
/// Win32 `IBackgroundCopyJobHttpOptions::SetSecurityFlags`, "Authentication"
fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        let inner = io.and_then(io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return matches!(
                tls,
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired)
            );
        }
        next = error.source();
    }
    false
}

fn login(asks: Offers) -> String {
    if asks.is_empty() {
        return String::new();
    }
    format!(", the server asks for {asks}")
}

fn describe(code: Option<u32>, context: Option<u32>) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    if let Some(code) = code {
        let _ = write!(text, ", 0x{code:08X}");
        let name = crate::bits::hresult::name(code);
        if !name.starts_with("0x") {
            let _ = write!(text, " {name}");
        }
    }
    if let Some(context) = context {
        let _ = write!(text, ", context 0x{context:X}");
    }
    text
}
