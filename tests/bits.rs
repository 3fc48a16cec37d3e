//! Heads to packets: every spelling that the field knows.

use bitstap::bits::packet::{read_ack, read_request};
use bitstap::bits::session::{Answer, Outcome, State, classify, step};
use bitstap::bits::{Ack, ContentRange, Packet, Request, header, hresult};
use bitstap::wire::{Decoder, Head, Item, Stream};

fn head(stream: Stream, lines: &str) -> Head {
    let mut bytes = lines.trim().replace('\n', "\r\n");
    bytes = bytes
        .split("\r\n")
        .map(str::trim_start)
        .collect::<Vec<_>>()
        .join("\r\n");
    bytes.push_str("\r\n\r\n");
    let mut items = Vec::new();
    Decoder::new(stream).feed(bytes.as_bytes(), &mut items);
    items
        .into_iter()
        .find_map(|item| match item {
            Item::Head { head, .. } => Some(head),
            _ => None,
        })
        .expect("a complete head")
}

fn request(lines: &str) -> Request {
    read_request(&head(Stream::Requests, lines))
}

fn ack(fields: &str) -> Ack {
    read_ack(&head(
        Stream::Responses,
        &format!("HTTP/1.1 200 OK\n{fields}"),
    ))
}

#[test]
fn packet_types_in_every_spelling() {
    for (field, packet) in [
        ("BITS-Packet-Type: Create-Session", Packet::CreateSession),
        ("BITS-Packet-Type: CREATE-SESSION", Packet::CreateSession),
        ("bits-packet-type: create-session", Packet::CreateSession),
        ("Bits-Packet-Type:Ping", Packet::Ping),
        ("BITS-Package-Type: FRAGMENT", Packet::Fragment),
        ("BITS-Packet-Type:  Close-Session  ", Packet::CloseSession),
        ("BITS-Packet-Type: CancelSession", Packet::CancelSession),
    ] {
        let read = request(&format!("BITS_POST /u HTTP/1.1\nHost: h\n{field}"));
        assert_eq!(read.packet, Some(packet), "{field}");
        assert!(read.upload);
    }
}

#[test]
fn uploads_that_are_not_quite() {
    let read = request("BITS_POST /u HTTP/1.1\nBITS-Packet-Type: Upload");
    assert_eq!((read.packet, read.upload), (None, true));
    let read = request("BITS_POST /u HTTP/1.1\nHost: h");
    assert_eq!((read.packet, read.upload), (None, true));
    let read =
        request("POST /u HTTP/1.1\nX-HTTP-Method-Override: BITS_POST\nBITS-Packet-Type: Ping");
    assert_eq!((read.packet, read.upload), (Some(Packet::Ping), true));
    let read = request("POST /u HTTP/1.1\nX-Http-Method-Override: bits_post");
    assert_eq!((read.packet, read.upload), (None, true));
    let read = request("POST /u HTTP/1.1\nBITS-Packet-Type: Ping");
    assert_eq!((read.packet, read.upload), (Some(Packet::Ping), true));
    let read = request("POST /u HTTP/1.1\nHost: h");
    assert_eq!((read.packet, read.upload), (None, false));
}

#[test]
fn the_fields_of_a_fragment() {
    let read = request(
        "BITS_POST /up/f HTTP/1.1
         Content-Range: bytes 10-19/30
         Content-Name: report.csv
         BITS-Session-Id:  {3F2B}\t
         BITS-Packet-Type: Fragment
         User-Agent: Microsoft BITS/7.8
         Host: bits.example.test",
    );
    assert_eq!(
        read,
        Request {
            packet: Some(Packet::Fragment),
            upload: true,
            session_id: Some("{3F2B}".to_owned()),
            range: Some(ContentRange {
                first: 10,
                last: 19,
                total: Some(30)
            }),
            name: Some("report.csv".to_owned()),
            user_agent: Some("Microsoft BITS/7.8".to_owned()),
            host: Some("bits.example.test".to_owned()),
            ..Request::default()
        }
    );
}

#[test]
fn content_ranges_in_every_spelling() {
    let range = |first, last, total| Some(ContentRange { first, last, total });
    for (value, expected) in [
        ("bytes 0-9/30", range(0, 9, Some(30))),
        ("Bytes 0-9/30", range(0, 9, Some(30))),
        ("BYTES\t0-9/30", range(0, 9, Some(30))),
        ("bytes=0-9/30", range(0, 9, Some(30))),
        (" bytes 0 - 9 / 30 ", range(0, 9, Some(30))),
        ("bytes 0-9/*", range(0, 9, None)),
        ("bytes 20-29/25", range(20, 29, Some(25))),
        (
            "bytes 0-18446744073709551615/18446744073709551615",
            range(0, u64::MAX, Some(u64::MAX)),
        ),
        ("bytes 0-18446744073709551616/1", None),
        ("bytes */30", None),
        ("bytes 0-9", None),
        ("bytes -9/30", None),
        ("bytes 0-+9/30", None),
        ("0-9/30", None),
        ("bytes0-9/30", None),
        ("", None),
    ] {
        assert_eq!(header::content_range(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(header::unsatisfied(b"bytes */25"), Some(25));
    assert_eq!(header::unsatisfied(b"bytes 0-9/25"), None);
}

#[test]
fn ranges_that_a_download_asks_for() {
    for (value, expected) in [
        ("bytes=0-9", vec![(0, Some(9))]),
        ("bytes=0-", vec![(0, None)]),
        (
            "bytes=0-4, 10-14,20-",
            vec![(0, Some(4)), (10, Some(14)), (20, None)],
        ),
        ("bytes=-500", vec![]),
        ("items=0-9", vec![]),
        ("bytes=a-b,3-4", vec![(3, Some(4))]),
    ] {
        assert_eq!(header::ranges(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn downloads_and_plain_http() {
    let packet = |lines: &str| request(lines).packet;
    assert_eq!(
        packet("HEAD /f HTTP/1.1\nUser-Agent: Microsoft BITS/7.8"),
        Some(Packet::Head)
    );
    assert_eq!(
        packet("GET /f HTTP/1.1\nUser-Agent: bitstap/0.1 (BITS/1.5 upload protocol)"),
        Some(Packet::Get)
    );
    assert_eq!(
        packet("GET /f HTTP/1.1\nRange: bytes=0-9"),
        Some(Packet::Get)
    );
    assert_eq!(
        packet("GET /f HTTP/1.1\nIf-Unmodified-Since: Mon, 05 Jan 2026 10:00:00 GMT"),
        Some(Packet::Get)
    );
    assert_eq!(packet("GET /f HTTP/1.1\nUser-Agent: curl/8"), None);
    assert_eq!(packet("POST /f HTTP/1.1\nRange: bytes=0-9"), None);
    let read = request("GET /f HTTP/1.1\nRange: bytes=-5");
    assert!(read.ranged && read.wanted.is_empty());
}

#[test]
fn a_notification() {
    let read = request(
        "POST /app/handle HTTP/1.1
         BITS-Original-Request-URL: http://node2.example.test/ask/q.bin
         BITS-Request-DataEntity-Name: D:\\x
         Content-Length: 0",
    );
    assert_eq!(read.packet, Some(Packet::Notification));
    assert_eq!(
        read.original_url.as_deref(),
        Some("http://node2.example.test/ask/q.bin")
    );
    assert!(!read.upload);
}

#[test]
fn acks_in_every_spelling() {
    let read = ack("BITS-Packet-Type: ACK
         BITS-Recieved-Content-Range: 213
         BITS-Session-Id: -8123456
         BITS-Reply-URL: BITS-Sessions\\Replies\\{9A}\\responsefile.bin
         BITS-Protocol: {7DF0354D-249B-430F-820D-3D2A9BEF4931}
         BITS-Host-Id: node2.example.test");
    assert!(read.is_ack);
    assert_eq!(read.received, Some(213));
    assert_eq!(read.session_id.as_deref(), Some("-8123456"));
    assert_eq!(
        read.reply_url.as_deref(),
        Some(r"BITS-Sessions\Replies\{9A}\responsefile.bin")
    );
    assert_eq!(read.host_id.as_deref(), Some("node2.example.test"));
    assert!(
        read.protocol
            .is_some_and(|guid| guid.eq_ignore_ascii_case(header::UPLOAD_PROTOCOL))
    );
    assert_eq!(ack("BITS-Received-Content-Range: bytes 0-9").received, None);
    assert_eq!(
        ack("BITS-Received-Content-Range: ten\nBITS-Received-Content-Range: 10").received,
        Some(10)
    );
    assert!(!ack("BITS-Packet-Type: Fragment").is_ack);
}

#[test]
fn error_codes_in_every_spelling() {
    for (value, code) in [
        ("0x8020001F", Some(0x8020_001F)),
        ("0X8020001f", Some(0x8020_001F)),
        ("x80070057", Some(0x8007_0057)),
        ("80070057", Some(0x8007_0057)),
        ("0", Some(0)),
        ("1", Some(1)),
        ("-2145386465", Some(0x8020_001F)),
        ("2149580831", Some(0x8020_001F)),
        ("0x180070057", None),
        ("99999999999", None),
        ("oops", None),
        ("", None),
        ("0x", None),
    ] {
        for name in ["BITS-Error-Code", "BITS-Error", "Bits-Error-Code"] {
            assert_eq!(
                ack(&format!("{name}: {value}")).error,
                code,
                "{name}: {value}"
            );
        }
    }
    for (value, context) in [
        ("0x5", Some(5)),
        ("7", Some(7)),
        ("x7", Some(7)),
        ("seven", None),
    ] {
        assert_eq!(
            ack(&format!("BITS-Error-Context: {value}")).context,
            context
        );
    }
}

#[test]
fn answers_of_a_download() {
    let read = ack("Content-Length: 10
         Content-Range: bytes 0-9/25
         Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT
         ETag: \"a1\"
         Content-Type: Multipart/Byteranges; boundary=x");
    assert_eq!(read.length, Some(10));
    assert_eq!(read.range.and_then(|range| range.total), Some(25));
    assert_eq!(read.etag.as_deref(), Some("\"a1\""));
    assert!(read.multipart);
    assert_eq!(ack("Content-Range: bytes */25").total, Some(25));
}

#[test]
fn codes_by_name_and_names_by_code() {
    for (code, name) in [
        (0x8020_001F, "BG_E_SESSION_NOT_FOUND"),
        (0x8020_0073, "BG_E_REMOTE_FILE_CHANGED"),
        (0x0020_0017, "BG_S_PARTIAL_COMPLETE"),
        (0x8019_01F7, "BG_E_HTTP_ERROR_503"),
        (0x8007_2EFE, "ERROR_WINHTTP_CONNECTION_ERROR"),
        (0x8007_0005, "E_ACCESSDENIED"),
        (0, "S_OK"),
    ] {
        assert_eq!(hresult::name(code), name);
        let known = hresult::lookup_name(&name.to_lowercase()).expect(name);
        assert_eq!(known.code, code);
    }
    assert_eq!(
        hresult::lookup(12_030).map(|known| known.code),
        Some(0x8007_2EFE)
    );
    assert_eq!(
        hresult::lookup_name("BG_E_SERVER_EXECUTE_ENABLED").map(|known| known.code),
        Some(0x8020_0023)
    );
    assert_eq!(hresult::lookup_name("BG_E_NONSENSE"), None);
    assert_eq!(hresult::name(0x8019_01A2), "HTTP 418 as FACILITY_HTTP");
    assert_eq!(hresult::name(0xA020_0001), "customer code 0xA0200001");
    assert_eq!(hresult::name(0x8007_04C7), "Win32 error 1223");
    assert_eq!(hresult::name(0x8020_0FFF), "unknown BITS code 0x80200FFF");
    assert_eq!(hresult::name(0x1234_5678), "0x12345678");
    assert_eq!(
        hresult::context_name(5),
        Some("BG_ERROR_CONTEXT_REMOTE_FILE")
    );
    assert_eq!(hresult::context_name(9), None);
    let lost = hresult::lookup(hresult::BG_E_SESSION_NOT_FOUND).unwrap();
    assert!(lost.next.contains("Create-Session"));
    assert!(hresult::lookup(0x8020_0042).unwrap().next.is_empty());
}

#[test]
fn what_answers_mean() {
    for (status, error, answer) in [
        (200, None, Answer::Done),
        (201, None, Answer::Done),
        (200, Some(1), Answer::Done),
        (416, Some(0), Answer::OutOfStep),
        (500, Some(0x8020_001F), Answer::SessionNotFound),
        (404, Some(0x8020_001F), Answer::SessionNotFound),
        (500, Some(0x8020_0020), Answer::Fatal),
        (500, Some(0x8007_0070), Answer::Transient),
        (500, None, Answer::Transient),
        (503, None, Answer::Transient),
        (501, None, Answer::Fatal),
        (505, None, Answer::Fatal),
        (400, None, Answer::Fatal),
        (403, None, Answer::Fatal),
        (411, None, Answer::Fatal),
        (408, None, Answer::Transient),
        (409, None, Answer::Transient),
        (413, None, Answer::TooLarge),
        (401, None, Answer::Authenticate),
        (407, None, Answer::Authenticate),
        (302, None, Answer::Fatal),
        (307, None, Answer::Fatal),
        (306, None, Answer::Transient),
        (308, None, Answer::Transient),
    ] {
        assert_eq!(classify(status, error), answer, "{status} {error:?}");
    }
}

#[test]
fn transitions_as_drawn() {
    use Answer::{Authenticate, Done, Fatal, OutOfStep, SessionNotFound, TooLarge, Transient};
    use Packet::{CancelSession, CloseSession, CreateSession, Fragment, Ping};
    use State::{Cancelled, Closed, Failed, Lost, Open, Uploaded, Uploading};

    let answered = |answer, last| Outcome::Answered { answer, last };
    for (state, packet, outcome, expected) in [
        (Open, Fragment, Outcome::Passing, Uploading),
        (Lost, Fragment, Outcome::Passing, Lost),
        (Closed, Fragment, Outcome::Passing, Closed),
        (Uploading, Fragment, answered(Done, false), Uploading),
        (Uploading, Fragment, answered(Done, true), Uploaded),
        (Uploading, Fragment, answered(OutOfStep, true), Uploaded),
        (Uploaded, Fragment, answered(Done, false), Uploaded),
        (Uploaded, Fragment, answered(OutOfStep, false), Uploading),
        (Uploading, Fragment, answered(SessionNotFound, false), Lost),
        (Uploading, Fragment, answered(TooLarge, false), Uploading),
        (Uploading, Fragment, answered(Transient, false), Uploading),
        (
            Uploading,
            Fragment,
            answered(Authenticate, false),
            Uploading,
        ),
        (Uploading, Fragment, answered(Fatal, false), Failed),
        (Failed, Fragment, answered(Done, false), Uploading),
        (Lost, CreateSession, answered(Done, false), Open),
        (Open, CreateSession, answered(Fatal, false), Failed),
        (Open, Ping, answered(Done, false), Open),
        (Uploaded, CloseSession, answered(Done, false), Closed),
        (Uploading, CloseSession, answered(Done, false), Closed),
        (
            Uploaded,
            CloseSession,
            answered(SessionNotFound, false),
            Lost,
        ),
        (
            Closed,
            CloseSession,
            answered(SessionNotFound, false),
            Closed,
        ),
        (Closed, CancelSession, answered(Fatal, false), Closed),
        (Cancelled, CancelSession, answered(Fatal, false), Cancelled),
        (Uploading, CancelSession, answered(Done, false), Cancelled),
        (
            Uploading,
            CancelSession,
            answered(SessionNotFound, false),
            Cancelled,
        ),
        (Lost, CancelSession, answered(Done, false), Cancelled),
    ] {
        assert_eq!(
            step(state, packet, outcome),
            expected,
            "{state:?} {packet:?} {outcome:?}"
        );
    }
}
