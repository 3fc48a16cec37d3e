//! `bitstap mock`: a server made from a capture.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::peer::mock::Notice;
use crate::peer::{Mock, MockConfig};
use crate::report::json::Ready;
use crate::report::text::clean;
use crate::report::unit::size;
use crate::timeline::Remark;

use super::failure::{Failure, WithHint};
use super::output::{Format, Output};
use super::recorded::Recorded;
use super::serve::{files, resolve};
use super::stage::{self, Until};
use super::{proxy, signal};

/// Answer BITS clients as the server of a capture did
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap mock upload.pcapng\n  bitstap mock iis.pcap.gz --listen 127.0.0.1:9001 --timing --dir ./received\n  bitstap mock upload.pcapng --listen 127.0.0.1:0 --json --until sessions=1\n\nIt takes any file in Fragments of any size, dials nobody, and does again what the recorded server did out of the ordinary. docs/replay.md has the rest."
)]
pub(super) struct Args {
    /// Captures: pcapng or pcap, also gzipped, of bitstap or of any other program; several are merged by time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address to listen on; port 0 takes a free one; repeatable
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    listen: Vec<String>,
    /// Certificate chain (PEM); serves https
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Keep received files below this directory (else they are counted and hashed only); none is overwritten
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Answer as slowly as the recorded server did
    #[arg(long)]
    timing: bool,
    /// Stop by itself: sessions=N (so many uploads have ended), idle=TIME (nothing was asked for so long)
    #[arg(long, value_name = "WHEN", value_parser = proxy::until)]
    until: Vec<Until>,
    /// Print JSON Lines: ready, then answered, received and note
    #[arg(long)]
    json: bool,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let recorded = Recorded::read(&args.files, &AtomicBool::new(false))?;
    let runtime = stage::runtime()?;
    let (start, start_ns) = stage::clocks();
    let format = Format {
        headless: true,
        json: args.json,
        quiet: args.quiet,
    };
    let output = Arc::new(Mutex::new(Output::new(format, start_ns)));
    let mut listen = Vec::new();
    for address in &args.listen {
        listen.push(resolve(address)?);
    }
    let (beat, beats) = watch::channel(0_u64);
    let (ends, ended) = watch::channel(0_usize);
    let notices = output.clone();
    let told = Mutex::new(Told::default());
    let config = MockConfig {
        listen,
        tls: files(args.tls_cert, args.tls_key),
        folder: args.dir,
        timing: args.timing,
        on_notice: Some(Arc::new(move |notice: &Notice| {
            let lines = lines(notice, args.json, &told);
            let mut output = notices.lock().unwrap_or_else(PoisonError::into_inner);
            // Answering goes on where nobody can be told.
            let _ = output.lines(&lines);
            beat.send_modify(|count| *count = count.wrapping_add(1));
            if matches!(notice, Notice::Ended { .. }) {
                ends.send_modify(|count| *count = count.saturating_add(1));
            }
        })),
    };
    let bound = runtime.block_on(Mock::bind(recorded.recording.clone(), config));
    let mock = bound.hint(|| {
        "the port must be free (--listen ADDR:0 takes any), the folder of --dir must exist, and certificate and key be PEM files of one pair"
            .to_owned()
    })?;
    let mut notes = recorded.notes.clone();
    if mock.is_empty() {
        notes.push(
            "The capture has no answer of a BITS server: all answers are the reference server's."
                .to_owned(),
        );
    }
    let stop = signal::token()?;
    let ready = Ready {
        listen: mock.addresses().iter().map(ToString::to_string).collect(),
        ..Ready::default()
    };
    {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.ready(&ready)?;
        for text in notes {
            output.note(&Remark {
                at: start.elapsed(),
                text,
                ..Remark::default()
            })?;
        }
    }
    runtime.block_on(async {
        for until in args.until {
            if let Some(idle) = until.idle {
                tokio::spawn(stage::stop_when_idle(beats.clone(), idle, stop.clone()));
            }
            if let Some(sessions) = until.sessions {
                tokio::spawn(stop_after(ended.clone(), sessions, stop.clone()));
            }
        }
        mock.run(stop).await;
    });
    Ok(ExitCode::SUCCESS)
}

async fn stop_after(mut ended: watch::Receiver<usize>, sessions: usize, stop: CancellationToken) {
    // An error means that the mock is gone.
    if ended.wait_for(|count| *count >= sessions).await.is_ok() {
        stop.cancel();
    }
}

/// So many characters of a line are shown; what a client names may be longer, and hold anything.
const SHOWN: usize = 1000;

/// What a person was told once already.
#[derive(Default)]
struct Told {
    fallback: std::collections::BTreeSet<&'static str>,
}

/// Returns what to print of a notice.
fn lines(notice: &Notice, json: bool, told: &Mutex<Told>) -> Vec<String> {
    if json {
        return vec![as_json(notice).to_string()];
    }
    match notice {
        Notice::Answered {
            method,
            path,
            packet,
            status,
            from,
            unmatched,
            ..
        } => {
            let what = packet.unwrap_or(method.as_str());
            if let Some(why) = unmatched {
                // What was not in the capture is trouble, not output.
                let status = status.map_or_else(String::new, |status| format!(" {status}"));
                let line = format!("unmatched: {what} {path} was answered{status}; {why}");
                stage::say(&clean(&line, SHOWN));
                return Vec::new();
            }
            let name = packet.unwrap_or("request");
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if from.is_none() && told.fallback.insert(name) {
                let line = format!(
                    "The capture has no answer for this {what} {path}: it gets the reference server's, and so do others like it."
                );
                return vec![clean(&line, SHOWN)];
            }
            Vec::new()
        }
        Notice::Ended {
            path,
            bytes,
            sha256,
            file,
            complete,
            cancelled,
        } => {
            let how = match (cancelled, complete) {
                (true, _) => "was cancelled",
                (_, true) => "is complete",
                _ => "was closed before its end",
            };
            let mut line = format!("{path} {how}: {}", size(*bytes));
            if let Some(file) = file {
                line.push_str(&format!(" in {}", file.display()));
            }
            if let Some(hash) = sha256 {
                line.push_str(&format!(", SHA-256 {hash}"));
            }
            vec![clean(&line, SHOWN)]
        }
    }
}

fn as_json(notice: &Notice) -> serde_json::Value {
    match notice {
        Notice::Answered {
            client,
            method,
            path,
            packet,
            status,
            from,
            unmatched,
        } => serde_json::json!({
            "type": "answered",
            "client": client.to_string(),
            "method": method,
            "path": path,
            "packet": packet,
            "status": status,
            "exchange": from,
            "unmatched": unmatched,
        }),
        Notice::Ended {
            path,
            bytes,
            sha256,
            file,
            complete,
            cancelled,
        } => serde_json::json!({
            "type": "received",
            "path": path,
            "bytes": bytes,
            "sha256": sha256,
            "file": file,
            "complete": complete,
            "cancelled": cancelled,
        }),
    }
}
