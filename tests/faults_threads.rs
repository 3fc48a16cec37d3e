//! The same seed and the same sessions fire the same, however many threads the proxy runs on and whatever the
//! order of the connections.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use binary::{PATIENCE, bitstap};
use bitstap::capture::{Record, open};
use bitstap::event::{Fact, What};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

const SESSIONS: usize = 200;

/// Chance counted by sessions, URLs, connections, and by the run: before the rule that ends things for others, since
/// which match of the run that one ends is a matter of order.
const RULES: &str = r#"
[[rule]]
name = "slow"
when = "bits"
count = { per = "session" }
chance = 0.3
do = [ { delay = { ms = 1, jitter = 1 } } ]

[[rule]]
name = "told"
when = "bits"
chance = 0.3
do = [ { note = { text = "one of all" } } ]

[[rule]]
name = "refused"
when = "bits.type == fragment"
count = { per = "url" }
chance = 0.3
do = [ { respond = { status = 503 } } ]

[[rule]]
name = "changed"
when = "bits"
count = { per = "connection" }
chance = 0.3
stage = "response.head"
do = [ { set = { headers = { X-Changed = "1" } } } ]
"#;

/// Reads a head, byte by byte.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if reader.read_line(&mut text).ok()? == 0 {
            return None;
        }
    }
    Some(text)
}

/// Answers every packet as a server would, whatever its content.
fn serve(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = head(&mut reader) {
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let length = request
            .split("Content-Length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next());
        let length: u64 = length.and_then(|text| text.parse().ok()).unwrap_or(0);
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {{{path}}}\r\nContent-Length: 0\r\n\r\n"
        );
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// One upload, each packet after the answer to the one before.
fn upload(address: SocketAddr, no: usize) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    for (kind, more, content) in [
        ("Create-Session", "", ""),
        ("Fragment", "Content-Range: bytes 0-4/10\r\n", "01234"),
        ("Fragment", "Content-Range: bytes 5-9/10\r\n", "56789"),
        ("Close-Session", "", ""),
    ] {
        let id = if kind == "Create-Session" {
            String::new()
        } else {
            format!("BITS-Session-Id: {{/up/{no}}}\r\n")
        };
        let request = format!(
            "BITS_POST /up/{no} HTTP/1.1\r\nHost: h.test\r\nBITS-Packet-Type: {kind}\r\n{id}{more}Content-Length: {}\r\n\r\n{content}",
            content.len()
        );
        writer.write_all(request.as_bytes()).unwrap();
        head(&mut reader).expect("an answer");
    }
}

/// Every receipt of a run as (rule, key, match, fired), and how many of them fired.
fn receipts(capture: &Path) -> (BTreeSet<(String, String, u64, bool)>, usize) {
    let mut all = BTreeSet::new();
    let mut fired = 0;
    for record in open(capture).unwrap() {
        let Record::Event { event, .. } = record.unwrap() else {
            panic!("a note about our own file");
        };
        let What::Note(note) = event.what else {
            continue;
        };
        let Fact::Rule(fact) = note.fact else {
            continue;
        };
        let fires = fact.reason.is_empty();
        fired += usize::from(fires);
        let new = all.insert((fact.rule, fact.key, fact.ordinal, fires));
        assert!(new, "a receipt came twice");
    }
    (all, fired)
}

/// Runs all sessions at a time through a proxy with so many threads.
fn run(
    threads: &str,
    order: impl Iterator<Item = usize>,
) -> (BTreeSet<(String, String, u64, bool)>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    let capture = folder.path().join("run.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(|| serve(stream));
        }
    });
    let mut command = bitstap(&["proxy", "--listen", "127.0.0.1:0", "--upstream", &upstream]);
    command.args(["--seed", "20261122", "--rules"]).arg(&rules);
    command.arg("--capture").arg(&capture);
    command.env("TOKIO_WORKER_THREADS", threads);
    let proxy = binary::Running::of(command);
    let address = proxy.address();
    let clients: Vec<_> = order
        .map(|no| std::thread::spawn(move || upload(address, no)))
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let (code, _) = proxy.interrupt();
    assert_eq!(code, Some(0));
    receipts(&capture)
}

#[test]
fn the_number_of_threads_and_the_order_of_sessions_change_no_firing() {
    let (one, fired) = run("1", 0..SESSIONS);
    // Four packets of each session, two of them Fragments.
    let matches = SESSIONS * 4 * 2 + SESSIONS * 2;
    assert!(one.len() > matches, "{}", one.len());
    let share = fired * 100 / one.len();
    assert!((25..=35).contains(&share), "{share} %");
    let (four, again) = run("4", (0..SESSIONS).rev());
    let differ: Vec<_> = one.symmetric_difference(&four).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(fired, again);
}
