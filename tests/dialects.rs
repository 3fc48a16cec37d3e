//! `replay` against servers that speak BITS otherwise than ours: the file arrives, and what is otherwise is named.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
    pub(crate) mod playing;
    pub(crate) mod recordings;
}

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use support::playing::{Played, capture, closed_uploads, replay, sha256};

/// What a server does in its own way.
#[derive(Clone, Copy)]
struct Dialect {
    version: &'static str,
    /// Makes the id of session number so and so.
    id: fn(usize) -> String,
    created: u16,
    /// The field that tells the next offset.
    received: &'static str,
    /// More fields of the Ack of a Ping.
    ping: &'static str,
    /// Content-Length of Acks, or nothing at all.
    length: &'static str,
    /// A connection ends after so many answers.
    answers: usize,
    /// Fragments of more bytes are answered 413.
    limit: usize,
    /// Once, when it has so many bytes, it goes back by so many.
    back: Option<(usize, usize)>,
    /// It has the bytes, but keeps no more than so many of each Fragment.
    keeps: usize,
}

const PLAIN: Dialect = Dialect {
    version: "HTTP/1.1",
    id: |no| format!("{{3F2B7C10-5D4E-4A6B-9C81-{no:012}}}"),
    created: 200,
    received: "BITS-Received-Content-Range",
    ping: "",
    length: "Content-Length: 0\r\n",
    answers: usize::MAX,
    limit: usize::MAX,
    back: None,
    keeps: usize::MAX,
};

#[derive(Default)]
struct State {
    opened: usize,
    went_back: bool,
    open: BTreeMap<String, Vec<u8>>,
    closed: Vec<Vec<u8>>,
}

struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    fn start(dialect: Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    for _ in 0..dialect.answers {
                        if serve(dialect, &state, &mut reader, &stream).is_none() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, state }
    }

    /// Plays the upload of a capture to it; returns what was said and the hashes of the files that came.
    fn played(&self, name: &str, more: &[&str]) -> (Played, Vec<String>) {
        let played = replay(&capture(name), &format!("http://{}", self.address), more);
        let state = self.state.lock().unwrap();
        (
            played,
            state.closed.iter().map(|file| sha256(file)).collect(),
        )
    }
}

/// Reads one request and answers it; `None` where the client has gone or the connection ends.
fn serve(
    dialect: Dialect,
    state: &Mutex<State>,
    reader: &mut BufReader<TcpStream>,
    mut stream: &TcpStream,
) -> Option<()> {
    let mut fields = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            fields.insert(name.to_owned(), value.trim().to_owned());
        }
    }
    let mut content = vec![0; fields["Content-Length"].parse().ok()?];
    reader.read_exact(&mut content).ok()?;
    let (status, told) = answer(dialect, &mut state.lock().unwrap(), &fields, &content);
    let head = format!(
        "{} {status} X\r\nBITS-Packet-Type: Ack\r\n{told}{}\r\n",
        dialect.version, dialect.length
    );
    stream.write_all(head.as_bytes()).ok()
}

fn answer(
    dialect: Dialect,
    state: &mut State,
    fields: &BTreeMap<String, String>,
    content: &[u8],
) -> (u16, String) {
    let id = fields.get("BITS-Session-Id").cloned().unwrap_or_default();
    let mut told = String::new();
    match fields["BITS-Packet-Type"].as_str() {
        "Ping" => return (200, dialect.ping.to_owned()),
        "Create-Session" => {
            state.opened += 1;
            let id = (dialect.id)(state.opened);
            let _ = write!(
                told,
                "BITS-Protocol: {{7df0354d-249b-430f-820d-3d2a9bef4931}}\r\nBITS-Session-Id: {id}\r\n"
            );
            state.open.insert(id, Vec::new());
            return (dialect.created, told);
        }
        _ => {}
    }
    let _ = write!(told, "BITS-Session-Id: {id}\r\n");
    let Some(file) = state.open.get_mut(&id) else {
        return (
            500,
            "BITS-Error-Code: 0x8020001F\r\nBITS-Error-Context: 0x5\r\n".to_owned(),
        );
    };
    if fields["BITS-Packet-Type"] != "Fragment" {
        state.closed.extend(state.open.remove(&id));
        return (200, told);
    }
    if content.len() > dialect.limit {
        return (413, String::new());
    }
    let range = fields["Content-Range"].trim_start_matches("bytes ");
    let first: usize = range.split('-').next().unwrap().parse().unwrap();
    let back = dialect
        .back
        .filter(|(at, _)| file.len() >= *at && !state.went_back);
    if let Some((_, by)) = back {
        state.went_back = true;
        file.truncate(file.len() - by);
    }
    let taken = first <= file.len();
    if taken {
        let new = content.get(file.len() - first..).unwrap_or_default();
        file.extend_from_slice(&new[..new.len().min(dialect.keeps)]);
    }
    let _ = write!(told, "{}: {}\r\n", dialect.received, file.len());
    (if taken { 200 } else { 416 }, told)
}

/// Name, server, and what is to be named as otherwise when the capture `upload` is played to it.
#[expect(clippy::too_many_lines, reason = "a row for each dialect")]
fn dialects() -> Vec<(&'static str, Dialect, &'static [&'static str])> {
    vec![
        ("plain", PLAIN, &[]),
        (
            "ids without braces",
            Dialect {
                id: |no| format!("3f2b7c10-5d4e-4a6b-9c81-{no:012}"),
                ..PLAIN
            },
            &[],
        ),
        (
            "decimal ids",
            Dialect {
                id: |no| (no + 41).to_string(),
                ..PLAIN
            },
            &[],
        ),
        (
            "another spelling",
            Dialect {
                received: "BITS-Recieved-Content-Range",
                ..PLAIN
            },
            &["spelling"],
        ),
        (
            "small letters",
            Dialect {
                received: "bits-received-content-range",
                ..PLAIN
            },
            &[],
        ),
        (
            "no offset told",
            Dialect {
                received: "X-Received",
                ..PLAIN
            },
            &["BITS-Received-Content-Range"],
        ),
        (
            "201",
            Dialect {
                created: 201,
                ..PLAIN
            },
            &["status"],
        ),
        (
            "an error in the Ack of a Ping",
            Dialect {
                ping: "BITS-Error-Code: 0x1\r\nBITS-Error-Context: 0x5\r\n",
                ..PLAIN
            },
            &["BITS-Error-Code", "BITS-Error-Context"],
        ),
        (
            "five answers",
            Dialect {
                answers: 5,
                ..PLAIN
            },
            &["connection"],
        ),
        (
            "HTTP/1.0",
            Dialect {
                version: "HTTP/1.0",
                answers: 1,
                ..PLAIN
            },
            &["connection"],
        ),
        (
            "no length, then the end",
            Dialect {
                length: "",
                answers: 1,
                ..PLAIN
            },
            &["connection"],
        ),
        (
            "no length, and on",
            Dialect {
                length: "",
                ..PLAIN
            },
            &[],
        ),
        (
            "a limit",
            Dialect {
                limit: 8000,
                ..PLAIN
            },
            &["BITS-Received-Content-Range", "BITS-Session-Id", "status"],
        ),
        (
            "a small limit",
            Dialect {
                limit: 1500,
                ..PLAIN
            },
            &["BITS-Received-Content-Range", "BITS-Session-Id", "status"],
        ),
        (
            "back to another offset",
            Dialect {
                back: Some((40_000, 33_333)),
                ..PLAIN
            },
            &["BITS-Received-Content-Range", "status"],
        ),
        (
            "keeps a part",
            Dialect {
                keeps: 3000,
                ..PLAIN
            },
            &["BITS-Received-Content-Range"],
        ),
    ]
}

#[test]
fn the_file_arrives_whatever_the_dialect_and_differences_are_named() {
    let files = closed_uploads(&capture("upload"));
    for (name, dialect, differences) in dialects() {
        let (played, arrived) = Server::start(dialect).played("upload", &[]);
        assert_eq!(arrived, [files[0].1.clone()], "{name}: {}", played.error);
        let found = played.differences();
        let kinds: BTreeSet<&str> = found
            .iter()
            .filter_map(|one| one.split(": ").nth(1))
            .collect();
        assert_eq!(
            kinds,
            differences.iter().copied().collect(),
            "{name}: {found:?}"
        );
        assert_eq!(played.code, Some(i32::from(!found.is_empty())), "{name}");
    }
}

#[test]
fn recordings_with_trouble_and_other_fragments_arrive_too() {
    for recorded in ["lost-ack", "session-lost", "rewind", "shrink"] {
        let files = closed_uploads(&capture(recorded));
        for (name, dialect, _) in dialects() {
            let (played, arrived) = Server::start(dialect).played(recorded, &[]);
            assert_eq!(
                arrived,
                [files[0].1.clone()],
                "{recorded}, {name}: {}",
                played.error
            );
            assert_eq!(
                played.code,
                Some(i32::from(!played.differences().is_empty()))
            );
        }
    }
    let files = closed_uploads(&capture("upload"));
    for answers in [1, 2, 17] {
        let server = Server::start(Dialect { answers, ..PLAIN });
        let (played, arrived) = server.played("upload", &["--fragment-size", "1000"]);
        assert_eq!(arrived, [files[0].1.clone()], "{answers}: {}", played.error);
        assert_eq!(played.differences(), Vec::<String>::new(), "{answers}");
    }
}
