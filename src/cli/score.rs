//! `bitstap score`: a fixed suite of experiments on a BITS client or a BITS server, with a verdict for each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use crate::peer::score::client::{self, ClientScore, ClientScoreConfig};
use crate::peer::score::server::{self, ServerScoreConfig};
use crate::peer::score::{Experiment, Report, Verdict};
use crate::peer::{Credentials, Error};
use crate::report::json::{self, Ready};

use super::failure::Failure;
use super::serve::{credentials, resolve};
use super::transfer::{self, tell};
use super::{signal, stage, unit};

/// Try a BITS client or server with a fixed suite of experiments, and give a verdict for each
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap score server http://iis.corp/upload/\n  bitstap score client --listen 0.0.0.0:8081 --file big.bin\n\nExit code 1: an experiment failed. docs/score.md has all experiments and what the documents say."
)]
pub(super) struct Args {
    #[command(subcommand)]
    of: Of,
}

#[derive(Debug, clap::Subcommand)]
enum Of {
    /// Be a server that misbehaves, and judge the client that uploads to it
    #[command(
        after_help = "Examples:\n  bitstap score client\n  bitstap score client --only lost-ack,rewind --patience 10s --format junit > client.xml\n\nEach experiment has a path of its own. An upload in several Fragments tells most: choose a file of some MiB."
    )]
    Client(ClientArgs),
    /// Be a client that misbehaves, and judge the server that answers it
    #[command(
        after_help = "Examples:\n  bitstap score server http://127.0.0.1:8081/\n  bitstap score server https://bits.example/up/ --ca corp-root.pem --verify-url https://bits.example/files/ --format json\n\nFiles called score-*.bin stay on the server."
    )]
    Server(ServerArgs),
}

#[derive(Debug, clap::Args)]
struct ClientArgs {
    /// Address to listen on; port 0 takes a free one; repeatable
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    listen: Vec<String>,
    /// An experiment is over when nothing was heard of it for so long (Windows comes back after 10m)
    #[arg(long, value_name = "TIME", default_value = "11m", value_parser = unit::duration)]
    patience: Duration,
    /// All experiments are over after this time
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = unit::duration)]
    timeout: Duration,
    /// What the client uploads to every path (but zero-length), to compare it byte for byte
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct ServerArgs {
    /// A directory on the server, with a slash at its end
    #[arg(required_unless_present = "list")]
    url: Option<String>,
    /// Where the files can be read with GET (default: where they were sent)
    #[arg(long, value_name = "URL")]
    verify_url: Option<String>,
    /// Trust the authorities in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Name and password (Basic), sent with every request
    #[arg(long, value_name = "USER:PASSWORD", env = "BITSTAP_USER", hide_env_values = true, value_parser = credentials)]
    user: Option<Credentials>,
    /// Give up dialling after this time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = unit::duration)]
    connect_timeout: Duration,
    /// Wait so long for an answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = unit::duration)]
    response_timeout: Duration,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Only these experiments
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    only: Vec<String>,
    /// List the experiments, and do nothing
    #[arg(long)]
    list: bool,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
}

impl Common {
    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// JSON Lines: experiment, then a summary
    Json,
    /// JUnit XML: a case for each experiment
    Junit,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    match args.of {
        Of::Client(args) if args.common.list => list(&client::experiments()),
        Of::Server(args) if args.common.list => list(&server::experiments()),
        Of::Client(args) => of_client(args),
        Of::Server(args) => of_server(args),
    }
}

fn list(experiments: &[Experiment]) -> Result<ExitCode, Failure> {
    for one in experiments {
        tell(&format!("{:<22} {}", one.name, one.does))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn of_server(args: ServerArgs) -> Result<ExitCode, Failure> {
    let runtime = stage::runtime()?;
    let mut config = ServerScoreConfig::new(args.url.unwrap_or_default());
    config.verify = args.verify_url;
    config.only.clone_from(&args.common.only);
    config.authority = args.ca;
    config.credentials = args.user;
    config.timers.connect = args.connect_timeout;
    config.timers.response = args.response_timeout;
    config.stop = signal::token()?;
    let report = runtime
        .block_on(server::score(&config))
        .map_err(|error| explain(error, "server"))?;
    finish(&report, args.common.format(), &config.url)
}

fn of_client(args: ClientArgs) -> Result<ExitCode, Failure> {
    let runtime = stage::runtime()?;
    let format = args.common.format();
    let mut listen = Vec::new();
    for address in &args.listen {
        listen.push(resolve(address)?);
    }
    let config = ClientScoreConfig {
        listen,
        only: args.common.only,
        patience: args.patience,
        timeout: args.timeout,
        file: args.file.clone(),
        stop: signal::token()?,
    };
    let score = runtime
        .block_on(ClientScore::bind(config))
        .map_err(|error| explain(error, "client"))?;
    let listen: Vec<String> = score.addresses().iter().map(ToString::to_string).collect();
    let url = match score.addresses().first() {
        // Clients elsewhere need a name that we do not know.
        Some(address) if address.ip().is_unspecified() => {
            format!("http://THIS-HOST:{}/", address.port())
        }
        _ => format!("http://{}/", listen.first().map_or("", String::as_str)),
    };
    match format {
        Format::Text => tell(&manual(&url, score.names(), args.file.as_deref()).join("\n"))?,
        Format::Json => tell(&json::ready(&Ready {
            listen,
            ..Ready::default()
        }))?,
        Format::Junit => stage::say(&format!("ready: listening on {}", listen.join(", "))),
    }
    let told = |one: &crate::peer::score::Scored| {
        if format == Format::Text {
            stage::say(&format!(
                "{} is over: {}",
                one.experiment.name,
                one.verdict.name()
            ));
        }
    };
    let report = runtime
        .block_on(score.run(&told))
        .map_err(|error| explain(error, "client"))?;
    finish(&report, format, &url)
}

/// Returns what a person has to do: where to upload, and with which commands.
fn manual(url: &str, names: &[&str], file: Option<&std::path::Path>) -> Vec<String> {
    let file = file.map_or_else(|| "FILE".to_owned(), |path| path.display().to_string());
    let list = |quote: &str, between: &str| {
        let names: Vec<String> = names
            .iter()
            .map(|name| format!("{quote}{name}{quote}"))
            .collect();
        names.join(between)
    };
    let mut lines = vec![
        format!("ready: listening on {url}"),
        "Upload a file of some MiB to each path (zero-length wants an empty one):".to_owned(),
    ];
    lines.extend(
        names
            .iter()
            .map(|name| format!("  {url}{name}/{{name of the file}}")),
    );
    lines.push(String::new());
    lines.push("PowerShell:".to_owned());
    lines.push(format!("  foreach ($e in {}) {{", list("'", ",")));
    lines.push(format!(
        "    Start-BitsTransfer -TransferType Upload -Source '{file}' -Destination \"{url}$e/score.bin\" -RetryInterval 60 -RetryTimeout 600 -ErrorAction Continue }}"
    ));
    lines.push("cmd:".to_owned());
    lines.push(format!(
        "  for %e in ({}) do bitsadmin /transfer score-%e /upload /priority foreground {url}%e/score.bin \"{file}\"",
        list("", " ")
    ));
    lines.push("sh:".to_owned());
    lines.push(format!(
        "  for e in {}; do bitstap send '{file}' {url}$e/score.bin --fragment-size 64KiB --retry-delay 1s --no-progress-timeout 10s; done",
        list("", " ")
    ));
    lines
}

/// Prints the report; something that failed makes exit code 1.
fn finish(report: &Report, format: Format, peer: &str) -> Result<ExitCode, Failure> {
    tell(&match format {
        Format::Text => report.text().join("\n"),
        Format::Json => report.json().join("\n"),
        Format::Junit => report.junit(peer).trim_end().to_owned(),
    })?;
    Ok(if report.count(Verdict::Fails) > 0 {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

/// Adds what to try.
fn explain(error: Error, of: &str) -> Failure {
    let hint = match &error {
        Error::NoExperiment { .. } => format!("`bitstap score {of} --list` names them all"),
        Error::NoClient => {
            "upload to the paths that are printed at the start; --timeout is how long it waits"
                .to_owned()
        }
        Error::Listen { .. } => "the port must be free; --listen ADDR:0 takes any".to_owned(),
        Error::Url { .. } => "write it like http://host/upload/".to_owned(),
        _ => return transfer::explain(error),
    };
    Failure::from(error).hint(hint)
}
