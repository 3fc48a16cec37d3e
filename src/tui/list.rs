//! A list of rows in an order, with a selection that stays on its row while others come and go.
//!
//! Each entry carries its sort key, so keeping order touches no row. Adding rows costs what the new
//! ones cost. Knows nothing of what the rows are.

use std::collections::HashMap;

/// Most rows that are put in place one by one; more are merged at once.
const ONE_BY_ONE: usize = 8;

/// A row with its place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub key: u64,
    /// Place in the timeline; breaks ties.
    pub row: u32,
}

/// Rows in order, the selected one, and the part that is on screen.
#[derive(Debug, Default)]
pub struct List {
    entries: Vec<Entry>,
    /// Keys of rows that can still change.
    live: HashMap<u32, u64>,
    selected: Option<u32>,
    /// Index of the selected row.
    cursor: usize,
    /// Row that came last, unless it has left since.
    newest: Option<u32>,
    /// Index of the first row on screen.
    pub top: usize,
    /// Rows that fit on screen.
    pub height: usize,
    /// Index of the sort column.
    pub column: usize,
    pub descending: bool,
    /// Keeps the newest row selected.
    pub follow: bool,
}

impl List {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the selected row.
    pub fn selected(&self) -> Option<u32> {
        self.selected
    }

    /// Returns the index of the selected row.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns the row at `index`.
    pub fn row(&self, index: usize) -> Option<u32> {
        self.entries.get(index).map(|entry| entry.row)
    }

    /// Yields the rows on screen with their index.
    pub fn on_screen(&self) -> impl Iterator<Item = (usize, u32)> {
        self.entries
            .iter()
            .enumerate()
            .skip(self.top)
            .take(self.height)
            .map(|(index, entry)| (index, entry.row))
    }

    /// Replaces all rows; `live` are those that can still change.
    pub fn replace(&mut self, mut entries: Vec<Entry>, live: HashMap<u32, u64>) {
        entries.sort();
        self.newest = entries.iter().map(|entry| entry.row).max();
        self.entries = entries;
        self.live = live;
        self.settle();
    }

    /// Takes rows that are new or may have changed: row, its key where it belongs to the list, and
    /// whether it can change again.
    pub fn merge(&mut self, changes: impl IntoIterator<Item = (u32, Option<u64>, bool)>) {
        let mut added = Vec::new();
        let mut gone = Vec::new();
        for (row, key, again) in changes {
            let before = match key {
                Some(key) if again => self.live.insert(row, key),
                _ => self.live.remove(&row),
            };
            if before == key {
                continue;
            }
            gone.extend(before.map(|key| Entry { key, row }));
            added.extend(key.map(|key| Entry { key, row }));
        }
        if added.is_empty() && gone.is_empty() {
            return;
        }
        self.newest = self.newest.max(added.iter().map(|entry| entry.row).max());
        self.remove(&gone);
        self.insert(added);
        self.settle();
    }

    /// Takes rows that were listed or not and are not in flight: those with a key are listed from now on.
    pub fn ask_again(&mut self, rows: &[(u32, Option<u64>)]) {
        let asked = rows.iter().filter(|row| !self.live.contains_key(&row.0));
        let asked: HashMap<u32, Option<u64>> = asked.copied().collect();
        self.entries.retain(|entry| !asked.contains_key(&entry.row));
        let listed = asked.into_iter();
        let listed = listed.filter_map(|(row, key)| Some(Entry { key: key?, row }));
        self.insert(listed.collect());
        self.settle();
    }

    fn remove(&mut self, gone: &[Entry]) {
        if gone.len() > ONE_BY_ONE {
            let gone: std::collections::HashSet<u32> = gone.iter().map(|entry| entry.row).collect();
            self.entries.retain(|entry| !gone.contains(&entry.row));
            return;
        }
        for entry in gone {
            if let Ok(at) = self.entries.binary_search(entry) {
                self.entries.remove(at);
            }
        }
    }

    fn insert(&mut self, mut added: Vec<Entry>) {
        added.sort();
        if self.entries.last() <= added.first() {
            self.entries.extend(added);
        } else if added.len() > ONE_BY_ONE {
            // The sort sees two ordered runs and merges them.
            self.entries.extend(added);
            self.entries.sort();
        } else {
            for entry in added {
                let at = self.entries.partition_point(|other| *other < entry);
                self.entries.insert(at, entry);
            }
        }
    }

    /// Finds the selected row again after a change.
    fn settle(&mut self) {
        if self.follow {
            self.select_newest();
            return;
        }
        if self.selected.is_some() && self.row(self.cursor) == self.selected {
            self.show_cursor();
            return;
        }
        let found = self
            .entries
            .iter()
            .position(|entry| Some(entry.row) == self.selected);
        self.select_at(found.unwrap_or(self.cursor));
    }

    /// Selects the row that came last into the timeline.
    pub fn select_newest(&mut self) {
        let last = self.entries.last().map(|entry| entry.row);
        if last >= self.newest {
            self.select_at(self.entries.len());
        } else if !self.newest.is_some_and(|row| self.select(row)) {
            // It has left the list.
            self.newest = self.entries.iter().map(|entry| entry.row).max();
            if let Some(row) = self.newest {
                self.select(row);
            }
        }
    }

    /// Selects a row where the list has it; tells whether it has.
    pub fn select(&mut self, row: u32) -> bool {
        let found = self.entries.iter().position(|entry| entry.row == row);
        if let Some(index) = found {
            self.select_at(index);
        }
        found.is_some()
    }

    /// Selects the row at `index`, or the last one.
    pub fn select_at(&mut self, index: usize) {
        self.cursor = index.min(self.entries.len().saturating_sub(1));
        self.selected = self.row(self.cursor);
        self.show_cursor();
    }

    /// Moves the selection by `step` rows.
    pub fn step(&mut self, step: isize) {
        self.follow = false;
        self.select_at(self.cursor.saturating_add_signed(step));
    }

    /// Takes how many rows fit on screen.
    pub fn fit(&mut self, height: usize) {
        self.height = height;
        self.show_cursor();
    }

    fn show_cursor(&mut self) {
        let lowest = self.cursor.saturating_sub(self.height.saturating_sub(1));
        self.top = self.top.clamp(lowest, self.cursor);
        // No empty lines below the last row while there are rows above.
        self.top = self
            .top
            .min(self.entries.len().saturating_sub(self.height.max(1)));
    }

    /// Returns the index of the first row after the selected one (before it where `back`) that
    /// `wanted` accepts, going round once.
    pub fn search(&self, back: bool, mut wanted: impl FnMut(u32) -> bool) -> Option<usize> {
        let len = self.entries.len();
        (1..=len)
            .map(|step| {
                let step = if back { len - step } else { step };
                (self.cursor + step) % len
            })
            .find(|index| self.row(*index).is_some_and(&mut wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &List) -> Vec<u32> {
        list.entries.iter().map(|entry| entry.row).collect()
    }

    #[test]
    fn rows_enter_where_their_key_puts_them() {
        let mut list = List::default();
        list.merge([(0, Some(5), false), (1, Some(3), true), (2, Some(9), false)]);
        assert_eq!(rows(&list), [1, 0, 2]);
        list.merge([(1, Some(7), false)]);
        assert_eq!(rows(&list), [0, 1, 2]);
        list.merge((10..30).map(|row| (row, Some(6), false)));
        assert_eq!(rows(&list).len(), 23);
        assert_eq!(rows(&list).get(1), Some(&10));
        assert!(list.entries.is_sorted());
    }

    #[test]
    fn a_row_that_no_longer_belongs_leaves() {
        let mut list = List::default();
        list.merge((0..20).map(|row| (row, Some(u64::from(row)), true)));
        list.merge((0..15).map(|row| (row, None, false)));
        assert_eq!(rows(&list), [15, 16, 17, 18, 19]);
    }

    #[test]
    fn the_selection_stays_on_its_row() {
        let mut list = List::default();
        list.fit(2);
        list.merge([(0, Some(10), false), (1, Some(20), false)]);
        list.step(1);
        assert_eq!(list.selected(), Some(1));
        list.merge([(2, Some(5), false), (3, Some(15), false)]);
        assert_eq!((list.selected(), list.cursor()), (Some(1), 3));
        assert_eq!(
            list.on_screen().map(|(_, row)| row).collect::<Vec<_>>(),
            [3, 1]
        );
    }

    #[test]
    fn following_selects_the_newest_in_any_order() {
        let mut list = List {
            follow: true,
            ..List::default()
        };
        list.merge([(0, Some(1), false), (1, Some(2), false)]);
        assert_eq!(list.selected(), Some(1));
        list.merge([(2, Some(0), false)]);
        assert_eq!((list.selected(), list.cursor()), (Some(2), 0));
        list.step(1);
        list.merge([(3, Some(9), false)]);
        assert_eq!(list.selected(), Some(0));
    }

    #[test]
    fn searching_goes_round_once() {
        let mut list = List::default();
        list.merge((0..4).map(|row| (row, Some(u64::from(row)), false)));
        list.select(2);
        assert_eq!(list.search(false, |row| row == 1), Some(1));
        assert_eq!(list.search(true, |row| row == 3), Some(3));
        assert_eq!(list.search(false, |_| false), None);
    }
}
