//! What could be typed next: fields, operators and known values.
//!
//! Reads the text up to the word under the cursor and never minds what is wrong in it.

use std::ops::Range;

use super::field::{Field, HEADER, HEADERS, Id, Kind, METHODS, fields};
use super::lexer::{self, Token, in_word};
use super::parser::{connector, verb};
use super::value::PACKETS;

/// One way to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Bytes of the text that `text` takes the place of: the word under the cursor, perhaps empty.
    pub replace: Range<usize>,
    pub text: String,
    /// One clause.
    pub help: String,
}

/// What may stand at the cursor.
enum Due {
    Condition,
    /// After a field; an operator or a connector.
    Operator(Kind),
    Value(Field),
    Connector,
    /// A value that nobody can guess.
    Nothing,
}

/// Returns what can stand at byte `cursor` of `text`, best first; nothing inside quotes.
pub fn complete(text: &str, cursor: usize) -> Vec<Completion> {
    let cursor = (0..=cursor.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let before = text.get(..cursor).unwrap_or_default();
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| in_word(*c))
        .last()
        .map_or(cursor, |(at, _)| at);
    let rest = text.get(cursor..).unwrap_or_default();
    let end = rest
        .find(|c| !in_word(c))
        .map_or(text.len(), |at| cursor.saturating_add(at));
    let (context, word) = before.split_at_checked(start).unwrap_or((before, ""));
    let (tokens, read) = lexer::prefix(context);
    if read < context.len() {
        return Vec::new();
    }
    offers(&due(context, &tokens))
        .into_iter()
        .filter(|(offer, _)| {
            offer
                .get(..word.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(word))
        })
        .filter(|(offer, _)| offer != word)
        .map(|(text, help)| Completion {
            replace: start..end,
            text,
            help,
        })
        .collect()
}

/// Tells what may follow `tokens`.
fn due(context: &str, tokens: &[Token]) -> Due {
    let spelling = |token: &Token| context.get(token.at.clone()).unwrap_or_default();
    let mut due = Due::Condition;
    let mut list = None;
    let mut field = None;
    for token in tokens {
        let word = spelling(token);
        due = match (due, word) {
            (_, "{") if field.is_some() => {
                list.clone_from(&field);
                field.clone().map_or(Due::Nothing, Due::Value)
            }
            (_, "," | "-") if list.is_some() => list.clone().map_or(Due::Nothing, Due::Value),
            (_, "}") => {
                list = None;
                Due::Connector
            }
            (Due::Operator(kind), "not") => Due::Operator(kind),
            (_, word) if connector(word).is_some() => Due::Condition,
            (_, "(") => Due::Condition,
            (_, ")") | (Due::Value(_) | Due::Nothing | Due::Connector, _) => Due::Connector,
            (Due::Operator(_), word) if verb(word).is_some() => {
                field.clone().map_or(Due::Nothing, Due::Value)
            }
            (Due::Condition | Due::Operator(_), word) => {
                field = Field::find(word).filter(|_| token.kind == lexer::Kind::Word);
                match &field {
                    Some(field) => Due::Operator(field.kind),
                    None => Due::Connector,
                }
            }
        };
    }
    due
}

fn offers(due: &Due) -> Vec<(String, String)> {
    let pair = |text: &str, help: &str| (text.to_owned(), help.to_owned());
    match due {
        Due::Condition => fields()
            .iter()
            .flat_map(|info| {
                let names: Vec<String> = if info.id == Id::HttpHeader {
                    HEADERS.map(|name| format!("{HEADER}{name}")).into()
                } else {
                    vec![info.name.to_owned()]
                };
                names
                    .into_iter()
                    .map(|name| (name, format!("{}: {}", info.type_name(), info.help)))
            })
            .chain([pair("not", "turns the next condition round")])
            .collect(),
        Due::Operator(kind) => operators(*kind)
            .iter()
            .map(|(sign, help)| pair(sign, help))
            .chain(connectors())
            .collect(),
        Due::Connector => connectors().into(),
        Due::Value(field) => values(field),
        Due::Nothing => Vec::new(),
    }
}

fn connectors() -> [(String, String); 2] {
    [
        ("and".to_owned(), "both conditions".to_owned()),
        ("or".to_owned(), "either condition".to_owned()),
    ]
}

fn operators(kind: Kind) -> Vec<(&'static str, &'static str)> {
    let mut signs = Vec::new();
    if kind != Kind::Flag {
        signs.extend([("==", "is"), ("!=", "is present and is not")]);
    }
    if kind.is_ordered() {
        signs.extend([
            ("<", "below"),
            ("<=", "at most"),
            (">", "above"),
            (">=", "at least"),
        ]);
    }
    if kind.is_textual() {
        signs.extend([
            ("contains", "has the text in it"),
            ("matches", "fits a regular expression"),
            ("like", "fits a pattern with * and ?"),
        ]);
    }
    if kind != Kind::Flag {
        signs.push(("in", "is one of {a, b}"));
    }
    signs
}

/// The values that are known beforehand.
fn values(field: &Field) -> Vec<(String, String)> {
    let offered = |names: &[&str], help: &str| -> Vec<(String, String)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), help.to_owned()))
            .collect()
    };
    match field.kind {
        Kind::Packet => PACKETS
            .iter()
            .map(|packet| (packet.name().to_owned(), "packet type".to_owned()))
            .collect(),
        Kind::Choice(names) | Kind::Level(names) => offered(names, field.name),
        _ if field.id == Id::HttpMethod => offered(&METHODS, "method"),
        _ if field.id == Id::HttpVersion => offered(&["1.1", "1.0"], "HTTP version"),
        _ => Vec::new(),
    }
}
