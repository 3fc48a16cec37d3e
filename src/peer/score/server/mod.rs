//! Experiments on a server: we upload, by a script for each, and judge the answers.
//!
//! Every experiment uses a file name of its own that no run uses twice, and ends its session. Knows no `send`: the
//! packets are written byte for byte.

mod errors;
mod forms;
mod packet;
mod probe;
mod trouble;
mod uploads;

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{Experiment, Judged, Report, Scored, fails, pick};
use crate::peer::client::Timers;
use crate::peer::client::url::Url;
use crate::peer::{Credentials, Error, Result};
use probe::Probe;

/// How long one experiment may take as a whole.
const LONGEST: Duration = Duration::from_mins(5);

/// A verdict, or the one that ended the experiment before its time.
type Done = std::result::Result<Judged, Judged>;

/// One row of the suite.
struct Row {
    experiment: Experiment,
    run: for<'p> fn(&'p mut Probe) -> BoxFuture<'p, Done>,
}

/// Makes a row; the function takes a [`Probe`].
macro_rules! row {
    ($name:literal, $run:ident, $does:literal, $says:literal, $source:literal) => {
        Row {
            experiment: Experiment {
                name: $name,
                does: $does,
                says: $says,
                source: $source,
            },
            run: |probe| Box::pin($run(probe)),
        }
    };
}
use row;

fn rows() -> Vec<&'static Row> {
    [uploads::ROWS, trouble::ROWS, errors::ROWS, forms::ROWS]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns all experiments on a server, in the order in which they are made.
pub fn experiments() -> Vec<Experiment> {
    rows().iter().map(|row| row.experiment).collect()
}

/// Which server, and with how much patience.
#[derive(Clone, Debug)]
pub struct ServerScoreConfig {
    /// A directory on the server; files go below it.
    pub url: String,
    /// Where the files can be read back; `None`: where they were sent to.
    pub verify: Option<String>,
    /// Names of experiments; empty: all.
    pub only: Vec<String>,
    pub authority: Option<PathBuf>,
    pub credentials: Option<Credentials>,
    pub timers: Timers,
    pub stop: CancellationToken,
}

impl ServerScoreConfig {
    /// A suite with the usual settings.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            verify: None,
            only: Vec::new(),
            authority: None,
            credentials: None,
            timers: Timers {
                connect: Duration::from_secs(10),
                send: Duration::from_secs(30),
                response: Duration::from_secs(30),
            },
            stop: CancellationToken::new(),
        }
    }
}

/// Makes the experiments one after the other; an error is that the server cannot be reached at all.
pub async fn score(config: &ServerScoreConfig) -> Result<Report> {
    let rows = rows();
    let picked = pick(&rows, &config.only, |row| row.experiment.name)
        .map_err(|name| Error::NoExperiment { name })?;
    let (home, of_url) = Url::parse(&config.url)?;
    let folder = |url: &Url, text: &str| {
        let fits = !url.target.contains('?') && url.target.ends_with('/');
        fits.then_some(()).ok_or_else(|| Error::Url {
            url: text.to_owned(),
            reason: "files go below it, so it must end with a slash",
        })
    };
    folder(&home, &config.url)?;
    let verify = match &config.verify {
        None => home.clone(),
        Some(text) => {
            let (url, _) = Url::parse(text)?;
            folder(&url, text)?;
            url
        }
    };
    let credentials = config.credentials.clone().or(of_url);
    let mut probe = Probe::new(home, verify, config, credentials.as_ref()).await?;
    let mut report = Report {
        of: "server",
        ..Report::default()
    };
    for row in picked {
        probe.begin(row.experiment.name);
        let run = tokio::time::timeout(LONGEST, (row.run)(&mut probe));
        let done = config.stop.run_until_cancelled(run).await;
        let Some(done) = done else {
            return Err(Error::Cancelled);
        };
        let judged = match done {
            Ok(Ok(judged) | Err(judged)) => judged,
            Err(_) => fails("the experiment did not end within 5 minutes"),
        };
        report.scored.push(Scored {
            experiment: row.experiment,
            verdict: judged.verdict,
            why: judged.why,
            saw: probe.end().await,
        });
    }
    Ok(report)
}
