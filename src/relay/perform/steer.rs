//! Keeps the client with the proxy: looks at each head for what leads away from it, writes what has to be
//! written instead, and sends requests where their client was told to go.
//!
//! A connection has one upstream. A request that belongs to another one finds its connection ended
//! before its first byte goes on, so that the client asks again on a new one; where the proxy knows
//! beforehand that the next request belongs elsewhere, it says `Connection: close` in the answer.

use bytes::Bytes;

use super::flow::Flow;
use super::passage::Passage;
use super::{Ruled, Stop};
use crate::bits::header;
use crate::bits::packet::{self, Packet};
use crate::event::{Close, Direction, Fact, LeakFact, Leg, Note, RewriteFact};
use crate::relay::dial::Dial;
use crate::relay::rewrite::{self, Asked, Change, HostField, Lead, Leaks};
use crate::relay::routes::Steering;
use crate::relay::state::Over;
use crate::relay::stream::Stream;
use crate::relay::{Upstream, destination, tap};
use crate::timeline::place;
use crate::wire::{self, Head};

/// What is to be done to one head so that its client stays.
#[derive(Debug, Default)]
pub(super) struct Steered {
    pub(super) changes: Vec<Change>,
    pub(super) leads: Vec<Lead>,
    /// The request goes there; `None`: to the upstream.
    pub(super) target: Option<Upstream>,
    /// The connection leads to another server than the one that the request is for.
    pub(super) misplaced: bool,
    /// It asks for a tunnel, which is opened only where a connection begins.
    pub(super) connects: bool,
    /// The request goes nowhere: what its client is answered, and why.
    pub(super) refusal: Option<(Bytes, String)>,
    /// The session that the response tells to go on elsewhere, and after how long without it the client
    /// returns.
    pub(super) session: Option<String>,
    pub(super) fallback: Option<std::time::Duration>,
    /// The session is over with this response.
    pub(super) over: Option<String>,
    pub(super) hint: Option<String>,
}

impl Steered {
    pub(super) fn is_nothing(&self) -> bool {
        self.changes.is_empty()
            && self.leads.is_empty()
            && self.target.is_none()
            && !self.misplaced
            && !self.connects
            && self.over.is_none()
            && self.hint.is_none()
    }
}

/// A request as the answer to it needs it.
pub(super) struct Request {
    asked: Option<Asked>,
    pub(super) path: String,
    pub(super) session: Option<String>,
    pub(super) packet: Option<Packet>,
}

impl<F: Stream, C: Stream, D: Dial> Flow<'_, F, C, D> {
    pub(super) fn steering(&self) -> Option<&Steering> {
        let steering = self.link.state.config.steering.as_deref();
        steering.filter(|steering| !steering.is_idle())
    }

    /// The server at the other end of the connection.
    fn beyond(&self) -> Option<Upstream> {
        let target = self.link.ruled(|ruled| ruled.target.clone());
        target.or_else(|| self.link.state.config.upstream.clone())
    }

    /// Looks at a head. `exchange` is the client's number of it.
    pub(super) fn steer(&self, exchange: Option<u64>, head: &Head, fresh: bool) -> Steered {
        let steers = fresh && self.link.state.config.steers();
        match self.steering() {
            _ if steers && self.is_to_server() => self.steer_request(head),
            Some(steering) if steers => self.steer_response(steering, exchange, head),
            _ => Steered::default(),
        }
    }

    fn steer_response(&self, steering: &Steering, number: Option<u64>, head: &Head) -> Steered {
        let mut steered = Steered::default();
        if steering.leaks == Leaks::Pass && steering.host != HostField::Keep {
            return steered;
        }
        let exchange = self
            .link
            .ruled(|ruled| ruled.twin(number))
            .and_then(|of| of.exchange);
        let request = |ruled: &mut Ruled| ruled.deal(exchange).map(|deal| deal.request.clone());
        let status = head.status().unwrap_or_default();
        let refuses = matches!(status, 400 | 404);
        let ends = (200..300).contains(&status) && steering.remembers();
        if !(refuses || ends || rewrite::may_lead(head)) {
            return steered;
        }
        let Some(request) = self.link.ruled(request) else {
            return steered;
        };
        if destination::is_forward(self.link.state.config, &self.link.desk.approach, &request) {
            return steered;
        }
        let request = self.read(&request);
        let Some(from) = self.beyond() else {
            return steered;
        };
        if let Some(asked) = &request.asked {
            if steering.leaks != Leaks::Pass {
                steered.leads = rewrite::leads(head, asked, &from);
            }
            let names_us = !asked.is_for(&from) && steering.host == HostField::Keep;
            if refuses && names_us && steering.hints() {
                steered.hint = Some(format!(
                    "The server answers {status} to a request for the host {}, the proxy's name: it may \
                     know itself by another one. Hint: --host upstream asks for {}.",
                    asked.authority,
                    from.authority()
                ));
            }
        }
        let host_id = steered.leads.iter().any(|lead| lead.path.is_none());
        if host_id {
            steered.session = (packet::read_ack(head).session_id.as_deref())
                .or(request.session.as_deref())
                .map(header::session_key);
            steered.fallback = rewrite::fallback(head);
        }
        if ends
            && matches!(
                request.packet,
                Some(Packet::CloseSession | Packet::CancelSession)
            )
        {
            steered.over = request.session;
        }
        if steering.leaks == Leaks::Rewrite {
            steered.changes = steered
                .leads
                .iter()
                .map(|lead| lead.change.clone())
                .collect();
        }
        steered
    }

    pub(super) fn read(&self, head: &Head) -> Request {
        let approach = &self.link.desk.approach;
        let target = String::from_utf8_lossy(head.target().unwrap_or_default());
        let request = packet::read_request(head);
        Request {
            asked: rewrite::asked(head, approach.secure, approach.local),
            path: place::fold(&target),
            session: request.session_id.as_deref().map(header::session_key),
            packet: request.packet,
        }
    }

    /// Tells whether the connection leads to another server than `to`.
    pub(super) fn is_misplaced(&self, to: &Upstream) -> bool {
        self.link.upstream.get().is_some() && Some(to) != self.beyond().as_ref()
    }

    /// Sends a request where it belongs: before its first byte, and after everything that came before it.
    pub(super) async fn route(&mut self, steered: &Steered) -> Result<(), Stop> {
        let state = self.link.state;
        if steered.connects {
            let why = "a tunnel begins a connection of its own";
            return self.ask_again(why, why).await;
        }
        let Some(to) = steered.target.as_ref().or(state.config.upstream.as_ref()) else {
            return Ok(());
        };
        if !self.is_misplaced(to) {
            if steered.target.is_some() && self.link.upstream.get().is_none() {
                let target = steered.target.clone();
                self.link.ruled(|ruled| ruled.target = target);
                // At once: a request that came in the same read may be for another server.
                self.link.open().await?;
            }
            return Ok(());
        }
        let text = format!(
            "the next request belongs to {}, and a connection has one upstream",
            to.url()
        );
        self.ask_again(&text, "the next request belongs to another server")
            .await
    }

    /// Ends the connection before a request goes on, and after everything that came before it.
    async fn ask_again(&self, why: &str, reason: &str) -> Result<(), Stop> {
        let state = self.link.state;
        let answered = || (!self.link.ruled(|ruled| ruled.owes())).then_some(());
        tokio::select! {
            answered = state.until(answered) => answered.ok_or(Stop::Over)?,
            () = self.from.stream.broken() => return Err(Stop::SenderGone),
        }
        let text = format!(
            "The proxy closes this connection: {why}. The client is to ask again on a new one."
        );
        let reason = reason.to_owned();
        state
            .tap
            .note(Leg::Client, text, Fact::Closing { reason })
            .await;
        Err(Stop::End(Over::Ruled {
            client: Close::Fin,
            upstream: Close::Fin,
        }))
    }

    /// Writes the changes into `bytes`, the head or what a rule made of it, reports and remembers them.
    pub(super) async fn carry(
        &mut self,
        head: Option<&Head>,
        replaced: Option<Bytes>,
        steered: Steered,
    ) -> Option<Bytes> {
        let Some(bytes) = replaced else {
            return self.carried(head?, steered).await;
        };
        let stream = if self.is_to_server() {
            wire::Stream::Requests
        } else {
            wire::Stream::Responses
        };
        // What a rule wrote is looked at again: it may lead away, too.
        if !self.link.state.config.steers() {
            return Some(bytes);
        }
        let Some(head) = rewrite::reread(stream, &bytes) else {
            return Some(bytes);
        };
        let number = self.passage.number;
        let steered = self.steer(number, &head, true);
        Some(self.carried(&head, steered).await.unwrap_or(bytes))
    }

    async fn carried(&mut self, head: &Head, mut steered: Steered) -> Option<Bytes> {
        if steered.is_nothing() {
            return None;
        }
        let direction = self.direction();
        let exchange = self.passage.exchange;
        let rewrites = self.steering().is_some_and(|it| it.leaks == Leaks::Rewrite);
        if direction == Direction::ToClient {
            if rewrites {
                self.remember_leads(&mut steered, head);
            } else {
                for lead in &steered.leads {
                    self.say(leak(lead, exchange)).await;
                }
            }
            if let Some(text) = steered.hint.take() {
                self.note(text).await;
            }
        }
        for change in &steered.changes {
            self.say(rewritten(change, direction, exchange)).await;
        }
        (!steered.changes.is_empty()).then(|| rewrite::splice(head, &steered.changes))
    }

    async fn say(&self, note: Note) {
        let tap = &self.link.state.tap;
        tap.note(Leg::Client, note.text, note.fact).await;
    }

    /// Remembers where rewritten fields led, and what is over.
    fn remember_leads(&mut self, steered: &mut Steered, head: &Head) {
        let exchange = self.passage.exchange;
        let asked = |ruled: &mut Ruled| ruled.deal(exchange).map(|deal| deal.request.clone());
        let (Some(steering), Some(asked)) = (self.steering(), self.link.ruled(asked)) else {
            return;
        };
        let request = self.read(&asked);
        let client = self.link.desk.client.address.ip();
        let (Some(from), now) = (self.beyond(), tap::now()) else {
            return;
        };
        let config = &self.link.state.config;
        let approach = &self.link.desk.approach;
        let own = destination::of(config, approach, &asked).ok();
        let is_default = |to: &Upstream| own.as_ref() == Some(to);
        let mut leaves = false;
        for lead in &steered.leads {
            match (&lead.path, &steered.session) {
                (Some(path), _) if is_default(&lead.to) => steering.forget_path(client, path),
                (Some(path), _) => steering.keep_path(client, path.clone(), &lead.to, now),
                (None, Some(session)) if !is_default(&lead.to) => {
                    let (session, wanted) = (session.clone(), (client, request.path.clone()));
                    steering.keep_session(session, wanted, &lead.to, steered.fallback, now);
                }
                // Without a session nothing can be told from what is new.
                _ => continue,
            }
            leaves |= lead.to != from;
        }
        if let Some(session) = steered.over.take() {
            leaves |= steering.forget(&session, client, &request.path) && !is_default(&from);
        }
        if leaves {
            self.passage.closes = true;
            steered.changes.extend(rewrite::closing(head));
        }
    }
}

impl Passage {
    /// Ends the connection once the answer is whole, where the next request belongs elsewhere.
    pub(super) fn parted(&self) -> Result<(), Stop> {
        if !self.closes {
            return Ok(());
        }
        Err(Stop::End(Over::Ruled {
            client: Close::Fin,
            upstream: Close::Fin,
        }))
    }
}

/// Passwords in URLs are nobody's business.
fn public(url: &str) -> String {
    let (scheme, rest) = url.split_once("//").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.get(..end).and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}//***{}", rest.get(at..).unwrap_or_default()),
        None => url.to_owned(),
    }
}

fn rewritten(change: &Change, direction: Direction, exchange: Option<u64>) -> Note {
    let after = header::text(&change.after);
    let after = after.strip_prefix("Connection: ").unwrap_or(&after);
    let after = if change.secret && !after.is_empty() {
        rewrite::SECRET
    } else {
        after
    };
    let (before, after) = (public(&change.before), public(after));
    let text = if before.is_empty() {
        format!("The proxy added {}: {after}.", change.field)
    } else if after.is_empty() {
        format!("The proxy took out {}: {before}.", change.field)
    } else {
        format!(
            "The proxy rewrote {}: {before} became {after}.",
            change.field
        )
    };
    let field = change.field.clone();
    Note {
        text,
        fact: Fact::Rewrite(Box::new(RewriteFact {
            direction,
            field,
            before,
            after,
            exchange,
        })),
    }
}

fn leak(lead: &Lead, exchange: Option<u64>) -> Note {
    let field = lead.change.field.clone();
    let (value, to) = (public(&lead.change.before), lead.to.url());
    Note {
        text: format!(
            "WARNING: the client is about to leave the proxy: {field} ({value}) sends it to {to}. Hint: \
             --leaks rewrite keeps it."
        ),
        fact: Fact::Leak(Box::new(LeakFact {
            field,
            value,
            to,
            exchange,
        })),
    }
}

impl<C: Stream, D: Dial> super::Link<'_, C, D> {
    /// Takes note whether the server that a request goes to instead of the upstream could be reached.
    pub(super) fn dialled(&self, target: Option<&Upstream>, reached: bool) {
        if let (Some(steering), Some(target)) = (&self.state.config.steering, target) {
            steering.dialled(target, reached, tap::now());
        }
    }
}
