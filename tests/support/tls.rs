//! Authorities, servers and clients for tests of TLS.

use std::path::PathBuf;
use std::sync::Arc;

use bitstap::event::{Event, Fact, Leg, Note, TlsFact, What};
use bitstap::relay::tls::{Authority, Identity, ServeAs};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    self, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion, server,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::relay_tcp::Running;

pub(crate) const PING: &[u8] = b"BITS_POST /f HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
pub(crate) const ACK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// An authority of a test, in a folder with its certificate as `ca.pem`.
pub(crate) struct TestCa {
    pub(crate) folder: TempDir,
    pub(crate) file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl TestCa {
    pub(crate) fn make() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let ca = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, ca.pem()).unwrap();
        Self {
            folder,
            file,
            issuer: Issuer::new(params, key),
        }
    }

    /// Signs a certificate for a server or a client and writes both files.
    pub(crate) fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let files = Identity {
            certificates: self.folder.path().join(format!("{name}.crt")),
            key: self.folder.path().join(format!("{name}.key")),
        };
        std::fs::write(&files.certificates, leaf.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    /// Makes a server of it; with `wants_client` it insists on a certificate of ours from its clients.
    pub(crate) fn server(
        &self,
        files: &Identity,
        version: &'static SupportedProtocolVersion,
        wants_client: bool,
    ) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .unwrap();
        let builder = if wants_client {
            let roots = Arc::new(roots(&self.file));
            let verifier = server::WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = CertificateDer::from_pem_file(&files.certificates).unwrap();
        let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
        let config = builder.with_single_cert(vec![chain], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn roots(file: &std::path::Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(file).unwrap())
        .unwrap();
    roots
}

/// A local authority in a folder of its own.
pub(crate) fn local() -> (TempDir, Arc<Authority>, ServeAs) {
    let folder = tempfile::tempdir().unwrap();
    let (authority, _) = Authority::open_or_make(folder.path()).unwrap();
    let authority = Arc::new(authority);
    (folder, authority.clone(), ServeAs::Local(authority))
}

/// What a client wants.
pub(crate) struct Client {
    config: ClientConfig,
}

impl Client {
    /// Trusts the certificate in a file.
    pub(crate) fn trusting(file: &std::path::Path) -> Self {
        Self::speaking(file, &[&TLS13, &TLS12])
    }

    pub(crate) fn speaking(
        file: &std::path::Path,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots(file))
            .with_no_client_auth();
        Self { config }
    }

    pub(crate) fn alpn(mut self, protocol: &str) -> Self {
        self.config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        self
    }

    /// Does the handshake on an open connection.
    pub(crate) async fn shake(
        &self,
        stream: TcpStream,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::new(self.config.clone()));
        connector.connect(name, stream).await
    }
}

/// Returns what rustls says about a failed handshake.
pub(crate) fn why(error: &std::io::Error) -> &rustls::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.unwrap_or_else(|| panic!("{error:?} is not of TLS"))
}

/// Waits for the next note on a leg.
pub(crate) async fn note(relay: &mut Running, leg: Leg) -> Note {
    loop {
        match relay.next().await {
            Event {
                leg: found,
                what: What::Note(note),
                ..
            } if found == leg => return note,
            _ => {}
        }
    }
}

/// Waits for the next note on a leg, which says that TLS is up.
pub(crate) async fn up(relay: &mut Running, leg: Leg) -> TlsFact {
    match note(relay, leg).await.fact {
        Fact::Tls(fact) => *fact,
        fact => panic!("{fact:?}"),
    }
}
