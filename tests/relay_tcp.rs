//! The relay between real sockets: resets, listeners, limits, the way it stops.

#[path = "support/relay_tcp.rs"]
mod support;
#[path = "relay/tls.rs"]
mod tls;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use bitstap::event::{Close, ConnId, Direction, Leg, What};
use bitstap::relay::{Config, Error, Relay, Upstream};
use support::{Running, hear, rest, upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PING: &[u8] = b"BITS_POST /f HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
const ACK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

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
async fn a_reset_by_the_client_reaches_the_server_as_a_reset() {
    let (mut relay, listener) = Running::start(|_| {}).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(ending(&mut server).await, (vec![], true));
    let first = relay.closed().await;
    let second = relay.closed().await;
    assert_eq!(first, (Leg::Client, Direction::ToServer, Close::Reset));
    assert_eq!(second, (Leg::Upstream, Direction::ToServer, Close::Reset));
}

#[tokio::test]
async fn a_reset_by_the_server_reaches_the_client_after_the_bytes_before_it() {
    let (mut relay, listener) = Running::start(|_| {}).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    server.write_all(&ACK[..20]).await.unwrap();
    // What the relay has read is an event: only then is it certain not to be lost to the reset.
    relay.data(Leg::Upstream, Direction::ToClient).await;
    server.set_zero_linger().unwrap();
    drop(server);
    let (got, reset) = ending(&mut client).await;
    assert_eq!((got.as_slice(), reset), (&ACK[..20], true));
    let first = relay.closed().await;
    let second = relay.closed().await;
    assert_eq!(first, (Leg::Upstream, Direction::ToClient, Close::Reset));
    assert_eq!(second, (Leg::Client, Direction::ToClient, Close::Reset));
}

#[tokio::test]
async fn a_client_that_resets_while_the_server_takes_nothing_is_noticed() {
    let (mut relay, listener) = Running::start(|_| {}).await;
    let mut client = relay.connect().await;
    let head = b"PUT /f HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n";
    client.write_all(head).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, head).await;
    let body = vec![0; 1 << 20];
    // The server takes nothing, so after a while nobody does.
    while let Ok(sent) = tokio::time::timeout(Duration::from_millis(300), client.write(&body)).await
    {
        sent.unwrap();
    }
    client.set_zero_linger().unwrap();
    drop(client);
    let first = relay.closed().await;
    assert_eq!(first, (Leg::Client, Direction::ToServer, Close::Reset));
    assert!(ending(&mut server).await.1, "the server sees a reset");
}

#[tokio::test]
async fn a_server_that_answers_early_and_closes_is_mirrored() {
    let (mut relay, listener) = Running::start(|_| {}).await;
    let mut client = relay.connect().await;
    client
        .write_all(b"PUT /f HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
        .await
        .unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(ACK).await.unwrap();
    relay.data(Leg::Upstream, Direction::ToClient).await;
    // Bytes that nobody read make the system reset.
    server.readable().await.unwrap();
    drop(server);
    let (got, reset) = ending(&mut client).await;
    assert_eq!((got.as_slice(), reset), (ACK, true));
}

#[tokio::test]
async fn ends_in_order_are_fins_on_every_leg() {
    let (mut relay, listener) = Running::start(|_| {}).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    server.write_all(ACK).await.unwrap();
    hear(&mut client, ACK).await;
    drop(client);
    assert_eq!(ending(&mut server).await, (vec![], false));
    drop(server);
    for expected in [
        (Leg::Client, Direction::ToServer),
        (Leg::Upstream, Direction::ToServer),
        (Leg::Upstream, Direction::ToClient),
        (Leg::Client, Direction::ToClient),
    ] {
        let (leg, direction, how) = relay.closed().await;
        assert_eq!(((leg, direction), how), (expected, Close::Fin));
    }
}

#[tokio::test]
async fn connections_are_numbered_in_order_and_opened_before_anything_else() {
    let (mut relay, listener) = Running::start(|_| {}).await;
    for number in 1..=3 {
        let mut client = relay.connect().await;
        let us = client.local_addr().unwrap();
        client.write_all(PING).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let opening = relay.next().await;
        assert_eq!((opening.conn, opening.leg), (ConnId(number), Leg::Client));
        assert!(matches!(opening.what, What::Opening { client, .. } if client == us));
        assert_eq!(relay.next().await.what, What::Opened);
        while relay.next().await.leg != Leg::Upstream {}
        assert_eq!(relay.next().await.what, What::Opened);
        relay.data(Leg::Upstream, Direction::ToServer).await;
        client.set_zero_linger().unwrap();
        drop((client, server));
        relay.closed().await;
        relay.closed().await;
    }
}

#[tokio::test]
async fn a_refused_dial_is_answered() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let (relay, _listener) =
        Running::start(|config| config.upstream.as_mut().unwrap().port = port).await;
    let mut client = relay.connect().await;
    client
        .write_all(b"PUT /f HTTP/1.1\r\nContent-Length: 5000000\r\n\r\n")
        .await
        .unwrap();
    client.write_all(&vec![0; 5_000_000]).await.unwrap();
    let (answer, reset) = ending(&mut client).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    assert!(answer.contains("connection refused"), "{answer}");
    assert!(answer.contains(&port.to_string()), "{answer}");
    assert!(!reset);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_answered() {
    let (relay, _listener) = Running::start(|config| {
        config.upstream.as_mut().unwrap().host = "no-such-host.invalid".to_owned();
    })
    .await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let answer = String::from_utf8(rest(&mut client).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("cannot resolve the name"), "{answer}");
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    // `localhost` is ::1 and 127.0.0.1 on most systems; the listener has the latter only.
    let (relay, listener) =
        Running::start(|config| config.upstream.as_mut().unwrap().host = "localhost".into()).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
}

#[tokio::test]
async fn no_more_than_the_allowed_connections_are_taken() {
    let (mut relay, listener) = Running::start(|config| config.max_connections = 1).await;
    let mut first = relay.connect().await;
    first.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    let mut second = relay.connect().await;
    second.write_all(PING).await.unwrap();
    server.write_all(ACK).await.unwrap();
    hear(&mut first, ACK).await;
    drop((first, server));
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    // The second one appears only after both ends of the first.
    let mut ends = 0;
    loop {
        let event = relay.next().await;
        if event.conn == ConnId(2) {
            break;
        }
        ends += usize::from(matches!(event.what, What::Closed { .. }));
    }
    assert!(ends >= 2, "{ends}");
}

#[tokio::test]
async fn a_stop_ends_everything_and_tells_every_end() {
    let (mut relay, listener) = Running::start(|_| {}).await;
    let mut idle = relay.connect().await;
    idle.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    server.write_all(ACK).await.unwrap();
    hear(&mut idle, ACK).await;
    let silent = relay.connect().await;
    while relay.next().await.conn != ConnId(2) {}
    let address = relay.address;
    relay.stop.cancel();
    assert_eq!(ending(&mut idle).await, (vec![], false));
    assert_eq!(ending(&mut server).await, (vec![], false));
    relay.task.await.unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "still listening"
    );
    let mut closes = Vec::new();
    while let Some(event) = relay.events.recv().await {
        if let What::Closed { how, .. } = event.what {
            closes.push((event.conn, event.leg, how));
        }
    }
    closes.sort_by_key(|(conn, leg, _)| (*conn, *leg));
    assert_eq!(
        closes,
        [
            (ConnId(1), Leg::Client, Close::Fin),
            (ConnId(1), Leg::Upstream, Close::Fin),
            (ConnId(2), Leg::Client, Close::Fin),
        ]
    );
    drop(silent);
}

#[tokio::test]
async fn dropping_the_relay_resets_what_stands() {
    let (relay, listener) = Running::start(|_| {}).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    relay.task.abort();
    assert!(ending(&mut client).await.1 && ending(&mut server).await.1);
}

#[tokio::test]
async fn it_listens_on_ipv6_and_on_several_addresses() {
    let mut config = Config::new("127.0.0.1:0", upstream(1));
    config.listen.push("localhost:0".to_owned());
    let v6 = TcpListener::bind("[::1]:0").await.is_ok();
    if v6 {
        config.listen.push("[::1]:0".to_owned());
    }
    let relay = Relay::bind(config).await.unwrap();
    assert!(relay.addresses().iter().all(|address| address.port() != 0));
    assert_eq!(relay.addresses().iter().any(SocketAddr::is_ipv6), v6);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = Relay::bind(Config::new(&address, upstream(1)))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    assert!(matches!(error, Error::Bind { source, .. } if source.kind() == ErrorKind::AddrInUse));
}

#[tokio::test]
async fn an_ipv6_upstream_is_dialled() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let (relay, _unused) = Running::start(|config| {
        config.upstream = Some(Upstream {
            host: "::1".to_owned(),
            ..upstream(port)
        });
    })
    .await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
}
