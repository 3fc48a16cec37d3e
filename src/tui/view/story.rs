//! Story: the selected packet in a sentence, then its session.

// Writing to a String cannot fail, so those results are dropped.
use std::fmt::Write as _;

use ratatui::text::Line;

use super::super::jot;
use super::super::model::{Focus, Model};
use super::super::rows::Rows;
use super::super::sync::waited;
use super::super::text::{long, span};
use super::super::theme::{Role, signs};
use super::detail::paragraph;
use super::sessions::state;
use crate::bits::{Auth, Packet, hresult};
use crate::report::login;
use crate::timeline::{Annotation, Exchange, Outcome, Session, SessionKind, WireError};

/// Sentences of a session's story that are shown at most; a hostile session could have any number.
const SENTENCES: usize = 2000;

/// Returns the tab's lines.
pub(super) fn lines(model: &Model, rows: &dyn Rows, width: usize) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    let exchange = model.exchange(rows);
    let session = model.session(rows);
    if exchange.is_none() && session.is_none() {
        welcome(&mut out, model, rows.exchange_count() > 0, width);
        return out;
    }
    // The session first where sessions are being looked through.
    let session_first = model.focus == Focus::Sessions;
    if session_first && let Some(session) = session {
        about_session(&mut out, model, session, width);
        out.push(Line::raw(""));
    }
    if let Some(exchange) = exchange {
        about_exchange(&mut out, model, exchange, width);
        if let Some(annotation) = jot::of(rows, exchange) {
            written(&mut out, model, annotation, width);
        }
    }
    if !session_first && let Some(session) = session {
        out.push(Line::raw(""));
        about_session(&mut out, model, session, width);
    }
    out
}

fn welcome(out: &mut Vec<Line<'static>>, model: &Model, any: bool, width: usize) {
    let text = if any {
        "Nothing is selected."
    } else if model.status.ended {
        "Nothing was captured."
    } else {
        "Nothing has passed yet. A row appears with the first byte of a request."
    };
    paragraph(out, "", 1, text, width, model.look, Role::Dim);
}

fn about_exchange(out: &mut Vec<Line<'static>>, model: &Model, exchange: &Exchange, width: usize) {
    let look = model.look;
    let role = if exchange.is_problem() {
        Role::Error
    } else {
        Role::Text
    };
    let mark = if exchange.is_problem() { " E" } else { "" };
    paragraph(out, mark, 3, &sentence(exchange), width, look, role);
    if let Some(auth) = exchange.auth {
        let text = login::sentence(auth, exchange.status);
        paragraph(out, "", 3, &text, width, look, Role::Text);
    }
    if let Some(error) = exchange.error.filter(|error| error.code != 0) {
        paragraph(out, "", 3, &explain(error), width, look, Role::Text);
    }
    if let Some(next) = next(exchange) {
        let text = format!("A Windows client {next}.");
        paragraph(out, "", 3, &text, width, look, Role::Strong);
    }
    if !exchange.url.is_empty() {
        let text = format!("{} {}", exchange.method, exchange.url);
        paragraph(out, "", 3, &text, width, look, Role::Dim);
    }
}

/// Shows what people wrote.
fn written(out: &mut Vec<Line<'static>>, model: &Model, annotation: &Annotation, width: usize) {
    if annotation.marked {
        let text = "This packet is marked.";
        paragraph(out, " *", 3, text, width, model.look, Role::Warning);
    }
    if !annotation.comment.is_empty() {
        let text = &annotation.comment;
        paragraph(out, " \"", 3, text, width, model.look, Role::Warning);
    }
}

/// Says an exchange in one sentence: what was asked, what came of it.
fn sentence(exchange: &Exchange) -> String {
    let mut text = match exchange.packet {
        Some(packet @ (Packet::Head | Packet::Get)) => format!("{} of a download", packet.name()),
        Some(packet) => packet.name().to_owned(),
        None if exchange.method.is_empty() => "A request whose head never came whole".to_owned(),
        None => format!("{} (no BITS packet)", exchange.method),
    };
    let _ = write!(text, " (packet {})", exchange.no);
    if let Some(range) = exchange.range {
        let count = range.last.saturating_sub(range.first).saturating_add(1);
        let _ = write!(
            text,
            " with bytes {} to {} ({})",
            range.first,
            range.last,
            long(count)
        );
        let more = exchange.parts.len().saturating_sub(1);
        if more > 0 {
            let s = if more == 1 { "" } else { "s" };
            let _ = write!(text, " and {more} more range{s}");
        }
        if let Some(total) = range.total {
            let _ = write!(text, " of {total}");
        }
    }
    text.push_str(&answer(exchange));
    if let Some(received) = exchange.received.get() {
        let _ = write!(text, " The next byte wanted is {received}.");
    }
    text
}

fn answer(exchange: &Exchange) -> String {
    let after = waited(exchange).map_or_else(String::new, |wait| format!(" after {}", span(wait)));
    let status = match (exchange.status, exchange.error) {
        (Some(status), Some(error)) if error.code != 0 => {
            format!("{status} {}", hresult::name(error.code))
        }
        (Some(status), _) => status.to_string(),
        (None, _) => "nothing".to_owned(),
    };
    match exchange.outcome {
        Outcome::InFlight if exchange.status.is_some() => {
            format!(" is being answered {status}{after}.")
        }
        Outcome::InFlight if exchange.times.get().request_end.is_some() => {
            " waits for its answer.".to_owned()
        }
        Outcome::InFlight => " is on its way.".to_owned(),
        Outcome::Complete => format!(" was answered {status}{after}."),
        Outcome::NoResponse => " got no answer: the connection ended first.".to_owned(),
        Outcome::CutRequest => {
            format!(" was cut before its end; the answer was {status}.")
        }
        Outcome::CutResponse => format!(" was answered {status}{after}, but the answer was cut."),
        Outcome::Injected => format!(" was answered {status} by the proxy, not by the server."),
        Outcome::Malformed => " could not be read as HTTP.".to_owned(),
    }
}

/// Says what an error code means.
fn explain(error: WireError) -> String {
    let name = hresult::name(error.code);
    let mut text = format!("{name} (0x{:08X})", error.code);
    if name == format!("0x{:08X}", error.code) {
        text = name;
    }
    if let Some(known) = hresult::lookup(error.code) {
        text.push_str(": ");
        text.push_str(known.meaning);
    }
    if let Some(context) = error.context {
        let _ = write!(text, ". Context 0x{context:X}");
        if let Some(name) = hresult::context_name(context) {
            let _ = write!(text, " {name}");
        }
    }
    text.push('.');
    text
}

/// Says what the Windows client does next, where a source says: of the error code, else of the status.
fn next(exchange: &Exchange) -> Option<&'static str> {
    let said = |code| {
        let next = hresult::lookup(code)?.next;
        (!next.is_empty()).then_some(next)
    };
    let error = exchange.error.filter(|error| error.code != 0);
    let goes_on = exchange.auth.is_some_and(Auth::goes_on);
    let status = exchange.status.filter(|status| *status >= 400 && !goes_on);
    error
        .and_then(|error| said(error.code))
        .or_else(|| said(0x8019_0000 | u32::from(status?)))
}

fn about_session(out: &mut Vec<Line<'static>>, model: &Model, session: &Session, width: usize) {
    let look = model.look;
    let (state, role) = state(session.state);
    let mut text = format!(
        "Session {}: {} of {}, {state}, {}",
        session.no,
        session.kind.name(),
        session.name,
        long(session.acknowledged)
    );
    if let Some(total) = session.total {
        let _ = write!(text, " of {}", long(total));
    }
    text.push_str(match session.kind {
        SessionKind::Download => " arrived",
        _ => " acknowledged",
    });
    for (count, what) in [
        (session.restarts, "restart"),
        (session.rewinds, "rewind"),
        (session.problems, "problem"),
    ] {
        if count > 0 {
            let s = if count == 1 { "" } else { "s" };
            let _ = write!(text, ", {count} {what}{s}");
        }
    }
    if session.resent > 0 {
        let _ = write!(text, ", {} sent again", long(session.resent));
    }
    text.push('.');
    let mark = if role == Role::Error { " E" } else { "" };
    paragraph(out, mark, 3, &text, width, look, role);
    if let Some(flight) = in_flight(model, session) {
        paragraph(out, "", 3, &flight, width, look, Role::Live);
    }
    let bullet = format!(" {}", signs(look).bullet);
    for sentence in session.story.iter().take(SENTENCES) {
        paragraph(out, &bullet, 3, sentence, width, look, Role::Text);
    }
    if session.story.len() > SENTENCES {
        let more = format!("{} more sentences", session.story.len() - SENTENCES);
        paragraph(out, "", 3, &more, width, look, Role::Dim);
    }
    for (what, value) in [
        ("id", session.session_id.as_deref()),
        ("agent", session.user_agent.as_deref()),
        ("reply", session.reply_url.as_deref()),
    ] {
        if let Some(value) = value {
            paragraph(
                out,
                "",
                3,
                &format!("{what}: {value}"),
                width,
                look,
                Role::Dim,
            );
        }
    }
    if let Some(client) = session.client {
        paragraph(
            out,
            "",
            3,
            &format!("client: {client}"),
            width,
            look,
            Role::Dim,
        );
    }
}

fn in_flight(model: &Model, session: &Session) -> Option<String> {
    let rate = model
        .speeds
        .get(&session.no)?
        .rate
        .filter(|rate| *rate > 0)?;
    let left = session.total?.saturating_sub(session.acknowledged);
    let seconds = std::time::Duration::from_secs(left / rate);
    Some(format!(
        "{} a second now; {} to go.",
        long(rate),
        span(seconds)
    ))
}
