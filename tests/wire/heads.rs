//! Heads stay as they were sent, however odd, and odd lines cost themselves only.

use bitstap::wire::{Decoder, Head, Item, Malformed, Stream};

use crate::support::alone;

fn head(stream: Stream, text: &str) -> (Head, Vec<u64>) {
    let items = alone(stream, text.as_bytes());
    let flaws = items.iter().filter_map(|item| match item {
        Item::Malformed { offset, what } => {
            assert_eq!(*what, Malformed::FieldLine);
            Some(*offset)
        }
        _ => None,
    });
    let flaws = flaws.collect();
    let head = items.iter().find_map(|item| match item {
        Item::Head { head, .. } => Some(head.clone()),
        _ => None,
    });
    (head.expect("a head"), flaws)
}

fn pairs(head: &Head) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    head.pairs()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[test]
fn order_case_blanks_and_duplicates_are_kept() {
    let text = "BITS_POST /a?b HTTP/1.1\r\nhOST:  a b \r\nX: 1\nx:2\r\nEmpty:\r\nLast: \t\r\n\r\n";
    let (head, flaws) = head(Stream::Requests, text);
    assert_eq!(head.raw, text.as_bytes());
    assert_eq!(head.method(), Some(&b"BITS_POST"[..]));
    assert_eq!(head.target(), Some(&b"/a?b"[..]));
    assert_eq!(head.minor(), 1);
    let expected = [
        ("hOST", "a b"),
        ("X", "1"),
        ("x", "2"),
        ("Empty", ""),
        ("Last", ""),
    ];
    assert_eq!(pairs(&head), owned(&expected));
    assert_eq!(flaws, [0; 0]);
}

#[test]
fn odd_lines_are_noted_and_the_others_read() {
    let text = "GET /a b HTTP/1.0 \r\nA : b\r\nno colon\r\n: nameless\r\nC: d\r\n e\r\nF: \u{1}\r\nG: h\r\n\r\n";
    let (head, flaws) = head(Stream::Requests, text);
    assert_eq!(head.target(), Some(&b"/a b"[..]));
    assert_eq!(head.minor(), 0);
    let expected = [("A", "b"), ("C", "d\r\n e"), ("F", "\u{1}"), ("G", "h")];
    assert_eq!(pairs(&head), owned(&expected));
    let at = |part: &str| text.find(part).unwrap() as u64;
    assert_eq!(
        flaws,
        [
            at("A :"),
            at("no colon"),
            at(": nameless"),
            at(" e\r\n"),
            at("F:")
        ]
    );
}

#[test]
fn a_reason_may_be_missing_or_hold_anything() {
    for (line, reason) in [
        ("HTTP/1.1 200", ""),
        ("HTTP/1.1 200 ", ""),
        ("HTTP/1.1  200 Tout est pr\u{ea}t", "Tout est pr\u{ea}t"),
        ("HTTP/1.0 200 a:b\t<", "a:b\t<"),
    ] {
        let (head, flaws) = head(Stream::Responses, &format!("{line}\r\nA: b\r\n\r\n"));
        let bitstap::wire::Start::Response {
            status,
            reason: range,
            ..
        } = &head.start
        else {
            panic!("no response");
        };
        assert_eq!((*status, head.slice(range)), (200, reason.as_bytes()));
        assert_eq!(pairs(&head), owned(&[("A", "b")]));
        assert_eq!(flaws, [0; 0]);
    }
}

#[test]
fn large_heads_are_heads_and_huge_ones_are_opaque() {
    let lines: Vec<String> = (0..900).map(|no| format!("Field-{no}: {no}\r\n")).collect();
    let many = lines.concat();
    let long = format!(
        "GET /a HTTP/1.1\r\n{many}Long: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    let (head, _) = head(Stream::Requests, &long);
    assert_eq!(head.fields.len(), 901);
    assert_eq!(head.value("field-899"), Some(&b"899"[..]));

    let start = "GET /a HTTP/1.1\r\nA: ";
    for (size, kept) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let text = format!("{start}{}\r\n\r\n", "x".repeat(size - start.len() - 4));
        let whole = alone(Stream::Requests, text.as_bytes());
        let mut decoder = Decoder::new(Stream::Requests);
        let mut pieces = Vec::new();
        for piece in text.as_bytes().chunks(1 << 16) {
            decoder.feed(piece, &mut pieces);
        }
        let has = |items: &[Item], what| {
            items
                .iter()
                .any(|item| matches!(item, Item::Malformed { what: w, .. } if *w == what))
        };
        for items in [whole, pieces] {
            let read = items.iter().any(|item| matches!(item, Item::Head { .. }));
            assert_eq!((read, has(&items, Malformed::HeadTooLong)), (kept, !kept));
        }
        assert_eq!(decoder.is_opaque(), !kept);
        assert_eq!(decoder.settled(), size as u64);
    }
}

#[test]
fn the_decoder_says_what_it_waits_for() {
    let mut decoder = Decoder::new(Stream::Requests);
    let mut items = Vec::new();
    let head = "PUT /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n";
    decoder.feed(&head.as_bytes()[..8], &mut items);
    assert_eq!(items, [Item::Begin { offset: 0 }]);
    assert_eq!(
        (decoder.settled(), decoder.offset(), decoder.wanted()),
        (0, 8, 0)
    );
    decoder.feed(&head.as_bytes()[8..], &mut items);
    let length = head.len() as u64;
    assert_eq!((decoder.settled(), decoder.wanted()), (length, 10));
    decoder.feed(b"123", &mut items);
    assert_eq!((decoder.settled(), decoder.wanted()), (length + 3, 7));
    decoder.skip(7, &mut items);
    assert_eq!((decoder.offset(), decoder.wanted()), (length + 10, 0));
}

#[test]
fn garbage_is_not_held_back() {
    let mut decoder = Decoder::joined(Stream::Requests);
    let mut items = Vec::new();
    for _ in 0..100 {
        decoder.feed(b"plausible words of a text and ", &mut items);
        assert!(decoder.offset() - decoder.settled() < 64);
    }
    let mut decoder = Decoder::joined(Stream::Responses);
    for _ in 0..3000 {
        decoder.feed(b"HTTP/1.1 200 OK ", &mut items);
        assert!(decoder.offset() - decoder.settled() < 9000);
    }
}

/// A reader that looks at the same bytes again and again would not come back from these.
#[test]
fn repetition_costs_no_more_than_its_length() {
    let folds = format!(
        "GET /a HTTP/1.1\r\n{}: b\n{}\r\n",
        "n".repeat(1 << 19),
        " f\n".repeat(1 << 17)
    );
    let starts = "GET /a HTTP/1.1\r\n".repeat(1 << 16);
    for (stream, text) in [
        (Stream::Requests, folds),
        (Stream::Requests, starts),
        (Stream::Requests, "POST /a ".repeat(1 << 18)),
        (Stream::Responses, "HTTP/1.1 200 ".repeat(1 << 18)),
        (
            Stream::Responses,
            format!("{}<", "HTTP/1.1 200 ".repeat(600)).repeat(200),
        ),
        (Stream::Responses, "HTTP/1.1 200\rx".repeat(1 << 18)),
    ] {
        for piece in [1 << 10, usize::MAX] {
            let mut decoder = Decoder::joined(stream);
            let mut items = Vec::new();
            for piece in text.as_bytes().chunks(piece) {
                decoder.feed(piece, &mut items);
            }
            decoder.finish(&mut items);
            assert_eq!(decoder.settled(), text.len() as u64);
        }
    }
}
