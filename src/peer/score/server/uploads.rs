//! Uploads as they should go, and the order of Fragments.

use super::packet::Form;
use super::probe::{PIECE, Probe, SIZE};
use super::{Done, Experiment, Row, row};
use crate::peer::score::{differs, fails, pass, unknown};

pub(super) const ROWS: &[Row] = &[
    row!(
        "one-fragment",
        one_fragment,
        "Uploads 60 000 bytes in one Fragment.",
        "Create-Session is answered 200 or 201 with BITS-Session-Id, the Fragment 200 with the next offset (or 413: a client halves it), Close-Session 200.",
        "MC-BUP §2.2.3, §2.2.7, §2.2.9, §3.1.5.2.4; Win32 \"Ack for Create-Session\""
    ),
    row!(
        "many-fragments",
        many_fragments,
        "Uploads 60 000 bytes in Fragments of 7 000.",
        "Each Fragment is answered 200, and BITS-Received-Content-Range is the offset of the next byte.",
        "MC-BUP §2.2.7.2, §3.2.5.2.6"
    ),
    row!(
        "exact-multiple",
        exact_multiple,
        "Uploads six Fragments of 10 000 bytes, with nothing behind the last.",
        "The upload is complete when the last byte is total - 1; no empty Fragment follows.",
        "Win32 \"Ack for Fragment\"; MC-BUP §3.2.5.1.3"
    ),
    row!(
        "one-byte",
        one_byte,
        "Uploads a file of one byte.",
        "Content-Range bytes 0-0/1 is answered 200 with the next offset 1.",
        "MC-BUP §2.2.6.1, §2.2.7.2"
    ),
    row!(
        "byte-for-byte",
        byte_for_byte,
        "Uploads a file and reads it back with GET.",
        "After Close-Session the file is in its place, with the bytes that were sent.",
        "MC-BUP §1.3.2, §3.2.5.2.7"
    ),
    row!(
        "zero-bytes",
        zero_bytes,
        "Opens a session and closes it without a Fragment: a file of no bytes.",
        "No document says how a file of no bytes is uploaded; a Content-Range cannot express it.",
        ""
    ),
    row!(
        "overlap",
        overlap,
        "Sends 0-9999, then 5000-14999.",
        "Win32: the new bytes are kept and the answer is 200 with 15000. MC-BUP: 416 with 10000.",
        "Win32 \"Fragment\"; MC-BUP §3.2.5.2.6"
    ),
    row!(
        "old-fragment",
        old_fragment,
        "Sends 0-9999 twice.",
        "Win32: nothing new is in it, 200 with 10000. MC-BUP: 416 with 10000.",
        "Win32 \"Fragment\"; MC-BUP §3.2.5.2.6"
    ),
    row!(
        "last-again",
        last_again,
        "Sends the last Fragment twice before Close-Session.",
        "The Ack of the last Fragment is sent again: 200 with the total, or 416 with it.",
        "MC-BUP §3.2.5.1.2, §3.2.5.2.6; Win32 \"Fragment\""
    ),
    row!(
        "gap",
        gap,
        "Sends 0-9999, then 20000-29999.",
        "416 with 10000; nothing of the second Fragment is kept.",
        "MC-BUP §3.2.5.2.6; Win32 \"Fragment\""
    ),
    row!(
        "gap-at-start",
        gap_at_start,
        "Begins a session with 10000-19999.",
        "416 with 0.",
        "MC-BUP §3.2.5.2.6; Win32 \"Fragment\""
    ),
    row!(
        "wide-range",
        wide_range,
        "Announces ten bytes at 5 000 000 000 of 6 000 000 000: numbers beyond 32 bits.",
        "A gap like any other: 416 with 0. A server may have a limit: 500 with BG_E_TOO_LARGE, or 413.",
        "MC-BUP §3.2.5.2.6, §2.2.1.2; RFC 9110 §14.4"
    ),
    row!(
        "two-sessions",
        two_sessions,
        "Uploads two files at once, their Fragments in turns on one connection.",
        "Each session has an id of its own, and none disturbs the other.",
        "MC-BUP §2.2.1.2, §3.2.1"
    ),
];

async fn one_fragment(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    let reply = probe.fragment(&mut job, 0, SIZE).await;
    let verdict = if reply.is(200, SIZE) {
        pass("taken in one Fragment")
    } else if reply.status == Some(413) {
        // A limit is the server's own; clients send smaller ones.
        pass("too large for one Fragment (413), taken in smaller ones")
    } else {
        return Err(fails(format!(
            "Fragment 0-{} was answered {}, not 200 with next {SIZE}",
            SIZE - 1,
            reply.text()
        )));
    };
    probe.finish(job, verdict).await
}

async fn many_fragments(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE, 7_000).await?;
    probe
        .finish(job, pass("each Fragment moved the offset to its end"))
        .await
}

async fn exact_multiple(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE, PIECE).await?;
    probe
        .finish(job, pass("complete with the sixth Fragment"))
        .await
}

async fn one_byte(probe: &mut Probe) -> Done {
    let mut job = probe.create("", 1).await?;
    probe.advance(&mut job, 1, 1).await?;
    probe.finish(job, pass("taken")).await
}

async fn byte_for_byte(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE, PIECE).await?;
    let closed = probe
        .finish(job.clone(), pass("the file is there, byte for byte"))
        .await?;
    match probe.read_back(&job).await {
        Ok(true) => Ok(closed),
        Ok(false) => Ok(unknown(
            "the file cannot be read back with GET; --verify-url URL says where it can",
        )),
        Err(other) => Ok(fails(other)),
    }
}

async fn zero_bytes(probe: &mut Probe) -> Done {
    let job = probe.create("", 0).await?;
    let reply = probe.plain(&job, "Close-Session").await;
    let kept = probe.read_back(&job).await;
    let file = match kept {
        Ok(true) => "and an empty file can be read",
        Ok(false) => "and no file can be read",
        Err(_) => "and what can be read is not empty",
    };
    Ok(unknown(format!(
        "Close-Session was answered {}, {file}",
        reply.text()
    )))
}

async fn overlap(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    let reply = probe.fragment(&mut job, PIECE / 2, PIECE).await;
    let judged = if reply.is(200, 15_000) {
        pass("the new bytes are kept, as Win32 has it")
    } else if reply.is(416, 10_000) {
        pass("refused with the offset wanted, as MC-BUP has it")
    } else if reply.is(200, 10_000) {
        differs("taken with 200, but nothing of it was kept")
    } else {
        return Err(fails(format!("answered {}", reply.text())));
    };
    probe.finish(job, judged).await
}

async fn old_fragment(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    let reply = probe.fragment(&mut job, 0, PIECE).await;
    let judged = if reply.is(200, PIECE) {
        pass("200, as Win32 has it")
    } else if reply.is(416, PIECE) {
        pass("416, as MC-BUP has it")
    } else {
        return Err(fails(format!("answered {}", reply.text())));
    };
    probe.finish(job, judged).await
}

async fn last_again(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE, PIECE).await?;
    let reply = probe.fragment(&mut job, SIZE - PIECE, PIECE).await;
    if !reply.is(200, SIZE) && !reply.is(416, SIZE) {
        return Err(fails(format!("answered {}", reply.text())));
    }
    probe
        .finish(
            job,
            pass("answered again, and the upload is still complete"),
        )
        .await
}

async fn gap(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    let reply = probe.fragment(&mut job, 2 * PIECE, PIECE).await;
    if !reply.is(416, PIECE) {
        return Err(fails(format!("answered {}", reply.text())));
    }
    probe.finish(job, pass("416 with the offset wanted")).await
}

async fn gap_at_start(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    let reply = probe.fragment(&mut job, PIECE, PIECE).await;
    if !reply.is(416, 0) {
        return Err(fails(format!("answered {}", reply.text())));
    }
    probe.finish(job, pass("416 with 0")).await
}

async fn wide_range(probe: &mut Probe) -> Done {
    let job = probe.create("", SIZE).await?;
    let form = Form::of(&job, "Fragment")
        .with("Content-Range", "bytes 5000000000-5000000009/6000000000")
        .carrying(0, 10);
    let reply = probe.ask(&job.url.clone(), &form).await;
    Ok(if reply.is(416, 0) {
        pass("416 with 0")
    } else if reply.refuses(500, 0x8020_0020) || reply.status == Some(413) {
        pass(format!("the server has a limit: {}", reply.text()))
    } else if reply.is_ok() {
        fails(format!(
            "ten bytes at 5 000 000 000 were taken: {}",
            reply.text()
        ))
    } else {
        differs(format!("refused otherwise: {}", reply.text()))
    })
}

async fn two_sessions(probe: &mut Probe) -> Done {
    let mut one = probe.create("-a", SIZE).await?;
    let mut two = probe.create("-b", SIZE).await?;
    if one.id.eq_ignore_ascii_case(&two.id) {
        return Err(fails("both sessions have the same BITS-Session-Id"));
    }
    for end in (PIECE..=SIZE).step_by(10_000) {
        probe.advance(&mut one, end, PIECE).await?;
        probe.advance(&mut two, end, PIECE).await?;
    }
    let done = probe.finish(one, pass("both arrived")).await?;
    probe.finish(two, done).await
}
