//! Fields of BITS by short names, and their typed values.
//!
//! A short name stands for a field whatever its spelling on the wire; the spellings work as well.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::bits::header::{self, Name};
use crate::fault::rule::{BitsField, BitsValue};
use crate::timeline::filter::unit;

use super::reader::{Read, Reader, Value, entries, form, table};

/// What a field holds, and so how its value is written in a rules file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Text,
    /// An offset or a length.
    Bytes,
    /// An HRESULT.
    Code,
    /// Where an error arose.
    Context,
    Seconds,
}

/// Short names, in the order of the manual.
const NAMES: [(&str, Name); 26] = [
    ("packet_type", Name::PacketType),
    ("supported_protocols", Name::SupportedProtocols),
    ("protocol", Name::Protocol),
    ("session_id", Name::SessionId),
    ("received", Name::ReceivedContentRange),
    ("reply_url", Name::ReplyUrl),
    ("error", Name::Error),
    ("context", Name::ErrorContext),
    ("host_id", Name::HostId),
    ("host_id_timeout", Name::HostIdFallbackTimeout),
    ("content_name", Name::ContentName),
    ("content_length", Name::ContentLength),
    ("content_range", Name::ContentRange),
    ("content_encoding", Name::ContentEncoding),
    ("content_type", Name::ContentType),
    ("accept_encoding", Name::AcceptEncoding),
    ("range", Name::Range),
    ("if_unmodified_since", Name::IfUnmodifiedSince),
    ("last_modified", Name::LastModified),
    ("etag", Name::ETag),
    ("original_request_url", Name::OriginalRequestUrl),
    ("request_datafile", Name::RequestDataFile),
    ("response_datafile", Name::ResponseDataFile),
    ("static_response_url", Name::StaticResponseUrl),
    ("copy_file_to_destination", Name::CopyFileToDestination),
    ("user_agent", Name::UserAgent),
];

const fn holds(name: Name) -> Holds {
    match name {
        Name::ReceivedContentRange | Name::ContentLength => Holds::Bytes,
        Name::Error => Holds::Code,
        Name::ErrorContext => Holds::Context,
        Name::HostIdFallbackTimeout => Holds::Seconds,
        _ => Holds::Text,
    }
}

/// Finds a field by its short name or a spelling of the wire.
fn find(word: &str) -> Option<Name> {
    NAMES
        .iter()
        .find(|(short, _)| *short == word)
        .map(|(_, name)| *name)
        .or_else(|| header::identify(word.as_bytes()).map(|spelling| spelling.name))
}

fn short_names() -> Vec<&'static str> {
    NAMES.iter().map(|(short, _)| *short).collect()
}

/// A field of BITS that is named without a value.
#[derive(Clone, Copy, Debug)]
pub(in crate::fault) struct Field(pub(super) BitsField);

impl Read for Field {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let word = String::read(value, reader)?;
        let found = find(&word);
        if found.is_none() {
            let at = reader.at(value);
            reader.unknown(at, "field of BITS", &word, &short_names());
        }
        found.map(Self)
    }
}

impl JsonSchema for Field {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Field".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": short_names() })
    }
}

/// Fields of BITS with their values.
#[derive(Clone, Debug, Default)]
pub(in crate::fault) struct Fields(pub(super) Vec<(BitsField, BitsValue)>);

impl Read for Fields {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let table = table(value, reader, "write it like { error = \"0x8020001F\" }")?;
        let mut fields: Vec<(BitsField, BitsValue)> = Vec::new();
        for (word, at, value) in entries(table) {
            let Some(name) = find(word) else {
                reader.unknown(at, "field of BITS", word, &short_names());
                continue;
            };
            if fields.iter().any(|(known, _)| *known == name) {
                reader.error(
                    at,
                    format!("`{word}` names a field that was set before"),
                    "",
                );
                continue;
            }
            if let Some(read) = read(name, value, reader) {
                fields.push((name, read));
            }
        }
        Some(Self(fields))
    }
}

form! {
    /// A text that is sent as it is, whatever the field usually holds.
    Plain {
        /// The field's value, one line.
        text: String,
    }
}

fn read(name: Name, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<BitsValue> {
    let at = reader.at(value);
    match value.get_ref() {
        DeValue::Table(_) => {
            let plain = Plain::read(value, reader)?;
            if !plain.text.is_given() {
                reader.missing(
                    at,
                    "a text is missing",
                    "write it like { text = \"anything\" }",
                );
            }
            plain.text.value().map(BitsValue::Text)
        }
        DeValue::Integer(_) => {
            let number = u64::read(value, reader)?;
            match (holds(name), u32::try_from(number)) {
                (Holds::Code | Holds::Context, Ok(code)) => Some(BitsValue::Code(code)),
                (Holds::Code | Holds::Context, Err(_)) => {
                    reader.error(at, "a code has 32 bits", "write it like \"0x8020001F\"");
                    None
                }
                _ => Some(BitsValue::Number(number)),
            }
        }
        DeValue::String(text) if text.contains(['\r', '\n', '\0']) => {
            reader.error(at, "a field's value is one line", "");
            None
        }
        DeValue::String(text) => {
            let read = typed(holds(name), text);
            if read.is_none() {
                let (what, like) = manual(holds(name));
                let hint =
                    format!("write it like {like}; {{ text = \"...\" }} sends any text as it is");
                reader.error(at, format!("this is not {what}"), hint);
            }
            read
        }
        _ => {
            reader.wrong_type(value, "a string or a whole number", "");
            None
        }
    }
}

/// Says what a field holds and how that is written.
const fn manual(holds: Holds) -> (&'static str, &'static str) {
    match holds {
        Holds::Text => ("a text", "\"text\""),
        Holds::Bytes => (
            "an offset",
            "1048576, \"5MiB\", \"-1MiB\" (from what it would be) or \"total-1\" (from the file's size)",
        ),
        Holds::Code => (
            "an error code",
            "\"0x8020001F\" or \"BG_E_SESSION_NOT_FOUND\"",
        ),
        Holds::Context => ("an error context", "\"0x5\" or \"0x7\""),
        Holds::Seconds => ("a number of seconds", "110 or \"110s\""),
    }
}

fn typed(holds: Holds, text: &str) -> Option<BitsValue> {
    let text = text.trim();
    match holds {
        Holds::Text => Some(BitsValue::Text(text.to_owned())),
        Holds::Bytes => offset(text),
        Holds::Code => unit::code(text).map(BitsValue::Code),
        Holds::Context => header::context(text.as_bytes()).map(BitsValue::Code),
        Holds::Seconds => unit::time(text).map(|time| BitsValue::Number(time.as_secs())),
    }
}

/// Reads `5MiB`, `-1MiB`, `+1`, `total`, `total-1`.
fn offset(text: &str) -> Option<BitsValue> {
    if let Some(rest) = text.strip_prefix("total") {
        let distance = if rest.is_empty() {
            Some(0)
        } else {
            distance(rest.trim())
        };
        return distance.map(BitsValue::OfTotal);
    }
    match distance(text) {
        Some(distance) => Some(BitsValue::Relative(distance)),
        None => bytes(text).map(BitsValue::Number),
    }
}

/// Reads a size with its sign.
fn distance(text: &str) -> Option<i64> {
    let size = bytes(text.strip_prefix(['+', '-'])?.trim_start())?;
    let size = i64::try_from(size).ok()?;
    Some(if text.starts_with('-') {
        size.saturating_neg()
    } else {
        size
    })
}

fn bytes(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if plain {
        text.parse().ok()
    } else {
        unit::size(text)
    }
}

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties: serde_json::Map<String, serde_json::Value> = NAMES
            .iter()
            .map(|(short, name)| {
                let (what, like) = manual(holds(*name));
                let meaning = header::SPELLINGS
                    .iter()
                    .find(|spelling| spelling.name == *name)
                    .map_or(String::new(), |known| {
                        format!("{}: {}", known.wire, known.meaning)
                    });
                let schema = serde_json::json!({
                    "description": format!("{meaning} ({what}, like {like})"),
                    "type": ["string", "integer", "object"],
                });
                ((*short).to_owned(), schema)
            })
            .collect();
        json_schema!({ "type": "object", "properties": properties })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_absolute_relative_or_from_the_end() {
        for (text, wanted) in [
            ("5MiB", Some(BitsValue::Number(5 << 20))),
            ("0", Some(BitsValue::Number(0))),
            ("-1MiB", Some(BitsValue::Relative(-(1 << 20)))),
            ("+1", Some(BitsValue::Relative(1))),
            ("total", Some(BitsValue::OfTotal(0))),
            ("total - 1KiB", Some(BitsValue::OfTotal(-1024))),
            ("total+1", Some(BitsValue::OfTotal(1))),
            ("total1", None),
            ("--1", None),
            ("+-1", None),
            ("-99999999TiB", None),
            ("", None),
            ("none", None),
        ] {
            assert_eq!(offset(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn every_short_name_is_found_and_unique() {
        for (short, name) in NAMES {
            assert_eq!(find(short), Some(name));
            assert_eq!(NAMES.iter().filter(|(_, other)| *other == name).count(), 1);
        }
        assert_eq!(find("bits-error"), Some(Name::Error));
        assert_eq!(find("BITS-Session-Id"), Some(Name::SessionId));
    }
}
