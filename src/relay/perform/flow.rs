//! One direction of a connection with rules: takes messages apart, asks about heads, passes bytes.
//!
//! What nothing is done to goes on in runs as it was read. `deed.rs` has what can be done.

use super::ask::Decided;
use super::passage::{Fate, Passage};
use super::{Link, Sending, Stop};
use crate::event::{Close, Direction, Leg};
use crate::fault::Verdict;
use crate::relay::connection;
use crate::relay::dial::Dial;
use crate::relay::intake::{Intake, Run, Taken};
use crate::relay::state::Side;
use crate::relay::stream::Stream;
use crate::wire::{self, Framing, Head, Item, Seen};

/// One direction as it flows.
pub(super) struct Flow<'l, F: Stream, C: Stream, D: Dial> {
    pub(super) link: &'l Link<'l, C, D>,
    pub(super) from: &'l Side<F>,
    pub(super) intake: Intake,
    pub(super) passage: Passage,
    /// What was read last.
    run: Run,
    /// Up to where it was passed on or withheld, and up to where it was reported.
    cursor: u64,
    told: u64,
}

impl<'l, F: Stream, C: Stream, D: Dial> Flow<'l, F, C, D> {
    pub(super) fn new(link: &'l Link<'l, C, D>, from: &'l Side<F>, intake: Intake) -> Self {
        Self {
            link,
            from,
            intake,
            passage: Passage::default(),
            run: Run::default(),
            cursor: 0,
            told: 0,
        }
    }

    pub(super) fn direction(&self) -> Direction {
        self.intake.direction
    }

    pub(super) fn is_to_server(&self) -> bool {
        self.direction() == Direction::ToServer
    }

    /// Carries bytes until the direction has ended or the connection is over.
    pub(super) async fn run(mut self) {
        loop {
            let Some(taken) = self.intake.take(self.link.state, self.from).await else {
                return;
            };
            let (run, end) = match taken {
                Taken::Run(run) => (run, None),
                Taken::Fin(run) => (run, Some(Close::Fin)),
                Taken::Reset(run) => (run, Some(Close::Reset)),
            };
            let mut walked = self.walk(run).await;
            if walked.is_ok() && end.is_some() {
                walked = self.parting().await;
            }
            match (walked, end) {
                (Ok(()), None) => {}
                (Ok(()), Some(Close::Fin)) => return self.ended().await,
                (Err(stop @ Stop::End(_)), end) => return self.stopped(stop, end).await,
                (_, Some(Close::Reset)) => {
                    self.tell(u64::MAX).await;
                    return self.link.state.reset_by(self.from.leg).await;
                }
                (Err(stop), end) => return self.stopped(stop, end).await,
            }
        }
    }

    /// Passes what was read, message by message.
    async fn walk(&mut self, mut run: Run) -> Result<(), Stop> {
        let seen = std::mem::take(&mut run.seen);
        (self.cursor, self.told) = (run.start, run.start);
        self.run = run;
        for seen in seen {
            self.item(seen).await?;
        }
        match self.passage.fate {
            Fate::Forward => self.flush(u64::MAX).await,
            Fate::Withhold => {
                self.withhold(u64::MAX).await;
                Ok(())
            }
        }
    }

    async fn item(&mut self, seen: Seen) -> Result<(), Stop> {
        let exchange = seen.exchange;
        match seen.item {
            Item::Begin { .. } => {
                if self.is_to_server() {
                    let next = Sending {
                        exchange,
                        extra: false,
                    };
                    self.link.ruled(|ruled| ruled.sending.push_back(next));
                }
            }
            Item::Head { head, framing } => self.head(exchange, head, framing).await?,
            Item::Data { offset, len } => self.content(offset, len).await?,
            Item::ChunkFraming { offset, len } | Item::Opaque { offset, len } => {
                self.beside(offset, len).await;
            }
            Item::End { offset, .. } => self.end(exchange, offset).await?,
            // Stray bytes come after the end of a message and pass like anything unread.
            Item::Stray { .. } | Item::Malformed { .. } | Item::Absent { .. } => {}
        }
        Ok(())
    }

    /// A head is complete: asks what is to become of its message.
    async fn head(
        &mut self,
        exchange: Option<u64>,
        head: Head,
        framing: Framing,
    ) -> Result<(), Stop> {
        let (start, raw) = (head.offset, head.raw.clone());
        let fresh = start >= self.cursor;
        let mut steered = self.steer(exchange, &head, fresh);
        let refusal = steered.refusal.take();
        let kept = (!steered.is_nothing()).then(|| head.clone());
        let decided = if self.is_to_server() {
            self.asked(exchange, head, framing, fresh && refusal.is_none())
        } else {
            self.answered(exchange, &head, framing, fresh)
        };
        let (passage, verdict) = match decided {
            Decided::Pass(passage)
                if self.passage.is_plain()
                    && passage.is_plain()
                    && steered.is_nothing()
                    && refusal.is_none() =>
            {
                self.passage = passage;
                return Ok(());
            }
            Decided::Pass(passage) => (passage, Verdict::default()),
            Decided::Do(passage, verdict) => (passage, verdict),
        };
        self.flush(start).await?;
        self.passage = passage;
        self.passage.number = exchange;
        self.passage.touched |= !verdict.steps.is_empty();
        self.passage.steps = verdict.steps.into();
        self.passage.head = raw;
        let end = start.saturating_add(self.passage.head.len() as u64);
        if !self.passage.is_plain() || !steered.is_nothing() {
            self.tell(end).await;
        }
        for receipt in &verdict.receipts {
            let note = receipt.note();
            let tap = &self.link.state.tap;
            tap.note(Leg::Client, note.text, note.fact).await;
        }
        if let Some((answer, why)) = refusal {
            self.passage.touched = true;
            self.respond(answer, why).await?;
        }
        self.begin_again();
        while let Some(step) = self.passage.due(true) {
            self.perform(step).await?;
        }
        let mut replaced = self.passage.replaced.take();
        if self.passage.fate == Fate::Forward {
            if self.is_to_server() {
                self.route(&steered).await?;
            }
            replaced = self.carry(kept.as_ref(), replaced, steered).await;
        }
        match (self.passage.fate, replaced) {
            (Fate::Withhold, _) => self.withhold(end).await,
            (Fate::Forward, None) => {}
            (Fate::Forward, Some(bytes)) => {
                self.cursor = end;
                self.put(Run {
                    start,
                    bytes,
                    ..Run::default()
                })
                .await?;
            }
        }
        Ok(())
    }

    /// Content: cut where something is to be done.
    async fn content(&mut self, offset: u64, len: u64) -> Result<(), Stop> {
        if self.passage.is_plain() {
            self.passage.offset = self.passage.offset.saturating_add(len);
            return Ok(());
        }
        let mut at = offset;
        let end = offset.saturating_add(len);
        while at < end {
            while let Some(step) = self.passage.due(false) {
                self.flush(at).await?;
                self.perform(step).await?;
            }
            let stretch = self.passage.stretch(end.saturating_sub(at));
            let next = at.saturating_add(stretch);
            if self.passage.fate == Fate::Withhold {
                self.withhold(next).await;
            } else if let Some(bytes) = self.passage.flipped(&self.run.part(at, next).bytes) {
                self.flush(at).await?;
                self.tell(next).await;
                self.cursor = next;
                let start = at;
                self.put(Run {
                    start,
                    bytes,
                    ..Run::default()
                })
                .await?;
            }
            self.passage.offset = self.passage.offset.saturating_add(stretch);
            at = next;
        }
        Ok(())
    }

    /// Bytes of a message that are neither head nor content.
    async fn beside(&mut self, offset: u64, len: u64) {
        if self.passage.fate == Fate::Withhold {
            self.withhold(offset.saturating_add(len)).await;
        }
    }

    /// A message is over.
    async fn end(&mut self, exchange: Option<u64>, offset: u64) -> Result<(), Stop> {
        if !self.passage.is_plain() {
            if self.passage.fate == Fate::Forward {
                self.flush(offset).await?;
                while let Some(step) = self.passage.due(false) {
                    self.perform(step).await?;
                }
            }
            self.repeat().await?;
        }
        let passage = std::mem::take(&mut self.passage);
        if self.is_to_server() {
            self.asked_whole(passage).await
        } else {
            self.answered_whole(exchange, passage).await
        }
    }

    /// Passes everything up to `to`.
    pub(super) async fn flush(&mut self, to: u64) -> Result<(), Stop> {
        let to = to.min(self.run.end());
        if to <= self.cursor {
            return Ok(());
        }
        self.tell(to).await;
        let mut run = self.run.part(self.cursor, to);
        if self.passage.touched {
            run.content.clear();
        }
        self.cursor = to;
        self.put(run).await
    }

    /// Passes nothing up to `to`.
    async fn withhold(&mut self, to: u64) {
        self.tell(to).await;
        self.cursor = self.cursor.max(to.min(self.run.end()));
    }

    /// Writes a part of the message under way.
    pub(super) async fn put(&mut self, run: Run) -> Result<(), Stop> {
        self.remember(&run.bytes).await;
        let exchange = self.passage.exchange;
        let direction = self.direction();
        self.link.put(direction, self.from, exchange, run).await
    }

    /// Reports what the server sent up to `to`; what the client sends was reported when it was read.
    async fn tell(&mut self, to: u64) {
        let to = to.min(self.run.end());
        if self.is_to_server() || to <= self.told {
            return;
        }
        let mut run = self.run.part(self.told, to);
        if self.passage.touched {
            run.content.clear();
        }
        self.told = to;
        let tap = &self.link.state.tap;
        tap.data(
            Leg::Upstream,
            Direction::ToClient,
            run.start,
            &run.bytes,
            &run.content,
        )
        .await;
    }

    /// Carries out the end of the direction before its time.
    async fn stopped(mut self, stop: Stop, end: Option<Close>) {
        self.tell(u64::MAX).await;
        let state = self.link.state;
        let reports = matches!(stop, Stop::End(_) | Stop::Unreachable(_));
        if let Some(how) = end.filter(|_| reports) {
            let leg = self.from.leg;
            state.tap.closed(leg, self.direction(), how).await;
            state.books().leg(leg).ended = true;
        }
        match stop {
            Stop::Over => {}
            Stop::SenderGone => state.reset_by(self.from.leg).await,
            Stop::Failed(leg, error) => connection::refused(state, leg, &error).await,
            Stop::End(over) => state.end(over),
            Stop::Unreachable(error) => {
                let client = self.link.client;
                let target = self.link.ruled(|ruled| ruled.target.clone());
                let name = target.map_or_else(|| self.link.dialler.name(), |target| target.url());
                connection::refuse(state, client, self.intake, end.is_some(), &name, &error).await;
            }
        }
    }

    /// The sender ended the direction: passes the FIN on.
    async fn ended(self) {
        let state = self.link.state;
        let mut found = crate::relay::watch::Found::default();
        if !self.is_to_server() {
            let responses = wire::Stream::Responses;
            state.books().watch.finish(responses, &mut found);
            return connection::ended(state, self.from, self.link.client).await;
        }
        self.link
            .ruled(|ruled| ruled.beyond.finish(wire::Stream::Requests, &mut found));
        if let Some(upstream) = self.link.upstream.get() {
            return connection::ended(state, self.from, upstream).await;
        }
        state
            .tap
            .closed(Leg::Client, Direction::ToServer, Close::Fin)
            .await;
        state.shut(self.link.client).await;
        state.end(crate::relay::state::Over::Done);
    }
}
