//! pcapng blocks as bytes: the numbers of the format, and how a block and its options are laid out.
//!
//! Knows no TCP and no events. Written in little-endian order; read in either.
//! Source: draft-ietf-opsawg-pcapng.

/// Section Header Block; reads the same in both byte orders.
pub(super) const SECTION: u32 = 0x0A0D_0D0A;
/// Byte-Order Magic of a section.
pub(super) const ORDER: u32 = 0x1A2B_3C4D;
/// Interface Description Block.
pub(super) const INTERFACE: u32 = 1;
/// The obsolete Packet Block.
pub(super) const OLD_PACKET: u32 = 2;
/// Simple Packet Block.
pub(super) const SIMPLE: u32 = 3;
/// Enhanced Packet Block.
pub(super) const ENHANCED: u32 = 6;

/// `opt_comment`.
pub(super) const COMMENT: u16 = 1;
/// `if_name`.
pub(super) const IF_NAME: u16 = 2;
/// `if_description`.
pub(super) const IF_DESCRIPTION: u16 = 3;
/// `shb_userappl`.
pub(super) const APPLICATION: u16 = 4;
/// `if_tsresol`.
pub(super) const RESOLUTION: u16 = 9;
/// `if_tsoffset`.
pub(super) const TIME_OFFSET: u16 = 14;

/// `LINKTYPE_RAW`: a packet begins with its IP header.
pub(super) const RAW: u16 = 101;

/// Length of an Enhanced Packet Block before its packet.
pub(super) const ENHANCED_HEAD: usize = 28;

/// Longest value of an option.
const OPTION_MAX: usize = u16::MAX as usize;

/// Returns how many bytes follow `len` bytes up to a multiple of four.
pub(super) const fn padding(len: usize) -> usize {
    len.wrapping_neg() & 3
}

/// Appends a section of unknown length with its options.
pub(super) fn put_section(out: &mut Vec<u8>, options: &[(u16, &[u8])]) {
    put(out, SECTION, |out| {
        out.extend_from_slice(&ORDER.to_le_bytes());
        out.extend_from_slice(&1u16.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        out.extend_from_slice(&u64::MAX.to_le_bytes());
        put_options(out, options);
    });
}

/// Appends an interface of raw IP packets without a length limit.
pub(super) fn put_interface(out: &mut Vec<u8>, options: &[(u16, &[u8])]) {
    put(out, INTERFACE, |out| {
        out.extend_from_slice(&RAW.to_le_bytes());
        out.extend_from_slice(&0u16.to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        put_options(out, options);
    });
}

/// What an Enhanced Packet Block says besides its packet.
#[derive(Clone, Copy)]
pub(super) struct Enhanced<'a> {
    pub(super) interface: u32,
    /// Nanoseconds since 1970-01-01 UTC.
    pub(super) at_ns: u64,
    /// Bytes of the packet in the block.
    pub(super) captured: usize,
    /// Bytes of the packet on the wire.
    pub(super) original: usize,
    pub(super) comments: &'a [&'a str],
}

impl Enhanced<'_> {
    /// Returns the length of the whole block.
    fn len(&self) -> usize {
        let options: usize = self
            .comments
            .iter()
            .map(|comment| {
                let len = cut(comment).len();
                4 + len + padding(len)
            })
            .sum();
        let end = if self.comments.is_empty() { 0 } else { 4 };
        ENHANCED_HEAD + self.captured + padding(self.captured) + options + end + 4
    }

    /// Appends what comes before the packet.
    pub(super) fn put_head(&self, out: &mut Vec<u8>) {
        let mut head = [0; ENHANCED_HEAD];
        let words = [
            ENHANCED,
            word(self.len()),
            self.interface,
            low(self.at_ns >> 32),
            low(self.at_ns),
            word(self.captured),
            word(self.original),
        ];
        for (place, value) in head.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&head);
    }

    /// Appends what comes after the packet.
    pub(super) fn put_tail(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + padding(self.captured), 0);
        for comment in self.comments {
            put_option(out, COMMENT, cut(comment).as_bytes());
        }
        if !self.comments.is_empty() {
            out.extend_from_slice(&[0; 4]);
        }
        out.extend_from_slice(&word(self.len()).to_le_bytes());
    }
}

/// Yields the options of a block: code and value. Ends at the first that does not fit.
#[derive(Clone)]
pub(super) struct Options<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) big: bool,
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = read_u16(self.bytes, 0, self.big)?;
        let len = usize::from(read_u16(self.bytes, 2, self.big)?);
        if code == 0 {
            return None;
        }
        let value = self.bytes.get(4..4 + len)?;
        self.bytes = self.bytes.get(4 + len + padding(len)..).unwrap_or_default();
        Some((code, value))
    }
}

/// Reads two bytes at `at`.
pub(super) fn read_u16(bytes: &[u8], at: usize, big: bool) -> Option<u16> {
    let value = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(if big {
        u16::from_be_bytes(value)
    } else {
        u16::from_le_bytes(value)
    })
}

/// Reads four bytes at `at`.
pub(super) fn read_u32(bytes: &[u8], at: usize, big: bool) -> Option<u32> {
    let value = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if big {
        u32::from_be_bytes(value)
    } else {
        u32::from_le_bytes(value)
    })
}

/// Appends a block of `kind` with what `body` appends.
fn put(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    let len = word(out.len() + 4 - begin).to_le_bytes();
    if let Some(place) = out.get_mut(begin + 4..begin + 8) {
        place.copy_from_slice(&len);
    }
    out.extend_from_slice(&len);
}

fn put_options(out: &mut Vec<u8>, options: &[(u16, &[u8])]) {
    for (code, value) in options {
        put_option(out, *code, value);
    }
    out.extend_from_slice(&[0; 4]);
}

fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(value);
    out.resize(out.len() + padding(value.len()), 0);
}

/// Cuts a text to what an option holds, between two characters.
fn cut(text: &str) -> &str {
    if text.len() <= OPTION_MAX {
        return text;
    }
    text.get(..text.floor_char_boundary(OPTION_MAX))
        .unwrap_or_default()
}

/// Returns the lower half, as sequence numbers and split times need it.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is to go")]
pub(super) const fn low(value: u64) -> u32 {
    value as u32
}

/// Lengths written by us stay far below 4 GiB.
fn word(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
