//! One copy of each string that rows show.

use std::collections::HashSet;

use super::Text;

/// The strings so far.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: HashSet<Text>,
}

impl Texts {
    /// Returns the shared copy of `text`.
    pub(super) fn share(&mut self, text: &str) -> Text {
        if let Some(known) = self.known.get(text) {
            return Text::clone(known);
        }
        let shared = Text::from(text);
        self.known.insert(Text::clone(&shared));
        shared
    }
}
