//! A rehearsal of rules in words and as JSON Lines.

use crate::fault::Stage;
use crate::fault::rehearse::{Rehearsal, Rehearsed, Told};

/// So many receipts of a rule are told one by one in text.
const EACH: usize = 20;

/// Tells what became of each rule.
pub(super) fn text(rehearsal: &Rehearsal) -> Vec<String> {
    let mut lines = vec![format!(
        "{} looked at, seed {}",
        counted(rehearsal.exchanges, "exchange"),
        rehearsal.seed
    )];
    if rehearsal.headless > 0 {
        lines.push(format!(
            "{} passed over: the recording does not hold the head of the request",
            counted(rehearsal.headless, "exchange")
        ));
    }
    for rule in &rehearsal.rules {
        lines.push(String::new());
        tell(rule, &mut lines);
    }
    lines
}

fn tell(rule: &Rehearsed, lines: &mut Vec<String>) {
    let state = &rule.state;
    let off = if state.on { "" } else { ", off" };
    lines.push(format!(
        "{} at {}{off}: fired {}, matched {}",
        state.name,
        state.stage.name(),
        state.fired,
        state.matched
    ));
    lines.push(format!("  does   {}", state.what));
    if !state.when.is_empty() {
        lines.push(format!("  when   {}", state.when));
    }
    lines.extend(
        rule.fired
            .iter()
            .take(EACH)
            .map(|told| line("fired", told, 0)),
    );
    let rest = usize::try_from(state.fired)
        .unwrap_or(usize::MAX)
        .saturating_sub(EACH);
    if rest > 0 {
        lines.push(format!("  fired  {rest} more"));
    }
    let alike = |one: &Told, next: &Told| one.receipt.reason == next.receipt.reason;
    for same in rule.skipped.chunk_by(alike).take(EACH) {
        let more = same.len().saturating_sub(1);
        lines.extend(same.first().map(|told| line("not", told, more)));
    }
    let shown: usize = rule
        .skipped
        .chunk_by(alike)
        .take(EACH)
        .map(<[Told]>::len)
        .sum();
    let rest = usize::try_from(state.skipped)
        .unwrap_or(usize::MAX)
        .saturating_sub(shown);
    if rest > 0 {
        lines.push(format!("  not    {rest} more that matched"));
    }
    let what = match state.stage {
        Stage::Connect | Stage::Close => "connection",
        _ => "exchange",
    };
    for (reason, count) in &rule.unmatched {
        lines.push(format!("  not    {}: {reason}", counted(*count, what)));
    }
}

/// Tells one receipt, and that `more` behind it say the same.
fn line(word: &str, told: &Told, more: usize) -> String {
    let receipt = &told.receipt;
    let place = match told.exchange {
        Some(no) => format!("exchange {no}"),
        None => format!("connection {}", told.conn.0),
    };
    let what = if receipt.fired() {
        receipt.actions.join(", ")
    } else {
        receipt.reason.clone()
    };
    format!(
        "  {word:<6} {place} at {:.3} s{}: {what} (match {} of {})",
        told.at.as_secs_f64(),
        if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        },
        receipt.ordinal,
        receipt.key
    )
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Tells the same as JSON Lines: each receipt, then each rule.
pub(super) fn json(rehearsal: &Rehearsal) -> Vec<String> {
    let mut lines = Vec::new();
    for rule in &rehearsal.rules {
        let mut told: Vec<&Told> = rule.fired.iter().chain(&rule.skipped).collect();
        told.sort_by_key(|told| told.at);
        lines.extend(told.into_iter().map(receipt));
        let state = &rule.state;
        lines.push(object(
            "rehearsed",
            &serde_json::json!({
                "rule": state.name,
                "preset": state.preset,
                "on": state.on,
                "stage": state.stage.name(),
                "when": state.when,
                "does": state.what,
                "matched": state.matched,
                "fired": state.fired,
                "unmatched": rule.unmatched,
            }),
        ));
    }
    lines
}

fn receipt(told: &Told) -> String {
    let receipt = &told.receipt;
    object(
        "receipt",
        &serde_json::json!({
            "rule": receipt.rule,
            "stage": Stage::name(receipt.stage),
            "t": told.at.as_secs_f64(),
            "conn": told.conn.0,
            "exchange": told.exchange,
            "fired": receipt.fired(),
            "actions": receipt.actions,
            "reason": (!receipt.fired()).then_some(&receipt.reason),
            "key": receipt.key,
            "ordinal": receipt.ordinal,
        }),
    )
}

/// Writes a JSON line with its type first; `fields` is an object that is not empty.
pub(super) fn object(kind: &str, fields: &serde_json::Value) -> String {
    let fields = fields.to_string();
    let rest = fields.strip_prefix('{').unwrap_or(&fields);
    format!("{{\"type\":\"{kind}\",{rest}")
}
