//! Any bytes in both directions: the items tile each direction, and how the bytes are cut does not matter.
//!
//! The input is a row of turns: one byte says which direction and what, one byte how many bytes follow.

#![no_main]

use bitstap::wire::{Conversation, Item, Seen, Stream};
use libfuzzer_sys::fuzz_target;

#[derive(Clone, Copy)]
enum Turn<'a> {
    Bytes(Stream, &'a [u8]),
    Skip(Stream, u64),
    Finish(Stream),
}

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let start = || {
        if first & 1 == 0 {
            Conversation::new()
        } else {
            Conversation::joined()
        }
    };
    let turns = turns(rest);
    let whole = read(start(), &turns, usize::MAX);
    let pieces = read(start(), &turns, 1 + usize::from(first >> 1));
    let bytes = read(start(), &turns, 1);
    for stream in [Stream::Requests, Stream::Responses] {
        let of = |seen: &[Seen]| merge(seen.iter().filter(|s| s.stream == stream).cloned());
        let expected = of(&whole);
        assert_eq!(expected, of(&pieces));
        assert_eq!(expected, of(&bytes));
        assert_eq!(extent(&expected), length(stream, &turns));
    }
});

fn turns(mut rest: &[u8]) -> Vec<Turn<'_>> {
    let mut turns = Vec::new();
    while let [kind, len, tail @ ..] = rest {
        let stream = if kind & 1 == 0 {
            Stream::Requests
        } else {
            Stream::Responses
        };
        let (bytes, tail) = tail.split_at(tail.len().min(usize::from(*len)));
        match kind >> 1 & 15 {
            0 => turns.push(Turn::Skip(stream, u64::from(*len))),
            1 => turns.push(Turn::Finish(stream)),
            _ => turns.push(Turn::Bytes(stream, bytes)),
        }
        rest = tail;
    }
    turns.push(Turn::Finish(Stream::Requests));
    turns.push(Turn::Finish(Stream::Responses));
    turns
}

fn read(mut conversation: Conversation, turns: &[Turn<'_>], piece: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    for turn in turns {
        match turn {
            Turn::Bytes(stream, bytes) => {
                for piece in bytes.chunks(piece) {
                    conversation.feed(*stream, piece, &mut seen);
                    let decoder = conversation.decoder(*stream);
                    assert!(decoder.settled() <= decoder.offset());
                }
            }
            Turn::Skip(stream, len) => conversation.skip(*stream, *len, &mut seen),
            Turn::Finish(stream) => conversation.finish(*stream, &mut seen),
        }
    }
    seen
}

fn length(stream: Stream, turns: &[Turn<'_>]) -> u64 {
    turns
        .iter()
        .map(|turn| match turn {
            Turn::Bytes(of, bytes) if *of == stream => bytes.len() as u64,
            Turn::Skip(of, len) if *of == stream => *len,
            _ => 0,
        })
        .sum()
}

fn extent(seen: &[Seen]) -> u64 {
    let mut at = 0;
    for seen in seen {
        let (offset, len) = match &seen.item {
            Item::Head { head, .. } => (head.offset, head.raw.len() as u64),
            Item::Data { offset, len }
            | Item::Absent { offset, len }
            | Item::ChunkFraming { offset, len }
            | Item::Stray { offset, len }
            | Item::Opaque { offset, len } => (*offset, *len),
            Item::Begin { offset } | Item::End { offset, .. } => (*offset, 0),
            Item::Malformed { .. } => continue,
        };
        assert_eq!(offset, at);
        at += len;
    }
    at
}

fn merge(seen: impl Iterator<Item = Seen>) -> Vec<Seen> {
    let mut merged: Vec<Seen> = Vec::new();
    for next in seen {
        if let Some(last) = merged.last_mut()
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
