//! Reports what passes on one connection of the mock as [`Event`]s, as the relay reports what it relays: for a
//! capture and a screen.
//!
//! There is one leg only, since nothing lies behind the mock. Knows neither captures nor screens.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::event::{Close, ConnId, Direction, Event, Fact, Leg, Note, What};

/// Takes an event once there is room for it; whether anybody is there to take it.
pub type OnEvent = Arc<dyn Fn(Event) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Where the events of a mock go.
#[derive(Clone)]
pub struct Events {
    /// Their times count from here.
    pub start: Instant,
    pub on_event: OnEvent,
}

/// Reports on one connection; says nothing where nobody listens.
#[derive(Clone)]
pub(super) struct Tap {
    pub(super) conn: ConnId,
    pub(super) events: Option<Events>,
}

impl Tap {
    /// Reports one thing as of now.
    async fn tell(&self, what: What) {
        let Some(events) = &self.events else { return };
        let event = Event {
            at: events.start.elapsed(),
            conn: self.conn,
            leg: Leg::Client,
            what,
        };
        // Answering goes on where nobody listens any more.
        let _ = (events.on_event)(event).await;
    }

    /// Reports that `client` has dialled and was accepted.
    pub(super) async fn opened(&self, client: SocketAddr, server: SocketAddr) {
        self.tell(What::Opening { client, server }).await;
        self.tell(What::Opened).await;
    }

    /// Reports bytes that have passed.
    pub(super) async fn data(&self, direction: Direction, bytes: &[u8]) {
        if self.events.is_some() && !bytes.is_empty() {
            let bytes = Bytes::copy_from_slice(bytes);
            self.tell(What::Data { direction, bytes }).await;
        }
    }

    /// Reports who ended the connection, and how.
    pub(super) async fn closed(&self, direction: Direction, how: Close) {
        self.tell(What::Closed { direction, how }).await;
    }

    /// Says something about the connection.
    pub(super) async fn note(&self, text: String, fact: Fact) {
        self.tell(What::Note(Note { text, fact })).await;
    }
}
