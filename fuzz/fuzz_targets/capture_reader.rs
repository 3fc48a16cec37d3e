//! Any bytes as a capture: the reader yields records until it stops, and never fails in the middle.

#![no_main]

use std::io::Cursor;

use bitstap::capture::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let bytes = Cursor::new(bytes.to_vec());
    if let Ok(reader) = Reader::from_read(bytes, "fuzz".as_ref()) {
        for record in reader {
            assert!(record.is_ok());
        }
    }
});
