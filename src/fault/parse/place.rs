//! Where in a text something stands: byte offsets to lines and columns, and into strings.
//!
//! Knows how TOML writes strings and nothing else of it.

use std::ops::Range;

/// Line and column, both from 1, of a byte; the column counts characters.
pub(super) fn line_column(text: &str, at: usize) -> (usize, usize) {
    let at = floor(text, at);
    let before = text.get(..at).unwrap_or_default();
    let begin = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let line = before.bytes().filter(|byte| *byte == b'\n').count();
    let column = before.get(begin..).map_or(0, |part| part.chars().count());
    (line.saturating_add(1), column.saturating_add(1))
}

/// Counts the characters of `at` within its first line, at least 1.
pub(super) fn length(text: &str, at: &Range<usize>) -> usize {
    let part = text.get(floor(text, at.start)..floor(text, at.end));
    let line = part
        .and_then(|part| part.lines().next())
        .unwrap_or_default();
    line.chars().count().max(1)
}

fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}

/// Returns where in `text` the characters `chars` of the string stand that is written at `literal`,
/// quotes included.
pub(super) fn inside(text: &str, literal: &Range<usize>, chars: Range<usize>) -> Range<usize> {
    let written = text.get(literal.clone()).unwrap_or_default();
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| written.starts_with(quote))
        .unwrap_or_default();
    let escapes = quote.starts_with('"');
    let mut rest = written.get(quote.len()..).unwrap_or_default();
    if quote.len() == 3 {
        // A line end right after the quotes is not part of the string.
        rest = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'))
            .unwrap_or(rest);
    }
    let closing = rest.strip_suffix(quote).unwrap_or(rest);
    let mut rest = closing;
    let offset = |rest: &str| {
        let end = literal.end.saturating_sub(quote.len());
        end.saturating_sub(rest.len())
    };
    let mut places = Vec::new();
    while !rest.is_empty() && places.len() <= chars.end {
        if let Some(skipped) = escapes.then(|| folded(rest)).flatten() {
            rest = skipped;
            continue;
        }
        places.push(offset(rest));
        let width = if escapes { width(rest) } else { None };
        let width = width.or_else(|| rest.chars().next().map(char::len_utf8));
        rest = rest.get(width.unwrap_or(rest.len())..).unwrap_or_default();
    }
    let end = offset("");
    let place = |at: usize| places.get(at).copied().unwrap_or(end);
    place(chars.start)..place(chars.end).max(place(chars.start))
}

/// Skips a backslash at the end of a line with all blanks behind it.
fn folded(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix('\\')?;
    let line = after.trim_start_matches([' ', '\t', '\r']);
    line.starts_with('\n').then(|| line.trim_start())
}

/// How many bytes an escape takes.
fn width(rest: &str) -> Option<usize> {
    let kind = rest.strip_prefix('\\')?.bytes().next()?;
    Some(match kind {
        b'x' => 4,
        b'u' => 6,
        b'U' => 10,
        _ => 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let text = "a\nöb = 1\n";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(line_column(text, text.find('b').unwrap()), (2, 2));
        assert_eq!(line_column(text, 9999), (3, 1));
    }

    #[test]
    fn a_place_in_a_string_is_found_behind_escapes_and_line_ends() {
        for (text, start) in [
            ("w = 'ab cd'", 8),
            ("w = \"ab cd\"", 8),
            ("w = \"\\t\\u00e9 cd\"", 14),
            ("w = '''\nab cd'''", 11),
            ("w = \"\"\"\nab \\\n   cd\"\"\"", 16),
        ] {
            let at = inside(text, &(4..text.len()), 3..5);
            assert_eq!(text.get(at.clone()), Some("cd"), "{text:?} {at:?}");
            assert_eq!(at.start, start, "{text:?}");
        }
    }

    #[test]
    fn past_the_end_of_a_string_is_its_closing_quote() {
        let text = "w = 'ab'";
        assert_eq!(inside(text, &(4..8), 2..3), 7..7);
        assert_eq!(inside(text, &(4..8), 90..93), 7..7);
    }
}
