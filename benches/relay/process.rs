//! Processes of this bench, and what the system says of them.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A process that ends with its owner.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts this very program in another role and reads its port.
    pub(crate) fn own(args: &[&str]) -> (Self, u16) {
        let program = std::env::current_exe().expect("a path");
        let mut child = Command::new(program)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a port");
        (Self(child), line.trim().parse().expect("a port"))
    }

    /// Starts the command `bitstap proxy`, with a capture or without.
    pub(crate) fn bitstap(sink: u16, capture: Option<&Path>) -> (Self, u16) {
        let port = free_port();
        let listen = format!("--listen=127.0.0.1:{port}");
        let upstream = format!("--upstream=http://127.0.0.1:{sink}");
        let capture = capture.map_or_else(
            || "--no-capture".to_owned(),
            |path| format!("--capture={}", path.display()),
        );
        let args = [
            "proxy",
            "--headless",
            "--quiet",
            &listen,
            &upstream,
            &capture,
        ];
        let program = env!("CARGO_BIN_EXE_bitstap");
        (Self::foreign(program, &args, port), port)
    }

    /// Starts a program and waits until its port accepts.
    pub(crate) fn foreign(program: &str, args: &[&str], port: u16) -> Self {
        let child = Command::new(program)
            .args(args)
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }

    /// CPU seconds of the process and its children so far.
    pub(crate) fn cpu(&self) -> f64 {
        let own = self.0.id();
        let mut all = vec![own];
        for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
            let id = entry.file_name().to_string_lossy().parse::<u32>();
            if let Ok(id) = id
                && stat(id).is_some_and(|stat| stat[1] == u64::from(own))
            {
                all.push(id);
            }
        }
        let ticks = all.iter().filter_map(|id| stat(*id));
        ticks.map(|stat| (stat[11] + stat[12]) as f64 / 100.0).sum()
    }

    /// Returns a figure of /proc/PID/status in MiB.
    pub(crate) fn memory(&self, name: &str) -> f64 {
        let path = format!("/proc/{}/status", self.0.id());
        let status = std::fs::read_to_string(path).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse::<f64>().ok())
            .expect("a figure")
            / 1024.0
    }
}

/// Finds a port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The numbers of /proc/PID/stat after the state: the parent at 1, utime at 11, stime at 12.
fn stat(id: u32) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, after) = text.rsplit_once(')')?;
    let numbers = after.split_whitespace();
    Some(numbers.map(|word| word.parse().unwrap_or(0)).collect())
}
