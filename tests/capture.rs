//! Captures of ours: reader after writer is identity, torn ends, odd orders, who may read them.

#[path = "support/events.rs"]
mod events;

use std::fs;

use bitstap::capture::{CaptureFile, Error, Options, Reader, Record, Writer, open};
use bitstap::event::{Close, Event, Fact, Leg, Missing, What};
use bitstap::timeline::{ReadBack, Span};
use events::*;
use proptest::prelude::*;

/// One connection with both legs and one of each kind of event.
fn conversation() -> Vec<Event> {
    use Leg::{Client, Upstream};
    let tls = Fact::Tls {
        version: "TLSv1.3".to_owned(),
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        server_name: Some("iis.corp".to_owned()),
    };
    vec![
        event(5, 1, Client, opening("127.0.0.1:50112", "127.0.0.1:8080")),
        event(5, 1, Client, What::Opened),
        event(
            1_000,
            1,
            Client,
            data(ToServer, "BITS_POST /up HTTP/1.1\r\n"),
        ),
        event(
            2_000,
            1,
            Upstream,
            opening("192.0.2.1:4000", "192.0.2.9:80"),
        ),
        event(3_000, 1, Upstream, What::Opened),
        event(3_500, 1, Upstream, note("TLS is up.", tls)),
        event(4_000, 1, Client, data(ToServer, vec![7; 200_000])),
        event(
            4_000,
            1,
            Upstream,
            missing(ToServer, 200_000, Missing::NotKept),
        ),
        event(4_500, 1, Upstream, missing(ToClient, 9, Missing::NotSeen)),
        event(
            5_000,
            1,
            Upstream,
            data(ToClient, "HTTP/1.1 200 OK\r\n\r\n"),
        ),
        event(5_001, 1, Client, data(ToClient, "HTTP/1.1 200 OK\r\n\r\n")),
        event(6_000, 1, Client, closed(ToServer, Close::Fin)),
        event(6_001, 1, Upstream, closed(ToServer, Close::Fin)),
        event(7_000, 1, Upstream, closed(ToClient, Close::Reset)),
        event(7_001, 1, Client, note("Seen by a person.", Fact::Other)),
        event(8_000, 1, Client, closed(ToClient, Close::Fin)),
    ]
}

#[test]
fn every_kind_of_event_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    write(&path, &conversation());
    let reader = open(&path).unwrap();
    assert_eq!(reader.start_ns(), START);
    assert!(reader.is_ours());
    let (read, notes) = read(&path);
    assert_eq!(normal(&read), normal(&conversation()));
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn odd_orders_are_written_and_come_back() {
    use Leg::{Client, Upstream};
    let events = vec![
        // Nothing said how connection 9 began.
        event(1, 9, Client, data(ToClient, "late")),
        event(2, 9, Client, note("A word.", Fact::Other)),
        // The local port of a connection that failed is not known; two of them at once.
        event(3, 2, Upstream, opening("0.0.0.0:0", "192.0.2.9:80")),
        event(3, 3, Upstream, opening("0.0.0.0:0", "192.0.2.9:80")),
        event(4, 3, Upstream, closed(ToClient, Close::Reset)),
        event(
            5,
            2,
            Upstream,
            note(
                "Refused.",
                Fact::ConnectFailed {
                    reason: "refused".to_owned(),
                    status: Some(502),
                },
            ),
        ),
        // Ends of two IP versions, and a link-local one.
        event(6, 4, Client, opening("127.0.0.1:1", "[::1]:8080")),
        event(7, 5, Client, opening("[fe80::1%3]:1", "[fe80::2%3]:80")),
        event(8, 5, Client, data(ToServer, "x")),
        // One pair of ports, one connection after the other, and two at once.
        event(9, 6, Client, opening("10.0.0.1:1", "10.0.0.2:80")),
        event(9, 6, Client, What::Opened),
        event(9, 6, Client, data(ToServer, "first")),
        event(9, 6, Client, closed(ToServer, Close::Reset)),
        event(9, 7, Client, opening("10.0.0.1:1", "10.0.0.2:80")),
        event(9, 7, Client, data(ToServer, "second")),
        event(9, 8, Client, opening("10.0.0.1:1", "10.0.0.2:80")),
        event(9, 8, Client, data(ToServer, "third")),
        event(9, 7, Client, data(ToServer, "second again")),
        // More after the end.
        event(10, 6, Client, data(ToServer, "after a reset")),
        event(10, 6, Client, closed(ToServer, Close::Fin)),
        event(10, 6, Client, closed(ToServer, Close::Reset)),
        event(10, 6, Client, closed(ToClient, Close::Fin)),
        event(11, 10, Client, joined("10.0.0.3:5000", "10.0.0.2:80")),
        event(
            11,
            10,
            Client,
            missing(ToServer, 5_000_000_000, Missing::NotSeen),
        ),
        event(12, 10, Client, data(ToServer, "beyond")),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    write(&path, &events);
    let (read, notes) = read(&path);
    assert_eq!(normal(&read), normal(&events));
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn a_snap_length_keeps_the_first_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let options = Options {
        snaplen: Some(3),
        start_ns: START,
    };
    let mut writer = Writer::create(&path, options).unwrap();
    let long: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
    for what in [
        joined("1.1.1.1:9", "2.2.2.2:80"),
        data(ToServer, long.clone()),
    ] {
        writer.write(&event(1, 1, Leg::Client, what)).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(writer.size(), fs::metadata(&path).unwrap().len());
    let (read, _) = read(&path);
    let wanted = [
        event(1, 1, Leg::Client, joined("1.1.1.1:9", "2.2.2.2:80")),
        event(1, 1, Leg::Client, data(ToServer, &long[..3])),
        event(
            1,
            1,
            Leg::Client,
            missing(ToServer, 99_997, Missing::NotKept),
        ),
    ];
    assert_eq!(normal(&read), wanted);
}

#[test]
fn a_capture_cut_anywhere_yields_a_prefix_and_one_note() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let mut events = conversation();
    events.retain(|event| !matches!(&event.what, What::Data { bytes, .. } if bytes.len() > 1000));
    write(&path, &events);
    let whole = fs::read(&path).unwrap();
    let (all, _) = read(&path);
    let mut torn = 0;
    for len in 4..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let (part, notes) = read(&path);
        assert!(all.starts_with(&part), "cut at {len}");
        assert!(notes.len() <= 1, "cut at {len}: {notes:?}");
        torn += notes.len();
        assert!(
            notes
                .iter()
                .all(|note| note.starts_with("capture ends inside a block: "))
        );
    }
    assert!(torn > whole.len() * 9 / 10);
}

#[test]
fn a_damaged_block_ends_the_capture_with_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let positions = write(&path, &conversation());
    let mut bytes = fs::read(&path).unwrap();
    let place = usize::try_from(positions[9]).unwrap();
    bytes[place + 4] = 3;
    fs::write(&path, &bytes).unwrap();
    let (part, notes) = read(&path);
    assert_eq!(normal(&part), normal(&conversation()[..9]));
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with(&format!("capture is damaged at byte {place} ")),
        "{notes:?}"
    );
}

#[test]
fn what_is_no_capture_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"\xFF\xD8\xFF\xE0 and so on", "JPEG"),
        (b"\x0a\x0d", "0a 0d"),
        (b"{\"log\": {}}", "JSON"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, Error::NotACapture { .. }));
        let text = error.to_string();
        assert!(text.contains(word) && text.contains("pcapng"), "{text}");
    }
    assert!(
        open(dir.path())
            .unwrap_err()
            .to_string()
            .contains("directory")
    );
    let gone = dir.path().join("gone");
    assert!(matches!(open(&gone), Err(Error::Open { .. })));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_a_capture() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    for _ in 0..2 {
        write(&path, &conversation());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Once more over a file that anybody may read.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let path = std::path::Path::new("/dev/full");
    assert!(matches!(
        Writer::create(path, Options::default()),
        Err(Error::Write { .. })
    ));
}

#[test]
fn a_reader_follows_a_file_that_grows() {
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
    let mut reader = open(&path).unwrap().follow();
    assert!(reader.next().is_none());
    let mut read = Vec::new();
    for event in conversation() {
        writer.write(&event).unwrap();
        writer.flush().unwrap();
        let before = read.len();
        for record in &mut reader {
            let Record::Event { event, .. } = record.unwrap() else {
                panic!("a note about a sound file");
            };
            read.push(event);
        }
        assert!(read.len() > before);
    }
    assert_eq!(normal(&read), normal(&conversation()));
}

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
                    Act::Big(to, len) => data(
                        way(to),
                        (0..len).map(|i| (i % 253) as u8).collect::<Vec<_>>(),
                    ),
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
    fn read_back_gives_what_was_written(events in story(), cuts in proptest::collection::vec((0.0..1.0f64, 0.0..1.0f64, 1usize..100_000), 8)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcapng");
        let positions = write(&path, &events);
        let file = CaptureFile::open(&path).unwrap();
        for (which, from, len) in cuts {
            check_read_back(&file, &events, &positions, (which, from, len))?;
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
    (which, from, len): (f64, f64, usize),
) -> Result<(), TestCaseError> {
    let first = ((events.len() as f64) * which) as usize;
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
    let skip = ((bytes.len() as f64) * from / 2.0) as u64;
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
    let from = ((total as f64) * from) as u64;
    let chunk = file.read(span, from, len).unwrap();
    let begin = usize::try_from(skip + from).unwrap();
    let end = bytes.len().min(begin + len);
    prop_assert_eq!(&chunk.bytes, &bytes[begin..end]);
    for place in begin..end {
        let is_hole = chunk
            .holes
            .iter()
            .any(|hole| hole.contains(&(place - begin)));
        prop_assert_eq!(is_hole, holes[place]);
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
