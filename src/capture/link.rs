//! A captured frame to its TCP segment, through every link layer that BITS is captured on.
//!
//! Lengths come from the IP header, so neither Ethernet padding nor a snap length is mistaken for
//! payload. Knows no streams.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, ip_number};

use super::block::{read_u16, read_u32};

/// One TCP segment as captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    /// What was captured of the payload.
    pub(super) payload: &'a [u8],
    /// Length of the payload on the wire; never below what was captured.
    pub(super) len: u32,
}

/// What a frame turned out to be.
#[derive(Debug)]
pub(super) enum Frame<'a> {
    Tcp(Segment<'a>),
    /// One part of an IP packet that was sent in several.
    Fragment,
    /// A TCP packet that was cut before its payload's place could be read.
    Cut,
    UnknownLink,
    /// Anything else.
    Other,
}

/// Reads a frame of link type `link` that was `original` bytes long on the wire.
/// Link types: <https://www.tcpdump.org/linktypes.html>
pub(super) fn read(link: u16, frame: &[u8], original: u32) -> Frame<'_> {
    let sliced = match link {
        1 => LaxSlicedPacket::from_ethernet(frame).ok(),
        // NULL and LOOP: four bytes with the sender's number for the protocol family.
        0 | 108 => from_ip(frame, 4),
        12 | 14 | 101 | 228 | 229 => from_ip(frame, 0),
        // Linux cooked capture, versions 1 and 2.
        113 => from_ether_type(frame, 14, 16),
        276 => from_ether_type(frame, 0, 20),
        _ => return Frame::UnknownLink,
    };
    sliced
        .and_then(|sliced| tcp(&sliced, frame, original))
        .unwrap_or(Frame::Other)
}

fn from_ip(frame: &[u8], skip: usize) -> Option<LaxSlicedPacket<'_>> {
    LaxSlicedPacket::from_ip(frame.get(skip..)?).ok()
}

fn from_ether_type(frame: &[u8], at: usize, skip: usize) -> Option<LaxSlicedPacket<'_>> {
    let kind = EtherType(read_u16(frame, at, true)?);
    Some(LaxSlicedPacket::from_ether_type(kind, frame.get(skip..)?))
}

fn tcp<'a>(sliced: &LaxSlicedPacket<'a>, frame: &[u8], original: u32) -> Option<Frame<'a>> {
    let net = sliced.net.as_ref()?;
    let ip = net.ip_payload_ref()?;
    if ip.ip_number != ip_number::TCP {
        return None;
    }
    if ip.fragmented {
        return Some(Frame::Fragment);
    }
    // The length of TCP as the IP header has it; `None` where the network card filled it in later.
    let (from, to, declared): (IpAddr, IpAddr, _) = match net {
        LaxNetSlice::Ipv4(v4) => {
            let header = v4.header();
            let head =
                header.slice().len() + v4.extensions().auth.map_or(0, |auth| auth.slice().len());
            let declared = usize::from(header.total_len()).checked_sub(head);
            let (from, to) = (header.source_addr(), header.destination_addr());
            (from.into(), to.into(), declared)
        }
        LaxNetSlice::Ipv6(v6) => {
            let header = v6.header();
            let len = usize::from(header.payload_length());
            let declared = len.checked_sub(v6.extensions().slice().len());
            let declared = declared.filter(|_| len > 0);
            let (from, to) = (header.source_addr(), header.destination_addr());
            (from.into(), to.into(), declared)
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let bytes = ip.payload;
    let head = usize::from(bytes.get(12)? >> 4) * 4;
    if head < 20 {
        return None;
    }
    let Some(payload) = bytes.get(head..) else {
        return Some(Frame::Cut);
    };
    let before = frame.len() - payload.len().min(frame.len());
    let len = match declared {
        Some(declared) => declared.checked_sub(head)?,
        None => (original as usize).saturating_sub(before),
    };
    let len = len.max(payload.len());
    Some(Frame::Tcp(Segment {
        from: SocketAddr::new(from, read_u16(bytes, 0, true)?),
        to: SocketAddr::new(to, read_u16(bytes, 2, true)?),
        seq: read_u32(bytes, 4, true)?,
        ack: read_u32(bytes, 8, true)?,
        flags: *bytes.get(13)?,
        payload,
        len: u32::try_from(len).ok()?,
    }))
}
