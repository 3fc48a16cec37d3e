//! A tree and a row: does it match? Says where each field's value comes from.
//!
//! A field that a row does not have matches no comparison, `!=` included, as in Wireshark 4: so
//! `http.status != 200` asks for an answer that was not 200, `not http.status == 200` for that or none.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::bits::{Packet, hresult};
use crate::event::Leg;
use crate::timeline::margin::Margin;
use crate::timeline::row::{Connection, Exchange, Session};
use crate::wire::Head;
use crate::wire::Stream;

use super::expr::{Expr, Item, Op};
use super::field::{Field, Id, Kind, LEVELS};
use super::fold;
use super::value::{Value, bare};

/// What a tree is matched against; the exchange is absent where a session stands alone.
#[derive(Clone, Copy)]
pub(super) struct View<'r> {
    pub(super) exchange: Option<&'r Exchange>,
    pub(super) session: Option<&'r Session>,
    pub(super) connection: Option<&'r Connection>,
    pub(super) heads: Option<&'r dyn super::Heads>,
    pub(super) margin: Option<&'r dyn Margin>,
}

/// What a field holds in one row.
enum Found<'r> {
    Number(u64),
    Code(u32),
    Time(Duration),
    Packet(Packet),
    Choice(&'static str),
    Client(SocketAddr),
    Text(&'r str),
    Owned(Cow<'static, str>),
    /// Every value of a header field, in the order sent.
    Many(Vec<String>),
    /// Places in the list of levels.
    Levels(Vec<usize>),
    Rules(Vec<&'static str>),
}

/// Tells whether a row matches.
pub(super) fn matches(expr: &Expr, view: &View<'_>) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|part| matches(part, view)),
        Expr::Any(parts) => parts.iter().any(|part| matches(part, view)),
        Expr::Not(inner) => !matches(inner, view),
        leaf => matches_leaf(leaf, view),
    }
}

/// Tells whether a session matches by what it says itself; `None` where only its exchanges know.
pub(super) fn decides(expr: &Expr, view: &View<'_>) -> Option<bool> {
    match expr {
        Expr::All(parts) => every(parts.iter().map(|part| decides(part, view)), false),
        Expr::Any(parts) => every(parts.iter().map(|part| decides(part, view)), true),
        Expr::Not(inner) => decides(inner, view).map(|decided| !decided),
        leaf => {
            let own = match leaf {
                Expr::Present(field)
                | Expr::Compare(field, ..)
                | Expr::In(field, _)
                | Expr::Contains(field, _)
                | Expr::Like(field, _)
                | Expr::Matches(field, _) => field.is_of_session(),
                _ => false,
            };
            if matches_leaf(leaf, view) {
                Some(true)
            } else {
                own.then_some(false)
            }
        }
    }
}

/// `final_one` as soon as any part is that, unknown if any part is, else the opposite.
fn every(parts: impl Iterator<Item = Option<bool>>, final_one: bool) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part {
            Some(decided) if decided == final_one => return Some(final_one),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!final_one)
}

fn matches_leaf(leaf: &Expr, view: &View<'_>) -> bool {
    match leaf {
        Expr::Present(field) => view.has(field),
        Expr::Search(text) => view.mentions(text),
        Expr::Compare(field, op, value) => view
            .read(field)
            .is_some_and(|found| found.compares(field, *op, value)),
        Expr::In(field, items) => view.read(field).is_some_and(|found| {
            items.iter().any(|item| match item {
                Item::One(value) => found.compares(field, Op::Eq, value),
                Item::Span(first, last) => {
                    found.compares(field, Op::Ge, first) && found.compares(field, Op::Le, last)
                }
            })
        }),
        Expr::Contains(field, text) => view
            .read(field)
            .is_some_and(|found| found.any_text(|hay| fold::contains(hay, text))),
        Expr::Like(field, text) => view
            .read(field)
            .is_some_and(|found| found.any_text(|hay| fold::like(hay, text))),
        Expr::Matches(field, pattern) => view
            .read(field)
            .is_some_and(|found| found.any_text(|hay| pattern.regex.is_match(hay))),
        Expr::All(_) | Expr::Any(_) | Expr::Not(_) => matches(leaf, view),
    }
}

impl Found<'_> {
    fn compares(&self, field: &Field, op: Op, value: &Value) -> bool {
        match (self, value) {
            (
                Self::Number(found),
                Value::Number(wanted) | Value::Bytes(wanted) | Value::Rate(wanted),
            ) => ordered(op, found, wanted),
            (Self::Code(found), Value::Code(wanted)) => ordered(op, found, wanted),
            (Self::Time(found), Value::Time(wanted)) => ordered(op, found, wanted),
            (Self::Packet(found), Value::Packet(wanted)) => same(op, found == wanted),
            (Self::Choice(found), Value::Choice(wanted, name)) => match field.kind {
                Kind::Level(names) => names
                    .iter()
                    .position(|name| name == found)
                    .is_some_and(|found| ordered(op, &found, wanted)),
                _ => same(op, found == name),
            },
            (Self::Levels(found), Value::Choice(wanted, _)) => match op {
                Op::Ne => !found.contains(wanted),
                op => found.iter().any(|found| ordered(op, found, wanted)),
            },
            (Self::Client(found), Value::Network(network)) => same(op, network.holds(found.ip())),
            (Self::Text(found), Value::Text(wanted)) if field.kind == Kind::SessionId => {
                same(op, fold::equals(bare(found), wanted))
            }
            (_, Value::Text(wanted)) => same(op, self.any_text(|text| fold::equals(text, wanted))),
            _ => false,
        }
    }

    fn any_text(&self, holds: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Text(text) => holds(text),
            Self::Owned(text) => holds(text),
            Self::Many(texts) => texts.iter().any(|text| holds(text)),
            Self::Rules(ids) => ids.iter().any(|id| holds(id)),
            Self::Levels(levels) => levels
                .iter()
                .any(|level| LEVELS.get(*level).is_some_and(|name| holds(name))),
            Self::Packet(packet) => holds(packet.name()),
            Self::Choice(name) => holds(name),
            Self::Number(_) | Self::Code(_) | Self::Time(_) | Self::Client(_) => false,
        }
    }
}

fn ordered<T: Ord>(op: Op, found: &T, wanted: &T) -> bool {
    match op {
        Op::Eq => found == wanted,
        Op::Ne => found != wanted,
        Op::Lt => found < wanted,
        Op::Le => found <= wanted,
        Op::Gt => found > wanted,
        Op::Ge => found >= wanted,
    }
}

/// `==` and `!=` of what has no order; with several values `!=` means that all differ.
const fn same(op: Op, equal: bool) -> bool {
    match op {
        Op::Eq => equal,
        Op::Ne => !equal,
        Op::Lt | Op::Le | Op::Gt | Op::Ge => false,
    }
}

fn error_name(code: u32) -> Cow<'static, str> {
    hresult::lookup(code).map_or_else(
        || Cow::Owned(hresult::name(code)),
        |known| Cow::Borrowed(known.name),
    )
}

impl<'r> View<'r> {
    fn has(&self, field: &Field) -> bool {
        match field.id {
            Id::Bits => self.exchange.is_some_and(|exchange| {
                exchange.packet.is_some() || exchange.method.eq_ignore_ascii_case("BITS_POST")
            }),
            Id::Auth | Id::AuthProxy => self
                .exchange
                .and_then(|exchange| exchange.auth)
                .is_some_and(|auth| auth.scheme.is_some() && (auth.proxy || field.id == Id::Auth)),
            Id::Problem => match (self.exchange, self.session) {
                (Some(exchange), _) => exchange.is_problem(),
                (None, session) => session.is_some_and(|session| session.problems > 0),
            },
            Id::BitsLast => self
                .exchange
                .and_then(|exchange| exchange.range)
                .is_some_and(|range| {
                    range
                        .last
                        .checked_add(1)
                        .is_some_and(|next| range.total == Some(next))
                }),
            _ => self.read(field).is_some(),
        }
    }

    /// Tells whether URL, file name or error name hold `text`.
    fn mentions(&self, text: &str) -> bool {
        let exchange = self.exchange;
        let url = match exchange {
            Some(exchange) => Some(&*exchange.url),
            None => self.session.map(|session| &*session.url),
        };
        url.is_some_and(|url| fold::contains(url, text))
            || self
                .session
                .is_some_and(|session| fold::contains(&session.name, text))
            || exchange
                .and_then(|exchange| exchange.error)
                .is_some_and(|error| fold::contains(&error_name(error.code), text))
    }

    fn read(&self, field: &Field) -> Option<Found<'r>> {
        match field.id {
            Id::Session
            | Id::SessionState
            | Id::SessionKind
            | Id::SessionRestarts
            | Id::SessionRewinds
            | Id::SessionResent
            | Id::Name => self.read_session(field.id),
            Id::HttpHeader | Id::HttpHost | Id::HttpVersion | Id::BitsHost => {
                self.read_heads(field)
            }
            Id::Finding | Id::FindingLevel | Id::Mark => self.read_margin(field.id),
            Id::ClientIp => self.client().map(Found::Client),
            Id::ClientPort => self
                .client()
                .map(|client| Found::Number(client.port().into())),
            id => match self.exchange {
                Some(exchange) => read_exchange(id, exchange),
                None => self.session.and_then(|session| match id {
                    Id::HttpUrl => Some(Found::Text(&session.url)),
                    Id::BitsSession => session.session_id.as_deref().map(Found::Text),
                    _ => None,
                }),
            },
        }
    }

    fn read_session(&self, id: Id) -> Option<Found<'r>> {
        let Some(session) = self.session else {
            let exchange = self.exchange?;
            return match id {
                Id::Session => exchange.session.map(|no| Found::Number(no.into())),
                Id::Name => last_segment(&exchange.url).map(Found::Text),
                _ => None,
            };
        };
        Some(match id {
            Id::SessionState => Found::Choice(session.state.name()),
            Id::SessionKind => Found::Choice(session.kind.name()),
            Id::SessionRestarts => Found::Number(session.restarts.into()),
            Id::SessionRewinds => Found::Number(session.rewinds.into()),
            Id::SessionResent => Found::Number(session.resent),
            Id::Name => Found::Text(&session.name),
            _ => Found::Number(session.no.into()),
        })
    }

    fn read_margin(&self, id: Id) -> Option<Found<'r>> {
        let margin = self.margin?;
        let no = self.exchange.map_or(0, |exchange| exchange.no);
        if id == Id::Mark {
            return margin.annotation(no).map(|it| Found::Text(&it.comment));
        }
        let findings = margin.findings(no);
        if findings.is_empty() {
            return None;
        }
        let level = |name: &str| LEVELS.iter().position(|known| *known == name);
        Some(if id == Id::Finding {
            Found::Rules(findings.iter().map(|finding| finding.id).collect())
        } else {
            let levels = findings.iter();
            Found::Levels(levels.filter_map(|it| level(it.level.name())).collect())
        })
    }

    fn client(&self) -> Option<SocketAddr> {
        self.connection
            .and_then(|connection| connection.client)
            .or_else(|| self.session.and_then(|session| session.client))
    }

    fn read_heads(&self, field: &Field) -> Option<Found<'r>> {
        match field.id {
            Id::HttpHost => self
                .exchange
                .and_then(|exchange| authority(&exchange.url))
                .map(Found::Text)
                .or_else(|| {
                    let head = self.head(Stream::Requests)?;
                    let host = text(head.value("host")?);
                    Some(Found::Owned(Cow::Owned(without_port(&host).to_owned())))
                })
                .or_else(|| {
                    self.session
                        .and_then(|s| authority(&s.url))
                        .map(Found::Text)
                }),
            Id::HttpVersion => {
                let version = match self.head(Stream::Requests)?.minor() {
                    9 => "0.9",
                    0 => "1.0",
                    _ => "1.1",
                };
                Some(Found::Text(version))
            }
            Id::BitsHost => {
                let head = self.head(Stream::Responses)?;
                let id = text(head.value("bits-host-id")?);
                Some(Found::Owned(Cow::Owned(id)))
            }
            _ => {
                let values: Vec<String> = [Stream::Requests, Stream::Responses]
                    .into_iter()
                    .filter_map(|stream| self.head(stream))
                    .flat_map(|head| head.values(&field.header).map(text).collect::<Vec<_>>())
                    .collect();
                (!values.is_empty()).then_some(Found::Many(values))
            }
        }
    }

    fn head(&self, stream: Stream) -> Option<Arc<Head>> {
        self.heads?.head(self.exchange?, stream)
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn read_exchange(id: Id, exchange: &Exchange) -> Option<Found<'_>> {
    let number = |number: u64| Some(Found::Number(number));
    let times = exchange.times.get();
    let bodies = [exchange.request, exchange.response];
    let size = || {
        bodies
            .iter()
            .flatten()
            .fold(0_u64, |sum, message| sum.saturating_add(message.body))
    };
    let total = || Some(times.ended?.saturating_sub(times.begun));
    match id {
        Id::BitsType => exchange.packet.map(Found::Packet),
        Id::BitsSession => exchange.session_id.as_deref().map(Found::Text),
        Id::BitsRangeStart => number(exchange.range?.first),
        Id::BitsRangeEnd => number(exchange.range?.last),
        Id::BitsTotal => number(exchange.range?.total?),
        Id::BitsReceived => number(exchange.received.get()?),
        Id::BitsError => Some(Found::Code(exchange.error?.code)),
        Id::BitsErrorName => Some(Found::Owned(error_name(exchange.error?.code))),
        Id::BitsErrorContext => number(exchange.error?.context?.into()),
        Id::HttpMethod => Some(&*exchange.method)
            .filter(|method| !method.is_empty())
            .map(Found::Text),
        Id::HttpUrl => Some(&*exchange.url)
            .filter(|url| !url.is_empty())
            .map(Found::Text),
        Id::HttpStatus => number(exchange.status?.into()),
        Id::AuthScheme => many(exchange.auth?.schemes()),
        Id::AuthStage => many(exchange.auth?.stages()),
        Id::Conn => number(exchange.conn.0.into()),
        Id::No => number(exchange.no.into()),
        Id::Leg => bodies.into_iter().flatten().next().map(|message| {
            Found::Choice(match message.head.leg {
                Leg::Client => "client",
                Leg::Upstream => "upstream",
            })
        }),
        Id::Time => Some(Found::Time(times.begun)),
        Id::TimeWait => Some(Found::Time(
            times.response_begun?.saturating_sub(times.request_end?),
        )),
        Id::TimeTotal => total().map(Found::Time),
        Id::Size => number(size()),
        Id::Rate => number(rate(size(), total()?)?),
        Id::Outcome => Some(Found::Choice(exchange.outcome.name())),
        Id::FaultRule => many(exchange.faults.iter()),
        _ => None,
    }
}

/// Several values; `None` where there are none.
fn many<'r>(values: impl Iterator<Item: ToString>) -> Option<Found<'r>> {
    let values: Vec<String> = values.map(|value| value.to_string()).collect();
    (!values.is_empty()).then_some(Found::Many(values))
}

/// Bytes a second, rounded down; `None` in no time.
fn rate(bytes: u64, time: Duration) -> Option<u64> {
    let rate = u128::from(bytes)
        .saturating_mul(1_000_000_000)
        .checked_div(time.as_nanos())?;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// The host of an absolute URL, without user and port.
fn authority(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    Some(without_port(host)).filter(|host| !host.is_empty())
}

/// The host of `host:port`; the colons of an address in brackets are its own.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The last segment of a URL's path.
fn last_segment(url: &str) -> Option<&str> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let path = url.get(..end)?;
    path.rsplit('/')
        .next()
        .filter(|segment| !segment.is_empty())
}
