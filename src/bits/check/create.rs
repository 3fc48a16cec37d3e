//! Rules for Create-Session and Ping.

use crate::bits::Packet;
use crate::bits::header::{Name, UPLOAD_PROTOCOL};

use super::memory::Past;
use super::rule::Level::{Error, Note, Warning};
use super::rule::{CLIENT, Profile, Rule, rule};
use super::tally::Out;
use super::view::{View, is_guid, shown, value};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-CS-01", Error, CLIENT, "MC-BUP §2.2.2.2",
        "Create-Session has a BITS-Supported-Protocols that is not empty.",
        "Create-Sessions offer no protocol"),
    rule("BUP-CS-02", Error, CLIENT, "MC-BUP §2.2.2.2",
        "Every protocol in BITS-Supported-Protocols is a GUID in braces; blanks or commas stand between them.",
        "Create-Sessions offer something that is no GUID"),
    rule("BUP-CS-03", Warning, CLIENT, "MC-BUP §1.7.1",
        "BITS-Supported-Protocols holds {7df0354d-249b-430f-820d-3d2a9bef4931}, the only protocol there is.",
        "Create-Sessions do not offer the BITS 1.5 upload protocol"),
    rule("BUP-CS-04", Note, CLIENT, "MC-BUP note <6>",
        "Not more than 100 protocols are offered.",
        "Create-Sessions offer more than 100 protocols"),
    rule("BUP-CS-05", Note, CLIENT, "MC-BUP §2.2.2.2",
        "Create-Session carries no BITS-Session-Id.",
        "Create-Sessions carry a session id"),
    rule("BUP-CS-06", Warning, CLIENT, "MC-BUP §2.2.6.1",
        "Content-Name is the same in all packets of a session.",
        "packets change the Content-Name of their session"),
    rule("BUP-PG-01", Warning, CLIENT, "MC-BUP §2.2.1.2",
        "The BITS-Session-Id of a Ping, if it has one, is that of a live session.",
        "Pings carry the id of a session that is over"),
];

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    if view.is(Packet::CreateSession) {
        protocols(view, out);
        if let Some(id) = view.id() {
            out.raise("BUP-CS-05", || {
                format!(
                    "Create-Session carries the session id {}; the server has yet to issue one.",
                    shown(id.as_bytes())
                )
            });
        }
    } else {
        let known = past
            .session
            .name
            .as_deref()
            .filter(|_| view.facts.session.is_some());
        let named = view.facts.request.says.name.as_deref();
        if let (Some(known), Some(named)) = (known, named)
            && known != named
        {
            out.raise("BUP-CS-06", || {
                format!(
                    "Content-Name is {} here and was {} before.",
                    shown(named.as_bytes()),
                    shown(known.as_bytes())
                )
            });
        }
    }
    if view.is(Packet::Ping)
        && let (Some(id), Some((_, true))) = (view.id(), &past.issued)
    {
        out.raise("BUP-PG-01", || {
            format!(
                "Ping carries {}, the id of a session that is over.",
                shown(id.as_bytes())
            )
        });
    }
}

fn protocols(view: &View<'_>, out: &mut Out<'_>) {
    let offered = value(view.asked(), Name::SupportedProtocols).unwrap_or_default();
    let offered = String::from_utf8_lossy(offered);
    let all: Vec<&str> = list(&offered, view.profile).collect();
    if all.is_empty() {
        out.raise("BUP-CS-01", || {
            "Create-Session offers no protocol: BITS-Supported-Protocols is missing or empty."
                .to_owned()
        });
        return;
    }
    if let Some(wrong) = all.iter().find(|guid| !is_guid(guid)) {
        out.raise("BUP-CS-02", || {
            format!(
                "{} in BITS-Supported-Protocols is not a GUID in braces.",
                shown(wrong.as_bytes())
            )
        });
    } else if !all
        .iter()
        .any(|guid| guid.eq_ignore_ascii_case(UPLOAD_PROTOCOL))
    {
        out.raise("BUP-CS-03", || {
            format!(
                "Create-Session offers {} protocols, but not {UPLOAD_PROTOCOL}, which every server wants.",
                all.len()
            )
        });
    }
    if all.len() > 100 {
        out.raise("BUP-CS-04", || {
            format!(
                "Create-Session offers {} protocols; Windows servers read 100.",
                all.len()
            )
        });
    }
}

/// Yields the protocols of a list. The Win32 pages know only the blank between them.
fn list(offered: &str, profile: Profile) -> impl Iterator<Item = &str> {
    let comma = profile != Profile::Docs;
    offered
        .split(move |c: char| c.is_ascii_whitespace() || (comma && c == ','))
        .filter(|guid| !guid.is_empty())
}

/// Tells whether the client offered `protocol`.
pub(super) fn offers(view: &View<'_>, protocol: &str) -> bool {
    let offered = value(view.asked(), Name::SupportedProtocols).unwrap_or_default();
    let offered = String::from_utf8_lossy(offered);
    list(&offered, Profile::Windows).any(|guid| guid.eq_ignore_ascii_case(protocol))
}
