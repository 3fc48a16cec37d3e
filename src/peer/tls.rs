//! TLS for both ends from PEM files: an acceptor for the server, a connector for the client.
//!
//! The provider is named each time, so nothing depends on a process-wide default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, InconsistentKeys, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Error, Result};
use crate::event::TlsFact;

/// The PEM files of a server's certificate chain and its key.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificates: PathBuf,
    pub key: PathBuf,
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Certificate {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let list: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| unusable(path, &e))?;
    if list.is_empty() {
        return Err(unusable(path, &"it holds no certificate"));
    }
    Ok(list)
}

/// Makes the server's side.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor> {
    let chain = certificates(&files.certificates)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| unusable(&files.key, &e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(&files.certificates, &e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let certificates = files.certificates.display();
                let reason =
                    format!("it is not the key of the first certificate in {certificates}");
                unusable(&files.key, &reason)
            }
            error => unusable(&files.certificates, &error),
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Describes a handshake with a client that is over.
pub(super) fn agreed(session: &ServerConnection) -> TlsFact {
    TlsFact {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        },
        cipher: session
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
        server_name: session.server_name().map(str::to_owned),
        ..TlsFact::default()
    }
}

/// Makes the client's side: the certificates in `authority` when given, else those that the system trusts.
pub(super) fn connector(authority: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = authority {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|e| unusable(path, &e))?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(authority.unwrap_or_else(|| Path::new("TLS")), &e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
