//! Rules for the order of packets in a session and over its connections.

use std::time::Duration;

use crate::bits::Packet;
use crate::bits::header;
use crate::bits::hresult::BG_E_SESSION_NOT_FOUND;

use super::memory::Past;
use super::rule::Level::{Error, Note, Warning};
use super::rule::{CLIENT, Profile, Rule, SERVER, SESSION, rule};
use super::session::Previous;
use super::tally::Out;
use super::view::{View, shown};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-SE-01", Error, CLIENT, "MC-BUP §3.1.5.1",
        "Before Create-Session succeeded there is only Ping or Create-Session.",
        "packets came though Create-Session had failed"),
    rule("BUP-SE-02", Error, CLIENT, "Win32 BITS Request Packets",
        "A packet of a session comes only after the Ack of the one before.",
        "packets came before the Ack of the one before"),
    rule("BUP-SE-03", Error, CLIENT, "MC-BUP §3.1.5.2.1",
        "After 0x8020001F the next packet of the upload is Create-Session; Ping may come before it.",
        "packets came for a session that the server had forgotten"),
    rule("BUP-SE-04", Warning, CLIENT, "Win32 Ack for Close-Session",
        "Close-Session and Cancel-Session are not repeated after an answer below 500.",
        "refused Close-Sessions or Cancel-Sessions were repeated"),
    rule("BUP-SE-05", Note, CLIENT, "MC-BUP note <9>",
        "A session that goes on on a new connection goes on with Ping.",
        "sessions went on on a new connection without Ping"),
    rule("BUP-SE-06", Warning, CLIENT, "MC-BUP §2.2.3.2",
        "After BITS-Host-Id packets go to that host, until the fallback timeout.",
        "packets did not go to the host of BITS-Host-Id"),
    rule("BUP-SE-07", Note, CLIENT, "MC-BUP §3.1.5.2.2",
        "The host of BITS-Host-Id is pinged before the first Fragment.",
        "sessions did not ping the host of BITS-Host-Id first"),
    rule("BUP-SE-08", Error, SERVER, "MC-BUP §3.2.5.2.3",
        "A packet of a session that is over is not answered 200.",
        "packets of sessions that are over were acknowledged"),
    rule("BUP-SE-09", Warning, SERVER, "MC-BUP §3.2.2.1",
        "A live session is not forgotten within 14 days.",
        "live sessions were forgotten by the server"),
    rule("BUP-SE-10", Warning, SERVER, "Win32 BITS Upload Protocol, MC-BUP §3.2.5.2.3",
        "A packet that is malformed or does not exist is answered 400.",
        "malformed packets were acknowledged"),
    rule("BUP-SE-11", Warning, SESSION, "Windows SDK bitsmsg.h: BG_E_NO_PROGRESS",
        "The same offset is not requested three times without progress.",
        "sessions make no progress"),
    rule("BUP-SE-12", Note, SESSION, "observed: two clients for one file",
        "One URL has one live session.",
        "sessions began while another one for their URL was alive"),
];

/// MC-BUP §3.2.2.1
const SESSION_TIMEOUT: Duration = Duration::from_hours(14 * 24);

/// A client that lost a connection without our knowing does not come back sooner.
const COMES_BACK: Duration = Duration::from_secs(5);

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    unborn(view, past, out);
    if view.facts.session.is_some() {
        in_flight(view, past, out);
        dead(view, past, out);
        hosts(view, past, out);
        resumed(view, past, out);
        progress(view, past, out);
    }
    server(view, past, out);
    super::notification::passed_on(view, past, out);
}

fn of_a_session(view: &View<'_>) -> bool {
    matches!(
        view.packet,
        Some(Packet::Fragment | Packet::CloseSession | Packet::CancelSession)
    )
}

fn unborn(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let refused = past.connection.creations.iter();
    let refused = refused.filter(|known| known.0 == view.path && known.1.is_none());
    let unseen = past.issued.is_none() && past.session.told.is_none();
    if of_a_session(view) && past.connection.whole && unseen && refused.count() > 0 {
        out.raise("BUP-SE-01", || {
            format!(
                "{} came though Create-Session for this URL had not succeeded.",
                view.fragment()
            )
        });
    }
}

fn in_flight(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let Some(before) = past.session.previous else {
        return;
    };
    let facts = view.facts;
    let Some(response) = facts.response else {
        return;
    };
    let this = Previous {
        no: facts.no,
        conn: facts.conn,
        packet: view.packet,
        begun: facts.request.begun,
        asked: facts.request.ended.unwrap_or(response.begun),
        answered: response.begun,
    };
    let (first, second) = if this.begun < before.begun {
        (this, before)
    } else {
        (before, this)
    };
    let soon = second.begun < first.asked.saturating_add(COMES_BACK);
    let overlaps = second.begun < first.answered && (first.conn == second.conn || soon);
    if overlaps {
        let name = |packet: Option<Packet>| packet.map_or("a request", Packet::name);
        out.raise("BUP-SE-02", || {
            format!(
                "{} (exchange {}) was sent before {} (exchange {}) was answered.",
                name(second.packet),
                second.no,
                name(first.packet),
                first.no
            )
        });
    }
}

fn dead(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let session = &past.session;
    if let Some(lost) = session.lost
        && matches!(view.packet, Some(Packet::Fragment | Packet::CloseSession))
    {
        out.raise("BUP-SE-03", || {
            format!(
                "{} came after the server had answered {} with BG_E_SESSION_NOT_FOUND (0x8020001F); the client has to begin with Create-Session.",
                view.fragment(),
                lost.name()
            )
        });
    }
    if let Some((packet, status)) = session.refused
        && view.packet == Some(packet)
    {
        out.raise("BUP-SE-04", || {
            format!("{} came again after the answer {status}.", packet.name())
        });
    }
}

fn hosts(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let session = &past.session;
    let Some(host_id) = session
        .host_id
        .as_deref()
        .filter(|_| of_a_session(view) && session.alive())
    else {
        return;
    };
    if view.host != host_id {
        let idle = view.facts.request.begun.saturating_sub(session.moved);
        if session.fallback.is_none_or(|fallback| idle < fallback) {
            out.raise("BUP-SE-06", || {
                format!(
                    "{} went to {}, but the server had named {} in BITS-Host-Id.",
                    view.fragment(),
                    shown(view.host.as_bytes()),
                    shown(host_id.as_bytes())
                )
            });
        }
        return;
    }
    // A connection of which not all was seen may have begun with a Ping.
    if session.fresh && view.is(Packet::Fragment) && !past.pinged && past.connection.whole {
        out.raise("BUP-SE-07", || {
            format!(
                "The first Fragment went to {} without a Ping before it.",
                shown(host_id.as_bytes())
            )
        });
    }
}

fn resumed(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let moved = past.session.previous.is_some() && past.session.conn != view.facts.conn;
    let first = past.connection.packets == 0 && past.connection.whole;
    // Its Create-Session may just have been on another connection. Where the server ended the connection
    // after its answer nothing was interrupted: the HTTP layer dials again by itself.
    let quiet = past.session.fresh || past.session.dropped;
    if moved && first && view.is(Packet::Fragment) && !quiet {
        out.raise("BUP-SE-05", || {
            format!(
                "The session went on with {} on a new connection; Windows sends Ping first.",
                view.fragment()
            )
        });
    }
}

fn progress(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let (Some((offset, times)), Some(range)) = (past.session.stuck, view.range()) else {
        return;
    };
    let grows = view
        .told()
        .zip(past.session.told)
        .is_some_and(|(now, before)| now > before);
    let waits = matches!(view.status(), Some(401 | 407 | 413));
    if range.first == offset && times == 2 && !grows && !waits {
        out.raise("BUP-SE-11", || {
            format!("The fragment at byte {offset} came for the third time and nothing was gained: a client gives up with BG_E_NO_PROGRESS (0x80200024).")
        });
    }
}

fn server(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let session = &past.session;
    if let Some((end, _)) = session.over
        && of_a_session(view)
        && view.is_ack()
        && view.succeeded()
        && !session.meddled
    {
        out.raise("BUP-SE-08", || {
            format!(
                "{} was granted though {} had been acknowledged before.",
                view.fragment(),
                end.name()
            )
        });
    }
    let forgotten = view.error() == Some(BG_E_SESSION_NOT_FOUND) && view.is_ack();
    let idle = view.facts.request.begun.saturating_sub(session.moved);
    let same_host = session.host_id.as_ref().unwrap_or(&session.host) == &view.host;
    let same_id = session
        .id
        .as_deref()
        .zip(view.id())
        .is_some_and(|(issued, sent)| header::same_session(issued, sent));
    if forgotten
        && same_id
        && same_host
        && session.created
        && session.alive()
        && !session.meddled
        // A Close or Cancel whose answer was lost may have ended it.
        && !session.closing
        && session.told.is_some()
        && idle < SESSION_TIMEOUT
    {
        out.raise("BUP-SE-09", || {
            format!(
                "The server does not know the session any more {} seconds after it answered in it; Windows keeps sessions for 14 days.",
                idle.as_secs()
            )
        });
    }
    malformed(view, out);
    if let Some(rival) = past.rival {
        out.raise("BUP-SE-12", || {
            format!(
                "A session for {} began while session {rival} for the same URL was not over.",
                shown(view.path.as_bytes())
            )
        });
    }
}

fn malformed(view: &View<'_>, out: &mut Out<'_>) {
    if !view.is_ack() || !view.succeeded() {
        return;
    }
    let what = match view.packet {
        None => "whose BITS-Packet-Type does not exist",
        Some(Packet::Fragment)
            if view.facts.request.says.range.is_none()
                && view.facts.request.says.total.is_none() =>
        {
            "without a readable Content-Range"
        }
        _ => return,
    };
    let expected = if view.profile == Profile::Spec {
        "400 with E_INVALIDARG"
    } else {
        "400"
    };
    out.raise("BUP-SE-10", || {
        format!(
            "A packet {what} was answered {}; {expected} was due.",
            view.status().unwrap_or_default()
        )
    });
}
