//! What there is to play: the recorded requests of the chosen sessions, in groups that share a connection.
//!
//! Pure but for reading heads back. Also says what cannot be played, and why, before anything is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::bits::auth::{Offers, Scheme, credentials};
use crate::bits::hresult::BG_E_SESSION_NOT_FOUND;
use crate::bits::session::{Answer, classify};
use crate::bits::{Packet, Request};
use crate::event::ConnId;
use crate::peer::recording::{FileKind, Recorded, Recording};
use crate::peer::{Error, Result};
use crate::timeline::{Exchange, Outcome, SessionKind};
use crate::wire::Head;

/// One recorded request that can be sent again.
#[derive(Debug)]
pub(super) struct Step {
    /// Number of the recorded exchange.
    pub(super) no: u32,
    pub(super) session: u32,
    pub(super) conn: ConnId,
    pub(super) packet: Packet,
    pub(super) head: Head,
    pub(super) request: Request,
    pub(super) recorded: Recorded,
    /// How long the client waited since the request before, in the recording.
    pub(super) pause: Duration,
    /// The client itself ended it after so many content bytes.
    pub(super) cut: Option<u64>,
}

/// Steps that are played one after another.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// When its first request went out, since the start of the capture.
    pub(super) begun: Duration,
    pub(super) steps: Vec<Step>,
}

/// All that is to be played.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) groups: Vec<Group>,
    /// What is left out, in sentences.
    pub(super) notes: Vec<String>,
}

/// Which parts of a recording are played.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Numbers of sessions; empty: all.
    pub sessions: BTreeSet<u32>,
    /// Requests go out without the credentials that were recorded.
    pub without_auth: bool,
}

impl Script {
    /// Reads what there is to play.
    pub(super) fn read(recording: &Recording, choice: &Choice) -> Result<Self> {
        let mut script = Self::default();
        let mut steps = Vec::new();
        let mut outside = 0_u32;
        for row in recording.timeline.exchanges() {
            let Some(session) = row.session else {
                outside = outside.saturating_add(u32::from(row.outcome != Outcome::Injected));
                continue;
            };
            if !choice.sessions.is_empty() && !choice.sessions.contains(&session) {
                continue;
            }
            match step(recording, row, session) {
                Ok(step) => {
                    check_bound(&step.head, step.no, choice)?;
                    if is_handshake(&step) && choice.without_auth {
                        continue;
                    }
                    steps.push((row, step));
                }
                Err(why) => script
                    .notes
                    .push(format!("Exchange {} is not played: {why}.", row.no)),
            }
        }
        if outside > 0 && choice.sessions.is_empty() {
            script.notes.push(format!(
                "{outside} exchange{} outside any session {} not played.",
                if outside == 1 { "" } else { "s" },
                if outside == 1 { "is" } else { "are" },
            ));
        }
        if steps.is_empty() {
            return Err(Error::NothingToPlay {
                reason: match choice.sessions.first() {
                    Some(no) if recording.session(*no).is_none() => {
                        format!("it has no session {no}")
                    }
                    _ => "it has no session with a request that can be sent again".to_owned(),
                },
            });
        }
        check_content(recording, &steps)?;
        script.group(steps);
        Ok(script)
    }

    /// Puts together what shares a connection or a session, each group in recorded order.
    fn group(&mut self, steps: Vec<(&Exchange, Step)>) {
        let mut root = BTreeMap::<u32, u32>::new();
        let mut of_conn = BTreeMap::<ConnId, u32>::new();
        for (_, step) in &steps {
            root.entry(step.session).or_insert(step.session);
            let first = *of_conn.entry(step.conn).or_insert(step.session);
            let (one, other) = (find(&root, first), find(&root, step.session));
            root.insert(one.max(other), one.min(other));
        }
        let mut groups = BTreeMap::<u32, Group>::new();
        let mut ended = BTreeMap::<u32, Duration>::new();
        for (row, mut step) in steps {
            let key = find(&root, step.session);
            let times = row.times.get();
            let group = groups.entry(key).or_insert_with(|| Group {
                begun: times.begun,
                steps: Vec::new(),
            });
            let before = ended.entry(key).or_insert(times.begun);
            step.pause = times.begun.saturating_sub(*before);
            let end = times.ended.or(times.request_end);
            *before = end.unwrap_or(times.begun).max(*before);
            group.steps.push(step);
        }
        self.groups = groups.into_values().collect();
        self.groups.sort_by_key(|group| group.begun);
    }
}

/// Returns what `no` was put together with.
fn find(root: &BTreeMap<u32, u32>, mut no: u32) -> u32 {
    while let Some(&next) = root.get(&no).filter(|next| **next != no) {
        no = next;
    }
    no
}

fn step(
    recording: &Recording,
    row: &Exchange,
    session: u32,
) -> std::result::Result<Step, &'static str> {
    let packet = row.packet.ok_or("nothing says which packet it is")?;
    if packet == Packet::Notification {
        return Err("a server sent it to its own application");
    }
    if row.outcome == Outcome::Malformed {
        return Err("its request cannot be read as HTTP in one way only");
    }
    let Some((head, request)) = recording.request(row) else {
        return Err("the capture does not hold its head");
    };
    if packet == Packet::Fragment && request.range.is_none_or(|range| range.first > range.last) {
        return Err("its Content-Range cannot be read");
    }
    let cut =
        (row.outcome == Outcome::CutRequest).then(|| row.request.map_or(0, |message| message.body));
    Ok(Step {
        no: row.no,
        session,
        conn: row.conn,
        packet,
        head,
        request,
        recorded: recording.answer(row),
        pause: Duration::ZERO,
        cut,
    })
}

/// Returns the scheme where an answer asks for nothing but what is bound to its connection. RFC 4559 §6
pub(super) fn bound_challenge(head: &Head) -> Option<&'static str> {
    let origin = Offers::read(head.values("www-authenticate"));
    let proxy = Offers::read(head.values("proxy-authenticate"));
    let mut schemes = origin.schemes().chain(proxy.schemes());
    let scheme = schemes.find(|scheme| scheme.is_of_connection())?;
    (!origin.holds(Scheme::Basic)).then_some(scheme.name())
}

/// Refuses a request whose credentials are bound to the recorded connection.
pub(super) fn check_bound(head: &Head, exchange: u32, choice: &Choice) -> Result<()> {
    let fields = ["authorization", "proxy-authorization"];
    let mut schemes =
        (fields.iter().flat_map(|field| head.values(field))).map(|value| credentials(value).0);
    let scheme = (schemes.find(|scheme| scheme.is_of_connection())).map(Scheme::name);
    match scheme {
        Some(scheme) if !choice.without_auth => Err(Error::BoundAuthentication {
            scheme,
            by: format!("the client of exchange {exchange}"),
        }),
        _ => Ok(()),
    }
}

/// Tells whether a request was only a part of a handshake: it came again with credentials.
fn is_handshake(step: &Step) -> bool {
    matches!(&step.recorded, Recorded::Answer(said) if matches!(said.status, 401 | 407))
}

/// Refuses to begin where content is missing that would have to be sent.
fn check_content(recording: &Recording, steps: &[(&Exchange, Step)]) -> Result<()> {
    let mut end_of = BTreeMap::<u32, u64>::new();
    for (_, step) in steps {
        let Some(range) = step
            .request
            .range
            .filter(|_| step.packet == Packet::Fragment)
        else {
            continue;
        };
        let end = match step.cut {
            Some(passed) => range.first.saturating_add(passed),
            None => range.last.saturating_add(1),
        };
        let known = end_of.entry(step.session).or_default();
        *known = end.max(*known);
    }
    for (session, end) in end_of {
        // A live server begins with nothing, so all of it may have to be sent.
        let gap = match recording.file(session, FileKind::Upload) {
            Some(file) => file.gap_in(0, end),
            None => (end > 0).then_some((0, end)),
        };
        if let Some((first, end)) = gap {
            let name = recording
                .session(session)
                .map_or_else(String::new, |row| row.name.to_string());
            return Err(Error::ContentMissing {
                session,
                name,
                first,
                last: end.saturating_sub(1),
            });
        }
    }
    Ok(())
}

/// Tells whether the recorded server never knew this session: it is played with the id that was recorded, so
/// that the live server can say so, too.
pub(super) fn is_stale(steps: &[Step], session: u32) -> bool {
    let first = steps
        .iter()
        .find(|step| step.session == session && !matches!(step.packet, Packet::Ping));
    first.is_some_and(|step| {
        step.request.session_id.is_some()
            && matches!(&step.recorded, Recorded::Answer(said) if said.ack.error == Some(BG_E_SESSION_NOT_FOUND))
    })
}

/// Tells whether the capture begins after this upload's Create-Session.
pub(super) fn lacks_create(recording: &Recording, steps: &[Step], session: u32) -> bool {
    let upload = recording
        .session(session)
        .is_some_and(|row| row.kind != SessionKind::Download);
    let first = steps.iter().find(|step| {
        step.session == session && is_upload(step.packet) && step.packet != Packet::Ping
    });
    upload && first.is_some_and(|step| step.packet != Packet::CreateSession)
}

/// Tells whether a packet is one of an upload.
pub(super) fn is_upload(packet: Packet) -> bool {
    !matches!(packet, Packet::Head | Packet::Get | Packet::Notification)
}

/// How an exchange came out, as far as the client's next step depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Done,
    OutOfStep,
    SessionNotFound,
    Fatal,
    Transient,
    Authenticate,
    TooLarge,
    /// No whole answer.
    Nothing,
}

impl Kind {
    /// Returns what an answer with this status and error is.
    pub(super) fn of(status: u16, error: Option<u32>) -> Self {
        match classify(status, error) {
            Answer::Done => Self::Done,
            Answer::OutOfStep => Self::OutOfStep,
            Answer::SessionNotFound => Self::SessionNotFound,
            Answer::Fatal => Self::Fatal,
            Answer::Transient => Self::Transient,
            Answer::Authenticate => Self::Authenticate,
            Answer::TooLarge => Self::TooLarge,
        }
    }

    /// Returns what a recorded exchange was; `None` where nobody can know.
    pub(super) fn recorded(recorded: &Recorded) -> Option<Self> {
        match recorded {
            Recorded::Answer(said) => Some(Self::of(said.status, said.ack.error)),
            Recorded::Nothing => Some(Self::Nothing),
            Recorded::Unknown => None,
        }
    }

    /// Returns a name for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::OutOfStep => "out of step (416)",
            Self::SessionNotFound => "session not found",
            Self::Fatal => "refused",
            Self::Transient => "refused for now",
            Self::Authenticate => "credentials wanted",
            Self::TooLarge => "too large (413)",
            Self::Nothing => "no answer",
        }
    }
}
