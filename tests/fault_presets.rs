//! Every preset in a conversation that has everything: where it fires first, and what it does there.

#[path = "support/moments.rs"]
mod moments;

use bitstap::fault::verdict::{Deed, Verdict};
use bitstap::fault::{Engine, parse, preset};
use moments::*;

const UP: &str = "/up/a.bin";
const ID: &str = "{3F2B}";

/// Requests and answers, each with a name; one connection.
fn talk() -> Vec<(&'static str, String, String)> {
    let fragment = |range: &str| fragment(UP, ID, range);
    let session = |packet: &str| post(UP, packet, &format!("BITS-Session-Id: {ID}"));
    let taken =
        |next: u64, more: &str| ack(200, &format!("BITS-Received-Content-Range: {next}{more}"));
    let get = |range: &str| {
        format!(
            "GET /d/f.bin HTTP/1.1\nHost: iis.test\nRange: bytes={range}\nIf-Unmodified-Since: Mon, 05 Jan 2026 10:00:00 GMT\nUser-Agent: Microsoft BITS/7.8"
        )
    };
    let part = |range: &str| {
        format!(
            "HTTP/1.1 206 Partial Content\nContent-Length: 10\nContent-Range: bytes {range}/30\nETag: \"a\"\nLast-Modified: Mon, 05 Jan 2026 10:00:00 GMT"
        )
    };
    vec![
        ("create", post(UP, "Create-Session", ""), ack(200, &format!("BITS-Session-Id: {ID}\nBITS-Host-Id-Fallback-Timeout: 5"))),
        ("first", fragment("0-99999/300000"), taken(100_000, "")),
        ("second", fragment("100000-199999/300000"), taken(200_000, "")),
        ("last", fragment("200000-299999/300000"), taken(300_000, "\nBITS-Reply-URL: /reply")),
        ("close", session("Close-Session"), ack(200, "")),
        ("cancel", session("Cancel-Session"), ack(200, "")),
        ("ntlm", post(UP, "Ping", "Authorization: NTLM TlRMTVNTUAADAAAAGAAYAH"), ack(401, "")),
        ("head", "HEAD /d/f.bin HTTP/1.1\nHost: iis.test\nUser-Agent: Microsoft BITS/7.8".to_owned(), "HTTP/1.1 200 OK\nContent-Length: 30\nLast-Modified: Mon, 05 Jan 2026 10:00:00 GMT".to_owned()),
        ("get", get("0-9"), part("0-9")),
        ("next", get("10-19"), part("10-19")),
        ("ranges", get("0-1,4-5"), part("0-5")),
        ("notice", "POST /app HTTP/1.1\nHost: app.test\nBITS-Original-Request-URL: http://iis.test/up/a.bin\nContent-Length: 0".to_owned(), "HTTP/1.1 200 OK\nContent-Length: 0".to_owned()),
    ]
}

/// Everything that a verdict does, as text.
fn deeds(verdict: &Verdict) -> String {
    let deeds: Vec<String> = verdict
        .steps
        .iter()
        .map(|step| match &step.deed {
            Deed::Respond(bytes) | Deed::Replace(bytes) => {
                String::from_utf8(bytes.to_vec()).unwrap()
            }
            deed => format!("{deed:?} at {:?}", step.place),
        })
        .collect();
    deeds.join("\n")
}

/// Where a preset fires, and what it does there.
fn play(id: &str) -> Vec<(String, String)> {
    let set = parse(&format!("[[rule]]\npreset = \"{id}\"\n")).unwrap();
    let mut engine = Engine::new(set, 1);
    let mut line = Line::new(1, "10.0.0.5");
    let mut done = Vec::new();
    let mut note = |place: String, verdict: &Verdict| {
        if !fired(verdict).is_empty() {
            done.push((place, deeds(verdict)));
        }
    };
    note("connect".to_owned(), &line.connect(&mut engine));
    for (name, request, response) in talk() {
        note(name.to_owned(), &line.ask(&mut engine, &request));
        note(format!("{name}!"), &line.answer(&mut engine, &response));
    }
    done
}

/// Preset, the request (`!`: the answer) where it fires first, how often it fires, what it does there.
#[rustfmt::skip]
const WANTED: &[(&str, &str, usize, &[&str])] = &[
    ("F-01", "first!", 1, &["DropResponse", "Reset(Client)"]),
    ("F-02", "last!", 1, &["DropResponse", "Reset(Client)"]),
    ("F-03", "create!", 1, &["DropResponse", "Reset(Client)"]),
    ("F-04", "close!", 1, &["DropResponse", "Reset(Client)"]),
    ("F-04/forgotten", "close", 1, &["HTTP/1.1 500 ", "BITS-Error-Code: 0x8020001F\r\n", "BITS-Error-Context: 0x5\r\n"]),
    ("F-05", "cancel!", 1, &["DropResponse", "Reset(Client)"]),
    ("F-06", "first", 1, &["Reset(Both) at Body(50000)"]),
    ("F-07", "second", 1, &["HTTP/1.1 416 ", "BITS-Received-Content-Range: 0\r\n"]),
    ("F-08", "first", 1, &["HTTP/1.1 416 ", "BITS-Packet-Type: Ack\r\n"]),
    ("F-09", "first", 3, &["HTTP/1.1 416 ", "BITS-Received-Content-Range: 0\r\n"]),
    ("F-10", "first!", 1, &["BITS-Received-Content-Range: 99999\r\n"]),
    ("F-11", "first!", 1, &["BITS-Received-Content-Range: 100001\r\n"]),
    ("F-12", "first!", 1, &["BITS-Received-Content-Range: 300000\r\n"]),
    ("F-13", "first!", 1, &["BITS-Received-Content-Range: 300001\r\n"]),
    ("F-13/no-number", "first!", 1, &["BITS-Received-Content-Range: none\r\n"]),
    ("F-14", "second", 1, &["HTTP/1.1 500 ", "BITS-Error-Code: 0x8020001F\r\n"]),
    ("F-15", "first", 1, &["HTTP/1.1 500 "]),
    ("F-15/503", "first", 1, &["HTTP/1.1 503 "]),
    ("F-15/504", "first", 1, &["HTTP/1.1 504 "]),
    ("F-16", "create", 1, &["HTTP/1.1 501 ", "0x80070005"]),
    ("F-17", "create", 1, &["HTTP/1.1 403 ", "0x80070005"]),
    ("F-17/404", "create", 1, &["HTTP/1.1 404 "]),
    ("F-18", "create", 1, &["HTTP/1.1 409 "]),
    ("F-19", "first", 1, &["HTTP/1.1 400 ", "0x80070057"]),
    ("F-20", "first", 3, &["HTTP/1.1 413 "]),
    ("F-20/every", "first", 3, &["HTTP/1.1 413 "]),
    ("F-21", "first", 3, &["HTTP/1.1 500 ", "0x80200020"]),
    ("F-22", "first", 1, &["HTTP/1.1 500 ", "0x80070070"]),
    ("F-23", "last!", 1, &["HTTP/1.1 500 ", "0x801901F4", "BITS-Error-Context: 0x7\r\n"]),
    ("F-24", "first!", 1, &["HTTP/1.1 200 Some Reason\r\nContent-Length: 0\r\n"]),
    ("F-24/html", "first!", 1, &["Content-Type: text/html\r\n", "<html>"]),
    ("F-25", "create!", 1, &["Content-Length: 0\r\nBITS-Host-Id-Fallback-Timeout"]),
    ("F-25/protocol", "create!", 1, &["BITS-Protocol: {00000000-0000-0000-0000-000000000001}\r\n"]),
    ("F-26", "first!", 1, &["BITS-Session-Id: {00000000-0000-0000-0000-000000000002}\r\n"]),
    ("F-27", "create!", 1, &["BITS-Host-Id: dead.invalid\r\n", "BITS-Host-Id-Fallback-Timeout: 110\r\n"]),
    ("F-28", "create!", 1, &["BITS-Session-Id: {3F2B}\r\nBITS-Host-Id: dead.invalid\r\n\r\n"]),
    ("F-31", "last!", 1, &["BITS-Received-Content-Range: 300000\r\n\r\n"]),
    ("F-32", "last!", 1, &["BITS-Reply-URL: /bitstap-no-such-reply\r\n"]),
    ("F-33", "last!", 1, &["Delay(310s)"]),
    ("F-33/trickle", "last!", 1, &["Dribble", "ToClient"]),
    ("F-34", "first", 1, &["Dribble", "ToServer"]),
    ("F-35", "create", 12, &["HTTP/1.1 401 ", "WWW-Authenticate: Basic realm=\"bitstap\"\r\n"]),
    ("F-36", "ntlm", 1, &["Close(Both)"]),
    ("F-37", "create", 12, &["HTTP/1.1 407 ", "Proxy-Authenticate: Basic realm=\"bitstap\"\r\n"]),
    ("F-38", "create", 1, &["HTTP/1.1 302 ", "Location: /bitstap-moved/\r\n"]),
    ("F-39", "first!", 1, &["Duplicate(1)"]),
    ("F-40", "first!", 1, &["BITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 100000\r\n\r\n"]),
    ("F-40/chunked", "first!", 1, &["Transfer-Encoding: chunked\r\n", "\r\n\r\n0\r\n\r\n"]),
    ("F-41", "connect", 1, &["Tls(Expired)"]),
    ("F-41/wrong-name", "connect", 1, &["Tls(WrongName)"]),
    ("F-41/unknown-authority", "connect", 1, &["Tls(UnknownAuthority)"]),
    ("F-41/abort", "connect", 1, &["Tls(Abort)"]),
    ("F-42", "connect", 1, &["Tls(ClientCertificate)"]),
    ("F-43", "connect", 1, &["Refuse(60s)"]),
    ("F-43/reset", "connect", 1, &["Reset(Client)"]),
    ("F-43/silence", "connect", 1, &["Hang(None)"]),
    ("F-44", "head!", 1, &["HTTP/1.1 200 OK\r\nLast-Modified"]),
    ("F-45", "get", 3, &["Host: iis.test\r\nIf-Unmodified-Since"]),
    ("F-46", "get!", 1, &["Content-Length: 10\r\nETag"]),
    ("F-46/other", "get!", 1, &["Content-Range: bytes 1-1/2\r\n"]),
    ("F-47", "head!", 1, &["Content-Length: 31\r\n"]),
    ("F-48", "next!", 2, &["Last-Modified: Fri, 01 Jan 2100 00:00:00 GMT\r\n"]),
    ("F-49", "next!", 2, &["ETag: \"changed\"\r\n"]),
    ("F-50", "get", 1, &["HTTP/1.1 412 "]),
    ("F-51", "get!", 1, &["Close(Client) at Body(5)"]),
    ("F-52", "ranges", 1, &["Range: bytes=0-\r\n"]),
    ("F-53", "head!", 4, &["HTTP/1.0 200 OK\r\nContent-Length: 30"]),
    ("F-54", "next", 1, &["HTTP/1.1 404 "]),
    ("F-54/403", "next", 1, &["HTTP/1.1 403 "]),
    ("F-55", "head", 1, &["HTTP/1.1 302 ", "Location: http://plain.invalid/\r\n"]),
    ("F-56", "notice", 1, &["HTTP/1.1 403 "]),
    ("F-56/client", "last!", 1, &["HTTP/1.1 403 ", "0x80190193", "BITS-Error-Context: 0x7\r\n"]),
    ("F-57", "notice!", 1, &["Delay(310s)"]),
    ("F-57/client", "last!", 1, &["HTTP/1.1 408 ", "0x80070112", "BITS-Error-Context: 0x7\r\n"]),
];

#[test]
fn each_preset_fires_where_it_says_and_does_what_it_says() {
    let ids: Vec<&str> = preset::all().iter().map(|preset| preset.id).collect();
    let wanted: Vec<&str> = WANTED.iter().map(|row| row.0).collect();
    assert_eq!(ids, wanted);
    let mut wrong = Vec::new();
    for (id, place, count, parts) in WANTED {
        let done = play(id);
        let good = done.first().is_some_and(|(first, what)| {
            first == place && parts.iter().all(|part| what.contains(part))
        });
        if !good || done.len() != *count {
            wrong.push(format!("{id}: {} times, {:?}", done.len(), done.first()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_answer_of_f_08_tells_no_offset() {
    let done = play("F-08");
    assert!(
        !done[0].1.contains("BITS-Received-Content-Range"),
        "{done:?}"
    );
}
