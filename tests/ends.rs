//! `serve`, `send` and `fetch` as their users run them, with the proxy in between.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
}

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use support::binary::{Running, bitstap, of_type, output, sessions, text};

fn serve(root: &Path, more: &[&str]) -> Running {
    let root = root.to_str().unwrap();
    let mut args = vec!["serve", root, "--listen", "127.0.0.1:0"];
    args.extend_from_slice(more);
    Running::start(&args)
}

fn proxy(upstream: &Running) -> Running {
    let url = upstream.url("");
    Running::start(&["proxy", "--upstream", &url, "--listen", "127.0.0.1:0"])
}

fn content(len: u32) -> Vec<u8> {
    (0..len)
        .map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}

#[test]
fn a_file_sent_through_the_proxy_arrives_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let file = folder.path().join("report.bin");
    fs::write(&file, content(3_000_000)).unwrap();

    let server = serve(&root, &[]);
    let proxy = proxy(&server);
    let url = proxy.url("/report.bin");
    let sent = output(&[
        "send",
        file.to_str().unwrap(),
        &url,
        "--fragment-size",
        "1MiB",
    ]);
    let text = String::from_utf8_lossy(&sent.stdout).into_owned();
    let error = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert_eq!(sent.status.code(), Some(0), "{text}{error}");
    assert!(fs::read(root.join("report.bin")).unwrap() == content(3_000_000));
    let digest = ring::digest::digest(&ring::digest::SHA256, &content(3_000_000));
    let hex = digest
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert!(text.to_lowercase().contains(&hex), "{text}");

    let (_, lines) = proxy.interrupt();
    assert_eq!(sessions(&lines)[0]["state"], "closed");
    let fragments = of_type(&lines, "exchange")
        .iter()
        .filter(|line| line["packet"] == "Fragment")
        .count();
    assert_eq!(fragments, 3);
}

#[test]
fn a_server_that_was_killed_in_mid_upload_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let file = folder.path().join("big.bin");
    fs::write(&file, content(4_000_000)).unwrap();

    let server = serve(&root, &[]);
    let address = server.address().to_string();
    let proxy = proxy(&server);
    let url = proxy.url("/big.bin");
    let mut client = bitstap(&[
        "send",
        file.to_str().unwrap(),
        &url,
        "--fragment-size",
        "256KiB",
        "--retry-delay",
        "20ms",
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    for _ in 0..4 {
        proxy.wait_for("exchange");
    }
    server.kill();
    let root = root.to_str().unwrap();
    let again = Running::start(&["serve", root, "--listen", &address]);
    assert!(client.wait().unwrap().success());
    assert!(fs::read(Path::new(root).join("big.bin")).unwrap() == content(4_000_000));
    drop(again);

    let (_, lines) = proxy.interrupt();
    let told = sessions(&lines);
    let last = told.last().unwrap();
    assert_eq!(last["state"], "closed");
    assert_eq!(last["restarts"], 0, "the session survived: {last}");
}

#[test]
fn a_reply_comes_back_and_a_download_too() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let question = folder.path().join("question.txt");
    let reply = folder.path().join("reply.bin");
    let got = folder.path().join("got.bin");
    fs::write(&question, content(10_000)).unwrap();
    fs::write(&reply, content(50_000)).unwrap();
    fs::write(root.join("driver.cab"), content(700_000)).unwrap();

    let server = serve(&root, &["--reply", reply.to_str().unwrap()]);
    let proxy = proxy(&server);
    let sent = output(&[
        "send",
        question.to_str().unwrap(),
        &proxy.url("/ask/question.txt"),
        "--reply-to",
        got.to_str().unwrap(),
    ]);
    let error = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert_eq!(sent.status.code(), Some(0), "{error}");
    assert!(fs::read(&got).unwrap() == content(50_000));

    let fetched = folder.path().join("driver.cab");
    let out = output(&[
        "fetch",
        &proxy.url("/driver.cab"),
        "--out",
        fetched.to_str().unwrap(),
    ]);
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{error}");
    assert!(fs::read(&fetched).unwrap() == content(700_000));

    let (_, lines) = proxy.interrupt();
    let told = sessions(&lines);
    assert_eq!(told[0]["kind"], "upload-reply");
    assert_eq!(told[0]["state"], "closed");
    assert_eq!(told[0]["reply_bytes"], 50_000);
    assert_eq!(told[1]["kind"], "download");
    assert_eq!(told[1]["state"], "complete");
}

#[test]
fn a_refused_upload_is_said_by_name_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("there.txt"), b"old").unwrap();
    let file = folder.path().join("new.txt");
    fs::write(&file, b"new").unwrap();
    let server = serve(&root, &[]);
    let sent = output(&["send", file.to_str().unwrap(), &server.url("/there.txt")]);
    let error = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert_eq!(sent.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: "), "{error}");
    assert!(error.contains("E_ACCESSDENIED"), "{error}");
    assert_eq!(fs::read(root.join("there.txt")).unwrap(), b"old");
}

#[test]
fn a_client_says_which_login_it_does_not_know_and_that_nobody_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.bin");
    fs::write(&file, b"content").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/report.bin", listener.local_addr().unwrap());
    let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n";
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let send = |more: &[&str]| {
        let args = [&["send", file.to_str().unwrap(), &url], more].concat();
        let sent = output(&args);
        assert_eq!(sent.status.code(), Some(2), "{sent:?}");
        String::from_utf8(sent.stderr).unwrap()
    };
    let error = send(&["--user", "me:secret"]);
    assert!(
        error.contains("401, the server asks for Negotiate or NTLM"),
        "{error}"
    );
    assert!(
        error.contains("hint: this client knows Basic alone"),
        "{error}"
    );
    server.join().unwrap();
    let error = send(&["--no-progress-timeout", "0"]);
    assert!(error.contains("hint: is the server there"), "{error}");
}

#[test]
fn listening_wider_than_loopback_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let capture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/captures/example-upload.pcapng"
    );
    for args in [
        &["proxy", "--upstream", "http://127.0.0.1:9", "--no-capture"][..],
        &["serve", root],
        &["mock", capture],
    ] {
        let warned = |address: &str| {
            let mut command = bitstap(&[args, &["--listen", address]].concat());
            command.stderr(Stdio::piped());
            let mut running = Running::of(command);
            let stderr = running.child.stderr.take().unwrap();
            running.interrupt();
            text(stderr).contains(&format!("warning: {address} is not loopback: "))
        };
        assert!(warned("0.0.0.0:0"), "{args:?}");
        assert!(!warned("127.0.0.1:0"), "{args:?}");
    }
}

#[test]
fn a_certificate_that_is_no_use_is_said_before_anything_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let file = path("report.bin");
    fs::write(&file, b"content").unwrap();
    let refused = |args: &[&str]| {
        let ran = output(args);
        let error = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{error}");
        assert!(error.contains("\nhint: "), "{error}");
        error
    };
    // Nobody listens there: who tried to connect first would try for days.
    let url = "https://127.0.0.1:9/x";
    let absent = path("absent.pem");
    let error = refused(&["send", &file, url, "--ca", &absent]);
    assert!(error.contains("absent.pem"), "{error}");
    let error = refused(&["fetch", url, "--out", &path("got"), "--ca", &file]);
    assert!(error.contains("it holds no certificate"), "{error}");
}
