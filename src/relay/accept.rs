//! Takes new connections, numbers them, and waits for all of them at the end.
//!
//! Knows nothing of what happens on a connection.

use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Upstream;
use super::board::Board;
use super::connection::{self, Shared};
use super::destination::Approach;
use super::dial::{Dial, Dialled};
use super::forward::{Greeted, Greeter};
use super::perform::{self, Entry};
use super::shake::Beginning;
use super::stream::{Socket, Stream as _};
use super::tap::Tap;
use super::tls::Acceptor;
use crate::event::{ConnId, Fact, Leg, What};
use crate::fault::verdict::Client;

/// How long nothing is accepted after the system refused to: mostly it is out of file descriptors, and
/// only the end of a connection helps.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until `stop` is cancelled, then waits for the connections that stand. Dropping it resets them.
pub(super) async fn run<D: Dial + 'static>(
    shared: Arc<Shared<D>>,
    mut listeners: Vec<TcpListener>,
    acceptor: Option<Acceptor>,
) {
    let acceptor = acceptor.map(Arc::new);
    let mut tasks = JoinSet::new();
    let limit = shared.config.max_connections.min(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(limit));
    let mut last = 0_u32;
    let mut trouble = None;
    loop {
        let next = async {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                // The semaphore is never closed.
                return pending().await;
            };
            (place, accept(&listeners).await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            () = refusing(shared.config.rules.as_deref()) => {
                listeners = reopened(&shared, listeners).await;
                continue;
            }
            next = next => next,
        };
        let (stream, client, server) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                trouble = Some(error);
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => continue,
                    () = shared.stop.cancelled() => break,
                }
            }
        };
        last = last.saturating_add(1);
        let conn = ConnId(last);
        // Reported here, so that connections appear in the order of their numbers.
        let tap = Tap::new(conn, shared.start, shared.events.clone(), false);
        tap.tell(Leg::Client, What::Opening { client, server })
            .await;
        tap.tell(Leg::Client, What::Opened).await;
        if let Some(error) = trouble.take() {
            let text = format!("Before this one, connections could not be accepted: {error}.");
            tap.note(Leg::Client, text, Fact::Other).await;
        }
        // Decided here, so that connections are counted in the order of their numbers.
        let with = Client {
            address: client,
            tls: acceptor.is_some(),
        };
        let rules = shared.config.rules.as_deref();
        let verdict = rules.map(|board| perform::decide(board, conn, shared.start, with));
        let shared = Arc::clone(&shared);
        let acceptor = acceptor.clone();
        tasks.spawn(async move {
            let entry = match (shared.config.rules.as_deref(), verdict) {
                (Some(board), Some(verdict)) => {
                    let newcomer = perform::Newcomer {
                        board,
                        tap: &tap,
                        conn,
                        stream: &stream,
                    };
                    perform::connect(&newcomer, with, verdict, &shared.stop).await
                }
                _ => Some(Entry::of(with)),
            };
            if let Some(mut entry) = entry {
                let beginning = Beginning {
                    tap: &tap,
                    local: server.ip(),
                    either: shared.config.forward.is_some(),
                    limit: shared.config.handshake_wait,
                    stop: &shared.stop,
                };
                entry.approach.local = Some(server);
                let begun =
                    begin(&shared, &beginning, acceptor.as_deref(), stream, &mut entry).await;
                match (begun, shared.config.rules.as_deref()) {
                    (Some((stream, opened)), _) => {
                        connection::enter(&shared, conn, stream, entry, opened).await;
                    }
                    (None, Some(board)) => board.leave(conn),
                    (None, None) => {}
                }
            }
            drop(place);
        });
    }
    drop(listeners);
    while tasks.join_next().await.is_some() {}
}

/// Leads a client through what comes before its first request: a tunnel, if it wants one, and TLS. Returns its
/// stream, and the server's where that is open already. `None`: the connection is over.
async fn begin<D: Dial>(
    shared: &Shared<D>,
    beginning: &Beginning<'_>,
    acceptor: Option<&Acceptor>,
    stream: TcpStream,
    entry: &mut Entry,
) -> Option<(Socket, Option<Dialled<D::Stream>>)> {
    let Greeted {
        stream,
        preface,
        tunnel,
        opened,
    } = match &shared.config.forward {
        None => Greeted::of(stream),
        Some(forward) => {
            let decrypts = acceptor.is_some();
            let greeter = Greeter {
                beginning,
                shared,
                forward,
                decrypts,
            };
            greeter.greet(stream).await?
        }
    };
    // What was read already is no TLS, and in a tunnel that passes unread nobody looks.
    let acceptor = acceptor.filter(|_| preface.ahead.is_empty() && opened.is_none());
    let (stream, server_name) = match acceptor {
        None => (Socket::Plain(stream), None),
        Some(acceptor) => {
            let host = tunnel.as_ref().map(|to| to.host.as_str());
            beginning.open(acceptor, stream, entry.tls, host).await?
        }
    };
    let secure = matches!(stream, Socket::Tls(_));
    let (target, opened) = opened.unzip();
    entry.target = target;
    entry.preface = preface;
    entry.approach = Approach {
        local: entry.approach.local,
        secure,
        server_name,
        tunnel: tunnel.map(|to| Upstream { tls: secure, ..to }),
    };
    Some((stream, opened))
}

/// Waits until a rule has the ports refuse new connections.
async fn refusing(rules: Option<&Board>) {
    match rules {
        Some(board) => board.refusing().await,
        None => pending().await,
    }
}

/// Waits until all rules are off, unless they are already.
async fn turned_off(rules: Option<&Board>) {
    match rules.filter(|board| !board.is_off()) {
        Some(board) => board.turned_off().await,
        None => pending().await,
    }
}

/// Closes the ports for as long as a rule says, and opens the same ones again.
async fn reopened<D>(shared: &Shared<D>, listeners: Vec<TcpListener>) -> Vec<TcpListener> {
    let mut addresses: Vec<SocketAddr> = (listeners.iter())
        .filter_map(|listener| listener.local_addr().ok())
        .collect();
    drop(listeners);
    let rules = shared.config.rules.as_deref();
    let mut open = Vec::new();
    while !addresses.is_empty() {
        let until = rules
            .and_then(Board::refuses)
            .unwrap_or_else(|| super::tap::now() + PAUSE);
        if rules.is_some_and(|board| board.refuses().is_none()) {
            let mut left = Vec::new();
            for address in addresses {
                match TcpListener::bind(address).await {
                    Ok(listener) => open.push(listener),
                    // Somebody else may have taken the port: it is tried again.
                    Err(_) => left.push(address),
                }
            }
            addresses = left;
            if addresses.is_empty() {
                break;
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = turned_off(rules) => {}
            () = shared.stop.cancelled() => break,
        }
    }
    open
}

/// Takes the next connection from whichever listener has one, with both of its addresses.
async fn accept(listeners: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr, SocketAddr)> {
    let accepted = poll_fn(|cx| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    });
    let (stream, client) = accepted.await?;
    // Both fail only where the client has gone again.
    let prepared = stream.set_nodelay(true).and_then(|()| stream.local_addr());
    match prepared {
        Ok(server) => Ok((stream, client, server)),
        Err(error) => {
            stream.reset();
            Err(error)
        }
    }
}
