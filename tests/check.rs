//! `bitstap check` as its users run it: reports in four formats, and the exit code.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use std::path::{Path, PathBuf};

use bitstap::capture::{Options, Writer};
use bitstap::event::{ConnId, Direction, Event, Leg, What};
use support::binary::{lines, of_type, output};

/// Writes a capture in which a client closes its session at 10 of 30 bytes.
fn broken(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("broken.pcapng");
    let talk = [
        "BITS_POST /up/a.bin HTTP/1.1\r\nBITS-Packet-Type: Create-Session\r\nBITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\nUser-Agent: Microsoft BITS/7.8\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Protocol: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nAccept-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
        "BITS_POST /up/a.bin HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nContent-Range: bytes 0-9/30\r\nUser-Agent: Microsoft BITS/7.8\r\nHost: h\r\nContent-Length: 10\r\n\r\nalpha,1234",
        "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nBITS-Received-Content-Range: 10\r\nContent-Length: 0\r\n\r\n",
        "BITS_POST /up/a.bin HTTP/1.1\r\nBITS-Packet-Type: Close-Session\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nUser-Agent: Microsoft BITS/7.8\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nContent-Length: 0\r\n\r\n",
    ];
    let mut writer = Writer::create(&path, Options::default()).unwrap();
    let mut write = |at: usize, what| {
        let at = std::time::Duration::from_millis(u64::try_from(at).unwrap());
        let event = Event {
            at,
            conn: ConnId(1),
            leg: Leg::Client,
            what,
        };
        writer.write(&event).unwrap();
    };
    write(
        0,
        What::Opening {
            client: "192.0.2.1:50000".parse().unwrap(),
            server: "192.0.2.2:80".parse().unwrap(),
        },
    );
    write(0, What::Opened);
    for (at, text) in talk.iter().enumerate() {
        let direction = [Direction::ToServer, Direction::ToClient][at % 2];
        let bytes = (*text).into();
        write(at + 1, What::Data { direction, bytes });
    }
    writer.flush().unwrap();
    path
}

fn check(args: &[&str], capture: &Path) -> (Option<i32>, String) {
    let mut all = vec!["check"];
    all.extend_from_slice(args);
    all.push(capture.to_str().unwrap());
    let output = output(&all);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn a_close_before_the_end_is_an_error_with_its_section_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let capture = broken(&folder);
    let (code, text) = check(&[], &capture);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("E BUP-CL-02"), "{text}");
    assert!(text.contains("exchange 3"), "{text}");
    assert!(
        text.contains("W:close-session") || text.contains("2.2.8"),
        "{text}"
    );

    let (code, text) = check(&["--format", "json"], &capture);
    assert_eq!(code, Some(1));
    let told = lines(text.as_bytes());
    let finding = of_type(&told, "finding")
        .into_iter()
        .find(|line| line["id"] == "BUP-CL-02")
        .expect("the finding");
    assert_eq!(finding["level"], "error");
    assert_eq!(finding["who"], "client");
    assert_eq!(finding["exchange"], 3);
    assert_eq!(finding["session"], 1);
    let summary = told.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert!(summary["findings"]["error"].as_u64().unwrap() >= 1);
}

#[test]
fn other_tools_read_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let capture = broken(&folder);
    let (code, xml) = check(&["--format", "junit"], &capture);
    assert_eq!(code, Some(1));
    assert!(xml.starts_with("<?xml"), "{xml}");
    assert!(xml.contains("<failure"), "{xml}");
    assert!(xml.contains("type=\"BUP-CL-02\""), "{xml}");

    let (code, sarif) = check(&["--format", "sarif"], &capture);
    assert_eq!(code, Some(1));
    let document: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let result = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|result| result["ruleId"] == "BUP-CL-02")
        .unwrap();
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "BUP-CL-02");
    assert_eq!(result["level"], "error");
}

#[test]
fn the_level_decides_the_exit_code() {
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/upload.pcapng");
    let good = PathBuf::from(captures);
    let (code, text) = check(&[], &good);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("0 errors, 0 warnings"), "{text}");
    let (code, text) = check(&["--fail-on", "note"], &good);
    assert_eq!(code, Some(1), "{text}");
}
