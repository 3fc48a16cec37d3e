//! One connection of the mock: requests are read by our own decoder, content streams to its upload, and answers go
//! out byte for byte.

use std::io::{self, SeekFrom};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::answer::{Body, Out};
use super::download;
use super::tales::What;
use super::tap::Tap;
use super::upload::{Plan, Upload};
use super::world::{Asked, World};
use super::{Notice, Shared};
use crate::bits::packet::read_request;
use crate::bits::{Packet, Request};
use crate::event::{Direction, Fact};
use crate::peer::server::answer::Ack;
use crate::wire::{Decoder, Framing, Head, Item, Malformed, Stream};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// A request that stands still for so long ends its connection.
const STALL: Duration = Duration::from_mins(5);
/// How long the last bytes may take at the end of a connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// A stream in the clear or inside TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// One connection.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: Box<dyn Wire>,
    pub(super) client: SocketAddr,
    /// What we are called where a request has no Host.
    pub(super) own: String,
    /// Hears what passes.
    pub(super) tap: Tap,
    /// A request under way is still answered after it.
    pub(super) stop: CancellationToken,
}

/// A request under way.
struct Open {
    head: Head,
    request: Request,
    work: Option<Work>,
}

/// A Fragment under way.
struct Work {
    upload: OwnedMutexGuard<Upload>,
    plan: Plan,
    /// Where its next byte lies.
    at: u64,
    /// The byte after the last that it announces.
    end: u64,
    takes: bool,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    Client,
    Ours,
    /// It broke: the client has reset it, or reads no more.
    Broken,
}

impl Connection {
    /// Answers requests until either side ends the connection.
    pub(super) async fn run(mut self) -> Gone {
        let Ok(gone) = self.answer().await else {
            return Gone::Broken;
        };
        // TLS says goodbye before the connection ends; who has left does not hear it.
        let _ = tokio::time::timeout(FAREWELL, self.stream.shutdown()).await;
        gone
    }

    async fn answer(&mut self) -> io::Result<Gone> {
        let mut decoder = Decoder::new(Stream::Requests);
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let mut items = Vec::new();
        let mut open: Option<Open> = None;
        loop {
            let base = decoder.offset();
            buffer.clear();
            let read = self.stream.read_buf(&mut buffer);
            let len = if open.is_none() {
                // Between requests a client may wait as long as it likes.
                let Some(len) = self.stop.run_until_cancelled(read).await else {
                    let reason = "the mock shuts down".to_owned();
                    let text = format!("The mock closes this connection: {reason}.");
                    self.tap.note(text, Fact::Closing { reason }).await;
                    return Ok(Gone::Ours);
                };
                len?
            } else {
                let Ok(len) = tokio::time::timeout(STALL, read).await else {
                    let text = format!(
                        "The mock closes this connection: nothing came of a request for {STALL:?}."
                    );
                    let timer = "stall".to_owned();
                    self.tap.note(text, Fact::TimedOut { timer }).await;
                    return Ok(Gone::Ours);
                };
                len?
            };
            if len == 0 {
                return Ok(Gone::Client);
            }
            self.tap.data(Direction::ToServer, &buffer).await;
            decoder.feed(&buffer, &mut items);
            for item in items.drain(..) {
                match item {
                    Item::Head { head, framing } => {
                        open = Some(self.begin(head, framing).await?);
                    }
                    Item::Data { offset, len } => {
                        if let Some(work) = open.as_mut().and_then(|open| open.work.as_mut()) {
                            let from = usize::try_from(offset.saturating_sub(base)).unwrap_or(0);
                            let end = from.saturating_add(usize::try_from(len).unwrap_or(0));
                            work.take(buffer.get(from..end).unwrap_or_default()).await?;
                        }
                    }
                    Item::End { .. } => {
                        if let Some(open) = open.take()
                            && !self.finish(open).await?
                        {
                            return Ok(Gone::Ours);
                        }
                    }
                    Item::Malformed { what, .. } if what != Malformed::FieldLine => {
                        let out = Out::reference(Ack::malformed().close()).await;
                        self.write(&out.bytes).await?;
                        return Ok(Gone::Ours);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Sends bytes and tells that they have passed.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.tap.data(Direction::ToClient, bytes).await;
        Ok(())
    }

    /// Takes a head: what is to become of the content that follows.
    async fn begin(&mut self, head: Head, framing: Framing) -> io::Result<Open> {
        let request = read_request(&head);
        let waits = head
            .value("expect")
            .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"100-continue"));
        if waits && framing != Framing::None {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut work = None;
        if request.packet == Some(Packet::Fragment)
            && let Some(range) = request.range.filter(|range| range.first <= range.last)
            && let Some(held) = request
                .session_id
                .as_deref()
                .and_then(|id| self.shared.world.find(id))
        {
            let mut upload = held.lock_owned().await;
            let end = range.last.saturating_add(1);
            let known = *upload
                .total
                .get_or_insert_with(|| range.total.unwrap_or(end));
            if !upload.ended && range.total.is_none_or(|total| total == known) {
                let world = &self.shared.world;
                world.recast(&mut upload, Packet::Fragment, Some(range.first));
                let act = world.act(&upload);
                let plan = upload.plan(act, range.first, end);
                let takes = match plan {
                    Plan::Take => true,
                    Plan::Trick(_, What::HangUp { keeps } | What::Refuse { keeps }) => keeps,
                    _ => false,
                };
                work = Some(Work {
                    upload,
                    plan,
                    at: range.first,
                    end,
                    takes,
                });
            }
        }
        Ok(Open {
            head,
            request,
            work,
        })
    }

    /// Answers a request that is all here; `false` where the connection ends with it.
    async fn finish(&mut self, open: Open) -> io::Result<bool> {
        let Open {
            head,
            request,
            work,
        } = open;
        let target = String::from_utf8_lossy(head.target().unwrap_or_default()).into_owned();
        let own = self.own.clone();
        let asked = Asked::new(&target, &request, &own, self.shared.tls);
        let out = self.decide(&head, &asked, work).await?;
        self.tell(&head, &asked, &out).await;
        if self.shared.timing {
            tokio::time::sleep(out.wait).await;
        }
        if out.hang_up {
            return Ok(false);
        }
        self.write(&out.bytes).await?;
        match &out.body {
            Body::None => {}
            Body::Wire(message) => {
                let mut at = 0;
                while let Some(bytes) = self.shared.world.recording.wire(message, at) {
                    self.write(&bytes).await?;
                    at = at.saturating_add(bytes.len() as u64);
                }
            }
            Body::File(path, first, len) => {
                let mut file = File::open(path).await?;
                file.seek(SeekFrom::Start(*first)).await?;
                let mut file = file.take(*len);
                let mut chunk = BytesMut::with_capacity(CHUNK);
                while file.read_buf(&mut chunk).await? > 0 {
                    self.write(&chunk).await?;
                    chunk.clear();
                }
            }
        }
        self.stream.flush().await?;
        let asks = head
            .values("connection")
            .any(|value| value.trim_ascii().eq_ignore_ascii_case(b"close"));
        Ok(!(out.last || asks))
    }

    async fn decide(&self, head: &Head, asked: &Asked<'_>, work: Option<Work>) -> io::Result<Out> {
        let world: &World = &self.shared.world;
        let Some(packet) = asked.request.packet.filter(|_| asked.request.upload) else {
            return Ok(match head.method() {
                Some(b"GET" | b"HEAD") => download::answer(world, head, asked).await,
                _ if asked.request.upload => Out::reference(Ack::malformed()).await,
                _ => {
                    let mut out = download::missing(world, head, asked).await;
                    if out.from.is_none() {
                        let why = out.unmatched.take();
                        out = Out::plain(StatusCode::NOT_FOUND).await;
                        out.unmatched = why;
                    }
                    out
                }
            });
        };
        if let Some(mut work) = work {
            return Ok(world.fragment(&mut work.upload, asked, work.plan).await);
        }
        let held = asked
            .request
            .session_id
            .as_deref()
            .and_then(|id| world.find(id));
        match (packet, held) {
            (Packet::Ping, _) => Ok(world.ping(asked).await),
            (Packet::CreateSession, _) => world.create(asked).await,
            (Packet::CloseSession | Packet::CancelSession, Some(held)) => {
                let mut upload = held.lock_owned().await;
                let (out, ended) = world.end(&mut upload, asked, packet).await?;
                if let Some(ended) = ended {
                    self.say(&ended).await;
                }
                Ok(out)
            }
            // Its range cannot be read, or is of another file.
            (_, Some(held)) if !held.lock().await.ended => {
                Ok(Out::reference(Ack::malformed()).await)
            }
            _ => Ok(world.unknown(asked).await),
        }
    }

    /// Tells what becomes of a request, before its answer goes out.
    async fn tell(&self, head: &Head, asked: &Asked<'_>, out: &Out) {
        let notice = Notice::Answered {
            client: self.client,
            method: String::from_utf8_lossy(head.method().unwrap_or_default()).into_owned(),
            path: asked.path.clone(),
            packet: asked.request.packet.map(Packet::name),
            status: (!out.hang_up).then_some(out.status),
            from: out.from,
            unmatched: out.unmatched.clone(),
        };
        self.say(&notice).await;
    }

    /// Tells a person, and whoever else wants to know.
    async fn say(&self, notice: &Notice) {
        let news = notice
            .made_up()
            .is_none_or(|kind| self.shared.is_news(kind));
        if let Some(text) = notice.sentence().filter(|_| news) {
            self.tap.note(text, Fact::Other).await;
        }
        self.shared.notice(notice);
    }
}

impl Work {
    async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if self.takes {
            let bytes = bytes.get(..left).unwrap_or(bytes);
            self.upload.take(self.at, bytes).await?;
        }
        self.at = self.at.saturating_add(bytes.len() as u64);
        Ok(())
    }
}
