//! Downloads: whole files, blocks, ranges, what breaks them, and what begins another.

#[path = "support/conversation.rs"]
mod conversation;

use bitstap::event::{Close, Direction, Missing};
use bitstap::timeline::{Outcome, SessionState};
use conversation::{Talk, sessions};

fn get(range: &str) -> String {
    let range = if range.is_empty() {
        String::new()
    } else {
        format!("> Range: bytes={range}\n")
    };
    format!("> GET /d/f.bin?x=1 HTTP/1.1\n> Host: dl\n> User-Agent: Microsoft BITS/7.8\n{range}>\n")
}

fn part(first: u64, last: u64, total: u64) -> String {
    let len = last - first + 1;
    let body = "x".repeat(usize::try_from(len).unwrap());
    format!(
        "< HTTP/1.1 206 X\n< Content-Range: bytes {first}-{last}/{total}\n< Content-Length: {len}\n<\n< {body}\n"
    )
}

fn state_after(answer: &str) -> SessionState {
    let timeline = Talk::new().say(&get("")).say(answer).hang_up().timeline();
    timeline.sessions()[0].state
}

#[test]
fn a_whole_file() {
    let timeline = Talk::new()
        .say(&get(""))
        .say("< HTTP/1.1 200 OK\n< Content-Length: 5\n<\n< 01234\n")
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 download complete 5/5 sent 5 resent 0 x1 c1 restarts 0 rewinds 0 problems 0"]
    );
    assert_eq!(&*timeline.sessions()[0].name, "f.bin");
    assert_eq!(&*timeline.sessions()[0].url, "/d/f.bin?x=1");
}

#[test]
fn a_file_of_no_bytes() {
    assert_eq!(
        state_after("< HTTP/1.1 200 OK\n< Content-Length: 0\n<\n"),
        SessionState::Complete
    );
}

#[test]
fn answers_that_end_a_download_and_answers_that_do_not() {
    for (status, state) in [
        (404, SessionState::Failed),
        (403, SessionState::Failed),
        (410, SessionState::Failed),
        (412, SessionState::Open),
        (416, SessionState::Open),
        (401, SessionState::Open),
        (407, SessionState::Open),
        (304, SessionState::Open),
        (302, SessionState::Open),
        (503, SessionState::Open),
    ] {
        let answer = format!("< HTTP/1.1 {status} X\n< Content-Length: 0\n<\n");
        assert_eq!(state_after(&answer), state, "{status}");
    }
}

#[test]
fn blocks_over_several_connections() {
    let mut talk = Talk::new();
    talk.say("> HEAD /d/f.bin?x=1 HTTP/1.1\n> Host: DL\n> User-Agent: Microsoft BITS/7.8\n>\n")
        .say("< HTTP/1.1 200 OK\n< Content-Length: 20\n<\n")
        .hang_up()
        .connect("10.0.0.5")
        .say(&get("0-9"))
        .say(&part(0, 9, 20))
        .hang_up();
    // A block that arrived does not make the download complete.
    assert_eq!(talk.so_far().sessions()[0].state, SessionState::Uploading);
    talk.connect("10.0.0.5")
        .say(&get("10-19"))
        .bytes(
            Direction::ToClient,
            b"HTTP/1.1 206 X\r\nContent-Range: bytes 10-19/20\r\nContent-Length: 10\r\n\r\nabcd",
        )
        .close(Direction::ToClient, Close::Fin)
        .close(Direction::ToServer, Close::Fin)
        .connect("10.0.0.5")
        .say(&get("10-19"))
        .say(&part(10, 19, 20));
    let timeline = talk.timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 download complete 20/20 sent 24 resent 4 x4 c4 restarts 0 rewinds 0 problems 1"]
    );
    assert_eq!(timeline.exchanges()[2].outcome, Outcome::CutResponse);
    assert_eq!(timeline.exchanges()[0].response.unwrap().length(), Some(20));
}

#[test]
fn another_client_and_a_second_time_are_other_downloads() {
    let whole = "< HTTP/1.1 200 OK\n< Content-Length: 5\n<\n< 01234\n";
    let timeline = Talk::new()
        .say(&get(""))
        .say(whole)
        .say(&get(""))
        .say(whole)
        .connect("10.0.0.6")
        .say(&get(""))
        .say(whole)
        .timeline();
    let sessions: Vec<Option<u32>> = timeline.exchanges().iter().map(|row| row.session).collect();
    assert_eq!(sessions, [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_job_of_ranges() {
    let mut talk = Talk::new();
    talk.say(&get("100-109")).say(&part(100, 109, 1000));
    assert_eq!(talk.so_far().sessions()[0].state, SessionState::Uploading);
    talk.hang_up();
    assert_eq!(talk.so_far().sessions()[0].state, SessionState::Complete);
    // Another range goes on with it.
    talk.connect("10.0.0.5")
        .say(&get("200-209"))
        .say(&part(200, 209, 1000))
        .hang_up();
    assert_eq!(
        sessions(&talk.timeline()),
        ["1 download complete 20/1000 sent 20 resent 0 x2 c2 restarts 0 rewinds 0 problems 0"]
    );
}

/// A request for these ranges of a file of 1000 bytes, and an answer with these parts.
fn asked_and_brought(ranges: &str, parts: &[(usize, usize)]) -> Talk {
    let mut content = String::new();
    for &(first, last) in parts {
        let bytes = "x".repeat(last + 1 - first);
        content.push_str(&format!(
            "--b\r\nContent-Range: bytes {first}-{last}/1000\r\n\r\n{bytes}\r\n"
        ));
    }
    content.push_str("--b--\r\n");
    let length = content.len();
    let mut talk = Talk::new();
    talk.say(&get(ranges)).say(&format!(
        "< HTTP/1.1 206 X\n< Content-Type: multipart/byteranges; boundary=b\n< Content-Length: {length}\n<\n"
    ));
    talk.bytes(Direction::ToClient, content.as_bytes())
        .hang_up();
    talk
}

#[test]
fn several_ranges_in_one_request() {
    let timeline = asked_and_brought("100-104,300-309", &[(100, 104), (300, 309)]).timeline();
    let session = &timeline.sessions()[0];
    assert_eq!(session.state.name(), "complete");
    assert_eq!((session.acknowledged, session.total), (15, Some(1000)));
    assert_eq!(
        session.story,
        [
            "2 ranges in one answer brought 15 bytes, between 100 and 309 of 1000.",
            "All ranges that were asked for have arrived."
        ]
    );
    let exchange = &timeline.exchanges()[0];
    assert_eq!(exchange.parts[..], [(100, 105), (300, 310)]);
    assert_eq!(
        exchange
            .range
            .map(|range| (range.first, range.last, range.total)),
        Some((100, 104, Some(1000)))
    );
    let coverage = timeline.coverage(1);
    assert_eq!(coverage.acked(), [100..105, 300..310]);
    assert_eq!(coverage.missing(), [0..100, 105..300, 310..1000]);
}

#[test]
fn a_range_that_the_server_left_out_has_not_arrived() {
    let timeline = asked_and_brought("100-104,300-309", &[(100, 104)]).timeline();
    let session = &timeline.sessions()[0];
    assert_eq!(
        (session.state.name(), session.acknowledged),
        ("uploading", 5)
    );
}

#[test]
fn a_file_that_changes_begins_again() {
    let timeline = Talk::new()
        .say(&get("0-9"))
        .say(&part(0, 9, 20).replace("< Content-Length", "< Last-Modified: a\n< Content-Length"))
        .say(&get("10-19"))
        .say(&part(10, 19, 20).replace("< Content-Length", "< Last-Modified: b\n< Content-Length"))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 download uploading 10/20 sent 20 resent 0 x2 c1 restarts 1 rewinds 0 problems 0"]
    );
}

#[test]
fn the_whole_file_in_place_of_a_range() {
    let body = "x".repeat(20);
    let timeline = Talk::new()
        .say(&get("5-9"))
        .say(&format!(
            "< HTTP/1.1 200 OK\n< Content-Length: 20\n<\n< {body}\n"
        ))
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 download complete 20/20 sent 20 resent 0 x1 c1 restarts 0 rewinds 0 problems 0"]
    );
    assert_eq!(timeline.coverage(1).acked().first(), Some(&(0..20)));
}

#[test]
fn a_redirect_leads_to_the_same_download() {
    let there = get("")
        .replace("/d/f.bin?x=1", "/x?sig=a")
        .replace("dl", "cdn:81");
    let page = "< HTTP/1.1 307 T\n< Location: HTTP://CDN:81/x?sig=a\n< Content-Length: 0\n<\n";
    let timeline = Talk::new()
        .say(&get(""))
        .say(page)
        .connect("10.0.0.5")
        .say(&there)
        .say("< HTTP/1.1 200 OK\n< Content-Length: 5\n<\n< 01234\n")
        .timeline();
    assert_eq!(
        sessions(&timeline),
        ["1 download complete 5/5 sent 5 resent 0 x2 c2 restarts 0 rewinds 0 problems 0"]
    );
    assert_eq!(&*timeline.sessions()[0].url, "/d/f.bin?x=1");
    // Another client that asks there has a download of its own.
    let other = Talk::new()
        .say(&get(""))
        .say(page)
        .connect("10.0.0.6")
        .say(&there)
        .timeline();
    assert_eq!(other.sessions().len(), 2);
}

#[test]
fn hashes_are_not_taken_for_the_file() {
    let timeline = Talk::new()
        .say(&get("0-99"))
        .say("< HTTP/1.1 206 P\n< Content-Range: bytes 0-99/200\n< Content-Encoding: PeerDist\n< Content-Length: 5\n<\n< 01234\n")
        .hang_up()
        .timeline();
    let session = &timeline.sessions()[0];
    assert_eq!(
        (session.acknowledged, session.sent, session.total),
        (0, 0, Some(200))
    );
    assert_eq!(session.state, SessionState::Uploading);
    assert!(timeline.coverage(1).acked().is_empty());
    assert!(
        session.story[0].contains("hashes (PeerDist)"),
        "{:?}",
        session.story
    );
}

#[test]
fn what_the_capture_missed_is_not_what_the_peers_missed() {
    let mut talk = Talk::new();
    talk.say(&get(""))
        .bytes(
            Direction::ToClient,
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        )
        .missing(Direction::ToClient, 4, Missing::NotSeen)
        .bytes(Direction::ToClient, b"hi");
    let timeline = talk.timeline();
    let session = &timeline.sessions()[0];
    assert_eq!(session.state, SessionState::Complete);
    assert_eq!(
        session.story.last().unwrap(),
        "All bytes of the file have arrived; 4 bytes of content are missing from this capture."
    );
    assert!(
        timeline
            .findings()
            .iter()
            .all(|finding| finding.id == "BDL-08")
    );
}

#[test]
fn plain_http_is_an_exchange_without_a_session() {
    let timeline = Talk::new()
        .say("> GET / HTTP/1.1\n> Host: h\n> User-Agent: curl/8\n>\n< HTTP/1.1 200 OK\n< Content-Length: 2\n<\n< ok\n")
        .timeline();
    let row = &timeline.exchanges()[0];
    assert_eq!((row.packet, row.session), (None, None));
    assert_eq!((&*row.method, row.status), ("GET", Some(200)));
    assert!(timeline.sessions().is_empty());
}
