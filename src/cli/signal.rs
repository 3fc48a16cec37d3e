//! Signals: the first asks for a graceful end, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;

/// Cancels `stop` at the first SIGINT, SIGTERM or SIGHUP and ends the process at the next SIGINT or SIGTERM.
///
/// The screen's flag is set too, so that the terminal is restored whatever ends us.
pub(super) fn watch(stop: CancellationToken, screen: Arc<AtomicBool>) -> Result<(), Failure> {
    let handler = Handler { stop, screen };
    handler.install().context("cannot watch for signals")?;
    Ok(())
}

/// Makes a token that the first signal cancels.
pub(super) fn token() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    watch(stop.clone(), Arc::new(AtomicBool::new(false)))?;
    Ok(stop)
}

/// Sets `flag` at the first signal.
pub(super) fn raise(flag: &Arc<AtomicBool>) -> Result<(), Failure> {
    watch(CancellationToken::new(), flag.clone())
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
                // A terminal that goes away hangs up more than once.
                if let Some(signal) = pending.find(|signal| *signal != SIGHUP) {
                    // The shell's convention for a process that a signal ended.
                    signal_hook::low_level::exit(128 + signal);
                }
            })?;
        Ok(())
    }

    #[cfg(not(unix))]
    fn install(self) -> std::io::Result<()> {
        // A runtime of its own: not every command has one.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    if tokio::signal::ctrl_c().await.is_ok() {
                        self.stop.cancel();
                        self.screen
                            .store(true, std::sync::atomic::Ordering::Relaxed);
                    }
                    if tokio::signal::ctrl_c().await.is_ok() {
                        std::process::exit(130);
                    }
                });
            })?;
        Ok(())
    }
}
