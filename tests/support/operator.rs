//! A running proxy's rules and held messages, made by hand; what is asked of them is kept.

use std::sync::Mutex;
use std::time::Duration;

use bitstap::event::ConnId;
use bitstap::fault::{Control, Held, Release, RuleState, Stage};
use bitstap::timeline::filter::Filter;

/// Rules and held messages, and what was done to them.
pub(crate) struct Fake {
    pub(crate) state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) on: bool,
    pub(crate) rules: Vec<RuleState>,
    pub(crate) held: Vec<Held>,
    pub(crate) now: Duration,
    pub(crate) released: Vec<(u64, Release)>,
    pub(crate) killed: Vec<ConnId>,
    /// Each breakpoint that was set, as it reads back.
    pub(crate) breakpoints: Vec<Option<String>>,
    pub(crate) asked: Vec<(ConnId, u64)>,
    pub(crate) trouble: Option<String>,
}

impl Fake {
    pub(crate) fn with(rules: Vec<RuleState>, held: Vec<Held>) -> Self {
        Self {
            state: Mutex::new(State {
                on: true,
                rules,
                held,
                now: Duration::from_secs(50),
                ..State::default()
            }),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }
}

/// A rule that matched more often than it fired.
pub(crate) fn rule(name: &str, on: bool, what: &str) -> RuleState {
    RuleState {
        name: name.to_owned(),
        preset: (name == "lost-ack").then(|| "F-08".to_owned()),
        on,
        stage: Stage::ResponseHead,
        when: "bits.type == fragment".to_owned(),
        what: what.to_owned(),
        matched: 12,
        fired: 3,
        skipped: 9,
    }
}

/// A message that is held from second 40 to second 150.
pub(crate) fn held(no: u64, conn: u32, exchange: u64, stage: Stage, head: &str) -> Held {
    Held {
        no,
        conn: ConnId(conn),
        exchange,
        stage,
        rule: no.is_multiple_of(2).then(|| "look-at-it".to_owned()),
        head: head.to_owned().into(),
        since: Duration::from_secs(40),
        until: Some(Duration::from_secs(150)),
    }
}

impl Control for Fake {
    fn rules(&self) -> Vec<RuleState> {
        self.change(|state| state.rules.clone())
    }
    fn turn(&self, rule: usize, on: bool) {
        self.change(|state| state.rules[rule].on = on);
    }
    fn turn_all(&self, on: bool) {
        self.change(|state| state.on = on);
    }
    fn is_on(&self) -> bool {
        self.change(|state| state.on)
    }
    fn reload(&self) -> Result<String, String> {
        Err("rules.toml:3:1: there is no key `wen` here".to_owned())
    }
    fn set_breakpoint(&self, filter: Option<Filter>) {
        let filter = filter.map(|filter| filter.to_string());
        self.change(|state| state.breakpoints.push(filter));
    }
    fn held(&self) -> Vec<Held> {
        self.change(|state| state.held.clone())
    }
    fn release(&self, no: u64, how: Release) -> bool {
        self.change(|state| {
            let before = state.held.len();
            state.held.retain(|held| held.no != no);
            state.released.push((no, how));
            state.held.len() < before
        })
    }
    fn kill(&self, conn: ConnId) -> bool {
        self.change(|state| state.killed.push(conn));
        true
    }
    fn why(&self, conn: ConnId, exchange: u64) -> Vec<(String, String)> {
        self.change(|state| {
            state.asked.push((conn, exchange));
            let why = |rule: &RuleState| (rule.name.clone(), "its condition does not hold".into());
            state.rules.iter().map(why).collect()
        })
    }
    fn trouble(&self) -> Option<String> {
        self.change(|state| state.trouble.clone())
    }
    fn now(&self) -> Duration {
        self.change(|state| state.now)
    }
}
