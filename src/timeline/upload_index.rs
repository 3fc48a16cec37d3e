//! Finding an upload again: by id, by client and URL.
//!
//! Servers reuse ids and give the same one to two connections, so an id alone says little: where it
//! was used (host, path, connection) decides.

use crate::bits::session::State;
use crate::bits::{Request, header};
use crate::event::ConnId;

use super::connection::Place;
use super::ledger::{Ledger, Locus, remember};
use super::place;
use super::row::{Session, SessionKind, Text};

/// So many sessions are looked at for an upload whose server has another name.
const RECENT: usize = 256;

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

    /// Finds the upload that a notification tells the server's application of: by the session id in the path of
    /// its file, by its URL, or by the path alone, since the server may have another name there.
    ///
    /// MC-BUP §4.2: `...\\BITS-Sessions\\Requests\\{id}\\requestfile.bin`
    pub(super) fn upload_of_notification(&self, request: &Request) -> Option<u32> {
        let url = request.original_url.as_deref().unwrap_or_default();
        let (host, path) = place::split(url);
        let file = request.data_file.as_deref().unwrap_or_default();
        let by_id = file
            .split(['\\', '/'])
            .filter(|part| part.starts_with('{'))
            .filter_map(|part| self.index.ids.get(header::session_key(part).as_str()))
            .find_map(|list| list.last().copied());
        let by_url = || {
            let host = Text::from(host.unwrap_or_default().to_ascii_lowercase());
            let list = self.index.uploads.get(&(host, Text::from(path)))?;
            list.last().copied()
        };
        let by_path = || {
            let recent = self.sessions.iter().zip(&self.books).rev().take(RECENT);
            let upload = |row: &Session| {
                row.kind != SessionKind::Download && !row.state.is_final() && !path.is_empty()
            };
            let mut found =
                recent.filter(|(row, book)| upload(row) && book.path.as_deref() == Some(path));
            found.next().map(|(row, _)| row.no)
        };
        by_id.or_else(by_url).or_else(by_path)
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
