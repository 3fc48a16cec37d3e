//! What both directions of one connection share: whether it is over and why, what has been closed, what
//! the decoder knows, and the timers that may end it.
//!
//! Both directions run in one task, so the locks here are never waited for.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Config;
use super::forward::Preface;
use super::perform::{Ruled, part};
use super::stream::Stream;
use super::tap::{self, Tap};
use super::watch::{Found, Watch};
use crate::event::{Close, Direction, Fact, Leg};
use crate::wire;

/// How long bytes that were just written get before a reset follows them: a reset discards what the
/// system has not sent yet, and the other end may discard what its program has not read yet.
const BEFORE_RESET: Duration = Duration::from_millis(50);

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Both directions ended, or we answered and closed.
    Done,
    /// The peer on this leg reset it.
    Reset(Leg),
    /// We close it, and no exchange is under way: FIN both ways.
    Closing,
    /// We close it in the middle of something: RST both ways, so that nobody takes a part for the whole.
    Cut,
    /// A rule ends it, each end in its own way.
    Ruled { client: Close, upstream: Close },
}

/// One stream of a connection. Dropping it resets the connection unless it was ended in order.
#[derive(Debug)]
pub(super) struct Side<S: Stream> {
    pub(super) stream: S,
    pub(super) leg: Leg,
    orderly: AtomicBool,
}

impl<S: Stream> Side<S> {
    pub(super) fn new(stream: S, leg: Leg) -> Self {
        Self {
            stream,
            leg,
            orderly: AtomicBool::new(false),
        }
    }
}

impl<S: Stream> Drop for Side<S> {
    fn drop(&mut self) {
        if !self.orderly.load(Ordering::Relaxed) {
            self.stream.reset();
        }
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) config: &'a Config,
    pub(super) tap: Tap,
    over: OnceLock<Over>,
    books: Mutex<Books>,
    /// Something that the other direction may wait for has changed.
    changed: Notify,
}

/// What changes while the connection runs.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) watch: Watch,
    /// Writes under way.
    pub(super) writing: u8,
    /// When bytes last passed.
    passed: Instant,
    client: LegBooks,
    upstream: LegBooks,
    /// Where rules may change what passes.
    pub(super) ruled: Option<Box<Ruled>>,
}

/// What has happened to one leg.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that come in any order and combination"
)]
pub(super) struct LegBooks {
    /// The peer's FIN arrived and was passed on.
    pub(super) ended: bool,
    /// A write found the connection reset; the bytes that came before may still be read.
    pub(super) broken: bool,
    /// The peer's reset was reported.
    reset: bool,
    /// We have ended our half.
    shut: bool,
    written: Option<Instant>,
}

impl Books {
    pub(super) fn leg(&mut self, leg: Leg) -> &mut LegBooks {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Upstream => &mut self.upstream,
        }
    }

    /// Returns the decoder of what the peer of `leg` sends. With rules each leg has its own conversation.
    pub(super) fn reading(&mut self, leg: Leg) -> &mut Watch {
        match (&mut self.ruled, leg) {
            (Some(ruled), Leg::Upstream) => &mut ruled.beyond,
            _ => &mut self.watch,
        }
    }

    /// Takes note that bytes were read from or written to somebody.
    pub(super) fn moved(&mut self, written_to: Option<Leg>) {
        self.passed = tap::now();
        if let Some(leg) = written_to {
            self.leg(leg).written = Some(self.passed);
        }
    }

    fn is_quiet(&self) -> bool {
        self.writing == 0 && self.watch.is_quiet()
    }
}

/// The direction in which the peer of `leg` sends.
pub(super) fn inward(leg: Leg) -> Direction {
    match leg {
        Leg::Client => Direction::ToServer,
        Leg::Upstream => Direction::ToClient,
    }
}

impl<'a> State<'a> {
    pub(super) fn new(config: &'a Config, tap: Tap) -> Self {
        Self {
            config,
            tap,
            over: OnceLock::new(),
            books: Mutex::new(Books {
                watch: Watch::default(),
                writing: 0,
                passed: tap::now(),
                client: LegBooks::default(),
                upstream: LegBooks::default(),
                ruled: None,
            }),
            changed: Notify::new(),
        }
    }

    /// Takes note of what was said on the client's leg before.
    pub(super) fn resume(&self, preface: &Preface) {
        let mut found = Found::default();
        let watch = &mut self.books().watch;
        watch.feed(wire::Stream::Requests, &preface.to_server, &mut found);
        watch.feed(wire::Stream::Responses, &preface.to_client, &mut found);
    }

    /// Tells whoever waits in [`Self::until`] to look again.
    pub(super) fn change(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until `look` finds something; `None` as soon as the connection is over.
    pub(super) async fn until<T>(&self, look: impl Fn() -> Option<T>) -> Option<T> {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = look() {
                return Some(found);
            }
            self.unless_over(changed).await?;
        }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn over(&self) -> Option<Over> {
        self.over.get().copied()
    }

    /// Ends the connection; the first reason counts.
    pub(super) fn end(&self, over: Over) {
        let _ = self.over.set(over);
    }

    /// Waits for `future`, or returns `None` as soon as the connection is over.
    pub(super) async fn unless_over<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match self.over() {
            Some(_) => Poll::Ready(None),
            None => future.as_mut().poll(cx).map(Some),
        })
        .await
    }

    /// Reports once that the peer of `leg` reset it, and ends the connection.
    pub(super) async fn reset_by(&self, leg: Leg) {
        if !std::mem::replace(&mut self.books().leg(leg).reset, true) {
            self.tap.closed(leg, inward(leg), Close::Reset).await;
        }
        self.end(Over::Reset(leg));
    }

    /// Ends our half of a stream, once.
    pub(super) async fn shut<S: Stream>(&self, side: &Side<S>) {
        if std::mem::replace(&mut self.books().leg(side.leg).shut, true) {
            return;
        }
        let shut = poll_fn(|cx| side.stream.poll_shutdown(cx));
        // A stream that is reset already has no half to end; whoever reads it will find out.
        if shut.await.is_ok() {
            self.tap
                .closed(side.leg, inward(side.leg).reverse(), Close::Fin)
                .await;
        }
    }

    /// Carries out the end of the connection on one of its streams.
    pub(super) async fn finish<S: Stream>(&self, side: &Side<S>) {
        match self.over().unwrap_or(Over::Cut) {
            Over::Done => side.orderly.store(true, Ordering::Relaxed),
            Over::Closing => {
                self.shut(side).await;
                side.orderly.store(true, Ordering::Relaxed);
            }
            Over::Reset(leg) if leg == side.leg => {}
            Over::Ruled { client, upstream }
                if [client, upstream][usize::from(side.leg == Leg::Upstream)] == Close::Fin =>
            {
                self.shut(side).await;
                part::drain(self, side).await;
                side.orderly.store(true, Ordering::Relaxed);
            }
            Over::Reset(_) | Over::Cut | Over::Ruled { .. } => {
                let written = self.books().leg(side.leg).written;
                if let Some(written) = written {
                    sleep_until(written + BEFORE_RESET).await;
                }
                self.tap
                    .closed(side.leg, inward(side.leg).reverse(), Close::Reset)
                    .await;
            }
        }
    }

    /// Ends the connection when it has been idle for too long, or when `stop` is cancelled: at once if
    /// no exchange is under way, else when it is over, at the latest after the grace period. `kill` ends
    /// it whatever is under way.
    pub(super) async fn guard(&self, stop: &CancellationToken, kill: &CancellationToken) {
        let mut grace: Option<Instant> = None;
        loop {
            let idle = self.idle_at();
            // Asked each time that the task runs, which it does whenever something passes.
            let quiet = poll_fn(|_| {
                if self.books().is_quiet() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            tokio::select! {
                () = stop.cancelled(), if grace.is_none() => {
                    grace = Some(tap::now() + self.config.grace);
                }
                () = kill.cancelled() => {
                    return self.close(Over::Cut, "somebody at the proxy ended it").await;
                }
                () = quiet, if grace.is_some() => {
                    return self.close(Over::Closing, "the proxy shuts down").await;
                }
                () = at(grace) => {
                    return self.close(Over::Cut, "the proxy shuts down and waits no longer").await;
                }
                () = at(idle) => {
                    if idle == self.idle_at() {
                        return self.idle().await;
                    }
                }
            }
        }
    }

    fn idle_at(&self) -> Option<Instant> {
        self.config
            .idle_timeout
            .map(|idle| self.books().passed + idle)
    }

    async fn close(&self, over: Over, reason: &str) {
        let text = format!("The proxy closes this connection: {reason}.");
        let reason = reason.to_owned();
        self.tap
            .note(Leg::Client, text, Fact::Closing { reason })
            .await;
        self.end(over);
    }

    async fn idle(&self) {
        let text = "The proxy closes this connection: nothing passed for the idle timeout.";
        let timer = "idle".to_owned();
        let quiet = self.books().is_quiet();
        self.tap
            .note(Leg::Client, text.to_owned(), Fact::TimedOut { timer })
            .await;
        self.end(if quiet { Over::Closing } else { Over::Cut });
    }
}

/// Waits until `deadline`, for ever if there is none.
pub(super) async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
