//! Whatever a rules file holds, reading it ends, and every mistake has a place in it.

use bitstap::fault::{parse, preset};
use proptest::prelude::*;

fn check(text: &str) {
    let Err(errors) = parse(text) else {
        return;
    };
    assert!(!errors.is_empty());
    let lines = text.split('\n').count();
    for error in errors {
        assert!((1..=lines).contains(&error.line), "{error:?} in {text:?}");
        assert!(error.column >= 1 && error.length >= 1, "{error:?}");
        assert!(!error.text.is_empty());
    }
}

/// A file with every preset.
fn whole() -> String {
    let rules: Vec<String> = preset::all().iter().map(preset::Preset::rule).collect();
    format!("version = 1\nseed = 7\n{}", rules.concat())
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[[rule]]\n".to_owned()),
        Just("do = [ { ".to_owned()),
        Just(" = ".to_owned()),
        Just("when = \"bits.type == fragment\"\n".to_owned()),
        Just("delay = { ms = 9223372036854775807 }".to_owned()),
        Just("\\u00e9\\".to_owned()),
        Just("'''\n".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("-1e999".to_owned()),
        "[\\PC\n]{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_text_is_read_or_refused(text in "(?s).{0,200}") {
        check(&text);
    }

    #[test]
    fn words_in_any_order_are_read_or_refused(words in proptest::collection::vec(word(), 0..24)) {
        check(&words.concat());
    }

    #[test]
    fn a_good_file_with_a_wound_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        len in 0_usize..12,
        new in word(),
        pick in any::<prop::sample::Index>(),
    ) {
        let presets = preset::all();
        let text = format!("version = 1\n{}", presets[pick.index(presets.len())].rule());
        let chars: Vec<char> = text.chars().collect();
        let start = at.index(chars.len());
        let end = (start + len).min(chars.len());
        let wounded: String = chars[..start].iter().copied().chain(new.chars()).chain(chars[end..].iter().copied()).collect();
        check(&wounded);
    }
}

#[test]
fn all_presets_fit_into_one_file() {
    let set = parse(&whole()).unwrap();
    assert_eq!(set.rules.len(), preset::all().len());
}
