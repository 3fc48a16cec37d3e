//! JSON Lines, schema 1: one object a line, `type` first.
//!
//! The fields are a contract with other programs (docs/json.md); they may grow, a rename needs a line
//! in CHANGELOG. Readers ignore fields that they do not know.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use crate::bits::auth::{Scheme, Stage};
use crate::bits::check::Finding;
use crate::bits::{Auth, ContentRange, hresult};
use crate::timeline::{Exchange, Margin, Remark, Session, Summary, Timeline, WireError};

use super::unit;

/// The version of the fields below.
pub const SCHEMA: u32 = 1;

/// The first line of a program that listens: printed when its ports accept.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ready {
    /// Addresses really listened on.
    pub listen: Vec<String>,
    /// The same for clients of the relay, with the scheme that they should use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub url: Vec<String>,
    /// Where the relay dials; absent for a program that has no upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Servers by the host that requests for them name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<String, String>,
    /// Whether clients may name the server themselves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forward: bool,
    /// The capture being written, if any.
    pub capture: Option<String>,
    /// The seed of the fault rules, if any are loaded.
    pub seed: Option<u64>,
}

/// Returns the `ready` line.
pub fn ready(ready: &Ready) -> String {
    #[derive(Serialize)]
    struct Line<'l> {
        r#type: &'static str,
        schema: u32,
        #[serde(flatten)]
        ready: &'l Ready,
    }
    line(&Line {
        r#type: "ready",
        schema: SCHEMA,
        ready,
    })
}

/// Returns the `exchange` line of one row of `timeline`; `start_ns` is the capture's start in
/// nanoseconds since 1970-01-01 UTC.
pub fn exchange(timeline: &Timeline, exchange: &Exchange, start_ns: u64) -> String {
    let times = exchange.times.get();
    let client = timeline
        .connection(exchange.conn)
        .and_then(|connection| connection.client)
        .map(|client| client.to_string());
    let annotation = timeline.annotation(exchange.no);
    line(&ExchangeLine {
        r#type: "exchange",
        no: exchange.no,
        t: times.begun.as_secs_f64(),
        at: unit::moment(start_ns, times.begun),
        conn: exchange.conn.0,
        client,
        session: exchange.session,
        method: &exchange.method,
        url: &exchange.url,
        packet: exchange.packet.map(crate::bits::Packet::name),
        status: exchange.status,
        range: exchange.range,
        parts: exchange
            .parts
            .iter()
            .map(|part| [part.0, part.1.saturating_sub(1)])
            .collect(),
        received: exchange.received.get(),
        session_id: exchange.session_id.as_deref(),
        request_body: exchange.request.map_or(0, |message| message.body),
        response_body: exchange.response.map_or(0, |message| message.body),
        error: exchange.error.map(error),
        auth: exchange.auth.map(auth),
        time: Parts {
            request_ms: between(Some(times.begun), times.request_end),
            wait_ms: between(times.request_end, times.response_begun),
            response_ms: between(times.response_begun, times.ended),
        },
        outcome: exchange.outcome.name(),
        mark: annotation.is_some_and(|annotation| annotation.marked),
        notes: annotation
            .map(|annotation| annotation.comment.as_str())
            .filter(|comment| !comment.is_empty())
            .into_iter()
            .collect(),
        faults: exchange.faults.iter().map(AsRef::as_ref).collect(),
        rewrites: exchange.rewrites.iter().map(AsRef::as_ref).collect(),
        findings: timeline
            .findings_of(exchange.no)
            .map(|finding| finding.id)
            .collect(),
    })
}

/// Returns the `finding` line; `file` where several captures may be meant.
pub fn finding(finding: &Finding, file: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Line<'l> {
        r#type: &'static str,
        id: &'static str,
        level: &'static str,
        who: &'static str,
        exchange: Option<u32>,
        session: Option<u32>,
        text: &'l str,
        source: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'l str>,
    }
    line(&Line {
        r#type: "finding",
        id: finding.id,
        level: finding.level.name(),
        who: finding.who.name(),
        exchange: finding.exchange,
        session: finding.session,
        text: &finding.text,
        source: finding.source,
        file,
    })
}

/// Returns the `session` line of one row of `timeline`, with what passed of its file.
pub fn session(timeline: &Timeline, session: &Session, start_ns: u64) -> String {
    let pairs = |runs: Vec<Range<u64>>| {
        runs.into_iter()
            .map(|run| [run.start, run.end.saturating_sub(1)])
            .collect()
    };
    let coverage = timeline.coverage(session.no);
    let coverage = CoverageObject {
        sent: pairs(coverage.sent()),
        acked: pairs(coverage.acked()),
        resent: pairs(coverage.resent()),
        rewound: pairs(coverage.rewound()),
        missing: pairs(coverage.missing()),
        never_seen: pairs(coverage.holes()),
        reply: pairs(coverage.reply()),
    };
    line(&session_line(session, start_ns, coverage))
}

fn session_line(session: &Session, start_ns: u64, coverage: CoverageObject) -> SessionLine<'_> {
    SessionLine {
        r#type: "session",
        no: session.no,
        kind: session.kind.name(),
        session_id: session.session_id.as_deref(),
        url: &session.url,
        name: &session.name,
        state: session.state.name(),
        total: session.total,
        acknowledged: session.acknowledged,
        sent: session.sent,
        resent: session.resent,
        exchanges: session.exchanges,
        connections: session.connections,
        restarts: session.restarts,
        rewinds: session.rewinds,
        reply_url: session.reply_url.as_deref(),
        reply_bytes: session.reply_bytes,
        first: unit::moment(start_ns, session.first),
        last: unit::moment(start_ns, session.last),
        client: session.client.map(|client| client.to_string()),
        user_agent: session.user_agent.as_deref(),
        sha256: None,
        coverage,
        story: &session.story,
    }
}

/// Returns the `note` line of a remark.
pub fn note(remark: &Remark) -> String {
    #[derive(Serialize)]
    struct Line<'l> {
        r#type: &'static str,
        t: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        conn: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        exchange: Option<u32>,
        text: &'l str,
        #[serde(skip_serializing_if = "Option::is_none")]
        receipt: Option<Receipt<'l>>,
    }
    /// As `rules explain` has it, without its place.
    #[derive(Serialize)]
    struct Receipt<'l> {
        rule: &'l str,
        stage: &'l str,
        fired: bool,
        actions: Vec<&'l str>,
        reason: Option<&'l str>,
        key: &'l str,
        ordinal: u64,
    }
    let receipt = remark.ruling.as_deref().map(|ruling| {
        let reason = Some(&*ruling.reason).filter(|reason| !reason.is_empty());
        let actions = ruling.actions.split(", ");
        Receipt {
            rule: &ruling.rule,
            stage: &ruling.stage,
            fired: reason.is_none(),
            actions: actions.filter(|action| !action.is_empty()).collect(),
            reason,
            key: &ruling.key,
            ordinal: ruling.ordinal,
        }
    });
    line(&Line {
        r#type: "note",
        t: remark.at.as_secs_f64(),
        conn: remark.conn.map(|conn| conn.0),
        exchange: remark.exchange,
        text: &remark.text,
        receipt,
    })
}

/// Returns the `summary` line, always the last one. `truncated` tells that the capture ended inside a
/// block or that something of it could not be read.
pub fn summary(summary: &Summary, truncated: bool) -> String {
    #[derive(Serialize)]
    struct Findings {
        error: u64,
        warning: u64,
        note: u64,
    }
    #[derive(Serialize)]
    struct Bytes {
        to_server: u64,
        to_client: u64,
    }
    #[derive(Serialize)]
    struct Line {
        r#type: &'static str,
        exchanges: u64,
        sessions: u64,
        connections: u64,
        findings: Findings,
        bytes: Bytes,
        truncated: bool,
    }
    line(&Line {
        r#type: "summary",
        exchanges: summary.exchanges,
        sessions: summary.sessions,
        connections: summary.connections,
        findings: Findings {
            error: summary.errors,
            warning: summary.warnings,
            note: summary.notes,
        },
        bytes: Bytes {
            to_server: summary.to_server,
            to_client: summary.to_client,
        },
        truncated,
    })
}

#[derive(Serialize)]
struct ExchangeLine<'l> {
    r#type: &'static str,
    no: u32,
    t: f64,
    at: String,
    conn: u32,
    client: Option<String>,
    session: Option<u32>,
    method: &'l str,
    url: &'l str,
    packet: Option<&'static str>,
    status: Option<u16>,
    range: Option<ContentRange>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<[u64; 2]>,
    received: Option<u64>,
    session_id: Option<&'l str>,
    request_body: u64,
    response_body: u64,
    error: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<AuthObject>,
    time: Parts,
    outcome: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mark: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'l str>,
    faults: Vec<&'l str>,
    rewrites: Vec<&'l str>,
    findings: Vec<&'static str>,
}

#[derive(Serialize)]
struct SessionLine<'l> {
    r#type: &'static str,
    no: u32,
    kind: &'static str,
    session_id: Option<&'l str>,
    url: &'l str,
    name: &'l str,
    state: &'static str,
    total: Option<u64>,
    acknowledged: u64,
    sent: u64,
    resent: u64,
    exchanges: u32,
    connections: u32,
    restarts: u32,
    rewinds: u32,
    reply_url: Option<&'l str>,
    reply_bytes: u64,
    first: String,
    last: String,
    client: Option<String>,
    user_agent: Option<&'l str>,
    sha256: Option<&'l str>,
    coverage: CoverageObject,
    story: &'l [String],
}

/// First and last byte of each run, both inclusive.
#[derive(Serialize)]
struct CoverageObject {
    sent: Vec<[u64; 2]>,
    acked: Vec<[u64; 2]>,
    resent: Vec<[u64; 2]>,
    rewound: Vec<[u64; 2]>,
    missing: Vec<[u64; 2]>,
    never_seen: Vec<[u64; 2]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reply: Vec<[u64; 2]>,
}

#[derive(Serialize)]
struct ErrorObject {
    code: String,
    name: String,
    context: Option<u32>,
}

/// A login without its tokens.
#[derive(Serialize)]
struct AuthObject {
    scheme: Option<&'static str>,
    stage: Option<&'static str>,
    answer: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offers: Vec<&'static str>,
    proxy: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bound: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    persistent: Option<bool>,
}

/// Milliseconds of the parts of an exchange; `null` for a part that was not reached.
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the JSON fields, which carry their unit"
)]
#[derive(Serialize)]
struct Parts {
    request_ms: Option<f64>,
    wait_ms: Option<f64>,
    response_ms: Option<f64>,
}

fn error(error: WireError) -> ErrorObject {
    ErrorObject {
        code: format!("0x{:08X}", error.code),
        name: hresult::name(error.code),
        context: error.context,
    }
}

fn auth(auth: Auth) -> AuthObject {
    AuthObject {
        scheme: auth.scheme.map(Scheme::name),
        stage: auth.sent.or(auth.answer).map(Stage::name),
        answer: auth.answer.map(Stage::name),
        offers: auth.offers.schemes().map(Scheme::name).collect(),
        proxy: auth.proxy,
        bound: auth.sent == Some(Stage::Type3Bound),
        persistent: auth.persistent,
    }
}

/// An early answer ends before the request does: that wait reads as 0.
fn between(from: Option<Duration>, to: Option<Duration>) -> Option<f64> {
    let ms = unit::millis(to?.saturating_sub(from?));
    Some((ms * 1000.0).round() / 1000.0)
}

/// Serialising plain structs of strings and numbers cannot fail; were it ever to, a reader still gets
/// an object that says so.
pub(super) fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .unwrap_or_else(|error| format!(r#"{{"type":"note","t":0,"text":"{error}"}}"#))
}
