//! `bitstap proxy`: stands between clients and a server, and shows what passes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::relay::{Config, Relay};

use super::address::{self, Target};
use super::check::Documents;
use super::config;
use super::failure::Failure;
use super::faults::{self, InForce};
use super::front::{Behind, Places, warn_beyond_loopback};
use super::hosts::{self, HostArgs};
use super::output::Format;
use super::stage::{self, Appearance, Plan, Recorded, Stage, Until};
use super::tls::{TlsArgs, with_hint};
use super::unit;

/// Stand between BITS clients and a server, and show what passes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap proxy --upstream http://iis.corp --capture upload.pcapng\n  bitstap proxy --upstream https://bits.example --listen 127.0.0.1:0 --json --until sessions=1\n  bitstap proxy --upstream https://bits.example --listen 127.0.0.1:8443 --tls auto\n\nAsk the server for its own host instead of the proxy's:\n  bitstap proxy --upstream http://iis.corp --host upstream\n\nWatch a client that is told to use it as its proxy, https too:\n  bitstap proxy --forward --capture all.pcapng\n\nSeveral servers behind one port, by host name:\n  bitstap proxy --route files.corp=http://10.0.0.5 --route '*.lab=http://10.0.0.6:8080'\n\nLet the third Ack get lost, and tell by the exit code whether the client came back:\n  bitstap proxy --upstream http://iis.corp --rules lost-ack.toml --junit verdict.xml --headless --until sessions=1\n\nThen point the client at the address it prints instead of the server's."
)]
pub(super) struct Args {
    #[command(flatten)]
    from: config::ConfigArgs,
    /// The server: `http://HOST[:PORT]` or `https://HOST[:PORT]`
    #[arg(long, value_name = "URL", value_parser = address::upstream, required_unless_present_any = ["forward", "route", "config", "print_config"])]
    upstream: Option<Target>,
    /// Address to listen on; port 0 takes a free one; repeatable
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: Vec<String>,
    /// Record everything into this file (pcapng); it is readable by you only
    #[arg(long, value_name = "FILE", conflicts_with = "no_capture")]
    capture: Option<PathBuf>,
    /// Record nothing (by default a screen has a temporary capture, offered for saving at the end)
    #[arg(long)]
    no_capture: bool,
    /// Keep at most so much of each piece of a body
    #[arg(long, value_name = "SIZE", value_parser = unit::size)]
    snaplen_body: Option<u64>,
    /// Keep the server's side whole, too, also where it is the same as the client's
    #[arg(long)]
    both_legs: bool,
    /// Give up dialling the server after this time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = unit::duration)]
    connect_timeout: Duration,
    /// Close a connection on which nothing passes for this time (default: never)
    #[arg(long, value_name = "TIME", value_parser = unit::duration)]
    idle_timeout: Option<Duration>,
    /// Serve so many clients at a time; more wait
    #[arg(long, value_name = "N", default_value = "16384", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// Stop by itself: sessions=N (so many have ended), idle=TIME (nothing has passed for so long)
    #[arg(long, value_name = "WHEN", value_parser = until)]
    until: Vec<Until>,
    #[command(flatten)]
    hosts: HostArgs,
    #[command(flatten)]
    faults: faults::Args,
    #[command(flatten)]
    by: Documents,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    appearance: Appearance,
    // Last, since its heading counts for all that follow.
    #[command(flatten)]
    tls: TlsArgs,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.upstream.is_none() && args.hosts.leads_nowhere() {
        let text = "it is not said which server requests go to";
        return Err(Failure::new(text).hint("give --upstream URL, --route HOST=URL, or --forward"));
    }
    let runtime = stage::runtime()?;
    let (start, start_ns) = stage::clocks();
    warn_beyond_loopback(&args.listen, args.hosts.lends());
    let rules = args.faults.put_in_force()?;
    if let (true, Some(rule)) = (args.no_capture, rules.expects_heads()) {
        let text =
            format!("rule {rule} expects a field of a head, and --no-capture keeps no heads");
        return Err(Failure::new(text).hint("leave --no-capture out"));
    }
    // Without rules a screen may still want to hold packets.
    let rules = (rules.is_loaded() || args.format.wants_screen()).then_some(rules);
    let (upstream, url) = (args.upstream)
        .map(|target| (target.upstream, target.url))
        .unzip();
    let config = Config {
        rules: rules.as_ref().map(InForce::board),
        listen: args.listen,
        connect_timeout: args.connect_timeout,
        idle_timeout: args.idle_timeout,
        max_connections: usize::try_from(args.max_connections).unwrap_or(usize::MAX),
        both_legs: args.both_legs,
        start: Some(start),
        ..Config::new("", upstream)
    };
    let (config, security) = args.tls.apply(args.hosts.apply(config))?;
    let places = Places {
        title: hosts::destination(&config, url.as_deref()),
        upstream: url,
        forward: config.forward.is_some(),
        routes: (config.routes.iter())
            .map(|route| (route.hosts.to_string(), route.to.url()))
            .collect(),
    };
    let relay = (runtime.block_on(Relay::bind(config))).map_err(with_hint)?;
    (runtime.block_on(relay.find_servers())).map_err(with_hint)?;
    let plan = Plan {
        front: relay.into(),
        behind: Behind::Servers(places),
        notes: Vec::new(),
        security,
        recorded: Recorded::chosen(args.capture, args.no_capture),
        snaplen: args.snaplen_body,
        start_ns,
        until: Until::all(args.until),
        rules,
        by: args.by,
        format: args.format,
        appearance: args.appearance,
    };
    Stage::new(runtime, plan).run(|stop| async move {
        stop.cancelled().await;
        Ok(())
    })
}

/// Reads `sessions=N` or `idle=TIME`.
pub(super) fn until(text: &str) -> Result<Until, String> {
    let wrong = || format!("`{text}` is neither sessions=N nor idle=TIME");
    let (what, value) = text.split_once('=').ok_or_else(wrong)?;
    match what {
        "sessions" => Ok(Until {
            sessions: Some(value.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?),
            idle: None,
        }),
        "idle" => Ok(Until {
            sessions: None,
            idle: Some(unit::duration(value)?),
        }),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_takes_sessions_and_idle() {
        assert_eq!(until("sessions=3").unwrap().sessions, Some(3));
        assert_eq!(
            until("idle=30s").unwrap().idle,
            Some(Duration::from_secs(30))
        );
        for wrong in [
            "sessions",
            "sessions=0",
            "sessions=x",
            "bytes=3",
            "idle=soon",
        ] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }
}
