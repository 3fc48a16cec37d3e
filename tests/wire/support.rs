//! Reads a dialogue with the decoders in several ways and writes down what they saw.
//!
//! However the bytes are cut, the items must be the same and tile each direction.

use bitstap::wire::{Conversation, Decoder, Framing, Item, Malformed, Seen, Start, Stream};

/// One turn of a dialogue.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Bytes(Stream, Vec<u8>),
    Skip(Stream, u64),
    Finish(Stream),
}

/// The client says.
pub(crate) fn c(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Bytes(Stream::Requests, bytes.as_ref().to_vec())
}

/// The server says.
pub(crate) fn s(bytes: impl AsRef<[u8]>) -> Turn {
    Turn::Bytes(Stream::Responses, bytes.as_ref().to_vec())
}

/// A small generator of numbers, the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// Feeds the turns, each cut into pieces of the sizes that `size` gives.
pub(crate) fn read(
    start: Conversation,
    turns: &[Turn],
    mut size: impl FnMut() -> usize,
) -> Vec<Seen> {
    let mut conversation = start;
    let mut seen = Vec::new();
    for turn in turns {
        match turn {
            Turn::Bytes(stream, bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, tail) = rest.split_at(size().clamp(1, rest.len()));
                    conversation.feed(*stream, piece, &mut seen);
                    let decoder = conversation.decoder(*stream);
                    assert!(decoder.settled() <= decoder.offset());
                    let given = extent(*stream, &seen);
                    assert_eq!(given, decoder.settled(), "settled() and the items agree");
                    rest = tail;
                }
            }
            Turn::Skip(stream, len) => conversation.skip(*stream, *len, &mut seen),
            Turn::Finish(stream) => conversation.finish(*stream, &mut seen),
        }
    }
    merge(seen)
}

/// Returns the offset up to which items cover a direction; panics if they do not tile it.
pub(crate) fn extent(stream: Stream, seen: &[Seen]) -> u64 {
    let mut at = 0;
    for item in seen.iter().filter(|s| s.stream == stream).map(|s| &s.item) {
        let (offset, len) = match item {
            Item::Head { head, .. } => (head.offset, head.raw.len() as u64),
            Item::Data { offset, len }
            | Item::Absent { offset, len }
            | Item::ChunkFraming { offset, len }
            | Item::Stray { offset, len }
            | Item::Opaque { offset, len } => {
                assert!(*len > 0, "an empty extent at {offset}");
                (*offset, *len)
            }
            Item::Begin { offset } => (*offset, 0),
            Item::End { offset, .. } => {
                assert_eq!(*offset, at);
                continue;
            }
            Item::Malformed { .. } => continue,
        };
        assert_eq!(offset, at, "{item:?}");
        at += len;
    }
    at
}

/// Panics unless each message of a direction begins, has a head and ends, or says why not.
fn check_shape(stream: Stream, seen: &[Seen]) {
    #[derive(Debug, PartialEq)]
    enum At {
        Between,
        Begun,
        Body,
    }
    let mut at = At::Between;
    for item in seen.iter().filter(|s| s.stream == stream).map(|s| &s.item) {
        let flaw = matches!(item, Item::Malformed { what, .. } if *what == Malformed::FieldLine);
        at = match (at, item) {
            // What a gap leaves of a head comes before the gap.
            (At::Between, Item::Begin { .. }) | (At::Begun, Item::Stray { .. }) => At::Begun,
            (At::Begun, Item::Malformed { .. }) if flaw => At::Begun,
            (At::Begun, Item::Head { .. })
            | (At::Body, Item::Data { .. } | Item::ChunkFraming { .. } | Item::Absent { .. }) => {
                At::Body
            }
            (_, Item::Malformed { .. })
            | (At::Body, Item::End { .. })
            | (At::Between, Item::Stray { .. } | Item::Opaque { .. } | Item::Absent { .. }) => {
                assert!(!flaw, "an odd field line outside of a head");
                At::Between
            }
            (at, item) => panic!("{item:?} in {at:?}"),
        };
    }
    assert_eq!(at, At::Between, "a message has no end");
}

/// Joins adjacent items of one kind.
pub(crate) fn merge(seen: Vec<Seen>) -> Vec<Seen> {
    let mut merged: Vec<Seen> = Vec::new();
    for next in seen {
        if let Some(last) = merged.last_mut()
            && last.stream == next.stream
            && last.exchange == next.exchange
        {
            match (&mut last.item, &next.item) {
                (Item::Data { len, .. }, Item::Data { len: more, .. })
                | (Item::Absent { len, .. }, Item::Absent { len: more, .. })
                | (Item::ChunkFraming { len, .. }, Item::ChunkFraming { len: more, .. })
                | (Item::Stray { len, .. }, Item::Stray { len: more, .. })
                | (Item::Opaque { len, .. }, Item::Opaque { len: more, .. }) => {
                    *len += more;
                    continue;
                }
                _ => {}
            }
        }
        merged.push(next);
    }
    merged
}

/// Checks what holds for every dialogue and returns what was seen.
pub(crate) fn read_all_ways(start: impl Fn() -> Conversation, turns: &[Turn]) -> Vec<Seen> {
    let mut turns = turns.to_vec();
    turns.push(Turn::Finish(Stream::Requests));
    turns.push(Turn::Finish(Stream::Responses));
    let whole = read(start(), &turns, || usize::MAX);
    for stream in [Stream::Requests, Stream::Responses] {
        let fed: u64 = turns
            .iter()
            .map(|turn| match turn {
                Turn::Bytes(of, bytes) if *of == stream => bytes.len() as u64,
                Turn::Skip(of, len) if *of == stream => *len,
                _ => 0,
            })
            .sum();
        assert_eq!(extent(stream, &whole), fed, "nothing is lost");
        check_shape(stream, &whole);
    }
    let by_stream = |seen: &[Seen], stream| -> Vec<Seen> {
        let seen = seen.iter().filter(|seen| seen.stream == stream);
        merge(seen.cloned().collect())
    };
    let same = |other: &[Seen], how: &str| {
        for stream in [Stream::Requests, Stream::Responses] {
            assert_eq!(
                transcript(&by_stream(other, stream)),
                transcript(&by_stream(&whole, stream)),
                "{how}"
            );
            assert_eq!(by_stream(other, stream), by_stream(&whole, stream), "{how}");
        }
    };
    same(&read(start(), &turns, || 1), "byte by byte");
    for seed in 0..8 {
        let mut numbers = Numbers(seed);
        let pieces = read(start(), &turns, || 1 + numbers.below(40));
        same(&pieces, &format!("split at random, seed {seed}"));
    }
    whole
}

/// Writes items as lines: direction, exchange, what.
pub(crate) fn transcript(seen: &[Seen]) -> Vec<String> {
    seen.iter()
        .map(|seen| {
            let arrow = match seen.stream {
                Stream::Requests => '>',
                Stream::Responses => '<',
            };
            let exchange = seen
                .exchange
                .map_or_else(|| "-".to_owned(), |no| no.to_string());
            format!("{arrow} {exchange} {}", words(&seen.item))
        })
        .collect()
}

fn words(item: &Item) -> String {
    match item {
        Item::Begin { .. } => "begin".to_owned(),
        Item::Head { head, framing } => {
            let text = |range| String::from_utf8_lossy(head.slice(range)).into_owned();
            let start = match &head.start {
                Start::Request { method, target, .. } => {
                    format!("{} {}", text(method), text(target))
                }
                Start::Response { status, .. } => status.to_string(),
            };
            let framing = match framing {
                Framing::None => "none".to_owned(),
                Framing::Length(length) => format!("length {length}"),
                Framing::Chunked => "chunked".to_owned(),
                Framing::UntilClose => "until-close".to_owned(),
                Framing::Tunnel => "tunnel".to_owned(),
            };
            format!("head {start} ({framing})")
        }
        Item::Data { len, .. } => format!("data {len}"),
        Item::Absent { len, .. } => format!("absent {len}"),
        Item::ChunkFraming { len, .. } => format!("chunk framing {len}"),
        Item::End { ending, .. } => format!("end {ending:?}"),
        Item::Stray { len, .. } => format!("stray {len}"),
        Item::Malformed { offset, what } => format!("malformed {what:?} at {offset}"),
        Item::Opaque { len, .. } => format!("opaque {len}"),
    }
}

/// Reads a dialogue from the start of a connection and compares what was seen with `expected`.
#[track_caller]
pub(crate) fn expect(turns: &[Turn], expected: &str) {
    compare(Conversation::new, turns, expected);
}

/// The same for a connection whose start was not seen.
#[track_caller]
pub(crate) fn expect_joined(turns: &[Turn], expected: &str) {
    compare(Conversation::joined, turns, expected);
}

#[track_caller]
fn compare(start: impl Fn() -> Conversation, turns: &[Turn], expected: &str) {
    let seen = transcript(&read_all_ways(start, turns)).join("\n");
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let expected = expected.join("\n");
    assert!(seen == expected, "seen:\n{seen}\n\nexpected:\n{expected}\n");
}

/// Returns the items of one direction fed whole to a decoder of its own.
pub(crate) fn alone(stream: Stream, bytes: &[u8]) -> Vec<Item> {
    let mut decoder = Decoder::new(stream);
    let mut items = Vec::new();
    decoder.feed(bytes, &mut items);
    decoder.finish(&mut items);
    items
}
