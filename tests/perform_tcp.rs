//! Rules between real sockets: resets and ends as the system reports them at both ends, ports that refuse.

#[path = "support/relay_tcp.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bitstap::fault::rule::Ends;
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Moment, Place, Stage, Step, Verdict};
use bitstap::relay::Board;
use support::{Running, hear};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PING: &[u8] = b"BITS_POST /f HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
const ACK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn rules(wanted: Stage, deeds: Vec<(Place, Deed)>) -> Arc<Board> {
    let mut deeds = Some(deeds);
    Arc::new(Board::new(move |moment: &Moment<'_>| {
        let mut verdict = Verdict::default();
        if moment.stage == wanted {
            let step = |(place, deed)| Step {
                rule: "r".into(),
                place,
                deed,
            };
            let deeds = deeds.take().unwrap_or_default();
            verdict.steps = deeds.into_iter().map(step).collect();
        }
        verdict
    }))
}

/// Reads to the end and returns what came and whether the end was a reset.
async fn ending(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut got = Vec::new();
    match stream.read_to_end(&mut got).await {
        Ok(_) => (got, false),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            (got, true)
        }
    }
}

#[tokio::test]
async fn each_end_sees_a_reset_or_a_fin_as_the_rule_says() {
    for (deed, at_client, at_server) in [
        (Deed::Reset(Ends::Both), true, true),
        (Deed::Reset(Ends::Client), true, false),
        (Deed::Reset(Ends::Server), false, true),
        (Deed::Close(Ends::Both), false, false),
    ] {
        for stage in [Stage::RequestHead, Stage::ResponseHead] {
            let board = rules(stage, vec![(Place::Body(3), deed.clone())]);
            let (relay, listener) = Running::start(|config| config.rules = Some(board)).await;
            let mut client = relay.connect().await;
            let head = b"PUT /f HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
            let request = [&head[..], b"012345678"].concat();
            client.write_all(&request).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi";
            let (to_server, to_client) = if stage == Stage::RequestHead {
                (&request[..head.len() + 3], &b""[..])
            } else {
                hear(&mut server, &request).await;
                server.write_all(answer).await.unwrap();
                (&b""[..], &answer[..answer.len() - 6])
            };
            // Whoever is reset may lose the bytes that were on the way; whoever is not does not.
            let (got, reset) = ending(&mut client).await;
            assert_eq!(
                (reset, &got[..]),
                (at_client, to_client),
                "{deed:?} {stage:?}"
            );
            drop(client);
            let (got, reset) = ending(&mut server).await;
            assert_eq!(
                (reset, &got[..]),
                (at_server, to_server),
                "{deed:?} {stage:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_close_with_an_upload_under_way_is_a_fin_not_a_reset() {
    let board = rules(
        Stage::RequestHead,
        vec![(Place::Body(1 << 20), Deed::Close(Ends::Client))],
    );
    let (relay, listener) = Running::start(|config| config.rules = Some(board)).await;
    let mut client = relay.connect().await;
    let server = tokio::spawn(async move {
        let (mut server, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.map(|_| got.len())
    });
    let head = b"PUT /f HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n";
    client.write_all(head).await.unwrap();
    client.write_all(&vec![b'x'; 4 << 20]).await.unwrap();
    assert_eq!(ending(&mut client).await, (vec![], false));
    drop(client);
    assert_eq!(server.await.unwrap().unwrap(), head.len() + (1 << 20));
}

#[tokio::test]
async fn a_new_connection_is_reset_or_closed_before_its_first_byte() {
    for (deed, reset) in [
        (Deed::Reset(Ends::Client), true),
        (Deed::Close(Ends::Client), false),
    ] {
        let board = rules(Stage::Connect, vec![(Place::Head, deed)]);
        let (relay, listener) = Running::start(|config| config.rules = Some(board)).await;
        let mut client = relay.connect().await;
        assert_eq!(ending(&mut client).await, (vec![], reset));
        let mut next = relay.connect().await;
        next.write_all(PING).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        hear(&mut server, PING).await;
        server.write_all(ACK).await.unwrap();
        hear(&mut next, ACK).await;
    }
}

#[tokio::test]
async fn a_port_that_refuses_opens_again() {
    let time = Duration::from_millis(300);
    let board = rules(Stage::Connect, vec![(Place::Head, Deed::Refuse(time))]);
    let (relay, listener) = Running::start(|config| config.rules = Some(board)).await;
    let mut client = relay.connect().await;
    assert_eq!(ending(&mut client).await, (vec![], true));
    let mut refused = false;
    let mut next = loop {
        match TcpStream::connect(relay.address).await {
            // On loopback a socket may meet itself while nobody listens.
            Ok(stream) if stream.local_addr().unwrap() == relay.address => {}
            Ok(mut stream) => {
                // One that was still in the queue when the port closed is reset.
                if stream.write_all(PING).await.is_ok() && !refused {
                    let mut one = [0];
                    assert!(stream.read(&mut one).await.is_err(), "it was served");
                    refused = true;
                    continue;
                }
                break stream;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                refused = true;
                tokio::task::yield_now().await;
            }
        }
    };
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    server.write_all(ACK).await.unwrap();
    hear(&mut next, ACK).await;
}
