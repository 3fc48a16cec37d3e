//! Events for tests of captures: short ways to say them, and what two lists of them have in common.

#![expect(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;
use std::time::Duration;

use bitstap::capture::{Options, Record, Writer, open};
use bitstap::event::{Close, ConnId, Direction, Event, Fact, Leg, Missing, Note, What};
use bytes::{Bytes, BytesMut};

pub(crate) use Direction::{ToClient, ToServer};

/// 2026-11-22 12:00:00.000000007 UTC.
pub(crate) const START: u64 = 1_795_348_800_000_000_007;

pub(crate) fn event(at: u64, conn: u32, leg: Leg, what: What) -> Event {
    Event {
        at: Duration::from_nanos(at),
        conn: ConnId(conn),
        leg,
        what,
    }
}

pub(crate) fn opening(client: &str, server: &str) -> What {
    What::Opening {
        client: client.parse().unwrap(),
        server: server.parse().unwrap(),
    }
}

pub(crate) fn joined(client: &str, server: &str) -> What {
    What::Joined {
        client: client.parse().unwrap(),
        server: server.parse().unwrap(),
    }
}

pub(crate) fn data(direction: Direction, bytes: impl Into<Vec<u8>>) -> What {
    What::Data {
        direction,
        bytes: Bytes::from(bytes.into()),
    }
}

pub(crate) fn missing(direction: Direction, len: u64, why: Missing) -> What {
    What::Missing {
        direction,
        len,
        why,
    }
}

pub(crate) fn closed(direction: Direction, how: Close) -> What {
    What::Closed { direction, how }
}

pub(crate) fn note(text: &str, fact: Fact) -> What {
    What::Note(Note {
        text: text.to_owned(),
        fact,
    })
}

/// Writes a whole capture and returns the position of each event.
pub(crate) fn write(path: &Path, events: &[Event]) -> Vec<u64> {
    let options = Options {
        start_ns: START,
        ..Options::default()
    };
    let mut writer = Writer::create(path, options).unwrap();
    let positions = events
        .iter()
        .map(|event| writer.write(event).unwrap())
        .collect();
    writer.flush().unwrap();
    positions
}

/// Reads a whole capture: events, and notes about the file.
pub(crate) fn read(path: &Path) -> (Vec<Event>, Vec<String>) {
    let mut events = Vec::new();
    let mut notes = Vec::new();
    for record in open(path).unwrap() {
        match record.unwrap() {
            Record::Event { event, .. } => events.push(event),
            Record::Note(note) => notes.push(note),
        }
    }
    (events, notes)
}

/// Joins what carries no meaning apart: neighbouring data and holes of one moment.
pub(crate) fn normal(events: &[Event]) -> Vec<Event> {
    let mut out: Vec<Event> = Vec::new();
    for event in events {
        let same = out
            .last_mut()
            .filter(|last| last.at == event.at && last.conn == event.conn && last.leg == event.leg);
        if let Some(last) = same
            && join(&mut last.what, &event.what)
        {
            continue;
        }
        out.push(event.clone());
    }
    out
}

fn join(last: &mut What, next: &What) -> bool {
    match (last, next) {
        (
            What::Data { direction, bytes },
            What::Data {
                direction: d,
                bytes: b,
            },
        ) if direction == d => {
            let mut all = BytesMut::from(&bytes[..]);
            all.extend_from_slice(b);
            *bytes = all.freeze();
            true
        }
        (
            What::Missing {
                direction,
                len,
                why,
            },
            What::Missing {
                direction: d,
                len: l,
                why: w,
            },
        ) if direction == d && why == w => {
            *len += l;
            true
        }
        _ => false,
    }
}

/// The bytes of one direction of one leg; holes are left out.
pub(crate) fn stream(events: &[Event], conn: u32, leg: Leg, direction: Direction) -> Vec<u8> {
    let mut all = Vec::new();
    for event in events {
        if event.conn == ConnId(conn)
            && event.leg == leg
            && let What::Data {
                direction: d,
                bytes,
            } = &event.what
            && *d == direction
        {
            all.extend_from_slice(bytes);
        }
    }
    all
}
