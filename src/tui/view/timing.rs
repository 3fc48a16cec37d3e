//! Timing: where an exchange spent its time, and its connection's life.

// Writing to a String cannot fail, so those results are dropped.
use std::fmt::Write as _;
use std::time::Duration;

use ratatui::text::{Line, Span};

use super::super::catalog::exchange_at;
use super::super::model::Model;
use super::super::rows::Rows;
use super::super::text::{long, moment, rate, span};
use super::super::theme::{Role, signs, style};
use super::detail::{nothing, paragraph};
use crate::event::{Close, Direction};
use crate::timeline::{Connection, Exchange};

/// Packets of the session before this one that are looked at for waits.
const LOOKED: usize = 500;

/// Waits that are listed, and the least of them.
const WAITS: usize = 5;
const WAIT: Duration = Duration::from_secs(1);

/// Columns of the labels.
const LABEL: usize = 12;

/// Returns the tab's lines.
pub(super) fn lines(model: &Model, rows: &dyn Rows, width: usize) -> Vec<Line<'static>> {
    let Some(exchange) = model.exchange(rows) else {
        return nothing(model);
    };
    let connection = rows.connection(exchange.conn);
    let mut out = bars(model, exchange, connection, width);
    out.push(Line::raw(""));
    if let Some(text) = since_previous(model, rows, exchange) {
        paragraph(&mut out, "", 1, &text, width, model.look, Role::Text);
    }
    for text in waits(model, rows, exchange) {
        paragraph(&mut out, "", 3, &text, width, model.look, Role::Text);
    }
    if let Some(connection) = connection {
        about_connection(&mut out, model, connection, width);
    }
    out
}

/// Draws connecting, request, wait and response below one another, each where it lies in the whole, with its
/// rate.
fn bars(
    model: &Model,
    exchange: &Exchange,
    connection: Option<&Connection>,
    width: usize,
) -> Vec<Line<'static>> {
    let times = exchange.times.get();
    let end = times.ended.unwrap_or(model.now).max(times.begun);
    let request_end = times.request_end.unwrap_or(end).clamp(times.begun, end);
    let response = times.response_begun.unwrap_or(end).clamp(times.begun, end);
    let wait_from = request_end.min(response);
    // The upstream is dialled with the first request of a connection.
    let is_first = exchange
        .request
        .is_some_and(|request| request.head.offset == 0);
    let connect = connection
        .and_then(|connection| connection.connect)
        .filter(|_| is_first)
        .map(|connect| times.begun.saturating_add(connect).min(end));
    let sent = exchange.request.map_or(0, |message| message.body);
    let came = exchange.response.map_or(0, |message| message.body);
    let parts = [
        connect.map(|until| ("connect", times.begun, until, Role::Dim, 0)),
        Some(("request", times.begun, request_end, Role::Live, sent)),
        Some(("wait", wait_from, response, Role::Warning, 0)),
        Some(("response", response, end, Role::Good, came)),
    ];
    let whole = end.saturating_sub(times.begun);
    let columns = width.saturating_sub(LABEL + 21).min(80);
    let mut out: Vec<_> = parts
        .into_iter()
        .flatten()
        .map(|(name, from, to, role, bytes)| {
            let before = share(from.saturating_sub(times.begun), whole, columns);
            let until = share(to.saturating_sub(times.begun), whole, columns);
            // What took any time at all is seen.
            let long = (until - before)
                .max(usize::from(to > from))
                .min(columns - before.min(columns));
            let bar = signs(model.look).full.repeat(long);
            Line::from(vec![
                Span::styled(format!(" {name:<LABEL$}"), style(model.look, Role::Dim)),
                Span::styled(
                    format!("{:>8} ", span(to.saturating_sub(from))),
                    style(model.look, Role::Text),
                ),
                Span::styled(
                    format!(
                        "{:>8}  ",
                        rate(bytes, to.saturating_sub(from)).unwrap_or_default()
                    ),
                    style(model.look, Role::Dim),
                ),
                Span::raw(" ".repeat(before.min(columns))),
                Span::styled(bar, style(model.look, role)),
            ])
        })
        .collect();
    let over = if times.ended.is_none() {
        ", not over"
    } else {
        ""
    };
    out.push(Line::from(vec![
        Span::styled(
            format!(" {:<LABEL$}", "total"),
            style(model.look, Role::Dim),
        ),
        Span::styled(
            format!("{:>8}", span(whole)),
            style(model.look, Role::Strong),
        ),
        Span::styled(
            format!("  from {} to {} s{over}", moment(times.begun), moment(end)),
            style(model.look, Role::Dim),
        ),
    ]));
    out
}

/// Returns how many of `columns` a part of the whole takes.
fn share(part: Duration, whole: Duration, columns: usize) -> usize {
    let whole = whole.as_nanos();
    if whole == 0 {
        return 0;
    }
    let columns = part.as_nanos().min(whole).saturating_mul(columns as u128) / whole;
    usize::try_from(columns).unwrap_or(0)
}

fn since_previous(model: &Model, rows: &dyn Rows, exchange: &Exchange) -> Option<String> {
    let before = model.packets.row(model.packets.cursor().checked_sub(1)?)?;
    let before = exchange_at(rows, before)?;
    let times = before.times.get();
    let from = times.ended.unwrap_or(times.begun);
    let idle = exchange.times.get().begun.checked_sub(from)?;
    Some(format!(
        "{} after the end of packet {}, the one before it in the list.",
        span(idle),
        before.no
    ))
}

/// Lists the last waits of the session up to this packet, the latest first.
fn waits(model: &Model, rows: &dyn Rows, exchange: &Exchange) -> Vec<String> {
    let Some(session) = exchange.session else {
        return Vec::new();
    };
    let of_session = model.catalog.of_session(session);
    let here = of_session.partition_point(|row| row.saturating_add(1) <= exchange.no);
    let from = here.saturating_sub(LOOKED);
    let near = of_session.get(from..here).unwrap_or_default();
    near.windows(2)
        .rev()
        .filter_map(|pair| {
            let [before, after] = pair else {
                return None;
            };
            let (before, after) = (exchange_at(rows, *before)?, exchange_at(rows, *after)?);
            let gap = after
                .times
                .get()
                .begun
                .checked_sub(before.times.get().ended?)?;
            let status = before
                .status
                .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            (gap >= WAIT).then(|| {
                format!(
                    "The client waited {} between packets {} ({status}) and {}.",
                    span(gap),
                    before.no,
                    after.no
                )
            })
        })
        .take(WAITS)
        .collect()
}

fn about_connection(
    out: &mut Vec<Line<'static>>,
    model: &Model,
    connection: &Connection,
    width: usize,
) {
    let look = model.look;
    let to = signs(look).to;
    let place = |address: Option<std::net::SocketAddr>| {
        address.map_or_else(|| "?".to_owned(), |address| address.to_string())
    };
    let mut route = format!(
        "Connection {}: {} {to} {}",
        connection.id.0,
        place(connection.client),
        place(connection.server)
    );
    if connection.upstream.is_some() {
        let _ = write!(route, " {to} {}", place(connection.upstream));
    }
    paragraph(out, "", 1, &route, width, look, Role::Text);
    let mut life = if connection.joined {
        format!("joined in the middle at {} s", moment(connection.opened))
    } else {
        format!("opened at {} s", moment(connection.opened))
    };
    if let Some(connect) = connection.connect {
        let _ = write!(life, ", upstream accepted after {}", span(connect));
    }
    match connection.closed {
        Some(closed) => {
            let _ = write!(life, ", closed at {} s", moment(closed));
        }
        None => life.push_str(", open"),
    }
    if let Some((direction, how)) = connection.first_close {
        let who = match direction {
            Direction::ToServer => "client",
            Direction::ToClient => "server",
        };
        let how = match how {
            Close::Fin => "FIN",
            Close::Reset => "RST",
        };
        let _ = write!(life, "; the {who} closed first ({how})");
    }
    life.push('.');
    paragraph(out, "", 3, &life, width, look, Role::Text);
    let sum = format!(
        "{} exchanges, {} to the server, {} to the client.",
        connection.exchanges,
        long(connection.to_server),
        long(connection.to_client)
    );
    paragraph(out, "", 3, &sum, width, look, Role::Dim);
}
