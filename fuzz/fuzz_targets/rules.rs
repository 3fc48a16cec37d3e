//! Any text through the reader of rules files: it ends, and every mistake has a place.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    match bitstap::fault::parse(&text) {
        Ok(set) => assert_eq!(set.source, text),
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.line >= 1 && error.column >= 1 && error.length >= 1);
            }
        }
    }
});
