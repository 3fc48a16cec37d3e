//! Delays, limits and holds: that all arrives, in which order, and what is told; never how long it took.

use crate::binary::of_type;
use crate::disturbed::{Disturbed, End, Peer, ack, fragment, packet, rule};

/// Sends a Fragment of `len` bytes and checks both ends.
fn pass(run: &Disturbed, len: u64) {
    let mut client = run.client();
    let request = [
        fragment(0, len - 1, len).into_bytes(),
        vec![b'x'; len.try_into().unwrap()],
    ]
    .concat();
    let sent = request.clone();
    let sender = std::thread::spawn(move || {
        client.say(sent);
        client.hear(ack(""));
        client.finish();
        client
    });
    let mut server = run.server();
    server.hear(request);
    server.say(ack(""));
    server.ends(End::Fin);
    drop(server);
    sender.join().unwrap().ends(End::Fin);
}

#[test]
fn slow_messages_arrive_whole() {
    for deed in [
        "{ delay = { ms = 5, jitter = 5 } }, { delay = { ms = 1 } }",
        "{ limit = { rate = \"10MiB/s\", scope = \"connection\" } }",
        "{ limit = { rate = \"80Mbit/s\", scope = \"run\", direction = \"to-server\" } }, { delay = { ms = 1 } }",
        "{ limit = { rate = \"10MiB/s\", scope = \"session\" } }, { limit = { rate = \"9MiB/s\", scope = \"client\" } }",
        "{ dribble = { bytes = \"40KiB\", every = \"1ms\" } }",
    ] {
        for stage in ["request.head", "response.head", "request.body"] {
            let keys = format!("stage = \"{stage}\"\ndo = [ {deed} ]");
            let run = Disturbed::with(&rule(&keys));
            pass(&run, 300_000);
            assert_eq!(
                run.end().exchanges(),
                ["Fragment 200 complete: r"],
                "{keys}"
            );
        }
    }
}

/// Asks on two connections, first on the one that a rule delays; returns who was heard first.
#[test]
fn a_delayed_message_stops_no_other_connection() {
    let keys = "when = \"bits.type == ping\"\ndo = [ { delay = { ms = 300 } } ]";
    let run = Disturbed::with(&rule(keys));
    let mut slow = run.client();
    slow.say(packet("Ping", ""));
    run.wait_for("Rule r fired at request.head: delay");
    let mut quick = run.client();
    quick.say(packet("Create-Session", ""));
    for (client, kind) in [(&mut quick, "Create-Session"), (&mut slow, "Ping")] {
        let mut server = run.server();
        server.hear(packet(kind, ""));
        server.say(ack(""));
        client.hear(ack(""));
    }
    drop((slow, quick));
    run.end();
}

#[test]
fn a_limit_is_shared_by_its_scope() {
    // So slow that what one connection took is felt by the other: the second byte of the run is late.
    let keys = "when = \"bits.type == fragment\"\nstage = \"request.body\"\ndo = [ { limit = { rate = 20, scope = \"SCOPE\", direction = \"to-server\" } } ]";
    for (scope, shared) in [("run", true), ("client", true), ("connection", false)] {
        let run = Disturbed::with(&rule(&keys.replace("SCOPE", scope)));
        let begin = |run: &Disturbed| -> (Peer, Peer) {
            let mut client = run.client();
            client.say(fragment(0, 9, 10) + "0123456789");
            let mut server = run.server();
            server.hear(fragment(0, 9, 10));
            (client, server)
        };
        let ends: Vec<(Peer, Peer)> = (0..2).map(|_| begin(&run)).collect();
        for (mut client, mut server) in ends {
            server.hear("0123456789");
            server.say(ack(""));
            client.hear(ack(""));
        }
        let told = run.end();
        let ms = |value: &serde_json::Value| value.as_f64().expect("a number");
        let times = of_type(&told.view, "exchange").into_iter().map(|line| {
            let (begun, time) = (ms(&line["t"]) * 1000.0, &line["time"]);
            (
                begun,
                begun + ms(&time["request_ms"]) + ms(&time["wait_ms"]),
            )
        });
        let (begun, answered): (Vec<f64>, Vec<f64>) = times.unzip();
        let first = begun.into_iter().fold(f64::MAX, f64::min);
        let took = answered.into_iter().fold(0.0, f64::max) - first;
        // Twenty bytes at twenty a second, or ten on each: a busy machine only makes it longer.
        assert!(!shared || took >= 600.0, "{scope}: {took} ms");
    }
}

#[test]
fn a_held_message_goes_on_when_its_time_is_over() {
    for (stage, packet_kind) in [("request.head", "Ping"), ("response.head", "Ping")] {
        let keys = format!("stage = \"{stage}\"\ndo = [ {{ hold = {{ ms = 20 }} }} ]");
        let run = Disturbed::with(&rule(&keys));
        let mut client = run.client();
        client.say(packet(packet_kind, ""));
        let mut server = run.server();
        server.hear(packet(packet_kind, ""));
        server.say(ack(""));
        client.hear(ack(""));
        client.finish();
        server.ends(End::Fin);
        let told = run.end();
        assert_eq!(told.exchanges(), ["Ping 200 complete: r"]);
        assert!(told.says(&format!("Held at {stage} for the operator.")));
        assert!(told.says("Went on by itself: the time to hold it was over."));
    }
}
