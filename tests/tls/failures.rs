//! A handshake with the client that fails: who broke it, why, and what helps; the server hears nothing.

use std::path::PathBuf;

use bitstap::event::{Close, Direction, Fact, Leg, Note, TlsEnd};
use bitstap::relay::tls::{Identity, ServeAs};
use bitstap::relay::{Config, Error, Relay};
use tokio::io::AsyncWriteExt;
use tokio_rustls::rustls::AlertDescription as Alert;
use tokio_rustls::rustls::Error as RustlsError;

use crate::relay_tcp::{Running, upstream};
use crate::support::{Client, TestCa, local, note, why};

/// Checks that the note tells of a failed handshake.
fn failure(note: &Note) -> (TlsEnd, Option<&str>) {
    let Fact::TlsFailed {
        by, server_name, ..
    } = &note.fact
    else {
        panic!("{note:?}");
    };
    (*by, server_name.as_deref())
}

#[tokio::test]
async fn a_client_that_does_not_trust_us_is_told_how_to() {
    let (_folder, authority, serve_as) = local();
    let (mut relay, _listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let stranger = TestCa::make();
    let client = Client::trusting(&stranger.file);
    client
        .shake(relay.connect().await, "files.test")
        .await
        .unwrap_err();
    let note = note(&mut relay, Leg::Client).await;
    assert_eq!(failure(&note), (TlsEnd::Client, Some("files.test")));
    for part in [
        "does not know the authority",
        "UnknownCA",
        "bitstap ca show",
        &authority.file().display().to_string(),
    ] {
        assert!(note.text.contains(part), "{part}: {}", note.text);
    }
    assert_eq!(
        relay.closed().await,
        (Leg::Client, Direction::ToClient, Close::Fin)
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_is_named_with_the_moment() {
    let (_folder, _authority, serve_as) = local();
    let (mut relay, _listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let mut client = relay.connect().await;
    client.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    client.shutdown().await.unwrap();
    let early = note(&mut relay, Leg::Client).await;
    assert_eq!(failure(&early), (TlsEnd::Client, None));
    assert!(early.text.contains("before its ClientHello"), "{early:?}");
    assert!(!early.text.contains("ca show"), "{early:?}");
    let first = relay.closed().await;
    assert_eq!(first, (Leg::Client, Direction::ToServer, Close::Fin));
}

#[tokio::test]
async fn what_no_handshake_can_come_of_is_said_by_both_ends() {
    let (_folder, authority, serve_as) = local();
    let (mut relay, _listener) = Running::start(|config| config.serve_as = Some(serve_as)).await;
    let client = Client::trusting(&authority.file()).alpn("h2");
    let error = client
        .shake(relay.connect().await, "a.test")
        .await
        .unwrap_err();
    assert!(
        matches!(
            why(&error),
            RustlsError::AlertReceived(Alert::NoApplicationProtocol)
        ),
        "{error}"
    );
    let refused = note(&mut relay, Leg::Client).await;
    assert_eq!(failure(&refused), (TlsEnd::Proxy, Some("a.test")));
    assert!(
        refused.text.contains("another protocol than HTTP/1.1"),
        "{refused:?}"
    );
    let mut client = relay.connect().await;
    client
        .write_all(b"\x16nonsense, not a record")
        .await
        .unwrap();
    let odd = note(&mut relay, Leg::Client).await;
    assert_eq!(failure(&odd), (TlsEnd::Proxy, None));
}

/// Tries to start with a certificate from these files.
async fn refused(files: Identity) -> Error {
    let mut config = Config::new("127.0.0.1:0", upstream(1));
    config.serve_as = Some(ServeAs::Files(files));
    Relay::bind(config).await.unwrap_err()
}

#[tokio::test]
async fn files_that_do_not_serve_are_named() {
    let ca = TestCa::make();
    let good = ca.sign("good.test", |_| {});
    let other = ca.sign("other.test", |_| {});
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = ca.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let with = |certificates: PathBuf, key: PathBuf| Identity { certificates, key };
    let mixed = refused(with(good.certificates.clone(), other.key)).await;
    assert!(matches!(mixed, Error::Pair { .. }), "{mixed:?}");
    let bundle = file("bundle.pfx", &[0x30, 0x82, 1, 2]);
    for path in [
        ca.folder.path().join("absent"),
        good.key.clone(),
        bundle.clone(),
    ] {
        let error = refused(with(path.clone(), good.key.clone())).await;
        assert!(
            matches!(&error, Error::Certificates { path: found, .. } if *found == path),
            "{error:?}"
        );
    }
    let locked =
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = file("locked.key", locked);
    let keys = [
        (ca.folder.path().join("absent"), "os error"),
        (good.certificates.clone(), "no private key"),
        (bundle, "PKCS #12"),
        (locked, "encrypted"),
    ];
    for (path, said) in keys {
        let error = refused(with(good.certificates.clone(), path.clone())).await;
        let Error::Key {
            path: found,
            source,
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(found, path);
        assert!(source.to_string().contains(said), "{source}");
    }
}
