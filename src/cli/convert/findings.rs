//! `--findings`: what `check` finds, as notes of the new capture, where Wireshark shows them.
//!
//! A capture holds events and no findings; these notes are put in on demand, and say what one version of
//! the checks thought.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{ConnId, Event, Fact, Leg, Note, What};
use crate::timeline::{Finding, Timeline};

use super::super::failure::Failure;
use super::super::source::Step;
use super::{Args, Convert, source, step};

/// Notes that wait for their moment.
#[derive(Debug, Default)]
pub(super) struct Findings {
    waiting: VecDeque<Event>,
}

impl Findings {
    /// Passes over the captures and keeps what is found.
    pub(super) fn read(args: &Args, watch: &Convert<'_>) -> Result<Self, Failure> {
        let mut source = source(args)?;
        let mut timeline = Timeline::with_profile(args.by.profile());
        while let Some(step) = step(&mut source, watch)? {
            if let Step::Event { event, position } = step {
                timeline.apply(&event, position);
                timeline.take_changes();
            }
        }
        timeline.finish();
        let mut waiting: Vec<Event> = timeline
            .findings()
            .iter()
            .filter_map(|finding| note(&timeline, finding))
            .collect();
        waiting.sort_by_key(|event| event.at);
        Ok(Self {
            waiting: waiting.into(),
        })
    }

    /// Takes the next note that belongs before the moment `at`; without one, whichever is next.
    pub(super) fn before(&mut self, at: Option<Duration>) -> Option<Event> {
        let next = self.waiting.front()?;
        if at.is_some_and(|at| next.at >= at) {
            return None;
        }
        self.waiting.pop_front()
    }
}

/// Makes the note of a finding: at the end of its exchange, or of its session's last one.
fn note(timeline: &Timeline, finding: &Finding) -> Option<Event> {
    let row = match (finding.exchange, finding.session) {
        (Some(no), _) => {
            let at = usize::try_from(no).ok()?.checked_sub(1)?;
            timeline.exchanges().get(at)?
        }
        (None, Some(session)) => timeline.exchanges_of(session).last()?,
        (None, None) => timeline.exchanges().last()?,
    };
    let text = format!("{} {}: {}", finding.level.name(), finding.id, finding.text);
    let fact = Fact::Other;
    let times = row.times.get();
    Some(Event {
        at: times.ended.unwrap_or(times.begun),
        conn: ConnId(row.conn.0),
        leg: Leg::Client,
        what: What::Note(Note { text, fact }),
    })
}
