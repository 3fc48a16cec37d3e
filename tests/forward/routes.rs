//! Several servers behind one proxy, by the host that is asked for.

use serde_json::json;

use crate::binary::output;
use crate::{ask, connect, exchanges, notes, proxy, server};

#[test]
fn a_request_goes_to_the_server_of_its_host() {
    let ((one, first), (two, second), (rest, third)) =
        (server("one", 2), server("two", 1), server("rest", 1));
    let (a, b, up) = (
        format!("a.test=http://{one}"),
        format!("*.b.test:8080=http://{two}"),
        format!("http://{rest}"),
    );
    let proxy = proxy(&["--route", &a, "--route", &b, "--upstream", &up]);
    assert_eq!(
        proxy.ready["routes"],
        json!({"a.test": format!("http://{one}"), "*.b.test:8080": format!("http://{two}")})
    );
    let request = |host: &str| format!("GET /f HTTP/1.1\r\nHost: {host}\r\nX: y\r\n\r\n");
    let mut client = connect(&proxy);
    assert!(ask(&mut client, &request("A.test")).ends_with("one"));
    assert!(
        ask(&mut client, &request("a.test:99")).ends_with("one"),
        "any port"
    );
    assert!(ask(&mut connect(&proxy), &request("x.b.test:8080")).ends_with("two"));
    assert!(ask(&mut connect(&proxy), &request("b.test")).ends_with("rest"));
    assert_eq!(
        first.join().unwrap(),
        [request("A.test"), request("a.test:99")]
    );
    assert_eq!(
        second.join().unwrap(),
        [request("x.b.test:8080")],
        "not a byte changed"
    );
    assert_eq!(third.join().unwrap(), [request("b.test")]);
    let (code, lines) = proxy.interrupt();
    assert_eq!(code, Some(0));
    assert_eq!(exchanges(&lines).len(), 4);
}

#[test]
fn a_host_that_no_route_is_for_is_answered() {
    let (one, _served) = server("one", 1);
    let route = format!("a.test=http://{one}");
    let proxy = proxy(&["--route", &route]);
    let mut client = connect(&proxy);
    let answer = ask(
        &mut client,
        "PUT /f HTTP/1.1\r\nHost: b.test\r\nContent-Length: 3\r\n\r\nabc",
    );
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    assert!(
        answer.contains("no --route is for the host b.test"),
        "{answer}"
    );
    assert!(answer.contains("routes: a.test"), "{answer}");
    let right = ask(&mut client, "GET /f HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(
        right.ends_with("one"),
        "the connection is still good: {right}"
    );
    let (_, lines) = proxy.interrupt();
    assert!(
        notes(&lines).contains("The proxy answers 421 itself"),
        "{}",
        notes(&lines)
    );
}

#[test]
fn routes_count_for_a_forward_proxy_too() {
    let (one, served) = server("one", 1);
    let route = format!("a.test:80=http://{one}");
    let proxy = proxy(&["--forward", "--tunnel", "*", "--route", &route]);
    let request = "GET http://a.test/f HTTP/1.1\r\nHost: a.test\r\n\r\n";
    assert!(ask(&mut connect(&proxy), request).ends_with("one"));
    assert_eq!(
        served.join().unwrap(),
        ["GET /f HTTP/1.1\r\nHost: a.test\r\n\r\n"]
    );
}

#[test]
fn a_server_that_nobody_knows_is_an_error_when_the_proxy_starts() {
    for args in [
        ["--upstream", "https://no-such-host.invalid"],
        ["--route", "a.test=http://no-such-host.invalid:443"],
    ] {
        let start = ["proxy", "--listen", "127.0.0.1:0", "--headless"];
        let ran = output(&[start.as_slice(), args.as_slice()].concat());
        let error = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{error}");
        assert!(error.contains("no-such-host.invalid:443: "), "{error}");
        assert!(error.contains("hint: check the name"), "{error}");
    }
}

#[test]
fn what_is_no_route_is_said() {
    for (wrong, why) in [
        ("a.test", "is not HOST=URL"),
        ("a b=http://c", "is not a host"),
        ("a=ftp://c", "neither http nor https"),
        ("a=http://c/path", "a path is not taken"),
    ] {
        let ran = output(&["proxy", "--route", wrong]);
        let error = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{error}");
        assert!(error.contains(why), "{wrong}: {error}");
    }
    let ran = output(&["proxy", "--tunnel", "a.test", "--upstream", "http://b"]);
    let error = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(error.contains("--forward"), "{error}");
}
