//! A check sum of a fragment's content, to see whether bytes that are sent again are the same.
//!
//! Two sums that differ prove that the content differs; two that are equal prove little, since of long
//! content only samples are looked at: hashing all of it would cost more than relaying it.

/// All content up to here is looked at.
const WHOLE: u64 = 64 * 1024;

/// Of each so many bytes behind it ...
const STRIDE: u64 = 4096;

/// ... the first so many are.
const SAMPLE: u64 = 64;

/// A sum in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Digest {
    sum: crc32fast::Hasher,
    at: u64,
    broken: bool,
}

impl Digest {
    /// Takes the next bytes of the content.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (looked_at, len) = self.stretch();
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(len);
            if looked_at {
                self.sum.update(now);
            }
            self.at = self
                .at
                .saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            rest = later;
        }
    }

    /// Takes note that bytes of the content are not there.
    pub(super) fn miss(&mut self) {
        self.broken = true;
    }

    /// Tells whether the next byte is looked at, and for how many bytes that holds.
    fn stretch(&self) -> (bool, u64) {
        if self.at < WHOLE {
            return (true, WHOLE.saturating_sub(self.at));
        }
        let within = self.at % STRIDE;
        if within < SAMPLE {
            (true, SAMPLE.saturating_sub(within))
        } else {
            (false, STRIDE.saturating_sub(within))
        }
    }

    /// Returns the sum; `None` where bytes are missing.
    pub(super) fn value(&self) -> Option<u64> {
        (!self.broken).then(|| u64::from(self.sum.clone().finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(content: &[u8], cuts: usize) -> Option<u64> {
        let mut digest = Digest::default();
        content.chunks(cuts).for_each(|bytes| digest.take(bytes));
        digest.value()
    }

    #[test]
    fn how_content_is_cut_does_not_change_its_sum() {
        let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let whole = sum(&content, usize::MAX);
        assert!(whole.is_some());
        for cuts in [1, 7, 4096, 65_537] {
            assert_eq!(sum(&content, cuts), whole, "{cuts}");
        }
        for at in [0, 65_535, 65_536, 131_072] {
            let mut other = content.clone();
            other[at] ^= 1;
            assert_ne!(sum(&other, 1000), whole, "{at}");
        }
    }

    #[test]
    fn what_is_missing_leaves_no_sum() {
        let mut digest = Digest::default();
        digest.take(b"abc");
        digest.miss();
        assert_eq!(digest.value(), None);
    }
}
