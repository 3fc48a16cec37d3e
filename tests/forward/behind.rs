//! A proxy behind the proxy.

use std::io::Write;
use std::net::TcpListener;

use crate::binary::{PATIENCE, output};
use crate::{NOBODY, Running, ask, connect, head, notes, proxy, server};

/// A forward proxy with a password, behind which everything is.
fn behind() -> Running {
    proxy(&["--forward", "--tunnel", "*", "--proxy-auth", "me:p@ss"])
}

#[test]
fn http_servers_are_asked_for_by_their_urls() {
    let (one, served) = server("one", 1);
    let behind = behind();
    let via = format!("http://me:p%40ss@{}", behind.address());
    let upstream = format!("http://{one}");
    let proxy = proxy(&["--upstream", &upstream, "--upstream-proxy", &via]);
    let request = "GET /f?x HTTP/1.1\r\nHost: files.test\r\nX: y\r\n\r\n";
    assert!(ask(&mut connect(&proxy), request).ends_with("one"));
    assert_eq!(
        served.join().unwrap(),
        [request],
        "what the server sees is as it was"
    );
    let (_, lines) = proxy.interrupt();
    let told = notes(&lines);
    assert!(told.contains("is reached through the proxy"), "{told}");
    assert!(!format!("{lines:?}").contains("ss@"), "{lines:?}");
}

#[test]
fn everything_else_goes_through_tunnels_of_it() {
    let (one, served) = server("one", 1);
    let behind = behind();
    let via = format!("http://me:p%40ss@{}", behind.address());
    let proxy = proxy(&["--forward", "--tunnel", "*", "--upstream-proxy", &via]);
    let mut client = connect(&proxy);
    let opened = ask(&mut client, &format!("CONNECT {one} HTTP/1.1\r\n\r\n"));
    assert!(opened.starts_with("HTTP/1.1 200 "), "{opened}");
    let request = "GET /f HTTP/1.1\r\nHost: h\r\n\r\n";
    // Plain http in a tunnel is still said in the tunnel.
    assert!(ask(&mut client, request).ends_with("one"));
    assert_eq!(served.join().unwrap(), [request]);
    let (_, lines) = proxy.interrupt();
    assert!(
        notes(&lines).contains("through a tunnel of the proxy"),
        "{}",
        notes(&lines)
    );
}

#[test]
fn a_proxy_that_does_not_let_us_in_is_named() {
    let (one, _served) = server("one", 1);
    let behind = behind();
    let connect_to = format!("CONNECT {one} HTTP/1.1\r\n\r\n");
    for (user, why) in [
        ("", "wants credentials (407)"),
        ("me:wrong@", "does not take the credentials"),
    ] {
        let via = format!("http://{user}{}", behind.address());
        let proxy = proxy(&["--forward", "--tunnel", "*", "--upstream-proxy", &via]);
        let answer = ask(&mut connect(&proxy), &connect_to);
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains(why), "{answer}");
    }
}

#[test]
fn a_proxy_that_is_not_there_or_is_none_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        head(&mut stream);
        stream.write_all(b"SSH-2.0-nobody\r\n\r\n").unwrap();
    });
    let via = format!("http://{address}");
    let proxy = proxy(&["--forward", "--tunnel", "*", "--upstream-proxy", &via]);
    let request = "CONNECT files.test:443 HTTP/1.1\r\n\r\n";
    let answer = ask(&mut connect(&proxy), request);
    assert!(
        answer.contains("does not answer CONNECT in HTTP"),
        "{answer}"
    );
    served.join().unwrap();

    let via = format!("http://{NOBODY}");
    let other = crate::proxy(&["--forward", "--tunnel", "*", "--upstream-proxy", &via]);
    let answer = ask(&mut connect(&other), request);
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    let why = format!("connection refused ({NOBODY}) (the proxy {via})");
    assert!(answer.contains(&why), "{answer}");

    let ran = output(&[
        "proxy",
        "--forward",
        "--upstream-proxy",
        "https://proxy.test",
    ]);
    let error = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(2));
    assert!(error.contains("without TLS"), "{error}");
}
