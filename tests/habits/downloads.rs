//! What servers, HTTP layers and branch caches do to downloads.

use crate::dialogue::*;

#[expect(clippy::too_many_lines, reason = "one conversation after the other")]
pub(crate) fn habits() -> Vec<(&'static str, Dialogue)> {
    let bare = |step: Step| {
        let step = step.back_without("Content-Range").back_without("ETag");
        step.back_without("Last-Modified")
    };
    let to = "Location: http://cdn.example.test/x/f.bin?sig=1";
    let moved = |step: Step| bare(step).status("HTTP/1.1 302 Found").back(to).reply("");
    let there = |step: Step, method: &str| {
        step.line(&format!("{method} /x/f.bin?sig=1 HTTP/1.1"))
            .with("Host: cdn.example.test")
    };
    let whole = || head().line("GET /d/f.bin HTTP/1.1");
    let hashes = |step: Step| {
        step.with("Accept-Encoding: identity, peerdist")
            .with("X-P2P-PeerDist: Version=1.1")
            .back("Content-Encoding: peerdist")
            .back("X-P2P-PeerDist: Version=1.0, ContentLength=100")
            .reply(&"h".repeat(30))
    };
    let ntlm = |step: Step, message: &str| {
        step.with(&format!("Authorization: NTLM TlRMTVNTUAA{message}AAAA"))
    };
    let other = |step: Step| step.line("GET /d/g.bin HTTP/1.1");
    let later = |step: Step| {
        step.back("Last-Modified: Tue, 06 Jan 2026 10:00:00 GMT")
            .back("ETag: \"b2\"")
    };
    vec![
        (
            "a server of HTTP/1.0 that hangs up after each answer",
            Dialogue::new()
                .say(&head().status("HTTP/1.0 200 OK"))
                .server_hangs_up()
                .connect("10.0.0.5")
                .say(&get(0, 49).status("HTTP/1.0 206 Partial Content"))
                .server_hangs_up()
                .connect("10.0.0.5")
                .say(&get(50, 99).status("HTTP/1.0 206 Partial Content"))
                .server_hangs_up(),
        ),
        (
            "a page in gzip instead of the file",
            Dialogue::new().say(
                &bare(whole())
                    .status("HTTP/1.1 404 Not Found")
                    .back("Content-Encoding: gzip")
                    .reply("\u{1f}gzip"),
            ),
        ),
        (
            "a range that broke off, and the rest of it",
            Dialogue::new()
                .say(&head())
                .say(
                    &get(0, 99)
                        .reply(&"b".repeat(40))
                        .back("Content-Length: 100"),
                )
                .server_hangs_up()
                .connect("10.0.0.5")
                .say(&get(40, 99)),
        ),
        (
            "a range behind the end",
            Dialogue::new().all(&[
                head(),
                get(0, 99),
                get(100, 149)
                    .status("HTTP/1.1 416 Range Not Satisfiable")
                    .back("Content-Range: bytes */100")
                    .reply(""),
            ]),
        ),
        (
            "every request redirected to a host of its own",
            Dialogue::new()
                .say(&moved(head()))
                .connect("10.0.0.5")
                .say(&there(head(), "HEAD"))
                .on(1)
                .say(&moved(get(0, 49)))
                .on(2)
                .say(&there(get(0, 49), "GET"))
                .on(1)
                .say(&moved(get(50, 99)))
                .on(2)
                .say(&there(get(50, 99), "GET")),
        ),
        (
            "hashes of a range in place of its bytes",
            Dialogue::new().all(&[head(), hashes(get(0, 99))]),
        ),
        (
            "hashes of the whole file in place of it",
            Dialogue::new().all(&[head(), hashes(whole())]),
        ),
        (
            "an ETag that becomes weak",
            Dialogue::new().all(&[head(), get(0, 49).back("ETag: W/\"a1\""), get(50, 99)]),
        ),
        (
            "two files in turns over one connection",
            Dialogue::new().all(&[
                get(0, 49),
                other(get(0, 49)),
                other(get(50, 99)),
                get(50, 99),
            ]),
        ),
        (
            "a handshake before the first answer",
            Dialogue::new().all(&[
                head().challenged("NTLM"),
                ntlm(head(), "B").challenged("NTLM TlRMTVNTUAACAAAA"),
                ntlm(head(), "D"),
                get(0, 99),
            ]),
        ),
        (
            "a file that changed, said with 412",
            Dialogue::new().all(&[
                head(),
                get(0, 49),
                bare(get(50, 99))
                    .status("HTTP/1.1 412 Precondition Failed")
                    .reply(""),
                later(head()),
                later(get(0, 99)).with("If-Unmodified-Since: Tue, 06 Jan 2026 10:00:00 GMT"),
            ]),
        ),
        (
            "a file that changed, not said",
            Dialogue::new().all(&[
                head(),
                get(0, 49),
                later(get(50, 99)).without("If-Unmodified-Since"),
            ]),
        ),
    ]
}
