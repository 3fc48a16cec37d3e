//! `bitstap extract`: the files that were transferred, rebuilt from captures.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::extract::{Error, Extraction, Manifest};
use crate::report::{json, unit};
use crate::timeline::Timeline;

use super::failure::Failure;
use super::output::{Format, Output};
use super::source::{Source, Step};

/// Rebuild every transferred file from captures, with hashes and a manifest
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  bitstap extract upload.pcapng --out evidence\n\nA file NAME is what the client sent; NAME.acknowledged is what the server holds by its own word;\nNAME.reply is the reply of an upload-reply. evidence/manifest.json and manifest.csv say the rest."
)]
pub(super) struct Args {
    /// Captures: pcapng or pcap, also gzipped, of bitstap or of any other program; several are merged by time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder for the files; a new or an empty one, nothing in it is ever overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print JSON Lines (schema 1)
    #[arg(long)]
    json: bool,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut notes = Vec::new();
    let mut timeline = Timeline::new();
    let mut source = Source::open(&args.files)?;
    let start_ns = source.start_ns();
    while let Some(step) = source.next() {
        match step? {
            Step::Event { event, position } => timeline.apply(&event, position),
            Step::Note(text) => notes.push(text),
        }
        // Nobody asks for them; they would grow.
        timeline.take_changes();
    }
    timeline.finish();

    let truncated = !notes.is_empty();
    let manifest = rebuild(args, &timeline, start_ns, notes).map_err(hinted)?;
    let format = Format {
        headless: true,
        json: args.json,
        quiet: args.quiet,
    };
    let mut output = Output::new(format, start_ns);
    let mut lines: Vec<String> = manifest
        .files
        .iter()
        .map(|row| if args.json { row.json() } else { row.text() })
        .collect();
    lines.push(if args.json {
        json::summary(&timeline.summary(), truncated)
    } else {
        total(args, &manifest)
    });
    if !args.json {
        lines.extend(manifest.notes.iter().map(|note| format!("note: {note}")));
    }
    output.lines(&lines)?;
    Ok(ExitCode::SUCCESS)
}

/// Passes over the captures once more.
fn rebuild(
    args: &Args,
    timeline: &Timeline,
    start_ns: u64,
    notes: Vec<String>,
) -> Result<Manifest, Failure> {
    let mut extraction = Extraction::begin(timeline, &args.out)?;
    let mut source = Source::open(&args.files)?;
    while let Some(step) = source.next() {
        if let Step::Event { event, .. } = step? {
            extraction.apply(&event)?;
        }
    }
    let names = args.files.iter().map(|path| path.display().to_string());
    Ok(extraction.finish(start_ns, names.collect(), notes)?)
}

fn hinted(failure: Failure) -> Failure {
    if failure.is(|error| matches!(error, Error::Holds { .. })) {
        failure.hint("nothing is overwritten; name a folder that is new or empty")
    } else {
        failure
    }
}

fn total(args: &Args, manifest: &Manifest) -> String {
    let count = manifest.files.len();
    let bytes = manifest.files.iter().map(|row| row.size).sum();
    let incomplete = manifest.files.iter().filter(|row| !row.complete).count();
    format!(
        "{count} file{} in {}, {}; {incomplete} incomplete",
        if count == 1 { "" } else { "s" },
        args.out.display(),
        unit::size(bytes),
    )
}
