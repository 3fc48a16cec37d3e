//! One client and its upstream twin, from the first byte to the last close.
//!
//! Each direction is a pump of its own: bytes that may go, go; its FIN is passed on and the other direction
//! still flows; a reset on one side becomes one on the other. Generic over both streams and over the
//! dialler. Knows no listener.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::{self, DialError};
use super::dial::{Dial, Dialled};
use super::intake::{Discarded, Intake, Run, Taken, is_reset, peer};
use super::perform::{self, Desk, Entry};
use super::queue::Outlet;
use super::state::{Over, Side, State, inward};
use super::stream::Stream;
use super::tap::{self, Tap};
use super::{Config, Upstream};
use crate::event::{Close, ConnId, Direction, Fact, Leg, What};

/// How much of a request is still read and thrown away after we answered it ourselves, and for how long:
/// closing with unread bytes would reset the connection, and the answer could be lost.
///
/// RFC 9112 §9.6
pub(super) const LINGER_BYTES: u64 = 32 * 1024 * 1024;
pub(super) const LINGER_TIME: std::time::Duration = std::time::Duration::from_secs(2);

/// What all connections of a relay share.
#[derive(Debug)]
pub struct Shared<D> {
    pub config: Config,
    pub dialler: D,
    pub events: Outlet,
    /// The moment from which the events count their time.
    pub start: Instant,
    pub stop: CancellationToken,
}

/// Relays between `client` and a server that is dialled when the first bytes may go there. When this
/// returns, both streams are closed and their ends are among the events; dropping it resets both.
pub async fn run<C: Stream, D: Dial>(shared: &Shared<D>, conn: ConnId, client: C) {
    enter(shared, conn, client, Entry::default(), None).await;
}

/// Does the same for a client of which something is known already, and perhaps a server to which the
/// connection is open.
pub(super) async fn enter<C: Stream, D: Dial>(
    shared: &Shared<D>,
    conn: ConnId,
    client: C,
    mut entry: Entry,
    opened: Option<Dialled<D::Stream>>,
) {
    let both_legs = shared.config.both_legs;
    let tap = Tap::new(conn, shared.start, shared.events.clone(), both_legs);
    let state = State::new(&shared.config, tap);
    let client = Side::new(client, Leg::Client);
    let rules = shared.config.rules.as_deref();
    let preface = std::mem::take(&mut entry.preface);
    state.resume(&preface);
    let desk = rules.map(|board| Desk::open(board, conn, shared.start, entry));
    let kill = desk.as_ref().map(Desk::killed).unwrap_or_default();
    let guard = pin!(state.guard(&shared.stop, &kill));
    let upstream = match &desk {
        None => {
            let main = pin!(converse(&state, &client, &shared.dialler));
            guarded(&state, main, guard).await
        }
        Some(desk) => {
            let requests = Intake::ruled(Leg::Client).after(preface);
            let begin = (requests, opened);
            let main = perform::converse(&state, &client, &shared.dialler, desk, begin);
            let main = Box::pin(main);
            guarded(&state, pin!(main), guard).await
        }
    };
    drop(desk);
    // Each is closed as soon as its own end is reached.
    let upstream = async {
        if let Some(upstream) = upstream {
            state.finish(&upstream).await;
        }
    };
    let client = async {
        state.finish(&client).await;
        drop(client);
    };
    tokio::join!(client, upstream);
}

/// Runs `main` to its end. `guard` only ever ends the connection, upon which `main` has to come to its end.
async fn guarded<T>(
    state: &State<'_>,
    mut main: Pin<&mut impl Future<Output = T>>,
    mut guard: Pin<&mut impl Future<Output = ()>>,
) -> T {
    let mut guards = true;
    poll_fn(|cx| {
        loop {
            let was_over = state.over().is_some();
            if let Poll::Ready(done) = main.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if guards && state.over().is_none() {
                guards = guard.as_mut().poll(cx).is_pending();
            }
            // Whatever waits inside `main` has to see that the connection is over by now.
            if was_over == state.over().is_some() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Waits for the first bytes to forward, dials, and pumps both ways. Returns the upstream, if any.
async fn converse<C: Stream, D: Dial>(
    state: &State<'_>,
    client: &Side<C>,
    dialler: &D,
) -> Option<Side<D::Stream>> {
    let mut requests = Intake::new(Leg::Client);
    let first = loop {
        match requests.take(state, client).await? {
            Taken::Run(run) if run.bytes.is_empty() => {}
            Taken::Fin(run) if run.bytes.is_empty() => {
                let direction = Direction::ToServer;
                state.tap.closed(Leg::Client, direction, Close::Fin).await;
                state.shut(client).await;
                state.end(Over::Done);
                return None;
            }
            Taken::Reset(_) => {
                state.reset_by(Leg::Client).await;
                return None;
            }
            taken => break taken,
        }
    };
    let dialled = tap::now();
    let opened = match dial(state, client, dialler, None).await? {
        Ok(opened) => opened,
        Err(error) => {
            let fin = matches!(first, Taken::Fin(_));
            if fin {
                let direction = Direction::ToServer;
                state.tap.closed(Leg::Client, direction, Close::Fin).await;
            }
            refuse(state, client, requests, fin, &dialler.name(), &error).await;
            return None;
        }
    };
    let upstream = opened_at(state, dialled, opened).await;
    let responses = Intake::new(Leg::Upstream);
    tokio::join!(
        pump(state, requests, client, &upstream, Some(first)),
        pump(state, responses, &upstream, client, None),
    );
    Some(upstream)
}

/// Reports a new connection to the server that was begun at `dialled`.
pub(super) async fn opened_at<S: Stream>(
    state: &State<'_>,
    dialled: Instant,
    opened: Dialled<S>,
) -> Side<S> {
    let opening = What::Opening {
        client: opened.client,
        server: opened.server,
    };
    state.tap.tell_of(dialled, Leg::Upstream, opening).await;
    state.tap.tell(Leg::Upstream, What::Opened).await;
    for note in opened.notes {
        state.tap.note(Leg::Upstream, note.text, note.fact).await;
    }
    Side::new(opened.stream, Leg::Upstream)
}

/// Dials the upstream, or `to`, within the connect timeout. `None`: the connection is over, the client may
/// have reset it.
pub(super) async fn dial<C: Stream, D: Dial>(
    state: &State<'_>,
    client: &Side<C>,
    dialler: &D,
    to: Option<&Upstream>,
) -> Option<Result<Dialled<D::Stream>, DialError>> {
    let limit = state.config.connect_timeout;
    let attempt = async {
        match to {
            None => dialler.dial(limit).await,
            Some(to) => dialler.dial_to(to, limit).await,
        }
    };
    let dial = async {
        tokio::select! {
            tried = timeout(limit, attempt) => Some(tried),
            () = client.stream.broken() => None,
        }
    };
    let Some(tried) = state.unless_over(dial).await? else {
        state.reset_by(Leg::Client).await;
        return None;
    };
    Some(tried.unwrap_or_else(|_| Err(DialError::too_late(limit))))
}

/// Copies one direction until it has ended or the connection is over.
async fn pump<F: Stream, T: Stream>(
    state: &State<'_>,
    mut intake: Intake,
    from: &Side<F>,
    to: &Side<T>,
    mut first: Option<Taken>,
) {
    loop {
        let taken = match first.take() {
            Some(taken) => taken,
            None => match intake.take(state, from).await {
                Some(taken) => taken,
                None => return,
            },
        };
        match taken {
            Taken::Run(run) => {
                if !give(state, intake.direction, from, to, run).await {
                    return;
                }
            }
            Taken::Fin(run) => {
                if give(state, intake.direction, from, to, run).await {
                    ended(state, from, to).await;
                }
                return;
            }
            Taken::Reset(run) => {
                send(state, intake.direction, from, to, run).await;
                return state.reset_by(from.leg).await;
            }
        }
    }
}

/// Passes a FIN on. The side that sent it is not read any more but may still reset the connection.
pub(super) async fn ended<F: Stream, T: Stream>(state: &State<'_>, from: &Side<F>, to: &Side<T>) {
    let direction = inward(from.leg);
    state.tap.closed(from.leg, direction, Close::Fin).await;
    state.shut(to).await;
    let both = {
        let mut books = state.books();
        books.leg(from.leg).ended = true;
        books.leg(to.leg).ended
    };
    state.change();
    if both {
        state.end(Over::Done);
    } else if state.unless_over(from.stream.broken()).await.is_some() {
        state.reset_by(from.leg).await;
    }
}

/// Writes a run to `to`. Returns whether the pump may go on.
async fn give<F: Stream, T: Stream>(
    state: &State<'_>,
    direction: Direction,
    from: &Side<F>,
    to: &Side<T>,
    run: Run,
) -> bool {
    match send(state, direction, from, to, run).await {
        Written::All => return true,
        Written::Over => {}
        Written::SenderGone => state.reset_by(from.leg).await,
        Written::Failed(error) => refused(state, to.leg, &error).await,
    }
    false
}

/// Writes a run to `to` and reports what was written of it.
pub(super) async fn send<F: Stream, T: Stream>(
    state: &State<'_>,
    direction: Direction,
    from: &Side<F>,
    to: &Side<T>,
    run: Run,
) -> Written {
    if run.bytes.is_empty() {
        return Written::All;
    }
    state.books().writing += 1;
    let (written, result) = write(state, from, to, &run.bytes).await;
    {
        let mut books = state.books();
        books.writing -= 1;
        books.moved(Some(to.leg));
    }
    let bytes = run.bytes.slice(..written.min(run.bytes.len()));
    state
        .tap
        .data(to.leg, direction, run.start, &bytes, &run.content)
        .await;
    result
}

/// A write failed: whatever came before from the peer of `leg` is still passed on, then the connection
/// is over.
pub(super) async fn refused(state: &State<'_>, leg: Leg, error: &io::Error) {
    let drained = {
        let mut books = state.books();
        let books = books.leg(leg);
        books.broken = true;
        books.ended
    };
    if drained {
        return state.reset_by(leg).await;
    }
    if is_reset(error) {
        // The other pump reads on until it meets the end.
        state.unless_over(pending::<()>()).await;
        return;
    }
    let text = format!("Writing to the {} failed: {error}.", peer(leg));
    state.tap.note(leg, text, Fact::Other).await;
    state.reset_by(leg).await;
}

pub(super) enum Written {
    All,
    Failed(io::Error),
    /// While `to` was not ready, the sender of the bytes reset its own connection.
    SenderGone,
    Over,
}

async fn write<F: Stream, T: Stream>(
    state: &State<'_>,
    from: &Side<F>,
    to: &Side<T>,
    bytes: &Bytes,
) -> (usize, Written) {
    let mut written = 0;
    let mut gone = pin!(from.stream.broken());
    let result = poll_fn(|cx| {
        if state.over().is_some() {
            return Poll::Ready(Written::Over);
        }
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match to.stream.poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Written::Failed(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Written::Failed(error)),
                Poll::Pending => return gone.as_mut().poll(cx).map(|()| Written::SenderGone),
            }
        }
        to.stream.poll_flush(cx).map(|flushed| match flushed {
            Ok(()) => Written::All,
            Err(error) => Written::Failed(error),
        })
    })
    .await;
    (written, result)
}

/// Tells a client whose server cannot be reached: an answer to HTTP, a reset to anything else.
pub(super) async fn refuse<C: Stream>(
    state: &State<'_>,
    client: &Side<C>,
    mut requests: Intake,
    ended: bool,
    upstream: &str,
    error: &DialError,
) {
    let (http, head_only) = {
        let books = state.books();
        (books.watch.has_request(), books.watch.asks_for_head())
    };
    let status = http.then(|| error.status());
    let reason = &error.reason;
    let text = format!("The upstream {upstream} could not be reached: {reason}.");
    let fact = Fact::ConnectFailed {
        reason: reason.clone(),
        status,
    };
    state.tap.note(Leg::Client, text, fact).await;
    let Some(status) = status else {
        return state.end(Over::Cut);
    };
    let text = format!("The proxy answers {status} itself.");
    let fact = Fact::Answered {
        status,
        reason: reason.clone(),
    };
    state.tap.note(Leg::Client, text, fact).await;
    let run = Run {
        bytes: answer::unreachable(upstream, error, head_only),
        ..Run::default()
    };
    match send(state, Direction::ToClient, client, client, run).await {
        Written::All => {}
        Written::Over => return,
        Written::SenderGone | Written::Failed(_) => return state.reset_by(Leg::Client).await,
    }
    state.shut(client).await;
    let deadline = tap::now() + LINGER_TIME;
    let mut left = LINGER_BYTES;
    while !ended && left > 0 {
        match requests.discard(state, client, deadline).await {
            Discarded::Bytes(count) => left = left.saturating_sub(count),
            Discarded::Fin => {
                let direction = Direction::ToServer;
                state.tap.closed(Leg::Client, direction, Close::Fin).await;
                break;
            }
            Discarded::Reset => return state.reset_by(Leg::Client).await,
            Discarded::TooLate => break,
        }
    }
    state.end(Over::Done);
}
