//! Findings in recordings of other people's clients and servers.
//!
//! They are not ours to ship: `BITSTAP_RECORDINGS=DIR cargo test --test conformance_recordings -- --ignored`.

use std::path::PathBuf;

use bitstap::capture::{Record, open};
use bitstap::timeline::{Level, Profile, Timeline};

fn read(name: &str, profile: Profile) -> Timeline {
    let directory = std::env::var_os("BITSTAP_RECORDINGS").expect("BITSTAP_RECORDINGS=DIR");
    let path = PathBuf::from(directory).join(format!("{name}.pcap"));
    let mut timeline = Timeline::with_profile(profile);
    for record in open(&path).expect(name) {
        if let Record::Event { event, position } = record.expect(name) {
            timeline.apply(&event, position);
        }
    }
    timeline.finish();
    timeline
}

#[test]
#[ignore = "needs recordings that are not ours to ship"]
fn print() {
    let directory = std::env::var_os("BITSTAP_RECORDINGS").expect("BITSTAP_RECORDINGS=DIR");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "pcap") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for profile in Profile::ALL {
            let t = read(&name, profile);
            println!(
                "=== {name} {} ({} exchanges)",
                profile.name(),
                t.exchanges().len()
            );
            for f in t.findings() {
                println!(
                    "  {:8} {} {:?} x{:?} s{:?} {}",
                    f.level.name(),
                    f.id,
                    f.who,
                    f.exchange,
                    f.session,
                    f.text
                );
            }
        }
    }
    let _ = Level::Note;
}
