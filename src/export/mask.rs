//! What is private in heads, and words of the same length in its place.
//!
//! Which fields hold what stands in one table. Start lines are masked like fields. Nothing changes its
//! length, so that offsets, framing and timing of a capture stay what they were.

use std::ops::Range;

use crate::wire::{Head, Start};

use super::private::{Holds, holds, is_scheme, is_token};
use super::pseudonym::Pseudonyms;

/// What is to be masked.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redact {
    /// Authorization, cookies, passwords and tokens in URLs.
    pub credentials: bool,
    /// Names of files and folders, values of queries.
    pub names: bool,
    /// Hosts and IP addresses.
    pub addresses: bool,
    /// All content.
    pub bodies: bool,
    /// Fields whose value is masked as a whole.
    pub fields: Vec<String>,
}

/// Masks heads, notes and addresses.
#[derive(Debug)]
pub struct Mask {
    pub(super) what: Redact,
    pub(super) words: Pseudonyms,
}

impl Mask {
    /// Makes a mask with words of its own; `None` where the system gives no random bytes.
    pub fn new(what: Redact) -> Option<Self> {
        let words = Pseudonyms::new()?;
        Some(Self { what, words })
    }

    pub(super) fn hides_bodies(&self) -> bool {
        self.what.bodies
    }

    /// Returns the bytes of a head with what is private written over.
    pub(super) fn head(&self, head: &Head) -> Vec<u8> {
        let mut raw = head.raw.to_vec();
        if let Start::Request { target, method, .. } = &head.start {
            let is_authority = head.slice(method).eq_ignore_ascii_case(b"CONNECT");
            let target = part(&mut raw, target);
            if !is_authority {
                self.url(target);
            } else if self.what.addresses {
                self.words.host(target);
            }
        }
        for field in &head.fields {
            let name = String::from_utf8_lossy(head.slice(&field.name)).to_ascii_lowercase();
            let value = part(&mut raw, &field.value);
            self.field(name.trim(), value);
        }
        self.unread(head, &mut raw);
        raw
    }

    /// Lines that could not be read as fields could hold anything.
    fn unread(&self, head: &Head, raw: &mut [u8]) {
        let mut at = 0usize;
        let first = raw
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(raw.len(), |end| end + 1);
        let lines: Vec<usize> = raw
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::len)
            .collect();
        for len in lines {
            let range = at..at.saturating_add(len);
            at = range.end;
            let is_read = head.fields.iter().any(|field| {
                field.name.start < range.end && field.value.end.max(field.name.end) > range.start
            });
            if range.start >= first && !is_read {
                self.words.letters(part(raw, &range), b"\r\n \t:");
            }
        }
    }

    /// Returns chunk framing without what its trailer fields and extensions say.
    pub(super) fn framing(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for line in bytes.split_mut(|byte| *byte == b'\n') {
            let cut = line.iter().position(|byte| matches!(byte, b':' | b';'));
            if let Some(cut) = cut
                && let Some(rest) = line.get_mut(cut + 1..)
            {
                self.words.letters(rest, b"\r \t=;,");
            }
        }
        bytes
    }

    /// Masks the value of a field; its name is in small letters.
    pub(super) fn field(&self, name: &str, value: &mut [u8]) {
        if self
            .what
            .fields
            .iter()
            .any(|field| field.eq_ignore_ascii_case(name))
        {
            self.words.letters(value, b"");
            return;
        }
        let Some(holds) = holds(name) else {
            return;
        };
        let what = &self.what;
        match holds {
            Holds::Secret if what.credentials => self.secret(value),
            Holds::Token if what.credentials => self.words.letters(value, b""),
            Holds::Cookies if what.credentials => {
                for cookie in value.split_mut(|byte| *byte == b';') {
                    self.behind(cookie, b'=');
                }
            }
            Holds::SetCookie if what.credentials => {
                let end = value.iter().position(|byte| *byte == b';');
                let end = end.unwrap_or(value.len());
                self.behind(part(value, &(0..end)), b'=');
            }
            Holds::Host if what.addresses => self.words.host(value),
            Holds::Hosts if what.addresses => self.hosts(value),
            Holds::Url => self.url(value),
            Holds::Name if what.names => self.segment(value),
            Holds::Disposition if what.names => self.behind(value, b';'),
            _ => {}
        }
    }

    /// Masks what stands behind the name of a known scheme; where there is none, everything. Of an NTLM message
    /// the type stays: which leg of a login it is.
    fn secret(&self, value: &mut [u8]) {
        // Signature and type in Base64. MS-NLMP §2.2.1
        const SIGNATURE: &[u8] = b" TlRMTVNTUAA";
        const KEPT: usize = 17;
        let end = value.iter().position(|byte| *byte == b' ');
        let end = end.unwrap_or(value.len());
        let scheme = String::from_utf8_lossy(value.get(..end).unwrap_or_default());
        if is_scheme(&scheme) {
            let len = value.len();
            let rest = part(value, &(end..len));
            let kept = if rest.starts_with(SIGNATURE) { KEPT } else { 0 };
            let rest = rest.get_mut(kept..).unwrap_or_default();
            self.words.letters(rest, b" ,=\"");
        } else {
            self.words.letters(value, b" ,=\"");
        }
    }

    /// Masks every word but those that say what the next one is.
    fn hosts(&self, value: &mut [u8]) {
        const PLAIN: [&[u8]; 8] = [
            b"for", b"by", b"host", b"proto", b"http", b"https", b"1.0", b"1.1",
        ];
        let is_sign = |byte: &u8| b" ,;=\"()".contains(byte);
        for word in value.split_mut(is_sign) {
            if !PLAIN.iter().any(|plain| word.eq_ignore_ascii_case(plain)) {
                self.words.host(word);
            }
        }
    }

    /// Masks what stands behind a sign; where it is not there, everything.
    fn behind(&self, word: &mut [u8], sign: u8) {
        let from = word.iter().position(|byte| *byte == sign);
        let from = from.map_or(0, |at| at + 1);
        if let Some(rest) = word.get_mut(from..) {
            self.words.letters(rest, b" ");
        }
    }

    /// Masks a URL, a path of a URL, or a path of Windows.
    pub(super) fn url(&self, url: &mut [u8]) {
        let mut path = 0;
        if let Some(scheme) = find(url, b"://") {
            let from = scheme + 3;
            let rest = url.get(from..).unwrap_or_default();
            let len = rest
                .iter()
                .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
            path = len.map_or(url.len(), |len| from + len);
            let authority = part(url, &(from..path));
            let host = match authority.iter().rposition(|byte| *byte == b'@') {
                Some(at) => {
                    if self.what.credentials {
                        self.words.letters(part(authority, &(0..at)), b":");
                    }
                    at + 1
                }
                None => 0,
            };
            if self.what.addresses {
                let end = authority.len();
                self.words.host(part(authority, &(host..end)));
            }
        } else if url.starts_with(br"\\") && self.what.addresses {
            // A share: \\host\folder.
            let len = url
                .get(2..)
                .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'));
            path = len.map_or(url.len(), |len| len + 2);
            self.words.host(part(url, &(2..path)));
        }
        let query = url
            .iter()
            .position(|byte| *byte == b'?')
            .unwrap_or(url.len());
        if self.what.names {
            let path = part(url, &(path..query));
            for segment in path.split_mut(|byte| matches!(byte, b'/' | b'\\')) {
                self.segment(segment);
            }
        }
        let end = url.len();
        for pair in part(url, &(query..end)).split_mut(|byte| matches!(byte, b'?' | b'&' | b';')) {
            let cut = pair
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(pair.len());
            let name = String::from_utf8_lossy(pair.get(..cut).unwrap_or_default());
            if self.what.names || (self.what.credentials && is_token(&name)) {
                let end = pair.len();
                self.words
                    .letters(part(pair, &((cut + 1).min(end)..end)), b"");
            }
        }
    }

    /// Masks one name; its ending says what kind of file it is, and a session's id is no name.
    fn segment(&self, name: &mut [u8]) {
        if name.len() < 2 || is_guid(name) || name.eq_ignore_ascii_case(b"c:") {
            return;
        }
        let ending = name.iter().rposition(|byte| *byte == b'.').filter(|at| {
            let len = name.len() - at;
            *at > 0 && (2..=6).contains(&len)
        });
        let end = ending.unwrap_or(name.len());
        self.words.letters(part(name, &(0..end)), b"");
    }
}

/// Tells whether a segment is a GUID, in braces or not, the braces perhaps percent-encoded.
fn is_guid(segment: &[u8]) -> bool {
    let text = String::from_utf8_lossy(segment).to_ascii_lowercase();
    let bare = text.trim_start_matches("%7b").trim_start_matches('{');
    let bare = bare.trim_end_matches("%7d").trim_end_matches('}');
    bare.len() == 36
        && bare.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// Returns a part, an empty one where it lies outside.
fn part<'b>(bytes: &'b mut [u8], range: &Range<usize>) -> &'b mut [u8] {
    bytes.get_mut(range.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Conversation, Item, Stream};

    fn masked(what: Redact, head: &str) -> String {
        let mask = Mask::new(what).unwrap();
        let mut seen = Vec::new();
        Conversation::new().feed(Stream::Requests, head.as_bytes(), &mut seen);
        let head = seen.into_iter().find_map(|seen| match seen.item {
            Item::Head { head, .. } => Some(head),
            _ => None,
        });
        String::from_utf8(mask.head(&head.unwrap())).unwrap()
    }

    const HEAD: &str = "BITS_POST http://joe:pw@iis.corp/up/report.csv?sig=abcd&x=1 HTTP/1.1\r\n\
        Host: iis.corp\r\nAuthorization: Basic dXNlcjpwdw==\r\nCookie: id=secret; b=geheim\r\n\
        X-Ms-Token-Aad: t0ken\r\nX-Mine: m1ne\r\nContent-Name: report.csv\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn credentials_go_and_nothing_else() {
        let credentials = Redact {
            credentials: true,
            fields: vec!["x-mine".to_owned()],
            ..Redact::default()
        };
        let text = masked(credentials, HEAD);
        assert_eq!(text.len(), HEAD.len());
        for gone in [
            "joe",
            "pw@",
            "abcd",
            "dXNlcjpwdw",
            "secret",
            "geheim",
            "t0ken",
            "m1ne",
        ] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        for kept in [
            "@iis.corp/up/report.csv?sig=",
            "&x=1",
            "Basic ",
            "id=",
            "; b=",
            "Host: iis.corp",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn a_masked_token_tells_its_leg_and_nothing_else() {
        let credentials = Redact {
            credentials: true,
            ..Redact::default()
        };
        let head =
            "GET / HTTP/1.1\r\nAuthorization: NTLM TlRMTVNTUAADAAAAGAAYAEAAAABqAGoAWA==\r\n\r\n";
        let text = masked(credentials.clone(), head);
        assert!(text.contains("NTLM TlRMTVNTUAADAAAA"), "{text}");
        assert!(!text.contains("GAAYAEAAAABqAGoAWA"), "{text}");
        assert_eq!(text.len(), head.len());
        let cut = masked(
            credentials,
            "GET / HTTP/1.1\r\nAuthorization: NTLM TlRMTVNTUAAD\r\n\r\n",
        );
        assert!(cut.contains("NTLM TlRMTVNTUAAD"), "{cut}");
    }

    #[test]
    fn names_and_hosts_go_by_choice_and_stay_the_same_everywhere() {
        let what = Redact {
            names: true,
            addresses: true,
            ..Redact::default()
        };
        let text = masked(what, HEAD);
        assert!(!text.contains("report") && !text.contains("corp"), "{text}");
        let name = text.split("Content-Name: ").nth(1).unwrap();
        let name = name.split("\r\n").next().unwrap();
        assert!(
            name.split('.').next_back() == Some("csv") && text.contains(&format!("/{name}?")),
            "{text}"
        );
        let host = text.split("Host: ").nth(1).unwrap();
        let host = host.split("\r\n").next().unwrap();
        assert!(text.contains(&format!("@{host}/")), "{text}");
    }

    #[test]
    fn addresses_of_proxies_on_the_way_go() {
        let what = Redact {
            addresses: true,
            ..Redact::default()
        };
        let head = "GET / HTTP/1.1\r\nX-Forwarded-For: 10.20.30.40, [2001:db8::7]:80\r\n\
            Forwarded: for=\"10.20.30.40\";proto=http;by=gate.corp\r\nVia: 1.1 gate.corp (nginx)\r\n\r\n";
        let text = masked(what, head);
        assert_eq!(text.len(), head.len());
        for gone in ["10.20.30", "2001:db8", "gate", "corp"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert!(text.contains(";proto=http;by="), "{text}");
    }

    #[test]
    fn only_the_name_of_a_scheme_stays() {
        let what = Redact {
            credentials: true,
            ..Redact::default()
        };
        let head = "GET / HTTP/1.1\r\nAuthorization: onlyletters\r\nAuthentication-Info: rspauth=\"geheim\"\r\n\
            Proxy-Authorization: NTLM TlRMTVNTUAADAAAAaGVpbWxpY2g=\r\nWWW-Authenticate: Negotiate\r\n\r\n";
        let text = masked(what, head);
        assert_eq!(text.len(), head.len());
        for gone in ["onlyletters", "geheim", "aGVpbWxpY2g"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        for kept in [
            "Proxy-Authorization: NTLM TlRMTVNTUAADAAAA",
            "WWW-Authenticate: Negotiate\r\n",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn a_line_that_is_no_field_hides_nothing() {
        let what = Redact {
            credentials: true,
            ..Redact::default()
        };
        let head = "GET / HTTP/1.1\r\nthis is no field secret\r\nHost: a\r\n\r\n";
        let text = masked(what, head);
        assert!(
            !text.contains("secret") && text.contains("Host: a"),
            "{text}"
        );
    }
}
