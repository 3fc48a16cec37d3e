//! Findings as JUnit XML: a suite for each capture, a case for each session.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::bits::check::{Finding, Level};
use crate::timeline::Session;

use super::{Checked, text};

/// Returns the whole document; a finding at `fail_on` or above fails its case, others are told in the
/// case's output.
pub fn junit(captures: &[Checked<'_>], fail_on: Level) -> String {
    let mut report = Report::new("bitstap check");
    for capture in captures {
        let mut suite = TestSuite::new(capture.file);
        let mut by_session = BTreeMap::<Option<u32>, Vec<&Finding>>::new();
        for finding in capture.findings {
            by_session.entry(finding.session).or_default().push(finding);
        }
        for session in &capture.sessions {
            let found = by_session.remove(&Some(session.no)).unwrap_or_default();
            suite.add_test_case(case(&name(session), found, fail_on));
        }
        let homeless = by_session.into_values().flatten().collect();
        suite.add_test_case(case("outside sessions", homeless, fail_on));
        report.add_test_suite(suite);
    }
    report
        .to_string()
        .unwrap_or_else(|error| format!("<!-- {error} -->\n"))
}

fn name(session: &Session) -> String {
    format!(
        "session {} {} {}",
        session.no,
        session.kind.name(),
        text::clean(&session.name, 80)
    )
}

fn case(name: &str, found: Vec<&Finding>, fail_on: Level) -> TestCase {
    let (failing, told): (Vec<&Finding>, Vec<&Finding>) = found
        .into_iter()
        .partition(|finding| finding.level >= fail_on);
    let lines = |findings: &[&Finding]| {
        let lines: Vec<String> = findings.iter().map(|one| text::finding(one)).collect();
        lines.join("\n")
    };
    let status = if let Some(first) = failing.first() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status
            .set_type(first.id)
            .set_message(text::clean(&first.text, usize::MAX))
            .set_description(lines(&failing));
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(name, status);
    case.set_classname("bitstap.check");
    if !told.is_empty() {
        case.set_system_out(lines(&told));
    }
    case
}
