//! Standard output of a headless run: text for people, JSON Lines for programs.

use std::fs::File;
use std::io::{self, Write};

use anyhow::Context;
use clap::Args;

use crate::bits::check::Level;
use crate::report::{json, text};
use crate::timeline::{Change, Exchange, Remark, Session, Timeline};

use super::failure::Failure;
use super::faults::Verdict;
use super::sieve::Sieve;

/// How a headless run talks.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct Format {
    /// Print lines instead of opening the screen, also on a terminal
    #[arg(long)]
    pub(super) headless: bool,
    /// Print JSON Lines (schema 1); implies --headless
    #[arg(long)]
    pub(super) json: bool,
    /// Print errors only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl Format {
    /// Tells whether the screen is wanted and possible: standard input and output are a terminal.
    pub(super) fn wants_screen(self) -> bool {
        use std::io::IsTerminal;
        !self.headless
            && !self.json
            && !self.quiet
            && io::stdout().is_terminal()
            && io::stdin().is_terminal()
    }
}

/// Writes lines to standard output; a reader that went away silences it for good.
#[derive(Debug)]
pub(super) struct Output {
    format: Format,
    start_ns: u64,
    closed: bool,
    head_due: bool,
    /// So many findings have been told.
    findings: usize,
    sieve: Option<Sieve>,
    /// Where lines go instead of standard output.
    file: Option<File>,
}

impl Output {
    /// Makes an output for a capture that started `start_ns` nanoseconds after 1970-01-01 UTC.
    pub(super) fn new(format: Format, start_ns: u64) -> Self {
        Self {
            format,
            start_ns,
            closed: false,
            head_due: true,
            findings: 0,
            sieve: None,
            file: None,
        }
    }

    /// Writes to `file` instead of standard output.
    pub(super) fn into_file(mut self, file: File) -> Self {
        self.file = Some(file);
        self
    }

    /// Prints only what `sieve` takes, and notes about the capture itself.
    pub(super) fn through(mut self, sieve: Option<Sieve>) -> Self {
        self.sieve = sieve;
        self
    }

    /// Tells that our ports accept.
    pub(super) fn ready(&mut self, ready: &json::Ready) -> Result<(), Failure> {
        let line = if self.format.json {
            json::ready(ready)
        } else {
            let tls = ready.url.iter().any(|url| url.starts_with("https:"));
            let places = if tls { &ready.url } else { &ready.listen };
            let mut line = format!("ready: listening on {}", places.join(", "));
            if let Some(upstream) = &ready.upstream {
                line.push_str(&format!(" -> {upstream}"));
            }
            if let Some(capture) = &ready.capture {
                line.push_str(&format!(", capture {capture}"));
            }
            if let Some(seed) = ready.seed {
                line.push_str(&format!(", rules with seed {seed}"));
            }
            line
        };
        self.write(&[line])
    }

    /// Prints what reached an end.
    pub(super) fn changes(
        &mut self,
        timeline: &Timeline,
        changes: &[Change],
    ) -> Result<(), Failure> {
        if self.is_silent() {
            return Ok(());
        }
        let mut lines = Vec::with_capacity(changes.len());
        for change in changes {
            match *change {
                Change::Exchange(no) => {
                    let row = index(no).and_then(|at| timeline.exchanges().get(at));
                    let row = row.filter(|row| self.takes(timeline, row));
                    if let Some(row) = row {
                        if let Some(sieve) = &mut self.sieve {
                            sieve.count_exchange(row);
                        }
                        if self.format.json {
                            lines.push(json::exchange(timeline, row, self.start_ns));
                        } else {
                            if self.head_due {
                                self.head_due = false;
                                lines.push(text::EXCHANGE_HEAD.to_owned());
                            }
                            lines.push(text::exchange(row));
                        }
                    }
                }
                // A state may still be corrected by what follows: text tells sessions at the end.
                Change::Session(no) if self.format.json => {
                    let row = index(no).and_then(|at| timeline.sessions().get(at));
                    let row = row.filter(|row| self.takes_session(timeline, row));
                    lines.extend(row.map(|row| json::session(timeline, row, self.start_ns)));
                }
                Change::Session(_) => {}
                Change::Remark(at) => {
                    let remark = timeline.remarks().get(at);
                    if remark.is_some_and(|remark| self.takes_remark(timeline, remark)) {
                        lines.extend(remark.map(|row| self.remark(row)));
                    }
                }
            }
        }
        self.findings(timeline, &mut lines);
        self.write(&lines)
    }

    /// Adds the findings that are new; text leaves notes to `bitstap check`.
    fn findings(&mut self, timeline: &Timeline, lines: &mut Vec<String>) {
        let new = timeline.findings().get(self.findings..).unwrap_or_default();
        for finding in new {
            if let Some(sieve) = &mut self.sieve {
                if sieve.takes_finding(timeline, finding) != Some(true) {
                    continue;
                }
                sieve.count_finding(finding);
            }
            if self.format.json {
                lines.push(json::finding(finding, None));
            } else if finding.level >= Level::Warning {
                lines.push(format!("  {}", text::finding(finding)));
            }
        }
        self.findings = self.findings.saturating_add(new.len());
    }

    /// Prints a note that is in no timeline.
    pub(super) fn note(&mut self, remark: &Remark) -> Result<(), Failure> {
        let line = self.remark(remark);
        self.write(&[line])
    }

    /// Prints what became of the rules' expectations.
    pub(super) fn expectations(&mut self, verdict: &Verdict) -> Result<(), Failure> {
        // Without another word a failed run must still say why.
        if self.is_silent() && verdict.is_met() {
            return Ok(());
        }
        self.write(&verdict.lines(self.format.json))
    }

    /// Prints every session and the totals; nothing follows.
    pub(super) fn finish(&mut self, timeline: &Timeline, truncated: bool) -> Result<(), Failure> {
        if self.is_silent() {
            return Ok(());
        }
        let mut findings = Vec::new();
        self.findings(timeline, &mut findings);
        self.write(&findings)?;
        let mut shown = 0;
        // A few at a time: all of them together may need as much memory as the timeline.
        for sessions in timeline.sessions().chunks(256) {
            let lines: Vec<String> = sessions
                .iter()
                .filter(|session| self.takes_session(timeline, session))
                .map(|session| {
                    if self.format.json {
                        json::session(timeline, session, self.start_ns)
                    } else {
                        text::session(session)
                    }
                })
                .collect();
            shown += lines.len();
            self.write(&lines)?;
        }
        let summary = match &self.sieve {
            Some(sieve) => sieve.summary(shown),
            None => timeline.summary(),
        };
        self.write(&[if self.format.json {
            json::summary(&summary, truncated)
        } else {
            text::summary(&summary)
        }])
    }

    fn takes(&self, timeline: &Timeline, row: &Exchange) -> bool {
        let sieve = self.sieve.as_ref();
        sieve.is_none_or(|sieve| sieve.takes_exchange(timeline, row))
    }

    fn takes_remark(&self, timeline: &Timeline, remark: &Remark) -> bool {
        let sieve = self.sieve.as_ref();
        sieve.is_none_or(|sieve| sieve.takes_remark(timeline, remark))
    }

    fn takes_session(&self, timeline: &Timeline, row: &Session) -> bool {
        let sieve = self.sieve.as_ref();
        sieve.is_none_or(|sieve| sieve.takes_session(timeline, row))
    }

    /// Tells whether nobody reads what is written.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Prints lines that are no part of a timeline.
    pub(super) fn lines(&mut self, lines: &[String]) -> Result<(), Failure> {
        self.write(lines)
    }

    fn is_silent(&self) -> bool {
        self.closed || self.format.quiet
    }

    fn remark(&self, remark: &Remark) -> String {
        if self.format.json {
            json::note(remark)
        } else {
            text::note(remark)
        }
    }

    fn write(&mut self, lines: &[String]) -> Result<(), Failure> {
        if lines.is_empty() || self.is_silent() {
            return Ok(());
        }
        let mut block = lines.join("\n");
        block.push('\n');
        if let Some(file) = &mut self.file {
            let written = file.write_all(block.as_bytes());
            return Ok(written.context("cannot write the file")?);
        }
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(block.as_bytes())
            .and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(anyhow::Error::new(error)
                .context("cannot write to standard output")
                .into()),
            Ok(()) => Ok(()),
        }
    }
}

/// Rows count from 1.
fn index(no: u32) -> Option<usize> {
    usize::try_from(no).ok()?.checked_sub(1)
}
