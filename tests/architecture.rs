//! Holds the table of floors: which room may import which, and what the pure rooms may not touch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms that it may import, as drawn in `src/lib.rs`.
const FLOORS: [(&str, &[&str]); 13] = [
    ("event", &[]),
    ("wire", &[]),
    ("bits", &["wire"]),
    ("timeline", &["bits", "wire", "event"]),
    ("fault", &["timeline", "bits", "wire", "event"]),
    ("report", &["timeline", "bits", "wire", "event"]),
    ("capture", &["timeline", "wire", "event"]),
    ("export", &["report", "timeline", "bits", "wire", "event"]),
    ("extract", &["report", "timeline", "bits", "wire", "event"]),
    ("relay", &["fault", "timeline", "bits", "wire", "event"]),
    (
        "tui",
        &["report", "timeline", "fault", "bits", "wire", "event"],
    ),
    (
        "peer",
        &["capture", "report", "timeline", "bits", "wire", "event"],
    ),
    (
        "cli",
        &[
            "peer", "tui", "export", "extract", "relay", "capture", "report", "timeline", "fault",
            "bits", "wire", "event",
        ],
    ),
];

/// Rooms whose input is hostile and whose output depends on nothing but their input.
const PURE: [&str; 6] = ["event", "wire", "bits", "timeline", "fault", "report"];

/// What a pure room may not name, and what it would be.
const IMPURE: [(&str, &str); 13] = [
    ("tokio", "a runtime"),
    ("TcpStream", "a socket"),
    ("TcpListener", "a socket"),
    ("UdpSocket", "a socket"),
    ("std::fs", "files"),
    ("File::open", "files"),
    ("File::create", "files"),
    ("std::thread", "threads"),
    ("Instant::now", "a clock"),
    ("SystemTime::now", "a clock"),
    ("Timestamp::now", "a clock"),
    ("Zoned::now", "a clock"),
    ("std::env", "the environment"),
];

/// The source files of each room, tests at their ends cut off, comments left out.
fn rooms() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms = BTreeMap::<String, Vec<(PathBuf, String)>>::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let within = path.strip_prefix(&root).unwrap();
            let first = within.iter().next().unwrap().to_str().unwrap();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let code: Vec<&str> = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            rooms.entry(room).or_default().push((path, code.join("\n")));
        }
    }
    rooms
}

/// Yields the first segment of every path that starts with `crate::`, groups in braces included.
fn imports(code: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        if let Some(group) = after.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && !c.is_whitespace() => {
                        found.push(word(&group[at..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.push(word(after));
        }
    }
    found
}

#[test]
fn rooms_import_only_from_the_floors_below() {
    let rooms = rooms();
    let known: Vec<&str> = FLOORS.iter().map(|(room, _)| *room).collect();
    for room in rooms.keys() {
        assert!(
            known.contains(&room.as_str()) || room == "lib" || room == "main",
            "room `{room}` has no row in FLOORS"
        );
    }
    for (room, allowed) in FLOORS {
        let files = rooms.get(room).expect(room);
        for (path, code) in files {
            for import in imports(code) {
                if !known.contains(&import.as_str()) || import == room {
                    continue;
                }
                assert!(
                    allowed.contains(&import.as_str()),
                    "{} imports `{import}`, which `{room}` may not know",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn pure_rooms_touch_no_socket_file_thread_or_clock() {
    let rooms = rooms();
    for room in PURE {
        for (path, code) in rooms.get(room).expect(room) {
            for (word, what) in IMPURE {
                assert!(
                    !code.contains(word),
                    "{} names {what} (`{word}`), but `{room}` is pure",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_import_reader_sees_groups_and_nested_paths() {
    let code = "use crate::{event::{A, B}, wire::C};\nuse crate::bits::D;\ncrate::tui::run()";
    assert_eq!(imports(code), ["event", "wire", "bits", "tui"]);
}

#[test]
fn every_source_file_opens_with_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests", "benches", "fuzz/fuzz_targets"] {
        let mut folders = vec![root.join(folder)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    assert!(
                        text.starts_with("//!") || text.starts_with("#![no_main]\n//!"),
                        "{} does not open with a `//!` comment",
                        path.display()
                    );
                    let lines = text.lines().count();
                    assert!(lines <= 500, "{} has {lines} lines", path.display());
                }
            }
        }
    }
}
