//! What two answers differ in, for a client: statuses and BITS fields.
//!
//! Ids, dates, addresses, versions and texts are variables of a server, not differences. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::bits::{Packet, hresult};
use crate::peer::recording::{Recorded, Said};

/// One thing that the live server did otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `status`, `order`, `state`, ..., or the name of a field.
    pub what: &'static str,
    /// What the recording has.
    pub recorded: String,
    /// What the live server did.
    pub live: String,
}

impl Difference {
    pub(super) fn new(
        what: &'static str,
        recorded: impl Into<String>,
        live: impl Into<String>,
    ) -> Self {
        Self {
            what,
            recorded: recorded.into(),
            live: live.into(),
        }
    }
}

/// The byte after the last that was sent, in the recording and now; 0 where none was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) recorded: u64,
    pub(super) live: u64,
}

/// Compares how one request was answered; `live` is `None` where no whole answer came.
pub(super) fn answers(
    packet: Packet,
    recorded: &Recorded,
    live: Option<&Said>,
    ends: Ends,
) -> Vec<Difference> {
    match (recorded, live) {
        (Recorded::Unknown, _) | (Recorded::Nothing, None) => Vec::new(),
        (Recorded::Nothing, Some(live)) => {
            vec![Difference::new("answer", "none", live.status.to_string())]
        }
        (Recorded::Answer(recorded), None) => {
            vec![Difference::new(
                "answer",
                recorded.status.to_string(),
                "none",
            )]
        }
        (Recorded::Answer(recorded), Some(live)) => {
            let mut found = Vec::new();
            if recorded.status != live.status {
                let status = |said: &Said| said.status.to_string();
                found.push(Difference::new("status", status(recorded), status(live)));
            }
            match packet {
                Packet::Head | Packet::Get => download(packet, recorded, live, &mut found),
                _ => {
                    upload(recorded, live, ends, &mut found);
                    found.extend(spelling(recorded, live));
                }
            }
            found
        }
    }
}

fn upload(recorded: &Said, live: &Said, ends: Ends, found: &mut Vec<Difference>) {
    let (one, two) = (&recorded.ack, &live.ack);
    let mut field = |what, one: Option<String>, two: Option<String>| {
        if one != two {
            let text = |value: Option<String>| value.unwrap_or_else(|| "absent".to_owned());
            found.push(Difference::new(what, text(one), text(two)));
        }
    };
    let present = |there: bool| there.then(|| "present".to_owned());
    field("BITS-Packet-Type", present(one.is_ack), present(two.is_ack));
    let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_ascii_lowercase());
    field("BITS-Protocol", lower(&one.protocol), lower(&two.protocol));
    field(
        "BITS-Session-Id",
        present(one.session_id.is_some()),
        present(two.session_id.is_some()),
    );
    let (wanted, told) = (one.received, two.received);
    // Behind what was sent, both may tell the same in other numbers.
    let same = match (wanted, told) {
        (Some(wanted), Some(told)) => {
            wanted == told
                || (recorded.status != 416
                    && i128::from(wanted) - i128::from(ends.recorded)
                        == i128::from(told) - i128::from(ends.live))
        }
        (one, two) => one.is_some() == two.is_some(),
    };
    if !same {
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        field("BITS-Received-Content-Range", number(wanted), number(told));
    }
    let code = |code: Option<u32>| {
        code.filter(|code| *code != 0)
            .map(|code| format!("0x{code:08X} {}", hresult::name(code)))
    };
    field("BITS-Error-Code", code(one.error), code(two.error));
    let context = |context: Option<u32>| context.map(|context| format!("0x{context:X}"));
    field(
        "BITS-Error-Context",
        context(one.context),
        context(two.context),
    );
    field(
        "BITS-Reply-URL",
        present(one.reply_url.is_some()),
        present(two.reply_url.is_some()),
    );
    field(
        "BITS-Host-Id",
        present(one.host_id.is_some()),
        present(two.host_id.is_some()),
    );
}

/// Compares how fields that both answers have are spelled: a client may know one spelling only.
fn spelling<'s>(recorded: &'s Said, live: &'s Said) -> impl Iterator<Item = Difference> + 's {
    recorded.spellings.iter().filter_map(|one| {
        let mut same = live.spellings.iter().filter(|two| two.name == one.name);
        let two = same.clone().next()?;
        let differs = same.all(|two| two.wire != one.wire);
        differs.then(|| Difference::new("spelling", one.wire, two.wire))
    })
}

fn download(packet: Packet, recorded: &Said, live: &Said, found: &mut Vec<Difference>) {
    let (one, two) = (&recorded.ack, &live.ack);
    let text = |value: Option<u64>| value.map_or_else(|| "absent".to_owned(), |n| n.to_string());
    if packet == Packet::Head && one.length != two.length {
        found.push(Difference::new(
            "Content-Length",
            text(one.length),
            text(two.length),
        ));
    }
    if one.range != two.range {
        let range = |said: &Said| {
            said.ack.range.map_or_else(
                || "absent".to_owned(),
                |range| format!("{}-{}/{}", range.first, range.last, text(range.total)),
            )
        };
        found.push(Difference::new(
            "Content-Range",
            range(recorded),
            range(live),
        ));
    }
    if one.multipart != two.multipart {
        let kind = |multipart| {
            if multipart {
                "several ranges"
            } else {
                "one piece"
            }
        };
        found.push(Difference::new(
            "Content-Type",
            kind(one.multipart),
            kind(two.multipart),
        ));
    }
}

/// What is told of how a server acknowledges Fragments, whatever their sizes: name and value.
pub(super) type Manner = (&'static str, String);

/// Returns the manners of one usual answer to a Fragment that ended before byte `end`.
pub(super) fn manners(said: &Said, end: u64) -> Vec<Manner> {
    let ack = &said.ack;
    let present = |there: bool| if there { "present" } else { "absent" }.to_owned();
    let received = match ack.received {
        None => "absent",
        Some(received) if received == end => "the byte after the Fragment",
        Some(received) if received < end => "a byte before the Fragment's end",
        Some(_) => "a byte beyond the Fragment",
    };
    vec![
        ("status", said.status.to_string()),
        ("BITS-Packet-Type", present(ack.is_ack)),
        ("BITS-Session-Id", present(ack.session_id.is_some())),
        ("BITS-Reply-URL", present(ack.reply_url.is_some())),
        ("BITS-Received-Content-Range", received.to_owned()),
        ("spelling", odd_spellings(said)),
    ]
}

/// Names the fields of an answer that are not spelled as usual.
fn odd_spellings(said: &Said) -> String {
    let odd = said.spellings.iter().filter(|one| !one.oddity.is_empty());
    let odd: Vec<&str> = odd.map(|one| one.wire).collect();
    if odd.is_empty() {
        "the usual one".to_owned()
    } else {
        odd.join(", ")
    }
}

/// Compares manners: what the live server never did in the recording, and a reply that it did not name.
pub(super) fn habits(recorded: &BTreeSet<Manner>, live: &BTreeSet<Manner>) -> Vec<Difference> {
    let of = |manners: &BTreeSet<Manner>, what: &str| {
        let values = manners.iter().filter(|(name, _)| *name == what);
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        values.join(" or ")
    };
    let named = |manner: &&Manner| manner.0 == "BITS-Reply-URL" && manner.1 == "present";
    let mut found: Vec<&'static str> = live.difference(recorded).map(|(what, _)| *what).collect();
    found.extend(
        recorded
            .difference(live)
            .filter(named)
            .map(|(what, _)| *what),
    );
    found.dedup();
    if recorded.is_empty() || live.is_empty() {
        return Vec::new();
    }
    found
        .into_iter()
        .map(|what| Difference::new(what, of(recorded, what), of(live, what)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Ack;
    use crate::bits::header::identify;

    fn said(status: u16, change: impl FnOnce(&mut Ack)) -> Said {
        let mut ack = Ack {
            is_ack: true,
            session_id: Some("{1}".to_owned()),
            received: Some(20),
            ..Ack::default()
        };
        change(&mut ack);
        Said {
            status,
            ack,
            spellings: Vec::new(),
        }
    }

    fn compared(one: Said, two: &Said, ends: Ends) -> Vec<&'static str> {
        answers(
            Packet::Fragment,
            &Recorded::Answer(Box::new(one)),
            Some(two),
            ends,
        )
        .into_iter()
        .map(|difference| difference.what)
        .collect()
    }

    #[test]
    fn ids_and_urls_are_variables_their_presence_is_not() {
        let ends = Ends {
            recorded: 20,
            live: 20,
        };
        let other = said(200, |ack| {
            ack.session_id = Some("77".to_owned());
            ack.etag = Some("\"x\"".to_owned());
        });
        assert!(compared(said(200, |_| ()), &other, ends).is_empty());
        let bare = said(200, |ack| ack.session_id = None);
        assert_eq!(
            compared(said(200, |_| ()), &bare, ends),
            ["BITS-Session-Id"]
        );
        let reply = said(200, |ack| ack.reply_url = Some("/r".to_owned()));
        assert_eq!(
            compared(said(200, |_| ()), &reply, ends),
            ["BITS-Reply-URL"]
        );
    }

    #[test]
    fn an_offset_counts_from_what_was_sent_but_a_rewind_does_not() {
        let at = |received| said(200, |ack| ack.received = Some(received));
        let ends = Ends {
            recorded: 20,
            live: 35,
        };
        assert!(compared(at(20), &at(35), ends).is_empty());
        let name = "BITS-Received-Content-Range";
        assert_eq!(compared(at(20), &at(30), ends), [name]);
        let back = |received| said(416, |ack| ack.received = Some(received));
        assert_eq!(compared(back(5), &back(20), ends), [name]);
        assert!(compared(back(5), &back(5), ends).is_empty());
    }

    #[test]
    fn with_other_sizes_habits_are_compared() {
        let set = |said: &[Said]| said.iter().flat_map(|said| manners(said, 20)).collect();
        let usual = said(200, |_| ());
        let reply = said(200, |ack| ack.reply_url = Some("/r".to_owned()));
        let bare = said(200, |ack| ack.session_id = None);
        let what = |recorded: &[Said], live: &[Said]| -> Vec<&str> {
            let found = habits(&set(recorded), &set(live));
            found.iter().map(|difference| difference.what).collect()
        };
        let both = [usual.clone(), reply.clone()];
        assert!(what(&both, std::slice::from_ref(&reply)).is_empty());
        assert_eq!(
            what(&both, std::slice::from_ref(&usual)),
            ["BITS-Reply-URL"]
        );
        assert_eq!(
            what(std::slice::from_ref(&usual), &both),
            ["BITS-Reply-URL"]
        );
        assert_eq!(what(&[usual], &[bare]), ["BITS-Session-Id"]);
    }

    #[test]
    fn another_spelling_of_a_field_is_named() {
        let with = |names: &[&str]| Said {
            spellings: names
                .iter()
                .filter_map(|name| identify(name.as_bytes()))
                .collect(),
            ..said(200, |_| ())
        };
        let usual = with(&["BITS-Session-Id", "BITS-Received-Content-Range"]);
        let odd = with(&["bits-recieved-content-range", "bits-session-id"]);
        let both = with(&["BITS-Recieved-Content-Range", "BITS-Received-Content-Range"]);
        let recorded = |said: &Said| Recorded::Answer(Box::new(said.clone()));
        let found = |one: &Said, two: &Said| {
            answers(Packet::Fragment, &recorded(one), Some(two), Ends::default())
        };
        let spelled = Difference::new(
            "spelling",
            "BITS-Received-Content-Range",
            "BITS-Recieved-Content-Range",
        );
        assert_eq!(found(&usual, &odd), [spelled]);
        assert_eq!(found(&odd, &odd), []);
        assert_eq!(found(&usual, &both), []);
        let manners = |said: &Said| manners(said, 20).into_iter().collect::<BTreeSet<_>>();
        let habits = habits(&manners(&usual), &manners(&odd));
        assert_eq!(habits.len(), 1);
        assert_eq!(habits.first().map(|one| one.what), Some("spelling"));
    }

    #[test]
    fn what_nobody_can_know_is_no_difference() {
        let live = said(500, |_| ());
        let ends = Ends::default();
        assert!(answers(Packet::Ping, &Recorded::Unknown, Some(&live), ends).is_empty());
        assert!(answers(Packet::Ping, &Recorded::Nothing, None, ends).is_empty());
        assert_eq!(
            answers(Packet::Ping, &Recorded::Nothing, Some(&live), ends).len(),
            1
        );
    }
}
