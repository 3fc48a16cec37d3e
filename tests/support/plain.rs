//! Plain sockets on both sides of a proxy, and what it tells of them.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::binary::{PATIENCE, of_type};

/// Reads one head.
pub(crate) fn head(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Sends a request and returns the answer, whose content has a length.
pub(crate) fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let head = head(stream);
    let length = (head.lines())
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |value| value.parse().unwrap());
    let mut content = vec![0; length];
    stream.read_exact(&mut content).unwrap();
    head + &String::from_utf8(content).unwrap()
}

/// Returns all notes, a line each.
pub(crate) fn notes(lines: &[Value]) -> String {
    let texts = of_type(lines, "note").into_iter();
    texts
        .map(|note| note["text"].as_str().unwrap().to_owned() + "\n")
        .collect()
}
