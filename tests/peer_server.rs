//! The upload server on a plain socket: every packet, every refusal, and the bytes of its answers.

mod peer_support;

use bitstap::peer::Credentials;
use bitstap::peer::server::{ErrorField, HostId};
use peer_support::{Wire, bench, fragment, packet};

const UNKNOWN: (u16, Option<&str>, Option<&str>) = (500, Some("0x8020001F"), Some("0x5"));
const INVALID: (u16, Option<&str>, Option<&str>) = (400, Some("0x80070057"), Some("0x5"));
const DENIED: (u16, Option<&str>, Option<&str>) = (403, Some("0x80070005"), Some("0x5"));

#[tokio::test]
async fn names_on_the_wire_are_spelled_as_iis_spells_them() {
    let bench = bench(|config| {
        config.host_id = Some(HostId {
            name: "node2".into(),
            fallback: Some(std::time::Duration::from_secs(110)),
        });
    })
    .await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.create("/f").await;
    let names: Vec<_> = reply
        .head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "Pragma",
            "BITS-Packet-Type",
            "BITS-Protocol",
            "BITS-Session-Id",
            "Accept-Encoding",
            "BITS-Host-Id",
            "BITS-Host-Id-Fallback-Timeout",
            "Content-Length",
            "Date"
        ]
    );
    assert_eq!(reply.field("BITS-Host-Id-Fallback-Timeout"), Some("110"));
    let reply = wire.end("Close-Session", "{nobody}").await;
    assert!(
        reply.head.contains("\r\nBITS-Error-Code: 0x8020001F\r\n"),
        "{}",
        reply.head
    );
    assert!(
        reply.head.contains("\r\nBITS-Error-Context: 0x5\r\n"),
        "{}",
        reply.head
    );
    assert!(
        reply.head.contains("\r\nContent-Length: 0\r\n"),
        "{}",
        reply.head
    );
}

#[tokio::test]
async fn an_upload_in_three_fragments() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    assert_eq!(wire.ask(packet("/f", "Ping", "")).await.status, 200);
    let id = wire.session("/f").await;
    for (range, body, next) in [
        ("0-9/30", "alpha,1234", "10"),
        ("10-19/30", "bravo,5678", "20"),
        ("20-29/30", "delta,9012", "30"),
    ] {
        let reply = wire.fragment(&id, range, body).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.field("BITS-Packet-Type"), Some("Ack"));
        assert_eq!(reply.field("BITS-Received-Content-Range"), Some(next));
        assert_eq!(reply.field("BITS-Session-Id"), Some(id.as_str()));
        assert_eq!(reply.field("BITS-Reply-URL"), None);
    }
    assert!(!bench.file("f").exists());
    assert_eq!(wire.end("Close-Session", &id).await.status, 200);
    let bytes = std::fs::read(bench.file("f")).unwrap();
    assert_eq!(bytes, b"alpha,1234bravo,5678delta,9012");
    assert_eq!(wire.end("Close-Session", &id).await.error(), UNKNOWN);
    assert_eq!(
        wire.fragment(&id, "0-9/30", "alpha,1234").await.error(),
        UNKNOWN
    );
    assert_eq!(bench.listing(), ["f"]);
}

#[tokio::test]
async fn overlap_is_taken_and_gap_is_not() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    let told = async |wire: &mut Wire, range, body| {
        let reply = wire.fragment(&id, range, body).await;
        let next = reply
            .field("BITS-Received-Content-Range")
            .map(str::to_owned);
        (reply.status, next.unwrap_or_default())
    };
    assert_eq!(told(&mut wire, "5-9/20", "56789").await, (416, "0".into()));
    assert_eq!(
        told(&mut wire, "0-9/20", "0123456789").await,
        (200, "10".into())
    );
    assert_eq!(
        told(&mut wire, "11-14/20", "bcde").await,
        (416, "10".into())
    );
    // Its first five bytes are known, and the server keeps those that came first.
    assert_eq!(
        told(&mut wire, "5-14/20", "XXXXXabcde").await,
        (200, "15".into())
    );
    assert_eq!(told(&mut wire, "2-3/20", "XX").await, (200, "15".into()));
    assert_eq!(
        told(&mut wire, "15-19/20", "fghij").await,
        (200, "20".into())
    );
    assert_eq!(
        told(&mut wire, "15-19/20", "XXXXX").await,
        (200, "20".into())
    );
    assert_eq!(
        wire.end("close-session", &id.to_lowercase()).await.status,
        200
    );
    assert_eq!(
        std::fs::read(bench.file("f")).unwrap(),
        b"0123456789abcdefghij"
    );
}

#[tokio::test]
async fn what_is_malformed_is_400_and_the_connection_lives() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    assert_eq!(wire.fragment(&id, "0-4/20", "01234").await.status, 200);
    let long = format!("X-Long: {}\r\n", "x".repeat(4097));
    let session = format!("BITS-Session-Id: {id}\r\n");
    let doubled = format!("{session}BITS-Session-Id: {{other}}\r\n");
    for text in [
        packet("/f", "Upload", ""),
        packet("/f", "", ""),
        packet("/f", "Ack", ""),
        packet("/f", "Ping", &long),
        packet("/f", "Create-Session", ""),
        packet("/f", "Create-Session", "BITS-Supported-Protocols: {11111111-2222-3333-4444-555555555555}\r\n"),
        packet("/f", "Close-Session", ""),
        packet("/f", "Close-Session", &doubled),
        packet("/f", "Fragment", &session),
        fragment("/f", &id, "5-9", "56789"),
        fragment("/f", &id, "5-9/*", "56789"),
        fragment("/f", &id, "9-5/20", "56789"),
        fragment("/f", &id, "5-25/20", "56789"),
        fragment("/f", &id, "5-9/20", "5678"),
        fragment("/f", &id, "5-9/20", "567890"),
        fragment("/f", &id, "5-9/21", "56789"),
        "BITS_POST /f HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "BITS_POST /f HTTP/1.1\r\nHost: x\r\nBITS-Packet-Type: Ping\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        fragment("/f", &id, "5-9/20", "56789").replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n"),
    ] {
        let reply = wire.ask(&text).await;
        assert_eq!(reply.error(), INVALID, "{text}\n{}", reply.head);
    }
    let reply = wire.fragment(&id, "5-9/20", "56789").await;
    assert_eq!(reply.field("BITS-Received-Content-Range"), Some("10"));
}

#[tokio::test]
async fn a_packet_without_length_is_411() {
    let bench = bench(|_| {}).await;
    for fields in ["", "Transfer-Encoding: chunked\r\n"] {
        let mut wire = Wire::open(bench.address).await;
        let body = if fields.is_empty() { "" } else { "0\r\n\r\n" };
        let text = format!(
            "BITS_POST /f HTTP/1.1\r\nHost: x\r\nBITS-Packet-Type: Ping\r\n{fields}\r\n{body}"
        );
        let reply = wire.ask(text).await;
        assert_eq!(reply.error(), (411, Some("0x80070057"), Some("0x5")));
    }
}

#[tokio::test]
async fn an_old_version_is_400() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire
        .ask(packet("/f", "Ping", "").replace("HTTP/1.1", "HTTP/1.0"))
        .await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn an_unknown_session_is_500_for_each_packet() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    for kind in ["Close-Session", "Cancel-Session"] {
        assert_eq!(wire.end(kind, "{nobody}").await.error(), UNKNOWN, "{kind}");
    }
    assert_eq!(
        wire.fragment("{nobody}", "0-0/1", "x").await.error(),
        UNKNOWN
    );
}

#[tokio::test]
async fn one_name_or_the_other_for_the_error() {
    for (field, names) in [
        (ErrorField::Code, (true, false)),
        (ErrorField::Error, (false, true)),
        (ErrorField::Both, (true, true)),
    ] {
        let bench = bench(|config| config.error_field = field).await;
        let reply = Wire::open(bench.address)
            .await
            .end("Close-Session", "{x}")
            .await;
        let found = (
            reply.head.contains("BITS-Error-Code: "),
            reply.head.contains("BITS-Error: "),
        );
        assert_eq!(found, names);
    }
}

#[tokio::test]
async fn an_existing_file_is_refused_unless_allowed() {
    let bench = bench(|_| {}).await;
    std::fs::write(bench.file("f"), "old").unwrap();
    std::fs::create_dir(bench.file("folder")).unwrap();
    let mut wire = Wire::open(bench.address).await;
    assert_eq!(wire.create("/f").await.error(), DENIED);
    assert_eq!(wire.create("/f/below").await.error(), DENIED);
    for directory in ["/", "/folder", "/folder/", "/new/"] {
        assert_eq!(wire.create(directory).await.error(), INVALID, "{directory}");
    }
    assert_eq!(std::fs::read(bench.file("f")).unwrap(), b"old");
}

#[tokio::test]
async fn of_two_sessions_for_one_url_the_first_to_close_wins() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let one = wire.session("/f").await;
    let two = wire.session("/f").await;
    assert_ne!(one, two);
    wire.fragment(&one, "0-2/3", "one").await;
    wire.fragment(&two, "0-2/3", "two").await;
    assert_eq!(wire.end("Close-Session", &two).await.status, 200);
    assert_eq!(wire.end("Close-Session", &one).await.error(), DENIED);
    assert_eq!(std::fs::read(bench.file("f")).unwrap(), b"two");
}

#[tokio::test]
async fn close_and_cancel_before_and_after_the_end() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    for (kind, bytes, kept) in [
        ("Close-Session", 2, false),
        ("Cancel-Session", 2, false),
        ("Cancel-Session", 4, true),
        ("Close-Session", 4, true),
        // No text defines the empty file; this is how it is done here.
        ("Close-Session", 0, true),
        ("Cancel-Session", 0, false),
    ] {
        let name = format!("f-{kind}-{bytes}");
        let id = wire.session(&format!("/{name}")).await;
        if bytes > 0 {
            let body = &"0123"[..bytes];
            let reply = wire
                .fragment(&id, &format!("0-{}/4", bytes - 1), body)
                .await;
            assert_eq!(reply.status, 200);
        }
        assert_eq!(wire.end(kind, &id).await.status, 200);
        assert_eq!(bench.file(&name).exists(), kept, "{name}");
        assert_eq!(wire.end(kind, &id).await.error(), UNKNOWN);
    }
    let work = std::fs::read_dir(bench.file(".bitstap-sessions")).unwrap();
    assert_eq!(work.count(), 0);
}

#[tokio::test]
async fn close_after_the_data_vanished_is_404() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    wire.fragment(&id, "0-3/4", "0123").await;
    std::fs::remove_file(bench.file(".bitstap-sessions").join(&id).join("data")).unwrap();
    assert_eq!(wire.end("Close-Session", &id).await.status, 404);
}

#[tokio::test]
async fn more_than_the_limit_is_too_large() {
    let bench = bench(|config| config.max_size = Some(10)).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    let reply = wire.fragment(&id, "0-4/11", "01234").await;
    assert_eq!(reply.error(), (500, Some("0x80200020"), Some("0x5")));
    assert_eq!(wire.fragment(&id, "0-4/10", "01234").await.status, 200);
}

#[tokio::test]
async fn a_fragment_cut_off_keeps_what_came() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let id = wire.session("/f").await;
    let whole = fragment("/f", &id, "0-9/20", "0123456789");
    wire.write(&whole[..whole.len() - 6]).await;
    wire.finish().await;
    assert!(wire.read().await.is_none());
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.fragment(&id, "10-19/20", "abcdefghij").await;
    assert_eq!(reply.status, 416);
    assert_eq!(reply.field("BITS-Received-Content-Range"), Some("4"));
}

#[tokio::test]
async fn a_client_that_comes_back_does_not_wait_for_its_dead_connection() {
    let bench = bench(|_| {}).await;
    let mut dead = Wire::open(bench.address).await;
    let id = dead.session("/f").await;
    let whole = fragment("/f", &id, "0-9/10", "0123456789");
    dead.write(&whole[..whole.len() - 6]).await;
    let mut wire = Wire::open(bench.address).await;
    let reply = wire.fragment(&id, "0-9/10", "0123456789").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.field("BITS-Received-Content-Range"), Some("10"));
    assert_eq!(wire.end("Close-Session", &id).await.status, 200);
    assert_eq!(std::fs::read(bench.file("f")).unwrap(), b"0123456789");
}

#[tokio::test]
async fn a_method_override_is_taken_and_other_methods_are_not() {
    let bench = bench(|_| {}).await;
    let mut wire = Wire::open(bench.address).await;
    let text = packet("/f", "Ping", "X-Http-Method-Override: BITS_POST\r\n")
        .replace("BITS_POST /f", "POST /f");
    assert_eq!(wire.ask(text).await.field("BITS-Packet-Type"), Some("Ack"));
    let reply = wire
        .ask("PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.field("Allow"), Some("GET, HEAD, BITS_POST"));
}

#[tokio::test]
async fn everybody_needs_credentials_when_there_are_some() {
    let bench = bench(|config| config.credentials = Credentials::parse("me:secret")).await;
    let mut wire = Wire::open(bench.address).await;
    let with = |pair| packet("/f", "Ping", &format!("Authorization: Basic {pair}\r\n"));
    for text in [
        packet("/f", "Ping", ""),
        with("bWU6d3Jvbmc="),
        "GET /f HTTP/1.1\r\nHost: x\r\n\r\n".into(),
    ] {
        let reply = wire.ask(text).await;
        assert_eq!(reply.status, 401);
        assert!(
            reply
                .field("WWW-Authenticate")
                .unwrap()
                .starts_with("Basic ")
        );
    }
    assert_eq!(wire.ask(with("bWU6c2VjcmV0")).await.status, 200);
}
