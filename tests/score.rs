//! The suite of experiments through the binary: our own ends score full marks, and ends that misbehave do not.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use bitstap::peer::score::{Experiment, client, server};
use serde_json::Value;
use support::binary::{Running, bitstap, lines, of_type, output};

/// Returns the verdicts by name, and checks that nothing fails or differs.
fn full_marks(told: &[Value]) -> BTreeMap<String, String> {
    let mut verdicts = BTreeMap::new();
    for one in of_type(told, "experiment") {
        let verdict = one["verdict"].as_str().unwrap().to_owned();
        assert!(verdict == "pass" || verdict == "unknown", "{one:#}");
        // Where no document says anything nobody can pass.
        if one["source"] == "" {
            assert_eq!(verdict, "unknown", "{one:#}");
        }
        verdicts.insert(one["name"].as_str().unwrap().to_owned(), verdict);
    }
    verdicts
}

fn unknown(verdicts: &BTreeMap<String, String>) -> Vec<&str> {
    let unknown = verdicts.iter().filter(|(_, verdict)| *verdict == "unknown");
    unknown.map(|(name, _)| name.as_str()).collect()
}

fn silent(experiments: &[Experiment]) -> Vec<&'static str> {
    let silent = experiments.iter().filter(|one| one.source.is_empty());
    let mut names: Vec<_> = silent.map(|one| one.name).collect();
    names.sort_unstable();
    names
}

#[test]
fn our_server_scores_full_marks() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let serve = Running::start(&["serve", root, "--listen", "127.0.0.1:0"]);
    let url = serve.url("/");
    let scored = output(&["score", "server", &url, "--format", "json"]);
    let error = String::from_utf8_lossy(&scored.stderr).into_owned();
    let told = lines(&scored.stdout);
    let verdicts = full_marks(&told);
    assert_eq!(scored.status.code(), Some(0), "{error}");
    assert_eq!(verdicts.len(), server::experiments().len());
    assert_eq!(unknown(&verdicts), silent(&server::experiments()));
    assert_eq!(told.last().unwrap()["fails"], 0);
}

/// Uploads to each path, as the script that is printed does.
fn upload_all(running: &Running, file: &Path, empty: &Path) {
    let uploads: Vec<_> = client::experiments()
        .iter()
        .map(|one| {
            let file = if one.name == "zero-length" {
                empty
            } else {
                file
            };
            bitstap(&[
                "send",
                file.to_str().unwrap(),
                &running.url(&format!("/{}/score.bin", one.name)),
                "--fragment-size",
                "64KiB",
                "--retry-delay",
                "20ms",
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
        })
        .collect();
    for mut upload in uploads {
        upload.wait().unwrap();
    }
}

#[test]
fn our_client_scores_full_marks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.bin");
    let empty = folder.path().join("empty.bin");
    let content: Vec<u8> = (0..6 * 65_536_u32)
        .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    fs::write(&file, content).unwrap();
    fs::write(&empty, b"").unwrap();
    let args = [
        "score",
        "client",
        "--listen",
        "127.0.0.1:0",
        "--patience",
        "5s",
    ];
    let file_args = ["--file", file.to_str().unwrap()];
    let mut running = Running::start(&[&args[..], &file_args[..]].concat());
    upload_all(&running, &file, &empty);
    let (code, told) = running.finish();
    let verdicts = full_marks(&told);
    assert_eq!(code, Some(0));
    assert_eq!(verdicts.len(), client::experiments().len());
    assert_eq!(unknown(&verdicts), silent(&client::experiments()));
    for one in of_type(&told, "experiment") {
        let why = one["why"].as_str().unwrap();
        let gave_up = matches!(
            one["name"].as_str(),
            Some("forbidden" | "too-large" | "larger-offset")
        );
        let whole = one["verdict"] != "pass" || gave_up || why.contains("byte for byte");
        assert!(whole, "{one:#}");
    }
}

/// A server that answers every packet the same; it takes what it must refuse and tells wrong offsets.
fn yes_man() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || while agree(&stream).is_some() {});
        }
    });
    address
}

fn agree(mut stream: &TcpStream) -> Option<()> {
    read_message(stream)?;
    let answer = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {1}\r\nBITS-Received-Content-Range: 7\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(answer.as_bytes()).ok()
}

/// Reads one message and returns its head; our peers wait for each answer, so nothing is read ahead.
fn read_message(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut content = vec![0; length];
    reader.read_exact(&mut content).ok()?;
    Some(head)
}

#[test]
fn a_server_that_says_yes_to_all_fails_by_name_with_exit_code_1() {
    let url = format!("http://{}/up/", yes_man());
    let only = "one-fragment,unknown-session,no-range,gap,two-sessions,ping";
    let scored = output(&["score", "server", &url, "--json", "--only", only]);
    assert_eq!(scored.status.code(), Some(1));
    let told = lines(&scored.stdout);
    for one in of_type(&told, "experiment") {
        let expected = if one["name"] == "ping" {
            "pass"
        } else {
            "fails"
        };
        assert_eq!(one["verdict"], expected, "{one:#}");
    }
    let junit = output(&[
        "score", "server", &url, "--format", "junit", "--only", "gap,ping",
    ]);
    let xml = String::from_utf8_lossy(&junit.stdout).into_owned();
    assert!(xml.contains("failures=\"1\""), "{xml}");
    assert!(xml.contains("tests=\"2\""), "{xml}");
}

/// A server like `serve`, behind somebody who writes `from` in its answers as `to`, of the same length, and ends
/// each connection after `answers` of them without a word.
fn dialect(from: &'static str, to: &'static str, answers: usize) -> (Running, SocketAddr) {
    let folder = tempfile::tempdir().unwrap().keep();
    let server = Running::start(&["serve", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let behind = server.address();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut upstream = TcpStream::connect(behind).unwrap();
            let (mut read, mut write) =
                (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut read, &mut write));
            std::thread::spawn(move || {
                let mut buffer = vec![0; 65_536];
                let mut seen = 0;
                while seen < answers
                    && let Ok(len @ 1..) = upstream.read(&mut buffer)
                {
                    let bytes = &mut buffer[..len];
                    let mut windows = bytes.windows(from.len());
                    if let Some(at) = windows.position(|window| window == from.as_bytes()) {
                        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
                    }
                    seen += usize::from(bytes.starts_with(b"HTTP/1.1 "));
                    if (&client).write_all(bytes).is_err() {
                        break;
                    }
                }
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (server, address)
}

/// Returns verdict and reason of some experiments on a server.
fn verdicts(server: SocketAddr, only: &str) -> BTreeMap<String, (String, String)> {
    let url = format!("http://{server}/up/");
    let scored = output(&["score", "server", &url, "--json", "--only", only]);
    let told = lines(&scored.stdout);
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    of_type(&told, "experiment")
        .into_iter()
        .map(|one| (text(one, "name"), (text(one, "verdict"), text(one, "why"))))
        .collect()
}

#[test]
fn names_that_nobody_documents_fail() {
    let (_server, address) = dialect(
        "BITS-Received-Content-Range",
        "BITS-Recieved-Content-Range",
        usize::MAX,
    );
    let told = verdicts(address, "ack-fields,many-fragments");
    let (verdict, why) = &told["ack-fields"];
    assert_eq!(verdict, "fails", "{told:?}");
    assert!(why.contains("BITS-Recieved-Content-Range"), "{why}");
    let (_server, address) = dialect("BITS-Protocol: ", "XXXX-Protocol: ", usize::MAX);
    let told = verdicts(address, "ack-fields");
    let (verdict, why) = &told["ack-fields"];
    assert_eq!(
        (verdict.as_str(), why.as_str()),
        ("differs", "no BITS-Protocol (Create-Session)")
    );
}

#[test]
fn connections_that_end_without_a_word_are_nobodys_fault() {
    let (_server, address) = dialect("HTTP/1.1", "HTTP/1.1", 2);
    for (name, (verdict, why)) in verdicts(address, "one-fragment,exact-multiple,gap,ping,cancel") {
        assert_eq!(verdict, "pass", "{name}: {why}");
    }
}

/// Sends a packet and returns the head of its answer.
fn ask(mut stream: &TcpStream, path: &str, fields: &str, content: &[u8]) -> String {
    let length = content.len();
    let head =
        format!("BITS_POST {path} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(content).unwrap();
    read_message(stream).unwrap()
}

#[test]
fn a_client_that_does_not_listen_fails_with_exit_code_1() {
    let args = [
        "score",
        "client",
        "--listen",
        "127.0.0.1:0",
        "--only",
        "rewind",
    ];
    let mut running = Running::start(&args);
    let stream = TcpStream::connect(running.address()).unwrap();
    let path = "/rewind/f";
    let create = "BITS-Packet-Type: Create-Session\r\nBITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n";
    let created = ask(&stream, path, create, b"");
    let id = created
        .lines()
        .find(|line| line.starts_with("BITS-Session-Id:"))
        .unwrap();
    for first in [0, 10, 20] {
        let last = first + 9;
        let fields = format!(
            "BITS-Packet-Type: Fragment\r\n{id}\r\nContent-Range: bytes {first}-{last}/30\r\n"
        );
        let answer = ask(&stream, path, &fields, b"0123456789");
        let status = if first == 0 { "200" } else { "416" };
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    ask(
        &stream,
        path,
        &format!("BITS-Packet-Type: Close-Session\r\n{id}\r\n"),
        b"",
    );
    let (code, told) = running.finish();
    assert_eq!(code, Some(1));
    let one = of_type(&told, "experiment")[0];
    assert_eq!(one["verdict"], "fails");
    let why = one["why"].as_str().unwrap();
    assert!(why.starts_with("did not go on at 5: "), "{why}");
}

#[test]
fn what_cannot_be_run_has_exit_code_2_and_a_hint() {
    let nobody = [
        "score",
        "client",
        "--listen",
        "127.0.0.1:0",
        "--timeout",
        "0s",
    ];
    let strange = [
        "score",
        "server",
        "http://127.0.0.1:9/",
        "--only",
        "no-such",
    ];
    let bare = ["score", "server", "http://127.0.0.1:9/file"];
    for args in [&nobody[..], &strange[..], &bare[..]] {
        let done = output(args);
        let error = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{error}");
        assert!(error.contains("\nhint: "), "{error}");
    }
}

fn table(experiments: &[Experiment]) -> String {
    let mut text = String::from(
        "| experiment | what is done | what the documents say | where |\n|---|---|---|---|\n",
    );
    for one in experiments {
        let source = if one.source.is_empty() {
            "nowhere"
        } else {
            one.source
        };
        text.push_str(&format!(
            "| `{}` | {} | {} | {source} |\n",
            one.name, one.does, one.says
        ));
    }
    text
}

#[test]
fn the_manual_has_every_experiment() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/score.md");
    let mut text = fs::read_to_string(path).unwrap();
    let tables = [
        ("server", server::experiments()),
        ("client", client::experiments()),
    ];
    for (of, experiments) in tables {
        let (begin, end) = (format!("<!-- {of} -->\n"), format!("<!-- end of {of} -->"));
        let from = text.find(&begin).expect("the table's begin") + begin.len();
        let to = text.find(&end).expect("the table's end");
        if std::env::var_os("BITSTAP_BLESS").is_some() {
            text.replace_range(from..to, &table(&experiments));
            fs::write(path, &text).unwrap();
        } else {
            assert_eq!(
                &text[from..to],
                table(&experiments),
                "BITSTAP_BLESS=1 writes it anew"
            );
        }
    }
}
