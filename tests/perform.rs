//! Each thing that a rule can do to a message, as both ends of a connection see it, and what is told of it.

#[path = "perform/answers.rs"]
mod answers;
#[path = "perform/ends.rs"]
mod ends;
#[path = "perform/held.rs"]
mod held;
#[path = "perform/live.rs"]
mod live;
#[path = "perform/off.rs"]
mod off;
#[path = "perform/paces.rs"]
mod paces;
#[path = "perform/places.rs"]
mod places;
#[path = "support/relay.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::sync::Arc;
use std::time::Duration;

use bitstap::event::{Fact, What};
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Moment, Place, Stage, Step, Verdict};
use bitstap::relay::Board;
use support::{Set, Told};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::time::timeout;

const PING: &[u8] =
    b"BITS_POST /up/f HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n";
const ACK: &[u8] = b"HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";
const FRAGMENT: &[u8] =
    b"BITS_POST /up/f HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nContent-Length: 10\r\n\r\n";
const LOST: &[u8] = b"HTTP/1.1 500 Lost\r\nContent-Length: 2\r\n\r\nno";

fn steps(steps: Vec<(Place, Deed)>) -> Verdict {
    let step = |(place, deed)| Step {
        rule: "r".into(),
        place,
        deed,
    };
    Verdict {
        steps: steps.into_iter().map(step).collect(),
        receipts: Vec::new(),
    }
}

fn set(decide: impl FnMut(&Moment<'_>) -> Verdict + Send + 'static) -> Set {
    with(Arc::new(Board::new(decide)))
}

fn with(board: Arc<Board>) -> Set {
    let mut set = Set::default();
    set.config.both_legs = false;
    set.config.rules = Some(board);
    set
}

/// Does something to the message of one stage of the first exchange.
fn first(stage: Stage, deeds: Vec<(Place, Deed)>) -> Set {
    set(on_first(stage, deeds))
}

fn on_first(
    stage: Stage,
    deeds: Vec<(Place, Deed)>,
) -> impl FnMut(&Moment<'_>) -> Verdict + Send + 'static {
    move |moment| {
        if moment.stage == stage && moment.exchange == Some(0) {
            steps(deeds.clone())
        } else {
            Verdict::default()
        }
    }
}

/// Checks that nothing comes for an hour.
async fn silent(stream: &mut DuplexStream) {
    let mut one = [0];
    let read = timeout(Duration::from_hours(1), stream.read(&mut one)).await;
    assert!(read.is_err(), "{read:?} {one:?}");
}

fn notes(told: &Told) -> Vec<String> {
    let notes = told.0.iter().filter_map(|event| match &event.what {
        What::Note(note) => Some(note.text.clone()),
        _ => None,
    });
    notes.collect()
}

fn answered(told: &Told) -> Vec<u16> {
    let facts = told.facts().into_iter();
    facts
        .filter_map(|fact| match fact {
            Fact::Answered { status, .. } => Some(*status),
            _ => None,
        })
        .collect()
}
