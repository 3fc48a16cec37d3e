//! The screen: terminal guard and loop; the only file that reads keys from the terminal.
//!
//! key -> [`keys`] -> [`update`] -> [`Effect`] -> loop; [`view::draw`] takes `&Model` and a frame. The
//! loop reads the clock; everything below it gets time as an argument. The screen knows a timeline, a
//! [`Status`] and a way to read bytes back, and nothing of sockets or captures.

mod catalog;
pub mod compare;
mod copy;
pub mod cover;
mod editor;
mod filter;
pub mod found;
pub mod job;
mod jot;
pub mod keys;
mod layout;
mod list;
pub mod menu;
pub mod model;
mod mouse;
mod navigate;
pub mod operator;
mod prompt;
pub mod rows;
mod search;
pub mod seek;
mod sift;
mod sync;
mod terminal;
mod text;
pub mod theme;
pub mod update;
pub mod versus;
pub mod view;
mod want;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event as Happened};
use ratatui::layout::Size;

use crate::event::{Event, What};
use crate::fault::Control;
use crate::timeline::filter::HeadsOf;
use crate::timeline::{ReadBack, Timeline};
use filter::Filter;
use job::{Begin, Job};
use model::Model;
use rows::WithHeads;
use terminal::Terminal;
use update::{Effect, Input};

/// What the header shows and the timeline does not know.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// `127.0.0.1:8080 -> http://iis.corp`, or the file's name.
    pub title: String,
    /// File that is being recorded, its size in bytes, and whether recording stopped by an error.
    pub recording: Option<Recording>,
    /// Server that a replay goes to where the user names no other.
    pub upstream: Option<String>,
    /// The capture is a temporary one: the user is asked at quit where to save it.
    pub temporary: bool,
    /// No event will follow (a file was read to its end, the demo is over).
    pub ended: bool,
    /// Wall clock of the capture's start, nanoseconds since 1970-01-01 UTC.
    pub start_ns: u64,
    /// Events that the timeline was not given because the screen could not keep up.
    pub skipped: u64,
    /// Lines for the Log view that came from elsewhere than the timeline.
    pub log: Vec<String>,
}

/// The capture as the header shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    pub path: String,
    pub size: u64,
    pub failed: Option<String>,
}

/// How the screen looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Look {
    pub light: bool,
    /// No colour at all (`NO_COLOR`).
    pub plain: bool,
    /// No character outside ASCII.
    pub ascii: bool,
}

/// Saves the temporary capture under a name while it goes on; answers with a sentence.
pub type Save = Box<dyn FnMut(&Path) -> Result<String, String>>;

/// Keeps what a person wrote; answers with where that is, as the end of a sentence, or why it cannot.
pub type Annotate = Box<dyn FnMut(Event) -> Result<String, String>>;

/// What the screen is plugged into.
pub struct Screen {
    pub timeline: Arc<RwLock<Timeline>>,
    pub status: Arc<Mutex<Status>>,
    pub read_back: Arc<dyn ReadBack + Send + Sync>,
    pub look: Look,
    /// Set from outside (a signal): the screen ends and restores the terminal.
    pub stop: Arc<AtomicBool>,
    /// Carries out `:w FILE`; `None` where there is nothing to save.
    pub save: Option<Save>,
    /// The rules of the running proxy; `None` where nothing runs.
    pub control: Option<Arc<dyn Control>>,
    pub annotate: Annotate,
    /// Begins what takes a while; ends it when dropped.
    pub begin: Begin,
    /// Begins with the newest session selected, as `F` does, until the user goes elsewhere.
    pub follow: bool,
    /// The filter to begin with; one that is none shows everything.
    pub filter: String,
}

/// What came of a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Where the user wants the temporary capture.
    pub save_as: Option<PathBuf>,
    /// What would have disturbed the screen (panics of other threads); to be printed now.
    pub notes: Vec<String>,
}

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// How often stop flag, terminal and rows are looked at while no key comes.
const POLL: Duration = Duration::from_millis(50);

/// How often the clock moves what is in flight.
const TICK: Duration = Duration::from_millis(200);

/// Most inputs that are taken between two frames.
const BURST: usize = 256;

/// Runs the screen on this thread until the user quits or `stop` is set; restores the terminal.
pub fn run(screen: Screen) -> io::Result<Ended> {
    let terminal = Terminal::open()?;
    let _watched = terminal.watch()?;
    let mut running = Running::new(screen, terminal)?;
    let result = running.until_quit();
    drop(running);
    Ok(Ended {
        save_as: result?,
        notes: terminal::take_notes(),
    })
}

/// Goes on, or leaves with the name under which the capture is to be saved.
type Flow = ControlFlow<Option<PathBuf>>;

/// A screen at work.
struct Running {
    screen: Screen,
    terminal: Terminal,
    model: Model,
    /// Generation of the rows that were taken in last.
    generation: Option<u64>,
    /// Something changed since the last frame.
    dirty: bool,
    drawn: Instant,
    ticked: Instant,
    heads: HeadsOf<Arc<dyn ReadBack + Send + Sync>>,
    /// What takes a while and is under way.
    job: Option<Arc<Job>>,
    /// This moment was `zero` after the capture's start.
    started: Instant,
    zero: Duration,
}

impl Running {
    fn new(screen: Screen, terminal: Terminal) -> io::Result<Self> {
        let now = clock();
        let status = lock(&screen.status).clone();
        let size = terminal.size()?;
        let mut model = Model::new(screen.look, size);
        // A capture that is being made tells when it began; for a file the clock stands still.
        let zero = if status.ended {
            Duration::ZERO
        } else {
            wall_clock().saturating_sub(Duration::from_nanos(status.start_ns))
        };
        model.now = zero;
        model.status = status;
        if let Some(control) = &screen.control {
            operator::take(&mut model, operator::look(&**control, None));
        }
        model.sessions.follow = screen.follow;
        model.filter = Filter::parse(&screen.filter).unwrap_or_default();
        Ok(Self {
            heads: HeadsOf::new(Arc::clone(&screen.read_back)),
            job: None,
            screen,
            terminal,
            model,
            generation: None,
            dirty: true,
            drawn: now.checked_sub(FRAME).unwrap_or(now),
            ticked: now,
            started: now,
            zero,
        })
    }

    fn until_quit(&mut self) -> io::Result<Option<PathBuf>> {
        loop {
            if self.screen.stop.load(Ordering::Relaxed) || !self.terminal.is_there() {
                return Ok(None);
            }
            if let Flow::Break(save_as) = self.take_inputs()? {
                return Ok(save_as);
            }
            self.look_around();
            if self.dirty && clock().duration_since(self.drawn) >= FRAME {
                self.draw()?;
            }
        }
    }

    /// Waits for keys, but not long, and takes them.
    fn take_inputs(&mut self) -> io::Result<Flow> {
        let wait = if update::is_busy(&self.model) {
            Duration::ZERO
        } else if self.dirty {
            FRAME.saturating_sub(clock().duration_since(self.drawn))
        } else {
            POLL
        };
        if !event::poll(wait)? {
            return Ok(Flow::Continue(()));
        }
        for _ in 0..BURST {
            let input = match event::read()? {
                Happened::Key(key) => Some(Input::Key(key)),
                Happened::Paste(text) => Some(Input::Paste(text)),
                Happened::Mouse(event) => Some(Input::Mouse(event)),
                Happened::Resize(width, height) => Some(Input::Resize(Size::new(width, height))),
                Happened::FocusGained | Happened::FocusLost => None,
            };
            if let Some(input) = input
                && let Flow::Break(save_as) = self.take(input)?
            {
                return Ok(Flow::Break(save_as));
            }
            if !event::poll(Duration::ZERO)? {
                break;
            }
        }
        Ok(Flow::Continue(()))
    }

    /// Takes in what changed besides the keyboard.
    fn look_around(&mut self) {
        for note in terminal::new_notes() {
            self.model.say(note, true);
            self.dirty = true;
        }
        let generation = read(&self.screen.timeline).generation();
        if self.generation != Some(generation) {
            self.generation = Some(generation);
            self.feed(Input::Rows);
        }
        self.work();
        self.hear_job();
        let now = clock();
        if now.duration_since(self.ticked) < TICK {
            return;
        }
        self.ticked = now;
        self.look_at_rules();
        let status = lock(&self.screen.status).clone();
        if differs(&status, &self.model.status) {
            self.feed(Input::Status(Box::new(status)));
        }
        if !self.model.status.ended {
            let at = self.zero + now.duration_since(self.started);
            let moving = !self.model.catalog.in_flight().is_empty();
            let before = self.dirty;
            self.feed(Input::Tick(at));
            self.dirty = before || (moving && self.model.pause.is_none());
        }
    }

    /// Takes in where rules and held messages stand.
    fn look_at_rules(&mut self) {
        let Some(control) = &self.screen.control else {
            return;
        };
        let timeline = read(&self.screen.timeline);
        let about = if operator::asks_why(&self.model) {
            operator::about(&self.model, &*timeline)
        } else {
            None
        };
        let stand = operator::look(&**control, about);
        drop(timeline);
        self.dirty |= operator::take(&mut self.model, stand);
    }

    /// Takes in how far the job is.
    fn hear_job(&mut self) {
        let Some(told) = self.job.as_ref().map(|job| job.told()) else {
            return;
        };
        if told.end.is_some() {
            self.job = None;
        }
        let known = self.model.jobs.running.as_ref();
        if known.is_some_and(|(_, known)| *known != told) {
            self.feed(Input::Job(told));
        }
    }

    /// Does for half a frame's time what is left to do.
    fn work(&mut self) {
        let begun = clock();
        while update::is_busy(&self.model) && clock().duration_since(begun) < FRAME / 2 {
            self.feed(Input::Work);
        }
    }

    /// Takes an input whose effects are reads only.
    fn feed(&mut self, input: Input) {
        // Only keys leave the screen or fail, and this is none.
        let _ = self.take(input);
    }

    /// Takes an input and does what it asks for; a break means leave.
    fn take(&mut self, input: Input) -> io::Result<Flow> {
        self.dirty = true;
        let timeline = Arc::clone(&self.screen.timeline);
        let effects = {
            let rows = WithHeads {
                rows: &read(&timeline),
                heads: &self.heads,
            };
            update::update(&mut self.model, &rows, input)
        };
        for effect in effects {
            match effect {
                Effect::Quit { save_as } => return Ok(Flow::Break(save_as)),
                Effect::Read(want) => {
                    let read_back = &self.screen.read_back;
                    let chunk = read_back.read(want.span, want.from, want.len);
                    let chunk = chunk.map_err(|error| error.to_string());
                    let answer = Input::Read(want, chunk);
                    update::update(&mut self.model, &*read(&timeline), answer);
                }
                Effect::Seek(wanted) => {
                    let sought = seek::seek(&*self.screen.read_back, &wanted);
                    let answer = Input::Sought(sought);
                    update::update(&mut self.model, &*read(&timeline), answer);
                }
                Effect::Compare(pair) => {
                    let compared = compare::compare(&*self.screen.read_back, pair);
                    let answer = Input::Compared(pair, compared);
                    update::update(&mut self.model, &*read(&timeline), answer);
                }
                Effect::Annotate(event) => {
                    let text = match &event.what {
                        What::Note(note) => note.text.trim_end_matches('.').to_owned(),
                        _ => String::new(),
                    };
                    let kept = (self.screen.annotate)(event);
                    let kept = kept.map(|place| format!("{text}; {place}"));
                    update::update(&mut self.model, &*read(&timeline), Input::Saved(kept));
                }
                Effect::Save(path) => {
                    let saved = match &mut self.screen.save {
                        Some(save) => save(&path),
                        None => Err("there is no temporary capture to save".to_owned()),
                    };
                    update::update(&mut self.model, &*read(&timeline), Input::Saved(saved));
                }
                Effect::Copy { what, text } => {
                    let copied = self.terminal.copy(&text).map(|path| {
                        format!("{what}: {path}, and the clipboard where the terminal takes it")
                    });
                    let copied = copied.map_err(|error| format!("cannot copy: {error}"));
                    update::update(&mut self.model, &*read(&timeline), Input::Saved(copied));
                }
                Effect::Act(act) => {
                    let control = self.screen.control.as_deref();
                    let done = operator::perform(control, act);
                    self.look_at_rules();
                    update::update(&mut self.model, &*read(&timeline), Input::Saved(done));
                }
                Effect::Editor(text) => {
                    let edited = self.terminal.edit(&text, self.model.mouse)?;
                    let answer = Input::Edited(edited);
                    update::update(&mut self.model, &*read(&timeline), answer);
                }
                Effect::Begin(order) => {
                    let job = Arc::new(Job::default());
                    job.tell(&order.doing(), 0, None);
                    self.job = Some(Arc::clone(&job));
                    (self.screen.begin)(order, job);
                }
                Effect::StopJob => {
                    if let Some(job) = &self.job {
                        job.stop();
                    }
                }
                Effect::Mouse(on) => self.terminal.mouse(on)?,
                Effect::Redraw => self.terminal.clear()?,
                Effect::Suspend => self.terminal.suspend(self.model.mouse)?,
            }
        }
        Ok(Flow::Continue(()))
    }

    fn draw(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        if size != self.model.size {
            self.feed(Input::Resize(size));
        }
        let model = &self.model;
        let timeline = &self.screen.timeline;
        // The rows are locked while cells are filled, not while the terminal is written to.
        let drawn = self
            .terminal
            .draw(|frame| view::draw(frame, model, &*read(timeline)))?;
        self.drawn = clock();
        // What was sought in the lines is found by drawing them.
        let again = self.model.detail.seek.is_some();
        self.feed(Input::Drawn(drawn));
        self.dirty = again;
        Ok(())
    }
}

/// Tells whether the header or the log would change.
fn differs(one: &Status, other: &Status) -> bool {
    one.log.len() != other.log.len()
        || one.recording != other.recording
        || one.title != other.title
        || one.upstream != other.upstream
        || (one.ended, one.temporary, one.skipped) != (other.ended, other.temporary, other.skipped)
}

/// Locks; a thread that panicked while it held the lock is no reason to lose the screen.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(rows: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    rows.read().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop paces frames and moves what is in flight"
)]
fn clock() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells how long a live capture has been going on"
)]
fn wall_clock() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}
