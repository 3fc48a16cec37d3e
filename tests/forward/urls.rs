//! Requests with whole URLs.

use std::io::Read;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::binary::{of_type, output, sessions};
use crate::{ask, connect, exchanges, notes, proxy, server};

#[test]
fn a_request_goes_to_the_server_in_its_url_and_only_what_is_for_the_proxy_is_taken_out() {
    let (one, served) = server("one", 2);
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let mut client = connect(&proxy);
    let first = ask(
        &mut client,
        &format!(
            "GET http://{one}/a%7B?b HTTP/1.1\r\nX:  y \r\nhOST: {one}\r\nProxy-Connection: Keep-Alive\r\nRange: \
             bytes=0-1\r\n\r\n"
        ),
    );
    assert!(first.ends_with("\r\n\r\none"), "{first}");
    let second = ask(
        &mut client,
        &format!("GET http://{one} HTTP/1.1\r\nHost: {one}\r\n\r\n"),
    );
    assert!(second.ends_with("one"), "the connection is kept");
    assert_eq!(
        served.join().unwrap(),
        [
            format!("GET /a%7B?b HTTP/1.1\r\nX:  y \r\nhOST: {one}\r\nRange: bytes=0-1\r\n\r\n"),
            format!("GET / HTTP/1.1\r\nHost: {one}\r\n\r\n"),
        ]
    );
    let (code, lines) = proxy.interrupt();
    assert_eq!(code, Some(0));
    let of = |no: usize| of_type(&lines, "exchange")[no]["rewrites"].clone();
    assert_eq!(
        of(0),
        serde_json::json!(["request target", "Proxy-Connection"])
    );
    assert_eq!(of(1), serde_json::json!(["request target"]));
}

#[test]
fn another_server_is_reached_on_another_connection() {
    let ((one, first), (two, second)) = (server("one", 1), server("two", 1));
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let url = |host| format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut client = connect(&proxy);
    assert!(ask(&mut client, &url(one)).ends_with("one"));
    std::io::Write::write_all(&mut client, url(two).as_bytes()).unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(
        rest, "",
        "nothing of it went on, and the connection ended in order"
    );
    assert!(ask(&mut connect(&proxy), &url(two)).ends_with("two"));
    assert_eq!(
        (first.join().unwrap().len(), second.join().unwrap().len()),
        (1, 1)
    );
    let (_, lines) = proxy.interrupt();
    assert!(notes(&lines).contains(&format!("the next request belongs to http://{two}")));
}

#[test]
fn an_upload_of_a_client_that_uses_the_proxy_is_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().to_str().unwrap();
    let server = crate::Running::start(&["serve", inbox, "--listen", "127.0.0.1:0"]);
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let mut client = connect(&proxy);
    let url = server.url("/up/report.csv");
    let mut packet = |packet: &str, fields: &str, content: &str| {
        ask(
            &mut client,
            &format!(
                "BITS_POST {url} HTTP/1.1\r\nBITS-Packet-Type: {packet}\r\n{fields}Host: {}\r\nUser-Agent: \
                 Microsoft BITS/7.8\r\nContent-Length: {}\r\nProxy-Connection: Keep-Alive\r\n\r\n{content}",
                server.address(),
                content.len()
            ),
        )
    };
    let protocols = "BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n";
    let opened = packet("Create-Session", protocols, "");
    let id = (opened.lines())
        .find(|line| line.to_ascii_lowercase().starts_with("bits-session-id"))
        .unwrap_or_else(|| panic!("{opened}"));
    let id = format!("{id}\r\n");
    let fields = format!("{id}Content-Range: bytes 0-9/10\r\n");
    assert!(packet("Fragment", &fields, "alpha,1234").starts_with("HTTP/1.1 200"));
    assert!(packet("Close-Session", &id, "").starts_with("HTTP/1.1 200"));
    assert_eq!(
        std::fs::read(folder.path().join("up/report.csv")).unwrap(),
        b"alpha,1234"
    );
    drop(client);
    let (code, lines) = proxy.interrupt();
    assert_eq!(code, Some(0));
    let session = sessions(&lines)[0].clone();
    assert_eq!(session["state"], "closed", "{session}");
    assert_eq!(session["acknowledged"], 10);
    assert_eq!(session["name"], "report.csv");
    assert!(
        of_type(&lines, "finding")
            .iter()
            .all(|found| found["level"] == "note")
    );
}

#[test]
fn who_may_not_use_the_proxy_is_asked_for_a_password_and_servers_never_see_it() {
    let (one, served) = server("one", 1);
    let proxy = proxy(&["--forward", "--tunnel", "*", "--proxy-auth", "me:pass:word"]);
    let mut client = connect(&proxy);
    let request = |fields: &str| {
        format!(
            "PUT http://{one}/f HTTP/1.1\r\nHost: {one}\r\n{fields}Content-Length: 3\r\n\r\nabc"
        )
    };
    let wrong = BASE64_STANDARD.encode("me:word");
    for fields in [
        String::new(),
        format!("Proxy-Authorization: Basic {wrong}\r\n"),
    ] {
        let refused = ask(&mut client, &request(&fields));
        assert!(refused.starts_with("HTTP/1.1 407 "), "{refused}");
        assert!(
            refused.contains("\r\nProxy-Authenticate: Basic realm=\"bitstap\""),
            "{refused}"
        );
    }
    let right = BASE64_STANDARD.encode("me:pass:word");
    let fields = format!("PROXY-authorization:Basic {right}\r\n");
    assert!(
        ask(&mut client, &request(&fields)).ends_with("one"),
        "on the same connection"
    );
    assert_eq!(
        served.join().unwrap(),
        [format!(
            "PUT /f HTTP/1.1\r\nHost: {one}\r\nContent-Length: 3\r\n\r\n"
        )]
    );
    let (_, lines) = proxy.interrupt();
    let shown = format!("{lines:?}");
    assert!(
        !shown.contains(&right) && !shown.contains("word"),
        "{shown}"
    );
    assert_eq!(
        exchanges(&lines)[0],
        format!("PUT http://{one}/f 407 injected")
    );
}

#[test]
fn a_request_that_names_no_server_is_told_what_this_is() {
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let answer = ask(
        &mut connect(&proxy),
        "GET /f HTTP/1.1\r\nHost: files.test\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("this is a forward proxy"), "{answer}");
    assert_eq!(proxy.ready["forward"], true);
    assert_eq!(proxy.ready["upstream"], serde_json::Value::Null);
}

#[test]
fn a_proxy_never_asks_itself() {
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let own = proxy.address();
    let answer = ask(
        &mut connect(&proxy),
        &format!("GET http://{own}/f HTTP/1.1\r\nHost: {own}\r\n\r\n"),
    );
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("is where this proxy listens"), "{answer}");
    let connect = ask(
        &mut connect(&proxy),
        &format!("CONNECT {own} HTTP/1.1\r\n\r\n"),
    );
    assert!(connect.contains("is where this proxy listens"), "{connect}");
}

#[test]
fn a_proxy_whose_upstream_is_itself_does_not_start() {
    // The port has to be known beforehand, and somebody may take it meanwhile.
    let error = (0..5).find_map(|_| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let (listen, upstream) = (
            format!("0.0.0.0:{port}"),
            format!("http://127.0.0.1:{port}"),
        );
        let args = [
            "proxy",
            "--listen",
            &listen,
            "--upstream",
            &upstream,
            "--headless",
        ];
        let ran = output(&args);
        let error = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{error}");
        (!error.contains("cannot listen")).then_some(error)
    });
    let error = error.expect("a port is free");
    assert!(
        error.contains("that is where this proxy listens"),
        "{error}"
    );
    assert!(error.contains("hint: name the server itself"), "{error}");
    assert!(
        error.contains("0.0.0.0") && error.contains("is not loopback"),
        "{error}"
    );
}
