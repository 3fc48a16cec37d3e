//! What clients talk to: a relay or a server made from a capture, behind ports that are open already.

use std::net::SocketAddr;
use std::pin::Pin;

use tokio_util::sync::CancellationToken;

use crate::relay::{Outlet, Relay};

use super::stage::say;

/// Serves until the token is cancelled; what passes goes to the outlet.
type Run =
    Box<dyn FnOnce(Outlet, CancellationToken) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What clients talk to, with its ports open: a relay, or a server made from a capture.
pub(super) struct Front {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) run: Run,
}

impl Front {
    /// Makes one of whoever listens on `addresses`; `run` serves until the token is cancelled.
    pub(super) fn new<F>(
        addresses: Vec<SocketAddr>,
        run: impl FnOnce(Outlet, CancellationToken) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            addresses,
            run: Box::new(|outlet, stop| Box::pin(run(outlet, stop))),
        }
    }
}

impl From<Relay> for Front {
    fn from(relay: Relay) -> Self {
        Self::new(relay.addresses().to_vec(), |outlet, stop| {
            relay.run(outlet, stop)
        })
    }
}

/// What stands behind a front.
pub(super) enum Behind {
    Servers(Places),
    /// Nothing; what answers, in a few words.
    Nothing(String),
}

/// Where requests go.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// In words, for the screen's title.
    pub(super) title: String,
    /// The upstream as the user named it.
    pub(super) upstream: Option<String>,
    /// Hosts and the URLs of the servers that requests for them go to.
    pub(super) routes: Vec<(String, String)>,
    /// Clients may name servers themselves.
    pub(super) forward: bool,
}

impl Places {
    /// Makes one where all requests go to one server.
    pub(super) fn upstream(url: &str) -> Self {
        Self {
            title: url.to_owned(),
            upstream: Some(url.to_owned()),
            ..Self::default()
        }
    }
}

/// Whoever listens wider than loopback lends what listens to the whole network; `lends` says what for.
pub(super) fn warn_beyond_loopback(listen: &[String], lends: &str) {
    for address in listen {
        let loopback = address.parse::<SocketAddr>().map_or_else(
            |_| address.starts_with("localhost:"),
            |address| address.ip().is_loopback(),
        );
        if !loopback {
            say(&format!("warning: {address} is not loopback: {lends}"));
        }
    }
}
