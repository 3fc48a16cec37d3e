//! Answers written otherwise: other spellings, other ids, absent fields, ended connections, another host.

use super::log::Log;
use super::plan::{Deed, Echo, Manners};
use super::{Experiment, Row, row};
use crate::bits::Packet;
use crate::peer::score::{Judged, differs, fails, pass, unknown};

type Done = Result<Judged, Judged>;

pub(super) const ROWS: &[Row] = &[
    row!(
        "created-201",
        Manners {
            created: 201,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        either,
        "Answers Create-Session 201 instead of 200.",
        "Win32 allows 200 and 201, MC-BUP has 200 alone.",
        "Win32 \"Ack for Create-Session\"; MC-BUP §2.2.3"
    ),
    row!(
        "decimal-session-id",
        Manners {
            decimal: true,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        either,
        "Gives the session a decimal number for an id.",
        "Win32: any text of up to 100 characters. MC-BUP: a GUID.",
        "Win32 \"Ack for Create-Session\"; MC-BUP §2.2.1.2"
    ),
    row!(
        "no-session-id",
        Manners {
            echo: Echo::None,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        must,
        "Leaves BITS-Session-Id out of all Acks but that of Create-Session.",
        "MC-BUP wants it in all, but its own recording of IIS 6.0 has none; clients live with that.",
        "MC-BUP §4.1, §2.2.1.2"
    ),
    row!(
        "other-session-id",
        Manners {
            echo: Echo::Other,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        silent,
        "Names another session in the Acks.",
        "The id must be that of the request; no document says what a client does otherwise.",
        ""
    ),
    row!(
        "lower-case-names",
        Manners {
            lower: true,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        must,
        "Writes all names of fields in lower case.",
        "Names of fields have no case.",
        "RFC 9110 §5.1; Win32 \"Best Practices\""
    ),
    row!(
        "misspelt-received",
        Manners {
            received: "BITS-Recieved-Content-Range",
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        silent,
        "Misspells BITS-Received-Content-Range, as one server does: the client is not told the next offset.",
        "The field is required; no document says what a client does without it.",
        ""
    ),
    row!(
        "bare-ping",
        Manners {
            bare_ping: true,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        ping,
        "Answers a Ping 200 without any field of BITS.",
        "The Ack has BITS-Packet-Type; no document says what a client does without it.",
        ""
    ),
    row!(
        "connection-each",
        Manners {
            close: true,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        reconnected,
        "Ends the connection after each answer, with Connection: close.",
        "The client opens another one; the session is bound to its id.",
        "RFC 9112 §9.6; MC-BUP §3.1.4.3"
    ),
    row!(
        "host-id",
        Manners {
            host_id: true,
            ..Manners::USUAL
        },
        |_| Deed::Usual,
        moved,
        "Names another name of this host in BITS-Host-Id (localhost for 127.0.0.1 and the other way round).",
        "The client sends a Ping there and all that follows; only the host part of the URL changes.",
        "MC-BUP §2.2.3.2, §3.1.5.1.2"
    ),
];

/// Judges an upload that every document wants to end well.
fn must(log: &Log) -> Done {
    log.ended()?;
    Ok(pass("the upload ended well"))
}

/// Judges what one document allows and another does not.
fn either(log: &Log) -> Done {
    log.sound()?;
    Ok(if log.is_closed() {
        log.ended()?;
        pass("took it")
    } else {
        pass("did not take it, as MC-BUP has it")
    })
}

/// Tells what happened where no document says what should.
fn silent(log: &Log) -> Done {
    log.sound()?;
    Ok(unknown(if log.is_closed() {
        "the upload ended well".to_owned()
    } else {
        let last = log.entries.last().map(super::log::Entry::text);
        format!(
            "the upload did not end; the last packet was {}",
            last.unwrap_or_default()
        )
    }))
}

fn ping(log: &Log) -> Done {
    log.sound()?;
    if log.count(Packet::Ping) == 0 {
        return Ok(unknown("the client sends no Ping"));
    }
    silent(log)
}

fn reconnected(log: &Log) -> Done {
    log.ended()?;
    Ok(if log.count(Packet::CreateSession) == 1 {
        pass("the session went on over other connections")
    } else {
        differs("opened more than one session")
    })
}

fn moved(log: &Log) -> Done {
    log.sound()?;
    let created = log
        .entries
        .iter()
        .position(|entry| entry.packet == Packet::CreateSession && entry.status == Some(200));
    let Some((create, after)) = created.and_then(|at| log.entries.get(at..)?.split_first()) else {
        return Ok(unknown("no session was opened"));
    };
    let Some(next) = after.first() else {
        return Ok(fails("did not reach the other host, or did not try"));
    };
    log.ended()?;
    let wanted = super::connection::other_name(&create.host);
    let there = |host: &str| super::connection::bare(host).eq_ignore_ascii_case(&wanted);
    let strays = after.iter().filter(|entry| !there(&entry.host)).count();
    Ok(if strays == after.len() {
        fails("stayed with the first host")
    } else if strays > 0 {
        differs(format!("{strays} packets went to the first host"))
    } else if next.packet == Packet::Ping {
        pass("sent a Ping there, then all the rest")
    } else {
        differs("sent all the rest there, without a Ping first")
    })
}
