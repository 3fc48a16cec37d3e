//! Processes that may not hang: what does not end in time is killed, and what it said is the failure.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(50);

/// A process that runs.
pub(crate) struct Bounded {
    pub(crate) child: Child,
    name: String,
    streams: [Receiver<String>; 2],
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bounded {
    pub(crate) fn start(mut command: Command) -> Self {
        let name = format!("{command:?}");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdout = collect(child.stdout.take().expect("it is piped"));
        let stderr = collect(child.stderr.take().expect("it is piped"));
        Self {
            child,
            name,
            streams: [stdout, stderr],
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Ended {
        let [stdout, stderr] = &self.streams;
        let in_time = stdout.recv_timeout(PATIENCE).ok();
        let hung = in_time.is_none();
        if hung {
            self.child.kill().expect("it runs");
        }
        let stdout = in_time.unwrap_or_else(|| stdout.recv().expect("it has ended"));
        let stderr = stderr.recv().expect("it has ended");
        let status = self.child.wait().expect("it has ended");
        assert!(!hung, "{} hangs:\n{stdout}{stderr}", self.name);
        Ended {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

/// Reads a stream to its end in a thread.
fn collect(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
