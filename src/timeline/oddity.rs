//! What is not as it should be on a connection, in one remark per run: stray and missing bytes,
//! malformed messages, directions that are not read any more.

use crate::event::Missing;
use crate::wire::{Malformed, Stream};

use super::connection::Live;
use super::lane::{Run, RunKind, towards};
use super::ledger::Ledger;
use super::open::Half;

impl Live {
    pub(super) fn malformed(
        &mut self,
        stream: Stream,
        wire: Option<u64>,
        offset: u64,
        what: Malformed,
        ledger: &mut Ledger,
    ) {
        let (conn, at) = (self.locus.conn, self.lane(stream).at(offset));
        let more = !self.lane(stream).ended;
        let mut exchange = None;
        if let Some(open) = self
            .find(stream, wire)
            .and_then(|slot| self.open.get_mut(slot))
        {
            exchange = Some(open.no);
            let half = match what {
                Malformed::FieldLine => {
                    if std::mem::replace(&mut open.field_told, true) {
                        return;
                    }
                    None
                }
                Malformed::HeadCut => Some(Half::Cut),
                _ => Some(Half::Broken),
            };
            if half.is_some() {
                self.unsettled = true;
                open.cut_head(stream, offset, ledger);
            }
            match (half, stream) {
                (None, _) => {}
                (Some(half), Stream::Requests) => {
                    open.requested = half;
                    if more && what == Malformed::HeadCut {
                        open.answered = Half::Absent;
                    }
                }
                (Some(half), Stream::Responses) => open.answered = half,
            }
        }
        if what == Malformed::HeadAbsent && self.lane(stream).run.is_some() {
            // The remark about the missing bytes says it.
            return;
        }
        self.lane(stream).head_cut |= what == Malformed::HeadCut;
        let said = match what {
            Malformed::HeadCut => "a message breaks off inside its head",
            Malformed::NotHttp => "something begins that is not HTTP",
            Malformed::HeadTooLong => "a head is longer than any that is read",
            Malformed::FieldLine => "a field line cannot be read",
            Malformed::Ambiguous => "the length of a message can be read in two ways",
            Malformed::Chunk => "a chunk cannot be read",
            Malformed::HeadAbsent => "a head is missing from the capture",
        };
        let text = format!("At byte {offset} {} {said}.", towards(stream));
        ledger.observe(at, conn, exchange, text);
    }

    pub(super) fn opaque(&mut self, stream: Stream, offset: u64, ledger: &mut Ledger) {
        let (conn, at) = (self.locus.conn, self.lane(stream).at(offset));
        if std::mem::replace(&mut self.lane(stream).opaque_told, true) {
            return;
        }
        let text = format!(
            "From byte {offset} {} on nothing is read as HTTP.",
            towards(stream)
        );
        ledger.observe(at, conn, None, text);
    }

    /// Adds bytes to a run of oddities; a run of another kind ends.
    pub(super) fn add_to_run(
        &mut self,
        stream: Stream,
        kind: RunKind,
        offset: u64,
        len: u64,
        ledger: &mut Ledger,
    ) {
        let lane = self.lane(stream);
        if let Some(run) = &mut lane.run
            && run.kind == kind
            && run.offset.saturating_add(run.len) == offset
        {
            run.len = run.len.saturating_add(len);
            return;
        }
        let at = lane.at(offset);
        self.end_run(stream, |_| true, ledger);
        let front = self.open.front().map(|open| open.no);
        self.lane(stream).run = Some(Run {
            kind,
            exchange: front.filter(|_| kind != RunKind::Stray),
            at,
            offset,
            len,
        });
    }

    /// Ends the run of one direction, if there is one that is `meant`, and remarks on it.
    pub(super) fn end_run(
        &mut self,
        stream: Stream,
        meant: impl Fn(RunKind) -> bool,
        ledger: &mut Ledger,
    ) {
        let conn = self.locus.conn;
        let Some(run) = self.lane(stream).run.take_if(|run| meant(run.kind)) else {
            return;
        };
        let (len, offset, towards) = (run.len, run.offset, towards(stream));
        let plural = if len == 1 { "" } else { "s" };
        let text = match run.kind {
            RunKind::Stray => {
                format!("{len} byte{plural} at byte {offset} {towards} belong to no message.")
            }
            RunKind::Missing(Missing::NotSeen) => {
                format!(
                    "{len} byte{plural} at byte {offset} {towards} are missing from the capture."
                )
            }
            RunKind::Missing(Missing::NotKept) => return,
        };
        ledger.observe(run.at, conn, run.exchange, text);
        let torn = self.requests.torn || self.responses.torn || self.lane(stream).head_cut;
        if run.kind == RunKind::Stray && stream == Stream::Responses && !torn {
            self.judge_waiting(ledger);
            ledger.findings.unsolicited(conn, Some(len));
        }
    }
}
