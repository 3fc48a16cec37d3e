//! Moments for an engine, made from heads as text, and rules with everything usual left out.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::time::Duration;

use bitstap::event::ConnId;
use bitstap::fault::engine::{Engine, Moment};
use bitstap::fault::rule::{Action, Count, During, Per, Rule, RuleSet, Stage};
use bitstap::fault::verdict::{Client, Deed, Verdict};
use bitstap::timeline::filter::Filter;
use bitstap::wire::{Conversation, Framing, Head, Item, Stream};

/// A rule that always fires.
pub(crate) fn rule(name: &str, when: &str, stage: Stage, actions: Vec<Action>) -> Rule {
    Rule {
        name: name.to_owned(),
        preset: None,
        when: Filter::parse(when).unwrap(),
        count: Count {
            per: Per::Session,
            skip: 0,
            times: None,
            every: 1,
        },
        chance: 1.0,
        during: During::default(),
        stage,
        at: None,
        actions,
        expect: None,
        off: false,
    }
}

/// A rule that leaves nothing but its receipt.
pub(crate) fn mark(name: &str, when: &str, stage: Stage) -> Rule {
    let text = format!("{name} was here");
    rule(name, when, stage, vec![Action::Note { text }])
}

/// An engine with these rules.
pub(crate) fn engine(rules: Vec<Rule>) -> Engine {
    seeded(rules, 7)
}

/// An engine with these rules and a seed.
pub(crate) fn seeded(rules: Vec<Rule>, seed: u64) -> Engine {
    Engine::new(set(rules), seed)
}

/// These rules as a set.
pub(crate) fn set(rules: Vec<Rule>) -> RuleSet {
    RuleSet {
        seed: None,
        rules,
        source: String::new(),
    }
}

/// A head from its lines, each ended by CRLF, with the empty line behind.
pub(crate) fn raw(lines: &str) -> String {
    let lines: Vec<&str> = lines.lines().map(str::trim_start).collect();
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

/// The first head of `stream` in a conversation of a request and perhaps an answer.
fn read(request: &str, response: Option<&str>, stream: Stream) -> (Head, Framing) {
    let mut seen = Vec::new();
    let mut talk = Conversation::new();
    talk.feed(
        Stream::Requests,
        &bytes::Bytes::from(raw(request)),
        &mut seen,
    );
    if let Some(response) = response {
        talk.feed(
            Stream::Responses,
            &bytes::Bytes::from(raw(response)),
            &mut seen,
        );
    }
    seen.into_iter()
        .find_map(|found| match found.item {
            Item::Head { head, framing } if found.stream == stream => Some((head, framing)),
            _ => None,
        })
        .expect("a head")
}

/// The head and framing of a request.
pub(crate) fn request(lines: &str) -> (Head, Framing) {
    read(lines, None, Stream::Requests)
}

/// The head and framing of an answer to a request.
pub(crate) fn response(request: &str, lines: &str) -> (Head, Framing) {
    read(request, Some(lines), Stream::Responses)
}

/// One connection of a client, whose exchanges count up.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    conn: ConnId,
    client: Client,
    /// The exchange that is asked next.
    pub(crate) next: u64,
    /// The request in progress.
    asked: String,
    pub(crate) at: Duration,
}

impl Line {
    /// Opens connection `conn` from `ip`.
    pub(crate) fn new(conn: u32, ip: &str) -> Self {
        let port = 50_000 + u16::try_from(conn % 10_000).unwrap();
        Self {
            conn: ConnId(conn),
            client: Client {
                address: SocketAddr::new(ip.parse().unwrap(), port),
                tls: false,
            },
            next: 0,
            asked: String::new(),
            at: Duration::from_secs(1),
        }
    }

    /// What is known of the connection at a stage of an exchange.
    pub(crate) fn moment(&self, stage: Stage, exchange: Option<u64>) -> Moment<'static> {
        Moment {
            at: self.at,
            conn: self.conn,
            client: self.client,
            stage,
            exchange,
            request: None,
            response: None,
        }
    }

    /// Asks about the connection itself.
    pub(crate) fn connect(&self, engine: &mut Engine) -> Verdict {
        engine.decide(&self.moment(Stage::Connect, None))
    }

    /// Asks about the next request.
    pub(crate) fn ask(&mut self, engine: &mut Engine, lines: &str) -> Verdict {
        lines.clone_into(&mut self.asked);
        let (head, framing) = request(lines);
        let exchange = self.next;
        self.next += 1;
        let moment = self.moment(Stage::RequestHead, Some(exchange));
        engine.decide(&Moment {
            request: Some((&head, framing)),
            ..moment
        })
    }

    /// Asks about the answer to the request asked last.
    pub(crate) fn answer(&self, engine: &mut Engine, lines: &str) -> Verdict {
        let (asked, asking) = request(&self.asked);
        let (head, framing) = response(&self.asked, lines);
        let moment = self.moment(Stage::ResponseHead, Some(self.next - 1));
        engine.decide(&Moment {
            request: Some((&asked, asking)),
            response: Some((&head, framing)),
            ..moment
        })
    }

    /// Creates a session at `path`, which the server names `id`.
    pub(crate) fn create(&mut self, engine: &mut Engine, path: &str, id: &str) -> [Verdict; 2] {
        let asked = self.ask(engine, &post(path, "Create-Session", ""));
        [
            asked,
            self.answer(engine, &ack(200, &format!("BITS-Session-Id: {id}"))),
        ]
    }

    /// Sends a fragment of session `id`.
    pub(crate) fn fragment(
        &mut self,
        engine: &mut Engine,
        path: &str,
        id: &str,
        range: &str,
    ) -> Verdict {
        self.ask(engine, &fragment(path, id, range))
    }

    /// The connection's number.
    pub(crate) fn conn(&self) -> ConnId {
        self.conn
    }
}

/// An upload packet; `more` has further field lines.
pub(crate) fn post(path: &str, packet: &str, more: &str) -> String {
    let mut lines =
        format!("BITS_POST {path} HTTP/1.1\nBITS-Packet-Type: {packet}\nHost: iis.test");
    if !more.is_empty() {
        lines.push('\n');
        lines.push_str(more);
    }
    if !more.contains("Content-Length") {
        lines.push_str("\nContent-Length: 0");
    }
    lines
}

/// A fragment with the range `first-last/total`.
pub(crate) fn fragment(path: &str, id: &str, range: &str) -> String {
    let (span, _) = range.split_once('/').unwrap();
    let (first, last) = span.split_once('-').unwrap();
    let len = last.parse::<u64>().unwrap() + 1 - first.parse::<u64>().unwrap();
    let more =
        format!("BITS-Session-Id: {id}\nContent-Range: bytes {range}\nContent-Length: {len}");
    post(path, "Fragment", &more)
}

/// An Ack; `more` has further field lines.
pub(crate) fn ack(status: u16, more: &str) -> String {
    let mut lines =
        format!("HTTP/1.1 {status} Some Reason\nBITS-Packet-Type: Ack\nContent-Length: 0");
    if !more.is_empty() {
        lines.push('\n');
        lines.push_str(more);
    }
    lines
}

/// Names of the rules that fired, in order.
pub(crate) fn fired(verdict: &Verdict) -> Vec<&str> {
    verdict
        .receipts
        .iter()
        .filter(|receipt| receipt.fired())
        .map(|receipt| receipt.rule.as_str())
        .collect()
}

/// The reasons of the rules that matched and did not fire.
pub(crate) fn refused(verdict: &Verdict) -> Vec<&str> {
    verdict
        .receipts
        .iter()
        .filter(|receipt| !receipt.fired())
        .map(|receipt| receipt.reason.as_str())
        .collect()
}

/// The one answer or changed head in a verdict, as text.
pub(crate) fn written(verdict: &Verdict) -> String {
    let mut texts = verdict.steps.iter().filter_map(|step| match &step.deed {
        Deed::Respond(bytes) | Deed::Replace(bytes) => {
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        }
        _ => None,
    });
    let text = texts.next().expect("bytes in the verdict");
    assert_eq!(texts.next(), None, "one of them");
    text
}
