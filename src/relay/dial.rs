//! Reaches the upstream: name to addresses, TCP, TLS.
//!
//! Tries each address once and never a second time; what is to be done about a failure is
//! `connection.rs`'s business.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::answer::DialError;
use super::stream::{Locked, Server, Stream};
use super::{Error, Upstream, tls};
use crate::event::Fact;

/// A new connection to the server.
#[derive(Debug)]
pub struct Dialled<S> {
    pub stream: S,
    /// Our own address on it.
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// What TLS agreed on, where there is TLS.
    pub tls: Option<Fact>,
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

    /// Names the upstream for people, such as `http://example.org:80`.
    fn name(&self) -> String;
}

/// Opens TCP connections, with TLS inside where the upstream asks for it.
pub struct Dialler {
    upstream: Upstream,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Dialler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialler")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl Dialler {
    /// Checks the TLS settings of `upstream`.
    pub fn new(upstream: Upstream, ca: &[std::path::PathBuf]) -> Result<Self, Error> {
        let tls = if upstream.tls {
            Some((tls::connector(ca)?, tls::server_name(&upstream.host)?))
        } else {
            None
        };
        Ok(Self { upstream, tls })
    }

    async fn connect(&self, within: Duration) -> Result<TcpStream, DialError> {
        let target = (self.upstream.host.as_str(), self.upstream.port);
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
    type Stream = Server;

    async fn dial(&self, within: Duration) -> Result<Dialled<Server>, DialError> {
        let stream = self.connect(within).await?;
        let addresses = stream.local_addr().and_then(|client| {
            stream.set_nodelay(true)?;
            Ok((client, stream.peer_addr()?))
        });
        let (client, server) = addresses.map_err(|error| failed(plain(&error)))?;
        let (stream, tls) = match &self.tls {
            None => (Server::Plain(stream), None),
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| failed(tls::reason(&error)))?;
                let fact = tls::fact(stream.get_ref().1, name);
                (Server::Tls(Box::new(Locked::new(stream))), Some(fact))
            }
        };
        Ok(Dialled {
            stream,
            client,
            server,
            tls,
        })
    }

    fn name(&self) -> String {
        let Upstream { tls, host, port } = &self.upstream;
        let scheme = if *tls { "https" } else { "http" };
        if host.contains(':') {
            format!("{scheme}://[{host}]:{port}")
        } else {
            format!("{scheme}://{host}:{port}")
        }
    }
}
