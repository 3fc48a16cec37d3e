//! `bitstap view`: a capture on the screen, or its timeline as text or JSON.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;

use crate::capture::{Appender, Writer};
use crate::event::Event;
use crate::timeline::filter::Filter;
use crate::timeline::{Remark, Timeline};
use crate::tui::{self, Annotate, Screen, Status};

use super::check::Documents;
use super::errand::Origin;
use super::failure::Failure;
use super::kept::{Kept, store};
use super::output::{Format, Output};
use super::record::{lock, write};
use super::sieve::{self, Sieve};
use super::signal;
use super::source::{self, Source, Step};
use super::stage::{self, Appearance};

/// Show captures: on the screen, or as text or JSON
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap view upload.pcapng\n  bitstap view --headless --filter 'http.status >= 400' upload.pcapng\n  bitstap view --json windows.pcap.gz | jq 'select(.type == \"session\")'"
)]
pub(super) struct Args {
    /// Captures: pcapng or pcap, also gzipped, of bitstap or of any other program; HAR, SAZ, mitmproxy's flows; several are merged by time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Go on reading while the file grows (one file)
    #[arg(long)]
    follow: bool,
    /// Show only what the filter takes, such as 'bits.error and time.wait > 30s' (docs/filters.md)
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    filter: Option<String>,
    #[command(flatten)]
    by: Documents,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    appearance: Appearance,
}

/// How many events of a file are taken under one lock of the timeline.
const BATCH: usize = 256;

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let filter = args.filter.as_deref().map(sieve::parse).transpose()?;
    let stop = Arc::new(AtomicBool::new(false));
    let source = if args.follow {
        follow(&args.files)?
    } else {
        Source::open(&args.files)?
    };
    signal::raise(&stop)?;
    if args.format.wants_screen() {
        on_screen(args, source, &stop)
    } else {
        headless(args, filter, source, &stop)
    }
}

fn headless(
    args: &Args,
    filter: Option<Filter>,
    mut source: Source,
    stop: &AtomicBool,
) -> Result<ExitCode, Failure> {
    // What a session became decides about its first exchange, too: a filter waits for the end.
    let at_end = filter.is_some() && !source.is_followed();
    let mut kept = Kept::for_filter(filter.as_ref(), &source)?;
    let heads = kept.as_ref().map(Kept::read_back).transpose()?;
    let sieve = filter.map(|filter| Sieve::new(filter, heads));
    let mut output = Output::new(args.format, source.start_ns()).through(sieve);
    let mut timeline = Timeline::with_profile(args.by.profile());
    let mut truncated = false;
    let mut changes = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match source.next() {
            Some(Ok(Step::Event { event, position })) => {
                let position = match &mut kept {
                    Some(kept) => kept.store(&event, position)?,
                    None => position,
                };
                timeline.apply(&event, position);
            }
            Some(Ok(Step::Note(text))) => {
                truncated = true;
                let remark = about_file(&timeline, text);
                timeline.remark(remark);
            }
            Some(Err(failure)) => return Err(failure),
            None if source.is_followed() => std::thread::sleep(LOOK_EVERY),
            None => break,
        }
        changes.append(&mut timeline.take_changes());
        if at_end || changes.is_empty() {
            continue;
        }
        if let Some(kept) = &mut kept {
            kept.flush()?;
        }
        output.changes(&timeline, &changes)?;
        changes.clear();
        if output.is_closed() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    if let Some(kept) = &mut kept {
        kept.flush()?;
    }
    timeline.finish();
    changes.append(&mut timeline.take_changes());
    output.changes(&timeline, &changes)?;
    output.finish(&timeline, truncated)?;
    Ok(ExitCode::SUCCESS)
}

fn on_screen(args: &Args, source: Source, stop: &Arc<AtomicBool>) -> Result<ExitCode, Failure> {
    let names: Vec<String> = args
        .files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let timeline = Arc::new(RwLock::new(Timeline::with_profile(args.by.profile())));
    let status = Arc::new(Mutex::new(Status {
        title: names.join(" "),
        start_ns: source.start_ns(),
        ..Status::default()
    }));

    let mut kept = Kept::of(&source)?;
    let read_back = kept.read_back()?;
    let copy = kept.copy.take();
    let annotate = Annotator {
        timeline: timeline.clone(),
        appender: Arc::new(Mutex::new(
            Err("the capture is still being read".to_owned()),
        )),
    };
    let appender = annotate.appender.clone();

    let loader = {
        let (timeline, status) = (timeline.clone(), status.clone());
        let stop = stop.clone();
        std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn(move || {
                let appended = load(source, copy, &timeline, &status, &stop);
                *appender.lock().unwrap_or_else(PoisonError::into_inner) = appended;
            })
            .context("cannot start reading")?
    };
    let origin = Origin {
        files: args.files.clone(),
        by: args.by,
    };
    let shown = tui::run(Screen {
        timeline,
        status,
        read_back,
        look: args.appearance.look(),
        stop: stop.clone(),
        save: None,
        control: None,
        annotate: annotate.boxed(),
        begin: origin.errands(),
        follow: args.follow,
        filter: args.filter.clone().unwrap_or_default(),
    });
    stop.store(true, Ordering::Relaxed);
    // A loader that panicked has nothing more to say; the screen is over.
    let _ = loader.join();
    drop(kept);
    stage::after_screen(&shown.context("cannot run the screen")?);
    Ok(ExitCode::SUCCESS)
}

/// Adds what people write to the file on the screen.
struct Annotator {
    timeline: Arc<RwLock<Timeline>>,
    /// Why nothing can be added, while that is so.
    appender: Arc<Mutex<Result<Appender, String>>>,
}

impl Annotator {
    fn boxed(self) -> Annotate {
        Box::new(move |event| {
            let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
            let appender = appender.as_mut().map_err(|why| why.clone())?;
            let position = appender.add(&event).map_err(source::refusal)?;
            let mut timeline = write(&self.timeline);
            timeline.apply(&event, position);
            timeline.take_changes();
            Ok("it is in the file".to_owned())
        })
    }
}

/// Reads the source to its end into the timeline; tells how to add to its file. Errors are shown, not fatal: what was read stays.
fn load(
    mut source: Source,
    mut copy: Option<Writer>,
    timeline: &RwLock<Timeline>,
    status: &Mutex<Status>,
    stop: &AtomicBool,
) -> Result<Appender, String> {
    let mut over = false;
    while !over && !stop.load(Ordering::Relaxed) {
        let mut batch: Vec<(Event, u64)> = Vec::with_capacity(BATCH);
        let mut notes = Vec::new();
        let mut at_end = false;
        while batch.len() < BATCH && notes.is_empty() {
            match source.next() {
                Some(Ok(Step::Event { event, position })) => {
                    match store(copy.as_mut(), &event, position) {
                        Ok(position) => batch.push((event, position)),
                        Err(failure) => {
                            notes.push(failure.to_string());
                            over = true;
                        }
                    }
                }
                Some(Ok(Step::Note(text))) => notes.push(text),
                Some(Err(failure)) => {
                    notes.push(failure.to_string());
                    over = true;
                }
                None => {
                    at_end = true;
                    break;
                }
            }
        }
        if let Some(Err(error)) = copy.as_mut().map(Writer::flush) {
            notes.push(error.to_string());
            over = true;
        }
        over |= at_end && !source.is_followed();
        let mut timeline = write(timeline);
        for (event, position) in &batch {
            timeline.apply(event, *position);
        }
        for text in notes {
            let remark = about_file(&timeline, text);
            timeline.remark(remark);
        }
        timeline.take_changes();
        if over {
            timeline.finish();
        }
        drop(timeline);
        if at_end && !over {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    lock(status).ended = true;
    source.appender()
}

/// Makes a remark about a capture as such.
pub(super) fn about_file(timeline: &Timeline, text: String) -> Remark {
    let at = timeline
        .exchanges()
        .last()
        .map_or(Duration::ZERO, |row| row.times.get().begun);
    Remark {
        at,
        text,
        ..Remark::default()
    }
}

/// Opens one file so that its end waits for more.
fn follow(files: &[PathBuf]) -> Result<Source, Failure> {
    let [path] = files else {
        return Err(Failure::new("--follow takes one file")
            .hint("follow each file in a terminal of its own"));
    };
    Source::follow(path)
}

/// How often a file that stands still is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
