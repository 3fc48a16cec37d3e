//! What a code, a name, a packet or a field means, in words: one list of lookups, tried in order.
//!
//! A new kind of thing that can be explained is one more function in `LOOKUPS`. Knows no traffic.

use serde::Serialize;

use crate::bits::header::{self, Name};
use crate::bits::{Packet, check, faults, hresult};

use super::login;

/// What is known of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `hresult`, `context`, `packet`, `field`, `rule`, `fault`, `login`.
    pub kind: &'static str,
    /// The symbolic name, or the spelling on the wire.
    pub name: String,
    /// The HRESULT, or the context's value.
    pub code: Option<u32>,
    /// One clause, lower case; of a rule what must hold, a whole sentence; of a fault what is done.
    pub meaning: String,
    /// What the Windows client does next: one clause; empty where no source says so.
    pub next: String,
    /// How sure `next` is, of a fault.
    pub basis: Option<&'static str>,
    pub source: String,
}

/// Tries to explain a query in one way.
type Lookup = fn(&str) -> Option<Explanation>;

/// The lookups in the order in which they are tried.
const LOOKUPS: &[Lookup] = &[
    context,
    code,
    symbol,
    packet,
    field,
    rule,
    fault,
    login::explain,
];

/// Returns what is known of `query`; its case does not matter.
pub fn explain(query: &str) -> Option<Explanation> {
    let query = query.trim();
    LOOKUPS.iter().find_map(|lookup| lookup(query))
}

/// Returns what might have been meant by a query that nothing is known of.
pub fn hint(query: &str) -> String {
    let wanted = query.trim().to_ascii_uppercase();
    let known = hresult::names()
        .chain((0..=8).filter_map(hresult::context_name))
        .chain(PACKETS.iter().map(|row| row.0))
        .chain(header::SPELLINGS.iter().map(|spelling| spelling.wire))
        .chain(check::rules().map(|rule| rule.id))
        .chain(faults::faults().iter().map(|fault| fault.id))
        .chain(login::names());
    let nearest = known
        .map(|name| {
            (
                strsim::levenshtein(&wanted, &name.to_ascii_uppercase()),
                name,
            )
        })
        .min();
    match nearest {
        // A third of the letters may be wrong; more is no likeness.
        Some((distance, name)) if distance <= wanted.len() / 3 && wanted.len() <= 100 => {
            format!("did you mean {name}?")
        }
        _ => "codes look like 0x80072EFE, -2147012866, 12030, 416, BG_E_SESSION_NOT_FOUND, context 5, Fragment, BITS-Host-Id, BUP-FR-12 or F-11".to_owned(),
    }
}

/// Tells whether a word is the value of an error context.
pub fn is_context(word: &str) -> bool {
    header::context(word.as_bytes())
        .and_then(hresult::context_name)
        .is_some()
}

fn context(query: &str) -> Option<Explanation> {
    let by_number = || {
        let (word, value) = query.split_once(char::is_whitespace)?;
        let ours = word.eq_ignore_ascii_case("context")
            || header::identify(word.trim_end_matches(':').as_bytes())
                .is_some_and(|known| known.name == Name::ErrorContext);
        ours.then(|| header::context(value.as_bytes())).flatten()
    };
    let by_name = || {
        (0..=8).find(|&value| {
            hresult::context_name(value).is_some_and(|name| name.eq_ignore_ascii_case(query))
        })
    };
    let value = by_number().or_else(by_name)?;
    let legal = if matches!(value, 5 | 7) {
        ""
    } else {
        "; not legal on the wire, where only 5 and 7 are"
    };
    Some(Explanation {
        kind: "context",
        name: hresult::context_name(value)?.to_owned(),
        code: Some(value),
        meaning: format!(
            "the error arose in {}{legal}",
            hresult::context_meaning(value)?
        )
        .replace("arose in no error", "context of no error"),
        next: String::new(),
        basis: None,
        source: "MC-BUP §2.2.1.2; Win32 BG_ERROR_CONTEXT".to_owned(),
    })
}

fn code(query: &str) -> Option<Explanation> {
    let code = number(query)?;
    if let Some(known) = hresult::lookup(code) {
        return Some(named(known));
    }
    let low = code & 0xFFFF;
    let meaning = match code >> 16 {
        _ if code & 0x2000_0000 != 0 => "an error that a vendor defined".to_owned(),
        0x8019 => format!("the server answered with HTTP status {low}"),
        0x8007 => format!("error {low} of Windows; `net helpmsg {low}` tells more there"),
        _ => return None,
    };
    Some(Explanation {
        kind: "hresult",
        name: hresult::name(code),
        code: Some(code),
        meaning,
        next: String::new(),
        basis: None,
        source: "MC-BUP §1.8; the facility of the code".to_owned(),
    })
}

/// Reads a code as people write it: hexadecimal, decimal, signed; a WinHTTP number; an HTTP status.
fn number(query: &str) -> Option<u32> {
    let digits = query
        .strip_prefix("0x")
        .or_else(|| query.strip_prefix("0X"));
    if let Some(digits) = digits {
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        return plain
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten();
    }
    let Ok(value) = query.parse::<i64>() else {
        // Eight digits can only be an HRESULT whose prefix was left out.
        let bare = query.len() == 8 && query.bytes().all(|byte| byte.is_ascii_hexdigit());
        return bare.then(|| u32::from_str_radix(query, 16).ok()).flatten();
    };
    match value {
        100..=599 => Some(0x8019_0000 | u32::try_from(value).ok()?),
        12_000..=12_999 => Some(0x8007_0000 | u32::try_from(value).ok()?),
        // `80070005` is no number of this size that anybody writes.
        10_000_000..=99_999_999 => u32::from_str_radix(query, 16).ok(),
        _ => u32::try_from(value)
            .ok()
            .or_else(|| i32::try_from(value).ok().map(i32::cast_unsigned)),
    }
}

fn symbol(query: &str) -> Option<Explanation> {
    hresult::lookup_name(query).map(named)
}

fn named(known: hresult::Known) -> Explanation {
    let header = match known.code >> 16 {
        0x8020 | 0x0020 => "bitsmsg.h (Windows SDK)",
        0x8019 => "bitsmsg.h (Windows SDK); RFC 9110 §15",
        0x8007 if (12_000..13_000).contains(&(known.code & 0xFFFF)) => "winhttp.h (Windows SDK)",
        _ => "winerror.h (Windows SDK)",
    };
    let next = if known.next.is_empty() {
        ""
    } else {
        "; MC-BUP §2.2.1.2, §3.1.5.2.1"
    };
    Explanation {
        kind: "hresult",
        name: known.name.to_owned(),
        code: Some(known.code),
        meaning: known.meaning.to_owned(),
        next: known.next.to_owned(),
        basis: None,
        source: format!("{header}{next}"),
    }
}

/// Name, meaning, what the Windows client does next, source.
const PACKETS: [(&str, &str, &str, &str); 7] = [
    (
        "Ping",
        "opens the connection, authenticates, tests the host that BITS-Host-Id named; carries nothing",
        "sends Create-Session, or goes on with the session that was interrupted",
        "MC-BUP §2.2.4",
    ),
    (
        "Create-Session",
        "asks the server for an upload session; offers protocols",
        "sends the first Fragment, or Ping first where the answer names another host",
        "MC-BUP §2.2.2",
    ),
    (
        "Fragment",
        "carries the bytes of the file that its Content-Range names, in order from 0",
        "goes on at the offset that BITS-Received-Content-Range of the Ack tells",
        "MC-BUP §2.2.6",
    ),
    (
        "Close-Session",
        "tells that the upload, and the reply if there is one, are complete; frees the session",
        "is done: the job is transferred",
        "MC-BUP §2.2.8",
    ),
    (
        "Cancel-Session",
        "gives the session up; the server deletes what it has of it",
        "is done: the job is cancelled",
        "MC-BUP §2.2.10",
    ),
    (
        "Notification",
        "the BITS server tells the application behind it of an upload, with an ordinary POST",
        "",
        "MC-BUP §2.2.12",
    ),
    (
        "Ack",
        "the server's answer to any packet; empty content, all is in its fields",
        "does what its status and error code say",
        "MC-BUP §2.2.1.2, §3.1.5.2",
    ),
];

fn packet(query: &str) -> Option<Explanation> {
    let letters = |text: &str| -> String {
        let kept = text.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
        kept.collect::<String>().to_ascii_lowercase()
    };
    let wanted = letters(query);
    let row = PACKETS.iter().find(|row| letters(row.0) == wanted);
    let downloads = [Packet::Head, Packet::Get].map(Packet::name);
    if let Some(name) = downloads
        .iter()
        .find(|name| name.eq_ignore_ascii_case(query))
    {
        let meaning = if *name == "HEAD" {
            "asks for size and date of a file before it is downloaded"
        } else {
            "downloads a file or ranges of it"
        };
        return Some(explained(
            name,
            meaning,
            "asks for the ranges that are missing",
            "MC-BUP §2.3",
        ));
    }
    row.map(|row| explained(row.0, row.1, row.2, row.3))
}

fn explained(name: &str, meaning: &str, next: &str, source: &str) -> Explanation {
    Explanation {
        kind: "packet",
        name: name.to_owned(),
        code: None,
        meaning: meaning.to_owned(),
        next: next.to_owned(),
        basis: None,
        source: source.to_owned(),
    }
}

fn field(query: &str) -> Option<Explanation> {
    let spelling = header::identify(query.trim_end_matches(':').as_bytes())?;
    let usual = header::SPELLINGS
        .iter()
        .find(|other| other.name == spelling.name)?;
    let meaning = if usual == spelling {
        usual.meaning.to_owned()
    } else {
        format!(
            "another spelling of {}, {}: {}",
            usual.wire, spelling.oddity, usual.meaning
        )
    };
    Some(Explanation {
        kind: "field",
        name: spelling.wire.to_owned(),
        code: None,
        meaning,
        next: field_next(spelling.name).to_owned(),
        basis: None,
        source: field_source(spelling.name).to_owned(),
    })
}

fn rule(query: &str) -> Option<Explanation> {
    let rule = check::find(&query.to_ascii_uppercase())?;
    Some(Explanation {
        kind: "rule",
        name: rule.id.to_owned(),
        code: None,
        meaning: format!("{} {}", rule.says, verdict(rule)),
        next: String::new(),
        basis: None,
        source: rule.source.to_owned(),
    })
}

/// Returns how bad a breach of a rule is, and whose it is: `A breach by the server is an error (under docs a note).`
fn verdict(rule: &check::Rule) -> String {
    let level = |profile| match rule.level(profile) {
        check::Level::Off => "nothing",
        check::Level::Note => "a note",
        check::Level::Warning => "a warning",
        check::Level::Error => "an error",
    };
    let usual = level(check::Profile::Windows);
    let others: Vec<String> = check::Profile::ALL
        .into_iter()
        .filter(|profile| level(*profile) != usual)
        .map(|profile| format!("under {} {}", profile.name(), level(profile)))
        .collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(" ({})", others.join(", "))
    };
    let who: Vec<&str> = rule.who.iter().map(|who| who.name()).collect();
    format!("A breach by the {} is {usual}{others}.", who.join(" or "))
}

fn fault(query: &str) -> Option<Explanation> {
    let fault = faults::find(query)?;
    Some(Explanation {
        kind: "fault",
        name: fault.id.to_owned(),
        code: None,
        meaning: fault.injection.to_owned(),
        next: fault.expected.to_owned(),
        basis: Some(fault.basis.name()),
        source: fault.source.to_owned(),
    })
}

const fn field_next(name: Name) -> &'static str {
    match name {
        Name::ReceivedContentRange => "goes on with a Fragment that begins there",
        Name::ReplyUrl => "downloads the reply from there, then sends Close-Session",
        Name::HostId => "sends Ping and all that follows to that host",
        Name::HostIdFallbackTimeout => {
            "returns to the original host when that host is out of reach for so long"
        }
        Name::SessionId => "repeats it in every later packet of the session",
        _ => "",
    }
}

const fn field_source(name: Name) -> &'static str {
    match name {
        Name::SupportedProtocols => "MC-BUP §2.2.2.2",
        Name::Protocol | Name::HostId | Name::HostIdFallbackTimeout => "MC-BUP §2.2.3.2",
        Name::AcceptEncoding => "MC-BUP §2.2.3.1",
        Name::ContentRange => "MC-BUP §2.2.6.1; RFC 9110 §14.4",
        Name::ContentEncoding => "MC-BUP §2.2.6.1; RFC 9110 §8.4",
        Name::ReceivedContentRange | Name::ReplyUrl => "MC-BUP §2.2.7.2",
        Name::ContentName | Name::ContentLength => "MC-BUP §2.2.1.1",
        Name::OriginalRequestUrl | Name::RequestDataFile | Name::ResponseDataFile => {
            "MC-BUP §2.2.12.2"
        }
        Name::StaticResponseUrl | Name::CopyFileToDestination => "MC-BUP §2.2.13.2",
        Name::PacketType | Name::SessionId | Name::Error | Name::ErrorContext => "MC-BUP §2.2.1.2",
        Name::MethodOverride | Name::ResourceId => "observed: the OneDrive variant of the protocol",
        Name::Range => "MC-BUP §2.3; RFC 9110 §14.2",
        Name::IfUnmodifiedSince => "MC-BUP §2.3; RFC 9110 §13.1.4",
        Name::LastModified => "RFC 9110 §8.8.2",
        Name::ETag => "RFC 9110 §8.8.3",
        Name::Location => "RFC 9110 §10.2.2",
        Name::ContentType => "RFC 9110 §8.3",
        Name::UserAgent => "RFC 9110 §10.1.5",
        Name::Host => "RFC 9110 §7.2",
    }
}

impl Explanation {
    /// Returns it as lines for people.
    pub fn text(&self) -> String {
        let mut text = self.name.clone();
        if let Some(code) = self.code {
            if self.kind == "context" {
                text.push_str(&format!("  context 0x{code:X}"));
            } else {
                text.push_str(&format!("  0x{code:08X}  {}", code.cast_signed()));
                if code >> 16 == 0x8007 && (12_000..13_000).contains(&(code & 0xFFFF)) {
                    text.push_str(&format!("  WinHTTP {}", code & 0xFFFF));
                }
            }
        }
        text.push_str(&format!("\n  means   {}", self.meaning));
        if !self.next.is_empty() {
            text.push_str(&format!("\n  next    a Windows client {}", self.next));
        }
        if let Some(basis) = self.basis {
            text.push_str(&format!("\n  basis   {basis}"));
        }
        text.push_str(&format!("\n  source  {}", self.source));
        text
    }

    /// Returns the `explanation` line.
    pub fn json(&self, query: &str) -> String {
        #[derive(Serialize)]
        struct Line<'l> {
            r#type: &'static str,
            query: &'l str,
            kind: &'static str,
            name: &'l str,
            code: Option<String>,
            meaning: &'l str,
            next: Option<&'l str>,
            basis: Option<&'static str>,
            source: &'l str,
        }
        let line = Line {
            r#type: "explanation",
            query,
            kind: self.kind,
            name: &self.name,
            code: self.code.map(|code| match self.kind {
                "context" => format!("0x{code:X}"),
                _ => format!("0x{code:08X}"),
            }),
            meaning: &self.meaning,
            next: Some(self.next.as_str()).filter(|next| !next.is_empty()),
            basis: self.basis,
            source: &self.source,
        };
        super::json::line(&line)
    }
}
