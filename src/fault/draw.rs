//! Chance that is the same every run: a keyed hash of (seed, rule, key, ordinal), never a generator.
//!
//! There is no state, so neither the order nor the time of draws changes one. The hash is `SipHash` 2-4,
//! whose results are fixed; the standard library's may change between releases.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;

/// Separates our draws from other uses of the same seed.
const DOMAIN: u64 = u64::from_le_bytes(*b"bitstap1");

/// What draws are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw<'d> {
    pub(super) seed: u64,
    pub(super) rule: &'d str,
    pub(super) key: &'d str,
    pub(super) ordinal: u64,
}

impl Draw<'_> {
    /// Returns 64 bits for the purpose `label`; `index` tells several draws of one purpose apart.
    pub(super) fn bits(&self, label: &str, index: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.seed, DOMAIN);
        for text in [label, self.rule, self.key] {
            let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
            hasher.write(&len.to_le_bytes());
            hasher.write(text.as_bytes());
        }
        hasher.write(&self.ordinal.to_le_bytes());
        hasher.write(&index.to_le_bytes());
        hasher.finish()
    }

    /// Returns a number from 0 (inclusive) to 1 (exclusive).
    pub(super) fn unit(&self, label: &str, index: u64) -> f64 {
        let high = u32::try_from(self.bits(label, index) >> 32).unwrap_or(u32::MAX);
        f64::from(high) / 4_294_967_296.0
    }

    /// Returns a number from 0 to `last`, both inclusive.
    pub(super) fn up_to(&self, label: &str, index: u64, last: u64) -> u64 {
        // The product's upper half is as even as the bits are.
        let wide =
            u128::from(self.bits(label, index)).saturating_mul(u128::from(last).saturating_add(1));
        u64::try_from(wide >> 64).unwrap_or(last)
    }
}

/// Returns a number that stands for a text, the same every run.
pub(super) fn digest(text: &str) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(0, DOMAIN);
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAW: Draw<'static> = Draw {
        seed: 7,
        rule: "wan",
        key: "run",
        ordinal: 3,
    };

    #[test]
    fn a_draw_is_the_same_in_every_release() {
        // Captures name their seed: this value, worked out by another program, is a promise.
        assert_eq!(DRAW.bits("chance", 0), 0xC17F_AB35_17CA_E3C0);
    }

    #[test]
    fn everything_that_names_a_draw_changes_it() {
        let others = [
            Draw { seed: 8, ..DRAW },
            Draw {
                rule: "wa",
                key: "nrun",
                ..DRAW
            },
            Draw { key: "ru", ..DRAW },
            Draw { ordinal: 4, ..DRAW },
        ];
        let first = DRAW.bits("chance", 0);
        for other in others {
            assert_ne!(other.bits("chance", 0), first, "{other:?}");
        }
        assert_ne!(DRAW.bits("jitter", 0), first);
        assert_ne!(DRAW.bits("chance", 1), first);
    }

    #[test]
    fn draws_are_even_and_inside_their_bounds() {
        let mut below_half = 0;
        let mut seen = [0_u32; 8];
        for index in 0..8000 {
            let unit = DRAW.unit("x", index);
            assert!((0.0..1.0).contains(&unit));
            below_half += u32::from(unit < 0.5);
            seen[usize::try_from(DRAW.up_to("y", index, 7)).unwrap()] += 1;
        }
        assert!((3800..4200).contains(&below_half), "{below_half}");
        assert!(seen.iter().all(|n| (880..1120).contains(n)), "{seen:?}");
        assert_eq!(DRAW.up_to("z", 0, 0), 0);
    }
}
