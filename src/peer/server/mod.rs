//! A BITS upload server that keeps files and sessions on disk, and serves downloads of what it has.
//!
//! Here: configuration, listening, and the life of a connection. What packets mean is in `upload`, what lies on
//! disk in `session` and `store`, misbehaviour on purpose in [`responder`]. It listens where it is told and knows
//! nothing of a proxy before it.
//!
//! MC-BUP §3.2, §3.5

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) mod answer;
mod download;
mod range;
mod reply;
pub mod responder;
mod session;
mod store;
mod upload;

pub use super::tls::TlsFiles;
pub use answer::ErrorField;
pub use reply::Reply;
pub use responder::{Moment, Move, Quirk, Quirks, Responder};

use super::spelling::spelling;
use super::{Credentials, Error, Result, field, tls};
use answer::{Ack, Content, Outcome};
use store::Store;
pub(super) use store::new_id;

/// How long to wait after a connection that could not be accepted.
const BREATH: Duration = Duration::from_millis(50);
/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The host that the client is to use from Create-Session on. MC-BUP §2.2.3.2
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostId {
    /// A bare host, without port.
    pub name: String,
    /// After this time without it the client returns to the original host; `None`: never. Sent in whole seconds.
    pub fallback: Option<Duration>,
}

/// Something that a person who runs a server may want to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Created {
        url: String,
        session: String,
    },
    /// All bytes are here; Close-Session is still to come.
    Received {
        url: String,
        bytes: u64,
    },
    /// The file is in its place.
    Stored {
        url: String,
        file: PathBuf,
        bytes: u64,
    },
    /// The session ended before its file was complete.
    Dropped {
        url: String,
    },
    /// No packet came for the session timeout.
    Expired {
        url: String,
    },
    /// No upload-reply could be made.
    ApplicationFailed {
        url: String,
        reason: String,
    },
}

/// Takes notices.
pub type OnNotice = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What a server does.
#[derive(Clone)]
pub struct ServerConfig {
    /// Files are below this directory, which must exist.
    pub root: PathBuf,
    /// Port 0 picks a free port.
    pub listen: Vec<SocketAddr>,
    pub tls: Option<TlsFiles>,
    pub host_id: Option<HostId>,
    pub reply: Reply,
    /// The largest file taken, in bytes.
    pub max_size: Option<u64>,
    /// Sessions without a packet for this long are deleted. Windows: 14 days. MC-BUP §3.2.2.1
    pub session_timeout: Duration,
    /// An upload may replace a file. Windows: no.
    pub overwrite: bool,
    /// Asked from everybody when given.
    pub credentials: Option<Credentials>,
    pub error_field: ErrorField,
    /// Sees each packet first.
    pub responder: Option<Arc<dyn Responder>>,
    pub on_notice: Option<OnNotice>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            root: PathBuf::from("."),
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            tls: None,
            host_id: None,
            reply: Reply::None,
            max_size: None,
            session_timeout: Duration::from_hours(14 * 24),
            overwrite: false,
            credentials: None,
            error_field: ErrorField::Code,
            responder: None,
            on_notice: None,
        }
    }
}

/// What all connections share.
struct Shared {
    config: ServerConfig,
    /// Canonical.
    root: PathBuf,
    store: Store,
    authorization: Option<String>,
    /// Ends with the server: no packet is worked on after it.
    life: CancellationToken,
}

impl Shared {
    fn respond(&self, moment: &Moment<'_>) -> Move {
        let responder = self.config.responder.as_ref();
        responder.map_or(Move::Usual, |responder| responder.respond(moment))
    }

    fn notice(&self, notice: &Notice) {
        if let Some(on_notice) = &self.config.on_notice {
            on_notice(notice);
        }
    }

    fn is_authorized(&self, head: &Parts) -> bool {
        let Some(expected) = &self.authorization else {
            return true;
        };
        let given = field::text(&head.headers, &http::header::AUTHORIZATION).unwrap_or_default();
        // Compared as digests, so that the time taken says nothing of the password.
        let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let (scheme, token) = given.split_once(' ').unwrap_or_default();
        let given = format!("Basic {}", token.trim());
        scheme.eq_ignore_ascii_case("Basic") && digest(&given).as_ref() == digest(expected).as_ref()
    }
}

/// A BITS upload server with its ports open.
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    _life: DropGuard,
}

impl Server {
    /// Takes up the sessions below the root and opens the ports.
    pub async fn bind(config: ServerConfig) -> Result<Self> {
        let root = config
            .root
            .canonicalize()
            .map_err(Error::file("use", &config.root))?;
        let store = Store::open(&root)?;
        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for address in &config.listen {
            let listen = |source| Error::Listen {
                address: *address,
                source,
            };
            let listener = TcpListener::bind(address).await.map_err(listen)?;
            addresses.push(listener.local_addr().map_err(listen)?);
            listeners.push(listener);
        }
        let life = CancellationToken::new();
        Ok(Self {
            listeners,
            addresses,
            acceptor,
            _life: life.clone().drop_guard(),
            shared: Arc::new(Shared {
                authorization: config.credentials.as_ref().map(Credentials::basic),
                config,
                root,
                store,
                life,
            }),
        })
    }

    /// Returns where it listens, with the real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `stop`; requests under way then have a few seconds to end.
    pub async fn run(self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let timeout = self.shared.config.session_timeout;
        let period = (timeout / 4).clamp(Duration::from_millis(100), Duration::from_mins(1));
        let mut sweep = tokio::time::interval(period);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                stream = accept(&self.listeners) => {
                    let acceptor = self.acceptor.clone();
                    let shared = Arc::clone(&self.shared);
                    connections.spawn(serve(stream, acceptor, shared, stop.clone()));
                }
                _ = sweep.tick() => {
                    for url in self.shared.store.sweep(timeout) {
                        self.shared.notice(&Notice::Expired { url });
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
        let rest = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, rest).await;
    }
}

/// Takes the next connection of any listener.
async fn accept(listeners: &[TcpListener]) -> TcpStream {
    loop {
        let next = std::future::poll_fn(|context| {
            listeners
                .iter()
                .map(|listener| listener.poll_accept(context))
                .find(Poll::is_ready)
                .unwrap_or(Poll::Pending)
        });
        match next.await {
            Ok((stream, _)) => return stream,
            // It concerns one connection, or passes when others end (too many open files).
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => speak(stream, shared, stop).await,
        Some(acceptor) => {
            let shake = tokio::time::timeout(Duration::from_secs(30), acceptor.accept(stream));
            if let Ok(Ok(stream)) = shake.await {
                speak(stream, shared, stop).await;
            }
        }
    }
}

/// Speaks HTTP on one connection until either side ends it.
async fn speak<S>(stream: S, shared: Arc<Shared>, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| respond(Arc::clone(&shared), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // It also counts while a connection is idle, and clients keep theirs between fragments.
        .header_read_timeout(None)
        .preserve_header_case(true)
        .title_case_headers(true)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Answers one request; an error ends the connection without an answer.
async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Content>> {
    let (head, mut body) = request.into_parts();
    let known = shared.is_authorized(&head);
    let mut response = if known && is_upload(&head) {
        let spelled = shared.config.error_field;
        match upload(shared, head, body).await {
            Outcome::Ack(ack) => ack.into_response(spelled),
            Outcome::Hangup => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
    } else if !upload::drain(&mut body).await {
        return Err(io::ErrorKind::ConnectionAborted.into());
    } else if !known {
        answer::unauthorized()
    } else if head.method == Method::GET || head.method == Method::HEAD {
        download::answer(&shared, &head).await
    } else {
        let mut response = answer::plain(StatusCode::METHOD_NOT_ALLOWED);
        let allowed = http::HeaderValue::from_static("GET, HEAD, BITS_POST");
        response.headers_mut().insert(http::header::ALLOW, allowed);
        response
    };
    *response.extensions_mut() = spelling().await;
    Ok(response)
}

/// `BITS_POST` itself, or the override that OneDrive's clients use.
fn is_upload(head: &Parts) -> bool {
    head.method.as_str() == "BITS_POST"
        || (head.method == Method::POST
            && field::text(&head.headers, &field::METHOD_OVERRIDE)
                .is_some_and(|method| method.eq_ignore_ascii_case("BITS_POST")))
}

/// Works on a packet in a task of its own: hyper drops the service when its client hangs up, but what arrived
/// must still be written down.
async fn upload(shared: Arc<Shared>, head: Parts, body: Incoming) -> Outcome {
    let life = shared.life.clone();
    let work = tokio::spawn(async move {
        life.run_until_cancelled(upload::answer(shared, head, body))
            .await
    });
    match work.await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => Outcome::Hangup,
        Err(_) => Outcome::Ack(Ack::trouble(&io::ErrorKind::Other.into()).close()),
    }
}
