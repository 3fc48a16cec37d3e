//! What TLS says in codes, in words for people. Pure.

use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible,
};

use super::certificate::Summary;
use crate::fault::rule::TlsFault;

/// Says in a sentence what a rule has go wrong in a handshake.
pub(super) fn on_purpose(fault: TlsFault) -> &'static str {
    match fault {
        TlsFault::Expired => "The certificate was wrong on purpose: it has expired.",
        TlsFault::WrongName => "The certificate was wrong on purpose: it is for another name.",
        TlsFault::UnknownAuthority => {
            "The certificate was wrong on purpose: an unknown authority signed it."
        }
        TlsFault::ClientCertificate => "A rule had the client asked for a certificate.",
        TlsFault::Abort => "A rule aborted the handshake.",
    }
}

/// Says why a client ended the handshake with an alert, and whether that is about trust in our certificate.
///
/// RFC 8446 §6.2
pub(super) fn alert(alert: AlertDescription) -> (String, bool) {
    use AlertDescription as Alert;
    let (meaning, distrust) = match alert {
        Alert::UnknownCA => ("it does not know the authority of our certificate", true),
        Alert::BadCertificate | Alert::CertificateUnknown => {
            ("it does not accept our certificate", true)
        }
        Alert::CertificateExpired => ("our certificate has expired", false),
        Alert::CertificateRevoked => ("our certificate is revoked", false),
        Alert::UnsupportedCertificate => ("it cannot use our kind of certificate", false),
        Alert::ProtocolVersion => ("it wants another version of TLS than 1.2 and 1.3", false),
        Alert::HandshakeFailure | Alert::InsufficientSecurity => {
            ("no cipher suite suits both", false)
        }
        Alert::UserCanceled => ("its user cancelled", false),
        _ => ("it ended the handshake", false),
    };
    (format!("{meaning} (alert {alert:?})"), distrust)
}

/// Says why we ended a handshake, as a clause.
pub(super) fn broken(error: &Error, peer: &str) -> String {
    use PeerIncompatible as Cannot;
    match error {
        Error::PeerIncompatible(
            Cannot::Tls12NotOffered
            | Cannot::Tls12NotOfferedOrEnabled
            | Cannot::SupportedVersionsExtensionRequired
            | Cannot::SignatureAlgorithmsExtensionRequired
            | Cannot::ServerDoesNotSupportTls12Or13
            | Cannot::ServerTlsVersionIsDisabledByOurConfig,
        ) => format!(
            "the {peer} speaks neither TLS 1.2 nor TLS 1.3 (Windows 7 and Server 2008 R2 need that \
             switched on for WinHTTP)"
        ),
        Error::PeerIncompatible(Cannot::NoCipherSuitesInCommon | Cannot::NoKxGroupsInCommon) => {
            format!("the {peer} has no cipher suite or key exchange in common with us")
        }
        Error::NoCertificatesPresented => format!("the {peer} sent no certificate"),
        Error::PeerIncompatible(why) => format!("the {peer} is not compatible with us: {why:?}"),
        Error::NoApplicationProtocol => {
            format!("the {peer} wants another protocol than HTTP/1.1 (ALPN)")
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("what the {peer} sends is not TLS (is it plain http?)")
        }
        Error::InvalidMessage(why) => format!("what the {peer} sends cannot be read: {why:?}"),
        other => other.to_string(),
    }
}

/// Says why a server's certificate is not trusted, as a clause, with what helps.
pub(super) fn distrust(why: &CertificateError, certificate: Option<&Summary>) -> String {
    use CertificateError as Cert;
    match why {
        Cert::UnknownIssuer => match certificate {
            Some(certificate) if certificate.is_own => {
                "unknown issuer (it signed itself; trust it with --upstream-ca)".to_owned()
            }
            Some(certificate) => format!(
                "unknown issuer {} (trust that one with --upstream-ca)",
                certificate.issuer
            ),
            None => "unknown issuer".to_owned(),
        },
        Cert::Expired
        | Cert::ExpiredContext { .. }
        | Cert::NotValidYet
        | Cert::NotValidYetContext { .. } => timing(why, certificate),
        Cert::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "it names no host in its subjectAltName, and its CN does not count (make one that does, or take it \
             as it is with --insecure-upstream)"
                .to_owned()
        }
        Cert::NotValidForName | Cert::NotValidForNameContext { .. } => {
            format!("it is for another name ({why}; expect that one with --upstream-name)")
        }
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's own, not a server's (make one with basicConstraints=CA:FALSE, \
             signed by that authority)"
                .to_owned()
        }
        other => unusable(other),
    }
}

/// Says why a certificate can be used by nobody, as a clause.
pub(super) fn unusable(why: &CertificateError) -> String {
    let text = why.to_string();
    if text.contains("UnsupportedCertVersion") {
        "it is of X.509 version 1, not 3 (sign it again with extensions: `openssl x509 -req -extfile FILE`)"
            .to_owned()
    } else {
        text
    }
}

/// It may be an authority's certificate further up that is out of time: the days are those of the server's
/// own only where they say so.
fn timing(why: &CertificateError, certificate: Option<&Summary>) -> String {
    use CertificateError as Cert;
    match (why, certificate) {
        (Cert::ExpiredContext { not_after, .. }, _) => {
            let on =
                super::certificate::day(i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX));
            format!("it has expired (on {on})")
        }
        (Cert::NotValidYetContext { not_before, .. }, _) => {
            let on = i64::try_from(not_before.as_secs()).unwrap_or(i64::MAX);
            let on = super::certificate::day(on);
            format!("it is not valid yet (before {on}; is the clock right?)")
        }
        (Cert::Expired, _) => "it has expired".to_owned(),
        _ => "it is not valid yet".to_owned(),
    }
}

/// Says why the server ended the handshake with an alert, as a clause, with what helps.
pub(super) fn refused(alert: AlertDescription, asked: bool, given: bool) -> String {
    use AlertDescription as Alert;
    let help = match alert {
        Alert::CertificateRequired | Alert::BadCertificate | Alert::HandshakeFailure
            if asked && !given =>
        {
            ": it wants a client certificate; a client's own cannot pass through the proxy, give one with \
             --upstream-client-cert and --upstream-client-key"
        }
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::CertificateUnknown
        | Alert::UnsupportedCertificate
        | Alert::AccessDenied
            if given =>
        {
            ": it does not accept the certificate of --upstream-client-cert"
        }
        Alert::UnrecognisedName => {
            ": it does not know the host name that we ask for (--upstream-name)"
        }
        Alert::ProtocolVersion => ": it speaks neither TLS 1.2 nor TLS 1.3",
        Alert::HandshakeFailure => ": no cipher suite suits both, or a certificate is missing",
        _ => "",
    };
    format!("the server refused the TLS handshake (alert {alert:?}){help}")
}
