//! Rules for every Ack.

use crate::bits::Packet;
use crate::bits::header::{self, Name};

use super::rule::Level::{Error, Note, Warning};
use super::rule::{Rule, SERVER, Who, rule};
use super::tally::Out;
use super::view::{View, closes, shown, values};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-AK-01", Error, SERVER, "MC-BUP §2.2.1.2",
        "BITS-Packet-Type of a response is Ack.",
        "responses have a BITS-Packet-Type that is not Ack"),
    rule("BUP-AK-02", Note, SERVER, "MC-BUP §2.2.1, §2.2.11.2",
        "An Ack is written BITS-Packet-Type: Ack.",
        "sessions have Acks written in another way").once(),
    rule("BUP-AK-03", Error, SERVER, "Win32 Ack for Ping",
        "An Ack has a Content-Length.",
        "Acks have no Content-Length"),
    rule("BUP-AK-04", Warning, SERVER, "MC-BUP §2.2.3.1, §2.2.7.1",
        "An Ack has Content-Length 0 and no content.",
        "Acks carry content").spec(Error).docs(Note),
    rule("BUP-AK-05", Note, SERVER, "MC-BUP §2.2.1.2",
        "The 200 to Fragment, Close-Session and Cancel-Session repeats the BITS-Session-Id; IIS leaves it out.",
        "sessions have Acks without the session id").spec(Error).once(),
    rule("BUP-AK-06", Error, SERVER, "MC-BUP §2.2.1.2",
        "The BITS-Session-Id of an Ack is that of the request.",
        "Acks carry another session id than their request"),
    rule("BUP-AK-07", Warning, SERVER, "Win32 BITS Request Packets",
        "The server sends one Ack for each request and nothing else.",
        "times the server sent bytes that nothing had asked for"),
];

pub(super) fn check(view: &View<'_>, out: &mut Out<'_>) {
    let Some(response) = view.facts.response else {
        return;
    };
    let answer = response.head;
    for (spelling, value) in values(answer, Name::PacketType) {
        let value = value.trim_ascii();
        if !value.eq_ignore_ascii_case(b"Ack") {
            out.raise("BUP-AK-01", || {
                format!(
                    "The answer to {} says BITS-Packet-Type: {}.",
                    view.name(),
                    shown(value)
                )
            });
        } else if !spelling.oddity.is_empty() || value == b"ACK" {
            out.raise("BUP-AK-02", || {
                format!(
                    "The server writes {}: {} where IIS writes BITS-Packet-Type: Ack.",
                    spelling.wire,
                    shown(value)
                )
            });
        } else if value != b"Ack" {
            out.blame("BUP-GN-07", Who::Server, || {
                format!("The server writes {} where IIS writes Ack.", shown(value))
            });
        }
    }
    let length = answer.value("content-length").and_then(header::offset);
    let status = view.status().unwrap_or_default();
    if length.is_none() && status != 204 {
        out.raise("BUP-AK-03", || {
            let how = match answer.value("transfer-encoding") {
                Some(coding) => format!(
                    "has Transfer-Encoding: {} and no Content-Length: a client that goes by the length alone waits five minutes for its end",
                    shown(coding)
                ),
                None if closes(answer) => {
                    "has no Content-Length: only the end of the connection ends it".to_owned()
                }
                None => {
                    "has no Content-Length: a client may wait five minutes for its end".to_owned()
                }
            };
            format!("The Ack of {} {how}.", view.name())
        });
    }
    let content = length.unwrap_or_default().max(response.content);
    if content > 0 {
        out.raise("BUP-AK-04", || {
            format!(
                "The Ack of {} ({status}) carries {content} bytes of content; it should have none.",
                view.name()
            )
        });
    }
    echo(view, response.says.session_id.as_deref(), out);
}

fn echo(view: &View<'_>, echoed: Option<&str>, out: &mut Out<'_>) {
    let expected = matches!(
        view.packet,
        Some(Packet::Fragment | Packet::CloseSession | Packet::CancelSession)
    );
    match (echoed, view.id()) {
        (None, _) if expected && view.status() == Some(200) => out.raise("BUP-AK-05", || {
            format!(
                "The Ack of {} does not repeat BITS-Session-Id; IIS leaves it out too.",
                view.name()
            )
        }),
        (Some(echoed), Some(id)) if echoed != id && !view.is(Packet::CreateSession) => {
            let level = if header::same_session(echoed, id) {
                Note
            } else {
                Error
            };
            out.mild("BUP-AK-06", level, || {
                format!(
                    "The request said session {}, its Ack says {}.",
                    shown(id.as_bytes()),
                    shown(echoed.as_bytes())
                )
            });
        }
        _ => {}
    }
}

/// Tells of a response that nothing asked for, or of `len` bytes that are not even one.
pub(super) fn unsolicited(len: Option<u64>, out: &mut Out<'_>) {
    out.raise("BUP-AK-07", || match len {
        None => "The server sent a response that answers no request.".to_owned(),
        Some(1) => "The server sent 1 byte that belongs to no response.".to_owned(),
        Some(len) => format!("The server sent {len} bytes that belong to no response."),
    });
}
