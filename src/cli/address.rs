//! Servers, hosts and proxies as people type them.

use crate::relay::{Credentials, Hosts, Route, Upstream, Via};
use crate::timeline::place::percent_decoded;

/// An upstream and how the user wrote it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: String,
    pub(super) upstream: Upstream,
}

/// Reads `http[s]://host[:port]`; a path is refused, since the client's own path is kept.
pub(super) fn upstream(text: &str) -> Result<Target, String> {
    let uri: http::Uri = text
        .parse()
        .map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        Some(other) => return Err(format!("scheme `{other}` is neither http nor https")),
        None => return Err(format!("a scheme is missing; write http://{text}")),
    };
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or("a host is missing")?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("a path is not taken: the path of the client's own request is kept".to_owned());
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err("credentials are not taken: the client's own pass through".to_owned());
    }
    let named = uri
        .authority()
        .is_some_and(|authority| authority.as_str().len() > host.len());
    let port = match uri.port() {
        Some(port) if port.as_u16() > 0 => port.as_u16(),
        _ if named => return Err("the port is not a number from 1 to 65535".to_owned()),
        _ if tls => 443,
        _ => 80,
    };
    Ok(Target {
        url: text.trim_end_matches('/').to_owned(),
        upstream: Upstream {
            tls,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
        },
    })
}

/// Reads `HOST[:PORT]=URL`.
pub(super) fn route(text: &str) -> Result<Route, String> {
    let (name, url) = (text.split_once('=')).ok_or_else(|| {
        format!("`{text}` is not HOST=URL; write it like files.corp=http://10.0.0.5:8080")
    })?;
    Ok(Route {
        hosts: hosts(name)?,
        to: upstream(url)?.upstream,
    })
}

/// Reads `HOST[:PORT]`, `*.DOMAIN[:PORT]` or `*`.
pub(super) fn hosts(text: &str) -> Result<Hosts, String> {
    Hosts::parse(text).ok_or_else(|| {
        format!("`{text}` is not a host; write it like files.corp, files.corp:8080, *.corp or *")
    })
}

/// Reads `http://[USER:PASSWORD@]HOST:PORT`.
pub(super) fn via(text: &str) -> Result<Via, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let proxy = upstream(&format!("{scheme}://{place}"))?.upstream;
    if proxy.tls {
        return Err("a proxy is spoken to without TLS: write http://".to_owned());
    }
    let credentials = user.map(|user| {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        Credentials::new(decoded(user), decoded(password))
    });
    Ok(Via { proxy, credentials })
}

/// Reads `USER:PASSWORD`; the password may hold colons.
pub(super) fn credentials(text: &str) -> Result<Credentials, String> {
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() => Ok(Credentials::new(user, password)),
        _ => Err("write it like USER:PASSWORD".to_owned()),
    }
}

/// Undoes percent-encoding, without which a URL cannot hold some characters.
fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_decoded(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_scheme_host_and_port() {
        let target = upstream("https://[::1]:8443/").unwrap();
        assert_eq!(target.upstream.host, "::1");
        assert_eq!(target.upstream.port, 8443);
        assert!(target.upstream.tls);
        assert_eq!(target.url, "https://[::1]:8443");
        assert_eq!(upstream("http://iis.corp").unwrap().upstream.port, 80);
        for wrong in [
            "iis.corp",
            "ftp://iis.corp",
            "http://",
            "http://a/b",
            "http://u:p@a",
            "http://a:99999",
            "http://a:",
            "http://a:0",
        ] {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_route_is_a_host_and_an_upstream() {
        let read = route("*.Corp:8080=https://10.0.0.5").unwrap();
        assert_eq!(read.hosts.to_string(), "*.corp:8080");
        assert_eq!(read.to.url(), "https://10.0.0.5:443");
        for wrong in [
            "a.corp",
            "=http://a",
            "a b=http://a",
            "a=ftp://b",
            "a=http://b/path",
        ] {
            assert!(route(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_proxy_may_have_credentials() {
        let read = via("http://me:p%40ss:x@proxy.corp:3128").unwrap();
        assert_eq!(read.proxy.url(), "http://proxy.corp:3128");
        assert_eq!(read.credentials, Some(Credentials::new("me", "p@ss:x")));
        assert_eq!(via("proxy.corp:3128").unwrap().credentials, None);
        assert!(
            via("https://proxy.corp")
                .unwrap_err()
                .contains("without TLS")
        );
        assert!(via("socks5://proxy.corp").is_err());
        assert_eq!(credentials("me:a:b"), Ok(Credentials::new("me", "a:b")));
        for wrong in ["", "me", ":b"] {
            assert!(credentials(wrong).is_err(), "{wrong}");
        }
    }
}
