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
use super::{Config, Error, Upstream};
use crate::event::Note;

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

    /// Names the upstream for people, such as `http://example.org:80`.
    fn name(&self) -> String;
}

/// Opens TCP connections, with TLS inside where the upstream asks for it.
pub struct Dialler {
    upstream: Upstream,
    tls: Option<Connector>,
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
        let name = config.upstream_name.as_deref().unwrap_or(&upstream.host);
        let tls = (upstream.tls).then(|| means.connector(name)).transpose()?;
        Ok(Self {
            upstream,
            tls,
            other: OnceLock::new(),
            means,
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

    async fn connect(to: &Upstream, within: Duration) -> Result<TcpStream, DialError> {
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
        open(&self.upstream, self.tls.as_ref(), within).await
    }

    async fn dial_to(&self, to: &Upstream, within: Duration) -> Result<Dialled<Socket>, DialError> {
        let tls = to.tls.then(|| self.other(&to.host)).transpose()?;
        open(to, tls.as_ref(), within).await
    }

    fn name(&self) -> String {
        self.upstream.url()
    }
}

/// Opens a connection to one server.
async fn open(
    to: &Upstream,
    tls: Option<&Connector>,
    within: Duration,
) -> Result<Dialled<Socket>, DialError> {
    let stream = Dialler::connect(to, within).await?;
    let addresses = stream.local_addr().and_then(|client| {
        stream.set_nodelay(true)?;
        Ok((client, stream.peer_addr()?))
    });
    let (client, server) = addresses.map_err(|error| failed(plain(&error)))?;
    let (stream, notes) = match tls {
        None => (Socket::Plain(stream), Vec::new()),
        Some(tls) => tls.connect(stream).await.map_err(failed)?,
    };
    Ok(Dialled {
        stream,
        client,
        server,
        notes,
    })
}
