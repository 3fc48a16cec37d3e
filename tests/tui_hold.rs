//! Rules and held messages on screen: shown, let go, edited, answered, cut.

#[path = "support/operator.rs"]
mod operator;
#[path = "support/screen/mod.rs"]
mod screen;

use std::sync::Arc;
use std::time::Duration;

use bitstap::event::ConnId;
use bitstap::fault::{Held, Release, Stage};
use bitstap::tui::model::View;
use bitstap::tui::operator::form::Face;
use bitstap::tui::update::{Effect, Input};
use insta::assert_snapshot;
use operator::{Fake, State, held, rule};
use screen::Screen;
use screen::rows::{hostile, story};

const FRAGMENT: &str = "BITS_POST /up/report.csv HTTP/1.1\r\nHost: iis.corp\r\nBITS-Packet-Type: Fragment\r\n\
BITS-Session-Id: {3F2B}\r\nContent-Range: bytes 0-8388607/22020096\r\nContent-Length: 8388608\r\n\r\n";

const ACK: &str = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Received-Content-Range: 8388608\r\n\
Content-Length: 0\r\n\r\n";

fn rules() -> Vec<bitstap::fault::RuleState> {
    vec![
        rule("lost-ack", true, "drop the response, reset the client"),
        rule("look-at-it", true, "hold for the operator"),
        rule("slow", false, "delay 2 s"),
    ]
}

/// Packet 10 is held as a request; the answer to packet 9 is, too.
fn two() -> Vec<Held> {
    vec![
        held(1, 1, 9, Stage::RequestHead, FRAGMENT),
        held(2, 1, 8, Stage::ResponseHead, ACK),
    ]
}

fn plugged(
    rules: Vec<bitstap::fault::RuleState>,
    held: Vec<Held>,
    size: (u16, u16),
) -> (Screen, Arc<Fake>) {
    let fake = Arc::new(Fake::with(rules, held));
    let mut screen = Screen::new(story(), size.0, size.1);
    screen.control = Some(fake.clone());
    screen.look();
    (screen, fake)
}

fn wide(held: Vec<Held>) -> (Screen, Arc<Fake>) {
    plugged(rules(), held, (120, 40))
}

fn state(fake: &Fake) -> std::sync::MutexGuard<'_, State> {
    fake.state.lock().unwrap()
}

fn message(screen: &Screen) -> (String, bool) {
    let message = screen.model.message.clone().expect("a message");
    (message.text, message.bad)
}

fn released(fake: &Fake) -> Vec<(u64, Release)> {
    state(fake).released.clone()
}

#[test]
fn a_broken_rules_file_is_told_wherever_the_user_is() {
    let (mut screen, fake) = wide(Vec::new());
    let wrong = "rules.toml:12:6: unclosed array, expected `]`";
    state(&fake).trouble = Some(wrong.to_owned());
    screen.look();
    let told = format!("the rules stay as they were: {wrong}");
    assert_eq!(message(&screen), (told, true));
    let text = screen.keys("5").text();
    assert!(
        text.contains("Rules as they were: their file is broken"),
        "{text}"
    );
    assert!(text.contains(wrong), "{text}");
    state(&fake).trouble = None;
    screen.look();
    assert_eq!(
        message(&screen),
        ("the rules file is in force again".to_owned(), false)
    );
    assert!(!screen.text().contains(wrong));
}

#[test]
fn rules_and_held_messages_look_like_this() {
    for (name, size) in [("80x24", (80, 24)), ("120x40", (120, 40))] {
        let (mut screen, _) = plugged(rules(), Vec::new(), size);
        screen.keys("5");
        screen.look();
        assert_snapshot!(format!("rules_{name}"), screen.text());
        let (mut screen, fake) = plugged(rules(), two(), size);
        assert_snapshot!(format!("held_{name}"), screen.keys("2").text());
        state(&fake).now = Duration::from_millis(141_200);
        screen.look();
        assert_snapshot!(format!("held_late_{name}"), screen.text());
        assert_snapshot!(format!("form_{name}"), screen.keys("e").text());
        screen.keys("<Down><Down><Down><Down><C-u>9-0/30<Enter>");
        assert_snapshot!(format!("form_wrong_{name}"), screen.text());
    }
}

#[test]
fn without_a_running_proxy_keys_say_so() {
    for key in ["T", "i", "a", "A", "e", "E", "X", "5t", ":reload<Enter>"] {
        let mut screen = Screen::new(story(), 80, 24);
        screen.keys(key);
        let (text, bad) = message(&screen);
        assert!(bad && text.contains("running proxy"), "{key}: {text}");
        assert!(screen.effects.is_empty(), "{key}");
    }
    let text = Screen::new(hostile(), 80, 24).keys("5").text();
    assert!(text.contains("Rules belong to a running proxy"), "{text}");
}

#[test]
fn a_rule_is_turned_off_and_on() {
    let (mut screen, fake) = wide(Vec::new());
    screen.keys("5jt");
    assert!(!state(&fake).rules[1].on);
    assert_eq!(message(&screen).0, "rule look-at-it is off");
    assert!(screen.text().contains("faults 1 on"));
    screen.keys("<Enter>");
    assert!(state(&fake).rules[1].on);
    screen.keys("<Esc>");
    assert_eq!(screen.model.view, View::Sessions);
}

#[test]
fn all_faults_are_off_at_once_whatever_is_open() {
    for before in [
        "",
        "5",
        "6",
        "3",
        "4",
        "?",
        "y",
        "/<C-t>",
        "e<C-t>",
        "e<Tab><C-t>",
        ":<C-t>",
        "p",
        "<Enter><Enter><Enter>",
    ] {
        let (mut screen, fake) = wide(two());
        screen.keys(before);
        if !before.contains("<C-t>") {
            screen.keys("T");
        }
        assert!(!state(&fake).on, "after {before}");
        assert!(message(&screen).0.contains("2 still held"), "{before}");
    }
    let (mut screen, fake) = wide(Vec::new());
    screen.keys("TT");
    assert!(!state(&fake).on, "a second press changes nothing");
    assert!(screen.text().contains("faults OFF"));
    screen.keys(":faults on<Enter>");
    assert!(state(&fake).on);
    screen.keys("/T");
    assert!(state(&fake).on, "a letter that is typed is a letter");
}

#[test]
fn the_rules_say_why_not_for_the_selected_packet() {
    let (mut screen, fake) = wide(Vec::new());
    screen.keys("2gjjj5");
    screen.look();
    assert_eq!(state(&fake).asked.last(), Some(&(ConnId(1), 3)));
    let text = screen.text();
    assert!(
        text.contains("on packet 4: its condition does not hold"),
        "{text}"
    );
}

#[test]
fn a_reload_that_fails_is_told() {
    let (mut screen, _) = wide(Vec::new());
    screen.keys(":reload<Enter>");
    let (text, bad) = message(&screen);
    assert!(bad && text.contains("rules.toml:3:1"), "{text}");
}

#[test]
fn the_breakpoint_is_a_filter_that_is_set_and_cleared() {
    let (mut screen, fake) = wide(Vec::new());
    screen.keys("ihttp.statsu<Enter>");
    assert!(screen.model.prompt.is_some(), "it stays to be corrected");
    assert!(screen.text().contains("there is no field"));
    screen.keys("<C-u>bits.type == fragm<Tab><Enter>");
    assert!(screen.text().contains("hold on"));
    screen.keys("i");
    screen.keys("i<Enter>");
    let set: Vec<Option<String>> = state(&fake).breakpoints.clone();
    assert_eq!(
        set,
        [
            Some("bits.type == Fragment".to_owned()),
            None,
            Some(String::new())
        ]
    );
    assert_eq!(message(&screen).0, "every message is held from now on");
}

#[test]
fn the_oldest_goes_first_and_the_selected_packet_before_it() {
    let (mut screen, fake) = wide(two());
    screen.keys("2ga");
    assert_eq!(released(&fake), [(1, Release::Pass)]);
    let (mut screen, fake) = wide(two());
    screen.keys("2:9<Enter>a");
    assert_eq!(released(&fake), [(2, Release::Pass)]);
    let (mut screen, fake) = wide(two());
    screen.keys("A");
    assert_eq!(released(&fake), [(1, Release::Pass), (2, Release::Pass)]);
    assert_eq!(message(&screen).0, "2 messages go on");
    screen.keys("a");
    assert!(message(&screen).0.contains("nothing is held"));
}

#[test]
fn a_connection_is_reset_only_after_a_question() {
    let (mut screen, fake) = wide(two());
    screen.keys("X");
    assert!(screen.text().contains("Reset both ends?"));
    screen.keys("<Esc>X<Down><Enter>");
    assert_eq!(state(&fake).killed, []);
    screen.keys("X<Enter>");
    assert_eq!(state(&fake).killed, [ConnId(1)]);
}

#[test]
fn answers_name_the_session_and_the_offset() {
    let answer = |keys: &str| {
        let (mut screen, fake) = wide(two());
        screen.keys("2gE").keys(keys);
        let all = released(&fake);
        let Some((1, Release::Respond(bytes))) = all.first().cloned() else {
            panic!("no answer: {all:?}\n{}", screen.text());
        };
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let lost = answer("1");
    assert!(lost.starts_with("HTTP/1.1 500 "), "{lost}");
    assert!(
        lost.contains("BITS-Session-Id: {3F2B}\r\nBITS-Error-Code: 0x8020001F\r\n"),
        "{lost}"
    );
    let rewind = answer("2<C-u>4MiB<Enter>");
    assert!(
        rewind.contains("416 ") && rewind.contains("Range: 4194304\r\n"),
        "{rewind}"
    );
    assert!(answer("3").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    let free = answer("4<End> then<Down><Down><Down><C-o>hello<Enter>");
    assert!(free.starts_with("HTTP/1.1 200 OK then\r\n"), "{free}");
    assert!(
        free.ends_with("\r\nContent-Length: 5\r\n\r\nhello"),
        "{free}"
    );
}

#[test]
fn a_download_is_answered_without_fields_of_uploads() {
    for (key, wanted) in [
        (
            "1",
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "2<C-u>30<Enter>",
            "HTTP/1.1 416 Requested Range Not Satisfiable\r\nContent-Range: bytes */30\r\nContent-Length: 0\r\n\r\n",
        ),
    ] {
        let get = "GET /files/driver.cab HTTP/1.1\r\nRange: bytes=40-50\r\n\r\n";
        let (mut screen, fake) = wide(vec![held(1, 1, 11, Stage::RequestHead, get)]);
        screen.keys("E").keys(key);
        let answer = Release::Respond(wanted.into());
        assert_eq!(released(&fake), [(1, answer)], "{key}");
    }
}

#[test]
fn an_offset_that_is_none_stays_to_be_corrected() {
    let (mut screen, fake) = wide(two());
    screen.keys("2gE2<C-u>x<Enter>");
    assert!(message(&screen).0.contains("not an offset"));
    screen.keys("<C-u>0<Enter>");
    assert_eq!(released(&fake).len(), 1);
}

#[test]
fn a_field_is_edited_and_the_message_goes_on_with_it() {
    let (mut screen, fake) = wide(two());
    screen.keys("2ge<Down><Down><C-u>{other}<Enter>");
    let wanted = FRAGMENT.replace("{3F2B}", "{other}");
    assert_eq!(released(&fake), [(1, Release::Replace(wanted.into()))]);
    assert!(screen.model.operator.form.is_none());
}

#[test]
fn nothing_changed_is_passing_and_escape_keeps_it_held() {
    let (mut screen, fake) = wide(two());
    screen.keys("2ge<Down>xyz<Esc>");
    assert_eq!(released(&fake), []);
    assert!(message(&screen).0.contains("stays held"));
    screen.keys("e<Tab><Enter>");
    assert_eq!(released(&fake), [(1, Release::Pass)]);
}

#[test]
fn fields_and_raw_text_are_the_same_head() {
    let (mut screen, fake) = wide(two());
    screen.keys("2ge<Down><Down><C-u>{a}<Tab>");
    let form = screen.model.operator.form.as_ref().unwrap();
    assert!(form.raw.lines.contains(&"BITS-Session-Id: {a}".to_owned()));
    screen.keys("<Down><C-k><C-k><Tab>");
    assert_eq!(
        screen.model.operator.form.as_ref().unwrap().face,
        Face::Fields
    );
    screen.keys("<Tab><C-o>X: 1<Enter>");
    let all = released(&fake);
    assert!(all.is_empty(), "an empty first line is no head: {all:?}");
    assert!(screen.text().contains("! line 1"), "{}", screen.text());
}

#[test]
fn another_length_is_asked_about_once() {
    let (mut screen, fake) = wide(two());
    screen.keys("2ge<Down><Down><Down><Down><C-u>5<Enter>");
    assert_eq!(released(&fake), []);
    let (text, bad) = message(&screen);
    assert!(bad && text.contains("keeps its length"), "{text}");
    screen.keys("<Enter>");
    assert_eq!(released(&fake).len(), 1);
}

#[test]
fn what_an_editor_leaves_is_taken_or_explained() {
    let (mut screen, fake) = wide(two());
    screen.keys("2ge<F4>");
    let Some(Effect::Editor(text)) = screen.effects.last().cloned() else {
        panic!("no editor: {:?}", screen.effects);
    };
    let text = String::from_utf8(text).unwrap();
    assert_eq!(
        text,
        FRAGMENT.replace("\r\n", "\n").trim_end().to_owned() + "\n"
    );
    screen.send(Input::Edited(Ok(b"no head at all\n".to_vec())));
    assert!(
        screen.text().contains("not a request line"),
        "{}",
        screen.text()
    );
    screen.send(Input::Edited(Err("vi ended with 1".into())));
    assert!(message(&screen).1);
    assert_eq!(released(&fake), []);
    let saved = text.replace("{3F2B}", "{x}");
    screen.send(Input::Edited(Ok(saved.into_bytes())));
    screen.keys("<Enter>");
    let wanted = FRAGMENT.replace("{3F2B}", "{x}");
    assert_eq!(released(&fake), [(1, Release::Replace(wanted.into()))]);
}

#[test]
fn a_message_that_left_meanwhile_is_told() {
    let (mut screen, fake) = wide(two());
    screen.keys("2ge");
    state(&fake).held.clear();
    screen.look();
    assert!(screen.text().contains("waits no more"));
    screen.keys("<Enter>");
    let (text, bad) = message(&screen);
    assert!(bad && text.contains("went on by itself"), "{text}");
}

#[test]
fn a_thousand_rules_and_held_messages_stay_in_their_places() {
    let many = (0..1000)
        .map(|no| rule(&format!("r{no}"), true, "x\u{1b}[2J"))
        .collect();
    let held = (1..=1000)
        .map(|no: u32| held(no.into(), no, 0, Stage::RequestHead, "junk"))
        .collect();
    let (mut screen, _) = plugged(many, held, (80, 24));
    let text = screen.keys("5<End>").text();
    assert!(text.contains("r999") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(text.lines().count(), 24);
    for (width, height) in [(80, 10), (30, 5), (10, 3), (1, 1), (200, 60)] {
        for keys in ["", "2", "5", "e", "E", "X", "i", "e<Tab>"] {
            let held = (1..=9)
                .map(|no| operator::held(no, 1, no, Stage::RequestHead, "junk"))
                .collect();
            let (mut screen, _) = plugged(rules(), held, (width, height));
            screen.keys(keys);
        }
    }
}
