//! The load: uploads of large fragments, then Pings, over one connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::process::Process;

const FRAGMENT: usize = 1 << 20;
const FRAGMENTS: usize = 2048;
const PINGS: usize = 20_000;
const PING: &[u8] = b"BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nUser-Agent: Microsoft BITS/7.8\r\n\
    BITS-Packet-Type: Ping\r\nBITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n\
    Content-Length: 0\r\n\r\n";
pub(crate) const ACK: &[u8] =
    b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";

/// What one run of one proxy cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) per_gib: f64,
    pub(crate) rate: f64,
    pub(crate) per_thousand: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Peak of the resident memory, MiB.
    pub(crate) peak: f64,
}

/// Measures a proxy that listens on `port`.
pub(crate) fn measure(process: &Process, port: u16) -> Cost {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let head = format!("BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nContent-Length: {FRAGMENT}\r\n\r\n");
    let fragment = [head.as_bytes(), &vec![b'x'; FRAGMENT]].concat();
    for _ in 0..16 {
        stream.write_all(&fragment).expect("it takes it");
        answer(&mut stream);
    }
    let (begun, before) = (Instant::now(), process.cpu());
    for _ in 0..FRAGMENTS {
        stream.write_all(&fragment).expect("it takes it");
        answer(&mut stream);
    }
    let gib = (FRAGMENT * FRAGMENTS) as f64 / f64::from(1 << 30);
    let per_gib = (process.cpu() - before) / gib;
    let rate = gib / begun.elapsed().as_secs_f64();

    let before = process.cpu();
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begun = Instant::now();
        ping(&mut stream);
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let per_thousand = (process.cpu() - before) * 1e6 / PINGS as f64;
    times.sort_by(f64::total_cmp);
    Cost {
        per_gib,
        rate,
        per_thousand,
        p50: times[PINGS / 2],
        p99: times[PINGS * 99 / 100],
        peak: process.memory("VmHWM:"),
    }
}

/// Reads one whole answer.
fn answer(stream: &mut TcpStream) {
    let mut ack = [0; 4096];
    let mut have = 0;
    while find(&ack[..have]).is_none() {
        let count = stream.read(&mut ack[have..]).expect("an answer");
        assert!(count > 0, "the proxy closed the connection");
        have += count;
    }
    assert!(ack.starts_with(b"HTTP/1.1 200"));
}

/// Sends one Ping and waits for its answer.
pub(crate) fn ping(stream: &mut TcpStream) {
    stream.write_all(PING).expect("it takes it");
    answer(stream);
}

/// Returns where the head at the front of `bytes` ends.
pub(crate) fn find(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}
