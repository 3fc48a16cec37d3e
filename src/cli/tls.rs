//! The options of `bitstap proxy` that are about TLS: what they set, what is said about them, and what to
//! try when one of them cannot be used.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;

use crate::relay::tls::{Authority, Identity, ServeAs, untimely};
use crate::relay::{Config, Error, Forward, Leaks};

use super::ca;
use super::failure::Failure;

/// TLS with clients and with the server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// Speak TLS with clients, too, with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "tls")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of that certificate (default: in the same file)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Speak TLS with clients, too, with certificates of a local authority for whatever name they ask for (see `bitstap ca`)
    #[arg(long, value_enum)]
    tls: Option<Certificates>,
    /// Folder of the local authority of --tls auto and --forward (default: in the user's data directory)
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// Trust the certificates in this PEM file towards the server; repeatable
    #[arg(long, value_name = "FILE")]
    upstream_ca: Vec<PathBuf>,
    /// Show this certificate chain (PEM) to a server that asks for one
    #[arg(long, value_name = "FILE")]
    upstream_client_cert: Option<PathBuf>,
    /// Private key (PEM) of that certificate (default: in the same file)
    #[arg(long, value_name = "FILE", requires = "upstream_client_cert")]
    upstream_client_key: Option<PathBuf>,
    /// Expect this host name or address in the server's certificate, and ask for it (SNI)
    #[arg(long, value_name = "NAME")]
    upstream_name: Option<String>,
    /// Accept any certificate of the server: whoever is in between can read and change everything
    #[arg(long)]
    insecure_upstream: bool,
    /// Append the secrets of all TLS connections to this file (`SSLKEYLOGFILE` format, for Wireshark)
    #[arg(long, value_name = "FILE")]
    tls_keylog: Option<PathBuf>,
}

/// Where the certificates for clients come from.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Certificates {
    /// From the local authority
    Auto,
}

/// What a run has to say about its TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct Security {
    /// Clients may speak TLS.
    pub(super) https: bool,
    /// Nobody verifies the server.
    pub(super) insecure: bool,
    /// Sentences for the user.
    pub(super) notices: Vec<String>,
}

impl TlsArgs {
    /// Adds the options to `config`; makes the local authority if it is wanted and there is none.
    pub(super) fn apply(self, config: Config) -> Result<(Config, Security), Failure> {
        let mut notices = Vec::new();
        let pair = |certificates: Option<PathBuf>, key: Option<PathBuf>| {
            certificates.map(|certificates| Identity {
                key: key.unwrap_or_else(|| certificates.clone()),
                certificates,
            })
        };
        let upstream_identity = pair(self.upstream_client_cert, self.upstream_client_key);
        let mut serve_as = None;
        if let Some(files) = pair(self.tls_cert, self.tls_key) {
            if let Some(why) = untimely(&files) {
                let path = files.certificates.display();
                notices.push(format!(
                    "warning: clients will refuse the certificate in {path}: {why}"
                ));
            }
            serve_as = Some(ServeAs::Files(files));
        } else if self.tls.is_some() || reads_tunnels(&config) {
            let folder = ca::folder(self.ca_dir)?;
            let (authority, new) = Authority::open_or_make(&folder).map_err(with_hint)?;
            notices.extend(about(&authority, new));
            serve_as = Some(ServeAs::Local(Arc::new(authority)));
        }
        let asked = self.tls.is_some() || matches!(serve_as, Some(ServeAs::Files(_)));
        // A field that is rewritten may lead to an https server, whatever the upstream is.
        let leads_on = (config.steering.as_ref()).is_some_and(|it| it.leaks == Leaks::Rewrite);
        let places = config.routes.iter().map(|route| &route.to);
        let upstream = places.chain(&config.upstream).any(|to| to.tls);
        let any = upstream || leads_on || config.forward.is_some();
        let insecure = self.insecure_upstream && any;
        if insecure {
            notices.push(
                "warning: --insecure-upstream: nobody verifies that the server is who it says it is; \
                 passwords and files may go to somebody else"
                    .to_owned(),
            );
        }
        let idle = [
            (self.insecure_upstream && !any, "--insecure-upstream"),
            (!self.upstream_ca.is_empty() && !any, "--upstream-ca"),
            (
                upstream_identity.is_some() && !any,
                "--upstream-client-cert",
            ),
            (self.upstream_name.is_some() && !upstream, "--upstream-name"),
        ];
        for (_, option) in idle.iter().filter(|(given, _)| *given) {
            notices.push(format!(
                "warning: {option} has no effect: the upstream is not https"
            ));
        }
        if let Some(path) = &self.tls_keylog {
            notices.push(format!(
                "warning: --tls-keylog: whoever reads {} can read all TLS connections of this run",
                path.display()
            ));
        }
        let security = Security {
            https: asked,
            insecure,
            notices,
        };
        let config = Config {
            upstream_ca: self.upstream_ca,
            upstream_identity,
            upstream_name: self.upstream_name,
            insecure_upstream: self.insecure_upstream,
            serve_as,
            secrets: self.tls_keylog,
            ..config
        };
        Ok((config, security))
    }
}

/// Tells whether TLS in a tunnel may have to be ended here.
fn reads_tunnels(config: &Config) -> bool {
    let all = |forward: &Forward| forward.tunnel.iter().any(|hosts| hosts.to_string() == "*");
    config.forward.as_ref().is_some_and(|forward| !all(forward))
}

/// Says whom clients have to trust.
fn about(authority: &Authority, new: bool) -> Vec<String> {
    let file = authority.file();
    let made = if new {
        "A local authority was made"
    } else {
        "Certificates come from the local authority"
    };
    let [(system, line), ..] = ca::trust(&file);
    vec![
        format!("{made}: {}", file.display()),
        format!("To trust it on {system}: {line}"),
        "On other systems: bitstap ca show".to_owned(),
    ]
}

/// Adds what to try to what stops a relay from starting.
pub(super) fn with_hint(error: Error) -> Failure {
    let hint = match &error {
        Error::Bind { .. } => {
            "another program may use the port: choose one with --listen, port 0 takes a free one"
        }
        Error::Nowhere { .. } => {
            "check the name; a server that only another network knows by name can be given by its address"
        }
        Error::Loop { .. } => "name the server itself, or listen on another port with --listen",
        Error::Certificates { .. } => {
            "a PEM file begins with -----BEGIN CERTIFICATE-----; openssl makes one: of .pfx with `openssl \
             pkcs12 -in FILE -nodes -out FILE.pem`, of .cer with `openssl x509 -inform der -in FILE -out \
             FILE.pem`; one that has expired must be replaced"
        }
        Error::Key { .. } => {
            "a PEM file begins with -----BEGIN PRIVATE KEY-----; openssl makes one: of .pfx with `openssl \
             pkcs12 -in FILE -nodes -out FILE.pem`, of an encrypted key with `openssl pkey -in FILE -out \
             FILE.pem`"
        }
        Error::Pair { .. } => {
            "the server's own certificate comes first in its file, its issuers after it; `openssl x509 \
             -noout -pubkey -in CERT` and `openssl pkey -pubout -in KEY` print the same for a pair"
        }
        Error::Authority { source, .. } if source.kind() != ErrorKind::InvalidData => {
            "name a folder that you may write to with --ca-dir"
        }
        Error::Authority { .. } | Error::AuthorityUntimely { .. } => {
            "`bitstap ca renew` makes a new one, which clients then have to trust; another folder: --ca-dir"
        }
        Error::Secrets { .. } => "name a file in a folder that you may write to",
        Error::Tls(_) => "see the options under TLS in `bitstap proxy --help`",
    };
    Failure::from(error).hint(hint)
}
