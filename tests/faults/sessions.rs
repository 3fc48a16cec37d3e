//! What counts by session where a session begins anew, and when a session is over, with our own client and
//! server.

use serde_json::Value;

use crate::binary::{Running, of_type, output, sessions};

/// The rules of the manual's first page, but for the slow line and with a smaller file.
const RULES: &str = r#"
[[rule]]
name = "lost-ack-3"
when = "bits.type == fragment"
count = { per = "session", skip = 2, times = 1 }
stage = "response.head"
do = [ { drop_response = {} }, { reset = { side = "client" } } ]
expect = { fired = 1, then = "bits.type == fragment and http.status in {200, 416}", within = "15m" }

[[rule]]
name = "cut"
when = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.body"
at = { file = "500KiB" }
do = [ { reset = { side = "both" } } ]
expect = { fired = 1 }

[[rule]]
name = "session-lost"
when = "bits.type == fragment"
count = { per = "session", skip = 4, times = 1 }
stage = "request.head"
do = [ { respond = { status = 500, bits = { error = "0x8020001F", context = "0x5" } } } ]
expect = { fired = 1, then = "bits.type == create-session" }
"#;

/// Uploads a file of ten Fragments through a proxy that stops by itself when the session is over.
fn uploaded(rules: &str) -> (Option<i32>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("served")).unwrap();
    std::fs::write(path("a.bin"), vec![7; 640 * 1024]).unwrap();
    std::fs::write(path("rules.toml"), rules).unwrap();
    let server = Running::start(&["serve", &path("served"), "--listen", "127.0.0.1:0"]);
    let (upstream, rules) = (server.url(""), path("rules.toml"));
    let ends = ["--listen", "127.0.0.1:0", "--upstream", &upstream];
    let more = ["--rules", &rules, "--until", "sessions=1"];
    let mut proxy = Running::start(&[&["proxy"], &ends[..], &more[..]].concat());
    let (file, url) = (path("a.bin"), proxy.url("/a.bin"));
    let paces = ["--fragment-size", "64KiB", "--retry-delay", "1ms"];
    let sent = output(&[&["send", &file, &url], &paces[..]].concat());
    assert!(sent.status.success(), "{sent:?}");
    proxy.finish()
}

#[test]
fn a_session_that_is_forgotten_does_not_count_from_the_start() {
    let (code, lines) = uploaded(RULES);
    let expectations = of_type(&lines, "expectation");
    let once = |line: &&Value| line["fired"] == 1 && line["met"] == true;
    assert!(expectations.iter().all(once), "{expectations:?}");
    assert_eq!((code, expectations.len()), (Some(0), 3));
    let session = sessions(&lines)[0];
    assert_eq!(session["state"], "closed");
    assert_eq!(session["restarts"], 1);
}

#[test]
fn a_session_whose_close_was_not_answered_is_over_when_the_server_has_forgotten_it() {
    let (code, lines) = uploaded("[[rule]]\npreset = \"F-04\"\nexpect = { fired = 1 }\n");
    assert_eq!(code, Some(0));
    assert_eq!(sessions(&lines)[0]["state"], "lost");
}
