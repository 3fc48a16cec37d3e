//! One request of a replay on its way: the connection that stands for the recorded one, the head, the answer.
//!
//! Dials where there is no connection, follows a Host-Id and comes back from it. What an answer means is for
//! others.

use super::compare::Difference;
use super::link::{Body, Heard, Link, dial};
use super::live::{Live, Wish};
use super::play::{Player, Turn};
use super::script::{Kind, Step, bound_challenge};
use super::target;
use crate::bits::{ContentRange, Packet};
use crate::peer::client::url::Url;
use crate::peer::recording::{Recorded, Said};
use crate::peer::{Error, Result};

/// A request to send.
pub(super) struct Call<'c> {
    /// Made from this recorded one.
    pub(super) from: &'c Step,
    /// The packet, where it is another one.
    pub(super) packet: Option<Packet>,
    /// Where it goes, if not to the session's URL.
    pub(super) to: Option<(Url, Vec<u8>)>,
    pub(super) range: Option<ContentRange>,
    pub(super) body: Option<Body<'c>>,
}

impl<'p> Player<'p> {
    /// Sends one request on the connection that stands for the recorded one, and hears its answer.
    pub(super) async fn ask(
        &mut self,
        live: &mut Live<'p>,
        turn: &mut Turn<'p>,
        call: Call<'_>,
        content: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Heard> {
        let config = self.stage.config;
        let packet = call.packet.unwrap_or(call.from.packet);
        let (url, target) = call
            .to
            .clone()
            .unwrap_or_else(|| (live.url.clone(), self.target(call.from)));
        let head = live.head(
            call.from,
            &Wish {
                packet: Some(packet),
                target,
                url: &url,
                range: call.range,
                length: call.body.map_or(0, |body| body.len),
                authorization: self.stage.authorization.as_deref(),
                without_auth: config.choice.without_auth,
            },
        );
        let mut first = true;
        loop {
            if !self.reach(live, turn, &url).await? {
                return Ok(Heard::silence("the server cannot be reached"));
            }
            let Some((_, link)) = self.links.get_mut(&turn.step.conn) else {
                return Ok(Heard::silence("there is no connection"));
            };
            turn.requests += 1;
            turn.sent = true;
            self.requests += 1;
            let heard = link.ask(&head, call.body, content).await;
            if let Some(head) = &heard.head {
                self.answered = true;
                if matches!(head.status(), Some(401 | 407))
                    && let Some(scheme) = bound_challenge(head)
                    && Kind::recorded(&turn.step.recorded) != Some(Kind::Authenticate)
                {
                    return Err(Error::BoundAuthentication {
                        scheme,
                        by: format!("the server {}", url.authority()),
                    });
                }
            } else if let Some(why) = &heard.trouble {
                turn.notes.push(format!("no answer: {why}"));
            }
            // A kept connection may end just as it is used again. RFC 9112 §9.3.1
            let again = std::mem::take(&mut first)
                && heard.stale
                && packet != Packet::CreateSession
                && turn.step.recorded != Recorded::Nothing;
            if again && packet == Packet::Fragment {
                live.odd.push(Kind::Nothing);
            }
            if !again {
                return Ok(heard);
            }
            self.reconnected(turn);
        }
    }

    /// Takes note that the live server ended a connection that the recorded one kept.
    fn reconnected(&self, turn: &mut Turn<'_>) {
        let what = "connection";
        let how = "ended by the server";
        if self.stage.config.fragment_size.is_some() {
            // With other Fragments it is another request that meets the end.
            turn.notes.push(format!("the connection was {how}"));
        } else if !turn.differences.iter().any(|known| known.what == what) {
            turn.differences.push(Difference::new(what, "kept", how));
        }
    }

    /// Makes sure of a connection to the host of `url`; `false` where there is none to be had.
    async fn reach(&mut self, live: &mut Live<'p>, turn: &mut Turn<'p>, url: &Url) -> Result<bool> {
        let key = turn.step.conn;
        let authority = url.authority();
        if let Some((known, link)) = self.links.get_mut(&key)
            && *known == authority
        {
            if link.is_ready().await {
                return Ok(true);
            }
            self.reconnected(turn);
        }
        let mut dialled = self.dial(url).await;
        let mut authority = authority;
        if dialled.is_err() && !url.same_host(&self.stage.home) {
            // MC-BUP §3.1.6.3; Windows waits for the fallback timeout first.
            turn.notes.push(format!(
                "{authority} (BITS-Host-Id) cannot be reached: back to {}",
                self.stage.home.authority()
            ));
            live.url = self.stage.home.clone();
            authority = url.authority();
            dialled = self.dial(&self.stage.home).await;
        }
        match dialled {
            Ok(link) => {
                self.connections += 1;
                self.links.insert(key, (authority, link));
                Ok(true)
            }
            Err(error) if !self.answered => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Writes the head of a recorded Fragment.
    pub(super) fn literal_head(
        &self,
        live: &Live<'p>,
        step: &Step,
        range: ContentRange,
    ) -> Vec<u8> {
        let wish = Wish {
            packet: None,
            target: self.target(step),
            url: &live.url,
            range: Some(range),
            length: range.last.saturating_sub(range.first).saturating_add(1),
            authorization: self.stage.authorization.as_deref(),
            without_auth: self.stage.config.choice.without_auth,
        };
        live.head(step, &wish)
    }

    /// Takes the connection of this turn away from the player.
    pub(super) fn take_link(&mut self, turn: &Turn<'_>) -> Option<Link> {
        self.links.remove(&turn.step.conn).map(|(_, link)| link)
    }

    /// Opens the connection of this turn if need be.
    pub(super) async fn open(&mut self, live: &mut Live<'p>, turn: &mut Turn<'p>) -> Result<bool> {
        let url = live.url.clone();
        self.reach(live, turn, &url).await
    }

    /// Returns the target of a recorded request, behind the path of the live URL.
    pub(super) fn target(&self, step: &Step) -> Vec<u8> {
        target(&self.stage.home, &step.head)
    }

    /// Dials the host of `url`, or whoever stands before it.
    async fn dial(&self, url: &Url) -> Result<Link> {
        let config = self.stage.config;
        let via = config.via.filter(|_| url.same_host(&self.stage.home));
        dial(url, self.stage.connector.as_ref(), config.timers, via).await
    }
}

impl<'c> Call<'c> {
    /// The recorded request as it was.
    pub(super) fn of(step: &'c Step) -> Self {
        Self {
            from: step,
            packet: None,
            to: None,
            range: None,
            body: None,
        }
    }

    /// The same once more.
    pub(super) fn again(&self) -> Self {
        Self {
            from: self.from,
            packet: self.packet,
            to: self.to.clone(),
            range: self.range,
            body: self.body,
        }
    }
}

impl Heard {
    fn silence(why: &str) -> Self {
        Self {
            head: None,
            whole: false,
            trouble: Some(why.to_owned()),
            stale: false,
        }
    }

    /// Returns what the answer says, if it is whole.
    pub(super) fn said(&self) -> Option<Said> {
        self.head.as_ref().filter(|_| self.whole).map(Said::of)
    }

    pub(super) fn kind(&self) -> Kind {
        self.said()
            .map_or(Kind::Nothing, |said| Kind::of(said.status, said.ack.error))
    }
}
