//! Sizes, times and addresses as people type them.

use std::str::FromStr;
use std::time::Duration;

/// Reads a size: `512`, `64KiB`, `5MiB`, `1.5 GiB`; `KB` and the like count in thousands.
pub(super) fn size(text: &str) -> Result<u64, String> {
    bytesize::ByteSize::from_str(text)
        .map(|size| size.as_u64())
        .map_err(|_| format!("`{text}` is not a size; write it like 512, 64KiB or 5MiB"))
}

/// Reads a duration: `250ms`, `30s`, `15m`, `1h 30m`; a bare number counts seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration; write it like 250ms, 30s or 15m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_take_the_units_of_the_manual() {
        assert_eq!(size("5MiB"), Ok(5 * 1024 * 1024));
        assert_eq!(size("64 KiB"), Ok(65536));
        assert_eq!(size("512"), Ok(512));
        assert!(size("many").unwrap_err().contains("64KiB"));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert!(duration("soon").unwrap_err().contains("30s"));
    }
}
