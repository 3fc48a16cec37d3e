//! How fast bytes may pass: a rate shared by all who name the same bucket, or so many bytes now and then.
//!
//! Says when how many bytes may go; waiting is the caller's. Bytes are never ahead of the rate, and a time
//! in which nobody sends is not made up for later.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::rule::Way;

/// How much time worth of bytes goes at once: longer would be uneven, shorter would cost wake-ups.
const SLICE: Duration = Duration::from_millis(25);
/// How late somebody may be without losing his place: timers wake late.
const SLACK: Duration = Duration::from_millis(50);

/// A rate that several share.
#[derive(Debug)]
pub(in crate::relay) struct Bucket(Mutex<Tokens>);

#[derive(Debug)]
struct Tokens {
    /// Bytes a second; at least 1.
    rate: u64,
    /// When the bytes that were let go have passed at this rate.
    free: Option<Instant>,
}

impl Bucket {
    pub(in crate::relay) fn new(rate: u64) -> Self {
        Self(Mutex::new(Tokens {
            rate: rate.max(1),
            free: None,
        }))
    }

    pub(in crate::relay) fn set_rate(&self, rate: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rate = rate.max(1);
    }

    /// Returns how many bytes go at once, 1 or more.
    fn most(&self) -> u64 {
        let rate = self.0.lock().unwrap_or_else(PoisonError::into_inner).rate;
        let slice = SLICE.as_nanos().saturating_mul(u128::from(rate)) / 1_000_000_000;
        u64::try_from(slice).unwrap_or(u64::MAX).max(1)
    }

    /// Takes `len` bytes: from when on they may go.
    fn take(&self, now: Instant, len: u64) -> Instant {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nanos = u128::from(len).saturating_mul(1_000_000_000) / u128::from(tokens.rate);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let late = now.checked_sub(SLACK).unwrap_or(now);
        let begins = tokens.free.map_or(now, |free| free.max(late));
        let ends = begins.checked_add(takes).unwrap_or(begins);
        tokens.free = Some(ends);
        ends
    }
}

/// A limit on the bytes of one exchange or one connection.
#[derive(Clone, Debug)]
pub(super) enum Pace {
    Bucket(Arc<Bucket>),
    Dribble {
        bytes: u64,
        every: Duration,
        state: Arc<Mutex<Drip>>,
    },
}

/// Where a dribble stands.
#[derive(Debug, Default)]
pub(super) struct Drip {
    left: u64,
    next: Option<Instant>,
}

impl Pace {
    pub(super) fn dribble(bytes: u64, every: Duration) -> Self {
        Self::Dribble {
            bytes: bytes.max(1),
            every,
            state: Arc::default(),
        }
    }

    /// Returns how many bytes go at once, 1 or more.
    fn most(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.most(),
            Self::Dribble { bytes, state, .. } => {
                let drip = state.lock().unwrap_or_else(PoisonError::into_inner);
                if drip.left == 0 { *bytes } else { drip.left }
            }
        }
    }

    /// Takes `len` bytes, no more than [`Self::most`]: from when on they may go.
    fn take(&self, now: Instant, len: u64) -> Instant {
        match self {
            Self::Bucket(bucket) => bucket.take(now, len),
            Self::Dribble {
                bytes,
                every,
                state,
            } => {
                let mut drip = state.lock().unwrap_or_else(PoisonError::into_inner);
                let mut from = drip.next.map_or(now, |next| next.max(now));
                if drip.left == 0 {
                    if let Some(next) = drip.next {
                        from = now.max(next.checked_add(*every).unwrap_or(next));
                    }
                    drip.left = *bytes;
                    drip.next = Some(from);
                }
                // Two directions may share it: what was left may have gone meanwhile.
                drip.left = drip.left.saturating_sub(len);
                from
            }
        }
    }
}

/// Takes up to `want` bytes, 1 or more, from all of `paces`: how many, and from when on they may go.
pub(super) fn take(paces: &[Pace], now: Instant, want: u64) -> (u64, Instant) {
    // The tightest one decides how much, so that no other one counts bytes that do not go.
    let len = paces.iter().map(Pace::most).fold(want, u64::min);
    let from = paces.iter().map(|pace| pace.take(now, len));
    (len, from.fold(now, Instant::max))
}

/// Tells whether a limit in `way` holds for the bytes that go `to_server` or to the client.
pub(super) fn covers(way: Way, to_server: bool) -> bool {
    match way {
        Way::Both => true,
        Way::ToServer => to_server,
        Way::ToClient => !to_server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends for ten seconds and returns the bytes that went.
    fn sent(paces: &[Pace], begun: Instant) -> u64 {
        let (mut now, mut sum) = (begun, 0);
        loop {
            let (len, from) = take(paces, now, 100_000);
            now = now.max(from);
            if now > begun + Duration::from_secs(10) {
                return sum;
            }
            sum += len;
        }
    }

    #[test]
    fn a_bucket_keeps_its_rate_at_any_size() {
        for rate in [1_u64, 17, 1_000, 250_000, 1 << 30] {
            let bucket = [Pace::Bucket(Arc::new(Bucket::new(rate)))];
            let sent = sent(&bucket, Instant::now());
            let ideal = rate * 10;
            assert!(
                sent <= ideal && sent * 20 >= ideal * 19,
                "{sent} of {ideal}"
            );
        }
    }

    #[test]
    fn two_who_share_a_bucket_have_the_rate_together() {
        let bucket = Arc::new(Bucket::new(10_000));
        let now = Instant::now();
        let mut free = now;
        for _ in 0..200 {
            free = bucket.take(now, 250).max(bucket.take(now, 250));
        }
        assert_eq!(free - now, Duration::from_secs(10));
    }

    #[test]
    fn a_time_without_traffic_is_not_made_up_for() {
        let bucket = Bucket::new(1_000);
        let now = Instant::now();
        bucket.take(now, 25);
        let later = now + Duration::from_mins(1);
        let mut free = later;
        for _ in 0..40 {
            free = bucket.take(later, 25);
        }
        assert!(free - later >= Duration::from_millis(950));
    }

    #[test]
    fn the_tightest_of_several_is_kept_whatever_their_order() {
        let bucket = || Pace::Bucket(Arc::new(Bucket::new(1_000_000)));
        let drip = || Pace::dribble(100, Duration::from_millis(20));
        for paces in [[bucket(), drip()], [drip(), bucket()]] {
            let sent = sent(&paces, Instant::now());
            assert!((49_000..=50_100).contains(&sent), "{sent}");
        }
    }

    #[test]
    fn a_dribble_lets_its_bytes_go_each_time() {
        let drip = [Pace::dribble(3, Duration::from_secs(1))];
        let begun = Instant::now();
        let (mut now, mut went) = (begun, Vec::new());
        for want in [2, 2, 5, 5] {
            let (len, from) = take(&drip, now, want);
            now = from;
            went.push((len, (from - begun).as_secs()));
        }
        assert_eq!(went, [(2, 0), (1, 0), (3, 1), (3, 2)]);
    }
}
