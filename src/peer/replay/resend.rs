//! One recorded request, sent once more as it was: byte for byte but for its host, and not as a part of a session
//! that is played.
//!
//! It names the session that was recorded, so it may move that session's state. Recovers from nothing.

use std::io::Write as _;
use std::time::Duration;

use super::compare::{Difference, Ends, answers};
use super::link::{Body, dial};
use super::live::told;
use super::report::{Pair, Told};
use super::script::check_bound;
use super::{Choice, ReplayConfig, Stage, target};
use crate::bits::header::{Name, identify};
use crate::bits::{Packet, Request};
use crate::peer::recording::edit::{Change, append, rewrite};
use crate::peer::recording::{Recorded, Recording};
use crate::peer::{Error, Result};
use crate::report::text::clean;
use crate::timeline::row::Message;
use crate::timeline::{Exchange, Outcome};
use crate::wire::Head;

/// What came of a request that was sent once more.
#[derive(Clone, Debug)]
pub struct Resent {
    /// Number of the recorded exchange.
    pub exchange: u32,
    /// The packet's name, else the method.
    pub what: String,
    /// Where it went.
    pub url: String,
    /// `recorded`: `None` where nobody can know. `live.status`: `None` where no whole answer came.
    pub told: Pair<Option<Told>>,
    pub differences: Vec<Difference>,
    pub notes: Vec<String>,
}

impl Resent {
    /// Returns the lines for people.
    pub fn text(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "exchange {} {} -> {}",
            self.exchange,
            clean(&self.what, 40),
            clean(&self.url, 200)
        )];
        let line = |name, told: Option<&Told>| format!("  {name:<9} {}", spell(told));
        lines.push(line("recorded", self.told.recorded.as_ref()));
        lines.push(line("live", self.told.live.as_ref()));
        lines.extend(self.differences.iter().map(|one| {
            let (recorded, live) = (clean(&one.recorded, 200), clean(&one.live, 200));
            format!("  differs  {}: recorded {recorded}, live {live}", one.what)
        }));
        lines.extend(self.notes.iter().map(|note| format!("  note  {note}")));
        lines
    }
}

fn spell(told: Option<&Told>) -> String {
    let Some(told) = told else {
        return "nobody can know how it was answered".to_owned();
    };
    let status = told.status.map(|status| status.to_string());
    let mut text = status.unwrap_or_else(|| "no whole answer".to_owned());
    if let Some(received) = told.received {
        text.push_str(&format!(", next byte {received}"));
    }
    if let Some(error) = &told.error {
        text.push_str(&format!(", {error}"));
    }
    text
}

/// Sends the request of exchange number `exchange` once more.
pub async fn resend(recording: &Recording, config: &ReplayConfig, exchange: u32) -> Result<Resent> {
    let sending = send(recording, config, exchange);
    let sent = config.stop.run_until_cancelled(sending).await;
    sent.unwrap_or(Err(Error::Cancelled))
}

async fn send(recording: &Recording, config: &ReplayConfig, exchange: u32) -> Result<Resent> {
    let stage = Stage::new(recording, config)?;
    let row = usize::try_from(exchange)
        .ok()
        .and_then(|no| recording.timeline.exchanges().get(no.checked_sub(1)?))
        .ok_or_else(|| Error::NothingToPlay {
            reason: format!("it has no exchange {exchange}"),
        })?;
    let (head, request) = readable(recording, row, &config.choice)?;
    let message = row.request.as_ref();
    let content = message
        .map(|message| spool(recording, row, message, &request))
        .transpose()?;
    let packet = row.packet.unwrap_or(Packet::Get);
    let bytes = bytes(&stage, &head);
    let body = content.as_ref().map(|(file, len)| Body {
        path: file.path(),
        first: 0,
        len: *len,
        pause: Duration::ZERO,
    });
    let mut link = dial(
        &stage.home,
        stage.connector.as_ref(),
        config.timers,
        config.via,
    )
    .await?;
    let recorded = recording.answer(row);
    let mut notes = Vec::new();
    let said = if row.outcome == Outcome::CutRequest {
        link.break_off(&bytes, body).await;
        notes.push(
            "broken off where the client had broken it off: nobody waits for an answer".to_owned(),
        );
        None
    } else {
        let mut content = |_: &[u8]| ();
        let heard = link.ask(&bytes, body, &mut content).await;
        notes.extend(heard.trouble.iter().map(|why| format!("no answer: {why}")));
        heard.said()
    };
    let end = request
        .range
        .map_or(0, |range| range.last.saturating_add(1));
    let ends = Ends {
        recorded: end,
        live: end,
    };
    let method = String::from_utf8_lossy(head.method().unwrap_or_default()).into_owned();
    Ok(Resent {
        exchange,
        what: row.packet.map_or(method, |packet| packet.name().to_owned()),
        url: format!(
            "{}://{}{}",
            if stage.home.tls { "https" } else { "http" },
            stage.home.authority(),
            String::from_utf8_lossy(&target(&stage.home, &head))
        ),
        told: Pair {
            recorded: match &recorded {
                Recorded::Answer(said) => Some(told(Some(said))),
                Recorded::Nothing => Some(told(None)),
                Recorded::Unknown => None,
            },
            live: Some(told(said.as_ref())),
        },
        differences: answers(packet, &recorded, said.as_ref(), ends),
        notes,
    })
}

/// Returns the head of a request that can be sent again.
fn readable(recording: &Recording, row: &Exchange, choice: &Choice) -> Result<(Head, Request)> {
    let cannot = |why: &str| Error::NothingToPlay {
        reason: format!("exchange {}: {why}", row.no),
    };
    if row.outcome == Outcome::Malformed {
        return Err(cannot("its request cannot be read as HTTP in one way only"));
    }
    let (head, request) = recording
        .request(row)
        .ok_or_else(|| cannot("the capture does not hold its head"))?;
    check_bound(&head, row.no, choice)?;
    Ok((head, request))
}

/// Writes the recorded head for the live server.
fn bytes(stage: &Stage<'_>, head: &Head) -> Vec<u8> {
    let authorization = stage.authorization.as_deref();
    let without = stage.config.choice.without_auth;
    let mut authorized = false;
    let change = |name: &[u8], _: &[u8]| {
        if name.eq_ignore_ascii_case(b"authorization") {
            authorized = true;
            return match authorization {
                Some(text) => Change::Value(text.as_bytes().to_vec()),
                None if without => Change::Drop,
                None => Change::Keep,
            };
        }
        match identify(name).map(|spelling| spelling.name) {
            Some(Name::Host) => Change::Value(stage.home.authority().into_bytes()),
            _ => Change::Keep,
        }
    };
    let first = rewrite(head, Some(&target(&stage.home, head)), change);
    match authorization.filter(|_| !authorized) {
        Some(text) => append(first, &[(b"Authorization", text.as_bytes())]),
        None => first,
    }
}

/// Copies the content of a request, with its chunk framing, into a file that goes away with the value; tells
/// how long it is.
fn spool(
    recording: &Recording,
    row: &Exchange,
    message: &Message,
    request: &Request,
) -> Result<(tempfile::NamedTempFile, u64)> {
    let failed = |source| Error::File {
        attempt: "write",
        path: std::env::temp_dir(),
        source,
    };
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    let mut at = 0;
    while let Some(bytes) = recording.wire(message, at) {
        file.write_all(&bytes).map_err(failed)?;
        at = at.saturating_add(bytes.len() as u64);
    }
    if at == message.body_wire {
        return Ok((file, at));
    }
    let session = row.session.and_then(|no| recording.session(no));
    Err(match (session, request.range) {
        (Some(session), Some(range)) => Error::ContentMissing {
            session: session.no,
            name: session.name.to_string(),
            first: range.first.saturating_add(at),
            last: range.last,
        },
        _ => Error::NothingToPlay {
            reason: format!(
                "exchange {}: the capture holds {at} of the {} bytes of its content",
                row.no, message.body_wire
            ),
        },
    })
}
