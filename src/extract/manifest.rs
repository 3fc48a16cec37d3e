//! What was rebuilt, as rows: one for each file, for people, JSON and CSV.
//!
//! Knows nothing of how the bytes were found; a row says what is missing and why.

use serde::Serialize;

use crate::report::{text, unit};
use crate::timeline::{Session, SessionState as State, Timeline};

use super::Error;
use super::folder::Folder;
use super::run::{Kind, Run};

/// Names of the manifest's own files.
pub(super) const NAMES: [&str; 2] = ["manifest.json", "manifest.csv"];

/// A file with larger holes than this is not hashed: they would be read as zeros, for hours.
const HOLES: u64 = 4 << 30;

/// How many gaps a line for people names.
const SHOWN: usize = 3;

/// Everything that an extraction made.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// The captures.
    pub sources: Vec<String>,
    /// What was odd about the captures.
    pub notes: Vec<String>,
    pub files: Vec<FileRow>,
}

/// A range of bytes that a file does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub start: u64,
    /// Inclusive.
    pub end: u64,
    /// `not-seen` (the capture never had them), `not-kept` (they passed and were left out on purpose) or
    /// `not-acknowledged` (the server did not say that it has them).
    pub why: &'static str,
}

/// One rebuilt file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRow {
    /// Always `file`.
    pub r#type: &'static str,
    /// As the peer gave it.
    pub name: String,
    /// Its name in the folder.
    pub file: String,
    /// `upload`, `upload-reply`, `download`.
    pub kind: &'static str,
    /// `sent`, `acknowledged` (what the server has by its own word), `received`.
    pub copy: &'static str,
    /// From 1; grows when the session began anew, or the file changed on the server.
    pub run: u32,
    /// Bytes in the folder, gaps that lie before the last byte included.
    pub size: u64,
    /// As the packets tell it.
    pub total: Option<u64>,
    /// In hexadecimal, gaps read as zeros; `None` for a file that is mostly a hole.
    pub sha256: Option<String>,
    pub complete: bool,
    pub gaps: Vec<Gap>,
    /// Of an acknowledged copy: the first offset where it differs from the copy that was sent, of those
    /// that both have.
    pub first_difference: Option<u64>,
    pub url: String,
    pub client: Option<String>,
    pub server: Option<String>,
    /// RFC 3339 UTC.
    pub first: String,
    pub last: String,
    pub session_id: Option<String>,
    /// The session's number in the timeline.
    pub session: u32,
    pub user_agent: Option<String>,
    pub state: &'static str,
    /// Whole sentences.
    pub notes: Vec<String>,
}

/// Makes the rows of one run.
pub(super) fn rows(
    folder: &mut Folder,
    run: &Run,
    session: &Session,
    timeline: &Timeline,
    start_ns: u64,
) -> Result<Vec<FileRow>, Error> {
    let connection = timeline
        .exchanges_of(session.no)
        .next()
        .and_then(|row| timeline.connection(row.conn));
    let server = connection.and_then(|row| row.upstream.or(row.server));
    let copies: &[&str] = match run.kind {
        Kind::Upload => &["sent", "acknowledged"],
        Kind::Reply | Kind::Download => &["received"],
    };
    let mut rows = Vec::new();
    for (&file, &copy) in run.files.iter().zip(copies) {
        let acknowledged = copy == "acknowledged";
        let bytes = if acknowledged {
            &run.held.bytes
        } else {
            &run.passed
        };
        let size = bytes.end();
        let gaps = gaps(run, acknowledged);
        let holes = bytes.missing(0, size);
        let holes = holes.iter().map(|hole| hole.1.saturating_sub(hole.0));
        let sha256 = if holes.fold(0, u64::saturating_add) > HOLES {
            None
        } else {
            Some(folder.sha256(file)?)
        };
        let mut first_difference = None;
        if acknowledged && let Some(&sent) = run.files.first() {
            for (start, end) in bytes.within(0, size) {
                first_difference = folder.difference(sent, file, start, end)?;
                if first_difference.is_some() {
                    break;
                }
            }
        }
        let complete = gaps.is_empty() && run.total == Some(size);
        rows.push(FileRow {
            r#type: "file",
            name: session.name.to_string(),
            file: folder.name(file).to_owned(),
            kind: run.kind.name(),
            copy,
            run: run.number,
            size,
            total: run.total,
            sha256,
            complete,
            gaps,
            first_difference,
            url: match (&session.reply_url, run.kind) {
                (Some(url), Kind::Reply) => url.to_string(),
                _ => session.url.to_string(),
            },
            client: session.client.map(|client| client.to_string()),
            server: server.map(|server| server.to_string()),
            first: unit::moment(start_ns, session.first),
            last: unit::moment(start_ns, session.last),
            session_id: session.session_id.as_deref().map(str::to_owned),
            session: session.no,
            user_agent: session.user_agent.as_deref().map(str::to_owned),
            state: session.state.name(),
            notes: notes(run, session, complete),
        });
    }
    Ok(rows)
}

/// Returns what a copy lacks, in order.
fn gaps(run: &Run, acknowledged: bool) -> Vec<Gap> {
    let (bytes, known) = if acknowledged {
        (&run.held.bytes, run.held.told())
    } else {
        let end = run.passed.end().max(run.left_out.end());
        (&run.passed, run.total.map_or(end, |total| total.max(end)))
    };
    let mut gaps = Vec::new();
    let mut add = |start: u64, end: u64, why| {
        if start < end {
            let end = end.saturating_sub(1);
            gaps.push(Gap { start, end, why });
        }
    };
    for (start, end) in bytes.missing(0, known) {
        let mut at = start;
        for (first, last) in run.left_out.within(start, end) {
            add(at, first, "not-seen");
            add(first, last, "not-kept");
            at = last;
        }
        add(at, end, "not-seen");
    }
    if acknowledged {
        let end = run.total.unwrap_or_else(|| run.passed.end());
        add(known, end, "not-acknowledged");
    }
    gaps
}

fn notes(run: &Run, session: &Session, complete: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if run.too_far {
        notes.push(
            "Bytes too far behind the file's beginning for any file were left out.".to_owned(),
        );
    }
    let arrived = run.kind == Kind::Download && session.state == State::Complete;
    if arrived && !complete {
        notes.push(
            "For the peers this download is complete: what is missing here was not asked for, or passed and is missing from the capture."
                .to_owned(),
        );
    }
    if run.homeless > 0 {
        notes.push(format!(
            "{} bytes were left out: they do not say where in the file they belong, or are hashes of it (PeerDist).",
            run.homeless
        ));
    }
    notes
}

impl FileRow {
    /// Returns the `file` line.
    pub fn json(&self) -> String {
        // Plain strings and numbers: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns one line for people.
    pub fn text(&self) -> String {
        let mut line = format!(
            "{}  {} {}, {} bytes",
            text::clean(&self.file, 80),
            self.kind,
            self.copy,
            self.size
        );
        if self.run > 1 {
            line.push_str(&format!(", run {}", self.run));
        }
        match &self.sha256 {
            Some(sha256) => line.push_str(&format!(", sha256 {sha256}")),
            None => line.push_str(", not hashed"),
        }
        line.push_str(if self.complete {
            ", complete"
        } else {
            ", incomplete"
        });
        for gap in self.gaps.iter().take(SHOWN) {
            line.push_str(&format!(
                ", {}-{} {}",
                gap.start,
                gap.end,
                gap.why.replace('-', " ")
            ));
        }
        if let Some(more) = self.gaps.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let plural = if more == 1 { "" } else { "s" };
            line.push_str(&format!(", {more} more gap{plural}"));
        }
        if let Some(offset) = self.first_difference {
            line.push_str(&format!(", differs from what was sent at byte {offset}"));
        }
        for note in &self.notes {
            line.push_str(". ");
            line.push_str(note.trim_end_matches('.'));
        }
        line
    }
}

impl Manifest {
    /// Returns the manifest as JSON.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'m> {
            schema: u32,
            #[serde(flatten)]
            manifest: &'m Manifest,
        }
        let whole = Whole {
            schema: crate::report::json::SCHEMA,
            manifest: self,
        };
        let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Returns the manifest as CSV with a head.
    ///
    /// RFC 4180
    pub fn csv(&self) -> String {
        let mut text = COLUMNS.map(|column| column.0).join(",");
        text.push_str("\r\n");
        for row in &self.files {
            let cells = COLUMNS.map(|column| cell(&column.1(row)));
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        text
    }
}

/// The columns of the CSV: name and value.
type Column = (&'static str, fn(&FileRow) -> String);

const COLUMNS: [Column; 20] = [
    ("name", |row| row.name.clone()),
    ("file", |row| row.file.clone()),
    ("kind", |row| row.kind.to_owned()),
    ("copy", |row| row.copy.to_owned()),
    ("run", |row| row.run.to_string()),
    ("size", |row| row.size.to_string()),
    ("total", |row| optional(row.total.as_ref())),
    ("sha256", |row| optional(row.sha256.as_ref())),
    ("complete", |row| row.complete.to_string()),
    ("gaps", |row| {
        let gap = |gap: &Gap| format!("{}-{} {}", gap.start, gap.end, gap.why);
        row.gaps.iter().map(gap).collect::<Vec<_>>().join("; ")
    }),
    ("first_difference", |row| {
        optional(row.first_difference.as_ref())
    }),
    ("url", |row| row.url.clone()),
    ("client", |row| optional(row.client.as_ref())),
    ("server", |row| optional(row.server.as_ref())),
    ("first", |row| row.first.clone()),
    ("last", |row| row.last.clone()),
    ("session_id", |row| optional(row.session_id.as_ref())),
    ("session", |row| row.session.to_string()),
    ("user_agent", |row| optional(row.user_agent.as_ref())),
    ("state", |row| row.state.to_owned()),
];

fn optional(value: Option<&impl ToString>) -> String {
    value.map_or_else(String::new, ToString::to_string)
}

/// Quotes a value. One that a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    if formula || value.contains([',', '"', '\r', '\n']) {
        format!("\"{guard}{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_become_others_or_formulas() {
        assert_eq!(cell("a"), "a");
        assert_eq!(cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(cell("=cmd|'/c calc'!A1"), "\"'=cmd|'/c calc'!A1\"");
        assert_eq!(cell("-1"), "\"'-1\"");
    }
}
