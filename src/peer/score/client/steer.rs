//! Offsets other than expected, and sizes: who steers is the server.

use super::faults::{half, once};
use super::log::{Entry, Log, first, fragment};
use super::plan::{Deed, Manners, Scene};
use super::{Experiment, Row, row};
use crate::bits::Packet;
use crate::peer::client::SMALLEST;
use crate::peer::score::{Judged, differs, fails, pass, unknown};
use crate::report::text::count;

type Done = Result<Judged, Judged>;

/// So often the same offset is told, or a Fragment is called too large.
const OFTEN: u32 = 5;

pub(super) const ROWS: &[Row] = &[
    row!(
        "rewind",
        Manners::USUAL,
        |s| once(
            s,
            s.is_later() && s.is_middle(),
            claim(s, 416, s.received / 2)
        ),
        steered,
        "Answers a later Fragment 416 with an offset in the middle of what it had.",
        "A 416 is no error: the client goes on at the server's offset, also backwards.",
        "MC-BUP §3.1.5.1.4, §2.2.1.2"
    ),
    row!(
        "rewind-to-zero",
        Manners::USUAL,
        |s| once(s, s.is_later(), claim(s, 416, 0)),
        steered,
        "Answers a later Fragment 416 with 0.",
        "The client goes on at 0, in the same session.",
        "MC-BUP §3.1.5.1.4"
    ),
    row!(
        "rewind-again",
        Manners::USUAL,
        same_again,
        stood_still,
        "Answers five Fragments in a row 416 with the offset at which they begin.",
        "Each 416 names where to go on. No document says how often a client must bear it.",
        "MC-BUP §3.1.5.1.4"
    ),
    row!(
        "smaller-offset",
        Manners::USUAL,
        |s| once(s, s.is_middle(), claim(s, 200, begin(s) + half(s))),
        steered,
        "Answers a Fragment 200 with an offset in its middle.",
        "An offset that differs from start + length is the next start.",
        "MC-BUP §3.1.5.1.4"
    ),
    row!(
        "larger-offset",
        Manners::USUAL,
        |s| once(s, s.is_middle(), claim(s, 200, beyond(s))),
        steered,
        "Answers a Fragment 200 with an offset beyond its end, which was never sent.",
        "An offset that differs from start + length is the next start; the server answers for what it skips.",
        "MC-BUP §3.1.5.1.4"
    ),
    row!(
        "offset-beyond-end",
        Manners::USUAL,
        |s| once(
            s,
            s.is_middle(),
            claim(s, 200, total(s).saturating_add(1_000))
        ),
        undefined,
        "Answers a Fragment 200 with an offset beyond the end of the file.",
        "No document says what a client does.",
        ""
    ),
    row!(
        "shrink",
        Manners::USUAL,
        shrink,
        shrunk,
        "Answers 413 to every Fragment of more than half the size of the first.",
        "The client sends smaller pieces, not below 5 KiB.",
        "MC-BUP §3.1.5.2.4, <16>"
    ),
    row!(
        "slow-reading",
        Manners::USUAL,
        |s| once(s, s.is(Packet::Fragment), Deed::Slow),
        waited,
        "Reads a Fragment slowly, for a second.",
        "A client may take two minutes to send a request and waits five for its answer.",
        "MC-BUP §3.1.2.1, §3.1.2.2"
    ),
    row!(
        "exact-multiple",
        Manners::USUAL,
        |_| Deed::Usual,
        multiple,
        "Does nothing out of the ordinary; the file must be a whole multiple of the client's Fragments.",
        "The upload is complete when the last byte is total - 1; Close-Session follows, no empty Fragment.",
        "Win32 \"Ack for Fragment\"; MC-BUP §3.1.5.1.4"
    ),
    row!(
        "zero-length",
        Manners::USUAL,
        |_| Deed::Usual,
        empty,
        "Does nothing out of the ordinary; the file must be empty.",
        "No document says how a file of no bytes is uploaded; a Content-Range cannot express it.",
        ""
    ),
];

const fn claim(_: &Scene, status: u16, next: u64) -> Deed {
    Deed::Claim { status, next }
}

fn begin(scene: &Scene) -> u64 {
    scene.span().map_or(0, |(first, ..)| first)
}

fn total(scene: &Scene) -> u64 {
    scene.span().map_or(0, |(.., total)| total)
}

/// Returns an offset half-way between the end of the Fragment and the end of the file.
fn beyond(scene: &Scene) -> u64 {
    scene
        .span()
        .map_or(0, |(_, end, total)| end + total.saturating_sub(end) / 2)
}

fn same_again(scene: &Scene) -> Deed {
    if scene.is_later() && scene.tricks < OFTEN {
        claim(scene, 416, scene.received)
    } else {
        Deed::Usual
    }
}

fn shrink(scene: &Scene) -> Deed {
    let limit = (scene.piece / 2).max(SMALLEST);
    let length = scene
        .span()
        .map_or(0, |(first, end, _)| end.saturating_sub(first));
    // A client that does not learn it is let through in the end.
    if length > limit && scene.tricks < 4 * OFTEN {
        Deed::bare(413)
    } else {
        Deed::Usual
    }
}

/// Judges whether the Fragment behind the deed begins where the server wanted it.
fn steered(log: &Log) -> Done {
    let (trick, after) = log.trick()?;
    log.sound()?;
    let Some(wanted) = trick.next else {
        return Ok(unknown("the client did not wait for the answer"));
    };
    let Some(next) = fragment(after) else {
        log.ended()?;
        return Ok(fails(format!("sent nothing from {wanted} on")));
    };
    if after
        .iter()
        .any(|entry| entry.packet == Packet::CreateSession)
    {
        log.ended()?;
        return Ok(differs("opened a new session instead"));
    }
    if first(next) != Some(wanted) {
        return Ok(fails(format!("did not go on at {wanted}: {}", next.text())));
    }
    log.ended()?;
    Ok(pass(format!("went on at {wanted}")))
}

fn stood_still(log: &Log) -> Done {
    let (trick, after) = log.trick()?;
    log.sound()?;
    let wanted = trick.next;
    let strayed = after
        .iter()
        .zip(std::iter::once(trick).chain(after))
        .filter(|(entry, before)| entry.packet == Packet::Fragment && before.status == Some(416))
        .find(|(entry, _)| first(entry) != wanted);
    if let Some((entry, _)) = strayed {
        return Ok(fails(format!(
            "did not go on where the server wanted: {}",
            entry.text()
        )));
    }
    if log.is_closed() {
        return Ok(pass("sent it again each time, and the upload ended well"));
    }
    let times = after
        .iter()
        .filter(|entry| entry.status == Some(416))
        .count()
        + 1;
    Ok(unknown(format!("gave up after {times} times")))
}

fn undefined(log: &Log) -> Done {
    let (_, after) = log.trick()?;
    log.sound()?;
    Ok(unknown(match after.first() {
        None => "nothing more came".to_owned(),
        Some(next) => format!("the next packet was {}", next.text()),
    }))
}

/// Returns the length of a Fragment.
fn length(entry: &Entry) -> u64 {
    entry.range.map_or(0, |range| {
        range.last.saturating_sub(range.first).saturating_add(1)
    })
}

fn is_end(entry: &Entry) -> bool {
    entry.range.is_some_and(|range| {
        range
            .total
            .is_some_and(|total| range.last.saturating_add(1) == total)
    })
}

fn shrunk(log: &Log) -> Done {
    log.trick().map_err(|_| {
        unknown("there was no occasion: it needs a file and Fragments of more than 5 KiB")
    })?;
    log.ended()?;
    let refused: Vec<u64> = log
        .entries
        .iter()
        .filter(|entry| entry.status == Some(413))
        .map(length)
        .collect();
    let taken = |entry: &&Entry| entry.packet == Packet::Fragment && entry.status == Some(200);
    if refused.len() >= 4 * OFTEN as usize {
        return Ok(fails("did not send smaller pieces"));
    }
    let tiny = log
        .entries
        .iter()
        .filter(taken)
        .find(|entry| length(entry) < SMALLEST && !is_end(entry));
    Ok(match tiny {
        Some(entry) => differs(format!("went below 5 KiB: {}", entry.text())),
        None => pass(format!(
            "sent smaller pieces after {}",
            count(refused.len() as u64, "refusal")
        )),
    })
}

fn waited(log: &Log) -> Done {
    let (trick, _) = log.trick()?;
    log.ended()?;
    Ok(if trick.whole {
        pass("waited for it")
    } else {
        differs("ended the connection and tried again")
    })
}

fn multiple(log: &Log) -> Done {
    let mut lengths = log
        .entries
        .iter()
        .filter(|entry| entry.packet == Packet::Fragment)
        .map(length);
    log.ended()?;
    let piece = lengths.next().unwrap_or_default();
    if lengths.any(|length| length != piece) || piece == 0 {
        return Ok(unknown(
            "the Fragments were not of one size: choose the file or the size of the Fragments",
        ));
    }
    Ok(pass("Close-Session followed the last Fragment"))
}

fn empty(log: &Log) -> Done {
    log.sound()?;
    let range = log.entries.iter().find(|entry| entry.range.is_some());
    if range.is_some() {
        return Ok(unknown("the file was not empty"));
    }
    let packets: Vec<&str> = log
        .entries
        .iter()
        .map(|entry| entry.packet.name())
        .collect();
    Ok(unknown(format!("sent {}", packets.join(", "))))
}
