//! A recorded HEAD or GET: of a download, or of the reply of an upload.

use super::call::Call;
use super::compare::Difference;
use super::live::Live;
use super::play::{Player, Turn};
use super::script::Kind;
use crate::bits::Packet;
use crate::bits::session::State;
use crate::peer::client::source::Hasher;
use crate::peer::client::url::Url;
use crate::peer::recording::{Recorded, Said};
use crate::peer::{Error, Result};
use crate::timeline::SessionKind;

impl<'p> Player<'p> {
    pub(super) async fn fetch(&mut self, live: &mut Live<'p>, turn: &mut Turn<'p>) -> Result<()> {
        let to = if live.row.kind == SessionKind::Download {
            Some((live.url.clone(), self.target(turn.step)))
        } else {
            self.reply(live, turn)
        };
        let Some(to) = to else {
            return Ok(());
        };
        let recorded = Kind::recorded(&turn.step.recorded);
        loop {
            let mut hasher = Hasher::new();
            let mut len = 0_u64;
            let mut take = |bytes: &[u8]| {
                hasher.take(len, bytes);
                len = len.saturating_add(bytes.len() as u64);
            };
            let call = Call {
                to: Some(to.clone()),
                ..Call::of(turn.step)
            };
            let heard = self.ask(live, turn, call, &mut take).await?;
            let kind = heard.kind();
            turn.said = heard.said();
            if turn.tries == 0 {
                turn.compare();
            }
            let as_recorded = recorded.is_none_or(|recorded| recorded == kind);
            if kind == Kind::Done || as_recorded || !matches!(kind, Kind::Transient | Kind::Nothing)
            {
                if !as_recorded {
                    let fatal = matches!(kind, Kind::Fatal | Kind::Authenticate);
                    live.state = if fatal {
                        State::Failed
                    } else {
                        State::Uploading
                    };
                    live.differs = true;
                }
                if kind == Kind::Done && turn.step.packet == Packet::Get {
                    live.arrived = live.arrived.saturating_add(len);
                    self.compare_content(turn, len, hasher)?;
                }
                learn_date(live, turn);
                return Ok(());
            }
            turn.tries += 1;
            if !self.wait(live, turn, turn.tries).await? {
                live.differs = true;
                return Ok(());
            }
        }
    }

    /// Returns where the live reply is, instead of the recorded one.
    fn reply(&self, live: &Live<'p>, turn: &mut Turn<'p>) -> Option<(Url, Vec<u8>)> {
        let Some(reference) = &live.reply else {
            turn.differences.push(Difference::new(
                "BITS-Reply-URL",
                "fetched",
                "there is none to fetch",
            ));
            return None;
        };
        // A relative one belongs to the directory of the upload.
        let mut base = live.url.clone();
        if let Some(upload) = live.spare(Packet::Fragment) {
            base.target = String::from_utf8_lossy(&self.target(upload)).into_owned();
        }
        match base.join(reference) {
            Ok(url) => {
                let target = url.target.clone().into_bytes();
                Some((url, target))
            }
            Err(error) => {
                turn.differences.push(Difference::new(
                    "BITS-Reply-URL",
                    "fetched",
                    error.to_string(),
                ));
                None
            }
        }
    }

    /// Compares the content of an answer with the recorded one.
    fn compare_content(&self, turn: &mut Turn<'p>, len: u64, hasher: Hasher) -> Result<()> {
        let multipart = |said: &Said| said.ack.multipart;
        let recorded = match &turn.step.recorded {
            Recorded::Answer(said) if Kind::of(said.status, said.ack.error) == Kind::Done => said,
            _ => return Ok(()),
        };
        if multipart(recorded) || turn.said.as_ref().is_some_and(multipart) {
            turn.notes
                .push("several ranges: what lies between them is the server's own".to_owned());
            return Ok(());
        }
        let Some((known_len, known)) = self.recorded_content(turn.step.no)? else {
            turn.notes
                .push("the capture does not hold all of the recorded content".to_owned());
            return Ok(());
        };
        let live = hasher.finish();
        if (known_len, &known) != (len, &live) {
            turn.differences.push(Difference::new(
                "content",
                format!("{known_len} bytes, SHA-256 {known}"),
                format!("{len} bytes, SHA-256 {live}"),
            ));
        }
        Ok(())
    }

    /// Returns length and hash of a recorded answer's content.
    fn recorded_content(&self, exchange: u32) -> Result<Option<(u64, String)>> {
        let recording = self.stage.recording;
        let at = usize::try_from(exchange)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        let row = recording.timeline.exchanges().get(at);
        let Some(message) = row.and_then(|row| row.response.as_ref()) else {
            return Ok(None);
        };
        let mut hasher = Hasher::new();
        let mut len = 0_u64;
        let whole = recording.content(message, |bytes| {
            hasher.take(len, bytes);
            len = len.saturating_add(bytes.len() as u64);
        });
        if self.stage.config.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(whole.then(|| (len, hasher.finish())))
    }
}

/// Remembers which live date stands for a recorded one.
fn learn_date(live: &mut Live<'_>, turn: &Turn<'_>) {
    if let (Recorded::Answer(recorded), Some(said)) = (&turn.step.recorded, &turn.said)
        && let (Some(then), Some(now)) = (&recorded.ack.last_modified, &said.ack.last_modified)
    {
        live.dates.insert(then.clone(), now.clone());
    }
}
