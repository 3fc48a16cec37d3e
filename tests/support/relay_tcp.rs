//! A relay with an open port and a server's listener behind it, both on loopback.

use std::net::SocketAddr;

use bitstap::event::{Close, Direction, Event, Leg, What};
use bitstap::relay::{Config, Relay, Upstream};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A relay that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

/// Names an upstream on 127.0.0.1.
pub(crate) fn upstream(port: u16) -> Upstream {
    Upstream {
        tls: false,
        host: "127.0.0.1".to_owned(),
        port,
    }
}

impl Running {
    /// Starts a relay in front of a listener, with settings that `change` may change.
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut config = Config::new("127.0.0.1:0", upstream(port));
        change(&mut config);
        let relay = Relay::bind(config).await.expect("the relay starts");
        let (send, events) = mpsc::channel(10_000);
        let stop = CancellationToken::new();
        let address = relay.addresses()[0];
        let task = tokio::spawn(relay.run(send, stop.clone()));
        let running = Self {
            address,
            events,
            stop,
            task,
        };
        (running, listener)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// Waits for the next event.
    pub(crate) async fn next(&mut self) -> Event {
        self.events.recv().await.expect("the relay runs")
    }

    /// Waits for the next close.
    pub(crate) async fn closed(&mut self) -> (Leg, Direction, Close) {
        loop {
            let event = self.next().await;
            if let What::Closed { direction, how } = event.what {
                return (event.leg, direction, how);
            }
        }
    }

    /// Waits for bytes.
    pub(crate) async fn data(&mut self, leg: Leg, direction: Direction) {
        loop {
            let event = self.next().await;
            let found =
                matches!(event.what, What::Data { direction: found, .. } if found == direction);
            if event.leg == leg && found {
                return;
            }
        }
    }
}

/// Waits for exactly `bytes`.
pub(crate) async fn hear<S: AsyncRead + Unpin>(stream: &mut S, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).await.expect("the relay writes");
    assert_eq!(got, bytes);
}

/// Waits for the end of the stream and returns what came before it.
pub(crate) async fn rest<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut got = Vec::new();
    stream
        .read_to_end(&mut got)
        .await
        .expect("it ends in order");
    got
}
