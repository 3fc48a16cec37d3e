//! Text compared without regard to case, without allocating.
//!
//! Knows nothing of fields. ASCII needles, nearly all there are, take a path over bytes.

/// Tells whether both texts are the same but for case.
pub(super) fn equals(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!a.is_ascii() && !b.is_ascii() && folded(a).eq(folded(b)))
}

/// Tells whether `needle` lies in `hay`, whatever the case of either; an empty one lies everywhere.
pub(super) fn contains(hay: &str, needle: &str) -> bool {
    let Some(first) = needle.as_bytes().first() else {
        return true;
    };
    if !needle.is_ascii() {
        return hay
            .char_indices()
            .filter_map(|(at, _)| hay.get(at..))
            .any(|rest| starts_with(rest, needle));
    }
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, hay.as_bytes()).any(|at| {
        hay.as_bytes()
            .get(at..at.saturating_add(needle.len()))
            .is_some_and(|part| part.eq_ignore_ascii_case(needle.as_bytes()))
    })
}

/// Tells whether the whole of `text` has the shape of `pattern`: `*` stands for any run of
/// characters, `?` for one character.
///
/// Goes back to the last `*` only, so its work is bounded by the product of both lengths.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    let mut resume = None;
    loop {
        let mut ahead = pattern.clone();
        match (ahead.next(), text.clone().next()) {
            (Some('*'), _) => {
                pattern = ahead;
                resume = Some((pattern.clone(), text.clone()));
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '?' || same(wanted, found) => {
                pattern = ahead;
                text.next();
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, from)) = &mut resume else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        pattern = after.clone();
        text = from.clone();
    }
}

fn starts_with(text: &str, needle: &str) -> bool {
    let mut text = folded(text);
    folded(needle).all(|wanted| text.next() == Some(wanted))
}

fn same(a: char, b: char) -> bool {
    a.eq_ignore_ascii_case(&b)
        || (!a.is_ascii() && !b.is_ascii() && a.to_lowercase().eq(b.to_lowercase()))
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_beyond_ascii_either() {
        assert!(equals("Über.CSV", "üBER.csv"));
        assert!(!equals("Über", "Uber"));
        assert!(contains("/up/JahresÜBERSICHT.xlsx", "übersicht"));
        assert!(contains("/up/Report.csv", "REPORT"));
        assert!(!contains("/up/Report.csv", "reports"));
        assert!(contains("", ""));
        assert!(!contains("", "x"));
    }

    #[test]
    fn wildcards_cover_the_whole_text() {
        let cases = [
            ("report.csv", "*.csv", true),
            ("report.csv", "*.CSV", true),
            ("report.csv", "report", false),
            ("report.csv", "r?port.*", true),
            ("report.csv", "*o*t*", true),
            ("report.csv", "*x*", false),
            ("", "*", true),
            ("", "?", false),
            ("aab", "*ab", true),
            ("é.bin", "?.BIN", true),
        ];
        for (text, pattern, expected) in cases {
            assert_eq!(like(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn a_wildcard_pattern_made_to_hurt_ends() {
        let text = "a".repeat(4000);
        assert!(!like(&text, &format!("{}b", "*a".repeat(200))));
    }
}
