//! What a client can do wrong in one request, or from one to the next.

use bitstap::timeline::Profile;

use crate::dialogue::*;
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    [general(), create_session(), fragments(), ends()].concat()
}

fn general() -> Vec<Case> {
    vec![
        case("BUP-GN-01", || {
            created().say(&first().line("POST /up/f.bin HTTP/1.1"))
        }),
        case("BUP-GN-02", || {
            let post = "POST /up/f.bin HTTP/1.1";
            created().say(&first().line(post).with("X-Http-Method-Override: BITS_POST"))
        }),
        case("BUP-GN-03", || {
            created().say(&first().line("BITS_POST /up/f.bin HTTP/1.0"))
        }),
        case("BUP-GN-04", || {
            created().say(&first().status("HTTP/1.0 200 OK"))
        }),
        case("BUP-GN-05", || {
            let bad = ping().without("BITS-Packet-Type");
            Dialogue::new().say(&bad.refused("400 Bad Request", "0x80070057"))
        })
        .also(&["BUP-ER-10"]),
        case("BUP-GN-06", || {
            let bad = ping().with("BITS-Packet-Type: Upload");
            Dialogue::new().say(&bad.refused("400 Bad Request", "0x80070057"))
        })
        .also(&["BUP-ER-10"]),
        case("BUP-GN-07", || {
            created().say(&first().with("BITS-Packet-Type: fragMENT"))
        })
        .keeps(|| created().say(&first().with("BITS-Packet-Type: FRAGMENT"))),
        case("BUP-GN-08", || {
            let chunked = first()
                .without("Content-Length")
                .with("Transfer-Encoding: chunked");
            let mut step = chunked.refused("411 Length Required", "0x80070057");
            step = step.passes(0);
            created().say(&step)
        })
        .also(&["BUP-ER-10"]),
        case("BUP-GN-09", || complete().say(&close().content("goodbye"))),
        case("BUP-GN-10", || {
            created().say(&first().with(&format!("Cookie: {}", "c".repeat(4097))))
        })
        .keeps(|| created().say(&first().with(&format!("Cookie: {}", "c".repeat(4096))))),
        case("BUP-GN-11", || {
            let page = first()
                .status("HTTP/1.1 502 Bad Gateway")
                .back_without("BITS-Packet-Type")
                .back_without("BITS-Session-Id")
                .back_without("BITS-Received-Content-Range")
                .reply("<html>");
            created().say(&page)
        })
        .keeps(|| created().say(&first().challenged("Negotiate"))),
        case("BUP-GN-12", || {
            created().say(&first().and(&format!("BITS-Session-Id: {OTHER}")))
        })
        .keeps(|| created().say(&first().and(&format!("BITS-Session-Id: {ID}")))),
        case("BUP-GN-13", || {
            created().say(&first().with(r"Content-Name: C:\tmp\f.bin"))
        })
        .keeps(|| created().say(&first().with("Content-Name: f.bin"))),
        case("BUP-GN-14", || {
            let line = format!("BITS_POST /up/f.bin?{} HTTP/1.1", "q".repeat(2200));
            Dialogue::new().say(&create().line(&line))
        }),
        case("BUP-GN-15", || {
            created().say(&first().line("BITS_POST http://other.test/up/f.bin HTTP/1.1"))
        })
        .keeps(|| {
            created().say(&first().line("BITS_POST http://bits.example.test:80/up/f.bin HTTP/1.1"))
        }),
        case("BUP-GN-16", || {
            created().all(&[
                first().with("User-Agent: curl/8"),
                second().with("User-Agent: curl/8"),
            ])
        }),
        case("BUP-GN-17", || {
            created().say(
                &first()
                    .out_of_step(0)
                    .back_without("BITS-Received-Content-Range")
                    .back("BITS-Recieved-Content-Range: 0"),
            )
        })
        .also(&["BUP-AF-09"]),
    ]
}

fn create_session() -> Vec<Case> {
    vec![
        case("BUP-CS-01", || {
            let bare = create().without("BITS-Supported-Protocols");
            Dialogue::new().say(
                &bare
                    .refused("400 Bad Request", "0x80070057")
                    .back_without("BITS-Session-Id"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-CS-02", || {
            let wrong = create().with("BITS-Supported-Protocols: 7df0354d");
            Dialogue::new().say(
                &wrong
                    .refused("400 Bad Request", "0x80070057")
                    .back_without("BITS-Session-Id"),
            )
        })
        .also(&["BUP-ER-10"])
        .keeps(|| {
            Dialogue::new()
                .say(&create().with(&format!("BITS-Supported-Protocols: {OTHER}, {PROTOCOL}")))
        }),
        case("BUP-CS-03", || {
            let other = create().with(&format!("BITS-Supported-Protocols: {OTHER}"));
            Dialogue::new().say(
                &other
                    .refused("400 Bad Request", "0x80070057")
                    .back_without("BITS-Session-Id"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-CS-04", || {
            let many = format!("{PROTOCOL} ").repeat(101);
            Dialogue::new()
                .say(&create().with(&format!("BITS-Supported-Protocols: {}", many.trim())))
        }),
        case("BUP-CS-05", || {
            Dialogue::new().say(&create().with(&format!("BITS-Session-Id: {ID}")))
        }),
        case("BUP-CS-06", || {
            created().all(&[
                first().with("Content-Name: a.txt"),
                second().with("Content-Name: b.txt"),
            ])
        })
        .keeps(|| {
            created().all(&[
                first().with("Content-Name: a.txt"),
                second().with("Content-Name: a.txt"),
            ])
        }),
        case("BUP-PG-01", || {
            upload().say(&ping().with(&format!("BITS-Session-Id: {ID}")))
        })
        .keeps(|| begun().say(&ping().with(&format!("BITS-Session-Id: {ID}")))),
    ]
}

fn fragments() -> Vec<Case> {
    let mut cases = vec![
        case("BUP-FR-01", || {
            created().say(
                &first()
                    .without("BITS-Session-Id")
                    .refused("400 Bad Request", "0x80070057"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-FR-02", || {
            let foreign = first()
                .with(&format!("BITS-Session-Id: {OTHER}"))
                .back(&format!("BITS-Session-Id: {OTHER}"));
            created().say(&foreign.forgotten())
        })
        .also(&["BUP-ER-10"]),
        case("BUP-FR-03", || {
            let lower = format!("BITS-Session-Id: {}", ID.to_lowercase());
            created().say(&first().with(&lower).back(&lower))
        }),
        case("BUP-FR-04", || {
            created().say(
                &first()
                    .without("Content-Range")
                    .refused("400 Bad Request", "0x80070057"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-FR-05", || {
            created().say(&first().with("Content-Range: bytes 0-5119/*"))
        }),
        case("BUP-FR-06", || {
            created().say(&first().with("Content-Range: Bytes 0-5119/15360"))
        }),
        case("BUP-FR-07", || {
            let wrong = first().with("Content-Range: bytes 5000-10119/9000");
            created().say(&wrong.refused("400 Bad Request", "0x80070057"))
        })
        .also(&["BUP-ER-10"]),
        case("BUP-FR-08", || {
            created().say(&first().content(&"a".repeat(5119)))
        }),
        case("BUP-FR-09", || {
            created().say(&first().passes(4).unanswered()).hang_up()
        })
        .keeps(|| {
            created()
                .say(&first().passes(4).unanswered())
                .server_hangs_up()
        }),
        case("BUP-FR-10", || {
            begun().say(&second().with("Content-Range: bytes 5120-10239/15361"))
        }),
        case("BUP-FR-11", || created().say(&second().out_of_step(0)))
            .keeps(|| Dialogue::joined().say(&second())),
        case("BUP-FR-12", || begun().say(&third().out_of_step(5120)))
            .keeps(|| begun().all(&[second(), third()])),
        case("BUP-FR-13", || {
            begun().all(&[second(), fragment(5000, 10239)])
        })
        .keeps(|| begun().say(&second()).reconnect().all(&[ping(), second()])),
        case("BUP-FR-14", || {
            let other = second().content(&"z".repeat(5120));
            begun()
                .say(&second().unanswered())
                .reconnect()
                .all(&[ping(), other])
        })
        .keeps(|| {
            begun()
                .say(&second().unanswered())
                .reconnect()
                .all(&[ping(), second()])
        }),
    ];
    cases.extend([
        case("BUP-FR-15", || created().say(&fragment(0, 99)))
            .keeps(|| begun().all(&[second(), third()])),
        case("BUP-FR-16", || {
            created().say(&first().with("Content-Encoding: gzip"))
        })
        .keeps(|| {
            let offers = create().back("Accept-Encoding: identity, gzip");
            Dialogue::new().all(&[offers, first().with("Content-Encoding: gzip")])
        }),
        case("BUP-FR-17", || {
            created().say(&first().with("Content-Encoding: identity"))
        }),
        case("BUP-FR-18", || {
            let offers = create().back("Accept-Encoding: identity, gzip");
            Dialogue::new().all(&[offers, first().with("Content-Encoding: gzip"), second()])
        }),
        case("BUP-FR-19", || {
            begun().say(&second().line("BITS_POST /up/other.bin HTTP/1.1"))
        }),
        case("BUP-FR-19", || {
            complete().say(&close().line("BITS_POST /up/other.bin HTTP/1.1"))
        }),
        case("BUP-FR-20", || {
            begun().all(&[
                second()
                    .status("HTTP/1.1 413 Too Large")
                    .back_without("BITS-Received-Content-Range"),
                second(),
            ])
        })
        .keeps(|| {
            begun().all(&[
                fragment(5120, 15359)
                    .status("HTTP/1.1 413 Too Large")
                    .back_without("BITS-Received-Content-Range"),
                second(),
            ])
        }),
        case("BUP-FR-21", || complete().all(&[third(), close()]))
            .keeps(|| complete().reconnect().all(&[ping(), third(), close()])),
    ]);
    cases
}

fn ends() -> Vec<Case> {
    vec![
        case("BUP-CL-01", || {
            complete().say(
                &close()
                    .without("BITS-Session-Id")
                    .refused("400 Bad Request", "0x80070057"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-CL-02", || begun().say(&close())),
        case("BUP-CL-03", || {
            let last = third().back("BITS-Reply-URL: reply.bin");
            begun().all(&[second(), last, close()])
        })
        .also(&["BUP-AF-11"])
        .keeps(|| {
            let last = third().back("BITS-Reply-URL: reply.bin");
            begun().all(&[second(), last, get_reply(), close()])
        }),
        case("BUP-CL-04", || complete().hang_up()).keeps(complete),
        case("BUP-CL-05", || upload().say(&third().forgotten()))
            .also(&["BUP-ER-10"])
            .keeps(|| upload().reconnect().say(&close().forgotten())),
        case("BUP-CA-01", || {
            begun().say(
                &cancel()
                    .without("BITS-Session-Id")
                    .refused("400 Bad Request", "0x80070057"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-CA-02", || complete().say(&cancel())).keeps(|| begun().say(&cancel())),
        case("BUP-CA-03", || {
            begun().all(&[cancel(), second().forgotten()])
        })
        .also(&["BUP-ER-10"])
        .keeps(|| {
            begun()
                .say(&cancel())
                .reconnect()
                .say(&cancel().forgotten())
        }),
        case("BUP-CS-02", || {
            Dialogue::new()
                .say(&create().with(&format!("BITS-Supported-Protocols: {PROTOCOL},{OTHER}")))
        })
        .under(Profile::Docs),
    ]
}
