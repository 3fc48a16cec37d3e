//! What a field is compared with: typed values, read from text once and written back the same.
//!
//! Sizes and durations are exact: no floating point lies between `1.5 GiB` and its bytes.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::bits::{Packet, hresult};

use super::error::nearest;
use super::field::{Field, Id, Kind};
use super::lexer::quote;

/// A value of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Bytes(u64),
    /// Bytes a second.
    Rate(u64),
    Code(u32),
    Time(Duration),
    Packet(Packet),
    /// Place and name among the names of a choice.
    Choice(usize, &'static str),
    Network(Network),
    Text(Box<str>),
}

/// An address with the number of its leading bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a value of the kind, and what to write instead.
pub(super) type Refusal = (String, Option<String>);

/// All packets, in the order of a transfer.
pub(super) const PACKETS: [Packet; 8] = [
    Packet::Ping,
    Packet::CreateSession,
    Packet::Fragment,
    Packet::CloseSession,
    Packet::CancelSession,
    Packet::Notification,
    Packet::Head,
    Packet::Get,
];

const SIZE_UNITS: [(&str, u128); 14] = [
    ("b", 1),
    ("bytes", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
];

/// Bits a second, in bytes a second where a thousand of them divide by eight.
const BIT_RATES: [(&str, u128); 3] = [
    ("kbit/s", 125),
    ("mbit/s", 125_000),
    ("gbit/s", 125_000_000),
];

/// Nanoseconds; units that mean the same stand together, the first is the one written.
const TIME_UNITS: [(&str, u128); 13] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("hours", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("day", 86_400_000_000_000),
    ("days", 86_400_000_000_000),
];

impl Value {
    /// Reads `text` as a value that `field` can be compared with.
    pub(super) fn parse(field: &Field, text: &str) -> Result<Self, Refusal> {
        let refusal = |what: &str, hint: Option<&str>| {
            let message = format!("{} is {what}; `{text}` is not", field.spelling());
            (message, hint.map(str::to_owned))
        };
        let below = || {
            let message = format!("{} is never below 0", field.spelling());
            (message, None)
        };
        let negative = text
            .strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        match field.kind {
            Kind::Number | Kind::Size | Kind::Time | Kind::Rate if negative => Err(below()),
            Kind::Number => number(text)
                .map(Self::Number)
                .ok_or_else(|| refusal("a number", None)),
            Kind::Size => number(text)
                .or_else(|| size(text))
                .map(Self::Bytes)
                .ok_or_else(|| refusal("a size", Some("write it like 512, 64KiB or 1.5GiB"))),
            Kind::Rate => number(text)
                .or_else(|| rate(text))
                .map(Self::Rate)
                .ok_or_else(|| refusal("a rate", Some("write it like 64KiB/s or 2Mbit/s"))),
            Kind::Time => time(text)
                .map(Self::Time)
                .ok_or_else(|| refusal("a duration", Some("write it like 250ms, 30s or 15m"))),
            Kind::Code => code(text).map(Self::Code).ok_or_else(|| {
                let hint = "write it like 0x8020001F or BG_E_SESSION_NOT_FOUND";
                refusal("an error code", Some(hint))
            }),
            Kind::Packet => packet(text).map(Self::Packet).ok_or_else(|| {
                refusal("a packet type", None).with_names(text, &PACKETS.map(Packet::name))
            }),
            Kind::Choice(names) | Kind::Level(names) => names
                .iter()
                .position(|name| squeezed(name).eq(squeezed(text)))
                .and_then(|at| names.get(at).map(|name| Self::Choice(at, name)))
                .ok_or_else(|| refusal("a choice", None).with_names(text, names)),
            Kind::Address => Network::parse(text).map(Self::Network).ok_or_else(|| {
                refusal(
                    "an address",
                    Some("write it like 10.1.2.3, 10.0.0.0/8 or fe80::/10"),
                )
            }),
            Kind::SessionId => Ok(Self::Text(bare(text).into())),
            Kind::Text if field.id == Id::HttpVersion => {
                let version = text
                    .get(..5)
                    .filter(|start| start.eq_ignore_ascii_case("HTTP/"));
                Ok(Self::Text(
                    text.get(version.map_or(0, str::len)..)
                        .unwrap_or(text)
                        .into(),
                ))
            }
            Kind::Text | Kind::Flag => Ok(Self::Text(text.into())),
        }
    }
}

/// Adds the names that there are to a refusal.
trait WithNames {
    fn with_names(self, text: &str, names: &[&'static str]) -> Self;
}

impl WithNames for Refusal {
    fn with_names(self, text: &str, names: &[&'static str]) -> Self {
        let hint = match nearest(text, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("one of {}", names.join(", ")),
        };
        (self.0, Some(hint))
    }
}

/// Tells whether `word` is a unit that may follow a number of this kind after a blank.
pub(super) fn is_unit(kind: Kind, word: &str) -> bool {
    let within = |units: &[(&str, u128)]| {
        units
            .iter()
            .any(|(unit, _)| unit.eq_ignore_ascii_case(word))
    };
    match kind {
        Kind::Size => within(&SIZE_UNITS),
        Kind::Time => within(&TIME_UNITS),
        Kind::Rate => {
            let size = word.strip_suffix("/s").unwrap_or(word);
            within(&BIT_RATES)
                || SIZE_UNITS
                    .iter()
                    .any(|(unit, _)| unit.eq_ignore_ascii_case(size))
        }
        _ => false,
    }
}

/// Returns a session id without the braces around it.
pub(super) fn bare(id: &str) -> &str {
    let id = id.trim();
    id.strip_prefix('{')
        .and_then(|id| id.strip_suffix('}'))
        .unwrap_or(id)
}

/// Reads the packet that `text` names, in any spelling: `create_session`, `CreateSession`.
fn packet(text: &str) -> Option<Packet> {
    PACKETS
        .into_iter()
        .find(|packet| squeezed(packet.name()).eq(squeezed(text)))
}

/// The letters and digits of a name, lower case.
fn squeezed(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .map(|c| c.to_ascii_lowercase())
}

fn number(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    match hex {
        Some(digits) if digits.starts_with('+') => None,
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    }
}

/// Reads an HRESULT in hexadecimal, as a number, as the negative number that PowerShell shows, or by name.
pub fn code(text: &str) -> Option<u32> {
    let signed = text.parse::<i32>().ok().filter(|code| *code < 0);
    if let Some(code) = signed {
        return Some(code.cast_unsigned());
    }
    if let Some(code) = number(text) {
        return u32::try_from(code).ok();
    }
    hresult::lookup_name(text).map(|known| known.code)
}

/// Reads a size with its unit: `64KiB`, `1.5 GiB`; rounds down to bytes.
pub fn size(text: &str) -> Option<u64> {
    let (total, rest) = amount(text, &SIZE_UNITS)?;
    u64::try_from(total).ok().filter(|_| rest.is_empty())
}

/// Reads a rate in bytes a second: `64KiB/s`, `2Mbit/s`, or a bare number.
pub fn rate(text: &str) -> Option<u64> {
    if let Some((total, "")) = amount(text, &BIT_RATES) {
        return u64::try_from(total).ok();
    }
    let per_second = text.strip_suffix("/s").unwrap_or(text);
    number(per_second).or_else(|| size(per_second))
}

/// Reads `30s`, `1.5 h`, `1h 30m`; a bare number counts seconds.
pub fn time(text: &str) -> Option<Duration> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut total = 0_u128;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = amount(rest, &TIME_UNITS)?;
        total = total.checked_add(part)?;
        rest = after.trim_start();
    }
    let seconds = u64::try_from(total.checked_div(NANOS)?).ok()?;
    let nanos = u32::try_from(total.checked_rem(NANOS)?).ok()?;
    Some(Duration::new(seconds, nanos))
}

const NANOS: u128 = 1_000_000_000;

/// Reads a decimal number and its unit from the start of `text`; rounds down.
fn amount<'t>(text: &'t str, units: &[(&str, u128)]) -> Option<(u128, &'t str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, rest) = text.split_at_checked(end)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || digits.len() > 30 || (digits.contains('.') && fraction.is_empty()) {
        return None;
    }
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    let (_, unit) = units
        .iter()
        .find(|(unit, _)| unit.eq_ignore_ascii_case(name))?;
    let whole = whole.parse::<u128>().ok()?.checked_mul(*unit)?;
    let part = if fraction.is_empty() {
        0
    } else {
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        fraction
            .parse::<u128>()
            .ok()?
            .checked_mul(*unit)?
            .checked_div(scale)?
    };
    Some((whole.checked_add(part)?, rest))
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(address);
        let parsed: IpAddr = address.parse().ok()?;
        let longest: u8 = if parsed.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= longest)?
            }
            Some(_) => return None,
            None => longest,
        };
        // `::ffff:10.1.2.3` is 10.1.2.3 to whoever reads it.
        let (address, prefix) = match parsed.to_canonical() {
            v4 @ IpAddr::V4(_) if parsed.is_ipv6() && prefix >= 96 => {
                (v4, prefix.saturating_sub(96))
            }
            IpAddr::V4(_) if parsed.is_ipv6() => (parsed, prefix),
            same => (same, prefix),
        };
        let address = masked(address, prefix);
        Some(Self { address, prefix })
    }

    /// Tells whether `address` is the address, or lies in the network.
    pub(super) fn holds(self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == self.address
    }
}

/// Returns `address` with all but the first `prefix` bits cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix));
            IpAddr::V4((v4.to_bits() & mask.unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix));
            IpAddr::V6((v6.to_bits() & mask.unwrap_or(0)).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == longest {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Bytes(bytes) => f.write_str(&bytes_text(*bytes)),
            Self::Rate(bytes) => write!(f, "{}/s", bytes_text(*bytes)),
            Self::Code(code) => write!(f, "0x{code:08X}"),
            Self::Time(time) => f.write_str(&time_text(*time)),
            Self::Packet(packet) => f.write_str(packet.name()),
            Self::Choice(_, name) => f.write_str(name),
            Self::Network(network) => network.fmt(f),
            Self::Text(text) => f.write_str(&quote(text)),
        }
    }
}

/// Writes a size in the largest binary unit that divides it.
fn bytes_text(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    units
        .into_iter()
        .find(|(_, shift)| bytes > 0 && bytes.trailing_zeros() >= *shift)
        .map_or_else(
            || bytes.to_string(),
            |(unit, shift)| format!("{}{unit}", bytes >> shift),
        )
}

/// Writes a duration in the largest unit that divides it.
fn time_text(time: Duration) -> String {
    let nanos = time.as_nanos();
    let units = [
        ("h", 3600 * NANOS),
        ("m", 60 * NANOS),
        ("s", NANOS),
        ("ms", 1_000_000),
        ("us", 1000),
    ];
    units
        .into_iter()
        .filter(|_| nanos > 0)
        .find_map(|(name, unit)| {
            (nanos.checked_rem(unit)? == 0).then_some((nanos.checked_div(unit)?, name))
        })
        .map_or_else(
            || format!("{nanos}ns"),
            |(count, name)| format!("{count}{name}"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(size("1.5GiB"), Some(1_610_612_736));
        assert_eq!(size("1.5 GiB"), Some(1_610_612_736));
        assert_eq!(size("64kb"), Some(64_000));
        assert_eq!(size("99999999TiB"), None);
        assert_eq!(size("1.KiB"), None);
        assert_eq!(size("1KiB 2KiB"), None);
        assert_eq!(time("1h 30m"), Some(Duration::from_mins(90)));
        assert_eq!(time("0.1ms"), Some(Duration::from_micros(100)));
        assert_eq!(time("90"), Some(Duration::from_secs(90)));
        assert_eq!(time(""), None);
        assert_eq!(rate("2Mbit/s"), Some(250_000));
        assert_eq!(rate("64 KiB/s"), Some(65_536));
    }

    #[test]
    fn codes_are_read_as_people_meet_them() {
        for text in ["0x8020001F", "0X8020001f", "2149580831", "-2145386465"] {
            assert_eq!(code(text), Some(0x8020_001F), "{text}");
        }
        assert_eq!(code("0x18020001F"), None);
        assert_eq!(code("abc"), None);
    }

    #[test]
    fn networks_hold_their_addresses_mapped_ones_too() {
        let holds = |network: &str, address: &str| {
            Network::parse(network)
                .unwrap()
                .holds(address.parse().unwrap())
        };
        assert!(holds("10.9.9.9/8", "10.1.2.3"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("10.1.2.3", "::ffff:10.1.2.3"));
        assert!(holds("::ffff:10.1.2.3", "10.1.2.3"));
        assert!(holds("[fe80::1]", "fe80::1"));
        assert!(holds("fe80::/10", "fe80::7"));
        assert!(!holds("::/0", "10.0.0.1"));
        for bad in [
            "10.0.0.0/33",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
