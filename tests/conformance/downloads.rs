//! What goes wrong in downloads.

use crate::dialogue::*;
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    [answers(), files(), ranges()].concat()
}

const LATER: &str = "Last-Modified: Tue, 06 Jan 2026 10:00:00 GMT";

fn answers() -> Vec<Case> {
    vec![
        case("BDL-01", || {
            Dialogue::new().say(&head().back_without("Content-Length"))
        })
        .keeps(download),
        case("BDL-02", || {
            let whole = get(10, 19)
                .status("HTTP/1.1 200 OK")
                .back_without("Content-Range");
            Dialogue::new().say(&whole.reply(&"b".repeat(100)))
        })
        .keeps(|| {
            let whole = get(0, 99)
                .status("HTTP/1.1 200 OK")
                .back_without("Content-Range");
            Dialogue::new().say(&whole.reply(&"b".repeat(100)))
        }),
        case("BDL-03", || {
            let short = get(10, 18).with("Range: bytes=10-19");
            Dialogue::new().say(&short)
        })
        .keeps(|| Dialogue::new().say(&get(90, 99).with("Range: bytes=90-120"))),
        case("BDL-05", || Dialogue::new().say(&get(10, 19).reply("only"))).keeps(download),
        case("BDL-10", || {
            Dialogue::new().say(&get(10, 19).back("Content-Encoding: gzip"))
        })
        .keeps(download),
        case("BDL-13", || {
            Dialogue::new().say(&head().status("HTTP/1.0 200 OK"))
        })
        .keeps(download),
        case("BDL-14", || Dialogue::new().tls().say(&redirected()))
            .keeps(|| Dialogue::new().say(&redirected())),
    ]
}

fn redirected() -> Step {
    head()
        .status("HTTP/1.1 302 Found")
        .back("Location: http://other.test/f.bin")
}

fn files() -> Vec<Case> {
    vec![
        case("BDL-04", || {
            Dialogue::new().all(&[
                get(0, 49),
                get(50, 99).back("Content-Range: bytes 50-99/101"),
            ])
        })
        .keeps(download),
        case("BDL-06", || {
            let later = get(50, 99).without("If-Unmodified-Since").back(LATER);
            Dialogue::new().all(&[get(0, 49), later])
        })
        .keeps(download),
        case("BDL-07", || {
            Dialogue::new().all(&[get(0, 49), get(50, 99).back("ETag: \"b2\"")])
        })
        .keeps(download),
        case("BDL-08", || {
            Dialogue::new().say(&head().back_without("Last-Modified"))
        })
        .keeps(download),
        case("BDL-09", || Dialogue::new().say(&get(0, 49).back(LATER))).keeps(|| {
            let failed = get(0, 49).status("HTTP/1.1 412 Precondition Failed");
            Dialogue::new().say(&failed.back_without("Content-Range").reply("").back(LATER))
        }),
        case("BDL-17", || {
            let last = third().back("BITS-Reply-URL: http://bits.example.test/up/reply.bin");
            let gone = get_reply()
                .status("HTTP/1.1 404 Not Found")
                .back_without("Content-Range");
            begun().all(&[second(), last, gone.reply("")])
        })
        .keeps(|| {
            let last = third().back("BITS-Reply-URL: http://bits.example.test/up/reply.bin");
            begun().all(&[second(), last, get_reply(), close()])
        }),
    ]
}

fn ranges() -> Vec<Case> {
    vec![
        case("BDL-11", || {
            Dialogue::new().say(&get(0, 29).with("Range: bytes=0-9,20-29"))
        })
        .keeps(several),
        case("BDL-11", || {
            multipart(&["bytes 20-29/100", "bytes 0-9/100"], "")
        })
        .keeps(|| multipart(&["bytes 0-9/100", "bytes 20-29/100"], "")),
        case("BDL-11", || multipart(&["bytes 0-29/100"], ""))
            .keeps(|| multipart(&["bytes 0-9/100"], "")),
        case("BDL-12", || {
            let wide = format!("Server: {}\r\n", "x".repeat(180));
            multipart(&["bytes 0-9/100", "bytes 20-29/100"], &wide)
        })
        .keeps(|| multipart(&["bytes 0-9/100", "bytes 20-29/100"], "Server: x\r\n")),
        case("BDL-15", || Dialogue::new().say(&parts_of("0-9,5-14"))).keeps(several),
        case("BDL-16", || {
            let other = get(0, 49)
                .back("ETag: \"b2\"")
                .back_without("Last-Modified");
            Dialogue::new().dialled().relayed(&get(0, 49), &other)
        })
        .keeps(|| Dialogue::new().dialled().relayed(&get(0, 49), &get(0, 49))),
    ]
}

fn several() -> Dialogue {
    Dialogue::new().say(&parts_of("0-9,20-29"))
}

/// Asks for bytes 0 to 9 and 20 to 29; the answer has these parts, with `more` in their heads.
fn multipart(parts: &[&str], more: &str) -> Dialogue {
    let mut content = String::new();
    for range in parts {
        let (first, last) = range[6..]
            .split_once('/')
            .unwrap()
            .0
            .split_once('-')
            .unwrap();
        let [first, last] = [first, last].map(|end| end.parse::<usize>().unwrap());
        let bytes = "b".repeat(last - first + 1);
        content.push_str(&format!(
            "\r\n--x\r\nContent-Type: a/b\r\n{more}Content-Range: {range}\r\n\r\n{bytes}"
        ));
    }
    content.push_str("\r\n--x--\r\n");
    Dialogue::new().say(&parts_of("0-9,20-29").reply(&content))
}

fn parts_of(ranges: &str) -> Step {
    get(0, 19)
        .with(&format!("Range: bytes={ranges}"))
        .back("Content-Type: multipart/byteranges; boundary=x")
        .back_without("Content-Range")
}
