//! What `send` and `fetch` have in common: options of a job, and its progress as a bar or as lines.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bits::auth::Scheme;
use crate::peer::client::{Common, PieceSize, Timers};
use crate::peer::{Credentials, Error, Progress};
use crate::report::unit::{duration, size};

use super::failure::Failure;
use super::serve::credentials;
use super::unit;

/// Options of a job.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Job {
    /// Trust the authorities in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Send this field with every request; repeatable
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// Name and password (Basic), sent once the server asks
    #[arg(long, value_name = "USER:PASSWORD", env = "BITSTAP_USER", hide_env_values = true, value_parser = credentials)]
    user: Option<Credentials>,
    /// Wait so long after trouble that may pass (default 5s; Windows waits 600s)
    #[arg(long, value_name = "TIME", value_parser = unit::duration)]
    retry_delay: Option<Duration>,
    /// Give up when nothing has moved for so long; 0: no retries (default 14days)
    #[arg(long, value_name = "TIME", value_parser = unit::duration)]
    no_progress_timeout: Option<Duration>,
    /// Whose timers to use
    #[arg(long, value_enum, default_value_t = Patience::Quick)]
    profile: Patience,
    /// Print JSON Lines: notes, then one line with the result
    #[arg(long)]
    pub(super) json: bool,
    /// Print the result only
    #[arg(long, short)]
    quiet: bool,
}

/// Whose timers a client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Patience {
    /// Short waits, for tests and people
    Quick,
    /// Those of the Windows client
    Windows,
}

impl Job {
    /// Returns what goes for every request.
    pub(super) fn common(&self) -> Common {
        Common {
            headers: self.header.clone(),
            credentials: self.user.clone(),
            authority: self.ca.clone(),
            timers: Timers::default(),
        }
    }

    /// Returns the wait after trouble.
    pub(super) fn retry_delay(&self) -> Duration {
        self.retry_delay.unwrap_or(match self.profile {
            Patience::Quick => Duration::from_secs(5),
            Patience::Windows => Duration::from_mins(10),
        })
    }

    /// Returns the time without progress after which a job fails.
    pub(super) fn no_progress_timeout(&self) -> Duration {
        self.no_progress_timeout
            .unwrap_or(Duration::from_hours(14 * 24))
    }

    /// Makes the display of this job.
    pub(super) fn display(&self) -> Display {
        Display::new(self.json, self.quiet)
    }
}

/// Reads the size of pieces; `adaptive` follows the measured rate.
pub(super) fn pieces(text: &str) -> Result<PieceSize, String> {
    if text.eq_ignore_ascii_case("adaptive") {
        return Ok(PieceSize::Adaptive);
    }
    match unit::size(text)? {
        0 => Err("a piece holds at least one byte".to_owned()),
        bytes => Ok(PieceSize::Fixed(bytes)),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    text.split_once(':')
        .filter(|(name, _)| !name.trim().is_empty())
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .ok_or_else(|| "write it like `Name: value`".to_owned())
}

/// Shows progress on standard error: a bar on a terminal, else a line for what is out of the ordinary.
#[derive(Debug)]
pub(super) struct Display {
    bar: ProgressBar,
    json: bool,
    lines: bool,
}

impl Display {
    fn new(json: bool, quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal() && !json && !quiet;
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if terminal {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        let style = "{bar:32} {percent:>3}% {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self {
            bar,
            json,
            lines: !quiet,
        }
    }

    /// Takes one step of progress.
    pub(super) fn step(&self, progress: &Progress) {
        match progress {
            Progress::Moving { total, .. } => self.bar.set_length(*total),
            Progress::Done { bytes, total } => {
                self.bar.set_length(*total);
                self.bar.set_position(*bytes);
            }
            _ => {}
        }
        let Some(sentence) = sentence(progress) else {
            return;
        };
        if self.json {
            let line = serde_json::json!({ "type": "note", "text": sentence });
            // The job goes on where nobody reads.
            let _ = writeln!(io::stdout().lock(), "{line}");
        } else if self.lines && self.bar.is_hidden() {
            let _ = writeln!(io::stderr().lock(), "{sentence}");
        } else if self.lines {
            self.bar.println(sentence);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Says what is out of the ordinary.
fn sentence(progress: &Progress) -> Option<String> {
    Some(match progress {
        Progress::Created { session } => format!("Session {session} is open."),
        Progress::Moving { .. } | Progress::Done { .. } => return None,
        Progress::Rewound { from, to } => {
            format!("The server wants byte {to} next, not {from}: going there.")
        }
        Progress::Smaller { refused } => {
            format!(
                "A piece of {} is too large for the server: sending smaller ones.",
                size(*refused)
            )
        }
        Progress::Restarted { why } => format!("All again from the start: {why}."),
        Progress::Waiting { delay, why } => {
            format!("{why}: trying again in {}.", duration(*delay))
        }
        Progress::Reply { url } => format!("Fetching the reply from {url}."),
        Progress::Cancelled { acknowledged: true } => {
            "The upload was cancelled; the server has dropped it.".to_owned()
        }
        Progress::Cancelled {
            acknowledged: false,
        } => "The upload was cancelled; the server has not confirmed it.".to_owned(),
    })
}

const UNREACHABLE: &str =
    "is the server there, and the port right? `bitstap serve DIR` is one to try with";

/// Adds what to try.
pub(super) fn explain(error: Error) -> Failure {
    let hint = match &error {
        Error::Connect { .. } if !error.is_transient() => {
            Some("name the authority that signed the server's certificate with --ca FILE")
        }
        Error::Connect { .. } => Some(UNREACHABLE),
        Error::Refused {
            status: 401, asks, ..
        } if asks.is_empty() || asks.holds(Scheme::Basic) => {
            Some("name the account with --user USER:PASSWORD; if that was done, it is refused")
        }
        Error::Refused { status: 401, .. } => Some(
            "this client knows Basic alone; `curl -X BITS_POST --ntlm` (or --negotiate, --digest) sends single packets, \
             and a BITS job of Windows knows all of them",
        ),
        Error::NoProgress {
            source: Some(why), ..
        } if matches!(**why, Error::Connect { .. }) => Some(UNREACHABLE),
        Error::Refused { status: 403, .. } => Some(
            "the file may exist on the server and must not be replaced, or the account has no right to write",
        ),
        Error::Refused {
            status: 404 | 501, ..
        } => Some("is the URL right, and are BITS uploads enabled for it on the server?"),
        Error::Certificate { .. } => Some("the file must be PEM; a certificate is not a key"),
        Error::Exists { .. } => Some("choose another file with --out, or --overwrite"),
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Writes one line of result; a closed standard output is no error.
pub(super) fn tell(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
