//! An answer that the proxy writes itself, as a real server would write it.
//!
//! What a rule leaves open gets what IIS sends: the Ack's packet type, the session id echoed, the next
//! offset, the error's context, a length. No date: the same rule writes the same bytes every run. Pure.
//!
//! MC-BUP §2.2.1.2, §2.2.3.1, §2.2.7.2

use bytes::Bytes;

use crate::bits::header::{Name, UPLOAD_PROTOCOL};
use crate::bits::{Packet, Request};

use super::draw::Draw;
use super::engine::Scene;
use super::rule::{Answer, BitsValue, Stage};
use super::value::{self, Base};

/// Where errors of the server itself arise. MC-BUP §2.2.1.2
const CONTEXT_SERVER: BitsValue = BitsValue::Code(5);

/// Writes the whole answer to the request of `scene`; to a HEAD request its head only.
pub(super) fn write(answer: &Answer, scene: &Scene<'_>, draw: &Draw<'_>) -> Bytes {
    let mut lines = Lines {
        answer,
        fields: Vec::new(),
    };
    let uploads = scene.request.as_ref().is_some_and(|request| request.upload);
    if uploads && !answer.no_ack {
        lines.add_ack(scene, draw);
    } else {
        lines.add_bits(scene);
    }
    lines.add_content();
    for (name, value) in &answer.headers {
        lines.push(name, value);
    }

    let reason = answer.reason.as_deref();
    let reason = reason.unwrap_or_else(|| value::reason(answer.status));
    let mut bytes = format!("HTTP/1.1 {:03} ", answer.status).into_bytes();
    bytes.extend_from_slice(&value::clean(reason));
    bytes.extend_from_slice(b"\r\n");
    for (name, value) in &lines.fields {
        bytes.extend_from_slice(&value::clean(name));
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&value::clean(value));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let head_only = scene
        .moment
        .request
        .is_some_and(|(head, _)| head.method() == Some(b"HEAD"));
    if !head_only && may_have_content(answer.status) {
        bytes.extend_from_slice(&answer.body);
    }
    Bytes::from(bytes)
}

/// The offset that a relative `received` starts from: what the server answered, else the byte after the
/// fragment.
pub(super) fn next_byte(scene: &Scene<'_>) -> Option<u64> {
    let told = scene.ack.as_ref().and_then(|ack| ack.received);
    let range = scene.request.as_ref().and_then(|request| request.range);
    told.or_else(|| range.map(|range| range.last.saturating_add(1)))
}

struct Lines<'a> {
    answer: &'a Answer,
    fields: Vec<(String, String)>,
}

impl Lines<'_> {
    fn push(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// Adds a field that a server would write, unless the rule writes one of that name.
    fn offer(&mut self, name: &str, value: &str) {
        let given = |(own, _): &(String, String)| own.eq_ignore_ascii_case(name);
        if !self.answer.headers.iter().any(given) && !self.fields.iter().any(given) {
            self.push(name, value);
        }
    }

    fn gives(&self, field: Name) -> bool {
        self.answer.bits.iter().any(|(name, _)| *name == field)
    }

    fn add_ack(&mut self, scene: &Scene<'_>, draw: &Draw<'_>) {
        let answer = self.answer;
        let packet = scene.packet();
        let succeeds = (200..300).contains(&answer.status) && !self.gives(Name::Error);
        if !self.gives(Name::PacketType) {
            self.offer("BITS-Packet-Type", "Ack");
        }
        if packet == Some(Packet::CreateSession) && succeeds && !self.gives(Name::Protocol) {
            self.offer("BITS-Protocol", UPLOAD_PROTOCOL);
        }
        if !self.gives(Name::SessionId)
            && let Some(id) = session_id(scene, draw, succeeds)
        {
            self.offer("BITS-Session-Id", &id);
        }
        self.add_bits(scene);
        if packet == Some(Packet::Fragment)
            && !self.gives(Name::ReceivedContentRange)
            && let Some(received) = received(scene, answer.status, succeeds)
        {
            self.offer(value::usual(Name::ReceivedContentRange), &received);
        }
    }

    /// Adds the fields that the rule names.
    fn add_bits(&mut self, scene: &Scene<'_>) {
        let answer = self.answer;
        for (field, given) in &answer.bits {
            let base = Base {
                usual: match field {
                    Name::ReceivedContentRange => next_byte(scene),
                    _ => None,
                },
                total: scene.total(),
            };
            let Some(text) = value::text(*field, given, base) else {
                continue;
            };
            if *field == Name::Error {
                for wire in value::error_names(answer.error_header) {
                    self.push(wire, &text);
                }
            } else {
                self.push(value::usual(*field), &text);
            }
        }
        if self.gives(Name::Error)
            && !self.gives(Name::ErrorContext)
            && let Some(text) = value::text(Name::ErrorContext, &CONTEXT_SERVER, Base::default())
        {
            self.offer(value::usual(Name::ErrorContext), &text);
        }
    }

    fn add_content(&mut self) {
        let answer = self.answer;
        let named = |name: Name| answer.bits.iter().any(|(field, _)| *field == name);
        if !answer.body.is_empty() && !named(Name::ContentType) {
            let text = str::from_utf8(&answer.body).ok();
            let kind = match text {
                Some(text) if text.trim_start().starts_with('<') => "text/html",
                Some(_) => "text/plain; charset=utf-8",
                None => "application/octet-stream",
            };
            self.offer("Content-Type", kind);
        }
        let chunked = answer
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        if may_have_content(answer.status) && !named(Name::ContentLength) && !chunked {
            self.offer("Content-Length", &answer.body.len().to_string());
        }
    }
}

/// RFC 9110 §15.2, §15.3.5, §15.4.5
const fn may_have_content(status: u16) -> bool {
    !matches!(status, 100..=199 | 204 | 304)
}

/// The id that a server would name: the one that it told, the request's, or for a session that begins
/// one of our own, the same every run.
fn session_id(scene: &Scene<'_>, draw: &Draw<'_>, succeeds: bool) -> Option<String> {
    let told = scene.ack.as_ref().and_then(|ack| ack.session_id.clone());
    let asked = |request: &Request| request.session_id.clone();
    let begins = scene.packet() == Some(Packet::CreateSession) && succeeds;
    told.or_else(|| scene.request.as_ref().and_then(asked))
        .or_else(|| begins.then(|| invent(draw)))
}

/// Draws a version 4 UUID in braces.
///
/// RFC 9562 §5.4
fn invent(draw: &Draw<'_>) -> String {
    let (high, low) = (draw.bits("session", 0), draw.bits("session", 1));
    format!(
        "{{{:08X}-{:04X}-4{:03X}-{:04X}-{:012X}}}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFF,
        ((low >> 48) & 0x3FFF) | 0x8000,
        low & 0xFFFF_FFFF_FFFF,
    )
}

/// The offset that a server would tell: with success the byte after the fragment. With 416 only the
/// server can know it.
fn received(scene: &Scene<'_>, status: u16, succeeds: bool) -> Option<String> {
    let told = scene.ack.as_ref().and_then(|ack| ack.received);
    let range = scene.request.as_ref().and_then(|request| request.range);
    let next = match scene.moment.stage {
        Stage::ResponseHead if status == 416 => told,
        _ if succeeds => told.or_else(|| range.map(|range| range.last.saturating_add(1))),
        _ => None,
    };
    next.map(|next| next.to_string())
}
