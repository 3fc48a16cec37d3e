//! Two sessions compared: which packets answer to each other and what differs, and how it looks.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/screen/mod.rs"]
mod screen;

use std::time::Duration;

use bitstap::timeline::compare::{Aspect, Line, compare};
use bitstap::timeline::{Exchange, Timeline};
use bitstap::tui::model::{Focus, View};
use conversation::Talk;
use insta::assert_snapshot;
use screen::Screen;
use screen::rows::{exchange, hostile, session, story};

/// Says an upload of 30 bytes in fragments that begin at `starts`; `id` is the session's.
fn upload(talk: &mut Talk, id: &str, starts: &[u64], wait: Duration) {
    talk.say(&format!(
        "> BITS_POST /up/{id} HTTP/1.1
         > Host: p
         > BITS-Packet-Type: Create-Session
         > BITS-Supported-Protocols: {{7df0354d-249b-430f-820d-3d2a9bef4931}}
         > Content-Length: 0
         >
         < HTTP/1.1 200 OK
         < BITS-Packet-Type: Ack
         < BITS-Session-Id: {{{id}}}
         < BITS-Protocol: {{7df0354d-249b-430f-820d-3d2a9bef4931}}
         < Content-Length: 0
         <"
    ));
    for start in starts {
        let (last, next) = (start + 9, start + 10);
        talk.say(&format!(
            "> BITS_POST /up/{id} HTTP/1.1
             > Host: p
             > BITS-Packet-Type: Fragment
             > BITS-Session-Id: {{{id}}}
             > Content-Range: bytes {start}-{last}/30
             > Content-Length: 10
             >
             > 0123456789"
        ));
        talk.wait(wait);
        talk.say(&format!(
            "< HTTP/1.1 200 OK
             < BITS-Packet-Type: Ack
             < BITS-Session-Id: {{{id}}}
             < BITS-Received-Content-Range: {next}
             < Content-Length: 0
             <"
        ));
    }
}

fn compared(timeline: &Timeline) -> Vec<Line> {
    let of = |no| timeline.exchanges_of(no).collect::<Vec<&Exchange>>();
    compare(&of(1), &of(2), Some(timeline))
}

fn said(lines: &[Line]) -> Vec<String> {
    let no = |no: Option<u32>| no.map_or_else(|| "-".to_owned(), |no| no.to_string());
    let line = |line: &Line| format!("{} {} {:?}", no(line.left), no(line.right), line.differs);
    lines.iter().map(line).collect()
}

#[test]
fn ids_urls_and_dates_are_no_difference() {
    let mut talk = Talk::new();
    upload(&mut talk, "a", &[0, 10, 20], Duration::ZERO);
    talk.connect("10.0.0.6").wait(Duration::from_hours(1));
    upload(&mut talk, "b", &[0, 10, 20], Duration::from_millis(300));
    let lines = compared(&talk.timeline());
    assert_eq!(said(&lines), ["1 5 []", "2 6 []", "3 7 []", "4 8 []"]);
}

#[test]
fn packets_are_found_again_behind_what_only_one_session_has() {
    let mut talk = Talk::new();
    upload(&mut talk, "a", &[0, 10, 20], Duration::ZERO);
    talk.connect("10.0.0.6");
    upload(&mut talk, "b", &[0, 0, 20], Duration::ZERO);
    let lines = compared(&talk.timeline());
    let pairs: Vec<_> = lines.iter().map(|line| (line.left, line.right)).collect();
    assert_eq!(
        pairs,
        [
            (Some(1), Some(5)),
            (Some(2), Some(6)),
            (Some(3), None),
            (None, Some(7)),
            (Some(4), Some(8)),
        ]
    );
    assert_eq!(lines[2].differs, [Aspect::OnlyLeft]);
    assert_eq!(lines[3].differs, [Aspect::OnlyRight]);
}

#[test]
fn a_session_that_broke_off_has_the_rest_on_one_side() {
    let mut talk = Talk::new();
    upload(&mut talk, "a", &[0, 10, 20], Duration::ZERO);
    talk.connect("10.0.0.6");
    upload(&mut talk, "b", &[0], Duration::ZERO);
    let lines = compared(&talk.timeline());
    assert_eq!(lines.len(), 4);
    assert!(
        lines[2..]
            .iter()
            .all(|line| line.differs == [Aspect::OnlyLeft])
    );
}

#[test]
fn a_wait_differs_when_it_is_much_longer() {
    let mut talk = Talk::new();
    upload(&mut talk, "a", &[0], Duration::ZERO);
    talk.connect("10.0.0.6");
    upload(&mut talk, "b", &[0], Duration::from_secs(5));
    let lines = compared(&talk.timeline());
    assert!(
        matches!(lines[1].differs[..], [Aspect::Wait(..)]),
        "{lines:?}"
    );
}

#[test]
fn sessions_with_nothing_in_common_are_told_whole() {
    let packet = |no: u32, first: u64| {
        let mut row = exchange(no, 1, bitstap::bits::Packet::Fragment, 0);
        row.range = Some(bitstap::bits::ContentRange {
            first,
            last: first,
            total: None,
        });
        row
    };
    let left: Vec<Exchange> = (0..500).map(|no| packet(no + 1, u64::from(no))).collect();
    let right: Vec<Exchange> = (0..300)
        .map(|no| packet(no + 501, u64::from(no) + 9000))
        .collect();
    let lines = compare(
        &left.iter().collect::<Vec<_>>(),
        &right.iter().collect::<Vec<_>>(),
        None,
    );
    assert_eq!(lines.len(), 800);
    assert!(
        lines
            .iter()
            .all(|line| line.left.is_some() != line.right.is_some())
    );
    assert_eq!(compare(&[], &[], None), []);
}

/// The story, and a copy of its first session that went well.
fn two() -> screen::rows::Made {
    let mut rows = story();
    let mut again = rows.exchanges[..8].to_vec();
    for (row, no) in again.iter_mut().zip(13..) {
        row.no = no;
        row.session = Some(4);
    }
    again[7].status = Some(200);
    again[7].error = None;
    again[7].received = Some(13 << 20).into();
    rows.exchanges.extend(again);
    let mut copy = session(4, "report-2.csv", bitstap::timeline::SessionState::Closed);
    copy.exchanges = 8;
    rows.sessions.push(copy);
    rows
}

#[test]
fn the_comparison_looks_like_this() {
    for (size, (width, height)) in [("80x24", (80, 24)), ("120x40", (120, 40))] {
        let text = Screen::new(two(), width, height).keys("cjjjc").text();
        assert_snapshot!(format!("compare_{size}"), text);
    }
}

#[test]
fn the_first_difference_is_selected_and_leads_to_its_packet() {
    let mut screen = Screen::new(two(), 120, 40);
    screen.keys("c");
    let said = screen.model.message.clone().unwrap().text;
    assert!(said.contains("session 1 is chosen"), "{said}");
    screen.keys("jjjc");
    assert_eq!(screen.model.view, View::Versus);
    assert_eq!(screen.model.versus.selected().unwrap().left, Some(8));
    screen.keys("]");
    assert_eq!(screen.model.versus.selected().unwrap().left, Some(9));
    screen.keys("[<Enter>");
    assert_eq!(screen.model.focus, Focus::Packets);
    assert_eq!(screen.model.packets.selected(), Some(7));
}

#[test]
fn the_same_session_twice_is_chosen_no_longer() {
    let mut screen = Screen::new(two(), 120, 40);
    screen.keys("cc");
    assert_eq!(screen.model.versus.chosen, None);
    assert_eq!(screen.model.view, View::Sessions);
}

#[test]
fn hostile_names_stay_in_their_place() {
    let text = Screen::new(hostile(), 80, 24).keys("cjc").text();
    assert!(
        text.contains("Sessions 1 ") && text.lines().count() == 24,
        "{text}"
    );
    assert!(!text.contains(['\u{1b}', '\u{202E}']), "{text:?}");
}
