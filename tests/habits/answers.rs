//! What servers answer and clients do in turn that looks like a breach and is none, or is another one's.

use crate::dialogue::*;

pub(crate) fn habits() -> Vec<(&'static str, Dialogue)> {
    let rest = [second(), third(), close()];
    let page = |step: Step, status: &str| {
        let step = step
            .back_without("BITS-Packet-Type")
            .back_without("BITS-Session-Id")
            .back_without("BITS-Protocol")
            .back_without("Accept-Encoding");
        step.status(status).reply("<html>")
    };
    let routed = |host: &str| {
        create()
            .back(&format!("BITS-Host-Id: {host}"))
            .back("BITS-Host-Id-Fallback-Timeout: 110")
    };
    let there = |step: Step, host: &str| step.with(&format!("Host: {host}"));
    let large = fragment(0, 15359);
    let too_large = large
        .clone()
        .passes(3000)
        .refused("413 Request Entity Too Large", "0x80200020")
        .back_without("BITS-Error-Code")
        .back_without("BITS-Error-Context");
    vec![
        (
            "a fragment refused with 413 before all of it had come",
            created()
                .say(&too_large)
                .server_hangs_up()
                .connect("10.0.0.5")
                .all(&[ping(), first()])
                .all(&rest),
        ),
        (
            "a host of BITS-Host-Id that is pinged on a connection of its own",
            Dialogue::new()
                .say(&routed("node2.example.test"))
                .reconnect()
                .say(&there(ping(), "node2.example.test"))
                .reconnect()
                .all(
                    &[first(), second(), third(), close()]
                        .map(|step| there(step, "node2.example.test")),
                ),
        ),
        (
            "a host of BITS-Host-Id that is an IPv6 address",
            Dialogue::new().say(&routed("fe80::1")).reconnect().all(
                &[ping(), first(), second(), third(), close()].map(|step| there(step, "[fe80::1]")),
            ),
        ),
        (
            "uploads that are not enabled, as IIS says it",
            Dialogue::new().say(&page(create(), "HTTP/1.1 404 Not Found")),
        ),
        (
            "an upload that begins again under its old id",
            begun()
                .reconnect()
                .all(&[create(), first().out_of_step(5120)])
                .all(&rest),
        ),
        (
            "an application that refuses the upload",
            begun()
                .all(&[second(), notify().status("HTTP/1.1 403 Forbidden")])
                .say(
                    &third()
                        .refused("403 Forbidden", "0x80190193")
                        .back("BITS-Error-Context: 0x7")
                        .back("BITS-Received-Content-Range: 15360"),
                ),
        ),
        (
            "a client without a name that is not BITS",
            Dialogue::new()
                .say(
                    &Step::new(
                        "GET /index.html HTTP/1.1",
                        &["Host: www.example.test"],
                        "200 OK",
                        &["Transfer-Encoding: chunked", "Content-Encoding: gzip"],
                    )
                    .back_without("Content-Length"),
                )
                .blurts("3\r\nabc\r\n0\r\n\r\n"),
        ),
    ]
}
