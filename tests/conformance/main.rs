//! Every rule that is checked has a conversation that breaks it and one that keeps it.

#[path = "../support/conversation.rs"]
mod conversation;
#[path = "../support/dialogue.rs"]
mod dialogue;
#[path = "../support/examples.rs"]
mod examples;
#[path = "../support/legs.rs"]
mod legs;

mod answers;
mod downloads;
mod order;
mod profiles;
mod quiet;
mod requests;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bitstap::bits::check::{manual, rules};
use bitstap::timeline::{Level, Profile, Timeline};
use dialogue::{Dialogue, upload};

/// A rule with both conversations.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    rule: &'static str,
    breaks: fn() -> Dialogue,
    keeps: fn() -> Dialogue,
    /// Rules that are broken by the same act.
    also: &'static [&'static str],
    profile: Profile,
}

pub(crate) fn case(rule: &'static str, breaks: fn() -> Dialogue) -> Case {
    Case {
        rule,
        breaks,
        keeps: upload,
        also: &[],
        profile: Profile::Windows,
    }
}

impl Case {
    pub(crate) fn keeps(self, keeps: fn() -> Dialogue) -> Self {
        Self { keeps, ..self }
    }

    pub(crate) fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    pub(crate) fn under(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }
}

fn cases() -> Vec<Case> {
    [
        requests::cases(),
        answers::cases(),
        order::cases(),
        downloads::cases(),
    ]
    .concat()
}

fn broken(timeline: &Timeline) -> BTreeSet<&'static str> {
    timeline
        .findings()
        .iter()
        .map(|finding| finding.id)
        .collect()
}

fn told(timeline: &Timeline) -> String {
    let lines = timeline
        .findings()
        .iter()
        .map(|finding| format!("{} {} {}\n", finding.level.name(), finding.id, finding.text));
    lines.collect()
}

#[test]
fn the_breaking_conversation_breaks_the_rule_and_only_it() {
    let mut wrong = String::new();
    for case in cases() {
        let timeline = (case.breaks)().timeline(case.profile);
        let mut expected: BTreeSet<_> = case.also.iter().copied().collect();
        expected.insert(case.rule);
        if broken(&timeline) != expected {
            let _ = writeln!(
                wrong,
                "{}: expected {expected:?}, found\n{}\n",
                case.rule,
                told(&timeline)
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_keeping_conversation_keeps_all_rules_of_its_profile() {
    let mut wrong = String::new();
    for case in cases() {
        let timeline = (case.keeps)().timeline(case.profile);
        let mild = |finding: &&bitstap::timeline::Finding| {
            finding.id == case.rule
                || (finding.level > Level::Note && case.profile == Profile::Windows)
        };
        if timeline.findings().iter().any(|finding| mild(&finding)) {
            let _ = writeln!(wrong, "{}: found\n{}\n", case.rule, told(&timeline));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_checked_rule_has_both_conversations() {
    let known: BTreeSet<_> = cases().iter().map(|case| case.rule).collect();
    let missing: Vec<_> = rules()
        .filter(|rule| !known.contains(rule.id))
        .map(|rule| rule.id)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let unknown: Vec<_> = known
        .iter()
        .filter(|id| bitstap::bits::check::find(id).is_none())
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_tables_are_in_order() {
    let ids: Vec<_> = rules().map(|rule| rule.id).collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    assert_eq!(ids.len(), 134);
    for rule in rules() {
        assert!(rule.says.ends_with(['.', ')']), "{}", rule.id);
        assert!(
            !rule.source.is_empty() && !rule.who.is_empty(),
            "{}",
            rule.id
        );
        assert!(rule.summary(3).starts_with("3 "), "{}", rule.id);
    }
}

#[test]
fn findings_say_where_what_and_why() {
    for case in cases() {
        let timeline = (case.breaks)().timeline(case.profile);
        for finding in timeline.findings() {
            assert!(
                finding.text.ends_with(['.', ']']),
                "{}: {}",
                finding.id,
                finding.text
            );
            assert!(
                finding.text.starts_with(|c: char| !c.is_lowercase()),
                "{}",
                finding.text
            );
            if let Some(no) = finding.exchange {
                assert!(timeline.findings_of(no).any(|found| found == finding));
            }
        }
    }
}

#[test]
fn how_a_stream_is_cut_does_not_change_its_findings() {
    for case in cases() {
        let talk = (case.breaks)();
        let mut bytes = Timeline::with_profile(case.profile);
        for (position, event) in (0..).zip(conversation::cut(talk.events(), || 7)) {
            bytes.apply(&event, position);
        }
        bytes.finish();
        assert_eq!(
            bytes.findings(),
            talk.timeline(case.profile).findings(),
            "{}",
            case.rule
        );
    }
}

/// `BLESS=1 cargo test --test conformance` writes the page.
#[test]
fn the_page_of_findings_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, manual()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    assert_eq!(page, manual(), "BLESS=1 cargo test --test conformance");
}
