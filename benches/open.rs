//! Opening a large capture: time and memory of `bitstap view`, beside `tshark -r` on the same file.
//!
//! `cargo bench --bench open [-- EXCHANGES]`; prints a table in Markdown. CPU time is user and system time of
//! the finished processes from /proc, so Linux only.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a report for people, about time"
)]

use std::io::Read;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bitstap::capture::{Options, Writer};
use bitstap::event::{Close, ConnId, Direction, Event, Leg, What};
use bytes::Bytes;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Exchanges of one session: Create-Session, fragments, Close-Session.
const FRAGMENTS: usize = 20;
const PER_SESSION: usize = FRAGMENTS + 2;

fn main() {
    let asked = std::env::args().find_map(|word| word.parse().ok());
    let sizes = asked.map_or_else(|| SIZES.to_vec(), |size| vec![size]);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("large.pcapng");
    println!(
        "| exchanges | MiB | view CPU s | view peak MiB | tshark CPU s | ratio | first screen s |"
    );
    println!("|---|---|---|---|---|---|---|");
    for size in sizes {
        write(&path, size / PER_SESSION);
        let file = path.display().to_string();
        let len = std::fs::metadata(&path).expect("a file").len();
        let view = [env!("CARGO_BIN_EXE_bitstap"), "view", "--json", &file];
        let (ours, peak) = cost(&view);
        let (theirs, _) = cost(&["tshark", "-r", &file]);
        println!(
            "| {size} | {} | {ours:.2} | {peak:.0} | {theirs:.2} | {:.3} | {:.2} |",
            len >> 20,
            ours / theirs,
            first_screen(&path).as_secs_f64()
        );
    }
}

/// Writes a capture of uploads, one after the other.
fn write(path: &Path, sessions: usize) {
    let mut writer = Writer::create(path, Options::default()).expect("a file");
    let mut count = 0;
    for session in 1..=sessions {
        let conn = ConnId(u32::try_from(session).expect("not so many"));
        for what in conversation(session) {
            count += 1;
            let at = Duration::from_micros(count * 50);
            let leg = Leg::Client;
            let event = Event {
                at,
                conn,
                leg,
                what,
            };
            writer.write(&event).expect("a large disk");
        }
    }
    writer.flush().expect("a large disk");
}

fn conversation(session: usize) -> Vec<What> {
    let port = u16::try_from(session % 20_000 + 40_000).expect("a port");
    let mut whats = vec![
        What::Opening {
            client: ([10, 0, 0, 5], port).into(),
            server: ([192, 0, 2, 1], 80).into(),
        },
        What::Opened,
    ];
    let mut say = |packet: &str, fields: &str, body: &str, answer: &str| {
        let request = format!(
            "BITS_POST /up/{session}.bin HTTP/1.1\r\nHost: bits.example.test\r\nUser-Agent: Microsoft BITS/7.8\r\n\
             BITS-Packet-Type: {packet}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = format!(
            "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\n{answer}Content-Length: 0\r\n\r\n"
        );
        let both = [
            (Direction::ToServer, request),
            (Direction::ToClient, answer),
        ];
        whats.extend(both.map(|(direction, text)| What::Data {
            direction,
            bytes: Bytes::from(text),
        }));
    };
    let id = format!("BITS-Session-Id: {{{session:032x}}}\r\n");
    say("Create-Session", "", "", &id);
    for fragment in 0..FRAGMENTS {
        let (first, next) = (fragment * 10, fragment * 10 + 10);
        let fields = format!(
            "{id}Content-Range: bytes {first}-{}/{}\r\n",
            next - 1,
            FRAGMENTS * 10
        );
        let told = format!("BITS-Received-Content-Range: {next}\r\n");
        say("Fragment", &fields, "0123456789", &told);
    }
    say("Close-Session", &id, "", "");
    let how = Close::Fin;
    whats.extend(
        [Direction::ToServer, Direction::ToClient].map(|direction| What::Closed { direction, how }),
    );
    whats
}

/// Runs a command with its output thrown away; returns its CPU seconds and its peak memory in MiB.
fn cost(words: &[&str]) -> (f64, f64) {
    let before = children();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it is installed");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    while child.try_wait().expect("a child").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(number.unwrap_or_default() / 1024.0);
        thread::sleep(Duration::from_millis(5));
    }
    (children() - before, peak)
}

/// CPU seconds of all finished children, from /proc/self/stat.
fn children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after) = stat.rsplit_once(')').expect("a name");
    let ticks = after.split_whitespace().skip(13).take(2);
    ticks
        .filter_map(|word| word.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// Time from the start of `bitstap view` in a terminal until it shows a session.
fn first_screen(capture: &Path) -> Duration {
    let size = PtySize {
        rows: 40,
        cols: 120,
        ..PtySize::default()
    };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_bitstap"));
    command.arg("view");
    command.arg(capture);
    command.env("TERM", "xterm-256color");
    let begun = Instant::now();
    let mut child = pair.slave.spawn_command(command).expect("it starts");
    let mut output = pair.master.try_clone_reader().expect("a terminal");
    let side = |cells| NonZero::new(cells).expect("not zero");
    let mut screen = vt100::Parser::new(side(size.rows), side(size.cols), 0);
    let mut buffer = [0; 4096];
    while !screen.screen().contents().contains("1.bin") {
        let count = output.read(&mut buffer).expect("it draws");
        assert!(count > 0, "it ended");
        screen.process(&buffer[..count]);
    }
    let shown = begun.elapsed();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    shown
}
