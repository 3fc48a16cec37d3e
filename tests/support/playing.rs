//! Captures played by the real binary: `mock` as the server, `replay` as the client, `extract` as the truth.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::binary::{Running, bitstap, json, lines, of_type};
use super::recordings::{RECORDINGS, present};

/// A recorded client that has been played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<Value>,
    pub(crate) error: String,
}

impl Played {
    /// Returns what differs, as `exchange packet: field`; the session as a whole is exchange 0.
    pub(crate) fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for line in &self.lines {
            let all = line["differences"].as_array();
            for one in all.into_iter().flatten() {
                found.push(format!(
                    "{} {}: {}",
                    line["exchange"].as_u64().unwrap_or_default(),
                    line["packet"].as_str().unwrap_or("session"),
                    one["what"].as_str().unwrap_or_default(),
                ));
            }
        }
        found
    }
}

/// Returns a capture of ours.
pub(crate) fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("captures")
        .join(format!("{name}.pcapng"))
}

/// Returns all captures of ours.
pub(crate) fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcapng"))
        .collect();
    paths.sort();
    paths
}

/// Returns the paths of all recordings; none where there are none.
pub(crate) fn recordings() -> Vec<PathBuf> {
    if !present() {
        return Vec::new();
    }
    let folder = std::fs::read_dir(RECORDINGS).expect("it was there");
    let mut paths: Vec<_> = folder
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap"))
        .collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Starts a server made from a capture.
pub(crate) fn mock(capture: &Path, more: &[&str]) -> Running {
    let mut args = vec!["mock", text(capture), "--listen", "127.0.0.1:0"];
    args.extend_from_slice(more);
    Running::start(&args)
}

/// Plays the client of a capture to its end.
pub(crate) fn replay(capture: &Path, to: &str, more: &[&str]) -> Played {
    let output = bitstap(&["replay", text(capture), "--to", to, "--json"])
        .args(["--retry-delay", "1ms"])
        .args(more)
        .output()
        .expect("it starts");
    Played {
        code: output.status.code(),
        lines: lines(&output.stdout),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Returns size and hash of each upload that a capture closes, as `extract` rebuilds what the server had.
pub(crate) fn closed_uploads(capture: &Path) -> Vec<(u64, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = json(&["extract", text(capture), "--out", text(folder.path())]);
    let mut found: Vec<(u64, String)> = of_type(&lines, "file")
        .iter()
        .filter(|line| line["copy"] == "acknowledged" && line["state"] == "closed")
        .filter(|line| line["complete"] == true)
        .map(|line| {
            (
                line["size"].as_u64().expect("a size"),
                line["sha256"].as_str().expect("a hash").to_owned(),
            )
        })
        .collect();
    found.sort();
    found
}

/// Returns size and hash of each upload that a mock has received to its end, and its file's content.
pub(crate) fn received(lines: &[Value]) -> Vec<(u64, String)> {
    let mut found: Vec<(u64, String)> = of_type(lines, "received")
        .iter()
        .filter(|line| line["complete"] == true && line["cancelled"] == false)
        .map(|line| {
            (
                line["bytes"].as_u64().expect("a size"),
                line["sha256"].as_str().expect("a hash").to_owned(),
            )
        })
        .collect();
    found.sort();
    found
}

/// Returns the SHA-256 of bytes in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
