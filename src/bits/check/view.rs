//! One exchange as the rules look at it, and how values of peers are shown.

use std::borrow::Cow;

use crate::bits::auth::{Stage, credentials};
use crate::bits::header::{self, Name, SPELLINGS};
use crate::bits::{ContentRange, Packet};
use crate::wire::Head;

use super::facts::Facts;
use super::rule::Profile;

/// One exchange.
pub(super) struct View<'f> {
    pub(super) facts: &'f Facts<'f>,
    pub(super) profile: Profile,
    pub(super) packet: Option<Packet>,
    /// Lower-cased host of the target or of the Host field, without the port.
    pub(super) host: String,
    /// Path and query of the target.
    pub(super) path: String,
    /// The response speaks BITS.
    bits_answer: bool,
}

impl<'f> View<'f> {
    pub(super) fn new(facts: &'f Facts<'f>, profile: Profile) -> Self {
        let target = String::from_utf8_lossy(facts.request.head.target().unwrap_or_default());
        let (authority, path) = split(&target);
        let named = authority.or(facts.request.says.host.as_deref());
        let bits_answer = facts.response.is_some_and(|response| {
            response
                .head
                .pairs()
                .any(|(name, _)| starts_with(name, b"BITS-"))
        });
        Self {
            facts,
            profile,
            packet: facts.request.says.packet,
            host: bare_host(named.unwrap_or_default()),
            path: path.to_owned(),
            bits_answer,
        }
    }

    /// Tells whether the request belongs to an upload.
    pub(super) fn upload(&self) -> bool {
        self.facts.request.says.upload
    }

    pub(super) fn asked(&self) -> &'f Head {
        self.facts.request.head
    }

    /// Returns the head of the server's own answer.
    pub(super) fn answer(&self) -> Option<&'f Head> {
        self.facts
            .response
            .filter(|_| !self.facts.ours)
            .map(|response| response.head)
    }

    /// Returns the status of the answer, whoever wrote it.
    pub(super) fn status(&self) -> Option<u16> {
        self.facts.response.and_then(|r| r.head.status())
    }

    /// Tells whether the server's own answer speaks BITS: an HTTP-level answer of a gateway or an
    /// authentication layer does not.
    pub(super) fn is_ack(&self) -> bool {
        self.upload() && self.bits_answer && !self.facts.ours
    }

    /// Tells whether the answer grants what was asked: 200, or another success.
    pub(super) fn succeeded(&self) -> bool {
        matches!(self.status(), Some(200..=299))
    }

    /// Returns the error that the answer carries.
    pub(super) fn error(&self) -> Option<u32> {
        self.facts.response.and_then(|r| r.says.error)
    }

    pub(super) fn is(&self, packet: Packet) -> bool {
        self.packet == Some(packet)
    }

    /// Returns the packet's name, or `request` where it has none.
    pub(super) fn name(&self) -> &'static str {
        self.packet.map_or("request", Packet::name)
    }

    /// Returns the id that the request carries.
    pub(super) fn id(&self) -> Option<&'f str> {
        self.facts.request.says.session_id.as_deref()
    }

    /// Returns the range of a Fragment whose numbers make sense.
    pub(super) fn range(&self) -> Option<ContentRange> {
        self.facts.request.says.range.filter(|range| {
            self.is(Packet::Fragment)
                && range.first <= range.last
                && range.total.is_none_or(|total| range.last < total)
        })
    }

    /// Returns the range of a Fragment whose content came whole and as it is in the file, with its digest.
    pub(super) fn whole_content(&self) -> Option<(ContentRange, u64)> {
        let range = self.range()?;
        let span = range.last.saturating_sub(range.first).saturating_add(1);
        let coded = value(self.asked(), Name::ContentEncoding).is_some();
        let digest = self.facts.digest?;
        (span == self.facts.request.content && !coded).then_some((range, digest))
    }

    /// Returns what a Fragment is called in a sentence: `Fragment 0-9`.
    pub(super) fn fragment(&self) -> String {
        match self.facts.request.says.range {
            Some(range) => format!("Fragment {}-{}", range.first, range.last),
            None => self.name().to_owned(),
        }
    }

    /// Tells whether the packet is a leg of a handshake: WinHTTP sends such a one without its content.
    ///
    /// observed: NTLM rounds of Windows clients
    pub(super) fn authenticates(&self) -> bool {
        let begins = |field| {
            let value = self.asked().value(field);
            value.is_some_and(|value| credentials(value).1 == Stage::Type1)
        };
        matches!(self.status(), Some(401 | 407))
            || begins("authorization")
            || begins("proxy-authorization")
    }

    /// Returns the offset that the answer tells, in a 200 without one the end of the fragment.
    pub(super) fn told(&self) -> Option<u64> {
        let said = self.facts.response.and_then(|r| r.says.received);
        match self.status() {
            Some(200..=299) => {
                said.or_else(|| self.range().map(|range| range.last.saturating_add(1)))
            }
            Some(416) => said,
            _ => None,
        }
    }
}

/// Yields the values of a field in any of its spellings, with the spelling of its name.
pub(super) fn values(
    head: &Head,
    name: Name,
) -> impl Iterator<Item = (&'static header::Spelling, &[u8])> {
    let start = SPELLINGS.iter().position(|spelling| spelling.name == name);
    let known = SPELLINGS
        .get(start.unwrap_or_default()..)
        .unwrap_or_default();
    // The spellings of a field stand together.
    let end = known.iter().position(|spelling| spelling.name != name);
    let known = known.get(..end.unwrap_or(known.len())).unwrap_or_default();
    head.pairs().filter_map(move |(found, value)| {
        let spelling = known
            .iter()
            .find(|spelling| spelling.wire.as_bytes().eq_ignore_ascii_case(found))?;
        Some((spelling, value))
    })
}

/// Returns the first value of a field in any of its spellings.
pub(super) fn value(head: &Head, name: Name) -> Option<&[u8]> {
    values(head, name).next().map(|found| found.1)
}

/// Tells whether a response announces that its connection ends.
///
/// RFC 9112 §9.3
pub(super) fn closes(head: &Head) -> bool {
    let says = |wanted| head.values("connection").any(|value| lists(value, wanted));
    says("close") || (head.minor() == 0 && !says("keep-alive"))
}

/// Returns a value of a peer for a sentence: short and on one line.
pub(super) fn shown(value: &[u8]) -> String {
    const MOST: usize = 80;
    let text = String::from_utf8_lossy(value.trim_ascii());
    let mut short: String = text
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(MOST).is_some() {
        short.push_str("...");
    }
    short
}

/// Tells whether `value` begins with `prefix`; case does not matter.
pub(super) fn starts_with(value: &[u8], prefix: &[u8]) -> bool {
    value
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Tells whether a list field holds `wanted`; case and parameters do not matter.
pub(super) fn lists(value: &[u8], wanted: &str) -> bool {
    let text: Cow<'_, str> = String::from_utf8_lossy(value);
    text.split(',').any(|item| {
        let item = item.split(';').next().unwrap_or(item);
        item.trim().eq_ignore_ascii_case(wanted)
    })
}

/// Tells whether `text` is a braced GUID; either case of the digits will do.
pub(super) fn is_guid(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let Some(inner) = inner else {
        return false;
    };
    let lengths = inner.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && inner
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Tells whether `url` has a scheme and a host.
pub(super) fn is_absolute(url: &str) -> bool {
    split(url).0.is_some_and(|host| !host.is_empty())
}

/// Splits a target into the authority of an absolute form and path with query.
///
/// RFC 9112 §3.2
pub(super) fn split(target: &str) -> (Option<&str>, &str) {
    let Some((scheme, rest)) = target.split_once("://") else {
        return (None, target);
    };
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return (None, target);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    (Some(host), if path.is_empty() { "/" } else { path })
}

/// Returns a host in lower case and without its port.
pub(super) fn bare_host(authority: &str) -> String {
    let authority = authority.trim().to_ascii_lowercase();
    let authority = header::url_host(&authority).into_owned();
    if authority.starts_with('[') {
        let end = authority.find(']').map(|at| at.saturating_add(1));
        return end
            .and_then(|end| authority.get(..end))
            .unwrap_or(&authority)
            .to_owned();
    }
    match authority.split_once(':') {
        Some((host, _)) => host.to_owned(),
        None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_a_field_stand_together() {
        for (at, spelling) in SPELLINGS.iter().enumerate() {
            let first = SPELLINGS
                .iter()
                .position(|known| known.name == spelling.name);
            let between = &SPELLINGS[first.unwrap()..at];
            assert!(between.iter().all(|known| known.name == spelling.name));
        }
    }

    #[test]
    fn guids_and_hosts_are_read() {
        assert!(is_guid("{7df0354d-249b-430f-820d-3d2a9bef4931}"));
        assert!(!is_guid("7df0354d-249b-430f-820d-3d2a9bef4931"));
        assert!(!is_guid("{7df0354d-249b-430f-820d-3d2a9bef493}"));
        assert_eq!(bare_host("User@A.test:80"), "user@a.test");
        assert_eq!(bare_host("[::1]:80"), "[::1]");
        assert_eq!(split("http://u@a.test?x"), (Some("a.test"), "?x"));
    }

    #[test]
    fn values_are_shown_short_and_on_one_line() {
        assert_eq!(shown(b" a\tb "), "a\u{fffd}b");
        assert_eq!(shown(&[b'a'; 100]).len(), 83);
    }
}
