//! `bitstap convert`: captures of any kind to a capture, HAR, JSON Lines or CSV; a part of them, or without
//! what is private.

mod choice;
mod findings;
mod redact;
mod write;

use std::cell::Cell;
use std::fs;
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::ValueEnum;

use crate::export::Mask;

use super::check::Documents;
use super::failure::{Failure, WithHint};
use super::signal;
use super::source::{Source, Step, not_read};

/// Convert captures: pcapng, pcap, HAR, SAZ and mitmproxy flows to pcapng, HAR, JSON Lines or CSV
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap convert fiddler.saz upload.pcapng\n  bitstap convert --filter 'bits.error' upload.pcapng errors.har\n  bitstap convert client.pcap server.pcap both.pcapng\n  bitstap convert --redact=names,addresses --force upload.pcapng for-support.pcapng\n  bitstap convert --to csv upload.pcapng - | head\n\nOUT ends in .pcapng, .har, .jsonl or .csv. docs/convert.md says what each format keeps."
)]
pub(super) struct Args {
    /// Captures: pcapng or pcap, also gzipped; HAR, SAZ (Fiddler), mitmproxy's flows; several are merged by time
    #[arg(required = true, value_name = "IN")]
    files: Vec<PathBuf>,
    /// The file to write; its extension says what: .pcapng, .har, .jsonl, .csv; `-`: standard output (with --to)
    #[arg(required = true, value_name = "OUT")]
    out: PathBuf,
    /// What to write, whatever the extension of OUT
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<Kind>,
    /// Take only exchanges that the filter takes, such as 'http.status >= 400' (docs/filters.md)
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub(super) filter: Option<String>,
    /// Take only these sessions, by the numbers that `view` shows
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub(super) sessions: Vec<u32>,
    /// Write over what is private, each word by another one of its length: credentials (always), names (files,
    /// folders, queries), addresses (hosts, IPs), bodies, all, header:NAME
    #[arg(long, value_name = "WHAT,...", value_delimiter = ',', num_args = 0..=1, require_equals = true, default_missing_value = "credentials")]
    pub(super) redact: Vec<String>,
    /// Put what `check` finds into OUT as packet comments (.pcapng), for Wireshark with bitstap.lua
    #[arg(long)]
    findings: bool,
    /// Replace OUT if it is there
    #[arg(long)]
    pub(super) force: bool,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    by: Documents,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Pcapng,
    Har,
    Jsonl,
    Csv,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "pcapng" | "ntar" => Some(Self::Pcapng),
            "har" => Some(Self::Har),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Whoever waits for a conversion.
pub(super) struct Convert<'w> {
    /// Set when it is to stop.
    pub(super) stop: &'w AtomicBool,
    /// Is told how many events were read so far, all passes together.
    pub(super) tell: &'w dyn Fn(u64),
    pub(super) steps: Cell<u64>,
}

impl<'w> Convert<'w> {
    /// Makes one that nothing has been told yet.
    pub(super) fn new(stop: &'w AtomicBool, tell: &'w dyn Fn(u64)) -> Self {
        Self {
            stop,
            tell,
            steps: Cell::new(0),
        }
    }
}

impl Args {
    /// Makes what is typed without any option.
    pub(super) fn new(files: Vec<PathBuf>, out: PathBuf, by: Documents) -> Self {
        Self {
            files,
            out,
            to: None,
            filter: None,
            sessions: Vec::new(),
            redact: Vec::new(),
            findings: false,
            force: false,
            quiet: true,
            by,
        }
    }
}

/// What was written, and what is to be said about it.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) exchanges: u64,
    notes: Vec<String>,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    signal::raise(&stop)?;
    let done = carry_out(args, &Convert::new(&stop, &|_| ()))?;
    report(args, &done);
    Ok(ExitCode::SUCCESS)
}

/// Converts.
pub(super) fn carry_out(args: &Args, watch: &Convert<'_>) -> Result<Done, Failure> {
    let kind = args.to.or_else(|| Kind::of(&args.out)).ok_or_else(|| {
        Failure::new(format!(
            "cannot tell from {} what to write",
            args.out.display()
        ))
        .hint("let it end in .pcapng, .har, .jsonl or .csv, or give --to FORMAT")
    })?;
    if args.findings && kind != Kind::Pcapng {
        return Err(Failure::new("--findings goes with a .pcapng only")
            .hint("the other formats have the findings of each exchange in any case"));
    }
    check_out(args)?;
    let redact = redact::parse(&args.redact)?;
    let chosen = choice::choose(args, watch)?;
    let mask = match redact {
        Some(what) => Some(Mask::new(what).ok_or_else(|| {
            Failure::new("cannot get random bytes of the system, which --redact needs")
        })?),
        None => None,
    };
    let stream = is_stream(&args.out);
    let elsewhere = std::env::temp_dir();
    let folder = match args.out.parent() {
        _ if stream => &elsewhere,
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let temporary = tempfile::Builder::new()
        .prefix(".bitstap-")
        .suffix(".part")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write to the folder {}", folder.display()))?;
    let mut done = write::write(args, kind, chosen, mask, temporary.as_file(), watch)?;
    done.notes.extend(loss(kind));
    if stream {
        pour(temporary.into_file(), &args.out)?;
        return Ok(done);
    }
    let kept = if args.force {
        temporary.persist(&args.out)
    } else {
        temporary.persist_noclobber(&args.out)
    };
    kept.map_err(|error| error.error)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    Ok(done)
}

/// Tells whether OUT is no file that could be replaced: `-`, which is standard output, a pipe, a device.
fn is_stream(out: &Path) -> bool {
    let other = |kind: fs::Metadata| !kind.is_file() && !kind.is_dir();
    out == Path::new("-") || out.metadata().is_ok_and(other)
}

/// Passes on what was written.
fn pour(mut from: fs::File, out: &Path) -> Result<(), Failure> {
    let copied = from.rewind().and_then(|()| {
        if out == Path::new("-") {
            let mut stdout = io::stdout().lock();
            io::copy(&mut from, &mut stdout)?;
            return stdout.flush();
        }
        let mut to = fs::OpenOptions::new().write(true).open(out)?;
        io::copy(&mut from, &mut to).map(drop)
    });
    copied.with_context(|| format!("cannot write to {}", out.display()))?;
    Ok(())
}

/// Refuses to write over what is there, above all over what is read.
fn check_out(args: &Args) -> Result<(), Failure> {
    let out = args.out.display();
    if args.out.is_dir() {
        return Err(
            Failure::new(format!("cannot write {out}: it is a folder")).hint("name a file in it")
        );
    }
    if is_stream(&args.out) {
        return Ok(());
    }
    not_read(&args.files, &args.out)?;
    if !args.force && args.out.symlink_metadata().is_ok() {
        return Err(
            Failure::new(format!("cannot write {out}: it is there already"))
                .hint("--force replaces it"),
        );
    }
    Ok(())
}

/// Opens the inputs.
fn source(args: &Args) -> Result<Source, Failure> {
    Source::open(&args.files)
}

/// So often somebody is told.
const TELL: u64 = 1024;

/// Takes the next step, unless somebody wants us to stop.
fn step(source: &mut Source, watch: &Convert<'_>) -> Result<Option<Step>, Failure> {
    let steps = watch.steps.get().saturating_add(1);
    watch.steps.set(steps);
    if steps.is_multiple_of(TELL) {
        (watch.tell)(steps);
    }
    if watch.stop.load(Ordering::Relaxed) {
        return Err(Failure::new("stopped; nothing was written"));
    }
    source
        .next()
        .transpose()
        .hint(|| "nothing was written; `bitstap view` shows what can be read".to_owned())
}

/// Says what the format has no place for.
fn loss(kind: Kind) -> Option<String> {
    match kind {
        Kind::Pcapng => None,
        Kind::Har => Some(
            "HAR is lossy: connections, raw heads, chunk framing and notes are not in it; keep the capture"
                .to_owned(),
        ),
        Kind::Jsonl | Kind::Csv => {
            Some("heads and bodies are not in it; keep the capture".to_owned())
        }
    }
}

/// Says on standard error what was done; nobody is left to be told where that is closed.
fn report(args: &Args, done: &Done) {
    if args.quiet {
        return;
    }
    let mut stderr = io::stderr().lock();
    let count = done.exchanges;
    let plural = if count == 1 { "" } else { "s" };
    let _ = writeln!(stderr, "{}: {count} exchange{plural}", args.out.display());
    for note in &done.notes {
        let _ = writeln!(stderr, "note: {note}");
    }
}
