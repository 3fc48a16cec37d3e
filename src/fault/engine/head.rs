//! The head that goes on instead of the one that came: all changes of a verdict in one step.

use std::sync::Arc;

use crate::fault::answer;
use crate::fault::edit::Draft;
use crate::fault::rule::Action;
use crate::fault::value::Base;
use crate::fault::verdict::{Deed, Place, Step};

use super::Scene;

/// The head of the moment, changed or not.
#[derive(Default)]
pub(super) struct Heading {
    draft: Option<Draft>,
    /// Those who changed it.
    by: Vec<Arc<str>>,
}

impl Heading {
    /// Makes one more change; a moment without a head has nothing to change.
    pub(super) fn change(&mut self, action: &Action, scene: &Scene<'_>) {
        let Some(head) = scene.head() else {
            return;
        };
        let draft = self.draft.get_or_insert_with(|| Draft::new(head));
        match action {
            Action::Set(edit) => {
                let base = Base {
                    usual: answer::next_byte(scene),
                    total: scene.total(),
                };
                draft.set(edit, base);
            }
            Action::Remove { headers, bits } => draft.take_out(headers, bits),
            _ => {}
        }
    }

    /// Puts the changed head behind `steps`, in the place of the one before; one that is as it came is
    /// no step.
    pub(super) fn put(&mut self, name: &Arc<str>, scene: &Scene<'_>, steps: &mut Vec<Step>) {
        let (Some(draft), Some(head)) = (&self.draft, scene.head()) else {
            return;
        };
        steps.retain(|step| !matches!(step.deed, Deed::Replace(_)));
        if self.by.last() != Some(name) {
            self.by.push(Arc::clone(name));
        }
        let bytes = draft.bytes();
        if bytes == head.raw {
            return;
        }
        let names: Vec<&str> = self.by.iter().map(AsRef::as_ref).collect();
        steps.push(Step {
            rule: names.join(", ").into(),
            place: Place::Head,
            deed: Deed::Replace(bytes),
        });
    }
}
