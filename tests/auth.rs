//! Logins are understood: which leg of which scheme an exchange is, what came of it, and never with what.

#[path = "support/conversation.rs"]
mod conversation;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitstap::bits::auth::{Auth, Scheme, Stage, challenges, credentials};
use bitstap::event::{Fact, Leg, Note, What};
use bitstap::report::{json, login, text};
use bitstap::timeline::Timeline;
use bitstap::timeline::filter::{Filter, Row};
use conversation::Talk;
use proptest::prelude::*;

/// An NTLM message of this type, empty otherwise.
fn message(kind: u32) -> Vec<u8> {
    let mut bytes = b"NTLMSSP\0".to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0; 52]);
    bytes
}

/// An answer to a challenge whose last pair of attributes is a hash of the client's TLS connection.
fn answer(hash: &[u8; 16]) -> Vec<u8> {
    let mut bytes = message(3);
    let mut response = vec![0; 44];
    // A name of the server before it, the end of the list after it.
    for (id, value) in [(1_u16, &b"V\0M\0"[..]), (10, hash), (0, b"")] {
        response.extend(id.to_le_bytes());
        response.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        response.extend(value);
    }
    let len = u16::try_from(response.len()).unwrap().to_le_bytes();
    let at = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[20..22].copy_from_slice(&len);
    bytes[24..28].copy_from_slice(&at);
    bytes.extend(response);
    bytes
}

fn coded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn ntlm(kind: u32) -> String {
    format!("NTLM {}", coded(&message(kind)))
}

fn seen(value: &str) -> (Scheme, Stage) {
    credentials(value.as_bytes())
}

#[test]
fn each_leg_is_known_by_its_token() {
    // A NegTokenInit that wraps a type 1, and a NegTokenResp that ends a handshake, both of pyspnego.
    let wrapped = "Negotiate YEgGBisGAQUFAqA+MDygDjAMBgorBgEEAYI3AgIKoioEKE5UTE1TU1AAAQAAADeCCOIAAAAAKAAAAAAAAAAoAAAAAAwEAAAAAA8=";
    let ended = "Negotiate oRswGaADCgEAoxIEEAEAAADiSyXCSKsVoQAAAAA=";
    let ticket = coded(b"\x60\x1b\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x11\x30\x0f\xa0\x0d\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02");
    let long_ago = coded(b"\x60\x0b\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02");
    let unpadded = ntlm(1).trim_end_matches('=').to_owned();
    let bound = format!("NTLM {}", coded(&answer(&[7; 16])));
    let unbound = format!("NTLM {}", coded(&answer(&[0; 16])));
    for (value, wanted) in [
        (ntlm(1).as_str(), (Scheme::Ntlm, Stage::Type1)),
        (&ntlm(2), (Scheme::Ntlm, Stage::Type2)),
        (
            &ntlm(3).replace("NTLM", "ntlm  "),
            (Scheme::Ntlm, Stage::Type3),
        ),
        (&bound, (Scheme::Ntlm, Stage::Type3Bound)),
        (&unbound, (Scheme::Ntlm, Stage::Type3)),
        (&unpadded, (Scheme::Ntlm, Stage::Type1)),
        (&ntlm(3)[..34], (Scheme::Ntlm, Stage::Type3)),
        (&ntlm(9), (Scheme::Ntlm, Stage::Unreadable)),
        ("NTLM", (Scheme::Ntlm, Stage::Unreadable)),
        ("NTLM ?!", (Scheme::Ntlm, Stage::Unreadable)),
        (wrapped, (Scheme::Negotiate, Stage::Type1)),
        (ended, (Scheme::Negotiate, Stage::Spnego)),
        (
            &format!("Negotiate {ticket}"),
            (Scheme::Negotiate, Stage::Kerberos),
        ),
        (
            &format!("Negotiate {long_ago}"),
            (Scheme::Negotiate, Stage::Kerberos),
        ),
        ("Basic dXNlcjpwdw==", (Scheme::Basic, Stage::Credentials)),
        (
            "Digest username=\"NTLM\"",
            (Scheme::Digest, Stage::Credentials),
        ),
        ("Hoba x", (Scheme::Other, Stage::Credentials)),
        ("", (Scheme::Other, Stage::Credentials)),
    ] {
        assert_eq!(seen(value), wanted, "{value}");
    }
}

#[test]
fn challenges_are_told_apart_in_one_field_and_in_many() {
    let names = |value: &str| -> Vec<String> {
        let found = challenges(value.as_bytes());
        let name = |(scheme, rest): (Scheme, &[u8])| {
            format!("{} {}", scheme.name(), String::from_utf8_lossy(rest))
        };
        found.into_iter().map(name).collect()
    };
    assert_eq!(names("Negotiate, NTLM"), ["Negotiate ", "NTLM "]);
    assert_eq!(
        names("Basic realm=\"a, NTLM \\\" b\", charset = \"UTF-8\", Digest realm=x, qop=auth"),
        ["Basic realm=\"a, NTLM \\\" b\"", "Digest realm=x"]
    );
    assert_eq!(names("NTLM TlRM=="), ["NTLM TlRM=="]);
    assert_eq!(names(" ,, ;"), Vec::<String>::new());
}

/// A login by NTLM with the request that comes before it, then a whole upload.
fn upload() -> Talk {
    let mut talk = Talk::new();
    let (first, second, third) = (ntlm(1), ntlm(2), ntlm(3));
    talk.say(&format!(
        "> BITS_POST /up/a.bin HTTP/1.1
         > Host: h
         > BITS-Packet-Type: Ping
         > Content-Length: 0
         >
         < HTTP/1.1 401 Unauthorized
         < WWW-Authenticate: Negotiate
         < WWW-Authenticate: NTLM
         < Content-Length: 0
         <
         > BITS_POST /up/a.bin HTTP/1.1
         > Host: h
         > BITS-Packet-Type: Ping
         > Authorization: {first}
         > Content-Length: 0
         >
         < HTTP/1.1 401 Unauthorized
         < WWW-Authenticate: {second}
         < Content-Length: 0
         <
         > BITS_POST /up/a.bin HTTP/1.1
         > Host: h
         > BITS-Packet-Type: Ping
         > Authorization: {third}
         > Content-Length: 0
         >
         < HTTP/1.1 200 OK
         < BITS-Packet-Type: Ack
         < Persistent-Auth: true
         < Content-Length: 0
         <
         > BITS_POST /up/a.bin HTTP/1.1
         > Host: h
         > BITS-Packet-Type: Create-Session
         > BITS-Supported-Protocols: {{7df0354d-249b-430f-820d-3d2a9bef4931}}
         > Content-Length: 0
         >
         < HTTP/1.1 200 OK
         < BITS-Packet-Type: Ack
         < BITS-Protocol: {{7df0354d-249b-430f-820d-3d2a9bef4931}}
         < BITS-Session-Id: {{5f1c8a36-7c0e-4d9b-9a57-3d1e6b0f4c22}}
         < Content-Length: 0
         <"
    ));
    talk
}

fn object(timeline: &Timeline, no: usize) -> serde_json::Value {
    let line = json::exchange(timeline, &timeline.exchanges()[no - 1], 0);
    serde_json::from_str::<serde_json::Value>(&line).unwrap()["auth"].clone()
}

#[test]
fn the_legs_of_a_login_are_on_the_rows_without_their_tokens() {
    let timeline = upload().timeline();
    assert_eq!(
        object(&timeline, 1),
        serde_json::json!({"scheme": "Negotiate", "stage": "asked", "answer": "asked",
            "offers": ["Negotiate", "NTLM"], "proxy": false})
    );
    assert_eq!(
        object(&timeline, 2),
        serde_json::json!({"scheme": "NTLM", "stage": "type 1", "answer": "type 2",
            "offers": ["NTLM"], "proxy": false})
    );
    assert_eq!(
        object(&timeline, 3),
        serde_json::json!({"scheme": "NTLM", "stage": "type 3", "answer": null, "proxy": false,
            "persistent": true})
    );
    assert_eq!(object(&timeline, 4), serde_json::Value::Null);
    let lines: Vec<String> = timeline.exchanges().iter().map(text::exchange).collect();
    for (line, end) in lines.iter().zip([
        "[Negotiate/NTLM asked]",
        "[NTLM type 1, type 2]",
        "[NTLM type 3]",
        "/up/a.bin",
    ]) {
        assert!(line.ends_with(end), "{line}");
    }
    let said = |no: usize| {
        let row = &timeline.exchanges()[no - 1];
        login::sentence(row.auth.unwrap(), row.status)
    };
    assert_eq!(
        said(1),
        "To let the client in, the server asks for Negotiate or NTLM."
    );
    assert_eq!(
        said(2),
        "The client begins a login by NTLM (type 1); the server answers with its challenge (type 2)."
    );
    assert_eq!(
        said(3),
        "The client answers the challenge of NTLM (type 3). Persistent-Auth: true: the connection stays logged in."
    );
}

#[test]
fn the_story_tells_of_the_login_before_the_session() {
    let timeline = upload().timeline();
    assert_eq!(
        timeline.sessions()[0].story[0],
        "The server asked for Negotiate or NTLM; the client logged in by NTLM with 3 requests on connection 1."
    );
}

#[test]
fn a_leg_of_a_login_that_goes_on_is_no_problem() {
    let mut talk = upload();
    talk.connect("10.0.0.5");
    refused(&mut talk, &ntlm(3));
    let timeline = talk.timeline();
    let rows = timeline.exchanges().iter().filter(|row| row.is_problem());
    // Who is asked first may have nothing to show; who is refused at the end has.
    let problems: Vec<u32> = rows.map(|row| row.no).collect();
    assert_eq!(problems, [1, 6]);
}

#[test]
fn filters_find_legs_schemes_and_proxies() {
    let mut talk = upload();
    talk.connect("10.0.0.5").say(
        "> GET /f HTTP/1.1
         > Host: h
         > Proxy-Authorization: Basic dXNlcjpwdw==
         >
         < HTTP/1.1 407 Proxy Authentication Required
         < Proxy-Authenticate: Basic realm=\"x\"
         < Content-Length: 0
         <",
    );
    let timeline = talk.timeline();
    let found = |filter: &str| -> Vec<u32> {
        let filter = Filter::parse(filter).unwrap();
        let rows = timeline.exchanges().iter();
        rows.filter(|row| filter.matches(&Row::of(&timeline, row)))
            .map(|row| row.no)
            .collect()
    };
    assert_eq!(found("auth"), [1, 2, 3, 5]);
    assert_eq!(found("auth.scheme == ntlm"), [1, 2, 3]);
    assert_eq!(found("auth.scheme == negotiate"), [1]);
    assert_eq!(found("auth.stage == 'type 2'"), [2]);
    assert_eq!(found("auth.stage in {'type 1', 'type 3'}"), [2, 3]);
    assert_eq!(found("auth.stage == credentials and auth.proxy"), [5]);
}

/// Marks the current connection as TLS on this leg.
fn tls(talk: &mut Talk, leg: Leg) {
    let fact = Fact::Tls(Box::default());
    let text = "TLS is up.".to_owned();
    talk.push(leg, What::Note(Note { text, fact }));
}

/// A login with this last leg, which the server refuses.
fn refused(talk: &mut Talk, last: &str) {
    let (first, second) = (ntlm(1), ntlm(2));
    talk.say(&format!(
        "> GET /f HTTP/1.1
         > Host: h
         > User-Agent: Microsoft BITS/7.8
         > Authorization: {first}
         >
         < HTTP/1.1 401 Unauthorized
         < WWW-Authenticate: {second}
         < Content-Length: 0
         <
         > GET /f HTTP/1.1
         > Host: h
         > User-Agent: Microsoft BITS/7.8
         > Authorization: {last}
         >
         < HTTP/1.1 401 Unauthorized
         < WWW-Authenticate: NTLM
         < Content-Length: 0
         <"
    ));
}

fn refusals(timeline: &Timeline) -> Vec<&str> {
    let remarks = timeline.remarks().iter().map(|remark| remark.text.as_str());
    remarks.filter(|text| text.contains("refused")).collect()
}

#[test]
fn a_refusal_over_tls_names_extended_protection_beside_a_wrong_password() {
    for leg in [Leg::Client, Leg::Upstream] {
        let mut talk = Talk::new();
        tls(&mut talk, leg);
        refused(&mut talk, &ntlm(3));
        // Once for a connection is enough.
        refused(&mut talk, &ntlm(3));
        let timeline = talk.timeline();
        let [refusal] = refusals(&timeline)[..] else {
            panic!("{:?}", timeline.remarks());
        };
        for part in [
            "401 came again after the client had sent the last leg of NTLM (type 3)",
            "Name or password are wrong",
            "Extended Protection (IIS: tokenChecking)",
            "--tunnel",
            "plain http",
        ] {
            assert!(refusal.contains(part), "{part}: {refusal}");
        }
        assert!(refusal.contains("did not bind its login"), "{refusal}");
        assert!(timeline.sessions()[0].story.contains(&refusal.to_owned()));
    }
    let mut talk = Talk::new();
    tls(&mut talk, Leg::Client);
    refused(&mut talk, &format!("NTLM {}", coded(&answer(&[7; 16]))));
    let timeline = talk.timeline();
    assert!(
        refusals(&timeline)[0].contains("did bind its login"),
        "{:?}",
        timeline.remarks()
    );
}

#[test]
fn a_refusal_without_tls_accuses_nobody_of_extended_protection() {
    let mut talk = Talk::new();
    refused(&mut talk, &ntlm(3));
    let timeline = talk.timeline();
    let refusal = refusals(&timeline)[0];
    assert!(refusal.contains("Name or password"), "{refusal}");
    assert!(!refusal.contains("Extended Protection"), "{refusal}");
}

#[test]
fn a_first_leg_that_the_server_does_not_go_into_is_no_refusal() {
    let mut talk = Talk::new();
    let first = ntlm(1);
    talk.say(&format!(
        "> GET /f HTTP/1.1
         > Host: h
         > Authorization: {first}
         >
         < HTTP/1.1 401 Unauthorized
         < WWW-Authenticate: Basic realm=\"x\"
         < Content-Length: 0
         <"
    ));
    let timeline = talk.timeline();
    assert_eq!(refusals(&timeline), Vec::<&str>::new());
    let auth = timeline.exchanges()[0].auth.unwrap();
    assert!(login::sentence(auth, Some(401)).ends_with("the server does not go into it."));
}

#[test]
fn basic_is_told_once_in_a_session_and_only_where_it_was_asked_for() {
    let download = |talk: &mut Talk, status: &str, credentials: &str| {
        talk.say(&format!(
            "> HEAD /f HTTP/1.1
             > Host: h
             > User-Agent: Microsoft BITS/7.8{credentials}
             >
             < HTTP/1.1 {status}
             < WWW-Authenticate: Basic realm=\"x\"
             < Content-Length: 5
             <"
        ));
    };
    let shown = "\n> Authorization: Basic dXNlcjpwdw==";
    let mut talk = Talk::new();
    for _ in 0..2 {
        download(&mut talk, "401 Unauthorized", "");
        download(&mut talk, "200 OK", shown);
        talk.hang_up().connect("10.0.0.5");
    }
    download(&mut talk, "200 OK", shown);
    let timeline = talk.timeline();
    let told = "The server asked for Basic; the client logged in.";
    let story = &timeline.sessions()[0].story;
    assert_eq!(
        story.iter().filter(|text| *text == told).count(),
        1,
        "{story:?}"
    );
    let mut talk = Talk::new();
    download(&mut talk, "200 OK", shown);
    let timeline = talk.timeline();
    assert!(
        !timeline.sessions()[0]
            .story
            .iter()
            .any(|text| text.contains("logged in"))
    );
}

#[test]
fn a_row_has_room_for_it() {
    assert_eq!(size_of::<Option<Auth>>(), 6);
}

proptest! {
    #[test]
    fn no_token_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..60, value: u8) {
        let mut message = answer(&[7; 16]);
        message[at] = value;
        for token in [&bytes, &message] {
            let (_, stage) = credentials(format!("NTLM {}", coded(token)).as_bytes());
            prop_assert!(!stage.name().is_empty());
        }
        credentials(&bytes);
        challenges(&bytes);
    }
}
