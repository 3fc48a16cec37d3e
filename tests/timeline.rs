//! Dialogues to rows: the worked examples, whole.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/examples.rs"]
mod examples;

use std::time::Duration;

use bitstap::event::{Close, Direction};
use bitstap::timeline::{Change, SessionKind, SessionState};
use conversation::{Talk, rows, sessions};
use examples::{DOWNLOAD, NOTIFICATION, REPLY_DOWNLOAD, REPLY_UPLOAD, STRICT_RESUME, UPLOAD};

const PING: &str = "> BITS_POST /up/report.csv HTTP/1.1
    > BITS-Packet-Type: Ping
    > Host: bits.example.test
    > Content-Length: 0
    >
    < HTTP/1.1 200 OK
    < BITS-Packet-Type: Ack
    < Content-Length: 0
    <
";

#[test]
fn an_upload_in_three_fragments() {
    let timeline = Talk::new().say(UPLOAD).hang_up().timeline();
    assert_eq!(
        rows(&timeline),
        [
            "1 c1 s1 Create-Session 200 - - complete",
            "2 c1 s1 Fragment 200 0-9/30 10 complete",
            "3 c1 s1 Fragment 200 10-19/30 20 complete",
            "4 c1 s1 Fragment 200 20-29/30 30 complete",
            "5 c1 s1 Close-Session 200 - - complete",
        ]
    );
    assert_eq!(
        sessions(&timeline),
        ["1 upload closed 30/30 sent 30 resent 0 x5 c1 restarts 0 rewinds 0 problems 0"]
    );
    let session = &timeline.sessions()[0];
    assert_eq!(
        session.session_id.as_deref(),
        Some("{3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}")
    );
    assert_eq!(&*session.url, "/up/report.csv");
    assert_eq!(&*session.name, "report.csv");
    assert_eq!(session.user_agent.as_deref(), Some("Microsoft BITS/7.8"));
    assert_eq!(session.client.unwrap().to_string(), "10.0.0.5:50001");
    assert_eq!(session.first, Duration::from_millis(1));
    assert_eq!(session.last, Duration::from_millis(13));
    assert_eq!(
        session.story,
        [
            "The client created the session for /up/report.csv; the server named it {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}.",
            "3 fragments brought bytes 0 to 29 of 30; the server acknowledged all of it.",
            "The client closed the session; the server confirmed.",
        ]
    );
    assert_eq!(timeline.exchanges_of(1).count(), 5);
    assert!(timeline.remarks().is_empty());
    let connection = &timeline.connections()[0];
    assert_eq!(
        connection.first_close,
        Some((Direction::ToServer, Close::Fin))
    );
    assert_eq!(connection.exchanges, 5);
    assert_eq!(connection.closed, Some(Duration::from_millis(15)));
    assert_eq!(timeline.summary().to_server, connection.to_server);
}

#[test]
fn a_lost_ack_and_a_strict_server() {
    let mut talk = Talk::new();
    let until_second_ack = UPLOAD.find("> BITS_POST /up/report.csv HTTP/1.1\n> BITS-Packet-Type: Fragment\n> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\n> Content-Range: bytes 10-19/30").unwrap();
    talk.say(&UPLOAD[..until_second_ack])
        .say(
            "> BITS_POST /up/report.csv HTTP/1.1
             > BITS-Packet-Type: Fragment
             > BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
             > Content-Range: bytes 10-19/30
             > Host: bits.example.test
             > Content-Length: 10
             >
             > bravo,5678",
        )
        .close(Direction::ToClient, Close::Reset)
        .connect("10.0.0.5")
        .say(PING)
        .say(STRICT_RESUME)
        .hang_up();
    let timeline = talk.timeline();
    assert_eq!(
        rows(&timeline),
        [
            "1 c1 s1 Create-Session 200 - - complete",
            "2 c1 s1 Fragment 200 0-9/30 10 complete",
            "3 c1 s1 Fragment - 10-19/30 - no-response",
            "4 c2 s1 Ping 200 - - complete",
            "5 c2 s1 Fragment 416 10-19/30 20 complete",
            "6 c2 s1 Fragment 200 20-29/30 30 complete",
        ]
    );
    assert_eq!(
        sessions(&timeline),
        ["1 upload uploaded 30/30 sent 40 resent 10 x6 c2 restarts 0 rewinds 0 problems 1"]
    );
    let story = &timeline.sessions()[0].story;
    assert!(
        story.contains(
            &"Fragment 10-19 (10 bytes passed) got no full answer: the server reset the connection."
                .to_owned()
        ),
        "{story:?}"
    );
    let numbers: Vec<u32> = timeline.exchanges_of(1).map(|row| row.no).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn an_upload_with_a_reply() {
    let timeline = Talk::new()
        .say(REPLY_UPLOAD)
        .connect("10.0.0.9")
        .say(NOTIFICATION)
        .on(1)
        .say(REPLY_DOWNLOAD)
        .hang_up()
        .timeline();
    assert_eq!(
        rows(&timeline),
        [
            "1 c1 s1 Create-Session 200 - - complete",
            "2 c1 s1 Ping 200 - - complete",
            "3 c1 s1 Fragment 200 0-9/10 10 complete",
            "4 c2 s1 Notification 200 - - complete",
            "5 c1 s1 GET 206 0-4/5 - complete",
            "6 c1 s1 Close-Session 200 - - complete",
        ]
    );
    assert_eq!(
        sessions(&timeline),
        ["1 upload-reply closed 10/10 sent 10 resent 0 x6 c2 restarts 0 rewinds 0 problems 0"]
    );
    let session = &timeline.sessions()[0];
    assert_eq!(session.reply_bytes, 5);
    assert_eq!(
        session.reply_url.as_deref(),
        Some(r"BITS-Sessions\Replies\{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}\responsefile.bin")
    );
}

/// The session of the next examples, with its first packet.
const CREATE: &str = "> BITS_POST /up/report.csv HTTP/1.1
    > BITS-Packet-Type: Create-Session
    > BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}
    > Host: bits.example.test
    > Content-Length: 0
    >
";

fn fragment(first: u64, last: u64, total: u64, id: &str) -> String {
    let len = last - first + 1;
    let body = "x".repeat(usize::try_from(len).unwrap());
    format!(
        "> BITS_POST /up/report.csv HTTP/1.1
         > BITS-Packet-Type: Fragment
         > BITS-Session-Id: {id}
         > Content-Range: bytes {first}-{last}/{total}
         > Host: bits.example.test
         > Content-Length: {len}
         >
         > {body}
"
    )
}

fn ack(status: &str, fields: &str) -> String {
    let mut text = format!("< HTTP/1.1 {status}\n< BITS-Packet-Type: Ack\n< Content-Length: 0\n");
    for field in fields.split(", ").filter(|field| !field.is_empty()) {
        text.push_str("< ");
        text.push_str(field);
        text.push('\n');
    }
    text.push_str("<\n");
    text
}

fn end(packet: &str, id: &str) -> String {
    format!(
        "> BITS_POST /up/report.csv HTTP/1.1
         > BITS-Packet-Type: {packet}
         > BITS-Session-Id: {id}
         > Host: bits.example.test
         > Content-Length: 0
         >
"
    )
}

#[test]
fn a_cancel_and_a_second_one_that_is_refused() {
    let timeline = Talk::new()
        .say(CREATE)
        .say(&ack("200 OK", "BITS-Session-Id: 7"))
        .say(&fragment(0, 9, 30, "7"))
        .say(&ack("200 OK", "BITS-Received-Content-Range: 10"))
        .say(&end("Cancel-Session", "7"))
        .say(&ack("200 OK", "BITS-Session-Id: 7"))
        .say(&end("Cancel-Session", "7"))
        .say(&ack(
            "400 Bad Request",
            "BITS-Error-Code: 0x80070057, BITS-Error-Context: 0x5",
        ))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 upload cancelled 10/30 sent 10 resent 0 x4 c1 restarts 0 rewinds 0 problems 1"]
    );
    assert_eq!(
        timeline.exchanges()[3]
            .error
            .map(|error| (error.code, error.context)),
        Some((0x8007_0057, Some(5)))
    );
}

#[test]
fn a_forgotten_session_starts_again_in_the_same_row() {
    let mut talk = Talk::new();
    talk.say(CREATE)
        .say(&ack("200 OK", "BITS-Session-Id: {A}"))
        .say(&fragment(0, 9, 30, "{A}"))
        .say(&ack("200 OK", "BITS-Received-Content-Range: 10"))
        .say(&fragment(10, 19, 30, "{a}"))
        .say(&ack(
            "500 Internal Server Error",
            "BITS-Error-Code: 0x8020001F, BITS-Error-Context: 0x5",
        ));
    assert_eq!(talk.so_far().sessions()[0].state, SessionState::Lost);
    talk.connect("10.0.0.5")
        .say(CREATE)
        .say(&ack("200 OK", "BITS-Session-Id: {B}"))
        .say(&fragment(0, 29, 30, "{B}"))
        .say(&ack("200 OK", ""));
    let timeline = talk.timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 upload uploaded 30/30 sent 50 resent 20 x5 c2 restarts 1 rewinds 0 problems 1"]
    );
    assert_eq!(timeline.sessions()[0].session_id.as_deref(), Some("{B}"));
    let story = timeline.sessions()[0].story.join(" ");
    assert!(
        story.contains("500 BG_E_SESSION_NOT_FOUND (server does not know the session)"),
        "{story}"
    );
}

#[test]
fn fatal_and_transient_answers() {
    let refused = |status: &str, fields: &str| {
        Talk::new()
            .say(CREATE)
            .say(&ack(status, fields))
            .timeline()
            .sessions()[0]
            .state
    };
    for (status, fields) in [
        (
            "403 Forbidden",
            "BITS-Error: 0x80070005, BITS-Error-Context: 0x5",
        ),
        ("404 Not Found", ""),
        ("400 Bad Request", "BITS-Error: x80070057"),
        ("501 Not Implemented", ""),
        ("500 Oh", "BITS-Error-Code: 0x80200020"),
        ("302 Found", "Location: /"),
    ] {
        assert_eq!(refused(status, fields), SessionState::Failed, "{status}");
    }
    for status in [
        "503 Later",
        "409 Conflict",
        "408 Slow",
        "401 Who",
        "504 Slow",
    ] {
        assert_eq!(refused(status, ""), SessionState::Open, "{status}");
    }
}

#[test]
fn a_download_whose_file_changes() {
    let timeline = Talk::new().say(DOWNLOAD).hang_up().timeline();
    assert_eq!(
        rows(&timeline),
        [
            "1 c1 s1 HEAD 200 - - complete",
            "2 c1 s1 GET 206 0-9/25 - complete",
            "3 c1 s1 GET 412 10-19/- - complete",
        ]
    );
    assert_eq!(
        sessions(&timeline),
        ["1 download uploading 10/25 sent 10 resent 0 x3 c1 restarts 0 rewinds 0 problems 1"]
    );
    assert_eq!(timeline.sessions()[0].kind, SessionKind::Download);
}

#[test]
fn changes_are_told_once() {
    let mut timeline = Talk::new().say(UPLOAD).so_far();
    let changes = timeline.take_changes();
    assert_eq!(
        changes,
        [
            Change::Exchange(1),
            Change::Exchange(2),
            Change::Exchange(3),
            Change::Exchange(4),
            Change::Session(1),
            Change::Exchange(5),
        ]
    );
    assert_eq!(timeline.take_changes(), []);
    timeline.finish();
    assert_eq!(timeline.take_changes(), []);
}
