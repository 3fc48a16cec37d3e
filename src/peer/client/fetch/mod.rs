//! A download: HEAD, then ranged GETs block by block, each on condition that the file is still the same.
//!
//! The file grows beside its place as `NAME.part`; `NAME.part.json` says of what it is a part, so a later download
//! of the same URL goes on where this one ended. Consistency is size and time, as in Windows, and not the entity tag.

mod part;

use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    LOCATION, RANGE,
};
use http::{Method, Response};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::time::Instant;

use super::link::{Answer, Caller, Link};
use super::pace::Pacer;
use super::source::Hasher;
use super::url::Url;
use super::{FetchConfig, Fetched, OnProgress, Progress, chain};
use crate::peer::{Error, Result, field};

/// How often a file may change under a download before that is an error.
const MAX_RESTARTS: u32 = 10;
/// How many hops a Location may lead.
const MAX_REDIRECTS: u32 = 10;

/// Downloads a file.
pub async fn fetch(config: FetchConfig, progress: OnProgress<'_>) -> Result<Fetched> {
    let (url, credentials) = Url::parse(&config.url)?;
    let mut caller = Caller::new(&config.common, credentials).await?;
    Download::new(&config, &mut caller, url, None, progress)
        .run(true)
        .await
}

/// Of what a partial file is a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    url: String,
    total: u64,
    last_modified: Option<String>,
}

/// What came of one block.
enum Step {
    More,
    /// The file on the server is another one now.
    Changed,
}

pub(super) struct Download<'d> {
    config: &'d FetchConfig,
    caller: &'d mut Caller,
    progress: OnProgress<'d>,
    url: Url,
    link: Option<Link>,
    /// Known from HEAD or from the first block.
    version: Option<Version>,
    offset: u64,
    hasher: Hasher,
    pacer: Pacer,
    moved: Instant,
    fetched: Fetched,
}

impl<'d> Download<'d> {
    pub(super) fn new(
        config: &'d FetchConfig,
        caller: &'d mut Caller,
        url: Url,
        link: Option<Link>,
        progress: OnProgress<'d>,
    ) -> Self {
        Self {
            config,
            caller,
            progress,
            url,
            link,
            version: None,
            offset: 0,
            hasher: Hasher::new(),
            pacer: Pacer::new(config.block_size.clone()),
            moved: Instant::now(),
            fetched: Fetched::default(),
        }
    }

    /// Returns the connection for others to use.
    pub(super) fn into_link(self) -> Option<Link> {
        self.link
    }

    /// Downloads; `head` asks for size and time first.
    pub(super) async fn run(&mut self, head: bool) -> Result<Fetched> {
        let to = &self.config.to;
        if !self.config.overwrite && to.exists() {
            return Err(Error::Exists { path: to.clone() });
        }
        loop {
            let cancel = self.config.cancel.clone();
            let result = tokio::select! {
                biased;
                result = self.attempt(head) => result,
                () = cancel.cancelled() => Err(Error::Cancelled),
            };
            match result {
                Ok(()) => return self.settle().await,
                Err(error) if error.is_transient() => self.wait(error).await?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&mut self, head: bool) -> Result<()> {
        let part = self.part();
        if self.version.is_none() {
            if head {
                let version = self.head().await?;
                self.begin(version, self.config.resume).await?;
            } else {
                File::create(&part)
                    .await
                    .map_err(Error::file("write", &part))?;
            }
        }
        while self
            .version
            .as_ref()
            .is_none_or(|version| self.offset < version.total)
        {
            tokio::time::sleep(self.config.pause).await;
            if let Step::Changed = self.block().await? {
                self.restart()?;
                let version = self.head().await?;
                self.begin(version, false).await?;
            }
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        if self.fetched.restarts >= MAX_RESTARTS {
            return Err(Error::RemoteFileChanged {
                url: self.url.to_string(),
            });
        }
        self.fetched.restarts += 1;
        (self.progress)(Progress::Restarted {
            why: format!("{} changed", self.url),
        });
        Ok(())
    }

    async fn wait(&mut self, error: Error) -> Result<()> {
        self.link = None;
        self.pacer.trouble();
        let delay = self.config.retry_delay;
        let limit = self.config.no_progress_timeout;
        if limit.is_zero() || self.moved.elapsed() + delay > limit {
            return Err(Error::NoProgress {
                url: self.url.to_string(),
                source: Some(Box::new(error)),
            });
        }
        self.fetched.retries += 1;
        (self.progress)(Progress::Waiting {
            delay,
            why: chain(&error),
        });
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = self.config.cancel.cancelled() => Err(Error::Cancelled),
        }
    }

    /// Asks for size and time, and follows redirects but never from https to http.
    async fn head(&mut self) -> Result<Version> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.open(Method::HEAD, &[]).await?;
            let status = response.status().as_u16();
            let fields = response.headers();
            if matches!(status, 301 | 302 | 303 | 307 | 308)
                && let Some(location) = field::text(fields, &LOCATION)
            {
                let url = self.url.join(location)?;
                if self.url.tls && !url.tls {
                    break;
                }
                if !self.url.same_host(&url) {
                    self.link = None;
                }
                self.url = url;
                continue;
            }
            if status != 200 {
                return Err(refusal("HEAD", &self.url, &response));
            }
            let total = field::number(fields, &CONTENT_LENGTH);
            return Ok(Version {
                total: total.ok_or_else(|| Error::MissingFileSize {
                    url: self.url.to_string(),
                })?,
                last_modified: field::text(fields, &LAST_MODIFIED).map(str::to_owned),
                url: self.url.to_string(),
            });
        }
        Err(Error::Invalid {
            packet: "HEAD",
            url: self.url.to_string(),
            reason: "it redirects too often, or from https to http".to_owned(),
        })
    }

    /// Fetches the next block.
    async fn block(&mut self) -> Result<Step> {
        const PACKET: &str = "GET";
        let first = self.offset;
        let known = self.version.as_ref().map(|version| version.total);
        let last = (first + self.pacer.next() - 1).min(known.map_or(u64::MAX, |total| total - 1));
        let mut fields = vec![];
        if let Some(time) = self
            .version
            .as_ref()
            .and_then(|version| version.last_modified.clone())
        {
            fields.push((IF_UNMODIFIED_SINCE, time));
        }
        fields.push((RANGE, format!("bytes={first}-{last}")));
        let shown = known.unwrap_or(last + 1);
        (self.progress)(Progress::Moving {
            first,
            last,
            total: shown,
        });
        let begun = Instant::now();
        let response = self.open(Method::GET, &fields).await?;
        let headers = response.headers();
        let range = field::text(headers, &CONTENT_RANGE);
        let invalid = |url: &Url, reason: String| Error::Invalid {
            packet: PACKET,
            url: url.to_string(),
            reason,
        };
        let (length, total) = match response.status().as_u16() {
            206 => {
                let Some(text) = range else {
                    return Err(Error::InsufficientRangeSupport {
                        url: self.url.to_string(),
                    });
                };
                let got = field::content_range(text).and_then(|got| Some((got, got.total?)));
                let Some((got, total)) = got
                    .filter(|(got, total)| got.first == first && got.last == last.min(total - 1))
                else {
                    let reason = format!("asked for bytes {first}-{last}, it has {text}");
                    return Err(invalid(&self.url, reason));
                };
                (got.last - got.first + 1, total)
            }
            // Whole, which is all right only where that is what was asked for. MC-BUP §3.6.5.2.4.2
            200 => match field::number(headers, &CONTENT_LENGTH) {
                None => {
                    return Err(Error::MissingFileSize {
                        url: self.url.to_string(),
                    });
                }
                Some(total)
                    if first == 0 && total == known.unwrap_or(total) && total <= last + 1 =>
                {
                    (total, total)
                }
                Some(_) => {
                    return Err(Error::InsufficientRangeSupport {
                        url: self.url.to_string(),
                    });
                }
            },
            // An empty file has no range at all.
            416 if first == 0 && known.is_none() && range == Some("bytes */0") => (0, 0),
            412 => return Ok(Step::Changed),
            416 if known.is_some() => return Ok(Step::Changed),
            _ => return Err(refusal(PACKET, &self.url, &response)),
        };
        let version = Version {
            url: self.url.to_string(),
            total,
            last_modified: field::text(headers, &LAST_MODIFIED).map(str::to_owned),
        };
        match &self.version {
            Some(known) if *known != version => return Ok(Step::Changed),
            Some(_) => {}
            None => self.version = Some(version),
        }
        self.store(response, length, total).await?;
        self.pacer.measured(length, begun.elapsed());
        Ok(Step::More)
    }

    async fn open(
        &mut self,
        method: Method,
        fields: &[(HeaderName, String)],
    ) -> Result<Response<Incoming>> {
        let packet = if method == Method::HEAD {
            "HEAD"
        } else {
            "GET"
        };
        let mut all = vec![(ACCEPT_ENCODING, "identity".to_owned())];
        all.extend_from_slice(fields);
        loop {
            if self.config.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let ready = match &mut self.link {
                Some(link) => link.is_ready().await,
                None => false,
            };
            if !ready {
                self.link = Some(self.caller.connect(&self.url).await?);
            }
            let Some(link) = &mut self.link else { continue };
            let target = (method.clone(), &self.url);
            let response = self.caller.open(link, packet, target, &all).await?;
            self.fetched.requests += 1;
            if response.status() == 401 {
                let answer = Answer {
                    status: 401,
                    fields: response.headers().clone(),
                };
                if self.caller.is_challenged(&answer) {
                    // Its content was not read.
                    self.link = None;
                    continue;
                }
            }
            if !response.status().is_success() {
                // The same for the page of an error.
                self.link = None;
            }
            return Ok(response);
        }
    }
}

fn refusal(packet: &'static str, url: &Url, response: &Response<Incoming>) -> Error {
    Answer {
        status: response.status().as_u16(),
        fields: response.headers().clone(),
    }
    .refusal(packet, url)
}
