//! `bitstap replay`: plays the client of a capture to a live server, and tells what the server did otherwise.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::ValueEnum;

use crate::peer::replay::{Choice, Report, Speed};
use crate::peer::{Credentials, Error, ReplayConfig, replay};

use super::failure::Failure;
use super::recorded::Recorded;
use super::repeat::Repeat;
use super::serve::credentials;
use super::transfer::{self, tell};
use super::{sieve, signal, stage, unit};

/// Play the client of a capture to a live server, and compare what the server answers
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap replay upload.pcapng --to http://127.0.0.1:8081\n  bitstap replay windows.pcap.gz --to https://bits.example/again/ --ca corp-root.pem --session 3 --speed recorded\n  bitstap replay upload.pcapng --to http://127.0.0.1:8081 --format junit > replay.xml\n  bitstap replay lost-ack.pcapng --to http://127.0.0.1:8081 --same-faults\n\nExit code 1: the live server did something otherwise than the recorded one. docs/replay.md says what counts."
)]
pub(super) struct Args {
    /// Captures: pcapng or pcap, also gzipped, of bitstap or of any other program; several are merged by time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The live server; a path that ends with a slash comes before each recorded path
    #[arg(long, value_name = "URL")]
    to: String,
    /// Play only this session (its number, as `bitstap view` tells it); repeatable
    #[arg(long, value_name = "N")]
    session: Vec<u32>,
    /// Play only sessions that the filter selects, such as 'bits.total > 1MiB' (docs/filters.md)
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    filter: Option<String>,
    /// The client's pauses: recorded, xN (N times as fast), max (none)
    #[arg(long, value_name = "SPEED", default_value = "max", value_parser = speed)]
    speed: Speed,
    /// Send Fragments of this size instead of the recorded ones
    #[arg(long, value_name = "SIZE", value_parser = fragment_size)]
    fragment_size: Option<u64>,
    /// Disturb the replay by the rules and the seed of the recorded run, as the run itself was disturbed
    #[arg(long)]
    same_faults: bool,
    /// Trust the authorities in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Name and password (Basic), sent with every request
    #[arg(long, value_name = "USER:PASSWORD", env = "BITSTAP_USER", hide_env_values = true, value_parser = credentials)]
    user: Option<Credentials>,
    /// Leave recorded credentials out, and the requests that only asked for them
    #[arg(long)]
    without_auth: bool,
    /// Give up dialling after this time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = unit::duration)]
    connect_timeout: Duration,
    /// Wait so long until the server has taken a request (Windows: 2m)
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = unit::duration)]
    send_timeout: Duration,
    /// Wait so long for an answer, and between two pieces of it (Windows: 5m)
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = unit::duration)]
    response_timeout: Duration,
    /// Wait so long after trouble that may pass (Windows: 10m)
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = unit::duration)]
    retry_delay: Duration,
    /// Try so often again
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON Lines: replayed, replay, note, then a summary
    Json,
    /// JUnit XML: a case for each session
    Junit,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let filter = args.filter.as_deref().map(sieve::parse).transpose()?;
    let recorded = Recorded::read(&args.files, &AtomicBool::new(false))?;
    let mut choice = Choice {
        sessions: args.session.into_iter().collect(),
        without_auth: args.without_auth,
    };
    if let Some(filter) = filter {
        let mut selected = recorded.selected(filter);
        selected.retain(|no| choice.sessions.is_empty() || choice.sessions.contains(no));
        if selected.is_empty() {
            return Err(Failure::new("the filter selects no session")
                .hint("`bitstap view --headless FILE` lists the sessions"));
        }
        choice.sessions = selected.into_iter().collect();
    }
    let runtime = stage::runtime()?;
    let mut config = ReplayConfig::new(args.to);
    config.choice = choice;
    config.speed = args.speed;
    config.fragment_size = args.fragment_size;
    config.authority = args.ca;
    config.credentials = args.user;
    config.timers.connect = args.connect_timeout;
    config.timers.send = args.send_timeout;
    config.timers.response = args.response_timeout;
    config.retry_delay = args.retry_delay;
    config.retries = args.retries;
    config.stop = signal::token()?;
    let repeat = if args.same_faults {
        let server = config.server().map_err(explain)?;
        let authority = config.authority.as_deref();
        let repeat = Repeat::start(&runtime, &args.files, server, authority)?;
        config.via = Some(repeat.address());
        Some(repeat)
    } else {
        None
    };
    let played = runtime.block_on(replay(&recorded.recording, &config));
    let mut report = played.map_err(explain)?;
    if let Some(repeat) = repeat {
        let fired = repeat.finish(&runtime, &recorded.recording.timeline)?;
        report.notes.extend(fired);
    }
    report.notes.splice(0..0, recorded.notes);
    let format = if args.json { Format::Json } else { args.format };
    let names: Vec<String> = args
        .files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    tell(&rendered(&report, format, &names.join(" ")))?;
    Ok(if report.differences() > 0 {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn rendered(report: &Report, format: Format, capture: &str) -> String {
    match format {
        Format::Text => report.text().join("\n"),
        Format::Json => report.json().join("\n"),
        Format::Junit => report.junit(capture).trim_end().to_owned(),
    }
}

/// Adds what to try.
pub(super) fn explain(error: Error) -> Failure {
    let hint = match &error {
        Error::NothingToPlay { .. } => {
            "`bitstap view --headless FILE` shows what the capture holds"
        }
        Error::ContentMissing { .. } => {
            "record bodies whole (no --snaplen-body, tcpdump -s 0, from the first packet on), or leave the session out: --session N plays only that one"
        }
        Error::BoundAuthentication { .. } => {
            "--without-auth plays it without credentials, for a server or a directory that asks for none (`bitstap mock FILE` is one); --user USER:PASSWORD answers Basic"
        }
        _ => return transfer::explain(error),
    };
    Failure::from(error).hint(hint)
}

/// Reads a speed: `recorded`, `x10`, `max`.
fn speed(text: &str) -> Result<Speed, String> {
    let wrong = || format!("`{text}` is no speed; write recorded, x10 or max");
    match text {
        "recorded" => Ok(Speed::Recorded(1.0)),
        "max" => Ok(Speed::Max),
        _ => {
            let times = text.strip_prefix(['x', 'X']).ok_or_else(wrong)?;
            let times: f64 = times.parse().map_err(|_| wrong())?;
            if times.is_finite() && times > 0.0 {
                Ok(Speed::Recorded(times))
            } else {
                Err(wrong())
            }
        }
    }
}

fn fragment_size(text: &str) -> Result<u64, String> {
    match unit::size(text)? {
        0 => Err("a Fragment holds at least one byte".to_owned()),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        assert_eq!(speed("recorded"), Ok(Speed::Recorded(1.0)));
        assert_eq!(speed("x2.5"), Ok(Speed::Recorded(2.5)));
        assert_eq!(speed("max"), Ok(Speed::Max));
        for wrong in ["", "x", "x0", "x-1", "xinf", "fast", "2"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
