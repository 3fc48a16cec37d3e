//! Runs the real binary: starts it, waits for its `ready` line, reads its JSON Lines, stops it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything here takes on a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Makes a command of the binary under test.
pub(crate) fn bitstap<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitstap"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn output<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    bitstap(args).output().expect("the binary starts")
}

/// Runs the binary with `--json` to its end, which must be a good one, and returns its lines.
pub(crate) fn json<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Vec<Value> {
    let output = bitstap(args).arg("--json").output().expect("it starts");
    assert!(
        output.status.success(),
        "exit {:?}: {}",
        output.status.code(),
        String::from_utf8_lossy(&output.stderr)
    );
    lines(&output.stdout)
}

/// Reads JSON Lines.
pub(crate) fn lines(text: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(text)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Returns the lines of one type.
pub(crate) fn of_type<'l>(lines: &'l [Value], wanted: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["type"] == wanted).collect()
}

/// Returns the last `session` line of each session, by number.
pub(crate) fn sessions(lines: &[Value]) -> Vec<&Value> {
    let mut last = std::collections::BTreeMap::new();
    for line in of_type(lines, "session") {
        last.insert(line["no"].as_u64(), line);
    }
    last.into_values().collect()
}

/// A binary that listens.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) ready: Value,
    stdout: Receiver<String>,
}

impl Running {
    /// Starts the binary with `--json` and waits until its ports accept.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Self {
        Self::of(bitstap(args))
    }

    /// The same with a command of the binary that was prepared.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .arg("--json")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, receiver) = sync_channel(65536);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let first = receiver
            .recv_timeout(PATIENCE)
            .expect("a ready line comes first");
        let ready: Value = serde_json::from_str(&first).expect("it is JSON");
        assert_eq!(ready["type"], "ready", "{first}");
        Self {
            child,
            ready,
            stdout: receiver,
        }
    }

    /// Returns the first address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.ready["listen"][0]
            .as_str()
            .expect("an address")
            .parse()
            .expect("host and port")
    }

    /// Returns an `http://` URL of `path` there.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Waits for the next line.
    pub(crate) fn next(&self) -> Value {
        let line = self.stdout.recv_timeout(PATIENCE).expect("a line comes");
        serde_json::from_str(&line).expect("it is JSON")
    }

    /// Waits for a line of the type.
    pub(crate) fn wait_for(&self, wanted: &str) -> Value {
        loop {
            let value = self.next();
            if value["type"] == wanted {
                return value;
            }
        }
    }

    /// Asks it to end, as Ctrl-C does, and returns its exit code and the lines not read so far.
    pub(crate) fn interrupt(mut self) -> (Option<i32>, Vec<Value>) {
        signal(&self.child, "INT");
        self.finish()
    }

    /// Waits for it to end by itself.
    pub(crate) fn finish(&mut self) -> (Option<i32>, Vec<Value>) {
        let mut lines = Vec::new();
        while let Ok(line) = self.stdout.recv_timeout(PATIENCE) {
            lines.push(serde_json::from_str(&line).expect("it is JSON"));
        }
        let status = self.child.wait().expect("it has ended");
        (status.code(), lines)
    }

    /// Ends it without a chance to clean up, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status()
        .expect("kill is there");
    assert!(status.success());
}

/// Reads a stream to its end into a string.
pub(crate) fn text(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
