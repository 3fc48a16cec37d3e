//! What a screen has done for it: replaying, sending again, exporting. Each on a thread of its own, with the
//! words of `replay` and `convert`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::peer::replay::resend;
use crate::peer::{Error, ReplayConfig, replay};
use crate::tui::job::{Begin, End, Export, Job, Order, Part};

use super::check::Documents;
use super::convert::{self, Convert};
use super::failure::Failure;
use super::recorded::Recorded;
use super::replay::explain;

/// How often a replay is asked how far it is, and whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// What the screen shows, as files.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// None: nothing is recorded.
    pub(super) files: Vec<PathBuf>,
    pub(super) by: Documents,
}

impl Origin {
    /// Makes what begins errands; dropping it stops the one under way and waits for its end.
    pub(super) fn errands(self) -> Begin {
        let mut runner = Runner {
            origin: self,
            running: None,
        };
        Box::new(move |order, job| runner.begin(order, job))
    }
}

/// Whoever goes on errands, one at a time.
struct Runner {
    origin: Origin,
    running: Option<(Arc<Job>, JoinHandle<()>)>,
}

impl Runner {
    fn begin(&mut self, order: Order, job: Arc<Job>) {
        self.finish();
        let (origin, told) = (self.origin.clone(), Promise(Arc::clone(&job)));
        let thread = std::thread::Builder::new()
            .name("errand".to_owned())
            .spawn(move || {
                let end = origin.run(&order, &told.0);
                told.0.end(end);
            });
        match thread {
            Ok(thread) => self.running = Some((job, thread)),
            Err(error) => job.end(End::Failed {
                text: format!("cannot begin: {error}"),
                hint: None,
            }),
        }
    }

    fn finish(&mut self) {
        if let Some((job, thread)) = self.running.take() {
            job.stop();
            // What it did not say, its promise did.
            let _ = thread.join();
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Says an end for a thread that does not come to say one.
struct Promise(Arc<Job>);

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.end(End::Failed {
            text: "it has ended badly".to_owned(),
            hint: None,
        });
    }
}

impl Origin {
    fn run(&self, order: &Order, job: &Job) -> End {
        let done = match order {
            _ if self.files.is_empty() => Err(Failure::new(
                "nothing is recorded (--no-capture): nothing can be replayed or exported",
            )),
            Order::Export(export) => self.export(export, job),
            Order::Replay { session, to } => self.replay(*session, to, job),
            Order::Resend { exchange, to } => self.resend(*exchange, to, job),
        };
        match done {
            Ok(end) => end,
            Err(_) if job.stopped().load(Ordering::Relaxed) => End::Stopped(match order {
                Order::Export(_) => "stopped; nothing was written".to_owned(),
                _ => "stopped; what was sent before is with the server".to_owned(),
            }),
            Err(failure) => End::Failed {
                text: failure.sentence(),
                hint: failure.tip(),
            },
        }
    }

    fn export(&self, export: &Export, job: &Job) -> Result<End, Failure> {
        if !export.over && export.to.symlink_metadata().is_ok() && !export.to.is_dir() {
            return Ok(End::There);
        }
        let mut args = convert::Args::new(self.files.clone(), export.to.clone(), self.by);
        args.force = export.over;
        match &export.part {
            Part::Everything => {}
            Part::Session(no) => args.sessions = vec![*no],
            Part::Filter(text) => args.filter = Some(text.clone()),
        }
        if !export.reveal {
            args.redact = vec!["credentials".to_owned()];
        }
        let doing = format!("exporting to {}: events", export.to.display());
        let tell = |steps| job.tell(&doing, steps, None);
        let watch = Convert::new(job.stopped(), &tell);
        let done = convert::carry_out(&args, &watch)?;
        let how = if export.reveal {
            "credentials as they were"
        } else {
            "credentials masked"
        };
        Ok(End::Done {
            text: format!(
                "{}: {}; {how}",
                export.to.display(),
                counted(done.exchanges, "exchange")
            ),
            bad: false,
            lines: Vec::new(),
        })
    }

    fn replay(&self, session: u32, to: &str, job: &Job) -> Result<End, Failure> {
        let recorded = self.read(job)?;
        let mut config = ReplayConfig::new(to);
        config.choice.sessions.insert(session);
        let doing = format!("replaying session {session} to {to}");
        let played = watched(job, &doing, &config, async {
            replay(&recorded.recording, &config).await
        })?;
        let mut report = played.map_err(explain)?;
        report.notes.splice(0..0, recorded.notes);
        let differ = report.differences();
        Ok(End::Done {
            text: format!(
                "session {session} replayed to {to}: {}",
                counted(u64::try_from(differ).unwrap_or(u64::MAX), "difference")
            ),
            bad: differ > 0,
            lines: report.text(),
        })
    }

    fn resend(&self, exchange: u32, to: &str, job: &Job) -> Result<End, Failure> {
        let recorded = self.read(job)?;
        let config = ReplayConfig::new(to);
        let doing = format!("sending packet {exchange} again to {to}");
        let sent = watched(job, &doing, &config, async {
            resend(&recorded.recording, &config, exchange).await
        })?;
        let sent = sent.map_err(explain)?;
        let status = sent.told.live.as_ref().and_then(|told| told.status);
        let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        Ok(End::Done {
            text: format!("packet {exchange} sent again to {to}: {status}"),
            bad: !sent.differences.is_empty(),
            lines: sent.text(),
        })
    }

    fn read(&self, job: &Job) -> Result<Recorded, Failure> {
        job.tell("reading the capture", 0, None);
        Recorded::read(&self.files, job.stopped())
    }
}

/// Runs a replay to its end, tells how far it is, and passes on that it is to stop.
fn watched<T>(
    job: &Job,
    doing: &str,
    config: &ReplayConfig,
    play: impl Future<Output = Result<T, Error>>,
) -> Result<Result<T, Error>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(async {
        let mut play = std::pin::pin!(play);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                played = &mut play => return played,
                _ = look.tick() => {
                    let (done, all) = config.progress.so_far();
                    job.tell(doing, done, Some(all));
                    if is_set(job.stopped()) {
                        config.stop.cancel();
                    }
                }
            }
        }
    }))
}

/// Counts for people: `1 exchange`, `2 exchanges`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn is_set(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}
