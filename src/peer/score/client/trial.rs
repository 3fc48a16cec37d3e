//! The state of one experiment on a client: its sessions, what was seen, and what each packet is answered.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::NamedTempFile;
use tokio::time::Instant;

use super::Row;
use super::log::{Entry, Log};
use super::plan::{Deed, Echo, Scene};
use crate::bits::header::UPLOAD_PROTOCOL;
use crate::bits::{Packet, Request};
use crate::peer::field;
use crate::peer::server::new_id;

/// A client that opens more sessions than this in one experiment is told to come later.
const SESSIONS: usize = 64;

/// One session.
pub(super) struct Session {
    file: Arc<NamedTempFile>,
    received: u64,
    total: Option<u64>,
    ended: bool,
}

/// What is to become of a Fragment's content.
pub(super) struct Work {
    /// Keeps the file as long as somebody writes to it.
    _file: Arc<NamedTempFile>,
    pub(super) path: PathBuf,
    /// Offset of the next byte.
    pub(super) at: u64,
    /// The byte after the last that is kept.
    pub(super) end: u64,
    /// Bytes below this are here already.
    pub(super) known: u64,
    pub(super) differs: bool,
}

/// A packet whose head has come.
pub(super) struct Open {
    /// Its place in the log.
    place: Option<usize>,
    packet: Option<Packet>,
    id: Option<String>,
    pub(super) deed: Deed,
    pub(super) work: Option<Work>,
}

/// What goes back.
pub(super) struct Answer {
    /// Empty: the connection ends instead.
    pub(super) bytes: Vec<u8>,
    /// The connection ends after it.
    pub(super) last: bool,
}

/// One experiment under way.
pub(super) struct Trial {
    pub(super) row: &'static Row,
    pub(super) log: Log,
    sessions: HashMap<String, Session>,
    tricks: u32,
    piece: u64,
    minted: u64,
    /// When something was heard last.
    pub(super) heard: Option<Instant>,
    /// Nothing more is to be waited for.
    pub(super) ended: bool,
    /// The file that was closed last, with its size.
    pub(super) stored: Option<(Arc<NamedTempFile>, u64)>,
}

/// An answer before it is written down.
struct Said {
    status: u16,
    next: Option<u64>,
    id: Option<String>,
    error: Option<(u32, u32)>,
    fields: Vec<(&'static str, String)>,
    /// Without any field of BITS.
    bare: bool,
}

impl Said {
    fn status(status: u16) -> Self {
        Self {
            status,
            next: None,
            id: None,
            error: None,
            fields: Vec::new(),
            bare: false,
        }
    }

    fn error(status: u16, code: u32) -> Self {
        Self {
            error: Some((code, field::CONTEXT_SERVER)),
            ..Self::status(status)
        }
    }
}

impl Trial {
    pub(super) fn new(row: &'static Row) -> Self {
        Self {
            row,
            log: Log::default(),
            sessions: HashMap::new(),
            tricks: 0,
            piece: 0,
            minted: 0,
            heard: None,
            ended: false,
            stored: None,
        }
    }

    /// Takes a packet's head: what is to be done with it, and with its content.
    pub(super) fn open(&mut self, conn: u64, request: &Request) -> Open {
        self.heard = Some(Instant::now());
        let id = request.session_id.as_deref().map(str::to_ascii_lowercase);
        let Some(packet) = request.packet else {
            return Open {
                place: None,
                packet: None,
                id,
                deed: Deed::Usual,
                work: None,
            };
        };
        let session = id.as_ref().and_then(|id| self.sessions.get(id));
        let range = request.range;
        if packet == Packet::Fragment && self.piece == 0 {
            self.piece = range.map_or(0, |range| range.last.saturating_sub(range.first) + 1);
        }
        let scene = Scene {
            packet,
            range,
            received: session.map_or(0, |session| session.received),
            tricks: self.tricks,
            piece: self.piece,
        };
        let known = session.is_some_and(|session| !session.ended);
        let free = matches!(packet, Packet::Ping | Packet::CreateSession);
        let deed = if known || free {
            (self.row.plan)(&scene)
        } else {
            Deed::Usual
        };
        if deed != Deed::Usual {
            self.tricks = self.tricks.saturating_add(1);
        }
        let work = session
            .filter(|session| !session.ended && !matches!(deed, Deed::Refuse(_) | Deed::Forget))
            .and_then(|session| work(session, &scene, deed));
        let place = self.log.push(Entry {
            conn,
            packet,
            range,
            host: request.host.clone().unwrap_or_default(),
            deed,
            whole: false,
            differs: false,
            status: None,
            next: None,
        });
        Open {
            place,
            packet: Some(packet),
            id,
            deed,
            work,
        }
    }

    /// Takes note that a packet broke off, by either side; the bytes that came are kept.
    pub(super) fn broken(&mut self, open: &Open) {
        self.heard = Some(Instant::now());
        self.keep(open);
    }

    fn keep(&mut self, open: &Open) {
        let session = open.id.as_ref().and_then(|id| self.sessions.get_mut(id));
        if let (Some(session), Some(work)) = (session, &open.work) {
            session.received = session.received.max(work.at.min(work.end));
        }
        if let (Some(entry), Some(work)) = (self.entry(open), &open.work) {
            entry.differs = work.differs;
        }
    }

    fn entry(&mut self, open: &Open) -> Option<&mut Entry> {
        self.log.entries.get_mut(open.place?)
    }

    /// Answers a packet that is all here; `host` is the name that a client may be sent to.
    pub(super) fn answer(&mut self, open: &Open, host: &str) -> Answer {
        self.heard = Some(Instant::now());
        self.keep(open);
        let said = self.decide(open, host);
        let lost = open.deed == Deed::Lose;
        if let Some(entry) = self.entry(open) {
            entry.whole = true;
            if !lost {
                (entry.status, entry.next) = (Some(said.status), said.next);
            }
        }
        let closing = matches!(
            open.packet,
            Some(Packet::CloseSession | Packet::CancelSession)
        );
        self.ended |= closing && !lost && said.status == 200;
        if lost {
            return Answer {
                bytes: Vec::new(),
                last: true,
            };
        }
        Answer {
            bytes: self.written(&said),
            last: self.row.manners.close,
        }
    }

    fn decide(&mut self, open: &Open, host: &str) -> Said {
        let Some(packet) = open.packet else {
            return Said::error(400, field::INVALID_ARGUMENT);
        };
        if let Deed::Refuse(refusal) = open.deed {
            return Said {
                error: refusal.code.map(|code| (code, refusal.context)),
                bare: refusal.code.is_none(),
                id: open.id.clone().filter(|_| refusal.code.is_some()),
                ..Said::status(refusal.status)
            };
        }
        match packet {
            Packet::Ping => Said {
                bare: self.row.manners.bare_ping,
                ..Said::status(200)
            },
            Packet::CreateSession => self.create(host),
            _ => self.within(packet, open),
        }
    }

    fn create(&mut self, host: &str) -> Said {
        let full = self.sessions.len() >= SESSIONS;
        let Some(file) = NamedTempFile::new().ok().filter(|_| !full) else {
            return Said::status(503);
        };
        self.minted = self.minted.saturating_add(1);
        let id = if self.row.manners.decimal {
            Ok((4_711 + self.minted).to_string())
        } else {
            new_id()
        };
        let Ok(id) = id else {
            return Said::status(503);
        };
        let session = Session {
            file: Arc::new(file),
            received: 0,
            total: None,
            ended: false,
        };
        self.sessions.insert(id.to_ascii_lowercase(), session);
        let mut said = Said::status(self.row.manners.created);
        said.fields
            .push(("BITS-Protocol", UPLOAD_PROTOCOL.to_owned()));
        said.fields.push(("BITS-Session-Id", id));
        said.fields.push(("Accept-Encoding", "identity".to_owned()));
        if self.row.manners.host_id {
            said.fields.push(("BITS-Host-Id", host.to_owned()));
            said.fields
                .push(("BITS-Host-Id-Fallback-Timeout", "60".to_owned()));
        }
        said
    }

    /// Answers a packet of a session.
    fn within(&mut self, packet: Packet, open: &Open) -> Said {
        let unknown = || Said::error(500, field::SESSION_NOT_FOUND);
        let Some(id) = open.id.clone() else {
            return unknown();
        };
        if open.deed == Deed::Forget {
            self.sessions.remove(&id);
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return unknown();
        };
        if session.ended && packet == Packet::Fragment {
            return unknown();
        }
        let with_id = |status| Said {
            id: Some(id.clone()),
            ..Said::status(status)
        };
        if packet != Packet::Fragment {
            session.ended = true;
            if packet == Packet::CloseSession {
                self.stored = Some((session.file.clone(), session.received));
                self.log.short |= session.total.is_some_and(|total| session.received < total);
            }
            return with_id(200);
        }
        let entry = open.place.and_then(|place| self.log.entries.get(place));
        let range = entry.and_then(|entry| entry.range);
        let (Some(range), Some(total)) = (range, range.and_then(|range| range.total)) else {
            return Said::error(400, field::INVALID_ARGUMENT);
        };
        if *session.total.get_or_insert(total) != total {
            return Said::error(400, field::INVALID_ARGUMENT);
        }
        let mut status = if range.first > session.received {
            416
        } else {
            200
        };
        let mut next = session.received;
        if let Deed::Claim {
            status: say,
            next: wants,
        } = open.deed
        {
            (status, next) = (say, wants);
            if wants <= total {
                self.log.hole |= wants > session.received;
                session.received = wants;
            }
        }
        Said {
            next: Some(next),
            ..with_id(status)
        }
    }

    /// Writes an answer in the manners of the experiment.
    fn written(&self, said: &Said) -> Vec<u8> {
        let manners = &self.row.manners;
        let reason = http::StatusCode::from_u16(said.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown");
        let mut text = format!("HTTP/1.1 {} {reason}\r\n", said.status);
        let mut line = |name: &str, value: &str| {
            let name = if manners.lower {
                name.to_ascii_lowercase()
            } else {
                name.to_owned()
            };
            let _ = write!(text, "{name}: {value}\r\n");
        };
        line("Pragma", "no-cache");
        if !said.bare {
            line("BITS-Packet-Type", "Ack");
        }
        for (name, value) in &said.fields {
            line(name, value);
        }
        if let Some(next) = said.next {
            line(manners.received, &next.to_string());
        }
        match (&said.id, manners.echo) {
            (Some(id), Echo::Same) => line("BITS-Session-Id", &id.to_ascii_uppercase()),
            (Some(_), Echo::Other) => {
                line("BITS-Session-Id", "{00000000-0000-4000-8000-000000000000}");
            }
            _ => {}
        }
        if let Some((code, context)) = said.error {
            line(manners.error, &format!("0x{code:08X}"));
            line("BITS-Error-Context", &format!("0x{context:X}"));
        }
        line("Content-Length", "0");
        if manners.close {
            line("Connection", "close");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// Returns what is to be done with the content of a Fragment that continues its session.
fn work(session: &Session, scene: &Scene, deed: Deed) -> Option<Work> {
    let (first, end, total) = scene.span()?;
    if first > session.received || session.total.is_some_and(|known| known != total) {
        return None;
    }
    let end = match deed {
        Deed::Cut { keep } => end.min(first.saturating_add(keep)),
        _ => end,
    };
    Some(Work {
        path: session.file.path().to_path_buf(),
        _file: session.file.clone(),
        at: first,
        end,
        known: session.received,
        differs: false,
    })
}
