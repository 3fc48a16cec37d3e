//! Changing a held head: what was not touched stays byte for byte, what cannot be meant is explained.

use bitstap::bits::header::Name;
use bitstap::tui::operator::head::{
    Entry, Part, Wrong, amended, check, entries, lines, meant, read, rebuilt, shown,
};
use bitstap::wire::{Framing, Stream};

/// A fragment with odd spellings, blanks, a duplicate, a bare LF and a byte that is no text.
const ODD: &[u8] = b"BITS_POST /up/a%20b HTTP/1.1\r\nhOST:  iis.corp \r\nBITS-Packet-Type: fragment\r\n\
X-Twice: 1\nX-Twice:2\r\nX-Byte: a\xFFb\r\nbits-session-ID: {3F2B}\r\nContent-Range: bytes 0-9/30\r\n\
Content-Length: 10\r\n\r\n";

const ACK: &[u8] =
    b"HTTP/1.1 200 Very OK\r\nBITS-Packet-Type: Ack\r\nBITS-Recieved-Content-Range: 10\r\n\
BITS-Error: 0x0\r\nContent-Length: 0\r\n\r\n";

fn entry(head: &[u8], stream: Stream, part: Part) -> Entry {
    let (head, _) = read(stream, head).unwrap();
    let found = entries(&head).into_iter().find(|entry| entry.part == part);
    found.unwrap_or_else(|| panic!("no {part:?}"))
}

/// Changes parts of a head, as typed.
fn change(bytes: &[u8], stream: Stream, changes: &[(Part, &str)]) -> String {
    let (head, _) = read(stream, bytes).unwrap();
    let changes: Vec<(Entry, String)> = changes
        .iter()
        .map(|(part, text)| (entry(bytes, stream, *part), check(*part, text).unwrap()))
        .collect();
    let changes: Vec<(&Entry, String)> = changes
        .iter()
        .map(|(entry, value)| (entry, value.clone()))
        .collect();
    let out = amended(&head, &changes);
    String::from_utf8_lossy(&out).into_owned()
}

fn swapped(bytes: &[u8], from: &str, to: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn one_field_changes_and_the_others_stay_byte_for_byte() {
    let range = Part::Field(Name::ContentRange);
    let out = change(ODD, Stream::Requests, &[(range, "5-9/30")]);
    assert_eq!(out, swapped(ODD, "bytes 0-9/30", "bytes 5-9/30"));
    let id = Part::Field(Name::SessionId);
    let out = change(ODD, Stream::Requests, &[(id, "{other}")]);
    assert_eq!(out, swapped(ODD, "{3F2B}", "{other}"), "its spelling stays");
    assert_eq!(change(ODD, Stream::Requests, &[]), swapped(ODD, "", ""));
}

#[test]
fn a_field_that_is_emptied_goes_and_a_new_one_comes_last() {
    let received = Part::Field(Name::ReceivedContentRange);
    let context = Part::Field(Name::ErrorContext);
    let out = change(ACK, Stream::Responses, &[(received, ""), (context, "7")]);
    let gone = swapped(ACK, "BITS-Recieved-Content-Range: 10\r\n", "");
    let text = gone.strip_suffix("\r\n").unwrap();
    assert_eq!(out, format!("{text}BITS-Error-Context: 0x7\r\n\r\n"));
}

#[test]
fn a_status_brings_its_reason_and_an_error_is_read_by_name() {
    let error = Part::Field(Name::Error);
    let changes = [(Part::Status, "500"), (error, "bg_e_session_not_found")];
    let out = change(ACK, Stream::Responses, &changes);
    let wanted = swapped(ACK, "200 Very OK", "500 Internal Server Error");
    let wanted = swapped(
        wanted.as_bytes(),
        "BITS-Error: 0x0",
        "BITS-Error: 0x8020001F",
    );
    assert_eq!(out, wanted);
}

#[test]
fn what_a_head_has_comes_first_then_what_it_could_have() {
    let (head, framing) = read(Stream::Responses, ACK).unwrap();
    assert_eq!(framing, Framing::Length(0));
    let listed: Vec<(String, String)> = entries(&head)
        .into_iter()
        .map(|entry| (entry.name, entry.value))
        .collect();
    let listed: Vec<(&str, &str)> = listed
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        listed,
        [
            ("Status", "200"),
            ("BITS-Packet-Type", "Ack"),
            ("BITS-Recieved-Content-Range", "10"),
            ("BITS-Error", "0x0"),
            ("Content-Length", "0"),
            ("BITS-Session-Id", ""),
            ("BITS-Error-Context", ""),
            ("BITS-Reply-URL", ""),
            ("BITS-Host-Id", ""),
        ]
    );
}

#[test]
fn values_are_judged_by_their_kind() {
    let good = [
        (Name::ReceivedContentRange, "4MiB", "4194304"),
        (Name::ReceivedContentRange, " 10 ", "10"),
        (Name::ContentRange, "0-9/30", "bytes 0-9/30"),
        (Name::ContentRange, "bytes */30", "bytes */30"),
        (Name::Range, "1024-", "bytes=1024-"),
        (Name::Error, "0x80200020", "0x80200020"),
        (Name::Error, "-2145386465", "0x8020001F"),
        (Name::ErrorContext, "5", "0x5"),
        (Name::SessionId, "{any-thing}", "{any-thing}"),
    ];
    for (name, typed, wire) in good {
        assert_eq!(check(Part::Field(name), typed).as_deref(), Ok(wire));
    }
    let bad = [
        (Name::ReceivedContentRange, "ten", "number of bytes"),
        (Name::ReceivedContentRange, "-1", "number of bytes"),
        (Name::ContentRange, "9-0/30", "before it begins"),
        (Name::ContentRange, "0-30/30", "last byte of 30 is 29"),
        (Name::ContentRange, "ten", "not a range"),
        (Name::Range, "9-0", "not a range"),
        (Name::Error, "BG_E_NOPE", "neither a name nor a code"),
        (Name::SessionId, "{a b}", "no blanks"),
        (Name::ContentName, "a\r\nX: y", "one line"),
    ];
    for (name, typed, why) in bad {
        let wrong = check(Part::Field(name), typed).unwrap_err();
        assert!(wrong.contains(why), "{typed}: {wrong}");
    }
    for status in ["99", "1000", "", "2oo", "+20"] {
        assert!(check(Part::Status, status).is_err(), "{status}");
    }
}

#[test]
fn lines_come_back_with_the_ends_they_had() {
    assert_eq!(rebuilt(ODD, &lines(ODD)).unwrap(), ODD);
    let mut new = lines(ODD);
    new[1] = b"Host: other";
    let wanted = ODD.to_vec();
    let at = b"BITS_POST /up/a%20b HTTP/1.1\r\n".len();
    let old = b"hOST:  iis.corp ".len();
    let wanted = [&wanted[..at], b"Host: other", &wanted[at + old..]].concat();
    assert_eq!(rebuilt(ODD, &new).unwrap(), wanted);
    // An editor saves LF, and perhaps more empty lines than there were.
    let mut saved = lines(ODD);
    saved.extend([&b""[..], b"\r", b""]);
    assert_eq!(rebuilt(ODD, &saved).unwrap(), ODD);
}

#[test]
fn a_head_of_bare_line_feeds_stays_one() {
    let bare = b"HEAD /f HTTP/1.1\nHost: x\n\n";
    let new: [&[u8]; 3] = [b"HEAD /f HTTP/1.1", b"Host: y", b"X: 1"];
    let out = rebuilt(bare, &new).unwrap();
    assert_eq!(out, &b"HEAD /f HTTP/1.1\nHost: y\nX: 1\n\n"[..]);
}

#[test]
fn an_empty_line_within_is_pointed_at() {
    let new: [&[u8]; 3] = [b"HEAD /f HTTP/1.1", b"", b"Host: y"];
    let wrong = rebuilt(ODD, &new).unwrap_err();
    assert_eq!(wrong.line, 2);
}

#[test]
fn bytes_that_are_no_text_survive_being_shown() {
    let text: Vec<String> = lines(ODD).into_iter().map(shown).collect();
    assert_eq!(text[5], "X-Byte: a\\xFFb");
    let back = meant(ODD, &text);
    assert_eq!(rebuilt(ODD, &back).unwrap(), ODD);
    let mut text = text;
    text[5] = "X-Byte: a\\xFFb\\xFE C:\\x41".to_owned();
    let back = meant(ODD, &text);
    assert_eq!(back[5], b"X-Byte: a\xFFb\xFE C:\\x41");
    // Without such bytes nothing is an escape.
    let back = meant(ACK, &["X: \\xFF".to_owned()]);
    assert_eq!(back[0], b"X: \\xFF");
}

#[test]
fn what_is_no_head_is_explained_at_its_line() {
    let wrong = |stream, bytes: &[u8]| -> Wrong { read(stream, bytes).unwrap_err() };
    let line = |stream, bytes| wrong(stream, bytes).line;
    assert_eq!(
        line(Stream::Requests, b"GET / HTTP/1.1\r\nHost x\r\n\r\n"),
        2
    );
    assert_eq!(line(Stream::Requests, b"\x00\x01 nonsense\r\n\r\n"), 1);
    assert!(
        wrong(Stream::Responses, b"200 OK\r\n\r\n")
            .text
            .contains("status line")
    );
    assert!(
        wrong(Stream::Responses, b"HTTP/1.1 200 OK\r\nA: b\r\n")
            .text
            .contains("no end")
    );
    assert!(wrong(Stream::Responses, b"").text.contains("status line"));
    let two = b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    assert_eq!(line(Stream::Requests, two), 3);
    let lengths = b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    assert!(
        read(Stream::Requests, lengths).is_err()
            || read(Stream::Requests, lengths).is_ok_and(|(_, framing)| framing == Framing::Tunnel)
    );
}
