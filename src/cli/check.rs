//! `bitstap check`: what the ends of recorded conversations did against the documents.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::bits::check::{Finding, Level, Profile};
use crate::report::sarif::Checked;
use crate::report::{json, junit, sarif, text};
use crate::timeline::{Summary, Timeline};

use super::failure::Failure;
use super::source::{Source, Step};
use super::transfer::tell;

/// Check captures against the documents: what each end did wrong, with the section
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap check upload.pcapng\n  bitstap check --profile spec --fail-on warning --format junit *.pcapng > check.xml\n\nExit code 1: there is a finding at the level of --fail-on or above. docs/findings.md has all rules; `bitstap explain BUP-FR-12` tells one."
)]
pub(super) struct Args {
    /// Captures; each is checked on its own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    by: Documents,
    /// Exit with 1 from this level on
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Whose documents findings go by.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Documents {
    /// Whose documents decide where they disagree: what Windows and IIS do, MC-BUP to the letter, or the Win32 pages
    #[arg(long, value_enum, default_value_t = By::Windows)]
    profile: By,
}

impl Documents {
    /// Returns the profile that was chosen.
    pub(super) fn profile(self) -> Profile {
        match self.profile {
            By::Windows => Profile::Windows,
            By::Spec => Profile::Spec,
            By::Docs => Profile::Docs,
        }
    }
}

/// A profile by its name.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum By {
    #[default]
    Windows,
    Spec,
    Docs,
}

/// A level by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Note,
}

/// A kind of report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON Lines: finding, then a summary
    Json,
    /// JUnit XML
    Junit,
    /// SARIF 2.1.0
    Sarif,
}

/// One capture that was read.
struct Read {
    file: String,
    timeline: Timeline,
    notes: Vec<String>,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let profile = args.by.profile();
    let fail_on = match args.fail_on {
        FailOn::Error => Level::Error,
        FailOn::Warning => Level::Warning,
        FailOn::Note => Level::Note,
    };
    let mut captures = Vec::new();
    for path in &args.files {
        captures.push(read(path, profile)?);
    }
    let report = match args.format {
        Format::Text => as_text(&captures),
        Format::Json => as_json(&captures),
        Format::Junit => {
            let pairs: Vec<(&str, &Timeline)> = captures
                .iter()
                .map(|read| (read.file.as_str(), &read.timeline))
                .collect();
            junit::junit(&pairs, fail_on)
        }
        Format::Sarif => {
            let checked: Vec<Checked<'_>> = captures
                .iter()
                .map(|read| Checked {
                    file: &read.file,
                    findings: read.timeline.findings(),
                })
                .collect();
            sarif::sarif(&checked, profile)
        }
    };
    tell(report.trim_end())?;
    let failed = captures
        .iter()
        .flat_map(|read| read.timeline.findings())
        .any(|finding| finding.level >= fail_on);
    Ok(if failed {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn read(path: &PathBuf, profile: Profile) -> Result<Read, Failure> {
    let mut source = Source::open(std::slice::from_ref(path))?;
    let mut timeline = Timeline::with_profile(profile);
    let mut notes = Vec::new();
    while let Some(step) = source.next() {
        match step? {
            Step::Event { event, position } => timeline.apply(&event, position),
            Step::Note(text) => {
                timeline.remark(super::view::about_file(&timeline, text.clone()));
                notes.push(text);
            }
        }
        // Nobody watches it grow.
        timeline.take_changes();
    }
    timeline.finish();
    Ok(Read {
        file: path.display().to_string(),
        timeline,
        notes,
    })
}

/// So many findings of one rule are told one by one.
const EACH: usize = 3;

fn as_text(captures: &[Read]) -> String {
    let mut lines = Vec::new();
    for read in captures {
        let summary = read.timeline.summary();
        lines.push(format!("{}: {}", read.file, text::findings(&summary)));
        lines.extend(read.notes.iter().map(|note| format!("  note  {note}")));
        let mut findings: Vec<&Finding> = read.timeline.findings().iter().collect();
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.id));
        for same in findings.chunk_by(|one, next| one.id == next.id) {
            lines.extend(
                same.iter()
                    .take(EACH)
                    .map(|one| format!("  {}", text::finding(one))),
            );
            if let (Some(first), true) = (same.first(), same.len() > EACH) {
                let summary = crate::bits::check::find(first.id)
                    .map_or_else(String::new, |rule| rule.summary(same.len()));
                lines.push(format!(
                    "        {} more; in all {summary}",
                    same.len() - EACH
                ));
            }
        }
    }
    lines.join("\n")
}

fn as_json(captures: &[Read]) -> String {
    let mut lines = Vec::new();
    let mut whole = Summary::default();
    let mut truncated = false;
    for read in captures {
        truncated |= !read.notes.is_empty();
        lines.extend(read.timeline.remarks().iter().map(json::note));
        for finding in read.timeline.findings() {
            lines.push(json::finding(finding, Some(&read.file)));
        }
        whole.add(&read.timeline.summary());
    }
    lines.push(json::summary(&whole, truncated));
    lines.join("\n")
}
