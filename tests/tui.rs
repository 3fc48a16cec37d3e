//! The screen as people see it: key script in, frame out. Reviewed as pictures in `snapshots/`.

#[path = "support/screen/mod.rs"]
mod screen;

use bitstap::tui::{Look, Status};
use insta::assert_snapshot;
use screen::Screen;
use screen::rows::{Made, hostile, story};

const WIDE: (u16, u16) = (120, 40);
const SMALL: (u16, u16) = (80, 24);

/// Draws the story after `keys` at both sizes.
macro_rules! both {
    ($name:literal, $rows:expr, $keys:expr) => {
        for (size, (width, height)) in [("80x24", SMALL), ("120x40", WIDE)] {
            let text = Screen::new($rows, width, height).keys($keys).text();
            assert_snapshot!(format!("{}_{size}", $name), text);
        }
    };
}

#[test]
fn sessions() {
    both!("sessions", story(), "");
}

#[test]
fn packets_of_a_session() {
    both!("packets", story(), "<Enter>");
}

#[test]
fn all_packets() {
    both!("all_packets", story(), "2");
}

#[test]
fn log() {
    both!("log", story(), "6");
}

#[test]
fn story_of_a_failed_packet() {
    both!("story", story(), "<Enter>]");
}

#[test]
fn head() {
    both!("head", story(), "<Enter>]<Right>");
}

#[test]
fn head_zoomed() {
    both!("head_zoomed", story(), "<Enter>]<Right><Enter><Enter>");
}

#[test]
fn hex() {
    both!("hex", story(), "<Enter>]<Right><Right><Right>");
}

#[test]
fn timing() {
    both!("timing", story(), "<Enter>]<Left>");
}

#[test]
fn help() {
    both!("help", story(), "?");
}

#[test]
fn filter_with_a_match() {
    both!("filter", story(), "/driver");
}

#[test]
fn filter_without_a_match() {
    both!("filter_no_match", story(), "/nosuchfile");
}

#[test]
fn filter_applied() {
    both!("filtered", story(), "/driver<Enter>");
}

#[test]
fn empty() {
    both!("empty", Made::default(), "");
}

#[test]
fn hostile_names() {
    both!("hostile", hostile(), "");
    both!("hostile_all", hostile(), "2<Home>");
    both!("hostile_head", hostile(), "<Enter><Right>");
}

#[test]
fn paused() {
    for (size, (width, height)) in [("80x24", SMALL), ("120x40", WIDE)] {
        let mut screen = Screen::new(story(), width, height);
        screen.keys("p");
        let more = story().exchanges;
        screen.rows.exchanges.extend(more);
        screen.send(bitstap::tui::update::Input::Rows);
        assert_snapshot!(format!("paused_{size}"), screen.text());
    }
}

#[test]
fn ascii() {
    let look = Look {
        ascii: true,
        ..Look::default()
    };
    for (name, rows) in [("story", story as fn() -> Made), ("hostile", hostile)] {
        for keys in [
            "",
            "2",
            "6",
            "?",
            "<Enter><Right>",
            "<Enter><Left>",
            "/größe",
        ] {
            let mut screen = Screen::with_look(rows(), 120, 40, look);
            let text = screen.keys(keys).text();
            assert!(text.is_ascii(), "{name} after {keys}:\n{text}");
        }
    }
    let text = Screen::with_look(story(), 120, 40, look).text();
    assert_snapshot!("ascii_120x40", text);
}

#[test]
fn saving_is_asked_for_a_temporary_capture() {
    let mut screen = Screen::new(story(), 80, 24);
    let status = Status {
        temporary: true,
        ..screen::live_status()
    };
    screen.send(bitstap::tui::update::Input::Status(Box::new(status)));
    assert_snapshot!("save_as_80x24", screen.keys("qa.pcapng").text());
}

#[test]
fn readme() {
    let text = Screen::new(story(), 118, 31).keys("<Enter>]").text();
    assert_snapshot!("readme", text);
    let readme = include_str!("../README.md");
    assert!(
        readme.contains(text.trim_end()),
        "README.md should show the screen of tests/snapshots/tui__readme.snap"
    );
}
