//! The forward proxy, routes, and the proxy behind: the real binary, real sockets.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/plain.rs"]
mod plain;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/relay_tcp.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod relay_tcp;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod tls;

#[path = "forward/behind.rs"]
mod behind;
#[path = "forward/routes.rs"]
mod routes;
#[path = "forward/tunnels.rs"]
mod tunnels;
#[path = "forward/urls.rs"]
mod urls;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use binary::{Running, of_type};
pub(crate) use plain::{ask, head, notes};
use serde_json::Value;

/// Where nobody listens. A port that was free a moment ago may still be open: a program that another test
/// starts at that moment inherits it until it runs.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// A server that answers `name` to one request after the other on one connection, and returns what it was
/// asked.
pub(crate) fn server(name: &'static str, requests: usize) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}",
            name.len()
        );
        (0..requests)
            .map(|_| {
                let asked = head(&mut stream);
                stream.write_all(answer.as_bytes()).unwrap();
                asked
            })
            .collect()
    });
    (address, served)
}

/// Starts the proxy on a free port of loopback.
pub(crate) fn proxy(more: &[&str]) -> Running {
    let mut args = vec!["proxy", "--listen", "127.0.0.1:0"];
    args.extend_from_slice(more);
    Running::start(&args)
}

pub(crate) fn connect(proxy: &Running) -> TcpStream {
    TcpStream::connect(proxy.address()).unwrap()
}

/// Returns method, URL, status and outcome of each exchange, in order.
pub(crate) fn exchanges(lines: &[Value]) -> Vec<String> {
    let mut found = of_type(lines, "exchange");
    found.sort_by_key(|line| line["no"].as_u64());
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    found
        .iter()
        .map(|line| {
            let (method, url) = (word(&line["method"]), word(&line["url"]));
            format!(
                "{method} {url} {} {}",
                line["status"],
                word(&line["outcome"])
            )
        })
        .collect()
}
