//! Chunked framing, counted as it passes: nothing is kept but a number.
//!
//! RFC 9112 §7.1

use memchr::memchr2;

/// A chunk longer than this, in bytes, is taken for garbage.
const CHUNK_MAX: u64 = 1 << 62;

/// Where in a chunked body the next byte lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    place: Place,
    /// The size read so far, or what is left of the chunk.
    left: u64,
    /// A digit of the size was seen.
    sized: bool,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Size,
    /// Blanks behind the size.
    Pad,
    Extension,
    SizeLf,
    Data,
    DataEnd,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Framing(usize),
    Data(usize),
    /// So many bytes of framing, and the body is over.
    Last(usize),
    /// So many bytes of framing, and then one that cannot be there.
    Bad(usize),
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self {
            place: Place::Size,
            left: 0,
            sized: false,
        }
    }

    /// Returns how many bytes of data are certain to come next.
    pub(super) const fn wanted(&self) -> u64 {
        match self.place {
            Place::Data => self.left,
            _ => 0,
        }
    }

    /// Takes `len` bytes of data, at most [`Self::wanted`], that are not shown.
    pub(super) fn pass(&mut self, len: u64) {
        self.left = self.left.saturating_sub(len);
        if self.left == 0 {
            self.place = Place::DataEnd;
        }
    }

    /// Says what the first of `bytes` are.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Part {
        if let Place::Data = self.place {
            let length = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.pass(length as u64);
            return Part::Data(length);
        }
        let mut at = 0;
        while !matches!(self.place, Place::Data) {
            if let Place::Extension | Place::Trailer = self.place {
                // Long runs are jumped over.
                let rest = bytes.get(at..).unwrap_or_default();
                at = at.saturating_add(memchr2(b'\r', b'\n', rest).unwrap_or(rest.len()));
            }
            let Some(byte) = bytes.get(at) else {
                break;
            };
            match self.step(*byte) {
                Some(false) => at = at.saturating_add(1),
                Some(true) => return Part::Last(at.saturating_add(1)),
                None => return Part::Bad(at),
            }
        }
        Part::Framing(at)
    }

    /// Moves over one byte of framing; tells whether the body is over, `None` if the byte cannot be there.
    fn step(&mut self, byte: u8) -> Option<bool> {
        self.place = match (self.place, byte) {
            (Place::Size, _) if byte.is_ascii_hexdigit() => {
                self.size_digit(byte)?;
                Place::Size
            }
            (Place::Size | Place::Pad, b' ' | b'\t') if self.sized => Place::Pad,
            (Place::Size | Place::Pad, b';') if self.sized => Place::Extension,
            (Place::Size | Place::Pad, b'\r') if self.sized => Place::SizeLf,
            (Place::Size | Place::Pad, b'\n') if self.sized => self.sized_line(),
            (Place::Extension, b'\r') => Place::SizeLf,
            (Place::Extension | Place::SizeLf, b'\n') => self.sized_line(),
            (Place::Extension, _) => Place::Extension,
            (Place::DataEnd, b'\r') => Place::DataLf,
            (Place::DataEnd | Place::DataLf, b'\n') => Place::Size,
            (Place::TrailerStart, b'\r') => Place::LastLf,
            (Place::TrailerStart | Place::LastLf, b'\n') => return Some(true),
            (Place::Trailer, b'\r') => Place::TrailerLf,
            (Place::Trailer | Place::TrailerLf, b'\n') => Place::TrailerStart,
            (Place::TrailerStart | Place::Trailer, _) => Place::Trailer,
            _ => return None,
        };
        Some(false)
    }

    fn size_digit(&mut self, byte: u8) -> Option<()> {
        let digit = char::from(byte).to_digit(16)?;
        self.left = self
            .left
            .checked_mul(16)?
            .checked_add(u64::from(digit))
            .filter(|size| *size <= CHUNK_MAX)?;
        self.sized = true;
        Some(())
    }

    /// Returns what follows a complete size line.
    fn sized_line(&mut self) -> Place {
        self.sized = false;
        if self.left == 0 {
            Place::TrailerStart
        } else {
            Place::Data
        }
    }
}
