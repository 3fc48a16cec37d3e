//! A recorded Fragment: as it was where both servers stand at the same offset, else the bytes that the live
//! one wants, in pieces, until it has what the recording had sent.

use std::time::Duration;

use super::call::Call;
use super::compare::{Ends, manners};
use super::link::Body;
use super::live::Live;
use super::play::{Player, Turn};
use super::script::{Kind, Step};
use crate::bits::session::Answer;
use crate::bits::{ContentRange, Packet};
use crate::peer::Result;
use crate::peer::client::SMALLEST;
use crate::peer::recording::{Recorded, RecordedFile, Said};

/// So many answers in a row may bring the upload no further.
const STALLS: u32 = 8;

/// What comes after an answer.
enum Next {
    /// The upload goes on, at the offset that the server told.
    On,
    /// The script goes on: the answer is the recorded one.
    AsRecorded,
    Over,
}

impl<'p> Player<'p> {
    pub(super) async fn fragment(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
    ) -> Result<()> {
        let Some(range) = turn.step.request.range else {
            return Ok(());
        };
        if !self.ensure(live, turn).await? {
            return Ok(());
        }
        let Some(file) = live.file else {
            turn.notes
                .push("not sent: its content is not in the capture".to_owned());
            return Ok(());
        };
        if let Some(passed) = turn.step.cut {
            return self.break_off(live, turn, (file, range), passed).await;
        }
        // A session that is not there says so to the recorded Fragment as well as to any other.
        let resliced = self.stage.config.fragment_size.is_some() && !live.stale;
        let end = range.last.saturating_add(1);
        let mut stalls = 0;
        if !resliced && live.told == live.recorded_told {
            match self.piece(live, turn, (file, range), true).await? {
                Next::On => {}
                Next::AsRecorded | Next::Over => return Ok(()),
            }
        } else if !resliced && live.told >= end {
            turn.notes
                .push("not sent: the live server has these bytes".to_owned());
            return Ok(());
        }
        while live.told < end && live.over.is_none() {
            let before = live.told;
            let piece = self.next_piece(live, range);
            match self.piece(live, turn, (file, piece), false).await? {
                Next::On => {}
                Next::AsRecorded | Next::Over => break,
            }
            stalls = if live.told > before { 0 } else { stalls + 1 };
            if stalls >= STALLS {
                live.over = Some(format!("the live server stays at byte {}", live.told));
            }
        }
        Ok(())
    }

    /// Returns what to send next on the way to the end of the recorded range.
    fn next_piece(&self, live: &Live<'_>, range: ContentRange) -> ContentRange {
        let recorded = range.last.saturating_sub(range.first).saturating_add(1);
        let size = self.stage.config.fragment_size.unwrap_or(recorded);
        let size = size.clamp(1, live.ceiling.max(1));
        let end = range.last.saturating_add(1);
        // Other sizes may run ahead of the recorded range, but not into what had its own story.
        let limit = match self.stage.config.fragment_size {
            Some(_) => live.reach.max(end),
            None => end,
        };
        ContentRange {
            first: live.told,
            last: live.told.saturating_add(size).min(limit).saturating_sub(1),
            total: range.total,
        }
    }

    /// Sends one piece and draws the conclusions; `literal` where it is the recorded Fragment itself.
    async fn piece(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
        (file, range): (&RecordedFile, ContentRange),
        literal: bool,
    ) -> Result<Next> {
        let step = turn.step;
        let len = range.last.saturating_sub(range.first).saturating_add(1);
        let call = Call {
            range: Some(range),
            body: Some(Body {
                path: &file.path,
                first: range.first,
                len,
                pause: Duration::ZERO,
            }),
            ..Call::of(step)
        };
        live.passing();
        let heard = self.ask(live, turn, call, &mut |_| ()).await?;
        let kind = heard.kind();
        turn.said = heard.said();
        turn.ends = Ends {
            recorded: step
                .request
                .range
                .map_or(0, |range| range.last.saturating_add(1)),
            live: range.last.saturating_add(1),
        };
        live.odd.push(kind);
        if let Some(said) = turn.said.clone() {
            hear(live, &said, range);
            live.answered(Packet::Fragment, &said);
            if kind == Kind::Done {
                live.manners.extend(manners(&said, turn.ends.live));
            }
        }
        let recorded = Kind::recorded(&step.recorded);
        if literal {
            turn.compare();
            // A server that keeps less than the recorded one has to get the rest.
            let less = kind == Kind::Done && live.told < recorded_told(step);
            if recorded.is_none_or(|recorded| recorded == kind) && !less {
                return Ok(Next::AsRecorded);
            }
        }
        // With other sizes, too, the recorded client knew what to do next; but for a size of its own.
        let usual = matches!(kind, Kind::Done | Kind::TooLarge);
        if self.stage.config.fragment_size.is_some() && !usual && recorded == Some(kind) {
            return Ok(Next::AsRecorded);
        }
        self.recover(live, turn, kind, len).await
    }

    /// Does what the Windows client does after an answer that the recording did not have.
    ///
    /// MC-BUP §3.1.5.2.1, §3.1.5.2.4
    async fn recover(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
        kind: Kind,
        len: u64,
    ) -> Result<Next> {
        let over = match kind {
            Kind::Done | Kind::OutOfStep => live.over.is_some(),
            Kind::TooLarge => {
                if len <= 1 {
                    live.over = Some("the live server refuses one byte as too many".to_owned());
                } else if len <= SMALLEST {
                    turn.notes.push(format!(
                        "{len} bytes were too many; the Windows client would give up, since it sends no less than {SMALLEST} where there is more to send"
                    ));
                }
                live.ceiling = smaller(len);
                len <= 1
            }
            Kind::SessionNotFound => !self.restart(live, turn).await?,
            Kind::Transient | Kind::Nothing => {
                turn.tries += 1;
                !self.wait(live, turn, turn.tries).await?
            }
            Kind::Fatal | Kind::Authenticate => {
                live.over = Some(format!(
                    "Fragment was answered {}",
                    turn.said.as_ref().map_or(0, |said| said.status)
                ));
                true
            }
        };
        Ok(if over { Next::Over } else { Next::On })
    }

    /// Sends as much as the recorded client did before it gave the connection up, and does the same.
    async fn break_off(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
        (file, range): (&RecordedFile, ContentRange),
        passed: u64,
    ) -> Result<()> {
        live.passing();
        turn.notes.push(format!(
            "broken off after {passed} bytes of content, as the recorded client did"
        ));
        if !self.open(live, turn).await? {
            return Ok(());
        }
        let head = self.literal_head(live, turn.step, range);
        if let Some(link) = self.take_link(turn) {
            let body = Body {
                path: &file.path,
                first: range.first,
                len: passed,
                pause: Duration::ZERO,
            };
            turn.requests += 1;
            link.break_off(&head, Some(body)).await;
        }
        Ok(())
    }
}

/// Returns what to try after so many bytes were refused as too many: half of them. What a Windows client never goes
/// below (MC-BUP §3.1.5.2.4) is tried before less.
fn smaller(refused: u64) -> u64 {
    if refused > SMALLEST {
        (refused / 2).max(SMALLEST)
    } else {
        refused / 2
    }
}

/// Returns the byte that the recorded server wanted after a Fragment; 0 where it took none.
fn recorded_told(step: &Step) -> u64 {
    match &step.recorded {
        Recorded::Answer(said) if said.meaning() == Answer::Done => {
            let end = step.request.range.map(|range| range.last.saturating_add(1));
            said.ack.received.or(end).unwrap_or_default()
        }
        _ => 0,
    }
}

/// Takes over what the answer to a Fragment says.
fn hear(live: &mut Live<'_>, said: &Said, range: ContentRange) {
    let kind = Kind::of(said.status, said.ack.error);
    if !matches!(kind, Kind::Done | Kind::OutOfStep) {
        return;
    }
    let end = range.last.saturating_add(1);
    let told = match kind {
        Kind::Done => said.ack.received.unwrap_or(end),
        _ => said.ack.received.unwrap_or(live.told),
    };
    let size = live.file.map_or(u64::MAX, |file| file.size);
    if told > range.total.unwrap_or(u64::MAX).max(size) {
        live.over = Some(format!(
            "the live server wants byte {told}, behind the file's end"
        ));
        return;
    }
    live.told = told;
    if let Some(url) = &said.ack.reply_url {
        live.reply = Some(url.clone());
    }
}
