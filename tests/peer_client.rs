//! Our upload client against servers that say what the script says, right or wrong.

mod peer_support;

use std::time::Duration;

use bitstap::peer::client::{Common, PieceSize, Timers};
use bitstap::peer::{Error, SendConfig, Sent, send};
use peer_support::script::{CLOSE, Script, ack, created, lost, next};
use peer_support::sha256;

/// Uploads 30 bytes in fragments of 10 to a server that plays `answers`.
async fn play(answers: Vec<String>) -> (Result<Sent, Error>, Script) {
    play_with(answers, |_| {}).await
}

async fn play_with(
    answers: Vec<String>,
    change: impl FnOnce(&mut SendConfig),
) -> (Result<Sent, Error>, Script) {
    let script = Script::play(answers).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.csv");
    std::fs::write(&file, "alpha,1234bravo,5678delta,9012").unwrap();
    let mut config = SendConfig {
        fragment_size: PieceSize::Fixed(10),
        retry_delay: Duration::ZERO,
        ping: false,
        ..SendConfig::new(file, script.url("/up/report.csv"))
    };
    change(&mut config);
    (send(config, &|_| {}).await, script)
}

fn rest(mut first: Vec<String>, more: &[String]) -> Vec<String> {
    first.extend_from_slice(more);
    first
}

#[tokio::test]
async fn requests_look_as_those_of_windows() {
    let (sent, script) = play_with(
        vec![
            ack(200, ""),
            created(""),
            next(200, 10),
            next(200, 20),
            next(200, 30),
            ack(200, ""),
        ],
        |config| {
            config.ping = true;
            config.common.headers = vec![("X-Token".into(), "abc".into())];
        },
    )
    .await;
    assert_eq!(sent.unwrap().fragments, 3);
    assert_eq!(
        script.packets(),
        [
            "Ping",
            "Create-Session",
            "Fragment 0-9/30",
            "Fragment 10-19/30",
            "Fragment 20-29/30",
            "Close-Session"
        ]
    );
    let agent = concat!("bitstap/", env!("CARGO_PKG_VERSION"), " BITS/7.8");
    let expected = format!(
        "BITS_POST /up/report.csv HTTP/1.1\r\nAccept: */*\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {{S}}\r\n\
         Content-Name: report.csv\r\nContent-Range: bytes 10-19/30\r\nUser-Agent: {agent}\r\nHost: {}\r\n\
         Content-Length: 10\r\nConnection: Keep-Alive\r\nx-token: abc\r\n\r\n",
        script.address
    );
    let found = script.heads()[3].replace("X-Token", "x-token");
    assert_eq!(found, expected);
    assert!(!script.heads()[0].contains("BITS-Session-Id"));
}

#[tokio::test]
async fn the_number_of_the_server_rules() {
    let (sent, script) = play(vec![
        created(""),
        next(200, 10),
        next(416, 5),
        next(200, 12),
        next(200, 22),
        next(200, 30),
        ack(200, ""),
    ])
    .await;
    assert_eq!(sent.unwrap().rewinds, 2);
    assert_eq!(
        script.packets()[1..6],
        [
            "Fragment 0-9/30",
            "Fragment 10-19/30",
            "Fragment 5-14/30",
            "Fragment 12-21/30",
            "Fragment 22-29/30"
        ]
    );
}

#[tokio::test]
async fn a_higher_offset_than_was_sent_is_followed_with_a_warning() {
    let (sent, script) = play(vec![created(""), next(200, 30), ack(200, "")]).await;
    let sent = sent.unwrap();
    assert_eq!(script.packets().len(), 3);
    assert_eq!(sent.warnings.len(), 1, "{:?}", sent.warnings);
    let hex = sha256(b"alpha,1234bravo,5678delta,9012");
    assert_eq!(sent.sha256, hex, "the hash is of the whole file");
}

#[tokio::test]
async fn transient_refusals_come_back_with_a_ping() {
    for answer in [
        ack(503, ""),
        ack(500, "BITS-Error: 0x80070070\r\nBITS-Error-Context: 0x5\r\n"),
        ack(
            408,
            "BITS-Error-Code: 0x80070112\r\nBITS-Error-Context: 0x7\r\n",
        ),
        ack(409, ""),
        ack(306, ""),
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops".to_owned(),
        CLOSE.to_owned(),
        format!("HTTP/1.1 200 OK\r\nBITS-Pa{CLOSE}"),
        format!("garbage\r\n\r\n{CLOSE}"),
    ] {
        let first = if answer.ends_with(CLOSE) {
            answer
        } else {
            format!("{answer}{CLOSE}")
        };
        let (sent, script) = play(rest(
            vec![created(""), next(200, 10), first.clone()],
            &[ack(200, ""), next(200, 20), next(200, 30), ack(200, "")],
        ))
        .await;
        let sent = sent.unwrap_or_else(|error| panic!("{first}: {error:?}"));
        assert_eq!(sent.retries, 1, "{first}");
        assert_eq!(
            script.packets()[1..5],
            [
                "Fragment 0-9/30",
                "Fragment 10-19/30",
                "Ping",
                "Fragment 10-19/30"
            ],
            "{first}"
        );
    }
}

#[tokio::test]
async fn fatal_refusals_end_it_with_their_code() {
    for (answer, status, code) in [
        (
            ack(400, "BITS-Error-Code: 0x80070057\r\n"),
            400,
            Some(0x8007_0057),
        ),
        (
            ack(403, "BITS-Error: x80070005\r\n"),
            403,
            Some(0x8007_0005),
        ),
        (ack(404, ""), 404, None),
        (
            ack(500, "BITS-Error-Code: 0x80200020\r\n"),
            500,
            Some(0x8020_0020),
        ),
        (
            ack(501, "BITS-Error-Code: 0x80070005\r\n"),
            501,
            Some(0x8007_0005),
        ),
        (ack(302, "Location: /elsewhere\r\n"), 302, None),
        (ack(413, ""), 413, None),
    ] {
        let (sent, script) = play(vec![created(""), answer]).await;
        let error = sent.unwrap_err();
        assert!(
            matches!(error, Error::Refused { status: s, code: c, packet: "Fragment", .. } if s == status && c == code),
            "{error:?}"
        );
        assert_eq!(script.packets().len(), 2);
    }
}

#[tokio::test]
async fn refusals_for_size_halve_the_fragments_down_to_the_floor() {
    let folder = tempfile::tempdir().unwrap();
    let big = folder.path().join("big");
    std::fs::write(&big, vec![b'x'; 30_000]).unwrap();
    let (sent, script) = play_with(
        vec![created(""), ack(413, ""), ack(413, ""), ack(413, "")],
        |config| {
            config.file = big;
            config.fragment_size = PieceSize::Fixed(20_000);
        },
    )
    .await;
    assert!(
        matches!(sent, Err(Error::Refused { status: 413, .. })),
        "{sent:?}"
    );
    assert_eq!(
        script.packets()[1..],
        [
            "Fragment 0-19999/30000",
            "Fragment 0-9999/30000",
            "Fragment 0-5119/30000"
        ]
    );
}

#[tokio::test]
async fn a_lost_session_is_a_new_one_from_the_start_but_not_for_ever() {
    let (sent, script) = play(vec![
        created(""),
        next(200, 10),
        lost(),
        created(""),
        next(200, 10),
        next(200, 20),
        next(200, 30),
        ack(200, ""),
    ])
    .await;
    assert_eq!(sent.unwrap().restarts, 1);
    assert_eq!(
        script.packets()[3..5],
        ["Create-Session", "Fragment 0-9/30"]
    );
    let (sent, _) = play(vec![vec![created(""), lost()]; 11].concat()).await;
    assert!(matches!(sent, Err(Error::SessionLost { .. })), "{sent:?}");
}

#[tokio::test]
async fn the_same_offset_for_ever_is_no_progress() {
    let (sent, _) = play(rest(
        vec![created(""), next(200, 10)],
        &vec![next(416, 10); 20],
    ))
    .await;
    assert!(
        matches!(sent, Err(Error::NoProgress { source: None, .. })),
        "{sent:?}"
    );
}

#[tokio::test]
async fn offsets_that_make_no_sense_are_invalid() {
    for answer in [
        ack(416, ""),
        next(200, 31),
        ack(200, "BITS-Received-Content-Range: bytes 0-9\r\n"),
        ack(200, "BITS-Received-Content-Range: -1\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nLogin".to_owned(),
    ] {
        let (sent, _) = play(vec![created(""), answer.clone()]).await;
        assert!(
            matches!(sent, Err(Error::Invalid { .. })),
            "{answer}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn an_ack_of_create_session_must_say_what_it_made() {
    for answer in [
        ack(200, ""),
        ack(200, "BITS-Session-Id: \r\n"),
        ack(200, &format!("BITS-Session-Id: {}\r\n", "x".repeat(101))),
        ack(
            200,
            "BITS-Protocol: {11111111-2222-3333-4444-555555555555}\r\nBITS-Session-Id: {S}\r\n",
        ),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ack(202, "BITS-Session-Id: {S}\r\n"),
    ] {
        let (sent, _) = play(vec![answer.clone()]).await;
        assert!(sent.is_err(), "{answer}");
    }
}

#[tokio::test]
async fn what_servers_in_the_field_leave_out_is_a_warning() {
    let bare = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
    let (sent, _) = play(vec![
        "HTTP/1.1 201 Created\r\nbits-session-id: -8123456\r\nContent-Length: 0\r\n\r\n".to_owned(),
        bare("BITS-Received-Content-Range: 10\r\n"),
        ack(200, "BITS-Session-Id: -8123456\r\n"),
        next(200, 30),
        bare(""),
    ])
    .await;
    let sent = sent.unwrap();
    assert_eq!(sent.session, "-8123456");
    assert_eq!(sent.warnings.len(), 3, "{:?}", sent.warnings);
}

#[tokio::test]
async fn a_close_whose_ack_was_lost_is_not_an_upload_again() {
    let (sent, script) = play(vec![
        created(""),
        next(200, 30),
        CLOSE.to_owned(),
        ack(200, ""),
        lost(),
    ])
    .await;
    let sent = sent.unwrap();
    assert_eq!(sent.restarts, 0);
    assert_eq!(
        script.packets()[2..],
        ["Close-Session", "Ping", "Close-Session"]
    );
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_costs_no_retry() {
    let closing = |text: String| {
        let text = text.replace("Content-Length", "Connection: close\r\nContent-Length");
        format!("{text}{CLOSE}")
    };
    let answers = [
        created(""),
        next(200, 10),
        next(200, 20),
        next(200, 30),
        ack(200, ""),
    ];
    let (sent, _) = play(answers.into_iter().map(closing).collect()).await;
    let sent = sent.unwrap();
    assert_eq!((sent.retries, sent.connections), (0, 5));
}

#[tokio::test]
async fn a_server_that_stays_silent_is_a_timeout() {
    // The script has nothing to say to the Fragment, but the connection stays.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap());
    let (sent, _script) = play_with(vec![created("")], |config| {
        config.url = url;
        config.no_progress_timeout = Duration::ZERO;
        config.common = Common {
            timers: Timers {
                response: Duration::from_millis(20),
                ..Timers::default()
            },
            ..Common::default()
        };
    })
    .await;
    let Err(Error::NoProgress {
        source: Some(source),
        ..
    }) = sent
    else {
        panic!("{sent:?}");
    };
    assert!(
        matches!(*source, Error::Timeout { what: "answer", .. }),
        "{source:?}"
    );
    drop(listener);
}

#[tokio::test]
async fn nobody_there_is_a_connect_error_with_its_cause() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap());
    drop(listener);
    let (sent, _script) = play_with(vec![], |config| {
        config.url = url;
        config.no_progress_timeout = Duration::ZERO;
    })
    .await;
    let Err(Error::NoProgress {
        source: Some(source),
        ..
    }) = sent
    else {
        panic!("{sent:?}");
    };
    assert!(matches!(*source, Error::Connect { .. }), "{source:?}");
}
