//! Conversations between raw sockets through the real binary: what each end reads, how it ends, and what
//! the capture holds of it, compared with what was written.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use crate::binary::{PATIENCE, Running};
use bitstap::capture::{Record, open};
use bitstap::event::{Close, ConnId, Direction, Event, Leg, What};
use socket2::SockRef;

use Direction::{ToClient, ToServer};

/// One step of a conversation; each is seen at the other end before the next one in the other direction.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The client writes.
    C(Vec<u8>),
    /// The server writes.
    S(Vec<u8>),
    /// The sender in this direction ends it.
    End(Direction, Close),
}

use Step::{C, End, S};

pub(crate) const CLIENT_FIN: Step = End(ToServer, Close::Fin);
pub(crate) const SERVER_FIN: Step = End(ToClient, Close::Fin);

pub(crate) fn c(bytes: impl AsRef<[u8]>) -> Step {
    C(bytes.as_ref().to_vec())
}

pub(crate) fn s(bytes: impl AsRef<[u8]>) -> Step {
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

pub(crate) fn events(capture: &Path) -> Vec<Event> {
    open(capture)
        .unwrap()
        .map(|record| match record.unwrap() {
            Record::Event { event, .. } => event,
            Record::Note(note) => panic!("a note about our own file: {note}"),
        })
        .collect()
}

/// A rule for each stage, none of which any conversation meets.
const IDLE_RULES: &str = r#"
[[rule]]
name = "head"
when = "http.url == /nobody-asks-for-this"
do = [ { reset = {} } ]
[[rule]]
name = "content"
when = "bits.session == none-has-this"
stage = "request.body"
at = { file = 3 }
do = [ { truncate = {} } ]
[[rule]]
name = "answer"
when = "http.status == 599"
stage = "response.head"
do = [ { drop_response = {} } ]
[[rule]]
name = "page"
when = "http.header.x-none-has-this"
stage = "response.body"
do = [ { flip = {} } ]
[[rule]]
name = "end"
when = "conn == 100000"
stage = "close"
do = [ { reset = {} } ]
[[rule]]
name = "start"
when = "conn == 100000"
stage = "connect"
do = [ { close = {} } ]
"#;

/// Plays conversations one after the other through one proxy and compares its capture with them; once without
/// rules, once with rules that none of them meets.
pub(crate) fn pass_all(conversations: &[Vec<Step>]) {
    pass_with(conversations, "");
    pass_with(conversations, IDLE_RULES);
}

fn pass_with(conversations: &[Vec<Step>], rules: &str) {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("bytes.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let path = folder.path().join("rules.toml");
    std::fs::write(&path, rules).unwrap();
    let mut args = vec![
        "proxy",
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
        "--capture",
    ];
    args.push(capture.to_str().unwrap());
    if !rules.is_empty() {
        args.extend(["--rules", path.to_str().unwrap()]);
    }
    let proxy = Running::start(&args);
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

pub(crate) fn pass(steps: &[Step]) {
    pass_all(&[steps.to_vec()]);
}

/// The same with both directions ended by FIN, by the client first, then by the server first.
pub(crate) fn pass_and_end(steps: &[Step]) {
    pass_all(&[
        [steps, &[CLIENT_FIN, SERVER_FIN]].concat(),
        [steps, &[SERVER_FIN, CLIENT_FIN]].concat(),
    ]);
}
