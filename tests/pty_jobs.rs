//! Replaying, sending again and exporting in a real terminal, against a real server.
#![cfg(unix)]

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
    pub(crate) mod playing;
    pub(crate) mod recordings;
    pub(crate) mod terminal;
}

use support::binary::{Running, json, of_type};
use support::playing::{capture, mock};
use support::terminal::Terminal;

/// Opens a copy of a capture of ours, and waits until it is read.
fn open(folder: &std::path::Path, name: &str) -> Terminal {
    let path = folder.join("mine.pcapng");
    std::fs::copy(capture(name), &path).unwrap();
    let terminal = Terminal::start(&["view", path.to_str().unwrap()], 40, 120);
    terminal.wait("the file read to its end", |screen| {
        let text = screen.contents();
        text.contains("Close-Session") && text.contains("ended")
    });
    terminal
}

#[test]
fn a_session_is_replayed_and_a_packet_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = mock(&capture("upload"), &[]);
    let mut terminal = open(folder.path(), "upload");
    // Ctrl-U empties the line.
    terminal.press(&format!("r\x15{}\r", server.url("")));
    terminal.wait("what came of it", |screen| {
        let text = screen.contents();
        text.contains("0 differences (Esc closes") && text.contains("on 1 connection")
    });
    assert_eq!(server.wait_for("received")["complete"], true);
    terminal.press("q");
    // The last packet, Close-Session: the session that was recorded is none of this server's.
    terminal.press("2GR\r");
    terminal.wait_for("Send packet");
    terminal.press("y");
    terminal.wait("what came of it", |screen| {
        let text = screen.contents();
        text.contains("Close-Session ->") && text.contains("BG_E_SESSION_NOT_FOUND")
    });
    terminal.press("qq");
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn an_export_masks_credentials_and_asks_before_it_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.pcapng");
    let name = out.to_str().unwrap();
    let mut terminal = open(folder.path(), "upload");
    terminal.press(&format!("x1\x15{name}\r"));
    terminal.wait_for("credentials masked");
    let count = |name: &str| of_type(&json(&["view", name]), "exchange").len();
    let all = count(capture("upload").to_str().unwrap());
    assert_eq!(count(name), all);
    std::fs::write(&out, "mine").unwrap();
    terminal.press(&format!("x1\x15{name}\r"));
    terminal.wait_for("is there already");
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    terminal.press("y");
    terminal.wait("the export", |screen| {
        let text = screen.contents();
        text.contains("credentials masked") && !text.contains("is there already")
    });
    assert_eq!(count(name), all);
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn escape_stops_a_replay_and_so_does_leaving() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever listens and accepts nobody never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", silent.local_addr().unwrap());
    let mut terminal = open(folder.path(), "upload");
    terminal.press(&format!("r\x15{to}\r"));
    terminal.wait_for("0 of 15  Esc stop");
    terminal.press("2");
    terminal.wait("another view while it runs", |screen| {
        let text = screen.contents();
        text.contains("Packets of all sessions") && text.contains("0 of 15  Esc stop")
    });
    terminal.press("\x1b");
    terminal.wait_for("stopped; what was sent before is with the server");
    terminal.press("r\r");
    terminal.wait_for("0 of 15  Esc stop");
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn what_cannot_be_replayed_is_said_in_the_words_of_replay() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = open(folder.path(), "upload");
    terminal.press("r\x15ftp://nowhere\r");
    terminal.wait_for("it does not begin with http:// or https://");
    terminal.press("q");
    terminal.wait("the rows", |screen| {
        !screen.contents().contains("Esc closes")
    });
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn the_upstream_of_a_running_proxy_is_where_a_replay_goes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let server = Running::start(&["serve", root, "--listen", "127.0.0.1:0"]);
    let url = server.url("");
    let upstream = url.trim_end_matches('/');
    let mut terminal = Terminal::start(
        &["proxy", "--upstream", upstream, "--listen", "127.0.0.1:0"],
        40,
        120,
    );
    terminal.wait_for(upstream);
    let screen = terminal.wait("the address", |screen| {
        screen.contents().contains(" -> http://")
    });
    let own = screen
        .split_whitespace()
        .find(|word| word.starts_with("127.0.0.1:"))
        .unwrap()
        .to_owned();
    let file = folder.path().join("a.bin");
    std::fs::write(&file, vec![7; 100_000]).unwrap();
    let sent = support::binary::output(&[
        "send",
        file.to_str().unwrap(),
        &format!("http://{own}/up/a.bin"),
    ]);
    assert!(sent.status.success());
    terminal.wait_for("closed");
    terminal.press("r");
    terminal.wait_for(&format!("replay session to: {upstream}"));
    terminal.press("/again/\r");
    terminal.wait_for("0 differences (Esc closes");
    assert_eq!(
        std::fs::read(folder.path().join("again/up/a.bin")).unwrap(),
        vec![7; 100_000]
    );
    terminal.press("qq");
    terminal.wait_for("save capture as:");
    terminal.press("\r");
    assert!(terminal.child.wait().unwrap().success());
}
