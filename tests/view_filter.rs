//! `--filter` of `view`, `check` and `extract` as scripts use it: what is taken, counted, refused.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use std::path::PathBuf;

use serde_json::Value;
use support::binary::{json, lines, of_type, output, sessions};

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
fn a_session_is_printed_with_any_of_its_packets() {
    let (_folder, path) = capture();
    // The one that was forgotten has problems, most of its packets have none.
    let lines = view(&path, "-not problem");
    let numbers = |kind: &str, field: &str| {
        let lines = of_type(&lines, kind);
        let numbers = lines.iter().filter_map(|line| line[field].as_u64());
        numbers.collect::<std::collections::BTreeSet<u64>>()
    };
    assert_eq!(numbers("session", "no"), numbers("exchange", "session"));
    assert_eq!(numbers("session", "no").len(), 2);
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

fn check(path: &std::path::Path, filter: &str) -> (Option<i32>, Vec<Value>) {
    let file = path.to_str().unwrap();
    let out = output(&[
        "check",
        "--format",
        "json",
        "--fail-on",
        "note",
        "--filter",
        filter,
        file,
    ]);
    (out.status.code(), lines(&out.stdout))
}

#[test]
fn check_tells_findings_of_packets_that_match_and_its_exit_code_goes_by_them() {
    let (_folder, path) = capture();
    let (code, all) = check(&path, "");
    let (_, some) = check(&path, "bits.type == ping");
    assert_eq!(code, Some(1));
    let told = |lines: &[Value]| of_type(lines, "finding").len();
    assert!(told(&some) > 0 && told(&some) < told(&all));
    let pings = view(&path, "bits.type == ping");
    for finding in of_type(&some, "finding") {
        let of_ping = |line: &&Value| line["no"] == finding["exchange"];
        assert!(of_type(&pings, "exchange").iter().any(of_ping), "{finding}");
    }
    let summary = some.last().unwrap();
    assert_eq!(summary["exchanges"], of_type(&pings, "exchange").len());
    let counts = summary["findings"].as_object().unwrap().values();
    let counted: u64 = counts.filter_map(Value::as_u64).sum();
    assert_eq!(counted, told(&some) as u64);
    assert_eq!(pings.last().unwrap()["findings"], summary["findings"]);

    let (code, none) = check(&path, "http.header.user-agent contains Mozilla");
    assert_eq!((code, told(&none)), (Some(0), 0));
}

#[test]
fn check_reports_to_other_tools_hold_the_sessions_that_match() {
    let (_folder, path) = capture();
    let file = path.to_str().unwrap();
    let filter = "session.restarts == 0";
    let junit = output(&["check", "--format", "junit", "--filter", filter, file]);
    let xml = String::from_utf8(junit.stdout).unwrap();
    let kept = sessions(&view(&path, filter)).len();
    assert!(kept > 0);
    assert_eq!(xml.matches("name=\"session ").count(), kept, "{xml}");
    let sarif = output(&[
        "check",
        "--format",
        "sarif",
        "--filter",
        "bits.type == ping",
        file,
    ]);
    let document: Value = serde_json::from_slice(&sarif.stdout).unwrap();
    let results = document["runs"][0]["results"].as_array().unwrap();
    let (_, told) = check(&path, "bits.type == ping");
    assert_eq!(results.len(), of_type(&told, "finding").len());
}

#[test]
fn extract_rebuilds_the_files_of_sessions_that_match() {
    let (folder, path) = capture();
    let all = json(&["view", path.to_str().unwrap()]);
    let lost = sessions(&all)
        .into_iter()
        .find(|line| line["restarts"] == 1)
        .unwrap();
    let extract = |filter: &str, out: &str| {
        let out = folder.path().join(out);
        let args = [
            "extract",
            "--filter",
            filter,
            path.to_str().unwrap(),
            "--out",
        ];
        let lines = json(&[&args[..], &[out.to_str().unwrap()]].concat());
        let mut names: Vec<_> = std::fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        (lines, names)
    };
    let (lines, names) = extract("session.restarts == 1", "some");
    let files = of_type(&lines, "file");
    assert!(!files.is_empty());
    assert!(files.iter().all(|file| file["session"] == lost["no"]));
    // What is in the folder is what was told, and the manifest.
    assert_eq!(names.len(), files.len() + 2, "{names:?}");
    assert_eq!(lines.last().unwrap()["sessions"], 1);
    assert_eq!(lines.last().unwrap()["exchanges"], lost["exchanges"]);

    let (by_head, _) = extract("http.header.bits-error-code == 0x8020001F", "head");
    assert_eq!(of_type(&by_head, "file").len(), files.len());
    let (lines, names) = extract("name == nobody", "none");
    assert!(of_type(&lines, "file").is_empty());
    assert_eq!(names, ["manifest.csv", "manifest.json"]);
}

#[test]
fn a_wrong_filter_stops_check_and_extract_before_they_begin() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let place = out.to_str().unwrap();
    for args in [
        vec!["check", "--filter", "http.statsu == 5", "x.pcapng"],
        vec![
            "extract",
            "--filter",
            "http.statsu == 5",
            "x.pcapng",
            "--out",
            place,
        ],
    ] {
        let refused = output(&args);
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("did you mean `http.status`?"), "{said}");
    }
    assert!(!out.exists());
}
