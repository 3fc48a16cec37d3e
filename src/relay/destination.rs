//! Which server a request is for: what it names, the routes, the upstream.
//!
//! Pure. Where a session or a redirected client goes on is `routes.rs`'s business; that comes after this.

use std::net::SocketAddr;

use super::rewrite::{bare, parts};
use super::{Config, Upstream};
use crate::wire::{Head, Start};

/// How a client came to the proxy, beyond its address.
#[derive(Clone, Debug, Default)]
pub(super) struct Approach {
    /// Where it connected to.
    pub(super) local: Option<SocketAddr>,
    /// It speaks TLS with us.
    pub(super) secure: bool,
    /// The host that it asked for in its handshake (SNI).
    pub(super) server_name: Option<String>,
    /// The server to which it had a tunnel opened, through which it speaks now.
    pub(super) tunnel: Option<Upstream>,
}

/// Hosts that are meant: a name, `*.name` for all below it, or `*`; with a port, or with any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    name: String,
    port: Option<u16>,
}

impl Hosts {
    /// Reads `HOST[:PORT]`; `None` where it is no host.
    pub fn parse(text: &str) -> Option<Self> {
        let below = text.strip_prefix("*.");
        let (name, port) = match (text, below) {
            ("*", _) => ("*", None),
            (_, Some(rest)) => parts(rest)?,
            _ => parts(text)?,
        };
        if name.contains('*') && name != "*" {
            return None;
        }
        let dot = if below.is_some() { "*." } else { "" };
        Some(Self {
            name: format!("{dot}{}", bare(name).to_ascii_lowercase()),
            port,
        })
    }

    /// Tells whether `host` (without brackets) at `port` is one of them.
    pub fn hold(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let fits = match self.name.strip_prefix('*') {
            Some(ending) => host.ends_with(ending) && host.len() > ending.len(),
            None => host == self.name,
        };
        fits && self.port.is_none_or(|own| own == port)
    }
}

impl std::fmt::Display for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, port } = self;
        match (name.contains(':'), port) {
            (true, Some(port)) => write!(f, "[{name}]:{port}"),
            (false, Some(port)) => write!(f, "{name}:{port}"),
            (true, None) => write!(f, "[{name}]"),
            (false, None) => f.write_str(name),
        }
    }
}

/// Requests for some hosts go to another server than they would otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub hosts: Hosts,
    pub to: Upstream,
}

/// Why it is not known where a request is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Nowhere {
    /// It names no host that could be asked, and there is no upstream.
    Unnamed,
    /// It names a host that no route is for, and there is no upstream.
    Unknown(String),
}

/// Tells whether a request was made to a forward proxy: by its own form, or because it comes through a tunnel.
pub(super) fn is_forward(config: &Config, approach: &Approach, head: &Head) -> bool {
    config.forward.is_some() && (approach.tunnel.is_some() || absolute(head).is_some())
}

/// Says which server a request is for.
///
/// RFC 9112 §3.2
pub(super) fn of(config: &Config, approach: &Approach, head: &Head) -> Result<Upstream, Nowhere> {
    // Where there is one server only, nobody has to read what a request names.
    let one = config.routes.is_empty() && config.forward.is_none();
    if let Some(upstream) = config.upstream.as_ref().filter(|_| one) {
        return Ok(upstream.clone());
    }
    let own = named(config, approach, head);
    let routed = (own.as_ref()).and_then(|(named, _)| route(config, named));
    if let Some(to) = routed {
        return Ok(to);
    }
    match (own, &config.upstream) {
        (Some((named, true)), _) => Ok(named),
        (_, Some(upstream)) => Ok(upstream.clone()),
        (Some((named, false)), None) if config.forward.is_none() => {
            Err(Nowhere::Unknown(named.authority()))
        }
        _ => Err(Nowhere::Unnamed),
    }
}

/// Returns where a route leads from `named`, if there is one.
pub(super) fn route(config: &Config, named: &Upstream) -> Option<Upstream> {
    let route = (config.routes.iter()).find(|route| route.hosts.hold(&named.host, named.port));
    route.map(|route| route.to.clone())
}

/// Returns the server that a request names, and whether it is to go there if no route says otherwise.
fn named(config: &Config, approach: &Approach, head: &Head) -> Option<(Upstream, bool)> {
    if let Some(tunnel) = &approach.tunnel {
        return Some((tunnel.clone(), true));
    }
    if config.forward.is_some()
        && let Some(named) = absolute(head)
    {
        return Some((named, true));
    }
    let field =
        (head.value("host")).and_then(|value| server(approach.secure, str::from_utf8(value).ok()?));
    let by_name = || server(approach.secure, approach.server_name.as_deref()?);
    Some((field.or_else(by_name)?, false))
}

/// Reads the server out of a target in absolute form.
///
/// RFC 9112 §3.2.2
fn absolute(head: &Head) -> Option<Upstream> {
    let Start::Request { target, .. } = &head.start else {
        return None;
    };
    let target = str::from_utf8(head.slice(target)).ok()?;
    let (scheme, rest) = target.split_once("://")?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    server(tls, authority.rsplit('@').next()?)
}

/// Reads `host[:port]`.
pub(super) fn server(tls: bool, authority: &str) -> Option<Upstream> {
    let (host, port) = parts(authority)?;
    Some(Upstream {
        tls,
        host: bare(host).to_owned(),
        port: port.unwrap_or(if tls { 443 } else { 80 }),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::relay::forward::Forward;
    use crate::relay::rewrite;

    fn head(text: &str) -> Head {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        rewrite::reread(crate::wire::Stream::Requests, &bytes).unwrap()
    }

    fn place(url: &str) -> Upstream {
        let (scheme, authority) = url.split_once("://").unwrap();
        server(scheme == "https", authority).unwrap()
    }

    fn config(upstream: Option<&str>, routes: &[(&str, &str)], forward: bool) -> Config {
        Config {
            upstream: upstream.map(place),
            routes: (routes.iter())
                .map(|(hosts, to)| Route {
                    hosts: Hosts::parse(hosts).unwrap(),
                    to: place(to),
                })
                .collect(),
            forward: forward.then(Forward::default),
            ..Config::new("", None)
        }
    }

    fn goes(config: &Config, approach: &Approach, request: &str) -> Result<String, Nowhere> {
        of(config, approach, &head(request)).map(|to| to.url())
    }

    #[test]
    fn hosts_are_names_or_all_below_a_name_with_a_port_or_any() {
        let hold = |hosts: &str, host: &str, port| Hosts::parse(hosts).unwrap().hold(host, port);
        assert!(hold("IIS.corp", "iis.CORP", 8080));
        assert!(hold("iis.corp:80", "iis.corp", 80));
        assert!(!hold("iis.corp:80", "iis.corp", 81));
        assert!(hold("*.corp", "a.b.corp", 80));
        assert!(!hold("*.corp", "corp", 80) && !hold("*.corp", "x-corp", 80));
        assert!(hold("*", "anything", 1));
        assert!(hold("[::1]:8080", "::1", 8080));
        for wrong in ["", "a b", "*x", "a.*", "x:0", "x:y", "http://x", "*."] {
            assert_eq!(Hosts::parse(wrong), None, "{wrong}");
        }
        for text in ["*.corp:80", "[::1]:8080", "[::1]", "a.test"] {
            assert_eq!(Hosts::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn routes_come_first_then_what_the_request_names_then_the_upstream() {
        let approach = Approach::default();
        let routes = [
            ("a.test", "http://one:81"),
            ("*.b.test:443", "https://two:443"),
        ];
        let reverse = config(Some("http://up:80"), &routes, false);
        let ask = |host: &str| {
            goes(
                &reverse,
                &approach,
                &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            )
        };
        assert_eq!(ask("A.test:8080").unwrap(), "http://one:81");
        assert_eq!(ask("x.b.test").unwrap(), "http://up:80", "another port");
        assert_eq!(ask("else").unwrap(), "http://up:80");
        let secure = Approach {
            secure: true,
            server_name: Some("x.b.test".to_owned()),
            ..Approach::default()
        };
        let without = "GET / HTTP/1.0\r\n\r\n";
        assert_eq!(goes(&reverse, &secure, without).unwrap(), "https://two:443");
        assert_eq!(goes(&reverse, &approach, without).unwrap(), "http://up:80");

        let only = config(None, &routes, false);
        let else_ = goes(&only, &approach, "GET / HTTP/1.1\r\nHost: else\r\n\r\n");
        assert_eq!(else_, Err(Nowhere::Unknown("else".to_owned())));
        assert_eq!(goes(&only, &approach, without), Err(Nowhere::Unnamed));
    }

    #[test]
    fn a_forward_proxy_goes_where_the_request_says() {
        let approach = Approach::default();
        let plain = "GET http://U:p@a.test:8080/x HTTP/1.1\r\nHost: else\r\n\r\n";
        let origin = "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let forward = config(None, &[], true);
        assert_eq!(
            goes(&forward, &approach, plain).unwrap(),
            "http://a.test:8080"
        );
        assert_eq!(goes(&forward, &approach, origin), Err(Nowhere::Unnamed));
        assert!(is_forward(&forward, &approach, &head(plain)));
        assert!(!is_forward(&forward, &approach, &head(origin)));
        let both = config(Some("http://up:80"), &[("a.test", "http://one:81")], true);
        assert_eq!(goes(&both, &approach, plain).unwrap(), "http://one:81");
        assert_eq!(
            goes(&both, &approach, "GET / HTTP/1.1\r\n\r\n").unwrap(),
            "http://up:80"
        );
        let tunnel = Approach {
            secure: true,
            tunnel: Some(place("https://b.test:444")),
            ..Approach::default()
        };
        assert_eq!(goes(&both, &tunnel, origin).unwrap(), "https://b.test:444");
        assert!(is_forward(&both, &tunnel, &head(origin)));
        let reverse = config(Some("http://up:80"), &[], false);
        assert_eq!(goes(&reverse, &approach, plain).unwrap(), "http://up:80");
    }
}
