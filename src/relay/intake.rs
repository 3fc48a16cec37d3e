//! The reading end of one direction: takes bytes, lets the decoder see them, and says how many of them may
//! be forwarded.
//!
//! Bytes of a head that is not complete are held: a verdict about it must be possible before its first
//! byte is gone. They are held neither beyond the end of the stream nor for longer than `head_wait`.
//! Knows nothing of the stream that the bytes go to.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::buffer::{self, Buffer};
use super::forward::Preface;
use super::state::{Side, State, at, inward};
use super::stream::Stream;
use super::tap;
use super::watch::Found;
use crate::event::{Close, Direction, Fact, Leg};
use crate::wire::{self, Seen};

/// Reads that expect little go through the stack and take no buffer, so that an idle connection costs none.
const SMALL: usize = 8 * 1024;
/// What the first read of a body asks for.
const FIRST: usize = 64 * 1024;
/// How much may be read ahead while nothing may be forwarded, to meet the end of the stream.
const AHEAD: usize = 256 * 1024;
/// The largest read. Larger ones leave the processor's cache before they are written.
const LARGE: usize = buffer::LEN - SMALL;

/// Bytes that may be forwarded.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Number of the first byte in its direction.
    pub(super) start: u64,
    pub(super) bytes: Bytes,
    /// Which bytes of the direction are content.
    pub(super) content: Vec<Range<u64>>,
    /// What was found in them, where rules have to know it.
    pub(super) seen: Vec<Seen>,
}

impl Run {
    /// Returns the number of the first byte after it.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }

    /// Returns the bytes from `from` to `to` with the same content, clipped to what there is.
    pub(super) fn part(&self, from: u64, to: u64) -> Self {
        let from = from.clamp(self.start, self.end());
        let to = to.clamp(from, self.end());
        let index = |at: u64| usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Self {
            start: from,
            bytes: self.bytes.slice(index(from)..index(to)),
            content: self.content.clone(),
            seen: Vec::new(),
        }
    }
}

/// What [`Intake::take`] got.
#[derive(Debug)]
pub(super) enum Taken {
    /// Bytes to forward, perhaps none yet.
    Run(Run),
    /// The peer ended the stream; the run holds what was still held.
    Fin(Run),
    /// The peer reset the connection; the run holds what was still held.
    Reset(Run),
}

/// What [`Intake::discard`] met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discarded {
    Bytes(u64),
    Fin,
    Reset,
    /// The deadline passed, or the connection is over.
    TooLate,
}

/// One direction of a connection as it is read.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) direction: Direction,
    stream: wire::Stream,
    from: Leg,
    /// Bytes of an incomplete head; they end at `read`.
    held: BytesMut,
    /// Whether incomplete heads are held; not any more once `head_wait` was exceeded.
    holds: bool,
    deadline: Option<Instant>,
    read: u64,
    passed: u64,
    /// How much the next read of a body asks for, and how much content is due.
    room: usize,
    wanted: u64,
    found: Found,
    /// Whether rules may change what passes: what comes from the server is then reported by whoever
    /// forwards it.
    ruled: bool,
    /// What was read before it was asked for.
    ahead: VecDeque<io::Result<Bytes>>,
}

impl Intake {
    /// Makes the intake of what the peer of `from` sends.
    pub(super) fn new(from: Leg) -> Self {
        Self {
            direction: inward(from),
            stream: match from {
                Leg::Client => wire::Stream::Requests,
                Leg::Upstream => wire::Stream::Responses,
            },
            from,
            held: BytesMut::new(),
            holds: true,
            deadline: None,
            read: 0,
            passed: 0,
            room: SMALL,
            wanted: 0,
            found: Found::default(),
            ruled: false,
            ahead: VecDeque::new(),
        }
    }

    /// Makes the intake of what the peer of `from` sends on a connection that has rules.
    pub(super) fn ruled(from: Leg) -> Self {
        Self {
            ruled: true,
            found: Found {
                seen: Some(Vec::new()),
                ..Found::default()
            },
            ..Self::new(from)
        }
    }

    /// Goes on after what was said before, with what was read of the rest.
    pub(super) fn after(mut self, preface: Preface) -> Self {
        let said = match self.from {
            Leg::Client => preface.to_server.len(),
            Leg::Upstream => preface.to_client.len(),
        };
        self.read = said as u64;
        self.passed = self.read;
        if !preface.ahead.is_empty() {
            self.ahead.push_back(Ok(preface.ahead));
        }
        self
    }

    /// Reads ahead until the peer has ended the stream; whether it did so in order. Reads no more than
    /// a bounded part: an end beyond it counts as a reset.
    pub(super) async fn until_gone<S: Stream>(&mut self, from: &Side<S>) -> Close {
        let gone = |got: &io::Result<Bytes>| match got {
            Ok(bytes) if bytes.is_empty() => Some(Close::Fin),
            Ok(_) => None,
            Err(_) => Some(Close::Reset),
        };
        loop {
            let held: usize = (self.ahead.iter().flatten()).map(Bytes::len).sum();
            if let Some(how) = self.ahead.back().and_then(gone) {
                return how;
            }
            if held >= AHEAD {
                from.stream.gone().await;
                return Close::Reset;
            }
            let got = poll_fn(|cx| self.poll_read(&from.stream, cx)).await;
            self.ahead.push_back(got);
        }
    }

    /// Gives up what was read ahead.
    pub(super) fn take_ahead(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.ahead)
            .into_iter()
            .flatten()
            .filter(|bytes| !bytes.is_empty())
            .collect()
    }

    /// Reads once. `None`: the connection is over.
    pub(super) async fn take<S: Stream>(
        &mut self,
        state: &State<'_>,
        from: &Side<S>,
    ) -> Option<Taken> {
        let got = self.read_until(state, from, self.deadline).await?;
        Some(match got {
            None => Taken::Run(self.release(state).await),
            Some(Ok(bytes)) if bytes.is_empty() => self.ended(state).await,
            Some(Ok(bytes)) => Taken::Run(self.accept(state, bytes).await),
            Some(Err(error)) => {
                if !is_reset(&error) {
                    let text = format!("Reading from the {} failed: {error}.", peer(self.from));
                    state.tap.note(self.from, text, Fact::Other).await;
                }
                Taken::Reset(self.rest())
            }
        })
    }

    /// Reads once and forwards nothing: what came is reported and forgotten.
    pub(super) async fn discard<S: Stream>(
        &mut self,
        state: &State<'_>,
        from: &Side<S>,
        deadline: Instant,
    ) -> Discarded {
        match self.read_until(state, from, Some(deadline)).await {
            None | Some(None) => Discarded::TooLate,
            Some(Some(Ok(bytes))) if bytes.is_empty() => Discarded::Fin,
            Some(Some(Ok(bytes))) => {
                self.accept(state, bytes.clone()).await;
                Discarded::Bytes(bytes.len() as u64)
            }
            Some(Some(Err(_))) => Discarded::Reset,
        }
    }

    /// Reads once: `None` when the connection is over, `Some(None)` at the deadline.
    async fn read_until<S: Stream>(
        &mut self,
        state: &State<'_>,
        from: &Side<S>,
        deadline: Option<Instant>,
    ) -> Option<Option<io::Result<Bytes>>> {
        if let Some(got) = self.ahead.pop_front() {
            return Some(Some(got));
        }
        let read = poll_fn(|cx| self.poll_read(&from.stream, cx));
        let read = async {
            tokio::select! {
                biased;
                got = read => Some(got),
                () = at(deadline) => None,
            }
        };
        state.unless_over(read).await
    }

    /// Reads whatever comes next, empty at the end of the stream.
    fn poll_read<S: Stream>(
        &mut self,
        stream: &S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
        if self.wanted == 0 && self.room <= SMALL {
            let mut room = [MaybeUninit::uninit(); SMALL];
            let mut room = ReadBuf::uninit(&mut room);
            ready!(stream.poll_read(cx, &mut room))?;
            let filled = room.filled();
            if filled.len() == SMALL {
                self.room = FIRST;
            }
            return Poll::Ready(Ok(Bytes::copy_from_slice(filled)));
        }
        ready!(stream.poll_readable(cx));
        // Room for the next head as well: a read that leaves room shows that nothing more has come.
        let due = usize::try_from(self.wanted).unwrap_or(usize::MAX);
        let room = match due {
            0 => self.room,
            due => self.room.max(FIRST).min(due.saturating_add(SMALL)),
        };
        let mut buffer = Buffer::take();
        let count = ready!(stream.poll_read(cx, &mut (&mut buffer.0).limit(room)))?;
        self.room = if count == room {
            room.saturating_mul(2).clamp(SMALL, LARGE)
        } else if count < room / 4 {
            count.saturating_mul(2).clamp(SMALL, LARGE)
        } else {
            self.room
        };
        if count < room / 4 && count <= SMALL {
            // An event may keep what it is given for a while: not a large buffer for a few bytes.
            return Poll::Ready(Ok(Bytes::copy_from_slice(&buffer.0)));
        }
        Poll::Ready(Ok(buffer.freeze()))
    }

    /// Reports and decodes what was read, and returns what may be forwarded of it.
    async fn accept(&mut self, state: &State<'_>, bytes: Bytes) -> Run {
        let start = self.read;
        self.read = start.saturating_add(bytes.len() as u64);
        self.found.content.clear();
        let settled = {
            let mut books = state.books();
            books.moved(None);
            let watch = books.reading(self.from);
            watch.feed(self.stream, &bytes, &mut self.found);
            self.wanted = watch.wanted(self.stream);
            watch.settled(self.stream)
        };
        self.report(state, start, &bytes).await;
        let end = if self.holds {
            settled.clamp(self.passed, self.read)
        } else {
            self.read
        };
        self.cut(bytes, end, state)
    }

    async fn report(&mut self, state: &State<'_>, start: u64, bytes: &Bytes) {
        let content = &self.found.content;
        if !self.ruled || self.from == Leg::Client {
            state
                .tap
                .data(self.from, self.direction, start, bytes, content)
                .await;
        }
        if let Some((offset, reason)) = self.found.opaque.take() {
            let text = format!(
                "From byte {offset} on, what the {} sends is passed on unread: {reason}.",
                peer(self.from)
            );
            let fact = Fact::Opaque {
                direction: self.direction,
                offset,
                reason,
            };
            state.tap.note(self.from, text, fact).await;
        }
    }

    /// Takes everything up to offset `end` out of what is held and `bytes`, and holds the rest.
    fn cut(&mut self, mut bytes: Bytes, end: u64, state: &State<'_>) -> Run {
        let start = self.passed;
        let len = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let run = if self.held.is_empty() {
            let run = bytes.split_to(len.min(bytes.len()));
            self.held.extend_from_slice(&bytes);
            run
        } else {
            self.held.extend_from_slice(&bytes);
            self.held.split_to(len.min(self.held.len())).freeze()
        };
        self.passed = end;
        if self.held.is_empty() {
            self.held = BytesMut::new();
            self.deadline = None;
        } else if !run.is_empty() || self.deadline.is_none() {
            self.deadline = Some(tap::now() + state.config.head_wait);
        }
        Run {
            start,
            bytes: run,
            content: self.found.content.clone(),
            seen: self.seen(),
        }
    }

    fn seen(&mut self) -> Vec<Seen> {
        self.found
            .seen
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Gives up everything that is held.
    fn rest(&mut self) -> Run {
        let start = self.passed;
        self.passed = self.read;
        self.deadline = None;
        Run {
            start,
            bytes: std::mem::take(&mut self.held).freeze(),
            content: Vec::new(),
            seen: self.seen(),
        }
    }

    /// The head took longer than it may: passes what there is, and holds nothing from now on.
    async fn release(&mut self, state: &State<'_>) -> Run {
        self.holds = false;
        let text = format!(
            "A head from the {} was not complete after {:?}: what came of it was passed on, and heads in \
             this direction are not held any more.",
            peer(self.from),
            state.config.head_wait
        );
        state.tap.note(self.from, text, Fact::Other).await;
        self.rest()
    }

    async fn ended(&mut self, state: &State<'_>) -> Taken {
        self.found.content.clear();
        let broken = {
            let mut books = state.books();
            books.moved(None);
            books
                .reading(self.from)
                .finish(self.stream, &mut self.found);
            books.leg(self.from).broken
        };
        self.report(state, self.read, &Bytes::new()).await;
        if broken {
            return Taken::Reset(self.rest());
        }
        Taken::Fin(self.rest())
    }
}

/// Names the peer of a leg for people.
pub(super) fn peer(leg: Leg) -> &'static str {
    match leg {
        Leg::Client => "client",
        Leg::Upstream => "server",
    }
}

/// Tells whether an error means that the peer reset the connection.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
    )
}
