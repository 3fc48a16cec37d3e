//! A fixed suite of experiments on somebody else's client or server, with a verdict for each.
//!
//! [`server`] uploads and judges the answers, [`client`] is a server that misbehaves as the experiment says and
//! judges what comes over the wire. An experiment is a row (what is done, what the documents say, where) and a
//! small function. Where a document is silent the verdict is [`Verdict::Unknown`], where documents disagree
//! either way passes. Knows no proxy and keeps no capture: put `bitstap proxy` in between.

pub mod client;
mod report;
pub mod server;

pub use report::Report;

/// What an experiment says of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A document has it so.
    Pass,
    /// No document has it so, but the transfer does not suffer.
    Differs,
    /// The transfer suffers, or a plain "must" is broken.
    Fails,
    /// No document says what should happen, or there was no occasion to see it.
    Unknown,
}

impl Verdict {
    /// Returns the word of the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Differs => "differs",
            Self::Fails => "fails",
            Self::Unknown => "unknown",
        }
    }
}

/// One experiment as its readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// In lower case with hyphens; also the path on our server.
    pub name: &'static str,
    /// What we do.
    pub does: &'static str,
    /// What the documents say about it.
    pub says: &'static str,
    /// Where they do; empty where none does.
    pub source: &'static str,
}

/// What one experiment found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    pub experiment: Experiment,
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub why: String,
    /// What the peer did, packet by packet.
    pub saw: Vec<String>,
}

/// A verdict and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judged {
    verdict: Verdict,
    why: String,
}

fn judged(verdict: Verdict, why: impl Into<String>) -> Judged {
    Judged {
        verdict,
        why: why.into(),
    }
}

fn pass(why: impl Into<String>) -> Judged {
    judged(Verdict::Pass, why)
}

fn differs(why: impl Into<String>) -> Judged {
    judged(Verdict::Differs, why)
}

fn fails(why: impl Into<String>) -> Judged {
    judged(Verdict::Fails, why)
}

fn unknown(why: impl Into<String>) -> Judged {
    judged(Verdict::Unknown, why)
}

/// So many lines of what was seen are kept for one experiment; a peer that never stops fills no memory.
const MOST_LINES: usize = 200;

/// Adds a line to what was seen, as long as there is room.
fn tell(saw: &mut Vec<String>, line: String) {
    match saw.len() {
        len if len < MOST_LINES => saw.push(line),
        MOST_LINES => saw.push("and more of it".to_owned()),
        _ => {}
    }
}

/// Picks the experiments called `only`, all where it is empty; an unknown name comes back as the error.
fn pick<'r, R>(
    rows: &'r [R],
    only: &[String],
    name: impl Fn(&R) -> &'static str,
) -> Result<Vec<&'r R>, String> {
    if let Some(stranger) = only
        .iter()
        .find(|wanted| !rows.iter().any(|row| name(row) == wanted.as_str()))
    {
        return Err(stranger.clone());
    }
    Ok(rows
        .iter()
        .filter(|row| only.is_empty() || only.iter().any(|wanted| wanted == name(row)))
        .collect())
}
