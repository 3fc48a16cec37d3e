//! Events per second through a timeline, and the memory that an exchange takes.
//!
//! `cargo bench --bench timeline`; sessions of 20 fragments each, three sizes to see the growth.

use std::time::Duration;

use bitstap::event::{ConnId, Direction, Event, Leg, What};
use bitstap::timeline::Timeline;
use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    for sessions in [500, 5_000, 45_455] {
        let events = events(sessions);
        let before = resident();
        let timeline = apply(&events);
        let exchanges = timeline.exchanges().len();
        let taken = resident().saturating_sub(before);
        println!(
            "{exchanges} exchanges in {sessions} sessions: {} bytes an exchange, {} of them the row",
            taken / exchanges,
            size_of::<bitstap::timeline::Exchange>(),
        );
    }
    divan::main();
}

/// Returns the resident memory of this process in bytes; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kibibytes.unwrap_or_default() * 1024
}

const FRAGMENTS: u64 = 20;

fn events(sessions: u32) -> Vec<Event> {
    let mut events = Vec::new();
    for conn in 1..=sessions {
        let mut push = |what| {
            let at = Duration::from_micros(events.len() as u64);
            events.push(Event {
                at,
                conn: ConnId(conn),
                leg: Leg::Client,
                what,
            });
        };
        push(What::Opening {
            client: ([10, 0, 0, 5], 50_000).into(),
            server: ([192, 0, 2, 1], 80).into(),
        });
        let total = FRAGMENTS * 10;
        let id = format!("{{{conn:032x}}}");
        let head = format!(
            "BITS_POST /up/{conn}.bin HTTP/1.1\r\nHost: bits.example.test\r\nUser-Agent: Microsoft BITS/7.8\r\n"
        );
        let ack = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n";
        let mut say = |request: String, answer: String| {
            for (direction, bytes) in [
                (Direction::ToServer, request),
                (Direction::ToClient, answer),
            ] {
                let bytes = Bytes::from(bytes);
                push(What::Data { direction, bytes });
            }
        };
        say(
            format!("{head}BITS-Packet-Type: Create-Session\r\nContent-Length: 0\r\n\r\n"),
            format!("{ack}BITS-Session-Id: {id}\r\n\r\n"),
        );
        for fragment in 0..FRAGMENTS {
            let (first, last) = (fragment * 10, fragment * 10 + 9);
            say(
                format!(
                    "{head}BITS-Packet-Type: Fragment\r\nBITS-Session-Id: {id}\r\nContent-Range: bytes {first}-{last}/{total}\r\nContent-Length: 10\r\n\r\n0123456789"
                ),
                format!("{ack}BITS-Received-Content-Range: {}\r\n\r\n", last + 1),
            );
        }
        say(
            format!(
                "{head}BITS-Packet-Type: Close-Session\r\nBITS-Session-Id: {id}\r\nContent-Length: 0\r\n\r\n"
            ),
            format!("{ack}\r\n"),
        );
        for direction in [Direction::ToServer, Direction::ToClient] {
            let how = bitstap::event::Close::Fin;
            push(What::Closed { direction, how });
        }
    }
    events
}

fn apply(events: &[Event]) -> Timeline {
    let mut timeline = Timeline::new();
    for (position, event) in (0..).zip(events) {
        timeline.apply(event, position);
        // As everybody does who listens to a timeline.
        if position % 64 == 0 {
            drop(timeline.take_changes());
        }
    }
    timeline
}

#[divan::bench(args = [50, 500, 5_000])]
fn uploads(bencher: Bencher<'_, '_>, sessions: u32) {
    let events = events(sessions);
    bencher
        .counter(ItemsCount::new(events.len()))
        .bench_local(|| apply(&events));
}
