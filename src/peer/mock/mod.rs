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
mod cast;
mod closest;
mod connection;
mod download;
mod identity;
mod notice;
mod tales;
mod tap;
mod upload;
mod world;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::recording::Recording;
use super::tls::{self, TlsFiles};
use super::{Error, Result};
use crate::event::{Close, ConnId, Direction, Fact, TlsEnd};
use connection::{Connection, Gone, Wire};
use tap::Tap;
use world::World;

pub use notice::{Notice, OnNotice};
pub use tap::{Events, OnEvent};

/// How long to wait after a connection that could not be accepted.
const BREATH: Duration = Duration::from_millis(50);
/// A handshake that takes longer ends its connection.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long requests under way may take once the mock is told to stop.
const GRACE: Duration = Duration::from_secs(5);

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
    /// Connections so far.
    connections: AtomicU32,
    /// Kinds of requests that the recording has no answer for, told already.
    made_up: Mutex<BTreeSet<&'static str>>,
}

impl Shared {
    fn notice(&self, notice: &Notice) {
        if let Some(on_notice) = &self.on_notice {
            on_notice(notice);
        }
    }

    /// Tells whether nobody was told yet that this kind of request gets the reference server's answers.
    fn is_news(&self, kind: &'static str) -> bool {
        let mut told = self.made_up.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(kind)
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
                connections: AtomicU32::new(0),
                made_up: Mutex::default(),
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

    /// Serves until `stop`; requests under way then have a few seconds to end. All that passes is told to `events`.
    pub async fn run(self, events: Option<Events>, stop: CancellationToken) {
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            let door = Door {
                own: listener
                    .local_addr()
                    .map_or_else(|_| "localhost".to_owned(), |address| address.to_string()),
                acceptor: self.acceptor.clone(),
                shared: Arc::clone(&self.shared),
                events: events.clone(),
                stop: stop.clone(),
            };
            accepting.spawn(accept(listener, door));
        }
        // Whoever takes the events learns from the last one that goes that no more come.
        drop(events);
        accepting.join_all().await;
    }
}

/// What the connections of one port have in common.
#[derive(Clone)]
struct Door {
    /// What we are called where a request has no Host.
    own: String,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    events: Option<Events>,
    stop: CancellationToken,
}

async fn accept(listener: TcpListener, door: Door) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = door.stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    connections.spawn(serve(stream, client, door.clone()));
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let rest = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, rest).await;
}

/// Serves one connection to its end; what breaks is that connection's own.
async fn serve(stream: TcpStream, client: SocketAddr, door: Door) {
    let _ = stream.set_nodelay(true);
    let Ok(server) = stream.local_addr() else {
        return;
    };
    let conn = door.shared.connections.fetch_add(1, Ordering::Relaxed);
    let tap = Tap {
        conn: ConnId(conn.saturating_add(1)),
        events: door.events,
    };
    tap.opened(client, server).await;
    let gone = match secured(stream, door.acceptor, &tap).await {
        Some(stream) => {
            let connection = Connection {
                shared: door.shared,
                stream,
                client,
                own: door.own,
                tap: tap.clone(),
                stop: door.stop,
            };
            connection.run().await
        }
        None => Gone::Ours,
    };
    match gone {
        Gone::Client => {
            tap.closed(Direction::ToServer, Close::Fin).await;
            tap.closed(Direction::ToClient, Close::Fin).await;
        }
        Gone::Broken => tap.closed(Direction::ToServer, Close::Reset).await,
        Gone::Ours => tap.closed(Direction::ToClient, Close::Fin).await,
    }
}

/// Shakes hands where TLS is served; `None` where that fails.
async fn secured(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    tap: &Tap,
) -> Option<Box<dyn Wire>> {
    let Some(acceptor) = acceptor else {
        return Some(Box::new(stream));
    };
    let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
    let reason = match shaken {
        Ok(Ok(stream)) => {
            let fact = tls::agreed(stream.get_ref().1);
            let text = format!(
                "TLS with the client is up: {}, {}.",
                fact.version, fact.cipher
            );
            tap.note(text, Fact::Tls(Box::new(fact))).await;
            return Some(Box::new(stream));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    let fact = Fact::TlsFailed {
        by: TlsEnd::Client,
        reason: reason.clone(),
        server_name: None,
    };
    let text = format!("The TLS handshake with the client failed: {reason}.");
    tap.note(text, fact).await;
    None
}
