//! What counts by session where a session begins anew, with our own client and server.

use crate::binary::{Running, of_type, output, sessions};

/// The rules of the manual's first page, but for the slow line: each fires once in a session, although the
/// session begins anew in between.
#[test]
fn a_session_that_is_forgotten_does_not_count_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("served")).unwrap();
    std::fs::write(path("a.bin"), vec![7; 640 * 1024]).unwrap();
    let per = "count = { per = \"session\"";
    let rules = [
        "[[rule]]\nname = \"lost-ack-3\"\nwhen = \"bits.type == fragment\"",
        &format!("{per}, skip = 2, times = 1 }}\nstage = \"response.head\""),
        "do = [ { drop_response = {} }, { reset = { side = \"client\" } } ]",
        "expect = { fired = 1, then = \"bits.type == fragment and http.status in {200, 416}\", within = \"15m\" }",
        "[[rule]]\nname = \"cut\"\nwhen = \"bits.type == fragment\"",
        &format!("{per}, times = 1 }}\nstage = \"request.body\"\nat = {{ file = \"500KiB\" }}"),
        "do = [ { reset = { side = \"both\" } } ]\nexpect = { fired = 1 }",
        "[[rule]]\nname = \"session-lost\"\nwhen = \"bits.type == fragment\"",
        &format!("{per}, skip = 4, times = 1 }}\nstage = \"request.head\""),
        "do = [ { respond = { status = 500, bits = { error = \"0x8020001F\", context = \"0x5\" } } } ]",
        "expect = { fired = 1, then = \"bits.type == create-session\" }",
    ];
    std::fs::write(path("rules.toml"), rules.join("\n")).unwrap();
    let server = Running::start(&["serve", &path("served"), "--listen", "127.0.0.1:0"]);
    let upstream = server.url("");
    let rules = path("rules.toml");
    let mut proxy = Running::start(&[
        "proxy",
        "--upstream",
        upstream.trim_end_matches('/'),
        "--listen",
        "127.0.0.1:0",
        "--rules",
        &rules,
        "--until",
        "sessions=1",
    ]);
    let sent = output(&[
        "send",
        &path("a.bin"),
        &proxy.url("/a.bin"),
        "--fragment-size",
        "64KiB",
        "--retry-delay",
        "1ms",
    ]);
    assert!(sent.status.success(), "{sent:?}");
    let (code, lines) = proxy.finish();
    let expectations = of_type(&lines, "expectation");
    assert!(
        expectations
            .iter()
            .all(|line| line["fired"] == 1 && line["met"] == true),
        "{expectations:?}"
    );
    assert_eq!((code, expectations.len()), (Some(0), 3));
    let session = sessions(&lines)[0];
    assert_eq!(
        (&session["state"], &session["restarts"]),
        (&"closed".into(), &1.into())
    );
}
