//! Every form of foreign capture: link layers, classic pcap, pcapng, compressed.

#[path = "support/events.rs"]
#[expect(dead_code, unused_imports, reason = "each test file uses a part of it")]
mod events;
#[path = "support/packets.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod packets;

use std::io::Write;

use bitstap::capture::Reader;
use bitstap::event::{Fact, Leg, What};
use events::{ToServer, data, joined, note, stream};
use packets::{ACK, block, pcap, pcap_as};

#[path = "support/foreign.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod foreign;
use foreign::*;

#[test]
fn every_link_layer() {
    let wanted = [joined(CLIENT, SERVER), data(ToServer, "hi")];
    let p = c(101, 501, ACK, "hi");
    let with = |head: &[u8]| [head, &p.raw()].concat();
    let sll = [&[0; 14][..], &[8, 0]].concat();
    let sll2 = [&[8, 0][..], &[0; 18]].concat();
    let vlan = [&[0; 12][..], &[0x81, 0, 0, 5, 8, 0]].concat();
    let qinq = [&[0; 12][..], &[0x88, 0xA8, 0, 9, 0x81, 0, 0, 5, 8, 0]].concat();
    let frames = [
        (1, p.ethernet()),
        (1, with(&vlan)),
        (1, with(&qinq)),
        (0, with(&[2, 0, 0, 0])),
        (108, with(&[0, 0, 0, 2])),
        (12, with(&[])),
        (14, with(&[])),
        (101, with(&[])),
        (228, with(&[])),
        (113, with(&sll)),
        (276, with(&sll2)),
        // The upper half of the field tells of a frame check sequence.
        (0x5400_0001, p.ethernet()),
    ];
    for (link, frame) in frames {
        let len = frame.len();
        let (events, notes) = read(pcap(link, &[(frame, len)]));
        assert_eq!(notes, Vec::<String>::new());
        let whats: Vec<What> = events.into_iter().map(|event| event.what).collect();
        assert_eq!(whats, wanted, "link type {link}");
    }
}

#[test]
fn ipv6_with_extensions_and_lengths_left_to_the_card() {
    let mut p = packet("[fd00::1]:5000", "[fd00::2]:80", 1, 1, ACK, "hi");
    p.extension = vec![6, 0, 1, 4, 0, 0, 0, 0];
    let mut large = p.clone();
    large.seq = 3;
    large.extension = Vec::new();
    large.zero_length = true;
    large.payload = vec![b'z'; 100_000];
    let mut v4 = c(1, 1, ACK, &"w".repeat(100_000));
    v4.zero_length = true;
    let (events, notes) = read(file(&[p, large, v4]));
    assert_eq!(notes, Vec::<String>::new());
    let v6 = stream(&events, 1, Leg::Client, ToServer);
    assert_eq!((v6.len(), &v6[..3]), (100_002, &b"hiz"[..]));
    assert_eq!(stream(&events, 2, Leg::Client, ToServer).len(), 100_000);
}

#[test]
fn what_is_left_out_is_said_once() {
    let mut fragment = c(1, 1, ACK, "part").raw();
    fragment[6] = 0x20;
    let cut = c(1, 1, ACK, "x").raw()[..42].to_vec();
    let mut udp = c(1, 1, ACK, "x").raw();
    udp[9] = 17;
    let frames: Vec<_> = [&fragment, &fragment, &cut, &cut, &udp]
        .map(|frame| (frame.clone(), 1000))
        .to_vec();
    let (events, mut notes) = read(pcap(101, &frames));
    notes.sort();
    assert_eq!(events, []);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("fragments") && notes[1].contains("cut inside their TCP header"));

    let (_, notes) = read(pcap(127, &[(vec![0; 80], 80), (vec![0; 80], 80)]));
    assert_eq!(
        notes,
        ["packets of link type 127 were left out: it is not understood"]
    );
}

#[test]
fn every_form_of_classic_pcap() {
    let frames: Vec<_> = [c(101, 501, ACK, "ab"), c(103, 501, ACK, "cd")]
        .map(|packet| (packet.raw(), packet.raw().len()))
        .to_vec();
    for (magic, millisecond) in [
        (0xA1B2_C3D4, 1000),
        (0xA1B2_3C4D, 1_000_000),
        (0xA1B2_CD34, 1000),
    ] {
        let little = pcap_as(101, &frames, u32::to_le_bytes, magic, millisecond);
        let big = pcap_as(101, &frames, u32::to_be_bytes, magic, millisecond);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&little).unwrap();
        for bytes in [little, big, packed.finish().unwrap()] {
            let reader =
                Reader::from_read(std::io::Cursor::new(bytes.clone()), "x".as_ref()).unwrap();
            assert_eq!(reader.start_ns(), 1_000_000_000_000_000_000);
            assert!(!reader.is_ours());
            let (events, notes) = read(bytes);
            assert_eq!(notes, Vec::<String>::new());
            assert_eq!(stream(&events, 1, Leg::Client, ToServer), b"abcd");
            assert_eq!(events[2].at.as_micros(), 1000);
        }
    }
}

#[test]
fn a_compressed_capture_that_breaks_off_ends_with_a_note() {
    let frames: Vec<_> = (0..2000)
        .map(|i| c(101 + i * 2, 501, ACK, "ab").raw())
        .map(|raw| (raw.clone(), raw.len()))
        .collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&pcap(101, &frames)).unwrap();
    let packed = packed.finish().unwrap();
    let (events, notes) = read(packed[..packed.len() / 2].to_vec());
    assert!(events.len() > 100);
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("compressed capture breaks off"),
        "{notes:?}"
    );
}

/// A section in either byte order with one interface, and this resolution and offset.
fn section(big: bool, resolution: u8, offset: i64) -> Vec<u8> {
    let two = |value: u16| {
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let four = |value: u32| {
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let offset = if big {
        offset.to_be_bytes()
    } else {
        offset.to_le_bytes()
    };
    let mut head = four(0x1A2B_3C4D).to_vec();
    head.extend([two(1), two(0)].concat());
    head.extend([0xFF; 8]);
    let mut out = block(0x0A0D_0D0A, big, &head);
    let mut interface = [two(101), two(0)].concat();
    interface.extend(four(0));
    // An unknown option, the resolution, the offset.
    interface.extend([&two(77)[..], &two(3), b"abc\0"].concat());
    interface.extend([&two(9)[..], &two(1), &[resolution, 0, 0, 0]].concat());
    interface.extend([&two(14)[..], &two(8), &offset].concat());
    out.extend(block(1, big, &interface));
    out.extend(block(0x0BAD_BEEF, big, b"nobody knows"));
    out
}

/// An Enhanced (6), Simple (3) or old (2) Packet Block.
fn packet_block(kind: u32, big: bool, ticks: u64, packet: &[u8], options: &[u8]) -> Vec<u8> {
    let word = |value: u64| {
        let value = u32::try_from(value & 0xFFFF_FFFF).unwrap();
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let len = packet.len() as u64;
    let mut body = Vec::new();
    if kind != 3 {
        body.extend(word(0));
        body.extend(word(ticks >> 32));
        body.extend(word(ticks));
        body.extend(word(len));
    }
    body.extend(word(len));
    body.extend(packet);
    body.resize(body.len() + (packet.len().wrapping_neg() & 3), 0);
    body.extend(options);
    block(kind, big, &body)
}

#[test]
fn every_form_of_pcapng() {
    let first = c(101, 501, ACK, "a").raw();
    let second = c(102, 501, ACK, "bcd").raw();
    let third = c(105, 501, ACK, "ef").raw();
    for big in [false, true] {
        let mut bytes = section(big, 9, 0);
        bytes.extend(packet_block(6, big, 5_000, &first, &[]));
        bytes.extend(packet_block(2, big, 7_000, &second, &[]));
        // Another section in the other order, after which interfaces count anew.
        bytes.extend(section(!big, 9, 0));
        bytes.extend(packet_block(3, !big, 0, &third, &[]));
        let (events, notes) = read(bytes);
        assert_eq!(notes, Vec::<String>::new());
        assert_eq!(stream(&events, 1, Leg::Client, ToServer), b"abcdef");
        let times: Vec<u128> = events.iter().map(|event| event.at.as_nanos()).collect();
        assert_eq!(times, [0, 0, 2_000, 2_000]);
    }
}

#[test]
fn every_time_resolution() {
    let raw = c(101, 501, ACK, "a").raw();
    // Each is 3.5 s after the offset.
    let cases: [(u8, u64); 6] = [
        (6, 3_500_000),
        (9, 3_500_000_000),
        (3, 3_500),
        (12, 3_500_000_000_000),
        (0x81, 7),
        (0x94, 7 << 19),
    ];
    for big in [false, true] {
        for (resolution, ticks) in cases {
            let mut bytes = section(big, resolution, 100);
            bytes.extend(packet_block(6, big, ticks, &raw, &[]));
            let reader = Reader::from_read(std::io::Cursor::new(bytes), "x".as_ref()).unwrap();
            assert_eq!(
                reader.start_ns(),
                103_500_000_000,
                "resolution {resolution}"
            );
        }
    }
}

#[test]
fn a_persons_comment_is_a_note() {
    let raw = c(101, 501, ACK, "a").raw();
    let mut bytes = section(false, 6, 0);
    bytes.extend(packet_block(
        6,
        false,
        1,
        &raw,
        b"\x01\0\x05\0hello\0\0\0\0\0\0\0",
    ));
    let (events, _) = read(bytes);
    assert_eq!(events[2].what, note("hello", Fact::Other));
}

#[test]
fn packets_of_no_interface_are_noted() {
    let raw = c(101, 501, ACK, "a").raw();
    let mut bytes = section(false, 6, 0);
    let mut stray = packet_block(6, false, 1, &raw, &[]);
    stray[8] = 4;
    bytes.extend([stray.clone(), stray].concat());
    let (events, notes) = read(bytes);
    assert_eq!(events, []);
    assert_eq!(notes.len(), 1, "{notes:?}");
}
