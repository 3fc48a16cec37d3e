//! What goes wrong over several packets: order, connections, hosts, credentials, the application behind.

use std::time::Duration;

use bitstap::timeline::Profile;

use crate::dialogue::*;
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    [sessions(), servers(), credentials(), applications()].concat()
}

fn refused_create() -> Step {
    create()
        .refused("403 Forbidden", "0x80070005")
        .back_without("BITS-Session-Id")
}

fn farm() -> Step {
    create()
        .back("BITS-Host-Id: node2.example.test")
        .back("BITS-Host-Id-Fallback-Timeout: 110")
}

fn sessions() -> Vec<Case> {
    const NODE: &str = "Host: node2.example.test";
    vec![
        case("BUP-SE-01", || {
            Dialogue::new().all(&[refused_create(), first().forgotten()])
        })
        .also(&["BUP-ER-10"])
        .keeps(|| Dialogue::new().all(&[refused_create(), ping(), create(), first()])),
        case("BUP-SE-02", || begun().pipelined(&second(), &third())),
        case("BUP-SE-03", || {
            begun()
                .wait(Duration::from_hours(15 * 24))
                .all(&[second().forgotten(), second().forgotten()])
        })
        .also(&["BUP-ER-10"])
        .keeps(|| {
            begun().wait(Duration::from_hours(15 * 24)).all(&[
                second().forgotten(),
                ping(),
                create(),
                first(),
            ])
        }),
        case("BUP-SE-04", || {
            let refused = || cancel().refused("400 Bad Request", "0x80070057");
            begun().all(&[refused(), refused()])
        })
        .also(&["BUP-ER-10"])
        .keeps(|| {
            begun().all(&[
                cancel().refused("503 Service Unavailable", "0x80004005"),
                cancel(),
            ])
        }),
        case("BUP-SE-05", || begun().reconnect().say(&second()))
            .keeps(|| begun().reconnect().all(&[ping(), second()])),
        case("BUP-SE-06", || Dialogue::new().all(&[farm(), first()])).keeps(|| {
            Dialogue::new()
                .say(&farm())
                .wait(Duration::from_secs(111))
                .say(&first())
        }),
        case("BUP-SE-07", || {
            Dialogue::new().all(&[farm(), first().with(NODE)])
        })
        .keeps(|| Dialogue::new().all(&[farm(), ping().with(NODE), first().with(NODE)])),
        case("BUP-SE-11", || {
            begun().all(&[
                second().out_of_step(5120),
                second().out_of_step(5120),
                second().out_of_step(5120),
            ])
        })
        .also(&["BUP-AF-09"])
        .keeps(|| begun().all(&[second(), third(), close()])),
        case("BUP-SE-12", || {
            let other = create().back(&format!("BITS-Session-Id: {OTHER}"));
            begun().connect("10.0.0.6").say(&other)
        })
        .keeps(|| {
            let other = create().back(&format!("BITS-Session-Id: {OTHER}"));
            upload().connect("10.0.0.6").say(&other)
        }),
    ]
}

fn servers() -> Vec<Case> {
    vec![
        case("BUP-SE-08", || upload().say(&close()))
            .also(&["BUP-CL-05"])
            .keeps(|| upload().reconnect().say(&close().forgotten())),
        case("BUP-SE-09", || begun().say(&second().forgotten()))
            .also(&["BUP-ER-10"])
            .keeps(|| {
                begun()
                    .wait(Duration::from_hours(15 * 24))
                    .say(&second().forgotten())
            }),
        case("BUP-SE-10", || {
            Dialogue::new().say(&ping().with("BITS-Packet-Type: Upload"))
        })
        .also(&["BUP-GN-06"])
        .keeps(|| Dialogue::new().say(&ping())),
    ]
}

const TYPE_1: &str = "Authorization: NTLM TlRMTVNTUAABAAAAB4IIogAAAAA=";
const TYPE_3: &str = "Authorization: NTLM TlRMTVNTUAADAAAAGAAYAHIAAAA=";
const CHALLENGE: &str = "NTLM TlRMTVNTUAACAAAADAAMADgAAAA=";

fn credentials() -> Vec<Case> {
    vec![
        case("BUP-AU-01", || {
            Dialogue::new().say(&ping().challenged("x").back_without("WWW-Authenticate"))
        })
        .keeps(|| Dialogue::new().say(&ping().challenged("Negotiate"))),
        case("BUP-AU-02", || {
            Dialogue::new()
                .all(&[
                    ping().challenged("NTLM"),
                    ping().with(TYPE_1).challenged(CHALLENGE),
                ])
                .reconnect()
                .say(&ping().with(TYPE_3))
        })
        .keeps(|| {
            Dialogue::new().all(&[
                ping().with(TYPE_1).challenged(CHALLENGE),
                ping().with(TYPE_3),
            ])
        }),
        case("BUP-AU-03", || {
            Dialogue::new()
                .say(
                    &ping()
                        .with(TYPE_1)
                        .challenged(CHALLENGE)
                        .back("Connection: close"),
                )
                .server_hangs_up()
        }),
        case("BUP-AU-04", || {
            Dialogue::new().all(&vec![ping().challenged("Negotiate"); 6])
        })
        .keeps(|| Dialogue::new().all(&vec![ping().challenged("Negotiate"); 5])),
        case("BUP-AU-05", || {
            Dialogue::new().say(&ping().with("Authorization: Basic dTpw"))
        })
        .keeps(|| {
            Dialogue::new()
                .tls()
                .say(&ping().with("Authorization: Basic dTpw"))
        }),
        case("BUP-AU-06", || {
            let redirect = ping()
                .status("HTTP/1.1 302 Found")
                .back_without("BITS-Packet-Type")
                .back("Location: http://other.test/");
            Dialogue::new().say(&redirect)
        }),
    ]
}

fn applications() -> Vec<Case> {
    let told = || Dialogue::new().say(&notify());
    vec![
        case("BUP-NT-01", || {
            Dialogue::new().say(&notify().with("BITS-Original-Request-URL: /up/f.bin"))
        })
        .keeps(told),
        case("BUP-NT-02", || {
            Dialogue::new().say(&notify().without("BITS-Response-DataFile-Name"))
        })
        .keeps(|| {
            let value = notify()
                .without("BITS-Request-DataFile-Name")
                .without("BITS-Response-DataFile-Name");
            Dialogue::new().say(&value.content("the file"))
        }),
        case("BUP-NT-03", || {
            let text = notify()
                .without("BITS-Request-DataFile-Name")
                .without("BITS-Response-DataFile-Name")
                .with(r"BITS-Request-DataEntity-Name: D:\a")
                .with(r"BITS-Response-DataEntity-Name: D:\b");
            Dialogue::new().say(&text)
        })
        .keeps(told),
        case("BUP-NT-03", told).under(Profile::Spec),
        case("BUP-NT-04", || {
            Dialogue::new().say(&notify().back("BITS-Static-Response-URL: /reply.bin"))
        })
        .keeps(|| {
            Dialogue::new().say(&notify().back("BITS-Static-Response-URL: http://a.test/reply.bin"))
        }),
        case("BUP-NT-05", || {
            Dialogue::new().say(&notify().thinks(Duration::from_secs(301)))
        })
        .keeps(told),
        case("BUP-NT-06", || refused_by_application("0x5"))
            .also(&["BUP-ER-10"])
            .keeps(|| refused_by_application("0x7")),
    ]
}

fn refused_by_application(context: &str) -> Dialogue {
    let last = third()
        .refused("503 Service Unavailable", "0x801901F7")
        .back(&format!("BITS-Error-Context: {context}"));
    let refusal = notify().status("HTTP/1.1 503 Service Unavailable");
    begun()
        .say(&second())
        .connect("192.0.2.1")
        .say(&refusal)
        .on(1)
        .say(&last)
}
