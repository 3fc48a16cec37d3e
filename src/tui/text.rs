//! Text fit for a screen: bytes of a peer made harmless and cut by display width, numbers made short.
//!
//! Knows no panes and no colours.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::text::is_hidden;

/// Most combining marks that one character keeps; more of them climb out of their row.
const MARKS: u8 = 2;

/// Returns `text` with every character that could disturb a terminal or deceive a reader written as
/// an escape; with `ascii`, everything outside ASCII too.
pub(super) fn harmless(text: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = MARKS;
    for c in text.chars() {
        push(&mut out, c, ascii, &mut marks);
    }
    out
}

/// Returns `text` made harmless and cut to `width` columns; what was cut ends in a sign.
pub(super) fn fit(text: &str, width: usize, ascii: bool) -> String {
    let mut out = String::new();
    let mut marks = MARKS;
    // Where to cut if the text turns out too long: the last end that leaves one column for the sign.
    let mut cut = 0;
    let mut used = 0;
    for c in text.chars() {
        let before = out.len();
        push(&mut out, c, ascii, &mut marks);
        used += columns(out.get(before..).unwrap_or_default());
        if used > width {
            out.truncate(cut);
            if width > 0 {
                out.push(if ascii { '~' } else { '…' });
            }
            return out;
        }
        if used < width {
            cut = out.len();
        }
    }
    out
}

/// Returns the columns that harmless text takes at most.
fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Returns bytes as text: what is not UTF-8 and every control byte as an escape.
pub(super) fn visible(bytes: &[u8], ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&harmless(chunk.valid(), ascii));
        for byte in chunk.invalid() {
            escape(&mut out, u32::from(*byte));
        }
    }
    out
}

fn push(out: &mut String, c: char, ascii: bool, marks: &mut u8) {
    if is_hidden(c) || (ascii && !c.is_ascii()) {
        escape(out, u32::from(c));
        *marks = 0;
    } else if c.width().unwrap_or(0) > 0 {
        out.push(c);
        *marks = MARKS;
    } else if *marks > 0 && !out.is_empty() {
        out.push(c);
        *marks -= 1;
    } else {
        escape(out, u32::from(c));
    }
}

fn escape(out: &mut String, code: u32) {
    // Writing to a String cannot fail.
    let _ = match code {
        0x0A => write!(out, "\\n"),
        0x0D => write!(out, "\\r"),
        0x09 => write!(out, "\\t"),
        0..=0xFF => write!(out, "\\x{code:02X}"),
        _ => write!(out, "\\u{{{code:04X}}}"),
    };
}

/// Breaks text at blanks into lines of at most `width` columns; a word that is longer is broken.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let long = word.width();
        if used > 0 && used + 1 + long > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        if long <= width {
            line.push_str(word);
            used += long;
            continue;
        }
        for c in word.chars() {
            let one = c.width().unwrap_or(0);
            if used + one > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += one;
        }
    }
    lines.push(line);
    lines
}

/// Breaks text into lines of at most `width` columns, wherever that is; every blank is kept.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let one = c.width().unwrap_or(0);
        if used + one > width.max(1) {
            lines.push(String::new());
            used = 0;
        }
        used += one;
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
    }
    lines
}

/// Returns a size in at most five characters: `812`, `5.0K`, `12.5M`, `812M`.
pub(super) fn short(bytes: u64) -> String {
    let (value, unit) = scaled(bytes);
    match unit {
        0 => bytes.to_string(),
        _ if value < 99.95 => format!("{value:.1}{}", UNITS[unit]),
        _ => format!("{value:.0}{}", UNITS[unit]),
    }
}

/// Returns a size for a sentence: `812 bytes`, `12.5 MiB`.
pub(super) fn long(bytes: u64) -> String {
    let (value, unit) = scaled(bytes);
    match unit {
        0 if bytes == 1 => "1 byte".to_owned(),
        0 => format!("{bytes} bytes"),
        _ if value < 99.95 => format!("{value:.1} {}iB", UNITS[unit]),
        _ => format!("{value:.0} {}iB", UNITS[unit]),
    }
}

const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];

/// Scales by 1024 until the value is below 1000; the unit is an index into [`UNITS`].
fn scaled(bytes: u64) -> (f64, usize) {
    let mut value = real(bytes);
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    (value, unit)
}

/// Returns a number for proportions.
#[expect(clippy::cast_precision_loss, reason = "shown with at most four digits")]
pub(super) fn real(number: u64) -> f64 {
    number as f64
}

/// Returns a duration in at most seven characters: `0.7 ms`, `412 ms`, `41.0 s`, `2m 05s`, `3h 07m`.
pub(super) fn span(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    let seconds = duration.as_secs();
    match seconds {
        0 if ms < 99.95 => format!("{ms:.1} ms"),
        0 if ms < 999.5 => format!("{ms:.0} ms"),
        0..=59 => format!("{:.1} s", duration.as_secs_f64().min(59.9)),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..=359_999 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Returns a moment since the start: `4.120`, from ten thousand seconds on `2:46:40`.
pub(super) fn moment(at: Duration) -> String {
    let seconds = at.as_secs();
    if seconds < 10_000 {
        return format!("{seconds}.{:03}", at.subsec_millis());
    }
    let (hours, rest) = (seconds / 3600, seconds % 3600);
    format!("{hours}:{:02}:{:02}", rest / 60, rest % 60)
}

/// Returns bytes per second, in at most seven characters: `4.0M/s`.
pub(super) fn rate(bytes: u64, during: Duration) -> Option<String> {
    let seconds = during.as_secs_f64();
    if bytes == 0 || seconds < 0.001 {
        return None;
    }
    let rate = Duration::try_from_secs_f64(real(bytes) / seconds).map_or(0, |d| d.as_secs());
    Some(format!("{}/s", short(rate)))
}

/// Returns how much of `total` is `done`, rounded down so that 100 % is said only at the end.
pub(super) fn percent(done: u64, total: u64) -> u8 {
    if total == 0 {
        return 100;
    }
    let share = u128::from(done.min(total)) * 100 / u128::from(total);
    u8::try_from(share).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_direction_marks_are_escaped() {
        assert_eq!(harmless("a\x1b[2Jb\u{9b}", false), "a\\x1B[2Jb\\x9B");
        assert_eq!(harmless("cod.\u{202E}exe", false), "cod.\\u{202E}exe");
        assert_eq!(harmless("a\r\n\tb", false), "a\\r\\n\\tb");
        assert_eq!(harmless("größe", true), "gr\\xF6\\xDFe");
        assert_eq!(harmless("größe", false), "größe");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let tower = "a\u{301}\u{302}\u{303}b";
        assert_eq!(harmless(tower, false), "a\u{301}\u{302}\\u{0303}b");
        assert_eq!(harmless("\u{301}a", false), "\\u{0301}a");
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(fit("report.csv", 10, false), "report.csv");
        assert_eq!(fit("report.csv", 9, false), "report.c…");
        assert_eq!(fit("report.csv", 9, true), "report.c~");
        assert_eq!(fit("報告書.csv", 5, false), "報告…");
        assert_eq!(fit("報告書.csv", 4, false), "報…");
        assert_eq!(fit("abc", 0, false), "");
        assert_eq!(fit("abc", 1, false), "…");
    }

    #[test]
    fn bytes_that_are_no_text_are_escaped() {
        assert_eq!(visible(b"a\xE9b\x00", false), "a\\xE9b\\x00");
    }

    #[test]
    fn lines_are_broken_at_blanks_or_within_long_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(fold("  a  b c", 4), ["  a ", " b c"]);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1.0K"),
            (1024, "1.0K"),
            (10_485_760, "10.0M"),
            (999 * 1024, "999K"),
            (u64::MAX, "16.0E"),
        ] {
            assert_eq!(short(bytes), text);
        }
        assert_eq!(long(1), "1 byte");
        assert_eq!(long(22_020_096), "21.0 MiB");
    }

    #[test]
    fn durations_fit_their_column() {
        for ms in [0, 1, 99, 100, 999, 1000, 59_999, 60_000, 3_600_000] {
            assert!(span(Duration::from_millis(ms)).len() <= 7);
        }
        assert_eq!(span(Duration::from_micros(700)), "0.7 ms");
        assert_eq!(span(Duration::from_secs(125)), "2m 05s");
        assert_eq!(moment(Duration::from_millis(4120)), "4.120");
        assert_eq!(moment(Duration::from_secs(10_000)), "2:46:40");
    }

    #[test]
    fn a_hundred_percent_is_said_only_at_the_end() {
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(1000, 1000), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
    }
}
