//! An upload: the states of MC-BUP §3.1.5.1 in the order of the wire.
//!
//! Lenient where servers in the field are (no packet type, no session id in an Ack, no offset in a 200): those go
//! into [`Sent::warnings`]. A zero-length file is defined in no text; it is Create-Session and Close-Session
//! without a Fragment, because a Content-Range cannot express it.

mod packet;
mod recover;

use std::path::PathBuf;
use std::time::Duration;

use http::header::CONTENT_RANGE;
use tokio::time::Instant;

use super::fetch::Download;
use super::link::{Caller, Link};
use super::pace::Pacer;
use super::source::Source;
use super::url::Url;
use recover::is_lost;

use super::{FetchConfig, OnProgress, Progress, SendConfig, Sent};
use crate::bits::header::UPLOAD_PROTOCOL;
use crate::peer::{Error, Result, field};

/// How many offsets may be told in a row without a new byte acknowledged.
const MAX_REWINDS: u32 = 16;

/// Uploads a file.
pub async fn send(config: SendConfig, progress: OnProgress<'_>) -> Result<Sent> {
    let (url, credentials) = Url::parse(&config.url)?;
    let source = Source::open(&config.file).await?;
    let mut upload = Upload {
        caller: Caller::new(&config.common, credentials).await?,
        home: url.clone(),
        url,
        link: None,
        session: None,
        offset: 0,
        best: 0,
        reached: 0,
        rewinds: 0,
        pacer: Pacer::new(config.fragment_size.clone()),
        fallback: None,
        unreachable: None,
        ping: config.ping,
        reply_url: None,
        close_sent: false,
        moved: Instant::now(),
        sent: Sent {
            bytes: source.size,
            ..Sent::default()
        },
        source,
        config: &config,
        progress,
    };
    upload.run().await?;
    upload.sent.session = upload.session.unwrap_or_default();
    upload.sent.sha256 = upload.source.finish().await?;
    Ok(upload.sent)
}

struct Upload<'u> {
    config: &'u SendConfig,
    progress: OnProgress<'u>,
    caller: Caller,
    /// The URL that was asked for.
    home: Url,
    /// The same, on the host that the server named.
    url: Url,
    link: Option<Link>,
    session: Option<String>,
    source: Source,
    /// Where the next Fragment starts.
    offset: u64,
    /// The highest offset acknowledged in this session.
    best: u64,
    /// The end of the furthest Fragment that went out in this session.
    reached: u64,
    /// Offsets told since `best` grew.
    rewinds: u32,
    pacer: Pacer,
    /// The Host-Id fallback timeout.
    fallback: Option<Duration>,
    /// Since when the host of the Host-Id cannot be reached.
    unreachable: Option<Instant>,
    /// The next packet of a session is a Ping.
    ping: bool,
    reply_url: Option<String>,
    /// A Close-Session went out and its answer did not come.
    close_sent: bool,
    /// When a byte was acknowledged last.
    moved: Instant,
    sent: Sent,
}

impl Upload<'_> {
    async fn run(&mut self) -> Result<()> {
        loop {
            let cancel = self.config.cancel.clone();
            let result = tokio::select! {
                biased;
                result = self.attempt() => result,
                // The request under way is torn off, so its connection is of no more use.
                () = cancel.cancelled() => {
                    self.link = None;
                    Err(Error::Cancelled)
                }
            };
            match result {
                Ok(()) => return Ok(()),
                Err(error) if is_lost(&error) => self.restart(&error)?,
                Err(error) if error.is_transient() => self.wait(error).await?,
                Err(Error::Cancelled) => {
                    self.cancel().await;
                    return Err(Error::Cancelled);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes from where we are to the end.
    async fn attempt(&mut self) -> Result<()> {
        if self.ping {
            self.call("Ping", &[]).await?;
            self.ping = false;
        }
        if self.session.is_none() {
            self.create().await?;
        }
        while self.offset < self.source.size {
            self.fragment().await?;
        }
        self.reply().await?;
        self.close().await
    }

    async fn create(&mut self) -> Result<()> {
        const PACKET: &str = "Create-Session";
        let protocols = (field::SUPPORTED_PROTOCOLS, UPLOAD_PROTOCOL.to_owned());
        let answer = self.call(PACKET, &[protocols]).await?;
        let id = field::text(&answer.fields, &field::SESSION_ID).unwrap_or_default();
        if id.is_empty() || id.len() > 100 {
            return Err(self.invalid(PACKET, "it has no usable BITS-Session-Id"));
        }
        match field::text(&answer.fields, &field::PROTOCOL) {
            Some(guid) if guid.eq_ignore_ascii_case(UPLOAD_PROTOCOL) => {}
            Some(guid) => {
                let reason = format!(
                    "it chose the protocol {guid}, which was not offered (BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH)"
                );
                return Err(self.invalid(PACKET, &reason));
            }
            None => self.warn("the Ack of Create-Session has no BITS-Protocol"),
        }
        self.session = Some(id.to_owned());
        (self.progress)(Progress::Created {
            session: id.to_owned(),
        });
        if let Some(host) = field::text(&answer.fields, &field::HOST_ID) {
            let Some(url) = self.url.with_host(host) else {
                self.warn(&format!("the BITS-Host-Id {host} is no bare host; ignored"));
                return Ok(());
            };
            self.sent.host_id = Some(host.to_owned());
            self.fallback = field::number(&answer.fields, &field::HOST_ID_FALLBACK_TIMEOUT)
                .map(Duration::from_secs);
            if !self.url.same_host(&url) {
                self.link = None;
            }
            self.url = url;
            self.call("Ping", &[]).await?;
        }
        Ok(())
    }

    async fn fragment(&mut self) -> Result<()> {
        const PACKET: &str = "Fragment";
        tokio::time::sleep(self.config.pause).await;
        let (first, total) = (self.offset, self.source.size);
        let length = self.pacer.next().min(total - first);
        let last = first + length - 1;
        let mut fields = self.fields(PACKET);
        fields.push((CONTENT_RANGE, format!("bytes {first}-{last}/{total}")));
        let begun = Instant::now();
        let answer = loop {
            self.check_cancel()?;
            self.reach().await?;
            let Some(link) = &mut self.link else { continue };
            self.reached = self.reached.max(last + 1);
            (self.progress)(Progress::Moving { first, last, total });
            let piece = (&mut self.source, first, length);
            let answer = self
                .caller
                .fragment(link, &self.url, &fields, piece)
                .await?;
            if !self.caller.is_challenged(&answer) {
                break answer;
            }
        };
        self.sent.fragments += 1;
        match answer.status {
            413 => {
                if !self.pacer.refused(length) {
                    return Err(answer.refusal(PACKET, &self.url));
                }
                self.sent.shrinks += 1;
                (self.progress)(Progress::Smaller { refused: length });
                return Ok(());
            }
            200 | 201 | 416 => {}
            _ => return Err(answer.refusal(PACKET, &self.url)),
        }
        self.examine(PACKET, &answer)?;
        let told = field::text(&answer.fields, &field::RECEIVED_CONTENT_RANGE);
        let next = match (told, answer.status) {
            (Some(told), _) => field::decimal(told).filter(|next| *next <= total),
            (None, 416) => None,
            (None, _) if answer.is_ack() => {
                self.warn("an Ack of a Fragment has no BITS-Received-Content-Range");
                Some(last + 1)
            }
            (None, _) => None,
        };
        let Some(next) = next else {
            let told = told.unwrap_or("missing");
            let reason = format!("its BITS-Received-Content-Range is {told}");
            return Err(self.invalid(PACKET, &reason));
        };
        if answer.status != 416 {
            self.pacer.measured(length, begun.elapsed());
        }
        self.unreachable = None;
        self.reply_url = field::text(&answer.fields, &field::REPLY_URL)
            .filter(|url| !url.is_empty())
            .map(str::to_owned);
        self.follow(last + 1, next)
    }

    /// Takes the offset that the server told, whatever was expected. MC-BUP §3.1.5.1.4
    fn follow(&mut self, expected: u64, next: u64) -> Result<()> {
        self.offset = next;
        if next > self.best {
            self.best = next;
            self.rewinds = 0;
            self.moved = Instant::now();
        } else {
            self.rewinds += 1;
        }
        if next != expected {
            self.sent.rewinds += 1;
            if next > self.reached {
                self.warn("the server told an offset beyond what was sent");
            }
            (self.progress)(Progress::Rewound {
                from: expected,
                to: next,
            });
        }
        (self.progress)(Progress::Done {
            bytes: next,
            total: self.source.size,
        });
        if self.rewinds > MAX_REWINDS {
            return Err(Error::NoProgress {
                url: self.url.to_string(),
                source: None,
            });
        }
        Ok(())
    }

    /// Downloads the upload-reply, if there is one. MC-BUP §3.1.5.1.8
    async fn reply(&mut self) -> Result<()> {
        if self.sent.reply.is_some() {
            return Ok(());
        }
        let Some(reference) = &self.reply_url else {
            if self.config.expect_reply {
                return Err(self.invalid("Fragment", "the last Ack has no BITS-Reply-URL"));
            }
            return Ok(());
        };
        let url = self.url.join(reference)?;
        (self.progress)(Progress::Reply {
            url: url.to_string(),
        });
        let to = self.config.reply_to.clone().unwrap_or_else(|| {
            let mut name = self.config.file.clone().into_os_string();
            name.push(".reply");
            PathBuf::from(name)
        });
        let config = FetchConfig {
            overwrite: true,
            resume: false,
            common: self.config.common.clone(),
            retry_delay: self.config.retry_delay,
            no_progress_timeout: self.config.no_progress_timeout,
            pause: self.config.pause,
            cancel: self.config.cancel.clone(),
            ..FetchConfig::new(url.to_string(), to)
        };
        // No HEAD first. observed: MC-BUP §4.2
        let link = if url.same_host(&self.url) {
            self.link.take()
        } else {
            None
        };
        let mut download = Download::new(&config, &mut self.caller, url, link, self.progress);
        let fetched = download.run(false).await?;
        self.link = download.into_link();
        self.sent.reply = Some(fetched);
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        let again = std::mem::replace(&mut self.close_sent, true);
        match self.call("Close-Session", &[]).await {
            // The one before it arrived, and only its Ack was lost. Win32 "Ack for Close-Session"
            Err(error) if again && is_lost(&error) => {
                self.warn("the repeated Close-Session met no session: the first one had arrived");
                Ok(())
            }
            Err(Error::Refused {
                packet,
                url,
                status: 408 | 409,
                code,
                context,
                ..
            }) => Err(Error::Invalid {
                // Never sent again after 100 to 499. Win32 "Ack for Close-Session"
                packet,
                url,
                reason: format!("refused with code {code:X?} and context {context:X?}"),
            }),
            other => other.map(|_| ()),
        }
    }
}
