//! Messages that wait for the operator: shown, released in every way, and never for longer than the clock.

use super::support::{Stage as Play, hear, rest, say};
use super::{ACK, LOST, PING, answered, on_first, with};
use bitstap::event::ConnId;
use bitstap::fault::rule::RuleSet;
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Control, Engine, Held, Place, Release, Stage};
use bitstap::relay::Board;
use bitstap::timeline::filter::Filter;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// Holds the message of one stage and returns it as the operator sees it.
async fn held(stage: Stage, time: Option<Duration>) -> (Play, Arc<Board>, Held) {
    let deeds = vec![(Place::Head, Deed::Hold(time))];
    let board = Arc::new(Board::new(on_first(stage, deeds)));
    let mut play = with(Arc::clone(&board)).start();
    say(&mut play.client, PING).await;
    if stage == Stage::ResponseHead {
        let mut server = play.server().await;
        hear(&mut server, PING).await;
        say(&mut server, ACK).await;
        // It stands beside the others, so that it is not dropped.
        tokio::spawn(async move { rest(&mut server).await });
    }
    while board.held().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let held = board.held().remove(0);
    (play, board, held)
}

#[tokio::test(start_paused = true)]
async fn a_held_request_is_shown_and_goes_on_when_released() {
    let (mut play, board, held) = held(Stage::RequestHead, None).await;
    assert_eq!((held.conn, held.exchange), (ConnId(1), 0));
    assert_eq!(
        (held.stage, held.rule.as_deref()),
        (Stage::RequestHead, Some("r"))
    );
    assert_eq!(held.head, PING);
    let clock = held.until.unwrap().saturating_sub(held.since);
    assert!(clock < Duration::from_mins(2) && clock > Duration::from_secs(90));
    silent_until(&mut play, Duration::from_mins(1)).await;
    assert!(board.release(held.no, Release::Pass));
    assert!(!board.release(held.no, Release::Pass), "only once");
    let mut server = play.server().await;
    hear(&mut server, PING).await;
    assert!(board.held().is_empty());
}

async fn silent_until(play: &mut Play, time: Duration) {
    tokio::time::sleep(time).await;
    assert_eq!(play.dials.load(SeqCst), 0, "it went on");
}

#[tokio::test(start_paused = true)]
async fn a_held_request_goes_on_by_itself_before_the_protocols_clock_runs_out() {
    let begun = Instant::now();
    let (mut play, board, _) = held(Stage::RequestHead, None).await;
    let mut server = play.server().await;
    hear(&mut server, PING).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(100) && took < Duration::from_mins(2));
    assert!(board.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rule_may_set_a_shorter_time() {
    let begun = Instant::now();
    let (mut play, _, _) = held(Stage::ResponseHead, Some(Duration::from_secs(7))).await;
    hear(&mut play.client, ACK).await;
    assert_eq!(begun.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_held_message_goes_on_with_another_head() {
    let (mut play, board, held) = held(Stage::ResponseHead, None).await;
    let head = b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n";
    board.release(held.no, Release::Replace(Bytes::from_static(head)));
    hear(&mut play.client, head).await;
}

#[tokio::test(start_paused = true)]
async fn a_held_message_is_answered_by_the_operator() {
    for stage in [Stage::RequestHead, Stage::ResponseHead] {
        let (mut play, board, held) = held(stage, None).await;
        board.release(held.no, Release::Respond(Bytes::from_static(LOST)));
        hear(&mut play.client, LOST).await;
        let told = play.over().await;
        assert_eq!(answered(&told), [500]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_message_is_killed_with_its_connection() {
    let (mut play, board, held) = held(Stage::RequestHead, None).await;
    board.release(held.no, Release::Kill);
    assert_eq!(rest(&mut play.client).await, b"");
    assert!(play.client_reset.load(SeqCst));
    assert!(!board.kill(ConnId(1)), "it is over");
}

#[tokio::test(start_paused = true)]
async fn the_kill_switch_resets_both_ends_in_the_middle_of_anything() {
    let board = Arc::new(Board::new(|_: &bitstap::fault::Moment<'_>| {
        super::steps(vec![])
    }));
    let mut play = with(Arc::clone(&board)).start();
    say(&mut play.client, PING).await;
    let mut server = play.server().await;
    hear(&mut server, PING).await;
    assert!(board.kill(ConnId(1)) && !board.kill(ConnId(2)));
    assert_eq!(rest(&mut play.client).await, b"");
    assert_eq!(rest(&mut server).await, b"");
    assert!(play.client_reset.load(SeqCst) && play.server_reset.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_breakpoint_holds_what_its_filter_selects() {
    let board = Arc::new(Board::new(Engine::new(RuleSet::default(), 7)));
    board.set_breakpoint(Some(Filter::parse("http.status == 200").unwrap()));
    let mut play = with(Arc::clone(&board)).start();
    say(&mut play.client, PING).await;
    let mut server = play.server().await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    while board.held().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let held = board.held().remove(0);
    assert_eq!((held.stage, held.rule), (Stage::ResponseHead, None));
    board.set_breakpoint(None);
    board.release(held.no, Release::Pass);
    hear(&mut play.client, ACK).await;
    say(&mut play.client, PING).await;
    hear(&mut server, PING).await;
    say(&mut server, ACK).await;
    hear(&mut play.client, ACK).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ended_its_half_is_held_all_the_same() {
    let (mut play, board, _) = held(Stage::RequestHead, Some(Duration::from_secs(30))).await;
    play.client.shutdown().await.unwrap();
    let mut server = play.server().await;
    assert_eq!(rest(&mut server).await, PING);
    say(&mut server, ACK).await;
    hear(&mut play.client, ACK).await;
    assert!(board.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_connections_go_on_while_one_message_waits() {
    let mut first = true;
    let board = Arc::new(Board::new(move |moment: &bitstap::fault::Moment<'_>| {
        if moment.stage == Stage::RequestHead && std::mem::take(&mut first) {
            return super::steps(vec![(Place::Head, Deed::Hold(None))]);
        }
        super::steps(vec![])
    }));
    let mut held = with(Arc::clone(&board)).start();
    say(&mut held.client, PING).await;
    while board.held().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut other = with(Arc::clone(&board)).start();
    say(&mut other.client, PING).await;
    let mut server = other.server().await;
    hear(&mut server, PING).await;
    assert_eq!(board.held().len(), 1);
    assert_eq!(held.dials.load(SeqCst), 0);
}
