//! Damaged and hostile files of other programs: whatever their bytes are, nothing panics, reading ends, and
//! memory does not follow what a length says.

#[path = "support/formats.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod formats;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use bitstap::capture::{Error, open};
use bitstap::timeline::Timeline;
use proptest::prelude::*;

const FOREIGN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/foreign");

/// A flow file, an archive, and a HAR file.
static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let read = |name| fs::read(Path::new(FOREIGN).join(name)).unwrap();
    let har = serde_json::json!({"log": {"entries": [
        {"startedDateTime": "2026-11-22T12:00:00Z", "connection": "1", "time": 3,
         "request": {"method": "BITS_POST", "url": "http://a.test/up?x", "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Content-Length", "value": "3"}],
            "postData": {"encoding": "base64", "text": "AAEC"}},
         "response": {"status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Transfer-Encoding", "value": "chunked"}],
            "content": {"text": "ok", "size": 2}}, "timings": {"send": 1, "wait": 1, "receive": 1}}]}});
    vec![
        read("mitmproxy.flows"),
        read("fiddler.saz"),
        har.to_string().into_bytes(),
    ]
});

/// Reads whatever it is to its end.
fn read(bytes: &[u8]) -> Result<(), TestCaseError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let reader = match open(file.path()) {
        Ok(reader) => reader,
        Err(Error::NotACapture { .. }) => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
    };
    let mut timeline = Timeline::new();
    for record in reader {
        prop_assert!(record.is_ok(), "{record:?}");
        if let bitstap::capture::Record::Event { event, position } = record.unwrap() {
            timeline.apply(&event, position);
        }
    }
    timeline.finish();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn files_cut_anywhere_are_read_as_far_as_they_go(which in 0usize..3, cut in any::<prop::sample::Index>()) {
        let sample = &SAMPLES[which];
        read(&sample[..cut.index(sample.len())])?;
    }

    #[test]
    fn flipped_bytes_are_read_without_panic(
        which in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut sample = SAMPLES[which].clone();
        for (place, byte) in flips {
            let place = place.index(sample.len());
            sample[place] = byte;
        }
        read(&sample)?;
    }

    #[test]
    fn digits_in_place_of_digits_are_read_without_panic(
        which in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 1..30),
    ) {
        let mut sample = SAMPLES[which].clone();
        let digits: Vec<usize> = (0..sample.len()).filter(|at| sample[*at].is_ascii_digit()).collect();
        for (place, digit) in flips {
            sample[digits[place.index(digits.len())]] = digit;
        }
        read(&sample)?;
    }

    #[test]
    fn any_bytes_behind_a_known_beginning_are_read_without_panic(
        head in prop::sample::select(vec![&b"PK\x03\x04"[..], b"{\"log\":{\"entries\":[", b"12:", b"{"]),
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        read(&[head, &rest].concat())?;
    }
}

#[test]
fn depth_and_lengths_that_lie_cost_nothing() {
    let deep = [
        b"{\"log\":{\"entries\":[".to_vec(),
        b"{\"a\":[".repeat(200_000),
    ]
    .concat();
    read(&deep).unwrap();
    let mut nested = b"0:~".to_vec();
    for _ in 0..2000 {
        nested = [format!("{}:", nested.len()).as_bytes(), &nested, b"]"].concat();
    }
    read(&nested).unwrap();
    read(b"999999999999:x").unwrap();
}
