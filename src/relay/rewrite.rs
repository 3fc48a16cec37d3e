//! Fields that lead a client away from the proxy, and what they have to say so that it stays.
//!
//! Pure: a head in, changes out. A change is to the value of one field; every other byte stays as it was
//! sent. Several fields of one name are each changed for themselves. Knows no connections; where a field
//! that was rewritten led is `routes.rs`'s business.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::Upstream;
use crate::bits::header::{self, Name};
use crate::timeline::place;
use crate::wire::{Field, Head, Start};

/// What becomes of fields that lead away from the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leaks {
    /// They lead to the proxy instead.
    Rewrite,
    /// They stay, and a note says where the client goes.
    Report,
    /// Nobody looks at them.
    #[default]
    Pass,
}

/// Which host the server is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostField {
    /// As the client wrote it.
    #[default]
    Keep,
    /// That of the upstream.
    Upstream,
    /// This one, with or without a port.
    Name(String),
}

/// How a client addressed the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub tls: bool,
    /// `host` or `host:port`, addresses of IPv6 in brackets.
    pub authority: String,
}

impl Asked {
    /// Tells whether `upstream` goes by the same name and port.
    pub fn is_for(&self, upstream: &Upstream) -> bool {
        parts(&self.authority).is_some_and(|(host, port)| {
            let port = port.unwrap_or(if self.tls { 443 } else { 80 });
            bare(host).eq_ignore_ascii_case(&upstream.host) && port == upstream.port
        })
    }
}

/// Another value for a field, or for the target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field's name as sent; `request target` for that.
    pub field: String,
    /// Where the old value lies in the head's bytes.
    pub at: Range<usize>,
    pub before: String,
    pub after: Vec<u8>,
    /// The new value is nobody's business.
    pub secret: bool,
}

/// A field of a response that leads elsewhere, and the change that keeps the client here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub change: Change,
    /// Where it leads.
    pub to: Upstream,
    /// What will be asked for there, in the form of `place::fold`; `None` for the host of a whole session.
    pub path: Option<String>,
}

/// Writes `changes` into a head. They must not overlap.
pub fn splice(head: &Head, changes: &[Change]) -> Bytes {
    let mut sorted: Vec<&Change> = changes.iter().collect();
    sorted.sort_by_key(|change| change.at.start);
    let mut bytes = Vec::with_capacity(head.raw.len().saturating_add(64));
    let mut done = 0;
    for change in sorted {
        bytes.extend_from_slice(head.slice(&(done..change.at.start)));
        bytes.extend_from_slice(&change.after);
        done = change.at.end;
    }
    bytes.extend_from_slice(head.slice(&(done..head.raw.len())));
    Bytes::from(bytes)
}

/// In which form the target of a request is sent on.
///
/// RFC 9112 §3.2
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    AsSent,
    /// A path, as servers expect it.
    Origin,
    /// The whole URL, as proxies expect it.
    Absolute,
}

/// How a request is sent on.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'m> {
    pub form: Form,
    pub host: &'m HostField,
    /// Fields that are for this proxy alone end here.
    pub ends_here: bool,
    /// The value of Proxy-Authorization for the proxy that gets the request.
    pub credentials: Option<&'m str>,
}

/// Says what has to change in a request on its way to `upstream`.
pub fn request(head: &Head, manner: &Manner<'_>, upstream: &Upstream) -> Vec<Change> {
    let mut changes = Vec::new();
    changes.extend(match manner.form {
        Form::AsSent => None,
        Form::Origin => origin_form(head),
        Form::Absolute => absolute_form(head, upstream),
    });
    for_proxies(head, manner, &mut changes);
    let name = match manner.host {
        HostField::Keep => return changes,
        HostField::Upstream => upstream.authority(),
        HostField::Name(name) => name.clone(),
    };
    for field in &head.fields {
        if head.slice(&field.name).eq_ignore_ascii_case(b"host") {
            changes.extend(changed(head, &field.name, &field.value, name.as_bytes()));
        }
    }
    changes
}

/// Takes out what is for this proxy, and puts in what the next one wants.
///
/// RFC 9110 §7.6.1, §11.7.2; Proxy-Connection: RFC 9112 appendix C.2.2
fn for_proxies(head: &Head, manner: &Manner<'_>, changes: &mut Vec<Change>) {
    let replaces = manner.credentials.is_some();
    if !manner.ends_here && !replaces {
        return;
    }
    for field in &head.fields {
        let name = head.slice(&field.name);
        let secret = name.eq_ignore_ascii_case(b"proxy-authorization");
        let ends = secret || name.eq_ignore_ascii_case(b"proxy-connection");
        if (ends && manner.ends_here) || (secret && replaces) {
            changes.push(Change {
                field: header::text(name),
                at: line(head, field),
                before: if secret {
                    SECRET.to_owned()
                } else {
                    header::text(head.slice(&field.value))
                },
                after: Vec::new(),
                secret,
            });
        }
    }
    if let Some(credentials) = manner.credentials
        && let Some(at) = end_of_fields(head)
    {
        changes.push(Change {
            field: "Proxy-Authorization".to_owned(),
            at: at..at,
            before: String::new(),
            after: format!("Proxy-Authorization: {credentials}\r\n").into_bytes(),
            secret: true,
        });
    }
}

/// Stands for credentials where people read.
pub const SECRET: &str = "(credentials)";

/// Returns where the whole line of a field lies, with its end.
fn line(head: &Head, field: &Field) -> Range<usize> {
    let rest = head.slice(&(field.value.end..head.raw.len()));
    let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
    field.name.start..field.value.end.saturating_add(length)
}

/// Returns where the empty line begins that ends a head.
fn end_of_fields(head: &Head) -> Option<usize> {
    let blank = if head.raw.ends_with(b"\r\n") { 2 } else { 1 };
    head.raw.len().checked_sub(blank)
}

/// Makes a path one that a proxy expects, which has to know the server.
///
/// RFC 9112 §3.2.2, §3.2.4
fn absolute_form(head: &Head, upstream: &Upstream) -> Option<Change> {
    let Start::Request { target, .. } = &head.start else {
        return None;
    };
    let sent = str::from_utf8(head.slice(target)).ok()?;
    let scheme = if upstream.tls { "https" } else { "http" };
    let path = match sent {
        "*" => "",
        path if path.starts_with('/') => path,
        _ => return None,
    };
    Some(Change {
        field: "request target".to_owned(),
        at: target.clone(),
        before: sent.to_owned(),
        after: format!("{scheme}://{}{path}", upstream.authority()).into_bytes(),
        secret: false,
    })
}

/// Makes an absolute target one that a server expects: it would take a target with a host for the URL
/// under which it is known, and build its own URLs from that.
///
/// RFC 9112 §3.2.1, §3.2.2
fn origin_form(head: &Head) -> Option<Change> {
    let Start::Request { method, target, .. } = &head.start else {
        return None;
    };
    let sent = head.slice(target);
    if sent.first() == Some(&b'/') {
        return None;
    }
    let text = std::str::from_utf8(sent).ok()?;
    let (Some(_), path) = place::split(text) else {
        return None;
    };
    let after = match path {
        "/" if !text.ends_with('/') && head.slice(method) == b"OPTIONS" => "*".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    Some(Change {
        field: "request target".to_owned(),
        at: target.clone(),
        before: text.to_owned(),
        after: after.into_bytes(),
        secret: false,
    })
}

/// Tells whether a response may have fields that lead away: cheaper than knowing their names, and nearly
/// always no.
pub fn may_lead(head: &Head) -> bool {
    let len = |field: &Field| field.name.len();
    head.fields.iter().any(|field| {
        matches!(len(field), 8 | 12 | 14)
            && matches!(
                header::identify(head.slice(&field.name)).map(|spelling| spelling.name),
                Some(Name::HostId | Name::ReplyUrl | Name::Location)
            )
    })
}

/// Finds the fields of a response that lead away from the proxy as the client knows it. `from` is the
/// server that sent it.
///
/// MC-BUP §2.2.3.2, RFC 9110 §10.2.2
pub fn leads(head: &Head, asked: &Asked, from: &Upstream) -> Vec<Lead> {
    let mut leads = Vec::new();
    for field in &head.fields {
        let spelling = header::identify(head.slice(&field.name));
        let lead = match spelling.map(|spelling| spelling.name) {
            Some(Name::HostId) => host_id(head, &field.value, asked, from),
            Some(Name::ReplyUrl | Name::Location) => url(head, &field.value, asked, from),
            _ => None,
        };
        if let Some((at, after, to, path)) = lead
            && let Some(change) = changed(head, &field.name, &at, &after)
        {
            leads.push(Lead { change, to, path });
        }
    }
    leads
}

type Found = (Range<usize>, Vec<u8>, Upstream, Option<String>);

/// A Host-Id is a bare host: the client puts it into its own URL, whose port and path stay.
fn host_id(head: &Head, value: &Range<usize>, asked: &Asked, from: &Upstream) -> Option<Found> {
    let named = std::str::from_utf8(head.slice(value)).ok()?;
    let (host, port) = parts(named)?;
    let (own, _) = parts(&asked.authority)?;
    if host.eq_ignore_ascii_case(own) {
        return None;
    }
    let to = Upstream {
        tls: from.tls,
        host: bare(host).to_owned(),
        port: port.unwrap_or(from.port),
    };
    Some((value.clone(), own.as_bytes().to_vec(), to, None))
}

/// Of an absolute URL scheme, host and port are replaced; its path stays as it was sent.
fn url(head: &Head, value: &Range<usize>, asked: &Asked, from: &Upstream) -> Option<Found> {
    let text = std::str::from_utf8(head.slice(value)).ok()?;
    // `//host/path` has the scheme of the request; to the server that was its own.
    let (tls, rest) = if let Some(rest) = text.strip_prefix("//") {
        (from.tls, rest)
    } else {
        let (scheme, rest) = text.split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => (false, rest),
            "https" => (true, rest),
            _ => return None,
        }
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (user, named) = match authority.rsplit_once('@') {
        Some((user, named)) => (Some(user), named),
        None => (None, authority),
    };
    let (host, port) = parts(named)?;
    let standard = |tls: bool| if tls { 443 } else { 80 };
    let port = port.unwrap_or_else(|| standard(tls));
    let (own, own_port) = parts(&asked.authority)?;
    let own_port = own_port.unwrap_or_else(|| standard(asked.tls));
    if tls == asked.tls && host.eq_ignore_ascii_case(own) && port == own_port {
        return None;
    }
    let scheme = if asked.tls { "https" } else { "http" };
    let user = user.map_or_else(String::new, |user| format!("{user}@"));
    let after = format!("{scheme}://{user}{}", asked.authority);
    let kept = value.end.checked_sub(tail.len())?;
    let to = Upstream {
        tls,
        host: bare(host).to_owned(),
        port,
    };
    let path = if tail.starts_with(['/', '\\']) {
        place::fold(tail)
    } else {
        place::fold(&format!("/{tail}"))
    };
    Some((value.start..kept, after.into_bytes(), to, Some(path)))
}

/// Reads after how long without the host of a Host-Id the client returns to the one that it had before.
///
/// MC-BUP §2.2.3.2
pub fn fallback(head: &Head) -> Option<Duration> {
    let seconds = head.pairs().find_map(|(name, value)| {
        let is_meant = header::identify(name)?.name == Name::HostIdFallbackTimeout;
        is_meant.then(|| header::offset(value))?
    });
    seconds.map(Duration::from_secs)
}

/// Has a response end its connection.
///
/// RFC 9112 §9.6
pub fn closing(head: &Head) -> Option<Change> {
    let field = (head.fields.iter())
        .find(|field| head.slice(&field.name).eq_ignore_ascii_case(b"connection"));
    if let Some(field) = field {
        return changed(head, &field.name, &field.value, b"close");
    }
    let at = end_of_fields(head)?;
    let line: &[u8] = if head.raw.ends_with(b"\r\n") {
        b"Connection: close\r\n"
    } else {
        b"Connection: close\n"
    };
    Some(Change {
        field: "Connection".to_owned(),
        at: at..at,
        before: String::new(),
        after: line.to_vec(),
        secret: false,
    })
}

/// Makes a change of a field's value, or of a part of it, unless it says so already.
fn changed(head: &Head, name: &Range<usize>, at: &Range<usize>, after: &[u8]) -> Option<Change> {
    let before = head.slice(at);
    (before != after).then(|| Change {
        field: header::text(head.slice(name)),
        at: at.clone(),
        before: header::text(before),
        after: after.to_vec(),
        secret: false,
    })
}

/// Reads how a client addressed the proxy out of its request; `local` is where it connected to, for a
/// request that does not say.
pub fn asked(head: &Head, tls: bool, local: Option<std::net::SocketAddr>) -> Option<Asked> {
    let named = head
        .value("host")
        .and_then(|value| std::str::from_utf8(value).ok())
        .filter(|value| parts(value).is_some())
        .map(str::to_owned);
    let authority = named.or_else(|| local.map(|local| local.to_string()))?;
    Some(Asked { tls, authority })
}

/// Takes `host[:port]` apart; the host keeps its brackets. `None` where it is neither.
pub(super) fn parts(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']')?.saturating_add(1);
        let (host, rest) = authority.split_at_checked(end)?;
        match rest.strip_prefix(':') {
            None if !rest.is_empty() => return None,
            port => (host, port),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]:".contains(&byte);
    let plain = !host.is_empty() && (!host.is_ascii() || host.bytes().all(is_name));
    let port = match port {
        None | Some("") => None,
        Some(digits) => Some(digits.parse().ok().filter(|port| *port > 0)?),
    };
    plain.then_some((host, port))
}

/// Takes the brackets off.
pub(super) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Reads a head that somebody has written anew; `None` where it is none.
pub(super) fn reread(stream: crate::wire::Stream, bytes: &Bytes) -> Option<Head> {
    let mut items = Vec::new();
    crate::wire::Decoder::new(stream).feed(bytes, &mut items);
    items.into_iter().find_map(|item| match item {
        crate::wire::Item::Head { head, .. } if head.raw.len() == bytes.len() => Some(head),
        _ => None,
    })
}
