//! What a replay sends: recorded heads with the values of the live session, and the bytes that the server asks for.

mod peer_support;
mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
    pub(crate) mod playing;
    pub(crate) mod recordings;
}

use peer_support::script::{CLOSE, Script, ack, created, lost, next};
use support::playing::{Played, capture, replay};

/// Plays a capture to a server that answers from a list.
async fn play(name: &str, answers: Vec<String>, more: &'static [&str]) -> (Script, Played) {
    let script = Script::play(answers).await;
    let (path, url) = (capture(name), script.url("/"));
    let played = tokio::task::spawn_blocking(move || replay(&path, &url, more));
    let played = played.await.unwrap();
    (script, played)
}

fn ok() -> String {
    ack(200, "")
}

#[tokio::test]
async fn heads_are_the_recorded_ones_with_the_live_values() {
    let answers = vec![
        created(""),
        next(200, 10),
        next(200, 20),
        next(200, 30),
        ok(),
    ];
    let (script, played) = play("example-upload", answers, &[]).await;
    let heads = script.heads();
    assert_eq!(
        heads[1],
        format!(
            "BITS_POST /up/report.csv HTTP/1.1\r\nAccept: */*\r\nBITS-Packet-Type: Fragment\r\n\
             BITS-Session-Id: {{S}}\r\nContent-Name: report.csv\r\nContent-Range: bytes 0-9/30\r\n\
             User-Agent: Microsoft BITS/7.8\r\nHost: {}\r\nContent-Length: 10\r\n\
             Connection: Keep-Alive\r\n\r\n",
            script.address
        ),
        "{played:?}"
    );
    assert_eq!(
        script.packets(),
        [
            "Create-Session",
            "Fragment 0-9/30",
            "Fragment 10-19/30",
            "Fragment 20-29/30",
            "Close-Session"
        ]
    );
}

#[tokio::test]
async fn another_offset_is_obeyed_in_both_directions() {
    let answers = vec![
        created(""),
        // It has three bytes more than it was sent, it seems.
        next(200, 13),
        // Then it goes back.
        next(416, 5),
        next(200, 20),
        next(200, 30),
        ok(),
    ];
    let (script, played) = play("example-upload", answers, &[]).await;
    assert_eq!(
        script.packets()[1..],
        [
            "Fragment 0-9/30",
            "Fragment 13-19/30",
            "Fragment 5-14/30",
            "Fragment 20-29/30",
            "Close-Session"
        ],
        "{played:?}"
    );
    assert_eq!(played.code, Some(1));
    let found = played.differences();
    assert!(
        found.contains(&"2 Fragment: BITS-Received-Content-Range".to_owned()),
        "{found:?}"
    );
}

#[tokio::test]
async fn the_last_bytes_are_sent_before_the_session_is_closed() {
    let answers = vec![
        created(""),
        next(200, 10),
        next(200, 20),
        next(200, 25),
        next(200, 30),
        ok(),
    ];
    let (script, played) = play("example-upload", answers, &[]).await;
    assert_eq!(
        script.packets()[3..],
        ["Fragment 20-29/30", "Fragment 25-29/30", "Close-Session"],
        "{played:?}"
    );
}

#[tokio::test]
async fn a_refused_size_is_halved_and_what_is_done_is_not_sent_again() {
    let answers = vec![
        ok(),
        created(""),
        next(200, 2048),
        next(200, 6144),
        ack(413, ""),
        next(200, 11_264),
        next(200, 120_000),
        ok(),
    ];
    let (script, played) = play("upload", answers, &[]).await;
    assert_eq!(
        script.packets(),
        [
            "Ping",
            "Create-Session",
            "Fragment 0-2047/120000",
            "Fragment 2048-6143/120000",
            "Fragment 6144-14335/120000",
            "Fragment 6144-11263/120000",
            "Fragment 11264-14335/120000",
            "Close-Session"
        ],
        "{played:?}"
    );
}

#[tokio::test]
async fn a_server_that_takes_very_little_gets_very_little() {
    let answers = vec![
        created(""),
        ack(413, ""),
        ack(413, ""),
        next(200, 2),
        next(200, 4),
        next(200, 30),
        ok(),
    ];
    let (script, played) = play("example-upload", answers, &[]).await;
    assert_eq!(
        script.packets()[1..],
        [
            "Fragment 0-9/30",
            "Fragment 0-4/30",
            "Fragment 0-1/30",
            "Fragment 2-3/30",
            "Fragment 4-5/30",
            "Close-Session"
        ],
        "{played:?}"
    );
    let told = played.lines[1]["notes"].to_string();
    assert!(told.contains("the Windows client would give up"), "{told}");
}

#[tokio::test]
async fn a_server_that_takes_nothing_is_left() {
    let mut answers = vec![created("")];
    answers.extend(vec![ack(413, ""); 9]);
    let (script, played) = play("example-upload", answers, &[]).await;
    assert_eq!(script.packets().last().unwrap(), "Fragment 0-0/30");
    assert_eq!(played.code, Some(1));
    let found = played.differences();
    assert!(found.contains(&"0 session: order".to_owned()), "{found:?}");
}

#[tokio::test]
async fn another_spelling_is_read_and_named() {
    let misspelt = |offset| ack(200, &format!("BITS-Recieved-Content-Range: {offset}\r\n"));
    let answers = vec![created(""), misspelt(10), misspelt(20), next(200, 30), ok()];
    let (_, played) = play("example-upload", answers, &[]).await;
    assert_eq!(played.code, Some(1));
    let found = played.differences();
    let named = found.iter().filter(|one| one.ends_with("spelling"));
    assert_eq!(
        named.collect::<Vec<_>>(),
        ["2 Fragment: spelling", "3 Fragment: spelling"]
    );
}

#[tokio::test]
async fn a_forgotten_session_begins_anew() {
    let answers = vec![
        created(""),
        next(200, 10),
        lost(),
        created("").replace("{S}", "{T}"),
        next(200, 10),
        next(200, 20),
        next(200, 30),
        ok(),
    ];
    let (script, played) = play("example-upload", answers, &[]).await;
    assert_eq!(
        script.packets()[2..],
        [
            "Fragment 10-19/30",
            "Create-Session",
            "Fragment 0-9/30",
            "Fragment 10-19/30",
            "Fragment 20-29/30",
            "Close-Session"
        ],
        "{played:?}"
    );
    let heads = script.heads();
    assert!(!heads[3].contains("BITS-Session-Id"), "{}", heads[3]);
    assert!(
        heads[4].contains("BITS-Session-Id: {T}\r\n"),
        "{}",
        heads[4]
    );
    assert!(
        heads[7].contains("BITS-Session-Id: {T}\r\n"),
        "{}",
        heads[7]
    );
    let session = played
        .lines
        .iter()
        .find(|line| line["type"] == "replay")
        .unwrap();
    assert_eq!(session["session_id"]["live"], "{T}");
    assert_eq!(session["state"]["live"], "closed");
}

#[tokio::test]
async fn trouble_that_may_pass_is_waited_out_with_a_ping() {
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned();
    let answers = vec![
        created(""),
        next(200, 10),
        format!("{busy}{CLOSE}"),
        ok(),
        next(200, 20),
        next(200, 30),
        ok(),
    ];
    let (script, played) = play("example-upload", answers, &[]).await;
    assert_eq!(
        script.packets()[2..],
        [
            "Fragment 10-19/30",
            "Ping",
            "Fragment 10-19/30",
            "Fragment 20-29/30",
            "Close-Session"
        ],
        "{played:?}"
    );
    let found = played.differences();
    assert!(
        found.contains(&"3 Fragment: status".to_owned()),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_reply_is_fetched_where_the_live_server_has_it() {
    let reply = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\nother";
    let answers = vec![
        created(""),
        ok(),
        ack(
            200,
            "BITS-Received-Content-Range: 10\r\nBITS-Reply-URL: r\\{S} 1.bin\r\n",
        ),
        reply.to_owned(),
        ok(),
    ];
    let (script, played) = play("example-upload-reply", answers, &[]).await;
    let heads = script.heads();
    assert!(
        heads[3].starts_with("GET /ask/r/%7BS%7D%201.bin HTTP/1.1\r\n"),
        "{}",
        heads[3]
    );
    let found = played.differences();
    assert!(found.contains(&"5 GET: content".to_owned()), "{found:?}");
    assert!(
        found.contains(&"1 Create-Session: BITS-Host-Id".to_owned()),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_refusal_ends_the_session_and_the_rest_is_not_sent() {
    let refused = ack(
        403,
        "BITS-Error-Code: 0x80070005\r\nBITS-Error-Context: 0x5\r\n",
    );
    let (script, played) = play("example-upload", vec![refused, ok(), ok()], &[]).await;
    assert_eq!(script.packets(), ["Create-Session"]);
    assert_eq!(played.code, Some(1), "{}", played.error);
    let found = played.differences();
    for one in [
        "1 Create-Session: status",
        "1 Create-Session: BITS-Error-Code",
        "0 session: state",
        "0 session: order",
    ] {
        assert!(found.contains(&one.to_owned()), "{one}: {found:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_a_difference_and_no_panic() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBITS-",
    ] {
        let answers = vec![format!("{answer}{CLOSE}"); 4];
        let (_, played) = play("example-upload", answers, &["--retries", "1"]).await;
        assert_eq!(played.code, Some(1), "{answer}: {}", played.error);
        let found = played.differences();
        assert!(
            found.contains(&"1 Create-Session: answer".to_owned()),
            "{answer}: {found:?}"
        );
    }
}
