//! mitmproxy's flow files: a run of typed netstrings, one per flow.
//!
//! Heads are kept there as pairs of raw bytes, content without its framing, times to the microsecond.
//! Versions 9 to 12 of mitmproxy write what is read here; older ones lack a few members, which are then
//! unknown. Source: mitmproxy `io/tnetstring.py`, `http.py`, `connection.py`.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::entry::{Body, Ends, Entry, HeadText, Part, end, nanos};
use super::tnet::{Broken, Records, Value};
use super::{Album, Opened, Refusal, Ticket};

/// Versions of the flow format that were looked at: mitmproxy 9 to 12.
const KNOWN: std::ops::RangeInclusive<u32> = 18..=21;

struct Flows {
    file: Arc<File>,
    records: Records,
}

/// Opens a flow file.
pub(super) fn open(file: File) -> Result<Opened, Refusal> {
    let file = Arc::new(file);
    let mut records = Records::new(file.clone())?;
    let mut index = Index::default();
    let mut at = 0;
    while at < records.len {
        let next = match records.end_of(at) {
            Ok(next) => next,
            Err(Broken::Disk(error)) => return Err(error.into()),
            Err(broken) if at == 0 => return Err(Refusal::Not(not_a_flow_file(&broken))),
            Err(_) => {
                let left = records.len.saturating_sub(at);
                index.notes.push(format!(
                    "the file ends inside a flow: {left} bytes left out"
                ));
                break;
            }
        };
        match records.record(at) {
            Ok(flow) => {
                if at == 0 && flow.get("version").is_null() {
                    let reason = "it is a typed netstring, but no flow of mitmproxy";
                    return Err(Refusal::Not(reason.to_owned()));
                }
                index.take(&flow, at, next);
            }
            Err(Broken::Disk(error)) => return Err(error.into()),
            Err(broken) if at == 0 => return Err(Refusal::Not(not_a_flow_file(&broken))),
            Err(broken) => index.notes.push(format!(
                "a flow at byte {at} was left out: {}",
                reason(&broken)
            )),
        }
        at = next;
    }
    index.finish();
    Ok(Opened {
        album: Box::new(Flows { file, records }),
        tickets: index.tickets,
        notes: index.notes,
        remarks: index.remarks,
    })
}

fn not_a_flow_file(broken: &Broken) -> String {
    format!(
        "it begins like a flow file of mitmproxy, but {}",
        reason(broken)
    )
}

fn reason(broken: &Broken) -> String {
    match broken {
        Broken::Disk(error) => error.to_string(),
        Broken::Not(what) => (*what).to_owned(),
        Broken::Short => "it ends inside a flow".to_owned(),
    }
}

/// What the first look finds.
#[derive(Default)]
struct Index {
    tickets: Vec<Ticket>,
    lines: HashMap<Vec<u8>, u32>,
    notes: Vec<String>,
    remarks: Vec<String>,
    other: u64,
    websockets: u64,
    version: Option<u32>,
}

impl Index {
    fn take(&mut self, flow: &Value, at: u64, next: u64) {
        self.see_version(flow.get("version"));
        let request = flow.get("request");
        if flow.get("type").bytes() != b"http" || request.is_null() {
            self.other += 1;
            return;
        }
        if !flow.get("websocket").is_null() {
            self.websockets += 1;
        }
        let client = flow.get("client_conn");
        let count = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        let mut key = client.get("id").bytes().to_vec();
        if key.is_empty() {
            key = at.to_le_bytes().to_vec();
        }
        let line = *self.lines.entry(key).or_insert(count);
        self.tickets.push(Ticket {
            begun: time(request, "timestamp_start").unwrap_or_default(),
            opened: time(client, "timestamp_start"),
            line,
            place: (at, next.saturating_sub(at)),
        });
    }

    fn see_version(&mut self, version: &Value) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a version is a small number, and anything else reads as another one"
        )]
        let number = version.number().map_or(0, |number| number as u32);
        if self.version.replace(number).is_none() && !KNOWN.contains(&number) {
            self.remarks.push(format!("Flow format {number} is not one of mitmproxy 9 to 12: what it has in common with these is shown."));
        }
    }

    fn finish(&mut self) {
        if self.other > 0 {
            self.notes.push(format!(
                "{} flows that are not HTTP (TCP, UDP, DNS) were left out",
                self.other
            ));
        }
        if self.websockets > 0 {
            self.remarks.push(format!(
                "{} WebSockets are shown without their messages.",
                self.websockets
            ));
        }
    }
}

impl Album for Flows {
    fn load(&mut self, ticket: &Ticket) -> io::Result<Result<Entry, String>> {
        match self.records.record(ticket.place.0) {
            Ok(flow) => Ok(Ok(self.entry(&flow, ticket))),
            Err(Broken::Disk(error)) => Err(error),
            Err(broken) => Ok(Err(reason(&broken))),
        }
    }
}

impl Flows {
    fn entry(&self, flow: &Value, ticket: &Ticket) -> Entry {
        let request = flow.get("request");
        let response = flow.get("response");
        let mut entry = Entry {
            ends: ends(flow),
            request: Some(self.part(request, request_head(request), ticket.begun)),
            ..Entry::default()
        };
        if !response.is_null() {
            let asked = entry
                .request
                .as_ref()
                .map_or(ticket.begun, |part| part.ended);
            entry.response = Some(self.part(response, response_head(response), asked));
        }
        let error = flow.get("error");
        let message = error.get("msg");
        if !message.is_null() {
            entry.notes.push(format!(
                "mitmproxy: {}.",
                message.text().trim_end_matches('.')
            ));
            entry.ended = true;
        }
        entry
    }

    fn part(&self, message: &Value, head: Vec<u8>, begun: u64) -> Part {
        let begun = time(message, "timestamp_start").unwrap_or(begun);
        let mut trailers = HeadText::default();
        for pair in message.get("trailers").list() {
            trailers.field(pair.at(0).bytes(), pair.at(1).bytes());
        }
        Part {
            begun,
            ended: time(message, "timestamp_end").unwrap_or(begun),
            head,
            body: match message.get("content") {
                Value::Bytes(bytes) => Body::Bytes(Bytes::copy_from_slice(bytes)),
                Value::Place(at, len) => Body::Place {
                    file: self.file.clone(),
                    at: *at,
                    len: *len,
                },
                _ => Body::Gone(None),
            },
            trailers: trailers.fields(),
            plain: is_plain(message),
        }
    }
}

fn time(of: &Value, name: &str) -> Option<u64> {
    nanos(of.get(name).number()?)
}

/// Tells whether the message was sent as HTTP/1.
fn is_plain(message: &Value) -> bool {
    message.get("http_version").bytes().starts_with(b"HTTP/1")
}

fn version(message: &Value) -> &[u8] {
    if is_plain(message) {
        message.get("http_version").bytes()
    } else {
        b"HTTP/1.1"
    }
}

/// Puts the request's head together as mitmproxy itself does (`net/http/http1/assemble.py`).
fn request_head(request: &Value) -> Vec<u8> {
    let method = request.get("method").bytes();
    let authority = request.get("authority").bytes();
    let path = request.get("path").bytes();
    let target = if method.eq_ignore_ascii_case(b"CONNECT") {
        authority.to_vec()
    } else if !authority.is_empty() && is_plain(request) {
        let scheme = request.get("scheme").bytes();
        [scheme, b"://", authority, path].concat()
    } else {
        path.to_vec()
    };
    let mut head = HeadText::start([method, &target, version(request)]);
    let fields = request.get("headers").list();
    let has_host = fields
        .iter()
        .any(|pair| pair.at(0).bytes().eq_ignore_ascii_case(b"host"));
    if !is_plain(request) && !has_host && !authority.is_empty() {
        head.field(b"Host", authority);
    }
    for pair in fields {
        head.field(pair.at(0).bytes(), pair.at(1).bytes());
    }
    head.finish()
}

fn response_head(response: &Value) -> Vec<u8> {
    let status = response.get("status_code").number().unwrap_or_default();
    let status = format!("{status:03.0}");
    let reason = response.get("reason").bytes();
    let mut head = HeadText::start([version(response), status.as_bytes(), reason]);
    for pair in response.get("headers").list() {
        head.field(pair.at(0).bytes(), pair.at(1).bytes());
    }
    head.finish()
}

fn ends(flow: &Value) -> Ends {
    let client = flow.get("client_conn");
    let server = flow.get("server_conn");
    let dialled = address(server.get("peername")).or_else(|| address(server.get("ip_address")));
    Ends {
        client: address(client.get("peername")).or_else(|| address(client.get("address"))),
        server: address(client.get("sockname")).or(dialled),
        upstream: address(server.get("sockname"))
            .or_else(|| address(server.get("source_address")))
            .zip(dialled),
    }
}

fn address(value: &Value) -> Option<SocketAddr> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a port out of range is no port that anybody had"
    )]
    let port = value.at(1).number()? as u16;
    end(&value.at(0).text(), port)
}
