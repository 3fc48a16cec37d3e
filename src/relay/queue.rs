//! The queue from the relay's tasks to the thread that records: bounded in bytes, and cheap where much
//! happens.
//!
//! Waking a thread costs as much as relaying a small exchange. So a receiver that has just worked
//! naps: for that long senders only add to the queue, and wake it early when enough has gathered. A
//! receiver that found nothing after a nap sleeps until the next event, which wakes it at once. So an
//! event after a quiet time is taken at once, and one among many waits no longer than `NAP`.
//! Knows nothing of what is done with events.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::event::{Event, What};

/// Bytes that may wait. One event more is taken when there is any room at all.
const LIMIT: usize = 8 << 20;
/// Bytes that end a nap: a quarter of a processor's cache, so that they are still warm when they are
/// written to the file.
const ENOUGH: usize = 1 << 20;
/// How long events may gather while the receiver has just worked.
const NAP: Duration = Duration::from_millis(2);
/// What an event is taken to cost beside the bytes that it holds.
const OVERHEAD: usize = 256;

/// Where a relay's events go.
#[derive(Clone, Debug, Default)]
pub enum Outlet {
    #[default]
    Nobody,
    /// To a task; bounded in events.
    Channel(mpsc::Sender<Event>),
    /// To a thread; bounded in bytes.
    Queue(Sender),
}

impl Outlet {
    /// Hands over an event once there is room; whether anybody is there to take it.
    pub async fn send(&self, event: Event) -> bool {
        match self {
            Self::Nobody => false,
            Self::Channel(channel) => channel.send(event).await.is_ok(),
            Self::Queue(queue) => queue.send(event).await,
        }
    }

    pub(super) fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }
}

impl From<mpsc::Sender<Event>> for Outlet {
    fn from(channel: mpsc::Sender<Event>) -> Self {
        Self::Channel(channel)
    }
}

impl From<Option<mpsc::Sender<Event>>> for Outlet {
    fn from(channel: Option<mpsc::Sender<Event>>) -> Self {
        channel.map_or(Self::Nobody, Self::Channel)
    }
}

impl From<Sender> for Outlet {
    fn from(queue: Sender) -> Self {
        Self::Queue(queue)
    }
}

/// Makes a queue.
pub fn queue() -> (Sender, Receiver) {
    let shared = Arc::new(Shared {
        waiting: Mutex::new(Waiting {
            events: Vec::new(),
            bytes: 0,
            senders: 1,
            receiver: At::Work,
        }),
        wake: Condvar::new(),
        room: Notify::new(),
    });
    let receiver = Receiver {
        shared: Arc::clone(&shared),
        worked: false,
    };
    (Sender { shared }, receiver)
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    room: Notify,
}

#[derive(Debug)]
struct Waiting {
    events: Vec<Event>,
    bytes: usize,
    senders: usize,
    receiver: At,
}

/// What the receiver is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Work,
    Nap,
    Sleep,
    Gone,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The relay's end of a queue.
#[derive(Debug)]
pub struct Sender {
    shared: Arc<Shared>,
}

impl Sender {
    /// Adds `event` once there is room. Returns false where nobody takes events any more.
    pub async fn send(&self, event: Event) -> bool {
        let mut event = event;
        loop {
            event = match self.try_send(event) {
                Ok(taken) => return taken,
                Err(event) => event,
            };
            // Whoever is registered before the second look cannot miss that room was made.
            let room = self.shared.room.notified();
            event = match self.try_send(event) {
                Ok(taken) => return taken,
                Err(event) => event,
            };
            room.await;
        }
    }

    /// Adds `event`, or gives it back where the queue is full.
    fn try_send(&self, event: Event) -> Result<bool, Event> {
        let mut waiting = self.shared.lock();
        if waiting.receiver == At::Gone {
            return Ok(false);
        }
        if waiting.bytes >= LIMIT {
            return Err(event);
        }
        waiting.bytes = waiting.bytes.saturating_add(cost(&event));
        waiting.events.push(event);
        let wakes = match waiting.receiver {
            At::Sleep => true,
            At::Nap => waiting.bytes >= ENOUGH,
            At::Work | At::Gone => false,
        };
        if wakes {
            waiting.receiver = At::Work;
            drop(waiting);
            self.shared.wake.notify_one();
        }
        Ok(true)
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        let mut waiting = self.shared.lock();
        waiting.senders = waiting.senders.saturating_add(1);
        drop(waiting);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.senders = waiting.senders.saturating_sub(1);
        if waiting.senders == 0 {
            drop(waiting);
            self.shared.wake.notify_one();
        }
    }
}

/// The recorder's end of a queue.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    worked: bool,
}

impl Receiver {
    /// Replaces what is in `batch` with the events that wait, in order; blocks until there is one. Returns
    /// false when there is none and none can come.
    pub fn take(&mut self, batch: &mut Vec<Event>) -> bool {
        batch.clear();
        let mut waiting = self.shared.lock();
        if std::mem::take(&mut self.worked) && waiting.bytes < ENOUGH && waiting.senders > 0 {
            waiting.receiver = At::Nap;
            let naps = |waiting: &mut Waiting| waiting.receiver == At::Nap && waiting.senders > 0;
            waiting = (self.shared.wake)
                .wait_timeout_while(waiting, NAP, naps)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        while waiting.events.is_empty() && waiting.senders > 0 {
            waiting.receiver = At::Sleep;
            waiting = (self.shared.wake)
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.receiver = At::Work;
        std::mem::swap(&mut waiting.events, batch);
        let was_full = std::mem::take(&mut waiting.bytes) >= LIMIT;
        drop(waiting);
        if was_full {
            self.shared.room.notify_waiters();
        }
        self.worked = true;
        !batch.is_empty()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.receiver = At::Gone;
        let left = std::mem::take(&mut waiting.events);
        drop(waiting);
        drop(left);
        self.shared.room.notify_waiters();
    }
}

/// Returns the bytes that an event is taken to need.
fn cost(event: &Event) -> usize {
    let held = match &event.what {
        What::Data { bytes, .. } => bytes.len(),
        What::Note(note) => note.text.len(),
        _ => 0,
    };
    held.saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;

    use super::*;
    use crate::event::{ConnId, Direction, Leg};

    fn event(no: u64, len: usize) -> Event {
        Event {
            at: Duration::from_nanos(no),
            conn: ConnId(1),
            leg: Leg::Client,
            what: What::Data {
                direction: Direction::ToServer,
                bytes: Bytes::from(vec![0; len]),
            },
        }
    }

    fn poll(future: &mut std::pin::Pin<&mut impl Future<Output = bool>>) -> Poll<bool> {
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn events_arrive_in_order_and_the_last_ones_after_the_sender_is_gone() {
        let (sender, mut receiver) = queue();
        let thread = std::thread::spawn(move || {
            let (mut all, mut batch) = (Vec::new(), Vec::new());
            while receiver.take(&mut batch) {
                all.append(&mut batch);
            }
            all
        });
        for no in 0..10_000 {
            assert_eq!(
                poll(&mut pin!(sender.clone().send(event(no, 8)))),
                Poll::Ready(true)
            );
        }
        drop(sender);
        let all = thread.join().unwrap();
        let times = all.iter().map(|event| event.at);
        assert!(times.eq((0..10_000).map(Duration::from_nanos)));
    }

    #[test]
    fn a_full_queue_waits_for_room_and_counts_bytes() {
        let (sender, mut receiver) = queue();
        let mut sent = 0_u64;
        while poll(&mut pin!(sender.send(event(sent, 256 << 10)))).is_ready() {
            sent += 1;
        }
        assert_eq!(sent, 32, "large events are few");
        let mut waits = pin!(sender.send(event(sent, 1)));
        assert!(poll(&mut waits).is_pending());
        let mut batch = Vec::new();
        assert!(receiver.take(&mut batch));
        assert_eq!(batch.len(), 32);
        assert_eq!(poll(&mut waits), Poll::Ready(true));
        assert!(receiver.take(&mut batch));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn a_receiver_that_goes_releases_who_waits() {
        let (sender, receiver) = queue();
        while poll(&mut pin!(sender.send(event(0, 1 << 20)))).is_ready() {}
        let mut waits = pin!(sender.send(event(0, 1)));
        assert!(poll(&mut waits).is_pending());
        drop(receiver);
        assert_eq!(poll(&mut waits), Poll::Ready(false));
        assert_eq!(
            poll(&mut pin!(sender.send(event(0, 1)))),
            Poll::Ready(false)
        );
    }
}
