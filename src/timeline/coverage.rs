//! Which bytes of a file were sent, acknowledged, sent again, asked for again, never seen.
//!
//! Computed from a session's exchanges when somebody asks; nothing of it is kept. Upload: the server's
//! offset acknowledges all bytes below it, and takes back those above it. Download: bytes that arrived
//! count as acknowledged. Bounded like the run sets that it is made of.

use std::ops::Range;

use crate::bits::Packet;
use crate::bits::session::{Answer, Told, classify};

use super::row::{Exchange, Session, SessionKind};
use super::runs::Runs;

/// Which bytes of one session's file passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    total: Option<u64>,
    download: bool,
    sent: Runs,
    acked: Runs,
    resent: Runs,
    rewound: Runs,
    reply: Runs,
}

impl Coverage {
    /// Goes through the exchanges of `session`, which come in their order.
    pub fn of<'e>(session: &Session, exchanges: impl IntoIterator<Item = &'e Exchange>) -> Self {
        let mut coverage = Self {
            total: session.total,
            download: session.kind == SessionKind::Download,
            ..Self::default()
        };
        let mut walk = Walk::default();
        for exchange in exchanges {
            if coverage.download {
                coverage.arrived(exchange);
            } else {
                coverage.uploaded(exchange, &mut walk);
            }
        }
        coverage
    }

    /// Returns the size of the file where it is known, else the end of what passed.
    pub fn size(&self) -> u64 {
        self.total
            .unwrap_or_else(|| self.sent.end().max(self.acked.end()))
    }

    /// Tells whether the bytes come to the client.
    pub fn is_download(&self) -> bool {
        self.download
    }

    /// Returns what passed at least once, whatever was answered.
    pub fn sent(&self) -> Vec<Range<u64>> {
        self.sent.within(0, u64::MAX).collect()
    }

    /// Returns what the server has, as its last answers say; of a download what arrived.
    pub fn acked(&self) -> Vec<Range<u64>> {
        self.acked.within(0, u64::MAX).collect()
    }

    /// Returns what passed more than once.
    pub fn resent(&self) -> Vec<Range<u64>> {
        self.resent.within(0, u64::MAX).collect()
    }

    /// Returns what the server took back after it had acknowledged it.
    pub fn rewound(&self) -> Vec<Range<u64>> {
        self.rewound.within(0, u64::MAX).collect()
    }

    /// Returns what arrived of the reply of an upload-reply.
    pub fn reply(&self) -> Vec<Range<u64>> {
        self.reply.within(0, u64::MAX).collect()
    }

    /// Returns what is not acknowledged, up to the end of the file where that is known.
    pub fn missing(&self) -> Vec<Range<u64>> {
        self.acked.without(0, self.size())
    }

    /// Returns what was never seen to pass, below the highest byte that passed or was acknowledged. A download
    /// has no holes: a client asks for what it wants.
    pub fn holes(&self) -> Vec<Range<u64>> {
        if self.download {
            return Vec::new();
        }
        self.sent.without(0, self.sent.end().max(self.acked.end()))
    }

    /// Tells what there is to say about `part` of the file; what is worst is said.
    pub fn cell(&self, part: &Range<u64>) -> Cell {
        let len = part.end.saturating_sub(part.start);
        let high = self.sent.end().max(self.acked.end()).min(part.end);
        let sent = self.sent.overlap(part.start, part.end);
        if self.download && sent < len {
            if sent > 0 { Cell::Sent } else { Cell::NotYet }
        } else if sent < high.saturating_sub(part.start) {
            Cell::Hole
        } else if self.acked.overlap(part.start, part.end) < len {
            if sent > 0 && self.acked.overlap(part.start, part.end) < sent {
                Cell::Sent
            } else {
                Cell::NotYet
            }
        } else if self.resent.overlap(part.start, part.end) > 0 {
            Cell::Resent
        } else {
            Cell::Acked
        }
    }

    fn arrived(&mut self, exchange: &Exchange) {
        for part in brought(exchange) {
            self.passed(part.start, part.end);
            self.acked.insert(part.start, part.end);
        }
    }

    fn passed(&mut self, first: u64, end: u64) {
        let again: Vec<_> = self.sent.within(first, end).collect();
        for part in again {
            self.resent.insert(part.start, part.end);
        }
        self.sent.insert(first, end);
    }

    fn uploaded(&mut self, exchange: &Exchange, walk: &mut Walk) {
        let code = exchange
            .error
            .map(|error| error.code)
            .filter(|code| *code != 0);
        let answer = exchange.status.map(|status| classify(status, code));
        match (exchange.packet, answer) {
            (Some(Packet::CreateSession), Some(Answer::Done)) if walk.lost => {
                *walk = Walk::default();
                self.acked.clear();
            }
            (Some(Packet::CloseSession), Some(Answer::Done)) => {
                self.goes_on(self.total, walk);
            }
            (Some(Packet::Get), _) => {
                for part in brought(exchange) {
                    self.reply.insert(part.start, part.end);
                }
            }
            (Some(Packet::Fragment), answer) => {
                self.fragment(exchange, answer, walk);
                walk.lost |= answer == Some(Answer::SessionNotFound);
            }
            (Some(_), Some(Answer::SessionNotFound)) => walk.lost = true,
            _ => {}
        }
    }

    fn fragment(&mut self, exchange: &Exchange, answer: Option<Answer>, walk: &mut Walk) {
        let end = exchange.range.map(|range| range.last.saturating_add(1));
        if let Some(part) = carried(exchange) {
            self.passed(part.start, part.end);
        }
        self.goes_on(exchange.range.map(|range| range.first), walk);
        let before = walk.told.offset();
        let (told, known) = match answer {
            Some(Answer::Done) => (
                exchange.received.get().or(end),
                before.max(end.unwrap_or(0)),
            ),
            Some(Answer::OutOfStep) => (exchange.received.get(), before),
            _ => return,
        };
        let Some(told) = told.map(|told| told.min(self.total.unwrap_or(u64::MAX))) else {
            return;
        };
        walk.told = match (exchange.range, answer) {
            (Some(range), Some(Answer::Done)) => Told::after(range.first, range.last, told),
            _ => Told::at(told),
        };
        self.acked.insert(0, told);
        if told < known && !walk.told.is_doubtful() {
            self.rewound.insert(told, known);
            self.acked.remove(told, u64::MAX);
        }
    }

    /// Takes note where the client goes on: what the server told last is not doubtful any more.
    fn goes_on(&mut self, first: Option<u64>, walk: &mut Walk) {
        let (told, meant) = (walk.told, walk.told.settled(first.unwrap_or(u64::MAX)));
        self.acked.insert(told.offset(), meant.offset());
        if told.is_doubtful() && meant.offset() == told.offset() {
            let end = told.offset().saturating_add(1);
            self.rewound.insert(told.offset(), end);
        }
        walk.told = meant;
    }
}

/// Returns which bytes of the file a Fragment carried.
pub fn carried(exchange: &Exchange) -> Option<Range<u64>> {
    let range = exchange.range?;
    let body = exchange.request.map_or(0, |message| message.body);
    let end = range.last.saturating_add(1);
    Some(range.first..range.first.saturating_add(body).min(end))
}

/// Returns which bytes of the file the answer to a GET brought, in the order in which they came.
pub fn brought(exchange: &Exchange) -> Vec<Range<u64>> {
    let Some(response) = exchange.response.filter(|message| !message.is_hashes()) else {
        return Vec::new();
    };
    let body = response.body;
    match (exchange.packet, exchange.status, exchange.range) {
        (Some(Packet::Get), _, _) if !exchange.parts.is_empty() => {
            let parts = exchange.parts.iter();
            parts.map(|part| part.0..part.1).collect()
        }
        (Some(Packet::Get), Some(200), _) => vec![Range {
            start: 0,
            end: body,
        }],
        (Some(Packet::Get), Some(206), Some(range)) => {
            let len = range.last.saturating_sub(range.first).saturating_add(1);
            vec![Range {
                start: range.first,
                end: range.first.saturating_add(body.min(len)),
            }]
        }
        _ => Vec::new(),
    }
}

/// What has to be remembered from one exchange of an upload to the next.
#[derive(Debug, Default)]
struct Walk {
    told: Told,
    /// The server no longer knew the session.
    lost: bool,
}

/// What there is to say about a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// All of it is acknowledged and passed once.
    Acked,
    /// All of it is acknowledged, some of it passed more than once.
    Resent,
    /// Some of it passed and is not acknowledged (now); of a download some of it arrived.
    Sent,
    /// Some of it was never seen though later bytes were.
    Hole,
    /// Its turn has not come.
    NotYet,
}
