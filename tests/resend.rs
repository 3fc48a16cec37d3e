//! One recorded request, sent once more: which bytes go out, and what is told of the answer.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bitstap::capture::{CaptureFile, Record, open};
use bitstap::peer::replay::{Resent, resend};
use bitstap::peer::{Error, Recording, ReplayConfig};
use bitstap::timeline::{ReadBack, Span, Timeline};

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("captures/{name}.pcapng"))
}

fn recording(path: &Path) -> Recording {
    let mut timeline = Timeline::new();
    for record in open(path).unwrap() {
        if let Record::Event { event, position } = record.unwrap() {
            timeline.apply(&event, position);
        }
    }
    timeline.finish();
    Recording {
        timeline,
        bytes: Arc::new(CaptureFile::open(path).unwrap()),
        files: Vec::new(),
    }
}

/// The bytes of an exchange's request as they were on the wire: head and the rest.
fn request(recording: &Recording, no: usize) -> (String, Vec<u8>) {
    let message = recording.timeline.exchanges()[no - 1].request.unwrap();
    let read = |span: Span| {
        let len = usize::try_from(span.len).unwrap();
        recording.bytes.read(span, 0, len).unwrap().bytes
    };
    let body = Span {
        offset: message.body_offset(),
        len: message.body_wire,
        ..message.head
    };
    (String::from_utf8(read(message.head)).unwrap(), read(body))
}

/// Hears one request of `len` bytes after its head, answers, and returns what came.
fn server(len: usize, answer: &'static str) -> (String, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer).unwrap();
            bytes.extend_from_slice(&buffer[..count]);
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end.filter(|end| count == 0 || bytes.len() >= end + 4 + len) {
                stream.write_all(answer.as_bytes()).unwrap();
                let body = bytes.split_off(end + 4);
                return (String::from_utf8(bytes).unwrap(), body);
            }
            assert!(count > 0, "the request broke off inside its head");
        }
    });
    (address, heard)
}

fn send(recording: &Recording, config: &ReplayConfig, no: usize) -> Result<Resent, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(resend(recording, config, u32::try_from(no).unwrap()))
}

const ACK: &str = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";

#[test]
fn it_goes_out_as_it_was_but_for_its_host() {
    for name in [
        "upload",
        "upload-reply",
        "odd-chunked-ack",
        "download",
        "example-upload",
    ] {
        let recording = recording(&capture(name));
        for no in 1..=recording.timeline.exchanges().len() {
            let (head, body) = request(&recording, no);
            let (address, heard) = server(body.len(), ACK);
            let config = ReplayConfig::new(format!("http://{address}"));
            let sent = send(&recording, &config, no).unwrap();
            let host = head
                .lines()
                .find_map(|line| line.strip_prefix("Host: "))
                .unwrap();
            let expected = head.replacen(&format!("Host: {host}"), &format!("Host: {address}"), 1);
            let (head, came) = heard.join().unwrap();
            assert_eq!(head, expected, "{name} {no}");
            assert!(came == body, "{name} {no}");
            assert_eq!(sent.told.live.unwrap().status, Some(200), "{name} {no}");
        }
    }
}

#[test]
fn the_answer_is_compared_with_the_recorded_one() {
    let recording = recording(&capture("upload"));
    let (_, body) = request(&recording, 2);
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    let (address, heard) = server(body.len(), busy);
    let config = ReplayConfig::new(format!("http://{address}/again/"));
    let sent = send(&recording, &config, 2).unwrap();
    let (head, _) = heard.join().unwrap();
    assert!(
        head.split(' ').nth(1).unwrap().starts_with("/again/"),
        "{head}"
    );
    assert_eq!(sent.differences[0].what, "status");
    let lines = sent.text();
    assert!(
        lines
            .iter()
            .any(|line| line == "  differs  status: recorded 200, live 503"),
        "{lines:?}"
    );
}

#[test]
fn credentials_are_replaced_or_left_out() {
    let recording = recording(&capture("upload"));
    let (address, heard) = server(0, ACK);
    let config = ReplayConfig::new(format!("http://me:secret@{address}"));
    send(&recording, &config, 1).unwrap();
    let (head, _) = heard.join().unwrap();
    assert!(
        head.contains("Authorization: Basic bWU6c2VjcmV0\r\n"),
        "{head}"
    );
}

#[test]
fn what_is_not_there_is_not_sent() {
    let recording = recording(&capture("upload"));
    let config = ReplayConfig::new("http://127.0.0.1:9");
    for no in [0, 1000] {
        let error = send(&recording, &config, no).unwrap_err();
        assert!(
            error.to_string().contains(&format!("no exchange {no}")),
            "{error}"
        );
    }
}
