//! A moment as `when` sees it: the row that the exchange has at that time, made from its heads.
//!
//! What is not known yet is absent and matches nothing: at a request stage everything of the response, at
//! every stage the session's fields but `name`, and times but `time`. `size` is what the heads announce,
//! `no` is 0.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::bits::packet::{read_ack, read_request};
use crate::bits::{Ack, Auth, ContentRange, Packet, Request};
use crate::event::{Direction, Leg};
use crate::timeline::filter::{Filter, Heads, Row};
use crate::timeline::row::Times;
use crate::timeline::{Connection, Exchange, Message, Outcome, Span, Text, WireError, place};
use crate::wire::{Framing, Head, Stream};

use super::Moment;
use crate::fault::key::{Subject, short};
use crate::fault::rule::{At, Stage};
use crate::fault::verdict::Place;

/// Everything that rules look at.
#[derive(Debug)]
pub(crate) struct Scene<'m> {
    pub(crate) moment: &'m Moment<'m>,
    pub(crate) request: Option<Request>,
    pub(crate) ack: Option<Ack>,
    path: String,
    exchange: Exchange,
    connection: Connection,
    heads: Both<'m>,
}

/// The heads of the moment, copied for a filter once at most.
#[derive(Debug)]
struct Both<'m> {
    request: Option<&'m Head>,
    response: Option<&'m Head>,
    copies: [OnceLock<Arc<Head>>; 2],
}

impl Heads for Both<'_> {
    fn head(&self, _: &Exchange, stream: Stream) -> Option<Arc<Head>> {
        let [request, response] = &self.copies;
        let (head, copy) = match stream {
            Stream::Requests => (self.request, request),
            Stream::Responses => (self.response, response),
        };
        let head = head?;
        Some(Arc::clone(copy.get_or_init(|| Arc::new(head.clone()))))
    }
}

impl<'m> Scene<'m> {
    pub(super) fn new(moment: &'m Moment<'m>) -> Self {
        let (request_head, asked) = moment.request.unzip();
        let (response_head, answered) = moment.response.unzip();
        let request = request_head.map(read_request);
        let ack = response_head.map(read_ack);
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let url = text(request_head.and_then(Head::target));
        let path = short(place::split(&url).1);
        let packet = request.as_ref().and_then(|request| request.packet);
        let message = |direction, framing: Option<Framing>| {
            framing.map(|framing| message(moment, direction, framing))
        };
        let exchange = Exchange {
            no: 0,
            conn: moment.conn,
            session: None,
            method: Text::from(text(request_head.and_then(Head::method))),
            url: Text::from(url),
            packet,
            status: response_head.and_then(Head::status),
            range: range(request.as_ref(), ack.as_ref()),
            received: ack.as_ref().and_then(|ack| ack.received).into(),
            session_id: request
                .as_ref()
                .and_then(|request| request.session_id.as_deref())
                .or_else(|| ack.as_ref().and_then(|ack| ack.session_id.as_deref()))
                .map(Text::from),
            error: ack.as_ref().and_then(|ack| {
                ack.error.map(|code| WireError {
                    code,
                    context: ack.context,
                })
            }),
            auth: Auth::read(request_head, response_head),
            times: Times {
                begun: moment.at,
                ..Times::default()
            }
            .into(),
            outcome: Outcome::InFlight,
            request: message(Direction::ToServer, asked),
            response: message(Direction::ToClient, answered),
            faults: crate::timeline::Faults::default(),
            rewrites: crate::timeline::Faults::default(),
            parts: crate::timeline::Pieces::default(),
        };
        Self {
            moment,
            request,
            ack,
            path,
            exchange,
            connection: connection(moment),
            heads: Both {
                request: request_head,
                response: response_head,
                copies: [OnceLock::new(), OnceLock::new()],
            },
        }
    }

    /// Tells whether a condition holds.
    pub(super) fn matches(&self, when: &Filter) -> bool {
        when.matches(&Row {
            exchange: &self.exchange,
            session: None,
            connection: Some(&self.connection),
            heads: Some(&self.heads),
            margin: None,
        })
    }

    /// Returns what is known for naming a key.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            conn: self.moment.conn,
            client: self.client(),
            exchange: self.moment.exchange,
            request: self.request.as_ref(),
            path: &self.path,
        }
    }

    /// Returns the client's address without its port.
    pub(super) fn client(&self) -> IpAddr {
        self.moment.client.address.ip().to_canonical()
    }

    /// Returns the size of the whole file, as far as the message tells it.
    pub(crate) fn total(&self) -> Option<u64> {
        self.exchange.range?.total
    }

    /// Returns the status of the response, as it came.
    pub(super) fn status(&self) -> Option<u16> {
        self.exchange.status
    }

    pub(crate) fn packet(&self) -> Option<Packet> {
        self.exchange.packet
    }

    /// Returns the head that the moment is about.
    pub(crate) fn head(&self) -> Option<&'m Head> {
        match self.moment.stage {
            Stage::RequestHead | Stage::RequestBody => self.moment.request,
            Stage::ResponseHead | Stage::ResponseBody => self.moment.response,
            Stage::Connect | Stage::Close => None,
        }
        .map(|(head, _)| head)
    }

    /// Finds where a rule of this stage acts; `None` where the message does not carry that byte.
    pub(super) fn place(&self, stage: Stage, at: Option<At>) -> Option<Place> {
        match stage {
            Stage::RequestBody | Stage::ResponseBody => self.offset(stage, at).map(Place::Body),
            _ => Some(Place::Head),
        }
    }

    fn offset(&self, stage: Stage, at: Option<At>) -> Option<u64> {
        let message = match stage {
            Stage::RequestBody => self.moment.request,
            _ => self.moment.response,
        };
        let length = match message?.1 {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
            Framing::None | Framing::Tunnel => return None,
        };
        let within = |offset: u64| {
            length
                .is_none_or(|length| offset < length)
                .then_some(offset)
        };
        match at {
            None => within(0),
            Some(At::Body(offset)) => within(offset),
            Some(At::Percent(percent)) => portion(length.filter(|length| *length > 0)?, percent),
            Some(At::File(byte)) => self.file_offset(stage, byte).and_then(within),
        }
    }

    /// Finds where in the content byte `byte` of the file lies.
    fn file_offset(&self, stage: Stage, byte: u64) -> Option<u64> {
        let carried = if stage == Stage::RequestBody {
            self.request.as_ref()?.range?
        } else {
            let ack = self.ack.as_ref()?;
            match self.exchange.status? {
                206 if !ack.multipart => ack.range?,
                // RFC 9110 §15.3.1: the whole file.
                200 if self.exchange.method.eq_ignore_ascii_case("GET") => return Some(byte),
                _ => return None,
            }
        };
        (byte <= carried.last)
            .then(|| byte.checked_sub(carried.first))
            .flatten()
    }
}

/// The range as a timeline's row has it.
fn range(request: Option<&Request>, ack: Option<&Ack>) -> Option<ContentRange> {
    let request = request?;
    let is_get = request.packet == Some(Packet::Get);
    let told = ack.filter(|_| is_get).and_then(|ack| ack.range);
    let asked = || {
        let (first, last) = *request.wanted.first().filter(|_| is_get)?;
        Some(ContentRange {
            first,
            last: last?,
            total: None,
        })
    };
    told.or(request.range).or_else(asked)
}

fn message(moment: &Moment<'_>, direction: Direction, framing: Framing) -> Message {
    let mut message = Message::new(Span {
        conn: moment.conn,
        leg: Leg::Client,
        direction,
        position: 0,
        base: 0,
        offset: 0,
        len: 0,
    });
    if let Framing::Length(length) = framing {
        message.set_length(Some(length));
        message.body = length;
    }
    message
}

fn connection(moment: &Moment<'_>) -> Connection {
    Connection {
        id: moment.conn,
        client: Some(moment.client.address),
        server: None,
        upstream: None,
        opened: Duration::ZERO,
        connect: None,
        first_close: None,
        upstream_close: None,
        closed: None,
        exchanges: 0,
        to_server: 0,
        to_client: 0,
        joined: false,
        tls: moment.client.tls,
    }
}

/// Takes `percent` (0 to 100) of `length`, rounded down.
fn portion(length: u64, percent: f64) -> Option<u64> {
    let millionths = (percent * 1_000_000.0).round().clamp(0.0, 100_000_000.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a range that fits, and a cast of NaN is 0"
    )]
    let millionths = millionths as u64;
    let part = u128::from(length)
        .saturating_mul(u128::from(millionths))
        .checked_div(100_000_000)?;
    u64::try_from(part).ok()
}

#[cfg(test)]
mod tests {
    use super::portion;

    #[test]
    fn a_percentage_is_exact_and_rounded_down() {
        assert_eq!(portion(1000, 0.0), Some(0));
        assert_eq!(portion(1000, 33.35), Some(333));
        assert_eq!(portion(1000, 100.0), Some(1000));
        assert_eq!(portion(u64::MAX, 50.0), Some(u64::MAX / 2));
        assert_eq!(portion(10, f64::NAN), Some(0));
        assert_eq!(portion(3, 62.0), Some(1));
    }
}
