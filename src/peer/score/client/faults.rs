//! Lost answers, broken connections, forgotten sessions and refusals.

use super::log::{Log, fragment};
use super::plan::{Deed, Manners, Refusal, Scene};
use super::{Experiment, Row, row};
use crate::bits::Packet;
use crate::peer::field;
use crate::peer::score::{Judged, differs, fails, pass, unknown};

type Done = Result<Judged, Judged>;

/// `BITS-Error` of a server application that did not answer in time, as MC-BUP prints it.
const LATE: u32 = 0x8007_0112;

pub(super) const ROWS: &[Row] = &[
    row!(
        "plain",
        Manners::USUAL,
        |_| Deed::Usual,
        plain,
        "Does nothing out of the ordinary.",
        "Create-Session, Fragments in order from 0 with one total, Close-Session.",
        "MC-BUP §1.3.1, §2.2.6; Win32 \"BITS Upload Protocol\""
    ),
    row!(
        "lost-ack",
        Manners::USUAL,
        |s| once(s, s.is_middle(), Deed::Lose),
        resumed,
        "Takes a Fragment that is not the last and ends the connection without an Ack.",
        "The client comes back to the same session, with a Ping first, and goes on by the server's number.",
        "MC-BUP §3.1.6, §3.1.4.3, §3.1.5.1.4"
    ),
    row!(
        "lost-last-ack",
        Manners::USUAL,
        |s| once(s, s.is_last(), Deed::Lose),
        resumed,
        "The same with the last Fragment.",
        "The client comes back to the same session and sends the Fragment again; only its Ack tells that all is there.",
        "MC-BUP §3.1.6, §3.1.4.3, §3.1.5.1.4"
    ),
    row!(
        "lost-create-ack",
        Manners::USUAL,
        |s| once(s, s.is(Packet::CreateSession), Deed::Lose),
        created_again,
        "Opens a session and ends the connection without an Ack.",
        "The client has no session id, so it asks for a session again.",
        "MC-BUP §3.1.5.1.2"
    ),
    row!(
        "lost-close-ack",
        Manners::USUAL,
        |s| once(s, s.is(Packet::CloseSession), Deed::Lose),
        closed_again,
        "Closes the session and ends the connection without an Ack.",
        "Close-Session is sent again after a failure that may pass; the file must not be uploaded again.",
        "Win32 \"Ack for Close-Session\"; MC-BUP §3.1.6"
    ),
    row!(
        "cut-at-offset",
        Manners::USUAL,
        |s| once(s, s.is_later(), Deed::Cut { keep: half(s) }),
        resumed,
        "Ends the connection in the middle of a later Fragment and keeps what came.",
        "The client comes back to the same session, with a Ping first, and goes on by the server's number.",
        "MC-BUP §3.1.6, §3.1.4.3, §3.1.5.1.4"
    ),
    row!(
        "cut-at-start",
        Manners::USUAL,
        |s| once(s, s.is(Packet::Fragment), Deed::Cut { keep: 0 }),
        resumed,
        "Ends the connection in the first Fragment and keeps nothing.",
        "The client comes back to the same session and sends the Fragment again.",
        "MC-BUP §3.1.6, §3.1.4.3"
    ),
    row!(
        "session-forgotten",
        Manners::USUAL,
        |s| once(s, s.is_later(), Deed::Forget),
        restarted,
        "Answers a later Fragment 500 with BG_E_SESSION_NOT_FOUND in BITS-Error-Code.",
        "The client starts again with Create-Session and uploads from 0.",
        "MC-BUP §3.1.5.2.1; Win32 \"Ack for Fragment\""
    ),
    row!(
        "forgotten-bits-error",
        Manners {
            error: "BITS-Error",
            ..Manners::USUAL
        },
        |s| once(s, s.is_later(), Deed::Forget),
        restarted,
        "The same with the code in BITS-Error, as MC-BUP calls the field.",
        "The client starts again with Create-Session and uploads from 0.",
        "MC-BUP §2.2.1.2, §3.1.5.2.1"
    ),
    row!(
        "forgotten-at-close",
        Manners::USUAL,
        |s| once(s, s.is(Packet::CloseSession), Deed::Forget),
        lost_at_close,
        "Answers Close-Session 500 with BG_E_SESSION_NOT_FOUND.",
        "MC-BUP: the upload starts again. Win32: Close-Session is not sent again.",
        "MC-BUP §3.1.5.2.1; Win32 \"Ack for Close-Session\""
    ),
    row!(
        "server-error",
        Manners::USUAL,
        |s| once(s, s.is(Packet::Fragment), Deed::bare(500)),
        retried,
        "Answers a Fragment 500 without any field of BITS.",
        "5xx passes, except 501 and 505: the client waits and tries again.",
        "Win32 \"Handling Server Application Errors\""
    ),
    row!(
        "unavailable",
        Manners::USUAL,
        |s| once(s, s.is(Packet::CreateSession), Deed::bare(503)),
        retried,
        "Answers Create-Session 503 without any field of BITS.",
        "5xx passes, except 501 and 505: the client waits and tries again.",
        "Win32 \"Handling Server Application Errors\""
    ),
    row!(
        "disk-full",
        Manners::USUAL,
        |s| once(
            s,
            s.is(Packet::Fragment),
            Deed::error(500, field::DISK_FULL)
        ),
        retried,
        "Answers a Fragment 500 with ERROR_DISK_FULL.",
        "The error passes: the client waits and tries again.",
        "MC-BUP §2.2.1.2; Win32 \"Handling Server Application Errors\""
    ),
    row!(
        "application-late",
        Manners::USUAL,
        |s| once(
            s,
            s.is_last(),
            Deed::Refuse(Refusal {
                status: 408,
                code: Some(LATE),
                context: 0x7
            })
        ),
        retried,
        "Answers the last Fragment 408 with context 0x7: the server application did not answer in time.",
        "408 passes: the client waits and tries again.",
        "MC-BUP §3.3.6; Win32 \"Handling Server Application Errors\""
    ),
    row!(
        "close-error",
        Manners::USUAL,
        |s| once(s, s.is(Packet::CloseSession), Deed::bare(500)),
        closed_again,
        "Answers Close-Session 500 without any field of BITS.",
        "Close-Session is sent again after 5xx.",
        "Win32 \"Ack for Close-Session\""
    ),
    row!(
        "forbidden",
        Manners::USUAL,
        |s| always(
            s.is(Packet::CreateSession),
            Deed::error(403, field::ACCESS_DENIED)
        ),
        given_up,
        "Answers Create-Session 403 with E_ACCESSDENIED.",
        "Fatal: the client reports it and does not try again.",
        "MC-BUP §2.2.1.2; Win32 \"Handling Server Application Errors\""
    ),
    row!(
        "too-large",
        Manners::USUAL,
        |s| always(s.is(Packet::Fragment), Deed::error(500, field::TOO_LARGE)),
        given_up,
        "Answers every Fragment 500 with BG_E_TOO_LARGE.",
        "Fatal: the client reports it and does not try again.",
        "MC-BUP §2.2.1.2, §3.1.5.2.1"
    ),
];

/// Does `deed` the first time that it is `due`.
pub(super) fn once(scene: &Scene, due: bool, deed: Deed) -> Deed {
    if due && scene.tricks == 0 {
        deed
    } else {
        Deed::Usual
    }
}

fn always(due: bool, deed: Deed) -> Deed {
    if due { deed } else { Deed::Usual }
}

/// Returns half the length of a Fragment.
pub(super) fn half(scene: &Scene) -> u64 {
    scene
        .span()
        .map_or(0, |(first, end, _)| end.saturating_sub(first) / 2)
}

/// Judges an upload in which nothing happened: packets in order, each Fragment where the last one ended.
fn plain(log: &Log) -> Done {
    log.ended()?;
    if log.count(Packet::CreateSession) != 1 {
        return Ok(differs("more than one session was opened"));
    }
    let mut next = 0;
    let mut total = None;
    for entry in log
        .entries
        .iter()
        .filter(|entry| entry.packet == Packet::Fragment)
    {
        let Some(range) = entry.range else {
            return Ok(fails(format!(
                "a Content-Range cannot be read: {}",
                entry.text()
            )));
        };
        if range.first != next {
            return Ok(fails(format!("out of order: {}", entry.text())));
        }
        if total.is_some_and(|total| range.total != total) {
            return Ok(fails(format!("another total: {}", entry.text())));
        }
        total = Some(range.total);
        next = range.last.saturating_add(1);
    }
    Ok(pass("in order, from 0 to the end"))
}

/// Judges the way back into a session after a connection that broke.
fn resumed(log: &Log) -> Done {
    let (_, after) = log.trick()?;
    log.ended()?;
    if log.count(Packet::CreateSession) > 1 {
        return Ok(differs("came back with a new session and sent all again"));
    }
    Ok(match after.first().map(|entry| entry.packet) {
        Some(Packet::Ping) => pass("came back with a Ping, in the same session"),
        _ => differs("came back to the same session without a Ping"),
    })
}

fn created_again(log: &Log) -> Done {
    log.trick()?;
    log.ended()?;
    Ok(pass("asked for a session again"))
}

fn closed_again(log: &Log) -> Done {
    log.sound()?;
    let (_, after) = log.trick()?;
    let count = |packet| after.iter().filter(|entry| entry.packet == packet).count();
    Ok(if count(Packet::CreateSession) > 0 {
        differs("uploaded the file again")
    } else if count(Packet::CloseSession) > 0 {
        pass("sent Close-Session again")
    } else {
        unknown("did not come back; no document says how often it must")
    })
}

fn restarted(log: &Log) -> Done {
    let (_, after) = log.trick()?;
    log.ended()?;
    let created = after
        .iter()
        .any(|entry| entry.packet == Packet::CreateSession);
    let zero = fragment(after).is_some_and(|entry| super::log::first(entry) == Some(0));
    Ok(if created && zero {
        pass("started again from 0 with a new session")
    } else {
        fails("did not start again from 0 with a new session")
    })
}

fn lost_at_close(log: &Log) -> Done {
    log.sound()?;
    let (_, after) = log.trick()?;
    let count = |packet| after.iter().filter(|entry| entry.packet == packet).count();
    let (created, closed) = (count(Packet::CreateSession), count(Packet::CloseSession));
    Ok(if created > 0 {
        log.ended()?;
        pass("uploaded again, as MC-BUP has it")
    } else if closed > 0 {
        differs("sent Close-Session to the same session again")
    } else {
        pass("left it at that, as Win32 has it")
    })
}

fn retried(log: &Log) -> Done {
    let (_, after) = log.trick()?;
    if after.is_empty() {
        return Ok(differs(
            "gave up, though the error may pass (or waits for longer than we did)",
        ));
    }
    log.ended()?;
    Ok(pass("tried again, and the upload ended well"))
}

fn given_up(log: &Log) -> Done {
    log.sound()?;
    let (trick, after) = log.trick()?;
    let again = after
        .iter()
        .filter(|entry| entry.packet == trick.packet)
        .count();
    Ok(match again {
        0 => pass("gave up"),
        times => differs(format!("tried again {times} times")),
    })
}
