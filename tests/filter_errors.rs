//! What the filter language refuses: the place, the words, the hint; and that no text stops it.

use std::fmt::Write as _;

use bitstap::timeline::filter::{Filter, complete, fields};
use proptest::prelude::*;

const BAD: &[&str] = &[
    "http.statsu == 500",
    "http.status == abc",
    "http.status == -5",
    "http.statu",
    "zebra == 1",
    "bits.type == fragmnt",
    "bits.type == zebra",
    "bits.type < fragment",
    "bits == 1",
    "bits.error == abc",
    "bits.error contains BG_E",
    "bits.error == BG_E_NO_SUCH_NAME",
    "http.url < 5",
    "http.url matches \"(\"",
    "http.status = 500",
    "http.status <> 500",
    "http.status ==",
    "http.status == and bits",
    "http.status in 500",
    "http.status in {}",
    "http.status in {200, }",
    "http.status in {200 404}",
    "http.status in {200",
    "http.status == {200}",
    "client.ip == 10.0.0",
    "client.ip contains 10.",
    "session.state == opn",
    "size > 5 apples",
    "size > 5 QiB",
    "size > 99999999TiB",
    "time.wait > soon",
    "rate > fast",
    "and bits",
    "bits and",
    "bits not",
    "not",
    "(bits",
    "bits)",
    "()",
    "bits bits.error",
    "\"open",
    "\"a\" == 1",
    "bits | http.status",
    "http.header. == 1",
    "é and http.statsu",
];

#[test]
fn refusals_point_at_the_place_and_say_what_would_do() {
    let mut pictures = String::new();
    for text in BAD {
        let error = Filter::parse(text).expect_err(text);
        assert!(
            error.column >= 1 && error.column <= text.chars().count() + 1,
            "{text}"
        );
        assert_eq!(error.to_string(), error.message);
        writeln!(pictures, "{}\n", error.picture(text)).unwrap();
    }
    insta::assert_snapshot!(pictures);
}

#[test]
fn columns_count_characters_from_one() {
    let error = Filter::parse("é and http.statsu == 1").unwrap_err();
    assert_eq!((error.column, error.length), (7, 11));
    assert_eq!(error.hint.as_deref(), Some("did you mean `http.status`?"));
    let error = Filter::parse("bits and ").unwrap_err();
    assert_eq!((error.column, error.length), (9, 1));
}

#[test]
fn nesting_has_an_end_and_lists_of_conditions_have_none() {
    for (open, close) in [("(", ")"), ("not ", ""), ("!", "")] {
        let nested = |depth: usize| format!("{}bits{}", open.repeat(depth), close.repeat(depth));
        let deep = Filter::parse(&nested(64)).unwrap();
        assert_eq!(Filter::parse(&deep.to_string()).unwrap(), deep);
        let error = Filter::parse(&nested(65)).unwrap_err();
        assert_eq!(error.message, "nested more than 64 deep");
    }
    assert!(Filter::parse(&"(".repeat(60_000)).is_err());
    assert!(Filter::parse(&vec!["bits"; 5000].join(" and ")).is_ok());
    assert!(Filter::parse(&"a".repeat(70_000)).is_err());
    assert!(Filter::parse("http.url matches '((a{1000}){1000}){1000}'").is_err());
}

fn offered(text: &str) -> Vec<String> {
    complete(text, text.len())
        .into_iter()
        .map(|offer| offer.text)
        .collect()
}

#[test]
fn completion_knows_what_may_come_next() {
    let cases: &[(&str, &[&str])] = &[
        ("http.sta", &["http.status"]),
        ("bits and HTTP.STA", &["http.status"]),
        ("not cli", &["client.ip", "client.port"]),
        ("(bits.error.n", &["bits.error.name"]),
        ("http.header.bits-h", &["http.header.bits-host-id"]),
        (
            "bits.type == c",
            &["Create-Session", "Close-Session", "Cancel-Session"],
        ),
        ("bits.type in {ping, f", &["Fragment"]),
        ("session.state != c", &["closed", "cancelled", "complete"]),
        ("finding.level >= ", &["note", "warning", "error"]),
        ("http.method == h", &["HEAD"]),
        ("http.status == 5", &[]),
        ("http.status == 500 ", &["and", "or"]),
        ("bits a", &["and"]),
        ("bits ", &["and", "or"]),
        ("http.url m", &["matches"]),
        ("client.ip ", &["==", "!=", "in", "and", "or"]),
        ("http.url contains \"a", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(offered(text), *expected, "{text}");
    }
    assert!(offered("").len() > fields().len());
    let inside = complete("http.sxx == 1", 6);
    let status = inside
        .iter()
        .find(|offer| offer.text == "http.status")
        .unwrap();
    assert_eq!(status.replace, 0..8);
}

#[test]
fn the_manual_lists_every_field_as_the_program_knows_it() {
    let manual = include_str!("../docs/filters.md");
    for info in fields() {
        let row = format!(
            "| `{}` | {} | {} | `{}` |",
            info.name,
            info.type_name(),
            info.help,
            info.example
        );
        assert!(
            manual.contains(&row),
            "docs/filters.md lacks the row:\n{row}"
        );
        if let Err(error) = Filter::parse(info.example) {
            panic!("{}", error.picture(info.example));
        }
    }
}

#[test]
fn every_example_of_the_manual_is_a_filter() {
    let manual = include_str!("../docs/filters.md");
    let mut examples = 0;
    for block in manual.split("```text\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            if let Err(error) = Filter::parse(line) {
                panic!("{}", error.picture(line));
            }
            examples += 1;
        }
    }
    assert!(examples >= 15, "{examples}");
}

/// Text of a value for a kind of field, well formed.
fn comparison() -> impl Strategy<Value = String> {
    let equal = prop::sample::select(vec!["==", "!=", "-eq", "ne"]);
    let order = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "-lt", "GE"]);
    let text = prop::sample::select(vec![
        "http.url",
        "name",
        "http.header.x-y",
        "bits.error.name",
        "mark",
    ]);
    let look = prop::sample::select(vec![
        "==",
        "contains",
        "like",
        "-notlike",
        "-ne",
        "-contains",
    ]);
    let unit = prop::sample::select(vec!["", "KiB", " MiB", "kb", "GB"]);
    let moment = prop::sample::select(vec!["ns", "us", "ms", " s", "m", "h", ""]);
    prop_oneof![
        (text, look, "\"[a-z0-9 .*?{}'é]{0,8}\"").prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        (order.clone(), 0_u32.., unit).prop_map(|(o, n, u)| format!("size {o} {n}{u}")),
        (order.clone(), 0_u32.., moment).prop_map(|(o, n, u)| format!("time.wait {o} {n}{u}")),
        (order, any::<u32>()).prop_map(|(o, n)| format!("bits.error {o} {n:#x}")),
        (
            equal.clone(),
            prop::sample::select(vec!["ping", "Fragment", "close_session"])
        )
            .prop_map(|(o, v)| format!("bits.type {o} {v}")),
        (equal, any::<std::net::IpAddr>(), 0_u8..=32)
            .prop_map(|(o, ip, bits)| format!("client.ip {o} {ip}/{bits}")),
        prop::collection::vec(0_u16..1000, 1..4)
            .prop_map(|list| format!("http.status in {{{list:?}}}").replace(['[', ']'], "")),
        (0_u32..9, 0_u32..9).prop_map(|(a, b)| format!("no not in {{{a}..{b}}}")),
        "'[a-z(.)|*\\\\]{0,6}'".prop_map(|text| text),
        Just("bits".to_owned()),
        Just("rate > 2Mbit/s".to_owned()),
        Just("http.url matches '^/a\\d+\"'".to_owned()),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    comparison().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" and ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" || ")),
            inner.clone().prop_map(|part| format!("({part})")),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_displayed_reads_back_as_the_same_filter(text in expression()) {
        let filter = match Filter::parse(&text) {
            Ok(filter) => filter,
            Err(error) => return Err(TestCaseError::fail(error.picture(&text))),
        };
        let shown = filter.to_string();
        prop_assert_eq!(Filter::parse(&shown).map_err(|e| TestCaseError::fail(e.picture(&shown)))?, filter);
    }

    #[test]
    fn random_text_is_a_filter_or_an_error_in_place(text in any::<String>(), cursor in 0_usize..40) {
        survives(&text, cursor)?;
    }

    #[test]
    fn mutated_expressions_are_filters_or_errors_in_place(
        text in expression(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, "[a-z{}()\"',.=<>!&|/\\\\0-9 é-]"), 1..6),
        cursor in 0_usize..80,
    ) {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, what, by) in changes {
            if characters.is_empty() {
                break;
            }
            let at = at.index(characters.len());
            match what {
                0 => { characters.remove(at); }
                1 => characters.insert(at, by.chars().next().unwrap()),
                _ => characters[at] = by.chars().next().unwrap(),
            }
        }
        survives(&characters.into_iter().collect::<String>(), cursor)?;
    }
}

fn survives(text: &str, cursor: usize) -> Result<(), TestCaseError> {
    for offer in complete(text, cursor) {
        prop_assert!(text.get(offer.replace).is_some());
    }
    match Filter::parse(text) {
        Ok(filter) => {
            let shown = filter.to_string();
            let again =
                Filter::parse(&shown).map_err(|e| TestCaseError::fail(e.picture(&shown)))?;
            prop_assert_eq!(again, filter);
        }
        Err(error) => {
            prop_assert!(error.column >= 1 && error.length >= 1);
            prop_assert!(error.column <= text.chars().count() + 1);
            prop_assert!(error.picture(text).contains('^'));
        }
    }
    Ok(())
}
