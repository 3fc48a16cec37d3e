//! A live timeline equals the timeline of its capture, places included, and what the places name is there.

#[path = "support/conversation.rs"]
mod conversation;

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use bitstap::capture::{CaptureFile, Options, Record, Writer, open};
use bitstap::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, Note, What};
use bitstap::peer::{Demo, DemoConfig, scenes};
use bitstap::relay::{Config, QUEUE, Relay, Upstream};
use bitstap::timeline::{ReadBack, Timeline};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use Direction::{ToClient, ToServer};

/// Makes the timeline of `events` as a live run does: each goes to the capture, then to the timeline.
fn live(events: &[Event], capture: &Path) -> Timeline {
    let options = Options {
        start_ns: 1_795_348_800_000_000_007,
        ..Options::default()
    };
    let mut writer = Writer::create(capture, options).unwrap();
    let mut timeline = Timeline::new();
    for event in events {
        let position = writer.write(event).unwrap();
        timeline.apply(event, position);
    }
    writer.flush().unwrap();
    timeline.finish();
    timeline
}

/// Makes the timeline of a capture.
fn recorded(capture: &Path) -> Timeline {
    let mut timeline = Timeline::new();
    for record in open(capture).unwrap() {
        match record.unwrap() {
            Record::Event { event, position } => timeline.apply(&event, position),
            Record::Note(note) => panic!("a note about our own file: {note}"),
        }
    }
    timeline.finish();
    timeline
}

/// Returns the first row of a kind that differs.
fn unequal<T: PartialEq + Debug>(kind: &str, live: &[T], recorded: &[T]) -> Option<String> {
    let rows = live.len().max(recorded.len());
    (0..rows)
        .map(|at| (live.get(at), recorded.get(at)))
        .find(|(live, recorded)| live != recorded)
        .map(|(live, recorded)| format!("{kind}: live {live:#?}, recorded {recorded:#?}"))
}

/// Returns the first difference between a live run and its capture.
fn difference(events: &[Event]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("live.pcapng");
    let live = live(events, &capture);
    let recorded = recorded(&capture);
    let members = |timeline: &Timeline| -> Vec<Vec<u32>> {
        let sessions = timeline.sessions().iter();
        sessions
            .map(|row| timeline.exchanges_of(row.no).map(|row| row.no).collect())
            .collect()
    };
    unequal("exchange", live.exchanges(), recorded.exchanges())
        .or_else(|| unequal("session", live.sessions(), recorded.sessions()))
        .or_else(|| unequal("connection", live.connections(), recorded.connections()))
        .or_else(|| unequal("remark", live.remarks(), recorded.remarks()))
        .or_else(|| unequal("finding", live.findings(), recorded.findings()))
        .or_else(|| unequal("members", &members(&live), &members(&recorded)))
        .or_else(|| misplaced(&live, events, &capture))
}

/// Tells of a head that is not found at its place in the capture.
fn misplaced(timeline: &Timeline, events: &[Event], capture: &Path) -> Option<String> {
    let file = CaptureFile::open(capture).unwrap();
    for row in timeline.exchanges() {
        for message in [row.request, row.response].into_iter().flatten() {
            let span = message.head;
            let (stream, holes) = stream(events, row.conn, span.direction);
            let from = usize::try_from(span.offset).unwrap();
            let to = from + usize::try_from(span.len).unwrap();
            if holes || span.len == 0 {
                continue;
            }
            let chunk = file.read(span, 0, to - from).unwrap();
            if chunk.bytes != stream[from..to] || !chunk.holes.is_empty() {
                return Some(format!("the head at {span:?} reads back as {chunk:?}"));
            }
        }
    }
    None
}

/// Returns the bytes of one direction of a client leg, and whether any are missing.
fn stream(events: &[Event], conn: ConnId, wanted: Direction) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut holes = false;
    let of = events
        .iter()
        .filter(|event| event.conn == conn && event.leg == Leg::Client);
    for event in of {
        match &event.what {
            What::Data {
                direction,
                bytes: more,
            } if *direction == wanted => bytes.extend_from_slice(more),
            What::Missing { direction, .. } if *direction == wanted => holes = true,
            _ => {}
        }
    }
    (bytes, holes)
}

/// A packet or an answer, whole or cut short, with a body of this length where it has one.
fn message(direction: Direction, kind: usize, id: u8, at: u64, len: u64) -> Vec<u8> {
    let id = format!("BITS-Session-Id: {{{id}}}\r\n");
    let (end, last) = (at + len, (at + len).saturating_sub(1));
    let packet = |name: &str, fields: &str| {
        format!(
            "BITS_POST /up/{at} HTTP/1.1\r\nBITS-Packet-Type: {name}\r\n{fields}Content-Length: 0\r\n\r\n"
        )
    };
    let ack = |status: u16, fields: &str| {
        format!("HTTP/1.1 {status} x\r\nBITS-Packet-Type: Ack\r\n{fields}Content-Length: 0\r\n\r\n")
    };
    let head = match (direction, kind % 10) {
        (ToServer, 0) => packet("Create-Session", ""),
        (ToServer, 1) => packet("Ping", ""),
        (ToServer, 2) => packet("Close-Session", &id),
        (ToServer, 3) => packet("Cancel-Session", &id),
        (ToServer, 4) => "HEAD /d/f HTTP/1.1\r\nUser-Agent: Microsoft BITS/7.8\r\n\r\n".to_owned(),
        (ToServer, 5) => format!("GET /d/f HTTP/1.1\r\nUser-Agent: Microsoft BITS/7.8\r\nRange: bytes={at}-{last}\r\n\r\n"),
        (ToServer, 6) => "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5;e\r\nhello\r\n0\r\n\r\n".to_owned(),
        (ToServer, _) => format!(
            "BITS_POST /up/f HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\n{id}Content-Range: bytes {at}-{last}/90000\r\nContent-Length: {len}\r\n\r\n{}",
            "f".repeat(usize::try_from(len).unwrap())
        ),
        (ToClient, 0 | 1) => ack(200, &id),
        (ToClient, 2 | 3) => ack(200, &format!("{id}BITS-Received-Content-Range: {end}\r\n")),
        (ToClient, 4) => ack(416, &format!("BITS-Received-Content-Range: {at}\r\n")),
        (ToClient, 5) => ack(500, "BITS-Error-Code: 0x8020001F\r\nBITS-Error-Context: 0x5\r\n"),
        (ToClient, 6) => "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        (ToClient, 7) => "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\n\r\nno length".to_owned(),
        (ToClient, 8) => format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n"),
        (ToClient, _) => format!(
            "HTTP/1.1 206 x\r\nContent-Range: bytes {at}-{last}/90000\r\nContent-Length: {len}\r\n\r\n{}",
            "d".repeat(usize::try_from(len).unwrap())
        ),
    };
    head.into_bytes()
}

/// Something that a peer does.
#[derive(Clone, Debug)]
enum Act {
    Says(Direction, Vec<u8>),
    Misses(Direction, u64, Missing),
    Ends(Direction, Close),
    Notes,
}

fn direction() -> impl Strategy<Value = Direction> {
    select(vec![ToServer, ToClient])
}

fn act() -> impl Strategy<Value = Act> {
    let len = || prop_oneof![1..2000_u64, Just(5), Just(70_000)];
    let whole = || {
        (direction(), 0..10_usize, 0..3_u8, 0..3000_u64, len()).prop_map(
            |(direction, kind, id, at, len)| {
                Act::Says(direction, message(direction, kind, id, at, len))
            },
        )
    };
    let part = (whole(), any::<Index>()).prop_map(|(act, cut)| match act {
        Act::Says(direction, mut bytes) => {
            bytes.truncate(cut.index(bytes.len()) + 1);
            Act::Says(direction, bytes)
        }
        act => act,
    });
    let why = select(vec![Missing::NotKept, Missing::NotSeen]);
    let how = select(vec![Close::Fin, Close::Fin, Close::Reset]);
    prop_oneof![
        20 => whole(),
        4 => part,
        1 => (direction(), prop::collection::vec(any::<u8>(), 1..50))
            .prop_map(|(direction, bytes)| Act::Says(direction, bytes)),
        2 => (direction(), 1..100_000_u64, why)
            .prop_map(|(direction, len, why)| Act::Misses(direction, len, why)),
        1 => (direction(), how).prop_map(|(direction, how)| Act::Ends(direction, how)),
        1 => Just(Act::Notes),
    ]
}

/// One connection's events in order, without moments; nothing follows the end of a direction.
fn events_of(no: u32, joined: bool, upstream: bool, acts: Vec<Act>) -> Vec<(Leg, What)> {
    let port = 50_000 + u16::try_from(no).unwrap();
    let client = ([10, 0, 0, 5], port).into();
    let server = ([192, 0, 2, 1], 80).into();
    let mut events = Vec::new();
    if joined {
        events.push((Leg::Client, What::Joined { client, server }));
    } else {
        events.push((Leg::Client, What::Opening { client, server }));
        events.push((Leg::Client, What::Opened));
    }
    if upstream && !joined {
        let server = ([203, 0, 113, 7], 80).into();
        let client = ([192, 0, 2, 1], port).into();
        events.push((Leg::Upstream, What::Opening { client, server }));
        events.push((Leg::Upstream, What::Opened));
    }
    let upstream = upstream && !joined;
    let mut open = [true, true];
    for act in acts {
        let way = |direction: Direction| usize::from(direction == ToClient);
        match act {
            Act::Says(direction, bytes) if open[way(direction)] => {
                let len = bytes.len() as u64;
                let bytes = Bytes::from(bytes);
                events.push((Leg::Client, What::Data { direction, bytes }));
                if upstream {
                    let why = Missing::NotKept;
                    events.push((
                        Leg::Upstream,
                        What::Missing {
                            direction,
                            len,
                            why,
                        },
                    ));
                }
            }
            Act::Misses(direction, len, why) if open[way(direction)] => {
                events.push((
                    Leg::Client,
                    What::Missing {
                        direction,
                        len,
                        why,
                    },
                ));
            }
            Act::Ends(direction, how) if open[way(direction)] => {
                events.push((Leg::Client, What::Closed { direction, how }));
                open[way(direction)] = false;
                if how == Close::Reset {
                    open = [false, false];
                }
                if upstream {
                    events.push((Leg::Upstream, What::Closed { direction, how }));
                }
            }
            Act::Notes if open != [false, false] => {
                let text = "Somebody wrote this.".to_owned();
                let fact = Fact::Other;
                events.push((Leg::Client, What::Note(Note { text, fact })));
            }
            _ => {}
        }
    }
    events
}

/// Several connections, their events interleaved.
fn traffic() -> impl Strategy<Value = Vec<Event>> {
    let connection = (
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::collection::vec(act(), 0..20),
    );
    let connections = prop::collection::vec(connection, 1..5);
    let picks = prop::collection::vec((any::<Index>(), 0..3_u64), 100);
    (connections, picks).prop_map(|(connections, picks)| {
        let mut queues: Vec<_> = (1..)
            .zip(connections)
            .map(|(no, (joined, upstream, acts))| {
                (no, events_of(no, joined, upstream, acts).into_iter())
            })
            .collect();
        let mut events = Vec::new();
        let mut now = Duration::ZERO;
        for (pick, pause) in picks.iter().cycle() {
            queues.retain(|(_, queue)| queue.len() > 0);
            if queues.is_empty() {
                break;
            }
            let at = pick.index(queues.len());
            let (no, queue) = &mut queues[at];
            now += Duration::from_micros(*pause);
            let Some((leg, what)) = queue.next() else {
                continue;
            };
            events.push(Event {
                at: now,
                conn: ConnId(*no),
                leg,
                what,
            });
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_traffic_is_the_same_live_and_recorded(events in traffic()) {
        let difference = difference(&events);
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }
}

/// Plays one scene through a relay and returns all events of it.
async fn play(demo: &Demo, name: &str) -> Vec<Event> {
    let scene = scenes().iter().find(|scene| scene.name == name).unwrap();
    let server = demo.address();
    let upstream = Upstream {
        tls: false,
        host: server.ip().to_string(),
        port: server.port(),
    };
    let relay = Relay::bind(Config::new("127.0.0.1:0", upstream))
        .await
        .unwrap();
    let via = relay.addresses()[0];
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let stop = CancellationToken::new();
    let relayed = tokio::spawn(relay.run(sender, stop.clone()));
    let collected = tokio::spawn(async move {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        events
    });
    demo.play(scene, via, Duration::ZERO).await.unwrap();
    stop.cancel();
    relayed.await.unwrap();
    collected.await.unwrap()
}

#[tokio::test]
async fn each_scene_of_the_demo_is_the_same_live_and_recorded() {
    let demo = Demo::start(DemoConfig::default()).await.unwrap();
    for scene in scenes() {
        let events = play(&demo, scene.name).await;
        let told = conversation::timeline(&events);
        assert_eq!(told.sessions().len(), 1, "{}", scene.name);
        assert!(told.exchanges().len() > 7, "{}", scene.name);
        assert_eq!(difference(&events), None, "{}", scene.name);
    }
}

#[test]
fn a_difference_is_seen() {
    let mut talk = conversation::Talk::new();
    talk.bytes(ToServer, b"GET / HTTP/1.1\r\n\r\n");
    let one = conversation::timeline(&talk.events);
    let other = conversation::timeline(&talk.events[..2]);
    assert!(unequal("exchange", one.exchanges(), other.exchanges()).is_some());
    assert!(unequal("connection", one.connections(), other.connections()).is_some());
    assert_eq!(difference(&talk.events), None);
}
