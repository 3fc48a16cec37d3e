//! The golden captures in `captures/`: each opens, tells what it always told, and has its row in the table.
//!
//! `BITSTAP_BLESS=1` writes those anew that a test can make; those of the demo are made by the demo.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/events.rs"]
#[expect(dead_code, unused_imports, reason = "each test file uses a part of it")]
mod events;
#[path = "support/examples.rs"]
mod examples;
#[path = "support/stories.rs"]
mod stories;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use bitstap::capture::{Record, open};
use bitstap::peer::scenes;
use bitstap::report::json;
use bitstap::timeline::{Change, Timeline};
use stories::STORIES;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/captures");
const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");

/// Larger than any story needs, small enough for a repository.
const LARGEST: u64 = 700 << 10;

fn path(name: &str) -> PathBuf {
    Path::new(CAPTURES).join(format!("{name}.pcapng"))
}

/// Returns the names of all captures.
fn names() -> BTreeSet<String> {
    let files = std::fs::read_dir(CAPTURES).unwrap();
    files
        .filter_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".pcapng").map(str::to_owned)
        })
        .collect()
}

/// Returns what `view --json` prints of a capture.
fn lines(path: &Path) -> Vec<String> {
    let reader = open(path).unwrap();
    let start_ns = reader.start_ns();
    let mut timeline = Timeline::new();
    let mut lines = Vec::new();
    let mut found = 0;
    for record in reader {
        match record.unwrap() {
            Record::Event { event, position } => timeline.apply(&event, position),
            Record::Note(note) => panic!("{}: {note}", path.display()),
        }
        print(&mut timeline, start_ns, &mut found, &mut lines);
    }
    timeline.finish();
    print(&mut timeline, start_ns, &mut found, &mut lines);
    let sessions = timeline.sessions().iter();
    lines.extend(sessions.map(|session| json::session(&timeline, session, start_ns)));
    lines.push(json::summary(&timeline.summary(), false));
    lines
}

/// Appends what reached an end since the last call, then the findings that came after `found` others.
fn print(timeline: &mut Timeline, start_ns: u64, found: &mut usize, lines: &mut Vec<String>) {
    for change in timeline.take_changes() {
        lines.push(match change {
            Change::Exchange(no) => {
                let row = &timeline.exchanges()[no as usize - 1];
                json::exchange(timeline, row, start_ns)
            }
            Change::Session(no) => {
                json::session(timeline, &timeline.sessions()[no as usize - 1], start_ns)
            }
            Change::Remark(at) => json::note(&timeline.remarks()[at]),
        });
    }
    let new = &timeline.findings()[*found..];
    lines.extend(new.iter().map(|finding| json::finding(finding, None)));
    *found += new.len();
}

#[test]
fn each_capture_tells_what_it_always_told() {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => true }, {
        for name in names() {
            insta::assert_snapshot!(name.as_str(), lines(&path(&name)).join("\n"));
        }
    });
}

#[test]
fn view_prints_the_same() {
    for name in names() {
        let output = Command::new(env!("CARGO_BIN_EXE_bitstap"))
            .args(["view", "--json"])
            .arg(path(&name))
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut expected = lines(&path(&name));
        let mut printed: Vec<&str> = printed.lines().collect();
        assert_eq!(
            printed.last().copied(),
            expected.last().map(String::as_str),
            "{name}"
        );
        // Findings are told after the exchanges of the batch that they were read with.
        printed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(printed, expected, "{name}");
    }
}

#[test]
fn the_table_the_snapshots_and_the_captures_are_the_same_set() {
    let table = std::fs::read_to_string(Path::new(CAPTURES).join("README.md")).unwrap();
    let rows: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(".pcapng` |"))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(rows, names(), "captures/README.md has a row for each file");

    let snapshots: BTreeSet<String> = std::fs::read_dir(SNAPSHOTS)
        .unwrap()
        .filter_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            let name = name.strip_prefix("golden__")?.strip_suffix(".snap")?;
            Some(name.to_owned())
        })
        .collect();
    assert_eq!(snapshots, names(), "a snapshot for each file");

    let made = STORIES.iter().map(|(name, _)| *name);
    let played = scenes().iter().map(|scene| scene.name);
    let known: BTreeSet<String> = made.chain(played).map(str::to_owned).collect();
    assert_eq!(known, names(), "each file can be made anew");
}

#[test]
fn captures_are_small() {
    let sizes = names()
        .into_iter()
        .map(|name| (std::fs::metadata(path(&name)).unwrap().len(), name));
    let mut sum = 0;
    for (size, name) in sizes {
        assert!(size < LARGEST, "{name} has {size} bytes");
        sum += size;
    }
    assert!(sum < 4 << 20, "all have {sum} bytes");
}

/// A newer writer may find other words for the same events: they are compared, not the file's bytes.
#[test]
fn captures_hold_the_events_of_their_stories() {
    let bless = std::env::var_os("BITSTAP_BLESS").is_some_and(|value| value == "1");
    for (name, story) in STORIES {
        let told = story().events;
        if bless {
            events::write(&path(name), &told);
        }
        let (found, notes) = events::read(&path(name));
        assert_eq!(notes, Vec::<String>::new(), "{name}");
        assert_eq!(events::normal(&found), events::normal(&told), "{name}");
    }
}
