//! Rebuilt files equal what a model of the server holds; no name leads out of the folder; real traffic.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/conversation.rs"]
mod conversation;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bitstap::event::{Close, Direction, Event, Leg, Missing, What};
use bitstap::extract::{Extraction, Manifest};
use conversation::{Talk, cut, timeline};
use proptest::prelude::*;

/// Size of the file in the model.
const TOTAL: usize = 64;

/// What happens to a fragment.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    /// The server takes it; the answer never comes.
    Unanswered,
    /// It breaks off after so many bytes; the server takes these.
    Cut(usize),
    /// 413.
    Refused,
    /// The server lost what lies behind this offset, and says so with 416.
    Rewound(usize),
}

#[derive(Clone, Copy, Debug)]
struct Step {
    first: usize,
    len: usize,
    fate: Fate,
    /// Bytes of the content that the capture lacks: first and length.
    hole: (usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        4 => Just(Fate::Answered),
        2 => Just(Fate::Unanswered),
        1 => (0_usize..20).prop_map(Fate::Cut),
        1 => Just(Fate::Refused),
        1 => (0_usize..TOTAL).prop_map(Fate::Rewound),
    ];
    let hole = prop_oneof![3 => Just((0, 0)), 1 => (0_usize..20, 1_usize..8)];
    let step =
        (0_usize..TOTAL, 1_usize..20, fate, hole).prop_map(|(first, len, fate, hole)| Step {
            first,
            len,
            fate,
            hole,
        });
    prop::collection::vec(step, 0..30)
}

/// The model: what the server holds, what it told last, the latest copy of each byte that passed.
#[derive(Debug, Default)]
struct Model {
    held: Vec<(u8, bool)>,
    told: usize,
    passed: BTreeMap<usize, u8>,
}

impl Model {
    /// Win32 "Fragment": a server stores the new part, and nothing behind a gap.
    fn store(&mut self, first: usize, content: &[(u8, bool)]) -> u16 {
        let Some(known) = self.held.len().checked_sub(first) else {
            return 416;
        };
        self.held.extend(content.iter().skip(known));
        200
    }
}

/// Plays one step in the conversation and in the model; `copy` marks its bytes.
fn play(talk: &mut Talk, model: &mut Model, step: Step, copy: u8) {
    // Mostly where the client should go on, so that a file comes about.
    let first = if step.first.is_multiple_of(3) {
        step.first
    } else {
        model.held.len().saturating_sub(step.first % 4)
    };
    let len = step.len.min(TOTAL.saturating_sub(first));
    if len == 0 {
        return;
    }
    let (hole, gone) = (step.hole.0.min(len), step.hole.1);
    let content: Vec<(u8, bool)> = (0..len)
        .map(|at| (copy, !(hole..hole + gone).contains(&at)))
        .collect();
    let sent = match step.fate {
        Fate::Cut(len) => &content[..len.min(content.len())],
        _ => &content[..],
    };
    let last = first + len - 1;
    talk.say(&format!(
        "> BITS_POST /up/f HTTP/1.1\n> BITS-Packet-Type: Fragment\n> BITS-Session-Id: {{1}}\n> Host: a\n\
         > Content-Range: bytes {first}-{last}/{TOTAL}\n> Content-Length: {len}\n>"
    ));
    for part in sent.chunk_by(|one, next| one.1 == next.1) {
        let bytes: Vec<u8> = part.iter().map(|byte| byte.0).collect();
        if part[0].1 {
            talk.bytes(Direction::ToServer, &bytes);
        } else {
            talk.missing(Direction::ToServer, part.len() as u64, Missing::NotSeen);
        }
    }
    for (at, byte) in (first..).zip(sent) {
        if byte.1 {
            model.passed.insert(at, byte.0);
        }
    }
    let status = match step.fate {
        Fate::Answered => model.store(first, sent),
        Fate::Unanswered | Fate::Cut(_) => {
            model.store(first, sent);
            talk.close(Direction::ToServer, Close::Reset)
                .connect("10.0.0.5");
            return;
        }
        Fate::Refused => {
            talk.say("< HTTP/1.1 413 X\n< BITS-Packet-Type: Ack\n< Content-Length: 0\n<");
            return;
        }
        Fate::Rewound(to) => {
            model.held.truncate(to);
            416
        }
    };
    model.told = model.held.len();
    let told = model.told;
    talk.say(&format!(
        "< HTTP/1.1 {status} X\n< BITS-Packet-Type: Ack\n< BITS-Received-Content-Range: {told}\n< Content-Length: 0\n<"
    ));
}

fn rebuild(events: &[Event], out: &Path) -> Manifest {
    let mut timeline = timeline(events);
    timeline.finish();
    let mut extraction = Extraction::begin(&timeline, out).unwrap();
    for event in events {
        extraction.apply(event).unwrap();
    }
    extraction.finish(0, Vec::new(), Vec::new()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_rebuilt_is_what_the_server_holds(steps in steps(), piece in 1_usize..40) {
        let mut talk = Talk::new();
        let mut model = Model::default();
        for (copy, step) in (b'a'..).zip(steps) {
            play(&mut talk, &mut model, step, copy);
        }
        talk.hang_up();
        let folder = tempfile::tempdir().unwrap();
        let manifest = rebuild(&cut(&talk.events, || piece), folder.path());
        if manifest.files.is_empty() {
            prop_assert!(model.passed.is_empty() && model.told == 0);
            return Ok(());
        }
        let [sent, held] = &manifest.files[..] else {
            panic!("two files: {manifest:?}");
        };
        let content = |file: &str| fs::read(folder.path().join(file)).unwrap();
        let has = |gaps: &[bitstap::extract::Gap], at: usize| {
            let at = at as u64;
            !gaps.iter().any(|gap| gap.start <= at && at <= gap.end)
        };

        let bytes = content(&held.file);
        prop_assert_eq!(bytes.len() as u64, held.size);
        for at in 0..TOTAL {
            let expected = model.held[..model.told].get(at).filter(|byte| byte.1);
            prop_assert_eq!(has(&held.gaps, at), expected.is_some(), "byte {}", at);
            if let Some(expected) = expected {
                prop_assert_eq!(bytes[at], expected.0, "byte {}", at);
            } else if let Some(byte) = bytes.get(at) {
                prop_assert_eq!(*byte, 0, "nothing stale at {}", at);
            }
        }
        let bytes = content(&sent.file);
        for at in 0..TOTAL {
            let expected = model.passed.get(&at);
            prop_assert_eq!(has(&sent.gaps, at), expected.is_some(), "sent byte {}", at);
            prop_assert_eq!(bytes.get(at).filter(|byte| **byte != 0), expected, "sent byte {}", at);
        }
    }

    #[test]
    fn no_name_leads_out_of_the_folder(names in prop::collection::vec(r"[./\\:~ aA\-]{0,12}|(con|NUL|Com1)(\.txt)?|\PC{0,300}", 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("inner").join("out");
        let mut talk = Talk::silent();
        for (number, name) in names.iter().enumerate() {
            talk.connect("10.0.0.5");
            let head = format!(
                "BITS_POST /up/{number} HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nHost: a\r\nContent-Name: {name}\r\n\
                 Content-Range: bytes 0-0/1\r\nContent-Length: 1\r\n\r\nx"
            );
            talk.bytes(Direction::ToServer, head.as_bytes());
            talk.say("< HTTP/1.1 200 OK\n< BITS-Packet-Type: Ack\n< Content-Length: 0\n<");
            talk.hang_up();
        }
        let manifest = rebuild(&talk.events, &out);
        prop_assert_eq!(manifest.files.len(), names.len() * 2);
        let listed = |path: &Path| -> Vec<String> {
            let entries = fs::read_dir(path).unwrap();
            let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        prop_assert_eq!(listed(folder.path()), ["inner"]);
        prop_assert_eq!(listed(&folder.path().join("inner")), ["out"]);
        let mut expected: Vec<String> = manifest.files.iter().map(|row| row.file.clone()).collect();
        expected.extend(["manifest.csv".to_owned(), "manifest.json".to_owned()]);
        expected.sort();
        prop_assert_eq!(listed(&out), expected);
        for row in &manifest.files {
            prop_assert_eq!(fs::read(out.join(&row.file)).unwrap(), b"x");
        }
    }
}

#[test]
fn offsets_beyond_any_file_stop_nothing() {
    let mut talk = Talk::new();
    for (first, total) in [
        ("0", "2"),
        ("9000000000000000000", "9000000000000000001"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        talk.say(&format!(
            "> BITS_POST /up/f HTTP/1.1\n> BITS-Packet-Type: Fragment\n> Host: a\n> Content-Length: 1\n\
             > Content-Range: bytes {first}-{first}/{total}\n>\n> x\n< HTTP/1.1 200 OK\n< BITS-Packet-Type: Ack\n\
             < BITS-Received-Content-Range: 18446744073709551615\n< Content-Length: 0\n<"
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let manifest = rebuild(&talk.events, folder.path());
    assert_eq!(manifest.files[0].size, 1);
    assert_eq!(manifest.files[0].notes.len(), 1);
    assert!(!manifest.files[0].complete && !manifest.files[1].complete);
}

#[test]
fn the_binary_says_one_line_a_file_and_refuses_a_folder_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("c.pcapng");
    let mut writer =
        bitstap::capture::Writer::create(&capture, bitstap::capture::Options::default()).unwrap();
    let mut talk = Talk::new();
    talk.say(
        "> BITS_POST /up/r.csv HTTP/1.1\n> BITS-Packet-Type: Fragment\n> Host: a\n> Content-Length: 3\n\
         > Content-Range: bytes 0-2/3\n> User-Agent: =Microsoft BITS/7.8\n>\n> abc\n\
         < HTTP/1.1 200 OK\n< BITS-Packet-Type: Ack\n< Content-Length: 0\n<",
    );
    talk.hang_up();
    for event in &talk.events {
        writer.write(event).unwrap();
    }
    writer.flush().unwrap();
    let out = folder.path().join("out");
    let args = [
        "extract",
        capture.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let lines = binary::json(&args);
    let files = binary::of_type(&lines, "file");
    assert_eq!(files.len(), 2);
    assert_eq!(files[0]["file"], "r.csv");
    assert_eq!(files[1]["copy"], "acknowledged");
    assert_eq!(files[1]["complete"], true);
    assert_eq!(lines.last().unwrap()["type"], "summary");
    assert_eq!(fs::read(out.join("r.csv.acknowledged")).unwrap(), b"abc");

    let manifest = fs::read(out.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(&manifest["files"][0], files[0]);
    let table = fs::read_to_string(out.join("manifest.csv")).unwrap();
    assert!(table.contains("\"'=Microsoft BITS/7.8\""), "{table}");

    let again = binary::output(&args);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        said.contains("already holds") && said.contains("hint:"),
        "{said}"
    );
}

#[test]
fn a_session_that_never_began_makes_no_file() {
    let mut talk = Talk::new();
    talk.push(Leg::Client, What::Opened);
    talk.say(
        "> GET /x HTTP/1.1\n> User-Agent: curl\n>\n< HTTP/1.1 200 OK\n< Content-Length: 1\n<\n< x",
    );
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(rebuild(&talk.events, folder.path()).files, []);
}

/// Real traffic: capture, file, size, beginning of its SHA-256, complete.
const RECORDINGS: &[(&str, &str, u64, &str, bool)] = &[
    ("dolphin__upload", "upload", 307_200, SAME, true),
    (
        "dolphin__upload",
        "upload.acknowledged",
        307_200,
        SAME,
        true,
    ),
    (
        "gobits15__resume",
        "resume.bin.acknowledged",
        307_200,
        SAME,
        true,
    ),
    (
        "usis__upload",
        "upload.bin.acknowledged",
        307_200,
        SAME,
        true,
    ),
    ("wine__session-nginx", "big300k.bin", 307_200, SAME, true),
    ("wine__session-nginx", "zero.bin", 0, "e3b0c442", true),
    (
        "fkadibs__cancel",
        "cancel.bin.acknowledged",
        65_536,
        "322ff7f9",
        false,
    ),
    // The RFC as its editor publishes it, with CRLF.
    ("mcbup-4.1-upload", "rfc2119.txt", 4892, "dfab02f2", true),
    (
        "mcbup-4.2-upload-reply",
        "rfc2119.txt.acknowledged",
        4892,
        "dfab02f2",
        true,
    ),
    (
        "mcbup-4.2-upload-reply",
        "rfc2119.txt.reply",
        590,
        "6cdac3dc",
        false,
    ),
];

const SAME: &str = "45b69245";

#[test]
fn other_peoples_uploads_and_downloads_are_rebuilt() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/pcaps"));
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(
        folder.is_dir() || !ci,
        "CI=true, but {folder:?} is not there"
    );
    if !folder.is_dir() {
        eprintln!("left out: {folder:?} is not there");
        return;
    }
    for (capture, file, size, sum, complete) in RECORDINGS {
        let path = folder.join(format!("{capture}.pcap"));
        let mut events = Vec::new();
        for record in bitstap::capture::open(&path).unwrap() {
            if let bitstap::capture::Record::Event { event, .. } = record.unwrap() {
                events.push(event);
            }
        }
        let out = tempfile::tempdir().unwrap();
        let manifest = rebuild(&events, out.path());
        let row = manifest.files.iter().find(|row| row.file == *file);
        let row = row.unwrap_or_else(|| panic!("{capture}: {manifest:#?}"));
        assert_eq!(
            (row.size, row.complete),
            (*size, *complete),
            "{capture} {file}"
        );
        assert!(row.sha256.as_ref().unwrap().starts_with(sum), "{row:?}");
    }
}
