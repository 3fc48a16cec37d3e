//! Plays a group of recorded requests one after another: connections as recorded, each wait bounded, trouble
//! met as the Windows client meets it.
//!
//! Here are the packets without content; `fragment` and `fetch` have the others.

use std::collections::{BTreeMap, HashMap};

use super::Stage;
use super::call::Call;
use super::compare::{Difference, Ends, answers};
use super::link::Link;
use super::live::{Live, told};
use super::report::{Report, StepReport};
use super::script::{Group, Kind, Step};
use crate::bits::Packet;
use crate::bits::session::State;
use crate::event::ConnId;
use crate::peer::Result;
use crate::peer::recording::{Recorded, Said};

/// How often a session that the live server forgot is begun anew.
const MAX_RESTARTS: u32 = 3;

/// Plays one group.
pub(super) struct Player<'p> {
    pub(super) stage: &'p Stage<'p>,
    group: &'p Group,
    /// Live connections by the recorded ones that they stand for, with the authority that each leads to.
    pub(super) links: HashMap<ConnId, (String, Link)>,
    lives: BTreeMap<u32, Live<'p>>,
    pub(super) requests: u64,
    pub(super) connections: u64,
    /// The server has answered something.
    pub(super) answered: bool,
}

/// One recorded request while it is played.
pub(super) struct Turn<'p> {
    pub(super) step: &'p Step,
    /// Live requests so far.
    pub(super) requests: u32,
    /// Attempts that came to nothing.
    pub(super) tries: u32,
    /// The last answer.
    pub(super) said: Option<Said>,
    pub(super) sent: bool,
    pub(super) notes: Vec<String>,
    pub(super) differences: Vec<Difference>,
    pub(super) ends: Ends,
}

impl<'p> Player<'p> {
    pub(super) fn new(stage: &'p Stage<'p>, group: &'p Group) -> Self {
        let mut lives = BTreeMap::new();
        for step in &group.steps {
            if let Some(row) = stage.recording.session(step.session) {
                lives
                    .entry(step.session)
                    .or_insert_with(|| Live::new(stage.recording, row, &group.steps, &stage.home));
            }
        }
        Self {
            stage,
            group,
            links: HashMap::new(),
            lives,
            requests: 0,
            connections: 0,
            answered: false,
        }
    }

    /// Plays all requests of the group.
    pub(super) async fn play(&mut self) -> Result<()> {
        let group = self.group;
        let mut last_use = HashMap::new();
        for (at, step) in group.steps.iter().enumerate() {
            last_use.insert(step.conn, at);
        }
        for (at, step) in group.steps.iter().enumerate() {
            let pause = self.stage.config.speed.pause(step.pause);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let Some(mut live) = self.lives.remove(&step.session) else {
                continue;
            };
            let played = self.step(&mut live, step).await;
            live.advance(step);
            self.lives.insert(step.session, live);
            played?;
            self.stage.config.progress.step();
            if last_use.get(&step.conn) == Some(&at) {
                self.links.remove(&step.conn);
            }
        }
        Ok(())
    }

    /// Adds what was found.
    pub(super) fn report(self, report: &mut Report) {
        let resliced = self.stage.config.fragment_size.is_some();
        for live in self.lives.into_values() {
            let steps = self.group.steps.iter();
            let fragments: Vec<(u64, &Recorded)> = steps
                .filter(|step| step.session == live.row.no && step.packet == Packet::Fragment)
                .filter_map(|step| Some((step.request.range?.last + 1, &step.recorded)))
                .collect();
            let other_sizes = resliced && !live.stale;
            let report_of = live.into_report(other_sizes.then_some(fragments.as_slice()));
            report.sessions.push(report_of);
        }
        report.requests = report.requests.saturating_add(self.requests);
        report.connections = report.connections.saturating_add(self.connections);
    }

    async fn step(&mut self, live: &mut Live<'p>, step: &'p Step) -> Result<()> {
        let mut turn = Turn {
            step,
            requests: 0,
            tries: 0,
            said: None,
            sent: false,
            notes: Vec::new(),
            differences: Vec::new(),
            ends: Ends::default(),
        };
        let played = if live.over.is_some() {
            turn.notes
                .push("not sent: the session has ended".to_owned());
            Ok(())
        } else {
            match step.packet {
                Packet::CreateSession => self.create(live, &mut turn).await,
                Packet::Fragment => self.fragment(live, &mut turn).await,
                Packet::Head | Packet::Get => self.fetch(live, &mut turn).await,
                _ => self.plain(live, &mut turn).await,
            }
        };
        live.steps.push(turn.into_report());
        played
    }

    /// Plays a Create-Session.
    async fn create(&mut self, live: &mut Live<'p>, turn: &mut Turn<'p>) -> Result<()> {
        let healthy = live.id.is_some() && !matches!(live.state, State::Lost | State::Failed);
        if healthy && live.recorded_lost && !live.state.is_final() {
            turn.notes.push(
                "not sent: the live server still has the session that the recorded one had lost"
                    .to_owned(),
            );
            return Ok(());
        }
        let call = Call::of(turn.step);
        self.persist(live, turn, call).await?;
        if let Some(said) = turn.said.clone() {
            self.created(live, &said, &mut turn.notes);
        }
        Ok(())
    }

    /// Takes over what the answer to a Create-Session says.
    fn created(&self, live: &mut Live<'_>, said: &Said, notes: &mut Vec<String>) {
        if Kind::of(said.status, said.ack.error) != Kind::Done {
            return;
        }
        (live.told, live.ceiling, live.reply, live.close_sent) = (0, u64::MAX, None, false);
        live.id.clone_from(&said.ack.session_id);
        if live.id.is_none() {
            live.over = Some("the answer to Create-Session names no session".to_owned());
        }
        live.url = self.stage.home.clone();
        if let Some(host) = &said.ack.host_id {
            match live.url.with_host(host) {
                Some(url) => live.url = url,
                None => notes.push(format!("BITS-Host-Id {host:?} is no host: left alone")),
            }
        }
    }

    /// Makes sure that there is a live session to name; `false` where there cannot be one.
    pub(super) async fn ensure(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
    ) -> Result<bool> {
        if live.id.is_some() || live.stale {
            return Ok(true);
        }
        if live.lacks_create {
            turn.notes.push(
                "the capture begins after Create-Session: one was made of this request".to_owned(),
            );
            live.lacks_create = false;
            return self.recreate(live, turn).await;
        }
        turn.notes
            .push("not sent: there is no live session".to_owned());
        Ok(false)
    }

    /// Creates a session that the script does not have at this place; `false` where the server does not.
    async fn recreate(&mut self, live: &mut Live<'p>, turn: &mut Turn<'p>) -> Result<bool> {
        let Some(from) = live.spare(Packet::CreateSession) else {
            return Ok(false);
        };
        let mut call = Call::of(from);
        call.packet = Some(Packet::CreateSession);
        let heard = self.ask(live, turn, call, &mut |_| ()).await?;
        if let Some(said) = heard.said() {
            self.created(live, &said, &mut turn.notes);
            live.answered(Packet::CreateSession, &said);
        }
        Ok(live.id.is_some())
    }

    /// Begins anew with a session that the live server does not know any more, though the recorded one did.
    ///
    /// MC-BUP §3.1.5.2.1
    pub(super) async fn restart(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
    ) -> Result<bool> {
        live.id = None;
        if live.restarts >= MAX_RESTARTS {
            live.over = Some("the live server forgets the session again and again".to_owned());
            return Ok(false);
        }
        live.restarts += 1;
        turn.notes
            .push("the live server forgot the session: all again from the start".to_owned());
        let made = self.recreate(live, turn).await?;
        if !made && live.over.is_none() {
            live.over = Some("no new session could be created".to_owned());
        }
        Ok(made)
    }

    /// Plays a Ping, a Close-Session or a Cancel-Session.
    async fn plain(&mut self, live: &mut Live<'p>, turn: &mut Turn<'p>) -> Result<()> {
        if turn.step.packet != Packet::Ping && !self.ensure(live, turn).await? {
            return Ok(());
        }
        self.persist(live, turn, Call::of(turn.step)).await
    }

    /// Sends a request without content, again after trouble that the recording did not have, and compares.
    pub(super) async fn persist(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
        call: Call<'_>,
    ) -> Result<()> {
        let packet = turn.step.packet;
        let recorded = Kind::recorded(&turn.step.recorded);
        let mut attempt = 0;
        loop {
            let heard = self.ask(live, turn, call.again(), &mut |_| ()).await?;
            let kind = heard.kind();
            turn.said = heard.said();
            if attempt == 0 {
                turn.compare();
            }
            let repeated = packet == Packet::CloseSession
                && std::mem::replace(&mut live.close_sent, packet == Packet::CloseSession);
            if let Some(said) = &turn.said {
                // The one before it arrived, and only its Ack was lost. Win32 "Ack for Close-Session"
                if repeated && kind == Kind::SessionNotFound {
                    turn.notes.push("the first one had arrived".to_owned());
                    live.state = State::Closed;
                    return Ok(());
                }
                live.answered(packet, said);
            }
            let as_recorded = recorded.is_none_or(|recorded| recorded == kind);
            let passing = matches!(kind, Kind::Transient | Kind::Nothing);
            if kind == Kind::Done || as_recorded || !passing {
                if kind != Kind::Done && !as_recorded && packet != Packet::Ping {
                    live.over = Some(format!("{} was not acknowledged", packet.name()));
                }
                return Ok(());
            }
            attempt += 1;
            if !self.wait(live, turn, attempt).await? {
                return Ok(());
            }
        }
    }

    /// Waits before the next attempt; `false` where it is time to give up.
    pub(super) async fn wait(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
        attempt: u32,
    ) -> Result<bool> {
        if attempt > self.stage.config.retries {
            live.over = Some(format!("{attempt} attempts in vain"));
            return Ok(false);
        }
        self.links.remove(&turn.step.conn);
        tokio::time::sleep(self.stage.config.retry_delay).await;
        // MC-BUP §2.2.4: a Ping goes first on a new connection.
        if turn.step.packet != Packet::Ping
            && let Some(from) = live.spare(Packet::Ping)
        {
            let mut ping = Call::of(from);
            ping.packet = Some(Packet::Ping);
            self.ask(live, turn, ping, &mut |_| ()).await?;
        }
        Ok(true)
    }
}

impl Turn<'_> {
    /// Compares the answer with the recorded one.
    pub(super) fn compare(&mut self) {
        let step = self.step;
        self.differences.extend(answers(
            step.packet,
            &step.recorded,
            self.said.as_ref(),
            self.ends,
        ));
    }

    fn into_report(self) -> StepReport {
        let recorded = match &self.step.recorded {
            Recorded::Answer(said) => Some(told(Some(said))),
            Recorded::Nothing => Some(told(None)),
            Recorded::Unknown => None,
        };
        StepReport {
            r#type: "replayed",
            exchange: self.step.no,
            session: self.step.session,
            packet: self.step.packet.name(),
            range: self
                .step
                .request
                .range
                .map(|range| [range.first, range.last]),
            recorded,
            live: self.sent.then(|| told(self.said.as_ref())),
            requests: self.requests,
            differences: self.differences,
            notes: self.notes,
        }
    }
}
