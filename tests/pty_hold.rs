//! Rules and the breakpoint through the real binary: a terminal, a server, a client, messages that wait.
#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/terminal.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod terminal;

use std::path::Path;
use std::process::{Child, Stdio};

use binary::Running;
use terminal::Terminal;

const RULES: &str = r#"
[[rule]]
name  = "look-at-the-end"
when  = "bits.type == close-session"
stage = "request.head"
do    = [ { hold = { time = "5m" } } ]

[[rule]]
name = "never"
when = "http.method == PROPFIND"
do   = [ { respond = { status = 503 } } ]
"#;

/// A server, the proxy before it in a terminal, and the URL of a file there as its client sees it.
struct Set {
    folder: tempfile::TempDir,
    _server: Running,
    terminal: Terminal,
    url: String,
}

fn set(editor: &str) -> Set {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
    std::fs::write(folder.path().join("a.bin"), vec![7; 100_000]).unwrap();
    let server = Running::start(&["serve", root.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let rules = folder.path().join("rules.toml");
    let upstream = server.url("");
    let args = [
        "proxy",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream,
        "--no-capture",
        "--rules",
        rules.to_str().unwrap(),
    ];
    let terminal = Terminal::with_env(&args, &[("VISUAL", editor)], 40, 120);
    let text = terminal.wait("the proxy's address", |screen| {
        let text = screen.contents();
        text.contains(" -> http://") && text.contains("faults 2 on")
    });
    let before = text.split(" -> ").next().unwrap();
    let address = before.split_whitespace().last().unwrap();
    let url = format!("http://{address}/up/a.bin");
    Set {
        folder,
        _server: server,
        terminal,
        url,
    }
}

impl Set {
    fn send(&self) -> Child {
        let file = self.folder.path().join("a.bin");
        let args = ["send", file.to_str().unwrap(), &self.url];
        let mut send = binary::bitstap(&args);
        send.stdout(Stdio::null()).stderr(Stdio::null());
        send.spawn().unwrap()
    }

    fn quit(&mut self) {
        self.terminal.press("q");
        let status = self.terminal.child.wait().unwrap();
        assert!(status.success(), "{status:?}");
    }

    fn arrived(&self, path: &str) -> bool {
        let file = self.folder.path().join("root").join(Path::new(path));
        std::fs::read(file).is_ok_and(|bytes| bytes == vec![7; 100_000])
    }
}

#[test]
fn a_rule_holds_the_breakpoint_holds_and_an_edited_head_goes_on() {
    let mut set = set("sed -i 's/^[Uu]ser-[Aa]gent:.*/User-Agent: edited by hand/'");
    set.terminal
        .press("ibits.type == create-session and not http.status\r");
    set.terminal.wait_for("held from now on");
    let mut client = set.send();
    set.terminal.wait("the first request", |screen| {
        let text = screen.contents();
        text.contains("Held: 1") && text.contains("breakpoint") && text.contains("Create-Session")
    });
    set.terminal.press("e");
    set.terminal.wait_for("Edit request, held 1");
    // F4
    set.terminal.press("\x1bOS");
    set.terminal.wait_for("taken from the editor");
    set.terminal.wait_for("User-Agent: edited by hand");
    set.terminal.press("\r");
    set.terminal.wait_for("goes on with its new head");
    set.terminal.press("i");
    set.terminal.wait_for("nothing more is held");
    set.terminal.wait("the last request", |screen| {
        let text = screen.contents();
        text.contains("rule look-at") && text.contains("Close-Session")
    });
    set.terminal.press("5");
    set.terminal.wait_for("in file order");
    set.terminal.press("a");
    set.terminal.wait_for("goes on as it was");
    assert!(client.wait().unwrap().success());
    assert!(set.arrived("up/a.bin"));
    set.terminal.press("6");
    set.terminal
        .wait_for("Released by the operator, with another head.");
    set.quit();
}

#[test]
fn all_faults_off_lets_the_traffic_alone() {
    let mut set = set("false");
    set.terminal.press("5");
    set.terminal.wait_for("look-at-the-end");
    set.terminal.press("T");
    set.terminal.wait_for("faults OFF");
    assert!(set.send().wait().unwrap().success());
    assert!(set.arrived("up/a.bin"));
    set.terminal.press(":reload\r");
    set.terminal.wait_for("was read again: 2 rules in force");
    set.quit();
}
