//! `bitstap check`: what the ends of recorded conversations did against the documents.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::bits::check::{Finding, Level, Profile};
use crate::report::{Checked, json, junit, sarif, text};
use crate::timeline::filter::Filter;
use crate::timeline::{Remark, Session, Summary, Timeline};

use super::failure::Failure;
use super::sieve::{self, Sieve};
use super::transfer::tell;

/// Check captures against the documents: what each end did wrong, with the section
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap check upload.pcapng\n  bitstap check --profile spec --fail-on warning --format junit *.pcapng > check.xml\n  bitstap check --filter 'name == report.csv' monday.pcap.gz\n\nExit code 1: there is a finding at the level of --fail-on or above. docs/findings.md has all rules; `bitstap explain BUP-FR-12` tells one."
)]
pub(super) struct Args {
    /// Captures; each is checked on its own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    by: Documents,
    /// Tell only findings of packets that the filter takes, such as 'client.ip == 10.0.0.5' (docs/filters.md)
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    filter: Option<String>,
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
    /// About the capture itself.
    notes: Vec<String>,
    taken: Taken,
}

/// What of a capture is told.
struct Taken {
    sessions: Vec<u32>,
    findings: Vec<Finding>,
    remarks: Vec<Remark>,
    summary: Summary,
    filtered: bool,
    /// How many findings belong to nothing that a filter could ask for.
    homeless: u32,
}

impl Taken {
    fn everything(timeline: &Timeline) -> Self {
        Self {
            sessions: timeline.sessions().iter().map(|row| row.no).collect(),
            findings: timeline.findings().to_vec(),
            remarks: timeline.remarks().to_vec(),
            summary: timeline.summary(),
            filtered: false,
            homeless: 0,
        }
    }

    fn through(mut sieve: Sieve, timeline: &Timeline) -> Self {
        for row in timeline.exchanges() {
            if sieve.takes_exchange(timeline, row) {
                sieve.count_exchange(row);
            }
        }
        let sessions = timeline.sessions().iter();
        let sessions: Vec<u32> = sessions
            .filter(|row| sieve.takes_session(timeline, row))
            .map(|row| row.no)
            .collect();
        let mut findings = Vec::new();
        let mut homeless = 0;
        for finding in timeline.findings() {
            match sieve.takes_finding(timeline, finding) {
                Some(true) => {
                    sieve.count_finding(finding);
                    findings.push(finding.clone());
                }
                Some(false) => {}
                None => homeless += 1,
            }
        }
        let remarks = timeline.remarks().iter();
        let remarks = remarks.filter(|remark| sieve.takes_remark(timeline, remark));
        Self {
            summary: sieve.summary(sessions.len()),
            sessions,
            findings,
            remarks: remarks.cloned().collect(),
            filtered: true,
            homeless,
        }
    }
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let profile = args.by.profile();
    let filter = args.filter.as_deref().map(sieve::parse).transpose()?;
    let fail_on = match args.fail_on {
        FailOn::Error => Level::Error,
        FailOn::Warning => Level::Warning,
        FailOn::Note => Level::Note,
    };
    let mut captures = Vec::new();
    for path in &args.files {
        captures.push(read(path, profile, filter.clone())?);
    }
    let checked: Vec<Checked<'_>> = captures.iter().map(Read::checked).collect();
    let report = match args.format {
        Format::Text => as_text(&captures),
        Format::Json => as_json(&captures),
        Format::Junit => junit::junit(&checked, fail_on),
        Format::Sarif => sarif::sarif(&checked, profile),
    };
    tell(report.trim_end())?;
    let failed = captures
        .iter()
        .flat_map(|read| &read.taken.findings)
        .any(|finding| finding.level >= fail_on);
    Ok(if failed {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn read(path: &PathBuf, profile: Profile, filter: Option<Filter>) -> Result<Read, Failure> {
    let mut timeline = Timeline::with_profile(profile);
    let pass = super::kept::read(std::slice::from_ref(path), filter, &mut timeline)?;
    Ok(Read {
        file: path.display().to_string(),
        taken: match pass.sieve {
            Some(sieve) => Taken::through(sieve, &timeline),
            None => Taken::everything(&timeline),
        },
        timeline,
        notes: pass.notes,
    })
}

impl Read {
    /// Returns the line for findings of a rule that are not told one by one; `len` are listed.
    fn many(&self, rule: &str, len: usize) -> Option<String> {
        let rule = crate::bits::check::find(rule)?;
        let all = usize::try_from(self.timeline.findings_of_rule(rule)).ok()?;
        // What a filter left out is not counted; what nobody listed went through no filter.
        let all = if self.taken.filtered {
            len
        } else {
            all.max(len)
        };
        let more = all.saturating_sub(EACH);
        Some(format!("        {more} more; in all {}", rule.summary(all)))
    }

    fn checked(&self) -> Checked<'_> {
        let all = self.timeline.sessions().iter();
        let taken = |row: &&Session| self.taken.sessions.binary_search(&row.no).is_ok();
        Checked {
            file: &self.file,
            sessions: all.filter(taken).collect(),
            findings: &self.taken.findings,
        }
    }
}

/// So many findings of one rule are told one by one.
const EACH: usize = 3;

fn as_text(captures: &[Read]) -> String {
    let mut lines = Vec::new();
    for read in captures {
        let taken = &read.taken;
        lines.push(format!("{}: {}", read.file, text::findings(&taken.summary)));
        lines.extend(read.notes.iter().map(|note| format!("  note  {note}")));
        if taken.homeless > 0 {
            lines.push(format!(
                "  note  left out by the filter: {} of no packet",
                text::count(taken.homeless.into(), "finding")
            ));
        }
        let mut findings: Vec<&Finding> = taken.findings.iter().collect();
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.id));
        for same in findings.chunk_by(|one, next| one.id == next.id) {
            lines.extend(
                same.iter()
                    .take(EACH)
                    .map(|one| format!("  {}", text::finding(one))),
            );
            if same.len() > EACH {
                lines.extend(
                    same.first()
                        .and_then(|first| read.many(first.id, same.len())),
                );
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
        lines.extend(read.taken.remarks.iter().map(json::note));
        for finding in &read.taken.findings {
            lines.push(json::finding(finding, Some(&read.file)));
        }
        whole.add(&read.taken.summary);
    }
    lines.push(json::summary(&whole, truncated));
    lines.join("\n")
}
