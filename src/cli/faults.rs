//! The rules of a run: read from a file or from a capture, put in force, read again when the file
//! changes, and judged at the end.
//!
//! What they decide is `fault`'s business, carrying it out the relay's. Knows no screen.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::event::{ConnId, Event, Fact, Leg, Note, What};
use crate::fault::{self, Control, Engine, Recorded, RuleSet};
use crate::relay::{Board, Clock, Outlet};
use crate::report::expectation::{self, Expectation};
use crate::timeline::Timeline;
use crate::timeline::filter::{Filter, Heads};

use super::failure::{Failure, WithHint};
use super::rules;
use super::source::{Source, Step};
use super::unit;

/// How often the rules file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long a rules file must stay as it is before it is read again: a program may still be writing it.
const SETTLED: Duration = Duration::from_millis(50);

/// Where the rules come from and what becomes of their verdict.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "faults")]
pub(super) struct Args {
    /// Disturb the traffic as this file says (TOML; `bitstap rules --help`); it is read again when it changes
    #[arg(long, value_name = "FILE", conflicts_with = "rules_from")]
    rules: Option<PathBuf>,
    /// Repeat the rules and the seed of a recorded run
    #[arg(long, value_name = "CAPTURE")]
    rules_from: Option<PathBuf>,
    /// Draw chance from this number (default: the rules' own, else a new one, which is printed and recorded)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Let held messages go on by themselves after this time, or `never`; of two the second is for answers
    /// [default: 110s,290s: shortly before Windows gives up]
    #[arg(long, value_name = "TIME[,TIME]", value_parser = hold_for)]
    hold_for: Option<Clock>,
    /// Write what became of the rules' expectations as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Rules in force.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    /// Tells whether the user brought rules; without, there is only the operator's breakpoint.
    loaded: bool,
    seed: u64,
    board: Arc<Board>,
    shared: Arc<Shared>,
    junit: Option<PathBuf>,
}

/// What a reload touches.
#[derive(Debug)]
struct Shared {
    file: Option<PathBuf>,
    /// What the file was when it was read first: it may change before anybody watches it.
    stamp: Option<Stamp>,
    seed: u64,
    /// The rules in force now.
    rules: Mutex<RuleSet>,
    /// Events that the recorder is still to be told.
    due: Mutex<Vec<Event>>,
    wake: Notify,
}

impl Args {
    /// Puts in force what recorded runs tell of.
    pub(super) fn repeat(captures: &[PathBuf]) -> Result<InForce, Failure> {
        let (rules, seed) = recorded_rules(captures)?;
        Ok(InForce::new(rules, seed, Self::default(), true, None))
    }

    /// Reads the rules and puts them in force.
    pub(super) fn put_in_force(self) -> Result<InForce, Failure> {
        let loaded = self.rules.is_some() || self.rules_from.is_some();
        let known = self.rules.as_deref().and_then(stamp);
        let (rules, recorded) = match (&self.rules, &self.rules_from) {
            (Some(path), _) => (rules::load(path)?, None),
            (None, Some(capture)) => {
                let (rules, seed) = recorded_rules(std::slice::from_ref(capture))?;
                (rules, Some(seed))
            }
            (None, None) => (RuleSet::default(), None),
        };
        let seed = self.seed.or(recorded).or(rules.seed);
        let seed = seed.unwrap_or_else(fresh_seed);
        Ok(InForce::new(rules, seed, self, loaded, known))
    }
}

impl InForce {
    fn new(rules: RuleSet, seed: u64, args: Args, loaded: bool, known: Option<Stamp>) -> Self {
        let shared = Arc::new(Shared {
            file: args.rules,
            stamp: known,
            seed,
            rules: Mutex::new(rules.clone()),
            due: Mutex::default(),
            wake: Notify::new(),
        });
        let board = Board::new(Engine::new(rules, seed));
        let mut board = board.with_clock(args.hold_for.unwrap_or_default());
        if shared.file.is_some() {
            let shared = Arc::clone(&shared);
            board = board.with_reload(move |board| {
                let done = shared.reload(board);
                let text = match &done {
                    Ok(text) => text.clone(),
                    Err(text) => format!("The rules stay as they were: {text}"),
                };
                shared.tell(vec![remark(text, board.now())]);
                done
            });
        }
        Self {
            loaded,
            seed,
            board: Arc::new(board),
            shared,
            junit: args.junit,
        }
    }
}

/// Reads how long a message is held: of requests and of answers, or of both.
fn hold_for(text: &str) -> Result<Clock, String> {
    let one = |text: &str| match text.trim() {
        "never" => Ok(None),
        time => unit::duration(time).map(Some),
    };
    let (request, response) = text.split_once(',').unwrap_or((text, text));
    Ok(Clock {
        request: one(request)?,
        response: one(response)?,
    })
}

/// Draws a seed that is easy to type.
fn fresh_seed() -> u64 {
    let drawn = RandomState::new().build_hasher().finish();
    drawn % 1_000_000_000
}

/// Reads the rules and the seed that captures tell of.
fn recorded_rules(captures: &[PathBuf]) -> Result<(RuleSet, u64), Failure> {
    let names: Vec<String> = captures
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let names = names.join(" ");
    let (seed, text) = recorded(captures, &names)?;
    let rules = fault::parse(&text).map_err(|errors| {
        let first = errors.first().map(ToString::to_string).unwrap_or_default();
        Failure::new(format!(
            "the rules recorded in {names} cannot be read: {first}"
        ))
        .hint("they were written by another version of bitstap")
    })?;
    Ok((rules, seed))
}

/// Finds the rules that captures tell of.
fn recorded(captures: &[PathBuf], names: &str) -> Result<(u64, String), Failure> {
    let mut source = Source::open(captures)?;
    let mut found = Recorded::default();
    while let Some(step) = source.next().transpose()? {
        if let Step::Event { event, .. } = &step
            && let Some(rules) = found.take(event)
        {
            return Ok(rules);
        }
    }
    Err(Failure::new(format!("{names} tells of no rules"))
        .hint("only captures of `bitstap proxy --rules FILE` hold rules and seed"))
}

fn remark(text: String, at: Duration) -> Event {
    Event {
        at,
        conn: ConnId(0),
        leg: Leg::Client,
        what: What::Note(Note {
            text,
            fact: Fact::Other,
        }),
    }
}

impl Shared {
    /// Reads the file and swaps all rules at once; a broken file changes nothing.
    fn reload(&self, board: &Board) -> Result<String, String> {
        let Some(path) = &self.file else {
            return Err("these rules were not read from a file".to_owned());
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let rules = fault::parse(&text).map_err(|errors| {
            let more = match errors.len() {
                0 | 1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            format!("{}:{first}{more}", path.display())
        })?;
        let count = rules.rules.len();
        self.tell(fault::in_force(&rules, self.seed, board.now()));
        board.replace(rules.clone());
        *self.lock() = rules;
        let s = if count == 1 { "" } else { "s" };
        Ok(format!(
            "{} was read again: {count} rule{s} in force.",
            path.display()
        ))
    }

    fn tell(&self, events: Vec<Event>) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.extend(events);
        drop(due);
        self.wake.notify_one();
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RuleSet> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    /// Tells whether the user brought rules.
    pub(super) fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Returns the names of the rules in force now.
    pub(super) fn names(&self) -> Vec<String> {
        let rules = self.shared.lock();
        rules.rules.iter().map(|rule| rule.name.clone()).collect()
    }

    /// Returns the seed, where there are rules that could draw from it.
    pub(super) fn seed(&self) -> Option<u64> {
        self.loaded.then_some(self.seed)
    }

    /// Returns the first rule that expects something of fields of heads, which have to be read back.
    pub(super) fn expects_heads(&self) -> Option<String> {
        let rules = self.shared.lock();
        let expects = |rule: &&fault::rule::Rule| {
            let then = rule.expect.as_ref().and_then(|expect| expect.then.as_ref());
            then.is_some_and(Filter::needs_heads)
        };
        rules
            .rules
            .iter()
            .find(expects)
            .map(|rule| rule.name.clone())
    }

    /// Returns what the relay asks.
    pub(super) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Returns what an operator does with them.
    pub(super) fn control(&self) -> Arc<dyn Control> {
        self.board()
    }

    /// Returns the events that tell which rules are in force from the start.
    pub(super) fn events(&self) -> Vec<Event> {
        if self.loaded {
            fault::in_force(&self.shared.lock(), self.seed, Duration::ZERO)
        } else {
            Vec::new()
        }
    }

    /// Reads the rules again whenever their file changes, and passes on what the recorder is to know, until
    /// `stop` is cancelled.
    pub(super) async fn watch(self, events: Outlet, stop: CancellationToken) {
        let file = self.shared.file.clone();
        let mut known = self.shared.stamp;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => true,
                () = self.shared.wake.notified() => false,
                _ = look.tick(), if file.is_some() => {
                    let seen = file.as_deref().and_then(stamp);
                    // An editor may take the file away for a moment: that is no change.
                    if seen.is_some() && seen != known {
                        tokio::time::sleep(SETTLED).await;
                        if file.as_deref().and_then(stamp) != seen {
                            continue;
                        }
                        known = seen;
                        // Both outcomes are told through the recorder.
                        let _ = self.board.reload();
                    }
                    false
                }
            };
            for event in self.shared.take() {
                events.send(event).await;
            }
            if ended {
                return;
            }
        }
    }

    /// Judges what the rules expected of the run.
    pub(super) fn judge(&self, timeline: &Timeline, heads: Option<&dyn Heads>) -> Verdict {
        let rules = self.shared.lock();
        Verdict {
            judgements: fault::expect::judge_with(&rules, timeline, heads),
            junit: self.junit.clone(),
        }
    }
}

/// What of a file changes when somebody writes to it: its time and its size.
type Stamp = (std::time::SystemTime, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

/// What became of the expectations of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    judgements: Vec<fault::Judgement>,
    junit: Option<PathBuf>,
}

impl Verdict {
    /// Tells whether everything that was expected came true.
    pub(super) fn is_met(&self) -> bool {
        self.judgements.iter().all(|judgement| judgement.met)
    }

    fn expectations(&self) -> Vec<Expectation<'_>> {
        let each = self.judgements.iter();
        each.map(|judgement| Expectation {
            rule: &judgement.rule,
            met: judgement.met,
            fired: judgement.fired,
            text: &judgement.text,
        })
        .collect()
    }

    /// Returns a line for each expectation.
    pub(super) fn lines(&self, json: bool) -> Vec<String> {
        let line = if json {
            expectation::json_line
        } else {
            expectation::line
        };
        self.expectations().iter().map(line).collect()
    }

    /// Writes the JUnit file that was asked for.
    pub(super) fn write_junit(&self) -> Result<(), Failure> {
        let Some(path) = &self.junit else {
            return Ok(());
        };
        std::fs::write(path, expectation::junit(&self.expectations()))
            .with_context(|| format!("cannot write {}", path.display()))
            .hint(|| "the folder must exist and be yours to write to".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_held_for_one_time_or_two_or_for_ever() {
        let seconds = |s| Some(Duration::from_secs(s));
        for (text, request, response) in [
            ("30s", seconds(30), seconds(30)),
            ("1m, 5m", seconds(60), seconds(300)),
            ("never", None, None),
            ("20,never", seconds(20), None),
        ] {
            assert_eq!(hold_for(text), Ok(Clock { request, response }), "{text}");
        }
        assert!(hold_for("soon").unwrap_err().contains("30s"));
        assert!(hold_for("1m,").is_err());
    }
}
