//! Writes the secrets of TLS connections into a file, so that Wireshark can read what was recorded of
//! them elsewhere.
//!
//! The format is that of `SSLKEYLOGFILE`: label, client random and secret, one line each.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio_rustls::rustls::KeyLog;

/// A file of secrets.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl SecretFile {
    /// Opens the file for appending; a new one can be read by its owner only.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self {
            path: path.to_path_buf(),
            file: Mutex::new(options.open(path)?),
        })
    }

    /// Returns the path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl KeyLog for SecretFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = String::with_capacity(256);
        line.push_str(label);
        for part in [client_random, secret] {
            line.push(' ');
            for byte in part {
                // Writing to a string does not fail.
                let _ = write!(line, "{byte:02x}");
            }
        }
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end a connection; the line is missing then.
        let _ = file.write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.log");
        for byte in [0x0a, 0xff] {
            let file = SecretFile::open(&path).unwrap();
            file.log("CLIENT_RANDOM", &[byte, 1], &[2]);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "CLIENT_RANDOM 0a01 02\nCLIENT_RANDOM ff01 02\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
