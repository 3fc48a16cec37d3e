//! Our client against our server: whole uploads, cut, challenged, encrypted, moved and cancelled.

mod peer_support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitstap::peer::client::{Common, PieceSize};
use bitstap::peer::server::{HostId, Quirk, Quirks, Reply, TlsFiles};
use bitstap::peer::{Credentials, Error, Progress, SendConfig, Sent, send};
use peer_support::script::cutter;
use peer_support::{Bench, Wire, bench, sha256};

fn content(size: usize) -> Vec<u8> {
    (0..=250_u8).cycle().step_by(31).take(size).collect()
}

/// A file of `size` bytes beside the server's files, and an upload of it.
fn upload(bench: &Bench, size: usize) -> SendConfig {
    let file = bench.file("source.bin");
    std::fs::write(&file, content(size)).unwrap();
    SendConfig {
        retry_delay: Duration::ZERO,
        ..SendConfig::new(file, bench.url("/up/f"))
    }
}

async fn quiet(config: SendConfig) -> Result<Sent, Error> {
    send(config, &|_| {}).await
}

fn arrived(bench: &Bench, size: usize) {
    assert!(
        std::fs::read(bench.file("up/f")).unwrap() == content(size),
        "content differs"
    );
}

fn sessions(bench: &Bench) -> usize {
    std::fs::read_dir(bench.file(".bitstap-sessions"))
        .unwrap()
        .count()
}

#[tokio::test]
async fn a_file_arrives_with_growing_fragments() {
    let bench = bench(|_| {}).await;
    let lengths = Mutex::new(vec![]);
    let progress = |progress| {
        if let Progress::Moving { first, last, .. } = progress {
            lengths.lock().unwrap().push(last - first + 1);
        }
    };
    let sent = send(upload(&bench, 3_000_000), &progress).await.unwrap();
    arrived(&bench, 3_000_000);
    assert_eq!(sent.bytes, 3_000_000);
    assert_eq!(sent.sha256, sha256(&content(3_000_000)));
    assert_eq!(
        (sent.connections, sent.retries, sent.restarts, sent.rewinds),
        (1, 0, 0, 0)
    );
    assert_eq!(sent.warnings, Vec::<String>::new());
    let lengths = lengths.into_inner().unwrap();
    assert_eq!(lengths.first(), Some(&5120));
    assert_eq!(lengths.get(1), Some(&20_480));
    assert_eq!(u32::try_from(lengths.len()).unwrap(), sent.fragments);
    assert_eq!(sessions(&bench), 0);
}

#[tokio::test]
async fn exact_multiples_one_byte_and_nothing() {
    for (size, fragments) in [(30, 3), (31, 4), (1, 1), (0, 0)] {
        let bench = bench(|_| {}).await;
        let sent = quiet(SendConfig {
            fragment_size: PieceSize::Fixed(10),
            ..upload(&bench, size)
        })
        .await
        .unwrap();
        arrived(&bench, size);
        assert_eq!(sent.fragments, fragments);
        assert_eq!(sent.sha256, sha256(&content(size)));
    }
}

#[tokio::test]
async fn a_connection_cut_again_and_again_does_not_stop_an_upload() {
    let bench = bench(|_| {}).await;
    let via = cutter(bench.address, vec![100, 700, 30_000, 1000, 65_000, 90_000]).await;
    let sent = quiet(SendConfig {
        url: format!("http://{via}/up/f"),
        fragment_size: PieceSize::Fixed(40_000),
        ..upload(&bench, 300_000)
    })
    .await
    .unwrap();
    arrived(&bench, 300_000);
    assert_eq!(sent.retries, 6);
    assert_eq!(sent.connections, 7);
    assert_eq!(sent.sha256, sha256(&content(300_000)));
}

#[tokio::test]
async fn an_upload_goes_on_after_the_server_crashed_and_came_back() {
    let first = bench(|_| {}).await;
    let address = first.address;
    let mut config = upload(&first, 200_000);
    config.fragment_size = PieceSize::Fixed(20_000);
    let file = config.file.clone();
    // The port stays taken by the cutter, so the client finds "the same" server again.
    let target = Arc::new(Mutex::new(address));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    config.url = format!("http://{}/up/f", listener.local_addr().unwrap());
    let aim = Arc::clone(&target);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let server = *aim.lock().unwrap();
            tokio::spawn(async move {
                if let Ok(mut server) = tokio::net::TcpStream::connect(server).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    let (told, mut half) = tokio::sync::mpsc::channel(100);
    let client = tokio::spawn(async move {
        let progress = move |progress| {
            if let Progress::Done { bytes, .. } = progress {
                let _ = told.try_send(bytes);
            }
        };
        send(config, &progress).await
    });
    while half.recv().await.unwrap() < 100_000 {}
    let root = first.crash().await;
    let second = peer_support::bench_on(root, |_| {}).await;
    *target.lock().unwrap() = second.address;
    let sent = client.await.unwrap().unwrap();
    assert_eq!(sent.restarts, 0, "the session survived");
    assert_eq!(
        std::fs::read(second.file("up/f")).unwrap(),
        std::fs::read(file).unwrap()
    );
}

#[tokio::test]
async fn each_quirk_is_survived() {
    let cases = [
        (Quirk::LoseAck { fragment: 2 }, (1, 0, 0, 0)),
        (Quirk::Forget { fragment: 3 }, (0, 1, 0, 0)),
        (
            Quirk::Rewind {
                fragment: 4,
                to: 1000,
            },
            (0, 0, 1, 0),
        ),
        (Quirk::TooLarge { limit: 6000 }, (0, 0, 0, 2)),
        (Quirk::Delay(Duration::from_millis(1)), (0, 0, 0, 0)),
    ];
    for (quirk, expected) in cases {
        let name = format!("{quirk:?}");
        let bench = bench(|config| {
            config.responder = Some(Arc::new(Quirks::default().with("/up/f", quirk)));
        })
        .await;
        let sent = quiet(SendConfig {
            fragment_size: PieceSize::Fixed(20_000),
            ..upload(&bench, 100_000)
        })
        .await
        .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        arrived(&bench, 100_000);
        let met = (sent.retries, sent.restarts, sent.rewinds, sent.shrinks);
        assert_eq!(met, expected, "{name}");
        assert_eq!(sent.sha256, sha256(&content(100_000)), "{name}");
    }
}

#[tokio::test]
async fn the_lost_ack_of_the_last_fragment_is_asked_for_again_with_its_reply() {
    let bench = bench(|config| {
        let quirks = Quirks::default()
            .with("/up/f", Quirk::LoseAck { fragment: 2 })
            .with("/up/f", Quirk::Reply("thanks".into()));
        config.responder = Some(Arc::new(quirks));
    })
    .await;
    let sent = quiet(SendConfig {
        fragment_size: PieceSize::Fixed(10_000),
        expect_reply: true,
        ..upload(&bench, 20_000)
    })
    .await
    .unwrap();
    assert_eq!((sent.retries, sent.fragments), (1, 2));
    assert_eq!(std::fs::read(sent.reply.unwrap().path).unwrap(), b"thanks");
    arrived(&bench, 20_000);
}

#[tokio::test]
async fn a_reply_is_saved_where_it_is_wanted_even_an_empty_one() {
    for text in ["", "some words of reply"] {
        let bench = bench(|_| {}).await;
        let answer = bench.file("answer");
        std::fs::write(&answer, text).unwrap();
        let with_reply = peer_support::bench(|config| config.reply = Reply::File(answer)).await;
        let sent = quiet(SendConfig {
            url: with_reply.url("/up/f"),
            reply_to: Some(bench.file("saved")),
            ..upload(&bench, 50_000)
        })
        .await
        .unwrap();
        let reply = sent.reply.unwrap();
        assert_eq!(reply.bytes, text.len() as u64);
        assert_eq!(reply.sha256, sha256(text.as_bytes()));
        assert_eq!(std::fs::read(bench.file("saved")).unwrap(), text.as_bytes());
        assert_eq!(sessions(&with_reply), 0);
    }
}

#[tokio::test]
async fn a_reply_that_is_expected_and_missing_is_an_error() {
    let bench = bench(|_| {}).await;
    let error = quiet(SendConfig {
        expect_reply: true,
        ..upload(&bench, 5000)
    })
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
}

#[tokio::test]
async fn credentials_answer_a_challenge() {
    let bench = bench(|config| config.credentials = Credentials::parse("me:secret")).await;
    let with = |pair: &str| SendConfig {
        common: Common {
            credentials: Credentials::parse(pair),
            ..Common::default()
        },
        ..upload(&bench, 5000)
    };
    quiet(with("me:secret")).await.unwrap();
    arrived(&bench, 5000);
    for config in [with("me:wrong"), upload(&bench, 5000)] {
        let error = quiet(config).await.unwrap_err();
        assert!(
            matches!(error, Error::Refused { status: 401, .. }),
            "{error:?}"
        );
    }
    // Without the Ping the challenge meets a packet of the session.
    let bench =
        peer_support::bench(|config| config.credentials = Credentials::parse("me:secret")).await;
    let sent = quiet(SendConfig {
        url: format!("http://me:secret@{}/up/f", bench.address),
        ping: false,
        ..upload(&bench, 5000)
    })
    .await
    .unwrap();
    assert_eq!(sent.connections, 1);
    arrived(&bench, 5000);
}

/// Writes a certificate for `localhost` and its key.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

#[tokio::test]
async fn over_tls_with_an_authority_of_our_own() {
    let papers = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (certificates, key) = certificate(papers.path());
    let trusted = certificates.clone();
    let bench = bench(|config| config.tls = Some(TlsFiles { certificates, key })).await;
    let with = |authority: PathBuf| SendConfig {
        url: format!("https://localhost:{}/up/f", bench.address.port()),
        common: Common {
            authority: Some(authority),
            ..Common::default()
        },
        ..upload(&bench, 200_000)
    };
    quiet(with(trusted)).await.unwrap();
    arrived(&bench, 200_000);
    let error = quiet(with(certificate(other.path()).0)).await.unwrap_err();
    assert!(
        matches!(error, Error::Connect { .. }) && !error.is_transient(),
        "{error:?}"
    );
    let error = quiet(with(other.path().join("key.pem"))).await.unwrap_err();
    assert!(matches!(error, Error::Certificate { .. }), "{error:?}");
}

#[tokio::test]
async fn a_host_id_is_followed_and_pinged() {
    let bench = bench(|config| {
        config.host_id = Some(HostId {
            name: "localhost".into(),
            fallback: None,
        });
    })
    .await;
    let sent = quiet(upload(&bench, 20_000)).await.unwrap();
    arrived(&bench, 20_000);
    assert_eq!(sent.host_id.as_deref(), Some("localhost"));
    assert_eq!(sent.connections, 2);
}

#[tokio::test]
async fn from_a_dead_host_id_the_client_falls_back() {
    let bench = bench(|config| {
        config.host_id = Some(HostId {
            name: "::1".into(),
            fallback: Some(Duration::ZERO),
        });
    })
    .await;
    let sent = quiet(upload(&bench, 20_000)).await.unwrap();
    arrived(&bench, 20_000);
    assert_eq!((sent.retries, sent.restarts), (1, 0));
}

#[tokio::test]
async fn cancel_between_packets_uses_the_same_connection() {
    let bench = bench(|_| {}).await;
    let config = SendConfig {
        fragment_size: PieceSize::Fixed(10_000),
        ..upload(&bench, 100_000)
    };
    let cancel = config.cancel.clone();
    let seen = Mutex::new(vec![]);
    let progress = |progress| {
        if matches!(progress, Progress::Done { bytes: 30_000, .. }) {
            cancel.cancel();
        }
        seen.lock().unwrap().push(progress);
    };
    let error = send(config, &progress).await.unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    let last = seen.lock().unwrap().pop();
    assert_eq!(last, Some(Progress::Cancelled { acknowledged: true }));
    assert_eq!(sessions(&bench), 0);
    assert_eq!(bench.listing(), ["source.bin"]);
}

#[tokio::test]
async fn cancel_while_the_server_thinks_uses_a_new_connection() {
    let bench = bench(|config| {
        let quirk = Quirk::Delay(Duration::from_millis(20));
        config.responder = Some(Arc::new(Quirks::default().with("/up/f", quirk)));
    })
    .await;
    let config = upload(&bench, 10_000);
    let cancel = config.cancel.clone();
    let taken = Mutex::new(None);
    let progress = |progress| match progress {
        Progress::Moving { .. } => cancel.cancel(),
        Progress::Cancelled { acknowledged } => *taken.lock().unwrap() = Some(acknowledged),
        _ => {}
    };
    let error = send(config, &progress).await.unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert_eq!(*taken.lock().unwrap(), Some(true));
    assert_eq!(sessions(&bench), 0);
}

#[tokio::test]
async fn a_file_that_changes_on_the_way_is_noticed() {
    let bench = bench(|_| {}).await;
    let config = SendConfig {
        fragment_size: PieceSize::Fixed(10_000),
        ..upload(&bench, 100_000)
    };
    let file = config.file.clone();
    let progress = |progress| {
        if matches!(progress, Progress::Done { bytes: 30_000, .. }) {
            std::fs::write(&file, content(90_000)).unwrap();
        }
    };
    let error = send(config, &progress).await.unwrap_err();
    assert!(matches!(error, Error::LocalFileChanged { .. }), "{error:?}");
}

#[tokio::test]
async fn uploads_side_by_side() {
    let bench = bench(|_| {}).await;
    let file = upload(&bench, 300_000).file;
    let uploads = (0..8).map(|number| {
        quiet(SendConfig::new(
            file.clone(),
            bench.url(&format!("/side/{number}")),
        ))
    });
    for sent in futures_util::future::join_all(uploads).await {
        assert_eq!(sent.unwrap().sha256, sha256(&content(300_000)));
    }
    for number in 0..8 {
        assert!(std::fs::read(bench.file(&format!("side/{number}"))).unwrap() == content(300_000));
    }
}

#[tokio::test]
async fn stop_ends_the_server_though_clients_keep_their_connections() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let _ = wire.session("/f").await;
    bench.stop.cancel();
    bench.task.await.unwrap();
    assert!(wire.read().await.is_none());
}
