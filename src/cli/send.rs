//! `bitstap send`: uploads a file as the Windows client does.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::peer::client::PieceSize;
use crate::peer::{SendConfig, Sent, send};
use crate::report::unit::size;

use super::failure::Failure;
use super::transfer::{self, Job, tell};
use super::{signal, stage};

/// Upload a file over BITS, as the Windows client does
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap send report.csv http://127.0.0.1:8081/up/report.csv\n  bitstap send report.csv https://bits.example/up/report.csv --ca corp-root.pem --profile windows\n\nCtrl-C cancels the session on the server."
)]
pub(super) struct Args {
    /// The file to send
    file: PathBuf,
    /// Where it goes, its name included
    url: String,
    /// Bytes in a fragment: adaptive (5 KiB to 13 MiB, after the measured rate) or a size
    #[arg(long, value_name = "SIZE", default_value = "adaptive", value_parser = transfer::pieces)]
    fragment_size: PieceSize,
    /// Where an upload-reply goes (default: beside the file, with .reply added)
    #[arg(long, value_name = "FILE")]
    reply_to: Option<PathBuf>,
    /// Fail unless the server replies (an upload-reply job)
    #[arg(long)]
    expect_reply: bool,
    /// Begin with Create-Session, without a Ping before it
    #[arg(long)]
    no_ping: bool,
    #[command(flatten)]
    job: Job,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let runtime = stage::runtime()?;
    let cancel = signal::token()?;
    let config = SendConfig {
        common: args.job.common(),
        fragment_size: args.fragment_size,
        ping: !args.no_ping,
        retry_delay: args.job.retry_delay(),
        no_progress_timeout: args.job.no_progress_timeout(),
        reply_to: args.reply_to,
        expect_reply: args.expect_reply,
        cancel,
        ..SendConfig::new(args.file, args.url)
    };
    let display = args.job.display();
    let sent = runtime.block_on(send(config, &|progress| display.step(&progress)));
    display.finish();
    report(&sent.map_err(transfer::explain)?, args.job.json)?;
    Ok(ExitCode::SUCCESS)
}

fn report(sent: &Sent, json: bool) -> Result<(), Failure> {
    if json {
        let reply = sent.reply.as_ref().map(|reply| {
            serde_json::json!({ "path": reply.path, "bytes": reply.bytes, "sha256": reply.sha256 })
        });
        let line = serde_json::json!({
            "type": "sent",
            "session_id": sent.session,
            "bytes": sent.bytes,
            "sha256": sent.sha256,
            "fragments": sent.fragments,
            "connections": sent.connections,
            "retries": sent.retries,
            "restarts": sent.restarts,
            "rewinds": sent.rewinds,
            "shrinks": sent.shrinks,
            "host_id": sent.host_id,
            "reply": reply,
            "warnings": sent.warnings,
        });
        return tell(&line.to_string());
    }
    tell(&format!(
        "sent {} in {} fragments, SHA-256 {}",
        size(sent.bytes),
        sent.fragments,
        sent.sha256
    ))?;
    if let Some(reply) = &sent.reply {
        tell(&format!(
            "reply {} in {}, SHA-256 {}",
            size(reply.bytes),
            reply.path.display(),
            reply.sha256
        ))?;
    }
    for warning in &sent.warnings {
        tell(&format!("warning: {warning}"))?;
    }
    Ok(())
}
