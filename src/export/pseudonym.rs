//! Words that stand for other words: of the same length and shape, and the same for the same word.
//!
//! Made with a key that lives as long as one run, so nobody can find a word by trying.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;
use ring::rand::SystemRandom;

/// Makes pseudonyms.
pub(super) struct Pseudonyms {
    key: hmac::Key,
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// Makes a new key; `None` where the system gives no random bytes.
    pub(super) fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self { key })
    }

    /// Yields as many random-looking bytes as needed, the same for the same word whatever its case.
    fn stream(&self, word: &[u8]) -> impl Iterator<Item = u8> + use<> {
        let word = word.to_ascii_lowercase();
        let key = self.key.clone();
        (0u32..).flat_map(move |block| {
            let mut context = hmac::Context::with_key(&key);
            context.update(&block.to_le_bytes());
            context.update(&word);
            context.sign().as_ref().to_vec()
        })
    }

    /// Writes small letters over `word`; signs that give a word its shape can be kept with `keep`.
    pub(super) fn letters(&self, word: &mut [u8], keep: &[u8]) {
        let stream = self.stream(word);
        for (place, byte) in word.iter_mut().zip(stream) {
            if !keep.contains(place) {
                *place = b'a' + byte % 26;
            }
        }
    }

    /// Writes over a host, with or without a port: a name stays a name, an address an address.
    pub(super) fn host(&self, host: &mut [u8]) {
        let text = String::from_utf8_lossy(host).into_owned();
        let name = text
            .trim_start_matches('[')
            .split(']')
            .next()
            .unwrap_or_default();
        let is_v6 = text.starts_with('[') || name.matches(':').count() > 1;
        let len = if is_v6 {
            name.len()
        } else {
            name.split(':').next().map_or(0, str::len)
        };
        let from = usize::from(text.starts_with('['));
        let Some(name) = host.get_mut(from..from.saturating_add(len)) else {
            // Not UTF-8, so no host: nothing of it may stay.
            self.letters(host, b"");
            return;
        };
        match str::from_utf8(name)
            .ok()
            .and_then(|name| name.parse::<IpAddr>().ok())
        {
            Some(ip) if is_of_nobody(ip) => {}
            Some(IpAddr::V4(_)) => self.octets(name),
            Some(IpAddr::V6(_)) => self.groups(name),
            None if name.eq_ignore_ascii_case(b"localhost") => {}
            None => self.letters(name, b".-"),
        }
    }

    /// Returns the address that stands for this one; its port stays.
    pub(super) fn address(&self, address: SocketAddr) -> SocketAddr {
        let mut text = address.ip().to_canonical().to_string().into_bytes();
        self.host(&mut text);
        let ip = String::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        SocketAddr::new(ip.unwrap_or_else(|| address.ip()), address.port())
    }

    /// Digits for digits, so that each number stays below 256.
    fn octets(&self, name: &mut [u8]) {
        let mut stream = self.stream(name);
        for octet in name.split_mut(|byte| *byte == b'.') {
            let len = octet.len();
            for (place, digit) in octet.iter_mut().enumerate() {
                let random = stream.next().unwrap_or_default();
                *digit = match (place, len) {
                    (0, 3) => b'1',
                    (0, _) => b'1' + random % 9,
                    _ => b'0' + random % 10,
                };
            }
        }
    }

    /// Hexadecimal digits for hexadecimal digits.
    fn groups(&self, name: &mut [u8]) {
        let stream = self.stream(name);
        for (place, byte) in name.iter_mut().zip(stream) {
            if place.is_ascii_hexdigit() {
                *place = b"123456789abcdef"
                    .get(usize::from(byte % 15))
                    .copied()
                    .unwrap_or(b'1');
            }
        }
    }
}

/// Tells whether an address says nothing about anybody.
fn is_of_nobody(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(names: &Pseudonyms, host: &str) -> String {
        let mut bytes = host.as_bytes().to_vec();
        names.host(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn hosts_keep_their_shape_and_are_the_same_again() {
        let names = Pseudonyms::new().unwrap();
        let one = host(&names, "iis-01.corp.example:8080");
        assert_eq!(one.len(), "iis-01.corp.example:8080".len());
        assert!(
            one.ends_with(":8080") && one.contains('.') && !one.contains("corp"),
            "{one}"
        );
        assert_eq!(one, host(&names, "IIS-01.corp.example:8080"));
        let four = host(&names, "192.168.7.42:80");
        assert_ne!(four, "192.168.7.42:80");
        assert!(four.parse::<SocketAddr>().is_ok(), "{four}");
        let six = host(&names, "[2001:db8::1]:80");
        assert!(six.parse::<SocketAddr>().is_ok(), "{six}");
        assert_eq!(host(&names, "localhost"), "localhost");
    }

    #[test]
    fn an_address_and_its_text_stay_one() {
        let names = Pseudonyms::new().unwrap();
        for text in ["10.20.30.40:443", "[2001:db8::a:1]:80", "127.0.0.1:1"] {
            let address = names.address(text.parse().unwrap());
            assert_eq!(address.to_string(), host(&names, text), "{text}");
        }
    }

    #[test]
    fn long_words_do_not_repeat_themselves() {
        let names = Pseudonyms::new().unwrap();
        let mut word = vec![b'z'; 200];
        names.letters(&mut word, b"");
        assert_ne!(word[..32], word[32..64]);
    }
}
