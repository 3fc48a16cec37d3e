//! What our packet comments say to programs: one JSON object behind one sentence.
//!
//! Comments come in pairs, a sentence for people and a [`Mark`] for programs; a comment without a
//! mark behind it was added by somebody else. Knows no blocks and no packets.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{ConnId, Fact, Leg, Note};

/// The JSON object of a section or of a packet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Version of the comments: 1.
    pub(super) bitstap: u32,
    /// Start of the capture, RFC 3339 in UTC with nanoseconds; names the capture, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<String>,
    /// The stream that begins with this packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) conn: Option<ConnId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leg: Option<Leg>,
    /// The ends, where the packet cannot carry them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<SocketAddr>,
    /// The capture starts in the middle of this connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) joined: bool,
    /// So many bytes follow that the capture never had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_seen: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fact: Option<Value>,
}

/// Longest JSON that fits into a comment.
const LONGEST: usize = u16::MAX as usize;

impl Mark {
    /// Makes an empty mark of this version.
    pub(super) fn new() -> Self {
        Self {
            bitstap: 1,
            ..Self::default()
        }
    }

    /// Makes the mark of a note; a fact that is too long for a comment is left out.
    pub(super) fn of_fact(fact: &Fact) -> String {
        let mut mark = Self::new();
        mark.fact = serde_json::to_value(fact).ok();
        let json = mark.json();
        if json.len() <= LONGEST {
            return json;
        }
        mark.fact = serde_json::to_value(Fact::Other).ok();
        mark.json()
    }

    /// Returns it as JSON on one line.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a comment; `None` where it is not one of ours.
    pub(super) fn parse(comment: &str) -> Option<Self> {
        if !comment.starts_with('{') || !comment.contains("\"bitstap\"") {
            return None;
        }
        serde_json::from_str(comment).ok()
    }
}

/// What the comments of one packet say.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) begin: Option<Mark>,
    pub(super) not_seen: Option<u64>,
    pub(super) notes: Vec<Note>,
}

impl Marks {
    /// Takes comments in the order of the file.
    pub(super) fn read<'a>(comments: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut marks = Self::default();
        let mut sentence: Option<String> = None;
        for bytes in comments {
            let comment = String::from_utf8_lossy(bytes);
            match sentence.take() {
                None => sentence = Some(comment.into_owned()),
                Some(text) => {
                    if let Some(mark) = Mark::parse(&comment) {
                        marks.take(text, mark);
                    } else {
                        marks.foreign(text);
                        sentence = Some(comment.into_owned());
                    }
                }
            }
        }
        if let Some(text) = sentence {
            marks.foreign(text);
        }
        marks
    }

    fn take(&mut self, text: String, mark: Mark) {
        if let Some(fact) = mark.fact {
            let fact = serde_json::from_value(fact).unwrap_or(Fact::Other);
            self.notes.push(Note { text, fact });
        } else if mark.conn.is_some() {
            self.begin = Some(mark);
        } else if mark.not_seen.is_some() {
            self.not_seen = mark.not_seen;
        }
    }

    /// Keeps what a person wrote in another tool.
    fn foreign(&mut self, text: String) {
        let fact = Fact::Other;
        self.notes.push(Note { text, fact });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(comments: &[&str]) -> Marks {
        Marks::read(comments.iter().map(|comment| comment.as_bytes()))
    }

    #[test]
    fn a_text_that_looks_like_a_mark_stays_a_text() {
        let text = r#"{"bitstap":1,"conn":7}"#;
        let marks = read(&[text, &Mark::of_fact(&Fact::Other)]);
        assert!(marks.begin.is_none());
        assert_eq!(marks.notes.len(), 1);
        assert_eq!(marks.notes[0].text, text);
    }

    #[test]
    fn somebody_elses_comment_is_a_note() {
        let marks = read(&["look here", "Connection 1", r#"{"bitstap":1,"conn":1}"#]);
        assert_eq!(marks.notes[0].text, "look here");
        assert_eq!(marks.begin.and_then(|mark| mark.conn), Some(ConnId(1)));
    }

    #[test]
    fn an_unknown_or_broken_fact_keeps_its_sentence() {
        for fact in [r#"{"fact":"quantum"}"#, r#"{"fact":"answered"}"#, "3"] {
            let json = format!(r#"{{"bitstap":2,"fact":{fact}}}"#);
            let marks = read(&["Something new.", &json]);
            assert_eq!(marks.notes.len(), 1);
            assert_eq!(marks.notes[0].text, "Something new.");
            assert_eq!(marks.notes[0].fact, Fact::Other);
        }
    }

    #[test]
    fn a_fact_that_fits_no_comment_becomes_other() {
        let reason = "x".repeat(70_000);
        let json = Mark::of_fact(&Fact::Closing { reason });
        assert!(json.len() < 100);
        assert!(json.contains("other"));
    }
}
