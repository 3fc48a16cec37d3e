//! A run with rules as a whole: files that are broken or change, seeds, expectations, and a run repeated.

use std::fs;

use crate::binary::{bitstap, lines, of_type, output};
use crate::disturbed::{Disturbed, Server, Told, rule};

const EXPECT: &str = "when = \"bits.type == ping\"\ndo = [ { respond = { status = 503 } } ]";

#[test]
fn a_broken_file_stops_the_start_with_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    fs::write(
        &path,
        "[[rule]]\nname = \"r\"\ncount = { tims = 1 }\ndo = [ { reset = {} } ]\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let args = [
        "proxy",
        "--upstream",
        "http://127.0.0.1:9",
        "--listen",
        "127.0.0.1:0",
        "--headless",
        "--rules",
        path,
    ];
    let ended = output(&args);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(
        (ended.status.code(), ended.stdout.len()),
        (Some(2), 0),
        "{told}"
    );
    let wanted = format!("{path}:3:11: error: there is no key `tims`");
    assert!(told.contains(&wanted), "{told}");
    assert!(
        told.contains("3 | count = { tims = 1 }\n  |           ^^^^\nhint: did you mean `times`?"),
        "{told}"
    );

    let missing = folder.path().join("none.toml");
    let args = [
        "proxy",
        "--upstream",
        "http://127.0.0.1:9",
        "--headless",
        "--rules",
        missing.to_str().unwrap(),
    ];
    let ended = output(&args);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        told.contains("none.toml") && told.contains("hint: "),
        "{told}"
    );
}

#[test]
fn a_file_that_changes_comes_into_force_and_a_broken_one_does_not() {
    let run = Disturbed::acking(&rule(EXPECT), &[]);
    // At once: a change right after the start counts as one, too.
    fs::write(run.rules(), rule(&EXPECT.replace("503", "504"))).unwrap();
    run.wait_for("1 rule in force.");
    assert_eq!(run.ping(), "504");
    fs::write(
        run.rules(),
        "[[rule]]\nname = \"r\"\nwhen = \"bits.typ == ping\"\ndo = [ { reset = {} } ]\n",
    )
    .unwrap();
    let text = run.wait_for("The rules stay as they were: ");
    assert!(text.contains("rules.toml:3:9"), "{text}");
    assert_eq!(run.ping(), "504");
    let two = rule(&EXPECT.replace("ping", "fragment"))
        + &EXPECT
            .replace("503", "500")
            .replace("when", "[[rule]]\nname = \"s\"\nwhen");
    fs::write(run.rules(), two).unwrap();
    run.wait_for("2 rules in force.");
    assert_eq!(run.ping(), "500");
    fs::remove_file(run.rules()).unwrap();
    assert_eq!(run.ping(), "500");
    let told = run.end();
    assert_eq!(
        told.exchanges(),
        [
            "Ping 504 injected: r",
            "Ping 504 injected: r",
            "Ping 500 injected: s",
            "Ping 500 injected: s"
        ]
    );
    assert!(told.says("1 rule is in force from here on"));
    assert!(told.says("2 rules are in force from here on"));
}

fn seed_of(told: &Told) -> Option<String> {
    let notes = of_type(&told.view, "note");
    let text = notes.iter().find_map(|line| {
        let text = line["text"].as_str()?;
        text.split_once("with seed ")
            .map(|(_, seed)| seed.to_owned())
    })?;
    text.split(':').next().map(str::to_owned)
}

#[test]
fn a_run_is_repeated_from_its_capture() {
    let rules = rule(
        "chance = 0.5\ncount = { per = \"connection\" }\ndo = [ { respond = { status = 503 } } ]",
    );
    let run = Disturbed::acking(&rules, &[]);
    let seed = run.proxy.ready["seed"].clone();
    let first: Vec<String> = (0..12).map(|_| run.ping()).collect();
    let capture = run.capture();
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("first.pcapng");
    // What was recorded so far is enough; the run's folder goes with it.
    fs::copy(&capture, &kept).unwrap();
    let one = run.end();
    assert_eq!(seed_of(&one), Some(seed.to_string()));

    let again = Disturbed::run(
        tempfile::tempdir().unwrap(),
        Server::Acks,
        &["--rules-from", kept.to_str().unwrap()],
    );
    assert_eq!(again.proxy.ready["seed"], seed);
    let second: Vec<String> = (0..12).map(|_| again.ping()).collect();
    assert_eq!(first, second);
    let other = again.end();
    assert_eq!(one.receipts(), other.receipts());

    let told = bitstap(&[
        "proxy",
        "--upstream",
        "http://127.0.0.1:9",
        "--headless",
        "--rules-from",
    ])
    .arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/captures/upload.pcapng"
    ))
    .output()
    .unwrap();
    assert_eq!(told.status.code(), Some(2));
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        told.contains("tells of no rules") && told.contains("hint: "),
        "{told}"
    );
}

#[test]
fn seeds_come_from_the_command_line_the_file_or_nowhere() {
    let file = "seed = 5\n".to_owned() + &rule(EXPECT);
    let given = Disturbed::acking(&file, &["--seed", "6"]);
    assert_eq!(given.proxy.ready["seed"], 6);
    assert_eq!(seed_of(&given.end()), Some("6".to_owned()));
    let own = Disturbed::acking(&file, &[]);
    assert_eq!(own.proxy.ready["seed"], 5);
    own.end();
    let drawn = Disturbed::acking(&rule(EXPECT), &[]);
    let seed = drawn.proxy.ready["seed"].clone();
    assert!(seed.is_u64(), "{seed}");
    assert_eq!(seed_of(&drawn.end()), Some(seed.to_string()));
}

/// A run with expectations, its JUnit file, and its exit code.
fn judged(expect: &str, pings: usize) -> (Told, String) {
    let rules = rule(&format!(
        "{EXPECT}\ncount = {{ times = 1 }}\nexpect = {expect}"
    ));
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("verdict.xml");
    let run = Disturbed::acking(&rules, &["--junit", junit.to_str().unwrap()]);
    for _ in 0..pings {
        run.ping();
    }
    let told = run.end();
    (told, fs::read_to_string(junit).unwrap())
}

#[test]
fn expectations_decide_about_the_exit_code() {
    let then =
        "{ fired = 1, then = \"bits.type == ping and http.status == 200\", within = \"5m\" }";
    let (told, junit) = judged(then, 2);
    assert_eq!(
        (told.code, told.expectations()),
        (Some(0), vec!["\"r\" true 1".to_owned()])
    );
    assert!(
        junit.contains("tests=\"1\"") && junit.contains("failures=\"0\""),
        "{junit}"
    );

    let (told, junit) = judged(then, 1);
    assert_eq!(
        (told.code, told.expectations()),
        (Some(1), vec!["\"r\" false 1".to_owned()])
    );
    assert!(
        junit.contains("failures=\"1\"") && junit.contains("<failure"),
        "{junit}"
    );

    let (told, _) = judged("{ fired = 2 }", 3);
    assert_eq!(
        (told.code, told.expectations()),
        (Some(1), vec!["\"r\" false 1".to_owned()])
    );
    let last = told.live.last().unwrap();
    assert_eq!(last["type"], "summary");
}

#[test]
fn expectations_about_heads_need_no_capture_that_is_kept() {
    let rules = rule(&format!(
        "{EXPECT}\nexpect = {{ then = \"http.header.host == h.test and http.status == 200\" }}"
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    let two = rules.replace("do =", "count = { times = 1 }\ndo =");
    fs::write(&path, two).unwrap();
    let rules = path.to_str().unwrap();
    let run = Disturbed::bare(&["--rules", rules]);
    assert!(run.proxy.ready["capture"].is_null());
    assert_eq!([run.ping(), run.ping()], ["503", "200"]);
    let (code, _) = run.proxy.interrupt();
    assert_eq!(code, Some(0));

    let args = [
        "proxy",
        "--upstream",
        "http://127.0.0.1:9",
        "--headless",
        "--no-capture",
    ];
    let ended = output(&[&args[..], &["--rules", rules]].concat());
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(
        told.contains("rule r expects a field of a head") && told.contains("hint: "),
        "{told}"
    );
}

#[test]
fn a_capture_with_rules_is_not_an_offence_by_itself() {
    let run = Disturbed::acking(&rule(EXPECT), &[]);
    run.ping();
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("run.pcapng");
    let capture = run.capture();
    run.wait_for("The proxy answers 503 itself");
    fs::copy(capture, &kept).unwrap();
    run.end();
    let checked = output(&["check", "--format", "json", kept.to_str().unwrap()]);
    let lines = lines(&checked.stdout);
    let errors: Vec<_> = of_type(&lines, "finding")
        .into_iter()
        .filter(|line| line["level"] == "error" && line["who"] == "server")
        .collect();
    assert_eq!(of_type(&lines, "summary").len(), 1);
    assert!(errors.is_empty(), "{errors:?}");
}
