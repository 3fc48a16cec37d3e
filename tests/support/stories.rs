//! The golden captures that a test can make: conversations at fixed addresses and moments.
//!
//! One story per file, the worked examples first, then what odd peers do. The captures of the demo's scenes
//! are made by the demo.

use bitstap::event::{Close, Direction, Fact, Leg, Missing, TlsFact, What};

use crate::conversation::Talk;
use crate::examples::{
    DOWNLOAD, NOTIFICATION, NTLM_ASKED, NTLM_IN, NTLM_LEGS, NTLM_REFUSED, REPLY_DOWNLOAD,
    REPLY_UPLOAD, STRICT_RESUME, UPLOAD,
};
use Direction::{ToClient, ToServer};

/// File name without its extension, and what happens.
pub(crate) type Story = (&'static str, fn() -> Talk);

/// All of them.
pub(crate) const STORIES: &[Story] = &[
    ("example-upload", upload),
    ("example-resume", resume),
    ("example-upload-reply", upload_reply),
    ("example-errors", errors),
    ("example-download", download),
    ("example-ntlm", ntlm),
    ("odd-body-after-length-zero", body_after_length_zero),
    ("odd-ack-without-length", ack_without_length),
    ("odd-chunked-ack", chunked_ack),
    ("odd-cut-head", cut_head),
    ("odd-two-lengths", two_lengths),
    ("odd-pipelining", pipelining),
    ("odd-reset", reset),
    ("odd-joined", joined),
    ("odd-unreachable", unreachable_server),
];

const PING: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Ping
> Host: bits.example.test
> Content-Length: 0
>
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Content-Length: 0
<
";

const CLOSE: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Close-Session
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Host: bits.example.test
> Content-Length: 0
>
";

const CANCEL: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Cancel-Session
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Host: bits.example.test
> Content-Length: 0
>
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
< Content-Length: 0
<
";

const UNKNOWN_SESSION: &str = r"
> BITS_POST /up/other.csv HTTP/1.1
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {00000000-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Content-Range: bytes 0-9/30
> Host: bits.example.test
> Content-Length: 10
>
> alpha,1234
< HTTP/1.1 500 Internal Server Error
< BITS-Packet-Type: Ack
< BITS-Error-Code: 0x8020001F
< BITS-Error-Context: 0x5
< Content-Length: 0
<
";

const ACCESS_DENIED: &str = r"
> BITS_POST /secret/plan.doc HTTP/1.1
> BITS-Packet-Type: Create-Session
> BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}
> Host: bits.example.test
> Content-Length: 0
>
< HTTP/1.1 403 Forbidden
< BITS-Packet-Type: Ack
< BITS-Error: 0x80070005
< BITS-Error-Context: 0x5
< Content-Length: 0
<
";

const BACK_END_FAILED: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Content-Range: bytes 20-29/30
> Host: bits.example.test
> Content-Length: 10
>
> delta,9012
< HTTP/1.1 503 Service Unavailable
< BITS-Packet-Type: Ack
< BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
< BITS-Received-Content-Range: 30
< BITS-Error-Code: 0x801901F7
< BITS-Error-Context: 0x7
< Content-Length: 0
<
";

/// Returns the part of the upload up to and with the line `last`.
fn until(last: &str) -> &'static str {
    let end = UPLOAD.find(last).map(|at| at + last.len());
    end.and_then(|end| UPLOAD.get(..end))
        .expect("a line of the upload")
}

/// Create-Session and the first fragment, each with its Ack.
fn one_fragment() -> &'static str {
    until("< BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\n<\n> BITS_POST")
        .strip_suffix("> BITS_POST")
        .expect("the next request begins")
}

fn upload() -> Talk {
    let mut talk = Talk::new();
    talk.say(UPLOAD).hang_up();
    talk
}

fn resume() -> Talk {
    let mut talk = Talk::new();
    talk.say(until("> bravo,5678\n"))
        .close(ToClient, Close::Fin)
        .close(ToServer, Close::Fin)
        .connect("10.0.0.5")
        .say(PING)
        .say(STRICT_RESUME)
        .say(CLOSE)
        .bytes(
            ToClient,
            b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n",
        )
        .hang_up();
    talk
}

fn upload_reply() -> Talk {
    let mut talk = Talk::new();
    talk.say(REPLY_UPLOAD)
        .connect("10.0.0.9")
        .say(NOTIFICATION)
        .hang_up()
        .on(1)
        .say(REPLY_DOWNLOAD)
        .hang_up();
    talk
}

fn errors() -> Talk {
    let mut talk = Talk::new();
    talk.say(one_fragment())
        .say(CANCEL)
        .say(UNKNOWN_SESSION)
        .hang_up()
        .connect("10.0.0.6")
        .say(ACCESS_DENIED)
        .hang_up()
        .connect("10.0.0.7")
        .say(
            until("> delta,9012\n")
                .rsplit_once("> BITS_POST")
                .expect("a request")
                .0,
        )
        .say(BACK_END_FAILED)
        .hang_up();
    talk
}

fn download() -> Talk {
    let mut talk = Talk::new();
    talk.say(DOWNLOAD).hang_up();
    talk
}

fn body_after_length_zero() -> Talk {
    let mut talk = Talk::new();
    talk.say(one_fragment())
        .bytes(ToServer, b"BITS_POST /up/report.csv HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n")
        .bytes(ToClient, b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n<html><h1>Error</h1>The page that the length denies.</html>")
        .say(CLOSE)
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n")
        .hang_up();
    talk
}

fn ack_without_length() -> Talk {
    const ACK: &[u8] = b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nBITS-Received-Content-Range: 20\r\n\r\n";
    let mut talk = Talk::new();
    talk.say(until("> bravo,5678\n"))
        .bytes(ToClient, ACK)
        .say(CLOSE)
        .bytes(
            ToClient,
            b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\n\r\n",
        )
        .hang_up();
    talk
}

fn chunked_ack() -> Talk {
    let mut talk = Talk::new();
    talk.say(until("> bravo,5678\n"))
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 20\r\nTransfer-Encoding: chunked\r\n\r\n")
        .bytes(ToClient, b"8;why=none\r\nreceived\r\n")
        .bytes(ToClient, b"0\r\nX-Checked: yes\r\n\r\n")
        .say(CLOSE)
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        .hang_up();
    talk
}

fn cut_head() -> Talk {
    let mut talk = Talk::new();
    talk.say(one_fragment())
        .bytes(
            ToServer,
            b"BITS_POST /up/report.csv HTTP/1.1\r\nBITS-Packet-Type: Fragm",
        )
        .hang_up()
        .connect("10.0.0.6")
        .bytes(
            ToServer,
            b"BITS_POST /up/b.csv HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n",
        )
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Ty")
        .close(ToClient, Close::Fin)
        .close(ToServer, Close::Fin);
    talk
}

fn two_lengths() -> Talk {
    let mut talk = Talk::new();
    talk.say(one_fragment())
        .bytes(ToServer, b"BITS_POST /up/report.csv HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nContent-Range: bytes 10-19/30\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n")
        .bytes(ToServer, b"a\r\nbravo,5678\r\n0\r\n\r\n")
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 20\r\nContent-Length: 0\r\n\r\n")
        .hang_up();
    talk
}

fn pipelining() -> Talk {
    let mut talk = Talk::new();
    talk.bytes(ToServer, b"GET /d/a.bin HTTP/1.1\r\nHost: h\r\nUser-Agent: Microsoft BITS/7.8\r\nRange: bytes=0-4\r\n\r\nHEAD /d/b.bin HTTP/1.1\r\nHost: h\r\nUser-Agent: Microsoft BITS/7.8\r\n\r\nGET /d/c.bin HTTP/1.1\r\nHost: h\r\nUser-Agent: Microsoft BITS/7.8\r\n\r\n")
        .bytes(ToClient, b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\naaaaaHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Le")
        .bytes(ToClient, b"ngth: 3\r\n\r\nccc")
        .hang_up();
    talk
}

fn reset() -> Talk {
    let mut talk = Talk::new();
    let cut = until("> bravo,5678\n")
        .rsplit_once("> BITS_POST")
        .expect("a request")
        .0;
    talk.say(cut)
        .bytes(ToServer, b"BITS_POST /up/report.csv HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nContent-Range: bytes 10-19/30\r\nContent-Length: 10\r\n\r\n")
        .bytes(ToServer, b"bravo,")
        .close(ToServer, Close::Reset);
    talk
}

/// A login by NTLM on a plain connection, and one over TLS that the server refuses at its end.
fn ntlm() -> Talk {
    let mut talk = Talk::new();
    talk.say(NTLM_ASKED)
        .say(NTLM_LEGS)
        .say(NTLM_IN)
        .say(UPLOAD)
        .hang_up()
        .connect("10.0.0.5");
    let fact = TlsFact {
        version: "TLS 1.3".to_owned(),
        cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
        ..TlsFact::default()
    };
    talk.note("TLS with the client is up.", Fact::Tls(Box::new(fact)));
    talk.say(NTLM_LEGS).say(NTLM_REFUSED).hang_up();
    talk
}

fn joined() -> Talk {
    let mut talk = Talk::silent();
    talk.join("10.0.0.5")
        .bytes(ToServer, b"o,5678")
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 20\r\nContent-Length: 0\r\n\r\n")
        .bytes(ToServer, b"BITS_POST /up/report.csv HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nContent-Range: bytes 20-29/30\r\nContent-Length: 10\r\n\r\ndelta")
        .missing(ToServer, 5, Missing::NotSeen)
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 30\r\nContent-Length: 0\r\n\r\n")
        .say(CLOSE)
        .bytes(ToClient, b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n")
        .hang_up();
    talk
}

fn unreachable_server() -> Talk {
    let mut talk = Talk::new();
    let ends = ("10.0.0.1:40001", "203.0.113.9:80");
    talk.bytes(ToServer, b"BITS_POST /up/report.csv HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nHost: gone.example.test\r\nContent-Length: 0\r\n\r\n")
        .push(
            Leg::Upstream,
            What::Opening {
                client: ends.0.parse().expect("an address"),
                server: ends.1.parse().expect("an address"),
            },
        )
        .push(
            Leg::Upstream,
            What::Closed {
                direction: ToClient,
                how: Close::Reset,
            },
        )
        .note(
            "The server 203.0.113.9:80 refused the connection.",
            Fact::ConnectFailed {
                reason: "connection refused".to_owned(),
                status: Some(502),
            },
        )
        .note(
            "The proxy answered 502 itself.",
            Fact::Answered {
                status: 502,
                reason: "connection refused".to_owned(),
            },
        )
        .bytes(ToClient, b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: 23\r\nConnection: close\r\n\r\ncannot reach the server")
        .close(ToClient, Close::Fin)
        .close(ToServer, Close::Fin);
    talk
}
