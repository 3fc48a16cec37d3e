//! The server behind every proxy: answers each request once it has all of it, and keeps nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::load::{ACK, find};

/// The server: answers each request once it has all of it.
pub(crate) fn run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    for stream in listener.incoming() {
        let stream = stream.expect("a connection");
        // Thousands of them wait in the test of idle connections.
        let thread = thread::Builder::new().stack_size(64 << 10);
        thread.spawn(move || serve(stream)).expect("a thread");
    }
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 1 << 18];
    let mut have = 0;
    loop {
        let end = loop {
            if let Some(end) = find(&buffer[..have]) {
                break end;
            }
            match stream.read(&mut buffer[have..]) {
                Ok(0) | Err(_) => return,
                Ok(count) => have += count,
            }
        };
        let mut body = length(&buffer[..end]).saturating_sub(have - end);
        have = 0;
        while body > 0 {
            let most = body.min(buffer.len());
            match stream.read(&mut buffer[..most]) {
                Ok(0) | Err(_) => return,
                Ok(count) => body -= count,
            }
        }
        if stream.write_all(ACK).is_err() {
            return;
        }
    }
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, after) = head.split_once("content-length:").expect("a length");
    let value = after.split("\r\n").next().unwrap_or_default();
    value.trim().parse().expect("a length")
}
