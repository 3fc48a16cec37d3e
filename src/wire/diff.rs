//! What is not the same in two heads: start line, fields, their order, their spelling.
//!
//! Fields of one name are compared in the order in which they were sent. Knows no legs and no reasons.

use std::collections::HashMap;
use std::ops::Range;

use super::head::Head;

/// One difference between a head and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The start lines differ.
    Start {
        before: Vec<u8>,
        after: Vec<u8>,
    },
    Removed {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    Added {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    /// The same field has another value.
    Value {
        name: Vec<u8>,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    /// The name has other letters, capital or small.
    Spelling {
        before: Vec<u8>,
        after: Vec<u8>,
    },
    /// It stands at another place among the fields that both have.
    Moved {
        name: Vec<u8>,
    },
    /// Blanks or line ends differ, and nothing else.
    Blanks,
}

/// Lists what differs, in the order of `before`; what was added comes last.
pub fn differences(before: &Head, after: &Head) -> Vec<Difference> {
    if before.raw == after.raw {
        return Vec::new();
    }
    let mut out = Vec::new();
    let (first, second) = (start(before), start(after));
    if first != second {
        out.push(Difference::Start {
            before: first.to_vec(),
            after: second.to_vec(),
        });
    }
    let mut free: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (at, (name, _)) in after.pairs().enumerate() {
        free.entry(name.to_ascii_lowercase()).or_default().push(at);
    }
    // The first of a name is taken first.
    for places in free.values_mut() {
        places.reverse();
    }
    let theirs: Vec<(&[u8], &[u8])> = after.pairs().collect();
    let mut partners = Vec::new();
    let mut common = Vec::new();
    for (name, value) in before.pairs() {
        let partner = free
            .get_mut(&name.to_ascii_lowercase())
            .and_then(Vec::pop)
            .and_then(|at| Some((at, theirs.get(at)?)));
        let Some((at, (other, other_value))) = partner else {
            out.push(Difference::Removed {
                name: name.to_vec(),
                value: value.to_vec(),
            });
            continue;
        };
        partners.push(at);
        common.push(name);
        if value != *other_value {
            out.push(Difference::Value {
                name: name.to_vec(),
                before: value.to_vec(),
                after: other_value.to_vec(),
            });
        } else if name != *other {
            out.push(Difference::Spelling {
                before: name.to_vec(),
                after: other.to_vec(),
            });
        }
    }
    let stay = rising(&partners);
    for (name, stays) in common.iter().zip(stay) {
        if !stays {
            out.push(Difference::Moved {
                name: name.to_vec(),
            });
        }
    }
    let mut added: Vec<usize> = free.into_values().flatten().collect();
    added.sort_unstable();
    for (name, value) in added.iter().filter_map(|at| theirs.get(*at)) {
        out.push(Difference::Added {
            name: name.to_vec(),
            value: value.to_vec(),
        });
    }
    if out.is_empty() {
        out.push(Difference::Blanks);
    }
    out
}

/// Returns the start line without its end.
fn start(head: &Head) -> &[u8] {
    let line = head.raw.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Tells of each number whether it belongs to a longest rising subsequence.
fn rising(numbers: &[usize]) -> Vec<bool> {
    // Index of the smallest number that ends a rising run of each length, and what came before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (at, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers.get(*end).is_some_and(|end| end < number));
        before.push(
            length
                .checked_sub(1)
                .and_then(|last| ends.get(last).copied()),
        );
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut stay = vec![false; numbers.len()];
    let mut next = ends.last().copied();
    while let Some(at) = next {
        if let Some(stays) = stay.get_mut(at) {
            *stays = true;
        }
        next = before.get(at).copied().flatten();
    }
    stay
}

/// Returns the first place at which two pieces of content differ, of the bytes that both have; holes are
/// passed over.
pub fn first_difference(one: &[u8], other: &[u8], holes: &[Range<usize>]) -> Option<usize> {
    one.iter()
        .zip(other)
        .enumerate()
        .position(|(at, (one, other))| one != other && !holes.iter().any(|hole| hole.contains(&at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decoder, Item, Stream};

    fn head(text: &str) -> Head {
        let mut items = Vec::new();
        Decoder::new(Stream::Requests).feed(text.as_bytes(), &mut items);
        items
            .into_iter()
            .find_map(|item| match item {
                Item::Head { head, .. } => Some(head),
                _ => None,
            })
            .unwrap()
    }

    fn diff(before: &str, after: &str) -> Vec<Difference> {
        differences(&head(before), &head(after))
    }

    #[test]
    fn equal_heads_do_not_differ() {
        let text = "PUT /a HTTP/1.1\r\nHost: a\r\nA: 1\r\nA: 2\r\n\r\n";
        assert_eq!(diff(text, text), []);
    }

    #[test]
    fn start_line_value_spelling_added_and_removed() {
        let found = diff(
            "PUT http://a/x HTTP/1.1\r\nHost: a\r\nDate: 1\r\nVia: x\r\n\r\n",
            "PUT /x HTTP/1.1\r\nhost: a\r\nDate: 2\r\nX-New: y\r\n\r\n",
        );
        assert_eq!(
            found,
            [
                Difference::Start {
                    before: b"PUT http://a/x HTTP/1.1".to_vec(),
                    after: b"PUT /x HTTP/1.1".to_vec()
                },
                Difference::Spelling {
                    before: b"Host".to_vec(),
                    after: b"host".to_vec()
                },
                Difference::Value {
                    name: b"Date".to_vec(),
                    before: b"1".to_vec(),
                    after: b"2".to_vec()
                },
                Difference::Removed {
                    name: b"Via".to_vec(),
                    value: b"x".to_vec()
                },
                Difference::Added {
                    name: b"X-New".to_vec(),
                    value: b"y".to_vec()
                },
            ]
        );
    }

    #[test]
    fn one_field_that_moved_is_one_difference() {
        let found = diff(
            "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n",
            "GET / HTTP/1.1\r\nD: 4\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n",
        );
        assert_eq!(
            found,
            [Difference::Moved {
                name: b"D".to_vec()
            }]
        );
    }

    #[test]
    fn fields_of_one_name_are_compared_in_order() {
        let found = diff(
            "GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nA: 1\r\n\r\n",
        );
        let removed = Difference::Removed {
            name: b"A".to_vec(),
            value: b"2".to_vec(),
        };
        assert_eq!(found, [removed]);
    }

    #[test]
    fn blanks_alone_are_said_to_be_that() {
        let found = diff(
            "GET / HTTP/1.1\r\nA: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nA:1\r\n\r\n",
        );
        assert_eq!(found, [Difference::Blanks]);
    }

    #[test]
    fn holes_are_no_difference() {
        assert_eq!(first_difference(b"abcd", b"aXcY", &[0..1, 1..2]), Some(3));
        assert_eq!(first_difference(b"abcd", b"ab", &[]), None);
    }
}
