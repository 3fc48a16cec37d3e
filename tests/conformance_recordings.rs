//! Findings in recordings of other people's clients and servers.

#[path = "support/recordings.rs"]
mod recordings;

use bitstap::timeline::Profile;
use recordings::{present, read};

/// Returns level and rule of each finding.
fn findings(name: &str, profile: Profile) -> Vec<String> {
    let timeline = read(name, profile);
    assert!(!timeline.exchanges().is_empty(), "{name}");
    let lines = timeline.findings().iter();
    lines
        .map(|finding| format!("{} {}", finding.level.name(), finding.id))
        .collect()
}

#[test]
fn windows_and_iis_are_right_by_their_own_profile() {
    if !present() {
        return;
    }
    let upload = findings("mcbup-4.1-upload", Profile::Windows);
    assert_eq!(upload, ["note BUP-AK-05"]);
    let reply = findings("mcbup-4.2-upload-reply", Profile::Windows);
    assert_eq!(reply, ["note BUP-AK-05", "note BUP-AF-11"]);
}

/// IIS leaves the session id out of Acks and sends relative reply URLs; the text calls the headers of a
/// notification otherwise than everybody else.
#[test]
fn windows_and_iis_depart_from_the_text_where_it_is_known() {
    if !present() {
        return;
    }
    let upload = findings("mcbup-4.1-upload", Profile::Spec);
    assert_eq!(upload, ["error BUP-AK-05"]);
    let reply = findings("mcbup-4.2-upload-reply", Profile::Spec);
    assert_eq!(
        reply,
        ["error BUP-AK-05", "warning BUP-AF-11", "note BUP-NT-03"]
    );
}

#[test]
fn downloads_of_windows_are_in_order() {
    if !present() {
        return;
    }
    for name in [
        "206_example_b",
        "content-range-gap-skip",
        "m57-long-49583",
        "m57-long-49600",
        "multi-conn-ranges",
        "multipart-byteranges",
    ] {
        let found = findings(&format!("realwin-download__zeek-{name}"), Profile::Windows);
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    assert!(findings("wine__session-nginx", Profile::Windows).is_empty());
}

#[test]
fn other_servers_are_told_of() {
    if !present() {
        return;
    }
    let found = |name| findings(name, Profile::Windows);
    assert_eq!(found("dolphin__upload"), ["note BUP-AC-03"]);
    assert_eq!(
        found("gobits15__resume"),
        ["note BUP-AC-03", "note BUP-SE-05"]
    );
    assert_eq!(
        found("fkadibs__cancel"),
        ["note BUP-AC-03", "error BUP-CA-03"]
    );
    assert_eq!(found("usis__upload"), ["warning BUP-CL-03"]);
}
