//! TLS with the client: which certificate it is shown, and why a handshake failed.
//!
//! A certificate of the local authority is made when somebody first asks for its name. Knows no timers:
//! whoever waits for a handshake limits it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rcgen::KeyPair;
use tokio::io::AsyncWriteExt;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{self, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use tokio_rustls::rustls::{Error as RustlsError, RootCertStore, ServerConfig};
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

use super::authority::{Mint, Validity};
use super::{Authority, Identity, Secrets, ServeAs, agreed, words};
use crate::event::{Fact, Note, TlsEnd};
use crate::fault::rule::TlsFault;
use crate::relay::Error;
use crate::relay::stream::{Socket, Wire};

/// So many names are remembered: whoever asks for more makes the proxy sign again, but not grow.
const NAMES: usize = 256;
/// A remembered certificate is made anew after this time, long before it ends.
const FRESH: Duration = Duration::from_hours(24);
/// What a certificate for a wrong name is for (RFC 6761 §6.4: it exists nowhere).
const WRONG: &str = "wrong-name.invalid";
/// A fatal alert, `handshake_failure`, in a record of its own (RFC 8446 §5.1, §6).
const ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 40];

/// The side of TLS that faces clients.
pub struct Acceptor {
    who: Who,
    /// The key of all certificates that are made here.
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    /// Signs for faults: an authority that nobody trusts.
    stranger: OnceLock<Option<Mint>>,
    made: Mutex<Made>,
    secrets: Secrets,
}

enum Who {
    Files(Identity, Arc<ServerConfig>, Arc<CertifiedKey>),
    Local(Arc<Authority>),
}

/// What was made for names, oldest first.
#[derive(Default)]
struct Made {
    by_name: HashMap<Vec<String>, (UnixTime, Shown)>,
    order: VecDeque<Vec<String>>,
}

/// A configuration and the certificate that it shows.
#[derive(Clone)]
struct Shown {
    config: Arc<ServerConfig>,
    key: Arc<CertifiedKey>,
}

/// A handshake that is done.
#[derive(Debug)]
pub struct Accepted {
    pub stream: Socket,
    /// Whom the client asked for (SNI), in lower case.
    pub server_name: Option<String>,
    pub note: Note,
}

/// A handshake that failed.
#[derive(Debug)]
pub struct Failed {
    pub note: Note,
    /// The client ended the connection (`UnexpectedEof`) or reset it; else it is still open.
    pub ended: Option<io::ErrorKind>,
}

impl Acceptor {
    /// Reads the files that `who` names.
    pub fn new(who: &ServeAs, secrets: Secrets) -> Result<Self, Error> {
        let broken = |error: rcgen::Error| Error::Tls(error.to_string());
        let key = KeyPair::generate().map_err(broken)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = super::provider().key_provider.load_private_key(der);
        let who = match who {
            ServeAs::Files(files) => {
                let key = super::identity(files)?;
                let config = config(&key, &secrets, None).map_err(|e| Error::Tls(e.to_string()))?;
                Who::Files(files.clone(), config, key)
            }
            ServeAs::Local(authority) => Who::Local(authority.clone()),
        };
        Ok(Self {
            who,
            key,
            signing: signing.map_err(|error| Error::Tls(error.to_string()))?,
            stranger: OnceLock::new(),
            made: Mutex::default(),
            secrets,
        })
    }

    /// Does the handshake with a client that reached us at `local`; `fault` goes wrong in it. A client that
    /// does not say whom it asks for (an address, for instance) is taken to ask for `host`, without one for us. A
    /// client that may be told about a failure has been told when this returns.
    pub async fn accept_tls(
        &self,
        wire: Wire,
        local: IpAddr,
        host: Option<&str>,
        fault: Option<TlsFault>,
    ) -> Result<Accepted, Failed> {
        let hello = LazyConfigAcceptor::new(server::Acceptor::default(), wire.clone()).await;
        let mut talk = Talk {
            acceptor: self,
            server_name: None,
            answered: false,
            fault,
        };
        let hello = match hello {
            Ok(hello) => hello,
            Err(error) => return Err(talk.failed(&error)),
        };
        let server_name = hello
            .client_hello()
            .server_name()
            .map(str::to_ascii_lowercase);
        talk.server_name.clone_from(&server_name);
        if fault == Some(TlsFault::Abort) {
            return Err(talk.abort(wire).await);
        }
        let names = match server_name.as_deref().or(host) {
            Some(name) => vec![name.to_ascii_lowercase()],
            None => own_names(local),
        };
        let shown = match self.shown(names, fault, UnixTime::now()) {
            Ok(shown) => shown,
            Err(error) => return Err(talk.failed(&io::Error::other(error))),
        };
        talk.answered = true;
        match hello.into_stream(shown.config).await {
            Ok(stream) => {
                let fact = agreed(stream.get_ref().1, server_name.clone(), &shown.key.cert);
                let mut note = super::up("client", fact, &self.secrets);
                if let Some(fault) = fault {
                    let purpose = words::on_purpose(fault);
                    note.text
                        .push_str(&format!(" {purpose} The client took it all the same."));
                }
                let stream = Socket::tls(TlsStream::Server(stream));
                Ok(Accepted {
                    stream,
                    server_name,
                    note,
                })
            }
            Err(error) => Err(talk.failed(&error)),
        }
    }

    /// Returns what a client that asks for the first of `names` is shown.
    fn shown(
        &self,
        names: Vec<String>,
        fault: Option<TlsFault>,
        now: UnixTime,
    ) -> Result<Shown, String> {
        match fault {
            None => {}
            Some(TlsFault::ClientCertificate) => {
                let shown = self.shown(names, None, now)?;
                let config = self.asking(&shown.key, now)?;
                return Ok(Shown { config, ..shown });
            }
            Some(fault) => return self.flawed(&names, fault, now),
        }
        let authority = match &self.who {
            Who::Files(_, config, key) => {
                return Ok(Shown {
                    config: config.clone(),
                    key: key.clone(),
                });
            }
            Who::Local(authority) => authority,
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, shown)) = made.by_name.get(&names)
            && now.as_secs().abs_diff(at.as_secs()) < FRESH.as_secs()
        {
            return Ok(shown.clone());
        }
        let shown = self.sign(authority.mint(), &names, Validity::current(now))?;
        let before = made.by_name.insert(names.clone(), (now, shown.clone()));
        if before.is_none() {
            made.order.push_back(names);
            if made.order.len() > NAMES
                && let Some(oldest) = made.order.pop_front()
            {
                made.by_name.remove(&oldest);
            }
        }
        Ok(shown)
    }

    /// Returns an authority that nobody trusts.
    fn stranger(&self, now: UnixTime) -> Result<&Mint, String> {
        let made = self.stranger.get_or_init(|| {
            // Fails only where the system has no random numbers.
            Mint::make("bitstap unknown authority", now).ok()
        });
        made.as_ref()
            .ok_or_else(|| "no authority could be made".to_owned())
    }

    /// Makes a configuration that demands a certificate of the client, signed by the authority that nobody
    /// trusts; it names none, so that the client may try any.
    fn asking(&self, key: &Arc<CertifiedKey>, now: UnixTime) -> Result<Arc<ServerConfig>, String> {
        let mut roots = RootCertStore::empty();
        let stranger = self.stranger(now)?.certificate();
        roots.add(stranger).map_err(|error| error.to_string())?;
        let provider = super::provider();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .clear_root_hint_subjects()
            .build()
            .map_err(|error| error.to_string())?;
        config(key, &self.secrets, Some(verifier)).map_err(|error| error.to_string())
    }

    /// Makes a certificate with a flaw. It has no other one where we have an authority that clients trust.
    fn flawed(&self, names: &[String], fault: TlsFault, now: UnixTime) -> Result<Shown, String> {
        let mint = match &self.who {
            Who::Local(authority) if fault != TlsFault::UnknownAuthority => authority.mint(),
            Who::Local(_) | Who::Files(..) => self.stranger(now)?,
        };
        let wrong = [WRONG.to_owned()];
        let (names, validity) = match fault {
            TlsFault::Expired => (names, Validity::expired(now)),
            TlsFault::WrongName => (&wrong[..], Validity::current(now)),
            TlsFault::UnknownAuthority | TlsFault::ClientCertificate | TlsFault::Abort => {
                (names, Validity::current(now))
            }
        };
        self.sign(mint, names, validity)
    }

    fn sign(&self, mint: &Mint, names: &[String], validity: Validity) -> Result<Shown, String> {
        let certificate = mint.sign(&self.key, names, validity);
        let chain = vec![certificate.map_err(|error| error.to_string())?];
        let key = Arc::new(CertifiedKey::new(chain, self.signing.clone()));
        let config = config(&key, &self.secrets, None).map_err(|error| error.to_string())?;
        Ok(Shown { config, key })
    }

    /// Says what helps a client that does not trust us.
    fn remedy(&self) -> String {
        match &self.who {
            Who::Files(files, ..) => format!(
                "The client has to trust whoever signed {}",
                files.certificates.display()
            ),
            Who::Local(authority) => format!(
                "The client has to trust {} (`bitstap ca show` says how)",
                authority.file().display()
            ),
        }
    }
}

fn config(
    key: &Arc<CertifiedKey>,
    secrets: &Secrets,
    asks: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, RustlsError> {
    let resolver = SingleCertAndKey::from(key.clone());
    let config = ServerConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()?;
    let config = match asks {
        Some(verifier) => config.with_client_cert_verifier(verifier),
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.key_log = super::key_log(secrets);
    Ok(Arc::new(config))
}

/// The names by which we are known to a client that names none.
fn own_names(local: IpAddr) -> Vec<String> {
    let local = local.to_canonical();
    let mut names = vec![local.to_string()];
    if local.is_loopback() {
        names.push("localhost".to_owned());
    }
    names
}

/// A handshake under way, as far as words need it.
struct Talk<'a> {
    acceptor: &'a Acceptor,
    server_name: Option<String>,
    /// The client may have seen our certificate.
    answered: bool,
    fault: Option<TlsFault>,
}

impl Talk<'_> {
    /// Answers a fatal alert.
    async fn abort(self, mut wire: Wire) -> Failed {
        // A client that has left in the meantime is not told.
        let _ = wire.write_all(&ALERT).await;
        let reason = "a rule aborts it with the alert handshake_failure".to_owned();
        Failed {
            note: self.note(TlsEnd::Proxy, reason, ""),
            ended: None,
        }
    }

    /// Says who broke the handshake and why.
    fn failed(self, error: &io::Error) -> Failed {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let gone = match error.kind() {
            io::ErrorKind::UnexpectedEof => Some("hung up"),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Some("reset the connection"),
            _ => None,
        };
        let remedy = format!(". {}", self.acceptor.remedy());
        let (by, reason, remedy) = match (inner, gone) {
            (Some(RustlsError::AlertReceived(alert)), _) => {
                let (reason, distrust) = words::alert(*alert);
                let remedy = if distrust { remedy.as_str() } else { "" };
                (
                    TlsEnd::Client,
                    format!("the client refused: {reason}"),
                    remedy,
                )
            }
            (None, Some(gone)) if self.answered => (
                TlsEnd::Client,
                format!("the client {gone} on our certificate, as one does that does not trust it"),
                remedy.as_str(),
            ),
            (None, Some(gone)) => {
                let reason = format!("the client {gone} before its ClientHello was complete");
                (TlsEnd::Client, reason, "")
            }
            (Some(why), _) => (TlsEnd::Proxy, words::broken(why, "client"), ""),
            (None, None) => (TlsEnd::Proxy, error.to_string(), ""),
        };
        Failed {
            note: self.note(by, reason, remedy),
            ended: inner
                .is_none()
                .then_some(error.kind())
                .filter(|_| gone.is_some()),
        }
    }

    fn note(&self, by: TlsEnd, reason: String, remedy: &str) -> Note {
        let name = self.server_name.as_deref();
        let of = name.map_or_else(String::new, |name| format!(" for {name}"));
        let mut text = format!("The TLS handshake with the client{of} failed: {reason}{remedy}.");
        if let Some(fault) = self.fault.filter(|fault| *fault != TlsFault::Abort) {
            text.push_str(&format!(" {}", words::on_purpose(fault)));
        }
        Note {
            text,
            fact: Fact::TlsFailed {
                by,
                reason,
                server_name: self.server_name.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acceptor() -> (tempfile::TempDir, Acceptor) {
        let folder = tempfile::tempdir().unwrap();
        let (authority, _) = Authority::open_or_make(folder.path()).unwrap();
        let who = ServeAs::Local(Arc::new(authority));
        (folder, Acceptor::new(&who, None).unwrap())
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_name_is_signed_once_a_day_and_the_memory_is_bounded() {
        let (_folder, acceptor) = acceptor();
        let now = UnixTime::now().as_secs();
        let shown = |name: &str, at| {
            let shown = acceptor.shown(vec![name.to_owned()], None, at).unwrap();
            shown.key.cert[0].clone()
        };
        let first = shown("a.test", at(now));
        assert_eq!(shown("a.test", at(now + 60)), first);
        assert_ne!(shown("b.test", at(now)), first);
        let later = shown("a.test", at(now + 2 * 86_400));
        assert_ne!(later, first);
        for number in 0..NAMES {
            shown(&format!("{number}.test"), at(now));
        }
        let made = acceptor.made.lock().unwrap();
        assert_eq!((made.by_name.len(), made.order.len()), (NAMES, NAMES));
    }

    #[test]
    fn addresses_are_named_as_people_write_them() {
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!(own_names(mapped), ["127.0.0.1", "localhost"]);
        let wide: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(own_names(wide), ["192.0.2.7"]);
    }
}
