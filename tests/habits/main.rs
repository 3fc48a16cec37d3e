//! Peers with habits of their own: sessions, stories and findings are what a careful reader would say.
//!
//! Each conversation shows what some server, client or HTTP layer does; the snapshot holds what is said of
//! it. A finding in it accuses somebody: read it as one who has to answer for it.

#[path = "../support/conversation.rs"]
mod conversation;
#[path = "../support/dialogue.rs"]
mod dialogue;

mod answers;
mod downloads;
mod uploads;

use std::fmt::Write as _;

use bitstap::timeline::Profile;
use conversation::sessions;
use dialogue::Dialogue;

/// Returns what is said of the conversations under the profile of Windows.
fn told(habits: Vec<(&'static str, Dialogue)>) -> String {
    let mut text = String::new();
    for (name, talk) in habits {
        let timeline = talk.timeline(Profile::Windows);
        let _ = writeln!(text, "# {name}");
        for (line, session) in sessions(&timeline).iter().zip(timeline.sessions()) {
            let _ = writeln!(text, "{line}");
            for sentence in &session.story {
                let _ = writeln!(text, "   {sentence}");
            }
        }
        for finding in timeline.findings() {
            let no = finding
                .exchange
                .map_or_else(|| "-".to_owned(), |no| no.to_string());
            let level = finding.level.name();
            let _ = writeln!(text, "  {level} {} {no}: {}", finding.id, finding.text);
        }
        text.push('\n');
    }
    text
}

#[test]
fn of_uploads() {
    holds("habits_of_uploads", &told(uploads::habits()));
}

#[test]
fn of_answers() {
    holds("habits_of_answers", &told(answers::habits()));
}

#[test]
fn of_downloads() {
    holds("habits_of_downloads", &told(downloads::habits()));
}

fn holds(name: &str, said: &str) {
    insta::with_settings!({ omit_expression => true, snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, said);
    });
}
