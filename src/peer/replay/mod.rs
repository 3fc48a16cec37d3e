//! The client of a recording, played to a live server, and what the server did otherwise.
//!
//! ```text
//! recorded request -> same head, own session id, host, reply URL, range -> live server
//!                  <- compared with the recorded answer; on another answer: recover as a BITS client does
//! ```
//!
//! The recording is the script and the live server's word decides: where both stand at the same offset the
//! recorded request goes out as it was, odd ones too; else the bytes that the server wants go out in pieces.
//! Heads are sent byte for byte, so no HTTP library stands between. Knows no screen and no capture file.
//!
//! MC-BUP §3.1

mod call;
mod compare;
mod fetch;
mod fragment;
pub(super) mod link;
mod live;
mod play;
mod report;
mod resend;
mod script;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::client::Timers;
use super::client::url::Url;
use super::recording::Recording;
use super::{Credentials, Error, Result, tls};
use crate::wire::Head;
use play::Player;
use script::Script;

pub use compare::Difference;
pub use report::{Pair, Report, SessionReport, StepReport, Told};
pub use resend::{Resent, resend};
pub use script::Choice;

/// So many groups of connections are played at a time when the recorded pace is kept.
const AT_ONCE: usize = 256;

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// The client's own pauses, divided by this; 1: as recorded.
    Recorded(f64),
    /// No pauses; what ran side by side runs one after the other.
    Max,
}

impl Speed {
    /// Returns how long a recorded pause lasts.
    fn pause(self, recorded: Duration) -> Duration {
        match self {
            Self::Max => Duration::ZERO,
            Self::Recorded(times) => {
                Duration::try_from_secs_f64(recorded.as_secs_f64() / times.max(f64::MIN_POSITIVE))
                    .unwrap_or(Duration::MAX)
            }
        }
    }
}

/// What to play, where to, and with how much patience.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// The live server; a path in it comes before each recorded path.
    pub to: String,
    pub choice: Choice,
    pub speed: Speed,
    /// Bytes in a Fragment instead of the recorded sizes.
    pub fragment_size: Option<u64>,
    /// PEM file of the only authorities that are trusted; else those of the system.
    pub authority: Option<PathBuf>,
    /// Basic; sent with every request.
    pub credentials: Option<Credentials>,
    pub timers: Timers,
    /// Between an error that may pass and the next attempt. Windows: 600 s.
    pub retry_delay: Duration,
    /// Attempts after the first, for each recorded request.
    pub retries: u32,
    pub stop: CancellationToken,
    /// Where connections to the host of `to` really go, in the clear; whoever listens there passes them on.
    pub via: Option<SocketAddr>,
    pub progress: Arc<Played>,
}

/// How far a replay is.
#[derive(Debug, Default)]
pub struct Played {
    played: AtomicU64,
    all: AtomicU64,
}

impl Played {
    /// Returns how many recorded requests were played, and of how many; 0 of 0 before that is known.
    pub fn so_far(&self) -> (u64, u64) {
        let all = self.all.load(Ordering::Relaxed);
        (self.played.load(Ordering::Relaxed).min(all), all)
    }

    fn begin(&self, all: usize) {
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        self.all.store(all, Ordering::Relaxed);
    }

    fn step(&self) {
        self.played.fetch_add(1, Ordering::Relaxed);
    }
}

impl ReplayConfig {
    /// A replay with the usual settings: Windows' timers, scaled down.
    pub fn new(to: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            choice: Choice::default(),
            speed: Speed::Max,
            fragment_size: None,
            authority: None,
            credentials: None,
            timers: Timers {
                connect: Duration::from_secs(10),
                send: Duration::from_secs(30),
                response: Duration::from_secs(30),
            },
            retry_delay: Duration::from_secs(1),
            retries: 5,
            stop: CancellationToken::new(),
            via: None,
            progress: Arc::default(),
        }
    }

    /// Returns the server that `to` names.
    pub fn server(&self) -> Result<ServerAt> {
        let (url, _) = Url::parse(&self.to)?;
        Ok(ServerAt {
            tls: url.tls,
            host: url.host().to_owned(),
            port: url.port(),
        })
    }
}

/// A server that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAt {
    pub tls: bool,
    /// Without brackets.
    pub host: String,
    pub port: u16,
}

/// What all groups share.
struct Stage<'s> {
    recording: &'s Recording,
    config: &'s ReplayConfig,
    home: Url,
    authorization: Option<String>,
    connector: Option<tokio_rustls::TlsConnector>,
}

impl<'s> Stage<'s> {
    fn new(recording: &'s Recording, config: &'s ReplayConfig) -> Result<Self> {
        let (home, of_url) = Url::parse(&config.to)?;
        if home.target.contains('?') || !(home.target == "/" || home.target.ends_with('/')) {
            return Err(Error::Url {
                url: config.to.clone(),
                reason: "its path comes before the recorded ones, so it must end with a slash",
            });
        }
        Ok(Self {
            recording,
            config,
            authorization: config
                .credentials
                .as_ref()
                .or(of_url.as_ref())
                .map(Credentials::basic),
            connector: home
                .tls
                .then(|| tls::connector(config.authority.as_deref()))
                .transpose()?,
            home,
        })
    }
}

/// Returns the target of a recorded request in origin form, behind the path of the live URL.
fn target(home: &Url, head: &Head) -> Vec<u8> {
    let recorded = head.target().unwrap_or(b"/");
    let path = match memchr::memmem::find(recorded, b"://") {
        Some(at) if !recorded.starts_with(b"/") => {
            let rest = recorded.get(at.saturating_add(3)..).unwrap_or_default();
            let from = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
            rest.get(from..).unwrap_or_default()
        }
        _ => recorded,
    };
    let mut target = home.target.trim_end_matches('/').as_bytes().to_vec();
    if !path.starts_with(b"/") && path != b"*" {
        target.push(b'/');
    }
    target.extend_from_slice(path);
    target
}

/// Plays `recording` to a live server and returns what it did otherwise.
pub async fn replay(recording: &Recording, config: &ReplayConfig) -> Result<Report> {
    let stage = Stage::new(recording, config)?;
    let script = Script::read(recording, &config.choice)?;
    let all = script.groups.iter().map(|group| group.steps.len()).sum();
    config.progress.begin(all);
    let start = script
        .groups
        .first()
        .map_or(Duration::ZERO, |group| group.begun);
    let at_once = if config.speed == Speed::Max {
        1
    } else {
        AT_ONCE
    };
    let report = Arc::new(Mutex::new(Report {
        notes: script.notes,
        ..Report::default()
    }));
    let done: Vec<Result<()>> = stream::iter(&script.groups)
        .map(|group| {
            let (stage, report) = (&stage, Arc::clone(&report));
            async move {
                let wait = config.speed.pause(group.begun.saturating_sub(start));
                let mut player = Player::new(stage, group);
                let played = config.stop.run_until_cancelled(async {
                    tokio::time::sleep(wait).await;
                    player.play().await
                });
                played.await.unwrap_or(Err(Error::Cancelled))?;
                player.report(&mut *report.lock().await);
                Ok(())
            }
        })
        .buffered(at_once)
        .collect()
        .await;
    done.into_iter().collect::<Result<()>>()?;
    let mut report = std::mem::take(&mut *report.lock().await);
    report.sessions.sort_by_key(|session| session.session);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_scale() {
        let recorded = Duration::from_secs(10);
        assert_eq!(Speed::Max.pause(recorded), Duration::ZERO);
        assert_eq!(Speed::Recorded(1.0).pause(recorded), recorded);
        assert_eq!(
            Speed::Recorded(4.0).pause(recorded),
            Duration::from_millis(2500)
        );
        assert_eq!(Speed::Recorded(0.0).pause(recorded), Duration::MAX);
    }
}
