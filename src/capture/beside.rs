//! Notes that belong to no connection: comments on a packet that is nobody's.
//!
//! The packet is an IPv6 header with "no next header" behind it, between two addresses of the discard
//! prefix: every tool shows it as such and counts it to no TCP stream.
//! RFC 8200 §4.7, RFC 6666

use crate::event::{ConnId, Leg, Note};

use super::block::Enhanced;
use super::mark::Mark;

/// Where notes without a connection are said to be.
pub(super) const NOBODY: (ConnId, Leg) = (ConnId(0), Leg::Client);

/// The packet: version 6, no content, no next header, 1 hop, from `100::1` to `100::`.
const PACKET: [u8; 40] = {
    let mut packet = [0; 40];
    packet[0] = 0x60;
    packet[6] = 59;
    packet[7] = 1;
    packet[8] = 0x01;
    packet[23] = 1;
    packet[24] = 0x01;
    packet
};

/// Appends the packet with the comments of `note`.
pub(super) fn put(out: &mut Vec<u8>, at_ns: u64, note: &Note) {
    let json = Mark::of_fact(&note.fact);
    let comments = [note.text.as_str(), json.as_str()];
    let block = Enhanced {
        interface: 0,
        at_ns,
        captured: PACKET.len(),
        original: PACKET.len(),
        comments: &comments,
    };
    block.put_head(out);
    out.extend_from_slice(&PACKET);
    block.put_tail(out);
}

/// Tells whether a packet is one of ours without a connection.
pub(super) fn is(packet: &[u8]) -> bool {
    packet == PACKET
}
