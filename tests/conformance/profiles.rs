//! Where the documents disagree, the profile decides; and what only the checker itself can be asked.

use std::time::Duration;

use bitstap::bits::check::{Answered, Asked, Checker, Cut, Facts, find};
use bitstap::bits::packet::{read_ack, read_request};
use bitstap::timeline::{Level, Profile};
use bitstap::wire::{Conversation, Head, Item, Stream};

use crate::dialogue::*;

/// Returns the level of the finding of `rule` under each profile, in the order windows, spec, docs.
fn levels(rule: &str, talk: &Dialogue) -> [Level; 3] {
    Profile::ALL.map(|profile| {
        let timeline = talk.timeline(profile);
        let found = timeline.findings().iter().find(|found| found.id == rule);
        found.map_or(Level::Off, |found| found.level)
    })
}

#[test]
fn each_document_has_its_own_levels() {
    use Level::{Error, Note, Off, Warning};

    let bare_ack = created().say(&first().back_without("BITS-Session-Id"));
    assert_eq!(levels("BUP-AK-05", &bare_ack), [Note, Error, Note]);
    let content = created().say(&first().reply("thanks"));
    assert_eq!(levels("BUP-AK-04", &content), [Warning, Error, Note]);
    let number = Dialogue::new().say(&create().back("BITS-Session-Id: 17"));
    assert_eq!(levels("BUP-AC-03", &number), [Note, Error, Off]);
    let made = Dialogue::new().say(&create().status("HTTP/1.1 201 Created"));
    assert_eq!(levels("BUP-AC-04", &made), [Note, Warning, Off]);
    let host = Dialogue::new().say(&create().back("BITS-Host-Id: srv1"));
    assert_eq!(levels("BUP-AC-10", &host), [Note, Error, Note]);
    let early = begun().say(&close());
    assert_eq!(levels("BUP-CL-02", &early), [Error, Warning, Error]);
    let hung_up = created().say(&first().passes(4).unanswered()).hang_up();
    assert_eq!(levels("BUP-FR-09", &hung_up), [Note, Error, Error]);
    let unit = created().say(&first().with("Content-Range: Bytes 0-5119/15360"));
    assert_eq!(levels("BUP-FR-06", &unit), [Note, Note, Off]);
}

#[test]
fn an_error_by_the_name_of_the_profiles_document_is_in_order() {
    use Level::{Note, Off};

    let code = begun().say(&second().refused("403 Forbidden", "0x80070005"));
    assert_eq!(levels("BUP-ER-10", &code), [Note, Note, Off]);
    let error = second()
        .refused("403 Forbidden", "0x80070005")
        .back_without("BITS-Error-Code")
        .back("BITS-Error: 0x80070005");
    assert_eq!(levels("BUP-ER-10", &begun().say(&error)), [Note, Off, Note]);
}

#[test]
fn a_forgotten_session_on_close_is_begun_anew_only_by_the_text() {
    let talk = complete().all(&[close().forgotten(), close().forgotten()]);
    let [windows, spec, _] = levels("BUP-SE-03", &talk);
    assert_eq!((windows, spec), (Level::Off, Level::Error));
}

#[test]
fn rules_are_found_by_their_id_in_any_case() {
    assert_eq!(find(" bup-fr-12 ").map(|rule| rule.id), Some("BUP-FR-12"));
    assert!(find("BUP-FR-99").is_none());
}

fn heads(request: &str, response: &str) -> (Head, Head) {
    let (mut talk, mut seen) = (Conversation::new(), Vec::new());
    talk.feed(Stream::Requests, request.as_bytes(), &mut seen);
    talk.feed(Stream::Responses, response.as_bytes(), &mut seen);
    let mut heads = seen.into_iter().filter_map(|seen| match seen.item {
        Item::Head { head, .. } => Some(head),
        _ => None,
    });
    (heads.next().unwrap(), heads.next().unwrap())
}

#[test]
fn other_bytes_for_the_same_range_are_found_where_digests_are_known() {
    let (asked, answered) = heads(
        "BITS_POST /f HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}\r\nContent-Range: bytes 0-5/6\r\nHost: a\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
    );
    let (request, ack) = (read_request(&asked), read_ack(&answered));
    let mut checker = Checker::new(Profile::Windows);
    checker.connection_opened(1, true);
    let mut judge = |no: u32, digest| {
        let at = Duration::from_secs(u64::from(no));
        let found = checker.exchange(&Facts {
            no,
            conn: 1,
            session: Some(1),
            client: None,
            tls: false,
            ours: false,
            torn: false,
            request: Asked {
                head: &asked,
                says: &request,
                content: 6,
                cut: Cut::No,
                begun: at,
                ended: Some(at),
            },
            response: Some(Answered {
                head: &answered,
                says: &ack,
                content: 0,
                cut: Cut::No,
                begun: at,
                ended: at,
            }),
            digest,
            parts: None,
        });
        found.iter().any(|finding| finding.id == "BUP-FR-14")
    };
    assert!(!judge(1, Some(7)));
    assert!(!judge(2, Some(7)));
    assert!(!judge(3, None));
    assert!(judge(4, Some(8)));
}
