//! Packets that a server must refuse, and how; and the ends of a session.

use super::packet::{Form, Reply};
use super::probe::{PIECE, Probe, SIZE};
use super::{Done, Experiment, Row, row};
use crate::peer::score::{Judged, differs, fails, pass, unknown};
use crate::peer::server::new_id;

/// `BG_E_SESSION_NOT_FOUND`
const LOST: u32 = 0x8020_001F;
/// `E_INVALIDARG`
const INVALID: u32 = 0x8007_0057;

pub(super) const ROWS: &[Row] = &[
    row!(
        "unknown-session",
        unknown_session,
        "Sends a Fragment of a session that nobody opened.",
        "500 with BG_E_SESSION_NOT_FOUND (0x8020001F): only then does a client start again.",
        "MC-BUP §3.2.5.2.3, §3.1.5.2.1"
    ),
    row!(
        "close-unknown",
        close_unknown,
        "Closes a session that nobody opened.",
        "500 with BG_E_SESSION_NOT_FOUND.",
        "MC-BUP §3.2.5.2.3"
    ),
    row!(
        "cancel-unknown",
        cancel_unknown,
        "Cancels a session that nobody opened.",
        "500 with BG_E_SESSION_NOT_FOUND.",
        "MC-BUP §3.2.5.2.3"
    ),
    row!(
        "no-session-id",
        no_session_id,
        "Sends a Fragment without BITS-Session-Id.",
        "The field is required: 400 with E_INVALIDARG as malformed, or 500 with BG_E_SESSION_NOT_FOUND as unknown.",
        "MC-BUP §2.2.6.2, §3.2.5.2.3"
    ),
    row!(
        "no-range",
        no_range,
        "Sends a Fragment without Content-Range.",
        "The field is required: 400 with E_INVALIDARG.",
        "MC-BUP §2.2.6.1, §3.2.5.2.3"
    ),
    row!(
        "bad-range",
        bad_range,
        "Sends a Fragment whose Content-Range ends before it begins.",
        "400 with E_INVALIDARG.",
        "MC-BUP §2.2.1.2, §3.2.5.2.3"
    ),
    row!(
        "range-too-long",
        range_too_long,
        "Announces 20 000 bytes in Content-Range and sends 10 000, all that Content-Length says.",
        "The two must agree: 400 with E_INVALIDARG.",
        "MC-BUP §2.2.6.1, §2.2.1.2"
    ),
    row!(
        "total-changed",
        total_changed,
        "Names another total in the second Fragment.",
        "All Fragments of a session have the same total: 400 with E_INVALIDARG.",
        "MC-BUP §2.2.1.2; Win32 \"Fragment\""
    ),
    row!(
        "no-length",
        no_length,
        "Sends Create-Session without Content-Length.",
        "411 (MC-BUP) or 400 (Windows), with E_INVALIDARG.",
        "MC-BUP §3.2.5.2.3, <23>"
    ),
    row!(
        "no-common-protocol",
        no_common_protocol,
        "Offers a protocol that nobody knows.",
        "400 with E_INVALIDARG.",
        "MC-BUP §3.2.5.2.4"
    ),
    row!(
        "unknown-packet",
        unknown_packet,
        "Sends a packet of a type that does not exist.",
        "An Ack of status 400.",
        "Win32 \"BITS Upload Protocol\"; MC-BUP §3.2.5.2.3"
    ),
    row!(
        "error-context",
        error_context,
        "Looks at the fields of a refusal.",
        "A failing Ack has the error's code, and a context of 0x5 or 0x7.",
        "MC-BUP §2.2.1.2; Win32 \"Ack for Fragment\""
    ),
    row!(
        "cancel",
        cancel,
        "Cancels an upload in its middle, then sends the next Fragment.",
        "Cancel-Session is answered 200 and deletes the session: the Fragment meets BG_E_SESSION_NOT_FOUND.",
        "MC-BUP §3.2.5.2.8, §3.2.5.2.3"
    ),
    row!(
        "close-early",
        close_early,
        "Closes an upload in its middle.",
        "200. What becomes of the bytes is disputed: Win32 deletes them, MC-BUP moves what is there.",
        "Win32 \"Close-Session\"; MC-BUP §3.2.5.1.2"
    ),
    row!(
        "close-twice",
        close_twice,
        "Closes a session, then sends a Fragment and Close-Session to it.",
        "The session is gone: 500 with BG_E_SESSION_NOT_FOUND, or for the repeated Close-Session 200.",
        "MC-BUP §3.2.5.2.3, §3.2.5.2.7"
    ),
    row!(
        "file-exists",
        file_exists,
        "Uploads to the URL of a file that is there.",
        "403 (MC-BUP) or 409 (Win32) unless the server is told to overwrite; then 200.",
        "MC-BUP §2.2.1.2; Win32 \"Ack for Create-Session\""
    ),
];

/// Judges a refusal by the pairs of status and code that some document has.
fn refused(reply: &Reply, allowed: &[(u16, u32)]) -> Judged {
    let said = reply.text();
    if allowed
        .iter()
        .any(|(status, code)| reply.refuses(*status, *code))
    {
        pass(format!("answered {said}"))
    } else if reply.is_ok() {
        fails(format!("taken: {said}"))
    } else if reply.status.is_none() {
        fails(said)
    } else if reply
        .ack
        .error
        .is_some_and(|code| allowed.iter().any(|one| one.1 == code))
    {
        differs(format!("the code is right, the status is not: {said}"))
    } else if reply
        .status
        .is_some_and(|status| allowed.iter().any(|one| one.0 == status))
    {
        differs(format!("the status is right, the code is not: {said}"))
    } else {
        differs(format!("refused otherwise: {said}"))
    }
}

/// The same, where a client that is not told the code does not know what to do.
fn lost(reply: &Reply) -> Judged {
    let judged = refused(reply, &[(500, LOST)]);
    if reply.ack.error == Some(LOST) || reply.status.is_none() || reply.is_ok() {
        return judged;
    }
    fails(format!(
        "a client cannot know that it must start again: {}",
        reply.text()
    ))
}

fn stranger() -> String {
    new_id().unwrap_or_else(|_| "{00000000-0000-4000-8000-000000000000}".to_owned())
}

async fn unknown_session(probe: &mut Probe) -> Done {
    let form = Form::new("Fragment")
        .with("BITS-Session-Id", stranger())
        .with("Content-Range", "bytes 0-9999/60000")
        .carrying(0, PIECE);
    let url = probe.url("");
    Ok(lost(&probe.ask(&url, &form).await))
}

async fn close_unknown(probe: &mut Probe) -> Done {
    let form = Form::new("Close-Session").with("BITS-Session-Id", stranger());
    let url = probe.url("");
    Ok(refused(&probe.ask(&url, &form).await, &[(500, LOST)]))
}

async fn cancel_unknown(probe: &mut Probe) -> Done {
    let form = Form::new("Cancel-Session").with("BITS-Session-Id", stranger());
    let url = probe.url("");
    let reply = probe.ask(&url, &form).await;
    if reply.is_ok() {
        return Ok(differs(
            "answered as if there had been one: nothing is lost by it",
        ));
    }
    Ok(refused(&reply, &[(500, LOST)]))
}

async fn no_session_id(probe: &mut Probe) -> Done {
    let job = probe.create("", SIZE).await?;
    let form = Form::new("Fragment")
        .with("Content-Range", "bytes 0-9999/60000")
        .carrying(0, PIECE);
    let reply = probe.ask(&job.url, &form).await;
    Ok(refused(&reply, &[(400, INVALID), (500, LOST)]))
}

async fn no_range(probe: &mut Probe) -> Done {
    let job = probe.create("", SIZE).await?;
    let form = Form::of(&job, "Fragment").carrying(0, PIECE);
    Ok(refused(
        &probe.ask(&job.url, &form).await,
        &[(400, INVALID)],
    ))
}

async fn bad_range(probe: &mut Probe) -> Done {
    let job = probe.create("", SIZE).await?;
    let form = Form::of(&job, "Fragment")
        .with("Content-Range", "bytes 9999-0/60000")
        .carrying(0, PIECE);
    Ok(refused(
        &probe.ask(&job.url, &form).await,
        &[(400, INVALID)],
    ))
}

async fn range_too_long(probe: &mut Probe) -> Done {
    let job = probe.create("", SIZE).await?;
    let form = Form::of(&job, "Fragment")
        .with("Content-Range", "bytes 0-19999/60000")
        .carrying(0, PIECE);
    let reply = probe.ask(&job.url, &form).await;
    if reply.is(200, PIECE) {
        return Ok(differs("taken for the bytes that came, none is lost"));
    }
    Ok(refused(&reply, &[(400, INVALID)]))
}

async fn total_changed(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    job.total = SIZE / 2;
    let reply = probe.fragment(&mut job, PIECE, PIECE).await;
    Ok(refused(&reply, &[(400, INVALID)]))
}

async fn no_length(probe: &mut Probe) -> Done {
    let mut form = Form::create();
    form.length = None;
    let url = probe.url("");
    let reply = probe.ask(&url, &form).await;
    if reply.is_ok() {
        return Ok(differs(
            "taken: no document allows it, but nothing is lost by it",
        ));
    }
    Ok(refused(&reply, &[(411, INVALID), (400, INVALID)]))
}

async fn no_common_protocol(probe: &mut Probe) -> Done {
    let form = Form::new("Create-Session").with("BITS-Supported-Protocols", stranger());
    let url = probe.url("");
    Ok(refused(&probe.ask(&url, &form).await, &[(400, INVALID)]))
}

async fn unknown_packet(probe: &mut Probe) -> Done {
    let url = probe.url("");
    let reply = probe.ask(&url, &Form::new("Polish-Session")).await;
    Ok(match reply.status {
        Some(400) => pass(format!("answered {}", reply.text())),
        _ => refused(&reply, &[(400, INVALID)]),
    })
}

async fn error_context(probe: &mut Probe) -> Done {
    let form = Form::new("Close-Session").with("BITS-Session-Id", stranger());
    let url = probe.url("");
    let reply = probe.ask(&url, &form).await;
    if reply.is_ok() || reply.status.is_none() {
        return Ok(unknown(format!(
            "there was no refusal to look at: {}",
            reply.text()
        )));
    }
    Ok(match (reply.ack.error, reply.ack.context) {
        (Some(_), Some(0x5 | 0x7)) => pass("code and context are there"),
        (Some(_), None) => differs("there is a code without BITS-Error-Context"),
        (Some(_), Some(other)) => differs(format!("the context is 0x{other:X}")),
        (None, _) => fails("there is neither BITS-Error nor BITS-Error-Code"),
    })
}

async fn cancel(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    let reply = probe.plain(&job, "Cancel-Session").await;
    if !reply.is_ok() {
        return Ok(fails(format!(
            "Cancel-Session was answered {}",
            reply.text()
        )));
    }
    let judged = lost(&probe.fragment(&mut job, PIECE, PIECE).await);
    Ok(match probe.read_back(&job).await {
        Err(_) => fails("the part that had been sent is in the file's place"),
        Ok(_) => judged,
    })
}

async fn close_early(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    let reply = probe.plain(&job, "Close-Session").await;
    if !reply.is_ok() {
        return Ok(differs(format!(
            "Close-Session was answered {}",
            reply.text()
        )));
    }
    Ok(match probe.read_back(&job).await {
        Ok(_) => pass("answered 200; no file can be read, as Win32 has it"),
        Err(_) => pass("answered 200; a shorter file is there, as MC-BUP has it"),
    })
}

async fn close_twice(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE, PIECE).await?;
    let done = probe.finish(job.clone(), pass("")).await?;
    let fragment = lost(&probe.fragment(&mut job, SIZE - PIECE, PIECE).await);
    if fragment.verdict != done.verdict {
        return Ok(fragment);
    }
    let reply = probe.plain(&job, "Close-Session").await;
    if reply.is_ok() {
        return Ok(pass("the repeated Close-Session was answered 200"));
    }
    Ok(refused(&reply, &[(500, LOST)]))
}

async fn file_exists(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE, SIZE).await?;
    probe.finish(job, pass("")).await?;
    let url = probe.url("");
    let reply = probe.ask(&url, &Form::create()).await;
    Ok(match reply.status {
        Some(403 | 409) => pass(format!("refused: {}", reply.text())),
        Some(200 | 201) => pass("a new session: the server overwrites, or refuses later"),
        _ => differs(format!("answered {}", reply.text())),
    })
}
