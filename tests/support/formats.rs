//! Files of other programs, built by hand: typed netstrings, Fiddler's archives; and what is told of a file.

use std::io::{Cursor, Write};
use std::path::Path;

use bitstap::capture::{Record, open};
use bitstap::event::Event;
use bitstap::report::json;
use bitstap::timeline::Timeline;
use serde_json::Value;
use zip::write::SimpleFileOptions;

/// Reads a file to its end: what is wrong with it, and what it tells.
pub(crate) fn timeline(path: &Path) -> (Timeline, Vec<String>, Vec<Event>) {
    let mut timeline = Timeline::new();
    let mut notes = Vec::new();
    let mut events = Vec::new();
    for record in open(path).unwrap_or_else(|error| panic!("{error}")) {
        match record.unwrap() {
            Record::Event { event, position } => {
                timeline.apply(&event, position);
                events.push(event);
            }
            Record::Note(text) => notes.push(text),
        }
    }
    timeline.finish();
    (timeline, notes, events)
}

/// What is told of each exchange, without moments and addresses.
pub(crate) fn exchanges(timeline: &Timeline) -> Vec<Value> {
    let rows = timeline.exchanges().iter();
    rows.map(|row| {
        let mut row: Value = serde_json::from_str(&json::exchange(timeline, row, 0)).unwrap();
        for name in ["t", "at", "time", "client", "findings"] {
            row.as_object_mut().unwrap().remove(name);
        }
        row
    })
    .collect()
}

/// A value of mitmproxy's flow files.
pub(crate) enum Net<'n> {
    Bytes(&'n [u8]),
    Text(&'n str),
    Int(i64),
    Float(f64),
    Null,
    List(Vec<Self>),
    Dict(Vec<(&'n str, Self)>),
}

/// Writes a value as a typed netstring.
pub(crate) fn net(value: &Net<'_>) -> Vec<u8> {
    let (kind, payload) = match value {
        Net::Bytes(bytes) => (b',', bytes.to_vec()),
        Net::Text(text) => (b';', text.as_bytes().to_vec()),
        Net::Int(number) => (b'#', number.to_string().into_bytes()),
        Net::Float(number) => (b'^', number.to_string().into_bytes()),
        Net::Null => (b'~', Vec::new()),
        Net::List(members) => (b']', members.iter().flat_map(net).collect()),
        Net::Dict(members) => {
            let pair =
                |(name, value): &(&str, Net<'_>)| [net(&Net::Text(name)), net(value)].concat();
            (b'}', members.iter().flat_map(pair).collect())
        }
    };
    let mut out = format!("{}:", payload.len()).into_bytes();
    out.extend(payload);
    out.push(kind);
    out
}

/// A session of Fiddler's: request and response as sent, and the client's port.
pub(crate) struct FiddlerSession<'s> {
    pub(crate) request: &'s [u8],
    pub(crate) response: &'s [u8],
    pub(crate) port: u16,
    /// Second of the minute at which it began.
    pub(crate) second: u8,
}

/// Writes an archive as Fiddler's are documented.
pub(crate) fn saz(sessions: &[FiddlerSession<'_>]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, bytes: &[u8]| {
        // A fixed date, so that the archive is the same each time.
        let options = SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    put("_index.htm", b"<html><body>sessions</body></html>");
    for (number, session) in (1..).zip(sessions) {
        put(&format!("raw/{number:02}_c.txt"), session.request);
        put(&format!("raw/{number:02}_s.txt"), session.response);
        let at = |part: &str| format!("2026-11-22T13:00:{:02}.{part}0000+01:00", session.second);
        let about = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Session SID=\"{number}\" BitFlags=\"0\">\r\n  \
             <SessionTimers ClientConnected=\"2026-11-22T13:00:00.0000000+01:00\" ClientBeginRequest=\"{}\" \
             ClientDoneRequest=\"{}\" ServerGotRequest=\"{}\" ServerBeginResponse=\"{}\" ServerDoneResponse=\"{}\" \
             ClientBeginResponse=\"{}\" ClientDoneResponse=\"{}\" GatewayTime=\"0\" />\r\n  <PipeInfo CltReuse=\"true\" />\r\n  \
             <SessionFlags>\r\n    <SessionFlag N=\"x-clientport\" V=\"{}\" />\r\n    \
             <SessionFlag N=\"x-clientip\" V=\"::ffff:10.0.0.1\" />\r\n    <SessionFlag N=\"x-hostip\" V=\"10.0.0.2\" />\r\n  \
             </SessionFlags>\r\n</Session>",
            at("000"),
            at("010"),
            at("011"),
            at("020"),
            at("021"),
            at("022"),
            at("030"),
            session.port,
        );
        put(&format!("raw/{number:02}_m.xml"), about.as_bytes());
    }
    zip.finish().unwrap().into_inner()
}
