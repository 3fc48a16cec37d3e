//! `mock` inside TLS, through the binary.

mod support {
    #![allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) mod binary;
    pub(crate) mod playing;
    pub(crate) mod recordings;
}

use std::fs;

use support::binary::output;
use support::playing::{capture, closed_uploads, mock, received, replay};

#[test]
fn a_mock_serves_https_and_names_itself_so() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    // The reply's URL leads back to the mock: it has to say https, too.
    for name in ["upload", "upload-reply"] {
        let path = capture(name);
        let server = mock(&path, &["--tls-cert", certificate, "--tls-key", key]);
        let to = format!("https://localhost:{}/", server.address().port());
        let played = replay(&path, &to, &["--ca", certificate]);
        assert_eq!(played.code, Some(0), "{name}: {}", played.error);
        assert_eq!(played.differences(), Vec::<String>::new(), "{name}");
        let plain = replay(&path, &server.url("/"), &["--retries", "0"]);
        assert_ne!(plain.code, Some(0), "{name} in the clear");
        let (_, lines) = server.interrupt();
        assert_eq!(received(&lines), closed_uploads(&path), "{name}");
    }
}

#[test]
fn a_key_that_is_none_is_said() {
    let path = capture("upload");
    let made = output(&[
        "mock",
        path.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        "/no/such.pem",
        "--tls-key",
        "/no/such.key",
    ]);
    assert_eq!(made.status.code(), Some(2));
    let error = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(
        error.contains("/no/such.pem") && error.contains("hint:"),
        "{error}"
    );
}
