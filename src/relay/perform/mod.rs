//! Carries out verdicts: a connection whose messages rules may delay, change, cut, answer or lose.
//!
//! Each direction is a `flow` that takes the messages apart, asks the board about each head
//! before its first byte goes on, and otherwise passes bytes as they come, in the same writes as a
//! connection without rules. Each leg has a conversation of its own: what is said on it is what is
//! decoded there, so that a request that the proxy answers is none for the server, and a duplicate is
//! one more. `connect` is the stage before the first byte. Decides nothing; knows no rules file.
//!
//! Choices:
//!
//! - A side that is reset or closed is an end of the connection. The other end gets a FIN, and what it
//!   still sends is read and recorded for two seconds.
//! - An answer of the proxy's own waits until all earlier requests of its connection are answered.
//! - When a request is answered after a part of its content went on, the server is left in the middle of
//!   a message: the client gets its answer and a FIN, the server a reset.
//! - Without an ending of its own a lost answer leaves the client waiting; the connection stays open.

use std::collections::VecDeque;
use std::io;
use std::sync::OnceLock;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

mod ask;
mod connect;
mod deed;
mod ends;
mod flow;
mod onward;
pub(super) mod pace;
pub(super) mod part;
mod passage;
mod spool;
mod steer;

pub(super) use connect::{Entry, Newcomer, connect, decide};

use super::Upstream;
use super::answer::DialError;
use super::board::Board;
use super::connection::{self, Written};
use super::destination::Approach;
use super::dial::{Dial, Dialled};
use super::intake::{Intake, Run};
use super::state::{Over, Side, State};
use super::stream::Stream;
use super::tap;
use super::watch::{Found, Watch};
use crate::event::{ConnId, Direction, Leg};
use crate::fault::rule::Way;
use crate::fault::verdict::{Client, Deed};
use crate::wire::{Framing, Head, Item};
use flow::Flow;
use pace::Pace;

/// How many requests without an answer are remembered on one connection: rules see older ones as unread.
const DEALS: usize = 256;

/// A connection's place at the board.
#[derive(Debug)]
pub(super) struct Desk<'b> {
    board: &'b Board,
    conn: ConnId,
    start: Instant,
    client: Client,
    paces: Vec<(Way, Pace)>,
    kill: CancellationToken,
    approach: Approach,
    /// The server that the connection leads to already.
    target: Option<Upstream>,
}

impl<'b> Desk<'b> {
    pub(super) fn open(board: &'b Board, conn: ConnId, start: Instant, entry: Entry) -> Self {
        board.begin(start);
        Self {
            board,
            conn,
            start,
            client: entry.client,
            paces: entry.paces,
            kill: board.enter(conn),
            approach: entry.approach,
            target: entry.target,
        }
    }

    /// Returns the switch with which the operator ends the connection.
    pub(super) fn killed(&self) -> CancellationToken {
        self.kill.clone()
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        self.board.leave(self.conn);
    }
}

/// What both directions of a connection with rules share.
#[derive(Debug, Default)]
pub(super) struct Ruled {
    /// What is said between us and the server.
    pub(super) beyond: Watch,
    deals: VecDeque<Deal>,
    /// Requests that were begun towards the server, in order, until they are answered.
    twins: VecDeque<Twin>,
    /// Requests whose first byte is about to go to the server, in order.
    sending: VecDeque<Sending>,
    /// Limits on the whole connection.
    paces: Vec<(Way, Pace)>,
    /// Nothing moves.
    hung: bool,
    /// The stage `close` is over.
    parted: bool,
    /// The server to dial instead of the upstream.
    target: Option<Upstream>,
}

/// A request of the client whose exchange is not over.
#[derive(Debug)]
struct Deal {
    /// The client's number of it, from 0.
    exchange: u64,
    request: Head,
    framing: Framing,
    paces: Vec<(Way, Pace)>,
    /// The answer is to be lost.
    lost: Option<Lost>,
    /// The request has come whole; its answer is over.
    whole: bool,
    answered: bool,
}

/// An answer that the client does not get.
#[derive(Debug, Default)]
struct Lost {
    status: u16,
    /// What happens when it has come whole.
    ending: Option<Deed>,
}

/// A request to the server, of the client's exchange of this number, if that is known.
#[derive(Clone, Copy, Debug, Default)]
struct Sending {
    exchange: Option<u64>,
    /// It is sent once more: its answer is nobody's.
    extra: bool,
}

/// The same once it was begun, with the server's own number of it.
#[derive(Clone, Copy, Debug)]
struct Twin {
    number: u64,
    of: Sending,
}

impl Ruled {
    fn deal(&mut self, exchange: Option<u64>) -> Option<&mut Deal> {
        let exchange = exchange?;
        self.deals
            .iter_mut()
            .rev()
            .find(|deal| deal.exchange == exchange)
    }

    fn twin(&self, number: Option<u64>) -> Option<Sending> {
        let number = number?;
        (self.twins.iter())
            .find(|twin| twin.number == number)
            .map(|twin| twin.of)
    }

    /// Tells whether the server owes the client an answer that will be known when it comes.
    fn owes(&self) -> bool {
        let due = |twin: &Twin| !twin.of.extra;
        self.twins.iter().any(due) && !self.beyond.is_unread(crate::wire::Stream::Responses)
    }

    fn paces(&self, exchange: Option<u64>, to_server: bool) -> Vec<Pace> {
        let deal = (self.deals.iter()).find(|deal| Some(deal.exchange) == exchange);
        (self.paces.iter())
            .chain(deal.into_iter().flat_map(|deal| &deal.paces))
            .filter(|(way, _)| pace::covers(*way, to_server))
            .map(|(_, pace)| pace.clone())
            .collect()
    }
}

/// Why a direction does not go on.
#[derive(Debug)]
enum Stop {
    /// The connection is over already.
    Over,
    /// The sender of the bytes reset its connection.
    SenderGone,
    Failed(Leg, io::Error),
    Unreachable(DialError),
    /// The connection is to end.
    End(Over),
}

/// Both sides of a connection, the server's once there is one.
struct Link<'l, C: Stream, D: Dial> {
    state: &'l State<'l>,
    desk: &'l Desk<'l>,
    client: &'l Side<C>,
    dialler: &'l D,
    upstream: &'l OnceLock<Side<D::Stream>>,
}

/// Relays both ways as the board decides, from the client's `requests` on and with the server that is there
/// already. Returns the upstream, if any.
pub(super) async fn converse<C: Stream, D: Dial>(
    state: &State<'_>,
    client: &Side<C>,
    dialler: &D,
    desk: &Desk<'_>,
    (requests, opened): (Intake, Option<Dialled<D::Stream>>),
) -> Option<Side<D::Stream>> {
    state.books().ruled = Some(Box::new(Ruled {
        paces: desk.paces.clone(),
        target: desk.target.clone(),
        ..Ruled::default()
    }));
    let upstream = OnceLock::new();
    if let Some(opened) = opened {
        let side = connection::opened_at(state, tap::now(), opened).await;
        upstream.get_or_init(|| side);
    }
    let link = Link {
        state,
        desk,
        client,
        dialler,
        upstream: &upstream,
    };
    let requests = Flow::new(&link, client, requests);
    let responses = async {
        if let Some(from) = state.until(|| upstream.get()).await {
            let intake = Intake::ruled(Leg::Upstream);
            Flow::new(&link, from, intake).run().await;
        }
    };
    tokio::join!(requests.run(), responses);
    upstream.into_inner()
}

impl<C: Stream, D: Dial> Link<'_, C, D> {
    /// Looks at what both directions share; `R` is what a look at nothing gives.
    fn ruled<R: Default>(&self, look: impl FnOnce(&mut Ruled) -> R) -> R {
        let mut books = self.state.books();
        books.ruled.as_deref_mut().map(look).unwrap_or_default()
    }

    /// Returns the server's side; dials if there is none yet.
    async fn open(&self) -> Result<&Side<D::Stream>, Stop> {
        if let Some(side) = self.upstream.get() {
            return Ok(side);
        }
        let dialled = tap::now();
        let target = self.ruled(|ruled| ruled.target.clone());
        let opened = connection::dial(self.state, self.client, self.dialler, target.as_ref())
            .await
            .ok_or(Stop::Over)?;
        self.dialled(target.as_ref(), opened.is_ok());
        let opened = opened.map_err(Stop::Unreachable)?;
        let side = connection::opened_at(self.state, dialled, opened).await;
        let side = self.upstream.get_or_init(|| side);
        self.state.change();
        Ok(side)
    }

    /// Writes a part of an exchange in `direction`, as fast as it may go. `from` is who sent it.
    async fn put<F: Stream>(
        &self,
        direction: Direction,
        from: &Side<F>,
        exchange: Option<u64>,
        run: Run,
    ) -> Result<(), Stop> {
        if self.ruled(|ruled| ruled.hung) {
            let flows = || (!self.ruled(|ruled| ruled.hung)).then_some(());
            self.state.until(flows).await.ok_or(Stop::Over)?;
        }
        let to_server = direction == Direction::ToServer;
        let mut rest = run;
        loop {
            let paces = self.ruled(|ruled| ruled.paces(exchange, to_server));
            if paces.is_empty() {
                return self.write(direction, from, rest).await;
            }
            let want = rest.bytes.len() as u64;
            if want == 0 {
                return Ok(());
            }
            let (len, at) = pace::take(&paces, tap::now(), want);
            self.wait(from, at).await?;
            let (start, end) = (rest.start, rest.end());
            let middle = start.saturating_add(len);
            let next = rest.part(middle, end);
            self.write(direction, from, rest.part(start, middle))
                .await?;
            rest = next;
        }
    }

    /// Writes bytes at once.
    async fn write<F: Stream>(
        &self,
        direction: Direction,
        from: &Side<F>,
        run: Run,
    ) -> Result<(), Stop> {
        if run.bytes.is_empty() {
            return Ok(());
        }
        let (leg, written) = match direction {
            Direction::ToServer => {
                let to = self.open().await?;
                self.said_to_server(&run.bytes);
                let written = connection::send(self.state, direction, from, to, run).await;
                (Leg::Upstream, written)
            }
            Direction::ToClient => {
                let responses = crate::wire::Stream::Responses;
                let mut found = Found::default();
                let to = self.client;
                self.state
                    .books()
                    .watch
                    .feed(responses, &run.bytes, &mut found);
                let written = connection::send(self.state, direction, from, to, run).await;
                (Leg::Client, written)
            }
        };
        match written {
            Written::All => Ok(()),
            Written::Over => Err(Stop::Over),
            Written::SenderGone => Err(Stop::SenderGone),
            Written::Failed(error) => Err(Stop::Failed(leg, error)),
        }
    }

    /// Decodes what the server is told, and notes which of its requests is which of the client's.
    fn said_to_server(&self, bytes: &[u8]) {
        let mut found = Found {
            seen: Some(Vec::new()),
            ..Found::default()
        };
        self.ruled(|ruled| {
            ruled
                .beyond
                .feed(crate::wire::Stream::Requests, bytes, &mut found);
            for seen in found.seen.into_iter().flatten() {
                if let (Item::Begin { .. }, Some(number)) = (&seen.item, seen.exchange) {
                    let of = ruled.sending.pop_front().unwrap_or_default();
                    ruled.twins.push_back(Twin { number, of });
                    if ruled.twins.len() > DEALS {
                        ruled.twins.pop_front();
                    }
                }
            }
        });
    }

    /// Waits until `at`, unless the connection ends first.
    async fn wait<F: Stream>(&self, from: &Side<F>, at: Instant) -> Result<(), Stop> {
        let waited = async {
            tokio::select! {
                biased;
                () = sleep_until(at) => Ok(()),
                () = from.stream.broken() => Err(Stop::SenderGone),
            }
        };
        self.state.unless_over(waited).await.ok_or(Stop::Over)?
    }
}
