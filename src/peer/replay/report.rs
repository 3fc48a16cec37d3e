//! What a replay found, as rows: one for each recorded request, one for each session; as text, JSON and JUnit.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::compare::Difference;
use crate::report::text::clean;
use crate::report::unit::size;

/// What a whole replay found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub sessions: Vec<SessionReport>,
    /// What was left out, in sentences.
    pub notes: Vec<String>,
    /// Requests sent.
    pub requests: u64,
    /// Connections opened.
    pub connections: u64,
}

/// How a recorded or a live request was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// `None`: no whole answer.
    pub status: Option<u16>,
    /// BITS-Received-Content-Range.
    pub received: Option<u64>,
    /// `0x8020001F`
    pub error: Option<String>,
}

/// One recorded request, played.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Always `replayed`.
    pub r#type: &'static str,
    /// Number of the recorded exchange.
    pub exchange: u32,
    pub session: u32,
    pub packet: &'static str,
    /// First and last byte of a recorded Fragment.
    pub range: Option<[u64; 2]>,
    /// `null` where nobody can know how it was answered.
    pub recorded: Option<Told>,
    /// `null` where it was not sent.
    pub live: Option<Told>,
    /// Live requests that it took.
    pub requests: u32,
    pub differences: Vec<Difference>,
    pub notes: Vec<String>,
}

/// A value of the recording beside the live one.
#[derive(Clone, Debug, Serialize)]
pub struct Pair<T> {
    pub recorded: T,
    pub live: T,
}

/// One session, played.
#[derive(Clone, Debug, Serialize)]
pub struct SessionReport {
    /// Always `replay`.
    pub r#type: &'static str,
    pub session: u32,
    pub kind: &'static str,
    pub url: String,
    pub name: String,
    pub session_id: Pair<Option<String>>,
    pub state: Pair<&'static str>,
    /// Bytes that the server has (upload) or that arrived (download).
    pub bytes: Pair<u64>,
    /// Of the recorded file.
    pub sha256: Option<String>,
    /// Differences of the session as a whole.
    pub differences: Vec<Difference>,
    pub notes: Vec<String>,
    #[serde(skip)]
    pub steps: Vec<StepReport>,
}

impl SessionReport {
    /// Counts its differences, those of its requests included.
    pub fn count(&self) -> usize {
        let steps: usize = self.steps.iter().map(|step| step.differences.len()).sum();
        steps + self.differences.len()
    }

    fn title(&self) -> String {
        format!(
            "session {} {} {}",
            self.session,
            self.kind,
            clean(&self.name, 80)
        )
    }
}

impl Report {
    /// Counts all differences.
    pub fn differences(&self) -> usize {
        self.sessions.iter().map(SessionReport::count).sum()
    }

    /// Returns the lines for people.
    pub fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for session in &self.sessions {
            lines.push(format!(
                "{}: {}, {} live ({} recorded), {}",
                session.title(),
                state(&session.state),
                size(session.bytes.live),
                size(session.bytes.recorded),
                match session.count() {
                    0 => "no difference".to_owned(),
                    1 => "1 difference".to_owned(),
                    many => format!("{many} differences"),
                }
            ));
            for step in &session.steps {
                let at = step
                    .range
                    .map_or_else(String::new, |[first, last]| format!(" {first}-{last}"));
                let place = format!("exchange {} {}{at}", step.exchange, step.packet);
                lines.extend(step.differences.iter().map(|one| tell(one, &place)));
                lines.extend(
                    step.notes
                        .iter()
                        .map(|note| format!("  note  {place}: {note}")),
                );
            }
            let whole = "the session";
            lines.extend(session.differences.iter().map(|one| tell(one, whole)));
            lines.extend(session.notes.iter().map(|note| format!("  note  {note}")));
            if let Some(hash) = &session.sha256 {
                lines.push(format!("  SHA-256 {hash}"));
            }
        }
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.push(format!(
            "{} session{}, {} request{} on {} connection{}: {} difference{}",
            self.sessions.len(),
            plural(self.sessions.len()),
            self.requests,
            plural(usize::try_from(self.requests).unwrap_or(usize::MAX)),
            self.connections,
            plural(usize::try_from(self.connections).unwrap_or(usize::MAX)),
            self.differences(),
            plural(self.differences())
        ));
        lines
    }

    /// Returns JSON Lines: `replayed` for each request, `replay` for each session, `note`, `summary`.
    pub fn json(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for session in &self.sessions {
            lines.extend(session.steps.iter().map(line));
            lines.push(line(session));
        }
        for note in &self.notes {
            lines.push(line(&serde_json::json!({ "type": "note", "text": note })));
        }
        lines.push(line(&serde_json::json!({
            "type": "summary",
            "sessions": self.sessions.len(),
            "requests": self.requests,
            "connections": self.connections,
            "differences": self.differences(),
        })));
        lines
    }

    /// Returns JUnit XML: one case for each session.
    pub fn junit(&self, capture: &str) -> String {
        let mut report = quick_junit::Report::new("bitstap replay");
        let mut suite = TestSuite::new(capture);
        for session in &self.sessions {
            let mut told = Vec::new();
            for step in &session.steps {
                let place = format!("exchange {} {}", step.exchange, step.packet);
                told.extend(step.differences.iter().map(|one| tell(one, &place)));
            }
            let whole = session.differences.iter();
            told.extend(whole.map(|one| tell(one, "the session")));
            let status = match told.first() {
                None => TestCaseStatus::success(),
                Some(first) => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status
                        .set_type("difference")
                        .set_message(first.trim())
                        .set_description(told.join("\n"));
                    status
                }
            };
            let mut case = TestCase::new(session.title(), status);
            case.set_classname("bitstap.replay");
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
        report
            .to_string()
            .unwrap_or_else(|error| format!("<!-- {error} -->\n"))
    }
}

fn state(pair: &Pair<&'static str>) -> String {
    if pair.recorded == pair.live {
        format!("{} as recorded", pair.live)
    } else {
        format!("{} ({} recorded)", pair.live, pair.recorded)
    }
}

fn tell(difference: &Difference, place: &str) -> String {
    format!(
        "  differs  {place}: {}: recorded {}, live {}",
        difference.what,
        clean(&difference.recorded, 200),
        clean(&difference.live, 200)
    )
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Serialising plain rows cannot fail; were it ever to, a reader still gets an object that says so.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .unwrap_or_else(|error| format!(r#"{{"type":"note","text":"{error}"}}"#))
}
