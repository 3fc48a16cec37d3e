//! Does one thing to a message: the table from deeds to what they change or wait for.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::flow::Flow;
use super::pace::Pace;
use super::part;
use super::passage::Fate;
use super::spool::Spool;
use super::{Lost, Sending, Stop, ends};
use crate::event::{Close, Fact, Leg};
use crate::fault::rule::Way;
use crate::fault::verdict::Deed;
use crate::fault::{Held, Place, Release, Stage, Step};
use crate::relay::dial::Dial;
use crate::relay::intake::{Intake, Run};
use crate::relay::state::{Over, Side, at};
use crate::relay::stream::Stream;
use crate::relay::tap;

impl<F: Stream, C: Stream, D: Dial> Flow<'_, F, C, D> {
    /// Does one thing to the message under way, at the place where it stands.
    pub(super) async fn perform(&mut self, step: Step) -> Result<(), Stop> {
        match step.deed {
            Deed::Delay(time) => self.link.wait(self.from, tap::now() + time).await?,
            Deed::Limit { bucket, rate, way } => {
                let bucket = self.link.desk.board.bucket(&bucket, rate);
                self.pace(way, Pace::Bucket(bucket));
            }
            Deed::Dribble { bytes, every, way } => self.pace(way, Pace::dribble(bytes, every)),
            Deed::Replace(head) => self.passage.replaced = Some(head),
            Deed::Flip(mask) => self.passage.flip(mask),
            Deed::Truncate => self.passage.fate = Fate::Withhold,
            Deed::Note(text) => self.note(text).await,
            Deed::Respond(bytes) => self.respond(bytes, format!("rule {}", step.rule)).await?,
            Deed::Reset(_) | Deed::Close(_) => {
                if let Place::Body(at) = step.place {
                    let rule = &step.rule;
                    self.note(format!(
                        "The connection ends before byte {at} of the content: rule {rule}."
                    ))
                    .await;
                }
                if let Some(over) = ends::over(&step.deed) {
                    return Err(Stop::End(over));
                }
            }
            Deed::Hang(time) => self.hang(time).await?,
            Deed::DropResponse => self.drop_response(),
            Deed::Hold(time) => self.hold(time, &step.rule).await?,
            // A copy is kept from the first byte on and sent at the end. The others come before any message.
            Deed::Duplicate(_) | Deed::Refuse(_) | Deed::Tls(_) => {}
        }
        Ok(())
    }

    pub(super) async fn note(&self, text: String) {
        let tap = &self.link.state.tap;
        tap.note(Leg::Client, text, Fact::Other).await;
    }

    fn pace(&self, way: Way, pace: Pace) {
        let exchange = self.passage.exchange;
        self.link.ruled(|ruled| {
            if let Some(deal) = ruled.deal(exchange) {
                deal.paces.push((way, pace));
            }
        });
    }

    fn drop_response(&mut self) {
        let ending = self.passage.ending();
        if self.is_to_server() {
            let exchange = self.passage.exchange;
            self.link.ruled(|ruled| {
                if let Some(deal) = ruled.deal(exchange) {
                    deal.lost = Some(Lost { status: 0, ending });
                }
            });
        } else {
            self.passage.fate = Fate::Withhold;
            let status = self.passage.status;
            self.passage.lost = Some(Lost { status, ending });
        }
    }

    /// Has nothing move on the connection for `time`, or until somebody gives up.
    pub(super) async fn hang(&mut self, time: Option<Duration>) -> Result<(), Stop> {
        self.still(time, true).await
    }

    /// The same; `listens` is off once the sender of this direction has ended it.
    pub(super) async fn still(
        &mut self,
        time: Option<Duration>,
        listens: bool,
    ) -> Result<(), Stop> {
        let state = self.link.state;
        let until = time.and_then(|time| tap::now().checked_add(time));
        self.link.ruled(|ruled| ruled.hung = true);
        let other = match self.from.leg {
            Leg::Client => Leg::Upstream,
            Leg::Upstream => Leg::Client,
        };
        let left = state.until(|| state.books().leg(other).ended.then_some(()));
        let waited = async {
            tokio::select! {
                biased;
                () = at(until) => None,
                Some(()) = left => Some(None),
                how = gone(&mut self.intake, self.from), if listens => Some(Some(how)),
            }
        };
        let waited = state.unless_over(waited).await.ok_or(Stop::Over)?;
        self.link.ruled(|ruled| ruled.hung = false);
        state.change();
        let Some(gave_up) = waited else {
            return Ok(());
        };
        if let Some(how) = gave_up {
            self.give_up(how).await?;
        }
        Err(Stop::End(Over::Ruled {
            client: Close::Fin,
            upstream: Close::Fin,
        }))
    }

    /// The sender of this direction has gone while nothing moved.
    async fn give_up(&mut self, how: Close) -> Result<(), Stop> {
        let (state, leg) = (self.link.state, self.from.leg);
        for bytes in self.intake.take_ahead() {
            part::record(state, leg, bytes).await;
        }
        if how == Close::Reset {
            return Err(Stop::SenderGone);
        }
        state.tap.closed(leg, self.direction(), how).await;
        state.books().leg(leg).ended = true;
        Ok(())
    }

    /// Has the message wait for the operator.
    async fn hold(&mut self, time: Option<Duration>, rule: &Arc<str>) -> Result<(), Stop> {
        let (state, desk) = (self.link.state, self.link.desk);
        let stage = if self.is_to_server() {
            Stage::RequestHead
        } else {
            Stage::ResponseHead
        };
        let now = tap::now();
        let until = time
            .or_else(|| desk.board.patience(stage))
            .and_then(|time| now.checked_add(time));
        let since = |at: tokio::time::Instant| at.saturating_duration_since(desk.start);
        let head = self.passage.replaced.as_ref().unwrap_or(&self.passage.head);
        let (place, release) = desk.board.hold(Held {
            no: 0,
            conn: desk.conn,
            exchange: self.passage.exchange.unwrap_or_default(),
            stage,
            rule: Some(rule.to_string()).filter(|rule| !rule.is_empty()),
            head: head.clone(),
            since: since(now),
            until: until.map(since),
        });
        self.note(format!("Held at {} for the operator.", stage.name()))
            .await;
        let left = async {
            // A client that ended only its half still waits for its answer.
            match gone(&mut self.intake, self.from).await {
                Close::Reset => Stop::SenderGone,
                Close::Fin => pending().await,
            }
        };
        let waited = async {
            tokio::select! {
                biased;
                how = release => Ok(Some(how.unwrap_or(Release::Pass))),
                () = at(until) => Ok(None),
                stop = left => Err(stop),
            }
        };
        let how = state.unless_over(waited).await.ok_or(Stop::Over)??;
        drop(place);
        let (text, stop) = match how {
            None => ("Went on by itself: the time to hold it was over.", None),
            Some(Release::Pass) => ("Released by the operator.", None),
            Some(Release::Replace(head)) => {
                if !self.is_to_server() {
                    self.answers(&head);
                }
                self.passage.replaced = Some(head);
                ("Released by the operator, with another head.", None)
            }
            Some(Release::Respond(bytes)) => {
                self.note("Answered by the operator.".to_owned()).await;
                self.answers(&bytes);
                let why = "the operator says so".to_owned();
                return self.respond(bytes, why).await;
            }
            Some(Release::Kill) => ("Ended by the operator.", Some(Stop::End(Over::Cut))),
        };
        self.note(text.to_owned()).await;
        stop.map_or(Ok(()), Err)
    }

    /// Begins to keep a copy of the message, if it is to be sent again.
    pub(super) fn begin_again(&mut self) {
        let times = self.passage.steps.iter().find_map(|step| match step.deed {
            Deed::Duplicate(times) => Some(times),
            _ => None,
        });
        self.passage.again = times.map(|times| (Spool::default(), times));
    }

    /// Keeps a copy of what goes on, if the message is to be sent again.
    pub(super) async fn remember(&mut self, bytes: &Bytes) {
        if let Some((spool, _)) = &mut self.passage.again
            && let Err(error) = spool.push(bytes).await
        {
            self.forget(&error).await;
        }
    }

    async fn forget(&mut self, error: &io::Error) {
        self.passage.again = None;
        self.note(format!(
            "The message is not sent again: its copy cannot be kept ({error})."
        ))
        .await;
    }

    /// Sends the message again, as often as wanted.
    pub(super) async fn repeat(&mut self) -> Result<(), Stop> {
        let Some((mut spool, times)) = self.passage.again.take() else {
            return Ok(());
        };
        if self.passage.fate == Fate::Withhold {
            return Ok(());
        }
        let exchange = self.passage.exchange;
        for _ in 0..times {
            if self.is_to_server() {
                let next = Sending {
                    exchange,
                    extra: true,
                };
                self.link.ruled(|ruled| ruled.sending.push_back(next));
            }
            let mut again = match spool.rewind().await {
                Ok(again) => again,
                Err(error) => {
                    self.forget(&error).await;
                    return Ok(());
                }
            };
            loop {
                match again.next().await {
                    Ok(Some(bytes)) => {
                        let run = Run {
                            bytes,
                            ..Run::default()
                        };
                        let direction = self.direction();
                        self.link.put(direction, self.from, exchange, run).await?;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        self.forget(&error).await;
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Waits until the peer has ended its stream.
async fn gone<F: Stream>(intake: &mut Intake, from: &Side<F>) -> Close {
    intake.until_gone(from).await
}
