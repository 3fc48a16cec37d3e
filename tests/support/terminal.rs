//! The binary in a terminal: keys go in, and what the terminal shows is read.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longer than any screen takes to change on a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The binary in a terminal, and what the terminal shows.
pub(crate) struct Terminal {
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
    keys: Box<dyn Write + Send>,
    pub(crate) child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    pub(crate) fn start(args: &[&str], rows: u16, cols: u16) -> Self {
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_bitstap"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new((
            Mutex::new(vt100::Parser::new(
                NonZero::new(rows).unwrap(),
                NonZero::new(cols).unwrap(),
                0,
            )),
            Condvar::new(),
        ));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                shown.0.lock().unwrap().process(&buffer[..count]);
                shown.1.notify_all();
            }
        });
        Self {
            screen,
            keys: pair.master.take_writer().unwrap(),
            child,
            _master: pair.master,
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen satisfies `wanted` and returns its text.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> String {
        let guard = self.screen.0.lock().unwrap();
        let (guard, timeout) = self
            .screen
            .1
            .wait_timeout_while(guard, PATIENCE, |parser| !wanted(parser.screen()))
            .unwrap();
        let text = guard.screen().contents();
        assert!(!timeout.timed_out(), "never seen: {what}\n{text}");
        text
    }

    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contents().contains(text))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
