//! Handshakes that go wrong on purpose, as a client sees them.

use std::net::{IpAddr, Ipv4Addr};

use bitstap::event::{Fact, TlsEnd};
use bitstap::fault::rule::TlsFault;
use bitstap::relay::stream::Wire;
use bitstap::relay::tls::{Acceptor, ServeAs};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use crate::support::{Client, TestCa, local, why};

/// Does a handshake with a fault and returns what the client makes of it and what we say about it.
async fn with(serve_as: &ServeAs, client: &Client, fault: TlsFault) -> (Error, String) {
    let acceptor = Acceptor::new(serve_as, None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ours = async {
        let (stream, _) = listener.accept().await.unwrap();
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        acceptor
            .accept_tls(Wire::new(stream), local, None, Some(fault))
            .await
    };
    let theirs = async {
        let stream = TcpStream::connect(address).await.unwrap();
        match client.shake(stream, "a.test").await {
            Err(error) => error,
            // TLS 1.3 answers a client's certificate after the client's own handshake.
            Ok(mut stream) => stream.read(&mut [0]).await.unwrap_err(),
        }
    };
    let (ours, theirs) = tokio::join!(ours, theirs);
    let failed = ours.unwrap_err();
    let Fact::TlsFailed { by, .. } = failed.note.fact else {
        panic!("{:?}", failed.note);
    };
    let breaker = match fault {
        TlsFault::Abort | TlsFault::ClientCertificate => TlsEnd::Proxy,
        _ => TlsEnd::Client,
    };
    assert_eq!(by, breaker);
    (why(&theirs).clone(), failed.note.text)
}

#[tokio::test]
async fn each_flaw_is_the_only_one_where_the_client_trusts_the_local_authority() {
    let (_folder, authority, serve_as) = local();
    let client = Client::trusting(&authority.file());
    let (error, text) = with(&serve_as, &client, TlsFault::Expired).await;
    assert!(
        matches!(
            error,
            Error::InvalidCertificate(CertificateError::ExpiredContext { .. })
        ),
        "{error:?}"
    );
    assert!(text.contains("wrong on purpose: it has expired"), "{text}");
    let (error, text) = with(&serve_as, &client, TlsFault::WrongName).await;
    let Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) =
        &error
    else {
        panic!("{error:?}");
    };
    assert!(presented[0].contains("wrong-name.invalid"), "{presented:?}");
    assert!(text.contains("for another name"), "{text}");
    let (error, _) = with(&serve_as, &client, TlsFault::UnknownAuthority).await;
    assert_eq!(
        error,
        Error::InvalidCertificate(CertificateError::UnknownIssuer)
    );
    let (error, text) = with(&serve_as, &client, TlsFault::Abort).await;
    assert_eq!(
        error,
        Error::AlertReceived(AlertDescription::HandshakeFailure)
    );
    assert!(text.contains("a rule aborts it"), "{text}");
}

#[tokio::test]
async fn with_a_certificate_from_files_flaws_come_from_a_stranger() {
    let ca = TestCa::make();
    let serve_as = ServeAs::Files(ca.sign("a.test", |_| {}));
    let client = Client::trusting(&ca.file);
    // Which of two flaws a client names is its own affair.
    let (error, _) = with(&serve_as, &client, TlsFault::Expired).await;
    assert!(matches!(error, Error::InvalidCertificate(_)), "{error:?}");
    let (error, _) = with(&serve_as, &client, TlsFault::UnknownAuthority).await;
    assert_eq!(
        error,
        Error::InvalidCertificate(CertificateError::UnknownIssuer)
    );
    let (error, _) = with(&serve_as, &client, TlsFault::Abort).await;
    assert_eq!(
        error,
        Error::AlertReceived(AlertDescription::HandshakeFailure)
    );
}

#[tokio::test]
async fn a_client_is_asked_for_a_certificate_that_it_does_not_have() {
    let (_folder, authority, local) = local();
    let ca = TestCa::make();
    let files = ServeAs::Files(ca.sign("a.test", |_| {}));
    for (serve_as, trusted) in [(&local, authority.file()), (&files, ca.file.clone())] {
        for version in [&TLS12, &TLS13] {
            let client = Client::speaking(&trusted, &[version]);
            let (error, text) = with(serve_as, &client, TlsFault::ClientCertificate).await;
            assert_eq!(
                error,
                Error::AlertReceived(AlertDescription::CertificateRequired)
            );
            assert!(text.contains("no certificate"), "{text}");
            assert!(text.contains("A rule had the client asked"), "{text}");
        }
    }
}
