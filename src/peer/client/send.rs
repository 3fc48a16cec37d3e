//! An upload: the states of MC-BUP §3.1.5.1 in the order of the wire.
//!
//! Lenient where servers in the field are (no packet type, no session id in an Ack, no offset in a 200): those go
//! into [`Sent::warnings`]. A zero-length file is defined in no text; it is Create-Session and Close-Session
//! without a Fragment, because a Content-Range cannot express it.

use std::path::PathBuf;
use std::time::Duration;

use http::header::{CONTENT_RANGE, HeaderName};
use tokio::time::Instant;

use super::fetch::Download;
use super::link::{Answer, Caller, Link};
use super::pace::Pacer;
use super::source::Source;
use super::url::Url;
use super::{FetchConfig, OnProgress, Progress, SendConfig, Sent, bits_post};
use crate::bits::header::UPLOAD_PROTOCOL;
use crate::peer::{Error, Result, field};

/// How often a session may be forgotten before that is an error.
const MAX_RESTARTS: u32 = 10;
/// How many offsets may be told in a row without a new byte acknowledged.
const MAX_REWINDS: u32 = 16;
/// How long a Cancel-Session may take before we leave it to the server's session timeout.
const CANCEL_LIMIT: Duration = Duration::from_secs(10);

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

    /// Waits before the next attempt, or gives up.
    async fn wait(&mut self, error: Error) -> Result<()> {
        self.link = None;
        self.ping = true;
        self.pacer.trouble();
        self.fall_back(&error);
        let delay = self.config.retry_delay;
        if self.moved.elapsed() + delay > self.config.no_progress_timeout
            || self.config.no_progress_timeout.is_zero()
        {
            return Err(Error::NoProgress {
                url: self.home.to_string(),
                source: Some(Box::new(error)),
            });
        }
        self.sent.retries += 1;
        (self.progress)(Progress::Waiting {
            delay,
            why: chain(&error),
        });
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            // The next attempt notices.
            () = self.config.cancel.cancelled() => {}
        }
        Ok(())
    }

    /// Returns to the original host when the named one is out of reach for too long. MC-BUP §3.1.6.3
    fn fall_back(&mut self, error: &Error) {
        if self.url == self.home || !matches!(error, Error::Connect { .. }) {
            return;
        }
        let since = *self.unreachable.get_or_insert_with(Instant::now);
        // Without a timeout the client never goes back. Win32 "Ack for Create-Session"
        if self.fallback.is_some_and(|limit| since.elapsed() >= limit) {
            self.url = self.home.clone();
            self.unreachable = None;
        }
    }

    /// Starts over with a new session. MC-BUP §3.1.5.2.1
    fn restart(&mut self, error: &Error) -> Result<()> {
        if self.sent.restarts >= MAX_RESTARTS {
            return Err(Error::SessionLost {
                url: self.url.to_string(),
                times: self.sent.restarts + 1,
            });
        }
        self.sent.restarts += 1;
        self.session = None;
        (self.offset, self.best, self.reached, self.rewinds) = (0, 0, 0, 0);
        self.reply_url = None;
        self.close_sent = false;
        (self.progress)(Progress::Restarted { why: chain(error) });
        Ok(())
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
            }) => Err(Error::Invalid {
                // Never sent again after 100 to 499. Win32 "Ack for Close-Session"
                packet,
                url,
                reason: format!("refused with code {code:X?} and context {context:X?}"),
            }),
            other => other.map(|_| ()),
        }
    }

    /// Tells the server to forget the session; once, since nobody waits for it.
    async fn cancel(&mut self) {
        if self.session.is_none() {
            return;
        }
        let fields = self.fields("Cancel-Session");
        let packet = async {
            self.reach().await?;
            let Some(link) = &mut self.link else {
                return Err(Error::Cancelled);
            };
            let target = (bits_post(), &self.url);
            self.caller
                .call(link, "Cancel-Session", target, &fields)
                .await
        };
        let answer = tokio::time::timeout(CANCEL_LIMIT, packet).await;
        let acknowledged = matches!(answer, Ok(Ok(Answer { status: 200, .. })));
        (self.progress)(Progress::Cancelled { acknowledged });
    }

    /// Sends a packet without content and checks its Ack.
    async fn call(
        &mut self,
        packet: &'static str,
        extra: &[(HeaderName, String)],
    ) -> Result<Answer> {
        let mut fields = self.fields(packet);
        fields.extend_from_slice(extra);
        loop {
            self.check_cancel()?;
            self.reach().await?;
            let Some(link) = &mut self.link else { continue };
            let target = (bits_post(), &self.url);
            let answer = self.caller.call(link, packet, target, &fields).await?;
            if self.caller.is_challenged(&answer) {
                continue;
            }
            if !matches!(answer.status, 200 | 201) {
                return Err(answer.refusal(packet, &self.url));
            }
            self.examine(packet, &answer)?;
            return Ok(answer);
        }
    }

    /// Returns the BITS fields of a packet in the order of Windows. observed: MC-BUP §4.1
    fn fields(&self, packet: &str) -> Vec<(HeaderName, String)> {
        let mut fields = vec![(field::PACKET_TYPE, packet.to_owned())];
        // A Ping has no session id. MC-BUP §2.2.4.2
        if let Some(id) = self.session.as_ref().filter(|_| packet != "Ping") {
            fields.push((field::SESSION_ID, id.clone()));
        }
        if packet == "Fragment"
            && let Some(name) = self.content_name()
        {
            fields.push((field::CONTENT_NAME, name));
        }
        fields
    }

    /// Returns the file's name where it may stand in a Content-Name. MC-BUP §2.2.1.1
    fn content_name(&self) -> Option<String> {
        let name = self.config.file.file_name()?.to_str()?;
        let legal = name.chars().count() <= 260
            && !name.contains(|c: char| c.is_control() || "\\/:*?\"<>|".contains(c));
        legal.then(|| name.to_owned())
    }

    /// Makes sure of a connection on which the next request can go out.
    async fn reach(&mut self) -> Result<()> {
        if let Some(link) = &mut self.link
            && link.is_ready().await
        {
            return Ok(());
        }
        self.link = Some(self.caller.connect(&self.url).await?);
        self.sent.connections += 1;
        Ok(())
    }

    fn check_cancel(&self) -> Result<()> {
        if self.config.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    /// Judges what every Ack has. MC-BUP §2.2.1.2
    fn examine(&mut self, packet: &'static str, answer: &Answer) -> Result<()> {
        if !answer.is_ack() {
            let bits = answer
                .fields
                .keys()
                .any(|name| name.as_str().starts_with("bits-"));
            if !bits && packet != "Ping" && packet != "Close-Session" {
                return Err(self.invalid(packet, "it has no BITS field"));
            }
            self.warn("an answer has no BITS-Packet-Type: Ack");
        }
        let echo = field::text(&answer.fields, &field::SESSION_ID);
        if let (Some(echo), Some(id)) = (echo, &self.session)
            && !echo.eq_ignore_ascii_case(id)
        {
            self.warn("an Ack has the BITS-Session-Id of another session");
        }
        Ok(())
    }

    fn warn(&mut self, text: &str) {
        if !self.sent.warnings.iter().any(|known| known == text) {
            self.sent.warnings.push(text.to_owned());
        }
    }

    fn invalid(&self, packet: &'static str, reason: &str) -> Error {
        Error::Invalid {
            packet,
            url: self.url.to_string(),
            reason: reason.to_owned(),
        }
    }
}

/// Tells whether the server does not know the session.
fn is_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::Refused {
            code: Some(field::SESSION_NOT_FOUND),
            ..
        }
    )
}

/// Writes an error with its causes.
pub(super) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
