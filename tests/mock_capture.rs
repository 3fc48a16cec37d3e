//! What a mock records of itself, and its screen.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
    pub(crate) mod playing;
    pub(crate) mod recordings;
    #[cfg(unix)]
    pub(crate) mod terminal;
}

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use support::binary::{Running, json, of_type, output};
use support::playing::{capture, captures, closed_uploads, mock, replay};

/// What both ends of an exchange must agree on, whoever records it.
fn story(lines: &[Value]) -> Vec<String> {
    let mut rows: Vec<(u64, String)> = of_type(lines, "exchange")
        .into_iter()
        .map(|row| {
            let fields = ["packet", "status", "range", "received", "error", "outcome"];
            let told = fields.map(|name| row[name].to_string());
            (row["no"].as_u64().unwrap(), told.join(" "))
        })
        .collect();
    rows.sort();
    rows.into_iter().map(|(_, told)| told).collect()
}

#[test]
fn a_mock_records_what_it_tells_and_the_record_plays_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("again.pcapng");
    let path = file.to_str().unwrap();
    for name in ["lost-ack", "session-lost", "upload-reply", "download"] {
        let original = capture(name);
        let _ = std::fs::remove_file(&file);
        let server = mock(&original, &["--capture", path]);
        assert_eq!(server.ready["capture"], path);
        assert_eq!(replay(&original, &server.url(""), &[]).code, Some(0));
        let (_, live) = server.interrupt();
        let recorded = json(&["view", path]);
        assert_eq!(story(&live), story(&recorded), "{name}");
        assert_eq!(closed_uploads(&file), closed_uploads(&original), "{name}");
        let summary = of_type(&live, "summary");
        assert_eq!(summary.len(), 1, "{name}");
        assert_eq!(live.last().unwrap()["type"], "summary", "{name}");
        // The record is as good as what it was made from.
        let again = mock(&file, &[]);
        assert_eq!(replay(&file, &again.url(""), &[]).code, Some(0), "{name}");
    }
}

#[test]
fn the_record_tells_of_what_fits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("again.pcapng");
    let path = file.to_str().unwrap();
    let server = mock(&capture("upload"), &["--capture", path]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .write_all(b"GET /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    server.interrupt();
    let lines = json(&["view", path]);
    let notes = of_type(&lines, "note");
    let told = notes.iter().find(|note| {
        let text = note["text"].as_str().unwrap();
        text.starts_with("unmatched: GET /nowhere was answered 404; closest is exchange")
    });
    assert_eq!(told.unwrap()["exchange"], 1, "{notes:?}");
}

#[test]
fn bodies_are_kept_as_short_as_wanted_and_nothing_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.pcapng");
    let path = file.to_str().unwrap();
    let original = capture("upload");
    let server = mock(&original, &["--capture", path, "--snaplen-body", "16"]);
    assert_eq!(replay(&original, &server.url(""), &[]).code, Some(0));
    server.interrupt();
    assert!(std::fs::metadata(&file).unwrap().len() < 60_000);
    let refused = replay(&file, "http://127.0.0.1:1", &[]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.error.contains("does not hold bytes"),
        "{}",
        refused.error
    );
    let server = mock(&original, &["--no-capture"]);
    assert_eq!(server.ready["capture"], Value::Null);
    let both = output(&[
        "mock",
        original.to_str().unwrap(),
        "--capture",
        path,
        "--no-capture",
    ]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_capture_that_is_read_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("only.pcapng");
    std::fs::copy(capture("upload"), &file).unwrap();
    let before = std::fs::read(&file).unwrap();
    let path = file.to_str().unwrap();
    let refused = output(&["mock", path, "--listen", "127.0.0.1:0", "--capture", path]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("it is one of the captures to read"), "{told}");
}

#[test]
fn every_capture_of_ours_can_be_recorded_while_it_is_played() {
    let folder = tempfile::tempdir().unwrap();
    for (at, original) in captures().iter().enumerate() {
        let file = folder.path().join(format!("{at}.pcapng"));
        let server = mock(original, &["--capture", file.to_str().unwrap()]);
        let played = replay(original, &server.url(""), &[]);
        let (_, live) = server.interrupt();
        let recorded = json(&["view", file.to_str().unwrap()]);
        assert_eq!(story(&live), story(&recorded), "{}", original.display());
        // What cannot be played leaves an empty record.
        assert_eq!(played.code == Some(2), story(&live).is_empty());
    }
}

#[cfg(unix)]
#[test]
fn a_mock_has_the_screen_of_a_proxy() {
    use support::terminal::Terminal;
    let folder = tempfile::tempdir().unwrap();
    let original = capture("upload");
    let dir = folder.path().to_str().unwrap();
    let mut terminal = Terminal::start(
        &[
            "mock",
            original.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--dir",
            dir,
        ],
        40,
        120,
    );
    let screen = terminal.wait("its title", |screen| {
        screen.contents().contains(" mock of upload.pcapng")
    });
    let own = screen
        .split_whitespace()
        .find(|word| word.starts_with("127.0.0.1:"))
        .unwrap()
        .to_owned();
    assert_eq!(
        replay(&original, &format!("http://{own}"), &[]).code,
        Some(0)
    );
    terminal.wait("the session", |screen| {
        let text = screen.contents();
        text.contains("report.csv") && text.contains("closed") && text.contains("Close-Session")
    });
    terminal.press("6");
    terminal.wait_for("is complete: 117 KiB");
    // There is a temporary capture, and it can be kept.
    let saved = folder.path().join("saved.pcapng");
    terminal.press("q");
    terminal.wait_for("save capture as:");
    terminal.press(&format!("{}\r", saved.to_str().unwrap()));
    assert!(terminal.child.wait().unwrap().success());
    assert_eq!(closed_uploads(&saved), closed_uploads(&original));
}

/// A server that listens still ends in good order where nobody reads what it prints.
#[test]
fn the_end_of_a_mock_waits_for_nobody() {
    let server = Running::start(&[
        "mock",
        capture("upload").to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    // It holds a connection on which nothing happens.
    let _idle = TcpStream::connect(server.address()).unwrap();
    let (status, lines) = server.interrupt();
    assert_eq!(status, Some(0));
    assert_eq!(lines.last().unwrap()["type"], "summary");
}
