//! Findings as SARIF 2.1.0, which code hosts and editors show beside the file.
//!
//! OASIS SARIF 2.1.0

use serde_json::{Value, json};

use crate::bits::check::{Finding, Level, Profile, rules};

use super::Checked;

/// Returns the whole document.
pub fn sarif(captures: &[Checked<'_>], profile: Profile) -> String {
    let known: Vec<&str> = rules().map(|rule| rule.id).collect();
    let described: Vec<Value> = rules()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": { "text": rule.says },
                "help": { "text": format!("{} Source: {}.", rule.says, rule.source) },
                "defaultConfiguration": { "level": level(rule.level(profile)) },
            })
        })
        .collect();
    let mut results = Vec::new();
    for capture in captures {
        for finding in capture.findings {
            results.push(json!({
                "ruleId": finding.id,
                "ruleIndex": known.iter().position(|id| *id == finding.id),
                "level": level(finding.level),
                "message": { "text": finding.text },
                "locations": [{
                    "physicalLocation": { "artifactLocation": { "uri": uri(capture.file) } },
                    "logicalLocations": place(finding),
                }],
                "properties": {
                    "who": finding.who.name(),
                    "source": finding.source,
                    "exchange": finding.exchange,
                    "session": finding.session,
                },
            }));
        }
    }
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "bitstap",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": described,
            }},
            "properties": { "profile": profile.name() },
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Off => "none",
        Level::Note => "note",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

fn place(finding: &Finding) -> Vec<Value> {
    let named = |kind: &str, number: Option<u32>| {
        number.map(|number| json!({ "name": format!("{kind} {number}"), "kind": kind }))
    };
    [
        named("session", finding.session),
        named("exchange", finding.exchange),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns a path as a relative or absolute URI reference. RFC 3986 §4.1
fn uri(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'\\' => text.push('/'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
