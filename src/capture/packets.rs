//! A capture file to packets: pcapng and classic pcap, both byte orders, every time resolution.
//!
//! Knows where a packet lies, when it was and how long it was on the wire; not what is in it. Written
//! by hand because positions in the file, torn ends and the obsolete blocks matter here.
//! Source: draft-ietf-opsawg-pcapng, draft-ietf-opsawg-pcap.

use std::io;
use std::ops::Range;

use super::block::{
    APPLICATION, COMMENT, ENHANCED, ENHANCED_HEAD, INTERFACE, OLD_PACKET, ORDER, Options,
    RESOLUTION, SECTION, SIMPLE, TIME_OFFSET, padding, read_u16, read_u32,
};
use super::mark::Mark;
use super::source::Source;

/// A longer block is damage, not data.
const LONGEST: u32 = 64 << 20;

/// One packet; its bytes are in the window until the next one is asked for.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Offset of its block in the file.
    pub(super) position: u64,
    /// Nanoseconds since 1970-01-01 UTC.
    pub(super) at_ns: u64,
    pub(super) link: u16,
    /// Length on the wire.
    pub(super) original: u32,
    data: Range<usize>,
    options: Range<usize>,
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Step {
    Packet(Packet),
    /// A packet of an interface that was never described.
    Stray,
    /// The file ends between two blocks.
    End,
    /// The file ends inside a block.
    Torn(String),
    /// There is no sense in the file from here on.
    Damaged(String),
}

/// What the first section says about who wrote the file.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) is_ours: bool,
    pub(super) start: Option<String>,
}

#[derive(Clone, Copy)]
struct Interface {
    link: u16,
    resolution: u8,
    /// Seconds to add.
    offset: i64,
    snaplen: u32,
}

enum Format {
    Section(Vec<Interface>),
    Classic {
        link: u16,
        nanoseconds: bool,
        record: usize,
    },
}

/// Reads packets in the order of the file.
pub(super) struct Packets {
    source: Source,
    format: Format,
    big: bool,
    /// Bytes of the block that was handed out last.
    taken: usize,
    last_ns: u64,
    sections: u32,
    pub(super) origin: Origin,
}

impl Packets {
    /// Takes a source whose first four bytes were recognised as `magic` (in the file's order).
    pub(super) fn new(source: Source, magic: [u8; 4]) -> Option<Self> {
        let big = magic[0] == 0xA1;
        let mut number = magic;
        if !big {
            number.reverse();
        }
        let classic = |nanoseconds, record| Format::Classic {
            link: 0,
            nanoseconds,
            record,
        };
        let format = match number {
            [0xA1, 0xB2, 0xC3, 0xD4] => classic(false, 16),
            [0xA1, 0xB2, 0x3C, 0x4D] => classic(true, 16),
            // Kuznetzov's variant: eight more bytes in each record.
            [0xA1, 0xB2, 0xCD, 0x34] => classic(false, 24),
            _ if magic == SECTION.to_be_bytes() => Format::Section(Vec::new()),
            _ => return None,
        };
        Some(Self {
            source,
            format,
            big,
            taken: 0,
            last_ns: 0,
            sections: 0,
            origin: Origin::default(),
        })
    }

    /// Returns the bytes of the packet that was handed out last.
    pub(super) fn data(&self, packet: &Packet) -> &[u8] {
        self.bytes(packet.data.clone())
    }

    /// Yields its comments.
    pub(super) fn comments(&self, packet: &Packet) -> impl Iterator<Item = &[u8]> {
        let options = Options {
            bytes: self.bytes(packet.options.clone()),
            big: self.big,
        };
        options.filter_map(|(code, value)| (code == COMMENT).then_some(value))
    }

    /// Returns the offset of the first byte that was not read.
    pub(super) fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Returns how many sections have begun.
    pub(super) fn sections(&self) -> u32 {
        self.sections
    }

    /// Forgets that the end was reached.
    pub(super) fn retry(&mut self) {
        self.source.retry();
    }

    /// Reads on up to the next packet.
    pub(super) fn next(&mut self) -> io::Result<Step> {
        loop {
            let taken = std::mem::take(&mut self.taken);
            self.source.consume(taken);
            let step = match &self.format {
                Format::Section(_) => self.next_block()?,
                Format::Classic { .. } => self.next_record()?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    fn next_block(&mut self) -> io::Result<Option<Step>> {
        let have = self.source.fill(12)?;
        if have == 0 {
            return Ok(Some(self.end()));
        }
        let kind = read_u32(self.source.data(), 0, self.big);
        if kind == Some(SECTION) {
            match read_u32(self.source.data(), 8, false) {
                Some(ORDER) => self.big = false,
                Some(order) if order == ORDER.swap_bytes() => self.big = true,
                Some(_) => return self.damaged("a section without its byte order").map(Some),
                None => return Ok(Some(self.torn())),
            }
        }
        let (Some(kind), Some(len)) = (kind, read_u32(self.source.data(), 4, self.big)) else {
            return Ok(Some(self.torn()));
        };
        if len < 12 || len % 4 != 0 {
            return self.damaged("a block of an impossible length").map(Some);
        }
        if !matches!(kind, SECTION | INTERFACE | OLD_PACKET | SIMPLE | ENHANCED) {
            if len > LONGEST {
                let skipped = self.source.skip(u64::from(len))?;
                let is_torn = skipped < u64::from(len);
                return Ok(is_torn.then(|| Step::Torn(left_out(skipped))));
            }
        } else if len > LONGEST {
            return self.damaged("a block of an impossible length").map(Some);
        }
        let len = len as usize;
        if self.source.fill(len)? < len {
            return Ok(Some(self.torn()));
        }
        if read_u32(self.source.data(), len - 4, self.big) != u32::try_from(len).ok() {
            return self.damaged("a block with two lengths").map(Some);
        }
        self.taken = len;
        Ok(match kind {
            SECTION => {
                self.begin_section(len);
                None
            }
            INTERFACE => {
                self.add_interface(len);
                None
            }
            OLD_PACKET | SIMPLE | ENHANCED => Some(self.packet(kind, len)),
            _ => None,
        })
    }

    fn begin_section(&mut self, len: usize) {
        self.format = Format::Section(Vec::new());
        self.sections += 1;
        if self.sections > 1 {
            // Two captures in one file: positions can no longer be read back from it.
            self.origin.is_ours = false;
            return;
        }
        let mut application = false;
        let mut start = None;
        for (code, value) in self.options(24..len - 4) {
            if code == APPLICATION {
                application = value.starts_with(b"bitstap ");
            } else if code == COMMENT {
                let mark = std::str::from_utf8(value).ok().and_then(Mark::parse);
                start = start.or_else(|| mark?.start);
            }
        }
        self.origin = Origin {
            is_ours: application && start.is_some(),
            start,
        };
    }

    fn add_interface(&mut self, len: usize) {
        let mut interface = Interface {
            link: read_u16(self.source.data(), 8, self.big).unwrap_or_default(),
            resolution: 6,
            offset: 0,
            snaplen: read_u32(self.source.data(), 12, self.big).unwrap_or_default(),
        };
        for (code, value) in self.options(16..len - 4) {
            match (code, value) {
                (RESOLUTION, [resolution, ..]) => interface.resolution = *resolution,
                (TIME_OFFSET, value) => {
                    let Ok(value) = value.try_into() else {
                        continue;
                    };
                    interface.offset = if self.big {
                        i64::from_be_bytes(value)
                    } else {
                        i64::from_le_bytes(value)
                    };
                }
                _ => {}
            }
        }
        if let Format::Section(interfaces) = &mut self.format {
            interfaces.push(interface);
        }
    }

    /// Takes a packet block of `len` bytes at the window's start.
    fn packet(&mut self, kind: u32, len: usize) -> Step {
        let bytes = self.source.data();
        let word = |at| read_u32(bytes, at, self.big).unwrap_or_default();
        let number = match kind {
            ENHANCED => word(8),
            OLD_PACKET => u32::from(read_u16(bytes, 8, self.big).unwrap_or_default()),
            _ => 0,
        };
        let interface = match &self.format {
            Format::Section(interfaces) => interfaces.get(number as usize).copied(),
            Format::Classic { .. } => None,
        };
        let Some(interface) = interface else {
            return Step::Stray;
        };
        let (begin, captured, original) = if kind == SIMPLE {
            let mut captured = word(8);
            if interface.snaplen > 0 {
                captured = captured.min(interface.snaplen);
            }
            (12, captured as usize, word(8))
        } else {
            let ticks = (u64::from(word(12)) << 32) | u64::from(word(16));
            self.last_ns = interface.nanoseconds(ticks);
            (ENHANCED_HEAD, word(20) as usize, word(24))
        };
        // A captured length beyond the block is cut to it.
        let end = len - 4;
        let begin = begin.min(end);
        let stop = begin.saturating_add(captured).min(end);
        let options = (stop + padding(stop - begin)).min(end);
        Step::Packet(Packet {
            position: self.source.offset(),
            at_ns: self.last_ns,
            link: interface.link,
            original: original.max(u32::try_from(stop - begin).unwrap_or(u32::MAX)),
            data: begin..stop,
            options: if kind == SIMPLE {
                end..end
            } else {
                options..end
            },
        })
    }

    fn next_record(&mut self) -> io::Result<Option<Step>> {
        let Format::Classic {
            link,
            nanoseconds,
            record,
        } = &mut self.format
        else {
            return Ok(None);
        };
        if self.sections == 0 {
            if self.source.fill(24)? < 24 {
                return Ok(Some(self.torn()));
            }
            let word = read_u32(self.source.data(), 20, self.big).unwrap_or_default();
            // The upper half tells of a frame check sequence.
            *link = (word & 0xFFFF) as u16;
            self.sections = 1;
            self.taken = 24;
            return Ok(None);
        }
        let (link, nanoseconds, record) = (*link, *nanoseconds, *record);
        let have = self.source.fill(record)?;
        if have == 0 {
            return Ok(Some(self.end()));
        }
        if have < record {
            return Ok(Some(self.torn()));
        }
        let word = |at| read_u32(self.source.data(), at, self.big).unwrap_or_default();
        let (seconds, fraction) = (u64::from(word(0)), u64::from(word(4)));
        let (captured, original) = (word(8), word(12));
        if captured > LONGEST {
            return self.damaged("a packet of an impossible length").map(Some);
        }
        let end = record + captured as usize;
        if self.source.fill(end)? < end {
            return Ok(Some(self.torn()));
        }
        self.taken = end;
        let scale = if nanoseconds { 1 } else { 1000 };
        self.last_ns = seconds * 1_000_000_000 + fraction * scale;
        Ok(Some(Step::Packet(Packet {
            position: self.source.offset(),
            at_ns: self.last_ns,
            link,
            original: original.max(captured),
            data: record..end,
            options: end..end,
        })))
    }

    fn end(&self) -> Step {
        if self.source.broken.is_some() {
            return self.torn();
        }
        Step::End
    }

    /// Counts what is left of a block that does not end.
    fn torn(&self) -> Step {
        let left = self.source.data().len() as u64;
        if let Some(reason) = &self.source.broken {
            return Step::Torn(format!(
                "compressed capture breaks off: {left} bytes left out ({reason})"
            ));
        }
        Step::Torn(left_out(left))
    }

    fn damaged(&mut self, what: &str) -> io::Result<Step> {
        let at = self.source.offset();
        let left = self.source.skip(u64::MAX)?;
        Ok(Step::Damaged(format!(
            "capture is damaged at byte {at} ({what}): {left} bytes left out"
        )))
    }

    fn options(&self, range: Range<usize>) -> Options<'_> {
        Options {
            bytes: self.bytes(range),
            big: self.big,
        }
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.source.data().get(range).unwrap_or_default()
    }
}

impl Interface {
    /// Turns this interface's ticks into nanoseconds since 1970-01-01 UTC.
    fn nanoseconds(&self, ticks: u64) -> u64 {
        const SECOND: u128 = 1_000_000_000;
        let ticks = u128::from(ticks);
        let power = u32::from(self.resolution & 0x7F);
        let ns = if self.resolution & 0x80 != 0 {
            (ticks * SECOND) >> power.min(127)
        } else if power <= 9 {
            ticks * 10u128.pow(9 - power)
        } else {
            ticks / 10u128.checked_pow(power - 9).unwrap_or(u128::MAX)
        };
        let offset = i128::from(self.offset) * 1_000_000_000;
        let ns = i128::try_from(ns)
            .unwrap_or(i128::MAX)
            .saturating_add(offset);
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }
}

fn left_out(bytes: u64) -> String {
    format!("capture ends inside a block: {bytes} bytes left out")
}
