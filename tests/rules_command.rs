//! `bitstap rules` through the binary: check, list, schema, explain.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;

use std::fs;

use binary::{json, lines, of_type, output};
use bitstap::fault::{parse, preset, schema};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_counts_the_rules_of_good_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("good.toml");
    fs::write(
        &file,
        "seed = 7\n[[rule]]\npreset = 'F-11'\n[[rule]]\npreset = 'F-14'\noff = true\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let done = output(&["rules", "check", file]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert_eq!(
        text(&done.stdout),
        format!("{file}: 2 rules, 1 off, seed 7\n")
    );
    let told = json(&["rules", "check", file]);
    assert_eq!(told[0]["type"], "rules");
    let first = output(&["rules", "check", "--json", file]);
    assert!(text(&first.stdout).starts_with("{\"type\":\"rules\",\"errors\":0,"));
    assert_eq!(
        (told[0]["rules"].as_u64(), told[0]["seed"].as_u64()),
        (Some(2), Some(7))
    );
}

#[test]
fn check_draws_every_mistake_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    fs::write(
        &file,
        "[[rule]]\nname = \"a\"\ncount = { tims = 1 }\ndo = [ { reset = {} } ]\nchance = 2\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let done = output(&["rules", "check", file]);
    assert_eq!(done.status.code(), Some(2));
    let wanted = format!(
        "{file}:3:11: error: there is no key `tims`
  |
3 | count = {{ tims = 1 }}
  |           ^^^^
hint: did you mean `times`? allowed: per, skip, times, every
{file}:5:10: error: chance is a probability
  |
5 | chance = 2
  |          ^
hint: 0 to 1; 0.25 is one match in four
"
    );
    assert_eq!(text(&done.stdout), wanted);
    let told = output(&["rules", "check", "--json", file]);
    assert_eq!(told.status.code(), Some(2));
    let told = lines(&told.stdout);
    let errors = of_type(&told, "rules-error");
    assert_eq!(errors.len(), 2);
    assert_eq!(
        (errors[0]["line"].as_u64(), errors[0]["column"].as_u64()),
        (Some(3), Some(11))
    );
}

#[test]
fn a_file_that_is_not_there_is_said_and_the_others_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("good.toml");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let done = output(&["rules", "check", "/no/such/rules.toml", file]);
    assert_eq!(done.status.code(), Some(2));
    assert!(
        text(&done.stderr).starts_with("error: cannot read the rules file /no/such/rules.toml: ")
    );
    assert_eq!(text(&done.stdout), format!("{file}: 0 rules\n"));
}

#[test]
fn list_names_every_line_of_the_catalogue() {
    let done = output(&["rules", "list"]);
    assert!(done.status.success());
    let shown = text(&done.stdout);
    for fault in bitstap::bits::faults::faults() {
        assert!(
            shown.contains(&format!("{}  {}", fault.id, fault.injection)),
            "{}",
            fault.id
        );
    }
    assert!(shown.contains("no preset: which other host is alive only you know"));
    let told = json(&["rules", "list"]);
    let made = of_type(&told, "preset")
        .into_iter()
        .filter(|line| !line["rule"].is_null());
    assert_eq!(made.count(), preset::all().len());
}

#[test]
fn a_listed_preset_is_a_rules_file() {
    let done = output(&["rules", "list", "f-15", "F-11"]);
    assert!(done.status.success());
    let set = parse(&text(&done.stdout)).unwrap();
    let names: Vec<&str> = set.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["F-15", "F-15/503", "F-15/504", "F-11"]);
    let none = output(&["rules", "list", "F-29"]);
    assert_eq!(none.status.code(), Some(2));
    let said = text(&none.stderr);
    let why = "error: there is no preset F-29\nhint: which other host is alive only you know";
    assert!(said.starts_with(why), "{said}");
}

#[test]
fn the_schema_that_is_printed_is_the_one_in_the_manual() {
    let done = output(&["rules", "schema"]);
    assert!(done.status.success());
    assert_eq!(text(&done.stdout), schema::text());
    held("docs/rules.schema.json", &schema::text());
}

#[test]
fn explain_tells_what_would_have_fired_and_what_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    fs::write(
        &file,
        "[[rule]]\nname = 'lost'\nwhen = 'bits.type == fragment'\nstage = 'response.head'\ncount = { per = 'session', skip = 1, times = 1 }\ndo = [ { drop_response = {} } ]\n[[rule]]\nname = 'never'\nwhen = 'http.method == PUT'\ndo = [ { reset = {} } ]\n[[rule]]\nname = 'end'\nstage = 'close'\ndo = [ { note = { text = 'over' } } ]\n[[rule]]\nname = 'begin'\nstage = 'connect'\nwhen = 'client.ip == 192.0.2.1'\ndo = [ { reset = {} } ]\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/upload.pcapng");
    let told = json(&["rules", "explain", file, "--capture", capture]);
    let receipts = of_type(&told, "receipt");
    let fired: Vec<_> = receipts
        .iter()
        .filter(|line| line["fired"] == true)
        .collect();
    assert_eq!(fired.len(), 2, "{told:?}");
    assert_eq!(
        (&fired[1]["rule"], &fired[1]["exchange"]),
        (&"end".into(), &serde_json::Value::Null)
    );
    assert_eq!(fired[0]["rule"], "lost");
    assert_eq!(fired[0]["ordinal"], 2);
    assert_eq!(receipts[0]["fired"], false);
    assert!(!receipts[0]["reason"].as_str().unwrap().is_empty());
    let rules = of_type(&told, "rehearsed");
    assert_eq!(rules[1]["rule"], "never");
    assert_eq!(rules[1]["matched"], 0);
    let missed: u64 = rules[1]["unmatched"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(serde_json::Value::as_u64)
        .sum();
    assert!(missed >= 3, "{told:?}");
    let beside = rules[3]["unmatched"].as_object().unwrap();
    assert_eq!(beside["its condition does not hold"], 1, "{told:?}");
    let done = output(&["rules", "explain", file, "--capture", capture]);
    let shown = text(&done.stdout);
    assert!(
        shown.contains("lost at response.head: fired 1, matched "),
        "{shown}"
    );
    assert!(
        shown.contains("never at request.head: fired 0, matched 0"),
        "{shown}"
    );
    assert!(shown.contains("its condition does not hold"), "{shown}");
}

#[test]
fn the_manual_lists_every_preset_with_what_a_client_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    let manual = fs::read_to_string(path).unwrap();
    let (before, rest) = manual.split_once("<!-- presets -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of presets -->\n").unwrap();
    held(
        "docs/faults.md",
        &format!(
            "{before}<!-- presets -->\n{}<!-- end of presets -->\n{after}",
            table()
        ),
    );
}

/// The table of the manual.
fn table() -> String {
    let mut table = "\n| preset | what it does | what a Windows client does then | source |\n|---|---|---|---|\n".to_owned();
    for fault in bitstap::bits::faults::faults() {
        let ways: Vec<String> = preset::all()
            .iter()
            .filter(|preset| preset.fault() == Some(fault))
            .map(|preset| format!("`{}`", preset.id))
            .collect();
        let ways = match preset::unmade(fault.id) {
            Some(unmade) => format!("{} has none: {}", fault.id, unmade.reason),
            None => ways.join(", "),
        };
        table.push_str(&format!(
            "| {ways} | {} | {} | {} ({}) |\n",
            fault.injection,
            fault.expected,
            fault.source.replace('<', "&lt;"),
            fault.basis.name()
        ));
    }
    table.push('\n');
    table
}

#[test]
fn the_rules_of_the_manual_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    let manual = fs::read_to_string(path).unwrap();
    let mut examples = 0;
    for block in manual.split("```toml\n").skip(1) {
        let example = block.split("```").next().unwrap();
        if let Err(errors) = parse(example) {
            panic!("{errors:?} in\n{example}");
        }
        examples += 1;
    }
    assert!(examples >= 4, "{examples}");
    for name in bitstap::fault::known::ACTIONS.map(|(name, _)| name) {
        assert!(manual.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// Compares a file of the repository with what it should be; `BITSTAP_BLESS=1` writes it.
fn held(file: &str, wanted: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("BITSTAP_BLESS").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{file} is out of date: BITSTAP_BLESS=1 cargo test --test rules_command"
    );
}
