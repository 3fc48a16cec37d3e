//! What a mock tells of its doings, as data and in a sentence.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::report::unit::size;

/// Something that the mock did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Answered {
        client: SocketAddr,
        method: String,
        /// Path and query, percent-encoding undone.
        path: String,
        packet: Option<&'static str>,
        /// `None`: the connection ended instead, as was recorded.
        status: Option<u16>,
        /// Number of the recorded exchange that the answer was made from; `None`: the reference server's answer.
        from: Option<u32>,
        /// Nothing recorded fits: the closest, and what is different.
        unmatched: Option<String>,
    },
    /// An upload ended by Close-Session or Cancel-Session.
    Ended {
        path: String,
        bytes: u64,
        sha256: Option<String>,
        file: Option<PathBuf>,
        /// All bytes that the client announced are here.
        complete: bool,
        cancelled: bool,
    },
}

/// Takes notices.
pub type OnNotice = Arc<dyn Fn(&Notice) + Send + Sync>;

impl Notice {
    /// Returns what is worth a person's while; `None` for an answer that was recorded.
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Answered {
                method,
                path,
                packet,
                status,
                from,
                unmatched,
                ..
            } => {
                let what = packet.unwrap_or(method.as_str());
                if let Some(why) = unmatched {
                    let status = status.map_or_else(String::new, |status| format!(" {status}"));
                    return Some(format!(
                        "unmatched: {what} {path} was answered{status}; {why}"
                    ));
                }
                from.is_none().then(|| {
                    format!(
                        "The capture has no answer for this {what} {path}: it gets the reference server's, and so do others like it."
                    )
                })
            }
            Self::Ended {
                path,
                bytes,
                sha256,
                file,
                complete,
                cancelled,
            } => {
                let how = match (cancelled, complete) {
                    (true, _) => "was cancelled",
                    (_, true) => "is complete",
                    _ => "was closed before its end",
                };
                let mut line = format!("{path} {how}: {}", size(*bytes));
                if let Some(file) = file {
                    line.push_str(&format!(" in {}", file.display()));
                }
                if let Some(hash) = sha256 {
                    line.push_str(&format!(", SHA-256 {hash}"));
                }
                Some(line)
            }
        }
    }

    /// Returns the kind of request that the recording has no answer for.
    pub(super) fn made_up(&self) -> Option<&'static str> {
        match self {
            Self::Answered {
                packet,
                from: None,
                unmatched: None,
                ..
            } => Some(packet.unwrap_or("request")),
            _ => None,
        }
    }
}
