//! Numbers for connections: as stored, as long as that is not ambiguous, else in order of appearance.

use std::collections::HashMap;

use crate::event::ConnId;

/// Hands out connection numbers for one file, which may be several captures merged into one.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Start of the capture whose numbers are taken as they are.
    main: Option<String>,
    /// The highest number in use.
    highest: u32,
    /// The highest number taken as stored.
    stored: u32,
    /// Some numbers are not as stored.
    is_mixed: bool,
    others: HashMap<(String, ConnId), ConnId>,
}

impl Ids {
    /// Numbers a connection that has no number yet.
    pub(super) fn fresh(&mut self) -> ConnId {
        self.is_mixed = true;
        self.highest = self.highest.saturating_add(1);
        ConnId(self.highest)
    }

    /// Numbers a connection that the capture which began at `start` calls `conn`.
    pub(super) fn stored(&mut self, start: Option<&str>, conn: Option<ConnId>) -> ConnId {
        let start = start.unwrap_or_default();
        let conn = conn.unwrap_or(ConnId(0));
        let main = self.main.get_or_insert_with(|| start.to_owned());
        if main == start && (!self.is_mixed || conn.0 <= self.stored) {
            self.stored = self.stored.max(conn.0);
            self.highest = self.highest.max(conn.0);
            return conn;
        }
        if let Some(known) = self.others.get(&(start.to_owned(), conn)) {
            return *known;
        }
        let fresh = self.fresh();
        self.others.insert((start.to_owned(), conn), fresh);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_capture_keeps_its_numbers() {
        let mut ids = Ids::default();
        for conn in [1, 2, 2, 7, 3] {
            assert_eq!(ids.stored(Some("a"), Some(ConnId(conn))), ConnId(conn));
        }
    }

    #[test]
    fn merged_captures_share_no_number() {
        let mut ids = Ids::default();
        let a1 = ids.stored(Some("a"), Some(ConnId(1)));
        let b1 = ids.stored(Some("b"), Some(ConnId(1)));
        let tcpdump = ids.fresh();
        let a2 = ids.stored(Some("a"), Some(ConnId(2)));
        assert_eq!([a1, b1, tcpdump, a2], [1, 2, 3, 4].map(ConnId));
        assert_eq!(ids.stored(Some("b"), Some(ConnId(1))), b1);
        assert_eq!(ids.stored(Some("a"), Some(ConnId(1))), a1);
        assert_eq!(ids.stored(Some("a"), Some(ConnId(2))), a2);
    }
}
