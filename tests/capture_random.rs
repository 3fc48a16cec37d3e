//! Captures of generated conversations: what was written comes back, whole, in windows, damaged or growing.

#[path = "support/events.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod events;

use std::fs;

use bitstap::capture::{CaptureFile, Options, Reader, Writer, open};
use bitstap::event::{Close, Event, Fact, Leg, Missing, What};
use bitstap::timeline::{ReadBack, Span};
use events::*;
use proptest::prelude::*;

/// What one step of a generated conversation does.
#[derive(Clone, Debug)]
enum Act {
    Send(bool, Vec<u8>),
    Big(bool, usize),
    Skip(bool, u64, bool),
    Close(bool, bool),
    Say(String),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (any::<bool>(), proptest::collection::vec(any::<u8>(), 1..300))
            .prop_map(|(way, bytes)| Act::Send(way, bytes)),
        1 => (any::<bool>(), 1usize..300_000).prop_map(|(way, len)| Act::Big(way, len)),
        2 => (any::<bool>(), 1u64..3_000_000, any::<bool>())
            .prop_map(|(way, len, kept)| Act::Skip(way, len, kept)),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(way, fin)| Act::Close(way, fin)),
        1 => "\\PC{0,40}".prop_map(Act::Say),
    ]
}

/// Several connections, their acts interleaved in any order.
fn story() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec((0u32..5, any::<bool>(), 0u64..2_000_000_000, act()), 1..60).prop_map(
        |acts| {
            let mut events = Vec::new();
            let mut at = 0;
            let mut seen = Vec::new();
            for (number, is_client, step, act) in acts {
                at += step;
                let leg = if is_client {
                    Leg::Client
                } else {
                    Leg::Upstream
                };
                if !seen.contains(&(number, leg)) {
                    seen.push((number, leg));
                    let client = format!("10.0.{}.1:{}", leg as u8, 1000 + number);
                    match number {
                        0 => {}
                        1 => events.push(event(at, number, leg, joined(&client, "10.0.0.9:80"))),
                        _ => {
                            events.push(event(at, number, leg, opening(&client, "10.0.0.9:80")));
                            events.push(event(at + 1, number, leg, What::Opened));
                            at += 1;
                        }
                    }
                }
                let way = |to_server| if to_server { ToServer } else { ToClient };
                let what = match act {
                    Act::Send(to, bytes) => data(way(to), bytes),
                    Act::Big(to, len) => {
                        data(way(to), (0..253).cycle().take(len).collect::<Vec<u8>>())
                    }
                    Act::Skip(to, len, kept) => missing(
                        way(to),
                        len,
                        if kept {
                            Missing::NotKept
                        } else {
                            Missing::NotSeen
                        },
                    ),
                    Act::Close(to, fin) => {
                        closed(way(to), if fin { Close::Fin } else { Close::Reset })
                    }
                    Act::Say(text) => note(
                        &text,
                        Fact::Closing {
                            reason: text.clone(),
                        },
                    ),
                };
                events.push(event(at, number, leg, what));
            }
            events
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn reader_after_writer_is_identity(events in story()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcapng");
        write(&path, &events);
        let (read, notes) = read(&path);
        prop_assert_eq!(notes, Vec::<String>::new());
        prop_assert_eq!(normal(&read), normal(&events));
    }

    #[test]
    fn read_back_gives_what_was_written(events in story(), cuts in proptest::collection::vec((any::<usize>(), any::<usize>(), 1usize..100_000), 8)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcapng");
        let positions = write(&path, &events);
        let file = CaptureFile::open(&path).unwrap();
        for (which, from, len) in cuts {
            check_read_back(&file, &events, &positions, (which, from, len))?;
        }
    }

    #[test]
    fn a_damaged_capture_is_read_without_panic(
        events in story(),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcapng");
        let positions = write(&path, &events);
        let mut bytes = fs::read(&path).unwrap();
        for (place, byte) in damage {
            // Heads and comments more often than payload.
            let from = usize::try_from(positions[place % positions.len()]).unwrap();
            let place = (from + place % 300).min(bytes.len() - 1).max(4);
            bytes[place] = byte;
        }
        fs::write(&path, &bytes).unwrap();
        for record in open(&path).unwrap() {
            prop_assert!(record.is_ok());
        }
        let file = CaptureFile::open(&path).unwrap();
        for (event, position) in events.iter().zip(positions) {
            if let Some((conn, leg, direction)) = line(event) {
                let span = Span { conn, leg, direction, position, base: 0, offset: 0, len: 1 << 20 };
                file.read(span, 3, 1 << 17).unwrap();
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), kind in 0usize..4) {
        let heads: [&[u8]; 4] = [
            b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0",
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
            b"",
        ];
        let mut all = heads[kind].to_vec();
        all.append(&mut bytes);
        if let Ok(reader) = Reader::from_read(std::io::Cursor::new(all), "x".as_ref()) {
            for record in reader {
                prop_assert!(record.is_ok());
            }
        }
    }
}

/// Reads a window of the bytes that begin with one of the events, and compares it with the events.
fn check_read_back(
    file: &CaptureFile,
    events: &[Event],
    positions: &[u64],
    (which, from, len): (usize, usize, usize),
) -> Result<(), TestCaseError> {
    let first = which % events.len();
    let Some((conn, leg, way)) = line(&events[first]) else {
        return Ok(());
    };
    let own = |event: &&Event| line(event) == Some((conn, leg, way));
    // A stream that went on after its end is another stream in the file.
    let ended = |event: &&Event| matches!(event.what, What::Closed { .. });
    let same = |event: &&Event| (event.conn, event.leg) == (conn, leg);
    if events.iter().filter(same).any(|event| ended(&event)) {
        return Ok(());
    }
    let base: u64 = events[..first]
        .iter()
        .filter(own)
        .map(|event| content(event).0.len() as u64)
        .sum();
    let mut bytes = Vec::new();
    let mut holes = Vec::new();
    for event in events[first..].iter().filter(own) {
        let (content, is_hole) = content(event);
        holes.extend(std::iter::repeat_n(is_hole, content.len()));
        bytes.extend(content);
    }
    let skip = (from % bytes.len() / 2) as u64;
    let total = bytes.len() as u64 - skip;
    let span = Span {
        conn,
        leg,
        direction: way,
        position: positions[first],
        base,
        offset: base + skip,
        len: total,
    };
    let from = from as u64 % total;
    let chunk = file.read(span, from, len).unwrap();
    let begin = usize::try_from(skip + from).unwrap();
    let end = bytes.len().min(begin + len);
    prop_assert_eq!(&chunk.bytes, &bytes[begin..end]);
    for (place, wanted) in holes[begin..end].iter().enumerate() {
        let is_hole = chunk.holes.iter().any(|hole| hole.contains(&place));
        prop_assert_eq!(is_hole, *wanted);
    }
    Ok(())
}

fn line(event: &Event) -> Option<(bitstap::event::ConnId, Leg, bitstap::event::Direction)> {
    match &event.what {
        What::Data { direction, .. } | What::Missing { direction, .. } => {
            Some((event.conn, event.leg, *direction))
        }
        _ => None,
    }
}

fn content(event: &Event) -> (Vec<u8>, bool) {
    match &event.what {
        What::Data { bytes, .. } => (bytes.to_vec(), false),
        What::Missing { len, .. } => (vec![0; usize::try_from(*len).unwrap()], true),
        _ => (Vec::new(), false),
    }
}

#[test]
fn read_back_works_while_the_capture_grows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let mut writer = Writer::create(
        &path,
        Options {
            start_ns: START,
            ..Options::default()
        },
    )
    .unwrap();
    let file = CaptureFile::open(&path).unwrap();
    writer
        .write(&event(1, 1, Leg::Client, joined("1.1.1.1:9", "2.2.2.2:80")))
        .unwrap();
    let mut all = Vec::new();
    let mut position = None;
    for round in 0..40u8 {
        let bytes = vec![round; 100_000];
        all.extend_from_slice(&bytes);
        let at = writer
            .write(&event(2, 1, Leg::Client, data(ToServer, bytes)))
            .unwrap();
        let span = Span {
            conn: bitstap::event::ConnId(1),
            leg: Leg::Client,
            direction: ToServer,
            position: *position.get_or_insert(at),
            base: 0,
            offset: 0,
            len: all.len() as u64,
        };
        writer.flush().unwrap();
        let from = all.len().saturating_sub(150_000);
        let chunk = file.read(span, from as u64, 1 << 20).unwrap();
        assert_eq!(chunk.bytes, all[from..]);
        assert!(chunk.holes.is_empty());
        // Asking for more than there is yields what there is.
        let more = Span {
            len: span.len + 10,
            ..span
        };
        assert_eq!(
            file.read(more, from as u64, 1 << 20).unwrap().bytes,
            all[from..]
        );
    }
}
