//! Notes without what is private: sentences, and what they say as data.
//!
//! Where names or hosts are to go, sentences go as a whole, since either may stand anywhere in them. Else they lose
//! the secrets of the URLs in them.

use std::net::SocketAddr;

use super::mask::Mask;
use super::private::names_secret;
use crate::event::{Fact, LeakFact, Note, RewriteFact, RuleFact, RulesFact, TlsFact};

const BLANKED: &str = "A note stood here; it was masked.";
/// Stands for the text of rules: a comment in their language.
const NO_RULES: &str = "# The rules stood here; they were masked.\n";

impl Mask {
    /// Tells whether whole sentences go.
    fn hides_words(&self) -> bool {
        self.what.addresses || self.what.names
    }

    /// Returns a note that names nobody and nothing that is masked.
    pub(super) fn note(&self, note: &Note) -> Note {
        let text = |text: &str| {
            if self.hides_words() {
                "masked".to_owned()
            } else {
                self.sentence(text)
            }
        };
        let fact = match &note.fact {
            Fact::ConnectFailed { status, reason } => Fact::ConnectFailed {
                reason: text(reason),
                status: *status,
            },
            Fact::Answered { status, reason } => Fact::Answered {
                status: *status,
                reason: text(reason),
            },
            Fact::Tls(tls) if self.hides_words() => Fact::Tls(Box::new(TlsFact {
                version: tls.version.clone(),
                cipher: tls.cipher.clone(),
                ..TlsFact::default()
            })),
            Fact::TlsFailed {
                by,
                reason,
                server_name,
            } => Fact::TlsFailed {
                by: *by,
                reason: text(reason),
                server_name: server_name.clone().filter(|_| !self.hides_words()),
            },
            Fact::Tunnel { to, read } => Fact::Tunnel {
                to: text(to),
                read: *read,
            },
            Fact::Rewrite(fact) => Fact::Rewrite(Box::new(RewriteFact {
                before: self.value(&fact.field, &fact.before),
                after: self.value(&fact.field, &fact.after),
                ..(**fact).clone()
            })),
            Fact::Leak(fact) => Fact::Leak(Box::new(LeakFact {
                value: self.value(&fact.field, &fact.value),
                to: self.whole_url(&fact.to),
                ..(**fact).clone()
            })),
            Fact::Rules(fact) if self.hides_words() || names_secret(&fact.source) => {
                Fact::Rules(Box::new(RulesFact {
                    source: NO_RULES.to_owned(),
                    ..(**fact).clone()
                }))
            }
            Fact::Rule(fact) => Fact::Rule(Box::new(RuleFact {
                key: self.key(&fact.key),
                reason: text(&fact.reason),
                ..(**fact).clone()
            })),
            Fact::Comment { place, comment } => Fact::Comment {
                place: *place,
                comment: if comment.is_empty() {
                    String::new()
                } else {
                    text(comment)
                },
            },
            fact => fact.clone(),
        };
        let text = if self.hides_words() {
            BLANKED.to_owned()
        } else {
            self.sentence(&note.text)
        };
        Note { text, fact }
    }

    /// Returns a sentence without the secrets of the URLs in it.
    fn sentence(&self, text: &str) -> String {
        let is_url = |word: &str| word.contains("://") || word.contains('?');
        let mut out = String::with_capacity(text.len());
        for word in text.split_inclusive(char::is_whitespace) {
            if is_url(word) {
                out.push_str(&self.whole_url(word));
            } else {
                out.push_str(word);
            }
        }
        out
    }

    fn whole_url(&self, url: &str) -> String {
        written_over(url, |bytes| self.url(bytes))
    }

    /// Returns the value of a field, or a request's target.
    fn value(&self, field: &str, value: &str) -> String {
        let name = field.to_ascii_lowercase();
        if name == "request target" {
            return self.whole_url(value);
        }
        written_over(value, |bytes| self.field(&name, bytes))
    }

    /// Returns what matches of a rule are counted by: it names a client, a path, or both.
    fn key(&self, key: &str) -> String {
        if self.hides_words() {
            written_over(key, |bytes| self.words.letters(bytes, b" #"))
        } else {
            self.sentence(key)
        }
    }

    /// Returns the address to show for this one.
    pub(super) fn address(&self, address: SocketAddr) -> SocketAddr {
        if self.what.addresses {
            self.words.address(address)
        } else {
            address
        }
    }
}

/// Returns the text with its bytes written over.
fn written_over(text: &str, write: impl FnOnce(&mut [u8])) -> String {
    let mut bytes = text.as_bytes().to_vec();
    write(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
