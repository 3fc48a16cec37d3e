//! `bitstap proxy`: stands between clients and a server, and shows what passes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::relay::{Config, Relay, Upstream};

use super::check::Documents;
use super::failure::Failure;
use super::faults::{self, InForce};
use super::front::{Behind, warn_beyond_loopback};
use super::hosts::HostArgs;
use super::output::Format;
use super::stage::{self, Appearance, Plan, Recorded, Stage, Until};
use super::tls::{TlsArgs, with_hint};
use super::unit;

/// Stand between BITS clients and a server, and show what passes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap proxy --upstream http://iis.corp --capture upload.pcapng\n  bitstap proxy --upstream https://bits.example --listen 127.0.0.1:0 --json --until sessions=1\n  bitstap proxy --upstream https://bits.example --listen 127.0.0.1:8443 --tls auto\n\nAsk the server for its own host instead of the proxy's:\n  bitstap proxy --upstream http://iis.corp --host upstream\n\nLet the third Ack get lost, and tell by the exit code whether the client came back:\n  bitstap proxy --upstream http://iis.corp --rules lost-ack.toml --junit verdict.xml --headless --until sessions=1\n\nThen point the client at the address it prints instead of the server's."
)]
pub(super) struct Args {
    /// The server: `http://HOST[:PORT]` or `https://HOST[:PORT]`
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: Target,
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

/// An upstream and how the user wrote it.
#[derive(Clone, Debug)]
struct Target {
    url: String,
    upstream: Upstream,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let runtime = stage::runtime()?;
    let (start, start_ns) = stage::clocks();
    warn_beyond_loopback(&args.listen, "proxy");
    let rules = args.faults.put_in_force()?;
    if let (true, Some(rule)) = (args.no_capture, rules.expects_heads()) {
        let text =
            format!("rule {rule} expects a field of a head, and --no-capture keeps no heads");
        return Err(Failure::new(text).hint("leave --no-capture out"));
    }
    // Without rules a screen may still want to hold packets.
    let rules = (rules.is_loaded() || args.format.wants_screen()).then_some(rules);
    let config = Config {
        rules: rules.as_ref().map(InForce::board),
        listen: args.listen,
        connect_timeout: args.connect_timeout,
        idle_timeout: args.idle_timeout,
        max_connections: usize::try_from(args.max_connections).unwrap_or(usize::MAX),
        both_legs: args.both_legs,
        start: Some(start),
        steering: Some(Arc::new(args.hosts.steering())),
        ..Config::new("", args.upstream.upstream)
    };
    let (config, security) = args.tls.apply(config)?;
    let relay = (runtime.block_on(Relay::bind(config))).map_err(with_hint)?;
    let plan = Plan {
        front: relay.into(),
        behind: Behind::Upstream(args.upstream.url),
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

/// Reads `http[s]://host[:port]`; a path is refused, since the client's own path is kept.
fn upstream(text: &str) -> Result<Target, String> {
    let uri: http::Uri = text
        .parse()
        .map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        Some(other) => return Err(format!("scheme `{other}` is neither http nor https")),
        None => return Err(format!("a scheme is missing; write http://{text}")),
    };
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or("a host is missing")?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("a path is not taken: the path of the client's own request is kept".to_owned());
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err("credentials are not taken: the client's own pass through".to_owned());
    }
    let named = uri
        .authority()
        .is_some_and(|authority| authority.as_str().len() > host.len());
    let port = match uri.port() {
        Some(port) if port.as_u16() > 0 => port.as_u16(),
        _ if named => return Err("the port is not a number from 1 to 65535".to_owned()),
        _ if tls => 443,
        _ => 80,
    };
    Ok(Target {
        url: text.trim_end_matches('/').to_owned(),
        upstream: Upstream {
            tls,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
        },
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
    fn an_upstream_is_scheme_host_and_port() {
        let target = upstream("https://[::1]:8443/").unwrap();
        assert_eq!(target.upstream.host, "::1");
        assert_eq!(target.upstream.port, 8443);
        assert!(target.upstream.tls);
        assert_eq!(target.url, "https://[::1]:8443");
        assert_eq!(upstream("http://iis.corp").unwrap().upstream.port, 80);
        for wrong in [
            "iis.corp",
            "ftp://iis.corp",
            "http://",
            "http://a/b",
            "http://u:p@a",
            "http://a:99999",
            "http://a:",
            "http://a:0",
        ] {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }

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
