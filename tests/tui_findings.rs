//! The findings on screen: listed, counted, sorted, filtered, and the packets behind them.

#[path = "support/screen/mod.rs"]
mod screen;

use bitstap::tui::found::selected;
use bitstap::tui::model::{Focus, Tab, View};
use insta::assert_snapshot;
use screen::Screen;
use screen::rows::{Made, hostile, story};

fn wide() -> Screen {
    Screen::new(story(), 120, 40)
}

fn listed(screen: &Screen) -> Vec<u32> {
    screen
        .model
        .found
        .list
        .on_screen()
        .map(|(_, row)| row)
        .collect()
}

#[test]
fn the_findings_look_like_this() {
    for (size, (width, height)) in [("80x24", (80, 24)), ("120x40", (120, 40))] {
        let text = Screen::new(story(), width, height).keys("4j").text();
        assert_snapshot!(format!("findings_{size}"), text);
        let text = Screen::new(story(), width, height)
            .keys("<Enter>]<Right><Right><Right><Right>")
            .text();
        assert_snapshot!(format!("findings_tab_{size}"), text);
    }
    let empty = Screen::new(Made::default(), 80, 24).keys("4").text();
    assert!(empty.contains("No rule has been broken so far."), "{empty}");
}

#[test]
fn enter_goes_to_the_packet_and_the_tab_comes_back() {
    let mut screen = wide();
    screen.keys("4jj<Enter>");
    assert_eq!(screen.model.view, View::Sessions);
    assert_eq!(screen.model.focus, Focus::Packets);
    assert_eq!(screen.model.scope, Some(1));
    assert_eq!(screen.model.packets.selected(), Some(9));
    assert_eq!(screen.model.detail.tab, Tab::Story);
}

#[test]
fn a_finding_of_a_session_goes_to_the_session() {
    let mut screen = wide();
    screen.keys("jj4<End><Enter>");
    assert_eq!(screen.model.view, View::Sessions);
    assert_eq!(screen.model.sessions.selected(), Some(0));
    assert_eq!(screen.model.focus, Focus::Sessions);
}

#[test]
fn brackets_pass_over_notes() {
    let mut screen = wide();
    screen.keys("4]");
    assert_eq!(screen.model.found.list.selected(), Some(2));
    screen.keys("[");
    assert_eq!(screen.model.found.list.selected(), Some(0));
}

#[test]
fn equals_keeps_one_rule_and_the_packets_that_broke_it() {
    let mut screen = wide();
    screen.keys("4=<Enter>");
    assert_eq!(screen.model.filter.text(), "finding == \"BUP-FR-12\"");
    assert_eq!(listed(&screen), [0, 2]);
    assert_eq!(screen.model.found.counts, [1, 1, 0]);
    screen.keys("2");
    assert_eq!(screen.model.packets.len(), 2);
    screen.keys("<Esc>4!<Enter>");
    assert_eq!(screen.model.filter.text(), "not finding == \"BUP-FR-12\"");
    assert_eq!(listed(&screen), [1, 3]);
}

#[test]
fn a_level_is_asked_of_each_finding_by_itself() {
    let mut screen = wide();
    screen.keys("4/finding.level >= warning<Enter>");
    assert_eq!(listed(&screen), [0, 2, 3]);
    screen.keys("<Esc>4/finding.level == note<Enter>2");
    assert_eq!(screen.model.packets.len(), 1, "packet 8 has a note, too");
}

#[test]
fn the_order_is_by_level_rule_or_packet() {
    let mut screen = wide();
    screen.keys("4s");
    assert_eq!(listed(&screen), [2, 0, 3, 1]);
    screen.keys("S");
    assert_eq!(listed(&screen), [1, 0, 3, 2]);
    screen.keys("Ss");
    assert_eq!(listed(&screen), [3, 1, 0, 2]);
}

#[test]
fn findings_that_come_later_are_listed_and_the_selection_stays() {
    let mut screen = wide();
    screen.keys("4j");
    let more = screen.rows.findings[0].clone();
    screen.rows.findings.push(more);
    screen.send(bitstap::tui::update::Input::Rows);
    assert_eq!(listed(&screen).len(), 5);
    let finding = selected(&screen.model, &screen.rows).map(|finding| finding.id);
    assert_eq!(finding, Some("BUP-ER-04"));
}

#[test]
fn a_text_is_found_in_findings() {
    let mut screen = wide();
    screen.keys("4<C-f>nobody<Enter>");
    assert_eq!(screen.model.found.list.selected(), Some(3));
}

#[test]
fn a_hostile_text_stays_in_its_row() {
    let mut rows = hostile();
    rows.findings = story().findings;
    for finding in &mut rows.findings {
        finding.text = "a\u{1b}[2J\u{202E}b\r\n".repeat(400);
    }
    let text = Screen::new(rows, 80, 24).keys("4").text();
    assert!(!text.contains(['\u{1b}', '\u{202E}', '\r']), "{text:?}");
    assert_eq!(text.lines().count(), 24);
}

#[test]
fn find_goes_through_the_lines_of_the_detail() {
    let mut screen = wide();
    screen.keys("<Enter>]<Right><Tab><C-f>host<Enter>");
    assert_eq!(screen.model.focus, Focus::Detail);
    let first = screen.model.detail.hit.expect("host is in the head");
    assert_eq!(screen.model.packets.selected(), Some(7), "the row stays");
    screen.keys("<C-f>content-<Enter>");
    let at = screen.model.detail.hit;
    screen.keys("n");
    assert_ne!(screen.model.detail.hit, at);
    screen.keys("N");
    assert_eq!(screen.model.detail.hit, at);
    screen.keys("<C-f>nosuchthing<Enter>");
    let message = screen.model.message.clone().expect("a message");
    assert!(message.bad && message.text.contains("nosuchthing"));
    assert!(first < 40);
}

#[test]
fn find_in_hex_asks_for_bytes_from_the_place_on_screen() {
    use bitstap::tui::seek::Sought;
    use bitstap::tui::update::{Effect, Input};
    let mut screen = wide();
    screen.keys("<Enter>]<Right><Right><Right><Tab><C-f>0x0d0a<Enter>");
    let Some(Effect::Seek(seek)) = screen.effects.last().cloned() else {
        panic!("no search: {:?}", screen.effects);
    };
    assert_eq!(
        (seek.needle, seek.from, seek.back),
        (vec![13, 10], 0, false)
    );
    screen.send(Input::Sought(Ok(Sought::At(4096))));
    assert_eq!(screen.model.detail.offset, 4096);
    screen.keys("n");
    let Some(Effect::Seek(seek)) = screen.effects.last().cloned() else {
        panic!("no search: {:?}", screen.effects);
    };
    assert_eq!(seek.from, 4097);
    screen.keys("N");
    let Some(Effect::Seek(seek)) = screen.effects.last().cloned() else {
        panic!("no search: {:?}", screen.effects);
    };
    assert_eq!((seek.from, seek.back), (4096, true));
}
