//! Resets, ends in order and hangs in the middle of things, and what is asked when a peer ends the connection.

use super::support::{hear, rest, say};
use super::{ACK, FRAGMENT, PING, first, set, silent, steps};
use bitstap::event::{Close, Direction, Leg};
use bitstap::fault::rule::Ends;
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Moment, Place, Stage, Verdict};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn an_end_in_the_content_comes_after_exactly_the_bytes_before_it() {
    for (deed, client_reset, server_reset) in [
        (Deed::Reset(Ends::Both), true, true),
        (Deed::Reset(Ends::Client), true, false),
        (Deed::Reset(Ends::Server), false, true),
        (Deed::Close(Ends::Client), false, false),
        (Deed::Close(Ends::Server), false, false),
    ] {
        let deeds = vec![(Place::Body(7), deed.clone())];
        let mut stage = first(Stage::RequestHead, deeds).start();
        say(&mut stage.client, &[FRAGMENT, b"0123456789", PING].concat()).await;
        let mut server = stage.server().await;
        assert_eq!(rest(&mut server).await, [FRAGMENT, b"0123456"].concat());
        assert_eq!(rest(&mut stage.client).await, b"");
        drop(server);
        let (at_client, at_server) = (stage.client_reset.clone(), stage.server_reset.clone());
        let told = stage.over().await;
        let found = (at_client.load(SeqCst), at_server.load(SeqCst));
        assert_eq!(found, (client_reset, server_reset), "{deed:?}");
        let sent = told.way(Leg::Client, Direction::ToServer).bytes;
        assert_eq!(
            sent,
            [FRAGMENT, b"0123456789", PING].concat(),
            "all that came"
        );
        let upstream = told.way(Leg::Upstream, Direction::ToServer);
        assert_eq!(
            upstream.bytes,
            [FRAGMENT, b"0123456"].concat(),
            "kept whole"
        );
        let how = |reset| if reset { Close::Reset } else { Close::Fin };
        assert_eq!(upstream.closes, [how(server_reset)], "{deed:?}");
        let to_client = told.way(Leg::Client, Direction::ToClient);
        assert_eq!(to_client.closes, [how(client_reset)], "{deed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_still_says_after_its_end_is_recorded() {
    let deeds = vec![(Place::Body(10), Deed::Reset(Ends::Client))];
    let mut stage = first(Stage::RequestHead, deeds).start();
    say(&mut stage.client, &[FRAGMENT, b"0123456789"].concat()).await;
    let mut server = stage.server().await;
    assert_eq!(rest(&mut server).await, [FRAGMENT, b"0123456789"].concat());
    say(&mut server, ACK).await;
    drop(server);
    let told = stage.over().await;
    assert_eq!(told.way(Leg::Upstream, Direction::ToClient).bytes, ACK);
    assert_eq!(told.way(Leg::Client, Direction::ToClient).len, 0);
}

#[tokio::test(start_paused = true)]
async fn a_hang_with_a_time_goes_on_after_it() {
    let time = Duration::from_mins(3);
    for stage in [Stage::RequestHead, Stage::ResponseHead] {
        let mut play = first(stage, vec![(Place::Head, Deed::Hang(Some(time)))]).start();
        let begun = Instant::now();
        say(&mut play.client, &[FRAGMENT, b"0123456789"].concat()).await;
        let mut server = play.server().await;
        hear(&mut server, &[FRAGMENT, b"0123456789"].concat()).await;
        say(&mut server, ACK).await;
        hear(&mut play.client, ACK).await;
        assert!(begun.elapsed() >= time);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_without_a_time_ends_when_the_client_gives_up() {
    for stage in [Stage::RequestHead, Stage::ResponseHead] {
        let mut play = first(stage, vec![(Place::Head, Deed::Hang(None))]).start();
        say(&mut play.client, PING).await;
        if stage == Stage::ResponseHead {
            let mut server = play.server().await;
            hear(&mut server, PING).await;
            say(&mut server, ACK).await;
            silent(&mut play.client).await;
            play.client.shutdown().await.unwrap();
            assert_eq!(rest(&mut server).await, b"");
        } else {
            silent(&mut play.client).await;
            say(&mut play.client, PING).await;
            play.client.shutdown().await.unwrap();
        }
        assert_eq!(rest(&mut play.client).await, b"");
        let told = play.over().await;
        let asked = told.way(Leg::Client, Direction::ToServer);
        let sent = if stage == Stage::RequestHead { 2 } else { 1 };
        assert_eq!(asked.bytes, PING.repeat(sent));
        assert_eq!(asked.closes, [Close::Fin]);
    }
}

fn at_close(deed: Deed) -> super::Set {
    set(move |moment: &Moment<'_>| match moment.stage {
        Stage::Close => steps(vec![(Place::Head, deed.clone())]),
        _ => Verdict::default(),
    })
}

#[tokio::test(start_paused = true)]
async fn an_end_of_the_server_can_become_a_reset() {
    let mut stage = at_close(Deed::Reset(Ends::Client)).start();
    say(&mut stage.client, PING).await;
    let mut server = stage.server().await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    drop(server);
    assert_eq!(rest(&mut stage.client).await, ACK);
    assert!(stage.client_reset.load(SeqCst) && !stage.server_reset.load(SeqCst));
    let told = stage.over().await;
    let upstream = told.way(Leg::Upstream, Direction::ToClient);
    assert_eq!(upstream.closes, [Close::Fin]);
    let client = told.way(Leg::Client, Direction::ToClient);
    assert_eq!(client.closes, [Close::Reset]);
}

#[tokio::test(start_paused = true)]
async fn an_end_can_be_late_or_never_come() {
    let late = Duration::from_secs(40);
    let mut stage = at_close(Deed::Delay(late)).start();
    say(&mut stage.client, PING).await;
    let server = stage.server().await;
    let begun = Instant::now();
    drop(server);
    assert_eq!(rest(&mut stage.client).await, b"");
    assert!(begun.elapsed() >= late);

    let mut stage = at_close(Deed::Hang(None)).start();
    say(&mut stage.client, PING).await;
    let server = stage.server().await;
    drop(server);
    silent(&mut stage.client).await;
    stage.client.shutdown().await.unwrap();
    assert_eq!(rest(&mut stage.client).await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_one_direction_only() {
    let deeds = vec![(Place::Body(5), Deed::Delay(Duration::from_secs(30)))];
    let mut stage = first(Stage::RequestHead, deeds).start();
    let begun = Instant::now();
    say(&mut stage.client, &[FRAGMENT, b"0123456789"].concat()).await;
    let mut server = stage.server().await;
    hear(&mut server, &[FRAGMENT, b"01234"].concat()).await;
    say(&mut server, ACK).await;
    hear(&mut stage.client, ACK).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    hear(&mut server, b"56789").await;
    assert!(begun.elapsed() >= Duration::from_secs(30));
}
