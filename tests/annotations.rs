//! Marks and comments: written into a capture, read back from it, asked for by filters, and seen by
//! other tools.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/conversation.rs"]
mod conversation;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bitstap::capture::{Appender, CaptureFile, Options, Reader, Record, Writer, open};
use bitstap::event::{Event, Fact, Leg, Note, What};
use bitstap::timeline::filter::{Filter, Row};
use bitstap::timeline::{Margin, ReadBack, Timeline, margin};
use conversation::Talk;

const EXCHANGE: &str = "
    > BITS_POST /up/a HTTP/1.1
    > Host: p
    > Content-Length: 5
    >
    > hello
    < HTTP/1.1 200 OK
    < Content-Length: 0
    <
";

/// A capture of two connections with three exchanges.
fn captured(folder: &Path) -> PathBuf {
    let mut talk = Talk::new();
    talk.say(EXCHANGE).say(EXCHANGE).hang_up();
    talk.connect("10.0.0.6").say(EXCHANGE);
    let path = folder.join("a.pcapng");
    let options = Options {
        start_ns: 1_700_000_000_000_000_000,
        ..Options::default()
    };
    let mut writer = Writer::create(&path, options).unwrap();
    for event in &talk.events {
        writer.write(event).unwrap();
    }
    drop(writer);
    path
}

/// Reads a capture to its end.
fn read(path: &Path) -> (Timeline, Reader) {
    let mut reader = open(path).unwrap();
    let mut timeline = Timeline::new();
    for record in reader.by_ref() {
        match record.unwrap() {
            Record::Event { event, position } => timeline.apply(&event, position),
            Record::Note(text) => panic!("the reader complains: {text}"),
        }
    }
    timeline.finish();
    (timeline, reader)
}

/// Makes a note about exchange number `no`.
fn note(
    timeline: &Timeline,
    no: usize,
    text: &str,
    fact: impl FnOnce(bitstap::event::Anchor) -> Fact,
) -> Event {
    let exchange = &timeline.exchanges()[no - 1];
    Event {
        at: exchange.times.get().begun,
        conn: exchange.conn,
        leg: Leg::Client,
        what: What::Note(Note {
            text: text.into(),
            fact: fact(margin::anchor(exchange).unwrap()),
        }),
    }
}

fn marked(on: bool) -> impl FnOnce(bitstap::event::Anchor) -> Fact {
    move |place| Fact::Mark { place, on }
}

fn comment(text: &str) -> impl FnOnce(bitstap::event::Anchor) -> Fact {
    let comment = text.to_owned();
    |place| Fact::Comment { place, comment }
}

/// Opens the file, adds one note, and closes it.
fn add(path: &Path, no: usize, text: &str, fact: impl FnOnce(bitstap::event::Anchor) -> Fact) {
    let (timeline, reader) = read(path);
    let mut appender = Appender::after(&reader, path).unwrap();
    appender.add(&note(&timeline, no, text, fact)).unwrap();
}

fn written(timeline: &Timeline) -> Vec<(u32, bool, String)> {
    let all = timeline.annotations();
    all.map(|(no, it)| (no, it.marked, it.comment.clone()))
        .collect()
}

fn taken(timeline: &Timeline, filter: &str) -> Vec<u32> {
    let filter = Filter::parse(filter).unwrap();
    let rows = timeline.exchanges().iter();
    rows.filter(|row| filter.matches(&Row::of(timeline, row)))
        .map(|row| row.no)
        .collect()
}

#[test]
fn what_was_written_is_there_again_and_nothing_before_it_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = captured(folder.path());
    let before = std::fs::read(&path).unwrap();
    let rows = read(&path).0.exchanges().to_vec();
    add(&path, 2, "Packet 2 is marked.", marked(true));
    add(&path, 3, "Packet 3: look here", comment("look here"));
    add(&path, 2, "Packet 2: twice", comment("twice"));
    let after = std::fs::read(&path).unwrap();
    assert!(after.starts_with(&before));
    let (timeline, _) = read(&path);
    assert_eq!(timeline.exchanges(), rows);
    assert_eq!(timeline.connections().len(), 2);
    assert_eq!(
        written(&timeline),
        [(2, true, "twice".into()), (3, false, "look here".into())]
    );
    assert_eq!(taken(&timeline, "mark"), [2, 3]);
    assert_eq!(taken(&timeline, "mark == \"look here\""), [3]);
    assert_eq!(taken(&timeline, "not mark"), [1]);
    let remarks = timeline
        .remarks()
        .iter()
        .filter_map(|remark| remark.exchange);
    assert_eq!(remarks.collect::<Vec<_>>(), [2, 3, 2]);
    // Bodies are read back as before, past the notes.
    let head = timeline.exchanges()[2].request.unwrap().head;
    let chunk = CaptureFile::open(&path).unwrap().read(head, 0, 9).unwrap();
    assert_eq!(chunk.bytes, b"BITS_POST");
}

#[test]
fn the_latest_word_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = captured(folder.path());
    for (on, text) in [(true, "one"), (false, "two"), (true, "three")] {
        add(&path, 1, "A mark.", marked(on));
        add(&path, 1, "A comment.", comment(text));
    }
    assert_eq!(written(&read(&path).0), [(1, true, "three".into())]);
    add(&path, 1, "Unmarked.", marked(false));
    add(&path, 1, "Taken away.", comment(""));
    assert_eq!(written(&read(&path).0), []);
}

#[test]
fn a_note_whose_number_is_wrong_finds_its_packet_by_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = captured(folder.path());
    let wrong = |mut place: bitstap::event::Anchor| {
        place.exchange = 77;
        Fact::Mark { place, on: true }
    };
    add(&path, 3, "A mark.", wrong);
    assert_eq!(written(&read(&path).0), [(3, true, String::new())]);
    let nowhere = |mut place: bitstap::event::Anchor| {
        place.offset += 1;
        Fact::Mark { place, on: true }
    };
    add(&path, 2, "A mark of nothing.", nowhere);
    let (timeline, _) = read(&path);
    assert_eq!(written(&timeline).len(), 1);
    assert_eq!(
        timeline.remarks().last().unwrap().text,
        "A mark of nothing."
    );
}

#[test]
fn a_live_note_and_the_same_from_the_file_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.pcapng");
    let mut talk = Talk::new();
    talk.say(EXCHANGE);
    let so_far = talk.so_far();
    let event = note(&so_far, 1, "Packet 1: mine", comment("mine"));
    talk.push(Leg::Client, event.what);
    talk.say(EXCHANGE).hang_up();
    let event = note(&talk.so_far(), 2, "Packet 2 is marked.", marked(true));
    talk.wait(Duration::from_secs(1))
        .push(Leg::Client, event.what);
    let mut writer = Writer::create(&path, Options::default()).unwrap();
    for event in &talk.events {
        writer.write(event).unwrap();
    }
    drop(writer);
    let (timeline, _) = read(&path);
    assert_eq!(written(&timeline), written(&talk.timeline()));
    assert_eq!(written(&timeline).len(), 2);
    assert_eq!(timeline.exchanges().len(), 2);
}

#[test]
fn a_file_that_is_in_use_torn_or_foreign_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = captured(folder.path());
    let refuse = |path: &Path, why: &str| {
        let before = std::fs::read(path).unwrap();
        let mut reader = open(path).unwrap();
        let mut timeline = Timeline::new();
        for record in reader.by_ref() {
            if let Ok(Record::Event { event, position }) = record {
                timeline.apply(&event, position);
            }
        }
        let added = Appender::after(&reader, path)
            .and_then(|mut appender| appender.add(&note(&timeline, 1, "A mark.", marked(true))));
        let said = added.unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
        assert!(std::fs::read(path).unwrap() == before);
    };

    let torn = folder.path().join("torn.pcapng");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&torn, &bytes[..bytes.len() - 3]).unwrap();
    refuse(&torn, "ends inside a block");

    let twice = folder.path().join("twice.pcapng");
    std::fs::write(&twice, [&bytes[..], &bytes[..]].concat()).unwrap();
    refuse(&twice, "several captures");

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &bytes).unwrap();
    let gzip = folder.path().join("a.pcapng.gz");
    std::fs::write(&gzip, packed.finish().unwrap()).unwrap();
    refuse(&gzip, "compressed");

    let (timeline, reader) = read(&path);
    let mut appender = Appender::after(&reader, &path).unwrap();
    let mut grown = bytes.clone();
    grown.extend_from_slice(&[0; 4]);
    std::fs::write(&path, &grown).unwrap();
    let said = appender.add(&note(&timeline, 1, "A mark.", marked(true)));
    assert!(said.unwrap_err().to_string().contains("has changed"));
    assert!(std::fs::read(&path).unwrap() == grown);
}

#[cfg(unix)]
#[test]
fn a_file_that_is_being_recorded_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let mut talk = Talk::new();
    talk.say(EXCHANGE);
    let mut writer = Writer::create(&path, Options::default()).unwrap();
    for event in &talk.events {
        writer.write(event).unwrap();
    }
    writer.flush().unwrap();
    let (timeline, reader) = read(&path);
    let mut appender = Appender::after(&reader, &path).unwrap();
    let event = note(&timeline, 1, "A mark.", marked(true));
    let said = appender.add(&event).unwrap_err().to_string();
    assert!(said.contains("another program"), "{said}");
    assert!(Writer::create(&path, Options::default()).is_err());
    drop(writer);
    appender.add(&event).unwrap();
    assert_eq!(written(&read(&path).0).len(), 1);
}

#[test]
fn the_command_line_tells_marks_and_comments() {
    let folder = tempfile::tempdir().unwrap();
    let path = captured(folder.path());
    add(&path, 2, "Packet 2 is marked.", marked(true));
    add(
        &path,
        2,
        "Packet 2: look \"here\"",
        comment("look \"here\""),
    );
    let path = path.to_str().unwrap();
    let lines = binary::json(&["view", "--filter", "mark", path]);
    let exchanges = binary::of_type(&lines, "exchange");
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0]["no"], 2);
    assert_eq!(exchanges[0]["mark"], true);
    assert_eq!(exchanges[0]["notes"][0], "look \"here\"");
    let lines = binary::json(&["view", path]);
    let notes = binary::of_type(&lines, "note");
    assert_eq!(notes.len(), 2);
    assert!(notes.iter().all(|note| note["exchange"] == 2));
}

#[test]
fn tshark_shows_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = captured(folder.path());
    add(&path, 3, "Packet 3: look here", comment("look here"));
    let shown = Command::new("tshark")
        .args([
            "-r",
            path.to_str().unwrap(),
            "-Y",
            "frame.comment contains \"look here\"",
        ])
        .args(["-T", "fields", "-e", "frame.comment"])
        .output();
    let Ok(shown) = shown else {
        assert!(std::env::var("CI").as_deref() != Ok("true"));
        eprintln!("skipped: no tshark");
        return;
    };
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(
        shown.status.success() && text.contains("Packet 3: look here"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn an_annotation_can_be_asked_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = captured(folder.path());
    add(&path, 1, "A mark.", marked(true));
    let (timeline, _) = read(&path);
    assert!(timeline.annotation(1).is_some_and(|it| it.marked));
    assert!(timeline.annotation(2).is_none());
}
