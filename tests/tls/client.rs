//! A client that speaks TLS is relayed as one that does not, and sees the name that it asked for.

use std::io::ErrorKind;

use bitstap::event::{Close, Direction, Leg, What};
use bitstap::relay::tls::ServeAs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::relay_tcp::{Running, hear, rest};
use crate::support::{ACK, Client, PING, TestCa, local, note, up};

#[tokio::test]
async fn each_name_and_address_gets_its_certificate_and_the_bytes_stay_plain() {
    let (_folder, authority, serve_as) = local();
    let (mut relay, listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let clients = [
        ("files.test", Some("files.test"), &TLS13, "TLS 1.3"),
        ("Other.test", Some("other.test"), &TLS12, "TLS 1.2"),
        ("127.0.0.1", None, &TLS13, "TLS 1.3"),
    ];
    for (name, asked, version, called) in clients {
        let client = Client::speaking(&authority.file(), &[version]).alpn("http/1.1");
        let stream = relay.connect().await;
        let mut client = client.shake(stream, name).await.unwrap();
        client.write_all(PING).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        hear(&mut server, PING).await;
        server.write_all(ACK).await.unwrap();
        hear(&mut client, ACK).await;
        let fact = up(&mut relay, Leg::Client).await;
        assert_eq!(
            (fact.version.as_str(), fact.server_name.as_deref()),
            (called, asked)
        );
        assert_eq!(fact.alpn.as_deref(), Some("http/1.1"));
        assert!(
            fact.certificates[0].contains(&name.to_lowercase()),
            "{fact:?}"
        );
        let bytes = loop {
            if let What::Data { bytes, .. } = relay.next().await.what {
                break bytes;
            }
        };
        assert_eq!(bytes, PING, "events tell the plain bytes");
        // Ends in order: close_notify and FIN both ways.
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut server).await, b"");
        drop(server);
        assert_eq!(rest(&mut client).await, b"");
        for _ in 0..4 {
            assert_eq!(relay.closed().await.2, Close::Fin);
        }
    }
}

#[tokio::test]
async fn a_certificate_from_files_is_shown_whatever_the_name() {
    let ca = TestCa::make();
    let files = ca.sign("fixed.test", |_| {});
    let serve_as = ServeAs::Files(files);
    let (relay, listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let client = Client::trusting(&ca.file);
    let mut stream = client
        .shake(relay.connect().await, "fixed.test")
        .await
        .unwrap();
    stream.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    let other = client.shake(relay.connect().await, "other.test").await;
    assert!(other.is_err(), "it is for fixed.test only");
}

#[tokio::test]
async fn a_client_without_tls_is_served_on_the_same_port_and_noted() {
    let (_folder, _authority, serve_as) = local();
    let (mut relay, listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    let note = note(&mut relay, Leg::Client).await;
    assert!(note.text.contains("without TLS"), "{}", note.text);
}

#[tokio::test]
async fn a_client_that_says_nothing_delays_nobody_and_is_closed_in_time() {
    let (_folder, authority, serve_as) = local();
    let (mut relay, listener) = Running::start(|config| {
        config.serve_as = Some(serve_as);
        config.handshake_wait = std::time::Duration::from_secs(3);
    })
    .await;
    let mut silent = relay.connect().await;
    let mut slow = relay.connect().await;
    // The head of a record that never comes.
    slow.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    let client = Client::trusting(&authority.file());
    let mut quick = client
        .shake(relay.connect().await, "quick.test")
        .await
        .unwrap();
    quick.write_all(PING).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, PING).await;
    assert_eq!(rest(&mut silent).await, b"");
    assert_eq!(rest(&mut slow).await, b"");
    let mut told = 0;
    while told < 2 {
        let note = note(&mut relay, Leg::Client).await;
        told += usize::from(note.text.contains("TLS handshake came within 3s"));
    }
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_handshake() {
    let (_folder, _authority, serve_as) = local();
    let (mut relay, _listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let mut client = relay.connect().await;
    client.write_all(&[0x16, 3, 1]).await.unwrap();
    relay.next().await;
    relay.stop.cancel();
    relay.task.await.unwrap();
    // What was not read makes a reset of the end.
    let mut bytes = Vec::new();
    let _ = client.read_to_end(&mut bytes).await;
    assert_eq!(bytes, b"");
}

#[tokio::test]
async fn a_reset_passes_through_tls_both_ways() {
    let (_folder, authority, serve_as) = local();
    let (mut relay, listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let connector = Client::trusting(&authority.file());
    for by_client in [true, false] {
        let stream = relay.connect().await;
        let mut client = connector.shake(stream, "a.test").await.unwrap();
        client.write_all(PING).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        hear(&mut server, PING).await;
        let direction = if by_client {
            client.get_ref().0.set_zero_linger().unwrap();
            drop(client);
            let error = server.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            Direction::ToServer
        } else {
            server.set_zero_linger().unwrap();
            drop(server);
            let error = client.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            Direction::ToClient
        };
        for _ in 0..2 {
            let (_, found, how) = relay.closed().await;
            assert_eq!((found, how), (direction, Close::Reset));
        }
    }
}

#[tokio::test]
async fn a_server_that_ends_its_half_leaves_the_clients_half_open() {
    let (_folder, authority, serve_as) = local();
    let (relay, listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let connector = Client::trusting(&authority.file());
    let mut client = connector
        .shake(relay.connect().await, "a.test")
        .await
        .unwrap();
    let head = b"PUT /f HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
    client.write_all(head).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    hear(&mut server, head).await;
    server.write_all(ACK).await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, ACK);
    client.write_all(b"body").await.unwrap();
    client.flush().await.unwrap();
    hear(&mut server, b"body").await;
    // FIN without close_notify is an end, too.
    client.get_mut().0.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, b"");
}
