//! Recordings of other people's clients and servers.
//!
//! They are not ours to ship, so a checkout may be without them; where `CI=true` they must be there.

use std::path::Path;

use bitstap::capture::{Record, open};
use bitstap::timeline::{Profile, Timeline};

/// Where the recordings lie beside a checkout.
pub(crate) const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/pcaps");

/// Tells whether there is something to test with, and says so where there is not.
pub(crate) fn present() -> bool {
    let there = Path::new(RECORDINGS).is_dir();
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(there || !ci, "CI=true, but {RECORDINGS} is not there");
    if !there {
        eprintln!("left out: {RECORDINGS} is not there");
    }
    there
}

/// Reads one recording to its end.
pub(crate) fn read(name: &str, profile: Profile) -> Timeline {
    let path = Path::new(RECORDINGS).join(format!("{name}.pcap"));
    let mut timeline = Timeline::with_profile(profile);
    for record in open(&path).expect(name) {
        if let Record::Event { event, position } = record.expect(name) {
            timeline.apply(&event, position);
        }
    }
    timeline.finish();
    timeline
}
