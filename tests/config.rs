//! The options of `bitstap proxy` in a file.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;

use std::path::{Path, PathBuf};

use binary::{Running, bitstap, output};
use tempfile::TempDir;

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn printed(args: &[&str]) -> String {
    let ran = output(args);
    let error = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{error}");
    String::from_utf8(ran.stdout).unwrap()
}

/// Runs the proxy with a file that is wrong, and returns what it says, without the folder.
fn refused(content: &str) -> String {
    let (folder, path) = file(content);
    let ran = output(&["proxy", "--config", text(&path)]);
    assert_eq!(ran.status.code(), Some(2), "{content}");
    assert!(ran.stdout.is_empty());
    let said = String::from_utf8(ran.stderr).unwrap();
    said.replace(&format!("{}/", text(folder.path())), "")
}

#[test]
fn a_file_has_a_key_for_each_option() {
    let (folder, path) = file(
        "# what we run in the lab\n\
         upstream = 'http://127.0.0.1:1'\n\
         listen = ['127.0.0.1:0', '127.0.0.1:0']\n\
         route = 'a.test=http://127.0.0.1:2'\n\
         both-legs = true\n\
         max-connections = 7\n\
         seed = 3\n",
    );
    let capture = folder.path().join("x.pcapng");
    let args = [
        "proxy",
        "--config",
        text(&path),
        "--capture",
        text(&capture),
    ];
    let proxy = Running::start(&args);
    assert_eq!(proxy.ready["listen"].as_array().unwrap().len(), 2);
    assert_eq!(proxy.ready["upstream"], "http://127.0.0.1:1");
    assert_eq!(proxy.ready["routes"]["a.test"], "http://127.0.0.1:2");
    assert_eq!(proxy.interrupt().0, Some(0));
    let shown = printed(&["proxy", "--config", text(&path), "--print-config"]);
    assert!(shown.contains("\nmax-connections = \"7\"\n"), "{shown}");
    assert!(shown.contains("\nboth-legs = true\n"), "{shown}");
}

#[test]
fn the_command_line_wins_over_the_file() {
    let (_folder, path) = file(
        "upstream = 'http://file.test'\nlisten = ['127.0.0.1:1', '127.0.0.1:2']\n\
         capture = 'file.pcapng'\nforward = true\nhost = 'upstream'\n",
    );
    let config = format!("--config={}", text(&path));
    let shown = printed(&[
        "proxy",
        "--listen",
        "127.0.0.1:3",
        &config,
        "--no-capture",
        "--host=keep",
        "--print-config",
    ]);
    for line in [
        "upstream = \"http://file.test\"",
        "listen = [\"127.0.0.1:3\"]",
        "no-capture = true",
        "# capture = \"FILE\"",
        "forward = true",
        "host = \"keep\"",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line}: {shown}");
    }
}

#[test]
fn what_is_printed_is_read_again_and_names_no_password() {
    let options = [
        "proxy",
        "--route",
        "*.a.test=http://b:81",
        "--route",
        "c=https://d",
        "--upstream-ca",
        "a \"b\"\\c.pem",
        "--until",
        "idle=30s",
        "--forward",
    ];
    let mut args = options.to_vec();
    args.extend([
        "--proxy-auth",
        "me:hush",
        "--upstream-proxy",
        "http://me:hush@p:1",
        "--print-config",
    ]);
    let shown = printed(&args);
    assert!(!shown.contains("hush"), "{shown}");
    assert!(
        shown.contains("# proxy-auth is set and not shown; BITSTAP_PROXY_AUTH"),
        "{shown}"
    );
    let (_folder, path) = file(&shown);
    let again = printed(&["proxy", "--config", text(&path), "--print-config"]);
    let public = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("# "));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(public(&again), public(&shown));

    // Secrets come from the environment.
    let mut command = bitstap(&["proxy", "--forward", "--print-config"]);
    let ran = command
        .env("BITSTAP_PROXY_AUTH", "me:hush")
        .output()
        .unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(
        shown.contains("# proxy-auth is set") && !shown.contains("hush"),
        "{shown}"
    );
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let all = [
        "upstream = 'http://a'\nlistn = 'x'\n",
        "upstream = 'http://a'\nleaks = 'all'\n",
        "upstream = 'http://a'\nidle-timeout = 'soon'\n",
        "upstream = 'http://a'\nroute = ['b=http://c', 'd']\n",
        "forward = 1\n",
        "upstream = 1.5\n",
        "upstream = \n",
        "config = 'x'\n",
    ];
    let said: Vec<String> = all.iter().map(|content| refused(content)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_file_that_says_too_little_or_is_not_there_is_an_error_with_a_hint() {
    let said = refused("listen = '127.0.0.1:0'\n");
    assert!(
        said.contains("error: it is not said which server requests go to"),
        "{said}"
    );
    assert!(said.contains("hint: give --upstream URL"), "{said}");
    let ran = output(&["proxy", "--config", "/no/such.toml"]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(2));
    assert!(
        said.contains("cannot read the configuration /no/such.toml"),
        "{said}"
    );
    assert!(said.contains("--print-config"), "{said}");
}
