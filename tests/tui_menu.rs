//! The menus: filter by a value of the row, copy; and marks.

#[path = "support/screen/mod.rs"]
mod screen;

use bitstap::tui::model::View;
use bitstap::tui::update::Effect;
use insta::assert_snapshot;
use screen::Screen;
use screen::rows::{hostile, story};

fn wide() -> Screen {
    Screen::new(story(), 120, 40)
}

/// Returns what was copied last.
fn copied(screen: &Screen) -> &str {
    match screen.effects.last() {
        Some(Effect::Copy { text, .. }) => text,
        other => panic!("nothing was copied: {other:?}"),
    }
}

/// Copies what the menu calls `name` from the selected row.
fn copy<'s>(screen: &'s mut Screen, name: &str) -> &'s str {
    screen.keys("y");
    let choices = &screen.model.menu.as_ref().expect("a menu").choices;
    let at = choices.iter().position(|choice| choice.name == name);
    let at = at.unwrap_or_else(|| panic!("{name} is not offered: {choices:?}"));
    screen.keys(&format!("{}<Enter>", "j".repeat(at)));
    copied(screen)
}

#[test]
fn the_menus_look_like_this() {
    assert_snapshot!(
        "copy_80x24",
        Screen::new(story(), 80, 24).keys("<Enter>]y").text()
    );
    assert_snapshot!(
        "only_80x24",
        Screen::new(story(), 80, 24).keys("<Enter>]=j").text()
    );
}

#[test]
fn equals_narrows_and_the_exclamation_mark_excludes() {
    let mut screen = wide();
    screen.keys("2<Home>]=1");
    assert_eq!(screen.model.filter.text(), "bits.error == 0x8020001F");
    assert_eq!(screen.model.packets.len(), 1);
    screen.keys("<Esc>");
    screen.keys("2<Home>!<Enter>");
    assert_eq!(
        screen.model.filter.text(),
        "not bits.type == Create-Session"
    );
    assert_eq!(screen.model.packets.len(), 10);
    screen.keys("<Home>=2");
    assert!(
        screen.model.filter.text().contains(" and "),
        "{}",
        screen.model.filter.text()
    );
}

#[test]
fn a_session_is_filtered_by_its_values() {
    let mut screen = wide();
    screen.keys("jj=2");
    assert_eq!(screen.model.filter.text(), "session.state == failed");
    assert_eq!(screen.model.sessions.len(), 1);
}

#[test]
fn any_other_key_closes_a_menu() {
    let mut screen = wide();
    screen.keys("y<Esc>");
    assert!(screen.model.menu.is_none() && screen.effects.is_empty());
    screen.keys("=9");
    assert!(screen.model.menu.is_some(), "there is no ninth value");
}

#[test]
fn what_is_copied_has_no_credentials_until_they_are_shown() {
    let mut screen = wide();
    screen.keys("<Enter>]");
    let head = copy(&mut screen, "request head").to_owned();
    assert!(head.starts_with("BITS_POST "), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head:?}");
    assert!(
        !head.contains("YIIJvw") && head.contains("********"),
        "{head}"
    );
    let curl = copy(&mut screen, "curl command").to_owned();
    assert!(!curl.contains("YIIJvw"), "{curl}");
    screen.keys("P");
    let head = copy(&mut screen, "request head").to_owned();
    assert!(head.contains("YIIJvw"), "{head}");
    let curl = copy(&mut screen, "curl command").to_owned();
    assert!(curl.contains("YIIJvw"), "{curl}");
    assert!(
        curl.starts_with("curl -i --path-as-is -X 'BITS_POST' ")
            && curl.contains("--data-binary @packet-8.bin")
            && !curl.to_lowercase().contains("content-length"),
        "{curl}"
    );
}

#[test]
fn evidence_says_when_who_and_what() {
    let mut screen = wide();
    screen.keys("<Enter>]");
    let line = copy(&mut screen, "evidence line");
    for part in [
        "1970-01-01T00:00:04.120000000Z",
        "10.0.0.23:50112 -> 10.0.0.80:80",
        "BITS_POST /up/report.csv",
        "bytes 12582912-13631487",
        "status 500",
        "BG_E_SESSION_NOT_FOUND (0x8020001F)",
        "1.0 MiB sent",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn what_hostile_peers_sent_is_copied_harmless() {
    for name in ["curl command", "evidence line"] {
        let mut screen = Screen::new(hostile(), 120, 40);
        screen.keys("2<Home>y");
        let choices = &screen.model.menu.as_ref().unwrap().choices;
        let Some(at) = choices.iter().position(|choice| choice.name == name) else {
            continue;
        };
        screen.keys(&format!("{}<Enter>", "j".repeat(at)));
        if let Some(Effect::Copy { text, .. }) = screen.effects.last() {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn marks_are_shown_and_gone_round() {
    let mut screen = wide();
    screen.keys("2<Home>jmjjm");
    assert!(screen.text().contains("*2 ") && screen.text().contains("*4 "));
    screen.keys("<Home>'");
    assert_eq!(screen.model.packets.selected(), Some(1));
    screen.keys("'");
    assert_eq!(screen.model.packets.selected(), Some(3));
    screen.keys("'m'");
    assert_eq!(screen.model.packets.selected(), Some(3));
    screen.keys("1jj'");
    assert_eq!(screen.model.view, View::Packets, "the mark lies elsewhere");
    assert_eq!(screen.model.packets.selected(), Some(3));
}

#[test]
fn a_comment_is_typed_shown_changed_and_taken_away() {
    let mut screen = wide();
    screen.keys("2<Home>j;look here<Enter>");
    assert_eq!(screen.rows.annotations[&2].comment, "look here");
    let text = screen.text();
    assert!(
        text.contains("\"2 ") && text.contains("look here"),
        "{text}"
    );
    screen.keys(";");
    let prompt = screen.model.prompt.as_ref().expect("a line");
    assert_eq!(prompt.typed.value(), "look here");
    let before = screen.effects.len();
    screen.keys("<Enter>");
    assert_eq!(screen.effects.len(), before, "nothing was changed");
    screen.keys("; again<Esc>");
    assert_eq!(screen.rows.annotations[&2].comment, "look here");
    screen.keys(";<C-u><Enter>");
    assert!(screen.rows.annotations.is_empty());
}

#[test]
fn a_comment_stays_with_the_packet_it_was_begun_on() {
    let mut screen = wide();
    screen.keys("2<Home>;");
    screen.model.packets.select_at(5);
    screen.keys("mine<Enter>");
    assert_eq!(
        screen.rows.annotations.keys().copied().collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn the_filter_mark_follows_what_is_marked() {
    let mut screen = wide();
    screen.keys("2/mark<Enter>");
    assert_eq!(screen.model.packets.len(), 0);
    screen.keys("<Esc><Home>jm/mark<Enter>");
    assert_eq!(screen.model.packets.len(), 1);
}
