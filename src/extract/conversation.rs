//! One connection of the second pass: which content belongs to which place of which file.
//!
//! Pairs items with the timeline's rows by their order; decides nothing that the timeline decided.

use std::collections::BTreeMap;

use crate::bits::hresult::BG_E_SESSION_NOT_FOUND;
use crate::bits::multipart::Parts;
use crate::bits::packet::read_ack;
use crate::bits::session::Told;
use crate::bits::{Ack, Packet};
use crate::event::{Close, Direction, Event, Leg, What};
use crate::timeline::{Exchange, Outcome, Session, SessionKind, Timeline};
use crate::wire::{Conversation, Ending, Head, Item, Malformed, Seen, Stream};

use super::held::Word;
use super::run::Kind;
use super::{Content, Error, Files};

/// A connection that is not over.
#[derive(Debug)]
pub(super) struct Live {
    talk: Conversation,
    requests: Lane,
    responses: Lane,
    /// By the conversation's number.
    open: BTreeMap<u64, Open>,
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    offset: u64,
    ended: bool,
}

/// An exchange of a session that is not over.
#[derive(Debug)]
struct Open {
    no: u32,
    session: u32,
    packet: Packet,
    /// A fragment's run and place.
    sent: Option<(usize, Lay)>,
    /// The run and place of an answer's content.
    came: Option<(usize, Lay)>,
    /// Content bytes of the answer.
    len: u64,
    requested: bool,
    /// The response in progress is not the final one.
    interim: bool,
    word: Option<Word>,
    /// The length of this answer is the file's.
    measures: bool,
}

/// Where the next content byte lies.
#[derive(Debug)]
enum Lay {
    /// The next offset and the end.
    At(u64, u64),
    Parts(Box<Parts>),
    Nowhere,
}

/// The second pass's surroundings.
struct Around<'a> {
    numbers: &'a [u32],
    timeline: &'a Timeline,
    files: &'a mut Files,
}

/// The content of one event: where it lies in its stream.
#[derive(Clone, Copy)]
struct Window<'b> {
    base: u64,
    content: Content<'b>,
}

impl Live {
    /// Makes the connection that begins with this event.
    pub(super) fn new(event: &Event) -> Self {
        let talk = if matches!(event.what, What::Opening { .. }) {
            Conversation::new()
        } else {
            Conversation::joined()
        };
        Self {
            talk,
            requests: Lane::default(),
            responses: Lane::default(),
            open: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.requests.ended && self.responses.ended
    }

    /// Takes one event of this connection.
    pub(super) fn apply(
        &mut self,
        event: &Event,
        numbers: &[u32],
        timeline: &Timeline,
        files: &mut Files,
    ) -> Result<(), Error> {
        if event.leg != Leg::Client {
            return Ok(());
        }
        let mut around = Around {
            numbers,
            timeline,
            files,
        };
        match &event.what {
            What::Data { direction, bytes } => {
                self.content(*direction, Content::Bytes(bytes), &mut around)
            }
            What::Missing {
                direction,
                len,
                why,
            } => self.content(*direction, Content::Gone(*why, *len), &mut around),
            What::Closed { direction, how } => {
                let streams: &[Stream] = match (how, direction) {
                    (Close::Reset, _) => &[Stream::Requests, Stream::Responses],
                    (Close::Fin, Direction::ToServer) => &[Stream::Requests],
                    (Close::Fin, Direction::ToClient) => &[Stream::Responses],
                };
                for &stream in streams {
                    self.end(stream, &mut around)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes note that no event follows.
    pub(super) fn finish(
        &mut self,
        numbers: &[u32],
        timeline: &Timeline,
        files: &mut Files,
    ) -> Result<(), Error> {
        let mut around = Around {
            numbers,
            timeline,
            files,
        };
        self.end(Stream::Requests, &mut around)?;
        self.end(Stream::Responses, &mut around)
    }

    fn lane(&mut self, stream: Stream) -> &mut Lane {
        match stream {
            Stream::Requests => &mut self.requests,
            Stream::Responses => &mut self.responses,
        }
    }

    fn content(
        &mut self,
        direction: Direction,
        content: Content<'_>,
        around: &mut Around<'_>,
    ) -> Result<(), Error> {
        let stream = match direction {
            Direction::ToServer => Stream::Requests,
            Direction::ToClient => Stream::Responses,
        };
        let lane = self.lane(stream);
        if lane.ended {
            return Ok(());
        }
        let base = lane.offset;
        lane.offset = base.saturating_add(content.len());
        let mut seen = std::mem::take(&mut self.seen);
        match content {
            Content::Bytes(bytes) => self.talk.feed(stream, bytes, &mut seen),
            Content::Gone(_, len) => self.talk.skip(stream, len, &mut seen),
        }
        self.read(seen, Window { base, content }, around)
    }

    fn end(&mut self, stream: Stream, around: &mut Around<'_>) -> Result<(), Error> {
        let lane = self.lane(stream);
        if std::mem::replace(&mut lane.ended, true) {
            return Ok(());
        }
        let window = Window {
            base: lane.offset,
            content: Content::Bytes(&[]),
        };
        let mut seen = std::mem::take(&mut self.seen);
        self.talk.finish(stream, &mut seen);
        self.read(seen, window, around)
    }

    fn read(
        &mut self,
        mut seen: Vec<Seen>,
        window: Window<'_>,
        around: &mut Around<'_>,
    ) -> Result<(), Error> {
        for found in seen.drain(..) {
            let Some(wire) = found.exchange else {
                continue;
            };
            match (found.stream, found.item) {
                (Stream::Requests, Item::Head { .. }) => self.request(wire, around),
                (Stream::Responses, Item::Head { head, .. }) => self.response(wire, &head, around),
                (stream, Item::Data { offset, len } | Item::Absent { offset, len }) => {
                    self.place(stream, wire, window.part(offset, len), around)?;
                }
                (stream, Item::End { ending, .. }) => self.over(stream, wire, Some(ending), around),
                (stream, Item::Malformed { what, .. }) if what != Malformed::FieldLine => {
                    self.over(stream, wire, None, around);
                }
                _ => {}
            }
        }
        self.seen = seen;
        Ok(())
    }

    /// Takes a request whose head is complete.
    fn request(&mut self, wire: u64, around: &mut Around<'_>) {
        let Some(row) = around.row(wire) else {
            return;
        };
        let (Some(session), Some(packet)) = (row.session, row.packet) else {
            return;
        };
        if around.files.left_out.contains(&session) {
            return;
        }
        let sent = (packet == Packet::Fragment).then(|| {
            let run = around.files.run(session, Kind::Upload);
            let lay = row.range.map_or(Lay::Nowhere, |range| {
                Lay::At(range.first, range.last.saturating_add(1))
            });
            let total = row.range.and_then(|range| range.total);
            if let Some(run) = around.files.runs.get_mut(run) {
                run.total = total.or(run.total);
            }
            (run, lay)
        });
        self.open.insert(
            wire,
            Open {
                no: row.no,
                session,
                packet,
                sent,
                came: None,
                len: 0,
                requested: false,
                interim: false,
                word: None,
                measures: false,
            },
        );
    }

    /// Takes a response whose head is complete.
    fn response(&mut self, wire: u64, head: &Head, around: &mut Around<'_>) {
        let status = head.status().unwrap_or_default();
        let (Some(open), Some(row)) = (self.open.get_mut(&wire), around.row(wire)) else {
            return;
        };
        open.interim = (100..200).contains(&status) && status != 101;
        if open.interim || row.outcome == Outcome::Injected {
            // What the proxy answers itself is not the server's word.
            return;
        }
        let ack = read_ack(head);
        match open.packet {
            Packet::CreateSession if (200..300).contains(&status) => {
                around.files.begin_anew(open.session);
            }
            Packet::Fragment => open.word = word(status, &ack, row),
            Packet::Get if matches!(status, 200 | 206) => {
                let kind = match around.session(open.session).map(|session| session.kind) {
                    Some(SessionKind::Download) => Kind::Download,
                    _ => Kind::Reply,
                };
                let run = around.files.answering(open.session, kind, &ack);
                open.measures = status == 200 && ack.length.is_none();
                open.came = Some((run, lay(status, &ack, head)));
            }
            _ => {}
        }
        self.judge(wire, around);
    }

    fn place(
        &mut self,
        stream: Stream,
        wire: u64,
        content: Content<'_>,
        around: &mut Around<'_>,
    ) -> Result<(), Error> {
        let Some(open) = self.open.get_mut(&wire) else {
            return Ok(());
        };
        let target = match stream {
            Stream::Requests => open.sent.as_mut(),
            Stream::Responses => {
                open.len = open.len.saturating_add(content.len());
                open.came.as_mut()
            }
        };
        let (Some((run, lay)), Some(session)) = (target, around.session(open.session)) else {
            return Ok(());
        };
        let run = *run;
        match lay {
            Lay::At(at, end) => {
                let len = content.len().min(end.saturating_sub(*at));
                let from = *at;
                *at = at.saturating_add(len);
                if len > 0 {
                    let part = content.part(0, len);
                    around.files.place(session, run, open.no, from, part)?;
                }
            }
            Lay::Parts(parts) => {
                let pieces = match content {
                    Content::Bytes(bytes) => parts.feed(bytes),
                    Content::Gone(_, len) => parts.skip(len).into_iter().collect(),
                };
                if let Some(known) = around.files.runs.get_mut(run) {
                    known.total = known.total.or(parts.total);
                }
                for piece in pieces {
                    let part = content.part(piece.from, piece.len);
                    around.files.place(session, run, open.no, piece.at, part)?;
                }
            }
            Lay::Nowhere => {
                if let Some(run) = around.files.runs.get_mut(run) {
                    run.homeless = run.homeless.saturating_add(content.len());
                }
            }
        }
        Ok(())
    }

    /// Takes note that a message is over.
    fn over(&mut self, stream: Stream, wire: u64, ending: Option<Ending>, around: &mut Around<'_>) {
        let Some(open) = self.open.get_mut(&wire) else {
            return;
        };
        match stream {
            Stream::Requests => {
                open.requested = true;
                self.judge(wire, around);
            }
            Stream::Responses if open.interim => open.interim = false,
            Stream::Responses => {
                let whole = matches!(ending, Some(Ending::Complete | Ending::Closed));
                if open.measures
                    && whole
                    && let Some((run, _)) = open.came
                    && let Some(run) = around.files.runs.get_mut(run)
                {
                    run.total = Some(open.len);
                }
                if open.requested {
                    self.open.remove(&wire);
                }
            }
        }
    }

    /// Takes the server's word on a fragment once all of it has passed.
    fn judge(&mut self, wire: u64, around: &mut Around<'_>) {
        if let Some(open) = self.open.get_mut(&wire)
            && open.requested
            && let Some(word) = open.word.take()
            && let Some((run, _)) = open.sent
            && let Some(run) = around.files.runs.get_mut(run)
        {
            run.answered(open.no, word);
        }
    }
}

impl<'a> Around<'a> {
    fn row(&self, wire: u64) -> Option<&'a Exchange> {
        let no = *self.numbers.get(usize::try_from(wire).ok()?)?;
        self.timeline
            .exchanges()
            .get(usize::try_from(no).ok()?.checked_sub(1)?)
    }

    fn session(&self, no: u32) -> Option<&'a Session> {
        self.timeline
            .sessions()
            .get(usize::try_from(no).ok()?.checked_sub(1)?)
    }
}

impl<'b> Window<'b> {
    /// Returns the content at `offset` of the stream.
    fn part(&self, offset: u64, len: u64) -> Content<'b> {
        self.content.part(offset.saturating_sub(self.base), len)
    }
}

impl Content<'_> {
    fn len(self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Gone(_, len) => len,
        }
    }

    /// Returns `len` bytes from `from` on, as far as there are so many.
    fn part(self, from: u64, len: u64) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                let end = usize::try_from(len).map_or(usize::MAX, |len| from.saturating_add(len));
                let end = end.min(bytes.len());
                Self::Bytes(bytes.get(from..end).unwrap_or_default())
            }
            Self::Gone(why, _) => Self::Gone(why, len),
        }
    }
}

/// Returns what the answer to the fragment in `row` says.
fn word(status: u16, ack: &Ack, row: &Exchange) -> Option<Word> {
    let end = row.range.map(|range| range.last.saturating_add(1));
    match status {
        200..=299 => {
            let told = ack.received.or(end)?;
            let last = row.range.map_or(0, |range| range.last);
            let first = row.range.map_or(last, |range| range.first);
            Some(Word::Kept(Told::after(first, last, told)))
        }
        416 => Some(Word::Refused(ack.received)),
        // The server forgot everything: its file is what it held until now.
        _ if ack.error == Some(BG_E_SESSION_NOT_FOUND) => Some(Word::Refused(None)),
        // An application behind the server failed, or there is no more room: the offset tells.
        _ => Some(
            ack.received
                .map_or(Word::Refused(None), |told| Word::Kept(Told::at(told))),
        ),
    }
}

/// Returns where the content of an answer lies in the file.
fn lay(status: u16, ack: &Ack, head: &Head) -> Lay {
    match (status, ack.range) {
        _ if ack.peerdist => Lay::Nowhere,
        (200, _) => Lay::At(0, u64::MAX),
        (_, Some(range)) => Lay::At(range.first, range.last.saturating_add(1)),
        (_, None) if ack.multipart => Lay::Parts(Box::new(Parts::new(
            head.value("content-type").unwrap_or_default(),
        ))),
        _ => Lay::Nowhere,
    }
}
