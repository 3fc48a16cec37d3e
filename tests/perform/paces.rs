//! Limits and dribbles: accurate over time, shared by name, and nothing is buffered for them.

use super::support::{hear, say};
use super::{ACK, FRAGMENT, PING, first, set, steps, with};
use bitstap::fault::rule::Way;
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Moment, Place, Stage};
use bitstap::relay::Board;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

fn limit(rate: u64, way: Way) -> (Place, Deed) {
    let bucket = "wan".into();
    (Place::Head, Deed::Limit { bucket, rate, way })
}

#[tokio::test(start_paused = true)]
async fn a_limit_keeps_its_rate_and_stops_reading() {
    const RATE: usize = 1_000_000;
    let mut set = first(Stage::RequestHead, vec![limit(RATE as u64, Way::ToServer)]);
    set.pipe = 64 << 10;
    set.queue = None;
    let mut play = set.start();
    let mut client = play.client;
    let sender = tokio::spawn(async move {
        let head = b"PUT /f HTTP/1.1\r\nContent-Length: 64000000\r\n\r\n";
        client.write_all(head).await.unwrap();
        let mut sent = 0_usize;
        let piece = vec![b'x'; 1 << 16];
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            sent += client.write(&piece).await.unwrap();
        }
        (sent, client)
    });
    let mut server = play.servers.recv().await.unwrap();
    let begun = Instant::now();
    let (mut got, mut buffer) = (0_usize, vec![0; 1 << 16]);
    while begun.elapsed() < Duration::from_secs(10) {
        got += server.read(&mut buffer).await.unwrap();
    }
    assert!(
        (RATE * 19 / 2..=RATE * 21 / 2).contains(&got),
        "{got} bytes in 10 s"
    );
    let (sent, _client) = sender.await.unwrap();
    assert!(sent < got + (1 << 20), "{sent} were taken, {got} went");
}

#[tokio::test(start_paused = true)]
async fn connections_that_name_the_same_bucket_share_it() {
    let board = Arc::new(Board::new(|moment: &Moment<'_>| match moment.stage {
        Stage::RequestHead => steps(vec![limit(1_000, Way::Both)]),
        _ => bitstap::fault::Verdict::default(),
    }));
    let begun = Instant::now();
    let uploads = (0..4).map(|_| {
        let mut play = with(Arc::clone(&board)).start();
        tokio::spawn(async move {
            let head = b"PUT /f HTTP/1.1\r\nContent-Length: 2454\r\n\r\n";
            say(&mut play.client, &[&head[..], &[b'x'; 2454]].concat()).await;
            let mut server = play.server().await;
            hear(&mut server, &[&head[..], &[b'x'; 2454]].concat()).await;
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        upload.await.unwrap();
    }
    let took = begun.elapsed().as_secs_f64();
    assert!((9.5..10.5).contains(&took), "4 x 2500 bytes in {took} s");
}

#[tokio::test(start_paused = true)]
async fn a_limit_towards_the_client_holds_for_the_answer_only() {
    let mut play = first(Stage::RequestHead, vec![limit(1_000, Way::ToClient)]).start();
    let begun = Instant::now();
    say(&mut play.client, &[FRAGMENT, b"0123456789"].concat()).await;
    let mut server = play.server().await;
    hear(&mut server, &[FRAGMENT, b"0123456789"].concat()).await;
    assert!(begun.elapsed() < Duration::from_millis(100));
    let answer = [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 4960\r\n\r\n"[..],
        &[b'x'; 4960],
    ]
    .concat();
    say(&mut server, &answer).await;
    hear(&mut play.client, &answer).await;
    let took = begun.elapsed().as_secs_f64();
    assert!((4.7..5.3).contains(&took), "5000 bytes in {took} s");
    say(&mut play.client, PING).await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut play.client, ACK).await;
    assert!(
        begun.elapsed().as_secs_f64() - took < 0.1,
        "the next one is free"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dribble_goes_in_drops() {
    let every = Duration::from_secs(1);
    let way = Way::ToServer;
    let deeds = vec![(
        Place::Body(2),
        Deed::Dribble {
            bytes: 3,
            every,
            way,
        },
    )];
    let mut play = first(Stage::RequestHead, deeds).start();
    let begun = Instant::now();
    say(&mut play.client, &[FRAGMENT, b"0123456789"].concat()).await;
    let mut server = play.server().await;
    hear(&mut server, &[FRAGMENT, b"01234"].concat()).await;
    assert!(begun.elapsed() < every);
    let mut buffer = [0; 9];
    for (drop, seconds) in [(&b"567"[..], 1), (b"89", 2)] {
        let count = server.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], drop);
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn one_slow_connection_does_not_slow_another() {
    let mut slow = true;
    let board = Arc::new(Board::new(move |moment: &Moment<'_>| {
        if moment.stage == Stage::RequestHead && std::mem::take(&mut slow) {
            return steps(vec![(Place::Head, Deed::Delay(Duration::from_mins(9)))]);
        }
        bitstap::fault::Verdict::default()
    }));
    let mut first = with(Arc::clone(&board)).start();
    let mut second = with(board).start();
    let begun = Instant::now();
    say(&mut first.client, PING).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    say(&mut second.client, PING).await;
    let mut server = second.server().await;
    hear(&mut server, PING).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    let mut server = first.server().await;
    hear(&mut server, PING).await;
    assert!(begun.elapsed() >= Duration::from_mins(9));
}

#[tokio::test(start_paused = true)]
async fn a_large_body_streams_through_what_changes_it() {
    const LEN: u64 = 64 << 20;
    let deeds = vec![
        (Place::Body(5 << 20), Deed::Flip(vec![0xFF; 3])),
        (Place::Body(60 << 20), Deed::Note("far".into())),
    ];
    let mut set = set(super::on_first(Stage::RequestHead, deeds));
    set.pipe = 1 << 16;
    set.queue = None;
    let mut play = set.start();
    let mut client = play.client;
    let sender = tokio::spawn(async move {
        let head = format!("PUT /f HTTP/1.1\r\nContent-Length: {LEN}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![0; 1 << 16];
        for _ in 0..LEN >> 16 {
            client.write_all(&piece).await.unwrap();
        }
        client
    });
    let mut server = play.servers.recv().await.unwrap();
    let mut head = vec![0; format!("PUT /f HTTP/1.1\r\nContent-Length: {LEN}\r\n\r\n").len()];
    server.read_exact(&mut head).await.unwrap();
    let (mut at, mut buffer, mut flipped) = (0, vec![0; 1 << 16], Vec::new());
    while at < LEN {
        let count = server.read(&mut buffer).await.unwrap();
        assert!(count > 0, "ended at {at}");
        let changed = buffer[..count]
            .iter()
            .zip(at..)
            .filter(|(byte, _)| **byte != 0);
        flipped.extend(changed.map(|(_, at)| at));
        at += count as u64;
    }
    assert_eq!(flipped, [5 << 20, (5 << 20) + 1, (5 << 20) + 2]);
    drop(sender.await.unwrap());
}
