//! Both legs of a proxy in a conversation, and rules that fire between them.

use bitstap::event::{Direction, Fact, Leg, RuleFact, What};

use crate::dialogue::{Dialogue, Step};

impl Dialogue {
    /// Says a step on both legs of a proxy, where the server's answer is that of `upstream`.
    pub(crate) fn relayed(self, step: &Step, upstream: &Step) -> Self {
        self.relayed_when(step, upstream, |talk| talk)
    }

    /// The same, and `meanwhile` before the client gets its answer.
    pub(crate) fn relayed_when(
        mut self,
        step: &Step,
        upstream: &Step,
        meanwhile: impl FnOnce(Self) -> Self,
    ) -> Self {
        let data = |direction, text: String| {
            let bytes = text.into_bytes().into();
            What::Data { direction, bytes }
        };
        self.talk
            .bytes(Direction::ToServer, step.request().as_bytes())
            .push(Leg::Upstream, data(Direction::ToServer, upstream.request()))
            .push(
                Leg::Upstream,
                data(Direction::ToClient, upstream.response()),
            );
        let mut talk = meanwhile(self);
        talk.talk
            .bytes(Direction::ToClient, step.response().as_bytes());
        talk
    }

    /// The proxy dials the server.
    pub(crate) fn dialled(mut self) -> Self {
        let client = "10.0.0.9:4000".parse().unwrap();
        let server = "10.0.0.80:80".parse().unwrap();
        self.talk
            .push(Leg::Upstream, What::Opening { client, server })
            .push(Leg::Upstream, What::Opened);
        self
    }

    /// A rule fires on the request number `exchange` of the connection, from 0.
    pub(crate) fn rule_fires(mut self, exchange: u64) -> Self {
        let fact = RuleFact {
            rule: "lie".to_owned(),
            stage: "response.head".to_owned(),
            key: "session".to_owned(),
            ordinal: 1,
            actions: vec!["set".to_owned()],
            reason: String::new(),
            exchange: Some(exchange),
        };
        let fact = Fact::Rule(Box::new(fact));
        self.talk.note("Rule lie fired.", fact);
        self
    }
}
