//! The end of an exchange: its outcome, and what it does to its session.

use std::time::Duration;

use crate::bits::Packet;
use crate::wire::Stream;

use super::connection::Live;
use super::ledger::Ledger;
use super::open::{Half, Open};
use super::row::Outcome;
use super::{story, wait};

impl Live {
    /// Gives up exchanges whose rest lies in a direction that is not read any more.
    pub(super) fn give_up_opaque(&mut self) {
        let requests = self.talk.decoder(Stream::Requests).is_opaque();
        let responses = self.talk.decoder(Stream::Responses).is_opaque();
        if !requests && !responses {
            return;
        }
        self.unsettled = true;
        for open in &mut self.open {
            if requests && open.requested == Half::Waiting {
                open.requested = Half::Broken;
            }
            if responses && open.answered == Half::Waiting {
                open.answered = Half::Broken;
            }
        }
    }

    /// Ends the exchanges of which neither half is awaited any more.
    pub(super) fn settle(&mut self, at: Duration, ledger: &mut Ledger) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        let mut slot = 0;
        while let Some(open) = self.open.get(slot) {
            if open.requested == Half::Waiting || open.answered == Half::Waiting {
                slot = slot.saturating_add(1);
            } else if let Some(open) = self.open.remove(slot) {
                self.close_row(open, at, ledger);
            }
        }
    }

    pub(super) fn close_row(&mut self, open: Open, at: Duration, ledger: &mut Ledger) {
        self.retire(&open);
        let outcome = match (open.requested, open.answered) {
            (Half::Broken, _) | (_, Half::Broken) => Outcome::Malformed,
            (_, Half::Done) if open.injected => Outcome::Injected,
            (Half::Cut | Half::Absent, _) => Outcome::CutRequest,
            (_, Half::Cut) => Outcome::CutResponse,
            (_, Half::Absent | Half::Waiting) => Outcome::NoResponse,
            (_, Half::Done) => Outcome::Complete,
        };
        let Some(row) = ledger.exchange(open.no) else {
            return;
        };
        row.outcome = outcome;
        row.times.change(|times| times.ended = Some(at));
        let session = row.session;
        self.log_in(&open, at, ledger);
        if let Some(session) = session {
            self.tell_session(session, &open, ledger);
        }
        if session.is_some() || open.request.packet != Some(Packet::Ping) {
            self.judge_waiting(ledger);
        }
        ledger.settle(open.no);
        if ledger.holds(open.no) {
            // Its session will be known before the next packet on the connection is over.
            let (no, heads) = (open.no, open.heads.clone());
            self.waiting.push(open);
            self.part_twins(no, heads, ledger);
        } else {
            self.judge(&open, ledger);
            self.part_twins(open.no, open.heads, ledger);
        }
    }

    /// Carries out what the end of an exchange does to its session.
    fn tell_session(&self, session: u32, open: &Open, ledger: &mut Ledger) {
        let request = &open.request;
        let Some(packet) = request.packet else {
            return;
        };
        let whole = open.answered == Half::Done;
        let ack = open.ack.as_deref();
        match packet {
            Packet::Notification => {
                ledger.notified(session, open);
                return;
            }
            Packet::Head | Packet::Get => {
                if let Some(ack) = ack {
                    ledger.download_parts(session, open, whole);
                    ledger.download_passed(session, open.lies, open.came);
                    ledger.download_answered(session, packet, open, ack, whole);
                }
            }
            _ => {
                let start = request.range.map(|range| range.first);
                if packet == Packet::Fragment {
                    ledger.upload_passed(session, start, open.sent);
                }
                if packet == Packet::CreateSession {
                    ledger.create_over(session, open.no);
                }
                if let Some(ack) = ack.filter(|_| whole) {
                    ledger.upload_answered(session, request, open.status, ack);
                }
            }
        }
        let cut = ack.is_none() || !whole;
        if cut {
            let row = ledger.exchange(open.no);
            let timer = row.and_then(|row| wait::timer(row, self.ended_by));
            ledger.unanswered(session, request, open.sent, self.ended_by, timer);
        }
        // 401 and 407 ask for credentials, 416 for another offset: the client goes on at once.
        let refused = open.status >= 400 && !matches!(open.status, 401 | 407 | 416);
        if let Some((_, book)) = ledger.session(session) {
            book.trouble = cut || refused;
        }
    }
}

impl Ledger {
    /// Takes note that the server told its application of the upload `session`.
    fn notified(&mut self, session: u32, open: &Open) {
        let Some(row) = self.exchange(open.no) else {
            return;
        };
        let host = open.request.host.as_deref().unwrap_or_default();
        let place = if row.url.starts_with('/') {
            format!("{host}{}", row.url)
        } else {
            row.url.to_string()
        };
        let sentence = story::notified(&place, open.sent > 0, row.status);
        if let Some((row, book)) = self.session(session) {
            book.tale.tell(row, sentence);
        }
    }
}
