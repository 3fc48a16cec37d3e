//! What clients and servers of uploads do that Windows and IIS do not.

use crate::dialogue::*;

#[expect(clippy::too_many_lines, reason = "one conversation after the other")]
pub(crate) fn habits() -> Vec<(&'static str, Dialogue)> {
    let named = |step: Step, id: &str| {
        step.with(&format!("BITS-Session-Id: {id}"))
            .back(&format!("BITS-Session-Id: {id}"))
    };
    let kind = |step: Step, kind: &str| step.with(&format!("BITS-Packet-Type: {kind}"));
    let post = |step: Step| {
        step.line("POST /up/f.bin HTTP/1.1")
            .with("X-Http-Method-Override: BITS_POST")
    };
    let nameless = |step: Step| {
        step.without("BITS-Session-Id")
            .back_without("BITS-Session-Id")
    };
    let told =
        |step: Step, offset: &str| step.back(&format!("BITS-Received-Content-Range: {offset}"));
    let mute = |step: Step| {
        let step = step
            .back_without("BITS-Packet-Type")
            .back_without("BITS-Session-Id");
        step.back_without("BITS-Received-Content-Range")
    };
    let old = |step: Step| step.status("HTTP/1.0 200 OK");
    let last_word = |step: Step| step.back("Connection: close");
    let chunked = |step: Step| {
        step.back_without("Content-Length")
            .back("Transfer-Encoding: chunked")
    };
    let g = |step: Step| named(step, OTHER).line("BITS_POST /up/g.bin HTTP/1.1");
    let ntlm = |step: Step, message: &str| {
        step.with(&format!("Authorization: NTLM TlRMTVNTUAA{message}AAAA"))
    };
    let challenge = "NTLM TlRMTVNTUAACAAAA";
    let hollow = || fragment(0, 5119).content("");
    let again = |talk: Dialogue| talk.server_hangs_up().connect("10.0.0.5");
    let rest = [second(), third(), close()];
    let html = |step: Step, status: &str| {
        mute(step)
            .status(status)
            .back("Content-Type: text/html")
            .back("Content-Encoding: gzip")
            .reply("\u{1f}gzip")
    };
    vec![
        (
            "ids that are numbers, a code with 200",
            Dialogue::new()
                .say(
                    &ping()
                        .back("BITS-Error-Code: 1")
                        .back("BITS-Error-Context: 1"),
                )
                .say(&create().back("BITS-Session-Id: -8123456"))
                .all(&[first(), second(), third(), close()].map(|step| named(step, "-8123456"))),
        ),
        (
            "an error field that says that there is none",
            created()
                .say(
                    &first()
                        .back("BITS-Error-Code: 0x0")
                        .back("BITS-Error-Context: 0x0"),
                )
                .all(&rest),
        ),
        (
            "packet types in small letters, ACK in capitals",
            Dialogue::new().all(&[
                kind(ping(), "ping").back("BITS-Packet-Type: ACK"),
                kind(create(), "create-session").back("BITS-Packet-Type: ACK"),
                kind(first(), "fragment"),
                kind(second(), "fragment"),
                kind(third(), "fragment"),
                kind(close(), "close-session"),
            ]),
        ),
        (
            "POST with the method in a field, answers with 201",
            Dialogue::new()
                .say(&post(create()).status("HTTP/1.1 201 Created"))
                .all(&[post(first()), post(second()), post(third())])
                .say(
                    &post(close())
                        .status("HTTP/1.1 201 Created")
                        .back_without("BITS-Session-Id"),
                ),
        ),
        (
            "other successes for fragments",
            created()
                .say(&first().status("HTTP/1.1 202 Accepted"))
                .say(
                    &second()
                        .status("HTTP/1.1 204 No Content")
                        .back_without("Content-Length"),
                )
                .all(&[third(), close()]),
        ),
        (
            "no session ids at all",
            Dialogue::new().all(&[create(), first(), second(), third(), close()].map(nameless)),
        ),
        (
            "an id in quotes, without them, and without its braces",
            Dialogue::new()
                .say(&create().back(&format!("BITS-Session-Id: \"{ID}\"")))
                .say(&first().with(&format!("BITS-Session-Id: \"{ID}\"")))
                .say(&second())
                .say(&third().with(&format!("BITS-Session-Id: {}", ID.trim_matches(['{', '}']))))
                .say(&close()),
        ),
        (
            "offsets told as ranges",
            created().all(&[
                told(first(), "0-5119"),
                told(second(), "bytes 5120-10239/15360"),
                told(third(), ""),
                close(),
            ]),
        ),
        (
            "offsets that name the last byte",
            created().all(&[
                told(first(), "5119"),
                told(second(), "10239"),
                told(third(), "15359"),
                close(),
            ]),
        ),
        (
            "a misspelt offset with 416",
            begun()
                .say(
                    &mute(second())
                        .status("HTTP/1.1 416 Range Not Satisfiable")
                        .back("BITS-Packet-Type: Ack")
                        .back("BITS-Recieved-Content-Range: 5120"),
                )
                .all(&rest),
        ),
        (
            "Acks that are not called Acks",
            Dialogue::new().all(
                &[create(), first(), second(), third(), close()]
                    .map(|step| step.back_without("BITS-Packet-Type")),
            ),
        ),
        (
            "targets in absolute form, in part of the packets",
            Dialogue::new().all(&[
                create().line("BITS_POST http://bits.example.test/up/f.bin HTTP/1.1"),
                first().line("BITS_POST http://bits.example.test:80/up/f.bin HTTP/1.1"),
                second(),
                third().line("BITS_POST HTTP://BITS.example.test/up/f.bin HTTP/1.1"),
                close(),
            ]),
        ),
        (
            "stray bytes after empty Acks",
            created()
                .say(&first())
                .blurts("OK")
                .say(&second())
                .blurts("\r\n")
                .say(&third())
                .say(&close()),
        ),
        (
            "a page of a gateway in gzip",
            begun()
                .say(&html(second(), "HTTP/1.1 502 Bad Gateway"))
                .all(&rest),
        ),
        (
            "HTTP/1.0 and a connection for each packet",
            again(
                again(
                    again(again(Dialogue::new().say(&old(create()))).say(&old(first())))
                        .say(&old(second())),
                )
                .say(&old(third())),
            )
            .say(&old(close()))
            .server_hangs_up(),
        ),
        (
            "Acks that end with their connection",
            again(
                again(Dialogue::new().say(&last_word(create()).back_without("Content-Length")))
                    .say(&last_word(first()).back_without("Content-Length")),
            )
            .all(&rest),
        ),
        (
            "Acks in chunks",
            created()
                .say(&chunked(first()))
                .blurts("0\r\n\r\n")
                .all(&rest),
        ),
        (
            "two sessions in turns over one connection",
            Dialogue::new().all(&[
                create(),
                create()
                    .line("BITS_POST /up/g.bin HTTP/1.1")
                    .back(&format!("BITS-Session-Id: {OTHER}")),
                first(),
                g(first()),
                second(),
                g(second()),
                g(third()),
                third(),
                g(close()),
                close(),
            ]),
        ),
        (
            "a handshake whose first legs have no content",
            Dialogue::new()
                .all(&[create(), hollow().challenged("NTLM")])
                .say(&ntlm(hollow(), "B").challenged(challenge))
                .say(&ntlm(first(), "D"))
                .all(&rest),
        ),
        (
            "a server that ends the connection after some packets",
            again(begun()).all(&rest),
        ),
        (
            "a fragment sent again by the HTTP layer",
            again(begun().say(&second().unanswered())).all(&rest),
        ),
        (
            "a Close whose Ack is lost, then forgotten",
            again(complete().say(&close().unanswered()))
                .say(&close().forgotten())
                .hang_up(),
        ),
        (
            "a Close whose Ack is lost, then granted",
            again(complete().say(&close().unanswered()))
                .say(&close())
                .hang_up(),
        ),
        (
            "a Close that is refused",
            complete()
                .say(&close().refused("404 Not Found", "0x80070002"))
                .hang_up(),
        ),
        (
            "a Create-Session without an answer, and another",
            again(Dialogue::new().say(&create().unanswered()))
                .all(&[create(), first()])
                .all(&rest),
        ),
        (
            "the protocol without its braces",
            Dialogue::new()
                .say(&create().back(&format!(
                    "BITS-Protocol: {}",
                    PROTOCOL.trim_matches(['{', '}'])
                )))
                .say(&first())
                .all(&rest),
        ),
        (
            "a fragment of an empty file",
            created().all(&[
                told(hollow().with("Content-Range: bytes 0-0/0"), "0"),
                close(),
            ]),
        ),
    ]
}
