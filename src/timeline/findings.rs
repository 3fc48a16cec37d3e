//! What the conformance checker is told, and the findings that it gave.
//!
//! An exchange is judged when it is over, with the heads that were kept until then. The rules
//! themselves are in `bits/check`.

use std::ops::Range;

use crate::bits::Packet;
use crate::bits::check::{Answered, Asked, Checker, Cut, Facts, Finding, Level, Profile, Rule};
use crate::event::ConnId;
use crate::wire::{Head, Stream};

use super::connection::Live;
use super::ledger::{Ledger, slot};
use super::open::{Half, Open};

/// The checker with all findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    checker: Checker,
    list: Vec<Finding>,
    /// Where the findings of an exchange lie in the list, sorted by its number.
    places: Vec<(u32, Range<u32>)>,
    /// Events are missing at the end.
    truncated: bool,
    /// So many of the list are findings; what follows says what was only counted.
    told: usize,
}

/// The heads of an exchange that is not over.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads {
    pub(super) request: Option<Box<Head>>,
    /// Of the final response.
    pub(super) response: Option<Box<Head>>,
}

impl Findings {
    pub(super) fn with_profile(profile: Profile) -> Self {
        Self {
            checker: Checker::new(profile),
            ..Self::default()
        }
    }

    pub(super) fn profile(&self) -> Profile {
        self.checker.profile()
    }

    pub(super) fn list(&self) -> &[Finding] {
        &self.list
    }

    /// Returns how many findings have this level, those included that were only counted.
    pub(super) fn count(&self, level: Level) -> u64 {
        let same = |finding: &&Finding| finding.level == level;
        let told = self.list.get(..self.told).unwrap_or(&self.list);
        let told = u64::try_from(told.iter().filter(same).count()).unwrap_or(u64::MAX);
        told.saturating_add(self.checker.untold(level))
    }

    /// Returns how many findings of a rule there are, those included that were only counted.
    pub(super) fn count_of(&self, rule: &Rule) -> u32 {
        self.checker.count(rule)
    }

    /// Yields the findings of exchange number `no`.
    pub(super) fn of(&self, no: u32) -> impl Iterator<Item = &Finding> {
        let first = self.places.partition_point(|place| place.0 < no);
        let places = self.places.get(first..).unwrap_or_default();
        places
            .iter()
            .take_while(move |place| place.0 == no)
            .filter_map(|(_, range)| {
                let start = usize::try_from(range.start).ok()?;
                self.list.get(start..usize::try_from(range.end).ok()?)
            })
            .flatten()
    }

    /// Adds findings of one exchange, or of none.
    fn add(&mut self, exchange: Option<u32>, found: Vec<Finding>) {
        if found.is_empty() {
            return;
        }
        let position = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let start = position(self.list.len());
        self.list.extend(found);
        self.told = self.list.len();
        let Some(no) = exchange else {
            return;
        };
        let place = (no, start..position(self.list.len()));
        // Exchanges end nearly in order.
        let at = self.places.partition_point(|known| known.0 <= no);
        self.places.insert(at, place);
    }

    pub(super) fn opened(&mut self, conn: ConnId, joined: bool) {
        self.checker.connection_opened(conn.0, joined);
    }

    pub(super) fn closed(&mut self, conn: ConnId, by_server: bool) {
        self.checker.connection_closed(conn.0, by_server);
    }

    /// Takes note that events are missing at the end.
    pub(super) fn cut_off(&mut self) {
        self.truncated = true;
    }

    pub(super) fn unsolicited(&mut self, conn: ConnId, len: Option<u64>) {
        let found = self.checker.unsolicited(conn.0, len);
        self.add(found.first().and_then(|first| first.exchange), found);
    }

    /// Takes note that the client got another answer than the server's, and that nobody asked for that.
    pub(super) fn relayed(
        &mut self,
        (no, session, conn): (u32, Option<u32>, u32),
        packet: Packet,
        server: &Head,
        client: &Head,
    ) {
        let place = (no, session, conn);
        let found = self.checker.relayed(place, packet, server, client);
        self.add(Some(no), found);
    }

    pub(super) fn finish(&mut self) {
        if !self.truncated {
            let found = self.checker.finish();
            for finding in found {
                self.add(finding.exchange, vec![finding]);
            }
        }
        if self.told == self.list.len() {
            self.list.extend(self.checker.rest());
        }
    }

    fn judge(&mut self, facts: &Facts<'_>) {
        let found = self.checker.exchange(facts);
        self.add(Some(facts.no), found);
    }
}

impl Live {
    /// Keeps a head until its exchange is over; not that of an interim response.
    pub(super) fn keep_head(&mut self, slot: usize, stream: Stream, head: Head) {
        let Some(open) = self.open.get_mut(slot) else {
            return;
        };
        match stream {
            Stream::Requests => open.heads.request = Some(Box::new(head)),
            Stream::Responses if open.interim => {}
            Stream::Responses => open.heads.response = Some(Box::new(head)),
        }
    }

    /// Has the Pings judged that waited for their session.
    pub(super) fn judge_waiting(&mut self, ledger: &mut Ledger) {
        for open in std::mem::take(&mut self.waiting) {
            self.judge(&open, ledger);
            ledger.release(open.no);
        }
    }

    /// Has an exchange judged that is over.
    pub(super) fn judge(&mut self, open: &Open, ledger: &mut Ledger) {
        // A message that nobody could read may have said anything.
        let gaps = self.requests.torn || self.responses.torn;
        let unread = open.heads.request.is_none()
            || open.requested == Half::Broken
            || open.answered == Half::Broken
            || (open.answered == Half::Absent && gaps);
        let torn = self.torn || unread;
        // Another exchange may have been in flight when bytes were missed.
        self.torn &= !self.open.is_empty();
        self.torn |= unread;
        let row = slot(open.no).and_then(|slot| ledger.exchanges.get(slot));
        let (Some(row), Some(head)) = (row, open.heads.request.as_deref()) else {
            return;
        };
        let ended_by = self.ended_by.unwrap_or_default();
        let cut = |half: Half, sender: &str| match half {
            Half::Done => Cut::No,
            Half::Cut if ended_by.starts_with(sender) => Cut::BySender,
            _ => Cut::ByOther,
        };
        let times = row.times.get();
        let response = open.heads.response.as_deref().zip(open.ack.as_deref());
        // What a rule made of a head is not the server's word.
        let twin = self.twin.as_ref().filter(|_| !row.faults.is_empty());
        let ruled = twin
            .zip(response)
            .is_some_and(|(twin, (head, _))| twin.answered_otherwise(open.no, head));
        let facts = Facts {
            no: open.no,
            conn: self.locus.conn.0,
            session: row.session,
            client: self.locus.ip(),
            tls: self.tls,
            ours: open.injected || ruled,
            torn,
            request: Asked {
                head,
                says: &open.request,
                content: open.sent,
                cut: cut(open.requested, "the client"),
                begun: times.begun,
                ended: times.request_end,
            },
            response: response.map(|(head, says)| Answered {
                head,
                says,
                content: open.came,
                cut: cut(open.answered, "the server"),
                begun: times.response_begun.unwrap_or(times.begun),
                ended: times.ended.unwrap_or(times.begun),
            }),
            digest: (open.requested == Half::Done)
                .then(|| open.digest.value())
                .flatten(),
            parts: open.parts.as_ref().map(|parts| parts.layout()),
        };
        ledger.findings.judge(&facts);
    }
}
