//! Forms to rules: what is left out gets its usual value, what could never happen is refused.

use std::ops::Range;
use std::time::Duration;

use crate::fault::preset;
use crate::fault::rule::{Action, At, Count, During, Expect, Per, Rule, RuleSet, Stage};

use super::action::action;
use super::check::{check_fields, check_order, check_stage, once};
use super::form::{AtForm, CountForm, DuringForm, ExpectForm, RuleForm, RulesForm};
use super::reader::{Placed, Reader, Slot};

/// Makes all rules of a file; `None` where one is wrong.
pub(super) fn set(form: RulesForm, reader: &mut Reader<'_>) -> Option<RuleSet> {
    let RulesForm {
        version,
        seed,
        rule,
    } = form;
    if let Some(version) = version.placed().filter(|version| version.value != 1) {
        let text = format!("version {} of rules files is not known", version.value);
        reader.error(version.at, text, "this bitstap reads version 1");
    }
    let mut rules: Vec<Rule> = Vec::new();
    let mut whole = true;
    for placed in rule.value().unwrap_or_default() {
        match one(placed, &rules, reader) {
            Some(rule) => rules.push(rule),
            None => whole = false,
        }
    }
    whole.then(|| RuleSet {
        seed: seed.value(),
        rules,
        source: reader.text().to_owned(),
    })
}

/// Makes one rule; `before` are those above it.
fn one(placed: Placed<RuleForm>, before: &[Rule], reader: &mut Reader<'_>) -> Option<Rule> {
    let head = head_of(&placed.at, reader);
    let mut form = placed.value;
    let preset = match form.preset.clone().placed() {
        Some(named) => {
            let (id, base) = base(&named, reader)?;
            form = over(form, base);
            Some(id)
        }
        None => None,
    };
    let name = name(&form.name, preset, &head, before, reader);
    let stage = form
        .stage
        .as_ref()
        .map_or(Stage::RequestHead, |stage| stage.value.0);
    if let Some(when) = form.when.as_ref() {
        check_fields(when, stage, reader);
    }
    let actions = actions(form.r#do, stage, &head, reader);
    let at = at(form.at, stage, reader);
    let chance = form.chance.placed().map_or(1.0, |chance| {
        if !(0.0..=1.0).contains(&chance.value) {
            reader.error(
                chance.at,
                "chance is a probability",
                "0 to 1; 0.25 is one match in four",
            );
        }
        chance.value
    });
    let rule = Rule {
        name: name.unwrap_or_default(),
        preset: preset.map(str::to_owned),
        when: form
            .when
            .value()
            .map(|when| when.filter)
            .unwrap_or_default(),
        count: count(form.count, reader),
        chance,
        during: during(form.during, reader),
        stage,
        at,
        actions: actions?,
        expect: form
            .expect
            .placed()
            .map(|expect| expectation(expect, reader)),
        off: form.off.value().unwrap_or_default(),
    };
    Some(rule)
}

/// The first line of a rule: what is missing in it is told there.
fn head_of(at: &Range<usize>, reader: &Reader<'_>) -> Range<usize> {
    let rest = reader.text().get(at.clone()).unwrap_or_default();
    let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
    at.start..at.start.saturating_add(line)
}

fn base(named: &Placed<String>, reader: &mut Reader<'_>) -> Option<(&'static str, RuleForm)> {
    let Some(known) = preset::find(&named.value) else {
        if let Some(unmade) = preset::unmade(&named.value) {
            let text = format!("there is no preset {}: {}", unmade.id, unmade.reason);
            let hint = "`bitstap rules list` shows all presets";
            reader.error(named.at.clone(), text, hint);
        } else {
            let names: Vec<&str> = preset::all().iter().map(|preset| preset.id).collect();
            reader.unknown(named.at.clone(), "preset", &named.value, &names);
        }
        return None;
    };
    let form = reader.elsewhere(named.at.clone(), |reader| super::preset(known.toml, reader))?;
    Some((known.id, form))
}

/// Lays what the file says over what the preset says.
fn over(form: RuleForm, base: RuleForm) -> RuleForm {
    RuleForm {
        name: form.name,
        preset: form.preset,
        when: form.when.or(base.when),
        count: form.count.or(base.count),
        chance: form.chance.or(base.chance),
        during: form.during.or(base.during),
        stage: form.stage.or(base.stage),
        at: form.at.or(base.at),
        r#do: form.r#do.or(base.r#do),
        expect: form.expect.or(base.expect),
        off: form.off.or(base.off),
    }
}

/// Longest name, in characters: it stands in every receipt.
const LONGEST_NAME: usize = 100;

fn name(
    slot: &Slot<String>,
    preset: Option<&str>,
    head: &Range<usize>,
    before: &[Rule],
    reader: &mut Reader<'_>,
) -> Option<String> {
    let at = slot.at(head);
    let name = match (slot.as_ref(), preset) {
        (Some(placed), _) => placed.value.clone(),
        (None, _) if slot.is_given() => return None,
        (None, Some(preset)) => preset.to_owned(),
        (None, None) => {
            reader.error(
                at,
                "the rule has no name",
                "add name = \"...\": receipts and reports call it so",
            );
            return None;
        }
    };
    if name.trim().is_empty()
        || name.chars().any(char::is_control)
        || name.chars().count() > LONGEST_NAME
    {
        let text = format!("a name is one line of 1 to {LONGEST_NAME} characters");
        reader.error(at, text, "");
        return None;
    }
    if before.iter().any(|rule| rule.name == name) {
        let hint = if slot.is_given() {
            "names are unique in a file"
        } else {
            "names are unique in a file; give this one its own: name = \"...\""
        };
        reader.error(at, format!("there is a rule `{name}` above"), hint);
        return None;
    }
    Some(name)
}

fn actions(
    slot: Slot<Vec<Placed<super::form::ActionForm>>>,
    stage: Stage,
    head: &Range<usize>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Action>> {
    if !slot.is_given() {
        reader.error(
            head.clone(),
            "the rule does nothing",
            "add do = [ { ... } ]",
        );
        return None;
    }
    let list = slot.placed()?;
    if list.value.is_empty() {
        reader.error(
            list.at,
            "the rule does nothing",
            "write it like do = [ { reset = {} } ]",
        );
        return None;
    }
    let mut whole = true;
    let mut actions: Vec<Action> = Vec::new();
    for placed in list.value {
        let Some(action) = action(placed.value, &placed.at, stage, reader) else {
            whole = false;
            continue;
        };
        check_stage(&action, stage, &placed.at, reader);
        if let Some(last) = actions.last() {
            check_order(last, &action, &placed.at, reader);
        }
        if matches!(action, Action::Hold { .. }) || !once(&action) || !actions.contains(&action) {
            actions.push(action);
        } else {
            let text = format!("`{}` stands twice with the same values", action.name());
            reader.error(placed.at, text, "leave one out");
        }
    }
    whole.then_some(actions)
}

fn at(slot: Slot<AtForm>, stage: Stage, reader: &mut Reader<'_>) -> Option<At> {
    let body = matches!(stage, Stage::RequestBody | Stage::ResponseBody);
    if !slot.is_given() {
        return body.then_some(At::Body(0));
    }
    let placed = slot.placed()?;
    if !body {
        let text = format!(
            "`at` names a place in the content; {} has none",
            stage.name()
        );
        reader.error(
            placed.at,
            text,
            "use stage = \"request.body\" or \"response.body\"",
        );
        return None;
    }
    let AtForm {
        file,
        body,
        percent,
    } = placed.value;
    let given = [file.is_given(), body.is_given(), percent.is_given()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        reader.missing(
            placed.at,
            "`at` is one place",
            "write it like { file = \"5MiB\" }, { body = 0 } or { percent = 50 }",
        );
        return None;
    }
    if let Some(percent) = percent.placed() {
        if !(0.0..=100.0).contains(&percent.value) {
            reader.error(percent.at, "a percentage is 0 to 100", "");
        }
        return Some(At::Percent(percent.value));
    }
    let file = file.value().map(|size| At::File(size.0));
    file.or_else(|| body.value().map(|size| At::Body(size.0)))
}

fn count(slot: Slot<CountForm>, reader: &mut Reader<'_>) -> Count {
    let form = slot.value().unwrap_or_default();
    if let Some(every) = form.every.as_ref().filter(|every| every.value == 0) {
        reader.error(
            every.at.clone(),
            "each 0th match is none",
            "1 is each match, 2 every other one",
        );
    }
    if let Some(times) = form.times.as_ref().filter(|times| times.value == 0) {
        reader.error(
            times.at.clone(),
            "0 times is never",
            "to switch the rule off use off = true",
        );
    }
    Count {
        per: form.per.value().map_or(Per::Run, |per| per.0),
        skip: form.skip.value().unwrap_or_default(),
        times: form.times.value(),
        every: form.every.value().unwrap_or(1).max(1),
    }
}

fn during(slot: Slot<DuringForm>, reader: &mut Reader<'_>) -> During {
    let Some(placed) = slot.placed() else {
        return During::default();
    };
    let from = placed
        .value
        .from
        .value()
        .map_or(Duration::ZERO, |from| from.0);
    let to = placed.value.to.value().map(|to| to.0);
    if to.is_some_and(|to| to <= from) {
        reader.error(
            placed.at,
            "the span is over before it begins",
            "`to` is later than `from`",
        );
    }
    During { from, to }
}

fn expectation(placed: Placed<ExpectForm>, reader: &mut Reader<'_>) -> Expect {
    let ExpectForm {
        fired,
        then,
        within,
    } = placed.value;
    if let (Some(within), false) = (within.as_ref(), then.is_given()) {
        reader.error(
            within.at.clone(),
            "`within` bounds `then`, and there is none",
            "add then = \"bits.type == ...\"",
        );
    }
    if fired.as_ref().is_some_and(|fired| fired.value == 0) && then.is_given() {
        reader.error(
            then.at(&placed.at),
            "after no firing nothing follows",
            "leave out `then`, or `fired = 0`",
        );
    }
    Expect {
        fired: fired.value(),
        then: then.value().map(|then| then.filter),
        within: within.value().map(|within| within.0),
    }
}
