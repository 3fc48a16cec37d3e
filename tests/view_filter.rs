//! `view --filter` as scripts use it: what is printed, what is counted, what is refused.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use std::path::PathBuf;

use serde_json::Value;
use support::binary::{json, of_type, output};

/// A capture of the scene in which the server forgets the session.
fn capture() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lost.pcapng");
    let file = path.to_str().unwrap();
    json(&[
        "demo",
        "--headless",
        "--scene",
        "session-lost",
        "--scene",
        "upload",
        "--capture",
        file,
    ]);
    (folder, path)
}

fn view(path: &std::path::Path, filter: &str) -> Vec<Value> {
    json(&["view", "--filter", filter, path.to_str().unwrap()])
}

#[test]
fn only_what_matches_is_printed_and_counted() {
    let (_folder, path) = capture();
    let all = json(&["view", path.to_str().unwrap()]);
    let lines = view(&path, "bits.error == BG_E_SESSION_NOT_FOUND");
    let exchanges = of_type(&lines, "exchange");
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0]["status"], 500);
    let sessions = of_type(&lines, "session");
    assert!(
        !sessions.is_empty()
            && sessions
                .iter()
                .all(|line| line["no"] == exchanges[0]["session"])
    );
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["exchanges"], 1);
    assert_eq!(summary["sessions"], 1);
    assert_eq!(summary["connections"], 1);
    let whole = all.last().unwrap();
    assert!(summary["bytes"]["to_server"].as_u64() < whole["bytes"]["to_server"].as_u64());
}

#[test]
fn what_a_session_became_selects_its_first_packet_too() {
    let (_folder, path) = capture();
    let lines = view(&path, "session.restarts == 1");
    let exchanges = of_type(&lines, "exchange");
    assert!(exchanges.len() > 3);
    assert!(exchanges.iter().any(|line| line["packet"] == "Ping"));
    assert!(
        exchanges
            .iter()
            .all(|line| line["session"] == exchanges[0]["session"])
    );
}

#[test]
fn fields_of_heads_are_read_back() {
    let (_folder, path) = capture();
    let some = view(
        &path,
        "http.header.user-agent contains bitstap and bits.type == ping",
    );
    assert_eq!(of_type(&some, "exchange").len(), 2);
    let none = view(&path, "http.header.user-agent contains Mozilla");
    assert!(of_type(&none, "exchange").is_empty());
    assert_eq!(none.last().unwrap()["exchanges"], 0);
}

#[test]
fn a_gzipped_capture_is_filtered_by_heads_too() {
    let (folder, path) = capture();
    let zipped = folder.path().join("lost.pcapng.gz");
    let file = std::fs::File::create(&zipped).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::copy(&mut std::fs::File::open(&path).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
    let filter = "http.header.bits-packet-type == Close-Session";
    let plain = of_type(&view(&path, filter), "exchange").len();
    assert_eq!(plain, 2);
    assert_eq!(of_type(&view(&zipped, filter), "exchange").len(), plain);
}

#[test]
fn a_wrong_filter_is_refused_with_its_place_and_a_hint() {
    let out = output(&[
        "view",
        "--headless",
        "--filter",
        "http.statsu == 500",
        "x.pcapng",
    ]);
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stdout.is_empty());
    let said = String::from_utf8(out.stderr).unwrap();
    let wanted = "error: cannot read the filter at column 1: there is no field `http.statsu`\n  http.statsu == 500\n  ^^^^^^^^^^^ there is no field `http.statsu`\nhint: did you mean `http.status`?\n";
    assert_eq!(said, wanted);
}
