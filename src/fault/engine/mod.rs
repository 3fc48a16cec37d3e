//! A moment in, a verdict out: conditions, counts and keyed, seeded draws.
//!
//! Decides in the order in which it is asked and remembers counts only. The same moments with the same
//! seed give the same verdicts, whatever the time between them.
//!
//! Rules are asked in file order, those of a message's head before those of its content; what is not
//! final composes, and after a final one that fired no other fires. Each rule counts every match of its
//! own all the same, so no rule changes what another one draws. `when` looks at the message as it came,
//! not as a rule before changed it. A match outside of `during` is counted and does not fire. `times`
//! counts what fired: neither matches that chance kept from firing nor those that another rule ended.

mod act;
mod head;
mod recall;
mod scene;
mod tally;
mod told;

use std::sync::Arc;
use std::time::Duration;

use crate::event::ConnId;
use crate::timeline::filter::Filter;
use crate::wire::{Framing, Head};

use super::control::RuleState;
use super::describe;
use super::draw::Draw;
use super::key::Keys;
use super::receipt::Receipt;
use super::rule::{Action, Rule, RuleSet, Stage};
use super::verdict::{Client, Deed, Place, Step, Verdict};

use act::Firing;
use head::Heading;
use recall::{Asked, Recall, Word};
use tally::Tallies;

pub(super) use scene::Scene;

/// What a rule can see when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'m> {
    /// Since the start of the run.
    pub at: Duration,
    pub conn: ConnId,
    pub client: Client,
    /// [`Stage::RequestHead`] and [`Stage::ResponseHead`] also decide about the content that follows.
    pub stage: Stage,
    /// Which exchange of its connection, from 0; `None` at connect.
    pub exchange: Option<u64>,
    /// Absent at connect, and where the request could not be read.
    pub request: Option<(&'m Head, Framing)>,
    /// From the response stages on.
    pub response: Option<(&'m Head, Framing)>,
}

/// The rules of a run and what they have counted.
#[derive(Debug)]
pub struct Engine {
    seed: u64,
    rules: RuleSet,
    /// One for each of `rules`.
    slots: Vec<Slot>,
    /// The rules are on as a whole.
    on: bool,
    next_id: u32,
    /// Counts the rule sets that came into force.
    set: u32,
    keys: Keys,
    tallies: Tallies,
    recall: Recall,
    /// The note that something was forgotten was written.
    told: bool,
}

/// Where a rule stands.
#[derive(Clone, Debug)]
struct Slot {
    id: u32,
    /// Number of the rule set that it came with.
    since: u32,
    name: Arc<str>,
    on: bool,
    matched: u64,
    fired: u64,
}

impl Engine {
    /// Makes an engine that has decided nothing yet.
    pub fn new(rules: RuleSet, seed: u64) -> Self {
        let mut engine = Self {
            seed,
            rules: RuleSet::default(),
            slots: Vec::new(),
            on: true,
            next_id: 0,
            set: 0,
            keys: Keys::new(),
            tallies: Tallies::new(),
            recall: Recall::new(),
            told: false,
        };
        engine.replace(rules);
        engine
    }

    /// Returns the seed that chance is drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the rules in force.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Puts other rules in force, as a whole. Rules that are the same by name and text keep their counts,
    /// and stay on or off as somebody turned them.
    pub fn replace(&mut self, rules: RuleSet) {
        self.set = self.set.saturating_add(1);
        let old = std::mem::replace(&mut self.rules, rules);
        let before = std::mem::take(&mut self.slots);
        for rule in &self.rules.rules {
            let mut known = old.rules.iter().zip(&before);
            let known = known.find(|(other, _)| *other == rule);
            let slot = if let Some((_, slot)) = known {
                slot.clone()
            } else {
                self.next_id = self.next_id.saturating_add(1);
                Slot {
                    id: self.next_id,
                    since: self.set,
                    name: rule.name.as_str().into(),
                    on: !rule.off,
                    matched: 0,
                    fired: 0,
                }
            };
            self.slots.push(slot);
        }
        let slots = &self.slots;
        self.tallies
            .keep(|id| slots.iter().any(|slot| slot.id == id));
    }

    /// Tells whether `filter` selects the message of a moment; counts nothing.
    pub fn selects(filter: &Filter, moment: &Moment<'_>) -> bool {
        Scene::new(moment).matches(filter)
    }

    /// Decides about one moment, and counts it.
    pub fn decide(&mut self, moment: &Moment<'_>) -> Verdict {
        let stages: &[Stage] = match moment.stage {
            Stage::RequestHead => &[Stage::RequestHead, Stage::RequestBody],
            Stage::ResponseHead => &[Stage::ResponseHead, Stage::ResponseBody],
            Stage::Connect => &[Stage::Connect],
            Stage::Close => &[Stage::Close],
            // Decided with their heads.
            Stage::RequestBody | Stage::ResponseBody => return Verdict::default(),
        };
        let scene = Scene::new(moment);
        self.take_note(&scene);
        self.recall
            .open(moment.conn, moment.exchange, stages, self.set, !self.on);
        let mut making = Making::default();
        if self.on {
            for stage in stages {
                for index in 0..self.slots.len() {
                    self.ask(index, *stage, &scene, &mut making);
                }
            }
        }
        self.tell_forgotten(&mut making);
        let verdict = making.finish();
        if let Some(heard) = told::heard(&scene, &verdict.steps) {
            self.keys.heard(scene.subject(), heard);
        }
        verdict
    }

    /// Takes note of what the client of a moment's request is told instead of what was decided: an operator
    /// has another answer sent.
    pub fn heard(&mut self, moment: &Moment<'_>, answer: &[u8]) {
        let scene = Scene::new(moment);
        if let Some(heard) = told::instead(&scene, answer) {
            self.keys.heard(scene.subject(), heard);
        }
    }

    /// Lets the names of keys learn from the moment.
    fn take_note(&mut self, scene: &Scene<'_>) {
        let subject = scene.subject();
        match (scene.moment.stage, &scene.ack) {
            (Stage::Connect, _) => self.keys.connected(subject),
            (Stage::RequestHead, _) => self.keys.requested(subject),
            (Stage::ResponseHead, Some(ack)) => self.keys.answered(subject, ack),
            _ => {}
        }
    }

    /// Asks one rule; what it does goes into `making`.
    fn ask(&mut self, index: usize, stage: Stage, scene: &Scene<'_>, making: &mut Making) {
        let (Some(rule), Some(slot)) = (self.rules.rules.get(index), self.slots.get_mut(index))
        else {
            return;
        };
        if rule.stage != stage {
            return;
        }
        let (moment, id) = (scene.moment, slot.id);
        let stages = std::slice::from_ref(&stage);
        let memory = self
            .recall
            .open(moment.conn, moment.exchange, stages, self.set, false);
        if !slot.on {
            memory.say(id, Word::Off);
            return;
        }
        if !scene.matches(&rule.when) {
            return;
        }
        let Some(place) = scene.place(stage, rule.at) else {
            memory.say(id, Word::NotCarried);
            return;
        };
        let key = self.keys.of(rule.count.per, scene.subject());
        let ordinal = self.tallies.matched(id, &key);
        slot.matched = slot.matched.saturating_add(1);
        let draw = Draw {
            seed: self.seed,
            rule: &rule.name,
            key: &key,
            ordinal,
        };
        let objection = making
            .objection()
            .or_else(|| self.tallies.objection(id, rule, &key, &draw, moment.at));
        let mut receipt = Receipt {
            rule: rule.name.clone(),
            stage,
            key: key.to_string(),
            ordinal,
            actions: Vec::new(),
            reason: String::new(),
            exchange: moment.exchange,
        };
        if let Some(reason) = objection {
            memory.say(id, Word::Refused(reason.as_str().into()));
            receipt.reason = reason;
        } else {
            self.tallies.fired(id, &key);
            slot.fired = slot.fired.saturating_add(1);
            let names = rule.actions.iter().map(Action::name);
            receipt.actions = names.map(str::to_owned).collect();
            memory.say(id, Word::Fired(describe::rule(rule).into()));
            let firing = Firing { rule, scene, draw };
            making.carry_out(&firing, &slot.name, place, &mut self.keys);
        }
        making.verdict.receipts.push(receipt);
    }

    /// Says once that there are more keys than are remembered.
    fn tell_forgotten(&mut self, making: &mut Making) {
        let forgot = self.keys.take_forgot() | self.tallies.take_forgot();
        if !forgot || self.told {
            return;
        }
        self.told = true;
        let said = format!(
            "More than {} sessions, clients or URLs are counted: those not seen for longest are forgotten, and count from 1 when they come again.",
            super::key::ROOM
        );
        let step = Step {
            rule: "rules".into(),
            place: Place::Head,
            deed: Deed::Note(said),
        };
        making.verdict.steps.insert(0, step);
    }

    /// Forgets what is only needed while a connection stands.
    pub fn gone(&mut self, conn: ConnId) {
        self.keys.gone(conn);
    }

    /// Returns where each rule stands, in file order.
    pub fn states(&self) -> Vec<RuleState> {
        let rules = self.rules.rules.iter().zip(&self.slots);
        rules.map(|(rule, slot)| state(rule, slot)).collect()
    }

    /// Turns a rule on or off by its number, from 0.
    pub fn turn(&mut self, rule: usize, on: bool) {
        if let Some(slot) = self.slots.get_mut(rule) {
            slot.on = on;
        }
    }

    /// Turns all rules off at once, or back to what each was.
    pub fn turn_all(&mut self, on: bool) {
        self.on = on;
    }

    /// Tells whether the rules are on as a whole.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Tells whether no rule could fire at all: then nobody needs to ask. Create-Sessions that passed
    /// meanwhile are not counted.
    pub fn is_idle(&self) -> bool {
        !self.on || self.slots.iter().all(|slot| !slot.on)
    }

    /// Says for each rule why it did not fire on an exchange, or that it did: name and clause. The
    /// exchanges decided last are remembered, some thousands.
    pub fn why(&self, conn: ConnId, exchange: u64) -> Vec<(String, String)> {
        let rules = self.rules.rules.iter().zip(&self.slots);
        rules
            .map(|(rule, slot)| {
                let asked = Asked {
                    id: slot.id,
                    since: slot.since,
                    stage: rule.stage,
                };
                (rule.name.clone(), self.recall.why(conn, exchange, asked))
            })
            .collect()
    }
}

fn state(rule: &Rule, slot: &Slot) -> RuleState {
    RuleState {
        name: rule.name.clone(),
        preset: rule.preset.clone(),
        on: slot.on,
        stage: rule.stage,
        when: rule.when.to_string(),
        what: describe::rule(rule),
        matched: slot.matched,
        fired: slot.fired,
        skipped: slot.matched.saturating_sub(slot.fired),
    }
}

/// A verdict under construction.
#[derive(Default)]
struct Making {
    verdict: Verdict,
    heading: Heading,
    /// The rule whose final action fired.
    ended: Option<Arc<str>>,
}

impl Making {
    fn objection(&self) -> Option<String> {
        let ended = self.ended.as_ref()?;
        Some(format!("rule {ended} ended it before"))
    }

    /// Adds what a rule does.
    fn carry_out(&mut self, firing: &Firing<'_>, name: &Arc<str>, place: Place, keys: &mut Keys) {
        for (index, action) in firing.rule.actions.iter().enumerate() {
            if let Some(deed) = firing.deed(index, action, keys) {
                self.verdict.steps.push(Step {
                    rule: Arc::clone(name),
                    place,
                    deed,
                });
            } else {
                self.heading.change(action, firing.scene);
                self.heading
                    .put(name, firing.scene, &mut self.verdict.steps);
            }
            if action.is_final() {
                self.ended = Some(Arc::clone(name));
            }
        }
    }

    fn finish(mut self) -> Verdict {
        // Stable: within a place the order stays that of the rules.
        self.verdict.steps.sort_by_key(|step| step.place);
        self.verdict
    }
}
