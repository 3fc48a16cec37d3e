//! What takes a while and is done by others: replaying a session, sending a packet again, exporting. Here is
//! how such a job is ordered, confirmed, watched, stopped, and what came of it.
//!
//! Knows no capture, no socket and no thread: whoever opened the screen carries orders out and tells how far
//! they are through [`Job`].

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::keys::Command;
use super::menu::{Choice, Menu, Purpose};
use super::model::{Ask, Model};
use super::prompt;
use super::rows::Rows;
use super::text::harmless;
use super::update::Effect;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Play the client of this session to the server at `to`.
    Replay {
        session: u32,
        to: String,
    },
    /// Send the request of this exchange to the server at `to`, as it was.
    Resend {
        exchange: u32,
        to: String,
    },
    Export(Export),
}

/// What is to be written where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub part: Part,
    /// Its extension says in which format.
    pub to: PathBuf,
    /// A file that is there is replaced.
    pub over: bool,
    /// Credentials are written as they are, not masked.
    pub reveal: bool,
}

/// Which part of what is on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Session(u32),
    /// What this filter takes.
    Filter(String),
    Everything,
}

/// A job under way, shared by the screen and whoever does it.
#[derive(Debug, Default)]
pub struct Job {
    stop: AtomicBool,
    told: Mutex<Told>,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What is being done, as the beginning of a line.
    pub doing: String,
    pub done: u64,
    /// Of how many; `None`: nobody knows.
    pub all: Option<u64>,
    pub end: Option<End>,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done {
        /// One sentence.
        text: String,
        /// It was done, and is no good news.
        bad: bool,
        /// What there is to read beyond the sentence.
        lines: Vec<String>,
    },
    /// Nothing was written: there is a file of that name.
    There,
    /// It was stopped; a sentence says what became of it.
    Stopped(String),
    /// It could not be done: the reason, and what to try.
    Failed { text: String, hint: Option<String> },
}

/// Begins a job on another thread.
pub type Begin = Box<dyn FnMut(Order, Arc<Job>)>;

impl Job {
    /// Tells how far it is.
    pub fn tell(&self, doing: &str, done: u64, all: Option<u64>) {
        let mut told = self.lock();
        if told.doing != doing {
            doing.clone_into(&mut told.doing);
        }
        (told.done, told.all) = (done, all);
    }

    /// Tells what came of it; the first word counts.
    pub fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
    }

    /// Returns how far it is.
    pub fn told(&self) -> Told {
        self.lock().clone()
    }

    /// Asks whoever does it to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Returns what is set when it is to stop.
    pub fn stopped(&self) -> &AtomicBool {
        &self.stop
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the screen knows of jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    /// The job under way, and how far it is.
    pub running: Option<(Order, Told)>,
    /// It was asked to stop.
    pub stopping: bool,
    /// Waits for a yes.
    pub confirm: Option<Order>,
    /// What came of the last one, as far as a line cannot hold it.
    pub report: Option<Report>,
    /// Where the last replay went.
    pub to: Option<String>,
    /// What is to be exported once there is a name for it.
    part: Option<Part>,
}

impl Jobs {
    /// Tells whether a question or a report lies over the rows.
    pub(super) fn is_open(&self) -> bool {
        self.confirm.is_some() || self.report.is_some()
    }
}

/// Lines over everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub title: String,
    pub lines: Vec<String>,
    /// First line on screen.
    pub top: usize,
}

/// Asks where to the selected session is to be replayed.
pub(super) fn replay(model: &mut Model, rows: &dyn Rows) {
    match model.session(rows).map(|session| session.no) {
        Some(no) => ask(model, rows, Ask::Replay, Some(no)),
        None => model.say("no session is selected", true),
    }
}

/// Asks where to the selected packet is to be sent again.
pub(super) fn resend(model: &mut Model, rows: &dyn Rows) {
    match model.exchange(rows).map(|exchange| exchange.no) {
        Some(no) => ask(model, rows, Ask::Resend, Some(no)),
        None => model.say("no packet is selected", true),
    }
}

fn ask(model: &mut Model, rows: &dyn Rows, ask: Ask, no: Option<u32>) {
    if is_busy(model) {
        return;
    }
    let to = model
        .jobs
        .to
        .clone()
        .or_else(|| model.status.upstream.clone());
    let to = to.unwrap_or_else(|| "http://".to_owned());
    prompt::open(model, rows, ask, Some(&to));
    if let Some(prompt) = &mut model.prompt {
        prompt.row = no;
    }
}

/// Offers what can be exported.
pub(super) fn export(model: &mut Model, rows: &dyn Rows) {
    if is_busy(model) {
        return;
    }
    let mut choices = Vec::new();
    let mut add = |name, value: String| choices.push(Choice { name, value });
    if let Some(session) = model.session(rows) {
        add("session", format!("{} {}", session.no, session.name));
    }
    if !model.filter.is_empty() {
        add("filter", model.filter.text().to_owned());
    }
    let all = rows.exchange_count();
    if all == 0 {
        model.say("there is nothing to export yet", true);
        return;
    }
    let plural = if all == 1 { "" } else { "s" };
    add("everything", format!("{all} packet{plural}"));
    model.menu = Some(Menu {
        purpose: Purpose::Export,
        choices,
        at: 0,
    });
}

/// Takes what was chosen to be exported, and asks for a name.
pub(super) fn choose(model: &mut Model, rows: &dyn Rows, choice: &Choice) {
    let (part, name) = match choice.name {
        "session" => {
            let no = choice
                .value
                .split(' ')
                .next()
                .and_then(|no| no.parse().ok());
            let no = no.unwrap_or_default();
            (Part::Session(no), format!("session-{no}.pcapng"))
        }
        "filter" => (
            Part::Filter(choice.value.clone()),
            "filtered.pcapng".to_owned(),
        ),
        _ => (Part::Everything, "all.pcapng".to_owned()),
    };
    model.jobs.part = Some(part);
    prompt::open(model, rows, Ask::Export, Some(&name));
}

/// Takes what was typed.
pub(super) fn typed(
    model: &mut Model,
    ask: Ask,
    row: Option<u32>,
    text: &str,
    effects: &mut Vec<Effect>,
) {
    if text.is_empty() {
        return;
    }
    if matches!(ask, Ask::Replay | Ask::Resend) {
        model.jobs.to = Some(text.to_owned());
    }
    let to = text.to_owned();
    let order = match (ask, row) {
        (Ask::Replay, Some(session)) => Order::Replay { session, to },
        (Ask::Resend, Some(exchange)) => {
            // It is not undone by anything, so nobody sends one by a slip of a key.
            model.jobs.confirm = Some(Order::Resend { exchange, to });
            return;
        }
        (Ask::Export, _) => {
            let Some(part) = model.jobs.part.take() else {
                return;
            };
            Order::Export(Export {
                part,
                to: PathBuf::from(text),
                over: false,
                reveal: model.reveal,
            })
        }
        _ => return,
    };
    begin(model, order, effects);
}

fn begin(model: &mut Model, order: Order, effects: &mut Vec<Effect>) {
    if is_busy(model) {
        return;
    }
    let told = Told {
        doing: order.doing(),
        ..Told::default()
    };
    model.jobs.stopping = false;
    model.jobs.running = Some((order.clone(), told));
    effects.push(Effect::Begin(order));
}

/// Tells whether a job is under way, and says so: there is one at a time.
fn is_busy(model: &mut Model) -> bool {
    let busy = model.jobs.running.is_some();
    if busy {
        model.say("one thing at a time: Esc stops what is under way", true);
    }
    busy
}

impl Order {
    /// Returns what the line says while it is under way.
    pub fn doing(&self) -> String {
        match self {
            Self::Replay { session, .. } => format!("replaying session {session}"),
            Self::Resend { exchange, .. } => format!("sending packet {exchange} again"),
            Self::Export(export) => format!("exporting to {}", export.to.display()),
        }
    }

    /// Returns what has to be known before it is begun.
    pub(super) fn warning(&self) -> String {
        match self {
            Self::Replay { session, to } => format!("Replay session {session} to {to}?"),
            Self::Resend { exchange, to } => format!(
                "Send packet {exchange} again, to {to}? It goes out as it was, under the session id that it \
                 names: on a server that knows this session, it moves the session's state."
            ),
            Self::Export(export) => {
                format!("{} is there already. Replace it?", export.to.display())
            }
        }
    }
}

/// Takes a key where jobs have a use for it; tells whether they had.
pub(super) fn press(
    model: &mut Model,
    key: &KeyEvent,
    command: Option<Command>,
    effects: &mut Vec<Effect>,
) -> bool {
    if let Some(order) = model.jobs.confirm.take() {
        if key.code == KeyCode::Char('y') {
            begin(model, order, effects);
        } else {
            model.say("nothing was done", false);
        }
        return true;
    }
    let page = usize::from(model.size.height.saturating_sub(4)).max(1);
    if let Some(report) = &mut model.jobs.report {
        let last = report.lines.len().saturating_sub(1);
        match command {
            Some(Command::Up) => report.top = report.top.saturating_sub(1),
            Some(Command::Down) => report.top = (report.top + 1).min(last),
            Some(Command::PageUp) => report.top = report.top.saturating_sub(page),
            Some(Command::PageDown) => report.top = (report.top + page).min(last),
            Some(Command::Top) => report.top = 0,
            Some(Command::Bottom) => report.top = (last + 1).saturating_sub(page),
            Some(Command::Redraw | Command::Suspend) => return false,
            _ => model.jobs.report = None,
        }
        return true;
    }
    let open = model.menu.is_some() || model.help.is_some();
    if command == Some(Command::Back) && model.jobs.running.is_some() && !open {
        model.jobs.stopping = true;
        effects.push(Effect::StopJob);
        return true;
    }
    false
}

/// Takes note of how far the job is.
pub(super) fn told(model: &mut Model, told: Told) {
    let Some((order, _)) = model.jobs.running.take() else {
        return;
    };
    let Some(end) = told.end else {
        model.jobs.running = Some((order, told));
        return;
    };
    model.jobs.stopping = false;
    match end {
        End::Done { text, bad, lines } => {
            if !lines.is_empty() {
                show(model, text.clone(), &lines);
            }
            model.say(text, bad);
        }
        End::There => {
            if let Order::Export(export) = order {
                let over = Export {
                    over: true,
                    ..export
                };
                model.jobs.confirm = Some(Order::Export(over));
            }
        }
        End::Stopped(text) => model.say(text, false),
        End::Failed { text, hint } => {
            if let Some(hint) = hint {
                let lines = [text.clone(), String::new(), format!("hint: {hint}")];
                show(model, "It could not be done".to_owned(), &lines);
            }
            model.say(text, true);
        }
    }
}

fn show(model: &mut Model, title: String, lines: &[String]) {
    // What a peer named may be in any of them.
    let ascii = model.look.ascii;
    let lines = lines.iter().flat_map(|text| text.lines());
    model.jobs.report = Some(Report {
        title,
        lines: lines.map(|line| harmless(line, ascii)).collect(),
        top: 0,
    });
}
