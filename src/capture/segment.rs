//! Events to synthesised TCP: the state of one leg's stream and the packets that it becomes.
//!
//! Keeps sequence numbers right in both directions, so that other tools find nothing to complain
//! about. Knows neither files nor which streams exist.

use std::net::SocketAddr;

use crate::event::{Close, ConnId, Direction, Leg};

use super::block::{Enhanced, low};
use super::header::{ACK, FIN, PSH, RST, SEGMENT, SYN, Tcp};

/// A receiver acknowledges at the latest after this many bytes without an answer.
const ACK_EVERY: u64 = 16 << 20;

/// One TCP stream as the file shows it.
#[derive(Debug)]
pub(super) struct Stream {
    interface: u32,
    client: SocketAddr,
    server: SocketAddr,
    sides: [Side; 2],
    /// Acknowledgement numbers have a meaning from here on.
    established: bool,
    /// No direction can be written any more; the writer may forget it.
    pub(super) finished: bool,
}

/// One sender.
#[derive(Clone, Copy, Debug)]
struct Side {
    next: u32,
    window: u16,
    closed: Option<Close>,
    unacknowledged: u64,
}

/// A moment of writing: where to and when.
pub(super) struct Pen<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) at_ns: u64,
}

impl Stream {
    /// Makes a stream between two ends of one IP version that has said nothing yet.
    pub(super) fn new(conn: ConnId, leg: Leg, client: SocketAddr, server: SocketAddr) -> Self {
        let interface = match leg {
            Leg::Client => 0,
            Leg::Upstream => 1,
        };
        let side = |salt: u32| Side {
            next: first_sequence(conn, interface * 2 + salt),
            window: u16::MAX,
            closed: None,
            unacknowledged: 0,
        };
        Self {
            interface,
            client,
            server,
            sides: [side(0), side(1)],
            established: false,
            finished: false,
        }
    }

    /// Tells how `direction` ended, if it did.
    pub(super) fn closed(&self, direction: Direction) -> Option<Close> {
        self.side(direction).closed
    }

    /// Returns both ends as the packets name them.
    pub(super) fn ends(&self) -> (SocketAddr, SocketAddr) {
        (self.client, self.server)
    }

    /// Begins with a SYN.
    pub(super) fn open(&mut self, pen: &mut Pen<'_>, comments: &[&str]) {
        self.put(pen, Direction::ToServer, SYN, comments);
    }

    /// Begins in the middle.
    pub(super) fn join(&mut self, pen: &mut Pen<'_>, comments: &[&str]) {
        for side in &mut self.sides {
            side.next = side.next.wrapping_add(1);
        }
        self.established = true;
        self.put(pen, Direction::ToServer, ACK, comments);
    }

    /// Accepts: SYN-ACK and ACK.
    pub(super) fn accept(&mut self, pen: &mut Pen<'_>) {
        self.established = true;
        self.put(pen, Direction::ToClient, SYN | ACK, &[]);
        self.put(pen, Direction::ToServer, ACK, &[]);
    }

    /// Says something beside the stream. A changed window keeps it from looking like a repeated ACK.
    pub(super) fn note(&mut self, pen: &mut Pen<'_>, direction: Direction, comments: &[&str]) {
        self.move_window(direction);
        let flags = if self.established { ACK } else { 0 };
        self.put(pen, direction, flags, comments);
    }

    /// Leaves a gap of `len` bytes, after a packet whose comments say so.
    pub(super) fn skip(
        &mut self,
        pen: &mut Pen<'_>,
        direction: Direction,
        len: u64,
        comments: &[&str],
    ) {
        self.note(pen, direction, comments);
        let side = self.side_mut(direction);
        side.next = side.next.wrapping_add(low(len));
    }

    /// Ends a direction.
    pub(super) fn close(&mut self, pen: &mut Pen<'_>, direction: Direction, how: Close) {
        let ack = if self.established { ACK } else { 0 };
        match how {
            Close::Fin => {
                self.put(pen, direction, FIN | ack, &[]);
                if self.established {
                    self.put(pen, direction.reverse(), ACK, &[]);
                }
            }
            Close::Reset => {
                // A refusal acknowledges the SYN, though nothing was established.
                let refusal = direction == Direction::ToClient;
                let ack = if refusal { ACK } else { ack };
                self.put(pen, direction, RST | ack, &[]);
            }
        }
        self.side_mut(direction).closed = Some(how);
        self.finished = how == Close::Reset || self.sides.iter().all(|side| side.closed.is_some());
    }

    /// Appends the head of a packet with payload and returns the block that it began; the caller
    /// appends `kept` and then the block's tail. At most [`SEGMENT`] bytes.
    pub(super) fn begin_data(
        &mut self,
        pen: &mut Pen<'_>,
        direction: Direction,
        kept: &[u8],
        len: usize,
        last: bool,
    ) -> Enhanced<'static> {
        debug_assert!(kept.len() <= len && len <= SEGMENT);
        let ack = if self.established { ACK } else { 0 };
        let push = if last { PSH } else { 0 };
        let tcp = self.tcp(direction, ack | push);
        let block = Enhanced {
            interface: self.interface,
            at_ns: pen.at_ns,
            captured: tcp.len() + kept.len(),
            original: tcp.len() + len,
            comments: &[],
        };
        block.put_head(pen.out);
        tcp.put(pen.out, kept, len);
        self.side_mut(direction.reverse()).unacknowledged = 0;
        let side = self.side_mut(direction);
        side.next = side
            .next
            .wrapping_add(u32::try_from(len).unwrap_or(u32::MAX));
        side.unacknowledged += len as u64;
        block
    }

    /// Lets the receiver of `direction` acknowledge where it was silent for long.
    pub(super) fn acknowledge(&mut self, pen: &mut Pen<'_>, direction: Direction) {
        let receiver = direction.reverse();
        let is_open = self.established && self.side(receiver).closed != Some(Close::Reset);
        if is_open && self.side(direction).unacknowledged >= ACK_EVERY {
            self.put(pen, receiver, ACK, &[]);
        }
    }

    /// Appends a packet without payload.
    fn put(&mut self, pen: &mut Pen<'_>, direction: Direction, flags: u8, comments: &[&str]) {
        let tcp = self.tcp(direction, flags);
        let block = Enhanced {
            interface: self.interface,
            at_ns: pen.at_ns,
            captured: tcp.len(),
            original: tcp.len(),
            comments,
        };
        block.put_head(pen.out);
        tcp.put(pen.out, &[], 0);
        block.put_tail(pen.out);
        if flags & ACK != 0 {
            self.side_mut(direction.reverse()).unacknowledged = 0;
        }
        if flags & (SYN | FIN) != 0 {
            let side = self.side_mut(direction);
            side.next = side.next.wrapping_add(1);
        }
    }

    fn tcp(&self, direction: Direction, flags: u8) -> Tcp {
        let (from, to) = match direction {
            Direction::ToServer => (self.client, self.server),
            Direction::ToClient => (self.server, self.client),
        };
        let ack = if flags & ACK == 0 {
            0
        } else {
            self.side(direction.reverse()).next
        };
        Tcp {
            from,
            to,
            seq: self.side(direction).next,
            ack,
            flags,
            window: if flags & RST == 0 {
                self.side(direction).window
            } else {
                0
            },
        }
    }

    fn move_window(&mut self, direction: Direction) {
        let side = self.side_mut(direction);
        side.window = if side.window == u16::MAX {
            u16::MAX - 1
        } else {
            u16::MAX
        };
    }

    fn side(&self, direction: Direction) -> &Side {
        let [to_server, to_client] = &self.sides;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    fn side_mut(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }
}

/// Derives an initial sequence number, so that a later connection between the same ports is another
/// stream to every tool.
fn first_sequence(conn: ConnId, salt: u32) -> u32 {
    (conn.0.wrapping_mul(4).wrapping_add(salt)).wrapping_mul(0x9E37_79B1)
}
