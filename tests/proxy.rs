//! The proxy as its users run it: the real binary between a raw client and a raw server.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use support::binary::{PATIENCE, Running, json, lines, of_type, output, sessions};

const SESSION: &str = "{3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}";

/// A BITS server of the simplest kind: one thread, one session, which is the TCP connection. Returns
/// all bytes that it read.
fn one_connection_server(listener: &TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut seen = Vec::new();
    let mut at = 0;
    let mut received = 0;
    loop {
        let Some(end) = find(&seen[at..], b"\r\n\r\n") else {
            let mut buffer = vec![0; 1 << 20];
            match stream.read(&mut buffer).unwrap() {
                0 => return seen,
                n => seen.extend_from_slice(&buffer[..n]),
            }
            continue;
        };
        let head = String::from_utf8_lossy(&seen[at..at + end]).into_owned();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |value| value.trim().parse().unwrap());
        let body = at + end + 4;
        while seen.len() < body + length {
            let mut buffer = vec![0; 1 << 20];
            let n = stream.read(&mut buffer).unwrap();
            assert!(n > 0, "the client left in mid-body");
            seen.extend_from_slice(&buffer[..n]);
        }
        received += length;
        at = body + length;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nbits-packet-TYPE: Ack\r\nX-Odd:   blanks  \r\nBITS-Protocol: {{7df0354d-249b-430f-820d-3d2a9bef4931}}\r\nBITS-Session-Id: {SESSION}\r\nBITS-Received-Content-Range: {received}\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn packet(kind: &str, extra: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "BITS_POST /up/report.csv HTTP/1.1\r\nAccept: */*\r\nBITS-Packet-Type: {kind}\r\n{extra}Host: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Reads one answer: a head without a body.
fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{head:?}");
        head.push(byte[0]);
    }
    head
}

fn connect(proxy: &Running) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn proxy(upstream: &TcpListener, more: &[&str]) -> Running {
    let url = format!("http://{}", upstream.local_addr().unwrap());
    let mut args = vec!["proxy", "--upstream", &url, "--listen", "127.0.0.1:0"];
    args.extend_from_slice(more);
    Running::start(&args)
}

fn view(capture: &Path) -> Vec<serde_json::Value> {
    json(&["view".as_ref(), capture.as_os_str()])
}

#[test]
fn an_upload_passes_byte_for_byte_and_its_capture_tells_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("upload.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(&listener, &["--capture", capture.to_str().unwrap()]);
    let server = thread::spawn(move || one_connection_server(&listener));

    let mut client = connect(&proxy);
    let mut sent = Vec::new();
    let content: Vec<u8> = (0..13 << 20).map(|i: u32| i.to_le_bytes()[1]).collect();
    let id = format!("BITS-Session-Id: {SESSION}\r\n");
    let (first, last) = content.split_at(1000);
    for bytes in [
        packet(
            "Create-Session",
            "BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n",
            b"",
        ),
        packet(
            "Fragment",
            &format!("{id}Content-Range: bytes 0-999/13631488\r\n"),
            first,
        ),
        packet(
            "Fragment",
            &format!("{id}Content-Range: bytes 1000-13631487/13631488\r\n"),
            last,
        ),
        packet("Close-Session", &id, b""),
    ] {
        client.write_all(&bytes).unwrap();
        sent.extend_from_slice(&bytes);
        let head = answer(&mut client);
        assert!(find(&head, b"bits-packet-TYPE: Ack\r\nX-Odd:   blanks  \r\n").is_some());
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0; 16]).unwrap(), 0, "the end is mirrored");
    assert!(server.join().unwrap() == sent, "bytes out = bytes in");

    let (code, live) = proxy.interrupt();
    assert_eq!(code, Some(0));
    let packets: Vec<&str> = of_type(&live, "exchange")
        .iter()
        .map(|line| line["packet"].as_str().unwrap())
        .collect();
    assert_eq!(
        packets,
        ["Create-Session", "Fragment", "Fragment", "Close-Session"]
    );
    let session = sessions(&live)[0].clone();
    assert_eq!(session["state"], "closed");
    assert_eq!(session["total"], 13_631_488);
    assert_eq!(session["acknowledged"], 13_631_488);
    assert_eq!(live.last().unwrap()["type"], "summary");

    let recorded = view(&capture);
    assert_eq!(of_type(&recorded, "exchange"), of_type(&live, "exchange"));
    assert_eq!(sessions(&recorded), sessions(&live));
}

#[test]
fn a_kill_in_mid_fragment_leaves_a_capture_with_the_bytes_that_had_passed() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("killed.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(&listener, &["--capture", capture.to_str().unwrap()]);

    let mut client = connect(&proxy);
    let half = 6 << 20;
    let whole = packet(
        "Fragment",
        &format!("BITS-Session-Id: {SESSION}\r\nContent-Range: bytes 0-13631487/13631488\r\n"),
        &vec![7; 13_631_488],
    );
    let body = whole.len() - 13_631_488;
    client.write_all(&whole[..body + half]).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut passed = vec![0; body + half];
    server.read_exact(&mut passed).unwrap();
    assert!(passed == whole[..body + half]);

    // The recorder is a queue behind the relay: the kill comes when the file holds what has passed.
    while std::fs::metadata(&capture).unwrap().len() < u64::try_from(half).unwrap() {
        thread::yield_now();
    }
    proxy.kill();

    let told = view(&capture);
    let exchange = of_type(&told, "exchange")[0].clone();
    assert_eq!(exchange["packet"], "Fragment");
    assert_eq!(exchange["range"]["total"], 13_631_488);
    assert_eq!(exchange["status"], serde_json::Value::Null);
    let seen = exchange["request_body"].as_u64().unwrap();
    let least = u64::try_from(half - (1 << 20)).unwrap();
    assert!(
        seen > least && seen <= u64::try_from(half).unwrap(),
        "{seen}"
    );
}

#[test]
fn an_upstream_that_is_not_there_gives_502_that_names_it() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(&gone, &[]);
    let address = gone.local_addr().unwrap().to_string();
    drop(gone);
    let mut client = connect(&proxy);
    client.write_all(&packet("Ping", "", b"")).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 502 "), "{text}");
    assert!(text.contains(&address), "{text}");
    assert!(!text.to_ascii_lowercase().contains("bits-"), "{text}");
    let (code, lines) = proxy.interrupt();
    assert_eq!(code, Some(0));
    assert_eq!(of_type(&lines, "exchange")[0]["outcome"], "injected");
}

#[test]
fn a_run_ends_by_itself_when_the_sessions_asked_for_are_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut proxy = proxy(&listener, &["--until", "sessions=1"]);
    let server = thread::spawn(move || one_connection_server(&listener));
    let mut client = connect(&proxy);
    for kind in ["Create-Session", "Cancel-Session"] {
        let id = format!("BITS-Session-Id: {SESSION}\r\n");
        client.write_all(&packet(kind, &id, b"")).unwrap();
        answer(&mut client);
    }
    drop(client);
    let (code, lines) = proxy.finish();
    assert_eq!(code, Some(0));
    assert_eq!(sessions(&lines)[0]["state"], "cancelled");
    server.join().unwrap();
}

#[test]
fn what_cannot_be_done_is_said_with_a_hint_and_exit_code_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 3] = [
        (
            &[
                "proxy",
                "--upstream",
                "http://127.0.0.1:9",
                "--listen",
                &address,
            ],
            "cannot listen on",
        ),
        (&["view", "no-such-file.pcapng"], "no-such-file.pcapng"),
        (&["view", "Cargo.toml"], "Cargo.toml"),
    ];
    for (args, expected) in cases {
        let output = output(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with("error: "), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("\nhint: "), "{error}");
    }
}

#[test]
fn a_reader_that_closes_our_output_is_a_success() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("few.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(&listener, &["--capture", capture.to_str().unwrap()]);
    let server = thread::spawn(move || one_connection_server(&listener));
    let mut client = connect(&proxy);
    client.write_all(&packet("Ping", "", b"")).unwrap();
    answer(&mut client);
    drop(client);
    server.join().unwrap();
    proxy.interrupt();

    let mut child = support::binary::bitstap(&["view".as_ref(), capture.as_os_str()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let stderr = support::binary::text(child.stderr.take().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
    assert!(
        !lines(&output(&["view".as_ref(), capture.as_os_str(), "--json".as_ref()]).stdout)
            .is_empty()
    );
}

/// Answers on one connection as NTLM has it: the legs in order, then everything; else 401.
fn ntlm_server(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut begun, mut inside) = (false, false);
    let mut seen = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).unwrap_or(0) {
            0 => return,
            n => seen.extend_from_slice(&buffer[..n]),
        }
        while let Some(end) = find(&seen, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).into_owned();
            seen.drain(..end + 4);
            let is = |leg: &str| head.contains(&format!("NTLM TlRMTVNTUAA{leg}AAAA"));
            inside |= begun && is("D");
            begun |= is("B");
            let answer = if inside {
                "200 OK\r\nBITS-Packet-Type: Ack\r\nPersistent-Auth: true"
            } else if is("B") {
                "401 Unauthorized\r\nWWW-Authenticate: NTLM TlRMTVNTUAACAAAA"
            } else {
                "401 Unauthorized\r\nWWW-Authenticate: NTLM"
            };
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    }
}

#[test]
fn a_login_stays_on_its_connection_and_lets_nobody_else_in() {
    for more in [&[][..], &["--leaks", "pass"]] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = proxy(&listener, &[&["--no-capture"], more].concat());
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || ntlm_server(stream.unwrap()));
            }
        });
        let ask = |stream: &mut TcpStream, leg: &str| {
            let field = match leg {
                "" => String::new(),
                leg => format!("Authorization: NTLM TlRMTVNTUAA{leg}AAAA\r\n"),
            };
            stream.write_all(&packet("Ping", &field, b"")).unwrap();
            String::from_utf8(answer(stream)).unwrap()
        };
        // The legs of two clients in turn.
        let (mut one, mut two) = (connect(&proxy), connect(&proxy));
        for (leg, status) in [("", "401"), ("B", "401"), ("D", "200"), ("", "200")] {
            let first = ask(&mut one, leg);
            assert!(first.starts_with(&format!("HTTP/1.1 {status}")), "{first}");
            let second = ask(&mut two, if leg == "B" { "" } else { leg });
            assert!(second.starts_with("HTTP/1.1 401"), "{second}");
        }
        assert!(ask(&mut one, "").contains("\r\nPersistent-Auth: true\r\n"));
        let mut stranger = connect(&proxy);
        assert!(ask(&mut stranger, "").starts_with("HTTP/1.1 401"));
        drop((one, two, stranger));
        let (code, lines) = proxy.interrupt();
        assert_eq!(code, Some(0));
        let rows = of_type(&lines, "exchange").into_iter();
        let legs: Vec<_> = rows
            .filter(|row| row["conn"] == 1)
            .map(|row| {
                (
                    row["auth"]["stage"].as_str(),
                    row["auth"]["answer"].as_str(),
                )
            })
            .collect();
        let wanted = [
            (Some("asked"), Some("asked")),
            (Some("type 1"), Some("type 2")),
            (Some("type 3"), None),
        ];
        assert_eq!(legs[..3], wanted);
    }
}
