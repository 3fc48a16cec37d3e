//! Reads typed values out of a TOML tree and collects what is wrong, each with its place.
//!
//! A form is written once, with [`form!`]: its keys, their types and their docs are the parser, the list
//! of what is allowed, and the JSON schema. Knows no rule.

use std::ops::{Deref, Range};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::timeline::filter::nearest;

use super::{Error, place};

/// A value of the tree.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// What was read, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: Range<usize>,
}

/// The value of a key that may be left out.
#[derive(Clone, Debug)]
pub(super) struct Slot<T> {
    read: Option<Placed<T>>,
    given: bool,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            read: None,
            given: false,
        }
    }
}

impl<T> Deref for Slot<T> {
    type Target = Option<Placed<T>>;

    fn deref(&self) -> &Self::Target {
        &self.read
    }
}

impl<T> Slot<T> {
    /// Tells whether the file has the key, be its value right or wrong.
    pub(super) const fn is_given(&self) -> bool {
        self.given
    }

    /// Takes what was read.
    pub(super) fn placed(self) -> Option<Placed<T>> {
        self.read
    }

    /// Takes what was read, without its place.
    pub(super) fn value(self) -> Option<T> {
        self.read.map(|placed| placed.value)
    }

    /// Returns where it stands, or `else_at` where it was left out.
    pub(super) fn at(&self, else_at: &Range<usize>) -> Range<usize> {
        self.read
            .as_ref()
            .map_or_else(|| else_at.clone(), |placed| placed.at.clone())
    }

    /// Returns this one where it is given, else the other.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        if self.given { self } else { other }
    }
}

impl<T: Read> Slot<T> {
    pub(super) fn fill(value: &Value<'_>, reader: &mut Reader<'_>) -> Self {
        Self {
            read: Placed::read(value, reader),
            given: true,
        }
    }
}

/// Reads a value that has bounds.
pub(super) trait Bounded<T> {
    /// Returns what `read` makes of it, of `usual` where it was left out; tells why not.
    fn map_at<U>(
        self,
        usual: T,
        reader: &mut Reader<'_>,
        read: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Option<U>;
}

impl<T> Bounded<T> for Slot<T> {
    fn map_at<U>(
        self,
        usual: T,
        reader: &mut Reader<'_>,
        read: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Option<U> {
        if !self.is_given() {
            return read(usual).ok();
        }
        let placed = self.placed()?;
        match read(placed.value) {
            Ok(read) => Some(read),
            Err(text) => {
                reader.error(placed.at, text, "");
                None
            }
        }
    }
}

/// Reads itself from a value; what is wrong is told to the reader.
pub(super) trait Read: Sized {
    /// `None`: it was wrong, and that was said.
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// The text that places are in, and all that is wrong with it.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    errors: Vec<Error>,
    /// Where errors begin.
    blamed: Vec<usize>,
    /// Where everything stands that comes from another text.
    fixed: Option<Range<usize>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            errors: Vec::new(),
            blamed: Vec::new(),
            fixed: None,
        }
    }

    /// Returns `done` where nothing is wrong, else all that is, from the top.
    pub(super) fn finish<T>(mut self, done: Option<T>) -> Result<T, Vec<Error>> {
        match done {
            Some(done) if self.errors.is_empty() => Ok(done),
            _ => {
                self.errors.sort_by_key(|error| (error.line, error.column));
                self.errors.dedup();
                Err(self.errors)
            }
        }
    }

    /// Tells what is wrong at a place.
    pub(super) fn error(
        &mut self,
        at: Range<usize>,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let at = self.fixed.clone().unwrap_or(at);
        self.blamed.push(at.start);
        self.errors.push(Error::at(self.text, at, text, hint));
    }

    /// Tells that something is missing at a place, unless what stands there was said to be wrong: it may
    /// have been meant.
    pub(super) fn missing(
        &mut self,
        at: Range<usize>,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if !self.blamed.iter().any(|blamed| at.contains(blamed)) {
            self.error(at, text, hint);
        }
    }

    /// Returns the text that places are in.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Reads with `read` what stands in another text, as if all of it stood at `at`.
    pub(super) fn elsewhere<T>(
        &mut self,
        at: Range<usize>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.fixed.replace(at);
        let done = read(self);
        self.fixed = before;
        done
    }

    /// Returns where a value stands.
    pub(super) fn at<T>(&self, value: &Spanned<T>) -> Range<usize> {
        self.fixed.clone().unwrap_or_else(|| value.span())
    }

    /// Tells whether what is read stands in another text.
    pub(super) const fn is_elsewhere(&self) -> bool {
        self.fixed.is_some()
    }

    /// Returns where characters of a string stand.
    pub(super) fn inside(&self, literal: &Range<usize>, chars: Range<usize>) -> Range<usize> {
        match &self.fixed {
            Some(at) => at.clone(),
            None => place::inside(self.text, literal, chars),
        }
    }

    /// Tells that a value is of the wrong type.
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, wanted: &str, hint: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let at = self.at(value);
        self.error(at, format!("expected {wanted}, found {found}"), hint);
    }

    /// Tells that a word is none of those allowed.
    pub(super) fn unknown(&mut self, at: Range<usize>, what: &str, word: &str, names: &[&str]) {
        let shown: String = word
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(60)
            .collect();
        let list = match names {
            [] => "nothing is allowed here".to_owned(),
            names => format!("allowed: {}", names.join(", ")),
        };
        let hint = match nearest(word, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`? {list}"),
            None => list,
        };
        self.error(at, format!("there is no {what} `{shown}`"), hint);
    }
}

impl<T: Read> Read for Placed<T> {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let at = reader.at(value);
        T::read(value, reader).map(|value| Self { value, at })
    }
}

impl<T: Read> Read for Vec<Placed<T>> {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(list) = value.get_ref() else {
            reader.wrong_type(value, "a list", "");
            return None;
        };
        let items: Self = list
            .iter()
            .filter_map(|item| Placed::read(item, reader))
            .collect();
        // Nothing left of something was said to be wrong already.
        (list.is_empty() || !items.is_empty()).then_some(items)
    }
}

/// Returns the entries of a table in the order of the text.
pub(super) fn entries<'a, 't>(
    table: &'a DeTable<'t>,
) -> Vec<(&'a str, Range<usize>, &'a Value<'t>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| (&**key.get_ref(), key.span(), value))
        .collect();
    entries.sort_by_key(|(_, at, _)| at.start);
    entries
}

/// Returns the table that `value` is.
pub(super) fn table<'a, 't>(
    value: &'a Value<'t>,
    reader: &mut Reader<'_>,
    hint: &str,
) -> Option<&'a DeTable<'t>> {
    if let DeValue::Table(table) = value.get_ref() {
        return Some(table);
    }
    reader.wrong_type(value, "a table", hint);
    None
}

/// Returns a key's name without the mark of a raw identifier.
pub(super) const fn plain(name: &str) -> &str {
    if let [b'r', b'#', rest @ ..] = name.as_bytes()
        && let Ok(rest) = str::from_utf8(rest)
    {
        return rest;
    }
    name
}

/// Makes a table of the file: a struct of slots, its parser, its list of keys and its schema.
macro_rules! form {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        #[derive(Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields, default)]
        $(#[$meta])*
        pub(in crate::fault) struct $name {
            $($(#[$field_meta])* pub(super) $field: $crate::fault::parse::reader::Slot<$type>,)*
        }

        impl $name {
            /// All keys, in the order of the manual.
            pub(super) const KEYS: &'static [&'static str] =
                &[$($crate::fault::parse::reader::plain(stringify!($field))),*];

            /// Reads a table; what is wrong in it is left out, and told.
            pub(super) fn read_table(
                table: &toml::de::DeTable<'_>,
                reader: &mut $crate::fault::parse::reader::Reader<'_>,
            ) -> Self {
                let mut form = Self::default();
                for (key, at, value) in $crate::fault::parse::reader::entries(table) {
                    match key {
                        $(key if key == $crate::fault::parse::reader::plain(stringify!($field)) => {
                            form.$field = $crate::fault::parse::reader::Slot::fill(value, reader);
                        })*
                        _ => reader.unknown(at, "key", key, Self::KEYS),
                    }
                }
                form
            }
        }

        impl $crate::fault::parse::reader::Read for $name {
            fn read(
                value: &$crate::fault::parse::reader::Value<'_>,
                reader: &mut $crate::fault::parse::reader::Reader<'_>,
            ) -> Option<Self> {
                let hint = format!("keys: {}", Self::KEYS.join(", "));
                let table = $crate::fault::parse::reader::table(value, reader, &hint)?;
                Some(Self::read_table(table, reader))
            }
        }
    };
}

pub(super) use form;

/// Passes the schema of what is inside.
macro_rules! transparent {
    ($name:ident) => {
        impl<T: JsonSchema> JsonSchema for $name<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}

transparent!(Placed);
transparent!(Slot);
