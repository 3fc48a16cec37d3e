//! What real peers do, and what is no HTTP at all.

use bitstap::wire::{Item, Malformed, Stream};

use crate::support::{alone, c, expect, s};

const GET: &str = "GET /a HTTP/1.1\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn content_after_content_length_zero_is_stray_up_to_the_next_status_line() {
    expect(
        &[
            c(GET),
            s(format!("{OK}<html>Not\r\nHTTP at all</html>")),
            c(GET),
            s(OK),
            c(GET),
            s(format!("{OK}{{\"error\": 5}}{OK}")),
        ],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete
         < - stray 29
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete
         > 2 begin
         > 2 head GET /a (none)
         > 2 end Complete
         < 2 begin
         < 2 head 200 (length 0)
         < 2 end Complete
         < - stray 12
         < - begin
         < - head 200 (length 0)
         < - end Complete",
    );
}

#[test]
fn a_status_line_quoted_in_a_stray_page_is_no_start() {
    expect(
        &[
            c(GET),
            s(format!("{OK}<h1>HTTP/1.1 404 Not Found</h1>\r\n")),
        ],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete
         < - stray 33",
    );
}

#[test]
fn a_response_without_length_is_ended_by_the_next_request() {
    expect(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\n\r\nsome"),
            c(GET),
            s("HTTP/1.1 200 OK\r\n\r\n"),
        ],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (until-close)
         < 0 data 4
         < 0 end NextMessage
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < 1 head 200 (until-close)
         < 1 end Closed",
    );
}

#[test]
fn a_head_cut_short_by_the_next_message_is_stray() {
    expect(
        &[
            c(format!("POST /b HTTP/1.1\r\nHost: a\r\n{GET}")),
            s(format!("HTTP/1.1 500 Oops\r\nServer: x\r\n{OK}")),
        ],
        "> 0 begin
         > 0 malformed HeadCut at 27
         > - stray 27
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < 1 malformed HeadCut at 30
         < - stray 30
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete",
    );
}

#[test]
fn a_stream_may_end_anywhere() {
    expect(
        &[
            c("PUT /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n1234"),
            s("HTTP/1.1 200 OK\r\nConte"),
        ],
        "> 0 begin
         > 0 head PUT /a (length 9)
         > 0 data 4
         < 0 begin
         > 0 end Cut
         < 0 malformed HeadCut at 22
         < - stray 22",
    );
    expect(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        ],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (chunked)
         < 0 chunk framing 3
         < 0 data 3
         < 0 end Cut",
    );
    expect(&[c("GE")], "> - stray 2");
}

#[test]
fn garbage_between_requests_is_stray_and_the_next_request_is_found() {
    for garbage in [
        "12345678",
        "{\"a\": \"b c\"}",
        "\r\n\r\n",
        "one two three\nfour five ",
        "\u{0}\u{1}\u{ff}",
    ] {
        let len = garbage.len();
        let first = "PUT /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        // At the place where a request is due a token before the method is part of the method.
        let garbage = format!("(){garbage}");
        expect(
            &[c(format!("{first}{garbage}BITS_POST /b HTTP/1.1\r\n\r\n"))],
            &format!(
                "> 0 begin
                 > 0 head PUT /x (length 0)
                 > 0 end Complete
                 > - stray {}
                 > 1 begin
                 > 1 head BITS_POST /b (none)
                 > 1 end Complete",
                len + 2
            ),
        );
    }
}

#[test]
fn empty_lines_before_a_request_are_stray() {
    expect(
        &[c(format!("\r\n\n{GET}"))],
        "> - stray 3
         > 0 begin
         > 0 head GET /a (none)
         > 0 end Complete",
    );
}

#[test]
fn other_protocols_are_opaque_at_once() {
    for text in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"EHLO example.org\r\n",
        b"PING\r\n",
        b"\xff\xfe",
        &[b'A'; 65],
        b"POST /no-version\r\n",
    ] {
        let mut items = alone(Stream::Requests, text);
        items.retain(|item| !matches!(item, Item::Begin { .. }));
        let (what, len) = (Malformed::NotHttp, text.len() as u64);
        let opaque = Item::Opaque { offset: 0, len };
        assert_eq!(items, [Item::Malformed { offset: 0, what }, opaque]);
    }
    expect(
        &[s("220 ready\r\n"), c("GET /a HTTP/1.1\r\n\r\n")],
        "< - malformed NotHttp at 0
         < - opaque 11
         > 0 begin
         > 0 head GET /a (none)
         > 0 end Complete",
    );
    expect(
        &[c("\u{16}"), s(OK)],
        "> - malformed NotHttp at 0
         > - opaque 1
         < - opaque 38",
    );
}

#[test]
fn a_request_of_http_0_9_is_its_line() {
    expect(
        &[c("GET /a\r\n"), s("<html>")],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < - malformed NotHttp at 0
         < - opaque 6",
    );
}

#[test]
fn a_response_to_head_with_content_all_the_same() {
    expect(
        &[
            c("HEAD /a HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"),
            c(GET),
            s(OK),
        ],
        "> 0 begin
         > 0 head HEAD /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (none)
         < 0 end Complete
         < - stray 4
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete",
    );
}
