//! Expectations of fault rules, met or not: as text, JSON Lines and JUnit.
//!
//! Knows no rules: whoever judged them says the outcome.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::{json, text};

/// What became of what one rule expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation<'e> {
    pub rule: &'e str,
    pub met: bool,
    /// How often the rule fired.
    pub fired: u64,
    /// One sentence.
    pub text: &'e str,
}

/// Returns one line for people.
pub fn line(expectation: &Expectation<'_>) -> String {
    let word = if expectation.met { "met" } else { "NOT MET" };
    format!(
        "expectation {word}: {}",
        text::clean(expectation.text, usize::MAX)
    )
}

/// Returns the `expectation` line.
pub fn json_line(expectation: &Expectation<'_>) -> String {
    #[derive(Serialize)]
    struct Line<'l> {
        r#type: &'static str,
        rule: &'l str,
        met: bool,
        fired: u64,
        text: &'l str,
    }
    json::line(&Line {
        r#type: "expectation",
        rule: expectation.rule,
        met: expectation.met,
        fired: expectation.fired,
        text: expectation.text,
    })
}

/// Returns the whole JUnit document: a case for each rule that expects something.
pub fn junit(expectations: &[Expectation<'_>]) -> String {
    let mut report = Report::new("bitstap rules");
    let mut suite = TestSuite::new("expectations");
    for expectation in expectations {
        let said = text::clean(expectation.text, usize::MAX);
        let status = if expectation.met {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("expectation").set_message(said.clone());
            status
        };
        let name = text::clean(expectation.rule, 200);
        let mut case = TestCase::new(name, status);
        case.set_classname("bitstap.rules");
        if expectation.met {
            case.set_system_out(said);
        }
        suite.add_test_case(case);
    }
    report.add_test_suite(suite);
    report
        .to_string()
        .unwrap_or_else(|error| format!("<!-- {error} -->\n"))
}
