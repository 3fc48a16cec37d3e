//! Contents that are cut, swallowed or broken at a place, and messages that come twice.

use crate::disturbed::{Disturbed, End, ack, fragment, packet, rule};

/// Bytes that are the same nowhere near.
fn content(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

#[test]
fn a_cut_at_an_offset_of_the_file_inside_a_fragment() {
    let mib = 1 << 20;
    let place = 5 * mib + 3;
    let keys = format!(
        "when = \"bits.type == fragment\"\ncount = {{ per = \"session\", times = 1 }}\nstage = \"request.body\"\nat = {{ file = {place} }}\ndo = [ {{ reset = {{ side = \"both\" }} }} ]"
    );
    let run = Disturbed::with(&rule(&keys));
    let total = 12 * mib;
    let mut client = run.client();
    let first = fragment(0, 4 * mib - 1, total);
    let sender = std::thread::spawn(move || {
        client.say(first);
        client.say(content(4 * mib));
        client.hear(ack(""));
        client.say(fragment(4 * mib, 8 * mib - 1, total));
        client.say(&content(4 * mib)[..(2 << 20)]);
        client
    });
    let mut server = run.server();
    server.hear(fragment(0, 4 * mib - 1, total));
    assert!(server.take(4 << 20) == content(4 * mib));
    server.say(ack(""));
    server.hear(fragment(4 * mib, 8 * mib - 1, total));
    let (got, end) = server.rest();
    assert_eq!((got.len() as u64, end), (place - 4 * mib, End::Reset));
    assert!(content(4 * mib).starts_with(&got));
    sender.join().unwrap().ends(End::Reset);
    let told = run.end();
    assert_eq!(
        told.exchanges(),
        ["Fragment 200 complete: ", "Fragment null cut-request: r"]
    );
    assert_eq!(
        told.receipts(),
        ["Rule r fired at request.body: reset (match 1 of session 127.0.0.1 /up/f)."]
    );
    let byte = place - 4 * mib;
    assert!(told.says(&format!("ends before byte {byte} of the content: rule r")));
}

#[test]
fn places_of_the_content_and_of_its_length() {
    for (at, passes) in [
        ("{ body = 3 }", "012"),
        ("{ percent = 50 }", "01234"),
        ("{ file = 10 }", ""),
    ] {
        let keys = format!(
            "stage = \"request.body\"\nat = {at}\ndo = [ {{ close = {{ side = \"server\" }} }} ]"
        );
        let run = Disturbed::with(&rule(&keys));
        let mut client = run.client();
        client.say(fragment(10, 19, 30) + "0123456789");
        let mut server = run.server();
        server.hear(fragment(10, 19, 30) + passes);
        server.ends(End::Fin);
        client.ends(End::Fin);
        assert_eq!(
            run.end().exchanges(),
            ["Fragment null no-response: r"],
            "{at}"
        );
    }
}

#[test]
fn a_content_is_swallowed_from_its_place_on() {
    let run = Disturbed::with(&rule(
        "stage = \"request.body\"\nat = { body = 4 }\ndo = [ { truncate = {} } ]",
    ));
    let mut client = run.client();
    client.say(fragment(10, 19, 30) + "0123456789");
    let mut server = run.server();
    server.hear(fragment(10, 19, 30) + "0123");
    client.finish();
    server.ends(End::Fin);
    drop(server);
    client.ends(End::Fin);
    let told = run.end();
    assert_eq!(told.exchanges(), ["Fragment null no-response: r"]);
}

/// Flips bits of an answer; returns what differs as (place, bits).
fn flipped(seed: &str) -> Vec<(usize, u8)> {
    let keys =
        "stage = \"response.body\"\nat = { body = 5 }\ndo = [ { flip = { bytes = 4, bits = 3 } } ]";
    let run = Disturbed::start(&rule(keys), &["--seed", seed]);
    assert_eq!(run.proxy.ready["seed"].to_string(), seed);
    let mut client = run.client();
    client.say(packet("Ping", ""));
    let mut server = run.server();
    server.hear(packet("Ping", ""));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
    server.say(format!("{head}hello, world"));
    client.hear(head);
    let got = client.take(12);
    client.finish();
    server.ends(End::Fin);
    assert_eq!(run.end().exchanges(), ["Ping 200 complete: r"]);
    let pairs = got.iter().zip(b"hello, world").enumerate();
    pairs
        .filter(|(_, (got, sent))| got != sent)
        .map(|(place, (got, sent))| (place, got ^ sent))
        .collect()
}

#[test]
fn exactly_the_drawn_bits_are_flipped() {
    let drawn = flipped("7");
    let places: Vec<usize> = drawn.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [5, 6, 7, 8]);
    assert!(
        drawn.iter().all(|(_, bits)| bits.count_ones() == 3),
        "{drawn:?}"
    );
    assert_eq!(flipped("7"), drawn);
    assert_ne!(flipped("8"), drawn);
}

#[test]
fn a_request_is_sent_once_more_and_the_client_gets_one_answer() {
    let rules = rule("when = \"bits.type == fragment\"\ndo = [ { duplicate = {} } ]");
    let run = Disturbed::with(&rules);
    let mut client = run.client();
    let request = fragment(0, 9, 30) + "0123456789";
    client.say(&request);
    let mut server = run.server();
    server.hear(request.repeat(2));
    server.say(ack("BITS-Received-Content-Range: 10\r\n"));
    server.say("HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n");
    client.hear(ack("BITS-Received-Content-Range: 10\r\n"));
    client.say(packet("Ping", ""));
    server.hear(packet("Ping", ""));
    server.say(ack(""));
    client.hear(ack(""));
    client.finish();
    server.ends(End::Fin);
    let told = run.end();
    assert_eq!(
        told.exchanges(),
        ["Fragment 200 complete: r", "Ping 200 complete: "]
    );
}

#[test]
fn an_ack_is_sent_more_often() {
    let rules = rule("stage = \"response.head\"\ndo = [ { duplicate = { times = 2 } } ]");
    let run = Disturbed::with(&rules);
    let mut client = run.client();
    client.say(packet("Ping", ""));
    let mut server = run.server();
    server.hear(packet("Ping", ""));
    server.say(ack(""));
    client.hear(ack("").repeat(3));
    client.finish();
    server.ends(End::Fin);
    server.finish();
    client.ends(End::Fin);
    let told = run.end();
    assert_eq!(told.exchanges()[0], "Ping 200 complete: r");
}
