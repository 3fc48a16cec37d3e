//! The BITS fields as hyper's header maps hold them: names, codes, and the small readings that both ends share.
//!
//! `bits` reads the same fields from recorded heads; this is the reading for ends that must act on them,
//! so what cannot be read is an error here and not a finding.

use std::str::FromStr;

use http::header::{HeaderMap, HeaderName};

use crate::bits::ContentRange;

pub(super) const PACKET_TYPE: HeaderName = HeaderName::from_static("bits-packet-type");
pub(super) const SUPPORTED_PROTOCOLS: HeaderName =
    HeaderName::from_static("bits-supported-protocols");
pub(super) const PROTOCOL: HeaderName = HeaderName::from_static("bits-protocol");
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("bits-session-id");
pub(super) const RECEIVED_CONTENT_RANGE: HeaderName =
    HeaderName::from_static("bits-received-content-range");
pub(super) const REPLY_URL: HeaderName = HeaderName::from_static("bits-reply-url");
pub(super) const ERROR: HeaderName = HeaderName::from_static("bits-error");
pub(super) const ERROR_CODE: HeaderName = HeaderName::from_static("bits-error-code");
pub(super) const ERROR_CONTEXT: HeaderName = HeaderName::from_static("bits-error-context");
pub(super) const HOST_ID: HeaderName = HeaderName::from_static("bits-host-id");
pub(super) const HOST_ID_FALLBACK_TIMEOUT: HeaderName =
    HeaderName::from_static("bits-host-id-fallback-timeout");
pub(super) const CONTENT_NAME: HeaderName = HeaderName::from_static("content-name");
pub(super) const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// `E_INVALIDARG`
pub(super) const INVALID_ARGUMENT: u32 = 0x8007_0057;
/// `E_ACCESSDENIED`
pub(super) const ACCESS_DENIED: u32 = 0x8007_0005;
/// `ERROR_DISK_FULL`; MC-BUP §2.2.1.2 misprints it x80070112.
pub(super) const DISK_FULL: u32 = 0x8007_0070;
/// `BG_E_SESSION_NOT_FOUND`
pub(super) const SESSION_NOT_FOUND: u32 = 0x8020_001F;
/// `BG_E_TOO_LARGE`
pub(super) const TOO_LARGE: u32 = 0x8020_0020;

/// Context of an error that the BITS server met itself. MC-BUP §2.2.1.2
pub(super) const CONTEXT_SERVER: u32 = 0x5;
/// Context of an error that the server application met. MC-BUP §2.2.1.2
pub(super) const CONTEXT_APPLICATION: u32 = 0x7;

/// Returns the value of `name` as text, without the blanks around it.
pub(super) fn text<'m>(fields: &'m HeaderMap, name: &HeaderName) -> Option<&'m str> {
    fields.get(name)?.to_str().ok().map(str::trim)
}

/// Returns the value of `name` as a plain decimal.
pub(super) fn number(fields: &HeaderMap, name: &HeaderName) -> Option<u64> {
    decimal(text(fields, name)?)
}

/// Reads digits only: no sign, no blanks.
pub(super) fn decimal(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    u64::from_str(text).ok()
}

/// Reads `bytes first-last/total`; the total may be `*`, the unit may have any case.
///
/// MC-BUP §2.2.6.1, RFC 9110 §14.4
pub(super) fn content_range(text: &str) -> Option<ContentRange> {
    let text = text.trim();
    let unit = text.get(..5)?;
    let rest = text.get(5..)?;
    if !unit.eq_ignore_ascii_case("bytes") || !rest.starts_with([' ', '\t']) {
        return None;
    }
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = match total {
        "*" => None,
        digits => Some(decimal(digits)?),
    };
    let range = ContentRange {
        first: decimal(first)?,
        last: decimal(last)?,
        total,
    };
    let fits = range.first <= range.last && total.is_none_or(|total| range.last < total);
    fits.then_some(range)
}

/// Reads an HRESULT: hexadecimal with `0x`, `x` or nothing before it.
///
/// MC-BUP prints both `x80070057` and `0x80070057`.
pub(super) fn hresult(text: &str) -> Option<u32> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower
        .strip_prefix("0x")
        .or_else(|| lower.strip_prefix('x'))
        .unwrap_or(&lower);
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// Returns code and context of a failing Ack, whichever of the two names it uses.
pub(super) fn error(fields: &HeaderMap) -> (Option<u32>, Option<u32>) {
    let code = text(fields, &ERROR_CODE)
        .or_else(|| text(fields, &ERROR))
        .and_then(hresult);
    (code, text(fields, &ERROR_CONTEXT).and_then(hresult))
}

/// Writes an HTTP date: `Mon, 05 Jan 2026 10:00:00 GMT`.
///
/// RFC 9110 §5.6.7
pub(super) fn http_date(time: jiff::Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads an HTTP date in any of its three forms.
///
/// RFC 9110 §5.6.7
pub(super) fn parse_http_date(text: &str) -> Option<jiff::Timestamp> {
    [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ]
    .iter()
    .find_map(|form| jiff::civil::DateTime::strptime(form, text.trim()).ok())
    .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC).ok())
    .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_inclusive_and_strict() {
        let range = content_range("bytes 128-212/500").unwrap();
        assert_eq!(
            (range.first, range.last, range.total),
            (128, 212, Some(500))
        );
        assert_eq!(content_range("Bytes 0-9/30").unwrap().last, 9);
        assert_eq!(content_range("bytes 0-9/*").unwrap().total, None);
        for bad in [
            "",
            "bytes",
            "bytes 0-9",
            "bytes=0-9/30",
            "bytes 9-0/30",
            "bytes 20-29/25",
            "bytes 0-30/30",
            "bytes -1-9/30",
            "bytes 0-+9/30",
            "bytes 0-9/30,10-19/30",
            "bytes 0-9/99999999999999999999999",
            "octets 0-9/30",
            "byt\u{e9}s 0-9/30",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn hresult_in_every_printed_form() {
        for form in ["0x8020001F", "x8020001f", "8020001F", " 0X8020001f "] {
            assert_eq!(hresult(form), Some(0x8020_001F), "{form}");
        }
        for bad in ["", "0x", "-1", "+5", "0x1FFFFFFFF", "zebra"] {
            assert_eq!(hresult(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_in_three_forms_are_one_moment() {
        let forms = [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ];
        for form in forms {
            let time = parse_http_date(form).unwrap_or_else(|| panic!("{form}"));
            assert_eq!(time.as_second(), 784_111_777, "{form}");
        }
        let time = jiff::Timestamp::from_second(784_111_777).unwrap();
        assert_eq!(http_date(time), forms[0]);
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
