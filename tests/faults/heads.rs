//! Answers of the proxy's own, and heads that are changed.

use crate::disturbed::{Disturbed, ack, fragment, packet, rule};

/// Sends a Fragment to a proxy that answers it itself; returns the answer.
fn answered(action: &str) -> String {
    let run = Disturbed::with(&rule(&format!("do = [ {{ respond = {{ {action} }} }} ]")));
    let mut client = run.client();
    client.say(fragment(10, 19, 30) + "0123456789");
    let head = client.head();
    let len = head
        .split("Content-Length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next());
    let content = client.take(len.map_or(0, |len| len.parse().unwrap()));
    assert!(run.is_undisturbed(), "the server heard of it");
    let told = run.end();
    let status = &head[9..12];
    assert_eq!(told.exchanges(), [format!("Fragment {status} injected: r")]);
    assert_eq!(
        told.receipts(),
        ["Rule r fired at request.head: respond (match 1 of run)."]
    );
    assert!(told.says(&format!("The proxy answers {status} itself: rule r.")));
    head.replace("\r\n", "|") + &String::from_utf8(content).unwrap()
}

#[test]
fn the_proxy_answers_as_a_server_would() {
    let rows = [
        (
            "status = 500, bits = { error = \"BG_E_SESSION_NOT_FOUND\", context = \"0x5\" }",
            "HTTP/1.1 500 Internal Server Error|BITS-Packet-Type: Ack|BITS-Session-Id: {3F2B}|BITS-Error-Code: 0x8020001F|BITS-Error-Context: 0x5|Content-Length: 0||",
        ),
        (
            "status = 500, error_header = \"BITS-Error\", bits = { error = \"0x80070005\" }",
            "HTTP/1.1 500 Internal Server Error|BITS-Packet-Type: Ack|BITS-Session-Id: {3F2B}|BITS-Error: 0x80070005|BITS-Error-Context: 0x5|Content-Length: 0||",
        ),
        (
            "status = 501, error_header = \"both\", bits = { error = \"0x80070005\", context = \"0x7\" }",
            "HTTP/1.1 501 Not Implemented|BITS-Packet-Type: Ack|BITS-Session-Id: {3F2B}|BITS-Error-Code: 0x80070005|BITS-Error: 0x80070005|BITS-Error-Context: 0x7|Content-Length: 0||",
        ),
        (
            "status = 200",
            "HTTP/1.1 200 OK|BITS-Packet-Type: Ack|BITS-Session-Id: {3F2B}|BITS-Received-Content-Range: 20|Content-Length: 0||",
        ),
        (
            "status = 416, bits = { received = \"-15\" }",
            "HTTP/1.1 416 Requested Range Not Satisfiable|BITS-Packet-Type: Ack|BITS-Session-Id: {3F2B}|BITS-Received-Content-Range: 5|Content-Length: 0||",
        ),
        (
            "status = 200, bits = { received = \"total-1\" }",
            "HTTP/1.1 200 OK|BITS-Packet-Type: Ack|BITS-Session-Id: {3F2B}|BITS-Received-Content-Range: 29|Content-Length: 0||",
        ),
        (
            "status = 200, bits = { received = { text = \"none\" } }",
            "HTTP/1.1 200 OK|BITS-Packet-Type: Ack|BITS-Session-Id: {3F2B}|BITS-Received-Content-Range: none|Content-Length: 0||",
        ),
        (
            "status = 503, reason = \"Not Now\", no_ack = true, headers = { Retry-After = \"10\" }, body = \"<p>later</p>\"",
            "HTTP/1.1 503 Not Now|Content-Type: text/html|Content-Length: 12|Retry-After: 10||<p>later</p>",
        ),
        (
            "status = 200, no_ack = true, body_base64 = \"aGk=\"",
            "HTTP/1.1 200 OK|Content-Type: text/plain; charset=utf-8|Content-Length: 2||hi",
        ),
    ];
    for (action, wanted) in rows {
        assert_eq!(answered(action), wanted, "{action}");
    }
}

#[test]
fn an_answer_in_the_place_of_the_servers() {
    let rules = rule(
        "stage = \"response.head\"\ndo = [ { respond = { status = 500, bits = { error = \"0x801901F4\", context = \"0x7\" } } } ]",
    );
    let run = Disturbed::with(&rules);
    let mut client = run.client();
    let request = fragment(10, 19, 30) + "0123456789";
    client.say(&request);
    let mut server = run.server();
    server.hear(&request);
    server.say("HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 20\r\nContent-Length: 5\r\n\r\nhello");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert!(
        head.contains("BITS-Error-Code: 0x801901F4\r\nBITS-Error-Context: 0x7\r\n"),
        "{head}"
    );
    // The connection goes on.
    client.say(packet("Ping", ""));
    server.hear(packet("Ping", ""));
    server.say(ack(""));
    assert!(
        client.head().starts_with("HTTP/1.1 500 "),
        "every match fires"
    );
    client.finish();
    server.ends(crate::disturbed::End::Fin);
    let told = run.end();
    assert_eq!(
        told.exchanges(),
        ["Fragment 500 injected: r", "Ping 500 injected: r"]
    );
}

#[test]
fn a_request_that_is_answered_halfway_ends_the_connection() {
    let rules = rule(
        "stage = \"request.body\"\nat = { file = 15 }\ndo = [ { respond = { status = 413 } } ]",
    );
    let run = Disturbed::with(&rules);
    let mut client = run.client();
    let request = fragment(10, 19, 30);
    client.say(request.clone() + "0123456789");
    let mut server = run.server();
    server.hear(request + "01234");
    assert!(client.head().starts_with("HTTP/1.1 413 "));
    client.ends(crate::disturbed::End::Fin);
    server.ends(crate::disturbed::End::Reset);
    let told = run.end();
    assert_eq!(told.exchanges(), ["Fragment 413 injected: r"]);
}

#[test]
fn heads_are_changed_in_place_on_their_way_to_the_server() {
    let rules = rule(
        "do = [ { set = { headers = { host = \"other.test\", X-New = \"1\" }, bits = { session_id = \"{BAD}\" } } }, { remove = { headers = [\"user-agent\"] } }, { set = { version = \"1.0\" } } ]",
    );
    let run = Disturbed::with(&rules);
    let mut client = run.client();
    client.say("BITS_POST /f HTTP/1.1\r\nUser-Agent: a\r\nHOST:  h.test\r\nBits-Session-ID: {3F2B}\r\nuser-agent: b\r\nContent-Length: 4\r\n\r\nbody");
    let mut server = run.server();
    server.hear("BITS_POST /f HTTP/1.0\r\nHOST:  other.test\r\nBits-Session-ID: {BAD}\r\nContent-Length: 4\r\nX-New: 1\r\n\r\nbody");
    server.say(ack(""));
    client.hear(ack(""));
    client.finish();
    server.ends(crate::disturbed::End::Fin);
    let told = run.end();
    assert_eq!(
        told.receipts(),
        ["Rule r fired at request.head: set, remove, set (match 1 of run)."]
    );
}

#[test]
fn heads_are_changed_in_place_on_their_way_to_the_client() {
    let rules = rule(
        "stage = \"response.head\"\ndo = [ { set = { status = 416, reason = \"Range\", bits = { received = \"-1\" } } }, { set = { bits = { error = \"0x80070005\" }, error_header = \"both\" } }, { remove = { bits = [\"packet_type\"] } } ]",
    );
    let run = Disturbed::with(&rules);
    let mut client = run.client();
    client.say(fragment(10, 19, 30) + "0123456789");
    let mut server = run.server();
    server.hear(fragment(10, 19, 30) + "0123456789");
    server.say("HTTP/1.1 200 OK\r\nbits-packet-type: Ack\r\nBITS-Received-Content-Range: 20\r\nContent-Length: 2\r\n\r\nok");
    client.hear("HTTP/1.1 416 Range\r\nBITS-Received-Content-Range: 19\r\nContent-Length: 2\r\nBITS-Error-Code: 0x80070005\r\nBITS-Error: 0x80070005\r\n\r\nok");
    client.finish();
    server.ends(crate::disturbed::End::Fin);
    assert_eq!(run.end().exchanges(), ["Fragment 416 complete: r"]);
}

#[test]
fn rules_compose_in_file_order_and_the_first_final_one_ends_it() {
    let rules = [
        (
            "one",
            "{ set = { headers = { X-A = \"1\" } } }, { note = { text = \"seen by one\" } }",
        ),
        (
            "two",
            "{ set = { headers = { X-A = \"2\", X-B = \"2\" } } }",
        ),
        ("three", "{ respond = { status = 500 } }"),
        ("four", "{ set = { headers = { X-A = \"4\" } } }"),
    ];
    let text = rules.map(|(name, does)| {
        let when = if name == "three" {
            "when = \"bits.type == fragment\""
        } else {
            ""
        };
        format!("[[rule]]\nname = \"{name}\"\n{when}\ndo = [ {does} ]\n")
    });
    let run = Disturbed::with(&text.concat());
    let mut client = run.client();
    client.say(packet("Ping", ""));
    let mut server = run.server();
    let changed = packet("Ping", "").replace("\r\n\r\n", "\r\nX-A: 4\r\nX-B: 2\r\n\r\n");
    server.hear(changed);
    server.say(ack(""));
    client.hear(ack(""));
    client.say(fragment(0, 9, 30) + "0123456789");
    assert!(client.head().starts_with("HTTP/1.1 500 "));
    client.finish();
    server.ends(crate::disturbed::End::Fin);
    let told = run.end();
    assert_eq!(
        told.exchanges(),
        [
            "Ping 200 complete: one two four",
            "Fragment 500 injected: one two three"
        ]
    );
    assert!(told.says("seen by one"));
    let last = told.receipts().pop().unwrap();
    assert_eq!(
        last,
        "Rule four matched at request.head and did not fire: rule three ended it before (match 2 of run)."
    );
}
