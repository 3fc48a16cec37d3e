//! A URL of `http` or `https`, taken apart as far as a BITS client must: its host can change alone (Host-Id), and
//! the address of a reply can be resolved against it.

use std::fmt;

use http::Uri;

use crate::peer::{Credentials, Error, Result};

/// The target of an upload or a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::peer) struct Url {
    pub(in crate::peer) tls: bool,
    /// Without brackets.
    host: String,
    port: Option<u16>,
    /// Path and query, as they go on the wire.
    pub(in crate::peer) target: String,
}

impl Url {
    /// Reads an absolute URL; a name and a password in it come back apart.
    pub(in crate::peer) fn parse(text: &str) -> Result<(Self, Option<Credentials>)> {
        let bad = |reason| Error::Url {
            url: text.to_owned(),
            reason,
        };
        let uri: Uri = text.parse().map_err(|_| bad("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let credentials = match authority.as_str().rsplit_once('@') {
            None => None,
            Some((pair, _)) => {
                let pair = crate::peer::place::decode(pair).unwrap_or_default();
                Some(Credentials::parse(&pair).ok_or_else(|| bad("the password is missing"))?)
            }
        };
        let url = Self {
            tls,
            host,
            port: authority.port_u16(),
            target: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), |target| target.as_str().to_owned()),
        };
        Ok((url, credentials))
    }

    pub(in crate::peer) fn host(&self) -> &str {
        &self.host
    }

    pub(in crate::peer) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// Returns the value of the Host field.
    pub(in crate::peer) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// Replaces the host part only; port and path stay. MC-BUP §2.2.3.2
    ///
    /// `None` where `host` is not a bare host.
    pub(in crate::peer) fn with_host(&self, host: &str) -> Option<Self> {
        let bare = host.trim_matches(['[', ']']);
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let name = !bare.contains(':') || bare.parse::<std::net::Ipv6Addr>().is_ok();
        (!bare.is_empty() && bare.len() <= 300 && bare.chars().all(legal) && name).then(|| Self {
            host: bare.to_owned(),
            ..self.clone()
        })
    }

    /// Returns the URL on the same host that the path of `other` names.
    pub(in crate::peer) fn same_host(&self, other: &Self) -> bool {
        self.tls == other.tls
            && self.port() == other.port()
            && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// Resolves a BITS-Reply-URL or a Location against this URL.
    ///
    /// Backslashes become slashes, what may not stand in a URL is percent-encoded, and a relative one belongs
    /// to the directory of the upload's URL. observed: MC-BUP §4.2
    pub(in crate::peer) fn join(&self, reference: &str) -> Result<Self> {
        let reference = encode(&reference.trim().replace('\\', "/"));
        if reference.contains("://") {
            return Self::parse(&reference).map(|(url, _)| url);
        }
        let target = if let Some(host) = reference.strip_prefix("//") {
            let scheme = if self.tls { "https" } else { "http" };
            return Self::parse(&format!("{scheme}://{host}")).map(|(url, _)| url);
        } else if reference.starts_with('/') {
            reference
        } else {
            let path = self.target.split('?').next().unwrap_or_default();
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{directory}/{reference}")
        };
        Ok(Self {
            target,
            ..self.clone()
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

/// Percent-encodes what may not stand in a URL; what is encoded already stays. RFC 3986 §2
fn encode(text: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~:/?[]@!$&'()*+,;=%".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap().0
    }

    #[test]
    fn the_host_alone_is_replaced() {
        let from = url("http://farm.example.test:8080/up/f?q");
        let to = from.with_host("node2").unwrap();
        assert_eq!(to.to_string(), "http://node2:8080/up/f?q");
        assert_eq!(to.with_host("::1").unwrap().authority(), "[::1]:8080");
        for bad in ["", "http://srv1/", "srv:80", "a b", "srv1/"] {
            assert_eq!(from.with_host(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reply_url_is_resolved_as_windows_does() {
        let from = url("http://h:81/ask/q.bin?x=/y");
        let at = |reference| from.join(reference).unwrap().to_string();
        assert_eq!(
            at("BITS-Sessions\\Replies\\{9A}\\r.bin"),
            "http://h:81/ask/BITS-Sessions/Replies/%7B9A%7D/r.bin"
        );
        assert_eq!(at("/r%20s/t u"), "http://h:81/r%20s/t%20u");
        assert_eq!(at("https://other/r"), "https://other/r");
        assert_eq!(at("http:\\\\other\\r"), "http://other/r");
    }

    #[test]
    fn credentials_come_apart() {
        let (url, credentials) = Url::parse("http://me:se%40cret@[::1]/").unwrap();
        assert_eq!(url.to_string(), "http://[::1]/");
        assert_eq!(credentials.unwrap().password, "se@cret");
        for bad in ["ftp://x/", "x", "http://", "http://user@h/", "/path"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }
}
