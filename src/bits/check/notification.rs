//! Rules between the BITS server and the application behind it.

use std::time::Duration;

use crate::bits::Packet;
use crate::bits::header::{self, Name};

use super::memory::Past;
use super::rule::Level::{Error, Note, Warning};
use super::rule::{BACKEND, Profile, Rule, rule};
use super::tally::Out;
use super::view::{View, is_absolute, shown, values};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-NT-01", Error, BACKEND, "MC-BUP §2.2.12",
        "A notification is a POST in HTTP/1.1 with an absolute BITS-Original-Request-URL.",
        "notifications do not name the upload's URL"),
    rule("BUP-NT-02", Error, BACKEND, "MC-BUP §2.2.12",
        "A notification names both files and has no content, or neither and has the file as content.",
        "notifications are neither by reference nor by value"),
    rule("BUP-NT-03", Note, BACKEND, "MC-BUP §2.2.12.2, §4.2",
        "The file headers are spelled as Windows spells them (DataFile); under spec, as the text does (DataEntity).",
        "sessions have notifications in the other spelling").once(),
    rule("BUP-NT-04", Error, BACKEND, "MC-BUP §2.2.13",
        "BITS-Static-Response-URL is absolute and comes without content.",
        "applications name a static reply in a wrong way"),
    rule("BUP-NT-05", Warning, BACKEND, "Win32 BITS IIS Extension Properties",
        "The application answers within 300 seconds.",
        "applications answered after the server's timeout of 5 minutes"),
    rule("BUP-NT-06", Warning, BACKEND, "MC-BUP §3.2.5.2.6",
        "What the application refuses reaches the client with BITS-Error-Context 0x7.",
        "refusals of applications were passed on as the server's own"),
];

pub(super) fn check(view: &View<'_>, out: &mut Out<'_>) {
    let asked = view.asked();
    let names = |name| values(asked, name).next().is_some();
    let (request, response) = (names(Name::RequestDataFile), names(Name::ResponseDataFile));
    let url = view.facts.request.says.original_url.as_deref();
    if asked.method() != Some(b"POST") || !(request || response || url.is_some()) {
        return;
    }
    if asked.minor() != 1 || !url.is_some_and(is_absolute) {
        out.raise("BUP-NT-01", || match url {
            None => "A notification has no BITS-Original-Request-URL.".to_owned(),
            Some(url) if !is_absolute(url) => {
                format!(
                    "BITS-Original-Request-URL: {} is not absolute.",
                    shown(url.as_bytes())
                )
            }
            Some(_) => format!("A notification came as HTTP/1.{}.", asked.minor()),
        });
    }
    let length = asked.value("content-length").and_then(header::offset);
    let content = length.unwrap_or(view.facts.request.content) > 0;
    let wrong = match (request, response) {
        (true, true) if content => "names both files and carries content too",
        (true, false) => "names the file of the upload but not that of the reply",
        (false, true) => "names the file of the reply but not that of the upload",
        (false, false) if !content => "names no files and carries no content",
        _ => "",
    };
    if !wrong.is_empty() {
        out.raise("BUP-NT-02", || format!("The notification {wrong}."));
    }
    let entity = view.profile == Profile::Spec;
    let odd = values(asked, Name::RequestDataFile)
        .chain(values(asked, Name::ResponseDataFile))
        .find(|found| found.0.oddity.is_empty() == entity);
    if let Some((spelling, _)) = odd {
        out.raise("BUP-NT-03", || {
            format!("The notification uses the name {}.", spelling.wire)
        });
    }
    answer(view, out);
}

fn answer(view: &View<'_>, out: &mut Out<'_>) {
    let (Some(answer), Some(response)) = (view.answer(), view.facts.response) else {
        return;
    };
    if let Some((_, url)) = values(answer, Name::StaticResponseUrl).next() {
        let absolute = is_absolute(&String::from_utf8_lossy(url));
        if !absolute || response.content > 0 {
            out.raise("BUP-NT-04", || {
                if absolute {
                    format!(
                        "The application names a static reply and sends {} bytes beside it.",
                        response.content
                    )
                } else {
                    format!("BITS-Static-Response-URL: {} is not absolute.", shown(url))
                }
            });
        }
    }
    let took = view
        .facts
        .request
        .ended
        .map(|ended| response.begun.saturating_sub(ended));
    if let Some(took) = took.filter(|took| *took > Duration::from_mins(5)) {
        out.raise("BUP-NT-05", || {
            format!(
                "The application took {} seconds; the BITS server gives up after 300.",
                took.as_secs()
            )
        });
    }
}

/// Looks whether what the application refused was passed on as its refusal.
pub(super) fn passed_on(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    let (Some(refusal), Some(response)) = (past.session.refusal, view.facts.response) else {
        return;
    };
    let refused = view
        .status()
        .is_some_and(|status| status >= 400 && status != 416);
    if view.is(Packet::Fragment) && view.is_ack() && refused && response.says.context != Some(7) {
        out.raise("BUP-NT-06", || {
            let context = response.says.context.map_or_else(
                || "no error context".to_owned(),
                |context| format!("the error context 0x{context:X}"),
            );
            format!("The application answered {refusal}, and the client was told so with {context} in place of 0x7.")
        });
    }
}
