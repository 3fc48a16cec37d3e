//! `bitstap mock`: a server made from a capture, with the screen and the captures of `proxy`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::peer::mock::{Events, Notice};
use crate::peer::{Mock, MockConfig};
use crate::report::text::clean;

use super::check::Documents;
use super::failure::{Failure, WithHint};
use super::front::{Behind, Front, warn_beyond_loopback};
use super::output::{Format, Output};
use super::recorded::Recorded;
use super::serve::{files, resolve};
use super::source::not_read;
use super::stage::{self, Appearance, Plan, Recorded as Capture, Stage, Until};
use super::tls::Security;
use super::{proxy, unit};

/// Answer BITS clients as the server of a capture did
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap mock upload.pcapng\n  bitstap mock iis.pcap.gz --listen 127.0.0.1:9001 --timing --dir ./received\n  bitstap mock upload.pcapng --listen 127.0.0.1:0 --json --until sessions=1\n  bitstap mock upload.pcapng --headless --capture again.pcapng\n\nIt takes any file in Fragments of any size, dials nobody, and does again what the recorded server did out of the ordinary. docs/replay.md has the rest."
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
    /// Record everything into this file (pcapng); it is readable by you only
    #[arg(long, value_name = "FILE", conflicts_with = "no_capture")]
    capture: Option<PathBuf>,
    /// Record nothing (by default a screen has a temporary capture, offered for saving at the end)
    #[arg(long)]
    no_capture: bool,
    /// Keep at most so much of each piece of a body
    #[arg(long, value_name = "SIZE", value_parser = unit::size)]
    snaplen_body: Option<u64>,
    #[command(flatten)]
    by: Documents,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    appearance: Appearance,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    warn_beyond_loopback(&args.listen, "everybody who reaches it can use this mock");
    if let Some(capture) = &args.capture {
        not_read(&args.files, capture)?;
    }
    let recorded = Recorded::read(&args.files, &AtomicBool::new(false))?;
    let runtime = stage::runtime()?;
    let (start, start_ns) = stage::clocks();
    let mut listen = Vec::new();
    for address in &args.listen {
        listen.push(resolve(address)?);
    }
    let format = args.format;
    let (ends, ended) = watch::channel(0_usize);
    let output = Mutex::new(Output::new(format, start_ns));
    let on_screen = format.wants_screen();
    let https = args.tls_cert.is_some();
    let config = MockConfig {
        listen,
        tls: files(args.tls_cert, args.tls_key),
        folder: args.dir,
        timing: args.timing,
        on_notice: Some(Arc::new(move |notice: &Notice| {
            if !on_screen {
                tell(notice, format, &output);
            }
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
    let until = Until::all(args.until);
    let names: Vec<String> = args.files.iter().map(|path| name(path)).collect();
    let plan = Plan {
        front: Front::new(mock.addresses().to_vec(), move |outlet, stop| {
            let events = Events {
                start,
                on_event: Arc::new(move |event| {
                    let outlet = outlet.clone();
                    Box::pin(async move { outlet.send(event).await })
                }),
            };
            mock.run(Some(events), stop)
        }),
        behind: Behind::Nothing(format!("mock of {}", names.join(" "))),
        notes,
        security: Security {
            https,
            ..Security::default()
        },
        recorded: Capture::chosen(args.capture, args.no_capture),
        snaplen: args.snaplen_body,
        start_ns,
        until: Until {
            // Uploads are counted here: a session that the mock forgets, as was recorded, has not ended.
            sessions: None,
            ..until
        },
        rules: None,
        by: args.by,
        format,
        appearance: args.appearance,
    };
    Stage::new(runtime, plan).run(move |stop| async move {
        if let Some(sessions) = until.sessions {
            stop_after(ended, sessions, stop.clone()).await;
        }
        stop.cancelled().await;
        Ok(())
    })
}

/// Returns the last part of a path.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Cancels `stop` when so many uploads have ended.
async fn stop_after(mut ended: watch::Receiver<usize>, sessions: usize, stop: CancellationToken) {
    let over = ended.wait_for(|count| *count >= sessions);
    if stop.run_until_cancelled(over).await.is_some() {
        stop.cancel();
    }
}

/// So many characters of a line are shown; what a client names may be longer, and hold anything.
const SHOWN: usize = 1000;

/// Tells what the timeline does not: each answer and each file to programs, trouble to people.
fn tell(notice: &Notice, format: Format, output: &Mutex<Output>) {
    if format.json {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        // Answering goes on where nobody can be told.
        let _ = output.lines(&[as_json(notice).to_string()]);
    } else if let Notice::Answered {
        unmatched: Some(_), ..
    } = notice
        && let Some(line) = notice.sentence()
    {
        // What was not in the capture is trouble, not output.
        stage::say(&clean(&line, SHOWN));
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
