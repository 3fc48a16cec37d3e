//! Answers that get lost, connections that end, hang or never begin.

use std::net::TcpStream;

use crate::disturbed::{Disturbed, End, Peer, ack, packet, rule};

const LOST: &str = "{ drop_response = {} }";

/// A Ping whose answer arrives at the proxy, and both ends.
fn asked(run: &Disturbed) -> (Peer, Peer) {
    let mut client = run.client();
    client.say(packet("Ping", ""));
    let mut server = run.server();
    server.hear(packet("Ping", ""));
    server.say("HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 5\r\n\r\nhe");
    (client, server)
}

#[test]
fn a_lost_answer_is_read_to_its_end_before_the_client_meets_its_fate() {
    for stage in ["request.head", "response.head"] {
        for (then, at_client, at_server) in [
            ("{ reset = { side = \"client\" } }", End::Reset, End::Fin),
            ("{ reset = { side = \"server\" } }", End::Fin, End::Reset),
            ("{ reset = {} }", End::Reset, End::Reset),
            ("{ close = { side = \"client\" } }", End::Fin, End::Fin),
        ] {
            let keys = format!("stage = \"{stage}\"\ndo = [ {LOST}, {then} ]");
            let run = Disturbed::with(&rule(&keys));
            let (mut client, mut server) = asked(&run);
            server.say("llo");
            client.ends(at_client);
            server.ends(at_server);
            drop((client, server));
            let told = run.end();
            assert_eq!(told.exchanges(), ["Ping null no-response: r"], "{keys}");
            assert!(told.says("The server answered 200; a rule kept that from the client."));
            let name = if then.contains("reset") {
                "reset"
            } else {
                "close"
            };
            let wanted =
                format!("Rule r fired at {stage}: drop_response, {name} (match 1 of run).");
            assert_eq!(told.receipts(), [wanted]);
        }
    }
}

#[test]
fn a_lost_answer_alone_leaves_the_connection_open() {
    let run = Disturbed::with(&rule(&format!(
        "count = {{ times = 1 }}\nstage = \"response.head\"\ndo = [ {LOST} ]"
    )));
    let (mut client, mut server) = asked(&run);
    server.say("llo");
    client.say(packet("Ping", ""));
    server.hear(packet("Ping", ""));
    server.say(ack(""));
    // The first that the client hears is the answer to its second request.
    client.hear(ack(""));
    client.finish();
    server.ends(End::Fin);
    run.end();
}

#[test]
fn a_lost_answer_and_a_hang_until_the_client_gives_up() {
    let keys = format!("stage = \"response.head\"\ndo = [ {LOST}, {{ hang = {{}} }} ]");
    let run = Disturbed::with(&rule(&keys));
    let (mut client, mut server) = asked(&run);
    server.say("llo");
    run.wait_for("a rule kept that from the client");
    client.finish();
    server.ends(End::Fin);
    client.ends(End::Fin);
    drop((client, server));
    assert_eq!(run.end().exchanges(), ["Ping null no-response: r"]);
}

#[test]
fn each_side_meets_what_the_rule_says() {
    for (deed, at_client, at_server) in [
        ("{ reset = { side = \"client\" } }", End::Reset, End::Fin),
        ("{ reset = { side = \"server\" } }", End::Fin, End::Reset),
        ("{ reset = { side = \"both\" } }", End::Reset, End::Reset),
        ("{ close = { side = \"both\" } }", End::Fin, End::Fin),
        ("{ close = { side = \"client\" } }", End::Fin, End::Fin),
        ("{ close = { side = \"server\" } }", End::Fin, End::Fin),
    ] {
        let keys = format!("stage = \"response.head\"\ndo = [ {deed} ]");
        let run = Disturbed::with(&rule(&keys));
        let (mut client, mut server) = asked(&run);
        client.ends(at_client);
        server.ends(at_server);
        drop((client, server));
        let told = run.end();
        let exchanges = told.exchanges();
        assert_eq!(exchanges, ["Ping null no-response: r"], "{deed}");
    }
}

#[test]
fn a_request_whose_connection_is_reset_never_reaches_the_server() {
    let run = Disturbed::with(&rule("do = [ { reset = {} } ]"));
    let mut client = run.client();
    client.say(packet("Ping", ""));
    client.ends(End::Reset);
    assert!(run.is_undisturbed());
    let told = run.end();
    assert_eq!(told.exchanges(), ["Ping null no-response: r"]);
}

#[test]
fn a_hang_with_a_time_goes_on_afterwards() {
    let run = Disturbed::with(&rule("do = [ { hang = { ms = 30 } } ]"));
    let mut client = run.client();
    client.say(packet("Ping", ""));
    let mut server = run.server();
    server.hear(packet("Ping", ""));
    server.say(ack(""));
    client.hear(ack(""));
    client.finish();
    server.ends(End::Fin);
    assert_eq!(run.end().exchanges(), ["Ping 200 complete: r"]);
}

#[test]
fn connections_end_before_their_first_byte() {
    for (deed, end) in [
        ("{ reset = {} }", End::Reset),
        ("{ close = {} }", End::Fin),
        (
            "{ note = { text = \"let in\" } }, { close = { side = \"client\" } }",
            End::Fin,
        ),
    ] {
        let keys = format!(
            "count = {{ per = \"client\", times = 1 }}\nstage = \"connect\"\ndo = [ {deed} ]"
        );
        let run = Disturbed::with(&rule(&keys));
        run.client().ends(end);
        let mut client = run.client();
        client.say(packet("Ping", ""));
        let mut server = run.server();
        server.hear(packet("Ping", ""));
        server.say(ack(""));
        client.hear(ack(""));
        client.finish();
        server.ends(End::Fin);
        let told = run.end();
        let receipts = told.receipts();
        assert!(
            receipts[0].starts_with("Rule r fired at connect: "),
            "{receipts:?}"
        );
        assert_eq!(
            receipts[1],
            "Rule r matched at connect and did not fire: fired 1 of 1 times already (match 2 of client 127.0.0.1)."
        );
        assert_eq!(told.says("let in"), deed.contains("note"));
    }
}

#[test]
fn a_connection_that_waits_to_be_let_in_does_not_hold_up_the_end() {
    for deed in ["{ hang = {} }", "{ delay = { s = 3600 } }"] {
        let run = Disturbed::with(&rule(&format!("stage = \"connect\"\ndo = [ {deed} ]")));
        let mut client = run.client();
        run.wait_for("Rule r fired at connect");
        let told = run.end();
        client.ends(End::Fin);
        assert_eq!(told.code, Some(0));
        assert!(told.says("The proxy closes this connection: the proxy shuts down."));
    }
}

/// A proxy whose port refuses for `time` after its first connection.
fn refusing(time: &str) -> Disturbed {
    let keys = "count = { times = 1 }\nstage = \"connect\"";
    let rules = rule(&format!("{keys}\ndo = [ {{ refuse = {{ {time} }} }} ]"));
    let run = Disturbed::acking(&rules, &[]);
    run.client().ends(End::Reset);
    run
}

/// Connects, unless the port refuses. On loopback a socket may meet itself while nobody listens.
fn connected(run: &Disturbed) -> Option<TcpStream> {
    let stream = TcpStream::connect(run.proxy.address()).ok()?;
    (stream.local_addr().ok()? != run.proxy.address()).then_some(stream)
}

#[test]
fn a_port_refuses_for_its_time() {
    let run = refusing("s = 3600");
    // What waits while the port closes is still taken, or reset.
    while connected(&run).is_some() {}
    let told = run.end();
    assert!(told.receipts()[0].starts_with("Rule r fired at connect: refuse"));
    assert!(told.says("refuse new connections for 3600s"));
}

#[test]
fn a_port_that_refuses_opens_again() {
    let run = refusing("ms = 1");
    let is_answered = |stream: TcpStream| {
        let mut client = Peer::from(stream);
        client.try_say(packet("Ping", "")) && client.try_take(1).is_some()
    };
    while !connected(&run).is_some_and(is_answered) {}
    run.end();
}

#[test]
fn a_close_is_met_by_a_rule() {
    for (deed, at_server) in [
        ("{ reset = { side = \"server\" } }", End::Reset),
        (
            "{ note = { text = \"it goes\" } }, { delay = { ms = 1 } }",
            End::Fin,
        ),
    ] {
        let keys = format!("when = \"bits.type == ping\"\nstage = \"close\"\ndo = [ {deed} ]");
        let run = Disturbed::with(&rule(&keys));
        let mut client = run.client();
        client.say(packet("Ping", ""));
        let mut server = run.server();
        server.hear(packet("Ping", ""));
        client.finish();
        server.ends(at_server);
        drop(server);
        client.ends(End::Fin);
        let told = run.end();
        assert!(
            told.receipts()[0].starts_with("Rule r fired at close: "),
            "{:?}",
            told.receipts()
        );
        assert_eq!(told.says("it goes"), deed.contains("note"));
    }
}
