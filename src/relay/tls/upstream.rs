//! TLS with the server: whom we trust, what we show it, and why a handshake failed.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::{TlsConnector, TlsStream};

use super::certificate::{self, Summary};
use super::{Identity, Secrets, agreed, invalid, words};
use crate::event::{Fact, Note};
use crate::relay::Error;
use crate::relay::stream::{Socket, Wire};

/// What decides about trust between us and the server.
#[derive(Clone, Copy, Debug)]
pub(in crate::relay) struct Trust<'a> {
    /// PEM files that are trusted beside the platform's certificates.
    pub(in crate::relay) ca: &'a [PathBuf],
    /// Who we are to a server that asks.
    pub(in crate::relay) identity: Option<&'a Identity>,
    /// Any certificate is accepted.
    pub(in crate::relay) insecure: bool,
}

/// The side of TLS that faces the server.
pub(in crate::relay) struct Connector {
    tls: TlsConnector,
    name: ServerName<'static>,
    secrets: Secrets,
}

/// What rustls asked us during one handshake.
#[derive(Debug, Default)]
struct Seen {
    certificate: Option<Summary>,
    untrusted: Option<CertificateError>,
    /// The server asked for a certificate; the subject of the one that it got, or nothing.
    asked: Option<String>,
}

tokio::task_local! {
    /// The configuration is shared by all handshakes (else none could be resumed); this is the one
    /// that is being polled.
    static SEEN: RefCell<Seen>;
}

fn see(change: impl FnOnce(&mut Seen)) {
    // Outside of a handshake there is nobody to be told.
    let _ = SEEN.try_with(|seen| change(&mut seen.borrow_mut()));
}

impl Connector {
    /// Reads the files; `name` is the host name or the address that the server has to prove.
    pub(in crate::relay) fn new(
        trust: Trust<'_>,
        name: &str,
        secrets: Secrets,
    ) -> Result<Self, Error> {
        let broken = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
        let name = server_name(name)?;
        let key = trust.identity.map(super::identity).transpose()?;
        let provider = super::provider();
        let roots = Arc::new(roots(trust.ca)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| broken(&error))?;
        let verifier = Witness {
            verifier,
            insecure: trust.insecure,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(Shown(key)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.key_log = super::key_log(&secrets);
        if trust.insecure {
            // A resumed handshake shows no certificate, and each untrusted one is to be told.
            config.resumption = Resumption::disabled();
        }
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            name,
            secrets,
        })
    }

    /// Returns the same for a server of another name.
    pub(in crate::relay) fn named(&self, name: &str) -> Result<Self, Error> {
        Ok(Self {
            tls: self.tls.clone(),
            name: server_name(name)?,
            secrets: self.secrets.clone(),
        })
    }

    /// Does the handshake; an error is one clause.
    pub(in crate::relay) async fn connect(
        &self,
        stream: TcpStream,
    ) -> Result<(Socket, Vec<Note>), String> {
        let wire = Wire::new(stream);
        let shake = async {
            let done = self.tls.connect(self.name.clone(), wire).await;
            (done, SEEN.with(RefCell::take))
        };
        let (done, seen) = SEEN.scope(RefCell::default(), shake).await;
        match done {
            Ok(stream) => {
                let notes = self.notes(stream.get_ref().1, seen);
                Ok((Socket::tls(TlsStream::Client(stream)), notes))
            }
            Err(error) => Err(reason(&error, &seen)),
        }
    }

    fn notes(&self, session: &rustls::ClientConnection, seen: Seen) -> Vec<Note> {
        let server_name = match &self.name {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        };
        let chain = session.peer_certificates().unwrap_or_default();
        let mut fact = agreed(session, server_name, chain);
        let untrusted = seen.untrusted.as_ref();
        fact.untrusted = untrusted.map(|why| words::distrust(why, seen.certificate.as_ref()));
        fact.client_certificate = seen.asked;
        let mut more = Vec::new();
        let own = fact.certificates.first().cloned();
        if let Some(why) = &fact.untrusted {
            more.push(format!(
                "The server's certificate is NOT trusted: {why}. It was accepted because of \
                 --insecure-upstream."
            ));
        }
        match fact.client_certificate.as_deref() {
            None => {}
            Some("") => more.push(
                "The server asked for a client certificate and got none: a client's own cannot pass \
                 through the proxy. Give the proxy one with --upstream-client-cert and \
                 --upstream-client-key."
                    .to_owned(),
            ),
            Some(subject) => more.push(format!(
                "The server asked for a client certificate and got that of {subject}."
            )),
        }
        let more = more.into_iter().map(|text| Note {
            text,
            fact: Fact::Other,
        });
        let mut up = super::up("server", fact, &self.secrets);
        if let Some(own) = own {
            up.text.push_str(&format!(" Its certificate: {own}."));
        }
        [up].into_iter().chain(more).collect()
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| Error::Tls(format!("{name} is neither a host name nor an address")))
}

/// Says in one clause why a handshake failed.
fn reason(error: &io::Error, seen: &Seen) -> String {
    let given = seen.asked.as_ref().is_some_and(|given| !given.is_empty());
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(why)) => format!(
            "certificate not trusted: {}",
            words::distrust(why, seen.certificate.as_ref())
        ),
        Some(rustls::Error::AlertReceived(alert)) => {
            words::refused(*alert, seen.asked.is_some(), given)
        }
        Some(other) => format!("TLS handshake failed: {}", words::broken(other, "server")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "TLS handshake failed: the server hung up".to_owned()
        }
        None => format!("TLS handshake failed: {error}"),
    }
}

/// Collects the platform's certificates (Mozilla's where the platform has none) and those in `files`.
fn roots(files: &[PathBuf]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in files {
        add(&mut roots, path).map_err(|source| Error::Certificates {
            path: path.clone(),
            source,
        })?;
    }
    Ok(roots)
}

/// Adds every certificate of a PEM file. A file of which nothing is valid now is an error.
fn add(roots: &mut RootCertStore, path: &Path) -> io::Result<()> {
    let found = super::certificates(path)?;
    let now = UnixTime::now();
    let untimely = |found: &CertificateDer<'_>| Summary::read(found)?.untimely(now);
    let all: Option<Vec<String>> = found.iter().map(untimely).collect();
    if let Some(why) = all.as_ref().and_then(|all| all.first()) {
        return Err(invalid(why.clone()));
    }
    for certificate in found {
        roots.add(certificate).map_err(invalid)?;
    }
    Ok(())
}

/// Verifies as usual, and remembers what it saw.
#[derive(Debug)]
struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    insecure: bool,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        see(|seen| seen.certificate = Summary::read(end_entity));
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(rustls::Error::InvalidCertificate(why)) if self.insecure => {
                see(|seen| seen.untrusted = Some(why));
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Who we are to a server that asks, if anybody; remembers that it asked.
#[derive(Debug)]
struct Shown(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let key = self.0.as_ref().filter(fits);
        let subject = key.and_then(|key| certificate::lines(&key.cert).into_iter().next());
        see(|seen| seen.asked = Some(subject.unwrap_or_default()));
        key.cloned()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
