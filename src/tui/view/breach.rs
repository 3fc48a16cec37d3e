//! Findings tab: what was held against the selected packet and its session, and what the rules say.

use ratatui::text::{Line, Span};

use super::super::found::{finding_at, selected};
use super::super::model::{Focus, Model, View};
use super::super::rows::Rows;
use super::super::theme::{Role, style};
use super::detail::paragraph;
use super::findings::sign;
use crate::bits::check;
use crate::timeline::Finding;

/// Rules of a session that are listed at most.
const RULES: usize = 200;

/// Returns the tab's lines.
pub(super) fn lines(model: &Model, rows: &dyn Rows, width: usize) -> Vec<Line<'static>> {
    let look = model.look;
    let mut out = Vec::new();
    let chosen = selected(model, rows).filter(|_| model.view == View::Findings);
    let exchange = model.exchange(rows);
    if let Some(finding) = chosen {
        whole(&mut out, model, finding, width);
    }
    let of_packet = exchange.and_then(|exchange| Some(rows.margin()?.findings(exchange.no)));
    let session_first = model.focus == Focus::Sessions;
    if let Some(exchange) = exchange.filter(|_| !session_first) {
        let others: Vec<&Finding> = of_packet
            .unwrap_or_default()
            .into_iter()
            .filter(|finding| chosen != Some(finding))
            .collect();
        if others.is_empty() && chosen.is_none() {
            let text = format!("Packet {} broke no rule.", exchange.no);
            paragraph(&mut out, "", 1, &text, width, look, Role::Dim);
        }
        if !others.is_empty() && chosen.is_some() {
            out.push(Line::raw(""));
            let text = format!("Also in packet {}:", exchange.no);
            paragraph(&mut out, "", 1, &text, width, look, Role::Dim);
        }
        for finding in others {
            whole(&mut out, model, finding, width);
        }
    }
    of_session(&mut out, model, rows, width);
    if out.is_empty() {
        paragraph(
            &mut out,
            "",
            1,
            "Nothing is selected.",
            width,
            look,
            Role::Dim,
        );
    }
    out
}

/// Tells one finding and its rule.
fn whole(out: &mut Vec<Line<'static>>, model: &Model, finding: &Finding, width: usize) {
    let look = model.look;
    let (letter, role) = sign(finding.level);
    let place = match (finding.exchange, finding.session) {
        (Some(no), _) => format!(", packet {no}"),
        (None, Some(no)) => format!(", session {no}"),
        (None, None) => String::new(),
    };
    let level = finding.level.name();
    let who = finding.who.name();
    out.push(Line::from(vec![
        Span::styled(format!(" {letter} {}", finding.id), style(look, role)),
        Span::styled(
            format!("  {level}, by the {who}{place}"),
            style(look, Role::Dim),
        ),
    ]));
    paragraph(out, "", 3, &finding.text, width, look, Role::Text);
    if let Some(rule) = check::find(finding.id) {
        let once = if rule.once {
            " Told once in a session."
        } else {
            ""
        };
        let text = format!("The rule: {} ({}){once}", rule.says, rule.source);
        paragraph(out, "", 3, &text, width, look, Role::Dim);
    }
}

/// Tells which rules the session broke, how often, and where first.
fn of_session(out: &mut Vec<Line<'static>>, model: &Model, rows: &dyn Rows, width: usize) {
    let look = model.look;
    let Some(session) = model.session(rows) else {
        return;
    };
    let mut counted: Vec<(&Finding, usize)> = Vec::new();
    // Rules are few; a session that breaks one again and again costs what its findings are.
    for finding in model.found.of_session(session.no) {
        let Some(finding) = finding_at(rows, *finding) else {
            continue;
        };
        let rules = counted.len();
        match counted.iter_mut().find(|(known, _)| known.id == finding.id) {
            Some((_, count)) => *count += 1,
            None if rules < RULES => counted.push((finding, 1)),
            None => {}
        }
    }
    if !out.is_empty() {
        out.push(Line::raw(""));
    }
    if counted.is_empty() {
        let text = format!("Session {} broke no rule.", session.no);
        paragraph(out, "", 1, &text, width, look, Role::Dim);
        return;
    }
    counted.sort_by_key(|(finding, _)| (std::cmp::Reverse(finding.level), finding.id));
    let text = format!("In all of session {}:", session.no);
    paragraph(out, "", 1, &text, width, look, Role::Dim);
    for (finding, count) in counted {
        let (letter, role) = sign(finding.level);
        let where_found = match (count, finding.exchange) {
            (1, None) => String::new(),
            (1, Some(no)) => format!("packet {no}: "),
            (count, None) => format!("{count} times: "),
            (count, Some(no)) => format!("{count} times, first in packet {no}: "),
        };
        let text = format!("{}: {where_found}{}", finding.id, finding.text);
        paragraph(out, &format!(" {letter}"), 3, &text, width, look, role);
    }
}
