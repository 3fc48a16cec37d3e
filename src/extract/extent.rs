//! A set of byte offsets as disjoint runs. Pure; knows no files and no packets.

use std::collections::BTreeMap;

/// Half-open runs of offsets, disjoint, never touching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extents {
    /// Start to end.
    runs: BTreeMap<u64, u64>,
}

impl Extents {
    /// Adds `start..end`.
    pub(super) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut from, mut to) = (start, end);
        let before = self.runs.range(..=start).next_back();
        if let Some((&first, &last)) = before.filter(|run| *run.1 >= start) {
            from = first;
            to = to.max(last);
        }
        while let Some((&first, &last)) = self.runs.range(from..=to).next() {
            self.runs.remove(&first);
            to = to.max(last);
        }
        self.runs.insert(from, to);
    }

    /// Takes `start..end` out.
    pub(super) fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let before = self.runs.range(..start).next_back();
        if let Some((&first, &last)) = before.filter(|run| *run.1 > start) {
            self.runs.insert(first, start);
            if last > end {
                self.runs.insert(end, last);
            }
        }
        while let Some((&first, &last)) = self.runs.range(start..end).next() {
            self.runs.remove(&first);
            if last > end {
                self.runs.insert(end, last);
            }
        }
    }

    /// Returns the parts of `start..end` that are not in the set.
    pub(super) fn missing(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let mut at = start;
        for (first, last) in self.within(start, end) {
            if first > at {
                found.push((at, first));
            }
            at = last;
        }
        if at < end {
            found.push((at, end));
        }
        found
    }

    /// Yields the parts of `start..end` that are in the set.
    pub(super) fn within(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let before = self.runs.range(..start).next_back();
        before
            .into_iter()
            .chain(self.runs.range(start..end.max(start)))
            .map(move |(&first, &last)| (first.max(start), last.min(end)))
            .filter(|run| run.0 < run.1)
    }

    /// Returns where the run that holds `at` ends; `at` itself where none does.
    pub(super) fn run_end(&self, at: u64) -> u64 {
        let run = self.runs.range(..=at).next_back();
        run.map_or(at, |(_, &last)| last.max(at))
    }

    /// Returns the first offset behind all runs.
    pub(super) fn end(&self) -> u64 {
        self.runs.last_key_value().map_or(0, |(_, &last)| last)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_runs_is_a_set_of_offsets(steps in prop::collection::vec((any::<bool>(), 0_u64..64, 0_u64..64), 0..40), from in 0_u64..64, to in 0_u64..64) {
            let mut extents = Extents::default();
            let mut model = [false; 64];
            for (adds, start, end) in steps {
                if adds {
                    extents.insert(start, end);
                } else {
                    extents.remove(start, end);
                }
                for at in start..end {
                    model[usize::try_from(at).unwrap()] = adds;
                }
            }
            let inside = |at: u64| extents.within(at, at + 1).next().is_some();
            for (at, &held) in (0..).zip(&model) {
                prop_assert_eq!(inside(at), held, "{}", at);
            }
            let holes: Vec<u64> = extents.missing(from, to).iter().flat_map(|run| run.0..run.1).collect();
            let expected: Vec<u64> = (from..to).filter(|&at| !model[usize::try_from(at).unwrap()]).collect();
            prop_assert_eq!(holes, expected);
            let touching = extents.runs.iter().zip(extents.runs.iter().skip(1)).any(|(one, next)| one.1 >= next.0);
            prop_assert!(!touching);
        }
    }
}
