//! What relaying costs: CPU per GiB of uploads and per thousand Pings, beside nginx and `HAProxy`.
//!
//! `cargo bench --bench relay [-- ours nginx ...]`. Proxies and the server that they stand before run in
//! processes of their own, so that the CPU time of a proxy is its own; the load is made here. Prints a
//! table in Markdown. Reads /proc, so Linux only.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a report for people, about time"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bitstap::relay::{Config, QUEUE, Relay, Upstream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const FRAGMENT: usize = 1 << 20;
const FRAGMENTS: usize = 2048;
const PINGS: usize = 20_000;
const REPETITIONS: usize = 3;
const PING: &[u8] = b"BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nUser-Agent: Microsoft BITS/7.8\r\n\
    BITS-Packet-Type: Ping\r\nBITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n\
    Content-Length: 0\r\n\r\n";
const ACK: &[u8] = b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sink"] => sink(),
        ["proxy", recorder, port] => proxy(recorder, port.parse().expect("a port")),
        _ => compare(&words),
    }
}

/// The server: answers each request once it has all of it.
fn sink() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    for stream in listener.incoming() {
        let stream = stream.expect("a connection");
        thread::spawn(move || serve(stream));
    }
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 1 << 18];
    let mut have = 0;
    loop {
        let end = loop {
            if let Some(end) = find(&buffer[..have]) {
                break end;
            }
            match stream.read(&mut buffer[have..]) {
                Ok(0) | Err(_) => return,
                Ok(count) => have += count,
            }
        };
        let mut body = length(&buffer[..end]).saturating_sub(have - end);
        have = 0;
        while body > 0 {
            let most = body.min(buffer.len());
            match stream.read(&mut buffer[..most]) {
                Ok(0) | Err(_) => return,
                Ok(count) => body -= count,
            }
        }
        if stream.write_all(ACK).is_err() {
            return;
        }
    }
}

fn find(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, after) = head.split_once("content-length:").expect("a length");
    let value = after.split("\r\n").next().unwrap_or_default();
    value.trim().parse().expect("a length")
}

/// Our relay, alone in its process, on one thread.
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
        let relay = Relay::bind(Config::new("127.0.0.1:0", upstream));
        let relay = relay.await.expect("the relay starts");
        println!("{}", relay.addresses()[0].port());
        let stop = CancellationToken::new();
        if recorder == "events" {
            let (send, mut events) = mpsc::channel(QUEUE);
            thread::spawn(move || while events.blocking_recv().is_some() {});
            relay.run(send, stop).await;
        } else {
            relay.run(None, stop).await;
        }
    });
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts this very program in another role and reads its port.
    fn own(args: &[&str]) -> (Self, u16) {
        let program = std::env::current_exe().expect("a path");
        let mut child = Command::new(program)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a port");
        (Self(child), line.trim().parse().expect("a port"))
    }

    fn foreign(program: &str, args: &[&str], port: u16) -> Self {
        let child = Command::new(program)
            .args(args)
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }

    /// CPU seconds of the process and its children so far.
    fn cpu(&self) -> f64 {
        let own = self.0.id();
        let mut all = vec![own];
        for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
            let id = entry.file_name().to_string_lossy().parse::<u32>();
            if let Ok(id) = id
                && stat(id).is_some_and(|stat| stat[1] == u64::from(own))
            {
                all.push(id);
            }
        }
        let ticks = all.iter().filter_map(|id| stat(*id));
        ticks.map(|stat| (stat[11] + stat[12]) as f64 / 100.0).sum()
    }
}

/// The numbers of /proc/PID/stat after the state: the parent at 1, utime at 11, stime at 12.
fn stat(id: u32) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after) = text.rsplit_once(')')?;
    let numbers = after.split_whitespace();
    Some(numbers.map(|word| word.parse().unwrap_or(0)).collect())
}

/// What one run of one proxy cost.
#[derive(Clone, Copy)]
struct Cost {
    per_gib: f64,
    rate: f64,
    per_thousand: f64,
    p50: f64,
    p99: f64,
}

fn measure(process: &Process, port: u16) -> Cost {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let mut ack = [0; 4096];
    let mut answer = |stream: &mut TcpStream| {
        let mut have = 0;
        while find(&ack[..have]).is_none() {
            let count = stream.read(&mut ack[have..]).expect("an answer");
            assert!(count > 0, "the proxy closed the connection");
            have += count;
        }
        assert!(ack.starts_with(b"HTTP/1.1 200"));
    };
    let head = format!("BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nContent-Length: {FRAGMENT}\r\n\r\n");
    let fragment = [head.as_bytes(), &vec![b'x'; FRAGMENT]].concat();
    for _ in 0..16 {
        stream.write_all(&fragment).expect("it takes it");
        answer(&mut stream);
    }
    let (begun, before) = (Instant::now(), process.cpu());
    for _ in 0..FRAGMENTS {
        stream.write_all(&fragment).expect("it takes it");
        answer(&mut stream);
    }
    let gib = (FRAGMENT * FRAGMENTS) as f64 / f64::from(1 << 30);
    let per_gib = (process.cpu() - before) / gib;
    let rate = gib / begun.elapsed().as_secs_f64();

    let before = process.cpu();
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begun = Instant::now();
        stream.write_all(PING).expect("it takes it");
        answer(&mut stream);
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let per_thousand = (process.cpu() - before) * 1e6 / PINGS as f64;
    times.sort_by(f64::total_cmp);
    Cost {
        per_gib,
        rate,
        per_thousand,
        p50: times[PINGS / 2],
        p99: times[PINGS * 99 / 100],
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn nginx(sink: u16, dir: &Path) -> (Process, u16) {
    let port = free_port();
    let config = format!(
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_max_body_size 0; keepalive_requests 10000000; tcp_nodelay on;\n\
         client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;\n\
         uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;\n\
         upstream sink {{ server 127.0.0.1:{sink}; keepalive 16; keepalive_requests 10000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://sink;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_request_buffering off; proxy_buffering off; }} }} }}\n",
        dir = dir.display()
    );
    let path = dir.join("nginx.conf");
    std::fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let args = ["-c", path.as_str()];
    (Process::foreign("/usr/sbin/nginx", &args, port), port)
}

fn haproxy(sink: u16, dir: &Path) -> (Process, u16) {
    let port = free_port();
    let config = format!(
        "global\n nbthread 1\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n \
         timeout server 60s\nfrontend f\n bind 127.0.0.1:{port}\n default_backend b\n\
         backend b\n server s 127.0.0.1:{sink}\n"
    );
    let path = dir.join("haproxy.cfg");
    std::fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let args = ["-db", "-f", path.as_str()];
    (Process::foreign("/usr/sbin/haproxy", &args, port), port)
}

const SUBJECTS: [&str; 5] = ["ours", "ours-events", "ours-threads", "nginx", "haproxy"];

fn start(subject: &str, sink: u16, dir: &Path) -> Option<(Process, u16)> {
    let own = |recorder| Some(Process::own(&["proxy", recorder, &sink.to_string()]));
    match subject {
        "ours" => own("none"),
        "ours-events" => own("events"),
        "ours-threads" => own("threads"),
        "nginx" if Path::new("/usr/sbin/nginx").exists() => Some(nginx(sink, dir)),
        "haproxy" if Path::new("/usr/sbin/haproxy").exists() => Some(haproxy(sink, dir)),
        _ => None,
    }
}

/// Measures each subject in turn, several times, and prints the medians.
fn compare(words: &[&str]) {
    let asked: Vec<&str> = (words.iter().copied())
        .filter(|word| SUBJECTS.contains(word))
        .collect();
    let subjects = if asked.is_empty() {
        SUBJECTS.to_vec()
    } else {
        asked
    };
    let dir = tempfile::tempdir().expect("a directory");
    let (_server, sink) = Process::own(&["sink"]);
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); subjects.len()];
    for _ in 0..REPETITIONS {
        for (subject, costs) in subjects.iter().zip(&mut costs) {
            if let Some((process, port)) = start(subject, sink, dir.path()) {
                costs.push(measure(&process, port));
            }
        }
    }
    println!("| proxy | CPU s per GiB | GiB/s | CPU ms per 1000 Pings | p50 us | p99 us |");
    println!("|---|---|---|---|---|---|");
    for (subject, costs) in subjects.iter().zip(&costs) {
        if costs.is_empty() {
            println!("| {subject} | not installed | | | | |");
            continue;
        }
        let median = |pick: fn(&Cost) -> f64| {
            let mut values: Vec<f64> = costs.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "| {subject} | {:.3} | {:.2} | {:.1} | {:.0} | {:.0} |",
            median(|cost| cost.per_gib),
            median(|cost| cost.rate),
            median(|cost| cost.per_thousand),
            median(|cost| cost.p50),
            median(|cost| cost.p99)
        );
    }
}
