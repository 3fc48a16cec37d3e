//! `--redact WHAT,...`: words to a choice.

use crate::export::Redact;

use super::super::failure::Failure;

const WORDS: [&str; 5] = ["credentials", "names", "addresses", "bodies", "all"];

/// Reads the words; none: nothing is masked.
pub(super) fn parse(words: &[String]) -> Result<Option<Redact>, Failure> {
    if words.is_empty() {
        return Ok(None);
    }
    let mut what = Redact {
        credentials: true,
        ..Redact::default()
    };
    for word in words {
        let word = word.trim();
        if let Some(name) = word.strip_prefix("header:").filter(|name| !name.is_empty()) {
            what.fields.push(name.to_owned());
            continue;
        }
        match word.to_ascii_lowercase().as_str() {
            "credentials" => {}
            "names" => what.names = true,
            "addresses" => what.addresses = true,
            "bodies" => what.bodies = true,
            "all" => {
                what.names = true;
                what.addresses = true;
                what.bodies = true;
            }
            other => return Err(unknown(other)),
        }
    }
    Ok(Some(what))
}

fn unknown(word: &str) -> Failure {
    let near = WORDS
        .iter()
        .map(|known| (strsim::levenshtein(word, known), known))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    let failure = Failure::new(format!(
        "cannot redact `{word}`: it is none of {}, header:NAME",
        WORDS.join(", ")
    ));
    match near {
        Some((_, known)) => failure.hint(format!("did you mean {known}?")),
        None => failure.hint(format!("a field is masked with --redact=header:{word}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &str) -> Result<Option<Redact>, Failure> {
        let words: Vec<String> = list.split(',').map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn words_add_to_credentials() {
        assert_eq!(parse(&[]).unwrap(), None);
        let what = words("names,header:X-Token").unwrap().unwrap();
        assert!(what.credentials && what.names && !what.addresses && !what.bodies);
        assert_eq!(what.fields, ["X-Token"]);
        let all = words("all").unwrap().unwrap();
        assert!(all.credentials && all.names && all.addresses && all.bodies);
    }

    #[test]
    fn a_slip_is_told_with_what_was_meant() {
        let failure = words("adresses").unwrap_err().to_string();
        assert!(failure.contains("did you mean addresses?"), "{failure}");
        let failure = words("X-Token").unwrap_err().to_string();
        assert!(failure.contains("header:x-token"), "{failure}");
    }
}
