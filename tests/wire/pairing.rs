//! Which response answers which request, also where bytes are missing.

use crate::support::{Turn, c, expect, expect_joined, s};
use bitstap::wire::Stream;

const GET: &str = "GET /a HTTP/1.1\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn skip_from_client(len: u64) -> Turn {
    Turn::Skip(Stream::Requests, len)
}

fn skip_from_server(len: u64) -> Turn {
    Turn::Skip(Stream::Responses, len)
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    expect(
        &[
            c(format!("{GET}HEAD /b HTTP/1.1\r\n\r\n{GET}")),
            s(format!(
                "{OK}HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{OK}"
            )),
        ],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         > 1 begin
         > 1 head HEAD /b (none)
         > 1 end Complete
         > 2 begin
         > 2 head GET /a (none)
         > 2 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete
         < 1 begin
         < 1 head 200 (none)
         < 1 end Complete
         < 2 begin
         < 2 head 200 (length 0)
         < 2 end Complete",
    );
}

#[test]
fn an_interim_response_answers_nothing_and_a_final_one_may_be_early() {
    expect(
        &[
            c("PUT /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n123"),
            s("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"),
            c("456789"),
            c(GET),
            s(OK),
        ],
        "> 0 begin
         > 0 head PUT /a (length 9)
         > 0 data 3
         < 0 begin
         < 0 head 100 (none)
         < 0 end Complete
         < 0 begin
         < 0 head 413 (length 0)
         < 0 end Complete
         > 0 data 6
         > 0 end Complete
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete",
    );
}

#[test]
fn a_response_to_nothing_belongs_to_no_exchange() {
    expect(
        &[
            s("HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"),
            c(GET),
            s(OK),
        ],
        "< - begin
         < - head 408 (length 0)
         < - end Complete
         > 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete",
    );
}

#[test]
fn a_tunnel_is_opaque_both_ways() {
    for (request, status) in [
        ("CONNECT h:443 HTTP/1.1\r\n\r\n", "200 Yes"),
        ("GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", "101 Switching"),
    ] {
        let line = request.split(" HTTP").next().unwrap();
        expect(
            &[
                c(request),
                s(format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\nabc")),
                c("\u{16}\u{3}"),
            ],
            &format!(
                "> 0 begin
                 > 0 head {line} (none)
                 > 0 end Complete
                 < 0 begin
                 < 0 head {} (tunnel)
                 < 0 end Complete
                 < - opaque 3
                 > - opaque 2",
                &status[..3]
            ),
        );
    }
}

#[test]
fn a_tunnel_is_read_as_http_where_http_begins_in_it() {
    expect(
        &[
            c("CONNECT h:80 HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 200 Yes\r\n\r\n"),
            c(GET),
            s(OK),
            c("\u{16}\u{3}"),
        ],
        "> 0 begin
         > 0 head CONNECT h:80 (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (tunnel)
         < 0 end Complete
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete
         > - stray 2",
    );
}

#[test]
fn a_request_that_did_not_wait_for_its_tunnel_is_in_it() {
    expect(
        &[
            c("CONNECT h:80 HTTP/1.1\r\n\r\n"),
            c(GET),
            s("HTTP/1.1 200 Yes\r\n\r\n"),
            s(OK),
        ],
        "> 0 begin
         > 0 head CONNECT h:80 (none)
         > 0 end Complete
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 0 begin
         < 0 head 200 (tunnel)
         < 0 end Complete
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete",
    );
}

#[test]
fn in_a_tunnel_either_end_may_begin_with_something_else() {
    let tunnel = "> 0 begin
                  > 0 head CONNECT h:25 (none)
                  > 0 end Complete
                  < 0 begin
                  < 0 head 200 (tunnel)
                  < 0 end Complete
                  ";
    let begun = [
        c("CONNECT h:25 HTTP/1.1\r\n\r\n"),
        s("HTTP/1.1 200 Yes\r\n\r\n"),
    ];
    let [connect, yes] = begun;
    expect(
        &[
            connect.clone(),
            yes.clone(),
            s("220 mail"),
            c("EHLO me\r\n"),
        ],
        &format!("{tunnel}< - opaque 8\n> - opaque 9"),
    );
    expect(
        &[connect, yes, c("\u{16}\u{3}\u{1}"), s("\u{16}\u{3}")],
        &format!("{tunnel}> - opaque 3\n< - opaque 2"),
    );
}

#[test]
fn a_refused_connect_is_an_ordinary_exchange() {
    expect(
        &[
            c("CONNECT h:443 HTTP/1.1\r\n\r\n"),
            s("HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx"),
            c(GET),
        ],
        "> 0 begin
         > 0 head CONNECT h:443 (none)
         > 0 end Complete
         < 0 begin
         < 0 head 407 (length 1)
         < 0 data 1
         < 0 end Complete
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete",
    );
}

#[test]
fn a_connection_joined_in_the_middle() {
    expect_joined(
        &[
            c("rest of a body GET nothing\r\n"),
            s("rest of a page"),
            s(OK),
            c(GET),
            s(OK),
        ],
        "> - stray 28
         < - stray 14
         < - begin
         < - head 200 (length 0)
         < - end Complete
         > 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete",
    );
}

#[test]
fn a_joined_connection_that_pipelines_claims_nothing_until_it_is_sure() {
    expect_joined(
        &[c(GET), s("rest of an older page"), s(OK), c(GET), s(OK)],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < - stray 21
         < - begin
         < - head 200 (length 0)
         < - end Complete
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete",
    );
}

#[test]
fn missing_content_is_absent() {
    expect(
        &[
            c("PUT /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n12"),
            skip_from_client(5),
            c("890"),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"),
            skip_from_server(4),
            s("\r\n0\r\n\r\n"),
        ],
        "> 0 begin
         > 0 head PUT /a (length 10)
         > 0 data 2
         > 0 absent 5
         > 0 data 3
         > 0 end Complete
         < 0 begin
         < 0 head 200 (chunked)
         < 0 chunk framing 3
         < 0 data 1
         < 0 absent 4
         < 0 chunk framing 7
         < 0 end Complete",
    );
}

#[test]
fn a_gap_longer_than_the_content_goes_on_at_the_next_message() {
    expect(
        &[
            c("PUT /a HTTP/1.1\r\nContent-Length: 4\r\n\r\n12"),
            skip_from_client(3),
            skip_from_client(3),
            c(format!("t: x\r\n\r\n{GET}")),
            s(OK),
        ],
        "> 0 begin
         > 0 head PUT /a (length 4)
         > 0 data 2
         > 0 absent 2
         > 0 end Complete
         > - malformed HeadAbsent at 42
         > - absent 4
         > - stray 8
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete",
    );
}

#[test]
fn a_gap_in_chunk_framing_or_in_a_head_goes_on_at_the_next_message() {
    expect(
        &[
            c(GET),
            s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5"),
            skip_from_server(9),
            s("more"),
            c(GET),
            s("HTTP/1.1 200 OK\r\nServ"),
            skip_from_server(9),
            s("x\r\n\r\n"),
            c(GET),
            s(OK),
        ],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (chunked)
         < 0 chunk framing 1
         < 0 end Cut
         < - malformed HeadAbsent at 48
         < - absent 9
         < - stray 4
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 1 begin
         < - stray 21
         < 1 malformed HeadAbsent at 82
         < - absent 9
         < - stray 5
         > 2 begin
         > 2 head GET /a (none)
         > 2 end Complete
         < 2 begin
         < 2 head 200 (length 0)
         < 2 end Complete",
    );
}

#[test]
fn after_a_gap_between_responses_pipelined_requests_stay_without_an_answer() {
    expect(
        &[
            c(format!("{GET}{GET}")),
            skip_from_server(3),
            s(OK),
            c(GET),
            s(OK),
        ],
        "> 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < - malformed HeadAbsent at 0
         < - absent 3
         < - begin
         < - head 200 (length 0)
         < - end Complete
         > 2 begin
         > 2 head GET /a (none)
         > 2 end Complete
         < 2 begin
         < 2 head 200 (length 0)
         < 2 end Complete",
    );
}

#[test]
fn a_response_to_a_request_not_seen_may_have_answered_head() {
    expect_joined(
        &[
            s("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
            c(GET),
            s("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"),
            c(GET),
            s("c"),
        ],
        "< - begin
         < - head 200 (length 1000)
         < - end NextMessage
         > 0 begin
         > 0 head GET /a (none)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (length 3)
         < 0 data 2
         > 1 begin
         > 1 head GET /a (none)
         > 1 end Complete
         < 0 data 1
         < 0 end Complete",
    );
}

/// Once a stray byte that came alone was the last one read, and the others were opaque.
#[test]
fn stray_bytes_that_answer_a_malformed_chunk_are_the_same_however_they_are_cut() {
    expect_joined(
        &[
            c("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            s("the rest of a page whose head is lost."),
        ],
        "> 0 begin
         > 0 head POST /a (chunked)
         > 0 malformed Chunk at 48
         > - opaque 4
         < - stray 38",
    );
}
