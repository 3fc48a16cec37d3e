//! The beginning of a connection to a forward proxy: CONNECT, and who may ask for it.
//!
//! A client that wants a tunnel is led through here before its connection begins: what is said then is HTTP
//! or TLS, which the proxy ends as it does on its own port, or something that it passes on unread. A client
//! that wants none passes untouched; its requests name their servers themselves (`destination.rs`).

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use super::answer::{self, DialError};
use super::connection::Shared;
use super::credentials::Credentials;
use super::destination::{self, Hosts};
use super::dial::{Dial, Dialled};
use super::rewrite::reread;
use super::shake::Beginning;
use super::state::at;
use super::stream::Wire;
use super::tap;
use super::{Config, Upstream};
use crate::event::{Close, Direction, Fact, Leg};
use crate::wire::{self, Head};

/// So much of a CONNECT head is waited for, and looked at in one go.
const HEAD_MAX: usize = 64 * 1024;
const ROOM: usize = 8 * 1024;
/// How a request for a tunnel begins.
const CONNECT: &[u8] = b"CONNECT ";
const OPENED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// How the proxy serves clients that were told to use it as a proxy.
#[derive(Clone, Debug, Default)]
pub struct Forward {
    /// What is said to these passes unread.
    pub tunnel: Vec<Hosts>,
    /// Who may use the proxy; `None`: everybody.
    pub credentials: Option<Credentials>,
}

impl Forward {
    /// Tells whether the sender of a request may use the proxy.
    ///
    /// RFC 9110 §11.7.1
    pub(super) fn admits(&self, head: &Head) -> bool {
        let Some(own) = &self.credentials else {
            return true;
        };
        head.values("proxy-authorization")
            .any(|value| own.are(value))
    }
}

/// What was said on a connection before it begins, and what was read of it already.
#[derive(Debug, Default)]
pub(super) struct Preface {
    pub(super) to_server: BytesMut,
    pub(super) to_client: BytesMut,
    /// Bytes of the client that nobody has looked at yet.
    pub(super) ahead: Bytes,
}

/// A connection that may begin.
pub(super) struct Greeted<S> {
    pub(super) stream: TcpStream,
    pub(super) preface: Preface,
    /// Where the tunnel leads; `None`: there is none.
    pub(super) tunnel: Option<Upstream>,
    /// The server of a tunnel that passes unread, and the connection to it.
    pub(super) opened: Option<(Upstream, Dialled<S>)>,
}

impl<S> Greeted<S> {
    /// Takes a client that nobody greets.
    pub(super) fn of(stream: TcpStream) -> Self {
        Self {
            stream,
            preface: Preface::default(),
            tunnel: None,
            opened: None,
        }
    }
}

/// What the first bytes of a client are.
enum First {
    /// It wants no tunnel, or ended the connection.
    Else,
    Connect(Bytes),
    /// The proxy stops.
    Over,
}

/// Greets a client of a forward proxy.
pub(super) struct Greeter<'a, D> {
    pub(super) beginning: &'a Beginning<'a>,
    pub(super) shared: &'a Shared<D>,
    pub(super) forward: &'a Forward,
    /// Whether TLS in a tunnel can be ended here.
    pub(super) decrypts: bool,
}

impl<D: Dial> Greeter<'_, D> {
    /// Opens the tunnel that the client asks for, if it does. `None`: the connection is over, and its end is
    /// among the events.
    pub(super) async fn greet(&self, mut stream: TcpStream) -> Option<Greeted<D::Stream>> {
        let mut preface = Preface::default();
        loop {
            let bytes = match self.first(&mut stream, &mut preface).await {
                First::Connect(bytes) => bytes,
                First::Else => {
                    return Some(Greeted {
                        preface,
                        ..Greeted::of(stream)
                    });
                }
                First::Over => {
                    self.beginning.stopped(Wire::new(stream)).await;
                    return None;
                }
            };
            let tap = self.beginning.tap;
            tap.data(Leg::Client, Direction::ToServer, 0, &bytes, &[])
                .await;
            preface.to_server.extend_from_slice(&bytes);
            let Some(head) = reread(wire::Stream::Requests, &bytes) else {
                let text = "The proxy could not read the request for a tunnel.";
                return self.refuse(stream, 400, "Bad Request", text).await;
            };
            if !self.forward.admits(&head) {
                let answer = answer::unadmitted(false);
                self.tell(
                    &mut stream,
                    &mut preface,
                    &answer,
                    407,
                    "the client may not use the proxy",
                )
                .await?;
                if preface.to_client.len() < HEAD_MAX {
                    continue;
                }
                // Whoever asks so often is not let in; what was said is kept, so that it has to end.
                self.beginning.hang_up(Wire::new(stream)).await;
                return None;
            }
            let target = head.target().and_then(|target| str::from_utf8(target).ok());
            let Some(named) = target.and_then(|target| destination::server(true, target)) else {
                let text = "A tunnel leads to host:port, and this is none.";
                return self.refuse(stream, 400, "Bad Request", text).await;
            };
            return self.open(stream, preface, named).await;
        }
    }

    /// Waits for a request for a tunnel and takes it off the stream, or for anything else and leaves that. Of a
    /// head that comes in pieces those are taken that came before.
    async fn first(&self, stream: &mut TcpStream, preface: &mut Preface) -> First {
        let config = &self.shared.config;
        let mut begun = BytesMut::new();
        let mut until = config.idle_timeout.map(|idle| tap::now() + idle);
        loop {
            tokio::select! {
                // An error is found out again by whoever reads.
                _ = stream.readable() => {}
                // The connection has timers of its own, for idle ones and for heads that stay incomplete.
                () = at(until) => {
                    preface.ahead = begun.freeze();
                    return First::Else;
                }
                () = self.beginning.stop.cancelled() => return First::Over,
            }
            // Not before: a connection that waits costs nothing.
            let mut room = vec![0; ROOM];
            let count = match stream.peek(&mut room).now_or_never() {
                None => continue,
                Some(peeked) => peeked.unwrap_or_default(),
            };
            let held = begun.len();
            begun.extend_from_slice(room.get(..count).unwrap_or_default());
            let known = begun.len().min(CONNECT.len());
            let asks = begun.get(..known) == CONNECT.get(..known);
            let end = end_of_head(&begun).filter(|_| asks);
            let take = match end {
                Some(end) => end.saturating_sub(held),
                None if !asks || count == 0 || begun.len() >= HEAD_MAX => {
                    begun.truncate(held);
                    preface.ahead = begun.freeze();
                    return First::Else;
                }
                None => count,
            };
            // What was peeked at is there.
            if let Err(_gone) = stream
                .read_exact(room.get_mut(..take).unwrap_or_default())
                .await
            {
                begun.truncate(held);
                preface.ahead = begun.freeze();
                return First::Else;
            }
            if let Some(end) = end {
                begun.truncate(end);
                return First::Connect(begun.freeze());
            }
            until = Some(tap::now() + config.head_wait);
        }
    }

    async fn open(
        &self,
        mut stream: TcpStream,
        mut preface: Preface,
        named: Upstream,
    ) -> Option<Greeted<D::Stream>> {
        let place = named.place();
        let unread = self
            .forward
            .tunnel
            .iter()
            .find(|hosts| hosts.hold(&named.host, named.port));
        if self.decrypts && unread.is_none() {
            let text = format!(
                "The proxy opens a tunnel to {place} and reads what is said in it: TLS ends here, with a \
                 certificate of its own."
            );
            self.opened(&mut stream, &mut preface, text, &place, true)
                .await?;
            return Some(Greeted {
                preface,
                tunnel: Some(named),
                ..Greeted::of(stream)
            });
        }
        let named = Upstream {
            tls: false,
            ..named
        };
        let to = destination::route(&self.shared.config, &named).unwrap_or_else(|| named.clone());
        let opened = match self.dial(&stream, &to).await? {
            Ok(opened) => opened,
            Err(error) => {
                let text = format!(
                    "The server {} could not be reached: {}.",
                    to.place(),
                    error.reason
                );
                let fact = Fact::ConnectFailed {
                    reason: error.reason.clone(),
                    status: Some(error.status()),
                };
                self.beginning.tap.note(Leg::Client, text, fact).await;
                let answer = answer::unreachable(&to.place(), &error, false);
                self.tell(
                    &mut stream,
                    &mut preface,
                    &answer,
                    error.status(),
                    &error.reason,
                )
                .await?;
                self.beginning.hang_up(Wire::new(stream)).await;
                return None;
            }
        };
        let why = match unread {
            Some(hosts) => format!("--tunnel {hosts} says so"),
            None => "the proxy has no certificates: --tls auto makes them".to_owned(),
        };
        let text = format!(
            "The proxy opens a tunnel to {place}, and what is said in it passes unread: {why}."
        );
        self.opened(&mut stream, &mut preface, text, &place, false)
            .await?;
        Some(Greeted {
            stream,
            preface,
            tunnel: Some(named),
            opened: Some((to, opened)),
        })
    }

    /// Dials the server of a tunnel. `None`: the client has gone meanwhile.
    async fn dial(
        &self,
        stream: &TcpStream,
        to: &Upstream,
    ) -> Option<Result<Dialled<D::Stream>, DialError>> {
        let limit = self.shared.config.connect_timeout;
        let dial = tokio::time::timeout(limit, self.shared.dialler.dial_tunnel(to, limit));
        tokio::select! {
            dialled = dial => Some(dialled.unwrap_or_else(|_| Err(DialError::too_late(limit)))),
            _ = stream.ready(Interest::ERROR) => {
                self.beginning.closed(Direction::ToServer, Close::Reset).await;
                None
            }
            () = self.beginning.stop.cancelled() => {
                stream.set_zero_linger().ok();
                self.beginning.closed(Direction::ToClient, Close::Reset).await;
                None
            }
        }
    }

    async fn opened(
        &self,
        stream: &mut TcpStream,
        preface: &mut Preface,
        text: String,
        place: &str,
        read: bool,
    ) -> Option<()> {
        let fact = Fact::Tunnel {
            to: place.to_owned(),
            read,
        };
        self.beginning.tap.note(Leg::Client, text, fact).await;
        self.write(stream, preface, &Bytes::from_static(OPENED))
            .await
    }

    /// Writes an answer of our own that refuses something.
    async fn tell(
        &self,
        stream: &mut TcpStream,
        preface: &mut Preface,
        answer: &Bytes,
        status: u16,
        why: &str,
    ) -> Option<()> {
        let text = format!("The proxy answers {status} itself: {why}.");
        let reason = why.to_owned();
        let fact = Fact::Answered { status, reason };
        self.beginning.tap.note(Leg::Client, text, fact).await;
        self.write(stream, preface, answer).await
    }

    async fn write(
        &self,
        stream: &mut TcpStream,
        preface: &mut Preface,
        bytes: &Bytes,
    ) -> Option<()> {
        match self.write_in_time(stream, bytes).await {
            Ok(()) => {
                preface.to_client.extend_from_slice(bytes);
                let tap = self.beginning.tap;
                tap.data(Leg::Client, Direction::ToClient, 0, bytes, &[])
                    .await;
                Some(())
            }
            Err(_gone) => {
                self.beginning
                    .closed(Direction::ToServer, Close::Reset)
                    .await;
                None
            }
        }
    }

    async fn write_in_time(&self, stream: &mut TcpStream, bytes: &Bytes) -> io::Result<()> {
        let limit: Duration = self.beginning.limit;
        match tokio::time::timeout(limit, stream.write_all(bytes)).await {
            Ok(written) => written,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Answers, and ends the connection.
    async fn refuse(
        &self,
        mut stream: TcpStream,
        status: u16,
        phrase: &str,
        text: &str,
    ) -> Option<Greeted<D::Stream>> {
        let answer = answer::closing(status, phrase, text);
        let mut nobody = Preface::default();
        let why = text.trim_end_matches('.');
        self.tell(&mut stream, &mut nobody, &answer, status, why)
            .await?;
        self.beginning.hang_up(Wire::new(stream)).await;
        None
    }
}

/// Returns where the head ends that `bytes` begin with.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut line = 0_usize;
    for at in memchr::memchr_iter(b'\n', bytes) {
        let text = bytes.get(line..at).unwrap_or_default();
        line = at.saturating_add(1);
        if text.is_empty() || text == b"\r" {
            return Some(line);
        }
    }
    None
}

/// Says what a client hears whose request names no server that the proxy knows.
pub(super) fn lost(
    config: &Config,
    nowhere: &destination::Nowhere,
    head_only: bool,
) -> (Bytes, String) {
    match nowhere {
        destination::Nowhere::Unnamed => {
            let text = "this is a forward proxy, and the request names no server: its target is a path. \
                        Clients have to be told to use it as their proxy";
            let answer = answer::refusal(400, "Bad Request", &format!("{text}."), head_only);
            (answer, text.to_owned())
        }
        destination::Nowhere::Unknown(host) => {
            let known: Vec<String> = (config.routes.iter())
                .map(|route| route.hosts.to_string())
                .collect();
            let text = format!(
                "no --route is for the host {host}, and there is no --upstream (routes: {})",
                known.join(", ")
            );
            let answer =
                answer::refusal(421, "Misdirected Request", &format!("{text}."), head_only);
            (answer, text)
        }
    }
}
