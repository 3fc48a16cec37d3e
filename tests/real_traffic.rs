//! Recordings of other people's clients and servers give the rows that tshark and the eye find.

#[path = "support/conversation.rs"]
mod conversation;

#[path = "support/recordings.rs"]
mod recordings;

use bitstap::timeline::{Profile, Timeline};
use conversation::{rows, sessions};
use recordings::present;

fn read(name: &str) -> Timeline {
    recordings::read(name, Profile::Windows)
}

/// File, rows, sessions.
type Expected = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const UPLOADS: &[Expected] = &[
    (
        "dolphin__upload",
        &[
            "1 c1 s1 Ping 200 - - complete",
            "2 c1 s1 Create-Session 200 - - complete",
            "3 c1 s1 Fragment 200 0-65535/307200 65536 complete",
            "4 c1 s1 Fragment 200 65536-131071/307200 131072 complete",
            "5 c1 s1 Fragment 200 131072-196607/307200 196608 complete",
            "6 c1 s1 Fragment 200 196608-262143/307200 262144 complete",
            "7 c1 s1 Fragment 200 262144-307199/307200 307200 complete",
            "8 c1 s1 Close-Session 200 - - complete",
        ],
        &[
            "1 upload closed 307200/307200 sent 307200 resent 0 x8 c1 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "usis__upload",
        &[
            "1 c1 s1 Ping 200 - - complete",
            "2 c1 s1 Create-Session 200 - - complete",
            "3 c1 s1 Fragment 200 0-65535/307200 65536 complete",
            "4 c1 s1 Fragment 200 65536-131071/307200 131072 complete",
            "5 c1 s1 Fragment 200 131072-196607/307200 196608 complete",
            "6 c1 s1 Fragment 200 196608-262143/307200 262144 complete",
            "7 c1 s1 Fragment 200 262144-307199/307200 307200 complete",
            "8 c1 s1 Close-Session 200 - - complete",
        ],
        &[
            "1 upload-reply closed 307200/307200 sent 307200 resent 0 x8 c1 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "fkadibs__cancel",
        &[
            "1 c1 s1 Create-Session 200 - - complete",
            "2 c1 s1 Fragment 200 0-65535/307200 65536 complete",
            "3 c1 s1 Cancel-Session 200 - - complete",
            "4 c1 s1 Cancel-Session - - - no-response",
        ],
        &[
            "1 upload cancelled 65536/307200 sent 65536 resent 0 x4 c1 restarts 0 rewinds 0 problems 1",
        ],
    ),
    (
        "gobits15__resume",
        &[
            "1 c1 s1 Create-Session 200 - - complete",
            "2 c1 s1 Fragment 200 0-65535/307200 65536 complete",
            "3 c2 s1 Fragment 200 65536-131071/307200 131072 complete",
            "4 c2 s1 Fragment 200 131072-196607/307200 196608 complete",
            "5 c2 s1 Fragment 200 196608-262143/307200 262144 complete",
            "6 c2 s1 Fragment 200 262144-307199/307200 307200 complete",
            "7 c2 s1 Close-Session 200 - - complete",
        ],
        &[
            "1 upload closed 307200/307200 sent 307200 resent 0 x7 c2 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "mcbup-4.1-upload",
        &[
            "1 c1 s1 Create-Session 200 - - complete",
            "2 c1 s1 Fragment 200 0-4891/4892 4892 complete",
            "3 c1 s1 Ping 200 - - complete",
            "4 c1 s1 Close-Session 200 - - complete",
        ],
        &["1 upload closed 4892/4892 sent 4892 resent 0 x4 c1 restarts 0 rewinds 0 problems 0"],
    ),
    (
        "mcbup-4.2-upload-reply",
        &[
            "1 c1 s1 Create-Session 200 - - complete",
            "2 c1 s1 Ping 200 - - complete",
            "3 c1 s1 Fragment 200 0-4891/4892 4892 complete",
            "4 c1 s1 Close-Session 200 - - complete",
            "5 c2 s1 Notification 200 - - complete",
            // The recording holds 1024 bytes of the reply.
            "6 c3 s1 GET 206 0-9976/10240 - cut-response",
        ],
        &[
            "1 upload-reply closed 4892/4892 sent 4892 resent 0 x6 c3 restarts 0 rewinds 0 problems 1",
        ],
    ),
];

const DOWNLOADS: &[Expected] = &[
    (
        "realwin-download__zeek-206_example_b",
        &[
            "1 c1 s1 GET 206 0-816895/1022920 - complete",
            "2 c1 s1 GET 206 816896-1022919/1022920 - complete",
            "3 c2 s1 GET 206 816896-1022919/1022920 - complete",
        ],
        &[
            "1 download complete 1022920/1022920 sent 1228944 resent 206024 x3 c2 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "realwin-download__zeek-multi-conn-ranges",
        &[
            "1 c1 s1 GET 206 0-5472/39618 - complete",
            "2 c2 s1 GET 206 5473-12094/39618 - complete",
            "3 c3 s1 GET 206 12095-19645/39618 - complete",
            "4 c4 s1 GET 206 19646-31436/39618 - complete",
            "5 c5 s1 GET 206 31437-39617/39618 - complete",
        ],
        &[
            "1 download complete 39618/39618 sent 39618 resent 0 x5 c5 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "realwin-download__zeek-multipart-byteranges",
        &["1 c1 s1 GET 206 3941902-3944541/605292323 - complete"],
        &[
            "1 download complete 54229/605292323 sent 56493 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "realwin-download__zeek-content-range-gap-skip",
        &["1 c1 s1 GET 206 3941902-3944541/605292323 - complete"],
        &[
            "1 download complete 54229/605292323 sent 56493 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "realwin-download__zeek-m57-long-49583",
        &[
            "1 c1 s1 GET 206 32955-33141/649077 - complete",
            "2 c1 s2 GET 206 695129-695278/27571639 - complete",
            "3 c1 s3 GET 206 252959-254327/87913763 - complete",
        ],
        &[
            "1 download complete 12850/649077 sent 14576 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
            "2 download complete 3367/27571639 sent 6285 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
            "3 download complete 74122/87913763 sent 77046 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        "realwin-download__zeek-m57-long-49600",
        &["1 c1 s1 GET 206 56068-60317/9935280 - complete"],
        &[
            "1 download complete 17348/9935280 sent 17966 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
        ],
    ),
    (
        // Its requests name no user agent and no range: plain HTTP.
        "wine__session-nginx",
        &[
            "1 c1 s1 GET 200 - - complete",
            "2 c1 s2 GET 200 - - complete",
            "3 c1 s3 GET 404 - - complete",
            "4 c2 s4 GET 200 - - complete",
        ],
        &[
            "1 download complete 307200/307200 sent 307200 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
            "2 download complete 0/0 sent 0 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
            "3 download failed 0/? sent 0 resent 0 x1 c1 restarts 0 rewinds 0 problems 1",
            "4 download complete 307200/307200 sent 307200 resent 0 x1 c1 restarts 0 rewinds 0 problems 0",
        ],
    ),
];

#[test]
fn uploads() {
    if !present() {
        return;
    }
    for (name, expected, kept) in UPLOADS {
        let timeline = read(name);
        assert_eq!(rows(&timeline), *expected, "{name}");
        assert_eq!(sessions(&timeline), *kept, "{name}");
        assert!(timeline.remarks().is_empty(), "{name}");
    }
}

#[test]
fn downloads() {
    if !present() {
        return;
    }
    for (name, expected, kept) in DOWNLOADS {
        let timeline = read(name);
        assert_eq!(rows(&timeline), *expected, "{name}");
        assert_eq!(sessions(&timeline), *kept, "{name}");
        let holes = usize::from(name.ends_with("gap-skip"));
        assert_eq!(timeline.remarks().len(), holes, "{name}");
        for session in timeline.sessions() {
            let arrived = timeline.coverage(session.no).acked();
            let arrived: u64 = arrived.iter().map(|run| run.end - run.start).sum();
            assert_eq!(arrived, session.acknowledged, "{name}");
        }
    }
}

#[test]
fn a_reply_in_part() {
    if !present() {
        return;
    }
    let timeline = read("mcbup-4.2-upload-reply");
    let session = &timeline.sessions()[0];
    assert_eq!(session.reply_bytes, 590);
    assert_eq!(session.user_agent.as_deref(), Some("Microsoft BITS/6.7"));
    let message = timeline.exchanges()[0].request.expect("a request");
    assert_eq!(message.head.len, 299);
}
