//! One connection of a client that plays a script: a head goes out byte for byte, and what comes back is read by our own decoder.
//!
//! Every wait is bounded. Whatever the server does is something heard, never an error: only dialling can fail.
//! Knows no BITS session.

use std::io::{self, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::fs::File;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncSeekExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf,
    WriteHalf,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::bits::packet::read_ack;
use crate::peer::client::Timers;
use crate::peer::client::url::Url;
use crate::peer::{Error, Result};
use crate::wire::{Conversation, Ending, Framing, Head, Item, Malformed, Seen, Stream};

/// How much of a file is in memory at a time.
const CHUNK: usize = 64 * 1024;
/// How much goes out at a time where there are pauses.
const DROP: usize = 1024;

/// A stream of either kind.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Content of a request: bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(in crate::peer) struct Body<'b> {
    pub(in crate::peer) path: &'b Path,
    pub(in crate::peer) first: u64,
    /// How many of them go out.
    pub(in crate::peer) len: u64,
    /// Goes by before each [`DROP`]; zero: as fast as it goes.
    pub(in crate::peer) pause: Duration,
}

/// What came back.
#[derive(Debug)]
pub(in crate::peer) struct Heard {
    /// Of the final response.
    pub(in crate::peer) head: Option<Head>,
    /// The response came to the end that its framing announces.
    pub(in crate::peer) whole: bool,
    /// Why there is no whole response.
    pub(in crate::peer) trouble: Option<String>,
    /// Not one byte came back on a connection that had answered before.
    pub(in crate::peer) stale: bool,
}

/// One connection.
pub(in crate::peer) struct Link {
    read: ReadHalf<Box<dyn Wire>>,
    write: WriteHalf<Box<dyn Wire>>,
    talk: Conversation,
    timers: Timers,
    /// Requests sent so far.
    requests: u64,
    /// Nothing more can be asked on it.
    spent: bool,
}

/// Opens a connection to the host of `url`, or in the clear to `via`, which stands before it.
pub(in crate::peer) async fn dial(
    url: &Url,
    connector: Option<&TlsConnector>,
    timers: Timers,
    via: Option<SocketAddr>,
) -> Result<Link> {
    let failed = |source| Error::Connect {
        authority: url.authority(),
        source,
    };
    let dialled = async {
        let stream = match via {
            Some(address) => TcpStream::connect(address).await?,
            None => TcpStream::connect((url.host(), url.port())).await?,
        };
        let _ = stream.set_nodelay(true);
        let Some(connector) = connector.filter(|_| via.is_none()) else {
            return Ok::<Box<dyn Wire>, io::Error>(Box::new(stream));
        };
        let name = ServerName::try_from(url.host().to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(connector.connect(name, stream).await?) as Box<dyn Wire>)
    };
    let stream = tokio::time::timeout(timers.connect, dialled)
        .await
        .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
        .map_err(failed)?;
    let (read, write) = tokio::io::split(stream);
    Ok(Link {
        read,
        write,
        talk: Conversation::new(),
        timers,
        requests: 0,
        spent: false,
    })
}

impl Link {
    /// Tells whether another request may go out; the server may have ended the connection since.
    pub(in crate::peer) async fn is_ready(&mut self) -> bool {
        if self.spent {
            return false;
        }
        let mut stray = [0; 4096];
        loop {
            // What comes without having been asked for belongs to no answer.
            match tokio::time::timeout(Duration::ZERO, self.read.read(&mut stray)).await {
                Err(_) => return true,
                Ok(Ok(len)) if len > 0 => {
                    let bytes = stray.get(..len).unwrap_or_default();
                    self.talk.feed(Stream::Responses, bytes, &mut Vec::new());
                }
                Ok(_) => {
                    self.spent = true;
                    return false;
                }
            }
        }
    }

    /// Sends a request and hears its answer; content of the answer goes to `content`.
    ///
    /// An answer may come before all of the request is out: the rest is then not sent, and the connection is
    /// of no more use.
    pub(in crate::peer) async fn ask(
        &mut self,
        head: &[u8],
        body: Option<Body<'_>>,
        content: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Heard {
        let len = body.map_or(0, |body| body.len);
        let mut ear = Ear::new(&mut self.talk, self.requests, content);
        ear.ask(head, len);
        let again = self.requests > 0;
        self.requests = self.requests.saturating_add(1);
        let (read, write) = (&mut self.read, &mut self.write);
        let sending = tokio::time::timeout(self.timers.send, send(write, head, body));
        let mut sending = std::pin::pin!(sending);
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let mut sent = false;
        let mut trouble = None;
        while !ear.is_over() {
            tokio::select! {
                biased;
                done = &mut sending, if !sent => match done {
                    Ok(Ok(())) => sent = true,
                    // The server may have answered before it stopped reading.
                    Ok(Err(error)) => {
                        trouble = Some(error.to_string());
                        sent = true;
                    }
                    Err(_) => {
                        trouble = Some(format!("the server did not take it within {}", humantime::format_duration(self.timers.send)));
                        break;
                    }
                },
                got = tokio::time::timeout(self.timers.response, read.read_buf(&mut buffer)) => match got {
                    Ok(Ok(0)) => {
                        ear.finish();
                        trouble.get_or_insert_with(|| "the server ended the connection".to_owned());
                        break;
                    }
                    Ok(Ok(_)) => {
                        ear.hear(&buffer);
                        buffer.clear();
                    }
                    Ok(Err(error)) => {
                        ear.finish();
                        trouble.get_or_insert_with(|| error.to_string());
                        break;
                    }
                    Err(_) if !sent => {}
                    Err(_) => {
                        trouble = Some(format!("no answer within {}", humantime::format_duration(self.timers.response)));
                        break;
                    }
                },
            }
        }
        let heard = ear.into_heard(trouble, again);
        self.spent |= !heard.whole || !sent || heard.head.as_ref().is_none_or(is_last);
        heard
    }

    /// Sends a part of a request and ends the connection.
    pub(in crate::peer) async fn break_off(mut self, head: &[u8], body: Option<Body<'_>>) {
        let sending = async {
            send(&mut self.write, head, body).await?;
            self.write.shutdown().await
        };
        // It ends in any case.
        let _ = tokio::time::timeout(self.timers.send, sending).await;
    }
}

/// Tells whether the server will end the connection after this answer. RFC 9112 §9.3
fn is_last(head: &Head) -> bool {
    let says = |what: &str| {
        head.values("connection").any(|value| {
            value
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(what.as_bytes()))
        })
    };
    says("close") || (head.minor() == 0 && !says("keep-alive"))
}

async fn send(
    write: &mut WriteHalf<Box<dyn Wire>>,
    head: &[u8],
    body: Option<Body<'_>>,
) -> io::Result<()> {
    write.write_all(head).await?;
    if let Some(body) = body.filter(|body| body.len > 0) {
        let mut file = File::open(body.path).await?;
        file.seek(SeekFrom::Start(body.first)).await?;
        let most = if body.pause.is_zero() { CHUNK } else { DROP };
        let mut chunk = vec![0; most];
        let mut left = body.len;
        while left > 0 {
            if !body.pause.is_zero() {
                tokio::time::sleep(body.pause).await;
            }
            let want = usize::try_from(left).unwrap_or(most).min(most);
            let place = chunk.get_mut(..want).unwrap_or_default();
            file.read_exact(place).await?;
            write.write_all(place).await?;
            left = left.saturating_sub(want as u64);
        }
    }
    write.flush().await
}

/// Hears the answer to one request.
struct Ear<'e> {
    talk: &'e mut Conversation,
    exchange: u64,
    content: &'e mut (dyn FnMut(&[u8]) + Send),
    seen: Vec<Seen>,
    /// Offset in the stream of responses of the next byte.
    at: u64,
    head: Option<Head>,
    begun: bool,
    whole: bool,
    over: bool,
    odd: Option<String>,
}

impl<'e> Ear<'e> {
    fn new(
        talk: &'e mut Conversation,
        exchange: u64,
        content: &'e mut (dyn FnMut(&[u8]) + Send),
    ) -> Self {
        let at = talk.decoder(Stream::Responses).offset();
        Self {
            talk,
            exchange,
            content,
            seen: Vec::new(),
            at,
            head: None,
            begun: false,
            whole: false,
            over: false,
            odd: None,
        }
    }

    /// Takes note of the request, so that its answer can be told.
    fn ask(&mut self, head: &[u8], body: u64) {
        let mut seen = Vec::new();
        self.talk.feed(Stream::Requests, head, &mut seen);
        if body > 0 {
            self.talk.skip(Stream::Requests, body, &mut seen);
        }
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut seen = std::mem::take(&mut self.seen);
        self.talk.feed(Stream::Responses, bytes, &mut seen);
        let base = self.at;
        self.at = base.saturating_add(bytes.len() as u64);
        for found in seen.drain(..) {
            self.take(found, base, bytes);
        }
        self.seen = seen;
    }

    fn finish(&mut self) {
        let mut seen = Vec::new();
        self.talk.finish(Stream::Responses, &mut seen);
        for found in seen {
            self.take(found, self.at, &[]);
        }
        self.over = true;
    }

    fn take(&mut self, found: Seen, base: u64, bytes: &[u8]) {
        if found.stream != Stream::Responses || self.over {
            return;
        }
        if found.exchange != Some(self.exchange) {
            if matches!(found.item, Item::Opaque { .. }) {
                self.odd = Some("what came back is not HTTP".to_owned());
                self.over = true;
            }
            return;
        }
        match found.item {
            Item::Begin { .. } => self.begun = true,
            Item::Head { head, framing } => {
                let status = head.status().unwrap_or_default();
                if (100..200).contains(&status) && status != 101 {
                    return;
                }
                // An Ack without any length has no content: nobody waits for its end.
                let ended = framing == Framing::UntilClose && read_ack(&head).is_ack;
                self.head = Some(head);
                self.whole |= ended;
                self.over |= ended || framing == Framing::Tunnel;
            }
            Item::Data { offset, len } if self.head.is_some() => {
                let from = usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                let end = from.saturating_add(len).min(bytes.len());
                (self.content)(bytes.get(from..end).unwrap_or_default());
            }
            Item::End { ending, .. } if self.head.is_some() => {
                self.whole = ending != Ending::Cut;
                self.over = true;
            }
            Item::Malformed { what, .. } if what != Malformed::FieldLine => {
                self.odd = Some(
                    match what {
                        Malformed::NotHttp => "what came back is not HTTP",
                        Malformed::HeadTooLong => "the head of the answer is too long",
                        Malformed::Ambiguous => "the length of the answer can be read in two ways",
                        Malformed::Chunk => "a chunk of the answer cannot be read",
                        _ => "the answer breaks off inside its head",
                    }
                    .to_owned(),
                );
                self.over = true;
            }
            _ => {}
        }
    }

    fn into_heard(self, trouble: Option<String>, again: bool) -> Heard {
        Heard {
            stale: again && !self.begun && self.head.is_none(),
            trouble: if self.whole {
                None
            } else {
                self.odd.or(trouble)
            },
            whole: self.whole,
            head: self.head,
        }
    }
}
