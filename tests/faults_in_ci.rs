//! The script of docs/faults.md: an upload through five faults, judged by exit code and JUnit file.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output};

/// Runs the script in `dir`, where its rules lie beside it.
fn run(dir: &Path) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_bitstap"));
    let folder = binary.parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("timeout")
        .args(["120", "bash", "./five-faults.sh"])
        .current_dir(dir)
        .env("PATH", format!("{folder}:{path}"))
        .output()
        .expect("bash runs")
}

/// Copies the example, its rules changed by `edit`.
fn example(edit: impl FnOnce(String) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let script = "five-faults.sh";
    std::fs::copy(from.join(script), dir.path().join(script)).expect("a copy");
    let rules = std::fs::read_to_string(from.join("five-faults.toml")).expect("the rules");
    std::fs::write(dir.path().join("five-faults.toml"), edit(rules)).expect("room");
    dir
}

fn verdict(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("verdict.xml")).expect("a verdict was written")
}

#[test]
fn an_upload_comes_through_five_faults_and_the_verdict_says_so() {
    let dir = example(|rules| rules);
    let done = run(dir.path());
    let told = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{told}");
    let verdict = verdict(dir.path());
    assert!(
        verdict.contains(r#"tests="5" skipped="0" errors="0" failures="0""#),
        "{verdict}"
    );
    for rule in [
        "lost-ack",
        "cut-at-5MiB",
        "session-forgotten",
        "rewind",
        "shrink",
    ] {
        assert!(
            verdict.contains(&format!(r#"name="{rule}""#)),
            "{rule}: {verdict}"
        );
    }
}

#[test]
fn the_story_blames_neither_end_for_what_a_rule_did() {
    let dir = example(|rules| rules);
    assert_eq!(run(dir.path()).status.code(), Some(0));
    let told = std::fs::read_to_string(dir.path().join("proxy.json")).expect("lines");
    assert!(
        told.contains("Rule lost-ack dropped the Ack of Fragment 1048576-2097151"),
        "{told}"
    );
    assert!(
        told.contains("got no full answer: the proxy ended the connection"),
        "{told}"
    );
    assert!(!told.contains("the server closed the connection"), "{told}");
    assert!(!told.contains("the client closed the connection"), "{told}");
}

#[test]
fn what_did_not_come_true_is_exit_code_1_and_a_failure_with_its_reason() {
    let dir = example(|rules| {
        let wrong = rules.replacen("fired = 1", "fired = 7", 1);
        assert_ne!(wrong, rules);
        wrong
    });
    let done = run(dir.path());
    assert_eq!(done.status.code(), Some(1));
    let verdict = verdict(dir.path());
    assert!(
        verdict.contains(r#"tests="5" skipped="0" errors="0" failures="1""#),
        "{verdict}"
    );
    assert!(verdict.contains("fired 1 time"), "{verdict}");
}

#[test]
fn the_manual_has_the_script_of_ten_lines() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let script = std::fs::read_to_string(docs.join("examples/five-faults.sh")).expect("the script");
    let manual = std::fs::read_to_string(docs.join("faults.md")).expect("the manual");
    assert!(manual.contains(&format!("```bash\n{script}```")));
    let lines = script.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.count(), 10);
}
