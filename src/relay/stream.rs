//! The two kinds of stream that the relay copies between: TCP sockets and anything that reads and writes.
//!
//! Everything is polled through `&self`, because both directions of a connection use the same stream
//! at the same time from one task. Knows no events and no HTTP.

use std::future::{Future, pending};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BufMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// One end of a connection, polled by both directions at once.
pub trait Stream: Send + Sync {
    /// Waits until [`Self::poll_read`] has something to say; may report that too early.
    fn poll_readable(&self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Reads at most one free chunk of `buffer`; 0 means that the peer ended the stream.
    fn poll_read<B: BufMut + Send>(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut B,
    ) -> Poll<io::Result<usize>>;

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends our half: FIN after everything that was written.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Makes dropping the stream abort the connection (RST) instead of ending it.
    fn reset(&self);

    /// Waits until the peer has aborted the connection, without reading. Never completes where that
    /// cannot be known.
    fn broken(&self) -> impl Future<Output = ()> + Send {
        pending()
    }

    /// Waits until the peer has ended or aborted the connection, without reading, where that can be known.
    fn gone(&self) -> impl Future<Output = ()> + Send {
        self.broken()
    }
}

/// How often a socket that holds unread bytes is asked whether its peer has gone.
const LOOK: Duration = Duration::from_millis(250);

/// Whether a read or write that moved less than it could have proves that the socket is drained: so it
/// is where readiness is edge-triggered, and the next system call can be spared.
const EDGE_TRIGGERED: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "freebsd"
));

/// Runs `attempt`, which moves up to `room` bytes, and forgets the socket's readiness when it moved less.
fn try_part(
    socket: &TcpStream,
    interest: Interest,
    room: usize,
    attempt: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut moved = None;
    let tried = socket.try_io(interest, || {
        let count = attempt()?;
        moved = Some(count);
        if EDGE_TRIGGERED && 0 < count && count < room {
            // Tells the runtime that the readiness seen before the attempt is used up.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    match (moved, tried) {
        (Some(count), _) => Ok(count),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Stream for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_read_ready(cx).map(|_| ())
    }

    fn poll_read<B: BufMut + Send>(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut B,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            let room = buffer.chunk_mut().len();
            match try_part(self, Interest::READABLE, room, || self.try_read_buf(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            match try_part(self, Interest::WRITABLE, bytes.len(), || {
                self.try_write(bytes)
            }) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn poll_flush(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(self).shutdown(Shutdown::Write))
    }

    fn reset(&self) {
        // Fails only on a socket that is already gone.
        let _ = self.set_zero_linger();
    }

    async fn broken(&self) {
        if self.ready(Interest::ERROR).await.is_err() {
            pending::<()>().await;
        }
    }

    async fn gone(&self) {
        // Unread bytes keep a socket ready: its state changes, but nothing wakes for it.
        let look = async {
            loop {
                match self.ready(Interest::READABLE | Interest::ERROR).await {
                    Ok(ready) if ready.is_read_closed() || ready.is_error() => return,
                    Ok(_) => tokio::time::sleep(LOOK).await,
                    Err(_) => pending::<()>().await,
                }
            }
        };
        look.await;
    }
}

/// Says how a stream behind a lock is aborted.
pub trait Reset {
    /// Makes dropping the stream abort the connection where the transport can do that.
    fn reset(&mut self);
}

impl Reset for TlsStream<Wire> {
    fn reset(&mut self) {
        self.get_ref().0.reset();
    }
}

impl Reset for DuplexStream {
    fn reset(&mut self) {}
}

/// Any stream that reads and writes, shared by both directions of a connection.
#[derive(Debug)]
pub struct Locked<S>(Mutex<S>);

impl<S> Locked<S> {
    /// Wraps `stream`.
    pub fn new(stream: S) -> Self {
        Self(Mutex::new(stream))
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Reset + Unpin + Send> Stream for Locked<S> {
    fn poll_read<B: BufMut + Send>(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut B,
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.lock();
        match ready!(pin!(stream.read_buf(buffer)).poll(cx)) {
            // A TLS peer that ends the stream without close_notify, as IIS often does, has ended it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            other => Poll::Ready(other),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(cx, bytes)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(cx)
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx)
    }

    fn reset(&self) {
        self.lock().reset();
    }
}

/// A TCP socket with TLS above it: reset and watched past TLS, while TLS reads and writes it.
#[derive(Clone, Debug)]
pub struct Wire(Arc<TcpStream>);

impl Wire {
    /// Wraps `socket`; all clones are the same socket.
    pub fn new(socket: TcpStream) -> Self {
        Self(Arc::new(socket))
    }

    /// Makes closing the socket abort the connection (RST) instead of ending it.
    pub fn reset(&self) {
        Stream::reset(&*self.0);
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Stream::poll_read(&*self.0, cx, buffer).map_ok(|_| ())
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Stream::poll_write(&*self.0, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(parts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_flush(&*self.0, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_shutdown(&*self.0, cx)
    }
}

/// TLS that is up, and the socket below it.
#[derive(Debug)]
pub struct Tls {
    inside: Locked<TlsStream<Wire>>,
    wire: Wire,
}

/// A connection to one of the two ends, plain or inside TLS.
#[derive(Debug)]
pub enum Socket {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

impl Socket {
    /// Takes a stream whose handshake is done.
    pub(super) fn tls(stream: TlsStream<Wire>) -> Self {
        let wire = stream.get_ref().0.clone();
        Self::Tls(Box::new(Tls {
            inside: Locked::new(stream),
            wire,
        }))
    }
}

impl Stream for Socket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(stream) => stream.poll_readable(cx),
            Self::Tls(stream) => stream.inside.poll_readable(cx),
        }
    }

    fn poll_read<B: BufMut + Send>(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut B,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Stream::poll_read(stream, cx, buffer),
            Self::Tls(stream) => stream.inside.poll_read(cx, buffer),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Stream::poll_write(stream, cx, bytes),
            Self::Tls(stream) => stream.inside.poll_write(cx, bytes),
        }
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Stream::poll_flush(stream, cx),
            Self::Tls(stream) => stream.inside.poll_flush(cx),
        }
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Stream::poll_shutdown(stream, cx),
            Self::Tls(stream) => stream.inside.poll_shutdown(cx),
        }
    }

    fn reset(&self) {
        match self {
            Self::Plain(stream) => Stream::reset(stream),
            Self::Tls(stream) => stream.wire.reset(),
        }
    }

    async fn broken(&self) {
        match self {
            Self::Plain(stream) => stream.broken().await,
            Self::Tls(stream) => stream.wire.0.broken().await,
        }
    }

    async fn gone(&self) {
        match self {
            Self::Plain(stream) => stream.gone().await,
            Self::Tls(stream) => stream.wire.0.gone().await,
        }
    }
}
