//! A server on port 0 with a root of its own, and a plain socket to talk to it byte for byte.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::allow_attributes,
    reason = "expect would fail where all is used"
)]

pub(crate) mod script;

use std::net::SocketAddr;
use std::path::PathBuf;

use bitstap::peer::server::{Server, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const GUID: &str = "{7df0354d-249b-430f-820d-3d2a9bef4931}";

pub(crate) struct Bench {
    pub(crate) root: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) task: JoinHandle<()>,
    pub(crate) stop: CancellationToken,
}

/// Starts a server after `change` had its way with the configuration.
pub(crate) async fn bench(change: impl FnOnce(&mut ServerConfig)) -> Bench {
    let root = tempfile::tempdir().unwrap();
    bench_on(root, change).await
}

pub(crate) async fn bench_on(root: TempDir, change: impl FnOnce(&mut ServerConfig)) -> Bench {
    let mut config = ServerConfig {
        root: root.path().to_path_buf(),
        ..ServerConfig::default()
    };
    change(&mut config);
    let server = Server::bind(config).await.unwrap();
    let address = server.addresses()[0];
    let stop = CancellationToken::new();
    let task = tokio::spawn(server.run(stop.clone()));
    Bench {
        root,
        address,
        task,
        stop,
    }
}

impl Bench {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Lists everything below the root but our own work directory.
    pub(crate) fn listing(&self) -> Vec<String> {
        let mut found = vec![];
        list(self.root.path(), "", &mut found);
        found.retain(|name| !name.starts_with(".bitstap-sessions"));
        found.sort();
        found
    }

    /// Ends the server at once, as a crash does as far as one process can.
    pub(crate) async fn crash(self) -> TempDir {
        self.task.abort();
        let _ = self.task.await;
        self.root
    }
}

pub(crate) fn list(folder: &std::path::Path, prefix: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &format!("{name}/"), found);
        }
        found.push(name);
    }
}

/// One connection to a server.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Status, error code and context.
    pub(crate) fn error(&self) -> (u16, Option<&str>, Option<&str>) {
        let code = self.field("BITS-Error-Code");
        (self.status, code, self.field("BITS-Error-Context"))
    }
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            buffer: vec![],
        }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Ends our direction.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads one answer; `None` when the connection ends before it.
    pub(crate) async fn read(&mut self) -> Option<Reply> {
        self.read_to(true).await
    }

    pub(crate) async fn read_to(&mut self, body: bool) -> Option<Reply> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            let count = self.stream.read_buf(&mut self.buffer).await.unwrap_or(0);
            if count == 0 {
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut reply = Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: vec![],
        };
        let length: usize = reply
            .field("Content-Length")
            .filter(|_| body)
            .map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            let count = self.stream.read_buf(&mut self.buffer).await.unwrap_or(0);
            assert_ne!(count, 0, "content ended early");
        }
        reply.body = self.buffer.drain(..length).collect();
        Some(reply)
    }

    pub(crate) async fn ask(&mut self, text: impl AsRef<[u8]>) -> Reply {
        self.write(text).await;
        self.read().await.expect("an answer")
    }

    pub(crate) async fn create(&mut self, path: &str) -> Reply {
        self.ask(packet(
            path,
            "Create-Session",
            &format!("BITS-Supported-Protocols: {GUID}\r\n"),
        ))
        .await
    }

    /// Opens a session and returns its id.
    pub(crate) async fn session(&mut self, path: &str) -> String {
        let reply = self.create(path).await;
        assert_eq!(reply.status, 200, "{}", reply.head);
        reply.field("BITS-Session-Id").unwrap().to_owned()
    }

    pub(crate) async fn fragment(&mut self, id: &str, range: &str, body: &str) -> Reply {
        self.ask(fragment("/f", id, range, body)).await
    }

    pub(crate) async fn end(&mut self, packet_type: &str, id: &str) -> Reply {
        self.ask(packet(
            "/f",
            packet_type,
            &format!("BITS-Session-Id: {id}\r\n"),
        ))
        .await
    }
}

pub(crate) fn packet(path: &str, packet_type: &str, fields: &str) -> String {
    format!(
        "BITS_POST {path} HTTP/1.1\r\nHost: x\r\nBITS-Packet-Type: {packet_type}\r\n{fields}Content-Length: 0\r\n\r\n"
    )
}

pub(crate) fn fragment(path: &str, id: &str, range: &str, body: &str) -> String {
    format!(
        "BITS_POST {path} HTTP/1.1\r\nHost: x\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {id}\r\n\
         Content-Range: bytes {range}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Returns the SHA-256 of `bytes` in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
