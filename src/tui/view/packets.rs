//! The list of packets: one row per exchange, from the first byte of its request on.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::catalog::exchange_at;
use super::super::filter::session_of;
use super::super::jot;
use super::super::model::{Focus, Model, View};
use super::super::rows::{Rows, is_in_flight};
use super::super::sync::waited;
use super::super::text;
use super::super::theme::{Role, signs, style};
use super::paint::{Align, Pen, pane, sorted};
use crate::bits::{Auth, ContentRange};
use crate::timeline::{Exchange, Outcome};

/// Width of all columns of one packet, with the blanks between them.
const FIXED: u16 = 70;

/// Draws the list.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let look = model.look;
    let focus = model.focus == Focus::Packets;
    let inner = pane(buf, area, look, focus, title(model, rows));
    let url = url_width(model, inner.width);
    titles(Pen::new(buf, inner, 0, look), model, url);
    if model.packets.is_empty() {
        let mut pen = Pen::new(buf, inner, 1, look);
        pen.skip(1);
        pen.text(empty(model, rows), Role::Dim);
        return;
    }
    for (line, (index, row)) in model.packets.on_screen().enumerate() {
        let Ok(line) = u16::try_from(line + 1) else {
            break;
        };
        let Some(exchange) = exchange_at(rows, row) else {
            continue;
        };
        let mut pen = Pen::new(buf, inner, line, look);
        if index == model.packets.cursor() {
            pen = pen.base(if focus { Role::Selected } else { Role::Marked });
            pen.cell(1, signs(look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        packet_row(pen, model, rows, exchange, url);
    }
}

fn title(model: &Model, rows: &dyn Rows) -> Line<'static> {
    let look = model.look;
    let strong = style(look, Role::Strong);
    let mut title = vec![Span::styled(" Packets ", strong)];
    match model.scope.and_then(|no| session_of(rows, no)) {
        Some(session) => {
            let name = text::fit(&session.name, 28, look.ascii);
            title.push(Span::styled(format!("of {name} "), strong));
            if let Some(id) = &session.session_id {
                let id = text::fit(id, 12, look.ascii);
                title.push(Span::styled(format!("{id} "), style(look, Role::Dim)));
            }
        }
        None if model.view == View::Packets => {
            title.push(Span::styled("of all sessions ", strong));
        }
        None => {}
    }
    if model.packets.follow {
        title.push(Span::styled("following ", style(look, Role::Live)));
    }
    Line::from(title)
}

fn empty(model: &Model, rows: &dyn Rows) -> &'static str {
    if !model.filter.is_empty() && rows.exchange_count() > 0 {
        "The filter takes no packet."
    } else if model.status.ended {
        "Nothing was transferred."
    } else {
        "No packet yet."
    }
}

/// Below this width the last column has the file's name, not the URL.
const URL: u16 = 20;

/// Returns the width of the URL column: none where only one session is listed.
fn url_width(model: &Model, width: u16) -> u16 {
    if model.view == View::Packets && width >= FIXED + 8 {
        width - FIXED - 1
    } else {
        0
    }
}

fn titles(mut pen: Pen<'_>, model: &Model, url: u16) {
    let list = &model.packets;
    let title = |name: &str, at: usize| {
        let sign = sorted(
            model.look,
            list.column == at && (at > 0 || list.descending),
            list.descending,
        );
        format!("{name}{sign}")
    };
    pen.skip(1);
    pen.cell(6, &title("#", 0), Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(8, "time", Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(14, &title("packet", 1), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(13, &title("range", 2), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(3, &title("st", 3), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(6, &title("next", 4), Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(7, &title("wait", 5), Role::Dim, Align::Right);
    pen.skip(1);
    pen.skip(5);
    if url > 0 {
        pen.skip(1);
        let title = if url < URL { "file" } else { "url" };
        pen.cell(url, title, Role::Dim, Align::Left);
    }
}

fn packet_row(mut pen: Pen<'_>, model: &Model, rows: &dyn Rows, exchange: &Exchange, url: u16) {
    let problem = exchange.is_problem();
    let annotation = jot::of(rows, exchange);
    if let Some(annotation) = annotation {
        let mark = if annotation.marked { "*" } else { "" };
        let comment = if annotation.comment.is_empty() {
            ""
        } else {
            "\""
        };
        let no = format!("{mark}{comment}{}", exchange.no);
        pen.cell(6, &no, Role::Warning, Align::Right);
    } else {
        pen.cell(6, &exchange.no.to_string(), Role::Dim, Align::Right);
    }
    pen.skip(1);
    pen.cell(
        8,
        &text::moment(exchange.times.get().begun),
        Role::Dim,
        Align::Right,
    );
    pen.skip(1);
    let packet = match exchange.packet {
        Some(packet) => packet.name(),
        None if exchange.method.is_empty() => "(no head)",
        None => &exchange.method,
    };
    pen.cell(14, packet, Role::Text, Align::Left);
    pen.skip(1);
    pen.cell(
        13,
        &exchange
            .range
            .map_or_else(|| login(exchange, "-").to_owned(), range),
        Role::Text,
        Align::Left,
    );
    pen.skip(1);
    if let Some(held) = super::rules::held_sign(model, exchange) {
        pen.cell(24, &held, Role::Warning, Align::Left);
    } else if is_in_flight(exchange) && exchange.status.is_none() {
        progress(&mut pen, model, exchange);
    } else {
        let status = exchange
            .status
            .map_or_else(|| "---".to_owned(), |status| status.to_string());
        pen.cell(
            3,
            &status,
            if problem { Role::Error } else { Role::Good },
            Align::Left,
        );
        pen.skip(1);
        let next = exchange
            .received
            .get()
            .map_or_else(|| "-".to_owned(), text::short);
        pen.cell(6, &next, Role::Text, Align::Right);
        pen.skip(1);
        let wait = waited(exchange).map_or_else(|| "-".to_owned(), text::span);
        pen.cell(7, &wait, Role::Dim, Align::Right);
        pen.skip(1);
        let (sign, role) = sign(exchange, problem);
        pen.cell(5, sign, role, Align::Left);
    }
    if url > 0 {
        pen.skip(1);
        let name = exchange.session.and_then(|no| session_of(rows, no));
        let text = match name {
            Some(session) if url < URL => &session.name,
            _ => &exchange.url,
        };
        let comment = annotation.filter(|annotation| !annotation.comment.is_empty());
        if let Some(annotation) = comment {
            let text = format!("\"{}\" {text}", annotation.comment);
            pen.cell(url, &text, Role::Warning, Align::Left);
        } else {
            // Where the column of ranges has no room for it.
            let login = exchange.range.map_or("", |_| login(exchange, ""));
            let blank = if login.is_empty() { "" } else { " " };
            let text = format!("{login}{blank}{text}");
            pen.cell(url, &text, Role::Dim, Align::Left);
        }
    }
}

/// Returns the leg of a login that an exchange is, else `none`.
fn login(exchange: &Exchange, none: &'static str) -> &'static str {
    let short = exchange.auth.map_or("", Auth::short);
    if short.is_empty() { none } else { short }
}

/// Draws how far a request is, in the place of the answer that it does not have yet.
fn progress(pen: &mut Pen<'_>, model: &Model, exchange: &Exchange) {
    let Some(request) = &exchange.request else {
        pen.cell(24, "waiting", Role::Live, Align::Left);
        return;
    };
    let during = model.now.saturating_sub(exchange.times.get().begun);
    if exchange.times.get().request_end.is_some() {
        let waits = model
            .now
            .saturating_sub(exchange.times.get().request_end.unwrap_or_default());
        pen.cell(
            24,
            &format!("waiting {}", text::span(waits)),
            Role::Live,
            Align::Left,
        );
        return;
    }
    let rate = text::rate(request.body, during).unwrap_or_default();
    if let Some(length) = request.length().filter(|length| *length > 0) {
        let percent = text::percent(request.body, length);
        pen.bar(8, percent, Role::Live);
        pen.skip(1);
        pen.cell(4, &format!("{percent}%"), Role::Live, Align::Right);
        pen.skip(1);
        pen.cell(10, &rate, Role::Live, Align::Left);
    } else {
        let text = format!("{} {rate}", text::short(request.body));
        pen.cell(24, &text, Role::Live, Align::Left);
    }
}

/// Returns the word for how an exchange came out, where it is not a plain success.
fn sign(exchange: &Exchange, problem: bool) -> (&'static str, Role) {
    match exchange.outcome {
        Outcome::InFlight => ("...", Role::Live),
        Outcome::Complete if problem => ("E", Role::Error),
        Outcome::Complete => ("", Role::Text),
        Outcome::NoResponse => ("none", Role::Error),
        Outcome::CutRequest => ("cut>", Role::Error),
        Outcome::CutResponse => ("cut<", Role::Error),
        Outcome::Injected => ("proxy", Role::Warning),
        Outcome::Malformed => ("bad", Role::Error),
    }
}

/// Returns a range in short: first and last byte, both inclusive.
fn range(range: ContentRange) -> String {
    format!("{}-{}", text::short(range.first), text::short(range.last))
}
