//! The JSON schema of rules files, for editors that complete and check while somebody types.
//!
//! Made from the same forms that the parser reads by.

use super::parse;

/// Where the schema says that it belongs.
const TITLE: &str = "Rules of bitstap";

/// Returns the schema as text, ready for a file.
pub fn text() -> String {
    let mut schema = parse::schema();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), TITLE.into());
    }
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
