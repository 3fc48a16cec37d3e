//! Exchanges as HAR 1.2, written one after the other: bodies pass in pieces.
//!
//! HAR has no place for raw heads, for requests without a response, or for bytes that were not kept. What
//! it has no member for stands in members that begin with `_`, which other programs leave alone:
//! `_bits` (the exchange as in JSON Lines), `_client`, `_server`, `_target`, `_missing`.
//!
//! <http://www.softwareishard.com/blog/har-12-spec/>

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use base64::write::EncoderWriter;
use serde::Serialize;
use serde_json::{Value, json};

use crate::report::{json as lines, unit};
use crate::timeline::{Connection, Exchange, ReadBack, Timeline};
use crate::wire::{Head, Stream};

use super::content::{self, Piece};

/// Content up to this size is looked at whether it is text.
const TEXT: u64 = 64 << 10;

/// Writes a HAR file from its start to its end.
pub struct HarWriter<W: Write> {
    out: W,
    entries: u64,
    /// Exchanges whose request was not captured: they have no entry.
    pub left_out: u64,
    /// Entries with bytes that the capture does not hold.
    pub incomplete: u64,
}

impl<W: Write> HarWriter<W> {
    /// Writes the beginning; `comment` says what the file is.
    pub fn begin(mut out: W, comment: &str) -> io::Result<Self> {
        let creator = json!({"name": "bitstap", "version": env!("CARGO_PKG_VERSION")});
        write!(
            out,
            "{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"pages\":[],\"comment\":{},\"entries\":[",
            json!(comment)
        )?;
        Ok(Self {
            out,
            entries: 0,
            left_out: 0,
            incomplete: 0,
        })
    }

    /// Writes one exchange; its heads and bodies come from `from`.
    pub fn entry(
        &mut self,
        timeline: &Timeline,
        exchange: &Exchange,
        from: &dyn ReadBack,
        start_ns: u64,
    ) -> io::Result<()> {
        let Some(request) = content::head(from, exchange, Stream::Requests)? else {
            self.left_out += 1;
            return Ok(());
        };
        let response = content::head(from, exchange, Stream::Responses)?;
        let connection = timeline.connection(exchange.conn);
        let begun = if self.entries == 0 { "\n" } else { ",\n" };
        self.entries += 1;
        let around = around(timeline, exchange, connection, start_ns);
        let members = request_members(&request, connection, exchange);
        self.out.write_all(begun.as_bytes())?;
        self.out.write_all(open(&around).as_bytes())?;
        write!(self.out, ",\"request\":{}", open(&members))?;
        let mut gone = false;
        let size = exchange.request.map_or(0, |message| message.body);
        if size > 0 {
            let kind = json!({"mimeType": text_of(&request, "content-type"), "params": []});
            gone |= self.content("postData", kind, exchange, Stream::Requests, from)?;
        }
        self.out.write_all(b"},\"response\":")?;
        let members = response_members(response.as_ref(), exchange);
        self.out.write_all(open(&members).as_bytes())?;
        let size = exchange.response.map_or(0, |message| message.body);
        let kind = response
            .as_ref()
            .map(|head| text_of(head, "content-type"))
            .unwrap_or_default();
        let kind = json!({"size": size, "mimeType": kind});
        gone |= self.content("content", kind, exchange, Stream::Responses, from)?;
        self.out.write_all(b"}}")?;
        self.incomplete += u64::from(gone);
        Ok(())
    }

    /// Writes the end and returns what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Returns how many entries were written.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Writes the member `name` with the content of one message; tells whether some of it is not there.
    fn content(
        &mut self,
        name: &str,
        mut members: Value,
        exchange: &Exchange,
        stream: Stream,
        from: &dyn ReadBack,
    ) -> io::Result<bool> {
        let mut missing: Vec<[u64; 2]> = Vec::new();
        let mut at = 0u64;
        let size = content::message(exchange, stream).map_or(0, |message| message.body);
        if size <= TEXT {
            let mut bytes = Vec::new();
            content::read(from, exchange, stream, &mut |piece| {
                note(piece, &mut at, &mut missing);
                if let Piece::Bytes(piece) = piece {
                    bytes.extend_from_slice(piece);
                }
                Ok(())
            })?;
            let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
            // What a client uploads has one form, whatever it is.
            let text = String::from_utf8(bytes.clone())
                .ok()
                .filter(|text| stream == Stream::Responses && text.as_bytes().iter().all(plain));
            let text = text.unwrap_or_else(|| {
                put(&mut members, "encoding", json!("base64"));
                BASE64_STANDARD.encode(&bytes)
            });
            put(&mut members, "text", json!(text));
            if !missing.is_empty() {
                put(&mut members, "_missing", json!(missing));
                put(&mut members, "_size", json!(size));
            }
            write!(self.out, ",\"{name}\":{members}")?;
            return Ok(!missing.is_empty());
        }
        put(&mut members, "encoding", json!("base64"));
        write!(self.out, ",\"{name}\":{},\"text\":\"", open(&members))?;
        let mut encoder = EncoderWriter::new(&mut self.out, &BASE64_STANDARD);
        content::read(from, exchange, stream, &mut |piece| {
            note(piece, &mut at, &mut missing);
            match piece {
                Piece::Bytes(bytes) => encoder.write_all(bytes),
                Piece::Gone(_) => Ok(()),
            }
        })?;
        encoder.finish()?;
        drop(encoder);
        self.out.write_all(b"\"")?;
        if !missing.is_empty() {
            write!(
                self.out,
                ",\"_missing\":{},\"_size\":{size}",
                json!(missing)
            )?;
        }
        self.out.write_all(b"}")?;
        Ok(!missing.is_empty())
    }
}

/// Keeps where content is missing: offset and length.
fn note(piece: Piece<'_>, at: &mut u64, missing: &mut Vec<[u64; 2]>) {
    let len = match piece {
        Piece::Bytes(bytes) => bytes.len() as u64,
        Piece::Gone(len) => {
            match missing.last_mut() {
                Some([begin, known]) if begin.saturating_add(*known) == *at => {
                    *known = known.saturating_add(len);
                }
                _ => missing.push([*at, len]),
            }
            len
        }
    };
    *at = at.saturating_add(len);
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

/// Returns an object as JSON without its last brace, so that members can follow.
fn open(object: &impl Serialize) -> String {
    let mut text = serde_json::to_string(object).unwrap_or_default();
    if text.ends_with('}') {
        text.pop();
    }
    text
}

/// The members of an entry beside request and response.
fn around(
    timeline: &Timeline,
    exchange: &Exchange,
    connection: Option<&Connection>,
    start_ns: u64,
) -> BTreeMap<&'static str, Value> {
    let mut bits: Value =
        serde_json::from_str(&lines::exchange(timeline, exchange, start_ns)).unwrap_or_default();
    if let Value::Object(members) = &mut bits {
        members.remove("type");
    }
    let times = exchange.times.get();
    let ms = |from: Option<std::time::Duration>, to: Option<std::time::Duration>| {
        from.zip(to)
            .map_or(0.0, |(from, to)| unit::millis(to.saturating_sub(from)))
    };
    let send = ms(Some(times.begun), times.request_end);
    let wait = ms(times.request_end, times.response_begun);
    // An early answer ends before the request does.
    let receive = ms(times.response_begun.max(times.request_end), times.ended);
    let mut members = BTreeMap::from([
        (
            "startedDateTime",
            json!(unit::moment(start_ns, times.begun)),
        ),
        ("time", json!(send + wait + receive)),
        ("cache", json!({})),
        (
            "timings",
            json!({"send": send, "wait": wait, "receive": receive}),
        ),
        ("connection", json!(exchange.conn.0.to_string())),
        ("_bits", bits),
    ]);
    let dialled = connection.and_then(|row| row.upstream.or(row.server));
    if let Some(server) = dialled {
        members.insert("serverIPAddress", json!(server.ip().to_string()));
    }
    if let Some(client) = connection.and_then(|row| row.client) {
        members.insert("_client", json!(client.to_string()));
    }
    if let Some(server) = connection.and_then(|row| row.server) {
        members.insert("_server", json!(server.to_string()));
    }
    members
}

/// The members of the request but its content.
fn request_members(head: &Head, connection: Option<&Connection>, exchange: &Exchange) -> Value {
    let target = latin(head.target().unwrap_or_default());
    let method = latin(head.method().unwrap_or_default());
    let host = match text_of(head, "host") {
        host if host.is_empty() => connection
            .and_then(|row| row.server)
            .map(|server| server.to_string())
            .unwrap_or_default(),
        host => host,
    };
    let is_origin = target.starts_with('/') && !target.contains('#');
    let scheme = connection.map_or("http", Connection::scheme);
    let url = if is_origin {
        format!("{scheme}://{host}{target}")
    } else if target.contains("://") {
        target.clone()
    } else if method.eq_ignore_ascii_case("CONNECT") {
        format!("https://{target}/")
    } else {
        format!("{scheme}://{host}/")
    };
    let query: Vec<Value> = url
        .split_once('?')
        .map(|(_, query)| query.split('#').next().unwrap_or_default())
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            json!({"name": name, "value": value})
        })
        .collect();
    let mut members = json!({
        "method": method,
        "url": url,
        "httpVersion": version(head),
        "cookies": [],
        "headers": fields(head),
        "queryString": query,
        "headersSize": head.raw.len(),
        "bodySize": exchange.request.map_or(0, |message| message.body),
    });
    if !is_origin {
        put(&mut members, "_target", json!(target));
    }
    members
}

fn response_members(head: Option<&Head>, exchange: &Exchange) -> Value {
    let Some(head) = head else {
        return json!({
            "status": 0, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [], "headers": [],
            "redirectURL": "", "headersSize": -1, "bodySize": -1,
            "_error": exchange.outcome.name(),
        });
    };
    let reason = match &head.start {
        crate::wire::Start::Response { reason, .. } => latin(head.slice(reason)),
        crate::wire::Start::Request { .. } => String::new(),
    };
    json!({
        "status": head.status().unwrap_or_default(),
        "statusText": reason,
        "httpVersion": version(head),
        "cookies": [],
        "headers": fields(head),
        "redirectURL": text_of(head, "location"),
        "headersSize": head.raw.len(),
        "bodySize": exchange.response.map_or(0, |message| message.body),
    })
}

fn version(head: &Head) -> String {
    format!("HTTP/1.{}", head.minor())
}

fn fields(head: &Head) -> Vec<Value> {
    head.pairs()
        .map(|(name, value)| json!({"name": latin(name), "value": latin(value)}))
        .collect()
}

fn text_of(head: &Head, name: &str) -> String {
    head.value(name).map(latin).unwrap_or_default()
}

/// Returns bytes as text: UTF-8 where they are that, else each byte as the character of its number.
fn latin(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}
