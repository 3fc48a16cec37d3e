//! Codes, names, packets and fields in every way that people write them.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;

use bitstap::report::explain::{explain, hint};

#[test]
fn one_code_is_found_however_it_is_written() {
    for query in [
        "0x80072EFE",
        "0X80072efe",
        "80072EFE",
        "-2147012866",
        "2147954430",
        "12030",
        " ERROR_WINHTTP_CONNECTION_ERROR ",
        "error_internet_connection_aborted",
    ] {
        let known = explain(query).unwrap_or_else(|| panic!("{query}"));
        assert_eq!(known.code, Some(0x8007_2EFE), "{query}");
        assert!(known.next.contains("retry delay"), "{query}");
    }
}

#[test]
fn each_kind_of_thing_has_a_name_and_a_source() {
    let cases = [
        ("0x80190193", "hresult", "BG_E_HTTP_ERROR_403"),
        ("416", "hresult", "BG_E_HTTP_ERROR_416"),
        ("80070005", "hresult", "E_ACCESSDENIED"),
        ("0", "hresult", "S_OK"),
        (
            "bg_e_session_not_found",
            "hresult",
            "BG_E_SESSION_NOT_FOUND",
        ),
        ("0x801901A2", "hresult", "HTTP 418 as FACILITY_HTTP"),
        ("0xA0001234", "hresult", "customer code 0xA0001234"),
        ("0x80071234", "hresult", "Win32 error 4660"),
        ("context 5", "context", "BG_ERROR_CONTEXT_REMOTE_FILE"),
        (
            "context 0x7",
            "context",
            "BG_ERROR_CONTEXT_REMOTE_APPLICATION",
        ),
        (
            "BITS-Error-Context: 0x5",
            "context",
            "BG_ERROR_CONTEXT_REMOTE_FILE",
        ),
        ("bg_error_context_none", "context", "BG_ERROR_CONTEXT_NONE"),
        ("create-session", "packet", "Create-Session"),
        ("CreateSession", "packet", "Create-Session"),
        ("ack", "packet", "Ack"),
        ("head", "packet", "HEAD"),
        ("bits-host-id", "field", "BITS-Host-Id"),
        ("BITS-Error:", "field", "BITS-Error"),
        ("ntlm", "login", "NTLM"),
        ("Type-3", "login", "type 3"),
        ("tokenchecking", "login", "tokenChecking"),
    ];
    for (query, kind, name) in cases {
        let known = explain(query).unwrap_or_else(|| panic!("{query}"));
        assert_eq!((known.kind, known.name.as_str()), (kind, name), "{query}");
        assert!(!known.meaning.is_empty() && !known.source.is_empty());
        assert!(!known.meaning.ends_with('.'), "a clause: {}", known.meaning);
    }
}

#[test]
fn rules_of_check_are_explained() {
    let known = explain("bup-fr-12").expect("a rule");
    assert_eq!((known.kind, known.name.as_str()), ("rule", "BUP-FR-12"));
    assert!(
        known
            .meaning
            .ends_with("A breach by the client is an error.")
    );
    let known = explain("BUP-AF-11").expect("a rule");
    assert!(
        known
            .meaning
            .ends_with("A breach by the server is a note (under spec a warning)."),
        "{}",
        known.meaning
    );
    assert!(!known.meaning.is_empty() && !known.source.is_empty());
}

#[test]
fn faults_of_the_catalogue_are_explained_with_their_basis() {
    for query in ["F-11", "f-11", "F11", " f11 "] {
        let known = explain(query).unwrap_or_else(|| panic!("{query}"));
        assert_eq!((known.kind, known.name.as_str()), ("fault", "F-11"));
        assert_eq!(known.basis, Some("inferred"));
        let text = known.text();
        assert!(text.contains("\n  next    a Windows client goes on there and skips bytes"));
        assert!(text.contains("\n  basis   inferred\n  source  MC-BUP §3.1.5.1.4"));
    }
    assert_eq!(explain("F-58"), None);
    assert_eq!(explain("416").and_then(|known| known.basis), None);
    let lines = binary::json(&["explain", "f-14", "F26", "416"]);
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["kind"].as_str(), line["basis"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("fault"), Some("documented")),
            (Some("fault"), Some("unknown")),
            (Some("hresult"), None)
        ]
    );
}

#[test]
fn what_is_unknown_is_none_and_the_nearest_name_is_offered() {
    for query in [
        "",
        "0x",
        "0x800700057",
        "-",
        "context",
        "context 99",
        "99999999999",
        "0x12345678",
    ] {
        assert_eq!(explain(query), None, "{query}");
    }
    assert_eq!(
        hint("BG_E_SESION_NOT_FOUND"),
        "did you mean BG_E_SESSION_NOT_FOUND?"
    );
    assert_eq!(hint("fragmant"), "did you mean Fragment?");
    assert!(hint("zzzz").starts_with("codes look like"));
    assert!(hint(&"\u{1F600}".repeat(10_000)).starts_with("codes look like"));
}

#[test]
fn the_binary_joins_context_and_its_value() {
    let lines = binary::json(&["explain", "context", "5", "-2145386465"]);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["type"], "explanation");
    assert_eq!(lines[0]["code"], "0x5");
    assert_eq!(lines[1]["name"], "BG_E_SESSION_NOT_FOUND");
    assert_eq!(lines[1]["query"], "-2145386465");

    let unknown = binary::output(&["explain", "BG_E_SESION_NOT_FOUND", "Ping"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        said.contains("hint: did you mean BG_E_SESSION_NOT_FOUND?"),
        "{said}"
    );
    assert!(String::from_utf8_lossy(&unknown.stdout).starts_with("Ping\n"));
}
