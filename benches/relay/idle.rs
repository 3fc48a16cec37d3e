//! The memory of many connections that are kept open and say nothing, each with its upstream twin.

use std::net::TcpStream;

use crate::load::ping;
use crate::process::Process;

const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// Returns how many files this process and its children may open.
fn files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(1024)
}

/// Prints the memory of the proxy at each size, and asks it for one more Ping on a new
/// connection. Needs `ulimit -n` above twice the size; takes what there is.
pub(crate) fn measure() {
    println!("| idle connections | resident MiB | peak MiB |");
    println!("|---|---|---|");
    for size in SIZES {
        // The proxy has two sockets per connection, and some files beside.
        let size = size.min((files() - 40) / 2);
        let (_server, sink) = Process::own(&["sink"]);
        let dir = tempfile::tempdir().expect("a directory");
        let (proxy, port) = Process::bitstap(sink, Some(&dir.path().join("idle.pcapng")));
        let connect = || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            ping(&mut stream);
            stream
        };
        let open: Vec<TcpStream> = (0..size).map(|_| connect()).collect();
        let (now, peak) = (proxy.memory("VmRSS:"), proxy.memory("VmHWM:"));
        drop(connect());
        println!("| {} | {now:.1} | {peak:.1} |", open.len());
    }
}
