//! The Range field of a download, read against the size of a file. Knows no sockets and no files.
//!
//! Ranges stay in the order of the request and are never merged (MC-BUP §3.5.5.1).

use crate::peer::field::decimal;

/// The most ranges of one request: what a range job may have (Win32 `AddFileWithRanges`).
const MAX_RANGES: usize = 500;

/// What a Range field asks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The whole file: no field, or one that is to be ignored. RFC 9110 §14.2
    Whole,
    /// First and last byte, inclusive, of each satisfiable range; never empty.
    Ranges(Vec<(u64, u64)>),
    /// No range meets the file: 416.
    Nothing,
}

/// Reads the value of a Range field for a file of `size` bytes. RFC 9110 §14.1.2
pub(super) fn wanted(value: Option<&str>, size: u64) -> Wanted {
    let Some(specs) = value.and_then(|value| {
        let (unit, specs) = value.split_once('=')?;
        unit.trim().eq_ignore_ascii_case("bytes").then_some(specs)
    }) else {
        return Wanted::Whole;
    };
    let mut ranges = Vec::new();
    let mut count = 0_usize;
    for spec in specs
        .split(',')
        .map(str::trim)
        .filter(|spec| !spec.is_empty())
    {
        count += 1;
        match range(spec, size) {
            Ok(Some(range)) => ranges.push(range),
            Ok(None) => {}
            // One broken range makes the field invalid, and an invalid field is ignored.
            Err(Broken) => return Wanted::Whole,
        }
    }
    match (count, ranges.is_empty()) {
        (0, _) => Wanted::Whole,
        (count, _) if count > MAX_RANGES => Wanted::Nothing,
        (_, true) => Wanted::Nothing,
        (_, false) => Wanted::Ranges(ranges),
    }
}

/// A range that nobody can read.
struct Broken;

/// Reads one range; `None` if it does not meet the file.
fn range(spec: &str, size: u64) -> Result<Option<(u64, u64)>, Broken> {
    let (first, last) = spec.split_once('-').ok_or(Broken)?;
    if first.is_empty() {
        let suffix = decimal(last).ok_or(Broken)?;
        let first = size.saturating_sub(suffix);
        return Ok((suffix > 0 && size > 0).then(|| (first, size - 1)));
    }
    let first = decimal(first).ok_or(Broken)?;
    let last = if last.is_empty() {
        u64::MAX
    } else {
        decimal(last).ok_or(Broken)?
    };
    if last < first {
        return Err(Broken);
    }
    Ok((first < size).then(|| (first, last.min(size - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clipped_and_keep_their_order() {
        let at = |value| wanted(Some(value), 100);
        let ranges = |list: &[(u64, u64)]| Wanted::Ranges(list.to_vec());
        assert_eq!(at("bytes=0-9"), ranges(&[(0, 9)]));
        assert_eq!(at("bytes=90-"), ranges(&[(90, 99)]));
        assert_eq!(at("bytes=90-500"), ranges(&[(90, 99)]));
        assert_eq!(at("bytes=-10"), ranges(&[(90, 99)]));
        assert_eq!(at("bytes=-500"), ranges(&[(0, 99)]));
        assert_eq!(
            at("Bytes= 50-59 , 0-9,55-60"),
            ranges(&[(50, 59), (0, 9), (55, 60)])
        );
        assert_eq!(at("bytes=0-0,100-"), ranges(&[(0, 0)]));
    }

    #[test]
    fn what_meets_nothing_and_what_is_ignored() {
        for value in ["bytes=100-", "bytes=200-300", "bytes=-0"] {
            assert_eq!(wanted(Some(value), 100), Wanted::Nothing, "{value}");
        }
        for value in [
            "bytes=9-0",
            "bytes=a-b",
            "lines=1-2",
            "bytes",
            "bytes=",
            "bytes=1",
            "bytes=0-9,x",
        ] {
            assert_eq!(wanted(Some(value), 100), Wanted::Whole, "{value}");
        }
        assert_eq!(wanted(None, 100), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
        assert_eq!(wanted(Some("bytes=-5"), 0), Wanted::Nothing);
        let many = vec!["0-0"; MAX_RANGES + 1].join(",");
        assert_eq!(wanted(Some(&format!("bytes={many}")), 100), Wanted::Nothing);
    }
}
