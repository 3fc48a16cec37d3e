//! TLS both ways: who we are to the client, whom we take for the server, and what went wrong in words.
//!
//! Knows no HTTP and reports nothing itself: a handshake returns a stream and notes about it. Files are read
//! once, before the port opens.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CommonState, InconsistentKeys, ProtocolVersion};
use tokio_rustls::rustls::{Error as RustlsError, KeyLog, NoKeyLog};

use super::Error;
use crate::event::{Fact, Note, TlsFact};

pub mod authority;
mod certificate;
mod client;
mod keylog;
mod upstream;
mod words;

pub use authority::Authority;
pub use client::{Accepted, Acceptor, Failed};
pub use keylog::SecretFile;
pub(super) use upstream::{Connector, Trust};

/// PEM files of a certificate chain and of the key of its first certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub certificates: PathBuf,
    pub key: PathBuf,
}

/// Who we are to clients.
#[derive(Clone, Debug)]
pub enum ServeAs {
    /// One certificate for everybody.
    Files(Identity),
    /// Certificates that are made for whatever name the client asks for.
    Local(Arc<Authority>),
}

/// Where the secrets of connections go, if anywhere.
pub type Secrets = Option<Arc<SecretFile>>;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Returns the key log for a configuration.
fn key_log(secrets: &Secrets) -> Arc<dyn KeyLog> {
    match secrets {
        Some(file) => file.clone(),
        None => Arc::new(NoKeyLog),
    }
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Reads every certificate of a PEM file; none is an error.
fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = std::fs::read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(invalid)?;
    if !found.is_empty() {
        return Ok(found);
    }
    Err(invalid(if is_der(&text) {
        "it is not in PEM form, but DER or PKCS #12 (.pfx)"
    } else {
        "the file holds no certificate in PEM form"
    }))
}

/// Tells whether a file looks like DER, as PKCS #12 files and Windows' .cer files do.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0x84, ..])
}

fn private_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    let text = std::fs::read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if is_der(&text) => {
            invalid("it is not in PEM form, but DER or PKCS #12 (.pfx)")
        }
        pem::Error::NoItemsFound if String::from_utf8_lossy(&text).contains("ENCRYPTED") => {
            invalid("the key is encrypted")
        }
        pem::Error::NoItemsFound => invalid("the file holds no private key in PEM form"),
        other => invalid(other),
    })
}

/// Reads a chain and its key, which must belong together.
fn identity(files: &Identity) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(&files.certificates).map_err(|source| Error::Certificates {
        path: files.certificates.clone(),
        source,
    })?;
    let unusable = |source| Error::Key {
        path: files.key.clone(),
        source,
    };
    let key = private_key(&files.key).map_err(unusable)?;
    match CertifiedKey::from_der(chain, key, &provider()) {
        Ok(key) => Ok(Arc::new(key)),
        Err(RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(Error::Pair {
            certificates: files.certificates.clone(),
            key: files.key.clone(),
        }),
        Err(RustlsError::InvalidCertificate(why)) => Err(Error::Certificates {
            path: files.certificates.clone(),
            source: invalid(words::unusable(&why)),
        }),
        Err(other) => Err(unusable(invalid(other))),
    }
}

/// Says in one line when an identity's certificate is not valid now; clients will refuse it.
pub fn untimely(files: &Identity) -> Option<String> {
    let chain = certificates(&files.certificates).ok()?;
    let read = certificate::Summary::read(chain.first()?)?;
    read.untimely(UnixTime::now())
}

/// Describes a finished handshake; `shown` is the accepting end's chain.
fn agreed(
    session: &CommonState,
    server_name: Option<String>,
    shown: &[CertificateDer<'_>],
) -> TlsFact {
    TlsFact {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        },
        cipher: session
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
        server_name,
        alpn: session
            .alpn_protocol()
            .map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
        certificates: certificate::lines(shown),
        untrusted: None,
        client_certificate: None,
    }
}

/// Words a finished handshake.
fn up(peer: &str, fact: TlsFact, secrets: &Secrets) -> Note {
    let mut text = format!(
        "TLS with the {peer} is up: {}, {}",
        fact.version, fact.cipher
    );
    if let Some(name) = &fact.server_name {
        text.push_str(&format!(", for {name}"));
    }
    text.push('.');
    if let Some(file) = secrets {
        text.push_str(&format!(
            " Its secrets are written to {}.",
            file.path().display()
        ));
    }
    Note {
        text,
        fact: Fact::Tls(Box::new(fact)),
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}
