//! A relay of one connection between in-memory pipes: what each test plays is the client and the server.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bitstap::event::{Close, ConnId, Direction, Event, Fact, Leg, What};
use bitstap::fault::rule::{Count, During, Per};
use bitstap::fault::{Action, Engine, Moment, Rule, RuleSet, Stage as FaultStage, Verdict};
use bitstap::relay::connection::{self, Shared};
use bitstap::relay::dial::{Dial, Dialled};
use bitstap::relay::stream::{Locked, Reset};
use bitstap::relay::{Board, Config, DialError, Upstream};
use bitstap::timeline::filter::Filter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The relay's end of a pipe; remembers that it was reset.
pub(crate) struct Pipe {
    inner: DuplexStream,
    reset: Arc<AtomicBool>,
}

impl Reset for Pipe {
    fn reset(&mut self) {
        self.reset.store(true, Ordering::SeqCst);
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// How dialling goes.
#[derive(Clone)]
pub(crate) enum Dialling {
    Works,
    Fails(DialError),
    /// Neither works nor fails.
    Hangs,
}

/// A dialler whose servers are pipes.
pub(crate) struct Fake {
    how: Dialling,
    size: usize,
    servers: mpsc::Sender<DuplexStream>,
    dials: Arc<AtomicUsize>,
    reset: Arc<AtomicBool>,
}

impl Dial for Fake {
    type Stream = Locked<Pipe>;

    async fn dial(&self, _within: Duration) -> Result<Dialled<Self::Stream>, DialError> {
        self.dials.fetch_add(1, Ordering::SeqCst);
        match &self.how {
            Dialling::Works => {}
            Dialling::Fails(error) => return Err(error.clone()),
            Dialling::Hangs => std::future::pending().await,
        }
        let (ours, theirs) = tokio::io::duplex(self.size);
        self.servers.send(theirs).await.expect("the test listens");
        Ok(Dialled {
            stream: Locked::new(Pipe {
                inner: ours,
                reset: Arc::clone(&self.reset),
            }),
            client: address(2),
            server: address(3),
            notes: Vec::new(),
        })
    }

    fn name(&self) -> String {
        "http://server.test:80".to_owned()
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// How the stage is set.
pub(crate) struct Set {
    pub(crate) config: Config,
    pub(crate) dialling: Dialling,
    /// How many bytes a pipe takes before it blocks.
    pub(crate) pipe: usize,
    /// How many events the queue takes; `None`: nobody listens.
    pub(crate) queue: Option<usize>,
}

impl Default for Set {
    fn default() -> Self {
        let upstream = Upstream {
            tls: false,
            host: "server.test".to_owned(),
            port: 80,
        };
        Self {
            config: Config {
                both_legs: true,
                rules: module_path!().starts_with("relay_ruled").then(passing),
                ..Config::new("127.0.0.1:0", upstream)
            },
            dialling: Dialling::Works,
            pipe: 1 << 20,
            queue: Some(100_000),
        }
    }
}

/// Somebody who is asked about every message and lets each pass: a closure and, the next time, the engine
/// with a rule that never matches.
fn passing() -> Arc<Board> {
    static ENGINE: AtomicBool = AtomicBool::new(false);
    if ENGINE.fetch_xor(true, Ordering::SeqCst) {
        return Arc::new(Board::new(|_: &Moment<'_>| Verdict::default()));
    }
    let never = Rule {
        name: "never".to_owned(),
        preset: None,
        when: Filter::parse("http.url == \"/nowhere\"").expect("a filter"),
        count: Count {
            per: Per::Session,
            skip: 0,
            times: None,
            every: 1,
        },
        chance: 1.0,
        during: During::default(),
        stage: FaultStage::RequestHead,
        at: None,
        actions: vec![Action::Truncate],
        expect: None,
        off: false,
    };
    let rules = RuleSet {
        rules: vec![never],
        ..RuleSet::default()
    };
    let engine = Engine::new(rules, 1);
    assert!(!engine.is_idle(), "it has to be asked");
    Arc::new(Board::new(engine))
}

/// A connection under test.
pub(crate) struct Stage {
    pub(crate) client: DuplexStream,
    pub(crate) servers: mpsc::Receiver<DuplexStream>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) task: JoinHandle<()>,
    pub(crate) stop: CancellationToken,
    pub(crate) dials: Arc<AtomicUsize>,
    pub(crate) client_reset: Arc<AtomicBool>,
    pub(crate) server_reset: Arc<AtomicBool>,
}

impl Set {
    /// Starts the relay of one connection.
    pub(crate) fn start(self) -> Stage {
        let (client, ours) = tokio::io::duplex(self.pipe);
        let (send_server, servers) = mpsc::channel(4);
        let (send_event, events) = mpsc::channel(self.queue.unwrap_or(1));
        let stop = CancellationToken::new();
        let dials = Arc::new(AtomicUsize::new(0));
        let client_reset = Arc::new(AtomicBool::new(false));
        let server_reset = Arc::new(AtomicBool::new(false));
        let shared = Shared {
            config: self.config,
            dialler: Fake {
                how: self.dialling,
                size: self.pipe,
                servers: send_server,
                dials: Arc::clone(&dials),
                reset: Arc::clone(&server_reset),
            },
            events: self.queue.map(|_| send_event).into(),
            start: Instant::now(),
            stop: stop.clone(),
        };
        let ours = Locked::new(Pipe {
            inner: ours,
            reset: Arc::clone(&client_reset),
        });
        let task = tokio::spawn(async move { connection::run(&shared, ConnId(1), ours).await });
        Stage {
            client,
            servers,
            events,
            task,
            stop,
            dials,
            client_reset,
            server_reset,
        }
    }
}

impl Stage {
    /// Waits for the upstream connection.
    pub(crate) async fn server(&mut self) -> DuplexStream {
        self.servers.recv().await.expect("the relay dials")
    }

    /// Waits for the end of the relay and returns its events.
    pub(crate) async fn over(mut self) -> Told {
        drop(self.client);
        self.task.await.expect("the relay does not panic");
        let mut events = Vec::new();
        while let Some(event) = self.events.recv().await {
            events.push(event);
        }
        Told(events)
    }
}

/// Everything that the relay told.
pub(crate) struct Told(pub(crate) Vec<Event>);

/// One direction of one leg as the events tell it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) bytes: Vec<u8>,
    /// How many bytes passed, those that are missing included.
    pub(crate) len: u64,
    pub(crate) closes: Vec<Close>,
}

impl Told {
    /// Collects one direction of one leg; nothing may come after its end.
    pub(crate) fn way(&self, leg: Leg, direction: Direction) -> Way {
        let mut way = Way::default();
        for event in self.0.iter().filter(|event| event.leg == leg) {
            match &event.what {
                What::Data {
                    direction: found,
                    bytes,
                } if *found == direction => {
                    assert!(!bytes.is_empty(), "Data is never empty");
                    assert!(way.closes.is_empty(), "bytes after the end");
                    way.bytes.extend_from_slice(bytes);
                    way.len += bytes.len() as u64;
                }
                What::Missing {
                    direction: found,
                    len,
                    ..
                } if *found == direction => {
                    assert!(way.closes.is_empty(), "bytes after the end");
                    way.len += len;
                }
                What::Closed {
                    direction: found,
                    how,
                } if *found == direction => way.closes.push(*how),
                _ => {}
            }
        }
        way
    }

    /// Returns the facts noted, in order.
    pub(crate) fn facts(&self) -> Vec<&Fact> {
        let facts = self.0.iter().filter_map(|event| match &event.what {
            What::Note(note) => Some(&note.fact),
            _ => None,
        });
        facts.collect()
    }
}

/// Sends `bytes`.
pub(crate) async fn say(stream: &mut DuplexStream, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("the relay reads");
}

/// Waits for exactly `bytes`.
pub(crate) async fn hear(stream: &mut DuplexStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).await.expect("the relay writes");
    assert_eq!(
        got.escape_ascii().to_string(),
        bytes.escape_ascii().to_string()
    );
}

/// Waits for the end of the stream and returns what came before it.
pub(crate) async fn rest(stream: &mut DuplexStream) -> Vec<u8> {
    let mut got = Vec::new();
    stream
        .read_to_end(&mut got)
        .await
        .expect("the relay ends it");
    got
}
