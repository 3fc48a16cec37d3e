//! How a stream is cut into events carries no meaning, and no event stops a timeline.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/examples.rs"]
mod examples;

use std::net::SocketAddr;
use std::time::Duration;

use bitstap::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, Note, What};
use bitstap::timeline::{Exchange, Timeline};
use bytes::Bytes;
use conversation::{Talk, cut, timeline};
use examples::{
    DOWNLOAD, NOTIFICATION, NTLM_ASKED, NTLM_IN, NTLM_LEGS, NTLM_REFUSED, REPLY_DOWNLOAD,
    REPLY_UPLOAD, STRICT_RESUME, UPLOAD,
};
use proptest::prelude::*;

/// A bit of everything: several connections, gaps, stray bytes, resets, an answer of the proxy.
fn everything() -> Talk {
    let mut talk = Talk::new();
    talk.say(UPLOAD)
        .bytes(Direction::ToClient, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nstray")
        .hang_up()
        .connect("10.0.0.5")
        .say(STRICT_RESUME)
        .close(Direction::ToServer, Close::Reset)
        .connect("10.0.0.6")
        .say(REPLY_UPLOAD)
        .connect("10.0.0.9")
        .say(NOTIFICATION)
        .on(3)
        .say(REPLY_DOWNLOAD)
        .join("10.0.0.7")
        .bytes(
            Direction::ToClient,
            b"tail of something\r\nHTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n",
        )
        .say(DOWNLOAD)
        .connect("10.0.0.7")
        .say(NTLM_ASKED)
        .say(NTLM_LEGS)
        .say(NTLM_IN)
        .say(NTLM_LEGS)
        .say(NTLM_REFUSED)
        .connect("10.0.0.8")
        .bytes(
            Direction::ToServer,
            b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
        )
        .bytes(Direction::ToClient, b"HTTP/1.1 100 Continue\r\n\r\n")
        .bytes(Direction::ToServer, b"3;x=y\r\nabc\r\n0\r\nT: x\r\n\r\n")
        .note(
            "The proxy answered 502 itself.",
            Fact::Answered {
                status: 502,
                reason: "refused".to_owned(),
            },
        )
        .bytes(Direction::ToClient, b"HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nxyz")
        .connect("10.0.0.8")
        .bytes(Direction::ToServer, b"GET /f HTTP/1.1\r\nRange: bytes=0-99\r\n\r\n")
        .bytes(
            Direction::ToClient,
            b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-99/200\r\nContent-Length: 100\r\n\r\nabc",
        )
        .missing(Direction::ToClient, 50, Missing::NotSeen)
        .bytes(Direction::ToClient, &[b'z'; 20])
        .close(Direction::ToClient, Close::Fin)
        .connect("10.0.0.8")
        .bytes(Direction::ToServer, b"\x16\x03\x01 not http at all\r\n\r\n")
        .connect("10.0.0.8")
        .bytes(Direction::ToServer, b"BITS_POST /half HTTP/1.1\r\nHost: ");
    talk
}

/// Everything that a timeline says, without the places of events (they differ with the cut).
fn told(timeline: &Timeline) -> Vec<String> {
    let unplaced = |exchange: &Exchange| {
        let mut row = exchange.clone();
        for message in [&mut row.request, &mut row.response].into_iter().flatten() {
            message.head.position = 0;
            message.head.base = 0;
        }
        row
    };
    let rows: Vec<_> = timeline.exchanges().iter().map(unplaced).collect();
    let members: Vec<Vec<u32>> = timeline
        .sessions()
        .iter()
        .map(|session| {
            timeline
                .exchanges_of(session.no)
                .map(|row| row.no)
                .collect()
        })
        .collect();
    let mut lines = Vec::new();
    lines.extend(rows.iter().map(|row| format!("{row:?}")));
    lines.extend(timeline.sessions().iter().map(|row| format!("{row:?}")));
    lines.extend(timeline.connections().iter().map(|row| format!("{row:?}")));
    lines.extend(timeline.remarks().iter().map(|row| format!("{row:?}")));
    lines.push(format!("{members:?}"));
    lines
}

/// Returns the first line that differs, from both.
fn difference(left: &Timeline, right: &Timeline) -> Option<(String, String)> {
    let (mut left, mut right) = (told(left).into_iter(), told(right).into_iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (a, b) if a != b => return Some((a.unwrap_or_default(), b.unwrap_or_default())),
            _ => {}
        }
    }
}

fn finished(events: &[Event]) -> Timeline {
    let mut timeline = timeline(events);
    timeline.finish();
    timeline
}

#[test]
fn byte_by_byte_is_the_same() {
    let talk = everything();
    let whole = finished(&talk.events);
    let mut pieces = finished(&cut(&talk.events, || 1));
    assert_eq!(difference(&pieces, &whole), None);
    let mut again = finished(&talk.events);
    assert_eq!(pieces.take_changes(), again.take_changes());
    assert_eq!(whole.exchanges().len(), 25);
}

#[test]
fn the_middle_of_a_transfer_is_the_same_too() {
    let talk = everything();
    for end in 0..talk.events.len() {
        let events = &talk.events[..end];
        let (pieces, whole) = (timeline(&cut(events, || 3)), timeline(events));
        assert_eq!(difference(&pieces, &whole), None, "after {end} events");
    }
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::ToServer), Just(Direction::ToClient)]
}

/// Bytes that look like HTTP often enough to reach every corner.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let scrap = prop_oneof![
        Just("BITS_POST /u HTTP/1.1\r\n"),
        Just("GET /f HTTP/1.1\r\n"),
        Just("CONNECT h:443 HTTP/1.1\r\n"),
        Just("HTTP/1.1 200 OK\r\n"),
        Just("HTTP/1.1 206 OK\r\n"),
        Just("HTTP/1.1 100 Continue\r\n"),
        Just("HTTP/1.1 416 No\r\n"),
        Just("HTTP/1.1 500 Oh\r\n"),
        Just("BITS-Packet-Type: Create-Session\r\n"),
        Just("BITS-Packet-Type: Fragment\r\n"),
        Just("BITS-Packet-Type: Ping\r\n"),
        Just("BITS-Packet-Type: Close-Session\r\n"),
        Just("BITS-Packet-Type: Ack\r\n"),
        Just("BITS-Session-Id: 1\r\n"),
        Just("BITS-Session-Id: 2\r\n"),
        Just("BITS-Reply-URL: f\r\n"),
        Just("BITS-Host-Id: h\r\n"),
        Just("Host: h\r\n"),
        Just("Content-Range: bytes 5-9/20\r\n"),
        Just("Content-Range: bytes 0-18446744073709551615/18446744073709551615\r\n"),
        Just("Range: bytes=0-4,18446744073709551615-18446744073709551615\r\n"),
        Just("Range: bytes=9-0\r\n"),
        Just("Last-Modified: x\r\n"),
        Just("BITS-Received-Content-Range: 18446744073709551615\r\n"),
        Just("BITS-Received-Content-Range: 3\r\n"),
        Just("BITS-Error: 0x8020001F\r\n"),
        Just("Content-Type: multipart/byteranges\r\n"),
        Just("Content-Length: 0\r\n"),
        Just("Content-Length: 5\r\n"),
        Just("Content-Length: 18446744073709551615\r\n"),
        Just("Transfer-Encoding: chunked\r\n"),
        Just("\r\n"),
        Just("\r\n"),
        Just("\r\n"),
        Just("5\r\nabcde\r\n0\r\n\r\n"),
        Just("abcde"),
    ];
    prop_oneof![
        4 => prop::collection::vec(scrap, 1..8).prop_map(|parts| parts.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 1..40),
    ]
}

fn what(longest: u64) -> impl Strategy<Value = What> {
    let address =
        any::<(u8, u16)>().prop_map(|(last, port)| SocketAddr::from(([10, 0, 0, last], port)));
    let ends = (address.clone(), address);
    let len = prop_oneof![1..2000_u64, Just(longest)];
    let why = prop_oneof![Just(Missing::NotKept), Just(Missing::NotSeen)];
    let how = prop_oneof![Just(Close::Fin), Just(Close::Reset)];
    let fact = prop_oneof![
        Just(Fact::Other),
        Just(Fact::Answered {
            status: 502,
            reason: String::new()
        }),
        direction().prop_map(|direction| Fact::Opaque {
            direction,
            offset: 3,
            reason: String::new()
        }),
    ];
    prop_oneof![
        12 => (direction(), bytes()).prop_map(|(direction, bytes)| What::Data {
            direction,
            bytes: Bytes::from(bytes),
        }),
        1 => ends.clone().prop_map(|(client, server)| What::Opening { client, server }),
        1 => Just(What::Opened),
        1 => ends.prop_map(|(client, server)| What::Joined { client, server }),
        1 => (direction(), len, why)
            .prop_map(|(direction, len, why)| What::Missing { direction, len, why }),
        1 => (direction(), how).prop_map(|(direction, how)| What::Closed { direction, how }),
        1 => fact.prop_map(|fact| What::Note(Note { text: "Something.".to_owned(), fact })),
    ]
}

fn events(longest: u64) -> impl Strategy<Value = Vec<Event>> {
    let leg = prop_oneof![5 => Just(Leg::Client), 1 => Just(Leg::Upstream)];
    let event = (1..5_u32, leg, what(longest));
    prop::collection::vec(event, 1..60).prop_map(|list| {
        (0..)
            .zip(list)
            .map(|(at, (conn, leg, what))| Event {
                at: Duration::from_millis(at),
                conn: ConnId(conn),
                leg,
                what,
            })
            .collect()
    })
}

/// The connections that [`events`] uses: from their start, or joined in their middle.
fn begun() -> impl Strategy<Value = Vec<Event>> {
    prop::array::uniform4(any::<bool>()).prop_map(|joined| {
        let mut talk = Talk::silent();
        for joined in joined {
            if joined {
                talk.join("10.0.0.5");
            } else {
                talk.connect("10.0.0.5");
            }
        }
        talk.events
    })
}

proptest! {
    #[test]
    fn any_cutting_is_the_same(lengths in prop::collection::vec(1..40_usize, 1..200)) {
        let talk = everything();
        let mut next = lengths.iter().copied().cycle();
        let pieces = cut(&talk.events, || next.next().unwrap_or(1));
        prop_assert_eq!(difference(&finished(&pieces), &finished(&talk.events)), None);
    }

    #[test]
    fn random_events_cut_at_random_are_the_same(
        begun in begun(),
        events in events(1 << 40),
        lengths in prop::collection::vec(1..40_usize, 1..200),
    ) {
        let events = [begun, events].concat();
        let mut next = lengths.iter().copied().cycle();
        let pieces = cut(&events, || next.next().unwrap_or(1));
        let (whole, pieces) = (finished(&events), finished(&pieces));
        prop_assert_eq!(difference(&pieces, &whole), None);
        for row in whole.exchanges() {
            prop_assert!(row.outcome != bitstap::timeline::Outcome::InFlight, "{:?}", row);
        }
        for session in whole.sessions() {
            prop_assert_eq!(
                whole.exchanges_of(session.no).count(),
                usize::try_from(session.exchanges).unwrap()
            );
        }
    }

    #[test]
    fn no_event_stops_a_timeline(events in events(u64::MAX)) {
        let whole = finished(&events);
        prop_assert!(whole.summary().exchanges < 4096);
    }
}
