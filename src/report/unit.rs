//! Moments, durations and sizes in words and digits, the same in every report and on the screen.

use std::time::Duration;

/// Returns the moment `at` after a capture's start as RFC 3339 UTC with nanoseconds.
///
/// `start_ns` counts nanoseconds since 1970-01-01 UTC. A moment beyond the calendar reads as the
/// calendar's end.
pub fn moment(start_ns: u64, at: Duration) -> String {
    let ns =
        i128::from(start_ns).saturating_add(i128::try_from(at.as_nanos()).unwrap_or(i128::MAX));
    let stamp = jiff::Timestamp::from_nanosecond(ns).unwrap_or(jiff::Timestamp::MAX);
    format!("{stamp:.9}")
}

/// Returns milliseconds, exact to the nanosecond.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Returns a duration in at most eight columns: `0.4 ms`, `41 ms`, `4.12 s`, `3m 20s`, `2h 5m`.
pub fn duration(time: Duration) -> String {
    let ms = millis(time);
    let whole = time.as_secs();
    if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if whole < 60 {
        format!("{:.2} s", time.as_secs_f64())
    } else if whole < 3600 {
        format!("{}m {}s", whole / 60, whole % 60)
    } else {
        format!("{}h {}m", whole / 3600, whole % 3600 / 60)
    }
}

/// Returns a size in binary units with three digits: `0 B`, `512 B`, `1.50 KiB`, `12.0 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    let digits = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// Returns how many percent `part` is of `whole`, rounded down; `None` for an empty or unknown whole.
pub fn percent(part: u64, whole: Option<u64>) -> Option<u64> {
    let whole = whole.filter(|whole| *whole > 0)?;
    let percent = u128::from(part)
        .saturating_mul(100)
        .checked_div(u128::from(whole))?;
    Some(u64::try_from(percent.min(100)).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_three_digits_across_the_borders_of_units() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (10_240, "10.0 KiB"),
            (1024 * 1024 - 1, "1.00 MiB"),
            (13 * 1024 * 1024, "13.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn durations_change_their_unit_without_a_jump() {
        let cases = [
            (0, "0.0 ms"),
            (9_940, "9.9 ms"),
            (9_960, "10 ms"),
            (999_400, "999 ms"),
            (999_600, "1.00 s"),
            (59_990_000, "59.99 s"),
            (200_000_000, "3m 20s"),
            (7_500_000_000, "2h 5m"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(Duration::from_micros(us)), text, "{us}");
        }
    }

    #[test]
    fn moments_are_utc_with_nine_digits() {
        assert_eq!(
            moment(1_182_200_516_000_000_000, Duration::from_nanos(123)),
            "2007-06-18T21:01:56.000000123Z"
        );
        assert!(moment(u64::MAX, Duration::MAX).starts_with("9999-"));
    }

    #[test]
    fn percent_is_rounded_down_and_never_above_a_hundred() {
        assert_eq!(percent(299, Some(300)), Some(99));
        assert_eq!(percent(300, Some(300)), Some(100));
        assert_eq!(percent(400, Some(300)), Some(100));
        assert_eq!(percent(u64::MAX, Some(u64::MAX)), Some(100));
        assert_eq!(percent(0, Some(0)), None);
        assert_eq!(percent(1, None), None);
    }
}
