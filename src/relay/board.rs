//! What all connections of a run share about its rules: who decides, rates, what waits for the operator,
//! and his switches.
//!
//! Implements [`Control`] for the screen. Locks are held for the moment of a decision only. Knows no
//! rules file: reading it again is a callback of whoever made the board.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::perform::pace::Bucket;
use super::tap;
use super::verdict::Decide;
use crate::event::ConnId;
use crate::fault::{Control, Held, Moment, Release, RuleSet, RuleState, Stage, Verdict};
use crate::timeline::filter::Filter;

/// How many names of buckets are kept that nobody uses.
const IDLE_BUCKETS: usize = 1024;

/// How long a message waits for the operator before it goes on by itself.
///
/// A Windows client gives up a request that is not sent within 2 minutes, and one that is not answered
/// within 5 (MC-BUP §3.1.2.1, §3.1.2.2): messages go on a little earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// `None`: for ever.
    pub request: Option<Duration>,
    /// `None`: for ever.
    pub response: Option<Duration>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            request: Some(Duration::from_secs(110)),
            response: Some(Duration::from_secs(290)),
        }
    }
}

type Reload = dyn Fn(&Board) -> Result<String, String> + Send + Sync;

/// The rules of a run as its connections share them.
pub struct Board {
    decider: Mutex<Box<dyn Decide>>,
    clock: Clock,
    reload: Option<Box<Reload>>,
    /// Why the last reload changed nothing.
    trouble: Mutex<Option<String>>,
    start: OnceLock<Instant>,
    breakpoint: Mutex<Option<Filter>>,
    /// Whether there is a breakpoint: spares the lock.
    breaks: AtomicBool,
    buckets: Mutex<HashMap<Arc<str>, Arc<Bucket>>>,
    held: Mutex<BTreeMap<u64, (Held, oneshot::Sender<Release>)>>,
    last_held: AtomicU64,
    connections: Mutex<HashMap<ConnId, CancellationToken>>,
    refused: Mutex<Option<Instant>>,
    refusing: Notify,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// Makes a board on which `decider` decides.
    pub fn new(decider: impl Decide + 'static) -> Self {
        Self {
            decider: Mutex::new(Box::new(decider)),
            clock: Clock::default(),
            reload: None,
            trouble: Mutex::default(),
            start: OnceLock::new(),
            breakpoint: Mutex::default(),
            breaks: AtomicBool::new(false),
            buckets: Mutex::default(),
            held: Mutex::default(),
            last_held: AtomicU64::new(0),
            connections: Mutex::default(),
            refused: Mutex::default(),
            refusing: Notify::new(),
        }
    }

    /// Sets how long messages wait for the operator.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets what [`Control::reload`] does: it reads the rules and calls [`Self::replace`].
    #[must_use]
    pub fn with_reload(
        mut self,
        reload: impl Fn(&Self) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        self.reload = Some(Box::new(reload));
        self
    }

    /// Puts other rules in force, as a whole.
    pub fn replace(&self, rules: RuleSet) {
        lock(&self.decider).replace(rules);
    }

    /// Tells whether nobody needs to be asked.
    pub(super) fn is_idle(&self) -> bool {
        !self.breaks.load(Ordering::Relaxed) && lock(&self.decider).is_idle()
    }

    /// Decides about one moment, and whether the operator wants to see it first.
    pub(super) fn decide(&self, moment: &Moment<'_>) -> (Verdict, bool) {
        let mut decider = lock(&self.decider);
        let verdict = if decider.is_idle() {
            Verdict::default()
        } else {
            decider.decide(moment)
        };
        let head = matches!(moment.stage, Stage::RequestHead | Stage::ResponseHead);
        let stops = head
            && self.breaks.load(Ordering::Relaxed)
            && lock(&self.breakpoint)
                .as_ref()
                .is_some_and(|filter| decider.selects(filter, moment));
        (verdict, stops)
    }

    /// Takes note of what the operator has a client told.
    pub(super) fn heard(&self, moment: &Moment<'_>, answer: &[u8]) {
        lock(&self.decider).heard(moment, answer);
    }

    /// Takes note of the moment that times count from.
    pub(super) fn begin(&self, start: Instant) {
        let _ = self.start.set(start);
    }

    /// Takes up a connection; the token is its kill switch.
    pub(super) fn enter(&self, conn: ConnId) -> CancellationToken {
        let kill = CancellationToken::new();
        lock(&self.connections).insert(conn, kill.clone());
        kill
    }

    /// Forgets a connection.
    pub(super) fn leave(&self, conn: ConnId) {
        lock(&self.connections).remove(&conn);
        lock(&self.decider).gone(conn);
    }

    /// Returns the bucket of this name, which is shared by all who name it.
    pub(super) fn bucket(&self, name: &Arc<str>, rate: u64) -> Arc<Bucket> {
        let mut buckets = lock(&self.buckets);
        if buckets.len() > IDLE_BUCKETS {
            buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1);
        }
        let bucket = buckets
            .entry(Arc::clone(name))
            .or_insert_with(|| Arc::new(Bucket::new(rate)));
        bucket.set_rate(rate);
        Arc::clone(bucket)
    }

    /// Returns how long a message waits where nobody said so.
    pub(super) fn patience(&self, stage: Stage) -> Option<Duration> {
        match stage {
            Stage::ResponseHead | Stage::ResponseBody => self.clock.response,
            _ => self.clock.request,
        }
    }

    /// Has a message wait. It waits no more when the place is dropped.
    pub(super) fn hold(&self, held: Held) -> (Place<'_>, oneshot::Receiver<Release>) {
        let no = self.last_held.fetch_add(1, Ordering::Relaxed) + 1;
        let (send, receive) = oneshot::channel();
        lock(&self.held).insert(no, (Held { no, ..held }, send));
        (Place { board: self, no }, receive)
    }

    /// Has the ports refuse new connections for `time`.
    pub(super) fn refuse(&self, time: Duration) {
        let until = tap::now() + time;
        let mut refused = lock(&self.refused);
        *refused = Some(refused.map_or(until, |known| known.max(until)));
        drop(refused);
        self.refusing.notify_one();
    }

    /// Waits until the ports are to refuse new connections.
    pub(super) async fn refusing(&self) {
        self.refusing.notified().await;
    }

    /// Returns until when the ports refuse new connections, if they still do.
    pub(super) fn refuses(&self) -> Option<Instant> {
        let mut refused = lock(&self.refused);
        *refused = refused.filter(|until| *until > tap::now());
        *refused
    }
}

/// The place of a message that waits.
#[derive(Debug)]
pub(super) struct Place<'b> {
    board: &'b Board,
    no: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.board.held).remove(&self.no);
    }
}

impl Control for Board {
    fn rules(&self) -> Vec<RuleState> {
        lock(&self.decider).states()
    }

    fn turn(&self, rule: usize, on: bool) {
        lock(&self.decider).turn(rule, on);
    }

    fn turn_all(&self, on: bool) {
        lock(&self.decider).turn_all(on);
    }

    fn is_on(&self) -> bool {
        lock(&self.decider).is_on()
    }

    fn reload(&self) -> Result<String, String> {
        let Some(reload) = &self.reload else {
            return Err("these rules were not read from a file".to_owned());
        };
        let done = reload(self);
        *lock(&self.trouble) = done.as_ref().err().cloned();
        done
    }

    fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    fn set_breakpoint(&self, filter: Option<Filter>) {
        let mut breakpoint = lock(&self.breakpoint);
        self.breaks.store(filter.is_some(), Ordering::Relaxed);
        *breakpoint = filter;
    }

    fn held(&self) -> Vec<Held> {
        lock(&self.held)
            .values()
            .map(|(held, _)| held.clone())
            .collect()
    }

    fn release(&self, no: u64, how: Release) -> bool {
        let waiting = lock(&self.held).remove(&no);
        waiting.is_some_and(|(_, release)| release.send(how).is_ok())
    }

    fn kill(&self, conn: ConnId) -> bool {
        let kill = lock(&self.connections).get(&conn).cloned();
        kill.inspect(CancellationToken::cancel).is_some()
    }

    fn why(&self, conn: ConnId, exchange: u64) -> Vec<(String, String)> {
        lock(&self.decider).why(conn, exchange)
    }

    fn now(&self) -> Duration {
        self.start.get().map_or(Duration::ZERO, |start| {
            tap::now().saturating_duration_since(*start)
        })
    }
}
