//! What relaying costs: CPU per GiB of uploads and per thousand Pings, beside nginx and `HAProxy`, and the
//! memory of many idle connections.
//!
//! `cargo bench --bench relay [-- ours capture nginx ...]`, `cargo bench --bench relay -- idle`. Proxies and
//! the server that they stand before run in processes of their own, so that the CPU time of a proxy is its
//! own; the load is made here. Prints a table in Markdown. Reads /proc, so Linux only.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a report for people, about time"
)]

mod foreign;
mod idle;
mod load;
mod process;
mod sink;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use bitstap::fault::{Moment, Verdict};
use bitstap::relay::{Board, Config, Outlet, Relay, Upstream, queue};
use tokio_util::sync::CancellationToken;

use load::{Cost, measure};
use process::Process;

const REPETITIONS: usize = 3;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sink"] => sink::run(),
        ["proxy", recorder, port] => proxy(recorder, port.parse().expect("a port")),
        _ if words.contains(&"idle") => idle::measure(),
        _ => compare(&words),
    }
}

/// Our relay without a recorder, alone in its process.
fn proxy(recorder: &str, port: u16) {
    let runtime = match recorder {
        "threads" => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
    };
    runtime.expect("a runtime").block_on(async {
        let upstream = Upstream {
            tls: false,
            host: "127.0.0.1".to_owned(),
            port,
        };
        let mut config = Config::new("127.0.0.1:0", upstream);
        // Somebody is asked about every message, and nothing ever matches.
        let asked = |_: &Moment<'_>| Verdict::default();
        config.rules = (recorder == "rules").then(|| Arc::new(Board::new(asked)));
        let relay = Relay::bind(config);
        let relay = relay.await.expect("the relay starts");
        println!("{}", relay.addresses()[0].port());
        let mut outlet = Outlet::Nobody;
        if recorder == "events" {
            let (send, mut events) = queue();
            thread::spawn(move || {
                let mut batch = Vec::new();
                while events.take(&mut batch) {}
            });
            outlet = send.into();
        }
        relay.run(outlet, CancellationToken::new()).await;
    });
}

/// Name on the command line, and in the table.
const SUBJECTS: [(&str, &str); 8] = [
    ("ours", "bitstap, nobody listens"),
    ("rules", "bitstap, nobody listens, rules that never match"),
    ("events", "bitstap, every event to a thread that drops it"),
    ("threads", "bitstap, nobody listens, two worker threads"),
    ("timeline", "bitstap proxy --no-capture"),
    ("capture", "bitstap proxy --capture FILE"),
    ("nginx", "nginx"),
    ("haproxy", "HAProxy"),
];

fn start(subject: &str, sink: u16, dir: &Path) -> Option<(Process, u16)> {
    let own = |recorder| Some(Process::own(&["proxy", recorder, &sink.to_string()]));
    match subject {
        "ours" => own("none"),
        "rules" => own("rules"),
        "events" => own("events"),
        "threads" => own("threads"),
        "timeline" => Some(Process::bitstap(sink, None)),
        "capture" => Some(Process::bitstap(sink, Some(&dir.join("relay.pcapng")))),
        "nginx" if Path::new("/usr/sbin/nginx").exists() => Some(foreign::nginx(sink, dir)),
        "haproxy" if Path::new("/usr/sbin/haproxy").exists() => Some(foreign::haproxy(sink, dir)),
        _ => None,
    }
}

/// Measures each subject in turn, several times, and prints the medians.
fn compare(words: &[&str]) {
    let is_asked = |name: &str| words.contains(&name);
    let any = SUBJECTS.iter().any(|(name, _)| is_asked(name));
    let subjects = SUBJECTS.iter().filter(|(name, _)| !any || is_asked(name));
    let mut subjects: Vec<_> = subjects.map(|subject| (subject, Vec::new())).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let (_server, sink) = Process::own(&["sink"]);
    for _ in 0..REPETITIONS {
        for ((name, _), costs) in &mut subjects {
            if let Some((process, port)) = start(name, sink, dir.path()) {
                costs.push(measure(&process, port));
            }
        }
    }
    println!(
        "| proxy | CPU s per GiB | GiB/s | CPU ms per 1000 Pings | p50 us | p99 us | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for ((_, title), costs) in &subjects {
        if costs.is_empty() {
            println!("| {title} | not installed | | | | | |");
            continue;
        }
        let median = |pick: fn(&Cost) -> f64| {
            let mut values: Vec<f64> = costs.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "| {title} | {:.3} | {:.2} | {:.1} | {:.0} | {:.0} | {:.0} |",
            median(|cost| cost.per_gib),
            median(|cost| cost.rate),
            median(|cost| cost.per_thousand),
            median(|cost| cost.p50),
            median(|cost| cost.p99),
            median(|cost| cost.peak)
        );
    }
}
