//! A map that keeps what was used last and forgets the rest: memory bounded whatever the traffic does.
//!
//! Two generations: what is used moves to the young one; when that is full, it becomes the old one and
//! the old one is forgotten. So the `room` keys used last are always there, at most twice as many are.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Remembers at least the `room` keys used last.
#[derive(Clone, Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    room: usize,
    forgot: bool,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Makes an empty map.
    pub(super) fn new(room: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            room: room.max(1),
            forgot: false,
        }
    }

    /// Returns what is remembered of `key`; looking does not count as use.
    pub(super) fn peek<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Returns what is remembered of `key`, or puts a default there.
    pub(super) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let known = self.old.remove(&key);
        if self.young.len() >= self.room && !self.young.contains_key(&key) {
            self.forgot |= !self.old.is_empty();
            self.old = std::mem::take(&mut self.young);
        }
        self.young
            .entry(key)
            .or_insert_with(|| known.unwrap_or_default())
    }

    /// Tells whether anything was forgotten since the last call.
    pub(super) fn take_forgot(&mut self) -> bool {
        std::mem::take(&mut self.forgot)
    }

    /// Forgets what is not `kept`.
    pub(super) fn retain(&mut self, kept: impl Fn(&K) -> bool) {
        self.young.retain(|key, _| kept(key));
        self.old.retain(|key, _| kept(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays_and_there_is_never_more_than_twice_the_room() {
        let mut recent = Recent::<u32, u32>::new(4);
        for key in 0..100 {
            *recent.entry(key) = key;
            // This one is used all the time.
            *recent.entry(1000) += 1;
            assert!(recent.young.len() + recent.old.len() <= 8);
        }
        assert_eq!(recent.peek(&1000), Some(&100));
        for key in 97..100 {
            assert_eq!(recent.peek(&key), Some(&key));
        }
        assert_eq!(recent.peek(&1), None);
        assert!(recent.take_forgot());
        assert!(!recent.take_forgot());
    }
}
