//! The findings on screen: which are listed, how many of each rule, and which belong to a session.
//!
//! Asked a few at a time, as packets are, so that no frame waits for many. Knows no view.

use std::collections::HashMap;

use crate::timeline::{Finding, Level};

use super::list::List;
use super::model::Model;
use super::rows::Rows;

/// Columns by which findings can be sorted, in the order of `s`.
pub const SORTS: [&str; 5] = ["no", "level", "rule", "who", "packet"];

/// Findings that are asked at once.
const STEP: usize = 8192;

/// The same for a filter that has heads read back.
const STEP_WITH_HEADS: usize = 64;

/// The findings, as far as they were looked at.
#[derive(Debug, Default)]
pub struct Found {
    /// The rows are places in the list of all findings.
    pub list: List,
    /// Findings before this one were asked whether they are listed.
    next: usize,
    /// Findings that there were at the last look.
    known: usize,
    /// Findings before this one are among those of their session.
    placed: usize,
    /// Listed errors, warnings, notes.
    pub counts: [usize; 3],
    /// How many of each rule are listed.
    pub of_rule: HashMap<&'static str, usize>,
    of_session: HashMap<u32, Vec<u32>>,
    /// Is selected when it is listed again.
    wanted: Option<u32>,
}

impl Found {
    /// Returns the places of the findings of session `no`.
    pub fn of_session(&self, no: u32) -> &[u32] {
        self.of_session.get(&no).map_or(&[], Vec::as_slice)
    }

    /// Tells whether there are findings left to ask.
    pub(super) fn is_busy(&self) -> bool {
        self.next < self.known
    }
}

/// Returns the finding at a row of the list.
pub(super) fn finding_at(rows: &dyn Rows, row: u32) -> Option<&Finding> {
    rows.findings().get(usize::try_from(row).ok()?)
}

/// Returns the selected finding.
pub fn selected<'r>(model: &Model, rows: &'r dyn Rows) -> Option<&'r Finding> {
    finding_at(rows, model.found.list.selected()?)
}

/// Returns a level's place among errors, warnings, notes.
pub(super) fn place(level: Level) -> usize {
    match level {
        Level::Error => 0,
        Level::Warning => 1,
        Level::Note | Level::Off => 2,
    }
}

/// Lists all anew: after a new filter or order.
pub(super) fn anew(model: &mut Model, rows: &dyn Rows) {
    let found = &mut model.found;
    found.wanted = found.list.selected().or(found.wanted);
    found.list.replace(Vec::new(), HashMap::new());
    found.next = 0;
    found.counts = [0; 3];
    found.of_rule.clear();
    advance(model, rows);
}

/// Selects a finding, now or when it is listed.
pub(super) fn select(model: &mut Model, row: u32) {
    if !model.found.list.select(row) {
        model.found.wanted = Some(row);
    }
}

/// Looks at some findings more.
pub(super) fn advance(model: &mut Model, rows: &dyn Rows) {
    let all = rows.findings();
    let found = &mut model.found;
    found.known = all.len();
    let step = if model.filter.needs_heads() {
        STEP_WITH_HEADS
    } else {
        STEP
    };
    for (at, finding) in all.iter().enumerate().skip(found.placed).take(STEP) {
        found.placed = at + 1;
        if let (Some(no), Ok(row)) = (finding.session, u32::try_from(at)) {
            found.of_session.entry(no).or_default().push(row);
        }
    }
    let mut changes = Vec::new();
    for (at, finding) in all.iter().enumerate().skip(found.next).take(step) {
        found.next = at + 1;
        let Ok(row) = u32::try_from(at) else {
            break;
        };
        if !model.filter.takes_finding(finding, rows) {
            continue;
        }
        if let Some(count) = found.counts.get_mut(place(finding.level)) {
            *count += 1;
        }
        *found.of_rule.entry(finding.id).or_default() += 1;
        let key = key(finding, row, found.list.column);
        let key = if found.list.descending { !key } else { key };
        changes.push((row, Some(key), false));
    }
    let wanted = found
        .wanted
        .filter(|wanted| changes.iter().any(|change| change.0 == *wanted));
    found.list.merge(changes);
    if let Some(row) = wanted {
        found.list.select(row);
        found.wanted = None;
    }
}

/// Returns a number by which the column sorts.
fn key(finding: &Finding, row: u32, column: usize) -> u64 {
    match column {
        1 => u64::try_from(place(finding.level)).unwrap_or(u64::MAX),
        // All ids begin with B; eight letters more tell them apart.
        2 => finding
            .id
            .bytes()
            .skip(1)
            .chain(std::iter::repeat(0))
            .take(8)
            .fold(0, |key, byte| (key << 8) | u64::from(byte)),
        3 => finding.who as u64,
        4 => u64::from(finding.exchange.unwrap_or(0)),
        _ => u64::from(row),
    }
}
