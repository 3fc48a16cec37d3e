//! The five packets of an upload and what each does to its session.
//!
//! ```text
//! Create-Session -> receiving -(last Fragment)-> application asked -> complete -(Close-Session)-> in its place
//!                   receiving -(Cancel-Session)-> gone      complete -(Cancel-Session)-> in its place, reply gone
//! ```
//!
//! Where the texts differ: a Fragment that overlaps is taken for its new part (Win32 "Fragment"; MC-BUP §3.2.5.2.6
//! would say 416). A Fragment cut off keeps the bytes that came, since they are contiguous; the server may hold a
//! part of it (MC-BUP §2.2.6). Close-Session before the end deletes the upload (Win32 "Close-Session"), but without any
//! Fragment it is the end of an empty file: no text defines that one, a Content-Range cannot express it, and
//! MC-BUP §3.2.5.1.2 moves what is there. Cancel-Session after the last Fragment leaves the file
//! (Win32 "Cancel-Session").

use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::answer::{Ack, Outcome, created};
use super::responder::{Moment, Move};
use super::session::Session;
use super::store::Held;
use super::{Notice, Shared, reply};
use crate::bits::header::UPLOAD_PROTOCOL;
use crate::bits::{ContentRange, Packet};
use crate::peer::field;
use crate::peer::place::{self, Misplaced};

/// How long the content of a Fragment may stand still; as long as a client waits for an answer (MC-BUP §3.1.2.2).
const STALL: Duration = Duration::from_mins(5);
/// How much of the content of a refused Fragment is read so that the client comes to read the refusal: the
/// largest Fragment of Windows (MC-BUP <10>) and some. A client with more than that loses the connection.
const DRAIN: u64 = 16 * 1024 * 1024;
/// The longest value of a field. MC-BUP <2>
const MAX_VALUE: usize = 4096;
/// How many protocols of a list are looked at. MC-BUP <6>
const MAX_PROTOCOLS: usize = 100;

/// Answers one `BITS_POST`.
pub(super) async fn answer(shared: Arc<Shared>, request: Parts, mut body: Incoming) -> Outcome {
    let outcome = match read(&request) {
        Ok(packet) => perform(&shared, packet, &request, &mut body).await,
        Err(ack) => Outcome::Ack(ack),
    };
    match outcome {
        Outcome::Ack(ack) if ack.is_error() && !drain(&mut body).await => Outcome::Ack(ack.close()),
        other => other,
    }
}

/// Reads what every packet must have. MC-BUP §2.2.1, §3.2.5.2.3
fn read(request: &Parts) -> Result<Packet, Ack> {
    let fields = &request.headers;
    if request.version != http::Version::HTTP_11 {
        return Err(Ack::malformed().close());
    }
    if fields.contains_key(TRANSFER_ENCODING) || !fields.contains_key(CONTENT_LENGTH) {
        // MC-BUP §3.2.5.2.3; Windows says 400 here (MC-BUP <23>). Both are fatal to a client, 411 says more.
        return Err(Ack::refuse(StatusCode::LENGTH_REQUIRED, field::INVALID_ARGUMENT).close());
    }
    let packet = field::text(fields, &field::PACKET_TYPE).and_then(packet);
    match packet {
        Some(packet) if is_sound(fields) => Ok(packet),
        _ => Err(Ack::malformed()),
    }
}

/// Compares without regard to case: MC-BUP §2.2 prints CREATE-SESSION, Windows sends Create-Session.
fn packet(value: &str) -> Option<Packet> {
    [
        Packet::Ping,
        Packet::CreateSession,
        Packet::Fragment,
        Packet::CloseSession,
        Packet::CancelSession,
    ]
    .into_iter()
    .find(|packet| value.eq_ignore_ascii_case(packet.name()))
}

/// Tells whether no field is too long (MC-BUP <2>) and none that we act on says two things.
fn is_sound(fields: &HeaderMap) -> bool {
    let short = fields.values().all(|value| value.len() <= MAX_VALUE);
    let one = |name| {
        let mut values = fields.get_all(name).iter();
        let first = values.next();
        values.all(|value| Some(value) == first)
    };
    short
        && one(field::PACKET_TYPE)
        && one(field::SESSION_ID)
        && one(field::SUPPORTED_PROTOCOLS)
        && one(CONTENT_RANGE)
}

async fn perform(
    shared: &Arc<Shared>,
    packet: Packet,
    request: &Parts,
    body: &mut Incoming,
) -> Outcome {
    if packet != Packet::Fragment && length(request) != Some(0) {
        return Outcome::Ack(Ack::malformed());
    }
    match packet {
        Packet::Ping => without_session(shared, packet, request, Ack::ok).await,
        Packet::CreateSession => {
            without_session(shared, packet, request, || create(shared, request)).await
        }
        _ => {
            let id = field::text(&request.headers, &field::SESSION_ID);
            let Some(id) = id.filter(|id| !id.is_empty()) else {
                return Outcome::Ack(Ack::malformed());
            };
            let Some((held, turn)) = shared.store.take(id).await else {
                return Outcome::Ack(Ack::unknown_session());
            };
            with_session(shared, packet, request, body, (held, turn)).await
        }
    }
}

/// Asks the responder, then does a packet that has no session.
async fn without_session(
    shared: &Shared,
    packet: Packet,
    request: &Parts,
    usual: impl FnOnce() -> Ack,
) -> Outcome {
    let moment = Moment {
        path: request.uri.path(),
        packet,
        fragment: 0,
        range: None,
        received: 0,
    };
    match shared.respond(&moment) {
        Move::LoseAck => {
            usual();
            Outcome::Hangup
        }
        Move::Refuse { status, code } => Outcome::Ack(refusal(status, code)),
        Move::Forget => Outcome::Ack(Ack::unknown_session()),
        Move::Delay(time) => {
            tokio::time::sleep(time).await;
            Outcome::Ack(usual())
        }
        Move::Usual | Move::Rewind { .. } => Outcome::Ack(usual()),
    }
}

fn refusal(status: u16, code: Option<u32>) -> Ack {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match code {
        Some(code) => Ack::refuse(status, code),
        None => Ack::status(status),
    }
}

/// Create-Session. MC-BUP §3.2.5.2.4
fn create(shared: &Shared, request: &Parts) -> Ack {
    let offered = field::text(&request.headers, &field::SUPPORTED_PROTOCOLS).unwrap_or_default();
    let known = offered
        .split([' ', ',', '\t'])
        .filter(|guid| !guid.is_empty())
        .take(MAX_PROTOCOLS)
        .any(|guid| guid.eq_ignore_ascii_case(UPLOAD_PROTOCOL));
    if !known {
        return Ack::malformed();
    }
    let segments = match place::segments(request.uri.path()) {
        Ok(segments) => segments,
        Err(Misplaced::Invalid) => return Ack::malformed(),
        Err(Misplaced::Forbidden) => return denied(),
    };
    let Ok(target) = place::locate(&shared.root, &segments) else {
        return denied();
    };
    if target.is_dir() {
        return Ack::malformed();
    }
    let below_a_file = target
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(&shared.root))
        .any(std::path::Path::is_file);
    if below_a_file || (target.exists() && !shared.config.overwrite) {
        // 409 in Win32 "Ack for Create-Session", 403 in MC-BUP §2.2.1.2; the latter has a code.
        return denied();
    }
    let url = request.uri.path_and_query().map_or("/", |url| url.as_str());
    let id = match shared.store.create(url, segments) {
        Ok(id) => id,
        Err(error) => return Ack::trouble(&error),
    };
    shared.notice(&Notice::Created {
        url: url.to_owned(),
        session: id.clone(),
    });
    let mut ack = created(&id);
    if let Some(host) = &shared.config.host_id {
        ack = ack.with(field::HOST_ID, &host.name);
        if let Some(timeout) = host.fallback {
            ack = ack.with(
                field::HOST_ID_FALLBACK_TIMEOUT,
                timeout.as_secs().to_string(),
            );
        }
    }
    ack
}

fn denied() -> Ack {
    Ack::refuse(StatusCode::FORBIDDEN, field::ACCESS_DENIED)
}

/// Asks the responder, then does a packet of the session in hand.
async fn with_session(
    shared: &Arc<Shared>,
    packet: Packet,
    request: &Parts,
    body: &mut Incoming,
    (mut held, turn): (Held, CancellationToken),
) -> Outcome {
    let Some(session) = held.as_mut() else {
        return Outcome::Ack(Ack::unknown_session());
    };
    let mut range = None;
    if packet == Packet::Fragment {
        range = match announced(request) {
            Some(range) => Some(range),
            None => return Outcome::Ack(Ack::malformed()),
        };
        session.fragments = session.fragments.saturating_add(1);
    }
    let moment = Moment {
        path: request.uri.path(),
        packet,
        fragment: session.fragments * u32::from(packet == Packet::Fragment),
        range,
        received: session.state.received,
    };
    let next = shared.respond(&moment);
    match next {
        Move::Forget => {
            return Outcome::Ack(match shared.store.remove(&mut held) {
                Ok(()) => Ack::unknown_session(),
                Err(error) => Ack::trouble(&error),
            });
        }
        Move::Rewind { to } => {
            return Outcome::Ack(match session.rewind(to) {
                Ok(()) => wanted(session, StatusCode::RANGE_NOT_SATISFIABLE),
                Err(error) => Ack::trouble(&error),
            });
        }
        Move::Refuse { status, code } => return Outcome::Ack(refusal(status, code)),
        Move::Delay(time) => tokio::time::sleep(time).await,
        Move::Usual | Move::LoseAck => {}
    }
    let outcome = match (packet, range) {
        (Packet::Fragment, Some(range)) => fragment(shared, held, &turn, range, body).await,
        (Packet::CancelSession, _) => Outcome::Ack(end(shared, held, true).await),
        _ => Outcome::Ack(end(shared, held, false).await),
    };
    if next == Move::LoseAck {
        return Outcome::Hangup;
    }
    outcome
}

/// Returns the range that a Fragment announces, if its head is sound. MC-BUP §2.2.6
fn announced(request: &Parts) -> Option<ContentRange> {
    let range = field::content_range(field::text(&request.headers, &CONTENT_RANGE)?)?;
    range.total?;
    let encoding = field::text(&request.headers, &CONTENT_ENCODING).unwrap_or("identity");
    // Only identity was offered. Win32 "Fragment"
    let fits = range.last.checked_sub(range.first)?.checked_add(1)? == length(request)?
        && encoding.eq_ignore_ascii_case("identity");
    fits.then_some(range)
}

fn length(request: &Parts) -> Option<u64> {
    field::number(&request.headers, &CONTENT_LENGTH)
}

/// The Ack that tells the next offset wanted. MC-BUP §2.2.7.2
fn wanted(session: &Session, status: StatusCode) -> Ack {
    Ack::status(status)
        .with(
            field::RECEIVED_CONTENT_RANGE,
            session.state.received.to_string(),
        )
        .with(field::SESSION_ID, &session.id)
}

/// Fragment. MC-BUP §3.2.5.2.6, Win32 "Fragment"
async fn fragment(
    shared: &Arc<Shared>,
    mut held: Held,
    turn: &CancellationToken,
    range: ContentRange,
    body: &mut Incoming,
) -> Outcome {
    let (Some(session), Some(total)) = (held.as_mut(), range.total) else {
        return Outcome::Ack(Ack::unknown_session());
    };
    if session.state.total.is_some_and(|known| known != total) {
        return Outcome::Ack(Ack::malformed().with(field::SESSION_ID, &session.id));
    }
    if shared.config.max_size.is_some_and(|limit| total > limit) {
        let ack = Ack::refuse(StatusCode::INTERNAL_SERVER_ERROR, field::TOO_LARGE);
        return Outcome::Ack(ack.with(field::SESSION_ID, &session.id));
    }
    if range.first > session.state.received {
        return Outcome::Ack(wanted(session, StatusCode::RANGE_NOT_SATISFIABLE));
    }
    let length = range.last - range.first + 1;
    let known = (session.state.received - range.first).min(length);
    let taken = take(session, body, turn, known).await;
    let (bytes, ended) = match taken {
        Ok(taken) => taken,
        Err(error) => {
            return Outcome::Ack(Ack::trouble(&error).with(field::SESSION_ID, &session.id));
        }
    };
    if bytes > 0
        && let Err(error) = session.advance(bytes, total)
    {
        return Outcome::Ack(Ack::trouble(&error).with(field::SESSION_ID, &session.id));
    }
    if !ended {
        return Outcome::Hangup;
    }
    if session.state.is_complete() {
        return Outcome::Ack(complete(shared, held).await);
    }
    Outcome::Ack(wanted(session, StatusCode::OK))
}

/// Writes the content beyond its first `known` bytes to the session's data and syncs it.
///
/// Returns how many bytes were written, and whether the content came to its end. It does not when the
/// connection breaks, when it stalls, or when the client comes back on another connection.
async fn take(
    session: &Session,
    body: &mut Incoming,
    turn: &CancellationToken,
    known: u64,
) -> io::Result<(u64, bool)> {
    let mut file = tokio::fs::OpenOptions::new()
        .write(true)
        .open(session.data())
        .await?;
    file.seek(SeekFrom::Start(session.state.received)).await?;
    let mut skip = known;
    let mut bytes = 0_u64;
    let ended = loop {
        let frame = tokio::select! {
            frame = tokio::time::timeout(STALL, body.frame()) => frame,
            () = turn.cancelled() => break false,
        };
        let data: Bytes = match frame {
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(None) => break true,
            Ok(Some(Err(_))) | Err(_) => break false,
        };
        let old = usize::try_from(skip).unwrap_or(usize::MAX).min(data.len());
        skip -= old as u64;
        let new = data.slice(old..);
        file.write_all(&new).await?;
        bytes += new.len() as u64;
    };
    file.flush().await?;
    file.sync_data().await?;
    Ok((bytes, ended))
}

/// All bytes are here: makes the reply if one is due and answers the last Fragment, or its repetition.
///
/// MC-BUP §3.2.5.1.3
async fn complete(shared: &Shared, mut held: Held) -> Ack {
    let Some(session) = held.as_mut() else {
        return Ack::unknown_session();
    };
    if !session.state.replied {
        shared.notice(&Notice::Received {
            url: session.state.url.clone(),
            bytes: session.state.received,
        });
        match reply::make(shared, session).await {
            Ok(false) => return wanted(session, StatusCode::OK),
            Ok(true) => {
                session.state.replied = true;
                if let Err(error) = session.save() {
                    return Ack::trouble(&error).with(field::SESSION_ID, &session.id);
                }
            }
            Err(failure) => {
                shared.notice(&Notice::ApplicationFailed {
                    url: session.state.url.clone(),
                    reason: failure.reason,
                });
                return Ack::application(failure.status, failure.code)
                    .with(
                        field::RECEIVED_CONTENT_RANGE,
                        session.state.received.to_string(),
                    )
                    .with(field::SESSION_ID, &session.id);
            }
        }
    }
    wanted(session, StatusCode::OK).with(field::REPLY_URL, reply::url(&session.id))
}

/// Close-Session and Cancel-Session. MC-BUP §3.2.5.2.7, §3.2.5.2.8
async fn end(shared: &Arc<Shared>, held: Held, cancel: bool) -> Ack {
    let shared = Arc::clone(shared);
    // Not to be cut in two when the client hangs up, and no work for a thread that serves others.
    tokio::task::spawn_blocking(move || end_now(&shared, held, cancel))
        .await
        .unwrap_or_else(|_| Ack::trouble(&io::ErrorKind::Other.into()))
}

fn end_now(shared: &Shared, mut held: Held, cancel: bool) -> Ack {
    let Some(session) = held.as_ref() else {
        return Ack::unknown_session();
    };
    let (id, url) = (session.id.clone(), session.state.url.clone());
    let empty = session.state.total.is_none() && !cancel;
    let mut news = Notice::Dropped { url: url.clone() };
    if session.state.is_complete() || empty {
        let bytes = session.state.received;
        match session.publish(&shared.root, shared.config.overwrite) {
            Ok(file) => news = Notice::Stored { url, file, bytes },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The uploaded data is gone. MC-BUP §3.2.5.2.7
                return Ack::status(StatusCode::NOT_FOUND).with(field::SESSION_ID, id);
            }
            Err(error) => return Ack::trouble(&error).with(field::SESSION_ID, id),
        }
    }
    let removed = shared.store.remove(&mut held);
    shared.notice(&news);
    match removed {
        Ok(()) => Ack::ok().with(field::SESSION_ID, id),
        Err(error) => Ack::trouble(&error).with(field::SESSION_ID, id),
    }
}

/// Reads and forgets the rest of the content; `false` where it does not end within limits.
pub(super) async fn drain(body: &mut Incoming) -> bool {
    let mut read = 0_u64;
    loop {
        match tokio::time::timeout(STALL, body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) if read <= DRAIN => {
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            _ => return false,
        }
    }
}
