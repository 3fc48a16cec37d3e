//! Where a request goes: to the server that a field led its client to, that it names itself, that a route says, or
//! to the upstream; and what has to change in it on the way. A request that goes nowhere is answered.
//!
//! Looks only; `steer.rs` carries out.

use bytes::Bytes;

use super::flow::Flow;
use super::steer::Steered;
use crate::bits::packet::Packet;
use crate::relay::credentials::Credentials;
use crate::relay::dial::Dial;
use crate::relay::rewrite::{self, Form, HostField, Leaks, Manner};
use crate::relay::routes::Wanted;
use crate::relay::stream::Stream;
use crate::relay::{Upstream, answer, destination, forward, tap};
use crate::wire::Head;

impl<F: Stream, C: Stream, D: Dial> Flow<'_, F, C, D> {
    /// Says where a request goes, and what has to change in it on the way.
    pub(super) fn steer_request(&self, head: &Head) -> Steered {
        let (config, approach) = (&self.link.state.config, &self.link.desk.approach);
        let is_forward = destination::is_forward(config, approach, head);
        if let Some(refusal) = self.refuse(head, is_forward) {
            return Steered {
                refusal: Some(refusal),
                ..Steered::default()
            };
        }
        if config.forward.is_some()
            && approach.tunnel.is_none()
            && head.method() == Some(b"CONNECT")
        {
            return Steered {
                connects: true,
                ..Steered::default()
            };
        }
        // A client of a forward proxy follows every field by itself, through the proxy.
        let led = self.led(head).filter(|_| !is_forward);
        let to = match led.map_or_else(|| destination::of(config, approach, head), Ok) {
            Ok(to) => to,
            Err(nowhere) => {
                let head_only = head.method() == Some(b"HEAD");
                return Steered {
                    refusal: Some(forward::lost(config, &nowhere, head_only)),
                    ..Steered::default()
                };
            }
        };
        let steering = self.steering();
        let leaks = steering.map_or(Leaks::Pass, |steering| steering.leaks);
        // In a tunnel of the proxy behind nobody but the server listens.
        let tunnelled = to.tls || self.link.desk.target.is_some();
        let via = config.via.as_ref().filter(|_| !tunnelled);
        let credentials = via
            .and_then(|via| via.credentials.as_ref())
            .map(Credentials::basic);
        let guarded = (config.forward.as_ref()).is_some_and(|it| it.credentials.is_some());
        let manner = Manner {
            form: match via {
                Some(_) => Form::Absolute,
                None if is_forward || leaks == Leaks::Rewrite => Form::Origin,
                None => Form::AsSent,
            },
            host: steering.map_or(&HostField::Keep, |steering| &steering.host),
            // Where nobody has to log in here, a client's credentials are for the proxy behind.
            ends_here: is_forward && approach.tunnel.is_none() && (via.is_none() || guarded),
            credentials: credentials.as_deref(),
        };
        Steered {
            misplaced: self.is_misplaced(&to),
            changes: rewrite::request(head, &manner, &to),
            target: Some(to).filter(|to| config.upstream.as_ref() != Some(to)),
            ..Steered::default()
        }
    }

    /// Returns the server that a rewritten field led the client to.
    fn led(&self, head: &Head) -> Option<Upstream> {
        let steering = self.steering().filter(|steering| steering.remembers())?;
        let request = self.read(head);
        let wanted = Wanted {
            client: self.link.desk.client.address.ip(),
            session: request.session.as_deref(),
            path: &request.path,
            is_ping: request.packet == Some(Packet::Ping),
        };
        steering.find(wanted, tap::now())
    }

    /// Says why a forward proxy does not take a request, if it does not.
    fn refuse(&self, head: &Head, is_forward: bool) -> Option<(Bytes, String)> {
        let forward = self.link.state.config.forward.as_ref()?;
        let approach = &self.link.desk.approach;
        if approach.tunnel.is_some() {
            return None;
        }
        if is_forward && !forward.admits(head) {
            let answer = answer::unadmitted(head.method() == Some(b"HEAD"));
            return Some((answer, "the client may not use the proxy".to_owned()));
        }
        if head.method() == Some(b"CONNECT") && approach.secure {
            let text = "a tunnel is not opened inside of TLS with the proxy";
            let answer = answer::refusal(501, "Not Implemented", &format!("{text}."), false);
            return Some((answer, text.to_owned()));
        }
        None
    }
}
