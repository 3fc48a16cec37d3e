//! The stage before the first byte: what is to become of a connection that was just accepted.
//!
//! Decided while it is accepted, in the order of the connections; carried out in its own task, before
//! any handshake. A fault of TLS is only handed on, to whoever does the handshake.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use crate::event::{Close, ConnId, Direction, Fact, Leg};
use crate::fault::rule::{TlsFault, Way};
use crate::fault::verdict::{Client, Deed};
use crate::fault::{Moment, Stage, Verdict};
use crate::relay::Upstream;
use crate::relay::board::Board;
use crate::relay::destination::Approach;
use crate::relay::forward::Preface;
use crate::relay::state::at;
use crate::relay::stream::Stream;
use crate::relay::tap::{self, Tap};

/// What is known of a client when its first byte may be read.
#[derive(Debug)]
pub(in crate::relay) struct Entry {
    pub(super) client: Client,
    pub(super) paces: Vec<(Way, Pace)>,
    /// What is to go wrong in the handshake.
    pub(in crate::relay) tls: Option<TlsFault>,
    pub(in crate::relay) approach: Approach,
    /// What was said before.
    pub(in crate::relay) preface: Preface,
    /// The server that the connection leads to already.
    pub(in crate::relay) target: Option<Upstream>,
}

impl Default for Entry {
    fn default() -> Self {
        Self::of(Client {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            tls: false,
        })
    }
}

impl Entry {
    pub(in crate::relay) fn of(client: Client) -> Self {
        Self {
            client,
            paces: Vec::new(),
            tls: None,
            approach: Approach::default(),
            preface: Preface::default(),
            target: None,
        }
    }
}

/// Decides about a new connection.
pub(in crate::relay) fn decide(
    board: &Board,
    conn: ConnId,
    start: Instant,
    client: Client,
) -> Verdict {
    board.begin(start);
    if board.is_idle() {
        return Verdict::default();
    }
    let moment = Moment {
        at: tap::now().saturating_duration_since(start),
        conn,
        client,
        stage: Stage::Connect,
        exchange: None,
        request: None,
        response: None,
    };
    board.decide(&moment).0
}

/// A connection on which nothing was read.
pub(in crate::relay) struct Newcomer<'p, S> {
    pub(in crate::relay) board: &'p Board,
    pub(in crate::relay) tap: &'p Tap,
    pub(in crate::relay) conn: ConnId,
    pub(in crate::relay) stream: &'p S,
}

/// Carries out what was decided about a new connection, unless `stop` ends the run. `None`: it is over, and
/// its stream is to be dropped.
pub(in crate::relay) async fn connect<S: Stream>(
    newcomer: &Newcomer<'_, S>,
    client: Client,
    verdict: Verdict,
    stop: &CancellationToken,
) -> Option<Entry> {
    let (board, tap) = (newcomer.board, newcomer.tap);
    let mut entry = Entry::of(client);
    for receipt in &verdict.receipts {
        let note = receipt.note();
        tap.note(Leg::Client, note.text, note.fact).await;
    }
    for step in verdict.steps {
        if board.is_off() {
            break;
        }
        match step.deed {
            Deed::Delay(time) => {
                let until = tap::now().checked_add(time);
                if !wait(newcomer, stop, until, false).await {
                    return None;
                }
            }
            Deed::Hang(time) => {
                let until = time.and_then(|time| tap::now().checked_add(time));
                if !wait(newcomer, stop, until, true).await {
                    return None;
                }
            }
            Deed::Limit { bucket, rate, way } => {
                let pace = Pace::Bucket(board.bucket(&bucket, rate));
                entry.paces.push((way, pace));
            }
            Deed::Dribble { bytes, every, way } => {
                entry.paces.push((way, Pace::dribble(bytes, every)));
            }
            Deed::Note(text) => tap.note(Leg::Client, text, Fact::Other).await,
            Deed::Reset(_) => return over(newcomer, Close::Reset).await,
            Deed::Close(_) => return over(newcomer, Close::Fin).await,
            Deed::Refuse(time) => {
                let text = format!("The ports refuse new connections for {time:?}.");
                tap.note(Leg::Client, text, Fact::Other).await;
                board.refuse(time);
                return over(newcomer, Close::Reset).await;
            }
            Deed::Tls(fault) => entry.tls = Some(fault),
            // There is no message yet.
            Deed::Replace(_)
            | Deed::Flip(_)
            | Deed::Truncate
            | Deed::Respond(_)
            | Deed::DropResponse
            | Deed::Duplicate(_)
            | Deed::Hold(_) => {}
        }
    }
    Some(entry)
}

/// Waits; `false` when the client has gone meanwhile or the run ends.
async fn wait<S: Stream>(
    newcomer: &Newcomer<'_, S>,
    stop: &CancellationToken,
    until: Option<Instant>,
    ends: bool,
) -> bool {
    let Newcomer {
        board, tap, conn, ..
    } = *newcomer;
    tokio::select! {
        biased;
        () = at(until) => return true,
        () = board.turned_off() => return true,
        () = newcomer.stream.broken() => {}
        () = newcomer.stream.gone(), if ends => {}
        () = stop.cancelled() => {
            let reason = "the proxy shuts down".to_owned();
            let text = format!("The proxy closes this connection: {reason}.");
            tap.note(Leg::Client, text, Fact::Closing { reason }).await;
            over(newcomer, Close::Fin).await;
            return false;
        }
    }
    board.leave(conn);
    newcomer.stream.reset();
    let direction = Direction::ToServer;
    tap.closed(Leg::Client, direction, Close::Reset).await;
    false
}

/// Ends a connection on which nothing was read.
async fn over<S: Stream>(newcomer: &Newcomer<'_, S>, how: Close) -> Option<Entry> {
    let Newcomer {
        board,
        tap,
        conn,
        stream,
    } = *newcomer;
    board.leave(conn);
    match how {
        Close::Reset => stream.reset(),
        // What the client has sent already would turn a close into a reset: it is given time to read.
        Close::Fin => {
            let _ = poll_fn(|cx| stream.poll_shutdown(cx)).await;
        }
    }
    tap.closed(Leg::Client, Direction::ToClient, how).await;
    if how == Close::Fin {
        let deadline = tap::now() + crate::relay::connection::LINGER_TIME;
        tokio::select! {
            () = sleep_until(deadline) => {}
            () = stream.gone() => {}
        }
    }
    None
}
