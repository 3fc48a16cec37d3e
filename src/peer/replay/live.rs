//! One session as it goes now beside how it went then: offsets of both, the live id, host and reply; and the
//! heads that go out for it.
//!
//! Pure. Sends nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Difference, Manner, habits, manners};
use super::report::{Pair, SessionReport, StepReport, Told};
use super::script::{Kind, Step, is_stale, is_upload, lacks_create};
use crate::bits::header::{Name, UPLOAD_PROTOCOL, identify};
use crate::bits::session::{Answer, Outcome, State, step as next_state};
use crate::bits::{ContentRange, Packet, hresult};
use crate::peer::client::url::Url;
use crate::peer::recording::edit::{Change, append, rewrite};
use crate::peer::recording::{FileKind, Recorded, RecordedFile, Recording, Said};
use crate::timeline::{Session, SessionKind};

/// One session.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they change apart"
)]
pub(super) struct Live<'r> {
    pub(super) row: &'r Session,
    pub(super) file: Option<&'r RecordedFile>,
    /// Where requests go now: changes with a Host-Id.
    pub(super) url: Url,
    pub(super) id: Option<String>,
    /// The recorded server never knew the session: the recorded id is sent.
    pub(super) stale: bool,
    /// The capture begins after Create-Session.
    pub(super) lacks_create: bool,
    /// The next byte that the live server wants.
    pub(super) told: u64,
    /// The next byte that the recorded server wanted.
    pub(super) recorded_told: u64,
    /// In the recording, the session is lost or was never made.
    pub(super) recorded_lost: bool,
    /// The byte after the last that the recorded server acknowledged.
    pub(super) reach: u64,
    /// The largest Fragment after a refusal for size.
    pub(super) ceiling: u64,
    pub(super) state: State,
    pub(super) reply: Option<String>,
    pub(super) restarts: u32,
    /// A Close-Session went out and no answer came.
    pub(super) close_sent: bool,
    /// A request of a download was answered otherwise.
    pub(super) differs: bool,
    /// Bytes of downloads that arrived.
    pub(super) arrived: u64,
    /// Recorded Last-Modified to the live one.
    pub(super) dates: BTreeMap<String, String>,
    /// Live answers to Fragments that were not the usual ones.
    pub(super) odd: Vec<Kind>,
    /// How the live server acknowledged Fragments.
    pub(super) manners: BTreeSet<Manner>,
    /// Why the rest is not sent.
    pub(super) over: Option<String>,
    pub(super) steps: Vec<StepReport>,
    pub(super) notes: Vec<String>,
    /// Heads for packets that the script does not have at this place.
    create: Option<&'r Step>,
    ping: Option<&'r Step>,
    any: Option<&'r Step>,
}

/// What a request is to say that the recorded one did not.
pub(super) struct Wish<'w> {
    pub(super) packet: Option<Packet>,
    pub(super) target: Vec<u8>,
    pub(super) url: &'w Url,
    pub(super) range: Option<ContentRange>,
    /// Content bytes.
    pub(super) length: u64,
    pub(super) authorization: Option<&'w str>,
    pub(super) without_auth: bool,
}

impl<'r> Live<'r> {
    pub(super) fn new(
        recording: &'r Recording,
        row: &'r Session,
        steps: &'r [Step],
        home: &Url,
    ) -> Self {
        let of = |packet: Packet| {
            steps
                .iter()
                .find(|step| step.session == row.no && step.packet == packet)
        };
        let ends = steps
            .iter()
            .filter(|step| step.session == row.no && step.packet == Packet::Fragment)
            .filter(|step| Kind::recorded(&step.recorded) == Some(Kind::Done))
            .filter_map(|step| Some(step.request.range?.last.saturating_add(1)));
        Self {
            row,
            file: recording.file(row.no, FileKind::Upload),
            url: home.clone(),
            id: None,
            stale: is_stale(steps, row.no),
            lacks_create: lacks_create(recording, steps, row.no),
            told: 0,
            recorded_told: 0,
            recorded_lost: true,
            reach: ends.max().unwrap_or_default(),
            ceiling: u64::MAX,
            state: State::Open,
            reply: None,
            restarts: 0,
            close_sent: false,
            differs: false,
            arrived: 0,
            dates: BTreeMap::new(),
            odd: Vec::new(),
            manners: BTreeSet::new(),
            over: None,
            steps: Vec::new(),
            notes: Vec::new(),
            create: of(Packet::CreateSession),
            ping: of(Packet::Ping),
            any: steps
                .iter()
                .find(|step| step.session == row.no && is_upload(step.packet)),
        }
    }

    /// Returns a recorded request to make `packet` from.
    pub(super) fn spare(&self, packet: Packet) -> Option<&'r Step> {
        match packet {
            Packet::CreateSession => self.create.or(self.any),
            Packet::Ping => self.ping.or(self.any),
            _ => self.any,
        }
    }

    /// Takes note of what a live answer means for the session's state.
    pub(super) fn answered(&mut self, packet: Packet, said: &Said) {
        let all = self.row.total.is_some_and(|total| self.told >= total);
        let outcome = Outcome::Answered {
            answer: said.meaning(),
            last: all,
        };
        self.state = next_state(self.state, packet, outcome);
    }

    /// Takes note that content of a Fragment goes out.
    pub(super) fn passing(&mut self) {
        self.state = next_state(self.state, Packet::Fragment, Outcome::Passing);
    }

    /// Takes note of how the recording went on.
    pub(super) fn advance(&mut self, step: &Step) {
        let end = step.request.range.map(|range| range.last.saturating_add(1));
        let told = match &step.recorded {
            Recorded::Answer(said) => said.ack.received,
            _ => None,
        };
        match (step.packet, Kind::recorded(&step.recorded)) {
            (Packet::CreateSession, kind) => {
                self.recorded_told = 0;
                self.recorded_lost = kind != Some(Kind::Done);
            }
            (Packet::Fragment, Some(Kind::Done)) => {
                self.recorded_told = told.or(end).unwrap_or(self.recorded_told);
            }
            (Packet::Fragment, Some(Kind::OutOfStep)) => {
                self.recorded_told = told.unwrap_or(self.recorded_told);
            }
            (_, Some(Kind::SessionNotFound)) => self.recorded_lost = true,
            _ => {}
        }
    }

    /// Writes the head of a request: the recorded one with what must change.
    pub(super) fn head(&self, step: &Step, wish: &Wish<'_>) -> Vec<u8> {
        let other = wish.packet.filter(|packet| *packet != step.packet);
        let mut protocols = false;
        let mut length = false;
        let mut authorized = false;
        let change = |name: &[u8], value: &[u8]| {
            if name.eq_ignore_ascii_case(b"transfer-encoding")
                || name.eq_ignore_ascii_case(b"expect")
            {
                // Content goes out with its length, and at once.
                return Change::Drop;
            }
            if name.eq_ignore_ascii_case(b"authorization") {
                authorized = true;
                return match wish.authorization {
                    Some(text) => Change::Value(text.as_bytes().to_vec()),
                    None if wish.without_auth => Change::Drop,
                    None => Change::Keep,
                };
            }
            if name.eq_ignore_ascii_case(b"proxy-authorization") && wish.without_auth {
                return Change::Drop;
            }
            let Some(spelling) = identify(name) else {
                return Change::Keep;
            };
            let set = |text: &str| Change::Value(text.as_bytes().to_vec());
            match spelling.name {
                Name::Host => set(&wish.url.authority()),
                Name::PacketType => other.map_or(Change::Keep, |packet| set(packet.name())),
                // Before there is a session, no packet names one. MC-BUP §2.2.4.2
                Name::SessionId | Name::ContentRange | Name::ContentName if other.is_some() => {
                    Change::Drop
                }
                Name::SessionId => match &self.id {
                    Some(id) if !self.stale => set(id),
                    _ => Change::Keep,
                },
                Name::SupportedProtocols => {
                    protocols = true;
                    match other {
                        Some(Packet::CreateSession) | None => Change::Keep,
                        Some(_) => Change::Drop,
                    }
                }
                Name::ContentRange => match wish.range {
                    Some(range) if Some(range) != step.request.range => set(&spell(range)),
                    _ => Change::Keep,
                },
                Name::ContentLength => {
                    length = true;
                    if std::str::from_utf8(value)
                        .ok()
                        .and_then(|text| text.trim().parse().ok())
                        == Some(wish.length)
                    {
                        Change::Keep
                    } else {
                        set(&wish.length.to_string())
                    }
                }
                Name::IfUnmodifiedSince => {
                    let known = self.dates.get(String::from_utf8_lossy(value).trim());
                    known.map_or(Change::Keep, |date| set(date))
                }
                _ => Change::Keep,
            }
        };
        // Which fields are there is known after the pass over them.
        let first = rewrite(&step.head, Some(&wish.target), change);
        let missing_length = !length && wish.length > 0;
        let missing_protocols = other == Some(Packet::CreateSession) && !protocols;
        let digits = wish.length.to_string();
        let mut more: Vec<(&[u8], &[u8])> = Vec::new();
        if missing_protocols {
            more.push((b"BITS-Supported-Protocols", UPLOAD_PROTOCOL.as_bytes()));
        }
        if missing_length {
            more.push((b"Content-Length", digits.as_bytes()));
        }
        if let Some(text) = wish.authorization.filter(|_| !authorized) {
            more.push((b"Authorization", text.as_bytes()));
        }
        append(first, &more)
    }

    /// Returns the report of the whole session.
    ///
    /// `other_sizes`: the answers to the recorded Fragments, where Fragments of other sizes were sent.
    pub(super) fn into_report(self, other_sizes: Option<&[(u64, &Recorded)]>) -> SessionReport {
        let mut differences = Vec::new();
        let upload = self.row.kind != SessionKind::Download;
        // How far a download is, its answers tell: where they are the recorded ones, so is the state.
        let live = if upload || self.differs {
            self.state
        } else {
            self.row.state
        };
        if live != self.row.state {
            differences.push(Difference::new("state", self.row.state.name(), live.name()));
        }
        let bytes = Pair {
            recorded: self.row.acknowledged,
            live: if upload { self.told } else { self.arrived },
        };
        if upload && bytes.recorded != bytes.live {
            differences.push(Difference::new(
                "acknowledged",
                bytes.recorded.to_string(),
                bytes.live.to_string(),
            ));
        }
        if let Some(recorded) = other_sizes {
            let kinds: Vec<Kind> = recorded
                .iter()
                .filter_map(|(_, recorded)| Kind::recorded(recorded))
                .collect();
            differences.extend(odd_answers(&kinds, &self.odd));
            let usual = recorded
                .iter()
                .filter_map(|(end, recorded)| match recorded {
                    Recorded::Answer(said) if said.meaning() == Answer::Done => {
                        Some(manners(said, *end))
                    }
                    _ => None,
                });
            differences.extend(habits(&usual.flatten().collect(), &self.manners));
        }
        if let Some(why) = &self.over {
            differences.push(Difference::new("order", "went on", format!("ended: {why}")));
        }
        SessionReport {
            r#type: "replay",
            session: self.row.no,
            kind: self.row.kind.name(),
            url: self.row.url.to_string(),
            name: self.row.name.to_string(),
            session_id: Pair {
                recorded: self.row.session_id.as_ref().map(ToString::to_string),
                live: self.id,
            },
            state: Pair {
                recorded: self.row.state.name(),
                live: live.name(),
            },
            bytes,
            sha256: self.file.and_then(|file| file.sha256.clone()),
            differences,
            notes: self.notes,
            steps: self.steps,
        }
    }
}

/// Compares the answers to Fragments that were not the usual ones, wherever they came: with other Fragments
/// there is no other place for them.
fn odd_answers(recorded: &[Kind], live: &[Kind]) -> Option<Difference> {
    let count = |kinds: &[Kind]| {
        let mut counts = BTreeMap::new();
        for kind in kinds {
            // How often a size is refused depends on the size.
            if !matches!(kind, Kind::Done | Kind::TooLarge) {
                *counts.entry(kind.name()).or_insert(0_u32) += 1;
            }
        }
        counts
    };
    let (recorded, live) = (count(recorded), count(live));
    let tell = |counts: &BTreeMap<&str, u32>| {
        let each: Vec<String> = counts
            .iter()
            .map(|(name, times)| format!("{times} x {name}"))
            .collect();
        if each.is_empty() {
            "none".to_owned()
        } else {
            each.join(", ")
        }
    };
    (recorded != live)
        .then(|| Difference::new("unusual answers to Fragments", tell(&recorded), tell(&live)))
}

/// Writes a Content-Range. MC-BUP §2.2.6.1
fn spell(range: ContentRange) -> String {
    match range.total {
        Some(total) => format!("bytes {}-{}/{total}", range.first, range.last),
        None => format!("bytes {}-{}/*", range.first, range.last),
    }
}

/// Returns how an answer reads in a report.
pub(super) fn told(said: Option<&Said>) -> Told {
    said.map_or_else(Told::default, |said| Told {
        status: Some(said.status),
        received: said.ack.received,
        error: said
            .ack
            .error
            .map(|code| format!("0x{code:08X} {}", hresult::name(code))),
    })
}
