//! A conversation of two foreign ends as packets, and what a reader makes of it.

use bitstap::capture::{Reader, Record};
use bitstap::event::{Event, What};

use super::events::opening;
use super::packets::{ACK, Packet, SYN, pcap};

pub(crate) const CLIENT: &str = "10.0.0.1:50000";
pub(crate) const SERVER: &str = "10.0.0.2:80";

pub(crate) fn packet(from: &str, to: &str, seq: u32, ack: u32, flags: u8, payload: &str) -> Packet {
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
pub(crate) fn c(seq: u32, ack: u32, flags: u8, payload: &str) -> Packet {
    packet(CLIENT, SERVER, seq, ack, flags, payload)
}

/// From the server, whose stream begins with 501.
pub(crate) fn s(seq: u32, ack: u32, flags: u8, payload: &str) -> Packet {
    packet(SERVER, CLIENT, seq, ack, flags, payload)
}

pub(crate) fn handshake() -> Vec<Packet> {
    vec![
        c(100, 0, SYN, ""),
        s(500, 101, SYN | ACK, ""),
        c(101, 501, ACK, ""),
    ]
}

pub(crate) fn read(bytes: Vec<u8>) -> (Vec<Event>, Vec<String>) {
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

pub(crate) fn file(packets: &[Packet]) -> Vec<u8> {
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
pub(crate) fn after_handshake(packets: Vec<Packet>) -> Vec<What> {
    let mut all = handshake();
    all.extend(packets);
    let mut whats = whats(&all);
    assert_eq!(whats.remove(0), opening(CLIENT, SERVER));
    assert_eq!(whats.remove(0), What::Opened);
    whats
}

pub(crate) fn whats(packets: &[Packet]) -> Vec<What> {
    let (events, notes) = read(file(packets));
    assert_eq!(notes, Vec::<String>::new());
    events.into_iter().map(|event| event.what).collect()
}
