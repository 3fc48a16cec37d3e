//! Bytes out equal bytes in, both ways, whatever the bytes are and however they are cut.

use super::support::{Set, rest, say};
use bitstap::event::{Close, Direction, Leg};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// What one side sends, and into pieces of which lengths it is cut (the last length repeats).
#[derive(Clone, Debug)]
struct Speech {
    bytes: Vec<u8>,
    cuts: Vec<usize>,
}

impl Speech {
    async fn send<S: AsyncWrite + Unpin>(&self, stream: &mut S) {
        let mut rest = &self.bytes[..];
        let mut cuts = self.cuts.iter().copied();
        let mut cut = 1;
        while !rest.is_empty() {
            cut = cuts.next().unwrap_or_else(|| cut.max(1024));
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            stream.write_all(piece).await.expect("the relay reads");
            tokio::task::yield_now().await;
            rest = after;
        }
        stream.shutdown().await.expect("the relay reads");
    }
}

/// Sends `speech` and reads to the end at the same time.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, speech: &Speech) -> Vec<u8> {
    use tokio::io::AsyncReadExt;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut heard = Vec::new();
    let (read, ()) = tokio::join!(reader.read_to_end(&mut heard), speech.send(&mut writer));
    read.expect("the relay ends in order");
    heard
}

/// Runs one conversation and compares everything that can be compared.
async fn same(to_server: &Speech, to_client: &Speech, pipe: usize, both_legs: bool) {
    let mut set = Set {
        pipe,
        ..Set::default()
    };
    set.config.both_legs = both_legs;
    let mut stage = set.start();
    let (client, other) = tokio::io::duplex(1);
    drop(other);
    let client = std::mem::replace(&mut stage.client, client);
    let mut servers = std::mem::replace(&mut stage.servers, tokio::sync::mpsc::channel(1).1);
    let (at_client, at_server) = tokio::join!(converse(client, to_server), async {
        let server = servers.recv().await.expect("the relay dials");
        converse(server, to_client).await
    });
    assert!(at_server == to_server.bytes, "to the server");
    assert!(at_client == to_client.bytes, "to the client");
    let told = stage.over().await;
    for (direction, speech) in [
        (Direction::ToServer, to_server),
        (Direction::ToClient, to_client),
    ] {
        for leg in [Leg::Client, Leg::Upstream] {
            let way = told.way(leg, direction);
            assert_eq!(way.len, speech.bytes.len() as u64, "{leg:?} {direction:?}");
            assert_eq!(way.closes, [Close::Fin], "{leg:?} {direction:?}");
            if leg == Leg::Client || both_legs {
                assert!(way.bytes == speech.bytes, "{leg:?} {direction:?}");
            }
        }
    }
}

fn eol() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")]
}

/// The part of a message after its start line: framing fields of every sort with content that may or may
/// not fit them.
fn content() -> impl Strategy<Value = (String, Vec<u8>)> {
    let body = || vec(any::<u8>(), 0..3000);
    prop_oneof![
        body().prop_map(|body| (format!("Content-Length: {}\r\n", body.len()), body)),
        (body(), 0..5000_u32).prop_map(|(body, len)| (format!("content-length:{len}\r\n"), body)),
        body().prop_map(|body| ("Content-Length: 0\r\n".to_owned(), body)),
        body().prop_map(|body| (String::new(), body)),
        (vec(body(), 0..4), any::<bool>()).prop_map(|(chunks, odd)| {
            let mut body = Vec::new();
            for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                body.extend(format!("{:X};ext=\"a;b\"\r\n", chunk.len()).bytes());
                body.extend(chunk);
                body.extend(b"\r\n");
            }
            body.extend(if odd {
                &b"zz\r\n"[..]
            } else {
                b"0\r\nTrailer: t\r\n\r\n"
            });
            ("Transfer-Encoding: chunked\r\n".to_owned(), body)
        }),
        body().prop_map(|body| {
            let both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".to_owned();
            (both, body)
        }),
        (0..70_000_usize).prop_map(|len| (format!("X-Long: {}\r\n", "a".repeat(len)), Vec::new())),
        Just((
            "X-Folded: a\r\n b\r\nX Odd : \u{e9}\r\n".to_owned(),
            Vec::new()
        )),
    ]
}

fn message(starts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(starts);
    (start, content(), eol(), eol(), 0..100_u8).prop_map(|(start, (fields, body), a, b, cut)| {
        let mut bytes = format!("{start}{a}Host: h\r\n{fields}{b}").into_bytes();
        bytes.extend(body);
        if cut < 5 {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    })
}

const REQUESTS: &[&str] = &[
    "BITS_POST /up/f HTTP/1.1",
    "GET / HTTP/1.1",
    "HEAD / HTTP/1.0",
    "CONNECT h:1 HTTP/1.1",
    "PUT http://h/x?y#z HTTP/1.1",
    "POST /a b HTTP/1.1",
    "\r\nGET /",
];
const RESPONSES: &[&str] = &[
    "HTTP/1.1 200 Fine By Me",
    "HTTP/1.1 100 Continue",
    "HTTP/1.0 206 ",
    "HTTP/1.1 304",
    "HTTP/1.1 204 No",
    "HTTP/1.1 101 Switching",
    "HTTP/1.1 416 Range",
    "ICY 200 OK",
];

fn speech(starts: &'static [&'static str]) -> impl Strategy<Value = Speech> {
    let bytes = prop_oneof![
        6 => vec(message(starts), 1..4).prop_map(|messages| messages.concat()),
        1 => vec(any::<u8>(), 1..4000),
    ];
    let cuts = prop_oneof![
        Just(vec![usize::MAX]),
        vec(1..40_usize, 0..60),
        vec(1..9000_usize, 1..9)
    ];
    (bytes, cuts).prop_map(|(bytes, cuts)| Speech { bytes, cuts })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_out_equal_bytes_in(
        to_server in speech(REQUESTS),
        to_client in speech(RESPONSES),
        pipe in prop::sample::select(vec![16_usize, 700, 4096, 1 << 16]),
        both_legs in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(same(&to_server, &to_client, pipe, both_legs));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fragment_of_13_mib_passes_as_it_is() {
    let body: Vec<u8> = (0..13 << 20_u32)
        .map(|n: u32| (n ^ (n >> 8)).to_le_bytes()[0])
        .collect();
    let head = format!(
        "BITS_POST /f HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let to_server = Speech {
        bytes: [head.as_bytes(), &body].concat(),
        cuts: vec![usize::MAX],
    };
    let to_client = Speech {
        bytes: [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat(),
        cuts: vec![usize::MAX],
    };
    for both_legs in [false, true] {
        same(&to_server, &to_client, 1 << 18, both_legs).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_cut_short_passes_at_every_length() {
    let request = b"GET /f HTTP/1.1\r\nHost: h\r\n\r\n";
    for len in 1..=request.len() {
        let mut stage = Set::default().start();
        say(&mut stage.client, &request[..len]).await;
        stage.client.shutdown().await.unwrap();
        let mut server = stage.server().await;
        assert_eq!(rest(&mut server).await, &request[..len]);
        drop(server);
        assert!(stage.over().await.facts().len() <= 1);
    }
}
