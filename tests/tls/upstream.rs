//! TLS with the server: whom the relay trusts, who it is itself, what it says when that is not enough.

use bitstap::event::{Fact, Leg};
use bitstap::relay::tls::Identity;
use bitstap::relay::{Config, Error, Relay};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::relay_tcp::{Running, hear, rest, upstream as place};
use crate::support::{ACK, Client, PING, TestCa, local, note, up};

/// Starts a relay towards `https://server.test` at 127.0.0.1.
async fn start(change: impl FnOnce(&mut Config)) -> (Running, TcpListener) {
    Running::start(|config| {
        config.upstream.as_mut().unwrap().tls = true;
        config.upstream_name = Some("server.test".to_owned());
        change(config);
    })
    .await
}

/// Sends a Ping through the relay to a server that answers it.
async fn ping(relay: &Running, listener: &TcpListener, server: &TlsAcceptor) -> Option<String> {
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = server.accept(stream).await.unwrap();
    hear(&mut stream, PING).await;
    stream.write_all(ACK).await.unwrap();
    stream.flush().await.unwrap();
    hear(&mut client, ACK).await;
    stream.get_ref().1.server_name().map(str::to_owned)
}

/// Sends a Ping through the relay to a server whose handshake fails, and returns the answer.
async fn refused(relay: &Running, listener: &TcpListener, server: &TlsAcceptor) -> String {
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    server.accept(stream).await.map(|_| ()).unwrap_err();
    let answer = String::from_utf8(rest(&mut client).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    answer
}

#[tokio::test]
async fn another_name_is_asked_for_and_expected() {
    let ca = TestCa::make();
    let server = ca.server(&ca.sign("server.test", |_| {}), &TLS13, false);
    let (mut relay, listener) = start(|config| config.upstream_ca = vec![ca.file.clone()]).await;
    let name = ping(&relay, &listener, &server).await;
    assert_eq!(name.as_deref(), Some("server.test"));
    let fact = up(&mut relay, Leg::Upstream).await;
    assert_eq!(fact.server_name.as_deref(), Some("server.test"));
    assert_eq!((fact.untrusted, fact.client_certificate), (None, None));
}

#[tokio::test]
async fn an_untrusted_server_is_taken_on_demand_and_each_time_noted() {
    let ca = TestCa::make();
    let server = ca.server(&ca.sign("elsewhere.test", |_| {}), &TLS13, false);
    let (mut relay, listener) = start(|config| config.insecure_upstream = true).await;
    for _ in 0..2 {
        ping(&relay, &listener, &server).await;
        let fact = up(&mut relay, Leg::Upstream).await;
        let why = fact.untrusted.unwrap();
        assert!(why.contains("unknown issuer CN=test authority"), "{why}");
        let note = note(&mut relay, Leg::Upstream).await;
        assert!(note.text.contains("NOT trusted"), "{}", note.text);
        assert!(note.text.contains("--insecure-upstream"), "{}", note.text);
    }
}

type Change<'a> = &'a dyn Fn(&mut CertificateParams);

#[tokio::test]
async fn each_kind_of_distrust_is_said_with_what_helps() {
    let ca = TestCa::make();
    let old = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 2, 3);
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 2, 3);
    let authority = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    let (mut relay, listener) = start(|config| config.upstream_ca = vec![ca.file.clone()]).await;
    let expected = "server.test";
    let nameless = |params: &mut CertificateParams| params.subject_alt_names.clear();
    let cases: [(&str, Change<'_>, &str); 5] = [
        (expected, &old, "it has expired (on 2020-02-03)"),
        (expected, &early, "it is not valid yet (before 4000-02-03"),
        (expected, &authority, "basicConstraints=CA:FALSE"),
        ("else.test", &|_| {}, "--upstream-name"),
        (expected, &nameless, "names no host in its subjectAltName"),
    ];
    for (name, change, said) in cases {
        let files = ca.sign(name, change);
        let server = ca.server(&files, &TLS13, false);
        let answer = refused(&relay, &listener, &server).await;
        assert!(answer.contains("certificate not trusted: "), "{answer}");
        assert!(answer.contains(said), "{said}: {answer}");
        while !note(&mut relay, Leg::Client).await.text.contains(said) {}
    }
}

fn for_clients(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours() {
    let ca = TestCa::make();
    let files = ca.sign("server.test", |_| {});
    let us = ca.sign("us.test", for_clients);
    for version in [&TLS13, &TLS12] {
        let server = ca.server(&files, version, true);
        let (mut relay, listener) = start(|config| {
            config.upstream_ca = vec![ca.file.clone()];
            config.upstream_identity = Some(us.clone());
        })
        .await;
        ping(&relay, &listener, &server).await;
        let fact = up(&mut relay, Leg::Upstream).await;
        let shown = fact.client_certificate.unwrap();
        assert!(shown.contains("CN=us.test"), "{shown}");
        let note = note(&mut relay, Leg::Upstream).await;
        assert!(note.text.contains("got that of CN=us.test"), "{note:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_in_vain_is_explained() {
    let ca = TestCa::make();
    let files = ca.sign("server.test", |_| {});
    let trust = |config: &mut Config| config.upstream_ca = vec![ca.file.clone()];
    // TLS 1.2: the server refuses within the handshake.
    let server = ca.server(&files, &TLS12, true);
    let (relay, listener) = start(trust).await;
    let answer = refused(&relay, &listener, &server).await;
    assert!(answer.contains("wants a client certificate"), "{answer}");
    assert!(answer.contains("--upstream-client-cert"), "{answer}");
    // TLS 1.3: it does after our side of it is done.
    let server = ca.server(&files, &TLS13, true);
    let (mut relay, listener) = start(trust).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    server.accept(stream).await.map(|_| ()).unwrap_err();
    let fact = up(&mut relay, Leg::Upstream).await;
    assert_eq!(fact.client_certificate.as_deref(), Some(""));
    let note = note(&mut relay, Leg::Upstream).await;
    assert_eq!(note.fact, Fact::Other);
    assert!(note.text.contains("cannot pass through"), "{}", note.text);
}

#[tokio::test]
async fn an_expired_authority_or_a_wrong_pair_stops_the_start() {
    let ca = TestCa::make();
    let old = ca.sign("old.test", |params| {
        params.not_after = date_time_ymd(2020, 2, 3);
    });
    let one = ca.sign("one.test", |_| {});
    let bind = async |change: &dyn Fn(&mut Config)| {
        let mut config = Config::new("127.0.0.1:0", place(1));
        config.upstream.as_mut().unwrap().tls = true;
        change(&mut config);
        Relay::bind(config).await.unwrap_err()
    };
    let error = bind(&|config| config.upstream_ca = vec![old.certificates.clone()]).await;
    let Error::Certificates { source, .. } = error else {
        panic!("{error:?}");
    };
    assert!(source.to_string().contains("2020-02-03"), "{source}");
    let mixed = Identity {
        certificates: one.certificates,
        key: old.key,
    };
    let error = bind(&|config| config.upstream_identity = Some(mixed.clone())).await;
    assert!(matches!(error, Error::Pair { .. }), "{error:?}");
    let error = bind(&|config| config.upstream_name = Some("not a name".to_owned())).await;
    assert!(error.to_string().contains("not a name"), "{error}");
}

#[tokio::test]
async fn the_secrets_of_both_sides_are_written() {
    let ca = TestCa::make();
    let server = ca.server(&ca.sign("server.test", |_| {}), &TLS12, false);
    let secrets = ca.folder.path().join("secrets.log");
    let (_folder, authority, serve_as) = local();
    let (mut relay, listener) = start(|config| {
        config.upstream_ca = vec![ca.file.clone()];
        config.serve_as = Some(serve_as);
        config.secrets = Some(secrets.clone());
    })
    .await;
    let client = Client::speaking(&authority.file(), &[&TLS13]);
    let mut client = client.shake(relay.connect().await, "a.test").await.unwrap();
    client.write_all(PING).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = server.accept(stream).await.unwrap();
    hear(&mut stream, PING).await;
    let text = std::fs::read_to_string(&secrets).unwrap();
    // Of TLS 1.3 with the client, of TLS 1.2 with the server.
    for label in ["CLIENT_TRAFFIC_SECRET_0 ", "CLIENT_RANDOM "] {
        assert!(text.lines().any(|line| line.starts_with(label)), "{text}");
    }
    for leg in [Leg::Client, Leg::Upstream] {
        let note = note(&mut relay, leg).await;
        assert!(note.text.contains("secrets.log"), "{}", note.text);
    }
}
