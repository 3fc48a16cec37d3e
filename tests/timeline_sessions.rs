//! Which packets make one session: ids reused, ids missing, restarts, rewinds, hosts, late starts.

#[path = "support/conversation.rs"]
mod conversation;

use bitstap::event::{Close, Direction, Fact, Leg, Missing, What};
use bitstap::timeline::{Outcome, SessionState};
use conversation::{Talk, rows, sessions};

/// A packet to `/up/f` on host `h`.
fn packet(kind: &str, fields: &str) -> String {
    let mut text = format!("> BITS_POST /up/f HTTP/1.1\n> Host: h\n> BITS-Packet-Type: {kind}\n");
    for field in fields.split(", ").filter(|field| !field.is_empty()) {
        text.push_str("> ");
        text.push_str(field);
        text.push('\n');
    }
    text.push_str("> Content-Length: 0\n>\n");
    text
}

fn fragment(id: &str, first: u64, last: u64, total: u64) -> String {
    let len = last - first + 1;
    let body = "x".repeat(usize::try_from(len).unwrap());
    format!(
        "> BITS_POST /up/f HTTP/1.1\n> Host: h\n> BITS-Packet-Type: Fragment\n> BITS-Session-Id: {id}\n\
         > Content-Range: bytes {first}-{last}/{total}\n> Content-Length: {len}\n>\n> {body}\n"
    )
}

fn ack(status: u16, fields: &str) -> String {
    let mut text = format!("< HTTP/1.1 {status} X\n< BITS-Packet-Type: Ack\n< Content-Length: 0\n");
    for field in fields.split(", ").filter(|field| !field.is_empty()) {
        text.push_str("< ");
        text.push_str(field);
        text.push('\n');
    }
    text.push_str("<\n");
    text
}

fn created(id: &str) -> String {
    packet("Create-Session", "") + &ack(200, &format!("BITS-Session-Id: {id}"))
}

#[test]
fn a_ping_before_its_session() {
    let timeline = Talk::new()
        .say(&packet("Ping", ""))
        .say(&ack(200, ""))
        .say(&created("1"))
        .timeline();
    assert_eq!(
        rows(&timeline),
        [
            "1 c1 s1 Ping 200 - - complete",
            "2 c1 s1 Create-Session 200 - - complete",
        ]
    );
    let numbers: Vec<u32> = timeline.exchanges_of(1).map(|row| row.no).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(
        timeline.sessions()[0].first,
        timeline.exchanges()[0].times.get().begun
    );
}

#[test]
fn a_ping_alone_on_a_new_connection() {
    let timeline = Talk::new()
        .say(&created("1"))
        .hang_up()
        .connect("10.0.0.5")
        .say(&packet("Ping", ""))
        .hang_up()
        .connect("10.0.0.6")
        .say(&packet("Ping", ""))
        .hang_up()
        .timeline();
    let sessions: Vec<Option<u32>> = timeline.exchanges().iter().map(|row| row.session).collect();
    assert_eq!(sessions, [Some(1), Some(1), None]);
}

#[test]
fn a_create_session_whose_ack_never_came() {
    let timeline = Talk::new()
        .say(&packet("Create-Session", ""))
        .close(Direction::ToClient, Close::Reset)
        .connect("10.0.0.5")
        .say(&created("1"))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 upload open 0/? sent 0 resent 0 x2 c2 restarts 0 rewinds 0 problems 1"]
    );
}

#[test]
fn two_creates_at_the_same_time_are_two_sessions() {
    let timeline = Talk::new()
        .say(&packet("Create-Session", ""))
        .connect("10.0.0.5")
        .say(&created("2"))
        .on(1)
        .say(&ack(200, "BITS-Session-Id: 1"))
        .timeline();
    assert_eq!(timeline.sessions().len(), 2);
    assert_eq!(timeline.sessions()[0].session_id.as_deref(), Some("1"));
}

#[test]
fn a_fresh_create_while_the_old_session_stands() {
    let timeline = Talk::new()
        .say(&created("1"))
        .say(&fragment("1", 0, 4, 10))
        .say(&ack(200, "BITS-Received-Content-Range: 5"))
        .say(&created("2"))
        .say(&fragment("2", 0, 9, 10))
        .say(&ack(200, "BITS-Received-Content-Range: 10"))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        [
            "1 upload uploading 5/10 sent 5 resent 0 x2 c1 restarts 0 rewinds 0 problems 0",
            "2 upload uploaded 10/10 sent 10 resent 0 x2 c1 restarts 0 rewinds 0 problems 0",
        ]
    );
}

#[test]
fn one_id_on_two_connections() {
    let timeline = Talk::new()
        .say(&created("1"))
        .connect("10.0.0.6")
        .say(&created("1"))
        .on(1)
        .say(&fragment("1", 0, 9, 10))
        .say(&ack(200, ""))
        .on(2)
        .say(&fragment("1", 0, 4, 10))
        .say(&ack(200, ""))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        [
            "1 upload uploaded 10/10 sent 10 resent 0 x2 c1 restarts 0 rewinds 0 problems 0",
            "2 upload uploading 5/10 sent 5 resent 0 x2 c1 restarts 0 rewinds 0 problems 0",
        ]
    );
}

#[test]
fn a_capture_that_started_late() {
    let timeline = Talk::silent()
        .join("10.0.0.5")
        .bytes(
            Direction::ToClient,
            b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 5\r\nContent-Length: 0\r\n\r\n",
        )
        .say(&fragment("{A}", 5, 9, 20))
        .say(&ack(200, "BITS-Received-Content-Range: 10"))
        .say(&packet("Close-Session", "BITS-Session-Id: {a}"))
        .say(&ack(404, ""))
        .timeline();
    assert_eq!(
        rows(&timeline),
        [
            "1 c1 s-  200 - 5 complete",
            "2 c1 s1 Fragment 200 5-9/20 10 complete",
            "3 c1 s1 Close-Session 404 - - complete",
        ]
    );
    assert!(timeline.exchanges()[0].request.is_none());
    assert_eq!(timeline.sessions()[0].state, SessionState::Failed);
}

#[test]
fn rewinds_and_gaps() {
    let timeline = Talk::new()
        .say(&created("1"))
        .say(&fragment("1", 0, 9, 30))
        .say(&ack(200, "BITS-Received-Content-Range: 10"))
        .say(&fragment("1", 20, 29, 30))
        .say(&ack(416, "BITS-Received-Content-Range: 10"))
        .say(&fragment("1", 10, 19, 30))
        .say(&ack(200, "BITS-Received-Content-Range: 5"))
        .say(&fragment("1", 5, 29, 30))
        .say(&ack(200, "BITS-Received-Content-Range: 99"))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 upload uploaded 30/30 sent 55 resent 25 x5 c1 restarts 0 rewinds 2 problems 0"]
    );
    assert!(!timeline.exchanges()[2].is_problem());
}

#[test]
fn a_server_that_ends_the_connection_after_each_answer() {
    let mut talk = Talk::silent();
    talk.connect("10.0.0.5").say(&created("1")).hang_up();
    for at in 0..40 {
        talk.connect("10.0.0.5")
            .say(&fragment("1", at, at, 40))
            .say(&ack(200, ""))
            .close(Direction::ToClient, Close::Fin)
            .close(Direction::ToServer, Close::Fin);
    }
    let timeline = talk.timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 upload uploaded 40/40 sent 40 resent 0 x41 c41 restarts 0 rewinds 0 problems 0"]
    );
    assert_eq!(
        timeline.connections()[1].first_close,
        Some((Direction::ToClient, Close::Fin))
    );
}

#[test]
fn a_farm_sends_the_client_to_another_host_and_back() {
    let create = packet("Create-Session", "");
    let timeline = Talk::new()
        .say(&create)
        .say(&ack(200, "BITS-Session-Id: {A}, BITS-Host-Id: Node2"))
        .connect("10.0.0.5")
        .say(&packet("Ping", "").replace("Host: h", "Host: node2"))
        .say(&ack(200, ""))
        .say(&fragment("{A}", 0, 4, 10).replace("Host: h", "Host: node2"))
        .say(&ack(200, ""))
        .connect("10.0.0.5")
        .say(&fragment("{A}", 5, 9, 10))
        .say(&ack(500, "BITS-Error: 0x8020001F"))
        .say(&create)
        .say(&ack(201, "BITS-Session-Id: {B}"))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 upload open 0/10 sent 10 resent 0 x5 c3 restarts 1 rewinds 0 problems 1"]
    );
}

#[test]
fn a_file_of_no_bytes() {
    let empty = "> BITS_POST /up/f HTTP/1.1\n> Host: h\n> BITS-Packet-Type: Fragment\n> BITS-Session-Id: 1\n\
        > Content-Range: bytes */0\n> Content-Length: 0\n>\n";
    let timeline = Talk::new()
        .say(&created("1"))
        .say(empty)
        .say(&ack(200, ""))
        .say(&packet("Close-Session", "BITS-Session-Id: 1"))
        .say(&ack(200, ""))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 upload closed 0/0 sent 0 resent 0 x3 c1 restarts 0 rewinds 0 problems 0"]
    );
}

#[test]
fn a_cut_fragment_grows_until_it_breaks_off() {
    let mut talk = Talk::new();
    talk.say(&created("1")).bytes(
        Direction::ToServer,
        b"BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: 1\r\n\
          Content-Range: bytes 0-99/100\r\nContent-Length: 100\r\n\r\nabc",
    );
    let before = talk.so_far();
    assert_eq!(before.exchanges()[1].outcome, Outcome::InFlight);
    assert_eq!(before.exchanges()[1].request.unwrap().body, 3);
    assert_eq!(before.sessions()[0].sent, 3);
    assert_eq!(before.sessions()[0].state, SessionState::Uploading);
    talk.bytes(Direction::ToServer, b"defg");
    assert_eq!(talk.so_far().sessions()[0].sent, 7);
    talk.close(Direction::ToServer, Close::Reset);
    let timeline = talk.timeline();
    assert_eq!(timeline.exchanges()[1].outcome, Outcome::CutRequest);
    assert_eq!(
        timeline.sessions()[0].story.last().map(String::as_str),
        Some("Fragment 0-99 (7 bytes passed) got no full answer: the client reset the connection.")
    );
}

#[test]
fn a_row_begins_with_the_first_byte() {
    let mut talk = Talk::new();
    talk.bytes(Direction::ToServer, b"BITS_POST /");
    let timeline = talk.so_far();
    let row = &timeline.exchanges()[0];
    assert_eq!((&*row.method, row.outcome), ("", Outcome::InFlight));
    assert_eq!(row.request.unwrap().head.len, 11);
    assert_eq!(row.request.unwrap().head.position, 2);
    talk.bytes(Direction::ToServer, b"u HTTP/1.1\r\nHost: h\r\n\r\n");
    let timeline = talk.so_far();
    let row = &timeline.exchanges()[0];
    assert_eq!((&*row.method, &*row.url), ("BITS_POST", "/u"));
    let span = row.request.unwrap().head;
    assert_eq!(
        (span.position, span.base, span.offset, span.len),
        (2, 0, 0, 34)
    );
}

#[test]
fn an_interim_response_is_not_the_answer() {
    let mut talk = Talk::new();
    talk.say(&fragment("1", 0, 4, 5).replace(
        "> Content-Length",
        "> Expect: 100-continue\n> Content-Length",
    ))
    .bytes(Direction::ToClient, b"HTTP/1.1 100 Continue\r\n\r\n");
    let between = talk.so_far();
    assert_eq!(between.exchanges()[0].status, None);
    assert_eq!(between.exchanges()[0].outcome, Outcome::InFlight);
    let timeline = talk.say(&ack(200, "")).timeline();
    assert_eq!(rows(&timeline), ["1 c1 s1 Fragment 200 0-4/5 - complete"]);
}

#[test]
fn an_answer_of_the_proxy_itself() {
    let timeline = Talk::new()
        .say(&packet("Create-Session", ""))
        .note(
            "The server could not be reached; the client was answered 502.",
            Fact::Answered {
                status: 502,
                reason: "refused".to_owned(),
            },
        )
        .say("< HTTP/1.1 502 Bad Gateway\n< Content-Length: 2\n<\n< no\n")
        .say(&created("1"))
        .timeline();
    assert_eq!(
        rows(&timeline),
        [
            "1 c1 s1 Create-Session 502 - - injected",
            "2 c1 s1 Create-Session 200 - - complete",
        ]
    );
    assert_eq!(timeline.remarks().len(), 1);
    assert_eq!(timeline.remarks()[0].exchange, Some(1));
}

#[test]
fn oddities_are_told_once() {
    let mut talk = Talk::new();
    talk.say(&created("1"));
    for _ in 0..5 {
        talk.bytes(Direction::ToClient, b"rubbish ");
    }
    talk.say(&packet("Ping", ""))
        .say(&ack(200, ""))
        .bytes(
            Direction::ToClient,
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        )
        .missing(Direction::ToServer, 10, Missing::NotSeen)
        .missing(Direction::ToServer, 5, Missing::NotSeen)
        .hang_up();
    let timeline = talk.timeline();
    let texts: Vec<&str> = timeline
        .remarks()
        .iter()
        .map(|remark| remark.text.as_str())
        .collect();
    assert_eq!(timeline.exchanges().len(), 2);
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].starts_with("40 bytes at byte"), "{texts:?}");
    assert!(texts[1].contains("no request had asked for"), "{texts:?}");
    assert!(texts[2].starts_with("15 bytes at byte"), "{texts:?}");
}

#[test]
fn the_upstream_leg_tells_who_hung_up() {
    let mut talk = Talk::new();
    let (client, server) = (
        "10.0.0.1:4000".parse().unwrap(),
        "192.0.2.9:80".parse().unwrap(),
    );
    talk.push(Leg::Upstream, What::Opening { client, server })
        .wait(std::time::Duration::from_millis(7))
        .push(Leg::Upstream, What::Opened)
        .say(&fragment("1", 0, 4, 5))
        .push(
            Leg::Upstream,
            What::Data {
                direction: Direction::ToServer,
                bytes: bytes::Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"),
            },
        )
        .push(
            Leg::Upstream,
            What::Closed {
                direction: Direction::ToClient,
                how: Close::Reset,
            },
        )
        .close(Direction::ToClient, Close::Reset);
    let timeline = talk.timeline();
    assert_eq!(timeline.exchanges().len(), 1);
    let connection = &timeline.connections()[0];
    assert_eq!(connection.upstream, Some(server));
    assert_eq!(
        connection.connect,
        Some(std::time::Duration::from_millis(7))
    );
    let story = timeline.sessions()[0].story.join(" ");
    assert!(story.contains("the server reset the connection"), "{story}");
}

#[test]
fn a_notification_is_told_of_its_upload_by_url_by_id_or_by_path() {
    let id = "{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}";
    let file = format!("BITS-Request-DataFile-Name: D:\\up\\Requests\\{id}\\requestfile.bin");
    for (fields, expected) in [
        ("BITS-Original-Request-URL: http://h/up/f", Some(1)),
        // The server's own name for itself.
        ("BITS-Original-Request-URL: http://node2:8080/up/f", Some(1)),
        ("BITS-Original-Request-URL: http://h/other", None),
        (&*file, Some(1)),
    ] {
        let timeline = Talk::new()
            .say(&created(id))
            .connect("10.0.0.9")
            .say(&format!(
                "> POST /app HTTP/1.1\n> Host: app\n> {fields}\n> Content-Length: 0\n>\n"
            ))
            .say("< HTTP/1.1 200 OK\n< Content-Length: 0\n<\n")
            .timeline();
        let row = &timeline.exchanges()[1];
        assert_eq!(
            row.packet.map(bitstap::bits::Packet::name),
            Some("Notification")
        );
        assert_eq!(row.session, expected, "{fields}");
        let told = "The server told its application at app/app of the upload; it answered 200.";
        let story = timeline.sessions()[0].story.last().map(String::as_str);
        assert_eq!(story == Some(told), expected.is_some(), "{story:?}");
    }
}
