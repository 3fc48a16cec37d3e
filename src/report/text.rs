//! A timeline as lines of text for people: aligned, without colour, safe to pipe.

use crate::bits::check::{Finding, Level};
use crate::bits::hresult;
use crate::timeline::{Exchange, Outcome, Remark, Session, SessionState, Summary};

use super::{login, unit};

/// Column heads for [`exchange`] lines.
pub const EXCHANGE_HEAD: &str =
    "    no      time  packet          range                     st        next      wait  what";

/// Returns one line for an exchange.
pub fn exchange(exchange: &Exchange) -> String {
    let what = match exchange.packet {
        Some(packet) => packet.name().to_owned(),
        None => clean(&exchange.method, 14),
    };
    let range = exchange.range.map_or_else(
        || "-".to_owned(),
        |range| match range.total {
            Some(total) => format!("{}-{}/{total}", range.first, range.last),
            None => format!("{}-{}/*", range.first, range.last),
        },
    );
    let status = exchange
        .status
        .map_or_else(|| "-".to_owned(), |status| status.to_string());
    let received = exchange
        .received
        .get()
        .map_or_else(|| "-".to_owned(), |received| received.to_string());
    let wait = match (
        exchange.times.get().request_end,
        exchange.times.get().response_begun,
    ) {
        (Some(from), Some(to)) => unit::duration(to.saturating_sub(from)),
        _ => "-".to_owned(),
    };
    format!(
        "{:>6} {:>9.3}  {what:<15} {range:<24} {status:>3} {received:>11} {wait:>9}  {}",
        exchange.no,
        exchange.times.get().begun.as_secs_f64(),
        remarks(exchange),
    )
    .trim_end()
    .to_owned()
}

/// What the columns cannot say: the URL, the error by name, how it ended.
fn remarks(exchange: &Exchange) -> String {
    let mut words = vec![clean(&exchange.url, 200)];
    if let Some(error) = exchange.error {
        words.push(hresult::name(error.code));
    }
    if exchange.parts.len() > 1 {
        words.push(format!("[{} ranges]", exchange.parts.len()));
    }
    if !matches!(exchange.outcome, Outcome::Complete) {
        words.push(format!("[{}]", exchange.outcome.name()));
    }
    if let Some(auth) = exchange.auth.filter(|auth| auth.scheme.is_some()) {
        words.push(format!("[{}]", login::words(auth)));
    }
    for rule in exchange.faults.iter() {
        words.push(format!("[rule {}]", clean(rule, 80)));
    }
    words.join(" ")
}

/// Returns one line for a session, and one line more per sentence of its story.
pub fn session(session: &Session) -> String {
    let mut text = format!(
        "session {} {} {}: {}",
        session.no,
        session.kind.name(),
        clean(&session.name, 80),
        session.state.name(),
    );
    let done = session.acknowledged;
    match (unit::percent(done, session.total), session.total) {
        (_, Some(total)) if session.state == SessionState::Complete && done < total => {
            text.push_str(&format!(", {done} bytes in ranges of a file of {total}"));
        }
        (Some(percent), Some(total)) => {
            text.push_str(&format!(", {done} of {total} bytes ({percent}%)"));
        }
        _ => text.push_str(&format!(", {done} bytes")),
    }
    for (number, word) in [
        (session.restarts, "restart"),
        (session.rewinds, "rewind"),
        (session.connections, "connection"),
        (session.exchanges, "exchange"),
    ] {
        if number > 0 {
            text.push_str(", ");
            text.push_str(&count(u64::from(number), word));
        }
    }
    if session.resent > 0 {
        text.push_str(&format!(", {} sent twice", unit::size(session.resent)));
    }
    for sentence in &session.story {
        text.push_str("\n    ");
        text.push_str(&clean(sentence, usize::MAX));
    }
    text
}

/// Returns one line for a remark.
pub fn note(remark: &Remark) -> String {
    format!(
        "  note {:>9.3}  {}",
        remark.at.as_secs_f64(),
        clean(&remark.text, usize::MAX)
    )
}

/// Returns one line for a finding.
pub fn finding(finding: &Finding) -> String {
    let sign = match finding.level {
        Level::Error => 'E',
        Level::Warning => 'W',
        Level::Note | Level::Off => 'N',
    };
    let mut place = Vec::new();
    place.extend(finding.exchange.map(|no| format!("exchange {no}")));
    place.extend(finding.session.map(|no| format!("session {no}")));
    let place = if place.is_empty() {
        String::new()
    } else {
        format!("{}: ", place.join(", "))
    };
    format!(
        "{sign} {:<10} {place}{} ({})",
        finding.id,
        clean(&finding.text, usize::MAX),
        finding.source,
    )
}

/// Returns how many findings there are of each level.
pub fn findings(summary: &Summary) -> String {
    format!(
        "{}, {}, {}",
        count(summary.errors, "error"),
        count(summary.warnings, "warning"),
        count(summary.notes, "note"),
    )
}

/// Returns the last line.
pub fn summary(summary: &Summary) -> String {
    format!(
        "{}, {}, {}; {} to the server, {} to the client; {}",
        count(summary.exchanges, "exchange"),
        count(summary.sessions, "session"),
        count(summary.connections, "connection"),
        unit::size(summary.to_server),
        unit::size(summary.to_client),
        findings(summary),
    )
}

/// Returns `1 session`, `2 sessions`.
pub fn count(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// Returns `text` with everything that could move a terminal's cursor or reorder its line escaped, and
/// cut to `width` characters.
///
/// Names and URLs are a peer's bytes: what [`is_hidden`] is shown as `\u{..}`.
pub fn clean(text: &str, width: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(256));
    for (count, character) in text.chars().enumerate() {
        if count == width {
            shown.push('~');
            break;
        }
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Tells whether a character moves a terminal's cursor, shows nothing, changes the direction of others,
/// or joins them: it may deceive whoever reads the line.
///
/// C0 and C1 controls, DEL; Unicode 16, `Default_Ignorable_Code_Point` and `Bidi_Control`
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0
            | 0xFFF0..=0xFFFB | 0x1_BCA0..=0x1_BCA3 | 0x1_D173..=0x1_D17A | 0xE_0000..=0xE_0FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_cannot_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb", 80), "a\\u{1b}[2Jb");
        assert_eq!(clean("x\u{202E}gpj", 80), "x\\u{202e}gpj");
        assert_eq!(clean("line\r\nline", 80), "line\\u{d}\\u{a}line");
        assert_eq!(clean("\u{9b}31m", 80), "\\u{9b}31m");
        assert_eq!(clean("ab\u{200b}\u{2066}c", 80), "ab\\u{200b}\\u{2066}c");
        assert_eq!(clean("soft\u{ad}hyphen", 80), "soft\\u{ad}hyphen");
        assert_eq!(clean("abcdef", 3), "abc~");
        assert_eq!(clean("abc", 3), "abc");
    }
}
