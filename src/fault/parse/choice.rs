//! Values that are one of some words.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::fault::rule::{Ends, ErrorHeader, Per, Scope, Stage, TlsFault, Way};

use super::reader::{Read, Reader, Value};

/// One of some words, and what each stands for.
pub(super) trait Choice: Copy + 'static {
    /// What an error calls it.
    const WHAT: &'static str;
    /// Every word, in the order of the manual.
    const WORDS: &'static [(&'static str, Self)];
}

/// A word that was read.
#[derive(Clone, Copy, Debug)]
pub(in crate::fault) struct One<T>(pub(super) T);

impl<T: Choice> Read for One<T> {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let word = String::read(value, reader)?;
        let found = T::WORDS.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let at = reader.at(value);
            reader.unknown(at, T::WHAT, &word, &names::<T>());
        }
        found.map(|(_, choice)| Self(*choice))
    }
}

fn names<T: Choice>() -> Vec<&'static str> {
    T::WORDS.iter().map(|(name, _)| *name).collect()
}

impl<T: Choice> JsonSchema for One<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": names::<T>() })
    }
}

impl Choice for Stage {
    const WHAT: &'static str = "stage";
    const WORDS: &'static [(&'static str, Self)] = &[
        (Self::Connect.name(), Self::Connect),
        (Self::RequestHead.name(), Self::RequestHead),
        (Self::RequestBody.name(), Self::RequestBody),
        (Self::ResponseHead.name(), Self::ResponseHead),
        (Self::ResponseBody.name(), Self::ResponseBody),
        (Self::Close.name(), Self::Close),
    ];
}

impl Choice for Per {
    const WHAT: &'static str = "key to count by";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("session", Self::Session),
        ("connection", Self::Connection),
        ("client", Self::Client),
        ("url", Self::Url),
        ("run", Self::Run),
    ];
}

impl Choice for Ends {
    const WHAT: &'static str = "side";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("client", Self::Client),
        ("server", Self::Server),
        ("both", Self::Both),
    ];
}

impl Choice for Scope {
    const WHAT: &'static str = "scope";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("connection", Self::Connection),
        ("session", Self::Session),
        ("client", Self::Client),
        ("run", Self::Run),
    ];
}

impl Choice for Way {
    const WHAT: &'static str = "direction";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("to-server", Self::ToServer),
        ("to-client", Self::ToClient),
        ("both", Self::Both),
    ];
}

impl Choice for TlsFault {
    const WHAT: &'static str = "fault of TLS";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("expired", Self::Expired),
        ("wrong-name", Self::WrongName),
        ("unknown-authority", Self::UnknownAuthority),
        ("client-certificate", Self::ClientCertificate),
        ("abort", Self::Abort),
    ];
}

impl Choice for ErrorHeader {
    const WHAT: &'static str = "field for the error code";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("BITS-Error-Code", Self::ErrorCode),
        ("BITS-Error", Self::Error),
        ("both", Self::Both),
    ];
}
