//! Round trips with any bytes: a capture to HAR and back, and through masks and choices.

#[path = "support/events.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod events;
#[path = "support/formats.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod formats;

use std::collections::HashSet;
use std::path::Path;

use bitstap::capture::CaptureFile;
use bitstap::event::{Close, Event, Leg, Missing, What};
use bitstap::export::{HarWriter, Mask, Pass, Pick, Redact};
use bitstap::timeline::Timeline;
use events::{ToClient, ToServer, closed, data, event, missing, opening, write};
use formats::{exchanges, timeline};
use proptest::prelude::*;

/// One exchange: its bodies, whether the answer is in chunks, how much of the request is not there.
#[derive(Clone, Debug)]
struct Deal {
    conn: u32,
    name: String,
    body: Vec<u8>,
    answer: Vec<u8>,
    status: u16,
    chunked: bool,
    hole: u64,
}

fn deal() -> impl Strategy<Value = Deal> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let body = prop_oneof![
        bytes(40),
        bytes(300),
        (60_000usize..140_000).prop_map(|len| (0..251).cycle().take(len).collect())
    ];
    (
        1u32..4,
        "[a-z]{1,8}",
        body,
        bytes(200),
        200u16..600,
        any::<bool>(),
        prop_oneof![Just(0), 1u64..50],
    )
        .prop_map(|(conn, name, body, answer, status, chunked, hole)| {
            // 204 and 304 have no content.
            let status = if [204, 304].contains(&status) {
                200
            } else {
                status
            };
            Deal {
                conn,
                name,
                body,
                answer,
                status,
                chunked,
                hole,
            }
        })
}

fn story(deals: &[Deal]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut at = 1_000;
    let mut opened = HashSet::new();
    for deal in deals {
        let conn = deal.conn;
        let mut put = |what: What| {
            at += 1_000;
            events.push(event(at, conn, Leg::Client, what));
        };
        if opened.insert(conn) {
            put(opening(&format!("10.0.0.1:{}", 1000 + conn), "10.0.0.9:80"));
            put(What::Opened);
        }
        let total = deal.body.len() as u64 + deal.hole;
        let head = format!(
            "BITS_POST /up/{} HTTP/1.1\r\nHost: a.test\r\nCookie: id={}\r\nBITS-Packet-Type: Fragment\r\nContent-Length: {total}\r\n\r\n",
            deal.name, deal.name
        );
        put(data(ToServer, head));
        let (first, rest) = deal.body.split_at(deal.body.len() / 3);
        for (bytes, gap) in [(first, deal.hole), (rest, 0)] {
            if !bytes.is_empty() {
                put(data(ToServer, bytes));
            }
            if gap > 0 {
                put(missing(ToServer, gap, Missing::NotKept));
            }
        }
        let mut answer = format!(
            "HTTP/1.1 {} Fine\r\nContent-Name: {}\r\n",
            deal.status, deal.name
        )
        .into_bytes();
        if deal.chunked {
            answer.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in deal.answer.chunks(7) {
                answer.extend(format!("{:x}\r\n", chunk.len()).bytes());
                answer.extend_from_slice(chunk);
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"0\r\n\r\n");
        } else {
            answer.extend(format!("Content-Length: {}\r\n\r\n", deal.answer.len()).bytes());
            answer.extend_from_slice(&deal.answer);
        }
        put(data(ToClient, answer));
    }
    let mut conns: Vec<u32> = opened.into_iter().collect();
    conns.sort_unstable();
    for conn in conns {
        for direction in [ToClient, ToServer] {
            events.push(event(
                at + 5_000,
                conn,
                Leg::Client,
                closed(direction, Close::Fin),
            ));
        }
    }
    events
}

fn har(capture: &Path, to: &Path) {
    let (timeline, ..) = timeline(capture);
    let file = CaptureFile::open(capture).unwrap();
    let out = std::fs::File::create(to).unwrap();
    let mut writer = HarWriter::begin(std::io::BufWriter::new(out), "x").unwrap();
    for row in timeline.exchanges() {
        writer.entry(&timeline, row, &file, events::START).unwrap();
    }
    writer.finish().unwrap();
}

/// Request and response content of each exchange, holes as nothing.
fn contents(path: &Path) -> Vec<(u64, u64, Vec<u8>, bool)> {
    use bitstap::timeline::{ReadBack, Span};
    let (timeline, _, events) = timeline(path);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.pcapng");
    let mut again = Timeline::new();
    for (event, position) in events.iter().zip(write(&copy, &events)) {
        again.apply(event, position);
    }
    again.finish();
    assert_eq!(exchanges(&again), exchanges(&timeline));
    let file = CaptureFile::open(&copy).unwrap();
    again
        .exchanges()
        .iter()
        .map(|row| {
            let message = row.request.unwrap();
            let span = Span {
                offset: message.body_offset(),
                len: message.body_wire,
                ..message.head
            };
            let chunk = file.read(span, 0, usize::MAX).unwrap();
            (
                message.body,
                row.response.unwrap().body,
                chunk.bytes,
                !chunk.holes.is_empty(),
            )
        })
        .collect()
}

fn pass(events: &[Event], mut pass: Pass) -> Vec<Event> {
    let mut out = Vec::new();
    for event in events {
        pass.apply(event, &mut out);
    }
    pass.finish(&mut out);
    out
}

fn told(events: &[Event]) -> Timeline {
    let mut timeline = Timeline::new();
    for event in events {
        timeline.apply(event, 0);
    }
    timeline.finish();
    timeline
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn har_and_back_keeps_bodies_statuses_and_names(deals in prop::collection::vec(deal(), 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let (capture, file) = (folder.path().join("a.pcapng"), folder.path().join("b.har"));
        write(&capture, &story(&deals));
        har(&capture, &file);
        let (original, ..) = timeline(&capture);
        let (back, notes, events) = timeline(&file);
        prop_assert_eq!(notes, Vec::<String>::new());
        prop_assert!(events.is_sorted_by_key(|event| event.at));
        let rows = |timeline: &Timeline| {
            let mut rows = exchanges(timeline);
            for row in &mut rows {
                row.as_object_mut().unwrap().remove("conn");
            }
            rows
        };
        prop_assert_eq!(rows(&back), rows(&original));
        prop_assert_eq!(contents(&file), contents(&capture));
        prop_assert_eq!(back.connections().len(), original.connections().len());
    }

    #[test]
    fn a_pass_of_everything_is_the_same_however_the_stream_was_cut(deals in prop::collection::vec(deal(), 1..6)) {
        let events = story(&deals);
        let timeline = told(&events);
        let all = timeline.exchanges().iter().map(|row| row.no).collect();
        let same = pass(&events, Pass::new(Some(Pick::new(&timeline, all)), None));
        prop_assert_eq!(same, events.clone());
        // A mask that finds nothing changes nothing.
        let mask = Mask::new(Redact { fields: vec!["x-none".to_owned()], ..Redact::default() });
        let masked = pass(&events, Pass::new(None, mask));
        prop_assert_eq!(events::normal(&masked), events::normal(&events));
    }

    #[test]
    fn what_is_chosen_stays_as_it_was(deals in prop::collection::vec(deal(), 1..8), mask in any::<u8>()) {
        let events = story(&deals);
        let timeline = told(&events);
        let chosen: HashSet<u32> = timeline
            .exchanges()
            .iter()
            .map(|row| row.no)
            .filter(|no| mask & (1 << (no % 8)) != 0)
            .collect();
        let some = pass(&events, Pass::new(Some(Pick::new(&timeline, chosen.clone())), None));
        let rows = exchanges(&timeline);
        let wanted: Vec<_> = rows.iter().filter(|row| {
            chosen.contains(&u32::try_from(row["no"].as_u64().unwrap()).unwrap())
        }).collect();
        let found = exchanges(&told(&some));
        prop_assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            for name in ["conn", "method", "url", "status", "request_body", "response_body", "outcome"] {
                prop_assert_eq!(&found[name], &wanted[name]);
            }
        }
    }

    #[test]
    fn masks_change_no_length_and_no_moment(deals in prop::collection::vec(deal(), 1..6)) {
        let events = story(&deals);
        let all = Redact { credentials: true, names: true, addresses: true, bodies: true, fields: Vec::new() };
        let masked = pass(&events, Pass::new(None, Mask::new(all)));
        let shape = |events: &[Event]| -> Vec<_> {
            let timeline = told(events);
            timeline.exchanges().iter().map(|row| {
                let lens = [row.request, row.response].map(|message| message.map(|message| {
                    (message.head.len, message.body, message.body_wire)
                }));
                (row.times, lens, row.status, row.outcome, row.packet)
            }).collect()
        };
        prop_assert_eq!(shape(&masked), shape(&events));
    }
}
