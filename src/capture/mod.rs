//! Captures: pcapng out and in, classic pcap in, anybody's TCP; HAR, SAZ and mitmproxy's flows in.
//!
//! A capture holds only events. It is appended and flushed as things happen, so that after a kill
//! everything up to the last block is there; a torn tail is cut with a note. Packets and blocks know no HTTP;
//! `import` does, since other programs keep messages.

mod append;
mod beside;
mod block;
mod header;
mod import;
mod link;
mod mark;
mod packets;
pub mod read_back;
pub mod reader;
mod reassemble;
mod segment;
mod sink;
mod source;
mod trace;
mod unknown;
pub mod writer;

use std::path::PathBuf;

pub use append::Appender;
pub use read_back::CaptureFile;
pub use reader::{Reader, Record, open};
pub use writer::{Options, Writer};

/// What stops a capture from being written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot create capture {path}")]
    Create {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write capture {path}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot add to capture {path}: {reason}")]
    Append { path: PathBuf, reason: String },
    #[error("cannot open capture {path}")]
    Open {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot read capture {path} at byte {offset}")]
    Read {
        path: PathBuf,
        offset: u64,
        source: std::io::Error,
    },
    #[error("{path} is not a capture: {reason}")]
    NotACapture { path: PathBuf, reason: String },
}
