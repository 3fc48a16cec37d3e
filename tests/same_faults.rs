//! `replay --same-faults`: a run that rules disturbed, disturbed again in the same way.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;

use std::fs;
use std::path::Path;

use binary::{Running, json, lines, of_type, output};
use serde_json::Value;

/// An Ack that is lost, an answer of our own, and one of two Fragments drawn by chance.
const RULES: &str = r#"
version = 1
seed = 7

[[rule]]
name = "lost-ack"
when = "bits.type == fragment"
count = { per = "session", skip = 1, times = 1 }
stage = "response.head"
do = [ { drop_response = {} }, { reset = { side = "client" } } ]

[[rule]]
name = "busy"
when = "bits.type == fragment"
count = { per = "session", skip = 4, times = 1 }
stage = "request.head"
do = [ { respond = { status = 503 } } ]

[[rule]]
name = "sometimes"
when = "bits.type == fragment"
chance = 0.5
stage = "request.head"
do = [ { note = { text = "seen" } } ]
"#;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn serve(folder: &Path) -> Running {
    Running::start(&["serve", text(folder), "--listen", "127.0.0.1:0"])
}

/// Records an upload through a proxy, with rules or without.
fn record(folder: &Path, rules: Option<&str>) -> std::path::PathBuf {
    let root = folder.join("first");
    fs::create_dir(&root).unwrap();
    let (capture, file) = (folder.join("run.pcapng"), folder.join("a.bin"));
    fs::write(&file, vec![1; 60_000]).unwrap();
    let server = serve(&root);
    let (url, file_of_rules) = (server.url(""), folder.join("rules.toml"));
    let mut args = vec![
        "proxy",
        "--upstream",
        url.trim_end_matches('/'),
        "--listen",
        "127.0.0.1:0",
        "--capture",
        text(&capture),
        "--until",
        "sessions=1",
    ];
    if let Some(rules) = rules {
        fs::write(&file_of_rules, rules).unwrap();
        args.extend(["--rules", text(&file_of_rules)]);
    }
    let mut proxy = Running::start(&args);
    let sent = output(&[
        "send",
        text(&file),
        &proxy.url("/up/a.bin"),
        "--fragment-size",
        "10000",
        "--retry-delay",
        "1ms",
    ]);
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!(proxy.finish().0, Some(0));
    capture
}

fn notes(lines: &[Value]) -> Vec<&str> {
    let notes = of_type(lines, "note").into_iter();
    notes.filter_map(|line| line["text"].as_str()).collect()
}

#[test]
fn the_same_rules_fire_again_and_nothing_differs() {
    let folder = tempfile::tempdir().unwrap();
    let capture = record(folder.path(), Some(RULES));
    let root = folder.path().join("second");
    fs::create_dir(&root).unwrap();
    let server = serve(&root);
    let to = server.url("/");
    let args = [
        "replay",
        text(&capture),
        "--to",
        &to,
        "--retry-delay",
        "1ms",
    ];
    let played = binary::bitstap(&args)
        .args(["--json", "--same-faults"])
        .output()
        .unwrap();
    let told = lines(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{told:#?}");
    let notes = notes(&told);
    for rule in ["lost-ack fired once", "busy fired once"] {
        let wanted = format!("Rule {rule}, as recorded.");
        assert!(notes.contains(&wanted.as_str()), "{wanted} {notes:?}");
    }
    let drawn = notes.iter().find(|note| note.starts_with("Rule sometimes"));
    assert!(drawn.unwrap().ends_with(", as recorded."), "{notes:?}");
    assert_eq!(fs::read(root.join("up/a.bin")).unwrap(), vec![1; 60_000]);

    // Without, the server does what it does.
    let third = folder.path().join("third");
    fs::create_dir(&third).unwrap();
    let server = serve(&third);
    let to = server.url("/");
    let args = [
        "replay",
        text(&capture),
        "--to",
        &to,
        "--retry-delay",
        "1ms",
    ];
    let plain = binary::bitstap(&args).arg("--json").output().unwrap();
    assert_eq!(plain.status.code(), Some(1));
    assert_eq!(self::notes(&lines(&plain.stdout)), Vec::<&str>::new());
}

#[test]
fn the_server_keeps_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "[[rule]]\nname = 'here'\nwhen = 'bits'\nstage = 'request.head'\ndo = [ { note = { text = 'x' } } ]\n";
    let capture = record(folder.path(), Some(rules));
    let root = folder.path().join("second");
    fs::create_dir(&root).unwrap();
    let server = serve(&root);
    let upstream = server.url("");
    let seen = folder.path().join("seen.pcapng");
    // Another proxy behind the one of the replay sees what it sends.
    let mut between = Running::start(&[
        "proxy",
        "--upstream",
        upstream.trim_end_matches('/'),
        "--listen",
        "127.0.0.1:0",
        "--capture",
        text(&seen),
        "--until",
        "sessions=1",
    ]);
    let address = between.address().to_string();
    let to = between.url("/");
    let played = output(&["replay", text(&capture), "--to", &to, "--same-faults"]);
    assert_eq!(played.status.code(), Some(0), "{played:?}");
    assert_eq!(between.finish().0, Some(0));
    let filter = format!("http.header.host == '{address}'");
    let named = json(&["view", text(&seen), "--filter", &filter]);
    let all = json(&["view", text(&seen)]);
    let count = |lines: &[Value]| of_type(lines, "exchange").len();
    assert!(count(&named) > 2);
    assert_eq!(count(&named), count(&all));
}

#[test]
fn a_capture_without_rules_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let capture = record(folder.path(), None);
    let to = "http://127.0.0.1:9/";
    let played = output(&["replay", text(&capture), "--to", to, "--same-faults"]);
    assert_eq!(played.status.code(), Some(2));
    let error = String::from_utf8_lossy(&played.stderr).into_owned();
    assert!(
        error.contains("tells of no rules") && error.contains("\nhint: "),
        "{error}"
    );
}
