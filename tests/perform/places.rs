//! Changed heads, flipped and cut content: exactly at their place, however the bytes come.

use super::support::{Stage as Play, hear, rest, say};
use super::{ACK, FRAGMENT, PING, first, set, steps};
use bitstap::event::{Direction, Leg};
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Moment, Place, Stage, Verdict};
use bytes::Bytes;
use tokio::io::AsyncWriteExt;

/// Sends `request` whole and byte by byte and checks what comes out.
async fn comes_out(deeds: &[(Place, Deed)], request: &[u8], wanted: &[u8]) {
    for piece in [request.len(), 1, 7] {
        let mut play = first(Stage::RequestHead, deeds.to_vec()).start();
        for piece in request.chunks(piece) {
            say(&mut play.client, piece).await;
            tokio::task::yield_now().await;
        }
        play.client.shutdown().await.unwrap();
        let mut server = play.server().await;
        let got = rest(&mut server).await;
        assert_eq!(
            got.escape_ascii().to_string(),
            wanted.escape_ascii().to_string()
        );
        drop(server);
        let told = play.over().await;
        assert_eq!(told.way(Leg::Client, Direction::ToServer).bytes, request);
        let upstream = told.way(Leg::Upstream, Direction::ToServer);
        assert_eq!(upstream.len, wanted.len() as u64);
    }
}

const CHUNKED: &[u8] = b"POST /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=\"y\"\r\nabcd\r\n3\r\nefg\r\n0\r\nT: t\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn flipping_hits_content_only_and_exactly() {
    let flip = [(Place::Body(2), Deed::Flip(vec![0x20; 4]))];
    let wanted = CHUNKED.to_vec();
    let wanted = String::from_utf8(wanted).unwrap();
    let wanted = wanted.replace("abcd", "abCD").replace("efg", "EFg");
    let request = [CHUNKED, PING].concat();
    comes_out(&flip, &request, &[wanted.as_bytes(), PING].concat()).await;
    let request = [FRAGMENT, b"aaaaaaaaaa", PING].concat();
    comes_out(&flip, &request, &[FRAGMENT, b"aaAAAAaaaa", PING].concat()).await;
}

#[tokio::test(start_paused = true)]
async fn two_flips_that_overlap_both_count() {
    let flips = [
        (Place::Body(1), Deed::Flip(vec![1; 3])),
        (Place::Body(2), Deed::Flip(vec![2; 9])),
    ];
    let request = [FRAGMENT, b"0000000000"].concat();
    comes_out(&flips, &request, &[FRAGMENT, b"0133222222"].concat()).await;
}

#[tokio::test(start_paused = true)]
async fn a_truncated_message_ends_there_and_the_next_ones_come_whole() {
    let cut = [(Place::Body(3), Deed::Truncate)];
    let request = [FRAGMENT, b"0123456789", PING].concat();
    comes_out(&cut, &request, &[FRAGMENT, b"012", PING].concat()).await;
    let request = [CHUNKED, PING].concat();
    let end = CHUNKED.windows(3).position(|part| part == b"abc").unwrap() + 3;
    comes_out(&cut, &request, &[&CHUNKED[..end], PING].concat()).await;
}

#[tokio::test(start_paused = true)]
async fn a_place_behind_the_content_is_never_reached() {
    let request = [FRAGMENT, b"0123456789", PING].concat();
    comes_out(&[(Place::Body(11), Deed::Truncate)], &request, &request).await;
}

#[tokio::test(start_paused = true)]
async fn another_head_goes_in_its_place() {
    let head = b"BITS_POST /other HTTP/1.1\r\nContent-Length: 10\r\nX: y\r\n\r\n";
    let replace = [(Place::Head, Deed::Replace(Bytes::from_static(head)))];
    let request = [FRAGMENT, b"0123456789", PING].concat();
    comes_out(
        &replace,
        &request,
        &[head, &b"0123456789"[..], PING].concat(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_response_is_changed_just_so_and_kept_on_both_legs() {
    let new = b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 4\r\n\r\n";
    let deeds = vec![
        (Place::Head, Deed::Replace(Bytes::from_static(new))),
        (Place::Body(1), Deed::Flip(vec![0x20, 0x20])),
    ];
    let mut play: Play = first(Stage::ResponseHead, deeds).start();
    say(&mut play.client, PING).await;
    let mut server = play.server().await;
    hear(&mut server, PING).await;
    let old = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
    say(&mut server, &[old, ACK].concat()).await;
    let wanted = [new, &b"bODy"[..]].concat();
    hear(&mut play.client, &wanted).await;
    hear(&mut play.client, ACK).await;
    drop(server);
    let told = play.over().await;
    let client = told.way(Leg::Client, Direction::ToClient).bytes;
    assert_eq!(client, [&wanted[..], ACK].concat());
    let upstream = told.way(Leg::Upstream, Direction::ToClient).bytes;
    assert_eq!(upstream, [old, ACK].concat());
}

#[tokio::test(start_paused = true)]
async fn each_of_many_messages_in_one_read_gets_its_own() {
    let mut play = set(|moment: &Moment<'_>| {
        let no = moment.exchange.unwrap_or_default();
        match moment.stage {
            Stage::RequestHead if no % 2 == 1 => {
                steps(vec![(Place::Body(no), Deed::Flip(vec![1]))])
            }
            _ => Verdict::default(),
        }
    })
    .start();
    let message = [FRAGMENT, b"0000000000"].concat();
    say(&mut play.client, &message.repeat(8)).await;
    let mut server = play.server().await;
    for no in 0..8_usize {
        let mut wanted = message.clone();
        if no % 2 == 1 {
            wanted[FRAGMENT.len() + no] = b'1';
        }
        hear(&mut server, &wanted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn untouched_messages_leave_their_content_out_of_the_servers_leg() {
    let mut play = set(
        |moment: &Moment<'_>| match (moment.stage, moment.exchange) {
            (Stage::RequestHead, Some(1)) => steps(vec![(Place::Head, Deed::Note("hm".into()))]),
            _ => Verdict::default(),
        },
    )
    .start();
    let message = [FRAGMENT, b"0123456789"].concat();
    say(&mut play.client, &message.repeat(3)).await;
    let mut server = play.server().await;
    hear(&mut server, &message.repeat(3)).await;
    drop(server);
    let told = play.over().await;
    let upstream = told.way(Leg::Upstream, Direction::ToServer);
    assert_eq!(upstream.bytes, [FRAGMENT, &message, FRAGMENT].concat());
    assert_eq!(upstream.len, 3 * message.len() as u64);
}
