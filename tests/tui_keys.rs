//! What keys, mouse and time do, told by effects and by what is on screen.

#[path = "support/screen/mod.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod screen;

use std::collections::HashSet;

use bitstap::bits::Packet;
use bitstap::timeline::{Chunk, Outcome, SessionState};
use bitstap::tui::keys::{Command, TABLE, key_for};
use bitstap::tui::model::{Focus, Side, Tab};
use bitstap::tui::update::Input;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use screen::Screen;
use screen::rows::{Made, exchange, ms, story};

fn wide(rows: Made) -> Screen {
    Screen::new(rows, 120, 40)
}

#[test]
fn every_key_has_help_and_one_meaning_per_context() {
    let mut seen = HashSet::new();
    for row in TABLE {
        assert!(!row.help.is_empty(), "{:?} has no help", row.command);
        assert!(!row.chords.is_empty(), "{:?} has no key", row.command);
        for chord in row.chords {
            assert!(
                seen.insert((row.context, *chord)),
                "{} is taken",
                chord.name()
            );
        }
    }
    assert_eq!(key_for(Command::Find).as_deref(), Some("Ctrl-F"));
}

#[test]
fn the_help_shows_every_key_of_the_table() {
    let text = Screen::new(story(), 80, 140).keys("?").text();
    for row in TABLE {
        assert!(text.contains(row.help), "{} is not in the help", row.help);
    }
}

#[test]
fn enter_goes_deeper_and_escape_back() {
    let mut screen = wide(story());
    screen.keys("<Enter>");
    assert_eq!(screen.model.focus, Focus::Packets);
    screen.keys("<Enter><Enter>");
    assert_eq!(
        (screen.model.focus, screen.model.zoom),
        (Focus::Detail, true)
    );
    screen.keys("<Esc><Esc><Esc><Esc>");
    assert_eq!(
        (screen.model.focus, screen.model.zoom),
        (Focus::Sessions, false)
    );
}

#[test]
fn tab_goes_round_the_panes() {
    let mut screen = wide(story());
    screen.keys("<Tab><Tab><Tab>");
    assert_eq!(screen.model.focus, Focus::Sessions);
    screen.keys("<BackTab>");
    assert_eq!(screen.model.focus, Focus::Detail);
}

#[test]
fn a_key_that_is_let_go_does_nothing() {
    let mut screen = wide(story());
    let mut key = KeyEvent::new(KeyCode::Char('j'), KeyModifiers::NONE);
    key.kind = KeyEventKind::Release;
    screen.send(Input::Key(key));
    assert_eq!(screen.model.sessions.cursor(), 0);
    key.kind = KeyEventKind::Repeat;
    screen.send(Input::Key(key));
    assert_eq!(screen.model.sessions.cursor(), 1);
}

#[test]
fn selecting_a_session_lists_its_packets() {
    let mut screen = wide(story());
    assert_eq!(screen.model.packets.len(), 10);
    screen.keys("j");
    assert_eq!(screen.model.packets.len(), 1);
    assert_eq!(screen.model.packets.selected(), Some(10));
    screen.keys("2");
    assert_eq!(screen.model.packets.len(), 12);
    assert_eq!(screen.model.packets.selected(), Some(10));
}

#[test]
fn problems_are_found_in_both_directions() {
    let mut screen = wide(story());
    screen.keys("2<Home>]");
    assert_eq!(screen.model.packets.selected(), Some(7));
    screen.keys("]");
    assert_eq!(screen.model.packets.selected(), Some(11));
    screen.keys("[");
    assert_eq!(screen.model.packets.selected(), Some(7));
}

#[test]
fn following_keeps_the_newest_row_selected() {
    let mut screen = wide(story());
    screen.keys("2F");
    let mut next = exchange(13, 2, Packet::Ping, 47_000);
    next.outcome = Outcome::InFlight;
    screen.rows.exchanges.push(next);
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.selected(), Some(12));
    screen.keys("k");
    screen
        .rows
        .exchanges
        .push(exchange(14, 2, Packet::Ping, 47_100));
    screen.send(Input::Rows);
    assert_eq!(
        screen.model.packets.selected(),
        Some(11),
        "moving away stops following"
    );
}

#[test]
fn a_packet_gets_its_session_while_it_is_in_flight() {
    let mut screen = wide(story());
    screen.keys("j");
    let mut ping = exchange(13, 2, Packet::Ping, 47_000);
    ping.session = None;
    ping.outcome = Outcome::InFlight;
    screen.rows.exchanges.push(ping);
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 1);
    screen.rows.exchanges[12].session = Some(2);
    screen.rows.sessions[1].exchanges = 2;
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 2);
    screen.rows.exchanges[12].outcome = Outcome::Complete;
    screen.send(Input::Rows);
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 2, "and is listed once");
}

#[test]
fn a_packet_that_changes_its_session_late_is_found() {
    let mut screen = wide(story());
    screen.rows.exchanges[0].session = Some(2);
    screen.rows.sessions[1].exchanges = 2;
    screen.send(Input::Rows);
    screen.keys("j");
    assert_eq!(screen.model.packets.len(), 2);
}

#[test]
fn rows_that_came_before_a_key_are_listed_once() {
    let mut screen = wide(story());
    screen.keys("2");
    screen
        .rows
        .exchanges
        .push(exchange(13, 2, Packet::Ping, 47_000));
    screen.rows.exchanges[9].outcome = Outcome::Complete;
    screen.keys("s");
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 13);
    screen.keys("S");
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 13);
}

#[test]
fn sorting_keeps_the_selected_packet() {
    let mut screen = wide(story());
    screen.keys("2<Home>jj");
    let selected = screen.model.packets.selected();
    for _ in 0..12 {
        screen.keys("sS");
        assert_eq!(screen.model.packets.selected(), selected);
        assert_eq!(screen.model.packets.len(), 12);
    }
}

#[test]
fn sessions_sort_by_name() {
    let mut screen = wide(story());
    screen.keys("s");
    assert_eq!(
        screen.model.sessions.row(0),
        Some(2),
        "driver.cab comes first"
    );
    screen.keys("S");
    assert_eq!(
        screen.model.sessions.row(0),
        Some(0),
        "report.csv comes first"
    );
}

#[test]
fn the_filter_takes_names_urls_and_nothing_else() {
    let mut screen = wide(story());
    screen.keys("2/DRIVER<Enter>");
    assert_eq!(screen.model.packets.len(), 1);
    assert_eq!(screen.model.sessions.len(), 1);
    screen.keys("<Esc>");
    assert_eq!(screen.model.packets.len(), 12, "escape removes it");
    screen.keys("/nosuchfile<Esc>");
    assert_eq!(
        screen.model.packets.len(),
        12,
        "an abandoned one changes nothing"
    );
}

#[test]
fn a_filter_takes_what_comes_later_too() {
    let mut screen = wide(story());
    screen.keys("2/q.bin<Enter>");
    assert_eq!(screen.model.packets.len(), 1);
    screen
        .rows
        .exchanges
        .push(exchange(13, 2, Packet::Ping, 47_000));
    screen
        .rows
        .exchanges
        .push(exchange(14, 1, Packet::Ping, 47_000));
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.len(), 2);
}

#[test]
fn finding_goes_round() {
    let mut screen = wide(story());
    screen.keys("2<Home><C-f>create<Enter>");
    assert_eq!(screen.model.packets.selected(), Some(8));
    screen.keys("n");
    assert_eq!(screen.model.packets.selected(), Some(0));
    screen.keys("N");
    assert_eq!(screen.model.packets.selected(), Some(8));
    screen.keys("<F3>");
    assert_eq!(screen.model.packets.selected(), Some(0));
    screen.keys("<C-f>nosuchthing<Enter>");
    assert!(screen.text().contains("not found: nosuchthing"));
}

#[test]
fn a_paused_display_stands_still() {
    let mut screen = wide(story());
    screen.keys("p");
    let before = screen.text();
    screen.rows.sessions[0].state = SessionState::Failed;
    screen.rows.exchanges[9].outcome = Outcome::CutRequest;
    screen.rows.remarks.clear();
    screen.send(Input::Rows);
    screen.send(Input::Tick(ms(99_000)));
    assert_eq!(screen.text(), before);
    screen
        .rows
        .exchanges
        .push(exchange(13, 2, Packet::Ping, 47_000));
    screen.send(Input::Rows);
    assert!(screen.text().contains("PAUSED, 1 behind"));
    screen.keys("p");
    assert!(screen.text().contains("cut>"));
    assert!(!screen.text().contains("PAUSED"));
}

#[test]
fn credentials_are_masked_until_revealed() {
    let mut screen = Screen::new(story(), 120, 60);
    screen.keys("<Enter>]<Right><Enter><Enter>");
    let text = screen.text();
    assert!(
        !text.contains("YIIJvw") && !text.contains("geheim"),
        "{text}"
    );
    assert!(text.contains("Negotiate SPNEGO ********"), "{text}");
    let text = screen.keys("P").text();
    assert!(text.contains("YIIJvw") && text.contains("geheim"), "{text}");
    let text = screen.keys("P").text();
    assert!(!text.contains("YIIJvw"));
}

#[test]
fn hex_goes_to_an_offset_and_stays_inside_the_body() {
    let mut screen = wide(story());
    screen.keys("<Enter>]:offset 0x1000<Enter>");
    assert_eq!(screen.model.detail.tab, Tab::Hex);
    assert_eq!(screen.model.detail.offset, 0x1000);
    assert!(screen.text().contains("00001000"));
    screen.keys(":offset 1TiB<Enter>");
    assert!(screen.text().contains("000ffff0"), "the last line of 1 MiB");
    screen.keys("<Enter>G<PgDn>j");
    assert!(screen.text().contains("000ffff0"));
    screen.keys("g");
    assert_eq!(screen.model.detail.offset, 0);
    assert!(screen.text().contains("not in the capture (20 bytes here)"));
    screen.keys("b");
    assert_eq!(screen.model.detail.side, Some(Side::Response));
    assert!(screen.text().contains("Response has no body"));
    screen.keys(":offset nonsense<Enter>");
    assert!(screen.text().contains("not an offset: nonsense"));
}

#[test]
fn what_could_not_be_read_whole_is_read_again() {
    let mut screen = wide(story());
    screen.keys("<Enter>]<Right><Right><Right>");
    let (want, _) = screen.model.detail.reads[0].clone();
    screen.send(Input::Read(want, Ok(Chunk::default())));
    assert!(
        screen.text().contains("240 bytes are not written yet"),
        "{}",
        screen.text()
    );
    screen.send(Input::Tick(ms(47_200)));
    assert!(!screen.text().contains("not written yet"));
    assert!(screen.text().contains("00000010  70 77"));
}

#[test]
fn the_latest_packet_of_a_watched_session_is_selected() {
    let mut screen = wide(story());
    screen
        .rows
        .exchanges
        .push(exchange(13, 1, Packet::Ping, 47_000));
    screen.rows.sessions[0].exchanges = 11;
    screen.send(Input::Rows);
    assert_eq!(screen.model.packets.selected(), Some(12));
    screen.keys("<Enter>k");
    let chosen = screen.model.packets.selected();
    screen
        .rows
        .exchanges
        .push(exchange(14, 1, Packet::Ping, 47_100));
    screen.rows.sessions[0].exchanges = 12;
    screen.send(Input::Rows);
    assert_eq!(
        screen.model.packets.selected(),
        chosen,
        "not once one was chosen"
    );
}
