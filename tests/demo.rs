//! The demo as a newcomer runs it: the real binary, nothing set up.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use support::binary::{json, lines, of_type, output, sessions};

/// What each scene must have come to, in the order of the scenes.
const ENDS: [(&str, &str); 8] = [
    ("upload", "closed"),
    ("upload-reply", "closed"),
    ("upload", "closed"),
    ("upload", "closed"),
    ("upload", "closed"),
    ("upload", "closed"),
    ("upload", "cancelled"),
    ("download", "complete"),
];

#[test]
fn the_demo_ends_by_itself_with_eight_sessions_in_their_right_states() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("demo.pcapng");
    let args = ["demo", "--headless", "--capture", capture.to_str().unwrap()];
    let live = json(&args);

    let sessions_live = sessions(&live);
    let ends: Vec<(&str, &str)> = sessions_live
        .iter()
        .map(|line| {
            (
                line["kind"].as_str().unwrap(),
                line["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(ends, ENDS);

    let number = |scene: usize, field: &str| sessions_live[scene][field].as_u64().unwrap();
    assert!(number(1, "reply_bytes") > 0, "the reply was downloaded");
    assert_eq!(number(2, "connections"), 2, "lost Ack: a new connection");
    assert!(number(2, "resent") > 0, "lost Ack: the fragment went twice");
    assert_eq!(number(3, "restarts"), 1, "forgotten: one restart");
    assert_eq!(number(4, "rewinds"), 1, "416: one rewind");
    for scene in [0, 1, 2, 3, 4, 5, 7] {
        assert_eq!(
            sessions_live[scene]["acknowledged"], sessions_live[scene]["total"],
            "scene {scene} moved the whole file"
        );
    }
    let shrunk = of_type(&live, "exchange")
        .iter()
        .any(|line| line["session"] == 6 && line["status"] == 413);
    assert!(shrunk, "the fragment that was too large was refused");

    let recorded = json(&["view".as_ref(), capture.as_os_str()]);
    assert_eq!(of_type(&recorded, "exchange"), of_type(&live, "exchange"));
    assert_eq!(sessions(&recorded), sessions_live);
    assert_eq!(recorded.last(), live.last(), "the same totals");
}

#[test]
fn the_demo_prints_a_timeline_that_a_person_can_read() {
    let output = output(&["demo", "--headless"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "ready: listening on 127.0.0.1:",
        "Create-Session",
        "BG_E_SESSION_NOT_FOUND",
        "416",
        "413",
        "Cancel-Session",
        "8 sessions",
    ] {
        assert!(text.contains(word), "`{word}` is missing:\n{text}");
    }
}

#[test]
fn one_scene_can_be_played_alone() {
    let output = output(&["demo", "--scene", "lost-ack", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let told = lines(&output.stdout);
    assert_eq!(sessions(&told).len(), 1);
    assert_eq!(sessions(&told)[0]["state"], "closed");
}
