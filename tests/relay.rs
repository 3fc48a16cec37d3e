//! One connection through the relay: what is held and what is not, how ends are passed on, what the relay
//! says itself, and what its events tell.

#[path = "relay/bytes.rs"]
mod bytes;
#[path = "support/relay.rs"]
mod support;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bitstap::event::{Close, Direction, Fact, Leg};
use bitstap::relay::DialError;
use support::{Dialling, Set, hear, rest, say};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

const PING: &[u8] =
    b"BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nbits-packet-TYPE:  Ping\r\nContent-Length: 0\r\n\r\n";
const ACK: &[u8] = b"HTTP/1.1 200 Fine By Me\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";
const FRAGMENT: &[u8] =
    b"BITS_POST /up/f HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nContent-Length: 10\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn one_upstream_connection_is_opened_lazily_and_closed_with_the_client() {
    let mut stage = Set::default().start();
    say(&mut stage.client, &PING[..20]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.dials.load(SeqCst), 0, "nothing to forward yet");
    say(&mut stage.client, &PING[20..]).await;
    let mut server = stage.server().await;
    for _ in 0..2 {
        hear(&mut server, PING).await;
        say(&mut server, ACK).await;
        hear(&mut stage.client, ACK).await;
        say(&mut stage.client, PING).await;
    }
    hear(&mut server, PING).await;
    stage.client.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, b"");
    drop(server);
    assert_eq!(rest(&mut stage.client).await, b"");
    assert_eq!(stage.dials.load(SeqCst), 1);
    assert!(!stage.client_reset.load(SeqCst) && !stage.server_reset.load(SeqCst));
    let told = stage.over().await;
    assert_eq!(
        told.way(Leg::Upstream, Direction::ToServer).bytes,
        PING.repeat(3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_never_dialled_for() {
    let mut stage = Set::default().start();
    stage.client.shutdown().await.unwrap();
    assert_eq!(rest(&mut stage.client).await, b"");
    assert_eq!(stage.dials.load(SeqCst), 0);
    let told = stage.over().await;
    let both = [Direction::ToServer, Direction::ToClient];
    for way in both.map(|direction| told.way(Leg::Client, direction)) {
        assert_eq!((way.len, way.closes), (0, vec![Close::Fin]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_goes_before_its_body_comes_and_the_body_as_it_comes() {
    let mut stage = Set::default().start();
    say(&mut stage.client, FRAGMENT).await;
    let mut server = stage.server().await;
    hear(&mut server, FRAGMENT).await;
    for byte in b"0123456789" {
        say(&mut stage.client, &[*byte]).await;
        hear(&mut server, &[*byte]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_head_is_held_until_it_is_complete() {
    let mut stage = Set::default().start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    for (index, byte) in ACK.iter().enumerate() {
        say(&mut server, &[*byte]).await;
        if index + 1 < ACK.len() {
            let mut one = [0];
            let read = timeout(Duration::from_millis(1), stage.client.read(&mut one));
            assert!(read.await.is_err(), "byte {index} of the head was not held");
        }
    }
    hear(&mut stage.client, ACK).await;
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_head_passes_when_its_sender_ends() {
    let mut stage = Set::default().start();
    say(&mut stage.client, &PING[..30]).await;
    stage.client.shutdown().await.unwrap();
    let mut server = stage.server().await;
    assert_eq!(rest(&mut server).await, &PING[..30]);
    say(&mut server, &ACK[..9]).await;
    drop(server);
    assert_eq!(rest(&mut stage.client).await, &ACK[..9]);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_head_passes_after_head_wait_and_is_not_held_again() {
    let mut stage = Set::default().start();
    let begun = Instant::now();
    say(&mut stage.client, &PING[..30]).await;
    let mut server = stage.server().await;
    hear(&mut server, &PING[..30]).await;
    assert!(begun.elapsed() >= Duration::from_secs(10));
    for byte in &PING[30..] {
        say(&mut stage.client, &[*byte]).await;
        hear(&mut server, &[*byte]).await;
    }
    let begun = Instant::now();
    say(&mut stage.client, &PING[..4]).await;
    hear(&mut server, &PING[..4]).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    drop(server);
    let told = stage.over().await;
    assert_eq!(told.facts(), [&Fact::Other], "said once");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_not_http_pass_at_once() {
    for first in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01",
        b"\0",
    ] {
        let mut stage = Set::default().start();
        let begun = Instant::now();
        say(&mut stage.client, first).await;
        let mut server = stage.server().await;
        hear(&mut server, first).await;
        say(&mut server, b"\xff\xfe?").await;
        hear(&mut stage.client, b"\xff\xfe?").await;
        say(&mut stage.client, b"POST").await;
        hear(&mut server, b"POST").await;
        assert!(begun.elapsed() < Duration::from_secs(1));
        drop(server);
        let told = stage.over().await;
        let opaque = |fact: &&Fact| matches!(fact, Fact::Opaque { offset: 0, .. });
        assert!(told.facts().iter().any(opaque), "{:?}", told.facts());
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_client_still_gets_its_answer() {
    let mut stage = Set::default().start();
    say(&mut stage.client, PING).await;
    stage.client.shutdown().await.unwrap();
    let mut server = stage.server().await;
    assert_eq!(rest(&mut server).await, PING);
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
    drop(server);
    assert_eq!(rest(&mut stage.client).await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_server_still_gets_the_request() {
    let mut stage = Set::default().start();
    say(&mut stage.client, FRAGMENT).await;
    let mut server = stage.server().await;
    hear(&mut server, FRAGMENT).await;
    say(&mut server, ACK).await;
    server.shutdown().await.unwrap();
    assert_eq!(rest(&mut stage.client).await, ACK);
    say(&mut stage.client, b"0123456789").await;
    hear(&mut server, b"0123456789").await;
    stage.client.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, b"");
}

#[tokio::test(start_paused = true)]
async fn only_the_server_says_continue() {
    let mut stage = Set::default().start();
    let head = b"BITS_POST /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    say(&mut stage.client, head).await;
    let mut server = stage.server().await;
    hear(&mut server, head).await;
    let mut one = [0];
    let waited = timeout(Duration::from_mins(1), stage.client.read(&mut one)).await;
    assert!(waited.is_err(), "the relay said something itself");
    for line in [
        &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
        b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n",
    ] {
        say(&mut server, line).await;
        hear(&mut stage.client, line).await;
    }
    say(&mut stage.client, b"ab").await;
    hear(&mut server, b"ab").await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
}

#[tokio::test(start_paused = true)]
async fn an_early_response_passes_while_the_request_still_flows() {
    let mut stage = Set::default().start();
    say(&mut stage.client, FRAGMENT).await;
    let mut server = stage.server().await;
    hear(&mut server, FRAGMENT).await;
    say(
        &mut server,
        b"HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    hear(
        &mut stage.client,
        b"HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    say(&mut stage.client, b"0123456789").await;
    hear(&mut server, b"0123456789").await;
}

fn refused() -> Dialling {
    Dialling::Fails(DialError {
        reason: "connection refused (127.0.0.1:9)".to_owned(),
        timed_out: false,
    })
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_is_answered_for_without_any_bits_field() {
    let mut stage = Set {
        dialling: refused(),
        ..Set::default()
    }
    .start();
    say(&mut stage.client, FRAGMENT).await;
    say(&mut stage.client, b"0123").await;
    let answer = rest(&mut stage.client).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"),
        "{answer}"
    );
    assert!(!answer.to_ascii_lowercase().contains("bits-"), "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(answer.contains("http://server.test:80"), "{answer}");
    assert!(answer.contains("connection refused"), "{answer}");
    assert!(answer.contains("proxy"), "{answer}");
    // The rest of the request is still taken, so that no reset destroys the answer.
    say(&mut stage.client, b"456789").await;
    assert!(!stage.client_reset.load(SeqCst));
    let told = stage.over().await;
    let to_server = told.way(Leg::Client, Direction::ToServer);
    assert_eq!(to_server.bytes, [FRAGMENT, b"0123456789"].concat());
    assert_eq!(to_server.closes, [Close::Fin]);
    let to_client = told.way(Leg::Client, Direction::ToClient);
    assert_eq!(to_client.bytes, answer.as_bytes());
    assert_eq!(to_client.closes, [Close::Fin]);
    let reason = "connection refused (127.0.0.1:9)".to_owned();
    let failed = Fact::ConnectFailed {
        reason: reason.clone(),
        status: Some(502),
    };
    let answered = Fact::Answered {
        status: 502,
        reason,
    };
    assert_eq!(told.facts(), [&failed, &answered]);
    assert!(told.0.iter().all(|event| event.leg == Leg::Client));
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_is_a_reset_to_what_is_not_http() {
    let mut stage = Set {
        dialling: refused(),
        ..Set::default()
    }
    .start();
    say(&mut stage.client, b"SSH-2.0-x\r\n").await;
    assert_eq!(rest(&mut stage.client).await, b"");
    assert!(stage.client_reset.load(SeqCst));
    let told = stage.over().await;
    let to_client = told.way(Leg::Client, Direction::ToClient);
    assert_eq!((to_client.len, to_client.closes), (0, vec![Close::Reset]));
}

#[tokio::test(start_paused = true)]
async fn a_head_request_is_answered_without_content() {
    let mut stage = Set {
        dialling: refused(),
        ..Set::default()
    }
    .start();
    say(&mut stage.client, b"HEAD /f HTTP/1.1\r\n\r\n").await;
    let answer = rest(&mut stage.client).await;
    assert!(answer.starts_with(b"HTTP/1.1 502 ") && answer.ends_with(b"\r\n\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_the_dial_is_a_504() {
    let mut stage = Set {
        dialling: Dialling::Hangs,
        ..Set::default()
    }
    .start();
    let begun = Instant::now();
    say(&mut stage.client, PING).await;
    let answer = rest(&mut stage.client).await;
    assert!(answer.starts_with(b"HTTP/1.1 504 Gateway Timeout\r\n"));
    assert!(begun.elapsed() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_just_closes_is_mirrored_not_answered_for() {
    let mut stage = Set::default().start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    drop(server);
    assert_eq!(rest(&mut stage.client).await, b"");
    let told = stage.over().await;
    assert!(told.facts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_when_asked_for() {
    let mut set = Set::default();
    set.config.idle_timeout = Some(Duration::from_secs(30));
    let mut stage = set.start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
    let begun = Instant::now();
    assert_eq!(rest(&mut stage.client).await, b"");
    assert!(begun.elapsed() >= Duration::from_secs(30));
    assert_eq!(rest(&mut server).await, b"");
    assert!(!stage.client_reset.load(SeqCst));
    let told = stage.over().await;
    let timer = "idle".to_owned();
    assert_eq!(told.facts(), [&Fact::TimedOut { timer }]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_an_idle_connection_at_once() {
    let mut stage = Set::default().start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
    let begun = Instant::now();
    stage.stop.cancel();
    assert_eq!(rest(&mut stage.client).await, b"");
    assert_eq!(rest(&mut server).await, b"");
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(!stage.client_reset.load(SeqCst) && !stage.server_reset.load(SeqCst));
    let told = stage.over().await;
    let closes = |leg, direction| told.way(leg, direction).closes;
    assert_eq!(closes(Leg::Client, Direction::ToClient), [Close::Fin]);
    assert_eq!(closes(Leg::Upstream, Direction::ToServer), [Close::Fin]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_exchange_under_way_end() {
    let mut stage = Set::default().start();
    say(&mut stage.client, FRAGMENT).await;
    let mut server = stage.server().await;
    hear(&mut server, FRAGMENT).await;
    stage.stop.cancel();
    tokio::time::sleep(Duration::from_secs(2)).await;
    say(&mut stage.client, b"0123456789").await;
    hear(&mut server, b"0123456789").await;
    say(&mut server, b"HTTP/1.1 100 Continue\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    say(&mut server, ACK).await;
    let heard = rest(&mut stage.client).await;
    assert!(heard.ends_with(ACK));
    assert!(!stage.client_reset.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_no_longer_than_the_grace() {
    let mut stage = Set::default().start();
    say(&mut stage.client, FRAGMENT).await;
    let mut server = stage.server().await;
    hear(&mut server, FRAGMENT).await;
    stage.stop.cancel();
    let begun = Instant::now();
    assert_eq!(rest(&mut stage.client).await, b"");
    assert!(begun.elapsed() >= Duration::from_secs(5));
    assert!(stage.client_reset.load(SeqCst) && stage.server_reset.load(SeqCst));
    let told = stage.over().await;
    assert_eq!(
        told.way(Leg::Upstream, Direction::ToServer).closes,
        [Close::Reset]
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_relay_resets_both_sides() {
    let mut stage = Set::default().start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    stage.task.abort();
    assert_eq!(rest(&mut server).await, b"");
    assert!(stage.client_reset.load(SeqCst) && stage.server_reset.load(SeqCst));
}
