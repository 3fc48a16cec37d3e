//! What holds for any bytes: no panic, the items tile each direction, and how the bytes are cut does not
//! matter. And for conversations built from parts: the parts come back.

use std::fmt::Write as _;

use bitstap::wire::{Conversation, Stream};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Turn, read_all_ways, transcript};

/// Pieces from which nearly right messages are made.
const PIECES: &[&str] = &[
    "GET ",
    "BITS_POST ",
    "HEAD ",
    "CONNECT ",
    "/a",
    "/a b",
    "h:1",
    "http://a/",
    "*",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/2.0",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 204",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 101 Switching",
    "HTTP/1.0 404 ",
    "HTTP/1.",
    "HTTP",
    "HTTP/1.1 2",
    "\r\n",
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    " ",
    ":",
    "\r\nContent-Length: 5\r\n",
    "\r\nContent-Length: 0\r\n",
    "\r\nContent-Length : 1\r\n",
    "\r\nTransfer-Encoding: chunked\r\n",
    "Host: a",
    "\r\n folded",
    "\r\nodd line\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nTrailer: x\r\n\r\n",
    "3;ext=1\r\nabc\r\n",
    "hello",
    "garbage!",
    "<html>",
    "{\"a\": 1}",
    "\0",
    "\x7f",
    "\u{e9}",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat().into_bytes())
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec![
        "BITS_POST /up HTTP/1.1\r\n",
        "HEAD /f HTTP/1.1\r\n",
        "CONNECT h:1 HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n",
        "HTTP/1.1 206 Partial\r\n",
    ]);
    let fields = select(vec![
        "\r\n",
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Host: a\r\n",
    ]);
    (start, fields).prop_map(|(start, fields)| format!("{start}{fields}").into_bytes())
}

fn stream() -> impl Strategy<Value = Stream> {
    select(vec![Stream::Requests, Stream::Responses])
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => (stream(), text()).prop_map(|(stream, bytes)| Turn::Bytes(stream, bytes)),
        4 => (stream(), message()).prop_map(|(stream, bytes)| Turn::Bytes(stream, bytes)),
        1 => (stream(), vec(any::<u8>(), 0..40)).prop_map(|(stream, bytes)| Turn::Bytes(stream, bytes)),
        1 => (stream(), 1..20_u64).prop_map(|(stream, len)| Turn::Skip(stream, len)),
        1 => stream().prop_map(Turn::Finish),
    ]
}

/// One exchange and the lines that it must give.
fn exchange(no: usize, kind: usize, size: usize) -> (String, String, String, String) {
    let body = "x".repeat(size);
    let (method, answer, framing) = match kind % 5 {
        0 => (
            "BITS_POST",
            format!("Content-Length: {size}\r\n\r\n{body}"),
            "length",
        ),
        1 => ("HEAD", format!("Content-Length: {size}\r\n\r\n"), "none"),
        2 => (
            "GET",
            format!("Transfer-Encoding: chunked\r\n\r\n{size:x};e\r\n{body}\r\n0\r\n\r\n"),
            "chunked",
        ),
        3 => ("GET", "\r\n".to_owned(), "none-304"),
        _ => ("PUT", format!("content-length: {size}\n\n{body}"), "length"),
    };
    let request = format!("{method} /{no} HTTP/1.1\r\nContent-Length: {size}\r\n\r\n{body}");
    let status = if framing == "none-304" { 304 } else { 200 };
    let interim = if kind.is_multiple_of(3) {
        "HTTP/1.1 100 Continue\r\n\r\n"
    } else {
        ""
    };
    let response = format!("{interim}HTTP/1.1 {status} x\r\n{answer}");
    let mut sent = format!("> {no} begin\n> {no} head {method} /{no} (length {size})\n");
    if size > 0 {
        writeln!(sent, "> {no} data {size}").unwrap();
    }
    writeln!(sent, "> {no} end Complete").unwrap();
    let mut came = String::new();
    if !interim.is_empty() {
        write!(
            came,
            "< {no} begin\n< {no} head 100 (none)\n< {no} end Complete\n"
        )
        .unwrap();
    }
    let words = match framing {
        "length" => format!("length {size}"),
        "chunked" => "chunked".to_owned(),
        _ => "none".to_owned(),
    };
    write!(came, "< {no} begin\n< {no} head {status} ({words})\n").unwrap();
    match framing {
        "length" if size > 0 => writeln!(came, "< {no} data {size}").unwrap(),
        "chunked" => {
            let line = format!("{size:x};e\r\n").len();
            if size > 0 {
                write!(came, "< {no} chunk framing {line}\n< {no} data {size}\n").unwrap();
                writeln!(came, "< {no} chunk framing 7").unwrap();
            }
        }
        _ => {}
    }
    writeln!(came, "< {no} end Complete").unwrap();
    (request, response, sent, came)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nearly_right_messages_are_tiled_however_they_are_cut(turns in vec(turn(), 0..12)) {
        read_all_ways(Conversation::new, &turns);
    }

    #[test]
    fn so_are_connections_whose_start_was_not_seen(turns in vec(turn(), 0..12)) {
        read_all_ways(Conversation::joined, &turns);
    }

    #[test]
    fn so_are_random_bytes(
        sent in vec(any::<u8>(), 0..200),
        came in vec(any::<u8>(), 0..200),
        joined in any::<bool>(),
    ) {
        let start = if joined { Conversation::joined } else { Conversation::new };
        let turns = [Turn::Bytes(Stream::Requests, sent), Turn::Bytes(Stream::Responses, came)];
        read_all_ways(start, &turns);
    }

    #[test]
    fn conversations_come_back_as_they_were_made(
        parts in vec((0..15_usize, prop_oneof![Just(0), 1..300_usize]), 1..8),
        pipelined in any::<bool>(),
    ) {
        let mut turns = Vec::new();
        let (mut sent, mut came) = (String::new(), String::new());
        let (mut requests, mut responses) = (Vec::new(), Vec::new());
        for (no, (kind, size)) in parts.into_iter().enumerate() {
            // A chunk of no bytes is the last one.
            let size = if kind % 5 == 2 { size.max(1) } else { size };
            let (request, response, there, back) = exchange(no, kind, size);
            sent += &there;
            came += &back;
            if pipelined {
                requests.extend(request.into_bytes());
                responses.extend(response.into_bytes());
            } else {
                turns.push(Turn::Bytes(Stream::Requests, request.into_bytes()));
                turns.push(Turn::Bytes(Stream::Responses, response.into_bytes()));
            }
        }
        turns.push(Turn::Bytes(Stream::Requests, requests));
        turns.push(Turn::Bytes(Stream::Responses, responses));
        let seen = transcript(&read_all_ways(Conversation::new, &turns));
        let (there, back): (Vec<_>, Vec<_>) = seen.into_iter().partition(|line| line.starts_with('>'));
        prop_assert_eq!(there, sent.lines().map(str::to_owned).collect::<Vec<_>>());
        prop_assert_eq!(back, came.lines().map(str::to_owned).collect::<Vec<_>>());
    }
}
