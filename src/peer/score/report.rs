//! A finished suite as text, JSON Lines and JUnit.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;

use super::{Scored, Verdict};
use crate::report::text::clean;

/// How wide the column of names is.
const NAME: usize = 22;
/// So many of the last packets are told in text.
const LAST: usize = 6;

/// What a whole suite found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// `client` or `server`.
    pub of: &'static str,
    pub scored: Vec<Scored>,
}

impl Report {
    /// Counts the experiments with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let of = |one: &&Scored| one.verdict == verdict;
        self.scored.iter().filter(of).count()
    }

    /// Returns the table for people: a row each, and behind what did not pass what was done, seen and said.
    pub fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for one in &self.scored {
            lines.push(row(one));
            if matches!(one.verdict, Verdict::Fails | Verdict::Differs) {
                lines.push(format!("{:11}done: {}", "", one.experiment.does));
                let skipped = one.saw.len().saturating_sub(LAST);
                let rest = one.saw.iter().skip(skipped);
                lines.extend(rest.map(|line| format!("{:11}seen: {}", "", clean(line, 200))));
            }
            if one.verdict != Verdict::Pass {
                lines.push(format!("{:11}says: {}", "", says(one)));
            }
        }
        lines.push(self.totals());
        lines
    }

    fn totals(&self) -> String {
        let count = |verdict: Verdict| format!("{} {}", self.count(verdict), verdict.name());
        format!(
            "{} experiments on the {}: {}, {}, {}, {}",
            self.scored.len(),
            self.of,
            count(Verdict::Pass),
            count(Verdict::Differs),
            count(Verdict::Fails),
            count(Verdict::Unknown)
        )
    }

    /// Returns JSON Lines: `experiment` for each, then `summary`.
    pub fn json(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.scored.iter().map(|one| line(one, self.of)).collect();
        lines.push(
            json!({
                "type": "summary",
                "of": self.of,
                "experiments": self.scored.len(),
                "pass": self.count(Verdict::Pass),
                "differs": self.count(Verdict::Differs),
                "fails": self.count(Verdict::Fails),
                "unknown": self.count(Verdict::Unknown),
            })
            .to_string(),
        );
        lines
    }

    /// Returns JUnit XML: a case for each experiment; what is unknown counts as skipped, and what differs is a
    /// success with a word in its output.
    pub fn junit(&self, peer: &str) -> String {
        let mut report = quick_junit::Report::new(format!("bitstap score {}", self.of));
        let mut suite = TestSuite::new(peer);
        for one in &self.scored {
            let mut status = match one.verdict {
                Verdict::Fails => TestCaseStatus::non_success(NonSuccessKind::Failure),
                Verdict::Unknown => TestCaseStatus::skipped(),
                Verdict::Pass | Verdict::Differs => TestCaseStatus::success(),
            };
            if !matches!(one.verdict, Verdict::Pass | Verdict::Differs) {
                status
                    .set_type(one.verdict.name())
                    .set_message(clean(&one.why, usize::MAX));
                status.set_description(says(one));
            }
            let mut case = TestCase::new(one.experiment.name, status);
            case.set_classname(format!("bitstap.score.{}", self.of));
            let mut told = vec![format!("{}: {}", one.verdict.name(), one.why)];
            told.push(one.experiment.does.to_owned());
            told.extend(one.saw.iter().cloned());
            case.set_system_out(clean_lines(&told));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
        report
            .to_string()
            .unwrap_or_else(|error| format!("<!-- {error} -->\n"))
    }
}

fn clean_lines(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| clean(line, usize::MAX)).collect();
    lines.join("\n")
}

/// Returns the table's row of one experiment.
fn row(one: &Scored) -> String {
    format!(
        "{:<9}  {:<NAME$}  {}",
        one.verdict.name(),
        one.experiment.name,
        clean(&one.why, 300)
    )
}

/// Returns what the documents say, with their places.
fn says(one: &Scored) -> String {
    match one.experiment.source {
        "" => one.experiment.says.to_owned(),
        source => format!("{} ({source})", one.experiment.says),
    }
}

/// Returns the JSON line of one experiment.
fn line(one: &Scored, of: &str) -> String {
    json!({
        "type": "experiment",
        "of": of,
        "name": one.experiment.name,
        "verdict": one.verdict.name(),
        "why": one.why,
        "did": one.experiment.does,
        "saw": one.saw,
        "says": one.experiment.says,
        "source": one.experiment.source,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::super::Experiment;
    use super::*;

    fn report() -> Report {
        let experiment = |name| Experiment {
            name,
            does: "D",
            says: "S",
            source: "MC-BUP §1",
        };
        let scored = |name, verdict| Scored {
            experiment: experiment(name),
            verdict,
            why: format!("because\u{1b} {name}"),
            saw: vec!["Ping: 200".to_owned()],
        };
        Report {
            of: "server",
            scored: vec![
                scored("one", Verdict::Pass),
                scored("two", Verdict::Fails),
                scored("three", Verdict::Unknown),
            ],
        }
    }

    #[test]
    fn what_fails_tells_all_and_what_passes_one_line() {
        let text = report().text();
        let fails = text.iter().position(|line| line.starts_with("fails"));
        assert_eq!(fails, Some(1), "{text:#?}");
        assert!(text.iter().any(|line| line.contains("seen: Ping: 200")));
        assert!(text.iter().any(|line| line.contains("says: S (MC-BUP §1)")));
        assert!(!text.concat().contains('\u{1b}'), "a peer moves no cursor");
        assert!(
            text.last()
                .unwrap()
                .ends_with("1 pass, 0 differs, 1 fails, 1 unknown")
        );
    }

    #[test]
    fn junit_has_a_failure_and_a_skipped_case() {
        let xml = report().junit("http://h/");
        assert!(xml.contains("tests=\"3\""), "{xml}");
        assert!(xml.contains("<failure"), "{xml}");
        assert!(xml.contains("<skipped"), "{xml}");
    }
}
