//! What a server can do wrong in one answer.

use std::time::Duration;

use bitstap::timeline::Profile;

use crate::dialogue::*;
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    [acks(), sessions(), offsets(), replies(), errors()].concat()
}

fn acks() -> Vec<Case> {
    vec![
        case("BUP-AK-01", || {
            created().say(&first().back("BITS-Packet-Type: Fragment"))
        }),
        case("BUP-AK-02", || {
            created().say(&first().back("BITS-Packet-Type: ACK"))
        }),
        case("BUP-GN-07", || {
            created().say(&first().back("BITS-Packet-Type: aCk"))
        }),
        case("BUP-AK-03", || {
            created()
                .say(&first().back_without("Content-Length"))
                .server_hangs_up()
        }),
        case("BUP-AK-04", || created().say(&first().reply("thanks"))),
        case("BUP-AK-05", || {
            created().say(&first().back_without("BITS-Session-Id"))
        }),
        case("BUP-AK-06", || {
            created().say(&first().back(&format!("BITS-Session-Id: {OTHER}")))
        }),
        case("BUP-AK-07", || {
            created()
                .say(&first())
                .blurts("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .hang_up()
        }),
    ]
}

fn sessions() -> Vec<Case> {
    vec![
        case("BUP-AC-01", || {
            Dialogue::new().say(&create().back(&format!("BITS-Protocol: {OTHER}")))
        })
        .keeps(|| {
            Dialogue::new()
                .say(&create().back(&format!("BITS-Protocol: {}", PROTOCOL.to_uppercase())))
        }),
        case("BUP-AC-02", || {
            Dialogue::new().say(&create().back_without("BITS-Session-Id"))
        }),
        case("BUP-AC-03", || {
            Dialogue::new().say(&create().back("BITS-Session-Id: -8123456"))
        }),
        case("BUP-AC-04", || {
            Dialogue::new().say(&create().status("HTTP/1.1 201 Created"))
        }),
        case("BUP-AC-05", || {
            let refused = create()
                .refused("403 Forbidden", "0x80070005")
                .back_without("BITS-Session-Id");
            Dialogue::new().say(&refused.back(&format!("BITS-Protocol: {PROTOCOL}")))
        })
        .also(&["BUP-ER-10"]),
        case("BUP-AC-06", || {
            begun()
                .connect("10.0.0.6")
                .say(&create().line("BITS_POST /up/g.bin HTTP/1.1"))
        })
        .keeps(|| {
            upload()
                .connect("10.0.0.6")
                .say(&create().line("BITS_POST /up/g.bin HTTP/1.1"))
        }),
        case("BUP-AC-07", || {
            Dialogue::new().say(&create().back_without("Accept-Encoding"))
        }),
        case("BUP-AC-08", || {
            let host = create()
                .back("BITS-Host-Id: http://srv1/")
                .back("BITS-Host-Id-Fallback-Timeout: 110");
            Dialogue::new().say(&host)
        })
        .keeps(|| {
            let host = create()
                .back("BITS-Host-Id: srv1.example.test")
                .back("BITS-Host-Id-Fallback-Timeout: 110");
            Dialogue::new().say(&host)
        }),
        case("BUP-AC-09", || {
            Dialogue::new().say(&create().back("BITS-Host-Id-Fallback-Timeout: 110"))
        }),
        case("BUP-AC-10", || {
            Dialogue::new().say(&create().back("BITS-Host-Id: srv1"))
        }),
    ]
}

fn offsets() -> Vec<Case> {
    vec![
        case("BUP-AF-01", || {
            created().say(&first().back_without("BITS-Received-Content-Range"))
        }),
        case("BUP-AF-02", || {
            begun().say(
                &third()
                    .out_of_step(0)
                    .back_without("BITS-Received-Content-Range"),
            )
        })
        .also(&["BUP-FR-12"]),
        case("BUP-AF-03", || {
            created().say(&first().back("BITS-Received-Content-Range: bytes 0-5119"))
        }),
        case("BUP-AF-04", || {
            begun().all(&[second(), third().back("BITS-Received-Content-Range: 15361")])
        }),
        case("BUP-AF-05", || {
            created().say(&first().back("BITS-Received-Content-Range: 5119"))
        }),
        case("BUP-AF-06", || {
            created().say(&first().back("BITS-Received-Content-Range: 10240"))
        })
        .keeps(|| {
            begun()
                .say(&second())
                .reconnect()
                .all(&[ping(), first().back("BITS-Received-Content-Range: 10240")])
        }),
        case("BUP-AF-07", || {
            begun().say(&second().back("BITS-Received-Content-Range: 100"))
        })
        .keeps(|| {
            begun()
                .all(&[second(), third()])
                .reconnect()
                .all(&[ping(), third().out_of_step(100)])
        }),
        case("BUP-AF-08", || begun().say(&third())).also(&["BUP-FR-12"]),
        case("BUP-AF-09", || begun().say(&second().out_of_step(5120))).keeps(|| {
            begun()
                .say(&second())
                .reconnect()
                .all(&[ping(), second().out_of_step(10240)])
        }),
        case("BUP-AF-13", || {
            created().say(&first().thinks(Duration::from_secs(301)))
        })
        .keeps(|| created().say(&first().thinks(Duration::from_secs(299)))),
    ]
}

fn replies() -> Vec<Case> {
    vec![
        case("BUP-AF-10", || {
            created().say(&first().back("BITS-Reply-URL: http://bits.example.test/up/reply.bin"))
        })
        .keeps(|| {
            begun().all(&[
                second(),
                third().back("BITS-Reply-URL: http://bits.example.test/up/reply.bin"),
            ])
        }),
        case("BUP-AF-11", || {
            begun().all(&[second(), third().back(r"BITS-Reply-URL: Replies\reply.bin")])
        })
        .keeps(|| {
            begun().all(&[
                second(),
                third().back("BITS-Reply-URL: http://bits.example.test/up/reply.bin"),
            ])
        }),
        case("BUP-AF-12", || {
            let url = format!(
                "BITS-Reply-URL: http://bits.example.test/{}",
                "r".repeat(2200)
            );
            begun().all(&[second(), third().back(&url)])
        }),
    ]
}

fn errors() -> Vec<Case> {
    vec![
        case("BUP-ER-01", || {
            Dialogue::new().say(
                &ping()
                    .back("BITS-Error-Code: 0x1")
                    .back("BITS-Error-Context: 0x5"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-ER-02", || {
            begun().say(
                &second()
                    .refused("403 Forbidden", "0x80070005")
                    .back_without("BITS-Error-Code"),
            )
        }),
        case("BUP-ER-03", || {
            begun().say(
                &second()
                    .refused("403 Forbidden", "0x80070005")
                    .back_without("BITS-Error-Context"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-ER-04", || {
            begun().say(
                &second()
                    .refused("403 Forbidden", "0x80070005")
                    .back_without("BITS-Error-Code")
                    .back_without("BITS-Error-Context"),
            )
        })
        .keeps(|| begun().say(&second().refused("403 Forbidden", "0x80070005"))),
        case("BUP-ER-05", || {
            begun().say(&second().refused("400 Bad Request", "-2147024809"))
        })
        .also(&["BUP-ER-10"])
        .keeps(|| begun().say(&second().refused("400 Bad Request", "x80070057"))),
        case("BUP-ER-06", || {
            begun().say(
                &second()
                    .refused("400 Bad Request", "0x80070057")
                    .back("BITS-Error-Context: 0x1"),
            )
        })
        .also(&["BUP-ER-10"]),
        case("BUP-ER-07", || {
            begun().say(&second().refused("400 Bad Request", "0x00000001"))
        })
        .also(&["BUP-ER-10"]),
        case("BUP-ER-08", || {
            begun().say(&second().refused("503 Service Unavailable", "0x80200020"))
        })
        .also(&["BUP-ER-10"])
        .keeps(|| begun().say(&second().refused("500 Internal Server Error", "0x80200020"))),
        case("BUP-ER-09", || {
            begun().say(
                &second()
                    .refused("400 Bad Request", "0x80070057")
                    .back("BITS-Error: 0x80070005"),
            )
        })
        .also(&["BUP-ER-10"])
        .keeps(|| {
            begun().say(
                &second()
                    .refused("400 Bad Request", "0x80070057")
                    .back("BITS-Error: 80070057"),
            )
        }),
        case("BUP-ER-10", || {
            begun().say(&second().refused("400 Bad Request", "0x80070057"))
        }),
        case("BUP-ER-10", || {
            begun().say(&second().refused("400 Bad Request", "0x80070057"))
        })
        .under(Profile::Spec),
    ]
}
