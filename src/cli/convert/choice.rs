//! Which exchanges and sessions go on: `--filter` and `--sessions`, found out in a pass of its own, since
//! what a session became decides about its first exchange, too.

use std::collections::HashSet;

use crate::export::Pick;
use crate::timeline::Timeline;
use crate::timeline::filter::Filter;

use super::super::failure::Failure;
use super::super::kept::{Kept, store};
use super::super::sieve::{self, Chosen, Sieve};
use super::super::source::Step;
use super::{Args, Convert, source, step};

/// What was chosen.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) chosen: Chosen,
    pub(super) pick: Pick,
}

/// Finds out what goes on; `None`: everything.
pub(super) fn choose(args: &Args, watch: &Convert<'_>) -> Result<Option<Choice>, Failure> {
    let filter = args.filter.as_deref().map(sieve::parse).transpose()?;
    if filter.is_none() && args.sessions.is_empty() {
        return Ok(None);
    }
    let mut source = source(args)?;
    let needs_heads = filter.as_ref().is_some_and(Filter::needs_heads);
    let mut kept = needs_heads.then(|| Kept::of(&source)).transpose()?;
    let heads = kept.as_ref().map(Kept::read_back).transpose()?;
    let mut timeline = Timeline::with_profile(args.by.profile());
    while let Some(step) = step(&mut source, watch)? {
        if let Step::Event { event, position } = step {
            let copy = kept.as_mut().and_then(|kept| kept.copy.as_mut());
            let position = store(copy, &event, position)?;
            timeline.apply(&event, position);
            // Nobody asks for them; they would grow.
            timeline.take_changes();
        }
    }
    if let Some(kept) = &mut kept {
        kept.flush()?;
    }
    timeline.finish();
    let wanted: HashSet<u32> = args.sessions.iter().copied().collect();
    check_numbers(&wanted, timeline.sessions().len())?;
    let sieve = filter.map(|filter| Sieve::new(filter, heads));
    let mut chosen = Chosen::default();
    for row in timeline.exchanges() {
        let listed = wanted.is_empty() || row.session.is_some_and(|no| wanted.contains(&no));
        let takes = |sieve: &Sieve| sieve.takes_exchange(&timeline, row);
        if listed && sieve.as_ref().is_none_or(takes) {
            chosen.exchanges.insert(row.no);
        }
    }
    for session in timeline.sessions() {
        let listed = wanted.is_empty() || wanted.contains(&session.no);
        let takes = |sieve: &Sieve| sieve.takes_session(&timeline, session);
        if listed && sieve.as_ref().is_none_or(takes) {
            chosen.sessions.insert(session.no);
        }
    }
    let pick = Pick::new(&timeline, chosen.exchanges.clone());
    Ok(Some(Choice { chosen, pick }))
}

fn check_numbers(wanted: &HashSet<u32>, count: usize) -> Result<(), Failure> {
    let is_there = |no: &u32| *no > 0 && usize::try_from(*no).is_ok_and(|no| no <= count);
    match wanted.iter().filter(|no| !is_there(no)).min() {
        None => Ok(()),
        Some(no) => Err(Failure::new(format!(
            "cannot take session {no}: there are {count} sessions"
        ))
        .hint("`bitstap view` shows their numbers")),
    }
}
