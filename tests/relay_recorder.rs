//! What a relay tells its recorder, and what becomes of it when that one is slow or gone.

#[path = "support/relay.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::time::Duration;

use bitstap::event::{Direction, Leg, What};
use support::{Set, hear, rest, say};
use tokio::io::AsyncWriteExt;

const PING: &[u8] =
    b"BITS_POST /up/f HTTP/1.1\r\nHost: h\r\nbits-packet-TYPE:  Ping\r\nContent-Length: 0\r\n\r\n";
const ACK: &[u8] = b"HTTP/1.1 200 Fine By Me\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";
const FRAGMENT: &[u8] =
    b"BITS_POST /up/f HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nContent-Length: 10\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_slow_recorder_slows_the_relay_and_misses_nothing() {
    let mut stage = Set {
        queue: Some(1),
        ..Set::default()
    }
    .start();
    let head = b"PUT /f HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n";
    let body = vec![b'x'; 3_000_000];
    let mut client = stage.client;
    let upload = [&head[..], &body].concat();
    let sent = upload.clone();
    let sender = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        rest(&mut client).await
    });
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(!sender.is_finished(), "nobody took the events");
    let mut servers = stage.servers;
    let server = tokio::spawn(async move {
        let mut server = servers.recv().await.unwrap();
        rest(&mut server).await
    });
    let (mut read, mut written) = (Vec::new(), Vec::new());
    while let Some(event) = stage.events.recv().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
        match (event.leg, event.what) {
            (Leg::Client, What::Data { bytes, .. }) => read.extend_from_slice(&bytes),
            (Leg::Upstream, What::Data { bytes, .. }) => written.extend_from_slice(&bytes),
            _ => {}
        }
    }
    assert!(server.await.unwrap() == upload);
    assert!(read == upload && written == upload);
    assert_eq!(sender.await.unwrap(), b"");
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_is_gone_does_not_stop_the_relay() {
    let mut stage = Set {
        queue: Some(1),
        ..Set::default()
    }
    .start();
    say(&mut stage.client, PING).await;
    stage.events.close();
    while stage.events.recv().await.is_some() {}
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_nobody_listens_to_relays_all_the_same() {
    let mut stage = Set {
        queue: None,
        ..Set::default()
    }
    .start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
    drop(server);
    assert!(stage.over().await.0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_upstream_leg_shows_heads_and_only_the_length_of_content() {
    let mut set = Set::default();
    set.config.both_legs = false;
    let mut stage = set.start();
    let request = [FRAGMENT, b"0123456789", PING].concat();
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwxyz\r\n0\r\nT: t\r\n\r\n";
    say(&mut stage.client, &request).await;
    let mut server = stage.server().await;
    hear(&mut server, &request).await;
    say(&mut server, chunked).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, chunked).await;
    hear(&mut stage.client, ACK).await;
    drop(server);
    let told = stage.over().await;
    let upstream = told.way(Leg::Upstream, Direction::ToServer);
    assert_eq!(upstream.bytes, [FRAGMENT, PING].concat());
    assert_eq!(upstream.len, request.len() as u64);
    let upstream = told.way(Leg::Upstream, Direction::ToClient);
    let shown = String::from_utf8(upstream.bytes).unwrap();
    assert!(!shown.contains("wxyz") && shown.contains("4;x=y") && shown.contains("T: t"));
    assert_eq!(upstream.len, (chunked.len() + ACK.len()) as u64);
    let client = told.way(Leg::Client, Direction::ToClient);
    assert_eq!(client.bytes, [chunked, ACK].concat());
}
