//! `replay` and `mock` as their users run them: every recorded upload against a server made from it, against
//! `serve`, and against servers that do otherwise.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
    pub(crate) mod playing;
    pub(crate) mod recordings;
}

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use support::binary::{Running, bitstap, of_type, output};
use support::playing::{
    capture, captures, closed_uploads, mock, received, recordings, replay, sha256,
};

/// What cannot be played: it holds no session, or not the bytes, or its client has shown who it is in a way that is
/// bound to its connection.
const UNPLAYABLE: [&str; 3] = ["odd-joined", "odd-unreachable", "example-ntlm"];

fn playable() -> Vec<PathBuf> {
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut all = captures();
    all.extend(recordings());
    all.retain(|path| {
        let name = name(path);
        // This one lacks bytes of its only download.
        !UNPLAYABLE.contains(&name.as_str()) && !name.ends_with("content-range-gap-skip")
    });
    all
}

/// Returns the hashes of all files below a folder.
fn kept(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(kept(&path));
        } else if path.extension().is_none_or(|end| end != "part") {
            found.push(sha256(&fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_recording_plays_against_a_server_made_from_it() {
    for path in playable() {
        let folder = tempfile::tempdir().unwrap();
        let server = mock(&path, &["--dir", folder.path().to_str().unwrap()]);
        let played = replay(&path, &server.url(""), &[]);
        let name = path.display();
        assert_eq!(played.differences(), Vec::<String>::new(), "{name}");
        assert_eq!(played.code, Some(0), "{name}: {}", played.error);
        let (_, lines) = server.interrupt();
        let expected = closed_uploads(&path);
        assert_eq!(
            received(&lines)
                .into_iter()
                .filter(|one| expected.contains(one))
                .collect::<Vec<_>>(),
            expected,
            "{name}"
        );
        let kept = kept(folder.path());
        for (_, hash) in expected {
            assert!(kept.contains(&hash), "{name}: {kept:?}");
        }
    }
}

#[test]
fn every_upload_plays_with_other_fragments_too() {
    for path in playable() {
        let expected = closed_uploads(&path);
        for size in ["1000", "64KiB"] {
            let server = mock(&path, &[]);
            let played = replay(&path, &server.url(""), &["--fragment-size", size]);
            let name = path.display();
            assert_eq!(played.differences(), Vec::<String>::new(), "{name} {size}");
            assert_eq!(played.code, Some(0), "{name} {size}: {}", played.error);
            let (_, lines) = server.interrupt();
            let got = received(&lines);
            assert!(
                expected.iter().all(|one| got.contains(one)),
                "{name} {size}: {got:?}"
            );
        }
    }
}

#[test]
fn clients_at_once_do_not_meet() {
    for path in playable() {
        let server = mock(&path, &[]);
        let url = server.url("");
        let clients = [&[][..], &["--fragment-size", "3000"][..], &[][..]];
        let name = path.display();
        std::thread::scope(|scope| {
            let running: Vec<_> = clients
                .iter()
                .map(|more| scope.spawn(|| replay(&path, &url, more)))
                .collect();
            for client in running {
                let played = client.join().unwrap();
                assert_eq!(played.differences(), Vec::<String>::new(), "{name}");
                assert_eq!(played.code, Some(0), "{name}: {}", played.error);
            }
        });
        let (_, lines) = server.interrupt();
        let got = received(&lines);
        for one in closed_uploads(&path) {
            let times = got.iter().filter(|other| **other == one).count();
            assert!(times >= clients.len(), "{name}: {got:?}");
        }
    }
}

#[test]
fn a_faultless_server_gets_the_file_and_its_difference_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let server = Running::start(&["serve", root, "--listen", "127.0.0.1:0"]);
    let cases: [(&str, &[&str]); 4] = [
        ("upload", &[]),
        ("lost-ack", &["6 Fragment: answer"]),
        (
            "rewind",
            &[
                "8 Fragment: status",
                "8 Fragment: BITS-Received-Content-Range",
            ],
        ),
        (
            "shrink",
            &[
                "3 Fragment: status",
                "3 Fragment: BITS-Session-Id",
                "3 Fragment: BITS-Received-Content-Range",
            ],
        ),
    ];
    for (name, differences) in cases {
        let path = capture(name);
        let played = replay(&path, &server.url(&format!("/{name}/")), &[]);
        assert_eq!(played.differences(), differences, "{name}");
        let code = i32::from(!differences.is_empty());
        assert_eq!(played.code, Some(code), "{name}: {}", played.error);
        let expected: Vec<String> = closed_uploads(&path).into_iter().map(|one| one.1).collect();
        assert_eq!(kept(&folder.path().join(name)), expected, "{name}");
    }
}

#[test]
fn a_server_with_other_limits_gets_the_file_in_other_pieces() {
    // Fragments of up to 24 KiB, and a server that refuses more than 8 KiB or goes back in the middle.
    for (server, kind) in [
        ("shrink", "status"),
        ("rewind", "status"),
        ("session-lost", "status"),
        ("lost-ack", "connection"),
    ] {
        let path = capture("upload");
        let server = mock(&capture(server), &[]);
        let played = replay(&path, &server.url(""), &[]);
        let found = played.differences();
        assert!(
            found.iter().any(|one| one.ends_with(kind)),
            "{kind}: {found:?}"
        );
        assert_eq!(played.code, Some(1), "{found:?}");
        let (_, lines) = server.interrupt();
        assert_eq!(received(&lines), closed_uploads(&path));
    }
}

/// Relays to `server` and ends each connection after so many answers, as some servers do.
fn dropper(server: SocketAddr, answers: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut upstream = TcpStream::connect(server).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let mut seen = 0;
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = upstream.read(&mut buffer) {
                // `serve` writes each Ack at once.
                if client.write_all(&buffer[..len]).is_err() {
                    break;
                }
                seen += 1;
                if seen == answers {
                    break;
                }
            }
            let _ = client.shutdown(std::net::Shutdown::Both);
        }
    });
    address
}

#[test]
fn a_server_that_drops_connections_gets_the_file_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let server = Running::start(&["serve", root, "--listen", "127.0.0.1:0"]);
    let dropper = dropper(server.address(), 5);
    let path = capture("upload");
    let played = replay(&path, &format!("http://{dropper}"), &[]);
    let found = played.differences();
    assert!(!found.is_empty());
    assert!(
        found.iter().all(|one| one.ends_with(": connection")),
        "{found:?}"
    );
    let expected: Vec<String> = closed_uploads(&path).into_iter().map(|one| one.1).collect();
    assert_eq!(kept(&folder.path().join("upload")), expected);
}

#[test]
fn sessions_are_chosen_by_number_and_by_filter() {
    let path = capture("example-errors");
    let server = mock(&path, &[]);
    let numbers = |more: &[&str]| -> Vec<u64> {
        let played = replay(&path, &server.url(""), more);
        assert_eq!(played.code, Some(0), "{:?} {}", played.lines, played.error);
        let sessions = of_type(&played.lines, "replay");
        sessions
            .iter()
            .map(|line| line["session"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(&["--session", "1", "--session", "3"]), [1, 3]);
    assert_eq!(numbers(&["--filter", "http.status == 403"]), [3]);
    let none = replay(&path, &server.url(""), &["--session", "9"]);
    assert_eq!(none.code, Some(2));
    assert!(none.error.contains("it has no session 9"), "{}", none.error);
    let none = replay(&path, &server.url(""), &["--filter", "http.status == 999"]);
    assert_eq!(none.code, Some(2));
}

#[test]
fn missing_content_is_said_before_anything_is_sent() {
    // Nobody listens there: it is not even tried.
    let played = replay(&capture("odd-joined"), "http://127.0.0.1:1", &[]);
    assert_eq!(played.code, Some(2));
    assert!(
        played
            .error
            .starts_with("error: the recording does not hold bytes 0 to 19 of report.csv"),
        "{}",
        played.error
    );
    assert!(played.error.contains("hint: "), "{}", played.error);
    let played = replay(&capture("upload"), "http://127.0.0.1:1", &[]);
    assert_eq!(played.code, Some(2));
    assert!(
        played.error.starts_with("error: cannot connect"),
        "{}",
        played.error
    );
}

#[test]
fn a_login_of_a_connection_is_left_out_on_demand() {
    let path = capture("example-ntlm");
    // Nobody listens there: it is not even tried.
    let refused = replay(&path, "http://127.0.0.1:1", &[]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.error.contains("NTLM"), "{}", refused.error);
    assert!(
        refused.error.contains("--without-auth"),
        "{}",
        refused.error
    );
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let server = Running::start(&["serve", root, "--listen", "127.0.0.1:0"]);
    let played = replay(&path, &server.url(""), &["--without-auth"]);
    assert_ne!(played.code, Some(2), "{}", played.error);
    let expected: Vec<String> = closed_uploads(&path).into_iter().map(|one| one.1).collect();
    assert!(!expected.is_empty());
    assert_eq!(kept(folder.path()), expected, "{:?}", played.lines);
}

#[test]
fn a_report_for_ci_and_one_for_people() {
    let path = capture("lost-ack");
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let server = Running::start(&["serve", root, "--listen", "127.0.0.1:0"]);
    let args = |sub: &str| {
        let to = server.url(&format!("/{sub}/"));
        vec![
            "replay".to_owned(),
            path.to_str().unwrap().to_owned(),
            "--to".to_owned(),
            to,
        ]
    };
    let mut junit = args("a");
    junit.extend(["--format".to_owned(), "junit".to_owned()]);
    let junit = output(&junit);
    assert_eq!(junit.status.code(), Some(1));
    let xml = String::from_utf8(junit.stdout).unwrap();
    assert!(
        xml.contains("<testsuites name=\"bitstap replay\" tests=\"1\"")
            && xml.contains("failures=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("session 1 upload inventory.csv"), "{xml}");
    let text = output(&args("b"));
    assert_eq!(text.status.code(), Some(1));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("differs  exchange 6 Fragment 20480-34815: answer: recorded none, live 200"),
        "{text}"
    );
    assert!(text.contains("closed as recorded"), "{text}");
}

#[test]
fn https_is_played_too() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let server = Running::start(&[
        "serve",
        root.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        cert,
        "--tls-key",
        key,
    ]);
    let to = format!("https://localhost:{}", server.address().port());
    let path = capture("upload");
    let distrusted = replay(&path, &to, &[]);
    assert_eq!(distrusted.code, Some(2));
    assert!(distrusted.error.contains("--ca"), "{}", distrusted.error);
    let played = replay(&path, &to, &["--ca", cert]);
    assert_eq!(
        played.code,
        Some(0),
        "{:?} {}",
        played.differences(),
        played.error
    );
    let expected: Vec<String> = closed_uploads(&path).into_iter().map(|one| one.1).collect();
    assert_eq!(kept(&root.join("upload")), expected);
}

#[test]
fn basic_is_answered_and_wrong_usage_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let server = Running::start(&[
        "serve",
        root,
        "--listen",
        "127.0.0.1:0",
        "--user",
        "me:secret",
    ]);
    let path = capture("upload");
    let refused = replay(&path, &server.url(""), &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .differences()
            .contains(&"2 Create-Session: status".to_owned())
    );
    let played = replay(&path, &server.url(""), &["--user", "me:secret"]);
    assert_eq!(played.code, Some(0), "{:?}", played.differences());
    let help = bitstap(&["replay", "--help"]).output().unwrap();
    assert!(String::from_utf8_lossy(&help.stdout).contains("bitstap replay upload.pcapng --to"));
    let wrong = replay(&path, "http://127.0.0.1:1/no-slash", &[]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.error.contains("must end with a slash"),
        "{}",
        wrong.error
    );
}
