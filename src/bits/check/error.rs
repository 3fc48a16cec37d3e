//! Rules for the error that an Ack carries.

use crate::bits::header::{self, Name};
use crate::bits::hresult;

use super::rule::Level::{Error, Note, Warning};
use super::rule::{Profile, Rule, SERVER, rule};
use super::tally::Out;
use super::view::{View, shown, value, values};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-ER-01", Warning, SERVER, "MC-BUP §2.2.1.2, Win32 Ack for Ping",
        "An Ack with 200 or 201 carries no error.",
        "successful Acks carry an error"),
    rule("BUP-ER-02", Error, SERVER, "MC-BUP §2.2.1.2",
        "BITS-Error-Context comes only with an error.",
        "Acks have an error context without an error"),
    rule("BUP-ER-03", Warning, SERVER, "MC-BUP §2.2.3.2, §2.2.7.2",
        "An error comes with BITS-Error-Context.",
        "Acks have an error without its context"),
    rule("BUP-ER-04", Note, SERVER, "MC-BUP §2.2.3.2, note <4>",
        "An Ack that refuses carries an error; Windows leaves it out where the status says it all.",
        "refusals carry no error code"),
    rule("BUP-ER-05", Error, SERVER, "Win32 Ack for Ping",
        "The error is at most 8 hexadecimal digits, after 0x or x.",
        "Acks have an error that is not hexadecimal"),
    rule("BUP-ER-06", Warning, SERVER, "MC-BUP §2.2.1.2",
        "BITS-Error-Context is 0x5 (server) or 0x7 (application behind it).",
        "Acks have an error context that is neither 0x5 nor 0x7"),
    rule("BUP-ER-07", Warning, SERVER, "MC-BUP §2.2.1.2",
        "The error has the failure bit, or is 0 with 416.",
        "Acks have an error that is no failure"),
    rule("BUP-ER-08", Warning, SERVER, "MC-BUP §2.2.1.2",
        "Error and status belong together.",
        "Acks have an error that does not belong to their status"),
    rule("BUP-ER-09", Warning, SERVER, "MC-BUP §2.2.1.2, Win32 Ack for Fragment",
        "BITS-Error and BITS-Error-Code, where both are there, say the same.",
        "Acks say two errors"),
    rule("BUP-ER-10", Note, SERVER, "MC-BUP §2.2.1.2, Win32 Ack for Fragment",
        "The error's header is spelled as the profile's document has it; under windows it is only told which spelling is used.",
        "sessions have errors under one of the two header names").once(),
];

/// Statuses that each error comes with.
///
/// MC-BUP §2.2.1.2, §3.3.6; Win32 "BITS Return Values", "Ack for Create-Session"
const PAIRS: &[(u32, &[u16])] = &[
    (hresult::BG_E_SESSION_NOT_FOUND, &[500]),
    (hresult::BG_E_TOO_LARGE, &[500]),
    (0x8007_0070, &[500]),
    // A misprint of the line above, also seen in the text for an application that does not answer.
    (0x8007_0112, &[500, 408]),
    (0x8007_0005, &[403, 501]),
    (0x8007_0057, &[400, 411]),
];

/// More of them that the Win32 pages name.
const MORE_PAIRS: &[(u32, &[u16])] = &[(0x8007_0005, &[404, 409])];

pub(super) fn check(view: &View<'_>, out: &mut Out<'_>) {
    let (Some(answer), Some(response)) = (view.answer(), view.facts.response) else {
        return;
    };
    let status = view.status().unwrap_or_default();
    let mut errors = values(answer, Name::Error);
    let context = value(answer, Name::ErrorContext);
    let Some((spelling, text)) = errors.next() else {
        if let Some(context) = context {
            out.raise("BUP-ER-02", || {
                format!(
                    "BITS-Error-Context: {} came without an error code.",
                    shown(context)
                )
            });
        } else if status >= 400 && !matches!(status, 401 | 407 | 413 | 416) {
            out.raise("BUP-ER-04", || {
                format!(
                    "{} was refused with {status} and no error code.",
                    view.name()
                )
            });
        }
        return;
    };
    let other = errors.find(|other| other.0.wire != spelling.wire);
    if let Some((_, other)) =
        other.filter(|other| header::hresult(other.1) != header::hresult(text))
    {
        out.raise("BUP-ER-09", || {
            format!(
                "The Ack says the error {} and the error {}.",
                shown(text),
                shown(other)
            )
        });
    }
    let expected = match view.profile {
        Profile::Windows => "",
        Profile::Spec => "BITS-Error",
        Profile::Docs => "BITS-Error-Code",
    };
    if spelling.wire != expected {
        out.raise("BUP-ER-10", || {
            format!("The server names its errors in {}.", spelling.wire)
        });
    }
    match context.map(|context| (context, header::context(context))) {
        None => out.raise("BUP-ER-03", || {
            format!("The error {} has no BITS-Error-Context.", shown(text))
        }),
        Some((_, Some(5 | 7))) => {}
        // No error arose nowhere.
        Some(_) if response.says.error == Some(0) => {}
        Some((context, _)) => out.raise("BUP-ER-06", || {
            format!(
                "BITS-Error-Context: {} is neither 0x5 (server) nor 0x7 (application).",
                shown(context)
            )
        }),
    }
    if !is_hexadecimal(text) {
        out.raise("BUP-ER-05", || {
            format!("The error {} is not hexadecimal.", shown(text))
        });
        return;
    }
    if let Some(code) = response.says.error {
        code_and_status(view, code, status, out);
    }
}

fn code_and_status(view: &View<'_>, code: u32, status: u16, out: &mut Out<'_>) {
    let name = hresult::name(code);
    if view.succeeded() {
        let (level, what) = match code {
            0 => (Note, "names an error field for S_OK"),
            _ => (Error, "carries the error"),
        };
        out.mild("BUP-ER-01", level, || {
            format!(
                "{} was granted with {status}, and yet the Ack {what} 0x{code:08X}.",
                view.name()
            )
        });
        return;
    }
    if code == 0 && status == 416 {
        return;
    }
    if code & 0x8000_0000 == 0 {
        out.raise("BUP-ER-07", || {
            format!("The error 0x{code:08X} with status {status} is not a failure: its highest bit is not set.")
        });
        return;
    }
    let more = if view.profile == Profile::Spec {
        &[]
    } else {
        MORE_PAIRS
    };
    let mut rows = PAIRS
        .iter()
        .chain(more)
        .filter(|row| row.0 == code)
        .peekable();
    if rows.peek().is_some() && !rows.any(|row| row.1.contains(&status)) {
        out.raise("BUP-ER-08", || {
            format!("{name} (0x{code:08X}) came with status {status}, which does not belong to it.")
        });
    }
}

fn is_hexadecimal(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let digits = [&b"0x"[..], b"0X", b"x", b"X"]
        .iter()
        .find_map(|prefix| text.strip_prefix(*prefix))
        .unwrap_or(text);
    (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit)
}
