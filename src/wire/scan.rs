//! Finds the end of a head in bytes that arrive in pieces, looking at each byte once.
//!
//! Works on the bytes of one message from its first on; keeps positions, never bytes. Says what it found
//! and leaves it to the decoder what that means.

use memchr::memchr;

use super::item::Stream;
use super::start::{
    self, LINE_MAX, Prefix, is_start, request_line, simple_request, status_line, strip_end,
};

/// A head with more bytes than this is not kept.
pub(super) const HEAD_MAX: usize = 1 << 20;

/// Where in its stream a message is due: what is no start line means something else at each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// No message came before: it is another protocol.
    First,
    /// After another message: it is stray.
    #[default]
    Next,
    /// A tunnel begins: it is what the tunnel is for.
    Tunnel,
}

/// Where the search for the end of a head stands.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    pub(super) place: Place,
    /// It is certain that a message has begun.
    pub(super) begun: bool,
    started: bool,
    scanned: usize,
    line: usize,
}

/// What was found; lengths count from the first byte of the message.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing yet.
    More,
    /// So many bytes of empty lines come before the message.
    Blank(usize),
    /// A message begins here.
    Begin,
    /// No message begins here.
    NoStart,
    /// After so many bytes the next message begins inside this head.
    Cut(usize),
    /// The head is longer than [`HEAD_MAX`].
    TooLong,
    /// The head is complete and has so many bytes.
    Complete(usize),
}

impl HeadScan {
    /// Starts the search where a message is due.
    pub(super) fn due(place: Place) -> Self {
        Self {
            place,
            ..Self::default()
        }
    }

    /// Looks at the bytes of `buffer` that it has not seen yet.
    pub(super) fn advance(&mut self, stream: Stream, buffer: &[u8]) -> Step {
        if !self.started
            && let Some(step) = self.start_line(stream, buffer)
        {
            return step;
        }
        self.field_lines(stream, buffer)
    }

    /// Returns `None` once the start line is complete.
    fn start_line(&mut self, stream: Stream, buffer: &[u8]) -> Option<Step> {
        if self.scanned == 0 && !self.begun {
            let blank = buffer
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
            if blank > 0 {
                return Some(Step::Blank(blank));
            }
        }
        let end = self.next_line_end(buffer);
        let seen = end.unwrap_or(buffer.len());
        if !self.begun {
            match start::prefix(stream, buffer.get(..seen)?, self.scanned) {
                Prefix::Never => return Some(Step::NoStart),
                Prefix::Surely => {
                    self.begun = true;
                    return Some(Step::Begin);
                }
                Prefix::Maybe if seen > LINE_MAX => return Some(Step::NoStart),
                Prefix::Maybe => {}
            }
        }
        let Some(end) = end else {
            return Some(self.wait(buffer));
        };
        if end >= HEAD_MAX {
            return Some(Step::TooLong);
        }
        let line = strip_end(buffer.get(..end)?);
        let simple = self.place == Place::First
            && stream == Stream::Requests
            && simple_request(line).is_some();
        let known = match stream {
            Stream::Requests => simple || request_line(line).is_some(),
            Stream::Responses => status_line(line).is_some(),
        };
        if !known {
            return Some(Step::NoStart);
        }
        if !self.begun {
            self.begun = true;
            return Some(Step::Begin);
        }
        let next = end.saturating_add(1);
        if simple {
            return Some(Step::Complete(next));
        }
        self.started = true;
        self.scanned = next;
        self.line = next;
        None
    }

    fn field_lines(&mut self, stream: Stream, buffer: &[u8]) -> Step {
        while let Some(end) = self.next_line_end(buffer) {
            if end >= HEAD_MAX {
                return Step::TooLong;
            }
            let line = strip_end(buffer.get(self.line..end).unwrap_or_default());
            let next = end.saturating_add(1);
            if line.is_empty() {
                return Step::Complete(next);
            }
            if is_start(stream, line) {
                return Step::Cut(self.line);
            }
            self.scanned = next;
            self.line = next;
        }
        self.wait(buffer)
    }

    fn next_line_end(&self, buffer: &[u8]) -> Option<usize> {
        let fresh = buffer.get(self.scanned..)?;
        memchr(b'\n', fresh).map(|at| at.saturating_add(self.scanned))
    }

    fn wait(&mut self, buffer: &[u8]) -> Step {
        self.scanned = buffer.len();
        if buffer.len() > HEAD_MAX {
            Step::TooLong
        } else {
            Step::More
        }
    }
}
