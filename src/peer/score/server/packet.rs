//! One packet of an experiment in any form, and what came back.

use std::fmt::Write as _;
use std::time::Duration;

use crate::bits::header::{Name, UPLOAD_PROTOCOL, identify};
use crate::bits::packet::read_ack;
use crate::bits::{Ack, hresult};
use crate::peer::client::url::Url;
use crate::peer::replay::link::Heard;
use crate::wire::Head;

/// An answer, or what came instead.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// `None`: no whole answer.
    pub(super) status: Option<u16>,
    pub(super) ack: Ack,
    /// Names of BITS fields that are spelled as nobody documents.
    pub(super) misspelt: Vec<&'static str>,
    pub(super) trouble: Option<String>,
}

impl Reply {
    pub(super) fn of(heard: Heard) -> Self {
        let head = heard.head.filter(|_| heard.whole);
        Self {
            status: head.as_ref().and_then(Head::status),
            ack: head.as_ref().map(read_ack).unwrap_or_default(),
            misspelt: head.as_ref().map(misspelt).unwrap_or_default(),
            trouble: heard.trouble,
        }
    }

    /// No answer, and why.
    pub(super) fn silence(trouble: String) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::default()
        }
    }

    /// Tells status and next offset are these.
    pub(super) fn is(&self, status: u16, next: u64) -> bool {
        self.status == Some(status) && self.ack.received == Some(next)
    }

    /// Tells whether this is a success.
    pub(super) fn is_ok(&self) -> bool {
        matches!(self.status, Some(200 | 201))
    }

    /// Tells whether it is a refusal with this status and, where it has one, this code.
    pub(super) fn refuses(&self, status: u16, code: u32) -> bool {
        self.status == Some(status) && self.ack.error == Some(code)
    }

    pub(super) fn text(&self) -> String {
        let Some(status) = self.status else {
            let why = self.trouble.as_deref().unwrap_or("no reason known");
            return format!("no answer ({why})");
        };
        let mut text = status.to_string();
        if let Some(next) = self.ack.received {
            let _ = write!(text, ", next {next}");
        }
        if let Some(code) = self.ack.error {
            let _ = write!(text, ", {}", hresult::name(code));
        }
        text
    }
}

/// Names the fields of a head whose names no document has; BITS-Error is the name in MC-BUP.
fn misspelt(head: &Head) -> Vec<&'static str> {
    head.pairs()
        .filter_map(|(name, _)| identify(name))
        .filter(|spelling| !spelling.oddity.is_empty() && spelling.name != Name::Error)
        .map(|spelling| spelling.wire)
        .collect()
}

/// An upload session of ours.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) url: Url,
    /// Where the file can be read back.
    pub(super) back: Url,
    pub(super) id: String,
    pub(super) total: u64,
    /// The offset that the server told last.
    pub(super) next: u64,
}

/// One packet in the form that the experiment wants.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// The value of BITS-Packet-Type.
    pub(super) kind: &'static str,
    /// Name of the field that says the kind.
    pub(super) kind_field: &'static str,
    pub(super) fields: Vec<(&'static str, String)>,
    /// First and number of the bytes that go out.
    pub(super) body: (u64, u64),
    /// Content-Length, where there is one.
    pub(super) length: Option<u64>,
    /// Names go out in lower case.
    pub(super) lower: bool,
    /// Before each KiB.
    pub(super) pause: Duration,
}

impl Form {
    /// A packet without content.
    pub(super) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            kind_field: "BITS-Packet-Type",
            fields: Vec::new(),
            body: (0, 0),
            length: Some(0),
            lower: false,
            pause: Duration::ZERO,
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(super) fn create() -> Self {
        Self::new("Create-Session").with("BITS-Supported-Protocols", UPLOAD_PROTOCOL)
    }

    /// A Fragment of `job` with `len` bytes from `first` on.
    pub(super) fn fragment(job: &Job, first: u64, len: u64) -> Self {
        let last = first.saturating_add(len).saturating_sub(1);
        Self::of(job, "Fragment")
            .with(
                "Content-Range",
                format!("bytes {first}-{last}/{}", job.total),
            )
            .carrying(first, len)
    }

    /// The same packet with these bytes of the file.
    pub(super) fn carrying(mut self, first: u64, len: u64) -> Self {
        self.body = (first, len);
        self.length = Some(len);
        self
    }

    /// A packet of `job`'s session.
    pub(super) fn of(job: &Job, kind: &'static str) -> Self {
        Self::new(kind).with("BITS-Session-Id", job.id.clone())
    }

    pub(super) fn told(&self) -> String {
        let range = self
            .fields
            .iter()
            .find(|(name, _)| *name == "Content-Range");
        match range {
            Some((_, range)) => format!("{} {range}", self.kind),
            None => self.kind.to_owned(),
        }
    }
}
