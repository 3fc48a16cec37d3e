//! What is told of each action gives the same timeline live and from a capture, and the right outcome.

use super::support::{Set, hear, rest, say};
use super::{ACK, FRAGMENT, LOST, first};
use bitstap::capture::{Options, Record, Writer, open};
use bitstap::event::{ConnId, Event, Leg, What};
use bitstap::fault::rule::Ends;
use bitstap::fault::verdict::Deed;
use bitstap::fault::{Place, Stage};
use bitstap::timeline::{Outcome, Timeline};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Plays one upload through a rule and returns what was told.
async fn played(set: Set) -> Vec<Event> {
    let mut play = set.start();
    let client = std::mem::replace(&mut play.client, tokio::io::duplex(1).0);
    let client = tokio::spawn(async move {
        let mut client = client;
        say(&mut client, &[FRAGMENT, b"0123456789"].concat()).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let _ = client.shutdown().await;
        let _ = rest(&mut client).await;
    });
    let mut servers = std::mem::replace(&mut play.servers, tokio::sync::mpsc::channel(1).1);
    let server = tokio::spawn(async move {
        let Some(mut server) = servers.recv().await else {
            return;
        };
        hear(&mut server, &FRAGMENT[..9]).await;
        let _ = server.write_all(ACK).await;
        let _ = rest(&mut server).await;
    });
    client.await.expect("the client");
    let told = play.over().await;
    let _ = server.await;
    // Whoever accepts a connection tells so.
    let [client, server] = [1, 8080].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let accepted = [What::Opening { client, server }, What::Opened].map(|what| Event {
        at: Duration::ZERO,
        conn: ConnId(1),
        leg: Leg::Client,
        what,
    });
    accepted.into_iter().chain(told.0).collect()
}

fn same(events: &[Event]) -> Timeline {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.pcapng");
    let mut writer = Writer::create(&path, Options::default()).unwrap();
    let mut live = Timeline::new();
    for event in events {
        let position = writer.write(event).unwrap();
        live.apply(event, position);
    }
    writer.flush().unwrap();
    live.finish();
    let mut recorded = Timeline::new();
    for record in open(&path).unwrap() {
        match record.unwrap() {
            Record::Event { event, position } => recorded.apply(&event, position),
            Record::Note(note) => panic!("a note about our own file: {note}"),
        }
    }
    recorded.finish();
    assert_eq!(live.exchanges(), recorded.exchanges());
    assert_eq!(live.sessions(), recorded.sessions());
    assert_eq!(live.connections(), recorded.connections());
    assert_eq!(live.remarks(), recorded.remarks());
    live
}

#[tokio::test(start_paused = true)]
async fn live_and_recorded_timelines_of_every_action_are_equal() {
    let answer = || Deed::Respond(Bytes::from_static(LOST));
    let head = Place::Head;
    for (stage, deeds, outcome) in [
        (
            Stage::RequestHead,
            vec![(head, answer())],
            Outcome::Injected,
        ),
        (
            Stage::ResponseHead,
            vec![(head, answer())],
            Outcome::Injected,
        ),
        (
            Stage::RequestHead,
            vec![(head, Deed::DropResponse)],
            Outcome::NoResponse,
        ),
        (
            Stage::ResponseHead,
            vec![
                (head, Deed::DropResponse),
                (head, Deed::Reset(Ends::Client)),
            ],
            Outcome::NoResponse,
        ),
        (
            Stage::RequestHead,
            vec![(Place::Body(3), Deed::Reset(Ends::Both))],
            Outcome::NoResponse,
        ),
        (
            Stage::RequestHead,
            vec![(head, Deed::Close(Ends::Client))],
            Outcome::NoResponse,
        ),
        (
            Stage::RequestHead,
            vec![(head, Deed::Hang(None))],
            Outcome::NoResponse,
        ),
        (
            Stage::RequestHead,
            vec![(head, Deed::Duplicate(1))],
            Outcome::Complete,
        ),
        (
            Stage::ResponseHead,
            vec![(head, Deed::Duplicate(1))],
            Outcome::Complete,
        ),
        (
            Stage::RequestHead,
            vec![(Place::Body(3), Deed::Truncate)],
            Outcome::Complete,
        ),
        (
            Stage::RequestHead,
            vec![
                (head, Deed::Delay(Duration::from_secs(3))),
                (Place::Body(1), Deed::Flip(vec![1])),
            ],
            Outcome::Complete,
        ),
        (
            Stage::RequestHead,
            vec![
                (head, Deed::Hold(Some(Duration::from_secs(3)))),
                (head, Deed::Note("hm".into())),
            ],
            Outcome::Complete,
        ),
    ] {
        let what = format!("{stage:?} {deeds:?}");
        let timeline = same(&played(first(stage, deeds)).await);
        let rows = timeline.exchanges();
        assert_eq!(rows.len(), 1, "{what}");
        assert_eq!(rows[0].outcome, outcome, "{what}");
    }
}
