//! Content of multipart/byteranges taken apart while it passes.
//!
//! Pure and bounded: lines between parts are kept up to a limit, content of a part is only placed. A
//! part is as long as its Content-Range says, so its bytes are not searched for a boundary. It knows
//! neither sessions nor files: who feeds it has them.
//!
//! RFC 9110 §14.6

use super::header;

/// Longest line between parts that is looked at.
const LINE: usize = 8192;

/// So many parts are remembered. Windows asks for 500 ranges at most.
const PARTS_MAX: usize = 512;

/// What was seen of the parts themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// First and last byte of each part, both inclusive, in the order in which they came.
    pub ranges: Vec<(u64, u64)>,
    /// There were more than are remembered, or bytes between parts are missing.
    pub doubtful: bool,
    /// Bytes of the largest part head beside Content-Range and Content-Type, line ends included.
    pub widest: usize,
    /// Line ends before the first boundary.
    pub lead: usize,
}

/// Bytes of the file: which of those fed, and where they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset in the bytes that were fed, or skipped.
    pub from: u64,
    pub len: u64,
    /// Offset in the file.
    pub at: u64,
}

/// The parser of one answer.
#[derive(Clone, Debug)]
pub struct Parts {
    /// With the two dashes before it; only those where the head names none.
    boundary: Vec<u8>,
    line: Vec<u8>,
    state: State,
    /// The file's size, as a part tells it.
    pub total: Option<u64>,
    layout: Layout,
    /// Such bytes in the head of the part at hand.
    wide: usize,
    begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Looks for a boundary.
    Between,
    /// In the head of a part; its range, where one was read.
    Head(Option<(u64, u64)>),
    /// In a part: the next byte's place and the end.
    Content(u64, u64),
}

impl Parts {
    /// Makes a parser for content of this Content-Type.
    pub fn new(content_type: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content_type);
        let named = text.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches('"');
            name.trim()
                .eq_ignore_ascii_case("boundary")
                .then(|| value.to_owned())
        });
        Self {
            boundary: format!("--{}", named.unwrap_or_default()).into_bytes(),
            line: Vec::new(),
            state: State::Between,
            total: None,
            layout: Layout::default(),
            wide: 0,
            begun: false,
        }
    }

    /// Returns what was seen of the parts so far.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns which bytes of the file came so far, in the order of the parts; ends are exclusive.
    pub fn arrived(&self) -> Vec<(u64, u64)> {
        let begun = self.layout.ranges.iter();
        let mut parts: Vec<_> = begun
            .map(|&(first, last)| (first, last.saturating_add(1)))
            .collect();
        if let (State::Content(next, end), Some(last)) = (self.state, parts.last_mut())
            && last.1 == end
        {
            last.1 = next;
        }
        parts
    }

    /// Reads the next `bytes`.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let from = as_u64(bytes.len().saturating_sub(rest.len()));
            if let State::Content(..) = self.state {
                let piece = self.content(from, as_u64(rest.len()));
                pieces.extend(piece);
                let len = piece.map_or(0, |piece| usize::try_from(piece.len).unwrap_or(usize::MAX));
                rest = rest.get(len..).unwrap_or_default();
                continue;
            }
            let end = memchr::memchr(b'\n', rest);
            let (line, after) = rest.split_at(end.map_or(rest.len(), |end| end.saturating_add(1)));
            let room = LINE.saturating_sub(self.line.len());
            self.line
                .extend_from_slice(line.get(..room).unwrap_or(line));
            if end.is_some() {
                self.line_over();
            }
            rest = after;
        }
        pieces
    }

    /// Takes note that the next `len` bytes cannot be shown; returns where they lie, if known.
    pub fn skip(&mut self, len: u64) -> Option<Piece> {
        let piece = match self.state {
            State::Content(..) => self.content(0, len),
            _ => None,
        };
        if piece.is_none_or(|piece| piece.len < len) {
            // Something between parts is gone, too: the next boundary tells where things are.
            self.state = State::Between;
            self.line.clear();
            self.layout.doubtful = true;
        }
        piece
    }

    fn content(&mut self, from: u64, have: u64) -> Option<Piece> {
        let State::Content(at, end) = self.state else {
            return None;
        };
        let len = have.min(end.saturating_sub(at));
        let next = at.saturating_add(len);
        self.state = if next < end {
            State::Content(next, end)
        } else {
            State::Between
        };
        (len > 0).then_some(Piece { from, len, at })
    }

    fn line_over(&mut self) {
        let raw = std::mem::take(&mut self.line);
        let line = raw.trim_ascii();
        let is_boundary = line.starts_with(&self.boundary);
        if !self.begun && !is_boundary {
            self.layout.lead = self.layout.lead.saturating_add(1);
        }
        self.begun |= is_boundary;
        self.state = match self.state {
            State::Head(Some((first, end))) if line.is_empty() => {
                self.begins(first, end);
                State::Content(first, end)
            }
            State::Head(None) if line.is_empty() => {
                self.layout.doubtful = true;
                State::Between
            }
            State::Head(known) => {
                let range = self.range(line);
                let typed = starts_with(line, b"content-type");
                if range.is_none() && !typed {
                    self.wide = self.wide.saturating_add(raw.len());
                }
                State::Head(known.or(range))
            }
            _ if is_boundary && !line.ends_with(b"--") => {
                self.wide = 0;
                State::Head(None)
            }
            state => state,
        };
    }

    /// Takes note that the content of a part begins; `end` is not part of it.
    fn begins(&mut self, first: u64, end: u64) {
        let layout = &mut self.layout;
        layout.widest = layout.widest.max(self.wide);
        if layout.ranges.len() < PARTS_MAX {
            layout.ranges.push((first, end.saturating_sub(1)));
        } else {
            layout.doubtful = true;
        }
    }

    /// Reads the range of a part from a field line.
    fn range(&mut self, line: &[u8]) -> Option<(u64, u64)> {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at(colon);
        if !name.trim_ascii().eq_ignore_ascii_case(b"content-range") {
            return None;
        }
        let range = header::content_range(value.get(1..)?)?;
        self.total = range.total.or(self.total);
        (range.first <= range.last).then(|| (range.first, range.last.saturating_add(1)))
    }
}

/// Tells whether a field line has this name; case does not matter.
fn starts_with(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"\r\n--xYz\r\nContent-Type: a/b\r\nContent-range: bytes 2-5/20\r\n\r\nc\n-d\r\n--xYz\r\nContent-Range: bytes 10-11/20\r\n\r\nkl\r\n--xYz--\r\n";

    fn placed(cuts: usize) -> (Vec<(u64, u8)>, Option<u64>) {
        let mut parts = Parts::new(b"multipart/byteranges; boundary=\"xYz\"");
        let mut found = Vec::new();
        for bytes in CONTENT.chunks(cuts) {
            for piece in parts.feed(bytes) {
                for n in 0..piece.len {
                    let byte = bytes[usize::try_from(piece.from + n).unwrap()];
                    found.push((piece.at + n, byte));
                }
            }
        }
        (found, parts.total)
    }

    #[test]
    fn parts_lie_where_their_ranges_say_however_they_are_cut() {
        let expected: Vec<(u64, u8)> = (2..6).zip(*b"c\n-d").chain((10..12).zip(*b"kl")).collect();
        for cuts in [1, 2, 3, 7, CONTENT.len()] {
            assert_eq!(placed(cuts), (expected.clone(), Some(20)), "{cuts}");
        }
    }

    #[test]
    fn the_layout_is_told_in_the_order_of_the_parts() {
        let mut parts = Parts::new(b"multipart/byteranges; boundary=xYz");
        parts.feed(CONTENT);
        let layout = parts.layout();
        assert_eq!(layout.ranges, [(2, 5), (10, 11)]);
        assert_eq!((layout.widest, layout.lead, layout.doubtful), (0, 1, false));
        assert_eq!(parts.arrived(), [(2, 6), (10, 12)]);
        let mut parts = Parts::new(b"multipart/byteranges; boundary=x");
        parts.feed(b"\r\n\r\n\r\n--x\r\nServer: abc\r\nContent-Range: bytes 0-0/9\r\n\r\na");
        assert_eq!((parts.layout().widest, parts.layout().lead), (13, 3));
    }

    #[test]
    fn of_a_part_that_breaks_off_only_what_came_arrived() {
        let mut parts = Parts::new(b"multipart/byteranges; boundary=xYz");
        let at = CONTENT.windows(2).position(|two| two == b"kl").unwrap() + 1;
        parts.feed(&CONTENT[..at]);
        assert_eq!(parts.arrived(), [(2, 6), (10, 11)]);
    }

    #[test]
    fn a_hole_costs_what_it_covers_and_no_more() {
        let mut parts = Parts::new(b"multipart/byteranges; boundary=xYz");
        // Before the `d` of the first part, byte 5 of the file.
        let at = CONTENT.windows(2).position(|two| two == b"-d").unwrap() + 1;
        let (before, after) = CONTENT.split_at(at);
        assert_eq!(parts.feed(before).len(), 1);
        let skipped = parts.skip(1).unwrap();
        assert_eq!((skipped.at, skipped.len), (5, 1));
        let rest = parts.feed(&after[1..]);
        assert_eq!(
            rest.last().map(|piece| (piece.at, piece.len)),
            Some((10, 2))
        );
    }
}
