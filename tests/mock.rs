//! A server made from a capture, asked for what was recorded and for what was not.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
    pub(crate) mod events;
    pub(crate) mod playing;
    pub(crate) mod recordings;
}

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;

use bitstap::event::{Direction, Leg};
use support::binary::{bitstap, of_type, output};
use support::events::{ToClient, ToServer, data, event, opening, write};
use support::playing::{capture, captures, mock, received, recordings, replay, sha256};

/// Sends one request on a connection of its own and returns all that comes back until `end` has come.
fn ask(to: SocketAddr, request: &str, end: &str) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains(end) {
        match stream.read(&mut buffer) {
            Ok(len @ 1..) => answer.extend_from_slice(&buffer[..len]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// Returns a field's value as it stands in an answer, its name spelled like this.
fn field<'a>(answer: &'a str, name: &str) -> &'a str {
    let line = answer.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {answer}"))[name.len()..]
        .trim_start_matches([':', ' '])
}

const CREATE: &str = "BITS_POST /new/file.bin HTTP/1.1\r\nHost: 10.0.0.1:99\r\nBITS-Packet-Type: Create-Session\r\n\
     BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\nContent-Length: 0\r\n\r\n";

#[test]
fn any_file_under_any_name_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.bin");
    let content: Vec<u8> = (0..300_000_u32).map(|i| i.to_be_bytes()[2]).collect();
    fs::write(&file, &content).unwrap();
    for path in captures() {
        // Acks without any length: a client that goes by the book waits minutes for their end.
        if path.ends_with("odd-ack-without-length.pcapng") {
            continue;
        }
        if replay(&path, "http://127.0.0.1:1", &[])
            .error
            .contains("cannot be played")
        {
            continue;
        }
        let out = tempfile::tempdir().unwrap();
        let server = mock(&path, &["--dir", out.path().to_str().unwrap()]);
        let sent = bitstap(&["send", file.to_str().unwrap(), &server.url("/x/y.bin")])
            .args(["--retry-delay", "1ms", "--quiet"])
            .output()
            .unwrap();
        let name = path.display();
        let error = String::from_utf8_lossy(&sent.stderr).into_owned();
        assert_eq!(sent.status.code(), Some(0), "{name}: {error}");
        assert!(
            fs::read(out.path().join("x/y.bin")).unwrap() == content,
            "{name}"
        );
        let (_, lines) = server.interrupt();
        assert!(
            received(&lines).contains(&(300_000, sha256(&content))),
            "{name}"
        );
    }
}

#[test]
fn the_manners_are_the_recorded_ones() {
    let server = mock(&capture("example-upload-reply"), &[]);
    let answer = ask(server.address(), CREATE, "\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // The client is not led away.
    assert_eq!(field(&answer, "BITS-Host-Id"), "10.0.0.1");
    let id = field(&answer, "BITS-Session-Id");
    assert!(id.starts_with('{') && id.len() == 38, "{id}");
    assert_ne!(id, "{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}");
    let again = ask(server.address(), CREATE, "\r\n\r\n");
    assert_ne!(field(&again, "BITS-Session-Id"), id);
    for path in recordings() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let form: Option<fn(&str) -> bool> = match name {
            // A bare GUID behind a spelling of its own; a number with a sign.
            "gobits15__resume" => Some(|answer| field(answer, "Bits-Session-Id").len() == 36),
            "fkadibs__cancel" => Some(|answer| {
                field(answer, "BITS-Session-Id")
                    .parse::<i64>()
                    .is_ok_and(|id| id < 0)
            }),
            _ => None,
        };
        if let Some(form) = form {
            let server = mock(&path, &[]);
            let answer = ask(server.address(), CREATE, "\r\n\r\n");
            assert!(form(&answer), "{name}: {answer}");
        }
    }
}

#[test]
fn what_is_not_there_is_404_with_the_closest() {
    let mut server = bitstap(&["mock", capture("download").to_str().unwrap()])
        .args(["--listen", "127.0.0.1:0", "--until", "idle=2s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(server.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let address = line.trim().strip_prefix("ready: listening on ").unwrap();
    let answer = ask(
        address.parse().unwrap(),
        &get("/download/driver2.cab", ""),
        "Found\n",
    );
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    let out = server.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(
        error
            .contains("unmatched: GET /download/driver2.cab was answered 404; closest is exchange")
            && error.contains("its path is /download/driver.cab"),
        "{error}"
    );
}

#[test]
fn ranges_are_cut_out_of_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture("download");
    let extracted = output(&[
        "extract",
        path.to_str().unwrap(),
        "--out",
        folder.path().to_str().unwrap(),
    ]);
    assert!(extracted.status.success());
    let file = fs::read(folder.path().join("driver.cab")).unwrap();
    let server = mock(&path, &[]);
    let to = folder.path().join("fetched");
    let fetched = output(&[
        "fetch",
        &server.url("/download/driver.cab"),
        "--out",
        to.to_str().unwrap(),
        "--block-size",
        "7777",
    ]);
    let error = String::from_utf8_lossy(&fetched.stderr).into_owned();
    assert_eq!(fetched.status.code(), Some(0), "{error}");
    assert!(fs::read(&to).unwrap() == file);
    let ask =
        |fields: &str, end: &str| ask(server.address(), &get("/download/driver.cab", fields), end);
    let one = ask("Range: bytes=109990-\r\n", "\r\n\r\n");
    assert!(one.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{one}");
    assert_eq!(field(&one, "Content-Range"), "bytes 109990-109999/110000");
    assert_eq!(field(&one, "Content-Length"), "10");
    let beyond = ask("Range: bytes=110000-\r\n", "\r\n\r\n");
    assert!(beyond.starts_with("HTTP/1.1 416 "), "{beyond}");
    let (_, lines) = server.interrupt();
    let told = of_type(&lines, "answered");
    let last = told.last().unwrap();
    let why = last["unmatched"].as_str().unwrap();
    assert!(
        why.contains("it has 110000 bytes, none from 110000 on"),
        "{last}"
    );
}

#[test]
fn what_the_capture_lacks_comes_from_the_reference_server_and_is_said() {
    // A capture of downloads only: it has no answer for uploads.
    let server = mock(&capture("download"), &["--until", "sessions=1"]);
    let played = replay(&capture("upload"), &server.url(""), &[]);
    assert_eq!(played.code, Some(0), "{:?}", played.differences());
    let mut server = server;
    let (code, lines) = server.finish();
    assert_eq!(code, Some(0), "it ends by itself");
    let told = of_type(&lines, "answered");
    assert!(!told.is_empty());
    assert!(
        told.iter().all(|line| line["exchange"].is_null()),
        "{told:?}"
    );
}

#[test]
fn a_reply_that_nobody_fetched_is_empty_and_said() {
    let ack = |fields: &str| {
        format!("HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\n{fields}Content-Length: 0\r\n\r\n")
    };
    let packet = |kind: &str, fields: &str, body: &str| {
        format!(
            "BITS_POST /in/a.bin HTTP/1.1\r\nHost: h\r\nBITS-Packet-Type: {kind}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let id = "BITS-Session-Id: {S}\r\n";
    let talk = [
        (ToServer, CREATE.replace("/new/file.bin", "/in/a.bin")),
        (ToClient, ack(id)),
        (
            ToServer,
            packet(
                "Fragment",
                &format!("{id}Content-Range: bytes 0-2/3\r\n"),
                "abc",
            ),
        ),
        (
            ToClient,
            ack(&format!(
                "{id}BITS-Received-Content-Range: 3\r\nBITS-Reply-URL: Replies\\r.bin\r\n"
            )),
        ),
        (ToServer, packet("Close-Session", id, "")),
        (ToClient, ack(id)),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reply.pcapng");
    record(&path, &talk);
    let server = mock(&path, &[]);
    let file = folder.path().join("mine.bin");
    fs::write(&file, [7; 10_000]).unwrap();
    let url = server.url("/in/mine.bin");
    let sent = output(&["send", file.to_str().unwrap(), &url, "--quiet"]);
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let (_, lines) = server.interrupt();
    assert_eq!(received(&lines), [(10_000, sha256(&[7; 10_000]))]);
    let fetched = of_type(&lines, "answered");
    let fetched = fetched
        .iter()
        .find(|line| line["path"] == "/in/Replies/r.bin");
    let why = fetched.unwrap()["unmatched"].as_str().unwrap();
    assert!(why.contains("an empty one stands for it"), "{why}");
}

#[test]
fn nonsense_is_answered_and_ends_nothing() {
    let server = mock(&capture("upload"), &[]);
    let to = server.address();
    let packet = |kind: &str, fields: &str| {
        format!(
            "BITS_POST /u HTTP/1.1\r\nHost: h\r\nBITS-Packet-Type: {kind}\r\n{fields}Content-Length: 0\r\n\r\n"
        )
    };
    let status = |request: &str| ask(to, request, "\r\n\r\n")[..12].to_owned();
    assert_eq!(status(&packet("Nonsense", "")), "HTTP/1.1 400");
    assert_eq!(
        status(&packet("Close-Session", "BITS-Session-Id: {0}\r\n")),
        "HTTP/1.1 500"
    );
    assert_eq!(
        status(&packet("Fragment", "BITS-Session-Id: {0}\r\n")),
        "HTTP/1.1 500"
    );
    assert_eq!(
        status("PUT /u HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
        "HTTP/1.1 404"
    );
    assert_eq!(
        ask(to, "\u{1}\u{2} nonsense\r\n\r\n", "\r\n\r\n")[..12],
        *"HTTP/1.1 400"
    );
    let created = ask(to, CREATE, "\r\n\r\n");
    let id = field(&created, "BITS-Session-Id");
    let fragment = |fields: &str| packet("Fragment", &format!("BITS-Session-Id: {id}\r\n{fields}"));
    // Behind what is wanted; not a range; another total.
    assert_eq!(
        status(&fragment("Content-Range: bytes 9-8/9\r\n")),
        "HTTP/1.1 400"
    );
    let ahead = "BITS_POST /new/file.bin HTTP/1.1\r\nHost: h\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: ";
    let ahead =
        format!("{ahead}{id}\r\nContent-Range: bytes 5-6/10\r\nContent-Length: 2\r\n\r\nxy");
    let answer = ask(to, &ahead, "\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 416 "), "{answer}");
    assert_eq!(field(&answer, "BITS-Received-Content-Range"), "0");
    assert_eq!(status(&packet("Ping", "")), "HTTP/1.1 200");
}

/// Writes a capture of an upload whose client shows what NTLM has it show.
fn authenticated(path: &Path) {
    let create = |authorization: &str| {
        CREATE.replace(
            "\r\nContent-Length",
            &format!("\r\n{authorization}Content-Length"),
        )
    };
    let challenge =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n";
    let ack = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Protocol: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n\
               BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nContent-Length: 0\r\n\r\n";
    let talk = [
        (ToServer, create("")),
        (ToClient, challenge.to_owned()),
        (ToServer, create("Authorization: NTLM TlRMTVNTUAADAAAA\r\n")),
        (ToClient, ack.to_owned()),
    ];
    record(path, &talk);
}

/// Writes a capture of one connection.
fn record(path: &Path, talk: &[(Direction, String)]) {
    let mut events = vec![event(
        0,
        1,
        Leg::Client,
        opening("10.0.0.1:5000", "10.0.0.2:80"),
    )];
    for (at, (direction, bytes)) in (1..).zip(talk) {
        events.push(event(
            at,
            1,
            Leg::Client,
            data(*direction, bytes.as_bytes()),
        ));
    }
    write(path, &events);
}

#[test]
fn authentication_of_a_connection_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ntlm.pcapng");
    authenticated(&path);
    // Nobody listens there: it is not even tried.
    let played = replay(&path, "http://127.0.0.1:1", &[]);
    assert_eq!(played.code, Some(2), "{:?}", played.lines);
    assert!(played.error.contains("NTLM"), "{}", played.error);
    assert!(played.error.contains("--without-auth"), "{}", played.error);
    // A server that asks for nothing.
    let server = mock(&capture("upload"), &[]);
    let played = replay(&path, &server.url(""), &["--without-auth"]);
    assert_eq!(played.differences(), [""; 0]);
    assert_eq!(played.code, Some(0), "{}", played.error);
    assert_eq!(of_type(&played.lines, "replayed").len(), 1);
    // A server that asks for it.
    let server = mock(&path, &[]);
    let played = replay(&path, &server.url(""), &["--without-auth"]);
    assert_eq!(played.code, Some(2), "{:?}", played.lines);
    assert!(
        played.error.contains("the server 127.0.0.1"),
        "{}",
        played.error
    );
}
