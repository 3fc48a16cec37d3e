//! How fast the decoder is on what a proxy sees all day: large contents, small packets, garbage.

use bitstap::wire::{Conversation, Decoder, Stream};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

const PING: &str = "BITS_POST /BITS/upload/report.csv HTTP/1.1\r\n\
    Accept: */*\r\n\
    BITS-Packet-Type: Ping\r\n\
    BITS-Session-Id: {7DF0354D-249B-430F-820D-3D2A9BEF4931}\r\n\
    User-Agent: Microsoft BITS/7.8\r\n\
    Host: files.example.org\r\n\
    Content-Length: 0\r\n\
    Connection: Keep-Alive\r\n\r\n";

const ACK: &str = "HTTP/1.1 200 OK\r\n\
    BITS-Packet-Type: Ack\r\n\
    BITS-Protocol: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n\
    BITS-Session-Id: {7DF0354D-249B-430F-820D-3D2A9BEF4931}\r\n\
    Server: Microsoft-IIS/10.0\r\n\
    Date: Sun, 22 Nov 2026 17:00:00 GMT\r\n\
    Content-Length: 0\r\n\r\n";

/// A read from a socket has this size.
const READ: usize = 64 << 10;

fn main() {
    divan::main();
}

fn decode(stream: Stream, bytes: &[u8], piece: usize) -> usize {
    let mut decoder = Decoder::new(stream);
    let mut items = Vec::new();
    let mut found = 0;
    for piece in bytes.chunks(piece) {
        decoder.feed(black_box(piece), &mut items);
        found += items.len();
        items.clear();
    }
    found
}

#[divan::bench(args = [1, 8, 32])]
fn fragment_of_mebibytes(bencher: Bencher<'_, '_>, size: usize) {
    let content = size << 20;
    let mut bytes =
        format!("BITS_POST /up HTTP/1.1\r\nContent-Length: {content}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + content, b'x');
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| decode(Stream::Requests, &bytes, READ));
}

#[divan::bench(args = [1, 8, 32])]
fn chunks_of_8_kib_mebibytes(bencher: Bencher<'_, '_>, size: usize) {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..size << 7 {
        bytes.extend_from_slice(b"2000\r\n");
        bytes.resize(bytes.len() + 0x2000, b'x');
        bytes.extend_from_slice(b"\r\n");
    }
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| decode(Stream::Responses, &bytes, READ));
}

#[divan::bench(args = [100, 1_000, 10_000])]
fn requests(bencher: Bencher<'_, '_>, count: usize) {
    let bytes = PING.repeat(count).into_bytes();
    bencher
        .counter(ItemsCount::new(count))
        .bench(|| decode(Stream::Requests, &bytes, READ));
}

#[divan::bench(args = [100, 1_000, 10_000])]
fn requests_in_pieces_of_100_bytes(bencher: Bencher<'_, '_>, count: usize) {
    let bytes = PING.repeat(count).into_bytes();
    bencher
        .counter(ItemsCount::new(count))
        .bench(|| decode(Stream::Requests, &bytes, 100));
}

/// Two heads for each exchange.
#[divan::bench(args = [100, 1_000, 10_000])]
fn heads_of_exchanges(bencher: Bencher<'_, '_>, count: usize) {
    bencher.counter(ItemsCount::new(2 * count)).bench(|| {
        let mut conversation = Conversation::new();
        let mut seen = Vec::new();
        for _ in 0..count {
            conversation.feed(Stream::Requests, black_box(PING.as_bytes()), &mut seen);
            conversation.feed(Stream::Responses, black_box(ACK.as_bytes()), &mut seen);
            seen.clear();
        }
    });
}

#[divan::bench(args = [Stream::Requests, Stream::Responses])]
fn eight_mebibytes_of_garbage(bencher: Bencher<'_, '_>, stream: Stream) {
    let bytes = b"words of HTTP and HTTP/1. and more\r\n".repeat((8 << 20) / 36);
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let mut decoder = Decoder::joined(stream);
        let mut items = Vec::new();
        for piece in bytes.chunks(READ) {
            decoder.feed(black_box(piece), &mut items);
            items.clear();
        }
    });
}
