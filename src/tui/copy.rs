//! What can be copied of a row, as text for other programs. Credentials are left out while the screen
//! masks them.
//!
//! Pure: the loop gives the text to the terminal and to a file.

use crate::bits::hresult;
use crate::timeline::row::Message;
use crate::timeline::{Chunk, Exchange, Outcome};
use crate::wire::{Decoder, Head, Item, Stream};

use super::menu::Choice;
use super::model::Model;
use super::rows::Rows;
use super::text::long;
use super::want::head;

/// Fields that are not copied while credentials are masked.
pub(super) const CREDENTIALS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];

/// Fields that curl makes itself.
const MADE_BY_CURL: [&str; 4] = ["content-length", "transfer-encoding", "connection", "host"];

const URL: &str = "URL";
const SESSION: &str = "session id";
const REQUEST: &str = "request head";
const RESPONSE: &str = "response head";
const CURL: &str = "curl command";
const EVIDENCE: &str = "evidence line";

/// Lists what the selected row offers.
pub(super) fn choices(model: &Model, rows: &dyn Rows) -> Vec<Choice> {
    let mut out = Vec::new();
    let mut add = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.push(Choice { name, value });
        }
    };
    let exchange = model.exchange(rows);
    let session = model.session(rows);
    let url = exchange.map(|exchange| exchange.url.to_string());
    add(
        URL,
        url.or_else(|| session.map(|session| session.url.to_string())),
    );
    let id = exchange.and_then(|exchange| exchange.session_id.clone());
    let id = id.or_else(|| session.and_then(|session| session.session_id.clone()));
    add(SESSION, id.map(|id| id.to_string()));
    if let Some(exchange) = exchange {
        let size = |message: &Option<Message>| {
            message
                .as_ref()
                .map(|message| format!("{} bytes", message.head.len))
        };
        add(REQUEST, size(&exchange.request));
        add(RESPONSE, size(&exchange.response));
        if exchange.request.is_some() && !exchange.method.is_empty() {
            add(CURL, Some(format!("repeats packet {}", exchange.no)));
        }
        add(EVIDENCE, Some("time, peers, sizes".to_owned()));
    }
    out
}

/// Makes the text of a choice, or says why it cannot be made.
pub(super) fn text(model: &Model, rows: &dyn Rows, what: &str) -> Result<String, String> {
    let exchange = model.exchange(rows);
    match (what, exchange) {
        (URL | SESSION, _) => choices(model, rows)
            .into_iter()
            .find(|choice| choice.name == what)
            .map(|choice| choice.value)
            .ok_or_else(|| "there is none".to_owned()),
        (_, None) => Err("no packet is selected".to_owned()),
        (REQUEST, Some(exchange)) => {
            let head = read(model, exchange.request.as_ref(), Stream::Requests)?;
            Ok(shown(model, &head))
        }
        (RESPONSE, Some(exchange)) => {
            let head = read(model, exchange.response.as_ref(), Stream::Responses)?;
            Ok(shown(model, &head))
        }
        (CURL, Some(exchange)) => {
            let head = read(model, exchange.request.as_ref(), Stream::Requests)?;
            let scheme = (rows.connection(exchange.conn)).map_or("http", |row| row.scheme());
            Ok(curl(model, exchange, &head, scheme))
        }
        (_, Some(exchange)) => Ok(evidence(model, rows, exchange)),
    }
}

/// Reads a head from what was read back for the menu.
fn read(model: &Model, message: Option<&Message>, stream: Stream) -> Result<Head, String> {
    let want = message.and_then(head).ok_or("there is no such head")?;
    let chunk = match model.read(&want) {
        Some(Ok(chunk)) => chunk,
        Some(Err(why)) => return Err(format!("not readable: {why}")),
        None => return Err("not read yet".to_owned()),
    };
    parse_head(chunk, want.len, stream)
}

/// Reads a head of `len` bytes from what was read back.
pub(super) fn parse_head(chunk: &Chunk, len: usize, stream: Stream) -> Result<Head, String> {
    if !chunk.holes.is_empty() || chunk.bytes.len() < len {
        return Err("not all of this head is in the capture".to_owned());
    }
    let mut items = Vec::new();
    Decoder::new(stream).feed(&chunk.bytes, &mut items);
    let head = items.into_iter().find_map(|item| match item {
        Item::Head { head, .. } => Some(head),
        _ => None,
    });
    head.ok_or_else(|| "this is not a whole HTTP head".to_owned())
}

/// Tells whether a field carries credentials.
pub(super) fn is_secret(name: &[u8]) -> bool {
    CREDENTIALS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret.as_bytes()))
}

/// Writes a head as sent, without credentials while they are masked.
fn shown(model: &Model, head: &Head) -> String {
    let secret = head
        .fields
        .iter()
        .any(|field| is_secret(head.slice(&field.name)));
    if model.reveal || !secret {
        return String::from_utf8_lossy(&head.raw).into_owned();
    }
    let mut out = String::new();
    let first = head
        .raw
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    out.push_str(String::from_utf8_lossy(first).trim_end());
    out.push_str("\r\n");
    for (name, value) in head.pairs() {
        let name_text = String::from_utf8_lossy(name);
        if is_secret(name) {
            out.push_str(&format!("{name_text}: ********\r\n"));
        } else {
            out.push_str(&format!(
                "{name_text}: {}\r\n",
                String::from_utf8_lossy(value)
            ));
        }
    }
    out.push_str("\r\n");
    out
}

/// Writes a command that repeats the request; its content is to be found in a file of this name.
fn curl(model: &Model, exchange: &Exchange, head: &Head, scheme: &str) -> String {
    let method = String::from_utf8_lossy(head.method().unwrap_or_default()).into_owned();
    let target = String::from_utf8_lossy(head.target().unwrap_or_default()).into_owned();
    let host = String::from_utf8_lossy(head.value("host").unwrap_or(b"localhost")).into_owned();
    let url = if target.contains("://") {
        target
    } else {
        format!("{scheme}://{host}{target}")
    };
    let mut words = vec!["curl -i --path-as-is".to_owned()];
    // With -X HEAD curl would wait for content.
    if method == "HEAD" {
        words.push("--head".to_owned());
    } else {
        words.push(format!("-X {}", quoted(&method)));
    }
    for (name, value) in head.pairs() {
        let known = String::from_utf8_lossy(name).to_ascii_lowercase();
        let secret = is_secret(name) && !model.reveal;
        if secret || MADE_BY_CURL.contains(&known.as_str()) {
            continue;
        }
        let name = String::from_utf8_lossy(name);
        let value = String::from_utf8_lossy(value);
        // An empty value is written with a semicolon; with a colon curl leaves the field out.
        let field = if value.is_empty() {
            format!("{name};")
        } else {
            format!("{name}: {value}")
        };
        words.push(format!("-H {}", quoted(&field)));
    }
    let body = exchange.request.as_ref().map_or(0, |message| message.body);
    if body > 0 {
        words.push(format!("--data-binary @packet-{}.bin", exchange.no));
    } else if method != "GET" && method != "HEAD" {
        words.push("--data-binary ''".to_owned());
    }
    words.push(quoted(&url));
    words.join(" ")
}

/// Quotes a word for a POSIX shell; control characters are written with `$'...'`.
fn quoted(word: &str) -> String {
    if word.chars().any(char::is_control) {
        let mut out = String::from("$'");
        for byte in word.bytes() {
            match byte {
                b'\'' | b'\\' => out.extend(['\\', char::from(byte)]),
                0x20..=0x7E => out.push(char::from(byte)),
                _ => out.push_str(&format!("\\x{byte:02x}")),
            }
        }
        out.push('\'');
        return out;
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Says in one line what passed when between whom: for a ticket or a report.
fn evidence(model: &Model, rows: &dyn Rows, exchange: &Exchange) -> String {
    let at = crate::report::unit::moment(model.status.start_ns, exchange.times.get().begun);
    let connection = rows.connection(exchange.conn);
    let place = |address: Option<std::net::SocketAddr>| {
        address.map_or_else(|| "?".to_owned(), |address| address.to_string())
    };
    let client = place(connection.and_then(|connection| connection.client));
    let server = place(connection.and_then(|connection| connection.upstream.or(connection.server)));
    let size = |message: &Option<Message>| message.as_ref().map_or(0, |message| message.body);
    let mut parts = vec![
        at,
        format!("{client} -> {server}"),
        format!("packet {}", exchange.no),
        format!("{} {}", exchange.method, exchange.url),
    ];
    parts.extend(exchange.packet.map(|packet| packet.name().to_owned()));
    parts.extend(
        exchange
            .session_id
            .as_ref()
            .map(|id| format!("session {id}")),
    );
    if let Some(range) = exchange.range {
        parts.push(format!("bytes {}-{}", range.first, range.last));
    }
    parts.push(exchange.status.map_or_else(
        || "no status".to_owned(),
        |status| format!("status {status}"),
    ));
    let error = exchange.error.filter(|error| error.code != 0);
    parts
        .extend(error.map(|error| format!("{} (0x{:08X})", hresult::name(error.code), error.code)));
    if exchange.outcome != Outcome::Complete {
        parts.push(exchange.outcome.name().to_owned());
    }
    parts.push(format!(
        "{} sent, {} received",
        long(size(&exchange.request)),
        long(size(&exchange.response))
    ));
    super::text::harmless(&parts.join(", "), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("$(rm)`x`"), "'$(rm)`x`'");
        assert_eq!(quoted("a\u{1b}'b"), "$'a\\x1b\\'b'");
    }
}
