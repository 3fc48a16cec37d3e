//! How large the next piece is: adapted to the rate, fixed, or after a list.
//!
//! Adaptation aims at pieces that take [`AIM`] each, measured on the last piece; a step is at most four
//! times up and half down, between 5 KiB and 13 MiB (MC-BUP <10>). It begins at the floor, so the first
//! answers come early. A refusal for size halves the ceiling for good, trouble halves the next piece.

use std::time::Duration;

/// The smallest Fragment that Windows makes. MC-BUP <10>
pub const SMALLEST: u64 = 5 * 1024;
/// The largest. MC-BUP <10>
pub const LARGEST: u64 = 13 * 1024 * 1024;
/// How long a piece should take: long enough to be worth its Ack, far below the 2 minutes to send one.
const AIM: Duration = Duration::from_secs(5);

/// How the size of a Fragment, or of a block of a download, is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PieceSize {
    /// After the measured rate, from 5 KiB to 13 MiB.
    #[default]
    Adaptive,
    /// Bytes.
    Fixed(u64),
    /// Bytes of each piece in turn, over and over.
    Cycle(Vec<u64>),
}

#[derive(Debug)]
pub(super) struct Pacer {
    size: PieceSize,
    adapted: u64,
    ceiling: u64,
    turn: usize,
}

impl Pacer {
    pub(super) fn new(size: PieceSize) -> Self {
        Self {
            ceiling: match &size {
                PieceSize::Adaptive => LARGEST,
                _ => u64::MAX,
            },
            size,
            adapted: SMALLEST,
            turn: 0,
        }
    }

    /// Returns the size of the next piece; never 0.
    pub(super) fn next(&mut self) -> u64 {
        let size = match &self.size {
            PieceSize::Adaptive => self.adapted,
            PieceSize::Fixed(size) => *size,
            PieceSize::Cycle(sizes) => {
                let size = sizes.get(self.turn % sizes.len().max(1)).copied();
                self.turn = self.turn.wrapping_add(1);
                size.unwrap_or(SMALLEST)
            }
        };
        size.clamp(1, self.ceiling)
    }

    /// Learns that a piece of `bytes` took `time`.
    pub(super) fn measured(&mut self, bytes: u64, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let aim = u64::try_from(AIM.as_millis()).unwrap_or(u64::MAX);
        let fits = bytes.saturating_mul(aim) / millis;
        // A short last piece says little, so the step starts from the size in use.
        let (low, high) = (self.adapted / 2, self.adapted.saturating_mul(4));
        self.adapted = fits.clamp(low, high).clamp(SMALLEST, LARGEST);
    }

    /// Learns that a piece of `bytes` was refused for its size; `false` at the floor. MC-BUP <16>
    pub(super) fn refused(&mut self, bytes: u64) -> bool {
        if bytes <= SMALLEST {
            return false;
        }
        self.ceiling = (bytes / 2).max(SMALLEST);
        true
    }

    /// Learns that a piece did not arrive; a list gives the same size again.
    pub(super) fn trouble(&mut self) {
        self.turn = self.turn.saturating_sub(1);
        self.adapted = (self.adapted / 2).max(SMALLEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_grow_with_the_rate_and_shrink_with_trouble() {
        let mut pacer = Pacer::new(PieceSize::Adaptive);
        assert_eq!(pacer.next(), SMALLEST);
        for _ in 0..10 {
            let size = pacer.next();
            pacer.measured(size, Duration::from_millis(1));
        }
        assert_eq!(pacer.next(), LARGEST);
        pacer.trouble();
        assert_eq!(pacer.next(), LARGEST / 2);
        for _ in 0..20 {
            let size = pacer.next();
            pacer.measured(size, Duration::from_hours(1));
        }
        assert_eq!(pacer.next(), SMALLEST);
    }

    #[test]
    fn a_piece_aims_at_its_time() {
        let mut pacer = Pacer::new(PieceSize::Adaptive);
        for _ in 0..10 {
            // 100 KiB a second
            let size = pacer.next();
            pacer.measured(size, Duration::from_millis(size * 1000 / (100 * 1024)));
        }
        let size = pacer.next();
        assert!((490 * 1024..=510 * 1024).contains(&size), "{size}");
    }

    #[test]
    fn a_refusal_halves_down_to_the_floor() {
        let mut pacer = Pacer::new(PieceSize::Fixed(40 * 1024));
        let mut seen = vec![];
        let mut size = pacer.next();
        while pacer.refused(size) {
            size = pacer.next();
            seen.push(size);
        }
        assert_eq!(seen, [20 * 1024, 10 * 1024, 5 * 1024]);
    }
}
