//! A conversation made of exchanges that are right until a test changes them.
//!
//! The file is `/up/f.bin`, 15360 bytes in three fragments of 5 KiB. Each function here gives one
//! exchange as Windows and IIS would have it (with the session id in every Ack); `with`, `without`, `back` and the like change
//! one thing of it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt::Write as _;
use std::time::Duration;

use bitstap::event::{Close, Direction};
use bitstap::timeline::{Profile, Timeline};

use crate::conversation::Talk;

pub(crate) const ID: &str = "{3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}";
pub(crate) const OTHER: &str = "{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}";
pub(crate) const PROTOCOL: &str = "{7df0354d-249b-430f-820d-3d2a9bef4931}";

/// One exchange.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    line: String,
    asked: Vec<(String, String)>,
    content: String,
    /// Content bytes that really pass.
    passes: Option<usize>,
    status: String,
    back: Vec<(String, String)>,
    reply: String,
    answered: bool,
    thinks: Duration,
}

fn set(fields: &mut Vec<(String, String)>, field: &str) {
    let (name, value) = field.split_once(": ").unwrap();
    let new = (name.to_owned(), value.to_owned());
    match fields.iter_mut().find(|f| f.0.eq_ignore_ascii_case(name)) {
        Some(known) => *known = new,
        None => fields.push(new),
    }
}

impl Step {
    pub(crate) fn new(line: &str, asked: &[&str], status: &str, back: &[&str]) -> Self {
        let mut step = Self {
            line: line.to_owned(),
            asked: Vec::new(),
            content: String::new(),
            passes: None,
            status: format!("HTTP/1.1 {status}"),
            back: Vec::new(),
            reply: String::new(),
            answered: true,
            thinks: Duration::ZERO,
        };
        for field in asked {
            set(&mut step.asked, field);
        }
        for field in back {
            set(&mut step.back, field);
        }
        step
    }

    /// Replaces the request line.
    pub(crate) fn line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.line);
        self
    }

    /// Sets a field of the request.
    pub(crate) fn with(mut self, field: &str) -> Self {
        set(&mut self.asked, field);
        self
    }

    /// Adds a field to the request, whether it has one of that name or not.
    pub(crate) fn and(mut self, field: &str) -> Self {
        let (name, value) = field.split_once(": ").unwrap();
        self.asked.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.asked
            .retain(|field| !field.0.eq_ignore_ascii_case(name));
        self
    }

    /// Gives the request content, with its length.
    pub(crate) fn content(self, content: &str) -> Self {
        let mut step = self.with(&format!("Content-Length: {}", content.len()));
        content.clone_into(&mut step.content);
        step
    }

    /// Only so many bytes of the content pass.
    pub(crate) fn passes(mut self, bytes: usize) -> Self {
        self.passes = Some(bytes);
        self
    }

    /// Sets a field of the answer.
    pub(crate) fn back(mut self, field: &str) -> Self {
        set(&mut self.back, field);
        self
    }

    pub(crate) fn back_without(mut self, name: &str) -> Self {
        self.back
            .retain(|field| !field.0.eq_ignore_ascii_case(name));
        self
    }

    /// Replaces the status line.
    pub(crate) fn status(mut self, line: &str) -> Self {
        line.clone_into(&mut self.status);
        self
    }

    /// Gives the answer content, with its length.
    pub(crate) fn reply(self, content: &str) -> Self {
        let mut step = self.back(&format!("Content-Length: {}", content.len()));
        content.clone_into(&mut step.reply);
        step
    }

    /// The server refuses with a status and an error.
    pub(crate) fn refused(self, status: &str, error: &str) -> Self {
        self.status(&format!("HTTP/1.1 {status}"))
            .back_without("BITS-Received-Content-Range")
            .back_without("BITS-Protocol")
            .back_without("Accept-Encoding")
            .back(&format!("BITS-Error-Code: {error}"))
            .back("BITS-Error-Context: 0x5")
    }

    /// The server does not know the session.
    pub(crate) fn forgotten(self) -> Self {
        self.refused("500 Internal Server Error", "0x8020001F")
    }

    /// The server is out of step.
    pub(crate) fn out_of_step(self, offset: u64) -> Self {
        self.status("HTTP/1.1 416 Requested Range Not Satisfiable")
            .back(&format!("BITS-Received-Content-Range: {offset}"))
    }

    /// An authentication layer answers.
    pub(crate) fn challenged(mut self, challenge: &str) -> Self {
        self.back.clear();
        self.status("HTTP/1.1 401 Unauthorized")
            .back(&format!("WWW-Authenticate: {challenge}"))
            .back("Content-Length: 0")
    }

    /// No answer comes.
    pub(crate) fn unanswered(mut self) -> Self {
        self.answered = false;
        self
    }

    /// The server needs so long.
    pub(crate) fn thinks(mut self, time: Duration) -> Self {
        self.thinks = time;
        self
    }

    pub(crate) fn request(&self) -> String {
        let mut text = format!("{}\r\n", self.line);
        for (name, value) in &self.asked {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        let passes = self.passes.unwrap_or(self.content.len());
        text.push_str(&self.content[..passes]);
        text
    }

    pub(crate) fn response(&self) -> String {
        let mut text = format!("{}\r\n", self.status);
        for (name, value) in &self.back {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        text.push_str(&self.reply);
        text
    }
}

fn packet(kind: &str) -> Step {
    Step::new(
        "BITS_POST /up/f.bin HTTP/1.1",
        &[
            &format!("BITS-Packet-Type: {kind}"),
            &format!("BITS-Session-Id: {ID}"),
            "User-Agent: Microsoft BITS/7.8",
            "Host: bits.example.test",
            "Content-Length: 0",
        ],
        "200 OK",
        &[
            "BITS-Packet-Type: Ack",
            &format!("BITS-Session-Id: {ID}"),
            "Content-Length: 0",
        ],
    )
}

pub(crate) fn ping() -> Step {
    packet("Ping")
        .without("BITS-Session-Id")
        .back_without("BITS-Session-Id")
}

pub(crate) fn create() -> Step {
    packet("Create-Session")
        .without("BITS-Session-Id")
        .with(&format!("BITS-Supported-Protocols: {PROTOCOL}"))
        .back(&format!("BITS-Protocol: {PROTOCOL}"))
        .back("Accept-Encoding: identity")
}

/// Sends the bytes from `first` to `last`, both inclusive.
pub(crate) fn fragment(first: u64, last: u64) -> Step {
    let len = usize::try_from(last - first + 1).unwrap();
    packet("Fragment")
        .with(&format!("Content-Range: bytes {first}-{last}/15360"))
        .content(&"a".repeat(len))
        .back(&format!("BITS-Received-Content-Range: {}", last + 1))
}

pub(crate) fn first() -> Step {
    fragment(0, 5119)
}

pub(crate) fn second() -> Step {
    fragment(5120, 10239)
}

pub(crate) fn third() -> Step {
    fragment(10240, 15359)
}

pub(crate) fn close() -> Step {
    packet("Close-Session")
}

pub(crate) fn cancel() -> Step {
    packet("Cancel-Session")
}

/// Asks for a file of 100 bytes.
pub(crate) fn head() -> Step {
    Step::new(
        "HEAD /d/f.bin HTTP/1.1",
        &[
            "Accept-Encoding: identity",
            "User-Agent: Microsoft BITS/7.8",
            "Host: dl.example.test",
        ],
        "200 OK",
        &["Content-Length: 100", DATE, "ETag: \"a1\""],
    )
}

pub(crate) const DATE: &str = "Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT";

/// Downloads bytes `first` to `last` of it, both inclusive.
pub(crate) fn get(first: u64, last: u64) -> Step {
    let len = usize::try_from(last - first + 1).unwrap();
    head()
        .line("GET /d/f.bin HTTP/1.1")
        .with("If-Unmodified-Since: Mon, 05 Jan 2026 10:00:00 GMT")
        .with(&format!("Range: bytes={first}-{last}"))
        .status("HTTP/1.1 206 Partial Content")
        .back(&format!("Content-Range: bytes {first}-{last}/100"))
        .reply(&"b".repeat(len))
}

/// The server tells its application of the upload, by reference.
pub(crate) fn notify() -> Step {
    Step::new(
        "POST /app/handle HTTP/1.1",
        &[
            "BITS-Original-Request-URL: http://bits.example.test/up/f.bin",
            r"BITS-Request-DataFile-Name: D:\up\requestfile.bin",
            r"BITS-Response-DataFile-Name: D:\up\responsefile.bin",
            "Host: app.example.test",
            "Content-Length: 0",
        ],
        "200 OK",
        &["Content-Length: 0"],
    )
}

/// The download of the reply of an upload.
pub(crate) fn get_reply() -> Step {
    get(0, 99)
        .line("GET /up/reply.bin HTTP/1.1")
        .with("Host: bits.example.test")
}

/// A conversation, in order.
#[derive(Clone, Debug)]
pub(crate) struct Dialogue {
    pub(crate) talk: Talk,
}

impl Dialogue {
    /// Begins on a new connection.
    pub(crate) fn new() -> Self {
        Self { talk: Talk::new() }
    }

    pub(crate) fn say(mut self, step: &Step) -> Self {
        let talk = &mut self.talk;
        talk.bytes(Direction::ToServer, step.request().as_bytes());
        if step.answered {
            talk.wait(step.thinks);
            talk.bytes(Direction::ToClient, step.response().as_bytes());
        }
        self
    }

    pub(crate) fn all(self, steps: &[Step]) -> Self {
        steps.iter().fold(self, Self::say)
    }

    /// Sends two requests before their answers come.
    pub(crate) fn pipelined(mut self, one: &Step, two: &Step) -> Self {
        let talk = &mut self.talk;
        talk.bytes(Direction::ToServer, one.request().as_bytes());
        talk.bytes(Direction::ToServer, two.request().as_bytes());
        talk.bytes(Direction::ToClient, one.response().as_bytes());
        talk.bytes(Direction::ToClient, two.response().as_bytes());
        self
    }

    /// The server sends bytes that nobody asked for.
    pub(crate) fn blurts(mut self, bytes: &str) -> Self {
        self.talk.bytes(Direction::ToClient, bytes.as_bytes());
        self
    }

    pub(crate) fn wait(mut self, time: Duration) -> Self {
        self.talk.wait(time);
        self
    }

    /// The client hangs up.
    pub(crate) fn hang_up(mut self) -> Self {
        self.talk.hang_up();
        self
    }

    /// The server hangs up.
    pub(crate) fn server_hangs_up(mut self) -> Self {
        self.talk
            .close(Direction::ToClient, Close::Fin)
            .close(Direction::ToServer, Close::Fin);
        self
    }

    /// The next connection begins; the one before stays.
    pub(crate) fn connect(mut self, client: &str) -> Self {
        self.talk.connect(client);
        self
    }

    /// The client hangs up and comes back.
    pub(crate) fn reconnect(self) -> Self {
        self.hang_up().connect("10.0.0.5")
    }

    /// Goes on with connection `conn`.
    pub(crate) fn on(mut self, conn: u32) -> Self {
        self.talk.on(conn);
        self
    }

    /// The client speaks TLS.
    pub(crate) fn tls(mut self) -> Self {
        let fact = bitstap::event::TlsFact {
            version: "TLS 1.3".to_owned(),
            cipher: "any".to_owned(),
            ..Default::default()
        };
        let fact = bitstap::event::Fact::Tls(Box::new(fact));
        self.talk.note("TLS is up.", fact);
        self
    }

    /// Goes on where the capture begins in mid-connection.
    pub(crate) fn joined() -> Self {
        let mut talk = Talk::silent();
        talk.join("10.0.0.5");
        Self { talk }
    }

    /// Bytes towards the client are missing from the capture.
    pub(crate) fn gap(mut self, len: u64) -> Self {
        self.talk
            .missing(Direction::ToClient, len, bitstap::event::Missing::NotSeen);
        self
    }

    /// Bytes towards the client passed and were not kept.
    pub(crate) fn not_kept(mut self, len: u64) -> Self {
        let why = bitstap::event::Missing::NotKept;
        self.talk.missing(Direction::ToClient, len, why);
        self
    }

    /// The proxy writes the next answer itself.
    pub(crate) fn ours(mut self) -> Self {
        let fact = bitstap::event::Fact::Answered {
            status: 502,
            reason: "no route".to_owned(),
        };
        self.talk.note("The server cannot be reached.", fact);
        self
    }

    pub(crate) fn events(&self) -> &[bitstap::event::Event] {
        &self.talk.events
    }

    pub(crate) fn timeline(&self, profile: Profile) -> Timeline {
        let mut timeline = Timeline::with_profile(profile);
        for (position, event) in (0..).zip(&self.talk.events) {
            timeline.apply(event, position);
        }
        timeline.finish();
        timeline
    }
}

/// The whole upload, as it should be.
pub(crate) fn upload() -> Dialogue {
    Dialogue::new().all(&[ping(), create(), first(), second(), third(), close()])
}

/// The session is created.
pub(crate) fn created() -> Dialogue {
    Dialogue::new().say(&create())
}

/// The first fragment is acknowledged.
pub(crate) fn begun() -> Dialogue {
    created().say(&first())
}

/// The last fragment is acknowledged.
pub(crate) fn complete() -> Dialogue {
    begun().all(&[second(), third()])
}

/// The download of the whole file in two ranges.
pub(crate) fn download() -> Dialogue {
    Dialogue::new().all(&[head(), get(0, 49), get(50, 99)])
}
