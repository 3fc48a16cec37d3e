//! The only room between two sockets: bind, accept, dial, copy, shut down.
//!
//! Forwards the bytes that it received and reports what passes as [`Event`](crate::event::Event)s. Knows no captures,
//! timelines or screens.
//!
//! Watching changes nothing:
//!
//! - Each client connection has one upstream connection of its own, opened when the first bytes may be
//!   forwarded, never shared, never opened again, closed together with it.
//! - Each direction ends by itself. A FIN becomes a FIN after the last byte, a reset a reset.
//! - When the server closes or resets after a request was forwarded, the client sees just that. The relay
//!   answers itself (502, 504) only when it could not reach the server at all, and only to HTTP.
//! - It answers no `Expect: 100-continue`, retries nothing, adds and removes no field.
//!
//! A head is held until it is complete, so that something can be decided about it (`verdict.rs`), and
//! then forwarded in one write with whatever came with it. Content and bytes that are not HTTP pass as they
//! come. A head that stays incomplete passes when its sender ends the stream, or after
//! [`Config::head_wait`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, lookup_host};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod accept;
mod answer;
pub mod board;
mod buffer;
pub mod connection;
mod credentials;
mod destination;
pub mod dial;
mod forward;
mod intake;
pub mod perform;
pub mod queue;
pub mod rewrite;
mod routes;
mod shake;
mod state;
pub mod stream;
mod tap;
pub mod tls;
pub mod verdict;
mod via;
mod watch;

pub use answer::DialError;
pub use board::{Board, Clock};
pub use credentials::Credentials;
pub use destination::{Hosts, Route};
pub use forward::Forward;
pub use queue::{Outlet, queue};
pub use rewrite::{HostField, Leaks};
pub use routes::Steering;
pub use verdict::Decide;
pub use via::Via;

/// How many events a channel to a task should hold: one event may hold 256 KiB, so that this bounds the
/// memory in between to 16 MiB. A thread takes [`queue()`], which counts bytes.
pub const QUEUE: usize = 64;

/// Where and how the relay dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `http` or `https`.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    pub port: u16,
}

impl Upstream {
    /// Returns host and port as a Host field has them: without the port where it is the scheme's own.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let mut place = self.place();
        if self.port == usual {
            place.truncate(place.len().saturating_sub(usual.to_string().len() + 1));
        }
        place
    }

    /// Returns host and port, such as `example.org:80`.
    pub fn place(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// Names it for people, such as `http://example.org:80`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.place())
    }
}

/// Settings of a relay; [`Config::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Vec<String>,
    /// Where requests go that go nowhere else; `None`: they are refused.
    pub upstream: Option<Upstream>,
    /// Requests for some hosts go elsewhere; the first that fits counts.
    pub routes: Vec<Route>,
    /// Clients may name the server themselves; `None`: what they name is not looked at.
    pub forward: Option<Forward>,
    /// The proxy through which all servers are reached.
    pub via: Option<Via>,
    /// PEM files whose certificates are trusted towards the upstream, beside the platform's.
    pub upstream_ca: Vec<std::path::PathBuf>,
    /// Who the proxy is to an upstream that asks for a client certificate.
    pub upstream_identity: Option<tls::Identity>,
    /// The host name or address that the upstream has to prove; `None`: that of [`Upstream::host`].
    pub upstream_name: Option<String>,
    /// Any certificate of the upstream is accepted.
    pub insecure_upstream: bool,
    /// Who the proxy is to clients that speak TLS; `None`: TLS is not understood.
    pub serve_as: Option<tls::ServeAs>,
    /// The secrets of all TLS connections are appended to this file.
    pub secrets: Option<std::path::PathBuf>,
    /// Where TLS is understood, how long a new connection may take to its first byte and through its
    /// handshake.
    pub handshake_wait: Duration,
    pub connect_timeout: Duration,
    /// A connection on which nothing passes for so long is closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// More clients than this wait in the listen queue.
    pub max_connections: usize,
    /// How long an incomplete head is held before it is passed on as it is.
    pub head_wait: Duration,
    /// How long exchanges under way may go on after the relay was told to stop.
    pub grace: Duration,
    /// Whether content is reported on the upstream leg as well, where it is the same as on the client's.
    pub both_legs: bool,
    /// The moment from which events count their time; `None`: that of [`Relay::run`].
    pub start: Option<Instant>,
    /// Who decides what is to happen to messages; `None`: nobody, everything passes.
    pub rules: Option<Arc<Board>>,
    /// How clients are kept with the proxy; `None`: nobody looks. This, routes, a forward proxy and one
    /// behind it need [`Self::rules`], which [`Relay::bind`] adds: only there heads are looked at.
    pub steering: Option<Arc<Steering>>,
}

impl Config {
    /// Makes the default settings for one address to listen on and one upstream, or none.
    pub fn new(listen: impl Into<String>, upstream: impl Into<Option<Upstream>>) -> Self {
        Self {
            listen: vec![listen.into()],
            upstream: upstream.into(),
            routes: Vec::new(),
            forward: None,
            via: None,
            upstream_ca: Vec::new(),
            upstream_identity: None,
            upstream_name: None,
            insecure_upstream: false,
            serve_as: None,
            secrets: None,
            handshake_wait: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(20),
            idle_timeout: None,
            max_connections: 16_384,
            head_wait: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            both_legs: false,
            start: None,
            rules: None,
            steering: None,
        }
    }

    /// Tells whether requests have to be looked at for where they go and how.
    fn steers(&self) -> bool {
        let idle = (self.steering.as_ref()).is_none_or(|steering| steering.is_idle());
        !idle || !self.routes.is_empty() || self.forward.is_some() || self.via.is_some()
    }
}

/// What stops a relay from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}")]
    Bind {
        address: String,
        source: std::io::Error,
    },
    #[error("cannot send requests to {to}: that is where this proxy listens")]
    Loop { to: String },
    #[error("cannot find {to}")]
    Nowhere { to: String, source: std::io::Error },
    #[error("cannot read certificates from {path}")]
    Certificates {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("cannot read a private key from {path}")]
    Key {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("the key in {key} does not belong to the first certificate in {certificates}")]
    Pair {
        certificates: std::path::PathBuf,
        key: std::path::PathBuf,
    },
    #[error("cannot use the local authority in {path}")]
    Authority {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use the local authority in {path}: {why}")]
    AuthorityUntimely {
        path: std::path::PathBuf,
        why: String,
    },
    #[error("cannot write TLS secrets to {path}")]
    Secrets {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use TLS: {0}")]
    Tls(String),
}

/// A relay whose ports are open.
#[derive(Debug)]
pub struct Relay {
    addresses: Vec<SocketAddr>,
    listeners: Vec<TcpListener>,
    dialler: dial::Dialler,
    acceptor: Option<tls::Acceptor>,
    config: Config,
}

impl Relay {
    /// Opens the listening ports and checks the TLS settings.
    pub async fn bind(mut config: Config) -> Result<Self, Error> {
        config.steering = config.steering.filter(|steering| !steering.is_idle());
        if config.steers() && config.rules.is_none() {
            config.rules = Some(Arc::new(Board::new(verdict::Nobody)));
        }
        let secrets = (config.secrets.as_deref())
            .map(|path| {
                let opened = tls::SecretFile::open(path);
                opened.map(Arc::new).map_err(|source| Error::Secrets {
                    path: path.to_path_buf(),
                    source,
                })
            })
            .transpose()?;
        let mut dialler = dial::Dialler::new(&config, secrets.clone())?;
        let acceptor = (config.serve_as.as_ref())
            .map(|who| tls::Acceptor::new(who, secrets))
            .transpose()?;
        let mut listeners = Vec::new();
        for address in &config.listen {
            let opened = listen(address).await.map_err(|source| Error::Bind {
                address: address.clone(),
                source,
            })?;
            listeners.extend(opened);
        }
        let addresses: Vec<SocketAddr> = (listeners.iter())
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        dialler.beside(addresses.clone());
        let servers = (config.routes.iter()).map(|route| &route.to);
        for to in servers.chain(&config.upstream) {
            if dialler.leads_back(to).await {
                return Err(Error::Loop { to: to.url() });
            }
        }
        Ok(Self {
            addresses,
            listeners,
            dialler,
            acceptor,
            config,
        })
    }

    /// Makes sure that there are hosts of the names of all servers that requests go to (of the proxy behind alone,
    /// where there is one). Connects to none of them: a server sees clients, and nobody else.
    pub async fn find_servers(&self) -> Result<(), Error> {
        let config = &self.config;
        let routes = config.routes.iter().map(|route| &route.to);
        let servers: Vec<&Upstream> = match &config.via {
            Some(via) => vec![&via.proxy],
            None => routes.chain(&config.upstream).collect(),
        };
        for server in servers {
            let found = lookup_host((server.host.as_str(), server.port)).await;
            if let Err(source) = found {
                let to = server.url();
                return Err(Error::Nowhere { to, source });
            }
        }
        Ok(())
    }

    /// Returns the addresses that it really listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Relays until `stop` is cancelled: then no new connection is taken, and those that stand are
    /// closed once the exchanges under way are over, at the latest after `Config`'s grace period.
    /// Every event goes to `events` in order ([`queue()`] for a thread); where that is full, it slows the
    /// relay; where nobody is at its other end, it does not. Dropping the future resets every connection.
    pub async fn run(self, events: impl Into<Outlet>, stop: CancellationToken) {
        let shared = Arc::new(connection::Shared {
            start: self.config.start.unwrap_or_else(tap::now),
            config: self.config,
            dialler: self.dialler,
            events: events.into(),
            stop,
        });
        accept::run(shared, self.listeners, self.acceptor).await;
    }
}

/// Listens on every address that `address` resolves to. One is enough; where the port is 0, all share
/// the first one's.
async fn listen(address: &str) -> std::io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut failed = None;
    let mut port = 0;
    for mut address in lookup_host(address).await? {
        if address.port() == 0 {
            address.set_port(port);
        }
        match TcpListener::bind(address).await {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}
