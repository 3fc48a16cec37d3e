//! The page of all rules, made from the tables.

use std::fmt::Write as _;

use super::rule::{Profile, Rule};
use super::rules;

/// Returns `docs/findings.md`.
pub fn manual() -> String {
    let mut page = String::from(HEAD);
    page.push_str("| Rule | windows | spec | docs | Who | What must hold | Source |\n|---|---|---|---|---|---|---|\n");
    for rule in rules() {
        row(&mut page, rule);
    }
    page
}

const HEAD: &str = "\
# Findings

What bitstap holds against the ends of a BITS conversation, and where it is written. This page is made from
the tables in `src/bits/check/`.

A finding has a level: **error** (breaks a rule that real peers rely on), **warning** (breaks a recommendation,
or is risky), **note** (differs from the text but is known in the field, or is just worth showing). Where the
documents disagree, the profile decides: `windows` (what Windows and IIS really do is neither an error nor a
warning), `spec` (MC-BUP to the letter), `docs` (the Win32 pages). `off` means that the profile does not know
the rule. A rule marked with `*` is told once in a session.

A rule that needs history is silent where the history was not seen: when the capture begins in the middle of a
session or connection, or where bytes are missing. Answers without BITS headers (401, 407, 502, 503, 504 of
gateways and authentication layers), answers that bitstap wrote itself, and answers whose head a fault rule
changed (where the capture has both legs) are not held against the server.
A breach that is another one's consequence is told as one where the two cannot be told apart. Of one rule
the first 5000 findings are listed and searched by filters; the others are only counted: the totals hold
them, and a last finding of the rule says how many they are. docs/findings-accuracy.md says what is found in
the captures at hand, and what of it is right. All rules are checked.

## Rules

";

fn row(page: &mut String, rule: &Rule) {
    let levels = Profile::ALL.map(|profile| rule.level(profile).name());
    let who: Vec<&str> = rule.who.iter().map(|who| who.name()).collect();
    let once = if rule.once { "\\*" } else { "" };
    let _ = writeln!(
        page,
        "| {}{once} | {} | {} | {} | {} |",
        rule.id,
        levels.join(" | "),
        who.join(", "),
        cell(rule.says),
        cell(rule.source),
    );
}

/// Returns text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "\\<")
        .replace('*', "\\*")
}
