//! Experiments on a client: a server that misbehaves as each path says, and a judge of what comes over the wire.
//!
//! One path for each experiment, so that a client on another machine can be driven by a script. Knows nothing of the
//! client but its packets.

mod connection;
mod faults;
mod forms;
mod log;
mod plan;
mod steer;
mod trial;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Experiment, Judged, Report, Scored, Verdict, fails, pick, tell, unknown};
use crate::peer::{Error, Result};
use log::{Entry, Log};
use plan::{Deed, Manners, Scene};
use trial::Trial;

/// How long to wait after a connection that could not be accepted.
const BREATH: Duration = Duration::from_millis(50);
/// How often it is looked whether an experiment has stood still.
const LOOK: Duration = Duration::from_millis(100);

/// One row of the suite.
struct Row {
    experiment: Experiment,
    manners: Manners,
    /// What becomes of a packet.
    plan: fn(&Scene) -> Deed,
    judge: fn(&Log) -> std::result::Result<Judged, Judged>,
}

/// Makes a row.
macro_rules! row {
    ($name:literal, $manners:expr, $plan:expr, $judge:expr, $does:literal, $says:literal, $source:literal) => {
        Row {
            experiment: Experiment {
                name: $name,
                does: $does,
                says: $says,
                source: $source,
            },
            manners: $manners,
            plan: $plan,
            judge: $judge,
        }
    };
}
use row;

fn rows() -> Vec<&'static Row> {
    [faults::ROWS, steer::ROWS, forms::ROWS]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns all experiments on a client, in the order of the table.
pub fn experiments() -> Vec<Experiment> {
    rows().iter().map(|row| row.experiment).collect()
}

/// Where to listen, and with how much patience.
#[derive(Clone, Debug)]
pub struct ClientScoreConfig {
    /// Port 0 picks a free port.
    pub listen: Vec<SocketAddr>,
    /// Names of experiments; empty: all.
    pub only: Vec<String>,
    /// An experiment is over when nothing was heard of it for so long.
    pub patience: Duration,
    /// All are over after this time.
    pub timeout: Duration,
    /// What the client uploads, to be compared byte for byte.
    pub file: Option<PathBuf>,
    pub stop: CancellationToken,
}

/// What all connections share.
struct Shared {
    names: Vec<&'static str>,
    trials: Vec<Mutex<Trial>>,
    heard: Notify,
    /// Connections so far.
    conns: AtomicU64,
}

/// The misbehaving server with its ports open.
pub struct ClientScore {
    config: ClientScoreConfig,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
}

impl ClientScore {
    /// Opens the ports.
    pub async fn bind(config: ClientScoreConfig) -> Result<Self> {
        let rows = rows();
        let picked = pick(&rows, &config.only, |row| row.experiment.name)
            .map_err(|name| Error::NoExperiment { name })?;
        if let Some(path) = &config.file {
            std::fs::File::open(path).map_err(Error::file("read", path))?;
        }
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for address in &config.listen {
            let listen = |source| Error::Listen {
                address: *address,
                source,
            };
            let listener = TcpListener::bind(address).await.map_err(listen)?;
            addresses.push(listener.local_addr().map_err(listen)?);
            listeners.push(listener);
        }
        let shared = Arc::new(Shared {
            names: picked.iter().map(|row| row.experiment.name).collect(),
            trials: picked
                .into_iter()
                .map(|row| Mutex::new(Trial::new(row)))
                .collect(),
            heard: Notify::new(),
            conns: AtomicU64::new(0),
        });
        Ok(Self {
            config,
            listeners,
            addresses,
            shared,
        })
    }

    /// Returns where it listens, with the real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the names of the experiments that are asked for; each is a path.
    pub fn names(&self) -> &[&'static str] {
        &self.shared.names
    }

    /// Serves until every experiment is over; `told` hears of each as it ends. An error is that no client came.
    pub async fn run(self, told: &(dyn Fn(&Scored) + Sync)) -> Result<Report> {
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(accept(listener, Arc::clone(&self.shared)));
        }
        let begun = Instant::now();
        let mut scored: Vec<Option<Scored>> = self.shared.names.iter().map(|_| None).collect();
        loop {
            let late = begun.elapsed() >= self.config.timeout || self.config.stop.is_cancelled();
            for (trial, slot) in self.shared.trials.iter().zip(&mut scored) {
                if slot.is_some() {
                    continue;
                }
                let file = self.config.file.as_deref();
                let over = {
                    let trial = trial.lock().unwrap_or_else(PoisonError::into_inner);
                    let silent = trial
                        .heard
                        .is_some_and(|at| at.elapsed() >= self.config.patience);
                    (late || silent || trial.ended).then(|| judge(&trial, file))
                };
                if let Some(one) = over {
                    told(&one);
                    *slot = Some(one);
                }
            }
            if scored.iter().all(Option::is_some) {
                break;
            }
            tokio::select! {
                () = self.shared.heard.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = self.config.stop.cancelled() => {}
            }
        }
        // An answer that is being written reaches its client.
        tokio::time::sleep(LOOK).await;
        accepting.shutdown().await;
        let report = Report {
            of: "client",
            scored: scored.into_iter().flatten().collect(),
        };
        let seen = report.scored.iter().any(|one| !one.saw.is_empty());
        if seen {
            Ok(report)
        } else {
            Err(Error::NoClient)
        }
    }
}

/// Judges an experiment that is over.
fn judge(trial: &Trial, file: Option<&Path>) -> Scored {
    let (Ok(mut judged) | Err(mut judged)) = (trial.row.judge)(&trial.log);
    let good = matches!(judged.verdict, Verdict::Pass | Verdict::Differs);
    if let (true, false, Some(file), Some((stored, size))) =
        (good, trial.log.hole, file, &trial.stored)
    {
        match same(file, stored.path(), *size) {
            Ok(true) => judged.why.push_str("; byte for byte the file"),
            Ok(false) => judged = fails("what was uploaded is not the file"),
            Err(error) => judged = unknown(format!("the file cannot be compared: {error}")),
        }
    }
    let mut saw = Vec::new();
    for entry in &trial.log.entries {
        tell(&mut saw, Entry::text(entry));
    }
    Scored {
        experiment: trial.row.experiment,
        verdict: judged.verdict,
        why: judged.why,
        saw,
    }
}

/// Compares two files; the second may be longer than `size`, which does not count.
fn same(one: &Path, two: &Path, size: u64) -> std::io::Result<bool> {
    let (one, two) = (std::fs::File::open(one)?, std::fs::File::open(two)?);
    if one.metadata()?.len() != size {
        return Ok(false);
    }
    let mut one = std::io::BufReader::new(one).bytes();
    let mut two = std::io::BufReader::new(two.take(size)).bytes();
    loop {
        match (one.next().transpose()?, two.next().transpose()?) {
            (None, None) => return Ok(true),
            (a, b) if a == b => {}
            _ => return Ok(false),
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let conn = shared.conns.fetch_add(1, Ordering::Relaxed) + 1;
                    let _ = stream.set_nodelay(true);
                    let shared = Arc::clone(&shared);
                    // What breaks is that connection's own.
                    connections.spawn(async move { drop(connection::speak(shared, stream, conn).await); });
                }
                Err(_) => tokio::time::sleep(BREATH).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
