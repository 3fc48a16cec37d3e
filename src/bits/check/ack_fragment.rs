//! Rules for the Ack of Fragment: the offset that it tells and the reply that it names.

use std::time::Duration;

use crate::bits::header::{self, Name};
use crate::bits::{ContentRange, Packet};

use super::memory::Past;
use super::rule::Level::{Error, Note, Warning};
use super::rule::{Rule, SERVER, rule};
use super::tally::Out;
use super::view::{View, is_absolute, shown, value};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-AF-01", Error, SERVER, "MC-BUP §2.2.7.2",
        "The 200 to a Fragment has BITS-Received-Content-Range.",
        "fragments were acknowledged without an offset"),
    rule("BUP-AF-02", Error, SERVER, "MC-BUP §3.2.5.2.6",
        "The 416 to a Fragment has BITS-Received-Content-Range.",
        "fragments were refused with 416 and without an offset"),
    rule("BUP-AF-03", Error, SERVER, "MC-BUP §2.2.7.2",
        "BITS-Received-Content-Range is one unsigned decimal.",
        "Acks tell an offset that is no number"),
    rule("BUP-AF-04", Error, SERVER, "MC-BUP §3.1.5.1.4",
        "BITS-Received-Content-Range is not above the size of the file.",
        "Acks tell an offset behind the end of the file"),
    rule("BUP-AF-05", Warning, SERVER, "MC-BUP §2.2.7.2",
        "BITS-Received-Content-Range of a 200 is the byte after the fragment.",
        "Acks tell another offset than the end of their fragment"),
    rule("BUP-AF-06", Error, SERVER, "MC-BUP §3.1.5.1.4",
        "BITS-Received-Content-Range of a 200 is not above what was sent.",
        "Acks make the client leave bytes out"),
    rule("BUP-AF-07", Warning, SERVER, "MC-BUP §2.2.6",
        "BITS-Received-Content-Range goes down only with 416.",
        "Acks tell a lower offset than before with 200"),
    rule("BUP-AF-08", Warning, SERVER, "Win32 Ack for Fragment",
        "A Fragment that leaves a hole is not answered 200.",
        "fragments that leave a hole were acknowledged"),
    rule("BUP-AF-09", Warning, SERVER, "MC-BUP §3.2.5.2.6",
        "A Fragment that begins where the server asked is not answered 416.",
        "fragments were refused with 416 though they begin where the server asked"),
    rule("BUP-AF-10", Warning, SERVER, "MC-BUP §2.2.7.2",
        "BITS-Reply-URL comes only in the Ack of the last fragment.",
        "Acks name a reply before the upload is complete"),
    rule("BUP-AF-11", Note, SERVER, "MC-BUP §2.2.13.2, §4.2",
        "BITS-Reply-URL is absolute; IIS sends a relative path with backslashes.",
        "reply URLs are relative").spec(Warning),
    rule("BUP-AF-12", Warning, SERVER, "MC-BUP §2.2.1.2, §3.1.5.1.4",
        "BITS-Reply-URL is not empty and has at most 2200 characters.",
        "reply URLs are empty or too long"),
    rule("BUP-AF-13", Warning, SERVER, "MC-BUP §3.1.2.2",
        "The Ack comes within 300 seconds of the fragment's end.",
        "Acks came after the client's timeout of 5 minutes"),
];

/// MC-BUP §3.1.2.2
const PATIENCE: Duration = Duration::from_mins(5);

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    reply(view, out);
    let Some(response) = view.facts.response.filter(|_| view.is(Packet::Fragment)) else {
        return;
    };
    let status = view.status().unwrap_or_default();
    let took = view
        .facts
        .request
        .ended
        .map(|ended| response.begun.saturating_sub(ended));
    if let Some(took) = took.filter(|took| *took > PATIENCE) {
        out.raise("BUP-AF-13", || {
            format!(
                "The Ack of {} took {} seconds; Windows gives up after 300.",
                view.fragment(),
                took.as_secs()
            )
        });
    }
    let text = value(response.head, Name::ReceivedContentRange);
    let told = text.and_then(header::offset);
    match (status, text, told) {
        (200, None, _) => out.raise("BUP-AF-01", || {
            format!("{} was answered 200 without BITS-Received-Content-Range: the client does not know where to go on.", view.fragment())
        }),
        (416, None, _) => out.raise("BUP-AF-02", || {
            format!("{} was refused with 416 and without BITS-Received-Content-Range: the client cannot find the right offset.", view.fragment())
        }),
        (_, Some(text), None) => out.raise("BUP-AF-03", || {
            match shown(text) {
                text if text.is_empty() => "BITS-Received-Content-Range is empty.".to_owned(),
                text => format!("BITS-Received-Content-Range: {text} is not one number."),
            }
        }),
        _ => {}
    }
    if let (Some(range), Some(told)) = (view.range(), told) {
        offset(view, past, range, told, out);
    }
    if let Some(range) = view.range() {
        step(view, past, range, out);
    }
}

fn offset(view: &View<'_>, past: &Past, range: ContentRange, told: u64, out: &mut Out<'_>) {
    let end = range.last.saturating_add(1);
    if let Some(total) = range.total.filter(|total| told > *total) {
        out.raise("BUP-AF-04", || {
            format!("The server asks for byte {told} of a file of {total} bytes.")
        });
        return;
    }
    let before = past.session.told.filter(|_| !past.session.meddled);
    if view.status() != Some(200) || told == end || before == Some(told) {
        return;
    }
    if told > end {
        // The server may have had more before the capture began, or from a fragment whose Ack was lost.
        if before.is_some_and(|before| told > before) && told > past.session.furthest {
            out.raise("BUP-AF-06", || {
                format!(
                    "{} was sent and the server asks for byte {told}: bytes {end}-{} are never sent.",
                    view.fragment(),
                    told.saturating_sub(1)
                )
            });
        }
    } else if let Some(before) = before.filter(|before| told < *before) {
        out.raise("BUP-AF-07", || {
            format!("The server asked for byte {before} before and asks for {told} now, with 200.")
        });
    } else {
        out.raise("BUP-AF-05", || {
            let last = if told == range.last {
                " The last byte is not what the header is to name."
            } else {
                ""
            };
            format!(
                "{} was acknowledged with offset {told}; the byte after it is {end}.{last}",
                view.fragment()
            )
        });
    }
}

/// Looks whether the answer fits the fragment's place.
fn step(view: &View<'_>, past: &Past, range: ContentRange, out: &mut Out<'_>) {
    let known = past.session.alive() && !past.session.meddled;
    let Some(before) = past.session.told.filter(|_| known) else {
        return;
    };
    match view.status() {
        Some(200) if range.first > before && !past.session.goes_on_at(range.first) => out.raise("BUP-AF-08", || {
            format!(
                "{} was acknowledged though the server had asked for byte {before}: {} bytes are missing in its file.",
                view.fragment(),
                range.first.saturating_sub(before)
            )
        }),
        // Above it the server may have taken a fragment whose Ack was lost.
        Some(416) if range.first == before && view.told().is_none_or(|told| told <= before) => out.raise("BUP-AF-09", || {
            format!("{} was refused with 416 though it begins where the server had asked.", view.fragment())
        }),
        _ => {}
    }
}

fn reply(view: &View<'_>, out: &mut Out<'_>) {
    let Some(url) = view
        .facts
        .response
        .and_then(|r| r.says.reply_url.as_deref())
    else {
        return;
    };
    let last = view.range().is_some_and(|range| {
        range.total == Some(range.last.saturating_add(1)) || range.total == view.told()
    });
    if !last {
        out.raise("BUP-AF-10", || {
            format!(
                "The Ack of {} names the reply {} though the upload is not complete.",
                view.fragment(),
                shown(url.as_bytes())
            )
        });
    }
    if url.is_empty() || url.len() > 2200 {
        out.raise("BUP-AF-12", || {
            if url.is_empty() {
                "BITS-Reply-URL is empty: a client takes that for no reply.".to_owned()
            } else {
                format!(
                    "BITS-Reply-URL has {} characters; Windows takes 2200.",
                    url.len()
                )
            }
        });
    } else if !is_absolute(url) {
        out.raise("BUP-AF-11", || {
            format!(
                "BITS-Reply-URL: {} is relative, as IIS sends it.",
                shown(url.as_bytes())
            )
        });
    }
}
