//! Exchanges as CSV, one row each: for spreadsheets.
//!
//! RFC 4180. Text of a peer that a spreadsheet would take for a formula gets an apostrophe before it.

use std::time::Duration;

use csv::{Terminator, WriterBuilder};

use crate::bits::hresult;
use crate::timeline::{Exchange, Timeline};

use super::unit;

/// The columns, in order.
pub const COLUMNS: [&str; 32] = [
    "no",
    "at",
    "t",
    "conn",
    "client",
    "server",
    "session",
    "kind",
    "name",
    "state",
    "method",
    "url",
    "packet",
    "status",
    "range_start",
    "range_end",
    "total",
    "received",
    "session_id",
    "error_code",
    "error_name",
    "error_context",
    "request_body",
    "response_body",
    "request_ms",
    "wait_ms",
    "response_ms",
    "outcome",
    "findings",
    "user_agent",
    "reply_url",
    "session_total",
];

/// Returns the line that names the columns.
pub fn head() -> String {
    line(&COLUMNS.map(str::to_owned))
}

/// Returns the line of one exchange; `start_ns` is the capture's start in nanoseconds since 1970-01-01
/// UTC.
pub fn row(timeline: &Timeline, exchange: &Exchange, start_ns: u64) -> String {
    let connection = timeline.connection(exchange.conn);
    let session = exchange
        .session
        .and_then(|no| usize::try_from(no).ok()?.checked_sub(1))
        .and_then(|at| timeline.sessions().get(at));
    let times = exchange.times.get();
    let ms = |from: Option<Duration>, to: Option<Duration>| {
        from.zip(to)
            .map(|(from, to)| format!("{:.3}", unit::millis(to.saturating_sub(from))))
    };
    let range = exchange.range;
    let findings: Vec<&str> = timeline
        .findings_of(exchange.no)
        .map(|finding| finding.id)
        .collect();
    let server = connection.and_then(|row| row.upstream.or(row.server));
    let cells: [Option<String>; COLUMNS.len()] = [
        number(exchange.no),
        Some(unit::moment(start_ns, times.begun)),
        Some(format!("{:.6}", times.begun.as_secs_f64())),
        number(exchange.conn.0),
        connection.and_then(|row| number(row.client?)),
        server.and_then(number),
        exchange.session.and_then(number),
        session.map(|session| session.kind.name().to_owned()),
        session.map(|session| guard(&session.name)),
        session.map(|session| session.state.name().to_owned()),
        Some(guard(&exchange.method)),
        Some(guard(&exchange.url)),
        exchange.packet.map(|packet| packet.name().to_owned()),
        exchange.status.and_then(number),
        range.and_then(|range| number(range.first)),
        range.and_then(|range| number(range.last)),
        range.and_then(|range| number(range.total?)),
        exchange.received.get().and_then(number),
        exchange.session_id.as_deref().map(guard),
        exchange.error.map(|error| format!("0x{:08X}", error.code)),
        exchange.error.map(|error| hresult::name(error.code)),
        exchange.error.and_then(|error| number(error.context?)),
        number(exchange.request.map_or(0, |message| message.body)),
        number(exchange.response.map_or(0, |message| message.body)),
        ms(Some(times.begun), times.request_end),
        ms(times.request_end, times.response_begun),
        ms(times.response_begun, times.ended),
        Some(exchange.outcome.name().to_owned()),
        Some(findings.join(" ")),
        session.and_then(|session| Some(guard(session.user_agent.as_deref()?))),
        session.and_then(|session| Some(guard(session.reply_url.as_deref()?))),
        session.and_then(|session| number(session.total?)),
    ];
    line(&cells.map(Option::unwrap_or_default))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every cell may be empty, and this one is made to stand among them"
)]
fn number(value: impl std::fmt::Display) -> Option<String> {
    Some(value.to_string())
}

/// Returns text that no spreadsheet takes for a formula.
fn guard(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Writing to memory cannot fail; were it ever to, the line is empty.
fn line(cells: &[String]) -> String {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let written = writer.write_record(cells);
    let bytes = written.ok().and_then(|()| writer.into_inner().ok());
    String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_cells_stay_apart() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert!(guard(text).starts_with('\''), "{text:?}");
        }
        assert_eq!(guard("/up/=1"), "/up/=1");
        let cells = ["a,b".to_owned(), "say \"x\"".to_owned(), "c\nd".to_owned()];
        assert_eq!(line(&cells), "\"a,b\",\"say \"\"x\"\"\",\"c\nd\"\r\n");
    }
}
