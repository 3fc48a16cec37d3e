//! Rules for the Ack of Create-Session.

use crate::bits::Packet;
use crate::bits::header::{self, Name};

use super::create::offers;
use super::memory::Past;
use super::rule::Level::{Error, Note, Off, Warning};
use super::rule::{Rule, SERVER, rule};
use super::tally::Out;
use super::view::{View, is_guid, lists, shown, value};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-AC-01", Error, SERVER, "MC-BUP §2.2.3.2",
        "The 200 to Create-Session has a BITS-Protocol that the client offered.",
        "Create-Sessions were granted without a protocol that the client offered"),
    rule("BUP-AC-02", Error, SERVER, "MC-BUP §2.2.3.2, Win32 Ack for Create-Session",
        "The 200 to Create-Session has a BITS-Session-Id of 1 to 100 legal characters.",
        "Create-Sessions were granted without a usable session id"),
    rule("BUP-AC-03", Note, SERVER, "MC-BUP §2.2.1.2",
        "The session id is a GUID in braces.",
        "session ids are not GUIDs in braces").spec(Error).docs(Off),
    rule("BUP-AC-04", Note, SERVER, "MC-BUP §2.2.3.2",
        "Create-Session is granted with status 200.",
        "Create-Sessions were granted with 201").spec(Warning).docs(Off),
    rule("BUP-AC-05", Warning, SERVER, "MC-BUP §2.2.3.2",
        "A refused Create-Session has no BITS-Protocol.",
        "refused Create-Sessions have a BITS-Protocol"),
    rule("BUP-AC-06", Error, SERVER, "MC-BUP §2.2.1.2",
        "A new session id is not the id of another live session.",
        "session ids were issued twice"),
    rule("BUP-AC-07", Note, SERVER, "Win32 Ack for Create-Session",
        "The 200 to Create-Session has an Accept-Encoding that holds identity.",
        "Create-Sessions were granted without Accept-Encoding: identity").docs(Warning),
    rule("BUP-AC-08", Error, SERVER, "MC-BUP §2.2.3.2",
        "BITS-Host-Id is a bare host of at most 300 characters, without scheme, port and path.",
        "BITS-Host-Ids are no bare hosts"),
    rule("BUP-AC-09", Warning, SERVER, "MC-BUP §2.2.3.2",
        "BITS-Host-Id-Fallback-Timeout comes only with BITS-Host-Id and is a number of seconds.",
        "BITS-Host-Id-Fallback-Timeouts are alone or no number"),
    rule("BUP-AC-10", Note, SERVER, "Win32 Ack for Create-Session, MC-BUP §2.2.3.2",
        "BITS-Host-Id comes with BITS-Host-Id-Fallback-Timeout.",
        "BITS-Host-Ids come without a fallback timeout").spec(Error),
];

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let Some(response) = view
        .facts
        .response
        .filter(|_| view.is(Packet::CreateSession))
    else {
        return;
    };
    let status = view.status().unwrap_or_default();
    let protocol = response.says.protocol.as_deref();
    if !view.succeeded() {
        if let Some(protocol) = protocol.filter(|_| status >= 300) {
            out.raise("BUP-AC-05", || {
                format!(
                    "Create-Session was refused with {status} and yet got the protocol {}.",
                    shown(protocol.as_bytes())
                )
            });
        }
        return;
    }
    match protocol {
        None => out.raise("BUP-AC-01", || {
            "Create-Session was granted without BITS-Protocol: the client does not know which protocol to speak.".to_owned()
        }),
        Some(protocol) if offers(view, &format!("{{{protocol}}}")) => out.mild("BUP-AC-01", Note, || {
            format!("The server writes the protocol {} without its braces.", shown(protocol.as_bytes()))
        }),
        Some(protocol) if !offers(view, protocol) => out.raise("BUP-AC-01", || {
            format!("The server chose the protocol {}, which the client did not offer.", shown(protocol.as_bytes()))
        }),
        Some(_) => {}
    }
    if status != 200 {
        out.raise("BUP-AC-04", || {
            format!("Create-Session was granted with {status}; IIS says 200.")
        });
    }
    id(view, past, response.says.session_id.as_deref(), out);
    let codings = value(response.head, Name::AcceptEncoding);
    if !codings.is_some_and(|codings| lists(codings, "identity")) {
        out.raise("BUP-AC-07", || match codings {
            None => "The Ack of Create-Session has no Accept-Encoding.".to_owned(),
            Some(codings) => format!(
                "The Ack of Create-Session offers {} but not identity.",
                shown(codings)
            ),
        });
    }
    host(view, out);
}

fn id(view: &View<'_>, past: &Past, id: Option<&str>, out: &mut Out<'_>) {
    let legal =
        |id: &str| (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match id {
        None => out.raise("BUP-AC-02", || {
            "Create-Session was granted without BITS-Session-Id: the client cannot send a fragment.".to_owned()
        }),
        Some(id) if !legal(id) => out.raise("BUP-AC-02", || {
            format!(
                "The session id {} ({} bytes) is not 1 to 100 characters that HTTP allows.",
                shown(id.as_bytes()),
                id.len()
            )
        }),
        Some(id) if !is_guid(id) => out.raise("BUP-AC-03", || {
            format!("The session id {} is not a GUID in braces.", shown(id.as_bytes()))
        }),
        Some(_) => {}
    }
    if let (Some(id), Some((no, path))) = (id, &past.namesake) {
        out.raise("BUP-AC-06", || {
            format!(
                "The server issued {} for {}, but that is the id of session {no} for {}, which is not over.",
                shown(id.as_bytes()),
                shown(view.path.as_bytes()),
                shown(path.as_bytes())
            )
        });
    }
}

fn host(view: &View<'_>, out: &mut Out<'_>) {
    let Some(answer) = view.answer() else {
        return;
    };
    let timeout = value(answer, Name::HostIdFallbackTimeout);
    let host = value(answer, Name::HostId);
    if let Some(seconds) =
        timeout.filter(|seconds| host.is_none() || header::offset(seconds).is_none())
    {
        out.raise("BUP-AC-09", || {
            if host.is_none() {
                format!(
                    "BITS-Host-Id-Fallback-Timeout: {} came without BITS-Host-Id.",
                    shown(seconds)
                )
            } else {
                format!(
                    "BITS-Host-Id-Fallback-Timeout: {} is no number of seconds.",
                    shown(seconds)
                )
            }
        });
    }
    let Some(host) = host else {
        return;
    };
    if timeout.is_none() {
        out.raise("BUP-AC-10", || {
            format!("BITS-Host-Id {} has no fallback timeout: if that host dies, the client never comes back here.", shown(host))
        });
    }
    let text = String::from_utf8_lossy(host);
    let text = header::url_host(text.trim());
    let bare = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        !host.is_empty()
            && host.len() <= 300
            && inner.unwrap_or(host).bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'-' | b'.' | b'_')
                    || (inner.is_some() && byte == b':')
            })
    };
    if bare(&text) {
        return;
    }
    let ported = text
        .rsplit_once(':')
        .is_some_and(|(name, port)| bare(name) && header::offset(port.as_bytes()).is_some());
    let level = if ported { Warning } else { Error };
    out.mild("BUP-AC-08", level, || {
        format!("BITS-Host-Id: {} is not a bare host name; a client puts it in the place of the URL's host.", shown(host))
    });
}
