//! Where messages and connections end: answers of our own, what was kept from the client, the stage `close`.

use bytes::Bytes;
use tokio::time::sleep_until;

use super::flow::Flow;
use super::passage::{Fate, Passage};
use super::{Lost, Ruled, Stop};
use crate::event::{Close, Direction, Fact, Leg};
use crate::fault::rule::Ends;
use crate::fault::verdict::Deed;
use crate::fault::{Place, Stage, Step};
use crate::relay::dial::Dial;
use crate::relay::intake::Run;
use crate::relay::state::Over;
use crate::relay::stream::Stream;
use crate::relay::tap;

/// Returns how a connection ends that a rule ends. A side is the end that meets it; the other end gets
/// a FIN.
pub(super) fn over(deed: &Deed) -> Option<Over> {
    let end = |reset: bool| if reset { Close::Reset } else { Close::Fin };
    match deed {
        Deed::Reset(ends) => Some(Over::Ruled {
            client: end(*ends != Ends::Server),
            upstream: end(*ends != Ends::Client),
        }),
        Deed::Close(_) => Some(Over::Ruled {
            client: Close::Fin,
            upstream: Close::Fin,
        }),
        _ => None,
    }
}

impl Ruled {
    /// Forgets an exchange once both of its messages are over.
    fn settle(&mut self, exchange: Option<u64>, note: impl FnOnce(&mut super::Deal)) {
        if let Some(deal) = self.deal(exchange) {
            note(deal);
        }
        self.deals.retain(|deal| !(deal.whole && deal.answered));
    }
}

impl<F: Stream, C: Stream, D: Dial> Flow<'_, F, C, D> {
    /// A request has come whole.
    pub(super) async fn asked_whole(&mut self, passage: Passage) -> Result<(), Stop> {
        let exchange = passage.exchange;
        self.link.ruled(|ruled| {
            if passage.touched {
                ruled.sending.retain(|next| next.exchange != exchange);
            }
            ruled.settle(exchange, |deal| deal.whole = true);
        });
        let Some((bytes, why)) = passage.answer else {
            return Ok(());
        };
        self.answer(exchange, bytes, why).await?;
        if passage.severed {
            return Err(Stop::End(Over::Ruled {
                client: Close::Fin,
                upstream: Close::Reset,
            }));
        }
        Ok(())
    }

    /// A response has come whole; `number` is the server's number of its exchange.
    pub(super) async fn answered_whole(
        &mut self,
        number: Option<u64>,
        passage: Passage,
    ) -> Result<(), Stop> {
        if passage.interim {
            return Ok(());
        }
        self.link.ruled(|ruled| {
            let over = |twin: &super::Twin| Some(twin.number) == number;
            let extra = ruled.twin(number).is_some_and(|of| of.extra);
            ruled.twins.retain(|twin| !over(twin));
            if !extra {
                ruled.settle(passage.exchange, |deal| deal.answered = true);
            }
        });
        self.link.state.change();
        passage.parted()?;
        let Some(Lost { status, ending }) = passage.lost else {
            return Ok(());
        };
        let text = format!("The server answered {status}; a rule kept that from the client.");
        let tap = &self.link.state.tap;
        tap.note(Leg::Client, text, Fact::Other).await;
        match ending {
            Some(Deed::Hang(time)) => self.hang(time).await,
            Some(deed) => over(&deed).map_or(Ok(()), |over| Err(Stop::End(over))),
            None => Ok(()),
        }
    }

    /// Decides that a request or a response is answered by us; `why` is a clause.
    pub(super) async fn respond(&mut self, bytes: Bytes, why: String) -> Result<(), Stop> {
        let exchange = self.passage.exchange;
        self.passage.fate = Fate::Withhold;
        if !self.is_to_server() {
            return self.answer(exchange, bytes, why).await;
        }
        // What went on already cannot be taken back: the server waits for the rest in vain.
        self.passage.severed = self.link.ruled(|ruled| {
            let begun = (ruled.twins.iter()).any(|twin| twin.of.exchange == exchange);
            ruled.twins.retain(|twin| twin.of.exchange != exchange);
            begun
        });
        if self.passage.expects && !self.passage.severed {
            return self.answer(exchange, bytes, why).await;
        }
        self.passage.answer = Some((bytes, why));
        Ok(())
    }

    /// Writes an answer of our own, when it is its turn.
    async fn answer(
        &mut self,
        exchange: Option<u64>,
        bytes: Bytes,
        reason: String,
    ) -> Result<(), Stop> {
        let state = self.link.state;
        if self.is_to_server() {
            let turn = || (!self.link.ruled(|ruled| ruled.owes())).then_some(());
            tokio::select! {
                turn = state.until(turn) => turn.ok_or(Stop::Over)?,
                () = self.from.stream.broken() => return Err(Stop::SenderGone),
            }
        }
        let status = status(&bytes).unwrap_or_default();
        let text = format!("The proxy answers {status} itself: {reason}.");
        let fact = Fact::Answered { status, reason };
        state.tap.note(Leg::Client, text, fact).await;
        let run = Run {
            bytes,
            ..Run::default()
        };
        let direction = Direction::ToClient;
        self.link.put(direction, self.from, exchange, run).await?;
        self.link
            .ruled(|ruled| ruled.settle(exchange, |deal| deal.answered = true));
        Ok(())
    }

    /// The sender of this direction ended it: asks what is to become of that, once for a connection.
    pub(super) async fn parting(&mut self) -> Result<(), Stop> {
        if self
            .link
            .ruled(|ruled| std::mem::replace(&mut ruled.parted, true))
        {
            return Ok(());
        }
        let last = self.link.ruled(|ruled| {
            let deal = ruled.deals.back();
            deal.map(|deal| (deal.exchange, deal.request.clone(), deal.framing))
        });
        let exchange = last.as_ref().map(|last| last.0);
        let request = last.as_ref().map(|(_, head, framing)| (head, *framing));
        let verdict = self.decide(Stage::Close, exchange, request, None, true);
        for receipt in &verdict.receipts {
            let note = receipt.note();
            let tap = &self.link.state.tap;
            tap.note(Leg::Client, note.text, note.fact).await;
        }
        for Step { rule, deed, .. } in verdict.steps {
            match deed {
                Deed::Delay(time) => {
                    let until = async {
                        tokio::select! {
                            () = sleep_until(tap::now() + time) => {}
                            () = self.link.desk.board.turned_off() => {}
                        }
                    };
                    let waited = self.link.state.unless_over(until).await;
                    waited.ok_or(Stop::Over)?;
                }
                Deed::Hang(time) => self.still(time, false).await?,
                Deed::Note(_) | Deed::Reset(_) | Deed::Close(_) => {
                    let place = Place::Head;
                    self.perform(Step { rule, place, deed }).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the status of an answer.
fn status(answer: &[u8]) -> Option<u16> {
    let digits = answer.split(|byte| *byte == b' ').nth(1)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
