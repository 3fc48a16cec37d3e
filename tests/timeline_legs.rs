//! The two legs of a connection: what the timeline says of an exchange that passed both, one, or none
//! of the second; the same live and from a file.

#[path = "support/conversation.rs"]
mod conversation;

use bitstap::capture::{CaptureFile, Options, Record, Writer, open};
use bitstap::event::{Close, Direction, Event, Fact, Leg, Missing, What};
use bitstap::timeline::{Legs, ReadBack, Timeline};
use bytes::Bytes;
use conversation::Talk;

use Direction::{ToClient, ToServer};

const ASK: &str = "BITS_POST /up/a HTTP/1.1\r\nHost: p\r\nContent-Length: 5\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Opens the upstream leg.
fn dial(talk: &mut Talk) {
    let client = "10.0.0.9:4000".parse().unwrap();
    let server = "10.0.0.80:80".parse().unwrap();
    talk.push(Leg::Upstream, What::Opening { client, server });
    talk.push(Leg::Upstream, What::Opened);
}

fn upstream(talk: &mut Talk, direction: Direction, text: &str) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    talk.push(Leg::Upstream, What::Data { direction, bytes });
}

/// Says an exchange on both legs: `head` is the request's upstream, `body` its content, `None` where
/// that is not kept.
fn exchange(talk: &mut Talk, head: &str, body: Option<&str>) {
    talk.bytes(ToServer, ASK.as_bytes());
    upstream(talk, ToServer, head);
    talk.bytes(ToServer, b"hello");
    if let Some(body) = body {
        upstream(talk, ToServer, body);
    } else {
        let what = What::Missing {
            direction: ToServer,
            len: 5,
            why: Missing::NotKept,
        };
        talk.push(Leg::Upstream, what);
    }
    upstream(talk, ToClient, ANSWER);
    talk.bytes(ToClient, ANSWER.as_bytes());
}

/// Applies events, and again what a capture gives back of them; returns the latter with the capture.
fn through_a_file(events: &[Event]) -> (Timeline, CaptureFile, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let mut writer = Writer::create(&path, Options::default()).unwrap();
    for event in events {
        writer.write(event).unwrap();
    }
    drop(writer);
    let mut timeline = Timeline::new();
    for record in open(&path).unwrap() {
        if let Record::Event { event, position } = record.unwrap() {
            timeline.apply(&event, position);
        }
    }
    timeline.finish();
    (timeline, CaptureFile::open(&path).unwrap(), folder)
}

/// Names how the legs of each exchange compare, live and from a file.
fn legs(talk: &Talk) -> Vec<&'static str> {
    let name = |timeline: &Timeline| -> Vec<&'static str> {
        let rows = timeline.exchanges().iter();
        rows.map(|row| match timeline.legs(row) {
            Legs::One => "one",
            Legs::Nowhere => "nowhere",
            Legs::Pending => "pending",
            Legs::Same => "same",
            Legs::Withheld => "withheld",
            Legs::Other(_) => "other",
        })
        .collect()
    };
    let live = name(&talk.timeline());
    assert_eq!(live, name(&through_a_file(&talk.events).0));
    live
}

#[test]
fn equal_legs_are_the_same_and_cost_nothing() {
    let mut talk = Talk::new();
    dial(&mut talk);
    for _ in 0..3 {
        exchange(&mut talk, ASK, None);
    }
    assert_eq!(legs(&talk), ["same"; 3]);
}

#[test]
fn a_rewritten_head_is_read_back_from_its_own_leg() {
    let mut talk = Talk::new();
    dial(&mut talk);
    exchange(&mut talk, ASK, None);
    let rewritten = ASK.replace("Host: p", "Host: iis.corp");
    exchange(&mut talk, &rewritten, None);
    exchange(&mut talk, ASK, None);
    assert_eq!(legs(&talk), ["same", "other", "same"]);
    let (timeline, file, _folder) = through_a_file(&talk.events);
    let Legs::Other(found) = timeline.legs(&timeline.exchanges()[1]) else {
        panic!("the second exchange differs");
    };
    let head = found.request.unwrap().head;
    assert_eq!(head.leg, Leg::Upstream);
    let chunk = file.read(head, 0, 1000).unwrap();
    assert_eq!(String::from_utf8(chunk.bytes).unwrap(), rewritten);
    assert_eq!(found.kept, [false, false]);
}

#[test]
fn content_that_was_kept_upstream_can_be_compared() {
    let mut talk = Talk::new();
    dial(&mut talk);
    exchange(&mut talk, ASK, Some("heLlo"));
    let (timeline, file, _folder) = through_a_file(&talk.events);
    let row = &timeline.exchanges()[0];
    let Legs::Other(found) = timeline.legs(row) else {
        panic!("content was kept");
    };
    assert_eq!(found.kept, [true, false]);
    let request = found.request.unwrap();
    let body = bitstap::timeline::Span {
        offset: request.body_offset(),
        len: request.body_wire,
        ..request.head
    };
    assert_eq!(file.read(body, 0, 5).unwrap().bytes, b"heLlo");
}

#[test]
fn an_answer_of_the_proxy_leaves_the_request_withheld() {
    let mut talk = Talk::new();
    dial(&mut talk);
    exchange(&mut talk, ASK, None);
    talk.bytes(ToServer, format!("{ASK}hello").as_bytes());
    let fact = Fact::Answered {
        status: 200,
        reason: "rule".into(),
    };
    talk.note("The proxy answers.", fact);
    talk.bytes(ToClient, ANSWER.as_bytes());
    exchange(&mut talk, ASK, None);
    assert_eq!(legs(&talk), ["same", "withheld", "same"]);
}

#[test]
fn a_connection_without_upstream_says_so() {
    let mut talk = Talk::new();
    talk.bytes(ToServer, format!("{ASK}hello").as_bytes());
    let fact = Fact::ConnectFailed {
        reason: "refused".into(),
        status: Some(502),
    };
    talk.note("The server refuses.", fact);
    talk.bytes(ToClient, ANSWER.as_bytes());
    assert_eq!(legs(&talk), ["nowhere"]);
}

#[test]
fn a_capture_of_somebody_else_has_one_leg() {
    let mut talk = Talk::new();
    talk.bytes(ToServer, format!("{ASK}hello").as_bytes());
    talk.bytes(ToClient, ANSWER.as_bytes());
    assert_eq!(legs(&talk), ["one"]);
}

#[test]
fn an_answer_that_the_client_never_got_differs() {
    let mut talk = Talk::new();
    dial(&mut talk);
    talk.bytes(ToServer, format!("{ASK}hello").as_bytes());
    upstream(&mut talk, ToServer, &format!("{ASK}hello"));
    upstream(&mut talk, ToClient, ANSWER);
    talk.close(ToClient, Close::Reset);
    assert_eq!(legs(&talk), ["other"]);
    let timeline = talk.timeline();
    let Legs::Other(found) = timeline.legs(&timeline.exchanges()[0]) else {
        panic!("it differs");
    };
    assert!(found.response.is_some());
    assert!(timeline.exchanges()[0].response.is_none());
}

#[test]
fn thousands_of_requests_at_once_are_paired_in_their_order() {
    let mut talk = Talk::new();
    dial(&mut talk);
    let ask = "GET /a HTTP/1.1\r\nHost: p\r\n\r\n";
    for _ in 0..1000 {
        talk.bytes(ToServer, ask.as_bytes());
    }
    for _ in 0..1000 {
        upstream(&mut talk, ToServer, ask);
    }
    for _ in 0..1000 {
        upstream(&mut talk, ToClient, ANSWER);
        talk.bytes(ToClient, ANSWER.as_bytes());
    }
    assert_eq!(legs(&talk), ["same"; 1000]);
}
