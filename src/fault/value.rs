//! How the values of a rule are written on the wire.

use crate::bits::header::{Name, SPELLINGS};

use super::rule::{BitsField, BitsValue, ErrorHeader};

/// What relative values start from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Base {
    /// The value that the message would have.
    pub(super) usual: Option<u64>,
    /// The size of the whole file.
    pub(super) total: Option<u64>,
}

/// Writes a value. `None`: relative to nothing.
pub(super) fn text(field: BitsField, value: &BitsValue, base: Base) -> Option<String> {
    Some(match value {
        BitsValue::Text(text) => String::from_utf8_lossy(&clean(text)).into_owned(),
        BitsValue::Number(number) => number.to_string(),
        BitsValue::Code(code) if field == Name::ErrorContext => format!("0x{code:X}"),
        BitsValue::Code(code) => format!("0x{code:08X}"),
        BitsValue::Relative(distance) => base.usual?.saturating_add_signed(*distance).to_string(),
        BitsValue::OfTotal(distance) => base.total?.saturating_add_signed(*distance).to_string(),
    })
}

/// Returns the usual spelling of a field.
pub(super) fn usual(field: BitsField) -> &'static str {
    SPELLINGS
        .iter()
        .find(|spelling| spelling.name == field)
        .map_or("", |spelling| spelling.wire)
}

/// Returns the field names that an error code is sent with.
pub(super) fn error_names(spelled: ErrorHeader) -> &'static [&'static str] {
    match spelled {
        ErrorHeader::ErrorCode => &["BITS-Error-Code"],
        ErrorHeader::Error => &["BITS-Error"],
        ErrorHeader::Both => &["BITS-Error-Code", "BITS-Error"],
    }
}

/// Returns the usual reason of a status; empty for one that nobody named.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        // As IIS has it, and RFC 2616 §10.4.17.
        416 => "Requested Range Not Satisfiable",
        _ => http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default(),
    }
}

/// Returns a text as it may stand in a line: a line end in it would begin another one.
pub(super) fn clean(text: &str) -> Vec<u8> {
    text.bytes()
        .map(|byte| match byte {
            b'\r' | b'\n' | 0 => b' ',
            byte => byte,
        })
        .collect()
}
