//! `bitstap extract`: the files that were transferred, rebuilt from captures.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::extract::{Error, Extraction, Manifest};
use crate::report::{json, unit};
use crate::timeline::{Summary, Timeline};

use super::failure::Failure;
use super::kept::{self, Pass};
use super::output::{Format, Output};
use super::sieve::{self, Sieve};
use super::source::{Source, Step};

/// Rebuild every transferred file from captures, with hashes and a manifest
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap extract upload.pcapng --out evidence\n  bitstap extract --filter 'client.ip == 10.0.0.5 and session.state == closed' monday.pcap.gz --out evidence\n\nA file NAME is what the client sent; NAME.acknowledged is what the server holds by its own word;\nNAME.reply is the reply of an upload-reply. evidence/manifest.json and manifest.csv say the rest."
)]
pub(super) struct Args {
    /// Captures: pcapng or pcap, also gzipped, of bitstap or of any other program; several are merged by time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder for the files; a new or an empty one, nothing in it is ever overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Rebuild only files of sessions that the filter takes, such as 'name -like *.cab' (docs/filters.md)
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    filter: Option<String>,
    /// Print JSON Lines (schema 1)
    #[arg(long)]
    json: bool,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let filter = args.filter.as_deref().map(sieve::parse).transpose()?;
    let mut timeline = Timeline::new();
    let mut pass = kept::read(&args.files, filter, &mut timeline)?;
    let notes = std::mem::take(&mut pass.notes);
    let truncated = !notes.is_empty();
    let manifest = rebuild(args, &timeline, &pass, notes).map_err(hinted)?;
    let format = Format {
        headless: true,
        json: args.json,
        quiet: args.quiet,
    };
    let mut output = Output::new(format, pass.start_ns);
    let mut lines: Vec<String> = manifest
        .files
        .iter()
        .map(|row| if args.json { row.json() } else { row.text() })
        .collect();
    lines.push(if args.json {
        json::summary(&summary(&timeline, pass.sieve), truncated)
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
    pass: &Pass,
    notes: Vec<String>,
) -> Result<Manifest, Failure> {
    let mut extraction = Extraction::begin_some(timeline, &args.out, |session| {
        let sieve = pass.sieve.as_ref();
        sieve.is_none_or(|sieve| sieve.takes_session(timeline, session))
    })?;
    let mut source = Source::open(&args.files)?;
    while let Some(step) = source.next() {
        if let Step::Event { event, .. } = step? {
            extraction.apply(&event)?;
        }
    }
    let names = args.files.iter().map(|path| path.display().to_string());
    Ok(extraction.finish(pass.start_ns, names.collect(), notes)?)
}

/// Counts what was taken: of a filter its sessions with all their exchanges.
fn summary(timeline: &Timeline, sieve: Option<Sieve>) -> Summary {
    let Some(mut sieve) = sieve else {
        return timeline.summary();
    };
    let mut taken = 0;
    for session in timeline.sessions() {
        if sieve.takes_session(timeline, session) {
            taken += 1;
            for exchange in timeline.exchanges_of(session.no) {
                sieve.count_exchange(exchange);
                let findings = timeline.findings_of(exchange.no);
                findings.for_each(|finding| sieve.count_finding(finding));
            }
        }
    }
    sieve.summary(taken)
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
