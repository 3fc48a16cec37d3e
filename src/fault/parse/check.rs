//! What could never happen: conditions on what a rule cannot see, actions where they cannot be done.

use std::ops::Range;

use crate::fault::known::{Known, fields_at, known, stages_of};
use crate::fault::rule::{Action, Stage};

use super::reader::{Placed, Reader};
use super::scalar::Condition;

/// Refuses a condition on what the rule can never see.
pub(super) fn check_fields(when: &Placed<Condition>, stage: Stage, reader: &mut Reader<'_>) {
    for field in when.value.filter.fields() {
        let (text, hint) = match known(field.name) {
            Known::From(from) if from <= stage => continue,
            Known::From(from) => (
                format!("`{}` is not known at {}", field.name, stage.name()),
                format!(
                    "it is from {} on; known at {}: {}",
                    from.name(),
                    stage.name(),
                    fields_at(stage).join(", ")
                ),
            ),
            Known::Never(reason) => (
                format!("no rule can see `{}`", field.name),
                format!(
                    "{reason}; known at {}: {}",
                    stage.name(),
                    fields_at(stage).join(", ")
                ),
            ),
        };
        let at = place_of(field.name, when, reader);
        reader.error(at, text, hint);
    }
}

/// Where a field stands in the text of a condition; all of it where that is not plain to see.
fn place_of(field: &str, when: &Placed<Condition>, reader: &Reader<'_>) -> Range<usize> {
    let Some(text) = &when.value.text else {
        return when.at.clone();
    };
    let text = text.to_ascii_lowercase();
    let wanted = field.trim_end_matches("NAME");
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let found = text.match_indices(wanted).find(|(start, _)| {
        let before = text.get(..*start).unwrap_or_default();
        let after = text
            .get(start.saturating_add(wanted.len())..)
            .unwrap_or_default();
        !before.ends_with(inner) && (wanted.ends_with('.') || !after.starts_with(inner))
    });
    let Some((start, word)) = found else {
        return when.at.clone();
    };
    let first = text.get(..start).map_or(0, |before| before.chars().count());
    reader.inside(&when.at, first..first.saturating_add(word.chars().count()))
}

/// Tells whether doing it a second time changes nothing.
pub(super) const fn once(action: &Action) -> bool {
    matches!(
        action,
        Action::Set(_) | Action::Remove { .. } | Action::Truncate | Action::Limit { .. }
    )
}

pub(super) fn check_stage(
    action: &Action,
    stage: Stage,
    at: &Range<usize>,
    reader: &mut Reader<'_>,
) {
    let stages = stages_of(action);
    if stages.contains(&stage) {
        return;
    }
    let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
    let text = format!("`{}` cannot be done at {}", action.name(), stage.name());
    reader.error(
        at.clone(),
        text,
        format!("its stages: {}", names.join(", ")),
    );
}

/// What is final is last; only an end of the connection may follow a dropped response.
pub(super) fn check_order(
    last: &Action,
    next: &Action,
    at: &Range<usize>,
    reader: &mut Reader<'_>,
) {
    let ends = matches!(
        next,
        Action::Reset { .. } | Action::Close { .. } | Action::Hang { .. }
    );
    if !last.is_final() || (matches!(last, Action::DropResponse) && ends) {
        return;
    }
    let hint = match last {
        Action::DropResponse => "only reset, close or hang may follow it",
        _ => "put it last, or make another rule",
    };
    let text = format!(
        "`{}` is final: `{}` behind it is never done",
        last.name(),
        next.name()
    );
    reader.error(at.clone(), text, hint);
}
