//! Finding an upload again: by id, by client and URL.
//!
//! Servers reuse ids and give the same one to two connections, so an id alone says little: where it
//! was used (host, path, connection) decides.

use crate::bits::header;
use crate::bits::session::State;
use crate::event::ConnId;

use super::connection::Place;
use super::ledger::{Ledger, Locus, remember};
use super::place;
use super::row::Text;

impl Ledger {
    /// Tells whether a Create-Session for the URL of `session` continues it: the server forgot it, or
    /// no Create-Session has succeeded yet and none waits for its answer.
    pub(super) fn awaits_creation(&self, session: u32) -> bool {
        let (Some(row), Some(book)) = (self.session_row(session), self.book(session)) else {
            return false;
        };
        book.creating.is_none()
            && match row.state {
                State::Lost => true,
                State::Open => row.session_id.is_none(),
                _ => false,
            }
    }

    pub(super) fn is_alive(&self, session: u32) -> bool {
        self.session_row(session)
            .is_some_and(|row| !row.state.is_final())
    }

    /// Finds the newest upload of this client to this place that `fits`.
    pub(super) fn newest_at(
        &self,
        locus: Locus,
        place: &Place,
        fits: impl Fn(&Self, u32) -> bool,
    ) -> Option<u32> {
        let key = (Text::clone(&place.host), Text::clone(&place.path));
        let list = self.index.uploads.get(&key)?;
        let mut newest = list.iter().rev().copied();
        newest.find(|&session| {
            let client = self.session_row(session).map(|row| row.client);
            client.is_some_and(|client| client.map(|client| client.ip()) == locus.ip())
                && fits(self, session)
        })
    }

    /// Finds the upload with this id: of several the one that fits this place best, then the newest.
    pub(super) fn upload_by_id(&self, id: &str, conn: ConnId, place: &Place) -> Option<u32> {
        let lower = header::session_key(id);
        let list = self.index.ids.get(lower.as_str())?;
        let score = |session: u32| -> Option<u32> {
            let (row, book) = (self.session_row(session)?, self.book(session)?);
            let path = book.path.as_ref() == Some(&place.path);
            let host = [&book.host, &book.host_id]
                .into_iter()
                .any(|host| host.as_ref() == Some(&place.host));
            if !path && !host {
                return None;
            }
            let there = book.connections.contains(&conn);
            let weights = [(path, 8), (there, 4), (!row.state.is_final(), 2), (host, 1)];
            Some(
                weights
                    .into_iter()
                    .filter(|weight| weight.0)
                    .map(|weight| weight.1)
                    .sum(),
            )
        };
        let scored = list
            .iter()
            .filter_map(|&session| Some((score(session)?, session)));
        scored.max_by_key(|found| found.0).map(|found| found.1)
    }

    /// Finds the upload that a notification tells the server's application of.
    pub(super) fn upload_of_notification(&self, url: &str) -> Option<u32> {
        let (host, path) = place::split(url);
        let key = (
            Text::from(host.unwrap_or_default().to_ascii_lowercase()),
            Text::from(path),
        );
        self.index.uploads.get(&key)?.last().copied()
    }

    /// Gives session `no` its id.
    pub(super) fn identify(&mut self, no: u32, id: &str) {
        let text = self.texts.share(id);
        let lower = self.texts.share(&header::session_key(id));
        if let Some((row, _)) = self.session(no) {
            row.session_id = Some(text);
        }
        remember(self.index.ids.entry(lower).or_default(), no);
    }
}
