//! `bitstap demo`: server, proxy and client on loopback play the scenes; nothing to set up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::peer::{Demo, DemoConfig, Scene, scenes};
use crate::relay::{Config, Relay, Upstream};

use super::check::Documents;
use super::failure::{Failure, WithHint};
use super::faults::{self, InForce};
use super::front::{Behind, Places};
use super::output::Format;
use super::stage::{self, Appearance, Plan, Recorded, Stage, Until};
use super::tls::Security;

/// Play eight scenes through the proxy, with nothing to set up
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bitstap demo\n  bitstap demo --headless\n  bitstap demo --scene lost-ack --capture lost-ack.pcapng --json"
)]
pub(super) struct Args {
    /// Play this scene only; repeatable (--scene list names them)
    #[arg(long, value_name = "NAME")]
    scene: Vec<String>,
    /// Keep the capture (pcapng)
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    appearance: Appearance,
}

/// The pause before each piece when somebody watches.
const PACE: Duration = Duration::from_millis(350);

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.scene.iter().any(|name| name == "list") {
        return list();
    }
    let chosen = choose(&args.scene)?;
    let runtime = stage::runtime()?;
    let (start, start_ns) = stage::clocks();
    let demo = runtime
        .block_on(Demo::start(DemoConfig::default()))
        .hint(|| {
            "the demo needs a temporary folder that you may write to and a free port on 127.0.0.1"
                .to_owned()
        })?;
    let server = demo.address();
    let upstream = Upstream {
        tls: false,
        host: server.ip().to_string(),
        port: server.port(),
    };
    let on_screen = args.format.wants_screen();
    let rules = on_screen
        .then(|| faults::Args::default().put_in_force())
        .transpose()?;
    let relay = runtime.block_on(Relay::bind(Config {
        start: Some(start),
        rules: rules.as_ref().map(InForce::board),
        ..Config::new("127.0.0.1:0", upstream)
    }))?;
    let via = relay.addresses().first().copied().unwrap_or(server);
    let plan = Plan {
        front: relay.into(),
        behind: Behind::Servers(Places::upstream(&format!("http://{server}"))),
        notes: Vec::new(),
        security: Security::default(),
        recorded: args.capture.map_or(Recorded::Temporary, Recorded::File),
        snaplen: None,
        start_ns,
        until: Until::default(),
        // On a screen, packets can be held.
        rules,
        by: Documents::default(),
        format: args.format,
        appearance: args.appearance,
    };
    let pace = if on_screen { PACE } else { Duration::ZERO };
    Stage::new(runtime, plan).run(move |stop| async move {
        let played = tokio::select! {
            played = play(&demo, &chosen, via, pace) => played,
            () = stop.cancelled() => Ok(()),
        };
        finish(&stop, on_screen).await;
        drop(demo);
        played
    })
}

async fn play(
    demo: &Demo,
    chosen: &[&'static Scene],
    via: SocketAddr,
    pace: Duration,
) -> Result<(), Failure> {
    for scene in chosen {
        demo.play(scene, via, pace).await?;
    }
    Ok(())
}

/// Headless, the play's end is the run's; on the screen the user ends it.
async fn finish(stop: &CancellationToken, on_screen: bool) {
    if on_screen {
        stop.cancelled().await;
    } else {
        stop.cancel();
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Scene>, Failure> {
    if names.is_empty() {
        return Ok(scenes().iter().collect());
    }
    names
        .iter()
        .map(|name| {
            let found = scenes().iter().find(|scene| scene.name == name);
            found.ok_or_else(|| {
                let all: Vec<&str> = scenes().iter().map(|scene| scene.name).collect();
                Failure::new(format!("there is no scene `{name}`"))
                    .hint(format!("scenes are {}", all.join(", ")))
            })
        })
        .collect()
}

fn list() -> Result<ExitCode, Failure> {
    for scene in scenes() {
        super::transfer::tell(&format!("{:<16} {}", scene.name, scene.about))?;
    }
    Ok(ExitCode::SUCCESS)
}
