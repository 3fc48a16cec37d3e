//! Files of other programs open as captures: HAR, Fiddler's SAZ, mitmproxy's flows.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/examples.rs"]
mod examples;
#[path = "support/formats.rs"]
mod formats;
#[path = "support/stories.rs"]
mod stories;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bitstap::capture::{Error, open};
use bitstap::event::{Direction, Leg, Missing, What};
use bitstap::timeline::{Outcome, SessionState};
use formats::{FiddlerSession, Net, exchanges, net, saz, timeline};
use serde_json::json;

const FOREIGN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/foreign");

fn sample(name: &str) -> PathBuf {
    Path::new(FOREIGN).join(name)
}

/// Writes a file under a name that tells nothing.
fn file(bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn reason(bytes: impl AsRef<[u8]>) -> String {
    let (_folder, path) = file(bytes);
    match open(&path) {
        Err(Error::NotACapture { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flow_file_of_mitmproxy_tells_what_our_capture_of_the_same_traffic_tells() {
    let (theirs, notes, events) = timeline(&sample("mitmproxy.flows"));
    let (ours, _, _) = timeline(&sample("mitmproxy.pcapng"));
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(exchanges(&theirs), exchanges(&ours));
    assert_eq!(theirs.sessions()[0].state, SessionState::Closed);
    assert_eq!(theirs.connections().len(), ours.connections().len());
    assert!(
        events.is_sorted_by_key(|event| event.at),
        "in order of time"
    );
    assert!(theirs.connections()[0].upstream.is_some());
}

/// The conversation of `captures/example-upload.pcapng`, message by message.
fn messages() -> Vec<(Vec<u8>, Vec<u8>)> {
    let story = stories::STORIES
        .iter()
        .find(|(name, _)| *name == "example-upload");
    let talk = story.unwrap().1();
    let mut messages: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut last = Direction::ToClient;
    for event in &talk.events {
        let What::Data { direction, bytes } = &event.what else {
            continue;
        };
        if event.leg != Leg::Client {
            continue;
        }
        if *direction == Direction::ToServer && last == Direction::ToClient {
            messages.push(Default::default());
        }
        last = *direction;
        let pair = messages.last_mut().unwrap();
        match direction {
            Direction::ToServer => pair.0.extend_from_slice(bytes),
            Direction::ToClient => pair.1.extend_from_slice(bytes),
        }
    }
    messages
}

fn archive() -> Vec<u8> {
    let messages = messages();
    let sessions: Vec<FiddlerSession<'_>> = (1..)
        .zip(&messages)
        .map(|(second, (request, response))| FiddlerSession {
            request,
            response,
            port: 50112,
            second,
        })
        .collect();
    saz(&sessions)
}

#[test]
fn an_archive_of_fiddler_tells_what_was_sent() {
    let path = sample("fiddler.saz");
    if std::env::var_os("BITSTAP_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, archive()).unwrap();
    }
    let (theirs, notes, events) = timeline(&path);
    assert_eq!(notes, Vec::<String>::new());
    let story = stories::STORIES
        .iter()
        .find(|(name, _)| *name == "example-upload");
    let ours = story.unwrap().1().timeline();
    assert_eq!(exchanges(&theirs), exchanges(&ours));
    assert_eq!(theirs.connections().len(), 1);
    assert_eq!(
        theirs.connections()[0].client,
        Some("10.0.0.1:50112".parse().unwrap())
    );
    assert_eq!(
        theirs.exchanges()[1].times.get().begun,
        Duration::from_secs(2)
    );
    // To the byte.
    for direction in [Direction::ToServer, Direction::ToClient] {
        let bytes: Vec<u8> = events
            .iter()
            .filter_map(|event| match &event.what {
                What::Data {
                    direction: d,
                    bytes,
                } if *d == direction => Some(bytes.to_vec()),
                _ => None,
            })
            .flatten()
            .collect();
        let sent: Vec<u8> = messages()
            .into_iter()
            .flat_map(|(request, response)| match direction {
                Direction::ToServer => request,
                Direction::ToClient => response,
            })
            .collect();
        assert!(bytes == sent, "{direction:?}");
    }
}

#[test]
fn an_answer_that_fiddler_did_not_see_whole_is_a_cut_answer() {
    let sessions = [FiddlerSession {
        request: b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n",
        response: b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        port: 1000,
        second: 1,
    }];
    let (_folder, path) = file(saz(&sessions));
    let (timeline, _, _) = timeline(&path);
    assert_eq!(timeline.exchanges()[0].outcome, Outcome::CutResponse);
}

fn har(entries: &serde_json::Value) -> Vec<u8> {
    json!({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": entries}})
        .to_string()
        .into_bytes()
}

fn entry(at: &str, connection: Option<&str>, response: &serde_json::Value) -> serde_json::Value {
    let mut entry = json!({
        "startedDateTime": at,
        "request": {"method": "GET", "url": "https://cdn.test/a/b.cab?x=1#top", "httpVersion": "h2",
            "headers": [{"name": ":method", "value": "GET"}, {"name": "User-Agent", "value": "Microsoft BITS/7.8"}],
            "bodySize": 0},
        "response": response,
        "timings": {"blocked": 100, "dns": -1, "connect": -1, "send": 1, "wait": 50, "receive": 200}
    });
    if let Some(connection) = connection {
        entry["connection"] = json!(connection);
    }
    entry
}

#[test]
fn a_har_file_of_a_browser_becomes_http_1_and_says_so() {
    let answer = json!({"status": 200, "statusText": "", "httpVersion": "h2",
        "headers": [{"name": "content-encoding", "value": "gzip"}, {"name": "content-length", "value": "3"}],
        "content": {"size": 11, "mimeType": "text/plain", "text": "hello world"}, "bodySize": 3});
    let none = json!({"status": 0, "headers": [], "content": {}});
    let (_folder, path) = file(har(&json!([
        entry("2026-11-22T12:00:00.000Z", Some("7"), &answer),
        // It overlaps the first one on one connection.
        entry("2026-11-22T12:00:00.100Z", Some("7"), &answer),
        entry("2026-11-22T12:00:02.000Z", None, &none),
    ])));
    let (timeline, notes, events) = timeline(&path);
    assert_eq!(notes, Vec::<String>::new());
    let rows = timeline.exchanges();
    assert_eq!(rows.len(), 3);
    assert_eq!(timeline.connections().len(), 3);
    assert_eq!(&*rows[0].url, "/a/b.cab?x=1");
    assert_eq!(
        rows[0].response.unwrap().body,
        11,
        "decoded content is kept whole"
    );
    assert_eq!(rows[0].outcome, Outcome::Complete);
    assert_eq!(rows[2].outcome, Outcome::NoResponse);
    // What the browser did before the request is no part of the traffic.
    let times = rows[1].times.get();
    assert_eq!(times.begun, Duration::from_millis(100));
    assert_eq!(
        times
            .response_begun
            .unwrap()
            .saturating_sub(times.request_end.unwrap()),
        Duration::from_millis(50)
    );
    assert!(
        events.is_sorted_by_key(|event| event.at),
        "in order of time"
    );
    let said: Vec<&str> = timeline
        .remarks()
        .iter()
        .map(|remark| remark.text.as_str())
        .collect();
    for word in [
        "names and values",
        "overlap",
        "decoded",
        "does not name connections",
    ] {
        assert!(
            said.iter().any(|text| text.contains(word)),
            "{word}: {said:?}"
        );
    }
}

#[test]
fn rounded_moments_do_not_tear_a_connection() {
    let answer = json!({"status": 200, "httpVersion": "HTTP/1.1",
        "headers": [{"name": "Content-Length", "value": "0"}], "content": {"size": 0}});
    // The first one ends 1 ms behind the beginning of the second.
    let (_folder, path) = file(har(&json!([
        entry("2026-11-22T12:00:00.000Z", Some("7"), &answer),
        entry("2026-11-22T12:00:00.250Z", Some("7"), &answer),
    ])));
    let (timeline, _, events) = timeline(&path);
    assert_eq!(timeline.connections().len(), 1);
    let ended = timeline.exchanges().iter().map(|row| row.outcome);
    assert!(ended.eq([Outcome::Complete, Outcome::Complete]));
    assert!(
        events.is_sorted_by_key(|event| event.at),
        "in order of time"
    );
}

fn flow(content: Net<'static>, headers: Vec<Net<'static>>) -> Net<'static> {
    let pair = |name, value| Net::List(vec![Net::Bytes(name), Net::Bytes(value)]);
    Net::Dict(vec![
        ("version", Net::Int(21)),
        ("type", Net::Text("http")),
        (
            "client_conn",
            Net::Dict(vec![
                ("id", Net::Text("c1")),
                (
                    "peername",
                    Net::List(vec![
                        Net::Text("::1"),
                        Net::Int(4000),
                        Net::Int(0),
                        Net::Int(0),
                    ]),
                ),
                ("timestamp_start", Net::Float(1_000_000_000.5)),
            ]),
        ),
        ("server_conn", Net::Dict(vec![("peername", Net::Null)])),
        ("error", Net::Null),
        (
            "request",
            Net::Dict(vec![
                ("method", Net::Bytes(b"BITS_POST")),
                ("path", Net::Bytes(b"/up/x")),
                ("authority", Net::Bytes(b"")),
                ("http_version", Net::Bytes(b"HTTP/1.1")),
                (
                    "headers",
                    Net::List(vec![
                        pair(b"BITS-Packet-Type", b"Fragment"),
                        pair(b"Content-Range", b"bytes 0-99999/100000"),
                        pair(b"X-Evil", b"a\r\nContent-Length: 7"),
                        pair(b"Content-Length", b"100000"),
                    ]),
                ),
                ("content", content),
                ("timestamp_start", Net::Float(1_000_000_001.0)),
                ("timestamp_end", Net::Float(1_000_000_002.0)),
            ]),
        ),
        (
            "response",
            Net::Dict(vec![
                ("status_code", Net::Int(200)),
                ("reason", Net::Bytes(b"OK")),
                ("http_version", Net::Bytes(b"HTTP/1.1")),
                ("headers", Net::List(headers)),
                ("content", Net::Bytes(b"hello")),
                ("timestamp_start", Net::Float(1_000_000_003.0)),
                ("timestamp_end", Net::Float(1_000_000_004.0)),
            ]),
        ),
    ])
}

#[test]
fn content_that_mitmproxy_streamed_is_missing_and_large_content_stays_in_the_file() {
    static LARGE: [u8; 100_000] = [b'x'; 100_000];
    let chunked = || {
        let pair = vec![Net::Bytes(b"Transfer-Encoding"), Net::Bytes(b"chunked")];
        vec![Net::List(pair)]
    };
    let tcp = Net::Dict(vec![("version", Net::Int(21)), ("type", Net::Text("tcp"))]);
    let mut bytes = net(&flow(Net::Null, chunked()));
    bytes.extend(net(&tcp));
    bytes.extend(net(&flow(Net::Bytes(&LARGE), chunked())));
    bytes.extend_from_slice(b"500:torn");
    let (_folder, path) = file(bytes);
    let (timeline, notes, events) = timeline(&path);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("ends inside a flow"), "{notes:?}");
    let rows = timeline.exchanges();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row.outcome, Outcome::Complete);
        assert_eq!(row.request.unwrap().body, 100_000);
        assert_eq!(row.response.unwrap().body, 5);
        assert_eq!(row.times.get().ended.unwrap(), Duration::from_millis(3500));
    }
    let missing = events.iter().filter_map(|event| match event.what {
        What::Missing { len, why, .. } => Some((len, why)),
        _ => None,
    });
    assert_eq!(missing.collect::<Vec<_>>(), [(100_000, Missing::NotKept)]);
}

#[test]
fn what_only_looks_like_a_recording_is_refused_with_a_reason() {
    assert!(reason(br#"{"a": 1}"#).contains("no log.entries"));
    assert!(reason(b"3:abc,").contains("no flow of mitmproxy"));
    assert!(reason(b"99999999999:").contains("flow file"));
    assert!(reason(b"PK\x03\x04rubbish").contains("ZIP archive"));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file(
        "word/document.xml",
        options.compression_method(zip::CompressionMethod::Stored),
    )
    .unwrap();
    let zip = zip.finish().unwrap().into_inner();
    assert!(reason(zip).contains("none of Fiddler's"));
}

#[test]
fn one_bad_entry_is_left_out_and_the_rest_stays() {
    let good = json!({"startedDateTime": "2026-11-22T12:00:00Z", "connection": "1",
        "request": {"method": "GET", "url": "http://a.test/", "httpVersion": "HTTP/1.1", "headers": []},
        "response": {"status": 204, "httpVersion": "HTTP/1.1", "headers": []}});
    let mut text = har(&json!([good, {"request": 7}, good, [1, 2], "x"]));
    let cut = text.len() - 10;
    text.truncate(cut);
    let (_folder, path) = file(text);
    let (timeline, notes, _) = timeline(&path);
    assert_eq!(timeline.exchanges().len(), 2);
    assert!(
        notes.iter().any(|note| note.contains("was left out")),
        "{notes:?}"
    );
}
