//! What comes before a connection's first byte of HTTP: plain or TLS, and the handshake.
//!
//! Its own file because none of it touches the server: a client that gets no further than here has no
//! upstream. Knows no certificates.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::stream::{Socket, Wire};
use super::tap::{self, Tap};
use super::tls::{Acceptor, Failed};
use crate::event::{Close, Direction, Fact, Leg};
use crate::fault::rule::TlsFault;

/// The first byte of a TLS handshake (RFC 8446 §5.1); no HTTP request starts with it.
const HANDSHAKE: u8 = 0x16;
/// How much is still read, and for how long, after the handshake failed: closing with unread bytes would
/// reset the connection, and the alert could be lost.
const LINGER_BYTES: u64 = 64 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// How the beginning of a connection was cut short.
enum Cut {
    Stopped,
    TooLate,
    Failed(Box<Failed>),
}

/// A connection that is about to begin.
pub(super) struct Beginning<'a> {
    pub(super) tap: &'a Tap,
    /// By which of our addresses the client reached us.
    pub(super) local: IpAddr,
    /// Whether plain HTTP is as usual here as TLS.
    pub(super) either: bool,
    /// How long all of it may take.
    pub(super) limit: Duration,
    pub(super) stop: &'a CancellationToken,
}

impl Beginning<'_> {
    /// Takes the connection as what it turns out to be; `fault` goes wrong if it is TLS, for `host` if the
    /// client does not say for whom. Also returns whom it says. `None`: it is over, and its end is among the
    /// events.
    pub(super) async fn open(
        &self,
        acceptor: &Acceptor,
        stream: TcpStream,
        fault: Option<TlsFault>,
        host: Option<&str>,
    ) -> Option<(Socket, Option<String>)> {
        let deadline = tap::now() + self.limit;
        match self.unless_cut(deadline, first_byte(&stream)).await {
            Ok(Some(HANDSHAKE)) => {}
            Ok(None) => return Some((Socket::Plain(stream), None)),
            Ok(Some(_)) => {
                let mut text = String::new();
                if !self.either {
                    text.push_str("This client speaks without TLS on a port that offers it. ");
                }
                if fault.is_some() {
                    text.push_str("The handshake that a rule was to break does not take place.");
                }
                if !text.is_empty() {
                    let text = text.trim_end().to_owned();
                    self.tap.note(Leg::Client, text, Fact::Other).await;
                }
                return Some((Socket::Plain(stream), None));
            }
            Err(cut) => {
                self.end(Wire::new(stream), cut).await;
                return None;
            }
        }
        let wire = Wire::new(stream);
        let shake = acceptor.accept_tls(wire.clone(), self.local, host, fault);
        let shaken = self.unless_cut(deadline, shake).await;
        match shaken.and_then(|done| done.map_err(|failed| Cut::Failed(Box::new(failed)))) {
            Ok(accepted) => {
                let note = accepted.note;
                self.tap.note(Leg::Client, note.text, note.fact).await;
                Some((accepted.stream, accepted.server_name))
            }
            Err(cut) => {
                self.end(wire, cut).await;
                None
            }
        }
    }

    async fn unless_cut<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Cut> {
        tokio::select! {
            done = timeout_at(deadline, work) => done.map_err(|_| Cut::TooLate),
            () = self.stop.cancelled() => Err(Cut::Stopped),
        }
    }

    /// Closes the connection because the proxy stops.
    pub(super) async fn stopped(&self, wire: Wire) {
        self.end(wire, Cut::Stopped).await;
    }

    /// Says why nothing comes of the connection, and closes it.
    async fn end(&self, wire: Wire, cut: Cut) {
        let (text, fact, ended) = match cut {
            Cut::Stopped => {
                let reason = "the proxy shuts down".to_owned();
                let text = format!("The proxy closes this connection: {reason}.");
                (text, Fact::Closing { reason }, None)
            }
            Cut::TooLate => {
                let limit = self.limit;
                let text = format!(
                    "The proxy closes this connection: neither a request nor a whole TLS handshake came \
                     within {limit:?}."
                );
                let timer = "handshake".to_owned();
                (text, Fact::TimedOut { timer }, None)
            }
            Cut::Failed(failed) => (failed.note.text, failed.note.fact, failed.ended),
        };
        self.tap.note(Leg::Client, text, fact).await;
        match ended {
            None => self.hang_up(wire).await,
            Some(io::ErrorKind::UnexpectedEof) => {
                self.closed(Direction::ToServer, Close::Fin).await;
                self.closed(Direction::ToClient, Close::Fin).await;
            }
            Some(_) => self.closed(Direction::ToServer, Close::Reset).await,
        }
    }

    /// Closes first, and lets the client read what it was told.
    pub(super) async fn hang_up(&self, mut wire: Wire) {
        if wire.shutdown().await.is_err() {
            return self.closed(Direction::ToServer, Close::Reset).await;
        }
        self.closed(Direction::ToClient, Close::Fin).await;
        let mut rest = wire.take(LINGER_BYTES);
        let mut nowhere = tokio::io::sink();
        let drain = tokio::io::copy(&mut rest, &mut nowhere);
        let drained = tokio::select! {
            drained = timeout(LINGER_TIME, drain) => drained,
            () = self.stop.cancelled() => return,
        };
        match drained {
            Ok(Ok(count)) if count < LINGER_BYTES => {
                self.closed(Direction::ToServer, Close::Fin).await;
            }
            Ok(Err(_)) => self.closed(Direction::ToServer, Close::Reset).await,
            Ok(Ok(_)) | Err(_) => {}
        }
    }

    pub(super) async fn closed(&self, direction: Direction, how: Close) {
        self.tap.closed(Leg::Client, direction, how).await;
    }
}

/// Waits for the first byte and leaves it where it is. `None`: the client ended the connection before it.
async fn first_byte(stream: &TcpStream) -> Option<u8> {
    let mut first = [0];
    let count = stream.peek(&mut first).await.ok()?;
    first.first().copied().filter(|_| count > 0)
}
