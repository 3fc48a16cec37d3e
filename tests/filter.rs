//! The filter language: which expressions match which rows, what it refuses, and that text and tree
//! say the same.

use std::sync::Arc;
use std::time::Duration;

use bitstap::bits::{ContentRange, Packet, hresult};
use bitstap::event::{ConnId, Direction, Leg};
use bitstap::timeline::Span;
use bitstap::timeline::filter::{Filter, Heads, Row, exclude, filter_by};
use bitstap::timeline::row::{
    Connection, Exchange, Message, Outcome, Session, SessionKind, SessionState, Times, WireError,
};
use bitstap::wire::Stream;
use bitstap::wire::head::{Field, Head, Start};
use bytes::Bytes;

const LOST: u32 = 0x8020_001F;

fn message(body: u64) -> Message {
    let head = Span {
        conn: ConnId(1),
        leg: Leg::Client,
        direction: Direction::ToServer,
        position: 0,
        base: 0,
        offset: 0,
        len: 100,
    };
    let mut message = Message::new(head);
    message.body_wire = body;
    message.body = body;
    message.set_length(Some(body));
    message
}

fn exchange(
    no: u32,
    method: &str,
    url: &str,
    packet: Option<Packet>,
    status: Option<u16>,
) -> Exchange {
    let at = Duration::from_secs(u64::from(no));
    Exchange {
        no,
        conn: ConnId(1),
        session: Some(1),
        method: method.into(),
        url: url.into(),
        packet,
        status,
        range: None,
        received: None.into(),
        session_id: Some("{3F2B0000-aaaa-BBBB-cccc-000000000001}".into()),
        error: None,
        auth: None,
        times: Times {
            begun: at,
            request_end: Some(at + Duration::from_millis(10)),
            response_begun: status.map(|_| at + Duration::from_millis(40)),
            ended: Some(at + Duration::from_millis(100)),
        }
        .into(),
        outcome: Outcome::Complete,
        request: Some(message(0)),
        response: Some(message(0)),
        faults: bitstap::timeline::Faults::default(),
        rewrites: bitstap::timeline::Faults::default(),
        parts: bitstap::timeline::Pieces::default(),
    }
}

fn session() -> Session {
    Session {
        no: 1,
        kind: SessionKind::Upload,
        state: SessionState::Failed,
        session_id: Some("{3F2B0000-aaaa-BBBB-cccc-000000000001}".into()),
        url: "/up/Report.csv".into(),
        name: "Report.csv".into(),
        client: Some("10.1.2.3:50112".parse().unwrap()),
        user_agent: None,
        total: Some(3 << 20),
        acknowledged: 1 << 20,
        sent: 2 << 20,
        resent: 0,
        exchanges: 4,
        connections: 1,
        restarts: 1,
        rewinds: 0,
        reply_url: None,
        reply_bytes: 0,
        first: Duration::ZERO,
        last: Duration::from_secs(5),
        problems: 1,
        story: Vec::new(),
    }
}

fn connection() -> Connection {
    Connection {
        id: ConnId(1),
        client: Some("10.1.2.3:50112".parse().unwrap()),
        server: None,
        upstream: None,
        opened: Duration::ZERO,
        connect: None,
        first_close: None,
        upstream_close: None,
        closed: None,
        exchanges: 5,
        to_server: 0,
        to_client: 0,
        joined: false,
        tls: false,
    }
}

/// 1 Create-Session, 2 Fragment, 3 Fragment that failed, 4 GET without an answer and without a
/// session, 5 plain HTTP on another connection of which nothing else is known.
fn rows() -> Vec<Exchange> {
    let up = "/up/Report.csv";
    let mut fragment = exchange(2, "BITS_POST", up, Some(Packet::Fragment), Some(200));
    fragment.range = Some(ContentRange {
        first: 0,
        last: (1 << 20) - 1,
        total: Some(3 << 20),
    });
    fragment.received = Some(1 << 20).into();
    fragment.request = Some(message(1 << 20));
    let mut failed = exchange(3, "BITS_POST", up, Some(Packet::Fragment), Some(500));
    failed.range = Some(ContentRange {
        first: 1 << 20,
        last: (2 << 20) - 1,
        total: None,
    });
    failed.error = Some(WireError {
        code: LOST,
        context: Some(5),
    });
    failed
        .times
        .change(|times| times.response_begun = Some(Duration::from_secs(44)));
    failed
        .times
        .change(|times| times.ended = Some(Duration::from_secs(45)));
    failed.request = Some(message(1 << 20));
    let mut get = exchange(
        4,
        "GET",
        "http://WSUS.corp:8530/driver.cab?x=1",
        Some(Packet::Get),
        None,
    );
    (get.session, get.session_id, get.outcome) = (None, None, Outcome::NoResponse);
    get.times.change(|times| times.ended = None);
    let mut plain = exchange(5, "POST", "/login", None, Some(404));
    (plain.session, plain.session_id, plain.conn) = (None, None, ConnId(2));
    plain.response = Some(message(5));
    vec![
        exchange(1, "BITS_POST", up, Some(Packet::CreateSession), Some(200)),
        fragment,
        failed,
        get,
        plain,
    ]
}

struct FewHeads;

impl Heads for FewHeads {
    fn head(&self, exchange: &Exchange, stream: Stream) -> Option<Arc<Head>> {
        let raw: &'static str = match (exchange.no, stream) {
            (2, Stream::Requests) => "Host: iis.corp:80\nX-Tag: a\nx-tag: b",
            (2, Stream::Responses) => "Server: Microsoft-IIS/10.0\nBITS-Host-Id: node7\nX-Tag: c",
            _ => return None,
        };
        let mut fields = Vec::new();
        let mut at = 0;
        for line in raw.split('\n') {
            let colon = line.find(':').unwrap();
            fields.push(Field {
                name: at..at + colon,
                value: at + colon + 2..at + line.len(),
            });
            at += line.len() + 1;
        }
        Some(Arc::new(Head {
            offset: 0,
            raw: Bytes::from_static(raw.as_bytes()),
            start: Start::Request {
                method: 0..0,
                target: 0..0,
                minor: 1,
            },
            fields,
        }))
    }
}

fn matching(text: &str) -> Vec<u32> {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.picture(text)));
    let (session, connection, exchanges) = (session(), connection(), rows());
    exchanges
        .iter()
        .filter(|exchange| {
            filter.matches(&Row {
                exchange,
                session: exchange.session.map(|_| &session),
                connection: (exchange.conn == ConnId(1)).then_some(&connection),
                heads: Some(&FewHeads),
                margin: None,
            })
        })
        .map(|exchange| exchange.no)
        .collect()
}

#[test]
fn expressions_select_rows() {
    let cases: &[(&str, &[u32])] = &[
        ("", &[1, 2, 3, 4, 5]),
        ("  ", &[1, 2, 3, 4, 5]),
        // Presence.
        ("bits", &[1, 2, 3, 4]),
        ("not bits", &[5]),
        ("!bits", &[5]),
        ("bits.error", &[3]),
        ("http.status", &[1, 2, 3, 5]),
        ("problem", &[3, 4, 5]),
        (
            "mark or finding or fault.rule or finding.level >= note",
            &[],
        ),
        // Packets in any spelling.
        ("bits.type == create-session", &[1]),
        ("bits.type == CreateSession", &[1]),
        ("bits.type == CREATE_SESSION", &[1]),
        ("bits.type -eq \"Create-Session\"", &[1]),
        ("bits.type in {Fragment, get}", &[2, 3, 4]),
        ("bits.type contains session", &[1]),
        ("bits.type != fragment", &[1, 4]),
        ("not bits.type == fragment", &[1, 4, 5]),
        // Ids with and without braces.
        (
            "bits.session == {3f2b0000-AAAA-bbbb-CCCC-000000000001}",
            &[1, 2, 3],
        ),
        (
            "bits.session == 3f2b0000-AAAA-bbbb-CCCC-000000000001",
            &[1, 2, 3],
        ),
        (
            "bits.session in {{3f2b0000-AAAA-bbbb-CCCC-000000000001}, x}",
            &[1, 2, 3],
        ),
        ("bits.session contains 3f2b", &[1, 2, 3]),
        // Sizes, durations, rates.
        ("bits.range.start >= 1MiB", &[3]),
        ("bits.range.end < 1 MiB", &[2]),
        ("bits.total == 3MiB", &[2]),
        ("bits.last", &[]),
        ("bits.total and not bits.last", &[2]),
        ("bits.received == 0x100000", &[2]),
        ("size > 1MB", &[2, 3]),
        ("size == 5", &[5]),
        ("size in {1..10}", &[5]),
        ("time.wait > 30s", &[3]),
        ("time.wait == 30ms", &[1, 2, 5]),
        ("time.total >= 0.1 s and time.total < 1 m", &[1, 2, 3, 5]),
        ("time > 4", &[5]),
        ("rate > 8Mbit/s", &[2]),
        ("rate < 64KiB/s", &[1, 3, 5]),
        // Errors.
        ("bits.error == 0x8020001F", &[3]),
        ("bits.error == -2145386465", &[3]),
        ("bits.error in {0x80200000..0x8020FFFF}", &[3]),
        ("bits.error != 0x80200020", &[3]),
        ("bits.error.context == 5", &[3]),
        // HTTP.
        ("http.method == get", &[4]),
        ("http.status >= 400", &[3, 5]),
        ("http.status in {400..499, 200}", &[1, 2, 5]),
        ("http.status not in {400..499, 200}", &[3, 4]),
        ("http.status -notin {404}", &[1, 2, 3, 4]),
        ("http.status != 200", &[3, 5]),
        ("http.url contains REPORT", &[1, 2, 3]),
        ("http.url like *.cab?x?1", &[4]),
        ("http.url -like '*.cab?x=*'", &[4]),
        ("http.url -notlike /up/*", &[4, 5]),
        ("http.url matches \"report\\.c.v$\"", &[1, 2, 3]),
        ("http.url -match '^/login$'", &[5]),
        ("http.host == wsus.corp", &[4]),
        ("http.host == IIS.corp", &[2]),
        ("http.version == HTTP/1.1", &[2]),
        ("bits.host_id == node7", &[2]),
        ("http.header.x-tag == b", &[2]),
        ("http.header.x-tag == c", &[2]),
        ("http.header.x-tag != c", &[]),
        ("http.header.x-tag != d", &[2]),
        ("http.header.server contains iis", &[2]),
        ("HTTP.Header.Server", &[2]),
        // Connection, client, leg, numbers.
        ("conn == 2", &[5]),
        ("client.ip == 10.0.0.0/8", &[1, 2, 3, 4]),
        ("client.ip != 10.0.0.0/8", &[]),
        ("client.ip in {192.168.0.0/16, 10.1.2.3}", &[1, 2, 3, 4]),
        ("client.port == 50112 and no < 3", &[1, 2]),
        ("leg == client", &[1, 2, 3, 4, 5]),
        ("no in {2..3}", &[2, 3]),
        ("outcome == no-response", &[4]),
        // Sessions.
        ("session", &[1, 2, 3]),
        ("session == 1", &[1, 2, 3]),
        ("session.state == failed", &[1, 2, 3]),
        ("session.kind == download", &[]),
        ("session.restarts > 0", &[1, 2, 3]),
        ("name == report.CSV", &[1, 2, 3]),
        ("name -like *.cab", &[4]),
        // Words alone.
        ("report.csv", &[1, 2, 3]),
        ("\"report.csv\"", &[1, 2, 3]),
        ("DRIVER", &[4]),
        ("'nothing like it'", &[]),
        // Precedence: not, then and, then or.
        ("no == 1 or no == 2 and http.status == 500", &[1]),
        ("(no == 1 or no == 2) and http.status == 500", &[]),
        ("not no == 1 and no < 3", &[2]),
        ("not (no == 1 and no < 3)", &[2, 3, 4, 5]),
        ("no==1||no==2&&bits", &[1, 2]),
        ("no -eq 1 -or no -gt 3 -and -not bits", &[1, 5]),
        ("NO EQ 1 OR NO EQ 2", &[1, 2]),
    ];
    for (text, expected) in cases {
        assert_eq!(matching(text), *expected, "{text}");
        let filter = Filter::parse(text).unwrap();
        assert_eq!(
            matching(&filter.to_string()),
            *expected,
            "{text} as {filter}"
        );
    }
}

#[test]
fn errors_are_found_by_name_whatever_the_tables_call_them() {
    let name =
        hresult::lookup(LOST).map_or_else(|| hresult::name(LOST), |known| known.name.to_owned());
    assert_eq!(matching(&format!("bits.error.name == {name}")), [3]);
    assert_eq!(matching(&name.to_lowercase()), [3]);
    assert_eq!(matching("bits.error.name"), [3]);
    assert_eq!(matching("bits.error == bg_e_session_not_found"), [3]);
    assert_eq!(matching("bits.error > BG_E_SESSION_NOT_FOUND"), [0; 0]);
    assert_eq!(matching("bits.error.name contains session_not"), [3]);
}

#[test]
fn fields_of_heads_are_absent_without_heads() {
    let exchanges = rows();
    let row = Row {
        exchange: &exchanges[1],
        session: None,
        connection: None,
        heads: None,
        margin: None,
    };
    for text in [
        "http.header.server",
        "http.host",
        "http.version",
        "bits.host_id",
    ] {
        let filter = Filter::parse(text).unwrap();
        assert!(filter.needs_heads(), "{text}");
        assert!(!filter.matches(&row), "{text}");
        assert!(filter.matches(&row.with_heads(&FewHeads)), "{text}");
    }
    assert!(
        !Filter::parse("http.url contains a or bits")
            .unwrap()
            .needs_heads()
    );
}

#[test]
fn sessions_are_selected_by_themselves_or_by_an_exchange() {
    let (session, exchanges) = (session(), rows());
    let own: Vec<&Exchange> = exchanges.iter().filter(|e| e.session == Some(1)).collect();
    let selected = |text: &str| {
        let rows = own.iter().map(|exchange| Row {
            exchange,
            session: Some(&session),
            connection: None,
            heads: None,
            margin: None,
        });
        Filter::parse(text).unwrap().selects_session(&session, rows)
    };
    for text in [
        "",
        "report",
        "session.state == failed",
        "session.kind == upload and name -like *.csv",
        "http.status == 500",
        "not http.status == 200",
        "client.ip == 10.1.2.3",
        "problem",
        "session.state == failed and bits.type == fragment",
    ] {
        assert!(selected(text), "{text}");
    }
    for text in [
        "driver",
        "session.state != failed",
        "not session.state == failed",
        "http.status == 404",
        "not bits",
        "session.state == open and bits.type == fragment",
        "bits.type == ping",
    ] {
        assert!(!selected(text), "{text}");
    }
}

#[test]
fn a_session_that_decides_itself_is_not_asked_row_by_row() {
    let session = session();
    let rows = std::iter::from_fn(|| -> Option<Row<'static>> { panic!("asked for a row") });
    let filter = Filter::parse("session.state == failed or bits").unwrap();
    assert!(filter.selects_session(&session, rows));
}

#[test]
fn narrowing_keeps_what_the_user_wrote() {
    let by = |text, field, value| filter_by(text, field, value).unwrap();
    assert_eq!(by("", "http.status", "500"), "http.status == 500");
    assert_eq!(
        by("report", "bits.type", "fragment"),
        "report and bits.type == Fragment"
    );
    assert_eq!(by("a or  b", "conn", "2"), "(a or  b) and conn == 2");
    assert_eq!(
        by("bits", "name", "a \"b\""),
        r#"bits and name == "a \"b\"""#
    );
    assert_eq!(by("", "problem", ""), "problem");
    assert_eq!(
        exclude("bits", "http.status", "200").unwrap(),
        "bits and not http.status == 200"
    );
    assert!(filter_by("bits and", "conn", "2").is_err());
    assert!(filter_by("", "no.such", "2").is_err());
    assert!(filter_by("", "conn", "x").is_err());
}
