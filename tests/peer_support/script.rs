//! A server that answers request after request from a list, and a relay that cuts its connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Ends the connection after an answer.
pub(crate) const CLOSE: &str = "CLOSE";

pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Plays `answers`; one that ends with [`CLOSE`] ends its connection.
    pub(crate) async fn play(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(vec![]));
        let record = Arc::clone(&heads);
        tokio::spawn(async move {
            let mut answers = answers.into_iter().peekable();
            while answers.peek().is_some() {
                let (mut stream, _) = listener.accept().await.unwrap();
                while let Some(head) = request(&mut stream).await {
                    record.lock().unwrap().push(head);
                    let Some(answer) = answers.next() else { return };
                    let text = answer.strip_suffix(CLOSE);
                    stream
                        .write_all(text.unwrap_or(&answer).as_bytes())
                        .await
                        .unwrap();
                    if text.is_some() {
                        break;
                    }
                }
            }
        });
        Self { address, heads }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Lists the packet types seen, with their ranges.
    pub(crate) fn packets(&self) -> Vec<String> {
        self.heads()
            .iter()
            .map(|head| {
                let field = |name: &str| {
                    head.lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                };
                format!(
                    "{} {}",
                    field("BITS-Packet-Type: "),
                    field("Content-Range: bytes ")
                )
                .trim()
                .to_owned()
            })
            .collect()
    }
}

/// Reads one request with its content and returns its head.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = vec![];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse::<usize>().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(head)
}

/// An Ack with these fields.
pub(crate) fn ack(status: u16, fields: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nBITS-Packet-Type: Ack\r\n{fields}Content-Length: 0\r\n\r\n")
}

/// The Ack of Create-Session.
pub(crate) fn created(fields: &str) -> String {
    let guid = super::GUID;
    ack(
        200,
        &format!("BITS-Protocol: {guid}\r\nBITS-Session-Id: {{S}}\r\n{fields}"),
    )
}

/// The Ack of a Fragment.
pub(crate) fn next(status: u16, offset: u64) -> String {
    ack(
        status,
        &format!("BITS-Received-Content-Range: {offset}\r\n"),
    )
}

/// The Ack that the session is unknown.
pub(crate) fn lost() -> String {
    ack(
        500,
        "BITS-Error-Code: 0x8020001F\r\nBITS-Error-Context: 0x5\r\n",
    )
}

/// Relays to `server`, and cuts each connection of `limits` after so many bytes to the server; later ones pass.
pub(crate) async fn cutter(server: SocketAddr, limits: Vec<usize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut limits = limits.into_iter();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let limit = limits.next().unwrap_or(usize::MAX);
            tokio::spawn(async move {
                let mut upstream = TcpStream::connect(server).await.unwrap();
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = upstream.split();
                let mut left = limit;
                let mut buffer = vec![0; 16 * 1024];
                let there = async {
                    while left > 0 {
                        let size = left.min(buffer.len());
                        let count = from_client.read(&mut buffer[..size]).await.unwrap_or(0);
                        if count == 0 || to_server.write_all(&buffer[..count]).await.is_err() {
                            break;
                        }
                        left -= count;
                    }
                };
                let back = tokio::io::copy(&mut from_server, &mut to_client);
                tokio::select! {
                    () = there => {}
                    _ = back => {}
                }
            });
        }
    });
    address
}
