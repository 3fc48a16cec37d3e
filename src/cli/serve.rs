//! `bitstap serve`: a BITS upload server on a directory.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::peer::server::{ErrorField, HostId, Notice, Reply, TlsFiles};
use crate::peer::{Credentials, Error, Server, ServerConfig};
use crate::report::json::Ready;
use crate::report::unit::size;
use crate::timeline::Remark;
use clap::ValueEnum;

use super::failure::Failure;
use super::front::warn_beyond_loopback;
use super::output::{Format, Output};
use super::{signal, stage, unit};

/// Serve a directory over BITS: uploads, upload-replies and downloads
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap serve ./inbox\n  bitstap serve ./inbox --on-close 'sha256sum \"$BITSTAP_FILE\"' --listen 127.0.0.1:9001\n\nUploads that were under way go on after a restart, also after a crash."
)]
pub(super) struct Args {
    /// The directory; files never leave it
    #[arg(value_name = "DIR")]
    root: PathBuf,
    /// Address to listen on; port 0 takes a free one; repeatable
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    listen: Vec<String>,
    /// Certificate chain (PEM); serves https
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Send clients to this host after Create-Session (BITS-Host-Id)
    #[arg(long, value_name = "HOST")]
    host_id: Option<String>,
    /// When clients may return from the Host-Id to the original host (default: never)
    #[arg(long, value_name = "TIME", requires = "host_id", value_parser = unit::duration)]
    host_id_fallback: Option<Duration>,
    /// Answer each upload with this file (upload-reply)
    #[arg(long, value_name = "FILE", conflicts_with = "on_close")]
    reply: Option<PathBuf>,
    /// Run this command for each complete upload; what it prints is the reply. It finds the file in `BITSTAP_FILE`, the URL in `BITSTAP_URL`
    #[arg(long, value_name = "CMD")]
    on_close: Option<String>,
    /// Refuse larger files (`BG_E_TOO_LARGE`)
    #[arg(long, value_name = "SIZE", value_parser = unit::size)]
    max_size: Option<u64>,
    /// Forget sessions without a packet for this time
    #[arg(long, value_name = "TIME", default_value = "14days", value_parser = unit::duration)]
    session_timeout: Duration,
    /// Let uploads replace files
    #[arg(long)]
    overwrite: bool,
    /// Ask everybody for this name and password (Basic)
    #[arg(long, value_name = "USER:PASSWORD", env = "BITSTAP_USER", hide_env_values = true, value_parser = credentials)]
    user: Option<Credentials>,
    /// Which field tells error codes
    #[arg(long, value_enum, default_value_t = Spelling::ErrorCode)]
    error_field: Spelling,
    /// Print JSON Lines: ready, then a note for each thing that happens
    #[arg(long)]
    json: bool,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

/// The error field's name on the wire.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Spelling {
    /// BITS-Error-Code, as the Win32 pages have it
    ErrorCode,
    /// BITS-Error, as MC-BUP has it
    Error,
    /// Both
    Both,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let runtime = stage::runtime()?;
    let (start, start_ns) = stage::clocks();
    let format = Format {
        headless: true,
        json: args.json,
        quiet: args.quiet,
    };
    let output = Arc::new(Mutex::new(Output::new(format, start_ns)));
    let notices = output.clone();
    let mut listen = Vec::new();
    for address in &args.listen {
        listen.push(resolve(address)?);
    }
    let lends = match &args.user {
        None => "everybody who reaches it can store files here",
        Some(_) => "whoever has name and password can store files here",
    };
    warn_beyond_loopback(&args.listen, lends);
    let root = args.root.clone();
    let config = ServerConfig {
        root: args.root,
        listen,
        tls: files(args.tls_cert, args.tls_key),
        host_id: args.host_id.map(|name| HostId {
            name,
            fallback: args.host_id_fallback,
        }),
        reply: match (args.reply, args.on_close) {
            (Some(file), _) => Reply::File(file),
            (None, Some(command)) => Reply::Command(command),
            (None, None) => Reply::None,
        },
        max_size: args.max_size,
        session_timeout: args.session_timeout,
        overwrite: args.overwrite,
        credentials: args.user,
        error_field: match args.error_field {
            Spelling::ErrorCode => ErrorField::Code,
            Spelling::Error => ErrorField::Error,
            Spelling::Both => ErrorField::Both,
        },
        responder: None,
        on_notice: Some(Arc::new(move |notice: &Notice| {
            let remark = Remark {
                at: start.elapsed(),
                text: sentence(notice),
                ..Remark::default()
            };
            let mut output = notices.lock().unwrap_or_else(PoisonError::into_inner);
            // Serving goes on where nobody can be told.
            let _ = output.note(&remark);
        })),
    };
    let bound = runtime.block_on(Server::bind(config));
    let server = bound.map_err(|error| {
        let hint = advice(&error, &root);
        Failure::from(error).hint(hint)
    })?;
    let stop = signal::token()?;
    let ready = Ready {
        listen: server.addresses().iter().map(ToString::to_string).collect(),
        ..Ready::default()
    };
    output
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .ready(&ready)?;
    runtime.block_on(server.run(stop));
    Ok(ExitCode::SUCCESS)
}

fn sentence(notice: &Notice) -> String {
    match notice {
        Notice::Created { url, session } => format!("Session {session} for {url} was created."),
        Notice::Received { url, bytes } => {
            format!("All {} of {url} have arrived.", size(*bytes))
        }
        Notice::Stored { url, file, bytes } => {
            format!("{url} is complete: {} in {}.", size(*bytes), file.display())
        }
        Notice::Dropped { url } => format!("The upload to {url} was given up before its end."),
        Notice::Expired { url } => {
            format!("The session for {url} has expired: no packet came in time.")
        }
        Notice::ApplicationFailed { url, reason } => {
            format!("No reply could be made for {url}: {reason}.")
        }
    }
}

/// Returns what to try where the server cannot start.
fn advice(error: &Error, root: &Path) -> String {
    match error {
        Error::Listen { .. } => {
            "another program may use the port: choose one with --listen, port 0 takes a free one"
                .to_owned()
        }
        Error::Certificate { .. } => {
            "certificate and key must be PEM files of one pair, the server's own certificate first"
                .to_owned()
        }
        _ => format!(
            "the directory {} must exist and be yours to write",
            root.display()
        ),
    }
}

/// Returns the first address that a name stands for.
pub(super) fn resolve(address: &str) -> Result<SocketAddr, Failure> {
    let unknown = || Failure::new(format!("cannot listen on {address}: no such address"));
    let hint = "write it like 127.0.0.1:8081; port 0 takes a free one";
    address
        .to_socket_addrs()
        .map_err(|_| unknown().hint(hint))?
        .next()
        .ok_or_else(|| unknown().hint(hint))
}

/// Returns what TLS is served with, where both files are given.
pub(super) fn files(certificates: Option<PathBuf>, key: Option<PathBuf>) -> Option<TlsFiles> {
    Some(TlsFiles {
        certificates: certificates?,
        key: key?,
    })
}

/// Reads `user:password`.
pub(super) fn credentials(text: &str) -> Result<Credentials, String> {
    Credentials::parse(text).ok_or_else(|| "write it like USER:PASSWORD".to_owned())
}
