//! The page of accuracy tells what is found in each capture at hand; here it is measured.

#[path = "support/recordings.rs"]
mod recordings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bitstap::capture::{Record, open};
use bitstap::timeline::{Profile, Timeline};

const PAGE: &str = include_str!("../docs/findings-accuracy.md");
const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/captures");

/// A row of a table: packets, findings, and how many of them are right, wrong and missed.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    packets: usize,
    findings: String,
    right: usize,
    wrong: usize,
}

/// Returns the rows of both tables by the name of their capture.
fn page() -> BTreeMap<&'static str, Row> {
    let rows = PAGE.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, packets, findings, right, wrong, _, _, _] = cells[..] else {
            return None;
        };
        let row = Row {
            packets: packets.parse().ok()?,
            findings: findings.to_owned(),
            right: right.parse().ok()?,
            wrong: wrong.parse().ok()?,
        };
        Some((name, row))
    });
    rows.collect()
}

fn read(path: &Path) -> Timeline {
    let mut timeline = Timeline::new();
    for record in open(path).unwrap() {
        if let Record::Event { event, position } = record.unwrap() {
            timeline.apply(&event, position);
        }
    }
    timeline.finish();
    timeline
}

/// Returns what a page that is true says of a capture of which nothing was told wrongly.
fn measured(timeline: &Timeline) -> Row {
    let mut counts = BTreeMap::<_, usize>::new();
    for finding in timeline.findings() {
        let level = std::cmp::Reverse(finding.level);
        *counts.entry((level, finding.id)).or_default() += 1;
    }
    let cells: Vec<String> = counts
        .iter()
        .map(|((level, id), count)| {
            let sign = &level.0.name()[..1].to_ascii_uppercase();
            match count {
                1 => format!("{sign} {id}"),
                _ => format!("{sign} {id} x{count}"),
            }
        })
        .collect();
    Row {
        packets: timeline.exchanges().len(),
        findings: if cells.is_empty() {
            "-".to_owned()
        } else {
            cells.join(", ")
        },
        right: timeline.findings().len(),
        wrong: 0,
    }
}

#[test]
fn golden_captures_give_the_findings_of_the_page() {
    let page = page();
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(CAPTURES).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "pcapng") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert_eq!(page.get(&*name), Some(&measured(&read(&path))), "{name}");
            names.insert(name);
        }
    }
    assert!(names.len() >= 20, "{names:?}");
}

#[test]
fn recordings_give_the_findings_of_the_page() {
    if !recordings::present() {
        return;
    }
    let golden = |name: &str| Path::new(CAPTURES).join(format!("{name}.pcapng")).exists();
    let mut seen = 0;
    for (name, row) in page().into_iter().filter(|(name, _)| !golden(name)) {
        let timeline = recordings::read(name, Profile::Windows);
        assert_eq!(row, measured(&timeline), "{name}");
        seen += 1;
    }
    assert!(seen >= 13, "{seen}");
}
