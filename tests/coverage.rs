//! Which bytes of a file passed: from exchanges made by hand, and on the screen.

#![expect(
    clippy::single_range_in_vec_init,
    reason = "a list of one run is what is meant"
)]

#[path = "support/screen/mod.rs"]
mod screen;

use bitstap::bits::{ContentRange, Packet};
use bitstap::timeline::coverage::Cell;
use bitstap::timeline::row::Message;
use bitstap::timeline::{Coverage, Exchange, SessionKind, SessionState, WireError};
use bitstap::tui::model::{Focus, View};
use bitstap::tui::update::Effect;
use insta::assert_snapshot;
use screen::Screen;
use screen::rows::{exchange, hostile, session, story};

/// A fragment of which `body` bytes passed.
fn fragment(no: u32, first: u64, last: u64, body: u64, answer: (u16, Option<u64>)) -> Exchange {
    let row = exchange(no, 1, Packet::Fragment, u64::from(no));
    let request = row.request.map(|mut request: Message| {
        (request.body, request.body_wire) = (body, body);
        request
    });
    Exchange {
        range: Some(ContentRange {
            first,
            last,
            total: Some(100),
        }),
        status: (answer.0 > 0).then_some(answer.0),
        received: answer.1.into(),
        request,
        ..row
    }
}

fn of(rows: &[Exchange]) -> Coverage {
    let mut session = session(1, "a.bin", SessionState::Uploading);
    session.total = Some(100);
    Coverage::of(&session, rows)
}

#[test]
fn a_fragment_that_got_no_answer_is_sent_and_missing() {
    let coverage = of(&[
        fragment(1, 0, 39, 40, (200, Some(40))),
        fragment(2, 40, 79, 25, (0, None)),
    ]);
    assert_eq!(coverage.acked(), [0..40]);
    assert_eq!(coverage.sent(), [0..65]);
    assert_eq!(coverage.missing(), [40..100]);
    assert!(coverage.resent().is_empty() && coverage.holes().is_empty());
    assert_eq!(coverage.cell(&(0..40)), Cell::Acked);
    assert_eq!(coverage.cell(&(30..50)), Cell::Sent);
    assert_eq!(coverage.cell(&(65..100)), Cell::NotYet);
}

#[test]
fn what_goes_twice_is_told_apart() {
    let coverage = of(&[
        fragment(1, 0, 49, 50, (0, None)),
        fragment(2, 20, 69, 50, (200, Some(70))),
    ]);
    assert_eq!(coverage.resent(), [20..50]);
    assert_eq!(coverage.acked(), [0..70]);
    assert_eq!(coverage.cell(&(10..30)), Cell::Resent);
    assert_eq!(coverage.cell(&(50..70)), Cell::Acked);
}

#[test]
fn a_rewind_takes_back_what_was_acknowledged() {
    let coverage = of(&[
        fragment(1, 0, 79, 80, (200, Some(80))),
        fragment(2, 80, 99, 20, (416, Some(30))),
    ]);
    assert_eq!(coverage.rewound(), [30..80]);
    assert_eq!(coverage.acked(), [0..30]);
    assert_eq!(coverage.missing(), [30..100]);
}

#[test]
fn a_lost_session_begins_anew() {
    let mut lost = fragment(2, 50, 99, 50, (500, None));
    lost.error = Some(WireError {
        code: 0x8020_001F,
        context: Some(5),
    });
    let rows = [
        fragment(1, 0, 49, 50, (200, Some(50))),
        lost,
        exchange(3, 1, Packet::CreateSession, 3),
        fragment(4, 0, 9, 10, (200, Some(10))),
    ];
    let coverage = of(&rows);
    assert_eq!(coverage.acked(), [0..10]);
    assert_eq!(coverage.resent(), [0..10]);
    assert_eq!(coverage.sent(), [0..100]);
}

#[test]
fn a_capture_that_began_late_has_a_hole() {
    let coverage = of(&[fragment(1, 60, 99, 40, (200, Some(100)))]);
    assert_eq!(coverage.holes(), [0..60]);
    assert!(coverage.missing().is_empty(), "the server has it all");
    assert_eq!(coverage.cell(&(50..70)), Cell::Hole);
}

#[test]
fn a_download_counts_what_arrived() {
    let mut session = session(1, "a.cab", SessionState::Uploading);
    session.kind = SessionKind::Download;
    session.total = Some(100);
    let rows: Vec<Exchange> = [(1, 0, 19, 20), (2, 50, 99, 30)]
        .into_iter()
        .map(|(no, first, last, body)| {
            let mut row = fragment(no, first, last, 0, (206, None));
            row.packet = Some(Packet::Get);
            if let Some(response) = &mut row.response {
                response.body = body;
            }
            row
        })
        .collect();
    let coverage = Coverage::of(&session, &rows);
    assert_eq!(coverage.acked(), [0..20, 50..80]);
    assert_eq!(coverage.missing(), [20..50, 80..100]);
    assert!(coverage.holes().is_empty(), "nobody asked for it");
    let cells = [0..20, 10..30, 30..50, 80..100].map(|part| coverage.cell(&part));
    assert_eq!(cells, [Cell::Acked, Cell::Sent, Cell::NotYet, Cell::NotYet]);
}

#[test]
fn what_arrived_of_a_reply_is_told_apart() {
    let mut get = fragment(2, 0, 29, 0, (206, None));
    get.packet = Some(Packet::Get);
    if let Some(response) = &mut get.response {
        response.body = 30;
    }
    let coverage = of(&[fragment(1, 0, 99, 100, (200, Some(100))), get]);
    assert_eq!(coverage.reply(), [0..30]);
    assert_eq!(
        (coverage.acked(), coverage.sent()),
        (vec![0..100], vec![0..100])
    );
}

#[test]
fn ranges_beyond_all_numbers_are_survived() {
    let rows = [
        fragment(1, u64::MAX - 1, u64::MAX, u64::MAX, (200, Some(u64::MAX))),
        fragment(2, 90, 10, 5, (416, None)),
        fragment(3, 0, u64::MAX, u64::MAX, (200, None)),
    ];
    let mut session = session(1, "a.bin", SessionState::Uploading);
    for total in [None, Some(0), Some(1), Some(u64::MAX)] {
        session.total = total;
        let coverage = Coverage::of(&session, &rows);
        let _ = coverage.cell(&(0..u64::MAX));
        assert!(coverage.holes().len() < 10);
    }
}

#[test]
fn the_screen_shows_the_bar() {
    for (size, (width, height)) in [("80x24", (80, 24)), ("120x40", (120, 40))] {
        let text = Screen::new(story(), width, height).keys("3]").text();
        assert_snapshot!(format!("coverage_{size}"), text);
    }
}

#[test]
fn the_cursor_stays_on_the_file_and_leads_to_the_packet() {
    let mut screen = Screen::new(story(), 120, 40);
    screen.keys("3<Left>");
    assert_eq!(screen.model.cover.at, 0);
    screen.keys("]");
    let at = screen.model.cover.at;
    assert!(at > 0);
    screen.keys("<Right><Left><Left><Enter>");
    assert_eq!(
        (screen.model.view, screen.model.focus),
        (View::Sessions, Focus::Packets)
    );
    let first = screen.model.cover.carriers[0];
    assert_eq!(screen.model.packets.selected(), Some(first - 1));
    screen.keys("3j");
    assert_eq!(screen.model.cover.session, Some(2));
    screen.keys("<Esc>");
    assert_eq!(screen.model.view, View::Sessions);
}

#[test]
fn what_is_copied_and_marked_is_the_packet_under_the_cursor() {
    let mut screen = Screen::new(story(), 120, 40);
    screen.keys("jj3kkm");
    assert_eq!(screen.model.cover.session, Some(1));
    let first = screen.model.cover.carriers[0];
    let Some(Effect::Annotate(event)) = screen.effects.last() else {
        panic!("nothing was marked: {:?}", screen.effects);
    };
    let said = format!("{:?}", event.what);
    assert!(said.contains(&format!("Packet {first} ")), "{said}");
}

#[test]
fn hostile_rows_have_a_coverage_too() {
    for (width, height) in [(1, 1), (20, 8), (80, 24), (200, 60)] {
        let mut screen = Screen::new(hostile(), width, height);
        screen.keys("3j]<Right>[<Left><Enter>3G<Enter>");
    }
}
