//! A download: HEAD, then ranged GETs block by block, each on condition that the file is still the same.
//!
//! The file grows beside its place as `NAME.part`; `NAME.part.json` says of what it is a part, so a later download
//! of the same URL goes on where this one ended. Consistency is size and time, as in Windows, and not the entity tag.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    LOCATION, RANGE,
};
use http::{Method, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::link::{Answer, Caller, Link};
use super::pace::Pacer;
use super::send::chain;
use super::source::Hasher;
use super::url::Url;
use super::{FetchConfig, Fetched, OnProgress, Progress};
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

    /// Starts the partial file, or takes up the one that is there.
    async fn begin(&mut self, version: Version, resume: bool) -> Result<()> {
        let (part, note) = (self.part(), self.note());
        self.hasher = Hasher::new();
        self.offset = 0;
        let known = tokio::fs::read(&note).await.unwrap_or_default();
        let known: Option<Version> = serde_json::from_slice(&known).ok();
        // Without a time nobody can tell whether it is the same file.
        let same = known.as_ref() == Some(&version) && version.last_modified.is_some();
        if resume
            && same
            && hash(&part, version.total, &mut self.hasher, &mut self.offset)
                .await
                .is_ok()
        {
            self.fetched.resumed = self.offset;
        } else {
            self.hasher = Hasher::new();
            self.offset = 0;
            File::create(&part)
                .await
                .map_err(Error::file("write", &part))?;
            let text = serde_json::to_vec(&version).unwrap_or_default();
            tokio::fs::write(&note, text)
                .await
                .map_err(Error::file("write", &note))?;
        }
        self.version = Some(version);
        Ok(())
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

    /// Appends the content to the partial file; what arrived before trouble stays.
    async fn store(&mut self, response: Response<Incoming>, length: u64, total: u64) -> Result<()> {
        let part = self.part();
        let failed = || Error::file("write", &part);
        let mut file = File::options()
            .append(true)
            .open(&part)
            .await
            .map_err(failed())?;
        let end = self.offset + length;
        let mut content = response.into_body();
        let mut whole = true;
        while self.offset < end {
            let frame = tokio::time::timeout(self.caller.timers().response, content.frame()).await;
            let Ok(Some(Ok(frame))) = frame else {
                whole = false;
                break;
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let left = usize::try_from(end - self.offset).unwrap_or(usize::MAX);
            let data = data.slice(..data.len().min(left));
            file.write_all(&data).await.map_err(failed())?;
            // Only what is really in the file counts if the next await is never finished.
            file.flush().await.map_err(failed())?;
            self.hasher.take(self.offset, &data);
            self.offset += data.len() as u64;
        }
        (self.progress)(Progress::Done {
            bytes: self.offset,
            total,
        });
        self.moved = Instant::now();
        if !whole {
            self.link = None;
            return Err(Error::Short {
                packet: "GET",
                authority: self.url.authority(),
            });
        }
        // Lets hyper see the end, so that the connection can be used again.
        let rest = tokio::time::timeout(Duration::from_secs(1), content.frame()).await;
        if !matches!(rest, Ok(None)) {
            self.link = None;
        }
        Ok(())
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

    /// Gives the complete file its name.
    async fn settle(&mut self) -> Result<Fetched> {
        let (part, to) = (self.part(), &self.config.to);
        let file = File::options()
            .write(true)
            .open(&part)
            .await
            .map_err(Error::file("open", &part))?;
        file.sync_all().await.map_err(Error::file("write", &part))?;
        drop(file);
        tokio::fs::rename(&part, to)
            .await
            .map_err(Error::file("write", to))?;
        let _ = tokio::fs::remove_file(self.note()).await;
        let version = self.version.take().unwrap_or_default();
        let hasher = std::mem::replace(&mut self.hasher, Hasher::new());
        Ok(Fetched {
            url: self.url.to_string(),
            path: to.clone(),
            bytes: self.offset,
            sha256: hasher.finish(),
            last_modified: version.last_modified,
            ..self.fetched.clone()
        })
    }

    fn part(&self) -> PathBuf {
        beside(&self.config.to, ".part")
    }

    fn note(&self) -> PathBuf {
        beside(&self.config.to, ".part.json")
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Hashes a partial file and counts its bytes; an error where it holds more than the whole.
async fn hash(part: &Path, total: u64, hasher: &mut Hasher, offset: &mut u64) -> io::Result<()> {
    let mut file = File::open(part).await?;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        hasher.take(*offset, chunk.get(..count).unwrap_or_default());
        *offset += count as u64;
        if *offset > total {
            return Err(io::ErrorKind::InvalidData.into());
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
