//! Rules for Fragment: its session, its range, its place in the file, its content.

use crate::bits::Packet;
use crate::bits::header::{self, Name};

use super::facts::Cut;
use super::memory::Past;
use super::rule::Level::{Error, Note, Off, Warning};
use super::rule::{CLIENT, Rule, rule};
use super::tally::Out;
use super::view::{View, lists, shown, starts_with, value};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-FR-01", Error, CLIENT, "MC-BUP §2.2.6.2",
        "Fragment has a BITS-Session-Id.",
        "fragments have no session id"),
    rule("BUP-FR-02", Error, CLIENT, "Win32 Fragment",
        "Fragment carries the id that the last successful Create-Session for its URL brought.",
        "fragments carry an id that was not issued for their URL"),
    rule("BUP-FR-03", Note, CLIENT, "Win32 Fragment",
        "The session id is repeated byte for byte.",
        "sessions repeat their id in other letters than it was issued").once(),
    rule("BUP-FR-04", Error, CLIENT, "MC-BUP §2.2.6.1",
        "Fragment has a Content-Range.",
        "fragments have no Content-Range"),
    rule("BUP-FR-05", Error, CLIENT, "MC-BUP §2.2.6.1",
        "Content-Range reads `bytes first-last/total`, three decimals.",
        "fragments have a Content-Range that cannot be read"),
    rule("BUP-FR-06", Note, CLIENT, "MC-BUP §4.1",
        "The unit in Content-Range is written `bytes`.",
        "sessions write the unit of Content-Range in other letters").docs(Off).once(),
    rule("BUP-FR-07", Error, CLIENT, "MC-BUP §3.2.5.2.6, RFC 9110 §14.4",
        "In Content-Range the first byte is not behind the last, and the last lies inside the file.",
        "fragments have a Content-Range that cannot be"),
    rule("BUP-FR-08", Error, CLIENT, "MC-BUP §2.2.6.1",
        "Content-Length is as long as Content-Range.",
        "fragments have a Content-Length that is not as long as their range"),
    rule("BUP-FR-09", Note, CLIENT, "RFC 9112 §6.2",
        "The content has as many bytes as Content-Length says.",
        "fragments broke off before their end").spec(Error).docs(Error),
    rule("BUP-FR-10", Error, CLIENT, "MC-BUP §2.2.1.2",
        "The total in Content-Range is the same in all fragments of a session.",
        "fragments change the total size of their file"),
    rule("BUP-FR-11", Warning, CLIENT, "Win32 Fragment",
        "The first Fragment after Create-Session begins at byte 0.",
        "sessions do not begin at byte 0"),
    rule("BUP-FR-12", Error, CLIENT, "Win32 Fragment",
        "A Fragment does not begin above the offset that the server told last.",
        "fragments leave a hole in the file"),
    rule("BUP-FR-13", Warning, CLIENT, "Win32 Fragment, MC-BUP §3.2.5.2.6",
        "A Fragment does not begin below the offset that the server told last, unless the connection broke.",
        "fragments repeat bytes that the server has").docs(Note),
    rule("BUP-FR-14", Warning, CLIENT, "Win32 Fragment",
        "Bytes that are sent again are the same bytes. (Looked at where the same range comes twice within 16 fragments; behind its first 64 KiB at samples of 64 bytes in 4 KiB.)",
        "fragments were sent again with other bytes"),
    rule("BUP-FR-15", Note, CLIENT, "MC-BUP note <10>",
        "Fragments have 5 KiB to 13 MiB, the last one may be shorter.",
        "sessions have fragments smaller or larger than Windows sends").spec(Off).docs(Off).once(),
    rule("BUP-FR-16", Error, CLIENT, "Win32 Fragment",
        "Content-Encoding is one that the server offered in Accept-Encoding.",
        "fragments have a coding that the server did not offer"),
    rule("BUP-FR-17", Note, CLIENT, "Win32 Fragment",
        "Content-Encoding: identity is not sent.",
        "sessions send Content-Encoding: identity").once(),
    rule("BUP-FR-18", Error, CLIENT, "Win32 Fragment",
        "All fragments of a session have the same coding.",
        "fragments change the coding of their session"),
    rule("BUP-FR-19", Warning, CLIENT, "Win32 Fragment",
        "Path and query are the same in all packets of a session.",
        "packets change the URL of their session"),
    rule("BUP-FR-20", Warning, CLIENT, "MC-BUP §3.1.5.2.4",
        "After 413 the next Fragment is smaller.",
        "fragments came again as large after 413"),
    rule("BUP-FR-21", Warning, CLIENT, "MC-BUP §3.2.1.4",
        "No Fragment follows when the last one was acknowledged.",
        "fragments came after the file was complete"),
];

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    url(view, past, out);
    if !view.is(Packet::Fragment) {
        return;
    }
    identity(view, past, out);
    syntax(view, out);
    sequence(view, past, out);
    content(view, past, out);
    coding(view, past, out);
}

/// Tells whether a packet of a session goes to another path than those before it.
fn moved(view: &View<'_>, past: &Past) -> bool {
    let session = &past.session;
    let known = session.created || session.previous.is_some();
    known && view.facts.session.is_some() && session.path != view.path
}

fn url(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let packet = matches!(
        view.packet,
        Some(Packet::Fragment | Packet::CloseSession | Packet::CancelSession)
    );
    if packet && moved(view, past) {
        out.raise("BUP-FR-19", || {
            format!(
                "{} goes to {}, the packets before it went to {}.",
                view.fragment(),
                shown(view.path.as_bytes()),
                shown(past.session.path.as_bytes())
            )
        });
    }
}

fn identity(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let session = &past.session;
    let Some(id) = view.id().filter(|id| !id.is_empty()) else {
        if !session.nameless() {
            out.raise("BUP-FR-01", || {
                format!(
                    "{} has no BITS-Session-Id: the server cannot know which upload it belongs to.",
                    view.fragment()
                )
            });
        }
        return;
    };
    if let Some(issued) = &session.id
        && issued != id
        && header::same_session(issued, id)
    {
        out.raise("BUP-FR-03", || {
            format!(
                "The server issued {} and the client writes {}.",
                shown(issued.as_bytes()),
                shown(id.as_bytes())
            )
        });
    }
    let created = past
        .connection
        .creations
        .iter()
        .find(|known| known.0 == view.path);
    let Some((_, Some(issued))) = created else {
        return;
    };
    let foreign = match &past.issued {
        Some((path, _)) => *path != view.path,
        None => past.connection.whole,
    };
    if !header::same_session(issued, id) && foreign && !moved(view, past) {
        out.raise("BUP-FR-02", || {
            format!(
                "{} carries {}; the server issued {} for this URL.",
                view.fragment(),
                shown(id.as_bytes()),
                shown(issued.as_bytes())
            )
        });
    }
}

fn syntax(view: &View<'_>, out: &mut Out<'_>) {
    let asked = view.asked();
    let mut ranges = asked.values("content-range");
    let Some(text) = ranges.next() else {
        out.raise("BUP-FR-04", || {
            "A Fragment has no Content-Range: nobody knows which bytes of the file it holds."
                .to_owned()
        });
        return;
    };
    // What an empty file looks like is written nowhere.
    let says = &view.facts.request.says;
    let empty = says.range.is_some_and(|range| range.total == Some(0));
    if says.total == Some(0) || (empty && view.facts.request.content == 0) {
        return;
    }
    let readable = view
        .facts
        .request
        .says
        .range
        .filter(|range| range.total.is_some());
    let Some(range) = readable.filter(|_| ranges.next().is_none()) else {
        out.raise("BUP-FR-05", || {
            format!(
                "Content-Range: {} is not of the form bytes first-last/total.",
                shown(text)
            )
        });
        return;
    };
    if !text.starts_with(b"bytes ") && starts_with(text, b"bytes ") {
        out.raise("BUP-FR-06", || {
            format!(
                "Content-Range: {} has its unit not in small letters.",
                shown(text)
            )
        });
    }
    let Some(range) = view.range().filter(|known| *known == range) else {
        out.raise("BUP-FR-07", || {
            format!(
                "Content-Range: {} cannot be: first, last and total contradict each other.",
                shown(text)
            )
        });
        return;
    };
    let span = range.last.saturating_sub(range.first).saturating_add(1);
    let length = asked.value("content-length").and_then(header::offset);
    // A leg of a handshake has no content yet.
    let empty = length == Some(0) && view.authenticates();
    if let Some(length) = length.filter(|length| *length != span && !empty) {
        out.raise("BUP-FR-08", || {
            format!(
                "{} is {span} bytes, but Content-Length says {length}.",
                view.fragment()
            )
        });
    }
}

fn sequence(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let Some(range) = view.range() else {
        return;
    };
    let session = &past.session;
    if let (Some(known), Some(total)) = (session.total, range.total)
        && known != total
        && session.over.is_none()
    {
        out.raise("BUP-FR-10", || {
            format!(
                "{} says that the file has {total} bytes; before it had {known}.",
                view.fragment()
            )
        });
    }
    if session.over.is_some() || session.lost.is_some() {
        return;
    }
    // After a broken connection the client does not know what the server said last.
    let reconnected = session.told_on != view.facts.conn;
    let (first, last) = (range.first, range.last);
    match session.told {
        Some(_) if session.fresh && first > 0 => out.raise("BUP-FR-11", || {
            format!("The first fragment of the session begins at byte {first}, not at 0.")
        }),
        Some(told) if first > told && !session.goes_on_at(first) => out.raise("BUP-FR-12", || {
            format!(
                "The server asked for byte {told}, the client sends {first}-{last}: {} bytes are left out.",
                first.saturating_sub(told)
            )
        }),
        Some(_) if session.complete.is_some() && !reconnected => out.raise("BUP-FR-21", || {
            format!(
                "{} came after the server had acknowledged all {} bytes.",
                view.fragment(),
                session.total.unwrap_or_default()
            )
        }),
        Some(told) if first < told && !reconnected => out.raise("BUP-FR-13", || {
            format!(
                "The server asked for byte {told}, the client sends {first}-{last}: {} bytes again.",
                told.min(last.saturating_add(1)).saturating_sub(first)
            )
        }),
        _ => {}
    }
    let length = last.saturating_sub(first).saturating_add(1);
    if let Some(refused) = session
        .too_large
        .filter(|refused| *refused > 0 && length >= *refused)
    {
        out.raise("BUP-FR-20", || {
            format!("The server refused {refused} bytes as too large (413), and {length} bytes came next.")
        });
    }
    let ends = range.total == Some(last.saturating_add(1));
    if length > 13 * 1024 * 1024 {
        out.raise("BUP-FR-15", || {
            format!(
                "{} has {length} bytes; Windows sends at most 13 MiB at once.",
                view.fragment()
            )
        });
    } else if length < 5 * 1024 && !ends {
        out.raise("BUP-FR-15", || {
            format!(
                "{} has {length} bytes; Windows sends at least 5 KiB at once.",
                view.fragment()
            )
        });
    }
}

fn content(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let request = &view.facts.request;
    // A client may give up what is refused already. Windows hangs up when a job is suspended.
    if request.cut == Cut::BySender && view.facts.response.is_none() && !view.facts.torn {
        let length = view
            .asked()
            .value("content-length")
            .map(shown)
            .unwrap_or_default();
        out.raise("BUP-FR-09", || {
            format!(
                "The client hung up in {} after {} of {length} bytes.",
                view.fragment(),
                request.content
            )
        });
    }
    if let Some((range, digest)) = view.whole_content() {
        let other = past
            .session
            .digests
            .iter()
            .any(|known| (known.0, known.1) == (range.first, range.last) && known.2 != digest);
        if other {
            out.raise("BUP-FR-14", || {
                format!(
                    "{} was sent before with other bytes; the server keeps what came first.",
                    view.fragment()
                )
            });
        }
    }
}

fn coding(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let session = &past.session;
    let named = value(view.asked(), Name::ContentEncoding)
        .map(shown)
        .unwrap_or_default();
    let or_none = |coding: &str| if coding.is_empty() { "none" } else { coding }.to_owned();
    if let Some(before) = session.encoding.as_ref().filter(|_| session.alive())
        && !before.eq_ignore_ascii_case(&named)
    {
        out.raise("BUP-FR-18", || {
            format!(
                "{} has the coding {}; the fragment before had {}.",
                view.fragment(),
                or_none(&named),
                or_none(before)
            )
        });
        return;
    }
    if named.eq_ignore_ascii_case("identity") {
        out.raise("BUP-FR-17", || {
            "Content-Encoding: identity says nothing and is not to be sent.".to_owned()
        });
        return;
    }
    let offered = session.encodings.as_deref().unwrap_or_default();
    if session.created && !named.is_empty() && !lists(offered.as_bytes(), &named) {
        out.raise("BUP-FR-16", || {
            format!(
                "{} has Content-Encoding: {named}; the server offered {}.",
                view.fragment(),
                or_none(offered)
            )
        });
    }
}
