//! One IP and TCP header for a packet that never was on a wire, with right checksums.
//!
//! Knows nothing of streams: addresses, numbers and payload come in, bytes come out.

use std::net::{IpAddr, SocketAddr};

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

/// Largest payload of one packet: fits both IP versions' lengths and is a multiple of 64.
pub(super) const SEGMENT: usize = 65_472;

/// Options of a SYN: MSS 65472, NOP, window scale 14.
const SYN_OPTIONS: [u8; 8] = [2, 4, 0xFF, 0xC0, 1, 3, 3, 14];

/// What a TCP header says.
#[derive(Clone, Copy)]
pub(super) struct Tcp {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
}

impl Tcp {
    /// Returns the length of the headers.
    pub(super) fn len(&self) -> usize {
        let ip = if self.from.is_ipv4() { 20 } else { 40 };
        ip + self.tcp_len()
    }

    fn tcp_len(&self) -> usize {
        20 + if self.flags & SYN == 0 {
            0
        } else {
            SYN_OPTIONS.len()
        }
    }

    /// Appends the headers of a packet with `len` bytes of payload, of which `kept` are there; bytes
    /// that are not kept count as zeros in the checksum. Both addresses are of one IP version.
    pub(super) fn put(&self, out: &mut Vec<u8>, kept: &[u8], len: usize) {
        let tcp_len = short(self.tcp_len() + len);
        let mut sum = match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                put_v4(out, from.octets(), to.octets(), tcp_len);
                sum_of(&from.octets()) + sum_of(&to.octets())
            }
            (from, to) => {
                let (from, to) = (v6(from), v6(to));
                put_v6(out, from, to, tcp_len);
                sum_of(&from) + sum_of(&to)
            }
        };
        let begin = out.len();
        out.extend_from_slice(&self.from.port().to_be_bytes());
        out.extend_from_slice(&self.to.port().to_be_bytes());
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.ack.to_be_bytes());
        let words = if self.flags & SYN == 0 { 5 } else { 7 };
        out.extend_from_slice(&[words << 4, self.flags]);
        out.extend_from_slice(&self.window.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        if self.flags & SYN != 0 {
            out.extend_from_slice(&SYN_OPTIONS);
        }
        sum += sum_of(&[0, 6]) + sum_of(&tcp_len.to_be_bytes());
        sum += out.get(begin..).map_or(0, sum_of) + sum_of(kept);
        if let Some(place) = out.get_mut(begin + 16..begin + 18) {
            place.copy_from_slice(&fold(sum));
        }
    }
}

fn put_v4(out: &mut Vec<u8>, from: [u8; 4], to: [u8; 4], tcp_len: u16) {
    let begin = out.len();
    out.extend_from_slice(&[0x45, 0]);
    out.extend_from_slice(&tcp_len.saturating_add(20).to_be_bytes());
    // Don't fragment, 64 hops, TCP.
    out.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
    out.extend_from_slice(&from);
    out.extend_from_slice(&to);
    let sum = out.get(begin..).map_or(0, sum_of);
    if let Some(place) = out.get_mut(begin + 10..begin + 12) {
        place.copy_from_slice(&fold(sum));
    }
}

fn put_v6(out: &mut Vec<u8>, from: [u8; 16], to: [u8; 16], tcp_len: u16) {
    out.extend_from_slice(&[0x60, 0, 0, 0]);
    out.extend_from_slice(&tcp_len.to_be_bytes());
    out.extend_from_slice(&[6, 64]);
    out.extend_from_slice(&from);
    out.extend_from_slice(&to);
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Adds up in the machine's own order, which the Internet checksum allows (RFC 1071 §2B), in lanes
/// that the compiler can keep in vector registers.
fn sum_of(bytes: &[u8]) -> u64 {
    let mut lanes = [0u64; 8];
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    let mut sum: u64 = lanes.iter().sum();
    for pair in blocks.remainder().chunks(2) {
        let second = pair.get(1).copied().unwrap_or_default();
        sum += u64::from(u16::from_ne_bytes([pair[0], second]));
    }
    sum
}

fn fold(mut sum: u64) -> [u8; 2] {
    while sum > 0xFFFF {
        sum = (sum >> 16) + (sum & 0xFFFF);
    }
    (!short(usize::try_from(sum).unwrap_or_default())).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_agree_with_etherparse() {
        let ends = [
            ("10.0.0.1:5000", "10.0.0.2:80"),
            ("[fd00::1]:5000", "[fd00::2]:80"),
        ];
        for (from, to) in ends {
            for len in [0usize, 1, 2, 3, 31, 32, 33, 1000, SEGMENT] {
                for flags in [ACK, SYN, SYN | ACK] {
                    let payload: Vec<u8> = (0..=250u8)
                        .map(|i| i.wrapping_mul(37))
                        .cycle()
                        .take(len)
                        .collect();
                    let tcp = Tcp {
                        from: from.parse().unwrap(),
                        to: to.parse().unwrap(),
                        seq: 0xFFFF_FFF0,
                        ack: 77,
                        flags,
                        window: 65_535,
                    };
                    let mut bytes = Vec::new();
                    tcp.put(&mut bytes, &payload, len);
                    assert_eq!(bytes.len(), tcp.len());
                    bytes.extend_from_slice(&payload);
                    let sliced = etherparse::SlicedPacket::from_ip(&bytes).unwrap();
                    let Some(etherparse::TransportSlice::Tcp(slice)) = sliced.transport else {
                        panic!("no TCP in it");
                    };
                    assert_eq!(slice.payload(), payload);
                    let right = match sliced.net {
                        Some(etherparse::NetSlice::Ipv4(ip)) => {
                            let header = ip.header();
                            let mut own = header.to_header();
                            own.header_checksum = 0;
                            assert_eq!(header.header_checksum(), own.calc_header_checksum());
                            slice.calc_checksum_ipv4(header.source(), header.destination())
                        }
                        Some(etherparse::NetSlice::Ipv6(ip)) => slice
                            .calc_checksum_ipv6(ip.header().source(), ip.header().destination()),
                        _ => panic!("no IP in it"),
                    };
                    assert_eq!(slice.checksum(), right.unwrap());
                }
            }
        }
    }
}
