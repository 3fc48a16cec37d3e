//! Reaches the upstream: name to addresses, TCP, TLS.
//!
//! Tries each address once and never a second time; what is to be done about a failure is
//! `connection.rs`'s business.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

use super::answer::DialError;
use super::stream::{Socket, Stream};
use super::tls::{Connector, Identity, Secrets, Trust};
use super::via::Via;
use super::{Config, Error, Upstream};
use crate::event::{Fact, Note};

/// A new connection to the server.
#[derive(Debug)]
pub struct Dialled<S> {
    pub stream: S,
    /// Our own address on it.
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// What TLS agreed on and what is odd about it, where there is TLS.
    pub notes: Vec<Note>,
}

/// Opens connections to the server.
pub trait Dial: Send + Sync {
    type Stream: Stream;

    /// Opens one connection. The caller gives up after `within`; an attempt that has several addresses
    /// to try shares that time out among them.
    fn dial(
        &self,
        within: Duration,
    ) -> impl Future<Output = Result<Dialled<Self::Stream>, DialError>> + Send;

    /// Opens one connection to another server than the upstream. Who knows only one server dials that.
    fn dial_to(
        &self,
        _to: &Upstream,
        within: Duration,
    ) -> impl Future<Output = Result<Dialled<Self::Stream>, DialError>> + Send {
        self.dial(within)
    }

    /// Opens one connection through which anything may be said, without TLS of our own.
    fn dial_tunnel(
        &self,
        to: &Upstream,
        within: Duration,
    ) -> impl Future<Output = Result<Dialled<Self::Stream>, DialError>> + Send {
        self.dial_to(to, within)
    }

    /// Names the upstream for people, such as `http://example.org:80`.
    fn name(&self) -> String;
}

/// Opens TCP connections, with TLS inside where the upstream asks for it.
pub struct Dialler {
    upstream: Option<Upstream>,
    tls: Option<Connector>,
    via: Option<Via>,
    /// Where the proxy itself listens.
    own: Vec<SocketAddr>,
    /// How TLS is spoken to other servers than the upstream; made when it is needed.
    other: OnceLock<Result<Connector, String>>,
    means: Means,
}

/// What TLS towards servers is made of.
struct Means {
    ca: Vec<PathBuf>,
    identity: Option<Identity>,
    insecure: bool,
    secrets: Secrets,
}

impl Means {
    fn connector(&self, name: &str) -> Result<Connector, Error> {
        let trust = Trust {
            ca: &self.ca,
            identity: self.identity.as_ref(),
            insecure: self.insecure,
        };
        Connector::new(trust, name, self.secrets.clone())
    }
}

impl std::fmt::Debug for Dialler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialler")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl Dialler {
    /// Checks the upstream's TLS settings.
    pub(super) fn new(config: &Config, secrets: Secrets) -> Result<Self, Error> {
        let upstream = config.upstream.clone();
        let means = Means {
            ca: config.upstream_ca.clone(),
            identity: config.upstream_identity.clone(),
            insecure: config.insecure_upstream,
            secrets,
        };
        let https = upstream.as_ref().filter(|upstream| upstream.tls);
        let name = |upstream: &'_ Upstream| {
            let own = config.upstream_name.as_ref();
            own.unwrap_or(&upstream.host).clone()
        };
        let tls = https.map(|upstream| means.connector(&name(upstream)));
        Ok(Self {
            tls: tls.transpose()?,
            upstream,
            via: config.via.clone(),
            own: Vec::new(),
            other: OnceLock::new(),
            means,
        })
    }

    /// Takes note of where the proxy itself listens: it never dials that.
    pub(super) fn beside(&mut self, own: Vec<SocketAddr>) {
        self.own = own;
    }

    /// Tells whether `to` is the proxy itself. A name that does not resolve is not.
    pub(super) async fn leads_back(&self, to: &Upstream) -> bool {
        if self.via.is_some() || !self.own.iter().any(|own| own.port() == to.port) {
            return false;
        }
        let found = lookup_host((to.host.as_str(), to.port)).await;
        found.is_ok_and(|mut found| found.any(|address| self.is_own(address)))
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        // Only what is ours can be bound.
        let ours = || std::net::UdpSocket::bind((address.ip(), 0)).is_ok();
        self.own.iter().any(|own| {
            own.port() == address.port()
                && (own.ip() == address.ip() || own.ip().is_unspecified() && ours())
        })
    }

    /// Returns how TLS is spoken to `host`. All hosts share one set of roots and one memory of sessions.
    fn other(&self, host: &str) -> Result<Connector, DialError> {
        let made = (self.other).get_or_init(|| {
            self.means
                .connector(host)
                .map_err(|error| error.to_string())
        });
        let connector = made.as_ref().map_err(|error| failed(error.clone()))?;
        connector
            .named(host)
            .map_err(|error| failed(error.to_string()))
    }

    async fn connect(&self, to: &Upstream, within: Duration) -> Result<TcpStream, DialError> {
        let target = (to.host.as_str(), to.port);
        let addresses: Vec<SocketAddr> = lookup_host(target)
            .await
            .map_err(|error| failed(format!("cannot resolve the name ({error})")))?
            .collect();
        let mut last = failed("the name has no address".to_owned());
        let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses {
            let share = within / left.max(1);
            left = left.saturating_sub(1);
            if self.is_own(address) {
                last = failed(format!("{address} is where this proxy listens"));
                continue;
            }
            last = match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => DialError {
                    timed_out: error.kind() == io::ErrorKind::TimedOut,
                    reason: format!("{} ({address})", plain(&error)),
                },
                Err(_) => DialError {
                    reason: format!("no answer from {address} in {share:?}"),
                    timed_out: true,
                },
            };
        }
        Err(last)
    }
}

fn failed(reason: String) -> DialError {
    DialError {
        reason,
        timed_out: false,
    }
}

/// Words an error of the system without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        _ => error.to_string(),
    }
}

impl Dial for Dialler {
    type Stream = Socket;

    async fn dial(&self, within: Duration) -> Result<Dialled<Socket>, DialError> {
        let Some(upstream) = &self.upstream else {
            let reason = "what the client sends names no server, and there is no --upstream";
            return Err(failed(reason.to_owned()));
        };
        self.open(upstream, self.tls.as_ref(), upstream.tls, within)
            .await
    }

    async fn dial_to(&self, to: &Upstream, within: Duration) -> Result<Dialled<Socket>, DialError> {
        if self.upstream.as_ref() == Some(to) {
            return self.dial(within).await;
        }
        let tls = to.tls.then(|| self.other(&to.host)).transpose()?;
        self.open(to, tls.as_ref(), to.tls, within).await
    }

    async fn dial_tunnel(
        &self,
        to: &Upstream,
        within: Duration,
    ) -> Result<Dialled<Socket>, DialError> {
        self.open(to, None, true, within).await
    }

    fn name(&self) -> String {
        (self.upstream.as_ref()).map_or_else(|| "that the client wants".to_owned(), Upstream::url)
    }
}

impl Dialler {
    /// Opens a connection to one server; through the proxy behind us, if there is one, and then in a tunnel
    /// if `tunnel` says so.
    async fn open(
        &self,
        to: &Upstream,
        tls: Option<&Connector>,
        tunnel: bool,
        within: Duration,
    ) -> Result<Dialled<Socket>, DialError> {
        let via = self.via.as_ref();
        let next = via.map_or(to, |via| &via.proxy);
        let mut stream = (self.connect(next, within).await).map_err(|error| match via {
            None => error,
            Some(_) => DialError {
                reason: format!("{} (the proxy {})", error.reason, next.url()),
                ..error
            },
        })?;
        let addresses = stream.local_addr().and_then(|client| {
            stream.set_nodelay(true)?;
            Ok((client, stream.peer_addr()?))
        });
        let (client, server) = addresses.map_err(|error| failed(plain(&error)))?;
        let mut notes = Vec::new();
        if let Some(via) = via {
            if tunnel {
                via.tunnel(&mut stream, to).await.map_err(failed)?;
            }
            let how = if tunnel { "a tunnel of " } else { "" };
            let text = format!(
                "{} is reached through {how}the proxy {}.",
                to.url(),
                next.url()
            );
            let fact = Fact::Other;
            notes.push(Note { text, fact });
        }
        let (stream, more) = match tls {
            None => (Socket::Plain(stream), Vec::new()),
            Some(tls) => tls.connect(stream).await.map_err(failed)?,
        };
        notes.extend(more);
        Ok(Dialled {
            stream,
            client,
            server,
            notes,
        })
    }
}
