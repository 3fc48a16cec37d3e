//! The screen at its edges: prompts, the mouse, the clock, what is odd or cannot be read, any input at all.

#[path = "support/screen/mod.rs"]
mod screen;

use std::collections::HashSet;
use std::path::PathBuf;

use bitstap::bits::Packet;
use bitstap::timeline::{Remark, SessionState};
use bitstap::tui::keys::TABLE;
use bitstap::tui::model::{Focus, View};
use bitstap::tui::update::{Effect, Input};
use bitstap::tui::{Look, Status};
use proptest::prelude::*;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Size;
use ratatui::style::Color;
use screen::Screen;
use screen::rows::{MIB, Made, exchange, hostile, ms, session, story};

fn wide(rows: Made) -> Screen {
    Screen::new(rows, 120, 40)
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
    assert!(screen.model.prompt.is_some(), "no line end applied it");
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
