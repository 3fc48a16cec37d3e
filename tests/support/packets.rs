//! Packets as other recorders write them: a small builder for Ethernet, raw IP, and files of them.

use std::net::{IpAddr, SocketAddr};

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// One TCP segment between two ends.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
    /// IPv4 total length or IPv6 payload length as a segmenting network card leaves it.
    pub(crate) zero_length: bool,
    /// Bytes between the IPv6 header and TCP.
    pub(crate) extension: Vec<u8>,
}

impl Packet {
    /// Returns the packet from its IP header on.
    pub(crate) fn raw(&self) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        // With an option, so that the header is not of the usual length.
        tcp.extend([6 << 4, self.flags, 255, 255, 0, 0, 0, 0, 1, 1, 1, 1]);
        tcp.extend(&self.payload);
        let mut out = Vec::new();
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let len = if self.zero_length { 0 } else { tcp.len() + 20 };
                out.extend([0x45, 0]);
                out.extend(u16::try_from(len).unwrap().to_be_bytes());
                out.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
                out.extend(from.octets());
                out.extend(to.octets());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let len = if self.zero_length {
                    0
                } else {
                    tcp.len() + self.extension.len()
                };
                out.extend([0x60, 0, 0, 0]);
                out.extend(u16::try_from(len).unwrap().to_be_bytes());
                out.extend([if self.extension.is_empty() { 6 } else { 0 }, 64]);
                out.extend(from.octets());
                out.extend(to.octets());
                out.extend(&self.extension);
            }
            _ => panic!("two IP versions in one packet"),
        }
        out.extend(tcp);
        out
    }

    /// Returns it as an Ethernet frame, padded as a network card does it.
    pub(crate) fn ethernet(&self) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend(self.ether_type());
        frame.extend(self.raw());
        frame.resize(frame.len().max(60), 0xEE);
        frame
    }

    pub(crate) fn ether_type(&self) -> [u8; 2] {
        if self.from.is_ipv4() {
            [8, 0]
        } else {
            [0x86, 0xDD]
        }
    }
}

/// A classic pcap file of frames, one millisecond apart: frame and length on the wire.
pub(crate) fn pcap(link: u32, frames: &[(Vec<u8>, usize)]) -> Vec<u8> {
    pcap_as(link, frames, u32::to_le_bytes, 0xA1B2_C3D4, 1000)
}

/// The same in any byte order, with any magic number and fractions to the millisecond.
pub(crate) fn pcap_as(
    link: u32,
    frames: &[(Vec<u8>, usize)],
    word: impl Fn(u32) -> [u8; 4],
    magic: u32,
    millisecond: u32,
) -> Vec<u8> {
    let mut out = word(magic).to_vec();
    out.extend([0; 12]);
    out.extend(word(262_144));
    out.extend(word(link));
    for (number, (frame, original)) in (0u32..).zip(frames) {
        out.extend(word(1_000_000_000 + number / 1000));
        out.extend(word(number % 1000 * millisecond));
        out.extend(word(u32::try_from(frame.len()).unwrap()));
        out.extend(word(u32::try_from(*original).unwrap()));
        if magic == 0xA1B2_CD34 {
            out.extend([0; 8]);
        }
        out.extend(frame);
    }
    out
}

/// A pcapng block in either byte order.
pub(crate) fn block(kind: u32, big: bool, body: &[u8]) -> Vec<u8> {
    let word = |value: u32| {
        if big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let padding = body.len().wrapping_neg() & 3;
    let len = u32::try_from(body.len() + padding + 12).unwrap();
    let mut out = word(kind).to_vec();
    out.extend(word(len));
    out.extend(body);
    out.resize(out.len() + padding, 0);
    out.extend(word(len));
    out
}
