//! What a rule can see, and what it can do, at which stage: two tables.
//!
//! The parser refuses by them what could never happen; the manual prints them. Knows no syntax.

use super::rule::{Action, Stage};

/// Since when a field of the filter language is known to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// At this stage and all later ones of the exchange.
    From(Stage),
    /// At no stage; the reason is a clause.
    Never(&'static str),
}

const AFTER: &str = "it is known when the exchange is over";
const DERIVED: &str = "sessions are made out on the timeline, not while a packet waits";
const TIMELINE: &str = "only the timeline has it";

/// Fields by name, with the stage from which a rule can see them.
#[rustfmt::skip]
const FIELDS: [(&str, Known); 45] = [
    ("bits", Known::From(Stage::RequestHead)),
    ("bits.type", Known::From(Stage::RequestHead)),
    ("bits.session", Known::From(Stage::RequestHead)),
    ("bits.range.start", Known::From(Stage::RequestHead)),
    ("bits.range.end", Known::From(Stage::RequestHead)),
    ("bits.total", Known::From(Stage::RequestHead)),
    ("bits.last", Known::From(Stage::RequestHead)),
    ("bits.received", Known::From(Stage::ResponseHead)),
    ("bits.error", Known::From(Stage::ResponseHead)),
    ("bits.error.name", Known::From(Stage::ResponseHead)),
    ("bits.error.context", Known::From(Stage::ResponseHead)),
    ("bits.host_id", Known::From(Stage::ResponseHead)),
    ("http.method", Known::From(Stage::RequestHead)),
    ("http.status", Known::From(Stage::ResponseHead)),
    ("http.host", Known::From(Stage::RequestHead)),
    ("http.url", Known::From(Stage::RequestHead)),
    ("http.version", Known::From(Stage::RequestHead)),
    ("http.header.NAME", Known::From(Stage::RequestHead)),
    ("auth", Known::From(Stage::RequestHead)),
    ("auth.scheme", Known::From(Stage::RequestHead)),
    ("auth.stage", Known::From(Stage::RequestHead)),
    ("auth.proxy", Known::From(Stage::RequestHead)),
    ("conn", Known::From(Stage::Connect)),
    ("client.ip", Known::From(Stage::Connect)),
    ("client.port", Known::From(Stage::Connect)),
    ("leg", Known::Never("rules see the client's leg alone")),
    ("no", Known::Never(TIMELINE)),
    ("time", Known::From(Stage::Connect)),
    ("time.wait", Known::Never(AFTER)),
    ("time.total", Known::Never(AFTER)),
    ("size", Known::From(Stage::RequestHead)),
    ("rate", Known::Never(AFTER)),
    ("outcome", Known::Never(AFTER)),
    ("problem", Known::From(Stage::ResponseHead)),
    ("session", Known::Never(DERIVED)),
    ("session.state", Known::Never(DERIVED)),
    ("session.kind", Known::Never(DERIVED)),
    ("session.restarts", Known::Never(DERIVED)),
    ("session.rewinds", Known::Never(DERIVED)),
    ("session.resent", Known::Never(DERIVED)),
    ("name", Known::From(Stage::RequestHead)),
    ("finding", Known::Never(TIMELINE)),
    ("finding.level", Known::Never(TIMELINE)),
    ("fault.rule", Known::Never(TIMELINE)),
    ("mark", Known::Never(TIMELINE)),
];

/// Returns since when a field is known; `http.header.NAME` stands for its family.
pub fn known(field: &str) -> Known {
    FIELDS
        .iter()
        .find(|(name, _)| *name == field)
        .map_or(Known::Never(TIMELINE), |(_, known)| *known)
}

/// Returns the fields that a rule can see at `stage`, in the order of the filter manual.
pub fn fields_at(stage: Stage) -> Vec<&'static str> {
    FIELDS
        .iter()
        .filter(|(_, known)| matches!(known, Known::From(from) if *from <= stage))
        .map(|(name, _)| *name)
        .collect()
}

const HEADS: &[Stage] = &[Stage::RequestHead, Stage::ResponseHead];
const BODIES: &[Stage] = &[Stage::RequestBody, Stage::ResponseBody];
const MESSAGES: &[Stage] = &[
    Stage::RequestHead,
    Stage::RequestBody,
    Stage::ResponseHead,
    Stage::ResponseBody,
];

/// Actions by name, in the order of the manual, with the stages at which they make sense.
pub const ACTIONS: [(&str, &[Stage]); 17] = [
    ("delay", &Stage::ALL),
    ("limit", MESSAGES),
    ("dribble", MESSAGES),
    ("set", HEADS),
    ("remove", HEADS),
    ("flip", BODIES),
    ("truncate", BODIES),
    ("note", &Stage::ALL),
    (
        "respond",
        &[Stage::RequestHead, Stage::RequestBody, Stage::ResponseHead],
    ),
    ("reset", &Stage::ALL),
    ("close", &Stage::ALL),
    ("hang", &Stage::ALL),
    ("drop_response", HEADS),
    ("duplicate", HEADS),
    ("hold", HEADS),
    ("refuse", &[Stage::Connect]),
    ("tls", &[Stage::Connect]),
];

/// Returns the stages at which an action makes sense.
pub fn stages_of(action: &Action) -> &'static [Stage] {
    ACTIONS
        .iter()
        .find(|(name, _)| *name == action.name())
        .map_or(&[], |(_, stages)| stages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::filter;

    #[test]
    fn every_field_of_the_language_has_its_place() {
        let table: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        let language: Vec<&str> = filter::fields().iter().map(|info| info.name).collect();
        assert_eq!(table, language);
    }

    #[test]
    fn what_is_known_stays_known() {
        assert!(fields_at(Stage::Connect).contains(&"client.ip"));
        assert!(!fields_at(Stage::RequestBody).contains(&"http.status"));
        assert!(fields_at(Stage::Close).contains(&"http.status"));
        assert!(Stage::ALL.is_sorted());
    }
}
