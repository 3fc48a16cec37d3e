//! Rows made by hand, and the bytes that a capture would hold for them.

#![expect(
    unreachable_pub,
    reason = "shared by several test crates, each of which uses a part"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bitstap::bits::check::Who;
use bitstap::bits::{ContentRange, Packet};
use bitstap::event::{Close, ConnId, Direction, Event, Fact, Leg, What};
use bitstap::timeline::row::Message;
use bitstap::timeline::{
    Annotation, Chunk, Connection, Exchange, Finding, Level, Margin, Outcome, Remark, Session,
    SessionKind, SessionState, Span, Times, WireError,
};
use bitstap::tui::model::{Read, Want};
use bitstap::tui::rows::{Rows, find_connection};

/// Rows made by hand.
#[derive(Default)]
pub struct Made {
    pub exchanges: Vec<Exchange>,
    pub sessions: Vec<Session>,
    pub connections: Vec<Connection>,
    pub remarks: Vec<Remark>,
    pub findings: Vec<Finding>,
    pub annotations: BTreeMap<u32, Annotation>,
    pub generation: u64,
}

impl Rows for Made {
    fn exchange_count(&self) -> usize {
        self.exchanges.len()
    }
    fn exchange(&self, row: usize) -> Option<&Exchange> {
        self.exchanges.get(row)
    }
    fn session_count(&self) -> usize {
        self.sessions.len()
    }
    fn session(&self, row: usize) -> Option<&Session> {
        self.sessions.get(row)
    }
    fn connection(&self, id: ConnId) -> Option<&Connection> {
        find_connection(&self.connections, id)
    }
    fn remarks(&self) -> &[Remark] {
        &self.remarks
    }
    fn generation(&self) -> u64 {
        self.generation
    }
    fn margin(&self) -> Option<&dyn Margin> {
        Some(self)
    }
    fn findings(&self) -> &[Finding] {
        &self.findings
    }
    fn annotated(&self) -> Vec<u32> {
        self.annotations.keys().copied().collect()
    }
}

impl Made {
    /// Takes what a person wrote, as a timeline does.
    pub fn write(&mut self, event: &Event) {
        let What::Note(note) = &event.what else {
            return;
        };
        let (Fact::Mark { place, .. } | Fact::Comment { place, .. }) = &note.fact else {
            return;
        };
        let mut annotation = self.annotations.remove(&place.exchange).unwrap_or_default();
        match &note.fact {
            Fact::Mark { on, .. } => annotation.marked = *on,
            Fact::Comment { comment, .. } => annotation.comment.clone_from(comment),
            _ => {}
        }
        if annotation != Annotation::default() {
            self.annotations.insert(place.exchange, annotation);
        }
    }
}

impl Margin for Made {
    fn findings(&self, no: u32) -> Vec<&Finding> {
        let of = |finding: &&Finding| finding.exchange == Some(no);
        self.findings.iter().filter(of).collect()
    }
    fn annotation(&self, no: u32) -> Option<&Annotation> {
        self.annotations.get(&no)
    }
}

/// Four findings: two of one rule, one of another level, one of a session as a whole.
pub fn story_findings() -> Vec<Finding> {
    let finding = |id: &str, level, who, exchange, text: &str| {
        let rule = bitstap::bits::check::find(id).expect("a rule");
        Finding {
            id: rule.id,
            level,
            who,
            exchange,
            session: Some(1),
            text: text.into(),
            source: rule.source,
        }
    };
    let again = "The fragment begins at 0, the server had said 12582912.";
    vec![
        finding("BUP-FR-12", Level::Warning, Who::Client, Some(8), again),
        finding(
            "BUP-ER-04",
            Level::Note,
            Who::Server,
            Some(8),
            "500 carries BG_E_SESSION_NOT_FOUND.",
        ),
        finding("BUP-FR-12", Level::Error, Who::Client, Some(10), again),
        finding(
            "BUP-CL-04",
            Level::Warning,
            Who::Session,
            None,
            "Nobody ended the session.",
        ),
    ]
}

pub const MIB: u64 = 1 << 20;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The head of exchange `no`: its place stands for its bytes, see [`answer`].
fn message(no: u32, direction: Direction, body: u64) -> Message {
    let mut message = Message::new(Span {
        conn: ConnId(no),
        leg: Leg::Client,
        direction,
        position: 0,
        base: 0,
        offset: 0,
        len: u64::try_from(head(no, direction).len()).unwrap(),
    });
    message.body_wire = body;
    message.body = body;
    message.set_length(Some(body));
    message
}

pub const HOSTILE: u32 = 99;

/// What a capture would hold as the head of exchange `no`.
pub fn head(no: u32, direction: Direction) -> Vec<u8> {
    match (no, direction) {
        (HOSTILE, Direction::ToServer) => b"GET /\x1b[2J\x9b HTTP/1.1\r\nHost: a\nX-\xe2\x80\xae: b\rc\r\n folded\r\n\r\n".to_vec(),
        (_, Direction::ToServer) => b"BITS_POST /up/report.csv HTTP/1.1\r\nAccept: */*\r\nBITS-Packet-Type: Fragment\r\nBITS-Session-Id: {3F2B4A10-77F1-4E7B-9C55-0D1A2B3C4D5E}\r\nContent-Name: report.csv\r\nContent-Range: bytes 12582912-13631487/22020096\r\nContent-Length: 1048576\r\nUser-Agent: Microsoft BITS/7.8\r\nhost: iis.corp\r\nAuthorization: Negotiate YIIJvwYGKwYBBQUCoIIJszCCCa8\r\n\r\n".to_vec(),
        (_, Direction::ToClient) => b"HTTP/1.1 500 Internal Server Error\r\nBITS-Packet-Type: Ack\r\nBITS-Error-Code: 0x8020001F\r\nBITS-Error-Context: 0x5\r\nServer: Microsoft-IIS/10.0\r\nSet-Cookie: id=geheim; Path=/\r\nContent-Length: 0\r\n\r\n".to_vec(),
    }
}

/// Reads back as a capture would; a body has a hole of 20 bytes at 24.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands for a read that can fail"
)]
pub fn answer(want: Want) -> Read {
    if want.span.offset == 0 {
        let bytes = head(want.span.conn.0, want.span.direction);
        return Ok(Chunk {
            bytes: bytes[..want.len.min(bytes.len())].to_vec(),
            holes: Vec::new(),
        });
    }
    let bytes: Vec<u8> = (want.from..)
        .take(want.len)
        .map(|at| u8::try_from(at * 7 % 256).unwrap())
        .collect();
    let hole = 24u64..44;
    let start = usize::try_from(hole.start.saturating_sub(want.from)).unwrap();
    let end = usize::try_from(hole.end.saturating_sub(want.from)).unwrap();
    let holes = if start < end && end <= bytes.len() {
        std::iter::once(start..end).collect()
    } else {
        Vec::new()
    };
    Ok(Chunk { bytes, holes })
}

/// An exchange that went well.
pub fn exchange(no: u32, session: u32, packet: Packet, at: u64) -> Exchange {
    Exchange {
        no,
        conn: ConnId(1),
        session: Some(session),
        method: "BITS_POST".into(),
        url: "/up/report.csv".into(),
        packet: Some(packet),
        status: Some(200),
        range: None,
        received: None.into(),
        session_id: None,
        error: None,
        auth: None,
        times: Times {
            begun: ms(at),
            request_end: Some(ms(at + 1)),
            response_begun: Some(ms(at + 3)),
            ended: Some(ms(at + 4)),
        }
        .into(),
        outcome: Outcome::Complete,
        request: Some(message(no, Direction::ToServer, 0)),
        response: Some(message(no, Direction::ToClient, 0)),
        faults: bitstap::timeline::Faults::default(),
        rewrites: bitstap::timeline::Faults::default(),
        parts: bitstap::timeline::Pieces::default(),
    }
}

pub fn session(no: u32, name: &str, state: SessionState) -> Session {
    Session {
        no,
        kind: SessionKind::Upload,
        state,
        session_id: Some("{3F2B4A10-77F1-4E7B-9C55-0D1A2B3C4D5E}".into()),
        url: format!("/up/{name}").into(),
        name: name.into(),
        client: Some(address("10.0.0.23:50112")),
        user_agent: Some("Microsoft BITS/7.8".into()),
        total: Some(21 * MIB),
        acknowledged: 0,
        sent: 0,
        resent: 0,
        exchanges: 0,
        connections: 1,
        restarts: 0,
        rewinds: 0,
        reply_url: None,
        reply_bytes: 0,
        first: ms(0),
        last: ms(0),
        problems: 0,
        story: Vec::new(),
    }
}

fn fragment(no: u32, session: u32, at: u64, first: u64, last: u64, total: u64) -> Exchange {
    let count = last - first + 1;
    Exchange {
        range: Some(ContentRange {
            first,
            last,
            total: Some(total),
        }),
        received: Some(last + 1).into(),
        request: Some(message(no, Direction::ToServer, count)),
        ..exchange(no, session, Packet::Fragment, at)
    }
}

/// Four files: one fails and is on its way again, one is closed, one is downloaded, one is lost.
pub fn story() -> Made {
    Made {
        exchanges: story_exchanges(),
        sessions: story_sessions(),
        connections: vec![story_connection()],
        remarks: story_remarks(),
        findings: story_findings(),
        generation: 1,
        ..Made::default()
    }
}

fn story_exchanges() -> Vec<Exchange> {
    let total = 21 * MIB;
    let mut exchanges = vec![exchange(1, 1, Packet::CreateSession, 0)];
    for part in 0..6 {
        let no = u32::try_from(part + 2).unwrap();
        exchanges.push(fragment(
            no,
            1,
            20 + part * 640,
            part * 2 * MIB,
            (part + 1) * 2 * MIB - 1,
            total,
        ));
    }
    exchanges.push(Exchange {
        status: Some(500),
        received: None.into(),
        error: Some(WireError {
            code: 0x8020_001F,
            context: Some(5),
        }),
        times: Times {
            begun: ms(4120),
            request_end: Some(ms(4160)),
            response_begun: Some(ms(45_160)),
            ended: Some(ms(45_161)),
        }
        .into(),
        ..fragment(8, 1, 4120, 12 * MIB, 13 * MIB - 1, total)
    });
    exchanges.push(exchange(9, 1, Packet::CreateSession, 45_200));
    let mut sending = Exchange {
        status: None,
        received: None.into(),
        outcome: Outcome::InFlight,
        response: None,
        times: Times {
            begun: ms(45_300),
            ..Times::default()
        }
        .into(),
        ..fragment(10, 1, 45_300, 0, 8 * MIB - 1, total)
    };
    sending.request = sending.request.map(|mut request| {
        request.body = 5 * MIB;
        request.body_wire = 5 * MIB;
        request
    });
    exchanges.push(sending);
    exchanges.push(Exchange {
        url: "/up/q.bin".into(),
        ..exchange(11, 2, Packet::CloseSession, 45_400)
    });
    exchanges.push(Exchange {
        method: "GET".into(),
        url: "/files/driver.cab".into(),
        status: None,
        outcome: Outcome::NoResponse,
        response: None,
        times: Times {
            begun: ms(46_000),
            request_end: Some(ms(46_001)),
            response_begun: None,
            ended: Some(ms(46_900)),
        }
        .into(),
        ..exchange(12, 3, Packet::Get, 46_000)
    });
    exchanges
}

fn story_sessions() -> Vec<Session> {
    vec![
        Session {
            acknowledged: 12 * MIB,
            sent: 18 * MIB,
            resent: 5 * MIB,
            exchanges: 10,
            restarts: 1,
            problems: 1,
            last: ms(46_000),
            story: vec![
                "10.0.0.23 asked for a session to upload report.csv at 0.000 s.".into(),
                "12.0 MiB of 21.0 MiB went up in 6 fragments.".into(),
                "At 45.160 s the server no longer knew the session; the client started again at 0."
                    .into(),
            ],
            ..session(1, "report.csv", SessionState::Uploading)
        },
        Session {
            kind: SessionKind::UploadReply,
            acknowledged: 4 * MIB,
            total: Some(4 * MIB),
            exchanges: 1,
            last: ms(45_404),
            ..session(2, "q.bin", SessionState::Closed)
        },
        Session {
            kind: SessionKind::Download,
            acknowledged: 6 * MIB,
            total: Some(19 * MIB),
            exchanges: 1,
            problems: 1,
            last: ms(46_900),
            session_id: None,
            ..session(3, "driver.cab", SessionState::Failed)
        },
    ]
}

fn story_connection() -> Connection {
    Connection {
        id: ConnId(1),
        client: Some(address("10.0.0.23:50112")),
        server: Some(address("127.0.0.1:8080")),
        upstream: Some(address("10.0.0.80:80")),
        opened: ms(0),
        connect: Some(Duration::from_micros(1200)),
        first_close: Some((Direction::ToClient, Close::Reset)),
        upstream_close: Some((Direction::ToClient, Close::Reset)),
        closed: Some(ms(46_900)),
        exchanges: 12,
        to_server: 18 * MIB,
        to_client: 4_900,
        joined: false,
        tls: false,
    }
}

fn story_remarks() -> Vec<Remark> {
    vec![
        Remark {
            at: ms(46_900),
            conn: Some(ConnId(1)),
            leg: Some(Leg::Client),
            exchange: Some(12),
            text: "The server reset the connection before it answered.".into(),
            ruling: None,
        },
        Remark {
            at: ms(46_950),
            text: "The capture ends inside a block: 37 bytes are left out.".into(),
            ..Remark::default()
        },
    ]
}

/// One session and one packet with names made to deceive.
pub fn hostile() -> Made {
    let name = "fac\u{202E}txt.exe\u{1b}]0;pwned\u{7}\u{200b}";
    let mut get = Exchange {
        url: format!("/{name}{}", "x".repeat(500)).into(),
        method: "G\u{9b}ET".into(),
        request: Some(message(HOSTILE, Direction::ToServer, 64)),
        ..exchange(1, 1, Packet::Get, 0)
    };
    get.packet = None;
    Made {
        exchanges: vec![
            get,
            Exchange {
                url: "/報告書/ファイル/長い名前/報告書/ファイル/長い名前/報告書/ファイル.csv"
                    .into(),
                ..exchange(2, 2, Packet::Get, 5)
            },
        ],
        sessions: vec![
            Session {
                exchanges: 1,
                ..session(1, name, SessionState::Open)
            },
            Session {
                exchanges: 1,
                total: None,
                ..session(2, "報告書ファイル長い名前.csv", SessionState::Lost)
            },
            session(
                3,
                "z\u{301}\u{302}\u{303}\u{304}algo.bin",
                SessionState::Cancelled,
            ),
            session(4, &"long".repeat(200), SessionState::Complete),
        ],
        generation: 1,
        ..Made::default()
    }
}
