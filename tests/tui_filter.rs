//! The filter language on the screen: typed, applied, made from the row under the cursor.

#[path = "support/screen/mod.rs"]
mod screen;

use bitstap::bits::Packet;
use bitstap::timeline::SessionState;
use bitstap::tui::update::{Input, is_busy};
use insta::assert_snapshot;
use screen::Screen;
use screen::rows::{Made, exchange, hostile, story};

fn wide(rows: Made) -> Screen {
    Screen::new(rows, 120, 40)
}

#[test]
fn an_expression_selects_packets_and_their_sessions() {
    let mut screen = wide(story());
    screen.keys("2/bits.error and time.wait > 30s<Enter>");
    assert_eq!(screen.model.packets.len(), 1);
    assert_eq!(screen.model.packets.selected(), Some(7));
    screen.keys("1");
    assert_eq!(screen.model.sessions.len(), 1);
    assert_eq!(screen.model.sessions.selected(), Some(0));
    screen.keys("<Esc>");
    assert_eq!(screen.model.sessions.len(), 3);
}

#[test]
fn a_session_is_selected_by_its_state_with_all_its_packets() {
    let mut screen = wide(story());
    screen.keys("/session.state == failed<Enter>");
    assert_eq!(screen.model.sessions.len(), 1);
    assert_eq!(screen.model.sessions.selected(), Some(2));
    assert_eq!(screen.model.packets.selected(), Some(11));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (name, keys) in [
        ("wrong_field", "/http.statsu == 500"),
        ("wrong_end", "/bits and "),
    ] {
        let text = Screen::new(story(), 80, 24).keys(keys).text();
        assert_snapshot!(name, text);
    }
}

#[test]
fn a_wrong_filter_is_not_applied_and_stays_to_be_corrected() {
    let mut screen = wide(story());
    screen.keys("2/http.statsu == 500<Enter>");
    assert!(screen.model.prompt.is_some());
    assert_eq!(screen.model.packets.len(), 12);
    for _ in 0.."u == 500".len() {
        screen.keys("<Backspace>");
    }
    screen.keys("<Backspace>us == 500<Enter>");
    assert!(screen.model.prompt.is_none(), "{}", screen.text());
    assert_eq!(screen.model.packets.len(), 1);
}

#[test]
fn tab_goes_round_what_could_stand_here_and_back_to_what_was_typed() {
    let mut screen = wide(story());
    screen.keys("/session.st<Tab>");
    let value = |screen: &Screen| {
        let prompt = screen.model.prompt.as_ref().unwrap();
        prompt.typed.value().to_owned()
    };
    assert_eq!(value(&screen), "session.state");
    screen.keys(" == f<Tab>");
    assert_eq!(value(&screen), "session.state == failed");
    screen.keys(" or bits.r");
    let mut seen = Vec::new();
    loop {
        screen.keys("<Tab>");
        let now = value(&screen);
        if now.ends_with("bits.r") {
            break;
        }
        assert!(seen.len() < 20, "{seen:?}");
        seen.push(now);
    }
    assert!(seen.len() > 1, "{seen:?}");
    assert!(
        seen.iter().any(|text| text.ends_with(" or bits.received")),
        "{seen:?}"
    );
    screen.keys("<BackTab>");
    assert_eq!(value(&screen), *seen.last().unwrap());
    assert_snapshot!("completion", screen.text());
}

#[test]
fn the_lists_follow_what_is_typed_and_are_as_before_when_it_is_given_up() {
    let mut screen = wide(story());
    screen.keys("2:goto 3<Enter>/http.status == 500");
    assert_eq!(screen.model.packets.len(), 1);
    screen.keys("<Esc>");
    assert_eq!(screen.model.packets.len(), 12);
    assert_eq!(screen.model.packets.selected(), Some(2));
    screen.keys("/problem<Enter>/fragment.csv");
    assert_eq!(screen.model.packets.len(), 0);
    screen.keys("<Esc>");
    assert_eq!(screen.model.filter.text(), "problem");
    assert_eq!(screen.model.packets.len(), 2);
}

/// Many packets, each fourth a failure.
fn many(count: u32) -> Made {
    let exchanges = (1..=count)
        .map(|no| {
            let mut row = exchange(no, 1, Packet::Ping, u64::from(no));
            row.status = Some(if no % 4 == 0 { 500 } else { 200 });
            row
        })
        .collect();
    let mut rows = story();
    rows.exchanges = exchanges;
    rows.sessions.truncate(1);
    rows.sessions[0].exchanges = count;
    rows
}

#[test]
fn first_matches_of_a_million_come_at_once_and_the_others_step_by_step() {
    const ALL: usize = 1_000_000;
    let mut screen = wide(many(u32::try_from(ALL).unwrap()));
    screen.keys("2/http.status == 500");
    let text = screen.text();
    assert!(text.contains("packets so far"), "{text}");
    // While it is being typed, before it is applied.
    assert!(
        screen.model.prompt.is_some() && text.contains("Ping           -             500"),
        "{text}"
    );
    let first = screen.model.packets.len();
    screen.keys("<Enter>");
    assert_eq!(screen.model.packets.len(), first, "nothing begins anew");
    assert!(first > 40 && first < ALL / 40, "{first}");
    assert!(screen.text().contains("500"));
    let (mut steps, mut before) = (0, first);
    while is_busy(&screen.model) {
        screen.send(Input::Work);
        // No step asks so many rows that a frame would have to wait for it.
        let now = screen.model.packets.len();
        assert!(now - before < ALL / 40, "{before} {now}");
        before = now;
        steps += 1;
        assert!(steps < 1000);
    }
    assert!(steps > 40, "{steps}");
    assert_eq!(screen.model.packets.len(), ALL / 4);
    assert_eq!(screen.model.sessions.len(), 1);
}

#[test]
fn rows_that_come_while_the_filter_is_at_work_are_listed_once() {
    let mut screen = wide(many(50_000));
    screen.keys("2/http.status == 500<Enter>");
    assert!(is_busy(&screen.model));
    for no in 50_001..=50_008 {
        let mut row = exchange(no, 1, Packet::Ping, u64::from(no));
        row.status = Some(if no % 4 == 0 { 500 } else { 200 });
        screen.rows.exchanges.push(row);
        screen.send(Input::Rows);
    }
    while is_busy(&screen.model) {
        screen.send(Input::Work);
    }
    assert_eq!(screen.model.packets.len(), 50_008 / 4);
    screen.keys("G");
    assert_eq!(screen.model.packets.selected(), Some(50_007));
}

#[test]
fn the_selected_row_stays_selected_when_the_filter_takes_it() {
    let mut screen = wide(many(50_000));
    screen.keys("2:goto 40000<Enter>/problem<Enter>");
    while is_busy(&screen.model) {
        screen.send(Input::Work);
    }
    assert_eq!(screen.model.packets.selected(), Some(39_999));
    screen.keys("<Esc>");
    assert_eq!(screen.model.packets.len(), 50_000);
    assert_eq!(screen.model.packets.selected(), Some(39_999));
}

#[test]
fn what_becomes_of_a_session_lists_its_packets_anew() {
    let mut rows = many(500);
    rows.sessions[0].state = SessionState::Uploading;
    let mut screen = wide(rows);
    screen.keys("2/session.state == closed and http.status == 500<Enter>");
    assert_eq!(screen.model.packets.len(), 0);
    screen.rows.sessions[0].state = SessionState::Closed;
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 125);
    // Those that were listed are not listed twice.
    screen.rows.sessions[0].restarts = 1;
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 125);
    screen.rows.sessions[0].state = SessionState::Lost;
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 0);
}

#[test]
fn hostile_rows_are_filtered_like_any() {
    let mut screen = wide(hostile());
    screen.keys("2/http.url matches 'x{500}$'<Enter>");
    assert_eq!(screen.model.packets.len(), 1);
    screen.keys("=6<Enter>");
    assert!(screen.model.packets.len() <= 1);
}
