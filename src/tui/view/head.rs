//! Head: request and response heads as sent, control bytes made visible, credentials masked.

use ratatui::text::{Line, Span};

use super::super::Look;
use super::super::copy::CREDENTIALS;
use super::super::model::{Model, Read};
use super::super::rows::Rows;
use super::super::text::{fit, fold, visible};
use super::super::theme::{Role, signs, style};
use super::super::want::{HEAD_LIMIT, head};
use super::detail::nothing;
use crate::bits::auth::{Scheme, challenges, credentials};
use crate::timeline::row::Message;

/// Fields that hold a token while a handshake goes on.
const CHALLENGES: [&str; 2] = ["www-authenticate", "proxy-authenticate"];

/// From this width on the two heads stand side by side.
const BESIDE: usize = 100;

/// Returns the tab's lines.
pub(super) fn lines(model: &Model, rows: &dyn Rows, width: usize) -> Vec<Line<'static>> {
    let Some(exchange) = model.exchange(rows) else {
        return nothing(model);
    };
    let look = model.look;
    if width < BESIDE {
        let mut out = message(model, "Request", exchange.request.as_ref(), width);
        out.push(Line::raw(""));
        out.extend(message(
            model,
            "Response",
            exchange.response.as_ref(),
            width,
        ));
        return out;
    }
    let half = (width - 3) / 2;
    let left = message(model, "Request", exchange.request.as_ref(), half);
    let right = message(
        model,
        "Response",
        exchange.response.as_ref(),
        width - 3 - half,
    );
    beside(left, right, half, look)
}

fn beside(
    left: Vec<Line<'static>>,
    right: Vec<Line<'static>>,
    width: usize,
    look: Look,
) -> Vec<Line<'static>> {
    let count = left.len().max(right.len());
    let mut left = left.into_iter();
    let mut right = right.into_iter();
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        let mut line = left.next().unwrap_or_default();
        let blank = width.saturating_sub(line.width());
        line.spans.push(Span::raw(" ".repeat(blank + 1)));
        let rule = signs(look).border.vertical_left;
        line.spans
            .push(Span::styled(rule, style(look, Role::Border)));
        line.spans.extend(right.next().unwrap_or_default().spans);
        out.push(line);
    }
    out
}

fn message(
    model: &Model,
    name: &str,
    message: Option<&Message>,
    width: usize,
) -> Vec<Line<'static>> {
    let look = model.look;
    let note = |text: String, role| {
        let text = fit(&text, width.saturating_sub(1), look.ascii);
        Line::styled(format!(" {text}"), style(look, role))
    };
    let Some(message) = message else {
        return vec![note(format!("{name}: none"), Role::Dim)];
    };
    let mut out = vec![note(
        format!(
            "{name}: head {} bytes, body {} bytes",
            message.head.len, message.body
        ),
        Role::Dim,
    )];
    match head(message).and_then(|want| model.read(&want)) {
        None => out.push(note("(nothing to read)".to_owned(), Role::Dim)),
        Some(Err(why)) => out.push(note(format!("! not readable: {why}"), Role::Error)),
        Some(Ok(_)) if message.head.len == 0 => {}
        Some(read @ Ok(_)) => fields(&mut out, read, model, width),
    }
    if message.head.len > u64::try_from(HEAD_LIMIT).unwrap_or(u64::MAX) {
        out.push(note(
            format!("(only the first {HEAD_LIMIT} bytes are shown)"),
            Role::Warning,
        ));
    }
    out
}

/// Writes the lines of a head.
fn fields(out: &mut Vec<Line<'static>>, read: &Read, model: &Model, width: usize) {
    let Ok(chunk) = read else {
        return;
    };
    let look = model.look;
    let missing: usize = chunk.holes.iter().map(ExactSizeIterator::len).sum();
    let mut masked = false;
    for (number, line) in chunk.bytes.split(|byte| *byte == b'\n').enumerate() {
        // The CR belongs to the line's end; any other one is shown.
        let (line, crlf) = match line.strip_suffix(b"\r") {
            Some(line) => (line, true),
            None => (line, false),
        };
        if line.is_empty() {
            continue;
        }
        // A line that begins with a blank goes on with the field before it (RFC 9112 §5.2).
        let folded = line
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        if !folded {
            masked = number > 0 && is_credential(line);
        }
        let hide = masked && !model.reveal;
        let mut text = written(line, hide, folded, look);
        let seen = text.trim_end_matches(' ').len();
        let blanks = text.len() - seen;
        text.truncate(seen);
        text.push_str(&"\\x20".repeat(blanks));
        if !crlf {
            text.push_str(" \\n only");
        }
        push_field(out, &text, number == 0, hide, width, look);
    }
    if missing > 0 {
        let text = format!(" ! {missing} bytes of this head are not in the capture");
        out.push(Line::styled(text, style(look, Role::Warning)));
    }
}

/// Tells whether a line holds what nobody else should read: credentials, and tokens of a handshake.
pub(super) fn is_credential(line: &[u8]) -> bool {
    let (name, value) = halves(line);
    let name = name.strip_suffix(b":").unwrap_or(name).trim_ascii();
    let is = |known: &&str| name.eq_ignore_ascii_case(known.as_bytes());
    let carries =
        |(scheme, token): &(Scheme, &[u8])| scheme.is_of_connection() && !token.is_empty();
    CREDENTIALS.iter().any(is) || CHALLENGES.iter().any(is) && challenges(value).iter().any(carries)
}

/// Cuts a line behind its first colon.
fn halves(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':');
    line.split_at(colon.map_or(line.len(), |colon| colon + 1))
}

/// Returns a line as text; of a masked one only the name, the scheme and the length.
pub(super) fn written(line: &[u8], hide: bool, folded: bool, look: Look) -> String {
    if !hide {
        return visible(line, look.ascii);
    }
    let (name, value) = match halves(line) {
        (name, value) if !folded && name.ends_with(b":") => (name, value),
        _ => (&b""[..], line),
    };
    let value = value.trim_ascii();
    // `NTLM`, `Basic`: tells how, not with what.
    let scheme = value
        .split(|byte| *byte == b' ')
        .next()
        .filter(|scheme| !folded && scheme.len() < value.len() && scheme.len() <= 12)
        .filter(|scheme| scheme.iter().all(u8::is_ascii_alphabetic))
        .unwrap_or_default();
    let stage = match credentials(value) {
        (known, stage) if known.is_of_connection() && !scheme.is_empty() => stage.name(),
        _ => "",
    };
    let mut text = visible(name, look.ascii);
    let scheme_text = visible(scheme, look.ascii);
    for word in [&scheme_text, stage]
        .into_iter()
        .filter(|word| !word.is_empty())
    {
        text.push(' ');
        text.push_str(word);
    }
    let masked = value.len() - scheme.len();
    text.push_str(&format!(" ******** ({masked} bytes masked)"));
    text
}

/// Adds a field, broken into lines; its name stands out.
fn push_field(
    out: &mut Vec<Line<'static>>,
    text: &str,
    start: bool,
    hidden: bool,
    width: usize,
    look: Look,
) {
    let role = match (start, hidden) {
        (true, _) => Role::Strong,
        (_, true) => Role::Warning,
        _ => Role::Text,
    };
    for (number, line) in fold(text, width.saturating_sub(4)).into_iter().enumerate() {
        if number > 0 {
            out.push(Line::styled(format!("   {line}"), style(look, role)));
            continue;
        }
        let mut spans = vec![Span::raw(" ")];
        match line.split_once(':') {
            Some((name, rest)) if !start => {
                spans.push(Span::styled(format!("{name}:"), style(look, Role::Live)));
                spans.push(Span::styled(rest.to_owned(), style(look, role)));
            }
            _ => spans.push(Span::styled(line, style(look, role))),
        }
        out.push(Line::from(spans));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_in_any_spelling() {
        for line in [
            &b"Authorization: x"[..],
            b"PROXY-AUTHORIZATION :x",
            b"cookie:a=b",
            b"Set-Cookie: a",
        ] {
            assert!(is_credential(line));
        }
        assert!(!is_credential(b"BITS-Session-Id: x"));
        assert!(is_credential(b"WWW-Authenticate: Negotiate oYH1MIHy"));
        assert!(!is_credential(b"WWW-Authenticate: Basic realm=\"x\""));
    }

    #[test]
    fn a_masked_line_keeps_its_scheme_and_nothing_else() {
        let look = Look::default();
        let text = written(b"Authorization: Basic c2VjcmV0", true, false, look);
        assert_eq!(text, "Authorization: Basic ******** (9 bytes masked)");
        let text = written(
            b"WWW-Authenticate: NTLM TlRMTVNTUAACAAAA",
            true,
            false,
            look,
        );
        assert_eq!(
            text,
            "WWW-Authenticate: NTLM type 2 ******** (17 bytes masked)"
        );
        let text = written(b"Cookie: token=secret; b=c", true, false, look);
        assert!(!text.contains("secret"), "{text}");
        let text = written(b" folded secret", true, true, look);
        assert!(!text.contains("secret"), "{text}");
        let text = written(b"Authorization: secret", true, false, look);
        assert!(!text.contains("secret"), "{text}");
    }
}
