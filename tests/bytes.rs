//! Bytes out equal bytes in through the real binary, between raw sockets: same bytes, same order, each end
//! mirrored as it was, and the capture's client leg holds exactly that.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test binary uses its own part")]
mod binary;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use binary::{PATIENCE, Running};
use bitstap::capture::{Record, open};
use bitstap::event::{Close, ConnId, Direction, Event, Leg, What};
use socket2::SockRef;

use Direction::{ToClient, ToServer};

/// One step of a conversation; each is seen at the other end before the next one in the other direction.
#[derive(Clone, Debug)]
enum Step {
    /// The client writes.
    C(Vec<u8>),
    /// The server writes.
    S(Vec<u8>),
    /// The sender in this direction ends it.
    End(Direction, Close),
}

use Step::{C, End, S};

const CLIENT_FIN: Step = End(ToServer, Close::Fin);
const SERVER_FIN: Step = End(ToClient, Close::Fin);

fn c(bytes: impl AsRef<[u8]>) -> Step {
    C(bytes.as_ref().to_vec())
}

fn s(bytes: impl AsRef<[u8]>) -> Step {
    S(bytes.as_ref().to_vec())
}

/// A connection through the proxy with both of its ends.
struct Ends<'p> {
    proxy: &'p Running,
    listener: &'p TcpListener,
    client: Option<TcpStream>,
    server: Option<TcpStream>,
    /// Written, not yet read at the other end.
    owed: Option<(Direction, Vec<Vec<u8>>)>,
}

impl<'p> Ends<'p> {
    fn open(proxy: &'p Running, listener: &'p TcpListener) -> Self {
        let client = TcpStream::connect(proxy.address()).unwrap();
        Self {
            proxy,
            listener,
            client: Some(prepared(client)),
            server: None,
            owed: None,
        }
    }

    /// Returns the sender and the receiver of a direction; the server is there once something was sent.
    fn pair(&self, direction: Direction) -> (&TcpStream, &TcpStream) {
        let client = self.client.as_ref().expect("the client is there");
        let server = self.server.as_ref().expect("the server is there");
        match direction {
            ToServer => (client, server),
            ToClient => (server, client),
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            C(bytes) => self.write(ToServer, bytes),
            S(bytes) => self.write(ToClient, bytes),
            End(direction, how) => self.end(*direction, *how),
        }
    }

    /// Takes note of what is to be written; a pause of the writer is where one step ends.
    fn write(&mut self, direction: Direction, bytes: &[u8]) {
        if self.owed.as_ref().is_some_and(|(of, _)| *of != direction) {
            self.settle();
        }
        let (_, pieces) = self.owed.get_or_insert_with(|| (direction, Vec::new()));
        pieces.push(bytes.to_vec());
    }

    /// Writes what is owed and reads it at the other end.
    fn settle(&mut self) {
        let Some((direction, pieces)) = self.owed.take() else {
            return;
        };
        let expected = pieces.concat();
        let (proxy, listener) = (self.proxy, self.listener);
        let mut sender = match direction {
            ToServer => self.client.as_ref(),
            ToClient => self.server.as_ref(),
        }
        .expect("the sender is there")
        .try_clone()
        .unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                for piece in &pieces {
                    sender.write_all(piece).unwrap();
                }
            });
            if self.server.is_none() {
                self.server = Some(prepared(listener.accept().unwrap().0));
            }
            let (_, mut receiver) = self.pair(direction);
            let mut got = vec![0; expected.len()];
            receiver.read_exact(&mut got).unwrap_or_else(|error| {
                panic!("{direction:?} through {}: {error}", proxy.address())
            });
            let place = got.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(place, None, "{direction:?}: the first byte that differs");
        });
    }

    fn end(&mut self, direction: Direction, how: Close) {
        // What is held back until its head is complete comes with the end of the stream.
        let held = direction == ToServer && self.server.is_none() && self.owed.is_some();
        let expected = if held && how == Close::Fin {
            let (_, pieces) = self.owed.take().unwrap_or((ToServer, Vec::new()));
            let mut client = self.client.as_ref().expect("the client is there");
            client.write_all(&pieces.concat()).unwrap();
            pieces.concat()
        } else {
            self.last_owed(direction, how)
        };
        match how {
            Close::Fin => {
                let sender = match direction {
                    ToServer => self.client.as_ref(),
                    ToClient => self.server.as_ref(),
                };
                sender
                    .expect("the sender is there")
                    .shutdown(Shutdown::Write)
                    .unwrap();
            }
            Close::Reset => {
                let sender = match direction {
                    ToServer => self.client.take(),
                    ToClient => self.server.take(),
                }
                .expect("the sender is there");
                SockRef::from(&sender)
                    .set_linger(Some(std::time::Duration::ZERO))
                    .unwrap();
            }
        }
        if self.server.is_none() && direction == ToServer {
            self.server = Some(prepared(self.listener.accept().unwrap().0));
        }
        let mut receiver = match direction {
            ToServer => self.server.as_ref(),
            ToClient => self.client.as_ref(),
        }
        .expect("the receiver is there");
        let mut rest = Vec::new();
        let ended = receiver.read_to_end(&mut rest);
        assert!(rest == expected, "{direction:?}: bytes before the end");
        match how {
            Close::Fin => assert!(ended.is_ok(), "{direction:?}: FIN became {ended:?}"),
            Close::Reset => assert_eq!(
                ended.map_err(|error| error.kind()),
                Err(ErrorKind::ConnectionReset),
                "{direction:?}: RST became something else"
            ),
        }
    }

    /// Writes what is owed. Before a FIN in the same direction it may be held back until then, and is read
    /// with the end; before a reset it has to be seen first, since a reset may overtake it.
    fn last_owed(&mut self, direction: Direction, how: Close) -> Vec<u8> {
        match self.owed.take() {
            Some((of, pieces)) if of == direction && how == Close::Fin => {
                let (mut sender, _) = self.pair(direction);
                let bytes = pieces.concat();
                // Small enough for the sockets' buffers: what is large is read while it is written.
                let (large, small) = bytes.split_at(bytes.len().saturating_sub(4096));
                if !large.is_empty() {
                    self.owed = Some((direction, vec![large.to_vec()]));
                    self.settle();
                    sender = self.pair(direction).0;
                }
                sender.write_all(small).unwrap();
                small.to_vec()
            }
            owed => {
                self.owed = owed;
                self.settle();
                Vec::new()
            }
        }
    }
}

fn prepared(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What was sent in one direction, and how it ended if it did.
fn sent(steps: &[Step], wanted: Direction) -> (Vec<u8>, Option<Close>) {
    let mut bytes = Vec::new();
    let mut close = None;
    for step in steps {
        match step {
            C(more) if wanted == ToServer => bytes.extend_from_slice(more),
            S(more) if wanted == ToClient => bytes.extend_from_slice(more),
            End(direction, how) if *direction == wanted => close = Some(*how),
            _ => {}
        }
    }
    (bytes, close)
}

/// What a capture holds of one direction of a client leg.
fn held(events: &[Event], conn: u32, wanted: Direction) -> (Vec<u8>, Option<Close>) {
    let mut bytes = Vec::new();
    let mut close = None;
    let of = events
        .iter()
        .filter(|event| event.conn == ConnId(conn) && event.leg == Leg::Client);
    for event in of {
        match &event.what {
            What::Data {
                direction,
                bytes: more,
            } if *direction == wanted => bytes.extend_from_slice(more),
            What::Missing { direction, .. } if *direction == wanted => {
                panic!("the client leg keeps everything: {event:?}")
            }
            What::Closed { direction, how } if *direction == wanted => close = Some(*how),
            _ => {}
        }
    }
    (bytes, close)
}

fn events(capture: &Path) -> Vec<Event> {
    open(capture)
        .unwrap()
        .map(|record| match record.unwrap() {
            Record::Event { event, .. } => event,
            Record::Note(note) => panic!("a note about our own file: {note}"),
        })
        .collect()
}

/// Plays conversations one after the other through one proxy and compares its capture with them.
fn pass_all(conversations: &[Vec<Step>]) {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("bytes.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let proxy = Running::start(&[
        "proxy",
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
        "--capture",
        capture.to_str().unwrap(),
    ]);
    for steps in conversations {
        let mut ends = Ends::open(&proxy, &listener);
        for step in steps {
            ends.play(step);
        }
        assert!(ends.owed.is_none(), "a conversation ends with an end");
    }
    let (code, _) = proxy.interrupt();
    assert_eq!(code, Some(0));

    let events = events(&capture);
    for (conn, steps) in (1..).zip(conversations) {
        for direction in [ToServer, ToClient] {
            let (bytes, close) = sent(steps, direction);
            let (kept, ended) = held(&events, conn, direction);
            assert!(
                kept == bytes,
                "connection {conn}, {direction:?}: the capture has {} bytes, not the {} sent",
                kept.len(),
                bytes.len()
            );
            if close.is_some() {
                assert_eq!(ended, close, "connection {conn}, {direction:?}");
            }
        }
    }
}

fn pass(steps: &[Step]) {
    pass_all(&[steps.to_vec()]);
}

/// The same with both directions ended by FIN, by the client first, then by the server first.
fn pass_and_end(steps: &[Step]) {
    pass_all(&[
        [steps, &[CLIENT_FIN, SERVER_FIN]].concat(),
        [steps, &[SERVER_FIN, CLIENT_FIN]].concat(),
    ]);
}

const ACK: &str = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";
const PING: &str = "BITS_POST /f HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n";

/// Bytes that repeat nothing, the same in every run; none of them is a line feed or begins a start line.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next() | 0x80).collect()
}

#[test]
fn both_lengths_in_a_request_and_in_a_response() {
    let lengths = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    pass_and_end(&[
        c(format!("POST / HTTP/1.1\r\n{lengths}")),
        s(format!("HTTP/1.1 200 OK\r\n{lengths}")),
        c(PING),
        s(ACK),
    ]);
    pass_and_end(&[
        c("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        s("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab"),
    ]);
}

#[test]
fn bare_line_feeds() {
    pass_and_end(&[
        c("BITS_POST /f HTTP/1.1\nContent-Length: 4\nX-Odd :  a \n\nab\r\n"),
        s("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        c(PING.replace("\r\n", "\n")),
        s(ACK.replace("\r\n", "\n")),
    ]);
}

#[test]
fn a_body_after_content_length_0() {
    pass_and_end(&[
        c(PING),
        s(format!(
            "{ACK}<html>an error page that the length denies</html>"
        )),
        c(PING),
        s(ACK),
    ]);
}

#[test]
fn a_response_without_length_on_a_connection_that_stays_open() {
    let odd = ACK.replace("Content-Length: 0\r\n", "");
    pass_and_end(&[
        c(PING),
        s(&odd),
        c(PING),
        s(format!("{odd}some body")),
        c(PING),
        s(ACK),
    ]);
}

#[test]
fn chunks_with_extensions_and_trailers() {
    let chunked = "Transfer-Encoding: Chunked\r\n\r\n5;name=\"a;b\";x\r\nhello\r\n000A ; y\r\n0123456789\r\n0;last\r\nTrailer: t\r\nOther:\r\n\r\n";
    pass_and_end(&[
        c(format!("POST / HTTP/1.1\r\n{chunked}")),
        s(format!("HTTP/1.1 200 OK\r\n{chunked}")),
        c(PING),
        s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk"),
    ]);
}

#[test]
fn pipelined_requests() {
    let answers = [
        ACK.as_bytes(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ]
    .concat();
    pass_and_end(&[
        c([PING, PING, "GET / HTTP/1.1\r\n\r\n"].concat()),
        s(&answers[..30]),
        s(&answers[30..]),
        s(ACK),
    ]);
}

#[test]
fn heads_cut_short() {
    for len in [1, 9, 21, PING.len() - 1] {
        pass(&[c(&PING[..len]), CLIENT_FIN, SERVER_FIN]);
    }
    for len in [1, 8, 17, ACK.len() - 1] {
        pass(&[c(PING), s(&ACK[..len]), SERVER_FIN, CLIENT_FIN]);
    }
}

#[test]
fn heads_of_64_kib() {
    let long = "v".repeat(64 << 10);
    pass_and_end(&[
        c(format!("GET / HTTP/1.1\r\nX-Long: {long}\r\n\r\n")),
        s(format!(
            "HTTP/1.1 200 OK\r\nX-Long: {long}\r\nContent-Length: 0\r\n\r\n"
        )),
        c(format!(
            "GET /{long} HTTP/1.1\r\n{}\r\n",
            "A: b\r\n".repeat(11_000)
        )),
        s(ACK),
    ]);
}

#[test]
fn a_fragment_of_13_mib_and_an_answer_as_large() {
    let body = noise(13 << 20);
    let head = |start: &str| format!("{start}\r\nContent-Length: {}\r\n\r\n", body.len());
    pass(&[
        c(head("BITS_POST /f HTTP/1.1")),
        c(&body),
        s(head("HTTP/1.1 200 OK")),
        s(&body),
        CLIENT_FIN,
        SERVER_FIN,
    ]);
}

#[test]
fn random_bytes() {
    pass_and_end(&[
        c(noise(5000)),
        s(noise(3000)),
        c(noise(70_000)),
        s(noise(1)),
    ]);
    pass_and_end(&[c(PING), s(noise(300_000)), c(noise(10))]);
}

#[test]
fn bytes_that_look_like_tls() {
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3][..], &noise(507)].concat();
    let answer = [&[0x16, 3, 3, 0, 0x7A, 2, 0, 0, 0x76, 3, 3][..], &noise(116)].concat();
    let data = [&[0x17, 3, 3, 0x40, 0][..], &noise(16_384)].concat();
    pass_and_end(&[c(hello), s(answer), c(&data), s(&data)]);
}

#[test]
fn a_server_that_answers_nothing_and_closes() {
    pass(&[c(PING), SERVER_FIN, CLIENT_FIN]);
    let fragment = "BITS_POST /f HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly a part";
    pass(&[c(fragment), SERVER_FIN, CLIENT_FIN]);
}

#[test]
fn a_reset_by_the_server() {
    let reset = End(ToClient, Close::Reset);
    pass(&[c(PING), reset.clone()]);
    pass(&[
        c("BITS_POST /f HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
        s("HTTP/1.1 100 Continue\r\n\r\n"),
        c("def"),
        reset.clone(),
    ]);
    pass(&[
        c(PING),
        s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
        reset,
    ]);
}

#[test]
fn a_reset_by_the_client() {
    let reset = End(ToServer, Close::Reset);
    pass(&[c(PING), s(ACK), reset.clone()]);
    pass(&[
        c("BITS_POST /f HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
        reset,
    ]);
}

#[test]
fn each_half_closes_on_its_own() {
    pass(&[c(PING), CLIENT_FIN, s(ACK), s("late"), SERVER_FIN]);
    pass(&[
        c("BITS_POST /f HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
        s("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"),
        SERVER_FIN,
        c("defghi"),
        c(PING),
        CLIENT_FIN,
    ]);
}

#[test]
fn a_client_that_expects_100_continue() {
    pass_and_end(&[
        c("BITS_POST /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
        s("HTTP/1.1 100 Continue\r\n\r\n"),
        c("hello"),
        s(ACK),
        c("BITS_POST /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
        s("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"),
        c(PING),
        s(ACK),
    ]);
}

/// Where recordings of other people's traffic lie beside a checkout.
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/pcaps");

/// Returns what was said on each connection of a recording.
fn conversations(path: &Path) -> Vec<Vec<Step>> {
    let mut conversations: Vec<Vec<Step>> = Vec::new();
    for event in events(path) {
        let at = usize::try_from(event.conn.0).unwrap();
        if conversations.len() < at {
            conversations.resize(at, Vec::new());
        }
        if let What::Data { direction, bytes } = event.what {
            conversations[at - 1].push(match direction {
                ToServer => C(bytes.to_vec()),
                ToClient => S(bytes.to_vec()),
            });
        }
    }
    for steps in &mut conversations {
        steps.extend([CLIENT_FIN, SERVER_FIN]);
    }
    conversations
}

#[test]
fn the_conversations_of_the_specification() {
    let there = Path::new(RECORDINGS).is_dir();
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(there || !ci, "CI=true, but {RECORDINGS} is not there");
    if !there {
        eprintln!("left out: {RECORDINGS} is not there");
        return;
    }
    for (name, connections) in [("mcbup-4.1-upload", 1), ("mcbup-4.2-upload-reply", 3)] {
        let path = Path::new(RECORDINGS).join(format!("{name}.pcap"));
        let conversations = conversations(&path);
        assert_eq!(conversations.len(), connections, "{name}");
        assert!(conversations.iter().all(|steps| steps.len() > 3), "{name}");
        pass_all(&conversations);
    }
}
