//! The real binary between clients that nobody here wrote and an https server with a private authority.
//!
//! Parts are skipped with a message where `curl`, `openssl` or `tshark` is not installed, but not where CI=true.

use std::path::Path;

use rcgen::date_time_ymd;
use tokio::net::TcpStream;
use tokio_rustls::rustls::{CertificateError, Error};

use crate::binary::{Running, json, of_type, output};
use crate::programs::foreign;
use crate::support::{Client, TestCa, why};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn an_upload_passes_through_tls_on_both_sides_whatever_the_name() {
    let ca = TestCa::make();
    let files = ca.sign("localhost", |_| {});
    let folder = ca.folder.path();
    let (inbox, authority) = (folder.join("inbox"), folder.join("ca"));
    std::fs::create_dir(&inbox).unwrap();
    let server = Running::start(&[
        "serve",
        text(&inbox),
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        text(&files.certificates),
        "--tls-key",
        text(&files.key),
    ]);
    let upstream = format!("https://localhost:{}", server.address().port());
    let proxy = Running::start(&[
        "proxy",
        "--upstream",
        &upstream,
        "--upstream-ca",
        text(&ca.file),
        "--listen",
        "127.0.0.1:0",
        "--tls",
        "auto",
        "--ca-dir",
        text(&authority),
    ]);
    let address = proxy.address();
    assert_eq!(proxy.ready["url"][0], format!("https://{address}"));
    let trusted = authority.join("authority.crt");
    let file = folder.join("report.bin");
    let content: Vec<u8> = (0..300_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    std::fs::write(&file, &content).unwrap();
    let url = format!("https://{address}/up/report.bin");
    json(&["send", text(&file), &url, "--ca", text(&trusted)]);
    assert_eq!(std::fs::read(inbox.join("up/report.bin")).unwrap(), content);

    let port = address.port();
    for name in ["files.test", "127.0.0.1"] {
        let resolve = format!("{name}:{port}:127.0.0.1");
        let url = format!("https://{name}:{port}/up/report.bin");
        let args = [
            "-sS",
            "--cacert",
            text(&trusted),
            "--resolve",
            &resolve,
            &url,
        ];
        if let Some(got) = foreign("curl", &args) {
            let error = String::from_utf8_lossy(&got.stderr).into_owned();
            assert!(got.stdout == content, "{name}: {error}");
        }
    }
    let connect = address.to_string();
    for (name, expected) in [
        (Some("one.test"), "CN = one.test"),
        (Some("two.test"), "CN = two.test"),
        (None, "CN = 127.0.0.1"),
    ] {
        let asked = match name {
            Some(name) => ["-servername", name, "-verify_hostname", name],
            None => ["-noservername", "-verify_ip", "127.0.0.1", "-showcerts"],
        };
        let mut args = vec!["s_client", "-connect", &connect, "-CAfile", text(&trusted)];
        args.push("-verify_return_error");
        args.extend(asked);
        if let Some(seen) = foreign("openssl", &args) {
            let seen = String::from_utf8_lossy(&seen.stdout).replace("CN=", "CN = ");
            assert!(seen.contains(&format!("subject={expected}")), "{seen}");
            assert!(seen.contains("Verify return code: 0 (ok)"), "{seen}");
        }
    }
    let (code, lines) = proxy.interrupt();
    assert_eq!(code, Some(0));
    let notes = of_type(&lines, "note");
    for side in ["client", "server"] {
        let said = format!("TLS with the {side} is up");
        let told = |note: &&serde_json::Value| note["text"].as_str().unwrap().contains(&said);
        assert!(notes.iter().any(told), "{side}");
    }
    server.kill();
}

/// Runs a command that must fail with exit code 2, and returns what it says.
fn error(args: &[&str]) -> String {
    let output = output(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("\nhint: "), "{error}");
    error
}

/// As `openssl x509 -req` makes one where nobody gives it extensions.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBIzCByQIUcELGwi74aIKnaDEYbjPuoTHGF8YwCgYIKoZIzj0EAwIwEzERMA8G
A1UEAwwIb2xkLnRlc3QwIBcNMjYxMjAxMDg1NjAwWhgPMjEyNjExMDcwODU2MDBa
MBMxETAPBgNVBAMMCG9sZC50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
gaVq00cucOxGhfQRu2WdMHeym+z7pAL50BkzmEQ2F0vDTJ6zDXP3wC5hA4kcNCEO
Z1CJkkU6ngquT9WHQBBrBDAKBggqhkjOPQQDAgNJADBGAiEAoSPQdXWuEPmQQbu8
0rhsv0BH5zXYMhSmqofunZi09JcCIQDTixrtxFqw/4XHXggD+p6qifzAm0lnSG5r
qJHS8rS/OQ==
-----END CERTIFICATE-----
";

#[test]
fn what_cannot_be_used_is_said_with_a_hint() {
    let ca = TestCa::make();
    let one = ca.sign("one.test", |_| {});
    let other = ca.sign("other.test", |_| {});
    let old = ca.sign("old.test", |params| {
        params.not_after = date_time_ymd(2020, 2, 3);
    });
    let folder = ca.folder.path();
    let start = ["proxy", "--upstream", "https://localhost:9", "--listen"];
    let with = |more: &[&str]| error(&[&start[..], &["127.0.0.1:0"], more].concat());
    let (certificate, wrong) = (text(&one.certificates), text(&other.key));
    let mixed = with(&["--tls-cert", certificate, "--tls-key", wrong]);
    assert!(mixed.contains("does not belong to"), "{mixed}");
    let alone = with(&["--tls-cert", certificate]);
    assert!(alone.contains("cannot read a private key from"), "{alone}");
    let ancient = folder.join("ancient.crt");
    std::fs::write(&ancient, VERSION_1).unwrap();
    let ancient = with(&["--tls-cert", text(&ancient), "--tls-key", wrong]);
    assert!(ancient.contains("X.509 version 1"), "{ancient}");
    let absent = folder.join("absent.pem");
    let absent = with(&["--upstream-ca", text(&absent)]);
    assert!(absent.contains("absent.pem"), "{absent}");
    let expired = with(&["--upstream-ca", text(&old.certificates)]);
    assert!(
        expired.contains("it has expired on 2020-02-03"),
        "{expired}"
    );
    let secrets = folder.join("no/such/folder");
    let secrets = with(&["--tls-keylog", text(&secrets)]);
    assert!(secrets.contains("cannot write TLS secrets"), "{secrets}");
    std::fs::write(folder.join("authority.pem"), "damaged").unwrap();
    let damaged = with(&["--tls", "auto", "--ca-dir", text(folder)]);
    assert!(damaged.contains("bitstap ca renew"), "{damaged}");
    let none = folder.join("none");
    let none = error(&["ca", "show", "--ca-dir", text(&none)]);
    assert!(none.contains("bitstap ca export"), "{none}");
}

#[test]
fn tshark_reads_an_encrypted_recording_with_the_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (inbox, secrets, recording) = (path("inbox"), path("secrets.log"), path("raw.pcapng"));
    std::fs::create_dir(&inbox).unwrap();
    std::fs::write(folder.path().join("inbox/there.txt"), "content").unwrap();
    let listen = ["--listen", "127.0.0.1:0"];
    let server = Running::start(&[&["serve", &inbox], &listen[..]].concat());
    let upstream = server.url("");
    let ca = path("ca");
    let tls = ["--tls", "auto", "--ca-dir", &ca, "--tls-keylog", &secrets];
    let proxy = Running::start(&[&["proxy", "--upstream", &upstream], &listen[..], &tls].concat());
    // A second proxy takes the place of whoever records elsewhere: to it, TLS is bytes.
    let upstream = proxy.url("");
    let keep = ["--capture", &recording];
    let recorder =
        Running::start(&[&["proxy", "--upstream", &upstream], &listen[..], &keep].concat());
    let url = format!("https://{}/there.txt", recorder.address());
    let authority = path("ca/authority.crt");
    let Some(got) = foreign("curl", &["-sS", "--cacert", &authority, &url]) else {
        return;
    };
    assert_eq!(got.stdout, b"content", "{got:?}");
    recorder.interrupt();
    proxy.interrupt();
    let secrets = format!("tls.keylog_file:{secrets}");
    let query = [
        "-Y",
        "http.request",
        "-T",
        "fields",
        "-e",
        "http.request.uri",
    ];
    let args = [&["-r", &recording, "-o", &secrets], &query[..]].concat();
    // What Wireshark takes for TLS by itself: not every port.
    let ports = ["-d", "tcp.port==1-65535,tls"];
    if let Some(seen) = foreign("tshark", &[&args[..], &ports].concat()) {
        let uris = String::from_utf8_lossy(&seen.stdout);
        assert_eq!(uris.trim(), "/there.txt", "{seen:?}");
    }
    server.kill();
}

#[test]
fn the_authority_is_exported_shown_and_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |what: &str| {
        let output = output(&["ca", what, "--ca-dir", text(folder.path())]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let first = run("export");
    assert!(
        first.starts_with("-----BEGIN CERTIFICATE-----\n"),
        "{first}"
    );
    assert!(!first.contains("PRIVATE"), "{first}");
    assert_eq!(run("export"), first);
    let file = folder.path().join("authority.crt");
    let shown = run("show");
    let windows = format!("certutil -addstore Root \"{}\"", file.display());
    for part in [
        windows.as_str(),
        "update-ca-certificates",
        "security add-trusted-cert",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let renewed = run("renew");
    assert!(renewed.contains("certutil -delstore Root "), "{renewed}");
    assert_ne!(run("export"), first);
}

#[tokio::test]
async fn a_rule_breaks_the_first_handshake_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let rule = "version = 1\n[[rule]]\nname = \"old\"\nwhen = \"client.ip == 127.0.0.1\"\nstage = \
                \"connect\"\ncount = { per = \"run\", times = 1 }\ndo = [ { tls = { fault = \
                \"expired\" } } ]\n";
    std::fs::write(&rules, rule).unwrap();
    let proxy = Running::start(&[
        "proxy",
        "--upstream",
        "http://127.0.0.1:9",
        "--listen",
        "127.0.0.1:0",
        "--tls",
        "auto",
        "--ca-dir",
        text(folder.path()),
        "--rules",
        text(&rules),
    ]);
    let client = Client::trusting(&folder.path().join("authority.crt"));
    let connect = async || TcpStream::connect(proxy.address()).await.unwrap();
    let error = client.shake(connect().await, "a.test").await.unwrap_err();
    assert!(
        matches!(
            why(&error),
            Error::InvalidCertificate(CertificateError::ExpiredContext { .. })
        ),
        "{error}"
    );
    client.shake(connect().await, "a.test").await.unwrap();
    let (_, lines) = proxy.interrupt();
    let told = |note: &&serde_json::Value| {
        let text = note["text"].as_str().unwrap();
        text.contains("wrong on purpose: it has expired")
    };
    assert!(of_type(&lines, "note").iter().any(told), "{lines:?}");
}
