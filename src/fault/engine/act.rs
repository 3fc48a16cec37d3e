//! Actions as a rule says them to deeds with everything resolved.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::answer;
use crate::fault::draw::Draw;
use crate::fault::rule::{Action, MOST_FLIPPED, Per, Rule, Scope};
use crate::fault::verdict::Deed;

use super::Scene;
use crate::fault::key::Keys;

/// One rule that fires.
pub(super) struct Firing<'f> {
    pub(super) rule: &'f Rule,
    pub(super) scene: &'f Scene<'f>,
    pub(super) draw: Draw<'f>,
}

impl Firing<'_> {
    /// Resolves action number `index` of the rule; `None` for a change of the head, which is not a deed
    /// of its own.
    pub(super) fn deed(&self, index: usize, action: &Action, keys: &mut Keys) -> Option<Deed> {
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        Some(match action {
            Action::Set(_) | Action::Remove { .. } => return None,
            Action::Delay { time, jitter } => Deed::Delay(self.spread(number, *time, *jitter)),
            Action::Limit { rate, scope, way } => Deed::Limit {
                bucket: self.bucket(index, *scope, keys),
                rate: *rate,
                way: *way,
            },
            Action::Dribble { bytes, every, way } => Deed::Dribble {
                bytes: *bytes,
                every: *every,
                way: *way,
            },
            Action::Flip { bytes, bits } => Deed::Flip(self.mask(number, *bytes, *bits)),
            Action::Truncate => Deed::Truncate,
            Action::Note { text } => Deed::Note(text.clone()),
            Action::Respond(answer) => Deed::Respond(answer::write(answer, self.scene, &self.draw)),
            Action::Reset { side } => Deed::Reset(*side),
            Action::Close { side } => Deed::Close(*side),
            Action::Hang { time } => Deed::Hang(*time),
            Action::DropResponse => Deed::DropResponse,
            Action::Duplicate { times } => Deed::Duplicate(*times),
            Action::Hold { time } => Deed::Hold(*time),
            Action::Refuse { time } => Deed::Refuse(*time),
            Action::Tls(fault) => Deed::Tls(*fault),
        })
    }

    /// Draws a time from `time` less `jitter` to `time` and `jitter`, both inclusive, never below 0.
    fn spread(&self, index: u64, time: Duration, jitter: Duration) -> Duration {
        let nanos = u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX);
        let width = nanos.saturating_mul(2);
        let drawn = self.draw.up_to("jitter", index, width);
        time.saturating_add(Duration::from_nanos(drawn))
            .saturating_sub(Duration::from_nanos(nanos))
    }

    /// Draws `bits` different bits for each of `bytes` bytes.
    fn mask(&self, index: u64, bytes: u64, bits: u8) -> Vec<u8> {
        let label = format!("flip {index}");
        (0..bytes.min(MOST_FLIPPED))
            .map(|at| {
                let mut drawn = self.draw.bits(&label, at);
                let mut mask = 0_u8;
                for left in (1..=8_u64).rev().take(usize::from(bits)) {
                    // The n-th of the bits that are not in the mask yet.
                    let mut n = drawn.checked_rem(left).unwrap_or(0);
                    drawn = drawn.checked_div(left).unwrap_or(0);
                    for bit in 0..8_u32 {
                        let flag = 1_u8.wrapping_shl(bit);
                        if mask & flag != 0 {
                            continue;
                        }
                        if n == 0 {
                            mask |= flag;
                            break;
                        }
                        n = n.saturating_sub(1);
                    }
                }
                mask
            })
            .collect()
    }

    /// Names the bucket that a rate is shared through.
    fn bucket(&self, index: usize, scope: Scope, keys: &mut Keys) -> Arc<str> {
        let subject = self.scene.subject();
        let sharers = match scope {
            // Never shared by two connections, even if their names were alike.
            Scope::Connection => format!("connection {}", subject.conn.0),
            Scope::Session => keys.of(Per::Session, subject).to_string(),
            Scope::Client => keys.of(Per::Client, subject).to_string(),
            Scope::Run => "run".to_owned(),
        };
        format!("{} {index}: {sharers}", self.rule.name).into()
    }
}
