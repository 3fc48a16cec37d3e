//! What lies on disk: crashes, and paths that try to leave the root.

mod peer_support;

use peer_support::{Wire, bench, bench_on, fragment, list};
use proptest::prelude::*;

#[tokio::test]
async fn a_session_survives_a_crash_between_fragments() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    wire.fragment(&id, "0-9/20", "0123456789").await;
    let root = bench.crash().await;
    let bench = bench_on(root, |_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.fragment(&id, "15-19/20", "fghij").await;
    assert_eq!(reply.status, 416);
    assert_eq!(reply.field("BITS-Received-Content-Range"), Some("10"));
    // The total is remembered too.
    let reply = wire.fragment(&id, "10-14/21", "abcde").await;
    assert_eq!(reply.status, 400);
    let reply = wire.fragment(&id, "10-19/20", "abcdefghij").await;
    assert_eq!(reply.status, 200);
    assert_eq!(wire.end("Close-Session", &id).await.status, 200);
    assert_eq!(
        std::fs::read(bench.file("f")).unwrap(),
        b"0123456789abcdefghij"
    );
}

#[tokio::test]
async fn after_a_crash_in_a_fragment_the_offset_is_true() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    wire.fragment(&id, "0-9/20", "0123456789").await;
    let whole = fragment("/f", &id, "10-19/20", "abcdefghij");
    wire.write(&whole[..whole.len() - 4]).await;
    let root = bench.crash().await;
    let data = root.path().join(".bitstap-sessions").join(&id).join("data");
    let bench = bench_on(root, |_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.fragment(&id, "19-19/20", "j").await;
    assert_eq!(reply.status, 416);
    let told: usize = reply
        .field("BITS-Received-Content-Range")
        .unwrap()
        .parse()
        .unwrap();
    assert!((10..=16).contains(&told), "{told}");
    let on_disk = std::fs::read(data).unwrap();
    assert_eq!(&on_disk[..told], &b"0123456789abcdefghij"[..told]);
    let rest = &"0123456789abcdefghij"[told..];
    let reply = wire.fragment(&id, &format!("{told}-19/20"), rest).await;
    assert_eq!(reply.status, 200);
    assert_eq!(wire.end("Close-Session", &id).await.status, 200);
    assert_eq!(
        std::fs::read(bench.file("f")).unwrap(),
        b"0123456789abcdefghij"
    );
}

#[tokio::test]
async fn a_reply_survives_a_crash_and_is_not_made_twice() {
    let bench = bench(|_| {}).await;
    let answer = bench.file("answer.txt");
    std::fs::write(&answer, "the reply").unwrap();
    let root = bench.crash().await;
    let from = answer.clone();
    let bench = bench_on(root, |config| {
        config.reply = bitstap::peer::server::Reply::File(from);
    })
    .await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    let reply = wire.fragment(&id, "0-3/4", "0123").await;
    let url = reply.field("BITS-Reply-URL").unwrap().replace('\\', "/");
    let root = bench.crash().await;
    std::fs::remove_file(&answer).unwrap();
    let bench = bench_on(root, |config| {
        config.reply = bitstap::peer::server::Reply::File(answer);
    })
    .await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.fragment(&id, "0-3/4", "0123").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.field("BITS-Reply-URL").unwrap().replace('\\', "/"),
        url
    );
    let url = url.replace('{', "%7B").replace('}', "%7D");
    let reply = wire
        .ask(format!("GET /{url} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (200, &b"the reply"[..])
    );
}

/// Sends a whole upload to `path` and tells the status of Create-Session.
async fn upload(wire: &mut Wire, path: &str) -> u16 {
    let reply = wire.create(path).await;
    if let Some(id) = reply.field("BITS-Session-Id").map(str::to_owned) {
        wire.fragment(&id, "0-3/4", "evil").await;
        wire.end("Close-Session", &id).await;
    }
    reply.status
}

const CORPUS: &[&str] = &[
    "/../evil",
    "/..%2fevil",
    "/%2e%2e/evil",
    "/%2e%2e%2fevil",
    "/.%2e/evil",
    "/a/../../evil",
    "/..%5cevil",
    "/..%255cevil%00",
    "/C:%5cevil",
    "/C:/evil",
    "/%2fetc/evil",
    "//evil",
    "/a//evil",
    "/evil%00.txt",
    "/nul",
    "/aux.txt",
    "/COM1",
    "/evil.",
    "/evil%20",
    "/evil::$DATA",
    "/.bitstap-sessions/evil",
    "/.BITSTAP-SESSIONS/evil",
    "/.bitstap-sessions",
    "/./evil",
    "/%c0%ae%c0%ae/evil",
    "/out/evil",
    "/dangling",
    "/%0d%0aevil",
    "/evil%3f",
];

#[tokio::test]
async fn no_path_of_the_corpus_makes_a_file() {
    let outer = tempfile::tempdir().unwrap();
    let inside = outer.path().join("root");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir(outer.path().join("outside")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outer.path().join("outside"), inside.join("out")).unwrap();
        std::os::unix::fs::symlink(outer.path().join("nothing"), inside.join("dangling")).unwrap();
    }
    let root = inside.clone();
    let bench = bench(|config| config.root = root).await;
    let before = snapshot(outer.path());
    let mut wire = Wire::open(bench.address).await;
    for path in CORPUS {
        if cfg!(windows) && (path.contains("/out/") || path.contains("dangling")) {
            continue;
        }
        let status = upload(&mut wire, path).await;
        assert!(matches!(status, 400 | 403), "{path}: {status}");
        let get = wire
            .ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(get.status, 404, "{path}");
    }
    assert_eq!(snapshot(outer.path()), before);
}

fn snapshot(folder: &std::path::Path) -> Vec<String> {
    let mut found = vec![];
    list(folder, "", &mut found);
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the path, files appear below the root only, and none in the work directory stays.
    #[test]
    fn nothing_is_ever_made_outside_the_root(
        paths in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    Just("/"), Just(".."), Just("."), Just("%2e"), Just("%2f"), Just("%5c"), Just("a"), Just("B"),
                    Just("C:"), Just("%00"), Just("%25"), Just(".bitstap-sessions"), Just("nul"), Just("%20"),
                    Just("%c3%a4"), Just("~"), Just(";"), Just("out"),
                ],
                1..8,
            ),
            1..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let outer = tempfile::tempdir().unwrap();
            let root = outer.path().join("deep/root");
            std::fs::create_dir_all(&root).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(outer.path(), root.join("out")).unwrap();
            let inside = root.clone();
            let bench = bench(|config| config.root = inside).await;
            let mut wire = Wire::open(bench.address).await;
            for path in paths {
                upload(&mut wire, &format!("/{}", path.concat())).await;
            }
            let strays: Vec<_> = snapshot(outer.path())
                .into_iter()
                .filter(|name| !name.starts_with("deep/root") && name != "deep" && name != "deep/")
                .collect();
            assert!(strays.is_empty(), "{strays:?}");
            let work = std::fs::read_dir(root.join(".bitstap-sessions")).unwrap();
            assert_eq!(work.count(), 0);
        });
    }
}
