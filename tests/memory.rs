//! Memory does not grow with what is uploaded: the real binary records far more than it may keep.

#![cfg(target_os = "linux")]

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use support::binary::{Running, json, of_type};

const CLIENTS: usize = 8;
const FRAGMENTS: usize = 8;
const FRAGMENT: usize = 16 << 20;
/// The most that the proxy may ever have had in memory.
const BAR: u64 = 96 << 20;

#[test]
fn a_gibibyte_passes_and_is_recorded_in_less_than_96_mebibytes() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("large.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let proxy = Running::start(&[
        "proxy",
        "--listen=127.0.0.1:0",
        "--upstream",
        &upstream,
        "--capture",
        capture.to_str().unwrap(),
    ]);
    let address = proxy.address();

    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(move || upload(address));
            let (stream, _) = listener.accept().unwrap();
            scope.spawn(move || take(stream));
        }
    });

    let total = (CLIENTS * FRAGMENTS * FRAGMENT) as u64;
    for _ in 0..CLIENTS * FRAGMENTS {
        proxy.wait_for("exchange");
    }
    let peak = peak(proxy.child.id());
    assert!(peak < BAR, "the peak is {} KiB", peak >> 10);
    // It is the proxy that recorded, and the figure is one of a process at work.
    assert!(peak > 1 << 20, "{peak}");
    assert!(std::fs::metadata(&capture).unwrap().len() > total);

    proxy.kill();
    let told = json(&["view", capture.to_str().unwrap()]);
    let exchanges = of_type(&told, "exchange");
    let bodies = exchanges.iter().map(|line| line["request_body"].as_u64());
    assert_eq!(bodies.map(Option::unwrap).sum::<u64>(), total);
}

/// Sends all fragments of one file, waiting for each Ack.
fn upload(proxy: SocketAddr) {
    let mut stream = TcpStream::connect(proxy).unwrap();
    let piece = vec![b'x'; 1 << 20];
    for number in 0..FRAGMENTS {
        let first = number * FRAGMENT;
        let head = format!(
            "BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {{1}}\r\n\
             Content-Range: bytes {first}-{}/{}\r\nContent-Length: {FRAGMENT}\r\n\r\n",
            first + FRAGMENT - 1,
            FRAGMENTS * FRAGMENT
        );
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..FRAGMENT / piece.len() {
            stream.write_all(&piece).unwrap();
        }
        let mut ack = vec![0; ACK.len()];
        stream.read_exact(&mut ack).unwrap();
        assert_eq!(ack, ACK);
    }
}

const ACK: &[u8] = b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";

/// Acknowledges each fragment once all of it has come, and keeps nothing.
fn take(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    let mut have = 0;
    for _ in 0..FRAGMENTS {
        let body = loop {
            let head = buffer[..have]
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(end) = head {
                break end + 4;
            }
            let count = stream.read(&mut buffer[have..]).unwrap();
            assert!(count > 0, "the client has gone");
            have += count;
        };
        let mut left = FRAGMENT - (have - body);
        have = 0;
        while left > 0 {
            let most = left.min(buffer.len());
            let count = stream.read(&mut buffer[..most]).unwrap();
            assert!(count > 0, "the client has gone");
            left -= count;
        }
        stream.write_all(ACK).unwrap();
    }
}

/// Returns the most memory that a process ever had resident, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() << 10
}
