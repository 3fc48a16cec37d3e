//! The client of the experiments: packets in any form, what was answered, and the file that all of them send.
//!
//! It follows no protocol by itself but in [`Probe::finish`], which goes by the server's numbers to the end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio_rustls::TlsConnector;

use super::packet::{Form, Job, Reply};
use super::{Done, ServerScoreConfig};
use crate::peer::client::Timers;
use crate::peer::client::url::Url;
use crate::peer::replay::link::{Body, Link, dial};
use crate::peer::score::{Judged, fails, tell};
use crate::peer::server::new_id;
use crate::peer::{Credentials, Error, Result, tls};

/// How much there is to send.
pub(super) const SIZE: u64 = 60_000;
/// A Fragment of the usual size; a whole number of them makes [`SIZE`].
pub(super) const PIECE: u64 = 10_000;
/// So many answers in a row may bring an upload no further.
const STALLS: u32 = 8;

/// The client of the experiments.
pub(super) struct Probe {
    home: Url,
    verify: Url,
    connector: Option<TlsConnector>,
    authorization: Option<String>,
    timers: Timers,
    content: Vec<u8>,
    file: NamedTempFile,
    /// Makes names of this run its own.
    run: String,
    name: &'static str,
    link: Option<(String, Link)>,
    saw: Vec<String>,
    jobs: Vec<Job>,
}

impl Probe {
    /// Makes the file and dials once: a server that is not there has no verdict.
    pub(super) async fn new(
        home: Url,
        verify: Url,
        config: &ServerScoreConfig,
        credentials: Option<&Credentials>,
    ) -> Result<Self> {
        let connector = (home.tls || verify.tls)
            .then(|| tls::connector(config.authority.as_deref()))
            .transpose()?;
        let content: Vec<u8> = (0..SIZE)
            .map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0])
            .collect();
        let temporary = std::env::temp_dir();
        let mut file = NamedTempFile::new().map_err(Error::file("make a file in", &temporary))?;
        file.write_all(&content)
            .map_err(Error::file("write to", file.path().to_path_buf()))?;
        let run = new_id().map_err(Error::file("take random numbers for", "file names"))?;
        let run = run.get(1..9).unwrap_or_default().to_ascii_lowercase();
        let link = dial(
            &home,
            connector.as_ref().filter(|_| home.tls),
            config.timers,
            None,
        )
        .await?;
        Ok(Self {
            link: Some((home.authority(), link)),
            home,
            verify,
            connector,
            authorization: credentials.map(Credentials::basic),
            timers: config.timers,
            content,
            file,
            run,
            name: "",
            saw: Vec::new(),
            jobs: Vec::new(),
        })
    }

    /// Begins an experiment.
    pub(super) fn begin(&mut self, name: &'static str) {
        self.name = name;
        self.saw.clear();
        self.jobs.clear();
    }

    /// Ends an experiment: sessions that are still open are cancelled. Returns what was seen.
    pub(super) async fn end(&mut self) -> Vec<String> {
        let saw = std::mem::take(&mut self.saw);
        for job in std::mem::take(&mut self.jobs) {
            self.ask(&job.url, &Form::of(&job, "Cancel-Session")).await;
        }
        self.saw.clear();
        saw
    }

    pub(super) fn note(&mut self, line: impl Into<String>) {
        tell(&mut self.saw, line.into());
    }

    /// Returns the URL of a file of this experiment; `extra` makes it another one and is encoded already.
    pub(super) fn url(&self, extra: &str) -> Url {
        let mut url = self.home.clone();
        url.target.push_str(&self.file_name(extra));
        url
    }

    fn file_name(&self, extra: &str) -> String {
        format!("score-{}-{}{extra}.bin", self.run, self.name)
    }

    fn head(&self, method: &str, url: &Url, form: Option<&Form>) -> Vec<u8> {
        let mut head = format!("{method} {} HTTP/1.1\r\n", url.target);
        let lower = form.is_some_and(|form| form.lower);
        let mut field = |name: &str, value: &str| {
            let name = if lower {
                name.to_ascii_lowercase()
            } else {
                name.to_owned()
            };
            let _ = write!(head, "{name}: {value}\r\n");
        };
        field("Accept", "*/*");
        if let Some(form) = form {
            field(form.kind_field, form.kind);
            for (name, value) in &form.fields {
                field(name, value);
            }
        }
        field(
            "User-Agent",
            concat!("bitstap/", env!("CARGO_PKG_VERSION"), " BITS/7.8"),
        );
        field("Host", &url.authority());
        if let Some(length) = form.and_then(|form| form.length) {
            field("Content-Length", &length.to_string());
        }
        field("Connection", "Keep-Alive");
        if let Some(authorization) = &self.authorization {
            field("Authorization", authorization);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn body(&self, (first, len): (u64, u64), pause: Duration) -> Option<Body<'_>> {
        (len > 0).then(|| Body {
            path: self.file.path(),
            first: first % SIZE,
            len,
            pause,
        })
    }

    /// Makes sure of a connection; what hinders it comes back in words.
    async fn reach(&mut self, url: &Url) -> std::result::Result<Link, String> {
        if let Some((authority, mut link)) = self.link.take()
            && authority == url.authority()
            && link.is_ready().await
        {
            return Ok(link);
        }
        let connector = self.connector.as_ref().filter(|_| url.tls);
        dial(url, connector, self.timers, None)
            .await
            .map_err(|error| crate::peer::client::chain(&error))
    }

    /// Ends the connection; the next packet goes on a new one.
    pub(super) fn hang_up(&mut self) {
        self.link = None;
    }

    /// Sends one packet and hears its answer; once more where a kept connection ends just as it is used again.
    ///
    /// RFC 9112 §9.3.1
    pub(super) async fn ask(&mut self, url: &Url, form: &Form) -> Reply {
        let (mut reply, stale) = self.attempt(url, form).await;
        if stale {
            self.hang_up();
            (reply, _) = self.attempt(url, form).await;
        }
        self.note(format!("{}: {}", form.told(), reply.text()));
        reply
    }

    /// Sends one packet; also tells whether its connection was over before anything of an answer came.
    async fn attempt(&mut self, url: &Url, form: &Form) -> (Reply, bool) {
        match self.reach(url).await {
            Err(trouble) => (Reply::silence(trouble), false),
            Ok(mut link) => {
                let head = self.head("BITS_POST", url, Some(form));
                let body = self.body(form.body, form.pause);
                let heard = link.ask(&head, body, &mut |_| ()).await;
                self.link = Some((url.authority(), link));
                let stale = heard.stale;
                (Reply::of(heard), stale)
            }
        }
    }

    /// Sends the head and `passed` bytes of the content, then ends the connection.
    pub(super) async fn break_off(&mut self, url: &Url, form: &Form, passed: u64) {
        if let Ok(link) = self.reach(url).await {
            let head = self.head("BITS_POST", url, Some(form));
            let body = self.body((form.body.0, passed), form.pause);
            link.break_off(&head, body).await;
        }
        self.note(format!(
            "{}: we end the connection after {passed} bytes",
            form.told()
        ));
    }

    /// Sends the packet on a connection of its own and goes away before the answer can be read.
    pub(super) async fn lose(&mut self, url: &Url, form: &Form) {
        self.break_off(url, form, form.body.1).await;
    }

    /// Opens a session, or ends the experiment.
    pub(super) async fn create(
        &mut self,
        extra: &str,
        total: u64,
    ) -> std::result::Result<Job, Judged> {
        let url = self.url(extra);
        let reply = self.ask(&url, &Form::create()).await;
        if !reply.is_ok() {
            return Err(fails(format!(
                "no session: Create-Session was answered {}",
                reply.text()
            )));
        }
        match reply.ack.session_id.filter(|id| !id.is_empty()) {
            Some(id) => Ok(self.adopt(url, id, total)),
            None => Err(fails("the Ack of Create-Session has no BITS-Session-Id")),
        }
    }

    /// Takes note of a session that is open now.
    pub(super) fn adopt(&mut self, url: Url, id: String, total: u64) -> Job {
        let file = url.target.strip_prefix(self.home.target.as_str());
        let mut back = self.verify.clone();
        back.target.push_str(file.unwrap_or_default());
        let job = Job {
            back,
            url,
            id,
            total,
            next: 0,
        };
        self.jobs.push(job.clone());
        job
    }

    /// Sends a Fragment; the offset that it is answered with is kept.
    pub(super) async fn fragment(&mut self, job: &mut Job, first: u64, len: u64) -> Reply {
        let form = Form::fragment(job, first, len);
        let reply = self.ask(&job.url.clone(), &form).await;
        if let (Some(200 | 416), Some(next)) = (reply.status, reply.ack.received) {
            job.next = next;
        }
        reply
    }

    /// Sends Fragments up to `end`, each of which must be taken as a whole, or ends the experiment.
    pub(super) async fn advance(
        &mut self,
        job: &mut Job,
        end: u64,
        piece: u64,
    ) -> std::result::Result<(), Judged> {
        while job.next < end {
            let first = job.next;
            let len = piece.min(end - first);
            let reply = self.fragment(job, first, len).await;
            if !reply.is(200, first + len) {
                return Err(fails(format!(
                    "a plain Fragment {first}-{} was answered {}, not 200 with next {}",
                    first + len - 1,
                    reply.text(),
                    first + len
                )));
            }
            if reply
                .ack
                .session_id
                .is_some_and(|id| !id.eq_ignore_ascii_case(&job.id))
            {
                return Err(fails("an Ack names another session than its request"));
            }
        }
        Ok(())
    }

    /// Sends a packet of the session without content.
    pub(super) async fn plain(&mut self, job: &Job, kind: &'static str) -> Reply {
        let reply = self.ask(&job.url, &Form::of(job, kind)).await;
        if reply.is_ok() && kind != "Ping" {
            self.jobs.retain(|open| open.id != job.id);
        }
        reply
    }

    /// Goes by the server's numbers to the end, closes, and compares what can be read back; then `so_far` is the
    /// verdict.
    pub(super) async fn finish(&mut self, mut job: Job, so_far: Judged) -> Done {
        let mut stalls = 0;
        while job.next < job.total {
            let first = job.next;
            let len = PIECE.min(job.total - first);
            let reply = self.fragment(&mut job, first, len).await;
            if !matches!(reply.status, Some(200 | 416)) || reply.ack.received.is_none() {
                return Err(fails(format!(
                    "the upload could not go on at {first}: {}",
                    reply.text()
                )));
            }
            stalls = if job.next > first { 0 } else { stalls + 1 };
            if stalls > STALLS {
                return Err(fails(format!("the server does not get past byte {first}")));
            }
        }
        let reply = self.plain(&job, "Close-Session").await;
        if !reply.is_ok() {
            return Err(fails(format!(
                "Close-Session was answered {}",
                reply.text()
            )));
        }
        match self.read_back(&job).await {
            Err(other) => Err(fails(format!(
                "the file on the server is not what was sent: {other}"
            ))),
            Ok(read) => {
                self.note(if read {
                    "read back: byte for byte the same"
                } else {
                    "the file cannot be read back"
                });
                Ok(so_far)
            }
        }
    }

    /// Reads the file from the server: `false` where that cannot be done, an error where it is another one.
    pub(super) async fn read_back(&mut self, job: &Job) -> std::result::Result<bool, String> {
        let url = job.back.clone();
        let Ok(mut link) = self.reach(&url).await else {
            return Ok(false);
        };
        let head = self.head("GET", &url, None);
        let expected = self
            .content
            .get(..usize::try_from(job.total).unwrap_or(usize::MAX))
            .unwrap_or_default();
        let (mut at, mut wrong) = (0_usize, None);
        let mut compare = |bytes: &[u8]| {
            let end = at.saturating_add(bytes.len());
            if expected.get(at..end) != Some(bytes) {
                wrong.get_or_insert(at);
            }
            at = end;
        };
        let heard = link.ask(&head, None, &mut compare).await;
        let reply = Reply::of(heard);
        let outcome = match (reply.status, wrong) {
            (Some(200), Some(at)) => Err(format!("it differs at or after byte {at}")),
            (Some(200), None) if at != expected.len() => {
                Err(format!("it has {at} bytes instead of {}", expected.len()))
            }
            (Some(200), None) => Ok(true),
            _ => Ok(false),
        };
        self.link = Some((url.authority(), link));
        self.note(format!("GET: {}", reply.text()));
        outcome
    }
}
