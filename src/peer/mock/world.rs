//! What the mock knows while it runs: sessions, which recorded upload each follows, and what each packet does.
//!
//! Answers are chosen here and written elsewhere; bytes of Fragments are streamed into an [`Upload`] by whoever
//! holds it. Sessions that have ended are remembered for a while, since clients repeat their last packet.
//!
//! MC-BUP §3.2

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use tokio::sync::Mutex as Turn;

use super::answer::{Out, Values};
use super::identity;
use super::notice::Notice;
use super::tales::{Act, Repertoire, Row, What, folder, path};
use super::upload::{Plan, Upload};
use crate::bits::hresult::BG_E_SESSION_NOT_FOUND;
use crate::bits::{Packet, Request};
use crate::peer::field;
use crate::peer::recording::Recording;
use crate::peer::server::answer::{Ack, created};

/// So many sessions are held; beyond, those that ended first are forgotten, then the oldest.
const MAX_SESSIONS: usize = 65_536;
/// So many counters of packets without a session are held.
const MAX_COUNTERS: usize = 65_536;

/// One live request, read.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request,
    /// Path and query, percent-encoding undone.
    pub(super) path: String,
    /// The Host field.
    pub(super) host: &'a str,
    /// It came inside TLS.
    pub(super) tls: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn new(target: &str, request: &'a Request, own: &'a str, tls: bool) -> Self {
        Self {
            path: path(target),
            host: request.host.as_deref().unwrap_or(own),
            tls,
            request,
        }
    }
}

/// An upload that somebody may be working on.
pub(super) type Held = Arc<Turn<Upload>>;

/// Everything that connections share.
pub(super) struct World {
    pub(super) recording: Arc<Recording>,
    pub(super) repertoire: Repertoire,
    /// Where files are kept.
    pub(super) folder: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    sessions: HashMap<String, Held>,
    /// Keys of `sessions`, the oldest first.
    order: VecDeque<String>,
    /// How often each recorded place was used.
    counts: HashMap<(Packet, String), usize>,
    /// By path: tale and act of uploads that lost their session and will begin anew.
    pub(super) orphans: HashMap<String, VecDeque<(usize, usize)>>,
}

impl World {
    pub(super) fn new(recording: Arc<Recording>, folder: Option<PathBuf>) -> Self {
        Self {
            repertoire: Repertoire::of(&recording),
            recording,
            folder,
            state: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts how often something came, from 0.
    pub(super) fn count(&self, packet: Packet, key: &str) -> usize {
        let mut state = self.state();
        if state.counts.len() >= MAX_COUNTERS {
            state.counts.clear();
        }
        let count = state.counts.entry((packet, key.to_owned())).or_default();
        let now = *count;
        *count = now.saturating_add(1);
        now
    }

    /// Returns the live session of this id.
    pub(super) fn find(&self, id: &str) -> Option<Held> {
        self.state().sessions.get(&id.to_ascii_lowercase()).cloned()
    }

    /// Returns the act that an upload follows.
    pub(super) fn act(&self, upload: &Upload) -> Option<&Act> {
        self.repertoire
            .tales
            .get(upload.tale?)?
            .acts
            .get(upload.act)
    }

    /// Answers a Ping.
    pub(super) async fn ping(&self, asked: &Asked<'_>) -> Out {
        let here = self
            .repertoire
            .answers(Packet::Ping)
            .filter(|row| row.path == asked.path);
        let here: Vec<&Row> = here.collect();
        let row = if here.is_empty() {
            self.repertoire
                .answers(Packet::Ping)
                .find(|row| is_done(row))
        } else {
            let count = self.count(Packet::Ping, &asked.path);
            here.get(count % here.len()).copied()
        };
        match row {
            Some(row) => self.answer(
                row,
                &Values {
                    host: asked.host,
                    tls: asked.tls,
                    ..Values::default()
                },
            ),
            None => Out::reference(Ack::ok()).await,
        }
    }

    /// Create-Session: makes a session, or refuses one as was recorded.
    pub(super) async fn create(&self, asked: &Asked<'_>) -> io::Result<Out> {
        let cast = self.cast(&asked.path);
        let act = cast.and_then(|(tale, act)| self.repertoire.tales.get(tale)?.acts.get(act));
        let row = act.and_then(|act| act.create.as_ref());
        let mut values = Values {
            host: asked.host,
            tls: asked.tls,
            ..Values::default()
        };
        if let (Some(row), Some(cast)) = (row, cast)
            && !is_done(row)
        {
            self.orphan(&asked.path, cast);
            return Ok(self.answer(row, &values));
        }
        let row = row.or_else(|| self.usual(Packet::CreateSession, |_| true));
        let model = row
            .and_then(|row| row.answer.as_ref()?.said.ack.session_id.clone())
            .unwrap_or_else(|| "{00000000-0000-4000-8000-00000000000A}".to_owned());
        let held = |id: &str| self.state().sessions.contains_key(&id.to_ascii_lowercase());
        let id = identity::like(&model, held)?;
        let (tale, number) = cast.map_or((None, 0), |(tale, act)| (Some(tale), act));
        let mut upload = Upload::new(id.clone(), asked.path.clone(), tale, number);
        upload.begin(act, self.folder.as_deref())?;
        self.hold(&id, upload);
        values.id = Some(&id);
        Ok(match row {
            Some(row) => self.answer(row, &values),
            None => Out::reference(created(&id)).await,
        })
    }

    fn hold(&self, id: &str, upload: Upload) {
        let key = id.to_ascii_lowercase();
        let mut state = self.state();
        state
            .sessions
            .insert(key.clone(), Arc::new(Turn::new(upload)));
        state.order.push_back(key);
        while state.order.len() > MAX_SESSIONS {
            let ended = state.order.iter().position(|key| {
                state
                    .sessions
                    .get(key)
                    .is_some_and(|held| held.try_lock().is_ok_and(|upload| upload.ended))
            });
            if let Some(key) = state.order.remove(ended.unwrap_or(0)) {
                state.sessions.remove(&key);
            }
        }
    }

    /// Forgets a session as the recorded server did; the next one for its path goes on with the tale.
    fn forget(&self, upload: &Upload) {
        let key = upload.id.to_ascii_lowercase();
        {
            let mut state = self.state();
            state.sessions.remove(&key);
            state.order.retain(|known| *known != key);
        }
        if let Some(tale) = upload.tale {
            self.orphan(&upload.path, (tale, upload.act));
        }
    }

    fn orphan(&self, path: &str, (tale, act): (usize, usize)) {
        let acts = self
            .repertoire
            .tales
            .get(tale)
            .map_or(0, |tale| tale.acts.len());
        let next = act.saturating_add(1);
        if next < acts {
            let mut state = self.state();
            if state.orphans.len() >= MAX_COUNTERS {
                state.orphans.clear();
            }
            let waiting = state.orphans.entry(path.to_owned()).or_default();
            if waiting.len() < MAX_SESSIONS {
                waiting.push_back((tale, next));
            }
        }
    }

    /// Answers a packet of a session that is not there.
    pub(super) async fn unknown(&self, asked: &Asked<'_>) -> Out {
        let rows = self
            .repertoire
            .tales
            .iter()
            .flat_map(|tale| tale.acts.iter().flat_map(|act| act.rows.iter()));
        let row = rows.into_iter().find(|row| {
            row.answer
                .as_ref()
                .is_some_and(|answer| answer.said.ack.error == Some(BG_E_SESSION_NOT_FOUND))
        });
        match row {
            Some(row) => {
                let values = Values {
                    host: asked.host,
                    tls: asked.tls,
                    id: asked.request.session_id.as_deref(),
                    ..Values::default()
                };
                self.answer(row, &values)
            }
            None => Out::reference(Ack::unknown_session()).await,
        }
    }

    /// Answers a Fragment whose content has been taken as `plan` has it; `end` is the byte after its last.
    pub(super) async fn fragment(&self, upload: &mut Upload, asked: &Asked<'_>, plan: Plan) -> Out {
        let act = self.act(upload);
        let mut status = StatusCode::OK;
        let row = match plan {
            Plan::Take => {
                let complete = upload.is_complete();
                let last = |row: &Row| row.range.zip(row.total).is_some_and(|(r, t)| r.1 >= t);
                let wanted = |row: &Row| is_done(row) && row.packet == Packet::Fragment;
                let mine = act.and_then(|act| {
                    // The one that ended here, else one of the same place in the file.
                    let here = act.rows.iter().find(|row| {
                        wanted(row) && row.range.is_some_and(|range| range.1 == upload.received)
                    });
                    here.or_else(|| act.rows.iter().find(|r| wanted(r) && last(r) == complete))
                        .or_else(|| act.rows.iter().find(|row| wanted(row)))
                });
                mine.or_else(|| self.usual(Packet::Fragment, |row| last(row) == complete))
                    .or_else(|| self.usual(Packet::Fragment, |_| true))
            }
            Plan::Ahead | Plan::TooLarge => {
                status = if plan == Plan::Ahead {
                    StatusCode::RANGE_NOT_SATISFIABLE
                } else {
                    StatusCode::PAYLOAD_TOO_LARGE
                };
                let wanted = |row: &&Row| {
                    let answer = row.answer.as_ref();
                    answer.is_some_and(|answer| answer.said.status == status.as_u16())
                };
                act.and_then(|act| act.rows.iter().find(wanted))
                    .or_else(|| self.repertoire.answers(Packet::Fragment).find(wanted))
            }
            Plan::Trick(index, what) => {
                let row = act.and_then(|act| act.rows.get(act.tricks.get(index)?.row));
                match what {
                    What::Rewind { to } => upload.rewind(to),
                    What::Forget => self.forget(upload),
                    _ => {}
                }
                row
            }
        };
        let values = Values {
            id: Some(&upload.id),
            received: Some(upload.received),
            host: asked.host,
            tls: asked.tls,
            reply: row.and_then(|row| reply_elsewhere(row, &upload.path)),
            ..Values::default()
        };
        if let Some(row) = row {
            return self.answer(row, &values);
        }
        let ack = Ack::status(status)
            .with(field::RECEIVED_CONTENT_RANGE, upload.received.to_string())
            .with(field::SESSION_ID, &upload.id);
        Out::reference(ack).await
    }

    /// Close-Session and Cancel-Session.
    pub(super) async fn end(
        &self,
        upload: &mut Upload,
        asked: &Asked<'_>,
        packet: Packet,
    ) -> io::Result<(Out, Option<Notice>)> {
        self.recast(upload, packet, None);
        let act = self.act(upload);
        let mut rows: Vec<&Row> = Vec::new();
        if let Some(act) = act {
            rows.extend(act.rows.iter().filter(|row| row.packet == packet));
        }
        let turn = upload.endings;
        upload.endings = turn.saturating_add(1);
        let recorded = rows.get(turn.min(rows.len().saturating_sub(1))).copied();
        if upload.ended && (recorded.is_none() || turn >= rows.len()) {
            return Ok((self.unknown(asked).await, None));
        }
        let row = recorded.or_else(|| self.usual(packet, |_| true));
        let values = Values {
            id: Some(&upload.id),
            received: Some(upload.received),
            host: asked.host,
            tls: asked.tls,
            ..Values::default()
        };
        let refused = row.is_some_and(|row| {
            let answer = row.answer.as_ref();
            answer.is_some_and(|answer| !(200..300).contains(&answer.said.status))
        });
        let out = if let Some(row) = row {
            self.answer(row, &values)
        } else {
            Out::reference(Ack::ok().with(field::SESSION_ID, &upload.id)).await
        };
        if refused || upload.ended {
            return Ok((out, None));
        }
        upload.ended = true;
        let cancelled = packet == Packet::CancelSession;
        let file = match &self.folder {
            Some(folder) if !cancelled => upload.publish(folder)?,
            _ => None,
        };
        let ended = Notice::Ended {
            path: upload.path.clone(),
            bytes: upload.received,
            sha256: upload.sha256(),
            file,
            complete: upload.is_complete() || upload.total.is_none(),
            cancelled,
        };
        Ok((out, Some(ended)))
    }

    /// Returns a recorded success for a kind of packet, of whatever upload.
    fn usual(&self, packet: Packet, wanted: impl Fn(&Row) -> bool) -> Option<&Row> {
        self.repertoire
            .answers(packet)
            .find(|row| is_done(row) && wanted(row))
    }

    /// Answers as a recorded server did.
    fn answer(&self, row: &Row, values: &Values<'_>) -> Out {
        match &row.answer {
            Some(answer) => Out::recorded(row, answer, values, &self.recording),
            None => Out::hang_up(row),
        }
    }
}

/// Returns the reply URL for an upload to `path`, where the recorded one is relative and of another directory.
fn reply_elsewhere(row: &Row, path: &str) -> Option<String> {
    let reply = row.answer.as_ref()?.said.ack.reply_url.as_ref()?;
    let reply = reply.replace('\\', "/");
    let relative = !reply.contains("://") && !reply.starts_with('/');
    (relative && folder(&row.path) != folder(path))
        .then(|| format!("{}/{reply}", folder(&row.path)))
}

/// Tells whether a request was granted.
pub(super) fn is_done(row: &Row) -> bool {
    let answer = row.answer.as_ref();
    answer.is_some_and(|answer| answer.whole && (200..300).contains(&answer.said.status))
}
