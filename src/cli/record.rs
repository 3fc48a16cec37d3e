//! The recorder: every event goes to the capture, then to the timeline, then to whoever watches.
//!
//! It runs on a thread of its own and takes events from a bounded queue (`relay::queue`), so a slow disk slows the relay
//! and loses nothing. A capture that fails is dropped with a notice; the relay goes on.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bits::Packet;
use crate::capture::Writer;
use crate::event::Event;
use crate::relay::queue::Receiver;
use crate::timeline::filter::HeadsOf;
use crate::timeline::{Change, ReadBack, Remark, Timeline};
use crate::tui::Status;

use super::failure::Failure;
use super::faults::{InForce, Verdict};
use super::output::Output;

/// What a recorder works on.
pub(super) struct Recorder {
    pub(super) timeline: Arc<RwLock<Timeline>>,
    pub(super) status: Arc<Mutex<Status>>,
    pub(super) writer: Option<Writer>,
    /// Absent where the screen shows it all.
    pub(super) output: Option<Output>,
    /// Why the output was given up; recording goes on without it.
    pub(super) output_failed: Option<Failure>,
    /// Cancels when so many sessions have reached their end.
    pub(super) until_sessions: Option<usize>,
    /// The rules whose expectations are judged at the end.
    pub(super) rules: Option<InForce>,
    /// Where conditions find heads.
    pub(super) heads: Arc<dyn ReadBack + Send + Sync>,
    pub(super) stop: CancellationToken,
    /// Changes with every batch of events.
    pub(super) pulse: watch::Sender<u64>,
}

impl Recorder {
    /// Starts the recorder; it ends when `events` does.
    pub(super) fn spawn(
        self,
        events: Receiver,
    ) -> Result<JoinHandle<Result<Verdict, Failure>>, Failure> {
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || self.run(events))
            .context("cannot start the recorder")?;
        Ok(thread)
    }

    fn run(mut self, mut events: Receiver) -> Result<Verdict, Failure> {
        let (mut batch, mut positions) = (Vec::new(), Vec::new());
        while events.take(&mut batch) {
            self.take(&batch, &mut positions);
            self.pulse
                .send_modify(|count| *count = count.wrapping_add(1));
        }
        let timeline = self.timeline.clone();
        let changes = {
            let mut timeline = write(&timeline);
            timeline.finish();
            timeline.take_changes()
        };
        let timeline = read(&timeline);
        lock(&self.status).ended = true;
        let verdict = self.rules.as_ref().map_or_else(Verdict::default, |rules| {
            rules.judge(&timeline, Some(&HeadsOf::new(Arc::clone(&self.heads))))
        });
        self.tell(|output| {
            output.changes(&timeline, &changes)?;
            output.expectations(&verdict)?;
            output.finish(&timeline, false)
        });
        drop(timeline);
        self.output_failed.map_or(Ok(verdict), Err)
    }

    /// Hands lines to the output; one that fails is dropped, and the recording goes on.
    fn tell(&mut self, write: impl FnOnce(&mut Output) -> Result<(), Failure>) {
        if let Some(Err(failure)) = self.output.as_mut().map(write) {
            self.output = None;
            self.output_failed = Some(failure);
        }
    }

    fn take(&mut self, batch: &[Event], positions: &mut Vec<u64>) {
        positions.clear();
        for event in batch {
            positions.push(self.store(event));
        }
        self.flush(batch.last().map(|event| event.at));

        let timeline = self.timeline.clone();
        let mut timeline = write(&timeline);
        for (event, position) in batch.iter().zip(positions) {
            timeline.apply(event, *position);
            // After each event: what a line says must not depend on how many others waited.
            let changes = timeline.take_changes();
            if !changes.is_empty() {
                self.report(&timeline, &changes);
            }
        }
    }

    /// Tells what reached an end.
    fn report(&mut self, timeline: &Timeline, changes: &[Change]) {
        self.tell(|output| output.changes(timeline, changes));
        let Some(wanted) = self.until_sessions else {
            return;
        };
        let ended = changes.iter().any(|change| match change {
            Change::Session(_) => true,
            Change::Exchange(no) => is_close(timeline, *no),
            Change::Remark(_) => false,
        });
        let sessions = timeline.sessions().iter();
        if ended && sessions.filter(|row| timeline.is_over(row)).count() >= wanted {
            self.stop.cancel();
        }
    }

    fn store(&mut self, event: &Event) -> u64 {
        let Some(writer) = &mut self.writer else {
            return 0;
        };
        match writer.write(event) {
            Ok(position) => position,
            Err(error) => {
                self.give_up(&error.into(), event.at);
                0
            }
        }
    }

    fn flush(&mut self, at: Option<Duration>) {
        let Some(writer) = &mut self.writer else {
            return;
        };
        match writer.flush() {
            Ok(()) => {
                let size = writer.size();
                if let Some(recording) = &mut lock(&self.status).recording {
                    recording.size = size;
                }
            }
            Err(error) => self.give_up(&error.into(), at.unwrap_or_default()),
        }
    }

    /// Drops the capture with a loud notice; relaying goes on.
    fn give_up(&mut self, error: &anyhow::Error, at: Duration) {
        self.writer = None;
        let reason = format!("{error:#}");
        if let Some(recording) = &mut lock(&self.status).recording {
            recording.failed = Some(reason.clone());
        }
        write(&self.timeline).remark(Remark {
            at,
            text: format!(
                "The capture has stopped: {reason}. What was recorded before is kept; relaying goes on."
            ),
            ..Remark::default()
        });
    }
}

/// Creates the capture file, with what to try where that fails.
pub(super) fn create(path: &Path, options: crate::capture::Options) -> Result<Writer, Failure> {
    use super::failure::WithHint;
    Writer::create(path, options)
        .hint(|| "choose a file in a folder that you may write to, or --no-capture".to_owned())
}

/// Locks for reading; a panic elsewhere does not hide what was recorded.
pub(super) fn read(timeline: &RwLock<Timeline>) -> std::sync::RwLockReadGuard<'_, Timeline> {
    timeline.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing.
pub(super) fn write(timeline: &RwLock<Timeline>) -> std::sync::RwLockWriteGuard<'_, Timeline> {
    timeline.write().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the status.
pub(super) fn lock(status: &Mutex<Status>) -> std::sync::MutexGuard<'_, Status> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_close(timeline: &Timeline, no: u32) -> bool {
    let index = usize::try_from(no).unwrap_or(usize::MAX).wrapping_sub(1);
    let row = timeline.exchanges().get(index);
    row.is_some_and(|row| row.packet == Some(Packet::CloseSession))
}
