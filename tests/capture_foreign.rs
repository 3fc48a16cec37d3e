//! Captures of other recorders: every habit and every accident of TCP, link layers and file forms.

#[path = "support/events.rs"]
mod events;
#[path = "support/packets.rs"]
mod packets;

use std::io::Write;

use bitstap::capture::{Reader, Record};
use bitstap::event::{Close, Event, Fact, Leg, Missing, What};
use events::{ToClient, ToServer, closed, data, joined, missing, note, opening, stream};
use packets::{ACK, FIN, Packet, RST, SYN, block, pcap, pcap_as};

const CLIENT: &str = "10.0.0.1:50000";
const SERVER: &str = "10.0.0.2:80";

fn packet(from: &str, to: &str, seq: u32, ack: u32, flags: u8, payload: &str) -> Packet {
    Packet {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        seq,
        ack,
        flags,
        payload: payload.as_bytes().to_vec(),
        zero_length: false,
        extension: Vec::new(),
    }
}

/// From the client, whose stream begins with 101.
fn c(seq: u32, ack: u32, flags: u8, payload: &str) -> Packet {
    packet(CLIENT, SERVER, seq, ack, flags, payload)
}

/// From the server, whose stream begins with 501.
fn s(seq: u32, ack: u32, flags: u8, payload: &str) -> Packet {
    packet(SERVER, CLIENT, seq, ack, flags, payload)
}

fn handshake() -> Vec<Packet> {
    vec![
        c(100, 0, SYN, ""),
        s(500, 101, SYN | ACK, ""),
        c(101, 501, ACK, ""),
    ]
}

fn read(bytes: Vec<u8>) -> (Vec<Event>, Vec<String>) {
    let reader = Reader::from_read(std::io::Cursor::new(bytes), "x".as_ref()).unwrap();
    let mut events = Vec::new();
    let mut notes = Vec::new();
    for record in reader {
        match record.unwrap() {
            Record::Event { event, .. } => events.push(event),
            Record::Note(note) => notes.push(note),
        }
    }
    (events, notes)
}

fn file(packets: &[Packet]) -> Vec<u8> {
    let frames: Vec<_> = packets
        .iter()
        .map(|packet| {
            let frame = packet.ethernet();
            let len = frame.len();
            (frame, len)
        })
        .collect();
    pcap(1, &frames)
}

/// What happens after the handshake, when these packets follow it.
fn after_handshake(packets: Vec<Packet>) -> Vec<What> {
    let mut all = handshake();
    all.extend(packets);
    let mut whats = whats(&all);
    assert_eq!(whats.remove(0), opening(CLIENT, SERVER));
    assert_eq!(whats.remove(0), What::Opened);
    whats
}

fn whats(packets: &[Packet]) -> Vec<What> {
    let (events, notes) = read(file(packets));
    assert_eq!(notes, Vec::<String>::new());
    events.into_iter().map(|event| event.what).collect()
}

#[test]
fn plain_conversation_with_half_close() {
    let whats = after_handshake(vec![
        c(101, 501, ACK, "GET"),
        s(501, 104, ACK, ""),
        c(104, 501, FIN | ACK, ""),
        s(501, 105, ACK, "200"),
        s(504, 105, FIN | ACK, ""),
        c(105, 505, ACK, ""),
    ]);
    let wanted = [
        data(ToServer, "GET"),
        closed(ToServer, Close::Fin),
        data(ToClient, "200"),
        closed(ToClient, Close::Fin),
    ];
    assert_eq!(whats, wanted);
}

#[test]
fn reordered_segments_come_with_the_packet_that_completes_them() {
    let mut packets = handshake();
    packets.extend([
        c(104, 501, ACK, "def"),
        c(107, 501, FIN | ACK, "g"),
        c(101, 501, ACK, "abc"),
    ]);
    let (events, _) = read(file(&packets));
    assert_eq!(stream(&events, 1, Leg::Client, ToServer), b"abcdefg");
    assert!(events[2..].iter().all(|event| event.at.as_millis() == 5));
    assert_eq!(events.last().unwrap().what, closed(ToServer, Close::Fin));
}

#[test]
fn of_bytes_sent_twice_the_first_copy_counts_and_new_ones_are_kept() {
    let whats = after_handshake(vec![
        c(101, 501, ACK, "abcd"),
        c(101, 501, ACK, "XXXX"),
        c(103, 501, ACK, "XXef"),
        c(111, 501, ACK, "kl"),
        c(109, 501, ACK, "ijXXmn"),
        c(107, 501, ACK, "ghX"),
    ]);
    let mut all = Vec::new();
    for what in whats {
        let What::Data { bytes, .. } = what else {
            panic!("{what:?}");
        };
        all.extend_from_slice(&bytes);
    }
    assert_eq!(all, b"abcdefghijklmn");
}

#[test]
fn every_packet_twice_is_every_packet_once() {
    let mut packets = handshake();
    packets.extend([
        c(101, 501, ACK, "abc"),
        s(501, 104, ACK, "xyz"),
        c(104, 504, FIN | ACK, ""),
        s(504, 105, FIN | ACK, ""),
        c(105, 505, ACK, ""),
    ]);
    let twice: Vec<Packet> = packets
        .iter()
        .flat_map(|packet| [packet.clone(), packet.clone()])
        .collect();
    assert_eq!(whats(&twice), whats(&packets));
}

#[test]
fn keep_alive_probes_are_no_data() {
    let whats = after_handshake(vec![
        c(101, 501, ACK, "abc"),
        c(103, 501, ACK, "\0"),
        s(500, 104, ACK, "\0"),
        s(500, 104, ACK, ""),
        c(104, 501, ACK, "d"),
    ]);
    assert_eq!(whats, [data(ToServer, "abc"), data(ToServer, "d")]);
    // Nor do they begin a connection.
    assert_eq!(whats_of_probe(), []);
}

fn whats_of_probe() -> Vec<What> {
    whats(&[c(103, 501, ACK, "\0"), s(501, 104, ACK, "")])
}

#[test]
fn a_zero_window_probe_is_the_next_byte() {
    let whats = after_handshake(vec![
        c(101, 501, ACK, "abc"),
        c(104, 501, ACK, "d"),
        c(104, 501, ACK, "def"),
    ]);
    assert_eq!(
        whats,
        [
            data(ToServer, "abc"),
            data(ToServer, "d"),
            data(ToServer, "ef")
        ]
    );
}

#[test]
fn a_hole_is_told_when_its_receiver_has_it() {
    let whats = after_handshake(vec![
        c(101, 501, ACK, "abc"),
        c(110, 501, ACK, "jk"),
        s(501, 112, ACK, "ok"),
    ]);
    let wanted = [
        data(ToServer, "abc"),
        missing(ToServer, 6, Missing::NotSeen),
        data(ToServer, "jk"),
        data(ToClient, "ok"),
    ];
    assert_eq!(whats, wanted);
}

#[test]
fn a_hole_is_told_at_the_end() {
    let whats = after_handshake(vec![c(105, 501, ACK, "efg"), c(110, 501, FIN | ACK, "")]);
    let wanted = [
        missing(ToServer, 4, Missing::NotSeen),
        data(ToServer, "efg"),
        missing(ToServer, 2, Missing::NotSeen),
        closed(ToServer, Close::Fin),
    ];
    assert_eq!(whats, wanted);
}

#[test]
fn what_only_an_acknowledgement_knows_is_missing_at_the_end() {
    let whats = after_handshake(vec![c(101, 501, ACK, "abc"), s(501, 204, ACK, "")]);
    assert_eq!(
        whats,
        [
            data(ToServer, "abc"),
            missing(ToServer, 100, Missing::NotSeen)
        ]
    );
}

#[test]
fn a_snap_length_is_bytes_not_kept() {
    let mut frames: Vec<(Vec<u8>, usize)> = Vec::new();
    let body = "x".repeat(1000);
    for packet in [c(101, 501, ACK, &body), c(1101, 501, ACK, "end")] {
        let mut frame = packet.ethernet();
        let len = frame.len();
        frame.truncate(96);
        frames.push((frame, len));
    }
    let (events, _) = read(pcap(1, &frames));
    let whats: Vec<What> = events.into_iter().map(|event| event.what).collect();
    // 14 bytes of Ethernet, 20 of IP, 24 of TCP.
    let wanted = [
        joined(CLIENT, SERVER),
        data(ToServer, &body[..38]),
        missing(ToServer, 962, Missing::NotKept),
        data(ToServer, "end"),
    ];
    assert_eq!(whats, wanted);
}

#[test]
fn sequence_numbers_wrap() {
    // Five GiB in steps, each acknowledged; most of it was never captured.
    let mut packets = vec![c(u32::MAX - 1, 0, SYN, ""), s(500, u32::MAX, SYN | ACK, "")];
    let mut seq = u32::MAX;
    for _ in 0..20 {
        packets.push(c(seq, 501, ACK, "abcd"));
        seq = seq.wrapping_add(256 << 20);
        packets.push(s(501, seq, ACK, ""));
    }
    let (events, _) = read(file(&packets));
    let total: u64 = events
        .iter()
        .map(|event| match &event.what {
            What::Data { bytes, .. } => bytes.len() as u64,
            What::Missing { len, .. } => *len,
            _ => 0,
        })
        .sum();
    assert_eq!(total, 20 * (256 << 20));
}

#[test]
fn a_port_used_again_is_another_connection() {
    let mut packets = handshake();
    packets.push(c(101, 501, ACK, "first"));
    packets.extend([
        c(9000, 0, SYN, ""),
        s(7000, 9001, SYN | ACK, ""),
        c(9001, 7001, ACK, "second"),
    ]);
    let (events, _) = read(file(&packets));
    assert_eq!(stream(&events, 1, Leg::Client, ToServer), b"first");
    assert_eq!(stream(&events, 2, Leg::Client, ToServer), b"second");
}

#[test]
fn a_resent_syn_is_no_new_connection() {
    let mut packets = vec![c(100, 0, SYN, "")];
    packets.extend(handshake());
    assert_eq!(whats(&packets), [opening(CLIENT, SERVER), What::Opened]);
}

#[test]
fn a_refused_connection() {
    let whats = whats(&[c(100, 0, SYN, ""), s(0, 101, RST | ACK, "")]);
    assert_eq!(
        whats,
        [opening(CLIENT, SERVER), closed(ToClient, Close::Reset)]
    );
}

#[test]
fn a_reset_with_any_number_ends_it_once() {
    for seq in [0, 104, 108, 0x9000_0000] {
        let whats = after_handshake(vec![
            c(101, 501, ACK, "abc"),
            c(seq, 0, RST, ""),
            c(seq, 0, RST, "why I left"),
            s(501, 104, ACK, "in flight"),
        ]);
        let wanted = [
            data(ToServer, "abc"),
            closed(ToServer, Close::Reset),
            data(ToClient, "in flight"),
        ];
        assert_eq!(whats, wanted);
    }
}

#[test]
fn data_after_the_end_is_no_data() {
    let whats = after_handshake(vec![
        c(101, 501, FIN | ACK, "abc"),
        c(104, 501, ACK, "beyond"),
        c(102, 501, ACK, "bcXXX"),
    ]);
    assert_eq!(whats, [data(ToServer, "abc"), closed(ToServer, Close::Fin)]);
}

#[test]
fn both_ends_close_at_once() {
    let whats = after_handshake(vec![
        c(101, 501, FIN | ACK, ""),
        s(501, 101, FIN | ACK, ""),
        c(102, 502, ACK, ""),
        s(502, 102, ACK, ""),
        s(502, 0, RST, ""),
    ]);
    assert_eq!(
        whats,
        [closed(ToServer, Close::Fin), closed(ToClient, Close::Fin)]
    );
}

#[test]
fn the_client_of_a_joined_connection_is_guessed() {
    let (a, b) = ("10.0.0.1:9000", "10.0.0.2:9001");
    let cases = [
        // What is said decides before the ports do.
        (packet(a, b, 1, 1, ACK, "BITS_POST /x HTTP/1.1\r\n"), (a, b)),
        (packet(a, b, 1, 1, ACK, "HTTP/1.1 200 OK\r\n"), (b, a)),
        (packet(a, b, 1, 1, SYN | ACK, ""), (b, a)),
        (packet(a, b, 1, 1, ACK, "binary"), (b, a)),
        (packet(a, SERVER, 1, 1, ACK, "binary"), (a, SERVER)),
        (
            packet("1.1.1.1:8080", b, 1, 1, ACK, "binary"),
            (b, "1.1.1.1:8080"),
        ),
    ];
    for (packet, (client, server)) in cases {
        assert_eq!(whats(&[packet])[0], joined(client, server));
    }
    // Nothing begins with a bare acknowledgement or a reset.
    assert_eq!(whats(&[c(1, 1, ACK, ""), s(1, 1, RST, "")]), []);
}

#[test]
fn what_waits_for_a_hole_is_bounded() {
    let mut packets = handshake();
    let body = "y".repeat(60_000);
    let mut seq = 201;
    for _ in 0..400 {
        packets.push(c(seq, 501, ACK, &body));
        seq += 60_000;
    }
    let (events, _) = read(file(&packets));
    let hole = events
        .iter()
        .find(|event| matches!(event.what, What::Missing { .. }))
        .unwrap();
    assert_eq!(hole.what, missing(ToServer, 100, Missing::NotSeen));
    // Told long before the end of the file.
    assert!(hole.at.as_millis() < 350);
    assert_eq!(
        stream(&events, 1, Leg::Client, ToServer).len(),
        400 * 60_000
    );
}

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
    let (two, four): (fn(u16) -> [u8; 2], fn(u32) -> [u8; 4]) = if big {
        (u16::to_be_bytes, u32::to_be_bytes)
    } else {
        (u16::to_le_bytes, u32::to_le_bytes)
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
        (0x80 | 1, 7),
        (0x80 | 20, 7 << 19),
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
