//! How long the content is: what the fields say, and when they say two things.

use bitstap::wire::{Framing, Item, Malformed, Stream};

use crate::support::{alone, c, expect, s};

fn framing(stream: Stream, start: &str, fields: &str) -> Option<Framing> {
    let items = alone(stream, format!("{start}\r\n{fields}\r\n").as_bytes());
    let ambiguous = items
        .iter()
        .any(|item| matches!(item, Item::Malformed { what, .. } if *what == Malformed::Ambiguous));
    let framing = items.iter().find_map(|item| match item {
        Item::Head { framing, .. } => Some(*framing),
        _ => None,
    });
    assert!(framing.is_some(), "no head in {items:?}");
    framing.filter(|_| !ambiguous)
}

#[test]
fn fields_that_say_one_thing() {
    let request = |fields| framing(Stream::Requests, "POST /a HTTP/1.1", fields);
    let response = |fields| framing(Stream::Responses, "HTTP/1.1 200 OK", fields);
    for (fields, of_request, of_response) in [
        ("", Framing::None, Framing::UntilClose),
        (
            "Content-Length: 5\r\n",
            Framing::Length(5),
            Framing::Length(5),
        ),
        (
            "CONTENT-LENGTH:5 \r\n",
            Framing::Length(5),
            Framing::Length(5),
        ),
        (
            "content-length: 5, 5\r\n",
            Framing::Length(5),
            Framing::Length(5),
        ),
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            Framing::Length(5),
            Framing::Length(5),
        ),
        (
            "Content-Length: 18446744073709551615\r\n",
            Framing::Length(u64::MAX),
            Framing::Length(u64::MAX),
        ),
        (
            "Transfer-Encoding: Chunked\r\n",
            Framing::Chunked,
            Framing::Chunked,
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            Framing::Chunked,
            Framing::Chunked,
        ),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: , chunked\r\n",
            Framing::Chunked,
            Framing::Chunked,
        ),
    ] {
        assert_eq!(request(fields), Some(of_request), "{fields}");
        assert_eq!(response(fields), Some(of_response), "{fields}");
    }
    assert_eq!(
        response("Transfer-Encoding: gzip\r\n"),
        Some(Framing::UntilClose)
    );
}

#[test]
fn fields_that_say_two_things() {
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 5,\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length:\r\n 5\r\n",
        "Content-Length: 5\r\n 6\r\n",
        "Content-Length : 5\r\n",
        "Content-Length 5\r\n",
        "X-Content-Length\0: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "A: b\rContent-Length: 5\r\n",
    ] {
        assert_eq!(
            framing(Stream::Requests, "POST /a HTTP/1.1", fields),
            None,
            "{fields:?}"
        );
        assert_eq!(
            framing(Stream::Responses, "HTTP/1.1 200 OK", fields),
            None,
            "{fields:?}"
        );
    }
    let old = "Transfer-Encoding: chunked\r\n";
    assert_eq!(framing(Stream::Requests, "POST /a HTTP/1.0", old), None);
    assert_eq!(framing(Stream::Responses, "HTTP/1.0 200 OK", old), None);
    let gzip = "Transfer-Encoding: gzip\r\n";
    assert_eq!(framing(Stream::Requests, "POST /a HTTP/1.1", gzip), None);
}

#[test]
fn after_a_request_with_two_readings_both_directions_are_opaque() {
    expect(
        &[
            c("GET /0 HTTP/1.1\r\n\r\nPOST /1 HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\nab"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"),
            c("GET /2 HTTP/1.1\r\n\r\n"),
        ],
        "> 0 begin
         > 0 head GET /0 (none)
         > 0 end Complete
         > 1 begin
         > 1 head POST /1 (tunnel)
         > 1 malformed Ambiguous at 61
         > - opaque 2
         < 0 begin
         < 0 head 200 (length 2)
         < 0 data 2
         < 0 end Complete
         < - opaque 19
         > - opaque 19",
    );
}

#[test]
fn after_a_response_with_two_readings_too() {
    expect(
        &[
            c("GET /0 HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok"),
            c("GET /1 HTTP/1.1\r\n\r\n"),
        ],
        "> 0 begin
         > 0 head GET /0 (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (tunnel)
         < 0 malformed Ambiguous at 66
         < - opaque 2
         > - opaque 19",
    );
}

#[test]
fn chunks_with_extensions_and_a_trailer() {
    expect(
        &[
            c("GET / HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            s("5;a=\"b\"\r\nhello\r\n00A  \n0123456789\n0;x\r\nDigest: x\r\nA: b\n\r\n"),
        ],
        "> 0 begin
         > 0 head GET / (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (chunked)
         < 0 chunk framing 9
         < 0 data 5
         < 0 chunk framing 8
         < 0 data 10
         < 0 chunk framing 24
         < 0 end Complete",
    );
}

#[test]
fn chunks_that_cannot_be_read_make_the_direction_opaque() {
    for (chunks, framing) in [
        ("\r\nhello", 0),
        ("x\r\n", 0),
        ("-1\r\n", 0),
        (";a\r\n", 0),
        ("5\rx", 2),
        ("FFFFFFFFFFFFFFFFF\r\n", 15),
    ] {
        let read = framing;
        let framing = if read > 0 {
            format!("> 0 chunk framing {read}\n")
        } else {
            String::new()
        };
        let head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        expect(
            &[c(format!("{head}{chunks}")), s("HTTP/1.1 400 No\r\n\r\nx")],
            &format!(
                "> 0 begin
                 > 0 head PUT / (chunked)
                 {framing}> 0 malformed Chunk at {}
                 > - opaque {}
                 < 0 begin
                 < 0 head 400 (until-close)
                 < 0 data 1
                 < 0 end Closed",
                head.len() + read,
                chunks.len() - read,
            ),
        );
    }
}

#[test]
fn responses_that_have_no_content_whatever_the_fields_say() {
    for status in ["204 No", "304 Not Modified"] {
        let start = format!("HTTP/1.1 {status}");
        for fields in ["Content-Length: 5\r\n", "Content-Length: 5, 6\r\n", ""] {
            assert_eq!(
                framing(Stream::Responses, &start, fields),
                Some(Framing::None)
            );
        }
    }
}
