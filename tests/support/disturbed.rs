//! A proxy with rules between raw sockets: what each end reads and how it ends, and what is told of it, live
//! and from the capture.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{PATIENCE, Running, json, of_type};

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
}

/// One end of a connection.
pub(crate) struct Peer(TcpStream);

impl From<TcpStream> for Peer {
    fn from(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }
}

impl Peer {
    /// Tells whether bytes could be sent at all.
    pub(crate) fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the peer reads");
    }

    /// Waits for exactly `bytes`.
    pub(crate) fn hear(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut got = vec![0; bytes.len()];
        let read = self.0.read_exact(&mut got);
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert!(read.is_ok(), "{read:?} instead of {}", shown(bytes));
        assert_eq!(shown(&got), shown(bytes));
    }

    /// Reads so many bytes, if they come.
    pub(crate) fn try_take(&mut self, len: usize) -> Option<Vec<u8>> {
        let mut got = vec![0; len];
        self.0.read_exact(&mut got).ok().map(|()| got)
    }

    /// Reads so many bytes.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        self.try_take(len).expect("bytes come")
    }

    /// Reads a head, its empty line included.
    pub(crate) fn head(&mut self) -> String {
        let mut got = Vec::new();
        while !got.ends_with(b"\r\n\r\n") {
            got.extend_from_slice(&self.take(1));
        }
        String::from_utf8(got).expect("it is text")
    }

    /// Ends what this end sends.
    pub(crate) fn finish(&mut self) {
        self.0.shutdown(Shutdown::Write).expect("it is open");
    }

    /// Reads to the end: what came before it, and how it ended.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, End) {
        let mut got = Vec::new();
        match self.0.read_to_end(&mut got) {
            Ok(_) => (got, End::Fin),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                (got, End::Reset)
            }
        }
    }

    /// Reads to the end, before which nothing may come.
    pub(crate) fn ends(&mut self, wanted: End) {
        let (got, end) = self.rest();
        assert_eq!(
            (got.escape_ascii().to_string(), end),
            (String::new(), wanted)
        );
    }
}

/// Who plays the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The test, connection by connection.
    Test,
    /// A thread that answers each head with an Ack.
    Acks,
}

/// Answers each head with an Ack until the client ends.
fn acknowledge(mut peer: Peer) {
    let (mut got, mut one) = (Vec::new(), [0]);
    while matches!(peer.0.read(&mut one), Ok(1)) {
        got.extend_from_slice(&one);
        if got.ends_with(b"\r\n\r\n") {
            got.clear();
            if !peer.try_say(ack("")) {
                return;
            }
        }
    }
}

/// A proxy with rules and the listener that it dials.
pub(crate) struct Disturbed {
    pub(crate) folder: TempDir,
    pub(crate) proxy: Running,
    accepted: Receiver<TcpStream>,
    lines: RefCell<Vec<Value>>,
}

impl Disturbed {
    /// Starts a proxy with a rules file that says `rules`.
    pub(crate) fn with(rules: &str) -> Self {
        Self::start(rules, &[])
    }

    /// The same with more options.
    pub(crate) fn start(rules: &str, more: &[&str]) -> Self {
        Self::ruled(rules, Server::Test, more)
    }

    /// The same with a server that answers every head by itself.
    pub(crate) fn acking(rules: &str, more: &[&str]) -> Self {
        Self::ruled(rules, Server::Acks, more)
    }

    fn ruled(rules: &str, server: Server, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.toml");
        std::fs::write(&path, rules).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self::run(folder, server, &[&["--rules", &path], more].concat())
    }

    /// Starts a proxy with options that bring rules, or none.
    pub(crate) fn run(folder: TempDir, server: Server, more: &[&str]) -> Self {
        let capture = folder.path().join("run.pcapng");
        let capture = ["--capture", capture.to_str().unwrap()];
        Self::open(folder, server, &[&capture, more].concat())
    }

    /// Starts a proxy without a capture of its own, in front of a server that answers every head.
    pub(crate) fn bare(more: &[&str]) -> Self {
        Self::open(tempfile::tempdir().unwrap(), Server::Acks, more)
    }

    fn open(folder: TempDir, server: Server, more: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = format!("http://{}", listener.local_addr().unwrap());
        let args = ["proxy", "--listen", "127.0.0.1:0", "--upstream", &upstream];
        let args = [&args[..], more].concat();
        let proxy = Running::start(&args);
        let (sender, accepted) = sync_channel(64);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if server == Server::Acks {
                    std::thread::spawn(|| acknowledge(Peer::from(stream)));
                } else if sender.send(stream).is_err() {
                    break;
                }
            }
        });
        Self {
            folder,
            proxy,
            accepted,
            lines: RefCell::default(),
        }
    }

    pub(crate) fn capture(&self) -> PathBuf {
        self.folder.path().join("run.pcapng")
    }

    pub(crate) fn rules(&self) -> PathBuf {
        self.folder.path().join("rules.toml")
    }

    /// Connects a client.
    pub(crate) fn client(&self) -> Peer {
        Peer::from(TcpStream::connect(self.proxy.address()).expect("it listens"))
    }

    /// Waits for the next connection at the server.
    pub(crate) fn server(&self) -> Peer {
        Peer::from(
            self.accepted
                .recv_timeout(PATIENCE)
                .expect("the proxy dials"),
        )
    }

    /// Tells whether the proxy has not dialled the server again.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.accepted.try_recv().is_err()
    }

    /// Sends a Ping on a connection of its own; returns the status of its answer.
    pub(crate) fn ping(&self) -> String {
        let mut client = self.client();
        client.say(packet("Ping", ""));
        let status = client.head()[9..12].to_owned();
        client.finish();
        client.ends(End::Fin);
        status
    }

    /// Waits for a line whose text contains `wanted`.
    pub(crate) fn wait_for(&self, wanted: &str) -> String {
        loop {
            let line = self.proxy.next();
            let text = line["text"].as_str().unwrap_or_default().to_owned();
            self.lines.borrow_mut().push(line);
            if text.contains(wanted) {
                return text;
            }
        }
    }

    /// Ends the proxy and reads its capture.
    pub(crate) fn end(self) -> Told {
        let capture = self.capture();
        let (code, rest) = self.proxy.interrupt();
        let mut live = self.lines.take();
        live.extend(rest);
        let view = json(&["view", capture.to_str().unwrap()]);
        let told = Told { code, live, view };
        assert_eq!(
            of_type(&told.live, "exchange"),
            of_type(&told.view, "exchange"),
            "live and from the capture"
        );
        told
    }
}

/// What a run has told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) live: Vec<Value>,
    pub(crate) view: Vec<Value>,
}

impl Told {
    /// Each exchange as `packet status outcome: faults`.
    pub(crate) fn exchanges(&self) -> Vec<String> {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let mut lines = of_type(&self.view, "exchange");
        lines.sort_by_key(|line| line["no"].as_u64());
        lines
            .iter()
            .map(|line| {
                let faults = line["faults"].as_array().into_iter().flatten();
                let faults: Vec<String> = faults.map(text).collect();
                format!(
                    "{} {} {}: {}",
                    text(&line["packet"]),
                    line["status"],
                    text(&line["outcome"]),
                    faults.join(" ")
                )
            })
            .collect()
    }

    /// What the capture says of rules, in order, without the sentence about those in force.
    pub(crate) fn receipts(&self) -> Vec<String> {
        of_type(&self.view, "note")
            .iter()
            .filter_map(|line| line["text"].as_str())
            .filter(|text| text.starts_with("Rule "))
            .map(str::to_owned)
            .collect()
    }

    /// Whether the capture says something that contains `wanted`.
    pub(crate) fn says(&self, wanted: &str) -> bool {
        let notes = of_type(&self.view, "note");
        notes.iter().any(|line| {
            line["text"]
                .as_str()
                .is_some_and(|text| text.contains(wanted))
        })
    }

    /// The lines about expectations, as `rule met fired`.
    pub(crate) fn expectations(&self) -> Vec<String> {
        of_type(&self.live, "expectation")
            .iter()
            .map(|line| format!("{} {} {}", line["rule"], line["met"], line["fired"]))
            .collect()
    }
}

/// Writes a packet without content.
pub(crate) fn packet(kind: &str, more: &str) -> String {
    format!(
        "BITS_POST /up/f HTTP/1.1\r\nHost: h.test\r\nBITS-Packet-Type: {kind}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Writes the head of a Fragment.
pub(crate) fn fragment(first: u64, last: u64, total: u64) -> String {
    let len = last + 1 - first;
    format!(
        "BITS_POST /up/f HTTP/1.1\r\nHost: h.test\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {{3F2B}}\r\nContent-Range: bytes {first}-{last}/{total}\r\nContent-Length: {len}\r\n\r\n"
    )
}

/// Writes an Ack.
pub(crate) fn ack(more: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\n{more}Content-Length: 0\r\n\r\n")
}

/// Writes a rules file with one rule, called `r`.
pub(crate) fn rule(keys: &str) -> String {
    format!("[[rule]]\nname = \"r\"\n{keys}\n")
}
