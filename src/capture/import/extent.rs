//! Where the members of one array lie in a JSON file, found without reading it into memory.
//!
//! Looks at brackets and strings only; what the members are is somebody else's matter.

use std::io::{self, BufReader, Read};

/// What the look at a file found.
#[derive(Debug, Default)]
pub(super) struct Extents {
    /// Offset and length of each object in `log.entries`.
    pub(super) members: Vec<(u64, u64)>,
    /// `log.entries` is there.
    pub(super) found: bool,
    /// The file ends inside it; the offset from which nothing could be used.
    pub(super) torn: Option<u64>,
}

/// Longest key that matters.
const KEY: usize = 16;
/// Keys on the way, by depth.
const WAY: [&[u8]; 2] = [b"log", b"entries"];

/// Finds the members of the array `entries` of the object `log` of the file's object.
pub(super) fn entries(from: impl Read) -> io::Result<Extents> {
    let mut reader = BufReader::with_capacity(1 << 18, from);
    let mut scan = Scan::default();
    let mut at = 0u64;
    let mut piece = vec![0; 1 << 16];
    loop {
        let len = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut rest = piece.get(..len).unwrap_or_default();
        while let Some((byte, after)) = rest.split_first() {
            let skip = scan.dull(rest);
            if skip > 0 {
                rest = rest.get(skip..).unwrap_or_default();
                at = at.saturating_add(skip as u64);
                continue;
            }
            scan.take(*byte, at);
            at = at.saturating_add(1);
            rest = after;
        }
    }
    if scan.depth > 0 && scan.out.found && !scan.over {
        scan.out.torn = Some(scan.member.unwrap_or(at));
    }
    Ok(scan.out)
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the place in the text"
)]
#[derive(Debug, Default)]
struct Scan {
    out: Extents,
    depth: u64,
    /// How many keys of the way lead here.
    on_way: usize,
    in_string: bool,
    escaped: bool,
    /// The last string, as far as it may be a key.
    string: Vec<u8>,
    /// The last string is the key of what comes.
    key: bool,
    /// Offset of the member in progress.
    member: Option<u64>,
    /// The array was closed.
    over: bool,
}

impl Scan {
    /// Returns how many bytes at the start of `rest` lie inside a long string and change nothing.
    fn dull(&self, rest: &[u8]) -> usize {
        if !self.in_string || self.escaped || self.string.len() < KEY {
            return 0;
        }
        memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())
    }

    fn take(&mut self, byte: u8, at: u64) {
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                return;
            }
            if self.string.len() < KEY {
                self.string.push(byte);
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.key = false;
                self.string.clear();
            }
            b':' => self.key = true,
            b'{' | b'[' => {
                self.open(byte, at);
                self.depth = self.depth.saturating_add(1);
                self.key = false;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.close(at);
                self.key = false;
            }
            b',' => self.key = false,
            _ => {}
        }
    }

    fn open(&mut self, byte: u8, at: u64) {
        let Some(depth) = usize::try_from(self.depth).ok().filter(|_| !self.over) else {
            return;
        };
        if depth == 3 && self.on_way == 2 && byte == b'{' {
            self.member = Some(at);
        }
        let leads = depth > 0
            && self.key
            && self.on_way + 1 == depth
            && WAY.get(depth - 1).is_some_and(|key| *key == self.string);
        if leads {
            self.on_way = depth;
            self.out.found |= depth == 2 && byte == b'[';
        }
    }

    fn close(&mut self, at: u64) {
        if self.depth == 3
            && let Some(begin) = self.member.take()
        {
            let len = at.saturating_sub(begin).saturating_add(1);
            self.out.members.push((begin, len));
        }
        let depth = usize::try_from(self.depth).unwrap_or(usize::MAX);
        if depth == self.on_way && self.on_way > 0 {
            self.over |= self.on_way == 2 && self.out.found;
            self.on_way -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<&str> {
        let found = entries(text.as_bytes()).unwrap();
        found
            .members
            .iter()
            .map(|(at, len)| {
                let at = usize::try_from(*at).unwrap();
                &text[at..at + usize::try_from(*len).unwrap()]
            })
            .collect()
    }

    #[test]
    fn finds_the_members_of_the_right_array_only() {
        let text = r#"{"entries":[{"no":1}],"log":{"pages":[{"entries":[{"no":2}]}],
            "entries":[{"a":"}]\"{"}, {"b":[{"c":{}}]}],"entries":[{"no":3}]},"x":{"log":{"entries":[{}]}}}"#;
        assert_eq!(members(text), [r#"{"a":"}]\"{"}"#, r#"{"b":[{"c":{}}]}"#]);
    }

    #[test]
    fn a_torn_file_keeps_what_is_whole() {
        let text = r#"{"log":{"entries":[{"a":1},{"b":"#;
        let found = entries(text.as_bytes()).unwrap();
        assert_eq!(found.members.len(), 1);
        assert_eq!(found.torn, Some(27));
        assert!(!entries(&br#"{"log":{}}"#[..]).unwrap().found);
    }
}
