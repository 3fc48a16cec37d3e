//! Signals: the first asks for a graceful end, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;

/// Cancels `stop` at the first SIGINT, SIGTERM or SIGHUP and ends the process at the second.
///
/// The screen's flag is set too, so that the terminal is restored whatever ends us.
pub(super) fn watch(stop: CancellationToken, screen: Arc<AtomicBool>) -> Result<(), Failure> {
    let handler = Handler { stop, screen };
    handler.install().context("cannot watch for signals")?;
    Ok(())
}

struct Handler {
    stop: CancellationToken,
    screen: Arc<AtomicBool>,
}

impl Handler {
    #[cfg(unix)]
    fn install(self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut pending = signals.forever();
                if pending.next().is_some() {
                    self.stop.cancel();
                    self.screen
                        .store(true, std::sync::atomic::Ordering::Relaxed);
                }
                if let Some(signal) = pending.next() {
                    // The shell's convention for a process that a signal ended.
                    signal_hook::low_level::exit(128 + signal);
                }
            })?;
        Ok(())
    }

    #[cfg(not(unix))]
    fn install(self) -> std::io::Result<()> {
        let first = self.stop.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                first.cancel();
                self.screen
                    .store(true, std::sync::atomic::Ordering::Relaxed);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
        Ok(())
    }
}
