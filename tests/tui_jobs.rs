//! Replaying, sending again and exporting from the screen: what is asked, what is ordered, what is shown.

#[path = "support/screen/mod.rs"]
mod screen;

use std::path::PathBuf;

use bitstap::tui::Status;
use bitstap::tui::job::{End, Export, Job, Order, Part, Told};
use bitstap::tui::model::View;
use bitstap::tui::update::{Effect, Input};
use insta::assert_snapshot;
use screen::rows::{hostile, story};
use screen::{Screen, live_status};

const UPSTREAM: &str = "http://iis.corp";

fn sized(width: u16, height: u16) -> Screen {
    let mut screen = Screen::new(story(), width, height);
    screen.send(Input::Status(Box::new(Status {
        upstream: Some(UPSTREAM.into()),
        ..live_status()
    })));
    screen
}

fn wide() -> Screen {
    sized(120, 40)
}

/// Returns what was ordered last, if nothing else was asked for since.
fn ordered(screen: &Screen) -> Option<&Order> {
    match screen.effects.last() {
        Some(Effect::Begin(order)) => Some(order),
        _ => None,
    }
}

fn tell(screen: &mut Screen, done: u64, all: Option<u64>, end: Option<End>) {
    screen.send(Input::Job(Told {
        doing: "replaying session 1 to http://iis.corp".into(),
        done,
        all,
        end,
    }));
}

/// What `replay` prints of a session that went otherwise.
fn differences() -> End {
    let mut lines = vec!["session 1 upload report.csv -> http://iis.corp/up/report.csv".to_owned()];
    lines
        .extend((1..60).map(|no| {
            format!("  differs  exchange {no} Fragment: status: recorded 200, live 500")
        }));
    lines.push("1 session, 60 requests on 1 connection: 59 differences".to_owned());
    End::Done {
        text: "session 1 replayed to http://iis.corp: 59 differences".into(),
        bad: true,
        lines,
    }
}

#[test]
fn a_session_is_replayed_to_the_upstream_or_where_the_last_one_went() {
    let mut screen = wide();
    screen.keys("r<Enter>");
    let to = UPSTREAM.to_owned();
    assert_eq!(ordered(&screen), Some(&Order::Replay { session: 1, to }));
    tell(
        &mut screen,
        1,
        Some(1),
        Some(End::Stopped("stopped".into())),
    );
    screen.keys("jr/again/<Enter>");
    let to = format!("{UPSTREAM}/again/");
    let second = Order::Replay {
        session: 2,
        to: to.clone(),
    };
    assert_eq!(ordered(&screen), Some(&second));
    tell(
        &mut screen,
        1,
        Some(1),
        Some(End::Stopped("stopped".into())),
    );
    screen.keys("r");
    let prompt = screen.model.prompt.as_ref().expect("a line");
    assert_eq!(prompt.typed.value(), to, "where the last one went");
}

#[test]
fn an_empty_line_and_escape_order_nothing() {
    let mut screen = wide();
    screen.keys("r<C-u><Enter>r<Esc>x<Esc>R<C-u><Enter>");
    assert_eq!(screen.effects, []);
    assert!(screen.model.jobs.running.is_none() && screen.model.jobs.confirm.is_none());
}

#[test]
fn a_packet_goes_out_again_only_after_a_yes() {
    let mut screen = wide();
    screen.keys("<Enter>]R<Enter>");
    assert_eq!(screen.effects, [], "it waits for a yes");
    let text = screen.text();
    assert!(
        text.contains("Send packet 8 again") && text.contains("moves the session's state"),
        "{text}"
    );
    screen.keys("<Enter>");
    assert_eq!(screen.effects, [], "Enter is no yes");
    assert!(screen.text().contains("nothing was done"));
    screen.keys("R<Enter>y");
    let to = UPSTREAM.to_owned();
    assert_eq!(ordered(&screen), Some(&Order::Resend { exchange: 8, to }));
}

#[test]
fn the_screen_stays_live_while_a_job_runs_and_escape_stops_it() {
    let mut screen = wide();
    screen.keys("r<Enter>");
    tell(&mut screen, 3, Some(12), None);
    let text = screen.text();
    assert!(
        text.contains("replaying session 1 to http://iis.corp") && text.contains("3 of 12"),
        "{text}"
    );
    screen.keys("2j");
    assert_eq!(screen.model.view, View::Packets);
    assert!(screen.text().contains("3 of 12"));
    screen.keys("r");
    assert!(screen.model.prompt.is_none(), "one at a time");
    assert!(screen.text().contains("one thing at a time"));
    screen.keys("?<Esc>");
    assert!(
        !screen.effects.contains(&Effect::StopJob),
        "the help is closed first"
    );
    screen.keys("<Esc>");
    assert_eq!(screen.effects.last(), Some(&Effect::StopJob));
    assert_eq!(screen.model.view, View::Packets, "it goes nowhere");
    assert!(screen.text().contains("stopping"));
    let end = End::Stopped("stopped; what was sent before is with the server".into());
    tell(&mut screen, 3, Some(12), Some(end));
    assert!(screen.text().contains("what was sent before"));
    assert!(screen.model.jobs.running.is_none());
}

#[test]
fn differences_are_read_over_the_rows() {
    let mut screen = wide();
    screen.keys("r<Enter>");
    tell(&mut screen, 60, Some(60), Some(differences()));
    let text = screen.text();
    assert!(text.contains("exchange 1 Fragment: status"), "{text}");
    assert!(!text.contains("exchange 59 Fragment"), "{text}");
    screen.keys("j<PgDn>G");
    assert!(screen.text().contains("exchange 59 Fragment"));
    screen.keys("g");
    assert!(screen.text().contains("exchange 1 Fragment"));
    screen.keys("q");
    assert!(screen.model.jobs.report.is_none());
    assert!(
        !screen
            .effects
            .iter()
            .any(|e| matches!(e, Effect::Quit { .. })),
        "q closes what is open"
    );
}

#[test]
fn what_a_peer_named_does_nothing_to_the_terminal() {
    let mut screen = wide();
    screen.keys("r<Enter>");
    let end = End::Done {
        text: "done \u{1b}[2J".into(),
        bad: false,
        lines: vec!["name \u{1b}]0;owned\u{7} \u{202e}".into()],
    };
    tell(&mut screen, 1, Some(1), Some(end));
    let text = screen.text();
    let harmless = |text: &str| !text.contains(['\u{1b}', '\u{7}', '\u{202e}']);
    assert!(harmless(&text), "{text:?}");
    let text = Screen::new(hostile(), 120, 40).keys("x").text();
    assert!(text.contains(" Export ") && harmless(&text), "{text:?}");
}

#[test]
fn what_cannot_be_done_says_why_and_what_to_try() {
    let mut screen = wide();
    screen.keys("r<Enter>");
    let end = End::Failed {
        text: "the client of exchange 2 authenticates by NTLM".into(),
        hint: Some("--without-auth plays it without credentials".into()),
    };
    tell(&mut screen, 0, None, Some(end));
    let text = screen.text();
    assert!(
        text.contains("authenticates by NTLM") && text.contains("hint: --without-auth"),
        "{text}"
    );
    screen.keys("<Esc>");
    assert!(!screen.text().contains("hint:"));
}

/// Exports what line `choice` of the menu says to `name`.
fn export(screen: &mut Screen, choice: &str, name: &str) -> Export {
    screen.keys(&format!("x{choice}<C-u>{name}<Enter>"));
    match ordered(screen) {
        Some(Order::Export(export)) => export.clone(),
        other => panic!("not an export: {other:?}"),
    }
}

#[test]
fn a_session_the_filters_rows_or_everything_is_exported() {
    let mut screen = wide();
    let one = export(&mut screen, "1", "one.har");
    let expected = Export {
        part: Part::Session(1),
        to: PathBuf::from("one.har"),
        over: false,
        reveal: false,
    };
    assert_eq!(one, expected);
    let stopped = End::Stopped("stopped".into());
    tell(&mut screen, 0, None, Some(stopped.clone()));
    assert_eq!(export(&mut screen, "2", "all.csv").part, Part::Everything);
    tell(&mut screen, 0, None, Some(stopped));
    screen.keys("/http.status >= 400<Enter>P");
    let filtered = export(&mut screen, "2", "bad.jsonl");
    assert_eq!(filtered.part, Part::Filter("http.status >= 400".into()));
    assert!(filtered.reveal, "as the screen shows them");
}

#[test]
fn a_file_that_is_there_is_replaced_only_after_a_yes() {
    let mut screen = wide();
    let first = export(&mut screen, "2", "all.har");
    tell(&mut screen, 0, None, Some(End::There));
    assert!(screen.text().contains("all.har is there already"));
    screen.keys("n");
    assert!(screen.model.jobs.running.is_none());
    let before = screen.effects.len();
    export(&mut screen, "2", "all.har");
    tell(&mut screen, 0, None, Some(End::There));
    screen.keys("y");
    assert_eq!(screen.effects.len(), before + 2);
    let over = Export {
        over: true,
        ..first
    };
    assert_eq!(ordered(&screen), Some(&Order::Export(over)));
}

#[test]
fn a_job_passes_on_how_far_it_is_and_that_it_is_to_stop() {
    let job = Job::default();
    job.tell("exporting", 5, None);
    assert_eq!((job.told().done, job.told().all), (5, None));
    assert!(!job.stopped().load(std::sync::atomic::Ordering::Relaxed));
    job.stop();
    assert!(job.stopped().load(std::sync::atomic::Ordering::Relaxed));
    job.end(End::There);
    job.end(End::Stopped("later".into()));
    assert_eq!(job.told().end, Some(End::There), "the first word counts");
}

#[test]
fn jobs_look_like_this() {
    for (width, height) in [(80, 24), (120, 40)] {
        let named = |what: &str| format!("{what}_{width}x{height}");
        let mut screen = sized(width, height);
        assert_snapshot!(named("export"), screen.keys("x").text());
        screen.keys("<Esc>r<Enter>");
        tell(&mut screen, 5, Some(12), None);
        assert_snapshot!(named("progress"), screen.text());
        tell(&mut screen, 60, Some(60), Some(differences()));
        assert_snapshot!(named("differences"), screen.text());
        screen.keys("<Esc><Enter>]R<Enter>");
        assert_snapshot!(named("resend"), screen.text());
    }
}
