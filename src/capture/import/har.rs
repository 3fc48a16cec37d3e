//! HAR 1.2: exchanges as JSON, written by browsers, proxies and `bitstap convert`.
//!
//! It keeps names and values of fields, not the head's bytes, and content after decoding; both are told.
//! The members of `log.entries` are found first and read one at a time.
//!
//! <http://www.softwareishard.com/blog/har-12-spec/>

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::entry::{Body, Ends, Entry, HeadText, Part, end, moment};
use super::extent;
use super::pieces::read_at;
use super::{Album, Opened, Refusal, Ticket};

/// Longest entry that is read into memory.
const LONGEST: u64 = 1 << 30;

const HEADS: &str = "A HAR file has names and values of fields, not heads as they were sent: blanks and odd lines are gone.";

struct Har {
    file: File,
}

/// One entry; `T` is what becomes of content: text, or nothing where only the place is wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<T> {
    #[serde(default)]
    started_date_time: Value,
    #[serde(default)]
    connection: Value,
    #[serde(default, rename = "serverIPAddress")]
    server_ip: Value,
    #[serde(default, rename = "_client")]
    client: Value,
    #[serde(default, rename = "_server")]
    server: Value,
    #[serde(default, rename = "_error")]
    error: Value,
    #[serde(default)]
    timings: Value,
    request: Request<T>,
    #[serde(default)]
    response: Option<Response<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<T> {
    #[serde(default)]
    method: String,
    #[serde(default)]
    url: String,
    #[serde(default, rename = "_target")]
    target: Option<String>,
    #[serde(default)]
    http_version: Option<String>,
    #[serde(default)]
    headers: Vec<Value>,
    #[serde(default)]
    post_data: Option<Content<T>>,
    #[serde(default)]
    body_size: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<T> {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    status_text: Option<String>,
    #[serde(default)]
    http_version: Option<String>,
    #[serde(default)]
    headers: Vec<Value>,
    #[serde(default)]
    content: Option<Content<T>>,
    #[serde(default)]
    body_size: Value,
}

#[derive(Default, Deserialize)]
struct Content<T> {
    #[serde(default)]
    text: Option<T>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    size: Value,
    /// Written by `bitstap convert`: offset and length of what the text does not have.
    #[serde(default, rename = "_missing")]
    missing: Vec<(u64, u64)>,
}

/// Opens a HAR file.
pub(super) fn open(file: File) -> Result<Opened, Refusal> {
    let found = extent::entries(&file)?;
    if !found.found {
        let reason = "it is JSON, but no HAR file: it has no log.entries";
        return Err(Refusal::Not(reason.to_owned()));
    }
    let mut notes = Vec::new();
    let mut remarks = vec![HEADS.to_owned()];
    let mut lines = HashMap::new();
    let mut tickets = Vec::new();
    let mut undated = 0u64;
    let mut last = 0;
    for (at, len) in found.members {
        let record = match read::<IgnoredAny>(&file, at, len)? {
            Ok(record) => record,
            Err(reason) => {
                notes.push(format!("an entry at byte {at} was left out: {reason}"));
                continue;
            }
        };
        let begun = begun(&record).unwrap_or_else(|| {
            undated += 1;
            last
        });
        last = begun;
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let key = connection(&record).unwrap_or_else(|| format!("\0{at}"));
        tickets.push(Ticket {
            begun,
            opened: None,
            line: *lines.entry(key).or_insert(count),
            place: (at, len),
        });
    }
    if lines.keys().any(|key: &String| key.starts_with('\0')) {
        remarks.push(
            "The file does not name connections: each exchange is shown on one of its own."
                .to_owned(),
        );
    }
    if undated > 0 {
        notes.push(format!(
            "{undated} entries have no readable startedDateTime"
        ));
    }
    if let Some(at) = found.torn {
        notes.push(format!(
            "the file ends inside an entry or before its end, at byte {at}"
        ));
    }
    notes.truncate(100);
    Ok(Opened {
        album: Box::new(Har { file }),
        tickets,
        notes,
        remarks,
    })
}

fn read<T: DeserializeOwned + Default>(
    file: &File,
    at: u64,
    len: u64,
) -> io::Result<Result<Record<T>, String>> {
    if len > LONGEST {
        return Ok(Err(format!("it has {len} bytes, more than {LONGEST}")));
    }
    let bytes = read_at(file, at, len)?;
    Ok(serde_json::from_slice(&bytes).map_err(|error| error.to_string()))
}

/// Names the entry's connection, if it has a name.
fn connection<T>(record: &Record<T>) -> Option<String> {
    let name = match &record.connection {
        Value::String(name) if !name.is_empty() => name.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    // Some count per server.
    let server = record.server_ip.as_str().unwrap_or_default();
    Some(format!("{server} {name}"))
}

/// Returns when the request began: what the browser did before is no part of the traffic.
fn begun<T>(record: &Record<T>) -> Option<u64> {
    let started = moment(record.started_date_time.as_str()?)?;
    let before = ["blocked", "dns", "connect"].map(|name| part_ns(record, name));
    Some(before.into_iter().fold(started, u64::saturating_add))
}

/// Returns a part of the timings in nanoseconds; -1 and nothing are 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before"
)]
fn part_ns<T>(record: &Record<T>, name: &str) -> u64 {
    let ms = record.timings.get(name).and_then(Value::as_f64);
    ms.filter(|ms| (0.0..1e12).contains(ms))
        .map_or(0, |ms| (ms * 1e6).round() as u64)
}

impl Album for Har {
    fn load(&mut self, ticket: &Ticket) -> io::Result<Result<Entry, String>> {
        let (at, len) = ticket.place;
        Ok(read(&self.file, at, len)?.map(|record| entry(record, ticket.begun)))
    }
}

fn entry(record: Record<String>, begun: u64) -> Entry {
    let sent = begun.saturating_add(part_ns(&record, "send"));
    let answered = sent.saturating_add(part_ns(&record, "wait"));
    let received = answered.saturating_add(part_ns(&record, "receive"));
    let mut entry = Entry {
        ends: ends(&record),
        ..Entry::default()
    };
    if let Some(error) = record.error.as_str() {
        entry
            .notes
            .push(format!("{}.", error.trim_end_matches('.')));
    }
    let request = record.request;
    let (head, plain) = request_head(&request);
    entry.request = Some(Part {
        begun,
        ended: sent,
        head,
        body: body(request.post_data, &request.body_size),
        trailers: Vec::new(),
        plain,
    });
    if let Some(response) = record.response
        && let Some(status) = response.status.as_u64().filter(|status| *status > 0)
    {
        let plain = is_plain(response.http_version.as_deref());
        let status = format!("{status:03}");
        let reason = response.status_text.as_deref().unwrap_or_default();
        let version = version(response.http_version.as_deref());
        let mut head = HeadText::start([version, status.as_bytes(), reason.as_bytes()]);
        fields(&mut head, &response.headers);
        entry.response = Some(Part {
            begun: answered,
            ended: received,
            head: head.finish(),
            body: body(response.content, &response.body_size),
            trailers: Vec::new(),
            plain,
        });
    }
    entry
}

fn is_plain(version: Option<&str>) -> bool {
    version.is_some_and(|version| {
        let head = version.get(..6).unwrap_or_default();
        head.eq_ignore_ascii_case("http/1")
    })
}

fn version(version: Option<&str>) -> &'static [u8] {
    match version {
        Some(version) if version.eq_ignore_ascii_case("http/1.0") => b"HTTP/1.0",
        _ => b"HTTP/1.1",
    }
}

fn request_head(request: &Request<String>) -> (Vec<u8>, bool) {
    let url = request.url.split('#').next().unwrap_or_default();
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => {
            let cut = rest.find(['/', '?']).unwrap_or(rest.len());
            rest.split_at(cut)
        }
        None => ("", url),
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let path = match path {
        "" => "/".to_owned(),
        path if path.starts_with('?') => format!("/{path}"),
        path => path.to_owned(),
    };
    let target = match &request.target {
        Some(target) => target,
        None if request.method.eq_ignore_ascii_case("CONNECT") => host,
        None => &path,
    };
    let plain = is_plain(request.http_version.as_deref());
    let version = version(request.http_version.as_deref());
    let mut head = HeadText::start([request.method.as_bytes(), target.as_bytes(), version]);
    let has_host = request
        .headers
        .iter()
        .any(|field| pair(field).0.eq_ignore_ascii_case("host"));
    if !has_host && !plain && !host.is_empty() {
        head.field(b"Host", host.as_bytes());
    }
    fields(&mut head, &request.headers);
    (head.finish(), plain)
}

/// Adds the fields; the pseudo-fields of HTTP/2 are none of HTTP/1.
fn fields(head: &mut HeadText, list: &[Value]) {
    for field in list {
        let (name, value) = pair(field);
        if !name.is_empty() && !name.starts_with(':') {
            head.field(name.as_bytes(), value.as_bytes());
        }
    }
}

/// Reads `{"name":..., "value":...}`, or `[name, value]`, which one program writes.
fn pair(field: &Value) -> (&str, &str) {
    let member = |name: &str, index: usize| {
        let found = field.get(name).or_else(|| field.get(index));
        found.and_then(Value::as_str).unwrap_or_default()
    };
    (member("name", 0), member("value", 1))
}

/// Returns the content; without any, what is known of its size.
fn body(content: Option<Content<String>>, size: &Value) -> Body {
    let content = content.unwrap_or_default();
    let missing = content.missing.clone();
    match kept(content, size) {
        Body::Bytes(bytes) if !missing.is_empty() => with_holes(&bytes, &missing),
        body => body,
    }
}

/// Puts what is missing where it was.
fn with_holes(bytes: &Bytes, missing: &[(u64, u64)]) -> Body {
    let mut parts = Vec::new();
    let mut from = 0usize;
    let mut at = 0u64;
    for (begin, len) in missing {
        let kept = usize::try_from(begin.saturating_sub(at)).unwrap_or(usize::MAX);
        let end = from.saturating_add(kept).min(bytes.len());
        parts.push(Body::Bytes(bytes.slice(from..end)));
        parts.push(Body::Gone(Some(*len)));
        from = end;
        at = begin.saturating_add(*len);
    }
    parts.push(Body::Bytes(bytes.slice(from..)));
    Body::Parts(parts)
}

fn kept(content: Content<String>, size: &Value) -> Body {
    let told = |size: &Value| size.as_u64();
    match (content.text, content.encoding.as_deref()) {
        (Some(text), Some(encoding)) if encoding.eq_ignore_ascii_case("base64") => {
            let text: Vec<u8> = text.into_bytes();
            match BASE64_STANDARD.decode(text.trim_ascii()) {
                Ok(bytes) => Body::Bytes(bytes.into()),
                Err(_) => Body::Gone(told(&content.size).or_else(|| told(size))),
            }
        }
        (Some(text), _) if !text.is_empty() => Body::Bytes(text.into_bytes().into()),
        (_, _) => match told(&content.size).or_else(|| told(size)) {
            Some(0) => Body::Bytes(Bytes::new()),
            size => Body::Gone(size),
        },
    }
}

/// The ends: ours by their full names, anybody's by the server's address.
fn ends<T>(record: &Record<T>) -> Ends {
    let full = |value: &Value| -> Option<SocketAddr> { value.as_str()?.parse().ok() };
    let url = &record.request.url;
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let usual = if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        80
    };
    let port = host
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let named = record
        .server_ip
        .as_str()
        .and_then(|ip| end(ip, port.unwrap_or(usual)));
    Ends {
        client: full(&record.client),
        server: full(&record.server).or(named),
        upstream: None,
    }
}
