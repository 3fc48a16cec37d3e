//! `replay --same-faults`: a relay of our own on the way to the live server, with the rules and the seed of the
//! recorded run in force.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle as Task;
use tokio_util::sync::CancellationToken;

use crate::peer::replay::ServerAt;
use crate::relay::{Config, Outlet, Relay, Upstream, queue};
use crate::timeline::Timeline;

use super::failure::Failure;
use super::faults::{Args, InForce};
use super::tls::with_hint;

/// A relay that does to a replay what was done to the recorded run.
pub(super) struct Repeat {
    rules: InForce,
    address: SocketAddr,
    stop: CancellationToken,
    relay: Task<()>,
    listener: JoinHandle<Timeline>,
}

impl Repeat {
    /// Opens it before `server`, with what the captures tell of.
    pub(super) fn start(
        runtime: &Runtime,
        captures: &[PathBuf],
        server: ServerAt,
        authority: Option<&Path>,
    ) -> Result<Self, Failure> {
        let rules = Args::repeat(captures)?;
        let upstream = Upstream {
            tls: server.tls,
            host: server.host,
            port: server.port,
        };
        let config = Config {
            rules: Some(rules.board()),
            upstream_ca: authority.map(Path::to_path_buf).into_iter().collect(),
            ..Config::new("127.0.0.1:0", upstream)
        };
        let relay = runtime.block_on(Relay::bind(config)).map_err(with_hint)?;
        let address = relay.addresses().first().copied();
        let address = address.context("the relay for --same-faults listens nowhere")?;
        let (sender, mut events) = queue();
        let begin = rules.events();
        let listener = std::thread::Builder::new()
            .name("faults".to_owned())
            .spawn(move || {
                let mut timeline = Timeline::new();
                let mut batch = begin;
                loop {
                    for event in batch.drain(..) {
                        timeline.apply(&event, 0);
                        // Nobody asks for them; they would grow.
                        timeline.take_changes();
                    }
                    if !events.take(&mut batch) {
                        break;
                    }
                }
                timeline.finish();
                timeline
            })
            .context("cannot start watching the rules")?;
        let stop = CancellationToken::new();
        let relay = runtime.spawn(relay.run(Outlet::from(sender), stop.clone()));
        Ok(Self {
            rules,
            address,
            stop,
            relay,
            listener,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and tells how often each rule fired, now and in the recording.
    pub(super) fn finish(
        self,
        runtime: &Runtime,
        recorded: &Timeline,
    ) -> Result<Vec<String>, Failure> {
        self.stop.cancel();
        let relayed = runtime.block_on(self.relay);
        relayed.context("the relay for --same-faults has ended badly")?;
        let live = self
            .listener
            .join()
            .map_err(|_| Failure::new("the watch on the rules has ended badly"))?;
        let count = |timeline: &Timeline, rule: &str| {
            let firings = timeline.firings().iter();
            firings.filter(|firing| *firing.rule == *rule).count()
        };
        Ok(self
            .rules
            .names()
            .iter()
            .map(|rule| {
                let (then, now) = (count(recorded, rule), count(&live, rule));
                let times = |count: usize| match count {
                    1 => "once".to_owned(),
                    count => format!("{count} times"),
                };
                if then == now {
                    format!("Rule {rule} fired {}, as recorded.", times(now))
                } else {
                    format!(
                        "Rule {rule} fired {}, recorded {}.",
                        times(now),
                        times(then)
                    )
                }
            })
            .collect())
    }
}
