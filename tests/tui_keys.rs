//! What keys, mouse and time do, told by effects and by what is on screen.

#[path = "support/screen/mod.rs"]
mod screen;

use std::collections::HashSet;
use std::path::PathBuf;

use bitstap::bits::Packet;
use bitstap::timeline::{Chunk, Outcome, Remark, SessionState};
use bitstap::tui::keys::{Command, TABLE, key_for};
use bitstap::tui::model::{Focus, Side, Tab, View};
use bitstap::tui::update::{Effect, Input};
use bitstap::tui::{Look, Status};
use proptest::prelude::*;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Size;
use ratatui::style::Color;
use screen::Screen;
use screen::rows::{MIB, Made, exchange, hostile, ms, session, story};

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
    let text = Screen::new(story(), 80, 100).keys("?").text();
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
    assert!(text.contains("Negotiate ********"));
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
    screen.keys("<Enter>]<Right><Right>");
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

#[test]
fn commands_go_to_a_packet() {
    let mut screen = wide(story());
    screen.keys(":goto 11<Enter>");
    assert_eq!(
        screen.model.view,
        View::Packets,
        "it belongs to another session"
    );
    assert_eq!(screen.model.packets.selected(), Some(10));
    screen.keys("1:3<Enter>");
    assert_eq!(screen.model.packets.selected(), Some(2));
    screen.keys(":goto 0<Enter>");
    assert!(screen.text().contains("no packet 0"));
    screen.keys(":dance<Enter>");
    assert!(screen.text().contains("unknown command: dance"));
}

#[test]
fn quitting_asks_only_for_a_temporary_capture() {
    let mut screen = wide(story());
    screen.keys("q");
    assert_eq!(screen.effects, [Effect::Quit { save_as: None }]);

    let status = Status {
        temporary: true,
        ..Status::default()
    };
    for (keys, save_as) in [
        ("qa b.pcapng<Enter>", Some(PathBuf::from("a b.pcapng"))),
        ("q<Enter>", None),
        ("q<Esc>:q<Enter><Enter>", None),
        (":q!<Enter>", None),
    ] {
        let mut screen = wide(story());
        screen.send(Input::Status(Box::new(status.clone())));
        screen.keys(keys);
        assert_eq!(screen.effects, [Effect::Quit { save_as }], "after {keys}");
    }
    let mut screen = wide(story());
    screen.send(Input::Status(Box::new(status)));
    screen.keys("q<Esc>");
    assert_eq!(screen.effects, []);
}

#[test]
fn writing_is_an_effect_and_says_what_came_of_it() {
    let mut screen = wide(story());
    screen.keys(":w x.pcapng<Enter>");
    assert_eq!(screen.effects, [Effect::Save("x.pcapng".into())]);
    screen.send(Input::Saved(Err("cannot write x.pcapng: disk full".into())));
    assert!(screen.text().contains("! cannot write x.pcapng: disk full"));
    screen.keys(":w<Enter>");
    assert!(screen.text().contains("where to?"));
}

#[test]
fn pasted_text_reaches_the_line_without_control_characters() {
    let mut screen = wide(story());
    screen.send(Input::Paste("lost".into()));
    screen.keys("/");
    screen.send(Input::Paste("driver\r\n\u{1b}.cab".into()));
    assert!(screen.text().contains("filter: driver.cab"));
    assert_eq!(screen.model.filter.text(), "");
}

#[test]
fn the_mouse_is_off_until_it_is_switched_on() {
    let mut screen = wide(story());
    let click = |screen: &mut Screen, column, row| {
        let (kind, modifiers) = (MouseEventKind::Down(MouseButton::Left), KeyModifiers::NONE);
        screen.send(Input::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers,
        }));
    };
    click(&mut screen, 5, 4);
    assert_eq!(screen.model.sessions.cursor(), 0);
    screen.keys("M");
    assert_eq!(screen.effects, [Effect::Mouse(true)]);
    click(&mut screen, 5, 4);
    assert_eq!(screen.model.sessions.cursor(), 1);
    click(&mut screen, 60, 3);
    assert_eq!(screen.model.focus, Focus::Packets);
    click(&mut screen, 5, 20);
    assert_eq!(screen.model.sessions.cursor(), 1, "below the last row");
}

#[test]
fn what_is_in_flight_moves_with_the_clock() {
    let mut screen = wide(story());
    screen.send(Input::Tick(ms(46_300)));
    assert!(screen.text().contains("62% 5.0M/s"), "{}", screen.text());
    screen.send(Input::Tick(ms(47_800)));
    assert!(screen.text().contains("62% 2.0M/s"), "{}", screen.text());
}

#[test]
fn a_session_shows_how_fast_it_moves() {
    let mut screen = wide(story());
    screen.rows.sessions[0].sent += 8 * MIB;
    screen.send(Input::Tick(ms(49_000)));
    assert!(screen.text().contains("4.0M/s"), "{}", screen.text());
}

#[test]
fn the_log_shows_long_entries_whole_and_reaches_all_of_them() {
    let mut rows = story();
    let remark = rows.remarks[0].clone();
    rows.remarks = (0..40)
        .map(|n| Remark {
            text: format!("entry-{n}. {} end-{n}.", "word ".repeat(30)),
            ..remark.clone()
        })
        .collect();
    let mut screen = Screen::new(rows, 80, 24);
    let text = screen.keys("6").text();
    assert!(
        text.contains("end-39.") && !text.contains("entry-10."),
        "{text}"
    );
    let mut seen: HashSet<usize> = HashSet::new();
    screen.keys("g");
    for _ in 0..40 {
        let text = screen.text();
        seen.extend((0..40).filter(|n| {
            text.contains(&format!("entry-{n}.")) && text.contains(&format!("end-{n}."))
        }));
        screen.keys("<PgDn>");
    }
    assert_eq!(seen.len(), 40, "{seen:?}");
    assert!(screen.model.log.follow, "the end was reached");
    screen.keys("k");
    assert!(!screen.model.log.follow);
}

#[test]
fn drops_and_failures_are_said_in_the_header() {
    let mut screen = wide(story());
    let mut status = screen::live_status();
    status.skipped = 17;
    if let Some(recording) = &mut status.recording {
        recording.failed = Some("disk full".into());
    }
    screen.send(Input::Status(Box::new(status)));
    let text = screen.text();
    assert!(
        text.contains("17 events not shown") && text.contains("NOT RECORDING"),
        "{text}"
    );
}

#[test]
fn a_body_that_cannot_be_read_says_why() {
    let mut screen = wide(story());
    screen.keys("<Enter>]<Right>");
    let reads = screen.model.detail.reads.clone();
    for (want, _) in reads {
        screen.send(Input::Read(want, Err("file is gone".into())));
    }
    assert!(screen.text().contains("! not readable: file is gone"));
}

#[test]
fn a_plain_screen_has_no_colour() {
    let look = Look {
        plain: true,
        ..Look::default()
    };
    for keys in ["", "2", "6", "?", "<Enter>]<Right>", "<Enter><Left>", "/x"] {
        let mut screen = Screen::with_look(story(), 120, 40, look);
        let terminal = screen.keys(keys).frame();
        for cell in &terminal.backend().buffer().content {
            assert_eq!(
                (cell.fg, cell.bg),
                (Color::Reset, Color::Reset),
                "after {keys}"
            );
        }
    }
}

#[test]
fn no_character_that_commands_a_terminal_is_drawn() {
    for keys in ["", "2", "<Enter><Right>", "<Enter><Left>", "jjj"] {
        let terminal = wide(hostile()).keys(keys).frame();
        for cell in &terminal.backend().buffer().content {
            let bad = |c: char| c.is_control() || matches!(c, '\u{202E}' | '\u{200B}');
            assert!(!cell.symbol().contains(bad), "{:?}", cell.symbol());
        }
    }
}

fn any_key() -> impl Strategy<Value = KeyEvent> {
    let code = prop_oneof![
        6 => prop::sample::select(
            TABLE
                .iter()
                .flat_map(|row| row.chords)
                .map(|chord| chord.code)
                .collect::<Vec<_>>()
        ),
        1 => any::<char>().prop_map(KeyCode::Char),
        1 => prop::sample::select(vec![KeyCode::Backspace, KeyCode::Delete, KeyCode::Insert]),
    ];
    let modifiers = prop::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::SHIFT,
    ]);
    (code, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        12 => any_key().prop_map(Input::Key),
        1 => (1..=200u16, 1..=60u16).prop_map(|(w, h)| Input::Resize(Size::new(w, h))),
        1 => ".{0,20}".prop_map(Input::Paste),
        1 => (0..100_000u64).prop_map(|at| Input::Tick(ms(at))),
        1 => Just(Input::Rows),
        1 => (0..200u16, 0..60u16, 0..3u8).prop_map(|(column, row, kind)| {
            let kind = match kind {
                0 => MouseEventKind::Down(MouseButton::Left),
                1 => MouseEventKind::ScrollUp,
                _ => MouseEventKind::ScrollDown,
            };
            let modifiers = KeyModifiers::NONE;
            Input::Mouse(MouseEvent { kind, column, row, modifiers })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_panics(
        which in 0..3u8,
        ascii: bool,
        (width, height) in (1..=200u16, 1..=60u16),
        inputs in prop::collection::vec(any_input(), 0..60),
    ) {
        let rows = match which {
            0 => Made::default(),
            1 => story(),
            _ => hostile(),
        };
        let look = Look { ascii, ..Look::default() };
        let mut screen = Screen::with_look(rows, width, height, look);
        for (step, input) in inputs.into_iter().enumerate() {
            screen.send(input);
            if step % 5 == 0 {
                let no = u32::try_from(screen.rows.exchanges.len()).unwrap() + 1;
                screen.rows.exchanges.push(exchange(no, 1, Packet::Ping, 50_000));
                if screen.rows.sessions.is_empty() {
                    screen.rows.sessions.push(session(1, "a", SessionState::Open));
                }
            }
            let _ = screen.frame();
        }
    }
}
