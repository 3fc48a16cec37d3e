//! Which bytes of a file passed: a small set of disjoint runs.
//!
//! Bounded: a set that would grow beyond its limit forgets its lowest run, so a hostile stream of
//! scattered ranges costs accuracy, never memory. Knows no packets.

use std::ops::Range;

/// Half-open runs of offsets, sorted, disjoint, never touching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    runs: Vec<(u64, u64)>,
}

/// A job may have 500 ranges in a file (Win32 `MaxRangesPerFile`); twice that is kept.
const LIMIT: usize = 1024;

impl Runs {
    /// Returns how many bytes of `start..end` are in the set.
    pub(super) fn overlap(&self, start: u64, end: u64) -> u64 {
        let from = self.runs.partition_point(|run| run.1 <= start);
        self.runs
            .iter()
            .skip(from)
            .take_while(|run| run.0 < end)
            .map(|run| run.1.min(end).saturating_sub(run.0.max(start)))
            .fold(0, u64::saturating_add)
    }

    /// Adds `start..end`.
    pub(super) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let from = self.runs.partition_point(|run| run.1 < start);
        let to = self.runs.partition_point(|run| run.0 <= end);
        let touched = self.runs.get(from..to).unwrap_or_default();
        let first = touched.first().map_or(start, |run| run.0.min(start));
        let last = touched.last().map_or(end, |run| run.1.max(end));
        self.runs.splice(from..to.max(from), [(first, last)]);
        if self.runs.len() > LIMIT {
            self.runs.remove(0);
        }
    }

    /// Tells whether all of `start..end` is in the set.
    pub(super) fn covers(&self, start: u64, end: u64) -> bool {
        self.overlap(start, end) == end.saturating_sub(start)
    }

    /// Tells whether every byte of `other` is in the set.
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.runs.iter().all(|run| self.covers(run.0, run.1))
    }

    /// Tells whether the set is empty or one run that begins at 0.
    pub(super) fn is_prefix(&self) -> bool {
        match self.runs.as_slice() {
            [] => true,
            [only] => only.0 == 0,
            _ => false,
        }
    }

    /// Tells whether nothing is in the set.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Takes `start..end` out.
    pub(super) fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let cut = |run: (u64, u64)| [(run.0, run.1.min(start)), (run.0.max(end), run.1)];
        self.runs = std::mem::take(&mut self.runs)
            .into_iter()
            .flat_map(cut)
            .filter(|run| run.0 < run.1)
            .collect();
        if self.runs.len() > LIMIT {
            self.runs.remove(0);
        }
    }

    /// Yields the parts of `start..end` that are in the set.
    pub(super) fn within(&self, start: u64, end: u64) -> impl Iterator<Item = Range<u64>> {
        let from = self.runs.partition_point(|run| run.1 <= start);
        self.runs
            .iter()
            .skip(from)
            .take_while(move |run| run.0 < end)
            .map(move |run| run.0.max(start)..run.1.min(end))
            .filter(|part| !part.is_empty())
    }

    /// Returns the parts of `start..end` that are not in the set.
    pub(super) fn without(&self, start: u64, end: u64) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut from = start;
        for part in self.within(start, end) {
            gaps.push(from..part.start);
            from = part.end;
        }
        gaps.push(from..end);
        gaps.retain(|gap| gap.start < gap.end);
        gaps
    }

    /// Returns the offset after the highest one in the set.
    pub(super) fn end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.1)
    }

    /// Forgets everything and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.runs = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(parts: &[(u64, u64)]) -> Runs {
        let mut runs = Runs::default();
        for part in parts {
            runs.insert(part.0, part.1);
        }
        runs
    }

    #[test]
    fn touching_and_overlapping_runs_merge() {
        assert_eq!(set(&[(0, 10), (10, 20)]).runs, [(0, 20)]);
        assert_eq!(set(&[(10, 20), (0, 10)]).runs, [(0, 20)]);
        assert_eq!(set(&[(0, 5), (8, 9), (3, 12)]).runs, [(0, 12)]);
        assert_eq!(set(&[(0, 5), (7, 9), (20, 30)]).runs.len(), 3);
        assert_eq!(set(&[(5, 5)]).runs, []);
    }

    #[test]
    fn overlap_counts_each_byte_once() {
        let runs = set(&[(0, 10), (20, 30)]);
        assert_eq!(runs.overlap(5, 25), 10);
        assert_eq!(runs.overlap(10, 20), 0);
        assert_eq!(runs.overlap(0, u64::MAX), 20);
        assert!(runs.covers(20, 30));
        assert!(!runs.covers(9, 21));
    }

    #[test]
    fn what_is_taken_out_leaves_its_neighbours() {
        let mut runs = set(&[(0, 10), (20, 30)]);
        assert_eq!(runs.without(5, 35), [10..20, 30..35]);
        runs.remove(5, 25);
        assert_eq!(runs.runs, [(0, 5), (25, 30)]);
        assert_eq!(runs.within(3, 27).collect::<Vec<_>>(), [3..5, 25..27]);
        runs.remove(0, u64::MAX);
        assert!(runs.is_empty());
        assert_eq!(runs.end(), 0);
    }

    #[test]
    fn scattered_runs_stay_bounded() {
        let mut runs = Runs::default();
        for at in 0..10_000 {
            runs.insert(at * 10, at * 10 + 1);
        }
        assert_eq!(runs.runs.len(), LIMIT);
        assert!(runs.covers(99_990, 99_991));
    }
}
