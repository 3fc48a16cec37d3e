//! A server made from a recording, driven by the state of each session: any file, any Fragment size, any number of
//! clients at a time.
//!
//! ```text
//! live packet -> state of its session -> recorded answer of the same kind, with this session's values
//!                                     -> none recorded: the reference server's answer, and it is said
//! ```
//!
//! What the recorded server did out of the ordinary (lost Acks, rewinds, forgotten sessions, refused sizes) happens
//! again, at the same byte of the file. It dials nobody, and names no host but its own.
//!
//! MC-BUP §3.2

mod answer;
mod closest;
mod connection;
mod download;
mod identity;
mod tales;
mod upload;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::recording::Recording;
use super::tls::{self, TlsFiles};
use super::{Error, Result};
use connection::{Connection, Wire};
use world::{Ended, World};

/// How long to wait after a connection that could not be accepted.
const BREATH: Duration = Duration::from_millis(50);
/// A handshake that takes longer ends its connection.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long requests under way may take once the mock is told to stop.
const GRACE: Duration = Duration::from_secs(5);

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

/// What a mock does.
#[derive(Clone)]
pub struct MockConfig {
    /// Port 0 picks a free port.
    pub listen: Vec<SocketAddr>,
    /// Serves https.
    pub tls: Option<TlsFiles>,
    /// Received files are kept below this directory, which must exist; else they are counted and hashed only.
    pub folder: Option<PathBuf>,
    /// Answers take as long as they did.
    pub timing: bool,
    pub on_notice: Option<OnNotice>,
}

/// What all connections share.
struct Shared {
    world: World,
    tls: bool,
    timing: bool,
    on_notice: Option<OnNotice>,
}

impl Shared {
    fn notice(&self, notice: &Notice) {
        if let Some(on_notice) = &self.on_notice {
            on_notice(notice);
        }
    }

    fn ended(&self, ended: Ended) {
        self.notice(&Notice::Ended {
            path: ended.path,
            bytes: ended.bytes,
            sha256: ended.sha256,
            file: ended.file,
            complete: ended.complete,
            cancelled: ended.cancelled,
        });
    }
}

/// A mock with its ports open.
pub struct Mock {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
}

impl Mock {
    /// Learns the recorded answers and opens the ports.
    pub async fn bind(recording: Arc<Recording>, config: MockConfig) -> Result<Self> {
        let folder = config
            .folder
            .map(|folder| folder.canonicalize().map_err(Error::file("use", folder)))
            .transpose()?;
        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for address in config.listen {
            let listen = |source| Error::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(listen)?;
            addresses.push(listener.local_addr().map_err(listen)?);
            listeners.push(listener);
        }
        Ok(Self {
            listeners,
            addresses,
            acceptor,
            shared: Arc::new(Shared {
                world: World::new(recording, folder),
                tls: config.tls.is_some(),
                timing: config.timing,
                on_notice: config.on_notice,
            }),
        })
    }

    /// Returns where it listens, with the real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Tells whether the recording has an answer to anything at all.
    pub fn is_empty(&self) -> bool {
        let repertoire = &self.shared.world.repertoire;
        repertoire.tales.is_empty() && repertoire.downloads.is_empty()
    }

    /// Serves until `stop`; requests under way then have a few seconds to end.
    pub async fn run(self, stop: CancellationToken) {
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(accept(
                listener,
                self.acceptor.clone(),
                Arc::clone(&self.shared),
                stop.clone(),
            ));
        }
        accepting.join_all().await;
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let own = listener
        .local_addr()
        .map_or_else(|_| "localhost".to_owned(), |address| address.to_string());
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    let _ = stream.set_nodelay(true);
                    let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                    let (own, stop) = (own.clone(), stop.clone());
                    connections.spawn(async move {
                        let Some(stream) = secured(stream, acceptor).await else {
                            return;
                        };
                        let connection = Connection { shared, stream, client, own, stop };
                        // What breaks is that connection's own.
                        drop(connection.run().await);
                    });
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let rest = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, rest).await;
}

/// Shakes hands where TLS is served; `None` where that fails.
async fn secured(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> Option<Box<dyn Wire>> {
    let Some(acceptor) = acceptor else {
        return Some(Box::new(stream));
    };
    let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
    Some(Box::new(shaken.ok()?.ok()?))
}
