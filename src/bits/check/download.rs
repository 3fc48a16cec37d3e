//! Rules for downloads: HEAD, ranged GET, and the reply of an upload-reply.

use crate::bits::header::{self, Name};
use crate::bits::{Ack, Packet};

use super::facts::Cut;
use super::memory::Past;
use super::rule::Level::{Error, Note, Warning};
use super::rule::{CLIENT, Profile, Rule, SERVER, Who, rule};
use super::tally::Out;
use super::view::{View, shown, split, value};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BDL-01", Error, SERVER, "MC-BUP §3.5.5",
        "200 and 206 to HEAD and GET have a Content-Length and no chunked coding.",
        "answers to HEAD or GET have no Content-Length"),
    rule("BDL-02", Error, SERVER, "MC-BUP §3.6.5.2.4.2",
        "A GET with one range is answered 206; 200 only if the range is the whole file.",
        "ranges were answered with the whole file"),
    rule("BDL-03", Error, SERVER, "MC-BUP §3.5.5.1",
        "Content-Range of a 206 is the range that was asked for, its end cut to the file's.",
        "answers hold another range than was asked for"),
    rule("BDL-04", Error, SERVER, "MC-BUP §3.6.5.2.4.2",
        "The size of a file is the same in all answers.",
        "answers change the size of their file"),
    rule("BDL-05", Error, SERVER, "RFC 9110 §14.4, §15.3.7",
        "Content-Length of a 206 is the length of its range, and as many bytes come.",
        "ranges came in part"),
    rule("BDL-06", Error, SERVER, "MC-BUP §3.6.5.2.4.2",
        "Last-Modified is the same in all answers for a file.",
        "answers change the date of their file"),
    rule("BDL-07", Warning, SERVER, "RFC 9110 §8.8.3",
        "ETag is the same in all answers for a file.",
        "answers change the ETag of their file"),
    rule("BDL-08", Note, SERVER, "MC-BUP §3.5.5.1",
        "200 and 206 have Last-Modified.",
        "files have no Last-Modified").once(),
    rule("BDL-09", Warning, SERVER, "RFC 9110 §13.1.4",
        "If-Unmodified-Since with a date before Last-Modified is answered 412.",
        "answers ignore If-Unmodified-Since"),
    rule("BDL-10", Warning, SERVER, "observed: Windows clients send Accept-Encoding: identity",
        "Content-Encoding is absent, identity or peerdist.",
        "answers have a Content-Encoding that was not asked for"),
    rule("BDL-11", Error, SERVER, "MC-BUP §3.5.5.1",
        "Several ranges are answered with multipart/byteranges, in the order of the request, none merged.",
        "requests for several ranges were answered with one, or with others"),
    rule("BDL-12", Warning, SERVER, "Win32 HTTP Requirements for BITS Downloads",
        "The headers of a part have at most 180 bytes beside Content-Range and Content-Type, and at most two line ends come before the first boundary.",
        "answers have parts with long headers"),
    rule("BDL-13", Warning, SERVER, "Win32 HTTP Requirements for BITS Downloads",
        "Answers use HTTP/1.1.",
        "downloads were answered in HTTP/1.0").docs(Note).once(),
    rule("BDL-14", Warning, SERVER, "Win32 IBackgroundCopyJobHttpOptions::SetSecurityFlags",
        "No redirect leads from https to http, and none comes in the middle of a file.",
        "redirects lead away from TLS or out of the middle of a file"),
    rule("BDL-15", Warning, CLIENT, "Win32 IBackgroundCopyJob3::AddFileWithRanges",
        "The ranges of one request do not overlap.",
        "requests ask for bytes twice"),
    rule("BDL-16", Error, &[Who::Proxy], "Win32 BITS Return Values",
        "A proxy passes Content-Length, Content-Range, Last-Modified, ETag and status on unchanged, unless a rule asks for it. (Looked at where the capture has both legs.)",
        "answers were changed by the proxy"),
    rule("BDL-17", Error, SERVER, "MC-BUP §3.3.5.2.6",
        "The reply can be downloaded until Close-Session.",
        "replies could not be downloaded"),
];

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    if !matches!(view.packet, Some(Packet::Head | Packet::Get)) || !concerns_bits(view, past) {
        return;
    }
    asked(view, out);
    let (Some(answer), Some(status)) = (view.answer(), view.status()) else {
        return;
    };
    if answer.minor() != 1 {
        out.raise("BDL-13", || {
            format!(
                "{} was answered in HTTP/1.{}; ranges may not work.",
                view.name(),
                answer.minor()
            )
        });
    }
    match status {
        200 | 206 => {
            length(view, out);
            range(view, status, out);
            parts(view, out);
            file(view, past, status, out);
        }
        300..=303 | 305..=308 => redirect(view, past, status, out),
        400..
            if past.session.reply.is_some()
                && past.session.alive()
                && !matches!(status, 401 | 407 | 412 | 416) =>
        {
            out.raise("BDL-17", || {
                format!(
                    "The reply at {} was answered {status}; the session is not closed yet.",
                    shown(view.path.as_bytes())
                )
            });
        }
        _ => {}
    }
}

/// Tells whether a BITS client asks; other programs get along with less. One without a name may be
/// anybody, unless it asks as BITS does.
fn concerns_bits(view: &View<'_>, past: &Past) -> bool {
    let says = &view.facts.request.says;
    let ours = match says.user_agent.as_deref() {
        Some(agent) => agent.contains("BITS/"),
        None => says.ranged || value(view.asked(), Name::IfUnmodifiedSince).is_some(),
    };
    past.session.reply.is_some() || ours
}

fn asked(view: &View<'_>, out: &mut Out<'_>) {
    let mut wanted = view.facts.request.says.wanted.clone();
    wanted.sort_unstable_by_key(|range| range.0);
    let pairs = wanted.iter().zip(wanted.iter().skip(1));
    let overlap = pairs
        .map(|(one, next)| (one.1.unwrap_or(u64::MAX), next.0))
        .find(|(last, first)| first <= last);
    if let Some((_, first)) = overlap {
        out.raise("BDL-15", || {
            format!(
                "The {} ranges of the request overlap at byte {first}.",
                wanted.len()
            )
        });
    }
}

fn length(view: &View<'_>, out: &mut Out<'_>) {
    let (Some(answer), Some(response)) = (view.answer(), view.facts.response) else {
        return;
    };
    let coding = answer.value("transfer-encoding");
    let bare = answer.value("content-length").is_none();
    // IIS sends several ranges so, and BITS takes them: each part says its own length.
    let usual = response.says.multipart && coding.is_none() && view.profile == Profile::Windows;
    if coding.is_some() || (bare && !usual) {
        out.raise("BDL-01", || {
            let how = coding.map_or_else(
                || "without Content-Length".to_owned(),
                |coding| format!("with Transfer-Encoding: {}", shown(coding)),
            );
            format!(
                "{} was answered {how}: BITS needs the size and fails with BG_E_MISSING_FILE_SIZE (0x80200011) or BG_E_INSUFFICIENT_RANGE_SUPPORT (0x80200013).",
                view.name()
            )
        });
    }
    let announced = answer.value("content-length").and_then(header::offset);
    // Hashes are not as long as what they stand for.
    let range = response.says.range.filter(|_| !response.says.peerdist);
    if let Some(range) = range.filter(|range| range.first <= range.last) {
        let span = range.last.saturating_sub(range.first).saturating_add(1);
        if let Some(announced) = announced.filter(|announced| *announced != span) {
            out.raise("BDL-05", || {
                format!(
                    "Content-Range {}-{} is {span} bytes, Content-Length says {announced}.",
                    range.first, range.last
                )
            });
            return;
        }
    }
    if let Some(announced) = announced
        && view.is(Packet::Get)
        && response.cut == Cut::BySender
        && !view.facts.torn
    {
        out.raise("BDL-05", || {
            format!(
                "The server hung up after {} of {announced} bytes.",
                response.content
            )
        });
    }
}

fn range(view: &View<'_>, status: u16, out: &mut Out<'_>) {
    let Some(response) = view.facts.response.filter(|_| view.is(Packet::Get)) else {
        return;
    };
    let (says, wanted) = (response.says, &view.facts.request.says.wanted);
    match (status, wanted.as_slice(), says.range) {
        (200, [(first, last)], _) => {
            let whole = *first == 0
                && says
                    .length
                    .is_none_or(|length| last.is_none_or(|last| last.saturating_add(1) >= length));
            if !whole {
                out.raise("BDL-02", || {
                    let last = last.map_or_else(String::new, |last| last.to_string());
                    format!("Bytes {first}-{last} were asked for and the whole file came (200): BITS fails with BG_E_INSUFFICIENT_RANGE_SUPPORT (0x80200013).")
                });
            }
        }
        (206, [_], None) if !says.multipart => out.raise("BDL-03", || {
            "A 206 has no readable Content-Range.".to_owned()
        }),
        (206, [(first, last)], Some(got)) => {
            let end = got.total.map(|total| total.saturating_sub(1));
            let expected = match (*last, end) {
                (Some(last), Some(end)) => Some(last.min(end)),
                (None, end) => end,
                // Without a total nobody knows where the file ends.
                (Some(last), None) => Some(last.min(got.last)),
            };
            if got.first != *first || expected.is_some_and(|expected| got.last != expected) {
                out.raise("BDL-03", || {
                    let last = last.map_or_else(String::new, |last| last.to_string());
                    format!(
                        "Bytes {first}-{last} were asked for, {}-{} came.",
                        got.first, got.last
                    )
                });
            }
        }
        (206, [_, _, ..], Some(got)) if !says.multipart => out.raise("BDL-11", || {
            format!(
                "{} ranges were asked for and one came, {}-{}.",
                wanted.len(),
                got.first,
                got.last
            )
        }),
        _ => {}
    }
}

/// Win32 HTTP Requirements for BITS Downloads
const PART_HEADERS: usize = 180;
const LINES_BEFORE: usize = 2;

/// Looks at the parts of an answer that came whole.
fn parts(view: &View<'_>, out: &mut Out<'_>) {
    let whole = view.facts.response.is_some_and(|r| r.cut == Cut::No);
    let seen = view
        .facts
        .parts
        .filter(|parts| whole && !view.facts.torn && !parts.doubtful && !parts.ranges.is_empty());
    let Some(parts) = seen else {
        return;
    };
    if parts.widest > PART_HEADERS || parts.lead > LINES_BEFORE {
        out.raise("BDL-12", || {
            format!(
                "A part has {} bytes of headers beside Content-Range and Content-Type (BITS takes {PART_HEADERS}), and {} line ends come before the first part (BITS takes {LINES_BEFORE}).",
                parts.widest, parts.lead
            )
        });
    }
    let wanted = &view.facts.request.says.wanted;
    // A range that is not read (`-500`) may be any part.
    let named = view
        .asked()
        .value("range")
        .map_or(0, |text| text.split(|byte| *byte == b',').count());
    if named != wanted.len() || wanted.len() < 2 {
        return;
    }
    // An end may be cut to the file's, and a range behind that is left out. RFC 9110 §14.1.2
    let fits = |part: &(u64, u64), range: &(u64, Option<u64>)| {
        part.0 == range.0 && range.1.is_none_or(|last| part.1 <= last)
    };
    let mut asked = wanted.iter();
    let stranger = parts
        .ranges
        .iter()
        .find(|part| !asked.any(|range| fits(part, range)));
    if let Some((first, last)) = stranger {
        let known = wanted.iter().any(|range| fits(&(*first, *last), range));
        let why = if known {
            "does not come in the order of the request"
        } else {
            "was not asked for as one"
        };
        out.raise("BDL-11", || {
            format!(
                "{} ranges were asked for; the part {first}-{last} {why}: BITS fails with BG_E_INVALID_SERVER_RESPONSE (0x8020001B) or asks for one range at a time.",
                wanted.len()
            )
        });
    }
}

/// Returns the size of the file that an answer tells.
pub(super) fn total(status: u16, says: &Ack) -> Option<u64> {
    match status {
        200 if says.peerdist => None,
        200 => says.length,
        206 => says.range.and_then(|range| range.total),
        _ => None,
    }
}

fn file(view: &View<'_>, past: &Past, status: u16, out: &mut Out<'_>) {
    let (Some(answer), Some(response)) = (view.answer(), view.facts.response) else {
        return;
    };
    let (says, known) = (response.says, &past.session.file);
    let coding = value(answer, Name::ContentEncoding).map(shown);
    let coded = coding.filter(|coding| {
        !matches!(
            coding.to_ascii_lowercase().as_str(),
            "identity" | "peerdist"
        )
    });
    // Content in a coding has another length and another tag.
    if let Some(coding) = coded {
        out.raise("BDL-10", || {
            format!("The content came as {coding}; BITS asks for identity and stores what comes.")
        });
        return;
    }
    if let (Some(before), Some(now)) = (known.total, total(status, says))
        && before != now
    {
        out.raise("BDL-04", || {
            format!("The file has {now} bytes now and had {before} before.")
        });
    }
    match (&known.modified, &says.last_modified) {
        (_, None) => out.raise("BDL-08", || {
            "The answer has no Last-Modified: BITS cannot see whether the file has changed."
                .to_owned()
        }),
        (Some(before), Some(now)) if before != now => {
            out.raise("BDL-06", || {
                format!(
                    "Last-Modified is {} now and was {} before: BITS begins the file again.",
                    shown(now.as_bytes()),
                    shown(before.as_bytes())
                )
            });
            // Another file has another tag.
            return;
        }
        _ => {}
    }
    // RFC 9110 §8.8.3.2: a tag that became weak is no other version.
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    if let (Some(before), Some(now)) = (&known.etag, &says.etag)
        && opaque(before) != opaque(now)
    {
        out.raise("BDL-07", || {
            format!(
                "ETag is {} now and was {} before.",
                shown(now.as_bytes()),
                shown(before.as_bytes())
            )
        });
    }
    let since = value(view.asked(), Name::IfUnmodifiedSince);
    let dates = since.and_then(date).zip(
        says.last_modified
            .as_deref()
            .and_then(|text| date(text.as_bytes())),
    );
    if let Some((since, modified)) = dates
        && modified > since
    {
        out.raise("BDL-09", || {
            format!(
                "The client wanted the file as of {}, and got one of {} with {status} in place of 412.",
                value(view.asked(), Name::IfUnmodifiedSince).map(shown).unwrap_or_default(),
                says.last_modified.as_deref().map(|text| shown(text.as_bytes())).unwrap_or_default()
            )
        });
    }
}

fn redirect(view: &View<'_>, past: &Past, status: u16, out: &mut Out<'_>) {
    let Some(location) = view.answer().and_then(|answer| answer.value("location")) else {
        return;
    };
    let text = String::from_utf8_lossy(location);
    let plain = split(&text).0.is_some() && text.to_ascii_lowercase().starts_with("http:");
    if view.facts.tls && plain {
        out.raise("BDL-14", || {
            format!(
                "{} was redirected ({status}) from https to {}; BITS refuses that.",
                view.name(),
                shown(location)
            )
        });
    } else if past.session.file.begun && !past.session.file.redirected {
        // Where the first request was redirected, the others for this URL are, too.
        out.raise("BDL-14", || {
            format!(
                "{} was redirected ({status}) to {} in the middle of the file.",
                view.name(),
                shown(location)
            )
        });
    }
}

/// Reads a date in a form that can be compared: year, month, day, hour, minute, second.
///
/// RFC 9110 §5.6.7
fn date(text: &[u8]) -> Option<[u32; 6]> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = str::from_utf8(text).ok()?;
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?;
    let year = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(|part| part.parse().ok());
    Some([
        year,
        u32::try_from(month).ok()?,
        day,
        clock.next()??,
        clock.next()??,
        clock.next()??,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_compared_by_time() {
        let older = date(b"Fri, 31 Dec 2025 23:59:59 GMT");
        let newer = date(b"Mon, 05 Jan 2026 10:00:00 GMT");
        assert!(older.is_some() && older < newer);
        assert_eq!(date(b"yesterday"), None);
    }
}
