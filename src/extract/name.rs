//! A name that a peer chose becomes one that any file system takes: a single, visible component.
//!
//! Pure. What other systems would read as something else (separators, drives, devices, endings) is
//! replaced; everything else is kept.

use std::collections::{HashMap, HashSet};

/// Longest name in bytes, endings and numbers not counted; file systems take 255.
const LONGEST: usize = 180;

/// Longest extension that is kept when a name is cut, in bytes with its dot.
const EXTENSION: usize = 16;

/// Returns the safe form of `name`; never empty, without separators, the same on every system.
pub(super) fn safe(name: &str) -> String {
    let last = name
        .rsplit(['/', '\\'])
        .find(|part| !part.trim_matches([' ', '.']).is_empty());
    let mut kept = String::new();
    // Enough of a long name to cut it; its end is what tells its kind.
    let last = last.unwrap_or_default();
    for character in last.chars() {
        kept.push(if is_kept(character) { character } else { '_' });
    }
    let mut kept = cut(kept.trim_matches(' ').trim_end_matches([' ', '.']));
    if kept.is_empty() {
        return "unnamed".to_owned();
    }
    if kept.starts_with(['.', '-', '~']) {
        kept.replace_range(..1, "_");
    }
    if is_device(&kept) {
        kept.insert(0, '_');
    }
    kept
}

fn is_kept(character: char) -> bool {
    let replaced = character.is_control()
        || matches!(character, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
        // Other blanks, and what is not seen: joiners, marks of direction, separators of lines, tags.
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{AD}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}')
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(character, '\u{FFF0}'..='\u{FFFF}' | '\u{E0000}'..='\u{E0FFF}')
        // What a system may fold into a separator, a dot or a colon.
        || matches!(character,
            '\u{2024}' | '\u{2025}' | '\u{2026}' | '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{29F5}' | '\u{29F8}'
            | '\u{29F9}' | '\u{A789}' | '\u{FE52}' | '\u{FE55}' | '\u{FE68}' | '\u{FF02}' | '\u{FF0A}' | '\u{FF0E}'
            | '\u{FF0F}' | '\u{FF1A}' | '\u{FF1C}' | '\u{FF1E}' | '\u{FF1F}' | '\u{FF3C}' | '\u{FF5C}');
    !replaced
}

/// Cuts a name in its middle: the beginning and a short extension stay.
fn cut(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let dot = name.rfind('.').filter(|&dot| name.len() - dot <= EXTENSION);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let stem = head(stem, LONGEST - extension.len()).trim_end_matches([' ', '.']);
    format!("{stem}{extension}")
}

/// Returns the longest beginning of at most `len` bytes.
fn head(text: &str, len: usize) -> &str {
    let len = (0..=len.min(text.len()))
        .rev()
        .find(|&len| text.is_char_boundary(len));
    text.get(..len.unwrap_or(0)).unwrap_or_default()
}

/// Tells whether Windows takes the name for a device, whatever its extension.
///
/// Win32 "Naming Files, Paths, and Namespaces"
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let upper = stem.to_uppercase();
    if matches!(
        upper.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$"
    ) {
        return true;
    }
    let port = upper
        .strip_prefix("COM")
        .or_else(|| upper.strip_prefix("LPT"));
    port.is_some_and(|port| {
        matches!(port, "\u{B9}" | "\u{B2}" | "\u{B3}")
            || (port.len() == 1 && port.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Names given out in one folder; two that differ only by case count as the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// The last number that a name was given out with, for each kind of endings.
    numbers: HashMap<String, u32>,
}

impl Names {
    /// Takes a name out of the choice; returns whether it was free.
    pub(super) fn take(&mut self, name: &str) -> bool {
        self.taken.insert(folded(name))
    }

    /// Returns `name`, with a number where it is needed: the first one for which `name` followed by
    /// each of `endings` is free. All of these are taken.
    pub(super) fn claim(&mut self, name: &str, endings: &[&str]) -> String {
        let dot = name.rfind('.').filter(|&dot| dot > 0);
        let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
        let key = format!("{}/{}", folded(name), endings.concat());
        let known = self.numbers.get(&key);
        let mut number = known.copied().unwrap_or_default();
        loop {
            number = number.saturating_add(1);
            let candidate = match number {
                1 => name.to_owned(),
                _ => format!("{stem} ({number}){extension}"),
            };
            let full = |ending: &&str| format!("{candidate}{ending}");
            if endings.iter().all(|ending| !self.is_taken(&full(ending))) {
                for ending in endings {
                    self.take(&full(ending));
                }
                self.numbers.insert(key, number);
                return candidate;
            }
        }
    }

    /// Tells whether the name, in any case, is taken.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.taken.contains(&folded(name))
    }
}

fn folded(name: &str) -> String {
    // Both ways: what lower case keeps apart, upper case may join.
    name.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_become_one_visible_component() {
        let cases = [
            ("report.csv", "report.csv"),
            ("", "unnamed"),
            ("..", "unnamed"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Windows\system32\evil.dll", "evil.dll"),
            ("C:evil.dll", "C_evil.dll"),
            (r"\\server\share\", "share"),
            ("/etc/shadow", "shadow"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1", "_com1"),
            ("COM\u{B9}.log", "_COM\u{B9}.log"),
            ("COM10", "COM10"),
            ("a.txt. . ", "a.txt"),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("a\u{0}b\u{1b}[2J\r\n.txt", "a_b_[2J__.txt"),
            ("inv\u{202E}fdp.exe", "inv_fdp.exe"),
            ("..\u{2215}..\u{FF0F}etc", "_._.._etc"),
            ("file.txt:stream", "file.txt_stream"),
            ("\u{440}eport \u{434}.csv", "\u{440}eport \u{434}.csv"),
            ("   ", "unnamed"),
        ];
        for (name, expected) in cases {
            assert_eq!(safe(name), expected, "{name:?}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let long = format!("{}.tar", "\u{444}".repeat(10_000));
        let short = safe(&long);
        assert!(short.len() <= LONGEST && short.ends_with("\u{444}.tar"));
        let dots = safe(&format!("a{}", ".".repeat(10_000)));
        assert_eq!(dots, "a");
    }

    #[test]
    fn the_same_name_in_any_case_gets_a_number() {
        let mut names = Names::default();
        let both = ["", ".acknowledged"];
        assert_eq!(names.claim("a.txt", &both), "a.txt");
        assert_eq!(names.claim("A.TXT", &both), "A (2).TXT");
        assert_eq!(
            names.claim("a.txt.acknowledged", &both),
            "a.txt (2).acknowledged"
        );
        assert_eq!(names.claim("stra\u{DF}e", &[""]), "stra\u{DF}e");
        assert_eq!(names.claim("STRASSE", &[""]), "STRASSE (2)");
    }

    proptest! {
        #[test]
        fn no_name_leads_elsewhere(name in any::<String>(), tricky in r"[./\\ :CONcom1\u{202e}a-]{0,300}") {
            for name in [name, tricky] {
                let safe = safe(&name);
                prop_assert!(!safe.is_empty() && safe.len() <= LONGEST + 1);
                prop_assert!(!safe.contains(['/', '\\', ':', '\0']));
                prop_assert!(!safe.starts_with('.') && !safe.ends_with(['.', ' ']), "{}", safe);
                prop_assert!(!is_device(&safe));
                prop_assert!(!safe.chars().any(char::is_control));
                let mut parts = std::path::Path::new(&safe).components();
                prop_assert!(matches!(parts.next(), Some(std::path::Component::Normal(_))));
                prop_assert!(parts.next().is_none());
            }
        }
    }
}
