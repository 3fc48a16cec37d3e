//! A file of packets to events.
//!
//! Looks at the first bytes, picks the format, and passes packets to the reassembly. What is odd about
//! the file becomes a [`Record::Note`], once per kind; only a disk that fails is an error. Memory does
//! not grow with the file.

use std::fmt;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::MultiGzDecoder;

use super::Error;
use super::beside;
use super::link::{self, Frame};
use super::mark::Marks;
use super::packets::{Packet, Packets, Step};
use super::reader::Record;
use super::reassemble::{Place, Reassembly};
use super::source::Source;
use super::unknown;

/// Reads packets from the first to the last, then stops.
pub(super) struct Trace {
    path: PathBuf,
    packets: Packets,
    reassembly: Reassembly,
    start_ns: u64,
    is_ours: bool,
    /// Notes not given out yet.
    notes: Vec<String>,
    /// Kinds of notes that were made.
    noted: [bool; 4],
    /// Length of the file, once it has ended between two blocks.
    end: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// Waits at the end for more.
    Following,
    Over,
}

impl Trace {
    /// Reads from anything; `name` stands for the path in errors.
    pub(super) fn from_read(from: impl Read + Send + 'static, name: &Path) -> Result<Self, Error> {
        let mut source = Source::new(Box::new(from), false);
        let mut is_packed = false;
        if first_bytes(&mut source, name)?.starts_with(&[0x1F, 0x8B]) {
            is_packed = true;
            let packed = BufReader::with_capacity(1 << 18, source);
            source = Source::new(Box::new(MultiGzDecoder::new(packed)), true);
        }
        let first = first_bytes(&mut source, name)?;
        let packets = match first.first_chunk() {
            Some(magic) => Packets::new(source, *magic),
            None => None,
        };
        let Some(packets) = packets else {
            return Err(Error::NotACapture {
                path: name.to_owned(),
                reason: unknown::reason(&first),
            });
        };
        let mut reader = Self {
            path: name.to_owned(),
            packets,
            reassembly: Reassembly::default(),
            start_ns: 0,
            is_ours: false,
            notes: Vec::new(),
            noted: [false; 4],
            end: None,
            state: State::Reading,
        };
        reader.read_head()?;
        reader.is_ours = reader.packets.origin.is_ours && !is_packed;
        Ok(reader)
    }

    /// Wall clock of the capture's start (ours: as stored; foreign: the first packet), nanoseconds since
    /// 1970-01-01 UTC. Event times count from here.
    pub(super) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Tells whether this program wrote the file: only then do positions read back from the file itself.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Returns the length of a file that was read to its end and could be appended to, or why not.
    pub(super) fn whole(&self) -> Result<u64, &'static str> {
        match (self.state, self.end) {
            (State::Following, _) => Err("it may still grow"),
            (State::Reading, _) => Err("it has not been read to its end"),
            (State::Over, None) => Err("it ends inside a block"),
            (State::Over, Some(_)) if self.packets.sections() > 1 => {
                Err("it was put together from several captures")
            }
            (State::Over, Some(len)) => Ok(len),
        }
    }

    /// Makes the reader wait at the end of a file that still grows: `next` returns `None` there and
    /// goes on when it is called again after more was written.
    pub(super) fn follow(mut self) -> Self {
        if self.state == State::Reading {
            self.state = State::Following;
        }
        self
    }

    /// Reads up to the first packet, which tells the start of a foreign capture.
    fn read_head(&mut self) -> Result<(), Error> {
        let step = self.step()?;
        let stored = self.packets.origin.start.as_deref().and_then(parse_start);
        if let Some(start_ns) = stored {
            self.start_ns = start_ns;
        } else if let Step::Packet(packet) = &step {
            let marks = Marks::read(self.packets.comments(packet));
            let told = marks.begin.and_then(|mark| parse_start(&mark.start?));
            self.start_ns = told.unwrap_or(packet.at_ns);
        }
        // A capture may have nothing but its head yet, and still grow; its end is found once more.
        if !matches!(step, Step::End | Step::Torn(_)) {
            self.take(&step);
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Step, Error> {
        self.packets.next().map_err(|source| Error::Read {
            path: self.path.clone(),
            offset: self.packets.offset(),
            source,
        })
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Packet(packet) => self.take_packet(packet),
            Step::Stray => self.note_once(
                0,
                "packets of an interface that the file does not describe were left out",
            ),
            Step::End | Step::Torn(_) if self.state == State::Following => {}
            Step::End => {
                self.end = Some(self.packets.offset());
                self.finish();
            }
            Step::Torn(text) | Step::Damaged(text) => {
                self.finish();
                self.notes.push(text.clone());
            }
        }
    }

    fn finish(&mut self) {
        self.reassembly.finish();
        self.state = State::Over;
    }

    fn take_packet(&mut self, packet: &Packet) {
        let frame = link::read(packet.link, self.packets.data(packet), packet.original);
        match frame {
            Frame::Tcp(segment) => {
                let marks = Marks::read(self.packets.comments(packet));
                let at = Duration::from_nanos(packet.at_ns.saturating_sub(self.start_ns));
                let position = packet.position;
                self.reassembly
                    .take(&segment, marks, Place { at, position });
            }
            Frame::Other if beside::is(self.packets.data(packet)) => {
                let marks = Marks::read(self.packets.comments(packet));
                let at = Duration::from_nanos(packet.at_ns.saturating_sub(self.start_ns));
                let position = packet.position;
                self.reassembly.pass_by(marks, Place { at, position });
            }
            Frame::Other => {}
            Frame::Fragment => self.note_once(1, "fragments of IP packets were left out"),
            Frame::Cut => self.note_once(2, "packets cut inside their TCP header were left out"),
            Frame::UnknownLink => {
                let text = format!(
                    "packets of link type {} were left out: it is not understood",
                    packet.link
                );
                self.note_once(3, &text);
            }
        }
    }

    fn note_once(&mut self, kind: usize, text: &str) {
        if let Some(noted) = self.noted.get_mut(kind)
            && !std::mem::replace(noted, true)
        {
            self.notes.push(text.to_owned());
        }
    }

    fn ready(&mut self) -> Option<Record> {
        if let Some((event, position)) = self.reassembly.pop() {
            return Some(Record::Event { event, position });
        }
        self.notes.pop().map(Record::Note)
    }
}

impl Iterator for Trace {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready() {
                return Some(Ok(record));
            }
            if self.state == State::Over {
                return None;
            }
            if self.state == State::Following {
                self.packets.retry();
            }
            let step = match self.step() {
                Ok(step) => step,
                Err(error) => {
                    self.state = State::Over;
                    return Some(Err(error));
                }
            };
            self.take(&step);
            if self.state == State::Following && matches!(step, Step::End | Step::Torn(_)) {
                return None;
            }
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("path", &self.path)
            .field("start_ns", &self.start_ns)
            .field("is_ours", &self.is_ours)
            .finish_non_exhaustive()
    }
}

fn first_bytes(source: &mut Source, path: &Path) -> Result<Vec<u8>, Error> {
    match source.fill(16) {
        Ok(_) => Ok(source.data().iter().take(16).copied().collect()),
        Err(error) => Err(Error::Read {
            path: path.to_owned(),
            offset: 0,
            source: error,
        }),
    }
}

fn parse_start(text: &str) -> Option<u64> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_nanosecond()).ok()
}
