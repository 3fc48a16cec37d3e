//! Two sessions compared: one line for packets that answer to each other, with what differs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line as Text, Span};

use super::super::catalog::exchange_at;
use super::super::filter::session_of;
use super::super::layout::VERSUS_FOOT;
use super::super::model::Model;
use super::super::rows::Rows;
use super::super::text::{fit, harmless, short, span, wrap};
use super::super::theme::{Role, signs, style};
use super::paint::{Align, Pen, pane};
use crate::bits::{ContentRange, hresult};
use crate::timeline::compare::{Aspect, Line};
use crate::timeline::{Exchange, WireError};

/// Draws the comparison.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let look = model.look;
    let inner = pane(buf, area, look, true, title(model, rows));
    titles(Pen::new(buf, inner, 0, look));
    if model.versus.lines.is_empty() {
        let mut pen = Pen::new(buf, inner, 1, look);
        pen.skip(1);
        pen.text("Neither session has a packet.", Role::Dim);
        return;
    }
    for (line, (index, row)) in model.versus.list.on_screen().enumerate() {
        let (Ok(line), Some(compared)) = (u16::try_from(line + 1), model.versus.line(row)) else {
            break;
        };
        let mut pen = Pen::new(buf, inner, line, look);
        if index == model.versus.list.cursor() {
            pen = pen.base(Role::Selected);
            pen.cell(1, signs(look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        packets(pen, rows, compared);
    }
    foot(buf, inner, model);
}

fn title(model: &Model, rows: &dyn Rows) -> Text<'static> {
    let look = model.look;
    let (left, right) = model.versus.sessions.unwrap_or_default();
    let name = |no: u32| {
        let name = session_of(rows, no).map(|session| fit(&session.name, 20, look.ascii));
        format!("{no} {}", name.unwrap_or_default())
    };
    let differ = model.versus.differ;
    let (text, role) = match differ {
        0 => ("nothing differs ".to_owned(), Role::Good),
        1 => ("1 packet differs ".to_owned(), Role::Warning),
        _ => (format!("{differ} packets differ "), Role::Warning),
    };
    Text::from(vec![
        Span::styled(
            format!(" Sessions {} and {}: ", name(left), name(right)),
            style(look, Role::Strong),
        ),
        Span::styled(text, style(look, role)),
    ])
}

fn titles(mut pen: Pen<'_>) {
    pen.skip(1);
    pen.cell(2, "", Role::Dim, Align::Left);
    pen.cell(6, "left", Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(6, "right", Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(14, "packet", Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(13, "range", Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(
        pen.left(),
        "what differs, left and right",
        Role::Dim,
        Align::Left,
    );
}

fn packets(mut pen: Pen<'_>, rows: &dyn Rows, line: &Line) {
    let find = |no: Option<u32>| -> Option<&Exchange> { exchange_at(rows, no?.checked_sub(1)?) };
    let number = |no: Option<u32>| no.map_or_else(|| "-".to_owned(), |no| no.to_string());
    let Some(exchange) = find(line.left).or_else(|| find(line.right)) else {
        return;
    };
    let sign = match line.differs.first() {
        None => "=",
        Some(Aspect::OnlyLeft) => "<",
        Some(Aspect::OnlyRight) => ">",
        Some(_) => "!",
    };
    let role = if line.differs.is_empty() {
        Role::Dim
    } else {
        Role::Warning
    };
    pen.cell(2, sign, role, Align::Left);
    pen.cell(6, &number(line.left), Role::Dim, Align::Right);
    pen.skip(1);
    pen.cell(6, &number(line.right), Role::Dim, Align::Right);
    pen.skip(1);
    let packet = exchange
        .packet
        .map_or(&*exchange.method, |packet| packet.name());
    pen.cell(14, packet, Role::Text, Align::Left);
    pen.skip(1);
    let bytes = exchange.range.map(|range| ContentRange {
        total: None,
        ..range
    });
    pen.cell(13, &range(bytes), Role::Text, Align::Left);
    pen.skip(1);
    let left = pen.left();
    pen.cell(left, &told(line), role, Align::Left);
}

/// Says all that differs in the selected packets.
fn foot(buf: &mut Buffer, inner: Rect, model: &Model) {
    let Some(line) = model.versus.selected() else {
        return;
    };
    let text = match told(line) {
        text if text.is_empty() => "Nothing differs here.".to_owned(),
        text => text,
    };
    let width = usize::from(inner.width.saturating_sub(2));
    let text = wrap(&harmless(&text, model.look.ascii), width);
    let foot = u16::try_from(VERSUS_FOOT).unwrap_or(0);
    let top = inner.height.saturating_sub(foot);
    for (line, text) in (top..inner.height).zip(text) {
        let mut pen = Pen::new(buf, inner, line, model.look);
        pen.skip(1);
        pen.text(&text, Role::Strong);
    }
}

/// Says what differs, the left session's first.
fn told(line: &Line) -> String {
    let parts: Vec<String> = line.differs.iter().map(aspect).collect();
    parts.join("; ")
}

fn aspect(aspect: &Aspect) -> String {
    let status =
        |status: &Option<u16>| status.map_or_else(|| "none".to_owned(), |it| it.to_string());
    let next = |next: &Option<u64>| next.map_or_else(|| "none".to_owned(), |it| it.to_string());
    let error = |error: &Option<WireError>| {
        error.map_or_else(|| "none".to_owned(), |error| hresult::name(error.code))
    };
    let rules = |rules: &[&'static str]| {
        if rules.is_empty() {
            "none".to_owned()
        } else {
            rules.join(" ")
        }
    };
    match aspect {
        Aspect::OnlyLeft => "only the left session has it".to_owned(),
        Aspect::OnlyRight => "only the right session has it".to_owned(),
        Aspect::Status(one, other) => format!("status {} / {}", status(one), status(other)),
        Aspect::Outcome(one, other) => format!("{} / {}", one.name(), other.name()),
        Aspect::Range(one, other) => format!("range {} / {}", range(*one), range(*other)),
        Aspect::Received(one, other) => format!("next {} / {}", next(one), next(other)),
        Aspect::Error(one, other) => format!("error {} / {}", error(one), error(other)),
        Aspect::Wait(one, other) => format!("wait {} / {}", span(*one), span(*other)),
        Aspect::Findings(one, other) => format!("findings {} / {}", rules(one), rules(other)),
    }
}

fn range(range: Option<ContentRange>) -> String {
    let Some(range) = range else {
        return "-".to_owned();
    };
    let total = range
        .total
        .map_or_else(String::new, |total| format!("/{}", short(total)));
    format!("{}-{}{total}", short(range.first), short(range.last))
}
