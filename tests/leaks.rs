//! Clients stay with the proxy: farms with host ids, redirects, host names; the real binary, real sockets.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/plain.rs"]
mod plain;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use binary::{Running, of_type, output, sessions};
use plain::{head, notes};

/// A server that answers one request on each connection, and returns what it was asked.
fn server(listener: TcpListener, answers: Vec<String>) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            asked.push(head(&mut stream));
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    })
}

/// Sends one request on a connection of its own and returns all that comes back.
fn ask(proxy: SocketAddr, request: &str) -> String {
    plain::ask(&mut TcpStream::connect(proxy).unwrap(), request)
}

fn proxy(upstream: SocketAddr, more: &[&str]) -> Running {
    let url = format!("http://{upstream}");
    let mut args = vec!["proxy", "--upstream", &url];
    if !more.contains(&"--listen") {
        args.extend_from_slice(&["--listen", "127.0.0.1:0"]);
    }
    args.extend_from_slice(more);
    Running::start(&args)
}

fn local() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_redirect_to_another_server_is_followed_inside_the_proxy() {
    let (first, second) = (local(), local());
    let away = second.local_addr().unwrap();
    let upstream = first.local_addr().unwrap();
    let location = format!("http://{away}/there/f.bin?x=%7B1%7D");
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nX-Odd:   y \r\nlocation:  {location}\r\nContent-Length: 0\r\n\r\n"
    );
    let first = server(first, vec![redirect.clone()]);
    let second = server(
        second,
        vec!["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned()],
    );
    let proxy = proxy(upstream, &[]);
    let own = format!("http://{}/there/f.bin?x=%7B1%7D", proxy.address());

    let answer = ask(
        proxy.address(),
        &format!("GET /f HTTP/1.1\r\nHost: {}\r\n\r\n", proxy.address()),
    );
    let expected = redirect.replace(&location, &own);
    let closing = expected.replace("0\r\n\r\n", "0\r\nConnection: close\r\n\r\n");
    assert_eq!(
        answer, closing,
        "only that value, and the end of the connection"
    );
    let request = format!(
        "GET /there/f.bin?x={{1}} HTTP/1.1\r\nHost: {}\r\n\r\n",
        proxy.address()
    );
    assert!(ask(proxy.address(), &request).ends_with("\r\n\r\nhi"));
    assert_eq!(
        second.join().unwrap(),
        [request],
        "its bytes as they were sent"
    );
    assert_eq!(first.join().unwrap().len(), 1);

    let (code, lines) = proxy.interrupt();
    assert_eq!(code, Some(0));
    // Told in the order in which they end.
    let rewrites = |no: u32| {
        let exchanges = of_type(&lines, "exchange");
        let exchange = exchanges.iter().find(|line| line["no"] == no);
        exchange.unwrap()["rewrites"].clone()
    };
    assert_eq!(rewrites(1), serde_json::json!(["location", "Connection"]));
    assert_eq!(rewrites(2), serde_json::json!([]));
    let told = format!(
        "The proxy rewrote location: http://{away} became http://{}.",
        proxy_of(&own)
    );
    assert!(notes(&lines).contains(&told), "{}", notes(&lines));
}

fn proxy_of(url: &str) -> &str {
    url.strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap()
}

#[test]
fn reported_leaks_reach_the_client_and_the_timeline() {
    let listener = local();
    let upstream = listener.local_addr().unwrap();
    let answer =
        "HTTP/1.1 302 Found\r\nLocation: http://u:secret@cdn.test/f\r\nContent-Length: 0\r\n\r\n";
    let server = server(listener, vec![answer.to_owned()]);
    let proxy = proxy(upstream, &["--leaks", "report"]);
    assert_eq!(
        ask(proxy.address(), "GET /f HTTP/1.1\r\nHost: p.test\r\n\r\n"),
        answer
    );
    server.join().unwrap();
    let (_, lines) = proxy.interrupt();
    let notes = notes(&lines);
    assert!(
        notes.contains("about to leave the proxy: Location"),
        "{notes}"
    );
    assert!(
        notes.contains("http://cdn.test:80") && !notes.contains("secret"),
        "{notes}"
    );
    assert_eq!(
        of_type(&lines, "exchange")[0]["rewrites"],
        serde_json::json!([])
    );
}

#[test]
fn what_passes_and_what_leads_nowhere_stays_byte_for_byte() {
    let odd = "HTTP/1.1 302 Found\r\nlocation:   http://cdn.test/f  \r\nBITS-Host-Id: n\r\nContent-Length: 0\r\n\r\n";
    let plain = "HTTP/1.1 200 OK\r\nlocation:   /rel\r\nBITS-Reply-URL: a\\{b}\\c\r\nContent-Length: 0\r\n\r\n";
    for (answer, options) in [(odd, &["--leaks", "pass"][..]), (plain, &[])] {
        let listener = local();
        let upstream = listener.local_addr().unwrap();
        let server = server(listener, vec![answer.to_owned()]);
        let proxy = proxy(upstream, options);
        let request = "GET /f HTTP/1.1\r\nhOST:   p.test:1 \r\nX: y\r\n\r\n";
        assert_eq!(ask(proxy.address(), request), answer);
        assert_eq!(server.join().unwrap(), [request]);
    }
}

#[test]
fn the_server_is_asked_for_the_host_that_was_wanted() {
    for (host, wanted) in [("upstream", None), ("iis.corp", Some("iis.corp"))] {
        let listener = local();
        let upstream = listener.local_addr().unwrap();
        let server = server(
            listener,
            vec!["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()],
        );
        let proxy = proxy(upstream, &["--host", host]);
        ask(
            proxy.address(),
            "GET http://p.test/a HTTP/1.1\r\nhOST:   p.test \r\nX: y\r\n\r\n",
        );
        let wanted = wanted.map_or_else(|| upstream.to_string(), str::to_owned);
        let expected = format!("GET /a HTTP/1.1\r\nhOST:   {wanted} \r\nX: y\r\n\r\n");
        assert_eq!(server.join().unwrap(), [expected]);
        let (_, lines) = proxy.interrupt();
        let exchange = of_type(&lines, "exchange")[0];
        assert_eq!(
            exchange["rewrites"],
            serde_json::json!(["request target", "hOST"])
        );
    }
}

#[test]
fn a_server_that_does_not_know_the_proxys_name_brings_a_hint_once() {
    let listener = local();
    let upstream = listener.local_addr().unwrap();
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let server = server(listener, vec![answer.to_owned(); 2]);
    let proxy = proxy(upstream, &[]);
    for _ in 0..2 {
        ask(proxy.address(), "GET /a HTTP/1.1\r\nHost: p.test\r\n\r\n");
    }
    server.join().unwrap();
    let (_, lines) = proxy.interrupt();
    assert_eq!(notes(&lines).matches("Hint: --host upstream").count(), 1);
}

#[test]
fn hosts_that_are_none_are_refused() {
    let refused = output(&["proxy", "--upstream", "http://127.0.0.1:1", "--host", "a/b"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`a/b` is not a host"));
}

/// Loopback has many addresses only there.
#[cfg(target_os = "linux")]
mod farm {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Two nodes with host ids behind a name that hands connections to both in turn, all on one port, since
    /// a host id has none.
    struct Farm {
        port: u16,
        folders: [tempfile::TempDir; 2],
        nodes: Vec<Running>,
        taken: Arc<AtomicUsize>,
    }

    impl Farm {
        fn make(more: &[&str]) -> Self {
            let (front, port) = loop {
                let front = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = front.local_addr().unwrap().port();
                let is_free =
                    |n: u8| TcpListener::bind(SocketAddr::from(([127, 0, 0, n], port))).is_ok();
                if (2..=4).all(is_free) {
                    break (front, port);
                }
            };
            let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let nodes = (folders.iter().zip([2, 3]))
                .map(|(folder, n)| {
                    let host = format!("127.0.0.{n}");
                    let listen = format!("{host}:{port}");
                    let folder = folder.path().to_str().unwrap();
                    let mut args = vec!["serve", folder, "--listen", &listen, "--host-id", &host];
                    args.extend_from_slice(more);
                    Running::start(&args)
                })
                .collect();
            let taken = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&taken);
            thread::spawn(move || {
                for client in front.incoming().map_while(Result::ok) {
                    let turn = count.fetch_add(1, Ordering::SeqCst) % 2;
                    let node = [127, 0, 0, [2, 3][turn]];
                    if let Ok(node) = TcpStream::connect((std::net::Ipv4Addr::from(node), port)) {
                        join(client, node);
                    }
                }
            });
            Self {
                port,
                folders,
                nodes,
                taken,
            }
        }

        fn proxy(&self, more: &[&str]) -> Running {
            let listen = format!("127.0.0.4:{}", self.port);
            let mut args = vec!["--listen", listen.as_str()];
            args.extend_from_slice(more);
            proxy(SocketAddr::from(([127, 0, 0, 1], self.port)), &args)
        }

        fn holds(&self, node: usize, file: &str) -> Option<Vec<u8>> {
            std::fs::read(self.folders[node].path().join(file)).ok()
        }
    }

    fn join(client: TcpStream, node: TcpStream) {
        for (mut from, mut to) in [
            (client.try_clone().unwrap(), node.try_clone().unwrap()),
            (node, client),
        ] {
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
        }
    }

    fn send(proxy: &Running) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.csv");
        let content: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[1]).collect();
        std::fs::write(&file, &content).unwrap();
        let url = proxy.url("/report.csv");
        let path = file.to_str().unwrap();
        let sent = output(&[
            "send",
            path,
            &url,
            "--fragment-size",
            "20000",
            "--retry-delay",
            "100ms",
        ]);
        let error = String::from_utf8_lossy(&sent.stderr);
        assert!(sent.status.success(), "{error}");
        content
    }

    #[test]
    fn the_client_stays_inside_for_the_whole_session() {
        let farm = Farm::make(&[]);
        let proxy = farm.proxy(&[]);
        let content = send(&proxy);
        assert_eq!(farm.holds(0, "report.csv"), Some(content));
        assert_eq!(
            farm.holds(1, "report.csv"),
            None,
            "the other node heard nothing"
        );
        assert_eq!(
            farm.taken.load(Ordering::SeqCst),
            1,
            "only Create-Session came to the front"
        );
        let (_, lines) = proxy.interrupt();
        let session = sessions(&lines)[0];
        assert_eq!(session["state"], "closed");
        assert_eq!(session["restarts"], 0);
        assert_eq!(session["sent"], 100_000, "all of it was seen");
        let story = session["story"].to_string();
        assert!(
            story.contains("says 127.0.0.4 instead of 127.0.0.2"),
            "{story}"
        );
    }

    #[test]
    fn with_report_it_leaves_and_the_timeline_says_where_to() {
        let farm = Farm::make(&[]);
        let proxy = farm.proxy(&["--leaks", "report"]);
        let content = send(&proxy);
        assert_eq!(farm.holds(0, "report.csv"), Some(content));
        let (_, lines) = proxy.interrupt();
        let session = sessions(&lines)[0];
        assert_eq!(session["sent"], 0, "the file passed by");
        let story = session["story"].to_string();
        let to = format!("http://127.0.0.2:{}", farm.port);
        assert!(story.contains(&to), "{story}");
        assert!(notes(&lines).contains("WARNING: the client is about to leave"));
    }

    fn packet(kind: &str, fields: &str, body: &str) -> String {
        format!(
            "BITS_POST /f.txt HTTP/1.1\r\nHost: proxy.test\r\nBITS-Packet-Type: {kind}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn create(proxy: &Running) -> String {
        let fields = "BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n";
        let ack = ask(proxy.address(), &packet("Create-Session", fields, ""));
        assert!(ack.starts_with("HTTP/1.1 200"), "{ack}");
        let host = ack
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("bits-host-id:"));
        assert!(host.unwrap().ends_with(" proxy.test"), "{ack}");
        let id = (ack.lines()).find_map(|line| line.strip_prefix("BITS-Session-Id: "));
        format!("BITS-Session-Id: {}\r\n", id.unwrap())
    }

    #[test]
    fn after_a_fallback_it_starts_again_inside() {
        let mut farm = Farm::make(&["--host-id-fallback", "0s"]);
        let proxy = farm.proxy(&[]);
        let first = create(&proxy);
        farm.nodes.remove(0).kill();
        let fragment = |id: &str, from: usize, part: &str| {
            let fields = format!(
                "{id}Content-Range: bytes {from}-{}/4\r\n",
                from + part.len() - 1
            );
            ask(proxy.address(), &packet("Fragment", &fields, part))
        };
        let gone = fragment(&first, 0, "ab");
        assert!(
            gone.starts_with("HTTP/1.1 502"),
            "its node is not there: {gone}"
        );
        let back = fragment(&first, 0, "ab");
        assert!(
            back.contains("0x8020001F"),
            "the other node does not know the session: {back}"
        );
        // The front's turn is at the node that is gone.
        farm.taken.fetch_or(1, Ordering::SeqCst);
        let second = create(&proxy);
        for (from, part) in [(0, "ab"), (2, "cd")] {
            let ack = fragment(&second, from, part);
            assert!(ack.starts_with("HTTP/1.1 200"), "{ack}");
        }
        let closed = ask(proxy.address(), &packet("Close-Session", &second, ""));
        assert!(closed.starts_with("HTTP/1.1 200"), "{closed}");
        assert_eq!(farm.holds(1, "f.txt").as_deref(), Some(&b"abcd"[..]));
        let (_, lines) = proxy.interrupt();
        assert_eq!(of_type(&lines, "exchange").len(), 7, "nothing passed by");
    }
}
