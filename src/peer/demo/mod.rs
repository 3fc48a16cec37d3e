//! Server and client, small and live: the [`scenes`] of a demonstration on loopback.
//!
//! [`Demo::start`] runs the server, [`Demo::play`] the client of one scene, through whatever address it is given:
//! the server's own or that of a relay before it. Everything is made up here, and the same in every run.

mod content;
mod scene;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::client::{FetchConfig, Progress, SendConfig, fetch, send};
use super::server::{Quirks, Server, ServerConfig};
use super::{Error, Result};
use scene::Kind;

pub use scene::{Scene, scenes};

/// How long a client of the demo tries before it gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the demo's server listens.
#[derive(Clone, Debug)]
pub struct DemoConfig {
    pub listen: SocketAddr,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

/// The demo's server, running, with its files in a temporary directory that goes with it.
pub struct Demo {
    folder: TempDir,
    address: SocketAddr,
    quirks: Arc<Quirks>,
    _stop: DropGuard,
}

/// How a scene went, in the client's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub scene: &'static str,
    /// Bytes of the file that the server, or for a download the client, has now.
    pub bytes: u64,
    /// Sentences, in order.
    pub story: Vec<String>,
}

impl Demo {
    /// Makes the files and starts the server.
    pub async fn start(config: DemoConfig) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("bitstap-demo-")
            .tempdir()
            .map_err(Error::file("make", std::env::temp_dir()))?;
        for scene in scenes() {
            let side = match scene.kind {
                Kind::Download(_) => server_file(folder.path(), scene),
                _ => client_file(folder.path(), scene),
            };
            write(&side, &scene.content()).await?;
        }
        let root = folder.path().join("server");
        tokio::fs::create_dir_all(&root)
            .await
            .map_err(Error::file("make", &root))?;
        let quirks = Arc::new(scene::script());
        let server = Server::bind(ServerConfig {
            root,
            listen: vec![config.listen],
            // A scene can be played again.
            overwrite: true,
            responder: Some(Arc::<Quirks>::clone(&quirks)),
            ..ServerConfig::default()
        })
        .await?;
        let address = server.addresses().first().copied().unwrap_or(config.listen);
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Ok(Self {
            folder,
            address,
            quirks,
            _stop: stop.drop_guard(),
        })
    }

    /// Returns where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Plays the client of `scene` through `via` and checks how it ended, bit for bit.
    ///
    /// `pace` is the pause before each piece; zero plays as fast as it goes. A scene can be played again, but
    /// not twice at the same time.
    pub async fn play(&self, scene: &Scene, via: SocketAddr, pace: Duration) -> Result<Outcome> {
        self.quirks.rearm(&scene.path());
        let url = format!("http://{via}{}", scene.path());
        let story = Mutex::new(Vec::new());
        let tell = |line: String| {
            let mut story = story.lock().unwrap_or_else(PoisonError::into_inner);
            story.push(line);
        };
        match scene.kind {
            Kind::Upload(_) => self.upload(scene, url, pace, &tell).await?,
            Kind::Cancelled(_, after) => self.cancel(scene, url, pace, after, &tell).await?,
            Kind::Download(_) => self.download(scene, url, pace, &tell).await?,
        }
        let bytes = match scene.kind {
            Kind::Cancelled(..) => 0,
            _ => scene.size as u64,
        };
        Ok(Outcome {
            scene: scene.name,
            bytes,
            story: story.into_inner().unwrap_or_else(PoisonError::into_inner),
        })
    }

    fn send_config(&self, scene: &Scene, url: String, pace: Duration) -> SendConfig {
        SendConfig {
            fragment_size: scene.pieces(),
            retry_delay: scene::retry_delay(pace),
            no_progress_timeout: PATIENCE + scene::retry_delay(pace),
            expect_reply: scene.expect.reply,
            pause: pace,
            ..SendConfig::new(client_file(self.folder.path(), scene), url)
        }
    }

    async fn upload(
        &self,
        scene: &Scene,
        url: String,
        pace: Duration,
        tell: Tell<'_>,
    ) -> Result<()> {
        let config = self.send_config(scene, url, pace);
        let progress = |progress| tell_progress(&progress, tell);
        let sent = send(config, &progress).await?;
        scene.check(&sent).map_err(|reason| wrong(scene, reason))?;
        compare(
            scene,
            &server_file(self.folder.path(), scene),
            &scene.content(),
        )
        .await?;
        if let (Some(reply), Some(made)) = (&sent.reply, scene.reply()) {
            compare(scene, &reply.path, &made).await?;
            tell(format!("the reply of {} bytes is here", reply.bytes));
        }
        tell(format!(
            "{} bytes in {} fragments, SHA-256 {}",
            sent.bytes, sent.fragments, sent.sha256
        ));
        Ok(())
    }

    async fn cancel(
        &self,
        scene: &Scene,
        url: String,
        pace: Duration,
        after: u64,
        tell: Tell<'_>,
    ) -> Result<()> {
        let config = self.send_config(scene, url, pace);
        let cancel = config.cancel.clone();
        let taken = CancellationToken::new();
        let progress = |progress| {
            match progress {
                Progress::Done { bytes, .. } if bytes >= after => cancel.cancel(),
                Progress::Cancelled { acknowledged: true } => taken.cancel(),
                _ => {}
            }
            tell_progress(&progress, tell);
        };
        match send(config, &progress).await {
            Err(Error::Cancelled) if taken.is_cancelled() => {}
            Err(Error::Cancelled) => {
                return Err(wrong(
                    scene,
                    "the server did not take Cancel-Session".to_owned(),
                ));
            }
            Err(error) => return Err(error),
            Ok(_) => return Err(wrong(scene, "the upload was not cancelled".to_owned())),
        }
        if server_file(self.folder.path(), scene).exists() {
            return Err(wrong(scene, "the server kept the file".to_owned()));
        }
        Ok(())
    }

    async fn download(
        &self,
        scene: &Scene,
        url: String,
        pace: Duration,
        tell: Tell<'_>,
    ) -> Result<()> {
        let to = client_file(self.folder.path(), scene);
        make_folder(&to).await?;
        let config = FetchConfig {
            overwrite: true,
            resume: false,
            block_size: scene.pieces(),
            retry_delay: scene::retry_delay(pace),
            no_progress_timeout: PATIENCE + scene::retry_delay(pace),
            pause: pace,
            ..FetchConfig::new(url, &to)
        };
        let progress = |progress| tell_progress(&progress, tell);
        let fetched = fetch(config, &progress).await?;
        compare(scene, &to, &scene.content()).await?;
        tell(format!(
            "{} bytes in {} requests, SHA-256 {}",
            fetched.bytes, fetched.requests, fetched.sha256
        ));
        Ok(())
    }
}

type Tell<'t> = &'t (dyn Fn(String) + Send + Sync);

fn tell_progress(progress: &Progress, tell: Tell<'_>) {
    match progress {
        Progress::Created { session } => tell(format!("session {session} is open")),
        Progress::Rewound { from, to } => tell(format!("the server wants {to}, not {from}")),
        Progress::Smaller { refused } => {
            tell(format!("{refused} bytes were too many: smaller pieces"));
        }
        Progress::Restarted { why } => tell(format!("again from the start: {why}")),
        Progress::Waiting { why, .. } => tell(format!("trouble: {why}")),
        Progress::Reply { .. } => tell("the server has a reply".to_owned()),
        Progress::Cancelled { acknowledged: true } => {
            tell("cancelled, and the server knows".to_owned());
        }
        Progress::Cancelled { .. } => tell("cancelled, but the server did not answer".to_owned()),
        Progress::Moving { .. } | Progress::Done { .. } => {}
    }
}

fn client_file(folder: &Path, scene: &Scene) -> PathBuf {
    folder.join("client").join(scene.name).join(scene.file)
}

fn server_file(folder: &Path, scene: &Scene) -> PathBuf {
    folder.join("server").join(scene.name).join(scene.file)
}

async fn make_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(Error::file("make", folder))
}

async fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folder(path).await?;
    tokio::fs::write(path, bytes)
        .await
        .map_err(Error::file("write", path))
}

fn wrong(scene: &Scene, reason: String) -> Error {
    Error::Scene {
        scene: scene.name,
        reason,
    }
}

async fn compare(scene: &Scene, path: &Path, expected: &[u8]) -> Result<()> {
    let found = tokio::fs::read(path)
        .await
        .map_err(Error::file("read", path))?;
    if found == expected {
        return Ok(());
    }
    let place = found
        .iter()
        .zip(expected)
        .take_while(|(a, b)| a == b)
        .count();
    let reason = format!("{} differs from byte {place} on", path.display());
    Err(wrong(scene, reason))
}
