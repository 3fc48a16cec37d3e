//! TLS towards the upstream: whom it trusts, what it says when it does not, ends without `close_notify`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::support::{Running, hear, rest, upstream};
use bitstap::event::{Fact, Leg, What};
use bitstap::relay::{Config, Error, Relay};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const PING: &[u8] = b"BITS_POST /f HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nuntil the end";

/// An authority of its own, as a PEM file, and a server with a leaf for `names`.
fn authority(names: &[&str]) -> (TempDir, PathBuf, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca = params.self_signed(&key).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, ca.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(names).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (dir, path, TlsAcceptor::from(Arc::new(config)))
}

/// Starts a relay towards `https://host`, trusting `ca`.
async fn start(host: &str, ca: Vec<PathBuf>) -> (Running, TcpListener) {
    Running::start(|config| {
        config.upstream.as_mut().unwrap().tls = true;
        host.clone_into(&mut config.upstream.as_mut().unwrap().host);
        config.upstream_ca = ca;
    })
    .await
}

#[tokio::test]
async fn a_trusted_upstream_is_relayed_in_plain_and_needs_no_close_notify() {
    for (host, name) in [("localhost", Some("localhost")), ("127.0.0.1", None)] {
        let (_dir, ca, acceptor) = authority(&[host]);
        let (mut relay, listener) = start(host, vec![ca]).await;
        let mut client = relay.connect().await;
        client.write_all(PING).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut server = acceptor.accept(stream).await.unwrap();
        assert_eq!(server.get_ref().1.server_name(), name);
        assert_eq!(server.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        hear(&mut server, PING).await;
        server.write_all(ANSWER).await.unwrap();
        server.flush().await.unwrap();
        // FIN without close_notify, as IIS does it.
        server.get_mut().0.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, ANSWER);
        let fact = loop {
            let event = relay.next().await;
            if let What::Note(note) = event.what {
                break note.fact;
            }
        };
        let Fact::Tls(fact) = fact else {
            panic!("{fact:?}");
        };
        assert_eq!(
            (fact.version.as_str(), fact.server_name.as_deref()),
            ("TLS 1.3", name)
        );
        assert_eq!(fact.alpn.as_deref(), Some("http/1.1"));
        assert!(fact.certificates[0].contains(host), "{fact:?}");
        assert_eq!((fact.untrusted, fact.client_certificate), (None, None));
        let sent = loop {
            let event = relay.next().await;
            if let (Leg::Upstream, What::Data { bytes, .. }) = (event.leg, event.what) {
                break bytes;
            }
        };
        assert_eq!(sent, PING, "events tell the plain bytes");
    }
}

/// Sends a Ping through a relay whose TLS must fail, and returns the answer.
async fn refused(host: &str, trusted: bool, names: &[&str]) -> String {
    let (_dir, ca, acceptor) = authority(names);
    let (relay, listener) = start(host, if trusted { vec![ca] } else { Vec::new() }).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert!(acceptor.accept(stream).await.is_err());
    String::from_utf8(rest(&mut client).await).unwrap()
}

#[tokio::test]
async fn an_untrusted_upstream_is_a_502_that_says_why() {
    let answer = refused("localhost", false, &["localhost"]).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(
        answer.contains("certificate not trusted: unknown issuer"),
        "{answer}"
    );
    assert!(answer.contains("https://localhost:"), "{answer}");
    let answer = refused("localhost", true, &["other.test"]).await;
    assert!(answer.contains("it is for another name"), "{answer}");
}

#[tokio::test]
async fn an_upstream_without_tls_is_a_502_that_says_why() {
    let (relay, listener) = start("127.0.0.1", Vec::new()).await;
    let mut client = relay.connect().await;
    client.write_all(PING).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(rest(&mut client).await).unwrap();
    assert!(answer.contains("TLS handshake failed"), "{answer}");
}

#[tokio::test]
async fn files_without_a_certificate_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.pem");
    std::fs::write(&path, "no certificate here\n").unwrap();
    for path in [path, dir.path().join("absent.pem")] {
        let mut config = Config::new("127.0.0.1:0", upstream(1));
        config.upstream.as_mut().unwrap().tls = true;
        config.upstream_ca = vec![path.clone()];
        let error = Relay::bind(config).await.unwrap_err();
        assert!(matches!(&error, Error::Certificates { path: found, .. } if *found == path));
    }
}
