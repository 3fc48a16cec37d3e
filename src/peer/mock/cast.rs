//! Which recorded upload a live one follows: one of its path, else the one that went best.

use std::collections::VecDeque;

use super::tales::Act;
use super::upload::Upload;
use super::world::{World, is_done};
use crate::bits::Packet;

impl World {
    /// Chooses the tale and the act that a new session follows.
    pub(super) fn cast(&self, path: &str) -> Option<(usize, usize)> {
        let orphan = {
            let mut state = self.state();
            let waiting = state.orphans.get_mut(path);
            let next = waiting.and_then(VecDeque::pop_front);
            if state.orphans.get(path).is_some_and(VecDeque::is_empty) {
                state.orphans.remove(path);
            }
            next
        };
        if orphan.is_some() {
            return orphan;
        }
        let tales = &self.repertoire.tales;
        // A tale without a Create-Session is of a session that was there before, or never.
        let usable = |tale: usize| tales.get(tale).is_some_and(|tale| !tale.acts.is_empty());
        let created = |tale: usize| {
            tales
                .get(tale)
                .is_some_and(|tale| tale.acts.iter().any(|act| act.create.is_some()))
        };
        let all = || (0..tales.len()).filter(|&tale| usable(tale));
        let named = |tale: usize| tales.get(tale).is_some_and(|tale| tale.path == path);
        let mut here: Vec<usize> = all().filter(|&t| named(t) && created(t)).collect();
        if here.is_empty() {
            here = all().filter(|&tale| named(tale)).collect();
        }
        if !here.is_empty() {
            let count = self.count(Packet::CreateSession, path);
            return here.get(count % here.len()).map(|&tale| (tale, 0));
        }
        // Any file may come: the upload that went best lends its manners.
        all()
            .filter(|&tale| created(tale))
            .max_by_key(|&tale| {
                let acts = tales.get(tale).map_or(&[][..], |tale| &tale.acts);
                let refused = acts
                    .iter()
                    .any(|act| act.create.as_ref().is_some_and(|row| !is_done(row)));
                let tricks: usize = acts.iter().map(|act| act.tricks.len()).sum();
                let rows: usize = acts.iter().map(|act| act.rows.len()).sum();
                let near = tales
                    .get(tale)
                    .map_or(0.0, |tale| strsim::normalized_levenshtein(&tale.path, path));
                #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1000")]
                let near = (near * 1000.0) as i64;
                (!refused, std::cmp::Reverse(tricks), near, rows)
            })
            .map(|tale| (tale, 0))
    }

    /// Lets an upload follow another recorded one of its path where its own never came to this packet and the other
    /// did: which of several clients came first tells little. `first` is the first byte of a Fragment.
    pub(super) fn recast(&self, upload: &mut Upload, packet: Packet, first: Option<u64>) {
        let knows = |act: &Act| {
            let mut rows = act.rows.iter().filter(|row| row.packet == packet);
            rows.any(|row| first.is_none_or(|first| row.range.is_some_and(|(_, end)| end > first)))
        };
        if upload.act > 0 || self.act(upload).is_none_or(knows) {
            return;
        }
        let tales = &self.repertoire.tales;
        let other = tales.iter().position(|tale| {
            let act = tale.acts.first();
            tale.path == upload.path && act.is_some_and(|act| act.create.is_some() && knows(act))
        });
        if let Some(tale) = other {
            upload.follow(tale, tales.get(tale).and_then(|tale| tale.acts.first()));
        }
    }
}
