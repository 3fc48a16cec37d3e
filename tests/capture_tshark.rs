//! What other tools make of our captures, and whether we read other tools' captures as they do.
//!
//! Skipped with a message where `tshark` is not installed or the recordings are not there; with
//! `CI=true` that is a failure.

#[path = "support/events.rs"]
mod events;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bitstap::capture::{CaptureFile, Options, Record, Writer, open};
use bitstap::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, What};
use bitstap::timeline::{ReadBack, Span};
use events::*;

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = match Command::new(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "{program}: {error}"
            );
            eprintln!("skipped: {program}: {error}");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn tshark(path: &Path, arguments: &[&str]) -> Option<String> {
    let mut all = vec!["-r", path.to_str().unwrap()];
    all.extend_from_slice(arguments);
    run("tshark", &all)
}

/// A note that belongs to no connection.
fn rules() -> What {
    let rules = bitstap::event::RulesFact {
        seed: 7,
        part: 1,
        parts: 1,
        source: "version = 1\n".to_owned(),
    };
    note("No rule is in force.", Fact::Rules(Box::new(rules)))
}

/// Every ordinary thing, on both IP versions.
fn ordinary() -> Vec<Event> {
    use Leg::{Client, Upstream};
    let body = |len: usize| (0..249).cycle().take(len).collect::<Vec<u8>>();
    let mut events = vec![
        event(0, 0, Client, rules()),
        event(5, 1, Client, opening("127.0.0.1:50112", "127.0.0.1:8080")),
        event(5, 1, Client, What::Opened),
        event(
            6,
            1,
            Client,
            data(
                ToServer,
                "BITS_POST /up HTTP/1.1\r\nContent-Length: 262144\r\n\r\n",
            ),
        ),
        event(
            7,
            1,
            Upstream,
            opening("[2001:db8::1]:4000", "[2001:db8::9]:80"),
        ),
        event(8, 1, Upstream, What::Opened),
        event(9, 1, Upstream, note("TLS is up.", Fact::Other)),
        event(9, 1, Upstream, note("Nothing else.", Fact::Other)),
        event(9, 1, Upstream, note("Really.", Fact::Other)),
        event(10, 1, Client, data(ToServer, body(262_144))),
        event(
            10,
            1,
            Upstream,
            data(
                ToServer,
                "BITS_POST /up HTTP/1.1\r\nContent-Length: 262144\r\n\r\n",
            ),
        ),
        event(
            10,
            1,
            Upstream,
            missing(ToServer, 262_144, Missing::NotKept),
        ),
        event(
            11,
            1,
            Upstream,
            data(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ),
        event(
            12,
            1,
            Client,
            data(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ),
        event(13, 1, Client, note("A mark.", Fact::Other)),
    ];
    // Longer than a window, and without an answer.
    events.extend((0..300).map(|i| event(20 + i, 1, Client, data(ToServer, body(262_144)))));
    events.extend([
        event(400, 1, Client, closed(ToServer, Close::Fin)),
        event(401, 1, Upstream, closed(ToServer, Close::Fin)),
        event(402, 1, Upstream, closed(ToClient, Close::Fin)),
        event(403, 1, Client, closed(ToClient, Close::Fin)),
        event(
            404,
            1,
            Client,
            note(
                "The client ended it.",
                Fact::Closing {
                    reason: "quit".to_owned(),
                },
            ),
        ),
        event(410, 2, Upstream, opening("10.0.0.1:1000", "10.0.0.2:80")),
        event(
            411,
            2,
            Upstream,
            note(
                "Refused.",
                Fact::ConnectFailed {
                    reason: "refused".to_owned(),
                    status: Some(502),
                },
            ),
        ),
        event(412, 2, Upstream, closed(ToClient, Close::Reset)),
        event(420, 3, Client, joined("10.0.0.3:1000", "10.0.0.2:8080")),
        event(
            421,
            3,
            Client,
            data(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ),
        event(422, 3, Client, data(ToServer, "GET / HTTP/1.1\r\n\r\n")),
        event(423, 3, Client, closed(ToServer, Close::Reset)),
    ]);
    events
}

#[test]
fn tshark_finds_nothing_to_complain_about() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    write(&path, &ordinary());
    let Some(expert) = tshark(
        &path,
        &[
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
            "-q",
            "-z",
            "expert",
        ],
    ) else {
        return;
    };
    for word in [
        "Malformed",
        "etransmission",
        "out-of-order",
        "Duplicate",
        "captured",
        "hecksum",
        "full",
        "Keep-alive",
        "reused",
        "Errors",
    ] {
        assert!(!expert.contains(word), "{word}:\n{expert}");
    }
    let status = tshark(
        &path,
        &[
            "-o",
            "tcp.check_checksum:TRUE",
            "-T",
            "fields",
            "-e",
            "tcp.checksum.status",
        ],
    )
    .unwrap();
    // The first packet belongs to no connection.
    assert!(status.starts_with('\n'), "{status}");
    let lines: Vec<&str> = status.lines().skip(1).collect();
    // 1 is good; 2, not verified, are the packets that were cut on purpose.
    assert!(
        lines.iter().all(|line| ["1", "2"].contains(line)),
        "{status}"
    );
    assert!(lines.iter().filter(|line| **line == "2").count() <= 8);
}

#[test]
fn tshark_shows_comments_and_interfaces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    write(&path, &ordinary());
    let fields = [
        "-T",
        "fields",
        "-e",
        "frame.interface_description",
        "-e",
        "frame.comment",
    ];
    let Some(shown) = tshark(&path, &fields) else {
        return;
    };
    assert!(shown.contains("client<->proxy\tConnection 1, client leg, begins."));
    assert!(shown.contains(r#""conn":1,"leg":"client"}"#), "{shown}");
    assert!(shown.starts_with("client<->proxy\tNo rule is in force."));
    assert!(shown.contains("proxy<->upstream\tRefused."));
    assert!(shown.contains(r#"{"fact":"connect-failed","reason":"refused","status":502}"#));
}

#[test]
fn tshark_follows_our_streams() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let events = ordinary();
    write(&path, &events);
    let Some(followed) = follow(&path, 0) else {
        return;
    };
    assert!(followed.ends[0].ends_with(":50112"));
    assert!(followed.to_server == stream(&events, 1, Leg::Client, ToServer));
    assert!(followed.to_client == stream(&events, 1, Leg::Client, ToClient));
}

#[test]
fn editcap_and_mergecap_leave_it_readable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let events = ordinary();
    write(&path, &events);
    let (original, edited) = (path.to_str().unwrap(), dir.path().join("edited.pcapng"));
    if run("editcap", &[original, edited.to_str().unwrap()]).is_none() {
        return;
    }
    assert_eq!(normal(&read(&edited).0), normal(&events));

    // Merged with another of ours, whose connections have the same numbers and other ends.
    let other = dir.path().join("other.pcapng");
    let options = Options {
        start_ns: START + 3,
        ..Options::default()
    };
    let mut writer = Writer::create(&other, options).unwrap();
    writer
        .write(&event(
            9,
            1,
            Leg::Client,
            opening("10.9.9.9:9", "10.9.9.1:80"),
        ))
        .unwrap();
    writer
        .write(&event(
            9,
            1,
            Leg::Client,
            data(ToServer, "GET /other HTTP/1.1\r\n\r\n"),
        ))
        .unwrap();
    writer.flush().unwrap();
    let merged = dir.path().join("merged.pcapng");
    let merge = [
        "-w",
        merged.to_str().unwrap(),
        original,
        other.to_str().unwrap(),
    ];
    run("mergecap", &merge).unwrap();
    assert!(!open(&merged).unwrap().is_ours());
    let (read, notes) = read(&merged);
    assert!(notes.is_empty(), "{notes:?}");
    let conns: std::collections::BTreeSet<ConnId> = read.iter().map(|event| event.conn).collect();
    // Number 0 is what belongs to none.
    assert_eq!(conns.len(), 5);
    assert!(stream(&read, 1, Leg::Client, ToServer) == stream(&events, 1, Leg::Client, ToServer));
}

struct Followed {
    ends: [String; 2],
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

/// Asks tshark for the bytes of TCP stream `number`; holes are left out.
fn follow(path: &Path, number: usize) -> Option<Followed> {
    let text = tshark(path, &["-q", "-z", &format!("follow,tcp,raw,{number}")])?;
    let end = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    let mut followed = Followed {
        ends: [end("Node 0:"), end("Node 1:")],
        to_server: Vec::new(),
        to_client: Vec::new(),
    };
    let lines = text.lines().skip_while(|line| !line.starts_with("Node 1"));
    for line in lines.skip(1).filter(|line| !line.starts_with('=')) {
        let (into, hex) = match line.strip_prefix('\t') {
            Some(hex) => (&mut followed.to_client, hex),
            None => (&mut followed.to_server, line),
        };
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        // tshark writes holes as text: "[N bytes missing in capture file]", then a zero.
        if !bytes.starts_with(b"[") || !bytes.windows(8).any(|part| part == b"missing ") {
            into.extend(bytes);
        }
    }
    Some(followed)
}

fn recordings() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/pcaps");
    let Ok(entries) = fs::read_dir(&dir) else {
        eprintln!("skipped: no recordings at {}", dir.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "pcap"));
    paths.sort();
    paths
}

fn client_of(events: &[Event], conn: u32) -> String {
    events
        .iter()
        .find_map(|event| match &event.what {
            What::Opening { client, .. } | What::Joined { client, .. }
                if event.conn == ConnId(conn) =>
            {
                Some(client.to_string())
            }
            _ => None,
        })
        .unwrap()
}

#[test]
fn recordings_are_read_as_tshark_reads_them() {
    for path in recordings() {
        let (events, notes) = read(&path);
        assert_eq!(notes, Vec::<String>::new(), "{}", path.display());
        let count = events.iter().map(|event| event.conn.0).max().unwrap();
        for conn in 1..=count {
            let Some(followed) = follow(&path, conn as usize - 1) else {
                return;
            };
            let mut theirs = [followed.to_server, followed.to_client];
            if client_of(&events, conn) != followed.ends[0] {
                theirs.reverse();
            }
            for (direction, theirs) in [ToServer, ToClient].into_iter().zip(theirs) {
                let ours = stream(&events, conn, Leg::Client, direction);
                let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
                assert!(
                    ours == theirs,
                    "{} connection {conn} {direction:?}: {} and {} bytes, {same} equal",
                    path.display(),
                    ours.len(),
                    theirs.len(),
                );
            }
        }
    }
}

#[test]
fn rewritten_recordings_are_the_same_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    for path in recordings() {
        let copy = dir.path().join("copy.pcapng");
        let mut imported = Vec::new();
        let mut writer = Writer::create(&copy, Options::default()).unwrap();
        for record in open(&path).unwrap() {
            if let Record::Event { event, .. } = record.unwrap() {
                let position = writer.write(&event).unwrap();
                imported.push((event, position));
            }
        }
        writer.flush().unwrap();
        let (original, _) = read(&path);
        let events: Vec<Event> = imported.iter().map(|(event, _)| event.clone()).collect();
        assert_eq!(events, original);
        assert_eq!(
            normal(&read(&copy).0),
            normal(&original),
            "{}",
            path.display()
        );
        let file = CaptureFile::open(&copy).unwrap();
        let mut bases = std::collections::HashMap::<(ConnId, Direction), u64>::new();
        for (event, position) in &imported {
            let (direction, len) = match &event.what {
                What::Data { direction, bytes } => (*direction, bytes.len() as u64),
                What::Missing { direction, len, .. } => (*direction, *len),
                _ => continue,
            };
            let base = bases.entry((event.conn, direction)).or_default();
            let span = Span {
                conn: event.conn,
                leg: event.leg,
                direction,
                position: *position,
                base: *base,
                offset: *base,
                len,
            };
            *base += len;
            let chunk = file.read(span, 0, usize::MAX).unwrap();
            assert_eq!(chunk.bytes.len() as u64, len);
            if let What::Data { bytes, .. } = &event.what {
                assert!(chunk.bytes == *bytes && chunk.holes.is_empty());
            } else {
                assert_eq!(chunk.holes.len(), 1);
            }
        }
    }
}
