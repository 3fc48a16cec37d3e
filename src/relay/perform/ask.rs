//! Asks the board what is to become of a message, and remembers what the answer to a request needs.
//!
//! Carries nothing out.

use super::flow::Flow;
use super::passage::{Fate, Passage};
use super::{DEALS, Deal, Lost, Sending};
use crate::fault::verdict::Deed;
use crate::fault::{Moment, Place, Stage, Step, Verdict};
use crate::relay::dial::Dial;
use crate::relay::stream::Stream;
use crate::relay::tap;
use crate::wire::{Framing, Head};

/// What is to become of a message whose head is complete.
pub(super) enum Decided {
    Pass(Passage),
    Do(Passage, Verdict),
}

impl Decided {
    fn of(passage: Passage, verdict: Verdict) -> Self {
        if verdict.is_pass() && verdict.receipts.is_empty() && passage.is_plain() {
            Self::Pass(passage)
        } else {
            Self::Do(passage, verdict)
        }
    }
}

impl<F: Stream, C: Stream, D: Dial> Flow<'_, F, C, D> {
    /// Decides about a request.
    pub(super) fn asked(
        &self,
        exchange: Option<u64>,
        head: Head,
        framing: Framing,
        fresh: bool,
    ) -> Decided {
        let mut passage = Passage::of(exchange);
        passage.expects = head
            .values("Expect")
            .any(|value| value.eq_ignore_ascii_case(b"100-continue"));
        let verdict = self.decide(
            Stage::RequestHead,
            exchange,
            Some((&head, framing)),
            None,
            fresh,
        );
        if let Some(exchange) = exchange {
            self.link.ruled(|ruled| {
                if ruled.deals.len() >= DEALS {
                    ruled.deals.pop_front();
                }
                ruled.deals.push_back(Deal {
                    exchange,
                    request: head,
                    framing,
                    paces: Vec::new(),
                    lost: None,
                    whole: false,
                    answered: false,
                });
            });
        }
        Decided::of(passage, verdict)
    }

    /// Decides about a response: not about interim ones, nor about answers to a request sent twice.
    pub(super) fn answered(
        &self,
        number: Option<u64>,
        head: &Head,
        framing: Framing,
        fresh: bool,
    ) -> Decided {
        let status = head.status().unwrap_or_default();
        let of = self.link.ruled(|ruled| ruled.twin(number));
        let Some(Sending { exchange, extra }) = of else {
            return Decided::Pass(Passage::of(None));
        };
        let mut passage = Passage::of(exchange);
        passage.status = status;
        passage.interim = (100..200).contains(&status) && status != 101;
        if extra {
            passage.fate = Fate::Withhold;
            passage.touched = true;
        }
        if extra || passage.interim {
            return Decided::Pass(passage);
        }
        let (request, lost, paced) = self.link.ruled(|ruled| {
            let deal = ruled.deal(exchange);
            let paced = deal.as_ref().is_some_and(|deal| !deal.paces.is_empty());
            deal.map(|deal| {
                let request = (deal.request.clone(), deal.framing);
                (Some(request), deal.lost.take(), paced)
            })
            .unwrap_or_default()
        });
        passage.touched = paced;
        if let Some(Lost { ending, .. }) = lost {
            passage.fate = Fate::Withhold;
            passage.touched = true;
            passage.lost = Some(Lost { status, ending });
            return Decided::Pass(passage);
        }
        let request = request.as_ref().map(|(head, framing)| (head, *framing));
        let response = Some((head, framing));
        let verdict = self.decide(Stage::ResponseHead, exchange, request, response, fresh);
        Decided::of(passage, verdict)
    }

    /// Tells the board that the operator has the client get this answer.
    pub(super) fn answers(&self, answer: &[u8]) {
        let exchange = self.passage.exchange;
        let asked = self.link.ruled(|ruled| {
            let deal = ruled.deal(exchange);
            deal.map(|deal| (deal.request.clone(), deal.framing))
        });
        let request = asked.as_ref().map(|(head, framing)| (head, *framing));
        let moment = self.moment(Stage::RequestHead, exchange, request, None);
        self.link.desk.board.heard(&moment, answer);
    }

    /// Describes the moment to whoever decides.
    fn moment<'m>(
        &self,
        stage: Stage,
        exchange: Option<u64>,
        request: Option<(&'m Head, Framing)>,
        response: Option<(&'m Head, Framing)>,
    ) -> Moment<'m> {
        let desk = self.link.desk;
        Moment {
            at: tap::now().saturating_duration_since(desk.start),
            conn: desk.conn,
            client: desk.client,
            stage,
            exchange,
            request,
            response,
        }
    }

    /// Asks the board, unless a part of the head has gone already.
    pub(super) fn decide(
        &self,
        stage: Stage,
        exchange: Option<u64>,
        request: Option<(&Head, Framing)>,
        response: Option<(&Head, Framing)>,
        fresh: bool,
    ) -> Verdict {
        let desk = self.link.desk;
        if !fresh || desk.board.is_idle() {
            return Verdict::default();
        }
        let moment = self.moment(stage, exchange, request, response);
        let (mut verdict, stops) = desk.board.decide(&moment);
        if stops {
            verdict.steps.insert(
                0,
                Step {
                    rule: "".into(),
                    place: Place::Head,
                    deed: Deed::Hold(None),
                },
            );
        }
        verdict
    }
}
