//! The only room between two sockets: bind, accept, dial, copy, shut down.
//!
//! Forwards the bytes that it received and reports what passes as [`Event`]s. Knows no captures,
//! timelines or screens.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::event::Event;

/// Where and how the relay dials.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `http` or `https`.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    pub port: u16,
}

/// Settings of a relay.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Vec<String>,
    pub upstream: Upstream,
    /// PEM files whose certificates are trusted towards the upstream, beside the platform's.
    pub upstream_ca: Vec<std::path::PathBuf>,
    pub connect_timeout: Duration,
    /// A connection on which nothing passes for so long is closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// More clients than this wait in the listen queue.
    pub max_connections: usize,
}

/// What stops a relay from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}")]
    Bind {
        address: String,
        source: std::io::Error,
    },
    #[error("cannot read certificates from {path}")]
    Certificates {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
}

/// A relay whose ports are open.
#[derive(Debug)]
pub struct Relay {
    addresses: Vec<SocketAddr>,
}

impl Relay {
    /// Opens the listening ports and checks the TLS settings.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let _ = config;
        Ok(Self {
            addresses: Vec::new(),
        })
    }

    /// Returns the addresses that it really listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Relays until `stop` is cancelled: then no new connection is taken, and those that stand are
    /// closed once the exchanges under way are over, at the latest after `Config`'s grace period.
    /// Every event goes to `events` in order; a full queue slows the relay.
    pub async fn run(self, events: mpsc::Sender<Event>, stop: CancellationToken) {
        let _ = (events, stop);
    }
}
