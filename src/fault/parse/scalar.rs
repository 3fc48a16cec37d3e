//! Single values: words, numbers, sizes, times, rates, conditions.
//!
//! Units are those of the filter language.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::timeline::filter::{Filter, unit};

use super::reader::{Placed, Read, Reader, Value, entries, table};

impl Read for String {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text.clone().into_owned());
        }
        reader.wrong_type(value, "a string", "put it in quotes");
        None
    }
}

impl Read for bool {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Boolean(flag) = value.get_ref() else {
            reader.wrong_type(value, "true or false", "write it without quotes");
            return None;
        };
        Some(*flag)
    }
}

impl Read for u64 {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let hint = "a whole number from 0 on";
        let DeValue::Integer(number) = value.get_ref() else {
            reader.wrong_type(value, "a whole number", hint);
            return None;
        };
        let read = Self::from_str_radix(number.as_str(), number.radix());
        if read.is_err() {
            let at = reader.at(value);
            let text = if number.as_str().starts_with('-') {
                "the number is below 0"
            } else {
                "the number is too large"
            };
            reader.error(at, text, hint);
        }
        read.ok()
    }
}

impl Read for f64 {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            _ => {
                reader.wrong_type(value, "a number", "write it like 0.25");
                return None;
            }
        };
        let read = text
            .parse::<Self>()
            .ok()
            .filter(|number| number.is_finite());
        if read.is_none() {
            let at = reader.at(value);
            reader.error(at, "this is no number to reckon with", "write it like 0.25");
        }
        read
    }
}

/// Makes a value of a file that is written as a number or as a text with a unit.
macro_rules! measure {
    ($(#[$meta:meta])* $name:ident($type:ty), $what:literal, $like:literal, $number:expr, $text:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(in crate::fault) struct $name(pub(super) $type);

        impl Read for $name {
            fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                let hint = concat!("write it like ", $like);
                let read = match value.get_ref() {
                    DeValue::String(text) => $text(text.trim()),
                    DeValue::Integer(_) => return u64::read(value, reader).map($number).map(Self),
                    _ => {
                        reader.wrong_type(value, $what, hint);
                        return None;
                    }
                };
                if read.is_none() {
                    let at = reader.at(value);
                    reader.error(at, concat!("this is not ", $what), hint);
                }
                read.map(Self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["string", "integer"],
                    "minimum": 0,
                    "description": concat!($what, ", like ", $like),
                })
            }
        }
    };
}

measure!(
    /// A time; a number counts seconds.
    Time(Duration), "a time", "\"250ms\", \"30s\" or \"15m\"", Duration::from_secs, unit::time
);
measure!(
    /// A size or an offset in bytes.
    Size(u64), "a size", "512, \"64KiB\" or \"5MiB\"", |bytes| bytes,
    |text: &str| text.parse().ok().or_else(|| unit::size(text))
);
measure!(
    /// Bytes a second.
    Rate(u64), "a rate", "\"64KiB/s\", \"2Mbit/s\" or a number of bytes a second", |rate| rate, unit::rate
);

/// A condition in the filter language.
#[derive(Clone, Debug)]
pub(in crate::fault) struct Condition {
    pub(super) filter: Filter,
    /// As the file writes it; `None` where another text does.
    pub(super) text: Option<String>,
}

impl Read for Condition {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(value, reader)?;
        match Filter::parse(&text) {
            Ok(filter) => Some(Self {
                filter,
                text: (!reader.is_elsewhere()).then_some(text),
            }),
            Err(error) => {
                let first = error.column.saturating_sub(1);
                let chars = first..first.saturating_add(error.length);
                let at = reader.inside(&reader.at(value), chars);
                reader.error(at, error.message, error.hint.unwrap_or_default());
                None
            }
        }
    }
}

impl JsonSchema for Condition {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["bits.type == fragment", "http.method in {GET, HEAD}"] })
    }
}

/// Header fields as they are to be written; a list writes a field several times.
#[derive(Clone, Debug, Default)]
pub(in crate::fault) struct Headers(pub(super) Vec<(String, String)>);

impl Read for Headers {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let table = table(value, reader, "write it like { Server = \"x\" }")?;
        let mut headers = Vec::new();
        for (name, at, value) in entries(table) {
            check_name(name, at, reader);
            let values = match value.get_ref() {
                DeValue::Array(_) => Vec::<Placed<String>>::read(value, reader),
                _ => Placed::<String>::read(value, reader).map(|one| vec![one]),
            };
            for value in values.unwrap_or_default() {
                if value.value.contains(['\r', '\n', '\0']) {
                    let text = "a field's value is one line";
                    reader.error(value.at, text, "use a list to send the field several times");
                } else {
                    headers.push((name.to_owned(), value.value));
                }
            }
        }
        Some(Self(headers))
    }
}

/// Tells where a name could not stand before a colon.
///
/// RFC 9110 §5.1
pub(super) fn check_name(name: &str, at: std::ops::Range<usize>, reader: &mut Reader<'_>) {
    let bad = |c: char| !c.is_ascii_graphic() || c == ':';
    if name.is_empty() || name.contains(bad) {
        let hint = "letters, digits and `-`, as in BITS-Session-Id";
        reader.error(at, format!("{name:?} is no name of a header field"), hint);
    }
}

impl JsonSchema for Headers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
            },
        })
    }
}
