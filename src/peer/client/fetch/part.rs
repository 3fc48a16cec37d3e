//! The partial file of a download and the note beside it that says of what it is a part.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::{Download, Version};
use crate::peer::client::source::Hasher;
use crate::peer::client::{Fetched, Progress};
use crate::peer::{Error, Result};

impl Download<'_> {
    /// Starts the partial file, or takes up the one that is there.
    pub(super) async fn begin(&mut self, version: Version, resume: bool) -> Result<()> {
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

    /// Appends the content to the partial file; what arrived before trouble stays.
    pub(super) async fn store(
        &mut self,
        response: Response<Incoming>,
        length: u64,
        total: u64,
    ) -> Result<()> {
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

    /// Gives the complete file its name.
    pub(super) async fn settle(&mut self) -> Result<Fetched> {
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

    pub(super) fn part(&self) -> PathBuf {
        beside(&self.config.to, ".part")
    }

    pub(super) fn note(&self) -> PathBuf {
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
