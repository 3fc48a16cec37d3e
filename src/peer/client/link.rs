//! One connection to a server, and requests on it, one at a time. Knows HTTP, TLS and time limits, no BITS session.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT, WWW_AUTHENTICATE,
};
use http::{Extensions, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::source::Source;
use super::url::Url;
use crate::bits::auth::{Offers, Scheme};
use crate::peer::spelling::spelling;
use crate::peer::{Credentials, Error, Result, field, tls};

/// The content of an answer that nobody needs is read up to here; more ends the connection.
const DRAIN: usize = 64 * 1024;

/// Who we say that we are; the number is that of the BITS which we behave like.
const AGENT: &str = concat!("bitstap/", env!("CARGO_PKG_VERSION"), " BITS/7.8");

/// Time limits of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    pub connect: Duration,
    /// To send one request. Windows: 2 minutes. MC-BUP §3.1.2.1
    pub send: Duration,
    /// From there to the answer, and between two pieces of its content. Windows: 5 minutes. MC-BUP §3.1.2.2
    pub response: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            send: Duration::from_mins(2),
            response: Duration::from_mins(5),
        }
    }
}

/// What goes for every request of a job.
#[derive(Clone, Debug, Default)]
pub struct Common {
    /// Sent with every request, as `IBackgroundCopyJobHttpOptions::SetCustomHeaders` does.
    pub headers: Vec<(String, String)>,
    /// Basic; sent once the server asks, from then on with every request.
    pub credentials: Option<Credentials>,
    /// PEM file of the only authorities that are trusted; else those of the system.
    pub authority: Option<PathBuf>,
    pub timers: Timers,
}

/// A connection that has failed a request ends within this time.
const ENDING: Duration = Duration::from_secs(1);

type Content = UnsyncBoxBody<Bytes, io::Error>;

/// Makes connections and requests for one job.
pub(super) struct Caller {
    timers: Timers,
    connector: Option<TlsConnector>,
    headers: HeaderMap,
    authorization: Option<String>,
    /// The server asked for credentials.
    authorize: bool,
    spelling: Extensions,
}

impl Caller {
    pub(super) async fn new(common: &Common, of_url: Option<Credentials>) -> Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in &common.headers {
            let bad = || Error::Field { name: name.clone() };
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?;
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?,
                value,
            );
        }
        let credentials = common.credentials.as_ref().or(of_url.as_ref());
        // A file that is no use is said now, not when the server can be reached.
        let named = common.authority.as_deref();
        let connector = named.map(|file| tls::connector(Some(file))).transpose()?;
        Ok(Self {
            timers: common.timers,
            connector,
            headers,
            authorization: credentials.map(Credentials::basic),
            authorize: false,
            spelling: spelling().await,
        })
    }

    /// Opens a connection to the host of `url`.
    pub(super) async fn connect(&mut self, url: &Url) -> Result<Link> {
        let failed = |source| Error::Connect {
            authority: url.authority(),
            source,
        };
        let late = |_| failed(io::ErrorKind::TimedOut.into());
        let dial = TcpStream::connect((url.host(), url.port()));
        let stream = tokio::time::timeout(self.timers.connect, dial)
            .await
            .map_err(late)?
            .map_err(failed)?;
        let _ = stream.set_nodelay(true);
        if !url.tls {
            return shake(stream, url).await;
        }
        let connector = match &self.connector {
            Some(connector) => connector.clone(),
            None => self.connector.insert(tls::connector(None)?).clone(),
        };
        let name = ServerName::try_from(url.host().to_owned()).map_err(|_| Error::Url {
            url: url.to_string(),
            reason: "its host is no name for TLS",
        })?;
        let handshake = connector.connect(name, stream);
        let stream = tokio::time::timeout(self.timers.connect, handshake)
            .await
            .map_err(late)?
            .map_err(failed)?;
        shake(stream, url).await
    }

    /// Builds a request with the fields in the order of Windows. observed: MC-BUP §4.1
    fn request(
        &self,
        method: Method,
        url: &Url,
        fields: &[(HeaderName, String)],
        length: Option<u64>,
        content: Content,
    ) -> Result<Request<Content>> {
        let mut request = Request::new(content);
        *request.method_mut() = method;
        *request.uri_mut() = url.target.parse().map_err(|_| Error::Url {
            url: url.to_string(),
            reason: "its path is not legal",
        })?;
        let map = request.headers_mut();
        let mut insert = |name: &HeaderName, value: &str| {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Error::Field {
                name: name.to_string(),
            })?;
            map.insert(name, value);
            Ok::<_, Error>(())
        };
        insert(&ACCEPT, "*/*")?;
        for (name, value) in fields {
            insert(name, value)?;
        }
        insert(&USER_AGENT, AGENT)?;
        insert(&HOST, &url.authority())?;
        if let Some(length) = length {
            // hyper sends none by itself where the content is empty.
            insert(&CONTENT_LENGTH, &length.to_string())?;
        }
        insert(&CONNECTION, "Keep-Alive")?;
        if let Some(authorization) = self.authorization.as_deref().filter(|_| self.authorize) {
            insert(&AUTHORIZATION, authorization)?;
        }
        for (name, value) in &self.headers {
            map.append(name, value.clone());
        }
        *request.extensions_mut() = self.spelling.clone();
        Ok(request)
    }

    /// Notes a challenge; `true` where the same request is to be sent again, now with credentials.
    ///
    /// MC-BUP §3.1.5.1.7
    pub(super) fn is_challenged(&mut self, answer: &Answer) -> bool {
        let basic = answer.offers().holds(Scheme::Basic);
        let again =
            answer.status == 401 && basic && !self.authorize && self.authorization.is_some();
        self.authorize |= again;
        again
    }

    /// Sends a request without content and returns the head of its answer with the content still to come.
    pub(super) async fn open(
        &self,
        link: &mut Link,
        packet: &'static str,
        (method, url): (Method, &Url),
        fields: &[(HeaderName, String)],
    ) -> Result<Response<Incoming>> {
        // A BITS_POST without content says so, a GET has no length at all.
        let length = (method.as_str() == "BITS_POST").then_some(0);
        let content = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = self.request(method, url, fields, length, content)?;
        let limit = self.timers.response;
        let response = tokio::time::timeout(limit, link.sender.send_request(request)).await;
        match response.map_err(|_| link.timeout("answer", packet, limit))? {
            Ok(response) => Ok(response),
            Err(source) => Err(link.broken(packet, source).await),
        }
    }

    /// Sends a request without content and reads the answer to its end.
    pub(super) async fn call(
        &self,
        link: &mut Link,
        packet: &'static str,
        target: (Method, &Url),
        fields: &[(HeaderName, String)],
    ) -> Result<Answer> {
        let response = self.open(link, packet, target, fields).await?;
        self.finish(link, response).await
    }

    /// Sends a Fragment from `source` and reads the answer, which may come before the content is out.
    pub(super) async fn fragment(
        &self,
        link: &mut Link,
        url: &Url,
        fields: &[(HeaderName, String)],
        (source, first, length): (&mut Source, u64, u64),
    ) -> Result<Answer> {
        const PACKET: &str = "Fragment";
        let (piece, pieces) = mpsc::channel::<Bytes>(2);
        let pieces = stream::unfold(pieces, |mut pieces| async move {
            let bytes = pieces.recv().await?;
            Some((Ok(Frame::data(bytes)), pieces))
        });
        let content = StreamBody::new(pieces).boxed_unsync();
        let request = self.request(super::bits_post(), url, fields, Some(length), content)?;
        let (send, answer) = (self.timers.send, self.timers.response);
        let mut response = std::pin::pin!(link.sender.send_request(request));
        let feeding = tokio::time::timeout(send, source.feed(first, length, piece));
        let mut early = None;
        tokio::select! {
            biased;
            fed = feeding => match fed {
                Ok(fed) => fed?,
                Err(_) => return Err(Error::Timeout { what: "take", packet: PACKET, authority: url.authority(), limit: send }),
            },
            response = &mut response => early = Some(response),
        }
        let response = match early {
            // The rest of the content will not come, so nothing more can follow on this connection.
            Some(response) => {
                link.spent = true;
                response
            }
            None => tokio::time::timeout(answer, response)
                .await
                .map_err(|_| link.timeout("answer", PACKET, answer))?,
        };
        match response {
            Ok(response) => self.finish(link, response).await,
            Err(source) => Err(link.broken(PACKET, source).await),
        }
    }

    /// Reads the content of an answer to its end, or gives the connection up.
    async fn finish(&self, link: &mut Link, response: Response<Incoming>) -> Result<Answer> {
        let (head, mut content) = response.into_parts();
        let mut read = 0;
        let drain = async {
            while let Some(frame) = content.frame().await {
                read += frame.ok()?.data_ref().map_or(0, Bytes::len);
                if read > DRAIN {
                    return None;
                }
            }
            Some(())
        };
        let drained = tokio::time::timeout(self.timers.response, drain).await;
        link.spent |= !matches!(drained, Ok(Some(())));
        Ok(Answer {
            status: head.status.as_u16(),
            fields: head.headers,
        })
    }

    pub(super) fn timers(&self) -> Timers {
        self.timers
    }
}

/// One connection.
pub(super) struct Link {
    sender: SendRequest<Content>,
    /// Ends with the connection, and knows why it did.
    connection: Option<JoinHandle<hyper::Result<()>>>,
    authority: String,
    /// Nothing more can be sent on it.
    pub(super) spent: bool,
}

impl Link {
    /// Waits until the next request can go out; `false` where the server ended the connection.
    pub(super) async fn is_ready(&mut self) -> bool {
        !self.spent && self.sender.ready().await.is_ok()
    }

    async fn broken(&mut self, packet: &'static str, source: hyper::Error) -> Error {
        let mut source = source;
        // A request that came too late for its connection is not told what ended that: a refusal of TLS 1.3,
        // which comes after the handshake.
        if source.is_canceled()
            && let Some(connection) = self.connection.take()
            && let Ok(Ok(Err(cause))) = tokio::time::timeout(ENDING, connection).await
        {
            source = cause;
        }
        Error::Broken {
            packet,
            authority: self.authority.clone(),
            source,
        }
    }

    fn timeout(&self, what: &'static str, packet: &'static str, limit: Duration) -> Error {
        Error::Timeout {
            what,
            packet,
            authority: self.authority.clone(),
            limit,
        }
    }
}

async fn shake<S>(stream: S, url: &Url) -> Result<Link>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let authority = url.authority();
    let (sender, connection) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|source| Error::Broken {
            packet: "the first request",
            authority: authority.clone(),
            source,
        })?;
    // It ends with the sender, or when the server ends it; the error is told to the request under way.
    let connection = Some(tokio::spawn(connection));
    Ok(Link {
        sender,
        connection,
        authority,
        spent: false,
    })
}

/// An answer whose content was read and forgotten.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: HeaderMap,
}

impl Answer {
    /// Tells whether it says `BITS-Packet-Type: Ack`.
    pub(super) fn is_ack(&self) -> bool {
        field::text(&self.fields, &field::PACKET_TYPE)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("Ack"))
    }

    /// Makes the error of a refusal.
    pub(super) fn refusal(&self, packet: &'static str, url: &Url) -> Error {
        let (code, context) = field::error(&self.fields);
        Error::Refused {
            packet,
            url: url.to_string(),
            status: self.status,
            code,
            context,
            asks: self.offers(),
        }
    }

    /// Returns the ways to log in that it names.
    fn offers(&self) -> Offers {
        let values = self.fields.get_all(WWW_AUTHENTICATE);
        Offers::read(values.iter().map(HeaderValue::as_bytes))
    }
}
