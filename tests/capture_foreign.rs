//! Captures of other recorders: every habit and every accident of TCP, link layers and file forms.

#[path = "support/events.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod events;
#[path = "support/packets.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod packets;

use bitstap::event::{Close, Leg, Missing, What};
use events::{ToClient, ToServer, closed, data, joined, missing, opening, stream};
use packets::{ACK, FIN, Packet, RST, SYN, pcap};

#[path = "support/foreign.rs"]
mod foreign;
use foreign::*;

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
