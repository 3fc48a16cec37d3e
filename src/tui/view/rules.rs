//! The rules of the running proxy: what is on, what fired, and why the rest did not.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::layout::RULES_FOOT;
use super::super::model::Model;
use super::super::operator;
use super::super::rows::Rows;
use super::super::text::wrap;
use super::super::theme::{Role, signs, style};
use super::paint::{Align, Pen, pane};
use crate::fault::RuleState;

/// From this width on preset and condition have columns.
const WIDE: u16 = 106;

/// Draws the list with what there is to say of the selected rule below it.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let look = model.look;
    let operator = &model.operator;
    let state = if operator.rules.is_empty() {
        ""
    } else if !operator.on {
        "ALL OFF (:faults on) "
    } else if operator.trouble.is_some() {
        "as they were: their file is broken "
    } else {
        "in file order "
    };
    let title = Line::styled(format!(" Rules {state}"), style(look, Role::Strong));
    let inner = pane(buf, area, look, true, title);
    if operator.rules.is_empty() {
        let mut pen = Pen::new(buf, inner, 0, look);
        pen.skip(1);
        pen.text(empty(model), Role::Dim);
        return;
    }
    let wide = inner.width >= WIDE;
    titles(Pen::new(buf, inner, 0, look), wide);
    let shown = operator.rules.iter().enumerate().skip(operator.top);
    for (line, (index, rule)) in (1..).zip(shown.take(operator.height)) {
        let mut pen = Pen::new(buf, inner, line, look);
        if index == operator.at {
            pen = pen.base(Role::Selected);
            pen.cell(1, signs(look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        rule_row(pen, rule, operator.on, wide);
    }
    foot(buf, inner, model, rows);
}

fn empty(model: &Model) -> &'static str {
    if model.operator.plugged {
        "This proxy has no rules: start it with --rules FILE (bitstap rules --help)."
    } else {
        "Rules belong to a running proxy: bitstap proxy --rules FILE."
    }
}

fn titles(mut pen: Pen<'_>, wide: bool) {
    pen.skip(1);
    pen.cell(5, "", Role::Dim, Align::Left);
    pen.cell(20, "rule", Role::Dim, Align::Left);
    if wide {
        pen.cell(6, "preset", Role::Dim, Align::Left);
        pen.skip(1);
    }
    pen.cell(13, "stage", Role::Dim, Align::Left);
    for name in ["matched", "fired", "skipped"] {
        pen.cell(8, name, Role::Dim, Align::Right);
    }
    pen.skip(2);
    if wide {
        pen.cell(24, "when", Role::Dim, Align::Left);
        pen.skip(1);
    }
    pen.cell(pen.left(), "does", Role::Dim, Align::Left);
}

fn rule_row(mut pen: Pen<'_>, rule: &RuleState, all: bool, wide: bool) {
    let (sign, role) = match (rule.on, all) {
        (true, true) => ("on", Role::Good),
        (true, false) => ("(on)", Role::Dim),
        (false, _) => ("off", Role::Dim),
    };
    pen.cell(5, sign, role, Align::Left);
    pen.cell(19, &rule.name, Role::Text, Align::Left);
    pen.skip(1);
    if wide {
        let preset = rule.preset.as_deref().unwrap_or("-");
        pen.cell(6, preset, Role::Dim, Align::Left);
        pen.skip(1);
    }
    pen.cell(13, rule.stage.name(), Role::Dim, Align::Left);
    let fired = if rule.fired > 0 {
        Role::Warning
    } else {
        Role::Dim
    };
    for (count, role) in [
        (rule.matched, Role::Text),
        (rule.fired, fired),
        (rule.skipped, Role::Dim),
    ] {
        pen.skip(1);
        pen.cell(7, &count.to_string(), role, Align::Right);
    }
    pen.skip(2);
    if wide {
        pen.cell(24, &rule.when, Role::Dim, Align::Left);
        pen.skip(1);
    }
    pen.cell(pen.left(), &rule.what, Role::Text, Align::Left);
}

/// Says all of the selected rule, and what it did on the selected packet.
fn foot(buf: &mut Buffer, inner: Rect, model: &Model, rows: &dyn Rows) {
    let operator = &model.operator;
    let Some(rule) = operator.rules.get(operator.at) else {
        return;
    };
    let foot = u16::try_from(RULES_FOOT).unwrap_or(0).min(inner.height);
    let area = Rect {
        y: inner.bottom() - foot,
        height: foot,
        ..inner
    };
    let preset = rule.preset.as_deref();
    let name = preset.map_or_else(
        || rule.name.clone(),
        |preset| format!("{} (preset {preset})", rule.name),
    );
    let when = if rule.when.is_empty() {
        "always"
    } else {
        &rule.when
    };
    let mut lines = vec![
        ("", name, Role::Strong),
        ("when", when.to_owned(), Role::Text),
        (
            "does",
            format!("{} at {}", rule.what, rule.stage.name()),
            Role::Text,
        ),
    ];
    if let Some(trouble) = &operator.trouble {
        lines.insert(0, ("file", trouble.clone(), Role::Error));
    }
    lines.push(match model.exchange(rows) {
        None => ("why", "no packet is selected".to_owned(), Role::Dim),
        Some(exchange) => {
            let said = operator
                .why
                .get(operator.at)
                .filter(|(name, _)| *name == rule.name);
            let said = said.map_or("...", |(_, text)| text.as_str());
            (
                "why",
                format!("on packet {}: {said}", exchange.no),
                Role::Warning,
            )
        }
    });
    let width = usize::from(area.width.saturating_sub(8));
    let folded = lines.into_iter().flat_map(|(label, text, role)| {
        let lines = wrap(&text, width).into_iter().take(2).enumerate();
        lines.map(move |(at, text)| (if at == 0 { label } else { "" }, text, role))
    });
    for (line, (label, text, role)) in (1..area.height).zip(folded) {
        let mut pen = Pen::new(buf, area, line, model.look);
        pen.skip(1);
        if role != Role::Strong {
            pen.cell(6, label, Role::Dim, Align::Left);
        }
        pen.text(&text, role);
    }
}

/// Tells how long a held message still waits, where it is this exchange's: `held 1:47`.
pub(super) fn held_sign(model: &Model, exchange: &crate::timeline::Exchange) -> Option<String> {
    let row = exchange.no.checked_sub(1)?;
    let held = model
        .operator
        .held
        .iter()
        .filter(|held| held.conn == exchange.conn)
        .find(|held| operator::row_of(model, held) == Some(row))?;
    Some(match super::held::left(model, held) {
        Some(left) => format!("held {}", super::held::clock(left)),
        None => "held".to_owned(),
    })
}
