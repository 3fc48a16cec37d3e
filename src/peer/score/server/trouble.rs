//! What a network does to an upload: lost answers, broken connections, slow links, and the way back.

use std::time::Duration;

use super::packet::{Form, Reply};
use super::probe::{PIECE, Probe, SIZE};
use super::{Done, Experiment, Row, row};
use crate::peer::score::{Judged, differs, fails, pass};

pub(super) const ROWS: &[Row] = &[
    row!(
        "rewind",
        rewind,
        "Sends beyond what the server has, then goes on from the offset that the 416 names.",
        "A 416 is no error: the client goes on at the offset that the server names.",
        "MC-BUP §3.1.5.1.4, §2.2.1.2"
    ),
    row!(
        "lost-ack",
        lost_ack,
        "Sends a Fragment, goes away before its Ack, comes back with Ping and sends it again.",
        "The session lives on: 200 (Win32) or 416 (MC-BUP) with the offset that the server has, and the upload ends well.",
        "MC-BUP §3.1.6, §3.2.5.2.6; Win32 \"Fragment\""
    ),
    row!(
        "lost-last-ack",
        lost_last_ack,
        "The same with the last Fragment.",
        "The Ack of the last Fragment is sent again, with the total.",
        "MC-BUP §3.2.5.1.2"
    ),
    row!(
        "lost-create-ack",
        lost_create_ack,
        "Sends Create-Session, goes away before its Ack, and sends it again for the same URL.",
        "A new session is opened; the one that nobody knows waits for its timeout.",
        "MC-BUP §3.2.5.2.4, §3.2.6.1"
    ),
    row!(
        "lost-close-ack",
        lost_close_ack,
        "Sends Close-Session, goes away before its Ack, and sends it again.",
        "200, or 500 with BG_E_SESSION_NOT_FOUND: the session may be gone.",
        "MC-BUP §3.2.5.2.3, §3.2.5.2.7; Win32 \"Ack for Close-Session\""
    ),
    row!(
        "cut-body",
        cut_body,
        "Ends the connection in the middle of a Fragment, comes back with Ping and sends that Fragment again.",
        "The session lives on; the server may hold none of the Fragment or a part of it, and says so.",
        "MC-BUP §3.1.6, §2.2.6"
    ),
    row!(
        "slow-link",
        slow_link,
        "Sends a Fragment of 10 000 bytes over more than a second.",
        "A client may take two minutes to send one request.",
        "MC-BUP §3.1.2.1"
    ),
    row!(
        "many-connections",
        many_connections,
        "Sends each Fragment on a connection of its own.",
        "A session is known by its id and lives on no connection.",
        "MC-BUP §3.1.4.3, §3.2.1"
    ),
    row!(
        "ping-between",
        ping_between,
        "Sends a Ping between two Fragments on the same connection.",
        "200, and the session does not notice.",
        "MC-BUP §2.2.4, §3.2.5.2.5"
    ),
];

async fn rewind(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, 2 * PIECE, PIECE).await?;
    let reply = probe.fragment(&mut job, 4 * PIECE, PIECE).await;
    if reply.status != Some(416) || reply.ack.received.is_none() {
        return Err(fails(format!("the gap was answered {}", reply.text())));
    }
    probe
        .finish(job, pass("went on from there to the end"))
        .await
}

/// Judges the answer to a Fragment that the server may have had before.
fn again(reply: &Reply, end: u64) -> Result<Judged, Judged> {
    if reply.is(200, end) {
        Ok(pass("sent again, answered 200; the upload ended well"))
    } else if reply.status == Some(416) && reply.ack.received.is_some() {
        Ok(pass("sent again, answered 416; the upload ended well"))
    } else {
        Err(fails(format!("sent again, answered {}", reply.text())))
    }
}

async fn ping(probe: &mut Probe) -> Result<(), Judged> {
    let url = probe.url("");
    let reply = probe.ask(&url, &Form::new("Ping")).await;
    if reply.is_ok() {
        Ok(())
    } else {
        Err(fails(format!(
            "the Ping of the way back was answered {}",
            reply.text()
        )))
    }
}

async fn lost_ack(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    let form = Form::fragment(&job, PIECE, PIECE);
    probe.lose(&job.url, &form).await;
    ping(probe).await?;
    let reply = probe.fragment(&mut job, PIECE, PIECE).await;
    let judged = again(&reply, 2 * PIECE)?;
    probe.finish(job, judged).await
}

async fn lost_last_ack(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE - PIECE, PIECE).await?;
    let form = Form::fragment(&job, SIZE - PIECE, PIECE);
    probe.lose(&job.url, &form).await;
    ping(probe).await?;
    let reply = probe.fragment(&mut job, SIZE - PIECE, PIECE).await;
    let judged = again(&reply, SIZE)?;
    probe.finish(job, judged).await
}

async fn lost_create_ack(probe: &mut Probe) -> Done {
    let url = probe.url("");
    probe.lose(&url, &Form::create()).await;
    let job = probe.create("", SIZE).await?;
    probe
        .finish(job, pass("a second session was opened and ended well"))
        .await
}

async fn lost_close_ack(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, SIZE, PIECE).await?;
    let form = Form::of(&job, "Close-Session");
    probe.lose(&job.url, &form).await;
    let reply = probe.plain(&job, "Close-Session").await;
    if reply.is_ok() {
        Ok(pass(format!("answered {}", reply.text())))
    } else if reply.refuses(500, 0x8020_001F) {
        Ok(pass("the session was gone, and it says so"))
    } else if reply.status.is_some() {
        Ok(differs(format!("answered {}", reply.text())))
    } else {
        Ok(fails(reply.text()))
    }
}

async fn cut_body(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    let form = Form::fragment(&job, PIECE, PIECE);
    probe.break_off(&job.url, &form, 4_321).await;
    ping(probe).await?;
    let reply = probe.fragment(&mut job, PIECE, PIECE).await;
    let judged = again(&reply, 2 * PIECE)?;
    probe.finish(job, judged).await
}

async fn slow_link(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    let mut form = Form::fragment(&job, 0, PIECE);
    form.pause = Duration::from_millis(120);
    let reply = probe.ask(&job.url.clone(), &form).await;
    if !reply.is(200, PIECE) {
        return Err(fails(format!("answered {}", reply.text())));
    }
    job.next = PIECE;
    probe.finish(job, pass("the server waited for it")).await
}

async fn many_connections(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    while job.next < SIZE {
        probe.hang_up();
        let end = job.next + PIECE;
        probe.advance(&mut job, end, PIECE).await?;
    }
    probe.finish(job, pass("the session followed its id")).await
}

async fn ping_between(probe: &mut Probe) -> Done {
    let mut job = probe.create("", SIZE).await?;
    probe.advance(&mut job, PIECE, PIECE).await?;
    ping(probe).await?;
    probe.advance(&mut job, 2 * PIECE, PIECE).await?;
    probe.finish(job, pass("it changed nothing")).await
}
