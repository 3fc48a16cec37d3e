//! What the recorded server did, told by upload: its answers in order, and what it did out of the ordinary.
//!
//! Made once from a recording; knows no live client. An **act** is one session of an upload: a tale has more
//! than one where the server forgot the session and the client began anew.

use std::time::Duration;

use crate::bits::Packet;
use crate::bits::hresult::BG_E_SESSION_NOT_FOUND;
use crate::peer::place;
use crate::peer::recording::{Recorded, Recording, Said};
use crate::timeline::Exchange;
use crate::timeline::row::Message;
use crate::wire::Head;

/// One recorded exchange and its answer.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Number of the exchange.
    pub(super) no: u32,
    pub(super) packet: Packet,
    /// Path and query, percent-encoding undone.
    pub(super) path: String,
    /// First byte and the byte after the last of a Fragment, or those asked for.
    pub(super) range: Option<(u64, u64)>,
    pub(super) total: Option<u64>,
    /// The Range field as sent.
    pub(super) asked: Option<Vec<u8>>,
    /// `None`: the server ended the connection instead.
    pub(super) answer: Option<Answer>,
    /// From the end of the request to the answer.
    pub(super) wait: Duration,
}

impl Row {
    /// Returns where the answer says that the reply is: path and query, percent-encoding undone. A relative place
    /// belongs to the folder of the upload.
    pub(super) fn reply(&self) -> Option<String> {
        let reply = self.answer.as_ref()?.said.ack.reply_url.as_ref()?;
        let reply = reply.trim().replace('\\', "/");
        if reply.contains("://") || reply.starts_with('/') {
            return Some(path(&reply));
        }
        Some(format!("{}/{}", folder(&self.path), path(&reply)))
    }
}

/// Returns the path of the folder that a path lies in, without a slash at its end.
pub(super) fn folder(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A recorded answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) said: Said,
    pub(super) head: Head,
    pub(super) message: Message,
    /// It came to its end.
    pub(super) whole: bool,
}

/// Something that the server did to a Fragment and that the protocol does not ask for.
#[derive(Clone, Debug)]
pub(super) struct Trick {
    /// Index of the row in its act.
    pub(super) row: usize,
    /// It happens to the Fragment that covers this byte.
    pub(super) at: u64,
    /// To one of at least this size.
    pub(super) size: u64,
    pub(super) what: What,
}

/// What the server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Took the bytes (or not), and ended the connection instead of an answer.
    HangUp { keeps: bool },
    /// Asked for this byte next.
    Rewind { to: u64 },
    /// Forgot the session.
    Forget,
    /// Answered with an error, the bytes taken or not.
    Refuse { keeps: bool },
    /// Refused the size.
    TooLarge,
}

/// One session.
#[derive(Clone, Debug, Default)]
pub(super) struct Act {
    pub(super) create: Option<Row>,
    pub(super) rows: Vec<Row>,
    pub(super) tricks: Vec<Trick>,
    /// Fragments of this size and above are refused, each time.
    pub(super) limit: Option<u64>,
}

/// One recorded upload.
#[derive(Clone, Debug, Default)]
pub(super) struct Tale {
    pub(super) path: String,
    pub(super) acts: Vec<Act>,
    pub(super) pings: Vec<Row>,
}

/// Everything that was recorded.
#[derive(Debug, Default)]
pub(super) struct Repertoire {
    pub(super) tales: Vec<Tale>,
    /// HEAD and GET, with the session that each belongs to.
    pub(super) downloads: Vec<(u32, Row)>,
    /// Method, path and number of all requests, to find the closest.
    pub(super) requests: Vec<(String, String, u32)>,
}

impl Repertoire {
    pub(super) fn of(recording: &Recording) -> Self {
        let mut found = Self::default();
        for row in recording.timeline.exchanges() {
            if row.request.is_some() && !row.method.is_empty() {
                found
                    .requests
                    .push((row.method.to_string(), path(&row.url), row.no));
            }
            if let (Some(row), Some(session)) = (read(recording, row), row.session)
                && matches!(row.packet, Packet::Head | Packet::Get)
            {
                found.downloads.push((session, row));
            }
        }
        for session in recording.timeline.sessions() {
            let rows = recording.timeline.exchanges_of(session.no);
            let rows = rows.filter_map(|row| read(recording, row));
            if let Some(tale) = Tale::of(rows) {
                found.tales.push(tale);
            }
        }
        found
    }

    /// Yields all answers to one kind of packet.
    pub(super) fn answers(&self, packet: Packet) -> impl Iterator<Item = &Row> {
        self.tales.iter().flat_map(move |tale| {
            let acts = tale.acts.iter();
            acts.flat_map(|act| act.create.iter().chain(&act.rows))
                .chain(&tale.pings)
                .filter(move |row| row.packet == packet)
        })
    }
}

impl Tale {
    fn of(rows: impl Iterator<Item = Row>) -> Option<Self> {
        let mut tale = Self::default();
        let mut act = Act::default();
        let mut any = false;
        for row in rows {
            if matches!(
                row.packet,
                Packet::Head | Packet::Get | Packet::Notification
            ) {
                continue;
            }
            if !any {
                tale.path.clone_from(&row.path);
                any = true;
            }
            match row.packet {
                Packet::Ping => tale.pings.push(row),
                Packet::CreateSession => {
                    if act.create.is_some() || !act.rows.is_empty() {
                        tale.acts.push(std::mem::take(&mut act));
                    }
                    act.create = Some(row);
                }
                _ => act.rows.push(row),
            }
        }
        if act.create.is_some() || !act.rows.is_empty() {
            tale.acts.push(act);
        }
        for act in &mut tale.acts {
            act.study();
        }
        any.then_some(tale)
    }
}

impl Act {
    /// Finds out what was out of the ordinary.
    fn study(&mut self) {
        self.limit = self.size_limit();
        let mut told = 0;
        for (index, row) in self.rows.iter().enumerate() {
            let (Packet::Fragment, Some((first, end))) = (row.packet, row.range) else {
                continue;
            };
            let received = row
                .answer
                .as_ref()
                .and_then(|answer| answer.said.ack.received);
            let what = match &row.answer {
                None => Some(What::HangUp {
                    keeps: self.was_kept(index, first),
                }),
                Some(answer) => trick(&answer.said, (first, end), told, self.limit.is_some()),
            };
            match &row.answer {
                Some(answer) if (200..300).contains(&answer.said.status) => {
                    told = received.unwrap_or(end);
                }
                Some(answer) if answer.said.status == 416 => told = received.unwrap_or(told),
                None if what == Some(What::HangUp { keeps: true }) => told = end,
                _ => {}
            }
            if let Some(what) = what {
                self.tricks.push(Trick {
                    row: index,
                    at: first,
                    size: end.saturating_sub(first),
                    what,
                });
            }
        }
    }

    /// Tells whether the server held on to an unanswered Fragment: it did, unless it later asked for it.
    fn was_kept(&self, index: usize, first: u64) -> bool {
        let later = self.rows.iter().skip(index.saturating_add(1));
        let word = later
            .filter_map(|row| row.answer.as_ref())
            .find(|answer| answer.said.ack.received.is_some());
        word.is_none_or(|answer| {
            answer.said.status != 416 || answer.said.ack.received > Some(first)
        })
    }

    /// Returns the smallest size that was refused, if no size like it was ever taken.
    fn size_limit(&self) -> Option<u64> {
        let of = |wanted: fn(u16) -> bool| {
            self.rows.iter().filter_map(move |row| {
                let answer = row.answer.as_ref()?;
                let (first, end) = row.range?;
                wanted(answer.said.status).then(|| end.saturating_sub(first))
            })
        };
        let refused = of(|status| status == 413).min()?;
        let taken = of(|status| (200..300).contains(&status)).max().unwrap_or(0);
        (taken < refused).then_some(refused)
    }
}

/// Returns what an answer to a Fragment has out of the ordinary; `told` is the byte that the server wanted.
fn trick(said: &Said, (first, end): (u64, u64), told: u64, limited: bool) -> Option<What> {
    let received = said.ack.received;
    match said.status {
        200..300 => None,
        413 => (!limited).then_some(What::TooLarge),
        // Behind the byte that is wanted nobody can begin: that is the protocol.
        416 if first > told => None,
        416 => Some(What::Rewind {
            to: received.unwrap_or(told),
        }),
        _ if said.ack.error == Some(BG_E_SESSION_NOT_FOUND) => Some(What::Forget),
        _ => Some(What::Refuse {
            keeps: received.is_some_and(|received| received >= end),
        }),
    }
}

/// Reads one exchange; `None` where nobody can know how the server answered.
fn read(recording: &Recording, row: &Exchange) -> Option<Row> {
    let packet = row.packet?;
    let (head, request) = recording.request(row)?;
    let response = row.response.as_ref();
    let whole = match recording.answer(row) {
        Recorded::Answer(_) => true,
        Recorded::Nothing => false,
        // Half a download is better than none.
        Recorded::Unknown if packet == Packet::Get && row.status.is_some() => false,
        Recorded::Unknown => return None,
    };
    let answer = response.and_then(|message| {
        let head = recording.head(message)?;
        Some(Answer {
            said: Said::of(&head),
            head,
            message: *message,
            whole,
        })
    });
    let range = match packet {
        Packet::Fragment => request
            .range
            .filter(|range| range.first <= range.last)
            .map(|range| (range.first, range.last.saturating_add(1))),
        _ => None,
    };
    let begun = row.times.get().response_begun;
    let wait = begun.zip(row.times.get().request_end);
    Some(Row {
        no: row.no,
        packet,
        path: path(&row.url),
        range,
        total: request.range.and_then(|range| range.total),
        asked: head.value("range").map(<[u8]>::to_vec),
        answer: answer.filter(|answer| answer.whole || packet == Packet::Get),
        wait: wait.map_or(Duration::ZERO, |(begun, end)| begun.saturating_sub(end)),
    })
}

/// Returns path and query of a target with percent-encoding undone, so that two spellings are one.
pub(super) fn path(target: &str) -> String {
    let bare = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest
            .find(['/', '?'])
            .map_or("/", |at| rest.get(at..).unwrap_or("/")),
        _ => target,
    };
    place::decode(bare).unwrap_or_else(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Ack;

    fn said(status: u16, received: Option<u64>, error: Option<u32>) -> Said {
        let ack = Ack {
            received,
            error,
            ..Ack::default()
        };
        Said {
            status,
            ack,
            spellings: Vec::new(),
        }
    }

    #[test]
    fn what_the_protocol_asks_for_is_no_trick() {
        let plain = |status, received, first, told| {
            trick(
                &said(status, received, None),
                (first, first + 10),
                told,
                false,
            )
        };
        assert_eq!(plain(200, Some(20), 10, 10), None);
        assert_eq!(plain(416, Some(10), 20, 10), None);
        assert_eq!(plain(416, Some(5), 10, 10), Some(What::Rewind { to: 5 }));
        assert_eq!(plain(413, None, 10, 10), Some(What::TooLarge));
        assert_eq!(
            plain(503, Some(20), 10, 10),
            Some(What::Refuse { keeps: true })
        );
        assert_eq!(
            plain(500, None, 10, 10),
            Some(What::Refuse { keeps: false })
        );
        let lost = said(500, None, Some(BG_E_SESSION_NOT_FOUND));
        assert_eq!(trick(&lost, (0, 10), 0, false), Some(What::Forget));
    }

    #[test]
    fn two_spellings_of_a_target_are_one() {
        assert_eq!(path("http://h:1/a%20b?x"), "/a b?x");
        assert_eq!(path("/a%20b?x"), "/a b?x");
        assert_eq!(path("/a?u=http://x/"), "/a?u=http://x/");
        assert_eq!(path("http://h"), "/");
        assert_eq!(path("/%zz"), "/%zz");
    }
}
