//! Bytes out equal bytes in through the real binary, between raw sockets: same bytes, same order, each end
//! mirrored as it was, and the capture's client leg holds exactly that.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test binary uses its own part")]
mod binary;
#[path = "support/through.rs"]
mod through;

use std::path::Path;

use bitstap::event::{Close, Direction, What};
use through::Step::{C, End, S};
use through::{CLIENT_FIN, SERVER_FIN, Step, c, events, pass, pass_all, pass_and_end, s};

use Direction::{ToClient, ToServer};

const ACK: &str = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";
const PING: &str = "BITS_POST /f HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n";

/// Bytes that repeat nothing, the same in every run; none of them is a line feed or begins a start line.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next() | 0x80).collect()
}

#[test]
fn both_lengths_in_a_request_and_in_a_response() {
    let lengths = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    pass_and_end(&[
        c(format!("POST / HTTP/1.1\r\n{lengths}")),
        s(format!("HTTP/1.1 200 OK\r\n{lengths}")),
        c(PING),
        s(ACK),
    ]);
    pass_and_end(&[
        c("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        s("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab"),
    ]);
}

#[test]
fn bare_line_feeds() {
    pass_and_end(&[
        c("BITS_POST /f HTTP/1.1\nContent-Length: 4\nX-Odd :  a \n\nab\r\n"),
        s("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        c(PING.replace("\r\n", "\n")),
        s(ACK.replace("\r\n", "\n")),
    ]);
}

#[test]
fn a_body_after_content_length_0() {
    pass_and_end(&[
        c(PING),
        s(format!(
            "{ACK}<html>an error page that the length denies</html>"
        )),
        c(PING),
        s(ACK),
    ]);
}

#[test]
fn a_response_without_length_on_a_connection_that_stays_open() {
    let odd = ACK.replace("Content-Length: 0\r\n", "");
    pass_and_end(&[
        c(PING),
        s(&odd),
        c(PING),
        s(format!("{odd}some body")),
        c(PING),
        s(ACK),
    ]);
}

#[test]
fn chunks_with_extensions_and_trailers() {
    let chunked = "Transfer-Encoding: Chunked\r\n\r\n5;name=\"a;b\";x\r\nhello\r\n000A ; y\r\n0123456789\r\n0;last\r\nTrailer: t\r\nOther:\r\n\r\n";
    pass_and_end(&[
        c(format!("POST / HTTP/1.1\r\n{chunked}")),
        s(format!("HTTP/1.1 200 OK\r\n{chunked}")),
        c(PING),
        s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk"),
    ]);
}

#[test]
fn pipelined_requests() {
    let answers = [
        ACK.as_bytes(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ]
    .concat();
    pass_and_end(&[
        c([PING, PING, "GET / HTTP/1.1\r\n\r\n"].concat()),
        s(&answers[..30]),
        s(&answers[30..]),
        s(ACK),
    ]);
}

#[test]
fn heads_cut_short() {
    for len in [1, 9, 21, PING.len() - 1] {
        pass(&[c(&PING[..len]), CLIENT_FIN, SERVER_FIN]);
    }
    for len in [1, 8, 17, ACK.len() - 1] {
        pass(&[c(PING), s(&ACK[..len]), SERVER_FIN, CLIENT_FIN]);
    }
}

#[test]
fn heads_of_64_kib() {
    let long = "v".repeat(64 << 10);
    pass_and_end(&[
        c(format!("GET / HTTP/1.1\r\nX-Long: {long}\r\n\r\n")),
        s(format!(
            "HTTP/1.1 200 OK\r\nX-Long: {long}\r\nContent-Length: 0\r\n\r\n"
        )),
        c(format!(
            "GET /{long} HTTP/1.1\r\n{}\r\n",
            "A: b\r\n".repeat(11_000)
        )),
        s(ACK),
    ]);
}

#[test]
fn a_fragment_of_13_mib_and_an_answer_as_large() {
    let body = noise(13 << 20);
    let head = |start: &str| format!("{start}\r\nContent-Length: {}\r\n\r\n", body.len());
    pass(&[
        c(head("BITS_POST /f HTTP/1.1")),
        c(&body),
        s(head("HTTP/1.1 200 OK")),
        s(&body),
        CLIENT_FIN,
        SERVER_FIN,
    ]);
}

#[test]
fn random_bytes() {
    pass_and_end(&[
        c(noise(5000)),
        s(noise(3000)),
        c(noise(70_000)),
        s(noise(1)),
    ]);
    pass_and_end(&[c(PING), s(noise(300_000)), c(noise(10))]);
}

#[test]
fn bytes_that_look_like_tls() {
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3][..], &noise(507)].concat();
    let answer = [&[0x16, 3, 3, 0, 0x7A, 2, 0, 0, 0x76, 3, 3][..], &noise(116)].concat();
    let data = [&[0x17, 3, 3, 0x40, 0][..], &noise(16_384)].concat();
    pass_and_end(&[c(hello), s(answer), c(&data), s(&data)]);
}

#[test]
fn a_server_that_answers_nothing_and_closes() {
    pass(&[c(PING), SERVER_FIN, CLIENT_FIN]);
    let fragment = "BITS_POST /f HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly a part";
    pass(&[c(fragment), SERVER_FIN, CLIENT_FIN]);
}

#[test]
fn a_reset_by_the_server() {
    let reset = End(ToClient, Close::Reset);
    pass(&[c(PING), reset.clone()]);
    pass(&[
        c("BITS_POST /f HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
        s("HTTP/1.1 100 Continue\r\n\r\n"),
        c("def"),
        reset.clone(),
    ]);
    pass(&[
        c(PING),
        s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
        reset,
    ]);
}

#[test]
fn a_reset_by_the_client() {
    let reset = End(ToServer, Close::Reset);
    pass(&[c(PING), s(ACK), reset.clone()]);
    pass(&[
        c("BITS_POST /f HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
        reset,
    ]);
}

#[test]
fn each_half_closes_on_its_own() {
    pass(&[c(PING), CLIENT_FIN, s(ACK), s("late"), SERVER_FIN]);
    pass(&[
        c("BITS_POST /f HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
        s("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"),
        SERVER_FIN,
        c("defghi"),
        c(PING),
        CLIENT_FIN,
    ]);
}

#[test]
fn a_client_that_expects_100_continue() {
    pass_and_end(&[
        c("BITS_POST /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
        s("HTTP/1.1 100 Continue\r\n\r\n"),
        c("hello"),
        s(ACK),
        c("BITS_POST /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
        s("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"),
        c(PING),
        s(ACK),
    ]);
}

/// Where recordings of other people's traffic lie beside a checkout.
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/pcaps");

/// Returns what was said on each connection of a recording.
fn conversations(path: &Path) -> Vec<Vec<Step>> {
    let mut conversations: Vec<Vec<Step>> = Vec::new();
    for event in events(path) {
        let at = usize::try_from(event.conn.0).unwrap();
        if conversations.len() < at {
            conversations.resize(at, Vec::new());
        }
        if let What::Data { direction, bytes } = event.what {
            conversations[at - 1].push(match direction {
                ToServer => C(bytes.to_vec()),
                ToClient => S(bytes.to_vec()),
            });
        }
    }
    for steps in &mut conversations {
        steps.extend([CLIENT_FIN, SERVER_FIN]);
    }
    conversations
}

#[test]
fn the_conversations_of_the_specification() {
    let there = Path::new(RECORDINGS).is_dir();
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(there || !ci, "CI=true, but {RECORDINGS} is not there");
    if !there {
        eprintln!("left out: {RECORDINGS} is not there");
        return;
    }
    for (name, connections) in [("mcbup-4.1-upload", 1), ("mcbup-4.2-upload-reply", 3)] {
        let path = Path::new(RECORDINGS).join(format!("{name}.pcap"));
        let conversations = conversations(&path);
        assert_eq!(conversations.len(), connections, "{name}");
        assert!(conversations.iter().all(|steps| steps.len() > 3), "{name}");
        pass_all(&conversations);
    }
}
