//! A certificate in one line for people.
//!
//! Trusts nothing that it reads: a certificate is bytes of a peer until somebody has verified it.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

/// More certificates than a sane chain has are not described, nor more names than help.
const CHAIN: usize = 8;
const NAMES: usize = 4;
/// Names are cut at this length in characters.
const LONG: usize = 120;

/// What people want to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// Host names and addresses that it is for; at most a few.
    pub(super) names: Vec<String>,
    /// Seconds since 1970-01-01 UTC; both ends are inclusive.
    pub(super) from: i64,
    pub(super) to: i64,
    /// It is its own issuer.
    pub(super) is_own: bool,
}

impl Summary {
    /// Reads a certificate. `None`: it is none.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(certificate).ok()?;
        let names = read.subject_alternative_name().ok().flatten();
        let names = names.map_or_else(Vec::new, |names| {
            let names = names.value.general_names.iter();
            names.filter_map(name).take(NAMES).collect()
        });
        Some(Self {
            subject: words(read.subject()),
            issuer: words(read.issuer()),
            names,
            from: read.validity().not_before.timestamp(),
            to: read.validity().not_after.timestamp(),
            is_own: read.subject().as_raw() == read.issuer().as_raw(),
        })
    }

    /// Says why the certificate is not valid now, as a clause; `None`: it is.
    pub(super) fn untimely(&self, now: UnixTime) -> Option<String> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now > self.to {
            Some(format!("it has expired on {}", day(self.to)))
        } else if now < self.from {
            Some(format!("it is not valid before {}", day(self.from)))
        } else {
            None
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = if self.subject.is_empty() {
            "(no subject)"
        } else {
            &self.subject
        };
        f.write_str(subject)?;
        if !self.names.is_empty() {
            write!(f, " for {}", self.names.join(", "))?;
        }
        if self.is_own {
            f.write_str(", by itself")?;
        } else {
            write!(f, ", by {}", self.issuer)?;
        }
        write!(f, ", {} to {}", day(self.from), day(self.to))
    }
}

/// Describes a chain, one line for each certificate.
pub(super) fn lines(chain: &[CertificateDer<'_>]) -> Vec<String> {
    let line = |certificate| {
        Summary::read(certificate).map_or_else(
            || "a certificate that cannot be read".to_owned(),
            |summary| summary.to_string(),
        )
    };
    chain.iter().take(CHAIN).map(line).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(plain(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from).ok();
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from).ok();
            v4.or_else(v6).map(|address| address.to_string())
        }
        _ => None,
    }
}

fn words(name: &X509Name<'_>) -> String {
    plain(&name.to_string())
}

/// Keeps a text of a peer to one line of bounded length.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(LONG)
        .collect()
}

/// Writes a day in UTC.
pub(super) fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| format!("second {seconds}"),
        |moment| moment.strftime("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn one_line_tells_names_issuer_and_validity_and_no_control_character() {
        let names = vec!["files.corp".to_owned(), "10.0.0.7".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "fi\nles");
        params.not_before = date_time_ymd(2020, 1, 2);
        params.not_after = date_time_ymd(2021, 1, 2);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let summary = Summary::read(certificate.der()).unwrap();
        assert_eq!(
            summary.to_string(),
            "CN=fi\u{fffd}les for files.corp, 10.0.0.7, by itself, 2020-01-02 to 2021-01-02"
        );
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        assert_eq!(summary.untimely(at(1_600_000_000)), None);
        let late = summary.untimely(at(1_700_000_000)).unwrap();
        assert_eq!(late, "it has expired on 2021-01-02");
        assert!(summary.untimely(at(0)).unwrap().contains("2020-01-02"));
        let odd = CertificateDer::from(vec![1, 2, 3]);
        assert_eq!(lines(&[odd]), ["a certificate that cannot be read"]);
    }
}
