//! Captures of ours: reader after writer is identity, torn ends, odd orders, who may read them.

#[path = "support/events.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod events;

use std::fs;

use bitstap::capture::{CaptureFile, Error, Options, Record, Writer, open};
use bitstap::event::{Close, Event, Fact, Leg, Missing, TlsFact, What};
use bitstap::timeline::{ReadBack, Span};
use events::*;

/// One connection with both legs and one of each kind of event.
fn conversation() -> Vec<Event> {
    use Leg::{Client, Upstream};
    let tls = TlsFact {
        version: "TLSv1.3".to_owned(),
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        server_name: Some("iis.corp".to_owned()),
        certificates: vec!["CN=iis.corp".to_owned()],
        ..TlsFact::default()
    };
    let tls = Fact::Tls(Box::new(tls));
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
    let long: Vec<u8> = (0..=255).cycle().take(100_000).collect();
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
fn a_full_disk_is_an_error() {
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

#[test]
fn streams_grow_beyond_four_gib() {
    let events = [
        event(1, 1, Leg::Client, joined("1.1.1.1:9", "2.2.2.2:80")),
        event(2, 1, Leg::Client, data(ToServer, "begin")),
        event(
            3,
            1,
            Leg::Client,
            missing(ToServer, 5_000_000_000, Missing::NotKept),
        ),
        event(
            4,
            1,
            Leg::Client,
            missing(ToServer, 20_000_000_000, Missing::NotSeen),
        ),
        event(5, 1, Leg::Client, data(ToServer, "end")),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let positions = write(&path, &events);
    assert_eq!(normal(&read(&path).0), events);
    let span = Span {
        conn: bitstap::event::ConnId(1),
        leg: Leg::Client,
        direction: ToServer,
        position: positions[1],
        base: 0,
        offset: 0,
        len: 25_000_000_008,
    };
    let file = CaptureFile::open(&path).unwrap();
    for _ in 0..2 {
        let chunk = file.read(span, 25_000_000_000, 100).unwrap();
        assert_eq!(chunk.bytes, b"\0\0\0\0\0end");
        assert_eq!((chunk.holes.len(), &chunk.holes[0]), (1, &(0..5)));
        assert_eq!(file.read(span, 2, 4).unwrap().bytes, b"gin\0");
    }
}
