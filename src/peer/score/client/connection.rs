//! One connection of the misbehaving server: requests are read by our own decoder, content goes to a file, answers go
//! out byte for byte.

use std::io::{self, SeekFrom};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Shared;
use super::plan::Deed;
use super::trial::{Open, Work};
use crate::bits::packet::read_request;
use crate::wire::{Decoder, Framing, Head, Item, Malformed, Stream};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// The same where it is read slowly, and how long between two reads; so many reads are slow.
const SIP: usize = 512;
const SIP_PAUSE: Duration = Duration::from_millis(25);
const SIPS: u32 = 40;
/// A request that stands still for so long ends its connection.
const STALL: Duration = Duration::from_mins(5);
/// To a request that belongs to no experiment.
const NOWHERE: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// To bytes that are not HTTP.
const MALFORMED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A request under way.
struct Busy {
    /// Number of its experiment.
    trial: usize,
    open: Open,
    file: Option<File>,
    host: String,
    /// The client asked for the connection to end.
    last: bool,
}

/// Answers requests until either side ends the connection.
pub(super) async fn speak(shared: Arc<Shared>, mut stream: TcpStream, conn: u64) -> io::Result<()> {
    let mut busy = None;
    let spoken = converse(&shared, &mut stream, conn, &mut busy).await;
    if let Some(busy) = busy.take() {
        shared.with(busy.trial, |trial| trial.broken(&busy.open));
    }
    spoken
}

async fn converse(
    shared: &Shared,
    stream: &mut TcpStream,
    conn: u64,
    busy: &mut Option<Busy>,
) -> io::Result<()> {
    let mut decoder = Decoder::new(Stream::Requests);
    let mut buffer = BytesMut::with_capacity(CHUNK);
    let mut items = Vec::new();
    let mut sips = 0;
    loop {
        let base = decoder.offset();
        buffer.clear();
        let slow = sips < SIPS
            && busy
                .as_ref()
                .is_some_and(|busy| busy.open.deed == Deed::Slow);
        let most = if slow { SIP } else { CHUNK };
        if slow {
            sips += 1;
            tokio::time::sleep(SIP_PAUSE).await;
        }
        let mut limited = (&mut *stream).take(most as u64);
        let read = limited.read_buf(&mut buffer);
        let len = match busy {
            // Between requests a client may wait as long as it likes.
            None => read.await?,
            Some(_) => match tokio::time::timeout(STALL, read).await {
                Ok(len) => len?,
                Err(_) => return Ok(()),
            },
        };
        if len == 0 {
            return Ok(());
        }
        decoder.feed(&buffer, &mut items);
        for item in items.drain(..) {
            match item {
                Item::Head { head, framing } => {
                    *busy = begin(shared, stream, conn, (&head, framing)).await?;
                    if busy.is_none() {
                        return stream.write_all(NOWHERE).await;
                    }
                }
                Item::Data { offset, len } => {
                    let Some(busy) = busy.as_mut() else { continue };
                    let from = usize::try_from(offset.saturating_sub(base)).unwrap_or(0);
                    let end = from.saturating_add(usize::try_from(len).unwrap_or(0));
                    busy.take(buffer.get(from..end).unwrap_or_default()).await?;
                    if busy.is_cut() {
                        return Ok(());
                    }
                }
                Item::End { .. } => {
                    let Some(mut done) = busy.take() else {
                        continue;
                    };
                    done.flush().await?;
                    let answer =
                        shared.with(done.trial, |trial| trial.answer(&done.open, &done.host));
                    let Some(answer) = answer else { return Ok(()) };
                    stream.write_all(&answer.bytes).await?;
                    if answer.last || done.last {
                        return Ok(());
                    }
                }
                Item::Malformed { what, .. } if what != Malformed::FieldLine => {
                    return stream.write_all(MALFORMED).await;
                }
                _ => {}
            }
        }
    }
}

/// Takes a head; `None` where it belongs to no experiment.
async fn begin(
    shared: &Shared,
    stream: &mut TcpStream,
    conn: u64,
    (head, framing): (&Head, Framing),
) -> io::Result<Option<Busy>> {
    let request = read_request(head);
    let target = String::from_utf8_lossy(head.target().unwrap_or_default()).into_owned();
    let Some(number) = shared.find(&target).filter(|_| request.upload) else {
        return Ok(None);
    };
    let says = |name: &str, what: &[u8]| {
        head.value(name)
            .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(what))
    };
    if framing != Framing::None && says("expect", b"100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let Some(open) = shared.with(number, |trial| trial.open(conn, &request)) else {
        return Ok(None);
    };
    let mut file = None;
    if let Some(work) = &open.work {
        let mut options = OpenOptions::new();
        let mut opened = options.read(true).write(true).open(&work.path).await?;
        opened.seek(SeekFrom::Start(work.at)).await?;
        file = Some(opened);
    }
    let host = request.host.as_deref().unwrap_or_default();
    Ok(Some(Busy {
        trial: number,
        open,
        file,
        host: other_name(host),
        last: says("connection", b"close"),
    }))
}

/// Returns the host without its port.
pub(super) fn bare(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// Returns another name of the same host where there surely is one, else the same, without the port.
pub(super) fn other_name(host: &str) -> String {
    match bare(host) {
        "127.0.0.1" => "localhost".to_owned(),
        "localhost" => "127.0.0.1".to_owned(),
        name => name.to_owned(),
    }
}

impl Busy {
    /// Takes bytes of a Fragment: known ones are compared, new ones are kept.
    async fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (Some(file), Some(work)) = (&mut self.file, &mut self.open.work) else {
            return Ok(());
        };
        let left = usize::try_from(work.end.saturating_sub(work.at)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..left).unwrap_or(bytes);
        let old = usize::try_from(work.known.saturating_sub(work.at)).unwrap_or(usize::MAX);
        let (old, new) = bytes.split_at(old.min(bytes.len()));
        if !old.is_empty() {
            let mut before = vec![0; old.len()];
            // A file with a hole that was told and never sent may end before.
            match file.read_exact(&mut before).await {
                Ok(_) => work.differs |= before != old,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
            work.pass(old.len());
            file.seek(SeekFrom::Start(work.at)).await?;
        }
        if !new.is_empty() {
            file.write_all(new).await?;
            work.pass(new.len());
        }
        Ok(())
    }

    /// Tells whether the connection is to end here.
    fn is_cut(&self) -> bool {
        let full = |work: &Work| work.at >= work.end;
        matches!(self.open.deed, Deed::Cut { .. }) && self.open.work.as_ref().is_none_or(full)
    }

    async fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.flush().await,
            None => Ok(()),
        }
    }
}

impl Work {
    fn pass(&mut self, len: usize) {
        self.at = self.at.saturating_add(len as u64);
    }
}

impl Shared {
    /// Returns the experiment whose name the path begins with.
    fn find(&self, target: &str) -> Option<usize> {
        let path = match target.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => target.trim_start_matches('/'),
        };
        let name = path.split(['/', '?']).next()?;
        self.names.iter().position(|known| *known == name)
    }

    /// Works on one experiment, and wakes who waits for it.
    fn with<T>(
        &self,
        number: usize,
        work: impl FnOnce(&mut super::trial::Trial) -> T,
    ) -> Option<T> {
        let trial = self.trials.get(number)?;
        let done = work(&mut trial.lock().unwrap_or_else(PoisonError::into_inner));
        self.heard.notify_one();
        Some(done)
    }
}
