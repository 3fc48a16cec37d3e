//! CONNECT: tunnels that are read, and tunnels that pass.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::binary::{PATIENCE, Running, of_type, output};
use crate::programs::foreign;
use crate::tls::{Client, TestCa};
use crate::{NOBODY, ask, connect, exchanges, head, notes, proxy, server};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn tunnel(to: SocketAddr) -> String {
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nProxy-Connection: Keep-Alive\r\n\r\n")
}

/// An https server with a file, an authority that signed for it, and a forward proxy that trusts that.
struct Secure {
    ca: TestCa,
    server: Running,
    proxy: Running,
}

const CONTENT: &[u8] = b"what is in the file";

impl Secure {
    fn start(more: &[&str]) -> Self {
        let ca = TestCa::make();
        let files = ca.sign("localhost", |params| {
            let ip = std::net::IpAddr::from([127, 0, 0, 1]);
            params.subject_alt_names.push(rcgen::SanType::IpAddress(ip));
        });
        let inbox = ca.folder.path().join("inbox");
        std::fs::create_dir(&inbox).unwrap();
        std::fs::write(inbox.join("f.bin"), CONTENT).unwrap();
        let (certificates, key) = (text(&files.certificates), text(&files.key));
        let server = Running::start(&[
            "serve",
            text(&inbox),
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            certificates,
            "--tls-key",
            key,
        ]);
        let folder = ca.folder.path().join("own");
        let mut args = vec![
            "--forward",
            "--upstream-ca",
            text(&ca.file),
            "--ca-dir",
            text(&folder),
        ];
        args.extend_from_slice(more);
        let proxy = proxy(&args);
        Self { ca, server, proxy }
    }

    /// The authority of the proxy.
    fn own(&self) -> std::path::PathBuf {
        self.ca.folder.path().join("own/authority.crt")
    }

    /// Has a tunnel opened, and fetches the file through it from who is called `name`.
    fn fetch(&self, name: &str, trusting: &Path) -> std::io::Result<String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let port = self.server.address().port();
        runtime.block_on(async {
            let mut stream = tokio::net::TcpStream::connect(self.proxy.address()).await?;
            let connect = format!("CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n");
            stream.write_all(connect.as_bytes()).await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(stream.read_u8().await?);
            }
            assert!(
                answer.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(&answer)
            );
            let mut inside = Client::trusting(trusting).shake(stream, name).await?;
            let request =
                format!("GET /f.bin HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n");
            inside.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            let read = tokio::time::timeout(PATIENCE, inside.read_to_end(&mut answer));
            read.await.expect("it ends").ok();
            Ok(String::from_utf8_lossy(&answer).into_owned())
        })
    }
}

#[test]
fn what_is_said_inside_tls_is_read_with_the_local_authority() {
    let set = Secure::start(&[]);
    let own = set.own();
    for name in ["localhost", "127.0.0.1"] {
        let answer = set.fetch(name, &own).unwrap();
        assert!(answer.ends_with("what is in the file"), "{name}: {answer}");
    }
    let port = set.server.address().port();
    let (code, lines) = set.proxy.interrupt();
    assert_eq!(code, Some(0));
    assert_eq!(
        exchanges(&lines),
        [
            format!("CONNECT localhost:{port} 200 complete"),
            "GET /f.bin 200 complete".to_owned(),
            format!("CONNECT 127.0.0.1:{port} 200 complete"),
            "GET /f.bin 200 complete".to_owned(),
        ]
    );
    let told = notes(&lines);
    assert!(
        told.contains(&format!(
            "opens a tunnel to localhost:{port} and reads what is said"
        )),
        "{told}"
    );
    assert!(told.contains("TLS with the client is up"), "{told}");
    assert!(told.contains("TLS with the server is up"), "{told}");
}

#[test]
fn a_recorded_tunnel_is_told_as_it_was_live() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("x.pcapng");
    let set = Secure::start(&["--capture", text(&capture)]);
    set.fetch("localhost", &set.own()).unwrap();
    let (_, live) = set.proxy.interrupt();
    let viewed = output(&["view", "--json", text(&capture)]);
    let lines = crate::binary::lines(&viewed.stdout);
    assert_eq!(exchanges(&lines), exchanges(&live));
    assert_eq!(exchanges(&lines).len(), 2);

    let har = folder.path().join("x.har");
    assert!(
        output(&["convert", text(&capture), text(&har)])
            .status
            .success()
    );
    let har: serde_json::Value = serde_json::from_slice(&std::fs::read(har).unwrap()).unwrap();
    let url = &har["log"]["entries"][1]["request"]["url"];
    let port = set.server.address().port();
    assert_eq!(*url, format!("https://localhost:{port}/f.bin"));
}

#[test]
fn a_client_that_does_not_trust_the_authority_is_told_of_with_the_remedy() {
    let set = Secure::start(&[]);
    let strange = set.ca.file.clone();
    set.fetch("localhost", &strange).unwrap_err();
    let (_, lines) = set.proxy.interrupt();
    let told = notes(&lines);
    assert!(told.contains("does not know the authority"), "{told}");
    assert!(told.contains("authority.crt"), "{told}");
}

#[test]
fn curl_goes_through_with_http_and_https() {
    let set = Secure::start(&[]);
    let (plain, served) = server("plain", 1);
    let own = set.own();
    let front = set.proxy.url("");
    let port = set.server.address().port();
    for url in [
        format!("http://{plain}/f"),
        format!("https://localhost:{port}/f.bin"),
        format!("https://127.0.0.1:{port}/f.bin"),
    ] {
        let Some(got) = foreign("curl", &["-sS", "-x", &front, "--cacert", text(&own), &url])
        else {
            return;
        };
        let error = String::from_utf8_lossy(&got.stderr).into_owned();
        let wanted: &[u8] = if url.starts_with("https") {
            CONTENT
        } else {
            b"plain"
        };
        assert!(got.stdout == wanted, "{url}: {error}");
    }
    assert_eq!(served.join().unwrap().len(), 1);
    // The server's own certificate, and only that, where nobody reads.
    let passing = Secure::start(&["--tunnel", "localhost"]);
    let url = format!(
        "https://localhost:{}/f.bin",
        passing.server.address().port()
    );
    let front = passing.proxy.url("");
    let fetch = |authority: &Path| {
        foreign(
            "curl",
            &["-sS", "-x", &front, "--cacert", text(authority), &url],
        )
        .unwrap()
    };
    assert_eq!(fetch(&passing.ca.file).stdout, CONTENT);
    assert!(!fetch(&passing.own()).status.success());
    let (_, lines) = passing.proxy.interrupt();
    assert!(notes(&lines).contains("passes unread: --tunnel localhost says so"));
}

#[test]
fn plain_http_in_a_tunnel_is_read_too() {
    let (one, served) = server("one", 1);
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let mut client = connect(&proxy);
    // Split where it hurts: in the middle of the head, which is still no other request.
    let request = tunnel(one);
    let (begin, rest) = request.split_at(11);
    client.write_all(begin.as_bytes()).unwrap();
    client.flush().unwrap();
    let opened = ask(&mut client, rest);
    assert!(opened.starts_with("HTTP/1.1 200 "), "{opened}");
    let request = format!("GET /f HTTP/1.1\r\nHost: {one}\r\n\r\n");
    assert!(ask(&mut client, &request).ends_with("one"));
    assert_eq!(served.join().unwrap(), [request]);
    drop(client);
    let (_, lines) = proxy.interrupt();
    assert_eq!(
        exchanges(&lines),
        [
            format!("CONNECT {one} 200 complete"),
            "GET /f 200 complete".to_owned()
        ]
    );
}

#[test]
fn what_is_no_http_passes_both_ways_and_its_ends_are_kept_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // This end speaks first.
        stream.write_all(b"220 mail\r\n").unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        stream.write_all(b"221 bye\r\n").unwrap();
        said
    });
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let mut client = connect(&proxy);
    client.write_all(tunnel(to).as_bytes()).unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 200 "));
    let mut hello = [0; 10];
    client.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"220 mail\r\n");
    client.write_all(&[0x16, 3, 1, 0, 255, b'\n', 0]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"221 bye\r\n");
    assert_eq!(served.join().unwrap(), [0x16, 3, 1, 0, 255, b'\n', 0]);
    let (_, lines) = proxy.interrupt();
    assert_eq!(exchanges(&lines), [format!("CONNECT {to} 200 complete")]);
    assert!(
        notes(&lines).contains("passes unread: --tunnel * says so"),
        "{}",
        notes(&lines)
    );
}

#[test]
fn a_password_is_asked_for_on_the_connection_that_then_becomes_the_tunnel() {
    let (one, served) = server("one", 1);
    let proxy = proxy(&["--forward", "--tunnel", "*", "--proxy-auth", "me:word"]);
    let mut client = connect(&proxy);
    let refused = ask(&mut client, &tunnel(one));
    assert!(refused.starts_with("HTTP/1.1 407 "), "{refused}");
    let token = BASE64_STANDARD.encode("me:word");
    let with = tunnel(one).replace(
        "\r\n\r\n",
        &format!("\r\nProxy-Authorization: Basic {token}\r\n\r\n"),
    );
    assert!(ask(&mut client, &with).starts_with("HTTP/1.1 200 "));
    let request = format!("GET /f HTTP/1.1\r\nHost: {one}\r\n\r\n");
    assert!(
        ask(&mut client, &request).ends_with("one"),
        "inside nobody is asked again"
    );
    assert_eq!(served.join().unwrap(), [request]);
    drop(client);
    let (_, lines) = proxy.interrupt();
    assert_eq!(
        exchanges(&lines),
        [
            format!("CONNECT {one} 407 injected"),
            format!("CONNECT {one} 200 complete"),
            "GET /f 200 complete".to_owned(),
        ]
    );
    let rewrites = of_type(&lines, "exchange");
    assert!(
        rewrites
            .iter()
            .all(|line| line["rewrites"] == serde_json::json!([]))
    );
}

#[test]
fn a_tunnel_is_not_opened_on_a_connection_that_has_carried_a_request() {
    let (one, _served) = server("one", 1);
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let mut client = connect(&proxy);
    let url = format!("GET http://{one}/ HTTP/1.1\r\nHost: {one}\r\n\r\n");
    assert!(ask(&mut client, &url).ends_with("one"));
    client.write_all(tunnel(one).as_bytes()).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(
        rest.is_empty(),
        "it ended in order, so that the client asks again"
    );
    let (_, lines) = proxy.interrupt();
    assert!(notes(&lines).contains("a tunnel begins a connection of its own"));
}

#[test]
fn a_proxy_that_is_spoken_to_inside_tls_takes_urls_but_opens_no_tunnels() {
    let set = Secure::start(&["--tls", "auto"]);
    let (one, served) = server("one", 1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(set.proxy.address()).await;
        let client = Client::trusting(&set.own());
        let mut inside = client.shake(stream.unwrap(), "127.0.0.1").await.unwrap();
        let url = format!("GET http://{one}/ HTTP/1.1\r\nHost: {one}\r\nConnection: close\r\n\r\n");
        inside.write_all(tunnel(one).as_bytes()).await.unwrap();
        inside.write_all(url.as_bytes()).await.unwrap();
        let mut answers = Vec::new();
        let read = tokio::time::timeout(PATIENCE, inside.read_to_end(&mut answers));
        read.await.expect("it ends").ok();
        String::from_utf8_lossy(&answers).into_owned()
    });
    assert!(answers.starts_with("HTTP/1.1 501 "), "{answers}");
    assert!(
        answers.contains("HTTP/1.1 200 OK") && answers.ends_with("one"),
        "{answers}"
    );
    assert_eq!(served.join().unwrap().len(), 1);
}

#[test]
fn a_tunnel_to_nobody_is_refused() {
    let to: SocketAddr = NOBODY.parse().unwrap();
    let proxy = proxy(&["--forward", "--tunnel", "*"]);
    let answer = ask(&mut connect(&proxy), &tunnel(to));
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("connection refused"), "{answer}");
    for wrong in [
        "CONNECT  HTTP/1.1\r\n\r\n",
        "CONNECT a b HTTP/1.1\r\n\r\n",
        "CONNECT x:0 HTTP/1.1\r\n\r\n",
    ] {
        let mut client: TcpStream = connect(&proxy);
        let answer = ask(&mut client, wrong);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{wrong}: {answer}");
    }
    let (_, lines) = proxy.interrupt();
    assert!(notes(&lines).contains(&format!("The server {to} could not be reached")));
}
