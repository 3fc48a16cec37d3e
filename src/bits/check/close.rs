//! Rules for Close-Session and Cancel-Session, and for what comes after them.

use crate::bits::Packet;

use super::memory::Past;
use super::rule::Level::{Error, Note, Warning};
use super::rule::{CLIENT, Rule, SESSION, rule};
use super::session::Session;
use super::tally::Out;
use super::view::{View, shown};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-CL-01", Error, CLIENT, "MC-BUP §2.2.8.2",
        "Close-Session has the BITS-Session-Id of its session.",
        "Close-Sessions have no session id"),
    rule("BUP-CL-02", Error, CLIENT, "MC-BUP §2.2.8, Win32 Close-Session",
        "Close-Session comes only after the last fragment was acknowledged.",
        "Close-Sessions came before the file was complete").spec(Warning),
    rule("BUP-CL-03", Warning, CLIENT, "Win32 Close-Session",
        "Where the server named a reply, Close-Session comes only after its download.",
        "Close-Sessions came before the reply was downloaded"),
    rule("BUP-CL-04", Warning, SESSION, "MC-BUP §3.1.5.1.5",
        "A complete upload is closed.",
        "complete uploads were never closed"),
    rule("BUP-CL-05", Error, CLIENT, "MC-BUP §2.2.9",
        "No packet of a session follows its Close-Session that was acknowledged.",
        "packets came after Close-Session"),
    rule("BUP-CA-01", Error, CLIENT, "MC-BUP §2.2.10.2",
        "Cancel-Session has the BITS-Session-Id of its session.",
        "Cancel-Sessions have no session id"),
    rule("BUP-CA-02", Note, CLIENT, "Win32 Cancel-Session",
        "Cancel-Session comes before the last fragment; later it does not undo the upload.",
        "Cancel-Sessions came after the file was complete"),
    rule("BUP-CA-03", Error, CLIENT, "MC-BUP §2.2.11",
        "No packet of a session follows its Cancel-Session that was acknowledged.",
        "packets came after Cancel-Session"),
];

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let session = &past.session;
    let unnamed = view.id().is_none_or(str::is_empty) && !session.nameless();
    match view.packet {
        Some(Packet::CloseSession) => {
            if unnamed {
                out.raise("BUP-CL-01", || {
                    "Close-Session has no BITS-Session-Id: the server cannot know what to close."
                        .to_owned()
                });
            }
            if session.alive() {
                too_early(session, out);
            }
        }
        Some(Packet::CancelSession) => {
            if unnamed {
                out.raise("BUP-CA-01", || {
                    "Cancel-Session has no BITS-Session-Id: the server cannot know what to cancel."
                        .to_owned()
                });
            }
            if session.complete.is_some() && session.alive() {
                out.raise("BUP-CA-02", || {
                    format!(
                        "Cancel-Session came after the server had all {} bytes: the uploaded file may stay.",
                        session.total.unwrap_or_default()
                    )
                });
            }
        }
        _ => {}
    }
    afterwards(view, session, out);
}

fn too_early(session: &Session, out: &mut Out<'_>) {
    if let (Some(told), Some(total)) = (session.told, session.total)
        && told < total
        && !session.goes_on_at(total)
    {
        out.raise("BUP-CL-02", || {
            format!("Close-Session came when the server had {told} of {total} bytes: the upload is lost or cut short.")
        });
    }
}

/// Looks for packets that come after the end.
fn afterwards(view: &View<'_>, session: &Session, out: &mut Out<'_>) {
    let Some((end, conn)) = session.over else {
        return;
    };
    // The Ack may have been lost with its connection: then the same packet comes again.
    let again = view.packet == Some(end) && conn != view.facts.conn;
    if again
        || view.is(Packet::CreateSession)
        || view.id().is_none_or(str::is_empty)
        || view.is(Packet::Ping)
    {
        return;
    }
    let rule = if end == Packet::CloseSession {
        "BUP-CL-05"
    } else {
        "BUP-CA-03"
    };
    out.raise(rule, || {
        format!(
            "{} came after {} had been acknowledged: the session is over.",
            view.fragment(),
            end.name()
        )
    });
}

/// Tells of what is known only when nothing follows: a reply that nobody fetched, an upload that was
/// never closed.
pub(super) fn left(session: &Session, out: &mut Out<'_>) {
    if session.unread.is_some() {
        out.raise("BUP-CL-03", || {
            format!(
                "Close-Session came and the reply at {} was not downloaded: the server deletes it on Close-Session.",
                shown(session.reply.as_deref().unwrap_or_default().as_bytes())
            )
        });
        return;
    }
    out.raise("BUP-CL-04", || {
        format!(
            "The server had all {} bytes, but no Close-Session followed: the file stays in the server's session folder until that times out.",
            session.total.unwrap_or_default()
        )
    });
}
