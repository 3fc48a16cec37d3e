//! The upload server beyond its packets: applications that answer, notices, and noise beside it.

mod peer_support;

use std::sync::{Arc, Mutex};

use bitstap::peer::server::{Moment, Move, Notice, Reply};
use peer_support::{Wire, bench};

#[tokio::test]
async fn the_command_answers_a_complete_upload() {
    let bench = bench(|config| {
        let command = if cfg!(windows) {
            "type \"%BITSTAP_FILE%\" & echo %BITSTAP_URL%"
        } else {
            "cat \"$BITSTAP_FILE\"; printf ' %s' \"$BITSTAP_URL\"; echo run >> \"$BITSTAP_FILE.runs\""
        };
        config.reply = Reply::Command(command.into());
    })
    .await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/ask/q?x=1").await;
    let reply = wire.fragment(&id, "0-4/10", "01234").await;
    assert_eq!(reply.field("BITS-Reply-URL"), None);
    let reply = wire.fragment(&id, "5-9/10", "56789").await;
    let url = format!("BITS-Sessions\\Replies\\{id}\\responsefile.bin");
    assert_eq!(reply.field("BITS-Reply-URL"), Some(url.as_str()));
    // The answer is remembered: the application is not asked again.
    let reply = wire.fragment(&id, "5-9/10", "56789").await;
    assert_eq!(reply.field("BITS-Reply-URL"), Some(url.as_str()));
    if cfg!(unix) {
        let runs = bench.file(".bitstap-sessions").join(&id).join("data.runs");
        assert_eq!(std::fs::read(runs).unwrap(), b"run\n");
    }
    let path = format!(
        "/ask/{}",
        url.replace('\\', "/")
            .replace('{', "%7B")
            .replace('}', "%7D")
    );
    let get = format!("GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99\r\n\r\n");
    let reply = wire.ask(&get).await;
    assert_eq!(reply.status, 206);
    assert!(reply.body.starts_with(b"0123456789"), "{:?}", reply.body);
    assert!(String::from_utf8_lossy(&reply.body).contains("/ask/q?x=1"));
    assert_eq!(wire.end("Close-Session", &id).await.status, 200);
    assert_eq!(wire.ask(&get).await.status, 404);
    assert_eq!(bench.listing(), ["ask", "ask/q"]);
}

#[tokio::test]
async fn an_application_that_fails_is_context_7_and_asked_again() {
    let bench = bench(|config| config.reply = Reply::Command("exit 3".into())).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    for _ in 0..2 {
        let reply = wire.fragment(&id, "0-3/4", "0123").await;
        assert_eq!(reply.error(), (500, Some("0x801901F4"), Some("0x7")));
        assert_eq!(reply.field("BITS-Received-Content-Range"), Some("4"));
    }
}

#[tokio::test]
async fn a_closure_is_a_responder_and_sees_what_it_decides_about() {
    let seen = Arc::new(Mutex::new(vec![]));
    let bench = bench(|config| {
        let seen = Arc::clone(&seen);
        config.responder = Some(Arc::new(move |moment: &Moment<'_>| {
            let line = format!(
                "{} {} {}",
                moment.packet.name(),
                moment.fragment,
                moment.received
            );
            seen.lock().unwrap().push(line);
            match (moment.fragment, moment.range.map(|range| range.first)) {
                (2, _) => Move::Refuse {
                    status: 503,
                    code: None,
                },
                (3, _) => Move::Rewind { to: 1 },
                _ => Move::Usual,
            }
        }));
    })
    .await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    assert_eq!(wire.fragment(&id, "0-1/4", "01").await.status, 200);
    let reply = wire.fragment(&id, "2-3/4", "23").await;
    assert_eq!(reply.error(), (503, None, None));
    let reply = wire.fragment(&id, "2-3/4", "23").await;
    assert_eq!(reply.status, 416);
    assert_eq!(reply.field("BITS-Received-Content-Range"), Some("1"));
    assert_eq!(wire.fragment(&id, "1-3/4", "123").await.status, 200);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "Create-Session 0 0",
            "Fragment 1 0",
            "Fragment 2 2",
            "Fragment 3 2",
            "Fragment 4 1"
        ]
    );
}

#[tokio::test]
async fn notices_tell_the_life_of_an_upload() {
    let seen = Arc::new(Mutex::new(vec![]));
    let bench = bench(|config| {
        let seen = Arc::clone(&seen);
        config.on_notice = Some(Arc::new(move |notice: &Notice| {
            seen.lock().unwrap().push(notice.clone());
        }));
    })
    .await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    wire.fragment(&id, "0-3/4", "0123").await;
    wire.end("Close-Session", &id).await;
    let url = "/f".to_owned();
    let file = bench.root.path().canonicalize().unwrap().join("f");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            Notice::Created {
                url: url.clone(),
                session: id
            },
            Notice::Received {
                url: url.clone(),
                bytes: 4
            },
            Notice::Stored {
                url,
                file,
                bytes: 4
            },
        ]
    );
}

#[tokio::test]
async fn noise_on_one_connection_does_not_hurt_another() {
    let bench = bench(|_| {}).await;
    let mut good = Wire::open(bench.address).await;
    let id = good.session("/f").await;
    for noise in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GARBAGE\r\n\r\n",
        b"\r\n\r\n\0\0",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut bad = Wire::open(bench.address).await;
        bad.write(noise).await;
        bad.finish().await;
        if let Some(reply) = bad.read().await {
            assert!(reply.status >= 400, "{}", reply.head);
        }
    }
    assert_eq!(good.fragment(&id, "0-3/4", "0123").await.status, 200);
}
