//! Answers of our own, answers that get lost, messages that are sent twice.

use super::support::{hear, rest, say};
use super::{ACK, FRAGMENT, LOST, PING, answered, first, notes, set, silent, steps};
use bitstap::event::{Direction, Leg};
use bitstap::fault::rule::Ends;
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Moment, Place, Stage, Verdict};
use bytes::Bytes;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

fn respond() -> (Place, Deed) {
    (Place::Head, Deed::Respond(Bytes::from_static(LOST)))
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_our_own_comes_after_the_request_and_the_connection_goes_on() {
    let mut stage = first(Stage::RequestHead, vec![respond()]).start();
    say(&mut stage.client, FRAGMENT).await;
    say(&mut stage.client, b"01234").await;
    silent(&mut stage.client).await;
    say(&mut stage.client, b"56789").await;
    hear(&mut stage.client, LOST).await;
    assert_eq!(stage.dials.load(SeqCst), 0, "nothing was forwarded");
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
    drop(server);
    let told = stage.over().await;
    assert_eq!(answered(&told), [500]);
    let asked = told.way(Leg::Client, Direction::ToServer).bytes;
    assert_eq!(asked, [FRAGMENT, b"0123456789", PING].concat());
    let got = told.way(Leg::Client, Direction::ToClient).bytes;
    assert_eq!(got, [LOST, ACK].concat());
    assert_eq!(told.way(Leg::Upstream, Direction::ToServer).bytes, PING);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_expects_a_continue_is_answered_at_once() {
    let mut stage = first(Stage::RequestHead, vec![respond()]).start();
    let head = b"BITS_POST /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    say(&mut stage.client, head).await;
    hear(&mut stage.client, LOST).await;
    say(&mut stage.client, &[b"ab", PING].concat()).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
}

#[tokio::test(start_paused = true)]
async fn our_answer_waits_for_the_answers_before_it() {
    let mut stage = set(
        |moment: &Moment<'_>| match (moment.stage, moment.exchange) {
            (Stage::RequestHead, Some(1)) => steps(vec![respond()]),
            _ => Verdict::default(),
        },
    )
    .start();
    say(
        &mut stage.client,
        &[PING, FRAGMENT, b"0123456789", PING].concat(),
    )
    .await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    silent(&mut stage.client).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, &[ACK, LOST].concat()).await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
}

#[tokio::test(start_paused = true)]
async fn in_place_of_the_servers_answer_the_client_gets_ours() {
    let mut stage = first(Stage::ResponseHead, vec![respond()]).start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    let real = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nreal\r\n0\r\n\r\n";
    say(&mut server, &real[..50]).await;
    hear(&mut stage.client, LOST).await;
    say(&mut server, &real[50..]).await;
    say(&mut stage.client, PING).await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
    drop(server);
    let told = stage.over().await;
    let upstream = told.way(Leg::Upstream, Direction::ToClient).bytes;
    assert_eq!(
        upstream,
        [&real[..], ACK].concat(),
        "the real one is kept whole"
    );
    assert_eq!(answered(&told), [500]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_read_to_its_end_and_then_the_client_is_reset() {
    for stage in [Stage::RequestHead, Stage::ResponseHead] {
        let deeds = vec![
            (Place::Head, Deed::DropResponse),
            (Place::Head, Deed::Reset(Ends::Client)),
        ];
        let mut stage = first(stage, deeds).start();
        say(&mut stage.client, PING).await;
        let mut server = stage.server().await;
        hear(&mut server, PING).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
        say(&mut server, &answer[..38]).await;
        silent(&mut stage.client).await;
        say(&mut server, &answer[38..]).await;
        assert_eq!(rest(&mut stage.client).await, b"");
        assert!(stage.client_reset.load(SeqCst) && !stage.server_reset.load(SeqCst));
        assert_eq!(rest(&mut server).await, b"");
        drop(server);
        let told = stage.over().await;
        assert_eq!(told.way(Leg::Upstream, Direction::ToClient).bytes, answer);
        assert_eq!(told.way(Leg::Client, Direction::ToClient).len, 0);
        assert!(
            notes(&told)[0].contains("The server answered 200"),
            "{:?}",
            notes(&told)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_alone_leaves_the_connection_open() {
    let mut stage = first(Stage::RequestHead, vec![(Place::Head, Deed::DropResponse)]).start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    say(&mut server, b"HTTP/1.1 100 Continue\r\n\r\n").await;
    hear(&mut stage.client, b"HTTP/1.1 100 Continue\r\n\r\n").await;
    say(&mut server, ACK).await;
    silent(&mut stage.client).await;
    say(&mut stage.client, PING).await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_sent_twice_is_answered_once() {
    let body = vec![b'x'; 700_000];
    let head = b"BITS_POST /f HTTP/1.1\r\nContent-Length: 700000\r\n\r\n";
    let request = [&head[..], &body].concat();
    let mut stage = first(Stage::RequestHead, vec![(Place::Head, Deed::Duplicate(2))]).start();
    let (mut reader, mut writer) = tokio::io::split(stage.client);
    let sent = [request.clone(), PING.to_vec()].concat();
    let sender = tokio::spawn(async move { writer.write_all(&sent).await.map(|()| writer) });
    let mut server = stage.servers.recv().await.expect("a dial");
    for _ in 0..3 {
        hear(&mut server, &request).await;
    }
    hear(&mut server, PING).await;
    for answer in ["one", "two", "six", "end"] {
        let answer = format!("HTTP/1.1 200 {answer}\r\nContent-Length: 0\r\n\r\n");
        say(&mut server, answer.as_bytes()).await;
    }
    let wanted = b"HTTP/1.1 200 one\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 end\r\nContent-Length: 0\r\n\r\n";
    let mut got = vec![0; wanted.len()];
    tokio::io::AsyncReadExt::read_exact(&mut reader, &mut got)
        .await
        .expect("both");
    assert_eq!(got, wanted);
    drop(sender.await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_sent_twice_comes_twice() {
    let mut stage = first(Stage::ResponseHead, vec![(Place::Head, Deed::Duplicate(1))]).start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
    say(&mut server, answer).await;
    hear(&mut stage.client, &answer.repeat(2)).await;
    say(&mut stage.client, PING).await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
}

#[tokio::test(start_paused = true)]
async fn rules_see_the_request_beside_its_answer_and_the_clients_numbers() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let mut stage = set(move |moment: &Moment<'_>| {
        let target = moment
            .request
            .and_then(|(head, _)| head.target().map(<[u8]>::to_vec));
        let target = String::from_utf8(target.unwrap_or_default()).unwrap();
        let status = moment.response.and_then(|(head, _)| head.status());
        let told = (moment.stage, moment.exchange, target, status);
        keep.lock().unwrap().push(told);
        match (moment.stage, moment.exchange) {
            (Stage::RequestHead, Some(0)) => steps(vec![respond()]),
            _ => Verdict::default(),
        }
    })
    .start();
    say(
        &mut stage.client,
        b"GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n",
    )
    .await;
    hear(&mut stage.client, LOST).await;
    let mut server = stage.server().await;
    hear(&mut server, b"HEAD /b HTTP/1.1\r\n\r\n").await;
    let head = b"HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    say(&mut server, head).await;
    hear(&mut stage.client, head).await;
    stage.client.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, b"");
    drop(server);
    stage.over().await;
    let row = |stage, no, target: &str, status| (stage, Some(no), target.to_owned(), status);
    let rows = seen.lock().unwrap();
    assert_eq!(
        rows[..3],
        [
            row(Stage::RequestHead, 0, "/a", None),
            row(Stage::RequestHead, 1, "/b", None),
            row(Stage::ResponseHead, 1, "/b", Some(200)),
        ]
    );
    assert_eq!(
        (rows.len(), rows[3].0),
        (4, Stage::Close),
        "once, though both ended"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_cut_by_an_answer_of_ours_ends_the_connection() {
    let deeds = vec![(Place::Body(4), Deed::Respond(Bytes::from_static(LOST)))];
    let mut stage = first(Stage::RequestHead, deeds).start();
    say(&mut stage.client, &[FRAGMENT, b"01234"].concat()).await;
    let mut server = stage.server().await;
    hear(&mut server, &[FRAGMENT, b"0123"].concat()).await;
    silent(&mut stage.client).await;
    say(&mut stage.client, b"56789").await;
    assert_eq!(rest(&mut stage.client).await, LOST);
    assert_eq!(rest(&mut server).await, b"");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stage.server_reset.load(SeqCst));
}
