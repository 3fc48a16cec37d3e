//! All rules off at once: what they are doing is over, too, and what was to come does not.

use super::support::{hear, say};
use super::{ACK, PING, on_first, with};
use bitstap::fault::rule::{Ends, Way};
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Control, Place, Stage};
use bitstap::relay::Board;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A request that takes hours at a byte a second.
fn long() -> Vec<u8> {
    let head = b"BITS_POST /up/f HTTP/1.1\r\nContent-Length: 10000\r\n\r\n";
    [&head[..], &[b'x'; 10_000]].concat()
}

const HOUR: Duration = Duration::from_hours(1);

/// Turns all rules off after a minute in which `deeds` had their way with a request.
async fn after_a_minute(deeds: Vec<(Place, Deed)>) {
    let bytes = &long();
    let board = Arc::new(Board::new(on_first(Stage::RequestHead, deeds)));
    let mut play = with(Arc::clone(&board)).start();
    let begun = Instant::now();
    say(&mut play.client, bytes).await;
    let panic = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        board.turn_all(false);
        board
    });
    let mut server = play.server().await;
    hear(&mut server, bytes).await;
    say(&mut server, ACK).await;
    hear(&mut play.client, ACK).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_mins(1) && took < HOUR, "{took:?}");
    // Nothing happens to what comes later, either.
    say(&mut play.client, PING).await;
    hear(&mut server, PING).await;
    drop(panic.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn waits_hangs_and_paces_end() {
    let head = Place::Head;
    let drop = Deed::Dribble {
        bytes: 1,
        every: HOUR,
        way: Way::Both,
    };
    let rate = Deed::Limit {
        bucket: "slow".into(),
        rate: 1,
        way: Way::ToServer,
    };
    for deed in [
        Deed::Delay(HOUR),
        Deed::Hang(None),
        Deed::Hang(Some(HOUR)),
        drop,
        rate,
    ] {
        after_a_minute(vec![(head, deed)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_to_come_does_not() {
    let delay = (Place::Head, Deed::Delay(HOUR));
    for deed in [Deed::Reset(Ends::Both), Deed::DropResponse, Deed::Truncate] {
        let place = match deed {
            Deed::DropResponse => Place::Head,
            _ => Place::Body(1),
        };
        after_a_minute(vec![delay.clone(), (place, deed)]).await;
    }
}
