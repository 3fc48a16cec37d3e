//! TLS towards the server: which certificates are trusted, and what went wrong in words.
//!
//! Knows no events; what it reads is files, once, before the port opens.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, ClientConnection, RootCertStore};

use super::Error;
use crate::event::Fact;

/// Makes the connector to the upstream. Trusted are the platform's certificates (Mozilla's where the
/// platform has none) and those in `files`.
pub(super) fn connector(files: &[PathBuf]) -> Result<TlsConnector, Error> {
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
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Adds every certificate of a PEM file.
fn add(roots: &mut RootCertStore, path: &Path) -> io::Result<()> {
    let text = std::fs::read(path)?;
    let mut found = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(invalid)?;
        roots.add(certificate).map_err(invalid)?;
        found += 1;
    }
    if found == 0 {
        return Err(invalid("the file holds no certificate in PEM form"));
    }
    Ok(())
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Reads the name that the server has to prove: a host name or an IP address.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Error::Tls(format!("{host} is neither a host name nor an address")))
}

/// Describes a finished handshake.
pub(super) fn fact(session: &ClientConnection, name: &ServerName<'_>) -> Fact {
    let name_sent = matches!(name, ServerName::DnsName(_));
    Fact::Tls {
        version: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        },
        cipher: session
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
        server_name: name_sent.then(|| name.to_str().into_owned()),
    }
}

/// Says in one clause why a handshake failed.
pub(super) fn reason(error: &io::Error) -> String {
    use CertificateError as Cert;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let why = match why {
                Cert::UnknownIssuer => "unknown issuer".to_owned(),
                Cert::Expired | Cert::ExpiredContext { .. } => "it has expired".to_owned(),
                Cert::NotValidYet | Cert::NotValidYetContext { .. } => {
                    "it is not valid yet".to_owned()
                }
                Cert::NotValidForName | Cert::NotValidForNameContext { .. } => {
                    format!("it is for another name ({why})")
                }
                other if other.to_string().contains("CaUsedAsEndEntity") => {
                    "it is an authority's own, not a server's (make one with basicConstraints=CA:FALSE, \
                     signed by that authority)"
                        .to_owned()
                }
                other => other.to_string(),
            };
            format!("certificate not trusted: {why}")
        }
        Some(other) => format!("TLS handshake failed: {other}"),
        None => format!("TLS handshake failed: {error}"),
    }
}
