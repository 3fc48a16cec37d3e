//! New session ids in the form of the recorded ones: GUIDs with or without braces, decimals, whatever it was.

use std::io;

use ring::rand::{SecureRandom as _, SystemRandom};

/// Makes an id that looks like `model`: digits become digits, hexadecimal letters hexadecimal letters of the same
/// case, all else stays. `taken` tells whether an id is in use.
pub(super) fn like(model: &str, taken: impl Fn(&str) -> bool) -> io::Result<String> {
    let random = SystemRandom::new();
    let decimal = model.chars().all(|c| !c.is_ascii_alphabetic());
    let hexadecimal = model
        .chars()
        .all(|c| !c.is_ascii_alphabetic() || c.is_ascii_hexdigit());
    for _ in 0..16 {
        let mut bytes = vec![0_u8; model.len()];
        random
            .fill(&mut bytes)
            .map_err(|_| io::Error::other("no random numbers"))?;
        // A number does not begin with 0, and stays about as large as whoever reads it expects.
        let mut kept = if decimal && model.len() > 4 { 2 } else { 0 };
        let mut leading = true;
        let id: String = model
            .chars()
            .zip(&bytes)
            .map(|(c, byte)| {
                let new = match c {
                    '0'..='9' if kept > 0 => {
                        kept -= 1;
                        c
                    }
                    '0'..='9' if decimal || !hexadecimal => {
                        let low = u8::from(leading);
                        char::from(b'0' + low + byte % (10 - low))
                    }
                    '0'..='9' | 'a'..='f' | 'A'..='F' if hexadecimal => {
                        let digit = char::from_digit(u32::from(byte % 16), 16).unwrap_or('0');
                        let upper = model.chars().any(|c| c.is_ascii_uppercase());
                        if upper {
                            digit.to_ascii_uppercase()
                        } else {
                            digit
                        }
                    }
                    c => c,
                };
                leading &= !c.is_ascii_alphanumeric();
                new
            })
            .collect();
        if id != model && !taken(&id) {
            return Ok(id);
        }
    }
    // There is too little in it to tell sessions apart.
    (1..=u32::MAX)
        .map(|number| format!("{model}{number}"))
        .find(|id| !taken(id))
        .ok_or_else(|| io::Error::other("no session id is left"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(id: &str) -> String {
        id.chars()
            .map(|c| match c {
                'A'..='F' | '0'..='9' => 'X',
                'a'..='f' => 'x',
                c => c,
            })
            .collect()
    }

    #[test]
    fn the_form_stays() {
        for model in [
            "{3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}",
            "-2625045527273766382",
            "2625045527273766382",
            "sess-00017",
        ] {
            let one = like(model, |_| false).unwrap();
            assert_eq!(form(&one), form(model), "{one}");
            assert_ne!(one, model);
            assert_ne!(one, like(model, |_| false).unwrap());
        }
        let bare = "ec677f08-8b8a-4e56-b29f-bd1d7f2d76ca";
        let one = like(bare, |_| false).unwrap();
        assert_eq!(one.len(), bare.len());
        assert!(
            one.chars()
                .all(|c| c == '-' || c.is_ascii_digit() || c.is_ascii_lowercase()),
            "{one}"
        );
        for _ in 0..100 {
            let number = like("-9195045527273766382", |_| false).unwrap();
            assert!(number.parse::<i64>().is_ok(), "{number}");
            assert!(!like("-12", |_| false).unwrap().starts_with("-0"));
        }
    }

    #[test]
    fn what_holds_no_digit_gets_a_number() {
        assert_eq!(like("session", |_| false).unwrap(), "session1");
        assert_eq!(like("x", |id| id == "x1").unwrap(), "x2");
        assert_eq!(like("", |_| false).unwrap(), "1");
    }
}
