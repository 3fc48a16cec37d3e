//! What clients talk to, with its recorder and its audience: what `proxy`, `demo` and `mock` have in common.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::capture::{CaptureFile, Options, Writer};
use crate::relay::{Outlet, queue};
use crate::report::json::Ready;
use crate::timeline::{Chunk, ReadBack, Remark, Span, Timeline};
use crate::tui::{self, Annotate, Ended, Look, Recording, Save, Screen, Status};

use super::check::Documents;
use super::errand::Origin;
use super::failure::{Failure, WithHint};
use super::faults::InForce;
use super::front::{Behind, Front, Places};
use super::output::{Format, Output};
use super::record::{self, Recorder, lock};
use super::signal;
use super::tls::Security;

/// How the screen looks.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Appearance {
    /// Colours for a light background
    #[arg(long)]
    light: bool,
    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,
}

impl Appearance {
    /// Returns the look; `NO_COLOR` (any value but an empty one) switches colours off.
    pub(super) fn look(self) -> Look {
        Look {
            light: self.light,
            plain: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            ascii: self.ascii,
        }
    }
}

/// Where a run is recorded.
#[derive(Clone, Debug)]
pub(super) enum Recorded {
    Nowhere,
    /// In a file that the user named.
    File(PathBuf),
    /// In a file that goes away at the end unless it is saved.
    Temporary,
}

impl Recorded {
    /// Returns what `--capture FILE` and `--no-capture` ask for.
    pub(super) fn chosen(capture: Option<PathBuf>, no_capture: bool) -> Self {
        match (capture, no_capture) {
            (Some(path), _) => Self::File(path),
            (None, true) => Self::Nowhere,
            (None, false) => Self::Temporary,
        }
    }
}

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Until {
    /// So many sessions are over.
    pub(super) sessions: Option<usize>,
    /// Nothing has passed for so long.
    pub(super) idle: Option<Duration>,
}

impl Until {
    /// Puts several together; the last of a kind counts.
    pub(super) fn all(several: Vec<Self>) -> Self {
        let mut whole = Self::default();
        for until in several {
            whole.sessions = until.sessions.or(whole.sessions);
            whole.idle = until.idle.or(whole.idle);
        }
        whole
    }
}

/// All that a run needs.
pub(super) struct Plan {
    pub(super) front: Front,
    pub(super) behind: Behind,
    pub(super) security: Security,
    pub(super) recorded: Recorded,
    pub(super) snaplen: Option<u64>,
    /// Wall clock of the run's start, nanoseconds since 1970-01-01 UTC.
    pub(super) start_ns: u64,
    pub(super) until: Until,
    /// What is worth telling before the first event.
    pub(super) notes: Vec<String>,
    /// The rules that the relay asks, if any.
    pub(super) rules: Option<InForce>,
    pub(super) by: Documents,
    pub(super) format: Format,
    pub(super) appearance: Appearance,
}

impl Plan {
    /// Where requests go, if anywhere.
    fn places(&self) -> Places {
        match &self.behind {
            Behind::Servers(places) => places.clone(),
            Behind::Nothing(_) => Places::default(),
        }
    }

    /// Where clients find the front, as URLs where they may speak TLS.
    fn urls(&self) -> Vec<String> {
        let scheme = if self.security.https { "https" } else { "http" };
        let addresses = self.front.addresses.iter();
        addresses
            .map(|address| format!("{scheme}://{address}"))
            .collect()
    }

    fn title(&self) -> String {
        let addresses = self.front.addresses.iter().map(ToString::to_string);
        let listen: Vec<String> = if self.security.https {
            self.urls()
        } else {
            addresses.collect()
        };
        let sign = if self.security.insecure {
            "! server NOT VERIFIED  "
        } else {
            ""
        };
        let behind = match &self.behind {
            Behind::Servers(places) => format!("-> {}", places.title),
            Behind::Nothing(what) => what.clone(),
        };
        format!("{sign}{} {behind}", listen.join(" "))
    }

    fn ready(&self, store: &Store) -> Ready {
        let addresses = self.front.addresses.iter().map(ToString::to_string);
        let places = self.places();
        Ready {
            url: self.urls(),
            listen: addresses.collect(),
            upstream: places.upstream,
            routes: places.routes.into_iter().collect(),
            forward: places.forward,
            // One that nobody can open later is not told of.
            capture: store
                .shown()
                .filter(|_| store.folder.is_none() || self.format.wants_screen()),
            seed: self.rules.as_ref().and_then(InForce::seed),
        }
    }

    /// Prints what is worth telling before the first event.
    fn tell_notes(&self, output: &mut Output) -> Result<(), Failure> {
        for text in &self.notes {
            output.note(&Remark {
                text: text.clone(),
                ..Remark::default()
            })?;
        }
        Ok(())
    }

    fn status(&self, store: &Store) -> Status {
        Status {
            title: self.title(),
            upstream: self.places().upstream,
            log: [self.security.notices.as_slice(), self.notes.as_slice()].concat(),
            recording: store.shown().map(|path| Recording {
                path,
                ..Recording::default()
            }),
            temporary: store.folder.is_some(),
            start_ns: self.start_ns,
            ..Status::default()
        }
    }
}

/// A run under way.
pub(super) struct Stage {
    runtime: Runtime,
    plan: Plan,
}

/// Makes the runtime that relay and peers run on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the network runtime")?;
    Ok(runtime)
}

/// Reads both clocks at one moment: events count from the first, the second (nanoseconds since
/// 1970-01-01 UTC) says when that was.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock: a capture's start"
)]
pub(super) fn clocks() -> (tokio::time::Instant, u64) {
    let start = tokio::time::Instant::now();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ns = since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    });
    (start, ns)
}

/// Makes a folder that only its owner may enter and that goes away with the value.
pub(super) fn temporary_folder() -> Result<tempfile::TempDir, Failure> {
    let folder = tempfile::Builder::new()
        .prefix("bitstap-")
        .tempdir()
        .context("cannot make a folder for a temporary capture")?;
    Ok(folder)
}

impl Stage {
    /// Makes a stage on `runtime`; nothing runs yet.
    pub(super) fn new(runtime: Runtime, plan: Plan) -> Self {
        Self { runtime, plan }
    }

    /// Runs front, recorder and `driver` until a signal, the user, or the plan's end; `driver` gets the
    /// token that ends the run.
    pub(super) fn run<F>(
        self,
        driver: impl FnOnce(CancellationToken) -> F,
    ) -> Result<ExitCode, Failure>
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let Self { runtime, plan } = self;
        let on_screen = plan.format.wants_screen();
        let mut store = Store::make(&plan, on_screen)?;
        let ready = plan.ready(&store);
        for notice in &plan.security.notices {
            say(notice);
        }
        let timeline = Arc::new(RwLock::new(Timeline::with_profile(plan.by.profile())));
        let status = Arc::new(Mutex::new(plan.status(&store)));
        let stop = CancellationToken::new();
        let screen_stop = Arc::new(AtomicBool::new(false));
        signal::watch(stop.clone(), screen_stop.clone())?;
        let mut output = (!on_screen).then(|| Output::new(plan.format, plan.start_ns));
        if let Some(output) = &mut output {
            output.ready(&ready)?;
            plan.tell_notes(output)?;
        }

        let (pulse, beat) = watch::channel(0);
        let (sender, events) = queue();
        let outlet = Outlet::from(sender);
        let recorder = Recorder {
            timeline: timeline.clone(),
            status: status.clone(),
            writer: store.writer.take(),
            output,
            output_failed: None,
            until_sessions: plan.until.sessions,
            rules: plan.rules.clone(),
            heads: store.read_back()?,
            stop: stop.clone(),
            pulse,
        }
        .spawn(events)?;
        let annotate = on_screen.then(|| annotator(&runtime, &outlet, &status));
        let control = plan.rules.as_ref().map(InForce::control);
        if let Some(rules) = plan.rules {
            for event in rules.events() {
                runtime.block_on(outlet.send(event));
            }
            runtime.spawn(rules.watch(outlet.clone(), stop.clone()));
        }
        let front = runtime.spawn((plan.front.run)(outlet, stop.clone()));
        if let Some(idle) = plan.until.idle {
            runtime.spawn(stop_when_idle(beat, idle, stop.clone()));
        }
        let driver = runtime.spawn(driver(stop.clone()));

        let ended = if let Some(annotate) = annotate {
            let origin = Origin {
                files: store.file.iter().cloned().collect(),
                by: plan.by,
            };
            let shown = tui::run(Screen {
                timeline,
                status: status.clone(),
                read_back: store.read_back()?,
                look: plan.appearance.look(),
                stop: screen_stop,
                save: store.saver(),
                control,
                annotate,
                begin: origin.errands(),
                follow: true,
                filter: String::new(),
            });
            stop.cancel();
            Some(shown)
        } else {
            None
        };

        let served = runtime.block_on(front);
        let driven = runtime.block_on(driver);
        let recorded = recorder
            .join()
            .map_err(|_| Failure::new("the recorder has ended badly"))?;
        if let Some(ended) = ended {
            let ended = ended.context("cannot run the screen")?;
            after_screen(&ended);
            if let (Some(from), Some(to)) = (&store.file, &ended.save_as) {
                say(&save(from, to)?);
            }
        }
        served.context("what listens has ended badly")?;
        let verdict = recorded?;
        driven.context("the driver of the run has ended badly")??;
        if let Some(reason) = failed_recording(&status) {
            return Err(Failure::new(format!("the capture has stopped: {reason}"))
                .hint("make room on the disk; what was recorded before is kept"));
        }
        if on_screen {
            for line in verdict.lines(false) {
                say(&line);
            }
        }
        verdict.write_junit()?;
        Ok(if verdict.is_met() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }
}

/// Makes what hands notes of a person to the recorder, as the relay hands it events.
fn annotator(runtime: &Runtime, outlet: &Outlet, status: &Arc<Mutex<Status>>) -> Annotate {
    let (runtime, outlet, status) = (runtime.handle().clone(), outlet.clone(), status.clone());
    Box::new(move |event| {
        if !runtime.block_on(outlet.send(event)) {
            return Err("the recording is over".to_owned());
        }
        let recording = lock(&status).recording.clone();
        Ok(match recording {
            Some(Recording { failed: None, .. }) => "it is in the capture".to_owned(),
            _ => "nothing is recorded: it goes with the screen".to_owned(),
        })
    })
}

/// Where a run's events go on disk.
struct Store {
    /// Goes away with everything in it.
    folder: Option<tempfile::TempDir>,
    file: Option<PathBuf>,
    writer: Option<Writer>,
}

impl Store {
    /// Creates the capture. Without a screen nobody looks back at one that goes away at the end, but for rules that
    /// expect something of heads.
    fn make(plan: &Plan, on_screen: bool) -> Result<Self, Failure> {
        let looks_back =
            on_screen || (plan.rules.as_ref()).is_some_and(|rules| rules.expects_heads().is_some());
        let (folder, file) = match &plan.recorded {
            Recorded::File(path) => (None, Some(path.clone())),
            Recorded::Temporary if looks_back => {
                let folder = temporary_folder()?;
                let file = folder.path().join("capture.pcapng");
                (Some(folder), Some(file))
            }
            Recorded::Temporary | Recorded::Nowhere => (None, None),
        };
        let options = Options {
            snaplen: plan.snaplen,
            start_ns: plan.start_ns,
        };
        let writer = file
            .as_deref()
            .map(|path| record::create(path, options))
            .transpose()?;
        Ok(Self {
            folder,
            file,
            writer,
        })
    }

    fn shown(&self) -> Option<String> {
        self.file.as_ref().map(|path| path.display().to_string())
    }

    fn read_back(&self) -> Result<Arc<dyn ReadBack + Send + Sync>, Failure> {
        Ok(match &self.file {
            Some(path) => Arc::new(CaptureFile::open(path)?),
            None => Arc::new(NothingKept),
        })
    }

    /// Makes what carries out `:w` for a temporary capture.
    fn saver(&self) -> Option<Save> {
        let from = self.file.clone().filter(|_| self.folder.is_some())?;
        Some(Box::new(move |to: &Path| {
            save(&from, to).map_err(|failure| failure.to_string().trim_end().to_owned())
        }))
    }
}

fn failed_recording(status: &Mutex<Status>) -> Option<String> {
    lock(status)
        .recording
        .as_ref()
        .and_then(|recording| recording.failed.clone())
}

/// Cancels `stop` when `beat` has not changed for `idle`.
pub(super) async fn stop_when_idle(
    mut beat: watch::Receiver<u64>,
    idle: Duration,
    stop: CancellationToken,
) {
    loop {
        match tokio::time::timeout(idle, beat.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => return stop.cancel(),
        }
    }
}

/// What there is to read back without a capture.
#[derive(Debug)]
struct NothingKept;

impl ReadBack for NothingKept {
    fn read(&self, _: Span, _: u64, _: usize) -> std::io::Result<Chunk> {
        Err(std::io::Error::other(
            "nothing is recorded (--no-capture), so heads and bodies cannot be shown",
        ))
    }
}

/// Prints what a screen kept back while it stood.
pub(super) fn after_screen(ended: &Ended) {
    for note in &ended.notes {
        say(note);
    }
}

/// Tells a person; nobody is left where standard error is closed.
pub(super) fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Copies a temporary capture to the place where the user wants it; never over an existing file.
/// Returns a sentence.
fn save(from: &Path, to: &Path) -> Result<String, Failure> {
    let mut source =
        std::fs::File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let cannot = || format!("cannot save the capture as {}", to.display());
    let mut target = options
        .open(to)
        .with_context(cannot)
        .hint(|| "the folder must exist, the file must not".to_owned())?;
    let size = std::io::copy(&mut source, &mut target).with_context(cannot)?;
    Ok(format!(
        "The capture is saved as {} ({}).",
        to.display(),
        crate::report::unit::size(size)
    ))
}
