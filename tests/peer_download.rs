//! Downloads: what the server answers on a plain socket, and our client against it.

mod peer_support;

use std::sync::Mutex;

use bitstap::peer::client::PieceSize;
use bitstap::peer::{Error, FetchConfig, Progress, fetch};
use peer_support::script::Script;
use peer_support::{Bench, Wire, bench, sha256};

const TEXT: &[u8] = b"0123456789abcdefghij";

async fn with_file() -> Bench {
    let bench = bench(|_| {}).await;
    std::fs::write(bench.file("f"), TEXT).unwrap();
    bench
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

#[tokio::test]
async fn whole_and_head() {
    let bench = with_file().await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.ask(get("/f", "")).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, TEXT));
    assert_eq!(reply.field("Accept-Ranges"), Some("bytes"));
    assert!(reply.head.contains("\r\nETag: \""), "{}", reply.head);
    let modified = reply.field("Last-Modified").unwrap().to_owned();
    wire.write("HEAD /f HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let head = wire.read_to(false).await.unwrap();
    assert_eq!(head.field("Content-Length"), Some("20"));
    assert_eq!(head.field("Last-Modified"), Some(modified.as_str()));
    // The connection is in step: HEAD had no content.
    assert_eq!(wire.ask(get("/f", "")).await.body, TEXT);
}

#[tokio::test]
async fn single_ranges() {
    let bench = with_file().await;
    let mut wire = Wire::open(bench.address).await;
    for (range, body, content_range) in [
        ("bytes=0-9", "0123456789", "bytes 0-9/20"),
        ("bytes=15-", "fghij", "bytes 15-19/20"),
        ("bytes=-3", "hij", "bytes 17-19/20"),
        ("bytes=18-500", "ij", "bytes 18-19/20"),
    ] {
        let reply = wire.ask(get("/f", &format!("Range: {range}\r\n"))).await;
        assert_eq!(reply.status, 206, "{range}");
        assert_eq!(reply.body, body.as_bytes(), "{range}");
        assert_eq!(reply.field("Content-Range"), Some(content_range));
    }
    let reply = wire.ask(get("/f", "Range: bytes=20-\r\n")).await;
    assert_eq!(reply.status, 416);
    assert_eq!(reply.field("Content-Range"), Some("bytes */20"));
}

#[tokio::test]
async fn several_ranges_come_in_request_order_and_unmerged() {
    let bench = with_file().await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.ask(get("/f", "Range: bytes=10-14,0-1,1-2\r\n")).await;
    assert_eq!(reply.status, 206);
    let boundary = reply
        .field("Content-Type")
        .unwrap()
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let text = String::from_utf8(reply.body.clone()).unwrap();
    let mark = format!("--{boundary}");
    let parts: Vec<_> = text.split(mark.as_str()).collect();
    assert_eq!(parts.first(), Some(&""));
    assert_eq!(parts.last(), Some(&"--\r\n"));
    let found: Vec<_> = parts[1..4]
        .iter()
        .map(|part| {
            let (head, body) = part.split_once("\r\n\r\n").unwrap();
            let range = head.split("Content-Range: ").nth(1).unwrap();
            (range, body.trim_end())
        })
        .collect();
    assert_eq!(
        found,
        [
            ("bytes 10-14/20", "abcde"),
            ("bytes 0-1/20", "01"),
            ("bytes 1-2/20", "12")
        ]
    );
}

#[tokio::test]
async fn conditions() {
    let bench = with_file().await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.ask(get("/f", "")).await;
    let modified = reply.field("Last-Modified").unwrap().to_owned();
    let tag = reply.field("ETag").unwrap().to_owned();
    let old = "Mon, 05 Jan 1998 10:00:00 GMT";
    for (fields, status) in [
        (
            format!("If-Unmodified-Since: {modified}\r\nRange: bytes=0-1\r\n"),
            206,
        ),
        (
            format!("If-Unmodified-Since: {old}\r\nRange: bytes=0-1\r\n"),
            412,
        ),
        ("If-Unmodified-Since: soon\r\n".to_owned(), 200),
        (format!("If-Range: {tag}\r\nRange: bytes=0-1\r\n"), 206),
        (format!("If-Range: {modified}\r\nRange: bytes=0-1\r\n"), 206),
        (format!("If-Range: {old}\r\nRange: bytes=0-1\r\n"), 200),
        (
            "If-Range: \"other\"\r\nRange: bytes=0-1\r\n".to_owned(),
            200,
        ),
        ("If-Match: \"other\"\r\n".to_owned(), 412),
        (format!("If-Match: \"other\", {tag}\r\n"), 200),
    ] {
        assert_eq!(
            wire.ask(get("/f", &fields)).await.status,
            status,
            "{fields}"
        );
    }
}

#[tokio::test]
async fn what_is_no_file() {
    let bench = with_file().await;
    std::fs::create_dir(bench.file("folder")).unwrap();
    let mut wire = Wire::open(bench.address).await;
    for (path, status) in [
        ("/nothing", 404),
        ("/f/below", 404),
        ("/folder", 403),
        ("/folder/", 404),
        ("/", 404),
        ("/.bitstap-sessions", 404),
    ] {
        assert_eq!(wire.ask(get(path, "")).await.status, status, "{path}");
    }
}

fn config(bench: &Bench, to: &str) -> FetchConfig {
    FetchConfig {
        block_size: PieceSize::Fixed(6),
        retry_delay: std::time::Duration::ZERO,
        ..FetchConfig::new(bench.url("/f"), bench.file(to))
    }
}

#[tokio::test]
async fn a_file_is_fetched_block_by_block() {
    let bench = with_file().await;
    let fetched = fetch(config(&bench, "copy"), &|_| {}).await.unwrap();
    assert_eq!(std::fs::read(bench.file("copy")).unwrap(), TEXT);
    assert_eq!(
        (fetched.bytes, fetched.requests, fetched.restarts),
        (20, 5, 0)
    );
    let hex = sha256(TEXT);
    assert_eq!(fetched.sha256, hex);
    assert_eq!(bench.listing(), ["copy", "f"]);
    let error = fetch(config(&bench, "copy"), &|_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error:?}");
}

#[tokio::test]
async fn an_empty_file_is_fetched() {
    let bench = with_file().await;
    std::fs::write(bench.file("f"), "").unwrap();
    let fetched = fetch(config(&bench, "copy"), &|_| {}).await.unwrap();
    assert_eq!((fetched.bytes, fetched.requests), (0, 1));
    assert_eq!(std::fs::read(bench.file("copy")).unwrap(), b"");
}

#[tokio::test]
async fn a_cancelled_download_is_resumed() {
    let bench = with_file().await;
    let first = config(&bench, "copy");
    let cancel = first.cancel.clone();
    let stop = |progress| {
        if matches!(progress, Progress::Done { bytes: 12, .. }) {
            cancel.cancel();
        }
    };
    let error = fetch(first, &stop).await.unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error:?}");
    assert!(!bench.file("copy").exists());
    let fetched = fetch(config(&bench, "copy"), &|_| {}).await.unwrap();
    assert_eq!((fetched.resumed, fetched.requests), (12, 3));
    assert_eq!(std::fs::read(bench.file("copy")).unwrap(), TEXT);
}

#[tokio::test]
async fn a_file_that_changes_is_fetched_again() {
    let bench = with_file().await;
    let path = bench.file("f");
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
    let changed = Mutex::new(false);
    let change = |progress| {
        let mut changed = changed.lock().unwrap();
        if matches!(progress, Progress::Done { bytes: 12, .. }) && !*changed {
            *changed = true;
            std::fs::write(&path, "another text of 23 byte").unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(later).unwrap();
        }
    };
    let fetched = fetch(config(&bench, "copy"), &change).await.unwrap();
    assert_eq!(fetched.restarts, 1);
    assert_eq!(
        std::fs::read(bench.file("copy")).unwrap(),
        b"another text of 23 byte"
    );
}

async fn fetch_scripted(
    answers: Vec<&'static str>,
) -> (Result<bitstap::peer::Fetched, Error>, Vec<u8>, Vec<String>) {
    let script = Script::play(answers.into_iter().map(str::to_owned).collect()).await;
    let folder = tempfile::tempdir().unwrap();
    let config = FetchConfig {
        block_size: PieceSize::Fixed(6),
        retry_delay: std::time::Duration::ZERO,
        ..FetchConfig::new(script.url("/f"), folder.path().join("copy"))
    };
    let result = fetch(config, &|_| {}).await;
    let bytes = std::fs::read(folder.path().join("copy")).unwrap_or_default();
    (result, bytes, script.heads())
}

#[tokio::test]
async fn a_short_block_is_asked_for_from_where_it_broke() {
    let (result, bytes, seen) = fetch_scripted(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nLast-Modified: x\r\n\r\n",
        "HTTP/1.1 206 P\r\nContent-Length: 6\r\nContent-Range: bytes 0-5/6\r\nLast-Modified: x\r\n\r\n012CLOSE",
        "HTTP/1.1 206 P\r\nContent-Length: 3\r\nContent-Range: bytes 3-5/6\r\nLast-Modified: x\r\n\r\n345",
    ])
    .await;
    assert_eq!(result.unwrap().retries, 1);
    assert_eq!(bytes, b"012345");
    assert!(
        seen[0].starts_with(
            "HEAD /f HTTP/1.1\r\nAccept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: bitstap/"
        ),
        "{}",
        seen[0]
    );
    assert!(
        seen[1].contains("\r\nIf-Unmodified-Since: x\r\nRange: bytes=0-5\r\n"),
        "{}",
        seen[1]
    );
    assert!(seen[2].contains("\r\nRange: bytes=3-5\r\n"), "{}", seen[2]);
    assert!(!seen[1].contains("Content-Length"), "{}", seen[1]);
}

#[tokio::test]
async fn servers_that_cannot_do_it_are_named() {
    let (result, ..) =
        fetch_scripted(vec!["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nCLOSE"]).await;
    assert!(
        matches!(result, Err(Error::MissingFileSize { .. })),
        "{result:?}"
    );
    let (result, ..) = fetch_scripted(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789",
    ])
    .await;
    assert!(
        matches!(result, Err(Error::InsufficientRangeSupport { .. })),
        "{result:?}"
    );
    let (result, ..) = fetch_scripted(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n",
        "HTTP/1.1 206 P\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/20\r\n\r\n01234",
    ])
    .await;
    assert!(matches!(result, Err(Error::Invalid { .. })), "{result:?}");
    let (result, ..) = fetch_scripted(vec!["HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]).await;
    assert!(
        matches!(result, Err(Error::Refused { status: 404, .. })),
        "{result:?}"
    );
    // A 200 for a range that is the whole file is all right.
    let (result, bytes, _) = fetch_scripted(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n01234",
    ])
    .await;
    assert_eq!(
        (result.unwrap().bytes, bytes.as_slice()),
        (5, &b"01234"[..])
    );
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let (result, _, seen) = fetch_scripted(vec![
        "HTTP/1.1 302 Found\r\nLocation: /g\r\nContent-Length: 0\r\n\r\nCLOSE",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    .await;
    assert!(result.unwrap().url.ends_with("/g"));
    assert!(seen[1].starts_with("HEAD /g "), "{}", seen[1]);
}
